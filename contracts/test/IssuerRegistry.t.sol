// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IIssuerRegistry} from "../src/interfaces/IIssuerRegistry.sol";
import {IParticipants, Keys, Status} from "../src/interfaces/IParticipants.sol";
import {IssuerRegistry} from "../src/IssuerRegistry.sol";
import {ParticipantsTest} from "./support/ParticipantsTest.sol";

contract IssuerRegistryTest is ParticipantsTest {
    IssuerRegistry private _registry;

    function make() internal override returns (IParticipants) {
        _registry = new IssuerRegistry(AUTHORITY);
        return _registry;
    }

    function title() internal pure override returns (string memory) {
        return "IssuerRegistry";
    }

    function approval(address who, bytes32 profile, Keys memory keys) internal pure override returns (bytes memory) {
        return abi.encodeCall(IIssuerRegistry.approve, (who, profile, keys, list("naat", "antigen")));
    }

    function grants(address who) internal pure override returns (bytes[] memory calls) {
        calls = new bytes[](2);
        calls[0] = abi.encodeCall(IIssuerRegistry.grantCategories, (who, list("recovery")));
        calls[1] = abi.encodeCall(IIssuerRegistry.withdrawCategories, (who, list("naat")));
    }

    function test_a_laboratory_issues_what_it_is_admitted_for() public {
        vm.assertFalse(_registry.mayIssue(LAB, "naat"), "before");
        _approve(LAB);
        vm.assertTrue(_registry.mayIssue(LAB, "naat"), "naat");
        vm.assertTrue(_registry.mayIssue(LAB, "antigen"), "antigen");
        vm.assertFalse(_registry.mayIssue(LAB, "vaccination"), "another category");
        vm.assertFalse(_registry.mayIssue(LAB, ""), "no category");
        vm.assertFalse(_registry.mayIssue(AIRLINE, "naat"), "another participant");
    }

    function test_only_an_active_laboratory_issues() public {
        _approve(LAB);
        vm.prank(AUTHORITY);
        _registry.suspend(LAB, "audit");
        vm.assertFalse(_registry.mayIssue(LAB, "naat"), "suspended");
        vm.prank(AUTHORITY);
        _registry.resume(LAB);
        vm.assertTrue(_registry.mayIssue(LAB, "naat"), "resumed");
        vm.prank(AUTHORITY);
        _registry.revoke(LAB, "fraud");
        vm.assertFalse(_registry.mayIssue(LAB, "naat"), "revoked");
    }

    function test_grants_and_withdrawals_are_told_and_take_effect() public {
        _approve(LAB);
        vm.expectEmit(address(_registry));
        emit IIssuerRegistry.CategoryGranted(LAB, keccak256("recovery"), "recovery");
        vm.prank(AUTHORITY);
        _registry.grantCategories(LAB, list("recovery"));
        vm.assertTrue(_registry.mayIssue(LAB, "recovery"), "granted");
        vm.expectEmit(address(_registry));
        emit IIssuerRegistry.CategoryWithdrawn(LAB, keccak256("naat"), "naat");
        vm.prank(AUTHORITY);
        _registry.withdrawCategories(LAB, list("naat"));
        vm.assertFalse(_registry.mayIssue(LAB, "naat"), "withdrawn");
        vm.assertTrue(_registry.mayIssue(LAB, "antigen"), "the other one");
    }

    function test_admission_tells_each_category() public {
        vm.expectEmit(address(_registry));
        emit IIssuerRegistry.CategoryGranted(LAB, keccak256("naat"), "naat");
        vm.expectEmit(address(_registry));
        emit IIssuerRegistry.CategoryGranted(LAB, keccak256("antigen"), "antigen");
        _approve(LAB);
    }

    function test_what_is_granted_while_suspended_holds_after_resumption() public {
        _approve(LAB);
        vm.prank(AUTHORITY);
        _registry.suspend(LAB, "audit");
        vm.prank(AUTHORITY);
        _registry.grantCategories(LAB, list("recovery"));
        vm.assertFalse(_registry.mayIssue(LAB, "recovery"), "suspended");
        vm.prank(AUTHORITY);
        _registry.resume(LAB);
        vm.assertTrue(_registry.mayIssue(LAB, "recovery"), "resumed");
    }

    function test_no_issuer_without_a_category() public {
        bytes memory empty = abi.encodeWithSelector(IParticipants.EmptyList.selector);
        Keys memory keys = someKeys(1);
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.approve, (LAB, PROFILE, keys, none())), empty);
        vm.assertEq(uint256(_registry.status(LAB)), uint256(Status.None), "status");
        _approve(LAB);
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.grantCategories, (LAB, none())), empty);
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.withdrawCategories, (LAB, none())), empty);
    }

    function test_a_category_is_granted_once_and_withdrawn_once() public {
        _approve(LAB);
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.grantCategories, (LAB, list("naat"))), _bad("naat"));
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.grantCategories, (LAB, list("a", "a"))), _bad("a"));
        _refusedByAuthority(abi.encodeCall(IIssuerRegistry.withdrawCategories, (LAB, list("a"))), _bad("a"));
        _refusedByAuthority(
            abi.encodeCall(IIssuerRegistry.withdrawCategories, (LAB, list("naat", "naat"))), _bad("naat")
        );
        vm.assertTrue(_registry.mayIssue(LAB, "naat"), "a refused change changes nothing");
    }

    function test_names_have_1_to_64_bytes() public {
        Keys memory keys = someKeys(1);
        string[2] memory bad = ["", long(65)];
        for (uint256 i = 0; i < bad.length; ++i) {
            string[] memory names = list("fine", bad[i]);
            _refusedByAuthority(abi.encodeCall(IIssuerRegistry.approve, (LAB, PROFILE, keys, names)), _bad(bad[i]));
        }
        _acceptedByAuthority(abi.encodeCall(IIssuerRegistry.approve, (LAB, PROFILE, keys, list("x", long(64)))));
        for (uint256 i = 0; i < bad.length; ++i) {
            _refusedByAuthority(abi.encodeCall(IIssuerRegistry.grantCategories, (LAB, list(bad[i]))), _bad(bad[i]));
            _refusedByAuthority(abi.encodeCall(IIssuerRegistry.withdrawCategories, (LAB, list(bad[i]))), _bad(bad[i]));
        }
        vm.assertTrue(_registry.mayIssue(LAB, long(64)), "64 bytes");
    }

    function test_any_name_of_a_good_length(string memory name) public {
        uint256 length = bytes(name).length;
        _approve(LAB);
        vm.assume(keccak256(bytes(name)) != keccak256("naat") && keccak256(bytes(name)) != keccak256("antigen"));
        bytes memory grant = abi.encodeCall(IIssuerRegistry.grantCategories, (LAB, list(name)));
        if (length == 0 || length > 64) {
            _refusedByAuthority(grant, _bad(name));
            return;
        }
        _acceptedByAuthority(grant);
        vm.assertTrue(_registry.mayIssue(LAB, name), "granted");
        _acceptedByAuthority(abi.encodeCall(IIssuerRegistry.withdrawCategories, (LAB, list(name))));
        vm.assertFalse(_registry.mayIssue(LAB, name), "withdrawn");
    }

    function _bad(string memory name) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IParticipants.BadName.selector, name);
    }
}
