// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EthereumDIDRegistry} from "../src/EthereumDIDRegistry.sol";
import {IEthereumDIDRegistry} from "../src/interfaces/IEthereumDIDRegistry.sol";
import {Identity} from "./support/Identity.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Changes that the owner of an identity sends itself.
contract EthereumDIDRegistryTest is Identity {
    bytes32 private constant ROLE = "veriKey";
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

    function test_every_account_is_an_identity_that_owns_itself(address identity) public view {
        vm.assertEq(_registry.identityOwner(identity), identity, "owner");
        vm.assertEq(_registry.owners(identity), address(0), "set");
        vm.assertEq(_registry.changed(identity), 0, "changed");
        vm.assertEq(_registry.nonce(identity), 0, "nonce");
    }

    function test_only_the_owner_changes_an_identity(address actor, uint8 kind) public {
        vm.assume(actor != _holder);
        Change memory change = some(Kind(kind % 5), _holder);
        refused(actor, address(_registry), direct(change), badActor(_holder, actor));
        vm.assertEq(_registry.changed(_holder), 0, "changed");
    }

    // ── owner ───────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_the_owner_hands_the_identity_over(address to) public {
        vm.assume(to != address(0));
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDOwnerChanged(_holder, to, 0);
        vm.prank(_holder);
        _registry.changeOwner(_holder, to);
        vm.assertEq(_registry.identityOwner(_holder), to, "owner");
        vm.assertEq(_registry.owners(_holder), to, "set");
        vm.assertEq(_registry.changed(_holder), 100, "changed");
    }

    function test_after_the_hand_over_only_the_new_owner_has_a_say() public {
        vm.prank(_holder);
        _registry.changeOwner(_holder, _heir);
        for (uint256 kind = 0; kind < 5; ++kind) {
            bytes memory change = direct(some(Kind(kind), _holder));
            refused(_holder, address(_registry), change, badActor(_holder, _holder));
            accepted(_heir, address(_registry), change);
        }
    }

    function test_owning_another_identity_does_not_change_ones_own() public {
        vm.prank(_holder);
        _registry.changeOwner(_holder, _heir);
        vm.assertEq(_registry.identityOwner(_heir), _heir, "the heir's own");
        refused(_holder, address(_registry), direct(some(Kind.ChangeOwner, _heir)), badActor(_heir, _holder));
    }

    function test_ownership_does_not_pass_through_two_identities() public {
        vm.prank(_holder);
        _registry.changeOwner(_holder, _heir);
        vm.prank(_heir);
        _registry.changeOwner(_heir, STRANGER);
        vm.assertEq(_registry.identityOwner(_holder), _heir, "owner");
        refused(STRANGER, address(_registry), direct(some(Kind.ChangeOwner, _holder)), badActor(_holder, STRANGER));
    }

    function test_the_zero_owner_gives_the_identity_back_to_itself() public {
        vm.prank(_holder);
        _registry.changeOwner(_holder, _heir);
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDOwnerChanged(_holder, address(0), 100);
        vm.prank(_heir);
        _registry.changeOwner(_holder, address(0));
        vm.assertEq(_registry.identityOwner(_holder), _holder, "owner");
    }

    // ── delegates ───────────────────────────────────────────────────────────────────────────────────────────────────

    function test_a_delegate_is_valid_until_before_its_time(uint32 validity) public {
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDDelegateChanged(_holder, ROLE, _heir, NOW + validity, 0);
        vm.prank(_holder);
        _registry.addDelegate(_holder, ROLE, _heir, validity);
        vm.assertEq(
            _registry.delegates(_holder, keccak256(abi.encode(ROLE)), _heir),
            NOW + validity,
            "the key is the type's hash"
        );
        vm.assertTrue(_registry.validDelegate(_holder, ROLE, _heir) == (validity > 0), "now");
        vm.warp(NOW + validity);
        vm.assertFalse(_registry.validDelegate(_holder, ROLE, _heir), "at its time");
        if (validity == 0) return;
        vm.warp(NOW + validity - 1);
        vm.assertTrue(_registry.validDelegate(_holder, ROLE, _heir), "a second before");
    }

    function test_a_delegate_is_one_for_its_type_and_identity_only(bytes32 other) public {
        vm.assume(other != ROLE);
        vm.prank(_holder);
        _registry.addDelegate(_holder, ROLE, _heir, 60);
        vm.assertFalse(_registry.validDelegate(_holder, other, _heir), "another type");
        vm.assertFalse(_registry.validDelegate(_heir, ROLE, _heir), "another identity");
        vm.assertFalse(_registry.validDelegate(_holder, ROLE, _holder), "another delegate");
    }

    function test_a_delegate_changes_nothing_about_the_identity() public {
        vm.prank(_holder);
        _registry.addDelegate(_holder, ROLE, _heir, 60);
        for (uint256 kind = 0; kind < 5; ++kind) {
            refused(_heir, address(_registry), direct(some(Kind(kind), _holder)), badActor(_holder, _heir));
        }
    }

    function test_a_delegate_is_revoked_at_once() public {
        vm.prank(_holder);
        _registry.addDelegate(_holder, ROLE, _heir, 60);
        vm.roll(107);
        vm.warp(NOW + 10);
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDDelegateChanged(_holder, ROLE, _heir, NOW + 10, 100);
        vm.prank(_holder);
        _registry.revokeDelegate(_holder, ROLE, _heir);
        vm.assertFalse(_registry.validDelegate(_holder, ROLE, _heir), "revoked");
        vm.assertEq(_registry.changed(_holder), 107, "changed");
    }

    function test_a_delegate_can_be_added_again() public {
        vm.prank(_holder);
        _registry.revokeDelegate(_holder, ROLE, _heir);
        vm.prank(_holder);
        _registry.addDelegate(_holder, ROLE, _heir, 1);
        vm.assertTrue(_registry.validDelegate(_holder, ROLE, _heir), "valid");
    }

    // ── attributes ──────────────────────────────────────────────────────────────────────────────────────────────────

    function test_an_attribute_is_told_with_its_end(bytes32 name, bytes memory value, uint64 validity) public {
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDAttributeChanged(_holder, name, value, NOW + validity, 0);
        vm.prank(_holder);
        _registry.setAttribute(_holder, name, value, validity);
        vm.assertEq(_registry.changed(_holder), 100, "changed");
    }

    function test_a_revoked_attribute_is_told_with_zero(bytes32 name, bytes memory value) public {
        vm.expectEmit(address(_registry));
        emit IEthereumDIDRegistry.DIDAttributeChanged(_holder, name, value, 0, 0);
        vm.prank(_holder);
        _registry.revokeAttribute(_holder, name, value);
        vm.assertEq(_registry.changed(_holder), 100, "changed");
    }

    /// @dev The sum of time and validity is checked arithmetic; a wrapped end would be one in the past.
    function test_an_end_beyond_all_time_is_refused(uint256 seed) public {
        uint256 validity = type(uint256).max - seed % NOW;
        bytes memory overflow = abi.encodeWithSignature("Panic(uint256)", 0x11);
        Change memory change = some(Kind.AddDelegate, _holder);
        change.validity = validity;
        refused(_holder, address(_registry), direct(change), overflow);
        change.kind = Kind.SetAttribute;
        refused(_holder, address(_registry), direct(change), overflow);
    }

    // ── history ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_each_change_names_the_block_of_the_one_before() public {
        uint256[6] memory blocks = [uint256(100), 100, 101, 150, 150, 9000];
        uint256 previous = 0;
        for (uint256 i = 0; i < blocks.length; ++i) {
            vm.roll(blocks[i]);
            vm.recordLogs();
            accepted(_holder, address(_registry), direct(some(Kind(1 + i % 4), _holder)));
            vm.assertEq(_previousChange(), previous, "previousChange");
            vm.assertEq(_registry.changed(_holder), blocks[i], "changed");
            previous = blocks[i];
        }
    }

    function test_identities_have_histories_of_their_own() public {
        accepted(_holder, address(_registry), direct(some(Kind.SetAttribute, _holder)));
        vm.roll(200);
        vm.recordLogs();
        accepted(_heir, address(_registry), direct(some(Kind.SetAttribute, _heir)));
        vm.assertEq(_previousChange(), 0, "the heir's first");
        vm.assertEq(_registry.changed(_holder), 100, "the holder's");
    }

    /// @dev It is the last word of every event that has only fixed-size members, and the fourth of the attribute's.
    function _previousChange() private returns (uint256 previous) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "one event for each change");
        if (logs[0].topics[0] == IEthereumDIDRegistry.DIDAttributeChanged.selector) {
            (,,, previous) = abi.decode(logs[0].data, (bytes32, bytes, uint256, uint256));
        } else if (logs[0].topics[0] == IEthereumDIDRegistry.DIDDelegateChanged.selector) {
            (,,, previous) = abi.decode(logs[0].data, (bytes32, address, uint256, uint256));
        } else {
            (, previous) = abi.decode(logs[0].data, (address, uint256));
        }
    }
}
