// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "./IAuthorized.sol";

/// @notice Where a participant stands: none → active ⇄ suspended → revoked, and from active to revoked directly.
enum Status {
    None,
    Active,
    Suspended,
    Revoked
}

/// @notice A participant's keys beside its account: a P-256 signing key (0x04-less x and y), an X25519 sealing key, and
/// the SHA-256 of the DER of the P-256 key's X.509 certificate. Zero where there is none.
struct Keys {
    bytes32 p256x;
    bytes32 p256y;
    bytes32 x25519;
    bytes32 certificate;
}

/// @title What issuer and verifier registries have in common
/// @notice The whole history can be rebuilt from the events; times are block timestamps. Every change is the
/// authority's. Names and reasons have 1 to 64 bytes.
interface IParticipants is IAuthorized {
    /// @notice Approved before. A participant is admitted once; a revoked one never again.
    error AlreadyKnown(address participant);
    /// @notice Never approved.
    error NotKnown(address participant);
    /// @notice The participant's status does not allow the change.
    error WrongStatus(address participant, Status status);
    /// @notice The participant never had keys of this version.
    error NoSuchKeys(address participant, uint32 version);
    /// @notice The version counts as revoked already, from this time on; a revocation only ever moves to an earlier
    /// time.
    error KeysRevokedAlready(address participant, uint32 version, uint64 from);
    /// @notice An empty or over-long (64 bytes) name or reason, a name granted already, or one to withdraw that is not
    /// granted.
    error BadName(string name);
    /// @notice Nothing to do: the list is empty.
    error EmptyList();

    /// @notice Admitted. `profile` is the SHA-256 of the participant's public profile (name, country, address), which
    /// is served off-chain.
    event Approved(address indexed participant, bytes32 profile);
    /// @notice The participant's public profile is a new one.
    event ProfileChanged(address indexed participant, bytes32 profile);
    /// @notice New keys, versions counted from 1; the version before stays valid for what it signed before.
    event KeysRotated(address indexed participant, uint32 indexed version, Keys keys);
    /// @notice Keys of a version count as revoked for anything signed at or after `from` (Unix seconds). Of several
    /// such events for one version the last, which is the earliest time, holds.
    event KeysRevoked(address indexed participant, uint32 indexed version, uint64 from);
    /// @notice Out of action until resumed. Reasons are codes, never text about a person.
    event Suspended(address indexed participant, string reason);
    /// @notice In action again.
    event Resumed(address indexed participant);
    /// @notice For good. Reasons are codes, never text about a person.
    event Revoked(address indexed participant, string reason);

    /// @notice Where the participant stands now.
    function status(address participant) external view returns (Status);
    /// @notice The newest keys and their version (0: none).
    function keys(address participant) external view returns (uint32 version, Keys memory newest);
    /// @notice Whether the keys of a version count as revoked, and from when (Unix seconds).
    function keysRevoked(address participant, uint32 version) external view returns (bool revoked, uint64 from);

    /// @notice States a new profile of an active or suspended participant. Only the authority.
    function changeProfile(address participant, bytes32 profile) external;
    /// @notice Gives an active or suspended participant its next keys. Only the authority.
    function rotateKeys(address participant, Keys calldata newKeys) external;
    /// @notice Says that keys of a version are not to be trusted for anything signed at or after `from`, which may lie
    /// in the past. Whatever the participant's status. Only the authority.
    function revokeKeys(address participant, uint32 version, uint64 from) external;
    /// @notice Takes an active participant out of action. Only the authority.
    function suspend(address participant, string calldata reason) external;
    /// @notice Puts a suspended participant back in action. Only the authority.
    function resume(address participant) external;
    /// @notice Ends an active or suspended participant's part, for good. Only the authority.
    function revoke(address participant, string calldata reason) external;
}
