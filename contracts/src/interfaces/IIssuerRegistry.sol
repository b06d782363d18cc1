// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants, Keys} from "./IParticipants.sol";

/// @title Who may issue which categories of certificate
interface IIssuerRegistry is IParticipants {
    /// @notice `issuer` is admitted for `category`; `id` is its Keccak-256.
    event CategoryGranted(address indexed issuer, bytes32 indexed id, string category);
    /// @notice `issuer` is no longer admitted for `category`.
    event CategoryWithdrawn(address indexed issuer, bytes32 indexed id, string category);

    /// @notice Admits `issuer` for `categories` (at least one). Only the authority.
    function approve(address issuer, bytes32 profile, Keys calldata newKeys, string[] calldata categories) external;
    /// @notice Admits an active or suspended issuer for more categories. Only the authority.
    function grantCategories(address issuer, string[] calldata categories) external;
    /// @notice Takes categories from an active or suspended issuer. Only the authority.
    function withdrawCategories(address issuer, string[] calldata categories) external;
    /// @notice Whether `issuer` is active and admitted for `category` now.
    function mayIssue(address issuer, string calldata category) external view returns (bool);
}
