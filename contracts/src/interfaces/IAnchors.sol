// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "./IAuthorized.sol";

/// @title Merkle roots of batches of commitments
interface IAnchors is IAuthorized {
    error NotAnchorer(address caller);
    error AlreadyAnchored(bytes32 root);
    error EmptyRoot();
    error EmptyBatch();

    event AnchorerChanged(address indexed anchorer, bool allowed);
    /// @notice `root` stands for `size` commitments.
    event Anchored(bytes32 indexed root, uint64 size, address indexed anchorer);

    function isAnchorer(address account) external view returns (bool);
    function setAnchorer(address account, bool allowed) external;
    /// @notice Anchors a root once. One storage slot, one event.
    function anchor(bytes32 root, uint64 size) external;
    /// @notice Where a root stands: block number, block timestamp, number of commitments; zeros when it does not.
    function anchored(bytes32 root) external view returns (uint64 blockNumber, uint64 time, uint64 size);
}
