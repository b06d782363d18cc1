// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchors} from "../interfaces/IAnchors.sol";

/// @title Where each root stands
/// @dev A batch is one storage slot, written once and never again. Its size is never zero, which is what tells a slot
/// in use.
library Batches {
    struct Batch {
        uint64 blockNumber;
        uint64 time;
        uint64 size;
    }

    struct Book {
        mapping(bytes32 root => Batch) batches;
    }

    /// @notice Writes `root` down at the current block.
    function record(Book storage book, bytes32 root, uint64 size) internal {
        if (root == bytes32(0)) revert IAnchors.EmptyRoot();
        if (size == 0) revert IAnchors.EmptyBatch();
        if (book.batches[root].size != 0) revert IAnchors.AlreadyAnchored(root);
        book.batches[root] = Batch({blockNumber: uint64(block.number), time: uint64(block.timestamp), size: size});
    }
}
