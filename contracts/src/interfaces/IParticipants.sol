// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "./IAuthorized.sol";

/// @notice Where a participant stands.
enum Status {
    None,
    Active,
    Suspended,
    Revoked
}

/// @notice A participant's keys beside its account: a P-256 signing key (0x04-less x and y), an X25519 sealing key, and the SHA-256 of the
/// DER of the P-256 key's X.509 certificate. Zero where there is none.
struct Keys {
    bytes32 p256x;
    bytes32 p256y;
    bytes32 x25519;
    bytes32 certificate;
}

/// @title What issuer and verifier registries have in common
/// @notice The whole history can be rebuilt from the events; times are block timestamps.
interface IParticipants is IAuthorized {
    error AlreadyKnown(address participant);
    error NotKnown(address participant);
    /// @notice The participant's status does not allow the change.
    error WrongStatus(address participant, Status status);
    error NoSuchKeys(address participant, uint32 version);
    /// @notice Nothing to do: an empty list, an empty or over-long (64 bytes) name, a name granted already or not granted.
    error BadName(string name);
    error EmptyList();
    /// @notice The version counts as revoked already, from this time or an earlier one; a revocation never moves to a later time.
    error KeysRevokedAlready(address participant, uint32 version, uint64 from);

    /// @notice Admitted. `profile` is the SHA-256 of the participant's public profile (name, country, address), which is served off-chain.
    event Approved(address indexed participant, bytes32 profile);
    event ProfileChanged(address indexed participant, bytes32 profile);
    /// @notice New keys, versions counted from 1; the version before stays valid for what it signed before.
    event KeysRotated(address indexed participant, uint32 indexed version, Keys keys);
    /// @notice Keys of a version count as revoked for anything signed at or after `from` (Unix seconds).
    event KeysRevoked(address indexed participant, uint32 indexed version, uint64 from);
    event Suspended(address indexed participant, string reason);
    event Resumed(address indexed participant);
    /// @notice For good. Reasons are codes, never text about a person.
    event Revoked(address indexed participant, string reason);

    function status(address participant) external view returns (Status);
    /// @notice The newest keys and their version (0: none).
    function keys(address participant) external view returns (uint32 version, Keys memory newest);
    /// @notice Whether the keys of a version count as revoked, and from when (Unix seconds).
    function keysRevoked(address participant, uint32 version) external view returns (bool revoked, uint64 from);

    function changeProfile(address participant, bytes32 profile) external;
    function rotateKeys(address participant, Keys calldata newKeys) external;
    function revokeKeys(address participant, uint32 version, uint64 from) external;
    function suspend(address participant, string calldata reason) external;
    function resume(address participant) external;
    function revoke(address participant, string calldata reason) external;
}
