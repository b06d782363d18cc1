// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants, Keys, Status} from "../src/interfaces/IParticipants.sol";
import {IVerifierRegistry} from "../src/interfaces/IVerifierRegistry.sol";
import {VerifierRegistry} from "../src/VerifierRegistry.sol";
import {ParticipantsTest} from "./support/ParticipantsTest.sol";

contract VerifierRegistryTest is ParticipantsTest {
    VerifierRegistry private _registry;

    function make() internal override returns (IParticipants) {
        _registry = new VerifierRegistry(AUTHORITY);
        return _registry;
    }

    function title() internal pure override returns (string memory) {
        return "VerifierRegistry";
    }

    function approval(address who, bytes32 profile, Keys memory keys) internal pure override returns (bytes memory) {
        return abi.encodeCall(
            IVerifierRegistry.approve, (who, profile, keys, list("result", "name"), list("boarding", "transit"))
        );
    }

    function grants(address who) internal pure override returns (bytes[] memory calls) {
        calls = new bytes[](4);
        calls[0] = abi.encodeCall(IVerifierRegistry.grantAttributes, (who, list("birthdate")));
        calls[1] = abi.encodeCall(IVerifierRegistry.withdrawAttributes, (who, list("name")));
        calls[2] = abi.encodeCall(IVerifierRegistry.grantPurposes, (who, list("entry")));
        calls[3] = abi.encodeCall(IVerifierRegistry.withdrawPurposes, (who, list("transit")));
    }

    function test_an_airline_asks_for_what_it_is_admitted_for() public {
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "boarding"), "before");
        _approve(AIRLINE);
        vm.assertTrue(_registry.mayAsk(AIRLINE, "result", "boarding"), "result, boarding");
        vm.assertTrue(_registry.mayAsk(AIRLINE, "name", "transit"), "name, transit");
        vm.assertFalse(_registry.mayAsk(AIRLINE, "address", "boarding"), "another attribute");
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "marketing"), "another purpose");
        vm.assertFalse(_registry.mayAsk(AIRLINE, "boarding", "result"), "the two mixed up");
        vm.assertFalse(_registry.mayAsk(LAB, "result", "boarding"), "another participant");
    }

    function test_only_an_active_airline_asks() public {
        _approve(AIRLINE);
        vm.prank(AUTHORITY);
        _registry.suspend(AIRLINE, "audit");
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "boarding"), "suspended");
        vm.prank(AUTHORITY);
        _registry.resume(AIRLINE);
        vm.assertTrue(_registry.mayAsk(AIRLINE, "result", "boarding"), "resumed");
        vm.prank(AUTHORITY);
        _registry.revoke(AIRLINE, "fraud");
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "boarding"), "revoked");
    }

    function test_admission_tells_each_attribute_and_purpose() public {
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.AttributeGranted(AIRLINE, keccak256("result"), "result");
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.AttributeGranted(AIRLINE, keccak256("name"), "name");
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.PurposeGranted(AIRLINE, keccak256("boarding"), "boarding");
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.PurposeGranted(AIRLINE, keccak256("transit"), "transit");
        _approve(AIRLINE);
    }

    function test_attributes_come_and_go() public {
        _approve(AIRLINE);
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.AttributeGranted(AIRLINE, keccak256("birthdate"), "birthdate");
        vm.prank(AUTHORITY);
        _registry.grantAttributes(AIRLINE, list("birthdate"));
        vm.assertTrue(_registry.mayAsk(AIRLINE, "birthdate", "boarding"), "granted");
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.AttributeWithdrawn(AIRLINE, keccak256("result"), "result");
        vm.prank(AUTHORITY);
        _registry.withdrawAttributes(AIRLINE, list("result"));
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "boarding"), "withdrawn");
        vm.assertTrue(_registry.mayAsk(AIRLINE, "name", "boarding"), "the other one");
    }

    function test_purposes_come_and_go() public {
        _approve(AIRLINE);
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.PurposeGranted(AIRLINE, keccak256("entry"), "entry");
        vm.prank(AUTHORITY);
        _registry.grantPurposes(AIRLINE, list("entry"));
        vm.assertTrue(_registry.mayAsk(AIRLINE, "result", "entry"), "granted");
        vm.expectEmit(address(_registry));
        emit IVerifierRegistry.PurposeWithdrawn(AIRLINE, keccak256("boarding"), "boarding");
        vm.prank(AUTHORITY);
        _registry.withdrawPurposes(AIRLINE, list("boarding"));
        vm.assertFalse(_registry.mayAsk(AIRLINE, "result", "boarding"), "withdrawn");
        vm.assertTrue(_registry.mayAsk(AIRLINE, "result", "transit"), "the other one");
    }

    function test_an_attribute_is_no_purpose() public {
        _approve(AIRLINE);
        _refusedByAuthority(
            abi.encodeCall(IVerifierRegistry.withdrawPurposes, (AIRLINE, list("result"))), _bad("result")
        );
        _refusedByAuthority(
            abi.encodeCall(IVerifierRegistry.withdrawAttributes, (AIRLINE, list("boarding"))), _bad("boarding")
        );
        _acceptedByAuthority(abi.encodeCall(IVerifierRegistry.grantPurposes, (AIRLINE, list("result"))));
    }

    function test_no_verifier_without_an_attribute_and_a_purpose() public {
        bytes memory empty = abi.encodeWithSelector(IParticipants.EmptyList.selector);
        Keys memory keys = someKeys(1);
        _refusedByAuthority(_approval(keys, none(), list("boarding")), empty);
        _refusedByAuthority(_approval(keys, list("result"), none()), empty);
        vm.assertEq(uint256(_registry.status(AIRLINE)), uint256(Status.None), "status");
        _approve(AIRLINE);
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.grantAttributes, (AIRLINE, none())), empty);
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawAttributes, (AIRLINE, none())), empty);
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.grantPurposes, (AIRLINE, none())), empty);
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawPurposes, (AIRLINE, none())), empty);
    }

    function test_each_is_granted_once_and_withdrawn_once() public {
        _approve(AIRLINE);
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.grantAttributes, (AIRLINE, list("name"))), _bad("name"));
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawAttributes, (AIRLINE, list("a"))), _bad("a"));
        _refusedByAuthority(
            abi.encodeCall(IVerifierRegistry.grantPurposes, (AIRLINE, list("boarding"))), _bad("boarding")
        );
        _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawPurposes, (AIRLINE, list("a"))), _bad("a"));
        _refusedByAuthority(
            abi.encodeCall(IVerifierRegistry.withdrawPurposes, (AIRLINE, list("transit", "transit"))), _bad("transit")
        );
        vm.assertTrue(_registry.mayAsk(AIRLINE, "name", "transit"), "a refused change changes nothing");
    }

    function test_names_have_1_to_64_bytes() public {
        Keys memory keys = someKeys(1);
        string[2] memory bad = ["", long(65)];
        for (uint256 i = 0; i < bad.length; ++i) {
            _refusedByAuthority(_approval(keys, list(bad[i]), list("x")), _bad(bad[i]));
            _refusedByAuthority(_approval(keys, list("x"), list(bad[i])), _bad(bad[i]));
        }
        _acceptedByAuthority(_approval(keys, list("x", long(64)), list("x", long(64))));
        for (uint256 i = 0; i < bad.length; ++i) {
            string[] memory names = list(bad[i]);
            bytes memory reason = _bad(bad[i]);
            _refusedByAuthority(abi.encodeCall(IVerifierRegistry.grantAttributes, (AIRLINE, names)), reason);
            _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawAttributes, (AIRLINE, names)), reason);
            _refusedByAuthority(abi.encodeCall(IVerifierRegistry.grantPurposes, (AIRLINE, names)), reason);
            _refusedByAuthority(abi.encodeCall(IVerifierRegistry.withdrawPurposes, (AIRLINE, names)), reason);
        }
        vm.assertTrue(_registry.mayAsk(AIRLINE, long(64), long(64)), "64 bytes");
    }

    function test_any_name_of_a_good_length(string memory attribute, string memory purpose) public {
        bytes memory call = _approval(someKeys(1), list(attribute), list(purpose));
        if (!_fits(attribute)) {
            _refusedByAuthority(call, _bad(attribute));
        } else if (!_fits(purpose)) {
            _refusedByAuthority(call, _bad(purpose));
        } else {
            _acceptedByAuthority(call);
            vm.assertTrue(_registry.mayAsk(AIRLINE, attribute, purpose), "granted");
        }
    }

    function _approval(Keys memory keys, string[] memory attributes, string[] memory purposes)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IVerifierRegistry.approve, (AIRLINE, PROFILE, keys, attributes, purposes));
    }

    function _fits(string memory name) private pure returns (bool) {
        return bytes(name).length >= 1 && bytes(name).length <= 64;
    }

    function _bad(string memory name) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IParticipants.BadName.selector, name);
    }
}
