// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "./interfaces/IAuthorized.sol";

/// @title The authority's role
/// @dev There is no way to give the role up: a contract without an authority could never revoke anyone again.
abstract contract Authorized is IAuthorized {
    /// @inheritdoc IAuthorized
    address public override authority;
    /// @inheritdoc IAuthorized
    address public override pendingAuthority;

    modifier onlyAuthority() {
        if (msg.sender != authority) revert NotAuthority(msg.sender);
        _;
    }

    modifier nonZero(address account) {
        if (account == address(0)) revert ZeroAddress();
        _;
    }

    constructor(address first) nonZero(first) {
        authority = first;
        emit AuthorityTransferred(address(0), first);
    }

    /// @inheritdoc IAuthorized
    function offerAuthority(address to) external override onlyAuthority {
        // Zero takes an offer back; it can accept nothing.
        // slither-disable-next-line missing-zero-check
        pendingAuthority = to;
        emit AuthorityOffered(msg.sender, to);
    }

    /// @inheritdoc IAuthorized
    function acceptAuthority() external override {
        if (msg.sender != pendingAuthority) revert NotPendingAuthority(msg.sender);
        address from = authority;
        authority = msg.sender;
        delete pendingAuthority;
        emit AuthorityTransferred(from, msg.sender);
    }
}
