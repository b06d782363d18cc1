// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Authorized} from "./Authorized.sol";
import {Keys, Status} from "./interfaces/IParticipants.sol";
import {IVerifierRegistry} from "./interfaces/IVerifierRegistry.sol";
import {Names, NameId} from "./libraries/Names.sol";
import {Participation} from "./libraries/Participation.sol";
import {Participants} from "./Participants.sol";

/// @title Who may ask for which attributes, for which purposes
contract VerifierRegistry is IVerifierRegistry, Participants {
    using Names for Names.Set;
    using Participation for Participation.Book;

    mapping(address verifier => Names.Set) private _attributes;
    mapping(address verifier => Names.Set) private _purposes;

    constructor(address first) Authorized(first) {}

    /// @inheritdoc IVerifierRegistry
    function approve(
        address verifier,
        bytes32 profile,
        Keys calldata newKeys,
        string[] calldata attributes,
        string[] calldata purposes
    ) external override onlyAuthority nonZero(verifier) {
        _book.admit(verifier, profile, newKeys);
        _grantAttributes(verifier, attributes);
        _grantPurposes(verifier, purposes);
    }

    /// @inheritdoc IVerifierRegistry
    function grantAttributes(address verifier, string[] calldata attributes) external override onlyAuthority {
        _book.mustStand(verifier);
        _grantAttributes(verifier, attributes);
    }

    /// @inheritdoc IVerifierRegistry
    function withdrawAttributes(address verifier, string[] calldata attributes) external override onlyAuthority {
        _book.mustStand(verifier);
        Names.some(attributes);
        for (uint256 i = 0; i < attributes.length; ++i) {
            NameId id = _attributes[verifier].remove(attributes[i]);
            emit AttributeWithdrawn(verifier, NameId.unwrap(id), attributes[i]);
        }
    }

    /// @inheritdoc IVerifierRegistry
    function grantPurposes(address verifier, string[] calldata purposes) external override onlyAuthority {
        _book.mustStand(verifier);
        _grantPurposes(verifier, purposes);
    }

    /// @inheritdoc IVerifierRegistry
    function withdrawPurposes(address verifier, string[] calldata purposes) external override onlyAuthority {
        _book.mustStand(verifier);
        Names.some(purposes);
        for (uint256 i = 0; i < purposes.length; ++i) {
            NameId id = _purposes[verifier].remove(purposes[i]);
            emit PurposeWithdrawn(verifier, NameId.unwrap(id), purposes[i]);
        }
    }

    /// @inheritdoc IVerifierRegistry
    function mayAsk(address verifier, string calldata attribute, string calldata purpose)
        external
        view
        override
        returns (bool)
    {
        return status(verifier) == Status.Active && _attributes[verifier].has(attribute)
            && _purposes[verifier].has(purpose);
    }

    function _grantAttributes(address verifier, string[] calldata attributes) private {
        Names.some(attributes);
        for (uint256 i = 0; i < attributes.length; ++i) {
            NameId id = _attributes[verifier].add(attributes[i]);
            emit AttributeGranted(verifier, NameId.unwrap(id), attributes[i]);
        }
    }

    function _grantPurposes(address verifier, string[] calldata purposes) private {
        Names.some(purposes);
        for (uint256 i = 0; i < purposes.length; ++i) {
            NameId id = _purposes[verifier].add(purposes[i]);
            emit PurposeGranted(verifier, NameId.unwrap(id), purposes[i]);
        }
    }
}
