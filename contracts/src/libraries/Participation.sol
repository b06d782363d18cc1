// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants, Keys, Status} from "../interfaces/IParticipants.sol";
import {Names} from "./Names.sol";

/// @title What becomes of a participant: none → active ⇄ suspended → revoked
/// @dev Every way into the state is here; a status changes nowhere else. Revoked has no way out.
library Participation {
    struct Revocation {
        bool revoked;
        uint64 from;
    }

    struct Participant {
        Status status;
        uint32 version;
        Keys keys;
        mapping(uint32 version => Revocation) revocations;
    }

    struct Book {
        mapping(address => Participant) entries;
    }

    /// @notice None → active, with the first keys.
    function admit(Book storage book, address who, bytes32 profile, Keys calldata keys) internal {
        Participant storage self = book.entries[who];
        if (self.status != Status.None) revert IParticipants.AlreadyKnown(who);
        self.status = Status.Active;
        emit IParticipants.Approved(who, profile);
        _setKeys(self, who, keys);
    }

    /// @notice A new profile, while the participant is active or suspended.
    function changeProfile(Book storage book, address who, bytes32 profile) internal {
        mustStand(book, who);
        emit IParticipants.ProfileChanged(who, profile);
    }

    /// @notice The next version of the keys, while the participant is active or suspended.
    function rotateKeys(Book storage book, address who, Keys calldata keys) internal {
        _setKeys(_standing(book, who), who, keys);
    }

    /// @notice Marks a version's keys as revoked from a time on, whatever the participant's status: a leak may be found
    /// after the participant itself was revoked. The time can only move back.
    function revokeKeys(Book storage book, address who, uint32 version, uint64 from) internal {
        Participant storage self = _known(book, who);
        if (version == 0 || version > self.version) revert IParticipants.NoSuchKeys(who, version);
        Revocation storage revocation = self.revocations[version];
        if (revocation.revoked && from >= revocation.from) {
            revert IParticipants.KeysRevokedAlready(who, version, revocation.from);
        }
        revocation.revoked = true;
        revocation.from = from;
        emit IParticipants.KeysRevoked(who, version, from);
    }

    /// @notice Active → suspended.
    function suspend(Book storage book, address who, string calldata reason) internal {
        Names.fits(reason);
        Participant storage self = _known(book, who);
        if (self.status != Status.Active) revert IParticipants.WrongStatus(who, self.status);
        self.status = Status.Suspended;
        emit IParticipants.Suspended(who, reason);
    }

    /// @notice Suspended → active.
    function resume(Book storage book, address who) internal {
        Participant storage self = _known(book, who);
        if (self.status != Status.Suspended) revert IParticipants.WrongStatus(who, self.status);
        self.status = Status.Active;
        emit IParticipants.Resumed(who);
    }

    /// @notice Active or suspended → revoked.
    function revoke(Book storage book, address who, string calldata reason) internal {
        Names.fits(reason);
        _standing(book, who).status = Status.Revoked;
        emit IParticipants.Revoked(who, reason);
    }

    /// @notice Refuses a participant that is neither active nor suspended.
    function mustStand(Book storage book, address who) internal view {
        Participant storage self = _known(book, who);
        if (self.status == Status.Revoked) revert IParticipants.WrongStatus(who, self.status);
    }

    function _standing(Book storage book, address who) private view returns (Participant storage) {
        mustStand(book, who);
        return book.entries[who];
    }

    function _known(Book storage book, address who) private view returns (Participant storage self) {
        self = book.entries[who];
        if (self.status == Status.None) revert IParticipants.NotKnown(who);
    }

    function _setKeys(Participant storage self, address who, Keys calldata keys) private {
        uint32 version = self.version + 1;
        self.version = version;
        self.keys = keys;
        emit IParticipants.KeysRotated(who, version, keys);
    }
}
