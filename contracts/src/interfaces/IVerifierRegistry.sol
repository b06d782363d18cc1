// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants, Keys} from "./IParticipants.sol";

/// @title Who may ask for which attributes, for which purposes
interface IVerifierRegistry is IParticipants {
    /// @notice `verifier` may ask for `attribute`; `id` is its Keccak-256.
    event AttributeGranted(address indexed verifier, bytes32 indexed id, string attribute);
    /// @notice `verifier` may no longer ask for `attribute`.
    event AttributeWithdrawn(address indexed verifier, bytes32 indexed id, string attribute);
    /// @notice `verifier` may ask for `purpose`; `id` is its Keccak-256.
    event PurposeGranted(address indexed verifier, bytes32 indexed id, string purpose);
    /// @notice `verifier` may no longer ask for `purpose`.
    event PurposeWithdrawn(address indexed verifier, bytes32 indexed id, string purpose);

    /// @notice Admits `verifier` for `attributes` and `purposes` (at least one of each). Only the authority.
    function approve(
        address verifier,
        bytes32 profile,
        Keys calldata newKeys,
        string[] calldata attributes,
        string[] calldata purposes
    ) external;
    /// @notice Lets an active or suspended verifier ask for more attributes. Only the authority.
    function grantAttributes(address verifier, string[] calldata attributes) external;
    /// @notice Takes attributes from an active or suspended verifier. Only the authority.
    function withdrawAttributes(address verifier, string[] calldata attributes) external;
    /// @notice Lets an active or suspended verifier ask for more purposes. Only the authority.
    function grantPurposes(address verifier, string[] calldata purposes) external;
    /// @notice Takes purposes from an active or suspended verifier. Only the authority.
    function withdrawPurposes(address verifier, string[] calldata purposes) external;
    /// @notice Whether `verifier` is active and may ask for `attribute` for `purpose` now.
    function mayAsk(address verifier, string calldata attribute, string calldata purpose) external view returns (bool);
}
