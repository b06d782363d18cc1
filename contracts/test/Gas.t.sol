// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "../src/Anchors.sol";
import {EthereumDIDRegistry} from "../src/EthereumDIDRegistry.sol";
import {IParticipants} from "../src/interfaces/IParticipants.sol";
import {IssuerRegistry} from "../src/IssuerRegistry.sol";
import {VerifierRegistry} from "../src/VerifierRegistry.sol";
import {Identity} from "./support/Identity.sol";
import {Test} from "./support/Test.sol";

/// @notice What each change costs as a transaction of its own, its base and calldata included; kept in snapshots/ and
/// compared.
/// forge-config: default.isolate = true
contract GasTest is Identity {
    Anchors private _anchors;
    IssuerRegistry private _issuers;
    VerifierRegistry private _verifiers;
    EthereumDIDRegistry private _identities;

    function setUp() public {
        _anchors = new Anchors(AUTHORITY);
        _issuers = new IssuerRegistry(AUTHORITY);
        _verifiers = new VerifierRegistry(AUTHORITY);
        _identities = new EthereumDIDRegistry();
        vm.roll(100);
        vm.warp(1_800_000_000);
    }

    function test_anchors() public {
        vm.prank(AUTHORITY);
        _anchors.setAnchorer(LAB, true);
        vm.snapshotGasLastCall("Anchors", "setAnchorer");
        vm.prank(LAB);
        _anchors.anchor(keccak256("root"), 1_000_000);
        uint256 gas = vm.snapshotGasLastCall("Anchors", "anchor");
        vm.assertLe(gas, 50_000, "anchor");
        vm.assertGt(gas, 21_000, "measured as a transaction");
        vm.prank(AUTHORITY);
        _anchors.offerAuthority(SUCCESSOR);
        vm.snapshotGasLastCall("Anchors", "offerAuthority");
        vm.prank(SUCCESSOR);
        _anchors.acceptAuthority();
        vm.snapshotGasLastCall("Anchors", "acceptAuthority");
    }

    /// @dev The costliest bytes that an anchor's call can have.
    function test_no_anchor_costs_more_than_50000() public {
        vm.prank(AUTHORITY);
        _anchors.setAnchorer(LAB, true);
        vm.prank(LAB);
        _anchors.anchor(bytes32(type(uint256).max), type(uint64).max);
        vm.assertLe(vm.snapshotGasLastCall("Anchors", "anchor (most)"), 50_000, "anchor");
    }

    function test_issuers() public {
        vm.prank(AUTHORITY);
        _issuers.approve(LAB, PROFILE, someKeys(1), list("sars-cov-2-naat", "sars-cov-2-antigen"));
        vm.snapshotGasLastCall("IssuerRegistry", "approve, 2 categories");
        vm.prank(AUTHORITY);
        _issuers.grantCategories(LAB, list("recovery"));
        vm.snapshotGasLastCall("IssuerRegistry", "grantCategories, 1");
        vm.prank(AUTHORITY);
        _issuers.withdrawCategories(LAB, list("recovery"));
        vm.snapshotGasLastCall("IssuerRegistry", "withdrawCategories, 1");
        _participant(_issuers, LAB);
    }

    function test_verifiers() public {
        vm.prank(AUTHORITY);
        _verifiers.approve(AIRLINE, PROFILE, someKeys(1), list("result", "name"), list("boarding"));
        vm.snapshotGasLastCall("VerifierRegistry", "approve, 2 attributes, 1 purpose");
        vm.prank(AUTHORITY);
        _verifiers.grantAttributes(AIRLINE, list("birthdate"));
        vm.snapshotGasLastCall("VerifierRegistry", "grantAttributes, 1");
        vm.prank(AUTHORITY);
        _verifiers.withdrawAttributes(AIRLINE, list("birthdate"));
        vm.snapshotGasLastCall("VerifierRegistry", "withdrawAttributes, 1");
        vm.prank(AUTHORITY);
        _verifiers.grantPurposes(AIRLINE, list("transit"));
        vm.snapshotGasLastCall("VerifierRegistry", "grantPurposes, 1");
        vm.prank(AUTHORITY);
        _verifiers.withdrawPurposes(AIRLINE, list("transit"));
        vm.snapshotGasLastCall("VerifierRegistry", "withdrawPurposes, 1");
    }

    function test_identities() public {
        address holder = vm.addr(HOLDER_KEY);
        string[5] memory names = ["changeOwner", "addDelegate", "revokeDelegate", "setAttribute", "revokeAttribute"];
        for (uint256 kind = 1; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), holder);
            accepted(holder, address(_identities), direct(change));
            vm.snapshotGasLastCall("EthereumDIDRegistry", names[kind]);
            Signature memory signature = sign(HOLDER_KEY, address(_identities), kind - 1, change);
            accepted(RELAY, address(_identities), relayed(change, signature));
            vm.snapshotGasLastCall("EthereumDIDRegistry", string.concat(names[kind], "Signed"));
        }
        Change memory handOver = some(Kind.ChangeOwner, holder);
        Signature memory last = sign(HOLDER_KEY, address(_identities), 4, handOver);
        accepted(RELAY, address(_identities), relayed(handOver, last));
        vm.snapshotGasLastCall("EthereumDIDRegistry", "changeOwnerSigned");
        accepted(vm.addr(HEIR_KEY), address(_identities), direct(handOver));
        vm.snapshotGasLastCall("EthereumDIDRegistry", "changeOwner");
    }

    function _participant(IParticipants registry, address who) private {
        vm.prank(AUTHORITY);
        registry.changeProfile(who, keccak256("new profile"));
        vm.snapshotGasLastCall("IssuerRegistry", "changeProfile");
        vm.prank(AUTHORITY);
        registry.rotateKeys(who, someKeys(2));
        vm.snapshotGasLastCall("IssuerRegistry", "rotateKeys");
        vm.prank(AUTHORITY);
        registry.revokeKeys(who, 1, 1_800_000_000);
        vm.snapshotGasLastCall("IssuerRegistry", "revokeKeys");
        vm.prank(AUTHORITY);
        registry.suspend(who, "audit");
        vm.snapshotGasLastCall("IssuerRegistry", "suspend");
        vm.prank(AUTHORITY);
        registry.resume(who);
        vm.snapshotGasLastCall("IssuerRegistry", "resume");
        vm.prank(AUTHORITY);
        registry.revoke(who, "fraud");
        vm.snapshotGasLastCall("IssuerRegistry", "revoke");
    }
}

/// @notice What each deployment costs as a transaction: the creation itself, and the base and calldata that London
/// charges for.
contract DeploymentGasTest is Test {
    function test_deployments() public {
        bytes memory first = abi.encode(AUTHORITY);
        _deploy("Anchors", bytes.concat(type(Anchors).creationCode, first));
        _deploy("EthereumDIDRegistry", type(EthereumDIDRegistry).creationCode);
        _deploy("IssuerRegistry", bytes.concat(type(IssuerRegistry).creationCode, first));
        _deploy("VerifierRegistry", bytes.concat(type(VerifierRegistry).creationCode, first));
    }

    function _deploy(string memory name, bytes memory code) private {
        uint256 used;
        address made;
        assembly ("memory-safe") {
            let left := gas()
            made := create(0, add(code, 0x20), mload(code))
            used := sub(left, gas())
        }
        vm.assertTrue(made.code.length > 0, name);
        used += 21_000;
        for (uint256 i = 0; i < code.length; ++i) {
            used += code[i] == 0 ? 4 : 16;
        }
        vm.snapshotValue("Deployment", name, used);
        // Far below what a block of any supported network holds.
        vm.assertLe(used, 5_000_000, name);
    }
}
