// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants, Keys} from "./IParticipants.sol";

/// @title Who may ask for which attributes, for which purposes
interface IVerifierRegistry is IParticipants {
    event AttributeGranted(address indexed verifier, bytes32 indexed id, string attribute);
    event AttributeWithdrawn(address indexed verifier, bytes32 indexed id, string attribute);
    event PurposeGranted(address indexed verifier, bytes32 indexed id, string purpose);
    event PurposeWithdrawn(address indexed verifier, bytes32 indexed id, string purpose);

    /// @notice Admits `verifier` for `attributes` and `purposes` (at least one of each). Only the authority.
    function approve(address verifier, bytes32 profile, Keys calldata newKeys, string[] calldata attributes, string[] calldata purposes) external;
    function grantAttributes(address verifier, string[] calldata attributes) external;
    function withdrawAttributes(address verifier, string[] calldata attributes) external;
    function grantPurposes(address verifier, string[] calldata purposes) external;
    function withdrawPurposes(address verifier, string[] calldata purposes) external;
    function mayAsk(address verifier, string calldata attribute, string calldata purpose) external view returns (bool);
}
