// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Authorized} from "./Authorized.sol";
import {IParticipants, Keys, Status} from "./interfaces/IParticipants.sol";
import {Participation} from "./libraries/Participation.sol";

/// @title What issuer and verifier registries have in common
abstract contract Participants is IParticipants, Authorized {
    using Participation for Participation.Book;

    Participation.Book internal _book;

    /// @inheritdoc IParticipants
    function changeProfile(address participant, bytes32 profile) external override onlyAuthority {
        _book.changeProfile(participant, profile);
    }

    /// @inheritdoc IParticipants
    function rotateKeys(address participant, Keys calldata newKeys) external override onlyAuthority {
        _book.rotateKeys(participant, newKeys);
    }

    /// @inheritdoc IParticipants
    function revokeKeys(address participant, uint32 version, uint64 from) external override onlyAuthority {
        _book.revokeKeys(participant, version, from);
    }

    /// @inheritdoc IParticipants
    function suspend(address participant, string calldata reason) external override onlyAuthority {
        _book.suspend(participant, reason);
    }

    /// @inheritdoc IParticipants
    function resume(address participant) external override onlyAuthority {
        _book.resume(participant);
    }

    /// @inheritdoc IParticipants
    function revoke(address participant, string calldata reason) external override onlyAuthority {
        _book.revoke(participant, reason);
    }

    /// @inheritdoc IParticipants
    function status(address participant) public view override returns (Status) {
        return _book.entries[participant].status;
    }

    /// @inheritdoc IParticipants
    function keys(address participant) external view override returns (uint32 version, Keys memory newest) {
        Participation.Participant storage entry = _book.entries[participant];
        return (entry.version, entry.keys);
    }

    /// @inheritdoc IParticipants
    function keysRevoked(address participant, uint32 version)
        external
        view
        override
        returns (bool revoked, uint64 from)
    {
        Participation.Revocation storage revocation = _book.entries[participant].revocations[version];
        return (revocation.revoked, revocation.from);
    }
}
