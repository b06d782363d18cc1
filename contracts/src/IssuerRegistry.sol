// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Authorized} from "./Authorized.sol";
import {IIssuerRegistry} from "./interfaces/IIssuerRegistry.sol";
import {Keys, Status} from "./interfaces/IParticipants.sol";
import {Names, NameId} from "./libraries/Names.sol";
import {Participation} from "./libraries/Participation.sol";
import {Participants} from "./Participants.sol";

/// @title Who may issue which categories of certificate
contract IssuerRegistry is IIssuerRegistry, Participants {
    using Names for Names.Set;
    using Participation for Participation.Book;

    mapping(address issuer => Names.Set) private _categories;

    constructor(address first) Authorized(first) {}

    /// @inheritdoc IIssuerRegistry
    function approve(address issuer, bytes32 profile, Keys calldata newKeys, string[] calldata categories)
        external
        override
        onlyAuthority
        nonZero(issuer)
    {
        _book.admit(issuer, profile, newKeys);
        _grant(issuer, categories);
    }

    /// @inheritdoc IIssuerRegistry
    function grantCategories(address issuer, string[] calldata categories) external override onlyAuthority {
        _book.mustStand(issuer);
        _grant(issuer, categories);
    }

    /// @inheritdoc IIssuerRegistry
    function withdrawCategories(address issuer, string[] calldata categories) external override onlyAuthority {
        _book.mustStand(issuer);
        Names.some(categories);
        for (uint256 i = 0; i < categories.length; ++i) {
            NameId id = _categories[issuer].remove(categories[i]);
            emit CategoryWithdrawn(issuer, NameId.unwrap(id), categories[i]);
        }
    }

    /// @inheritdoc IIssuerRegistry
    function mayIssue(address issuer, string calldata category) external view override returns (bool) {
        return status(issuer) == Status.Active && _categories[issuer].has(category);
    }

    function _grant(address issuer, string[] calldata categories) private {
        Names.some(categories);
        for (uint256 i = 0; i < categories.length; ++i) {
            NameId id = _categories[issuer].add(categories[i]);
            emit CategoryGranted(issuer, NameId.unwrap(id), categories[i]);
        }
    }
}
