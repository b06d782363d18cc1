// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EthereumDIDRegistry} from "../src/EthereumDIDRegistry.sol";
import {IEthereumDIDRegistry} from "../src/interfaces/IEthereumDIDRegistry.sol";
import {Identity} from "./support/Identity.sol";

/// @notice Changes that the owner signs and somebody else sends and pays for. Each test goes through the five kinds.
contract EthereumDIDRegistrySignedTest is Identity {
    uint256 private constant NOW = 1_800_000_000;

    EthereumDIDRegistry private _registry;
    address private _holder;
    address private _heir;

    function setUp() public {
        _registry = new EthereumDIDRegistry();
        _holder = vm.addr(HOLDER_KEY);
        _heir = vm.addr(HEIR_KEY);
        vm.roll(100);
        vm.warp(NOW);
    }

    // ── what goes through ───────────────────────────────────────────────────────────────────────────────────────────

    function test_a_relay_hands_the_identity_over_for_its_owner() public {
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDOwnerChanged(_holder, _heir, 0);
        _relay(some(Kind.ChangeOwner, _holder), HOLDER_KEY, 0);
        vm.assertEq(_registry.identityOwner(_holder), _heir, "owner");
        vm.assertEq(_registry.nonce(_holder), 1, "nonce");
        vm.assertEq(_registry.changed(_holder), 100, "changed");
    }

    function test_a_relay_adds_and_revokes_a_delegate_for_the_owner() public {
        Change memory change = some(Kind.AddDelegate, _holder);
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDDelegateChanged(_holder, change.name, _heir, NOW + 86_400, 0);
        _relay(change, HOLDER_KEY, 0);
        vm.assertTrue(_registry.validDelegate(_holder, change.name, _heir), "added");
        change.kind = Kind.RevokeDelegate;
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDDelegateChanged(_holder, change.name, _heir, NOW, 100);
        _relay(change, HOLDER_KEY, 1);
        vm.assertFalse(_registry.validDelegate(_holder, change.name, _heir), "revoked");
        vm.assertEq(_registry.nonce(_holder), 2, "nonce");
    }

    function test_a_relay_sets_and_revokes_an_attribute_for_the_owner(bytes memory value) public {
        Change memory change = some(Kind.SetAttribute, _holder);
        change.value = value;
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDAttributeChanged(_holder, change.name, value, NOW + 86_400, 0);
        _relay(change, HOLDER_KEY, 0);
        change.kind = Kind.RevokeAttribute;
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDAttributeChanged(_holder, change.name, value, 0, 100);
        _relay(change, HOLDER_KEY, 1);
        vm.assertEq(_registry.nonce(_holder), 2, "nonce");
    }

    function test_anybody_may_be_the_relay(address relay, uint8 kind) public {
        Change memory change = some(Kind(kind % 5), _holder);
        accepted(relay, address(_registry), relayed(change, _sign(change, HOLDER_KEY, 0)));
        vm.assertEq(_registry.nonce(_holder), 1, "nonce");
    }

    function test_any_owner_any_arguments(uint256 key, uint8 kind, address account, bytes32 name, bytes memory value)
        public
    {
        key = 1 + key % 1e36;
        Change memory change = Change(Kind(kind % 5), vm.addr(key), account, name, value, 60);
        _relay(change, key, 0);
        vm.assertEq(_registry.nonce(vm.addr(key)), 1, "nonce");
    }

    function test_a_direct_change_spends_no_nonce() public {
        for (uint256 kind = 1; kind < 5; ++kind) {
            accepted(_holder, address(_registry), direct(some(Kind(kind), _holder)));
        }
        vm.assertEq(_registry.nonce(_holder), 0, "nonce");
    }

    // ── what does not ───────────────────────────────────────────────────────────────────────────────────────────────

    function test_a_signed_change_is_made_once() public {
        for (uint256 kind = 1; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            Signature memory signature = _sign(change, HOLDER_KEY, kind - 1);
            accepted(RELAY, address(_registry), relayed(change, signature));
            _refused(change, signature);
        }
    }

    /// @dev The holder takes the identity back; what it signed before it gave it away is spent all the same.
    function test_a_signed_hand_over_is_made_once_though_the_identity_comes_back() public {
        Change memory change = some(Kind.ChangeOwner, _holder);
        Signature memory signature = _sign(change, HOLDER_KEY, 0);
        accepted(RELAY, address(_registry), relayed(change, signature));
        vm.prank(_heir);
        _registry.changeOwner(_holder, address(0));
        _refused(change, signature);
        vm.assertEq(_registry.identityOwner(_holder), _holder, "owner");
    }

    function test_nobody_else_signs_for_the_owner(uint256 key, uint8 kind) public {
        key = 1 + key % 1e36;
        vm.assume(key != HOLDER_KEY);
        Change memory change = some(Kind(kind % 5), _holder);
        _refused(change, _sign(change, key, 0));
    }

    function test_a_nonce_is_neither_skipped_nor_used_early(uint256 nonce) public {
        vm.assume(nonce != 0);
        for (uint256 kind = 0; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            _refused(change, _sign(change, HOLDER_KEY, nonce));
        }
    }

    function test_a_signature_for_one_identity_is_none_for_another() public {
        vm.prank(_heir);
        _registry.changeOwner(_heir, _holder);
        for (uint256 kind = 0; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            Signature memory signature = _sign(change, HOLDER_KEY, 0);
            change.identity = _heir;
            _refused(change, signature);
        }
    }

    function test_a_signature_for_one_registry_is_none_for_another() public {
        EthereumDIDRegistry other = new EthereumDIDRegistry();
        for (uint256 kind = 0; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            _refused(change, sign(HOLDER_KEY, address(other), 0, change));
        }
    }

    function test_a_signature_for_one_kind_of_change_is_none_for_another() public {
        for (uint256 kind = 0; kind < 5; ++kind) {
            Signature memory signature = _sign(some(Kind(kind), _holder), HOLDER_KEY, 0);
            for (uint256 other = 0; other < 5; ++other) {
                if (other != kind) _refused(some(Kind(other), _holder), signature);
            }
        }
    }

    function test_no_argument_can_be_altered(uint160 flip) public {
        vm.assume(flip != 0);
        for (uint256 kind = 0; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            Signature memory signature = _sign(change, HOLDER_KEY, 0);
            if (kind <= uint256(Kind.RevokeDelegate)) {
                change.account = address(uint160(change.account) ^ flip);
                _refused(change, signature);
                change.account = _heir;
            }
            if (kind == uint256(Kind.AddDelegate) || kind == uint256(Kind.SetAttribute)) {
                change.validity ^= flip;
                _refused(change, signature);
                change.validity ^= flip;
            }
            if (kind >= uint256(Kind.SetAttribute)) {
                change.value = bytes.concat(change.value, abi.encode(flip));
                _refused(change, signature);
                change.value = hex"c0ffee";
            }
            if (kind >= uint256(Kind.AddDelegate)) {
                change.name ^= bytes32(uint256(flip));
                _refused(change, signature);
            }
        }
    }

    function test_no_bit_of_a_signature_can_be_altered(uint256 r, uint256 s, uint8 kind) public {
        vm.assume(r != 0 || s != 0);
        Change memory change = some(Kind(kind % 5), _holder);
        Signature memory signature = _sign(change, HOLDER_KEY, 0);
        signature.r ^= bytes32(r);
        signature.s ^= bytes32(s);
        _refused(change, signature);
    }

    function test_v_is_the_one_of_27_and_28_that_fits(uint8 v, uint8 kind) public {
        Change memory change = some(Kind(kind % 5), _holder);
        Signature memory signature = _sign(change, HOLDER_KEY, 0);
        vm.assume(v != signature.v);
        signature.v = v;
        _refused(change, signature);
    }

    /// @dev As in the published registry: the mirror of a signature may be sent instead of it, and then neither again.
    function test_a_mirrored_signature_makes_the_same_change_and_only_once() public {
        for (uint256 kind = 1; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            Signature memory signature = _sign(change, HOLDER_KEY, kind - 1);
            accepted(RELAY, address(_registry), relayed(change, mirrored(signature)));
            _refused(change, signature);
            _refused(change, mirrored(signature));
        }
    }

    /// @dev `ecrecover` answers zero for these, which is the owner of `address(0)`.
    function test_no_signature_is_none_of_the_zero_address_either(uint8 v, bytes32 r, bytes32 s, uint8 kind) public {
        vm.assume(v != 27 && v != 28);
        _refused(some(Kind(kind % 5), address(0)), Signature(v, r, s));
        _refused(some(Kind(kind % 5), address(0)), Signature(27, 0, 0));
    }

    // ── after a hand-over ───────────────────────────────────────────────────────────────────────────────────────────

    function test_after_a_hand_over_only_the_new_owner_signs() public {
        _relay(some(Kind.ChangeOwner, _holder), HOLDER_KEY, 0);
        for (uint256 kind = 1; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            _refused(change, _sign(change, HOLDER_KEY, 1));
            _relay(change, HEIR_KEY, kind - 1);
        }
        vm.assertEq(_registry.nonce(_holder), 1, "the former owner's");
        vm.assertEq(_registry.nonce(_heir), 4, "the new owner's");
    }

    function test_what_the_former_owner_signed_ahead_is_worth_nothing() public {
        Change memory ahead = some(Kind.SetAttribute, _holder);
        Signature memory signature = _sign(ahead, HOLDER_KEY, 1);
        _relay(some(Kind.ChangeOwner, _holder), HOLDER_KEY, 0);
        _refused(ahead, signature);
    }

    function test_one_nonce_counts_for_all_the_identities_of_an_owner() public {
        vm.prank(_holder);
        _registry.changeOwner(_holder, _heir);
        _relay(some(Kind.SetAttribute, _holder), HEIR_KEY, 0);
        Change memory own = some(Kind.SetAttribute, _heir);
        _refused(own, _sign(own, HEIR_KEY, 0));
        _relay(own, HEIR_KEY, 1);
    }

    function test_a_delegate_does_not_sign_for_the_owner() public {
        vm.prank(_holder);
        _registry.addDelegate(_holder, "sigAuth", vm.addr(THIEF_KEY), 86_400);
        for (uint256 kind = 0; kind < 5; ++kind) {
            Change memory change = some(Kind(kind), _holder);
            _refused(change, _sign(change, THIEF_KEY, 0));
        }
    }

    function _sign(Change memory change, uint256 key, uint256 nonce) private view returns (Signature memory) {
        return sign(key, address(_registry), nonce, change);
    }

    function _relay(Change memory change, uint256 key, uint256 nonce) private {
        bytes memory data = relayed(change, _sign(change, key, nonce));
        vm.prank(RELAY);
        (bool ok, bytes memory reason) = address(_registry).call(data);
        vm.assertTrue(ok, "refused");
        vm.assertEq(reason, "", "reason");
    }

    /// @dev Refused, for the signature, and nothing is spent.
    function _refused(Change memory change, Signature memory signature) private {
        uint256 nonce = _registry.nonce(_registry.identityOwner(change.identity));
        refused(RELAY, address(_registry), relayed(change, signature), badSignature(change.identity));
        vm.assertEq(_registry.nonce(_registry.identityOwner(change.identity)), nonce, "nonce");
    }
}
