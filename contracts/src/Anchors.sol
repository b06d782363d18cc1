// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Authorized} from "./Authorized.sol";
import {IAnchors} from "./interfaces/IAnchors.sol";
import {Batches} from "./libraries/Batches.sol";

/// @title Merkle roots of batches of commitments
contract Anchors is IAnchors, Authorized {
    using Batches for Batches.Book;

    Batches.Book private _book;

    /// @inheritdoc IAnchors
    mapping(address account => bool) public override isAnchorer;

    constructor(address first) Authorized(first) {}

    /// @inheritdoc IAnchors
    function setAnchorer(address account, bool allowed) external override onlyAuthority nonZero(account) {
        isAnchorer[account] = allowed;
        emit AnchorerChanged(account, allowed);
    }

    /// @inheritdoc IAnchors
    function anchor(bytes32 root, uint64 size) external override {
        if (!isAnchorer[msg.sender]) revert NotAnchorer(msg.sender);
        _book.record(root, size);
        emit Anchored(root, size, msg.sender);
    }

    /// @inheritdoc IAnchors
    function anchored(bytes32 root) external view override returns (uint64 blockNumber, uint64 time, uint64 size) {
        Batches.Batch storage batch = _book.batches[root];
        return (batch.blockNumber, batch.time, batch.size);
    }
}
