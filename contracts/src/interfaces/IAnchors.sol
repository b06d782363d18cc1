// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "./IAuthorized.sol";

/// @title Merkle roots of batches of commitments
/// @notice A root that stands says: its commitments existed at that block. It says nothing about what they commit to.
interface IAnchors is IAuthorized {
    /// @notice The caller may not anchor.
    error NotAnchorer(address caller);
    /// @notice The root stands already; where it stands never changes.
    error AlreadyAnchored(bytes32 root);
    /// @notice The zero root is no root.
    error EmptyRoot();
    /// @notice A batch has at least one commitment.
    error EmptyBatch();

    /// @notice `anchorer` may anchor from here on, or no longer.
    event AnchorerChanged(address indexed anchorer, bool allowed);
    /// @notice `root` stands for `size` commitments.
    event Anchored(bytes32 indexed root, uint64 size, address indexed anchorer);

    /// @notice Whether `account` may anchor.
    function isAnchorer(address account) external view returns (bool);
    /// @notice Lets `account` anchor, or no longer. Only the authority.
    function setAnchorer(address account, bool allowed) external;
    /// @notice Anchors a root once. One storage slot, one event. Only an anchorer.
    function anchor(bytes32 root, uint64 size) external;
    /// @notice Where a root stands: block number, block timestamp (Unix seconds), number of commitments; zeros when it
    /// does not.
    function anchored(bytes32 root) external view returns (uint64 blockNumber, uint64 time, uint64 size);
}
