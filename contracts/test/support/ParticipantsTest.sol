// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "../../src/interfaces/IAuthorized.sol";
import {IParticipants, Keys, Status} from "../../src/interfaces/IParticipants.sol";
import {Test} from "./Test.sol";

/// @notice What holds for issuers and verifiers alike; each registry's tests build on it.
abstract contract ParticipantsTest is Test {
    IParticipants internal participants;
    address private _target;

    /// @dev One change of the registry, and what becomes of it in each of the four states.
    struct Change {
        string name;
        bytes data;
        Outcome[4] outcomes;
    }

    enum Outcome {
        ToActive,
        ToSuspended,
        ToRevoked,
        AlreadyKnown,
        NotKnown,
        WrongStatus
    }

    function make() internal virtual returns (IParticipants);

    /// @dev The name of the contract.
    function title() internal pure virtual returns (string memory);

    /// @dev The call that admits `who`.
    function approval(address who, bytes32 profile, Keys memory keys) internal pure virtual returns (bytes memory);

    /// @dev Calls, each good on its own, that add or take a name and need nothing but the approval.
    function grants(address who) internal pure virtual returns (bytes[] memory);

    function setUp() public virtual {
        participants = make();
        _target = address(participants);
        vm.roll(500);
        vm.warp(1_800_000_000);
    }

    // ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_only_the_authority_changes_anything(address caller) public {
        vm.assume(caller != AUTHORITY);
        _approve(LAB);
        bytes[] memory calls = _allCalls(LAB);
        for (uint256 i = 0; i < calls.length; ++i) {
            refused(caller, _target, calls[i], abi.encodeWithSelector(IAuthorized.NotAuthority.selector, caller));
        }
        vm.assertEq(uint256(participants.status(LAB)), uint256(Status.Active), "status");
    }

    function test_a_participant_changes_nothing_about_itself() public {
        _approve(LAB);
        bytes[] memory calls = _allCalls(LAB);
        for (uint256 i = 0; i < calls.length; ++i) {
            refused(LAB, _target, calls[i], abi.encodeWithSelector(IAuthorized.NotAuthority.selector, LAB));
        }
    }

    function test_the_say_goes_over_with_the_role() public {
        vm.prank(AUTHORITY);
        participants.offerAuthority(SUCCESSOR);
        bytes memory admit = approval(LAB, PROFILE, someKeys(1));
        refused(SUCCESSOR, _target, admit, abi.encodeWithSelector(IAuthorized.NotAuthority.selector, SUCCESSOR));
        vm.prank(SUCCESSOR);
        participants.acceptAuthority();
        refused(AUTHORITY, _target, admit, abi.encodeWithSelector(IAuthorized.NotAuthority.selector, AUTHORITY));
        accepted(SUCCESSOR, _target, admit);
    }

    /// @dev Keeps the two tests above whole: a function that is added to the contract has to be added to them.
    function test_every_function_that_writes_is_covered() public view {
        bytes[] memory calls = _allCalls(LAB);
        vm.assertEq(calls.length + 2, writers(title()), "offerAuthority, acceptAuthority and these");
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                vm.assertTrue(selectorOf(calls[i]) != selectorOf(calls[j]), "the same function twice");
            }
        }
    }

    // ── status ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_every_change_in_every_status() public {
        Change[] memory changes = _changes(address(0));
        uint160 next = 0x1000;
        for (uint256 i = 0; i < changes.length; ++i) {
            for (uint256 from = 0; from < 4; ++from) {
                address who = address(++next);
                _bring(who, Status(from));
                Change memory change = _changes(who)[i];
                _expect(who, Status(from), change, change.outcomes[from]);
            }
        }
    }

    function test_admission_is_told() public {
        Keys memory keys = someKeys(1);
        vm.expectEmit(_target);
        emit IParticipants.Approved(LAB, PROFILE);
        vm.expectEmit(_target);
        emit IParticipants.KeysRotated(LAB, 1, keys);
        accepted(AUTHORITY, _target, approval(LAB, PROFILE, keys));
        vm.assertEq(uint256(participants.status(LAB)), uint256(Status.Active), "status");
    }

    function test_the_zero_address_is_not_admitted() public {
        bytes memory reason = abi.encodeWithSelector(IAuthorized.ZeroAddress.selector);
        refused(AUTHORITY, _target, approval(address(0), PROFILE, someKeys(1)), reason);
    }

    function test_suspension_resumption_and_revocation_are_told() public {
        _approve(LAB);
        vm.expectEmit(_target);
        emit IParticipants.Suspended(LAB, "audit");
        vm.prank(AUTHORITY);
        participants.suspend(LAB, "audit");
        vm.expectEmit(_target);
        emit IParticipants.Resumed(LAB);
        vm.prank(AUTHORITY);
        participants.resume(LAB);
        vm.expectEmit(_target);
        emit IParticipants.Revoked(LAB, "fraud");
        vm.prank(AUTHORITY);
        participants.revoke(LAB, "fraud");
    }

    function test_reasons_have_1_to_64_bytes() public {
        _approve(LAB);
        string[2] memory bad = ["", long(65)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IParticipants.BadName.selector, bad[i]);
            refused(AUTHORITY, _target, abi.encodeCall(IParticipants.suspend, (LAB, bad[i])), reason);
            refused(AUTHORITY, _target, abi.encodeCall(IParticipants.revoke, (LAB, bad[i])), reason);
        }
        accepted(AUTHORITY, _target, abi.encodeCall(IParticipants.suspend, (LAB, long(64))));
        accepted(AUTHORITY, _target, abi.encodeCall(IParticipants.revoke, (LAB, "x")));
    }

    function test_participants_do_not_touch_each_other(address other) public {
        vm.assume(other != LAB);
        _approve(LAB);
        vm.prank(AUTHORITY);
        participants.revoke(LAB, "fraud");
        vm.assertEq(uint256(participants.status(other)), uint256(Status.None), "status");
        (uint32 version, Keys memory keys) = participants.keys(other);
        vm.assertEq(version, 0, "version");
        assertKeys(keys, Keys(0, 0, 0, 0));
    }

    function test_a_new_profile_is_told(bytes32 profile) public {
        _approve(LAB);
        vm.expectEmit(_target);
        emit IParticipants.ProfileChanged(LAB, profile);
        vm.prank(AUTHORITY);
        participants.changeProfile(LAB, profile);
    }

    // ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_an_unknown_participant_has_no_keys(address who) public view {
        (uint32 version, Keys memory keys) = participants.keys(who);
        vm.assertEq(version, 0, "version");
        assertKeys(keys, Keys(0, 0, 0, 0));
    }

    function test_keys_are_kept_as_given(Keys memory first, Keys memory second) public {
        accepted(AUTHORITY, _target, approval(LAB, PROFILE, first));
        _has(LAB, 1, first);
        vm.expectEmit(_target);
        emit IParticipants.KeysRotated(LAB, 2, second);
        vm.prank(AUTHORITY);
        participants.rotateKeys(LAB, second);
        _has(LAB, 2, second);
    }

    function test_versions_count_up_by_one(uint8 rotations) public {
        _approve(LAB);
        for (uint32 i = 0; i < rotations % 16; ++i) {
            vm.prank(AUTHORITY);
            participants.rotateKeys(LAB, someKeys(i));
            _has(LAB, i + 2, someKeys(i));
        }
    }

    function test_keys_of_a_version_are_revoked_from_a_time_on(uint64 from) public {
        _approve(LAB);
        (bool before,) = participants.keysRevoked(LAB, 1);
        vm.assertFalse(before, "revoked before");
        vm.expectEmit(_target);
        emit IParticipants.KeysRevoked(LAB, 1, from);
        vm.prank(AUTHORITY);
        participants.revokeKeys(LAB, 1, from);
        (bool revoked, uint64 since) = participants.keysRevoked(LAB, 1);
        vm.assertTrue(revoked, "revoked");
        vm.assertEq(since, from, "from");
    }

    function test_a_revocation_of_keys_moves_to_an_earlier_time_only(uint64 first, uint64 second) public {
        _approve(LAB);
        vm.prank(AUTHORITY);
        participants.revokeKeys(LAB, 1, first);
        bytes memory again = abi.encodeCall(IParticipants.revokeKeys, (LAB, 1, second));
        if (second < first) {
            accepted(AUTHORITY, _target, again);
        } else {
            bytes memory reason =
                abi.encodeWithSelector(IParticipants.KeysRevokedAlready.selector, LAB, uint32(1), first);
            refused(AUTHORITY, _target, again, reason);
        }
        (bool revoked, uint64 since) = participants.keysRevoked(LAB, 1);
        vm.assertTrue(revoked, "revoked");
        vm.assertEq(since, second < first ? second : first, "from");
    }

    function test_only_versions_that_were_can_be_revoked(uint32 version) public {
        vm.assume(version == 0 || version > 2);
        _approve(LAB);
        vm.prank(AUTHORITY);
        participants.rotateKeys(LAB, someKeys(2));
        bytes memory reason = abi.encodeWithSelector(IParticipants.NoSuchKeys.selector, LAB, version);
        refused(AUTHORITY, _target, abi.encodeCall(IParticipants.revokeKeys, (LAB, version, 1)), reason);
    }

    function test_revoking_one_version_leaves_the_others() public {
        _approve(LAB);
        vm.prank(AUTHORITY);
        participants.rotateKeys(LAB, someKeys(2));
        vm.prank(AUTHORITY);
        participants.revokeKeys(LAB, 1, 7);
        (bool revoked,) = participants.keysRevoked(LAB, 2);
        vm.assertFalse(revoked, "version 2");
        _has(LAB, 2, someKeys(2));
    }

    // ── support ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function _approve(address who) internal {
        accepted(AUTHORITY, _target, approval(who, PROFILE, someKeys(1)));
    }

    /// @dev Brings a fresh participant into `status`.
    function _bring(address who, Status status) internal {
        if (status == Status.None) return;
        _approve(who);
        if (status == Status.Suspended) {
            accepted(AUTHORITY, _target, abi.encodeCall(IParticipants.suspend, (who, "r")));
        }
        if (status == Status.Revoked) accepted(AUTHORITY, _target, abi.encodeCall(IParticipants.revoke, (who, "r")));
        vm.assertEq(uint256(participants.status(who)), uint256(status), "brought");
    }

    function _refusedByAuthority(bytes memory data, bytes memory reason) internal {
        refused(AUTHORITY, _target, data, reason);
    }

    function _acceptedByAuthority(bytes memory data) internal {
        accepted(AUTHORITY, _target, data);
    }

    function _has(address who, uint32 version, Keys memory keys) private view {
        (uint32 newest, Keys memory held) = participants.keys(who);
        vm.assertEq(newest, version, "version");
        assertKeys(held, keys);
    }

    function _expect(address who, Status from, Change memory change, Outcome outcome) private {
        if (outcome <= Outcome.ToRevoked) {
            accepted(AUTHORITY, _target, change.data);
            vm.assertEq(uint256(participants.status(who)), uint256(outcome) + 1, change.name);
            return;
        }
        bytes memory reason;
        if (outcome == Outcome.AlreadyKnown) reason = abi.encodeWithSelector(IParticipants.AlreadyKnown.selector, who);
        if (outcome == Outcome.NotKnown) reason = abi.encodeWithSelector(IParticipants.NotKnown.selector, who);
        if (outcome == Outcome.WrongStatus) {
            reason = abi.encodeWithSelector(IParticipants.WrongStatus.selector, who, from);
        }
        refused(AUTHORITY, _target, change.data, reason);
        vm.assertEq(uint256(participants.status(who)), uint256(from), change.name);
    }

    function _allCalls(address who) private pure returns (bytes[] memory calls) {
        Change[] memory changes = _changes(who);
        calls = new bytes[](changes.length);
        for (uint256 i = 0; i < changes.length; ++i) {
            calls[i] = changes[i].data;
        }
    }

    /// @dev The whole matrix: each function that writes, and its outcome from none, active, suspended and revoked.
    function _changes(address who) private pure returns (Change[] memory changes) {
        bytes[] memory named = grants(who);
        changes = new Change[](7 + named.length);
        changes[0] = Change(
            "approve",
            approval(who, PROFILE, someKeys(1)),
            [Outcome.ToActive, Outcome.AlreadyKnown, Outcome.AlreadyKnown, Outcome.AlreadyKnown]
        );
        changes[1] =
            Change("changeProfile", abi.encodeCall(IParticipants.changeProfile, (who, PROFILE)), _whileStanding());
        changes[2] =
            Change("rotateKeys", abi.encodeCall(IParticipants.rotateKeys, (who, someKeys(2))), _whileStanding());
        changes[3] = Change(
            "revokeKeys",
            abi.encodeCall(IParticipants.revokeKeys, (who, 1, 1)),
            [Outcome.NotKnown, Outcome.ToActive, Outcome.ToSuspended, Outcome.ToRevoked]
        );
        changes[4] = Change(
            "suspend",
            abi.encodeCall(IParticipants.suspend, (who, "r")),
            [Outcome.NotKnown, Outcome.ToSuspended, Outcome.WrongStatus, Outcome.WrongStatus]
        );
        changes[5] = Change(
            "resume",
            abi.encodeCall(IParticipants.resume, (who)),
            [Outcome.NotKnown, Outcome.WrongStatus, Outcome.ToActive, Outcome.WrongStatus]
        );
        changes[6] = Change(
            "revoke",
            abi.encodeCall(IParticipants.revoke, (who, "r")),
            [Outcome.NotKnown, Outcome.ToRevoked, Outcome.ToRevoked, Outcome.WrongStatus]
        );
        for (uint256 i = 0; i < named.length; ++i) {
            changes[7 + i] = Change("grant or withdraw", named[i], _whileStanding());
        }
    }

    /// @dev Possible while active or suspended, and leaves the status as it is.
    function _whileStanding() private pure returns (Outcome[4] memory) {
        return [Outcome.NotKnown, Outcome.ToActive, Outcome.ToSuspended, Outcome.WrongStatus];
    }
}
