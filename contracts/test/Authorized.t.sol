// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "../src/Anchors.sol";
import {IAuthorized} from "../src/interfaces/IAuthorized.sol";
import {IssuerRegistry} from "../src/IssuerRegistry.sol";
import {VerifierRegistry} from "../src/VerifierRegistry.sol";
import {Test} from "./support/Test.sol";

/// @notice The hand-over of the authority's role, for each contract that has one.
abstract contract AuthorizedTest is Test {
    IAuthorized private _contract;

    function make(address first) public virtual returns (IAuthorized);

    function setUp() public {
        _contract = make(AUTHORITY);
    }

    function test_the_first_authority_is_the_one_named() public {
        vm.recordLogs();
        IAuthorized fresh = make(AUTHORITY);
        vm.assertEq(fresh.authority(), AUTHORITY, "authority");
        vm.assertEq(fresh.pendingAuthority(), address(0), "pending");
        bytes32[] memory topics = vm.getRecordedLogs()[0].topics;
        vm.assertEq(topics[0], IAuthorized.AuthorityTransferred.selector, "event");
        vm.assertEq(topics[1], bytes32(0), "from");
        vm.assertEq(topics[2], bytes32(uint256(uint160(AUTHORITY))), "to");
    }

    function test_no_contract_without_an_authority() public {
        try this.make(address(0)) {
            vm.assertTrue(false, "deployed");
        } catch (bytes memory reason) {
            vm.assertEq(reason, abi.encodeWithSelector(IAuthorized.ZeroAddress.selector), "reason");
        }
    }

    function test_an_offer_changes_nothing_until_it_is_accepted() public {
        _offer(SUCCESSOR);
        vm.assertEq(_contract.authority(), AUTHORITY, "authority");
        vm.assertEq(_contract.pendingAuthority(), SUCCESSOR, "pending");
    }

    function test_the_successor_accepts() public {
        _offer(SUCCESSOR);
        vm.expectEmit(address(_contract));
        emit IAuthorized.AuthorityTransferred(AUTHORITY, SUCCESSOR);
        vm.prank(SUCCESSOR);
        _contract.acceptAuthority();
        vm.assertEq(_contract.authority(), SUCCESSOR, "authority");
        vm.assertEq(_contract.pendingAuthority(), address(0), "pending");
    }

    function test_an_offer_is_accepted_once() public {
        _offer(SUCCESSOR);
        vm.prank(SUCCESSOR);
        _contract.acceptAuthority();
        _acceptRefused(SUCCESSOR);
    }

    function test_the_former_authority_has_no_say_left() public {
        _offer(SUCCESSOR);
        vm.prank(SUCCESSOR);
        _contract.acceptAuthority();
        _offerRefused(AUTHORITY);
        _acceptRefused(AUTHORITY);
    }

    function test_a_later_offer_replaces_an_earlier_one() public {
        _offer(STRANGER);
        _offer(SUCCESSOR);
        _acceptRefused(STRANGER);
        vm.prank(SUCCESSOR);
        _contract.acceptAuthority();
        vm.assertEq(_contract.authority(), SUCCESSOR, "authority");
    }

    function test_an_offer_is_taken_back() public {
        _offer(SUCCESSOR);
        _offer(address(0));
        _acceptRefused(SUCCESSOR);
        vm.assertEq(_contract.authority(), AUTHORITY, "authority");
    }

    function test_only_the_authority_offers(address caller, address to) public {
        vm.assume(caller != AUTHORITY);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAuthorized.NotAuthority.selector, caller));
        _contract.offerAuthority(to);
    }

    function test_the_successor_offers_nothing_before_accepting() public {
        _offer(SUCCESSOR);
        _offerRefused(SUCCESSOR);
    }

    function test_only_the_successor_accepts(address caller) public {
        vm.assume(caller != SUCCESSOR);
        _offer(SUCCESSOR);
        _acceptRefused(caller);
    }

    /// @dev No account can send from the zero address.
    function test_nobody_accepts_what_was_not_offered(address caller) public {
        vm.assume(caller != address(0));
        _acceptRefused(caller);
    }

    function test_the_authority_may_offer_to_itself() public {
        _offer(AUTHORITY);
        vm.prank(AUTHORITY);
        _contract.acceptAuthority();
        vm.assertEq(_contract.authority(), AUTHORITY, "authority");
        vm.assertEq(_contract.pendingAuthority(), address(0), "pending");
    }

    function _offer(address to) private {
        vm.expectEmit(address(_contract));
        emit IAuthorized.AuthorityOffered(AUTHORITY, to);
        vm.prank(AUTHORITY);
        _contract.offerAuthority(to);
    }

    function _offerRefused(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAuthorized.NotAuthority.selector, caller));
        _contract.offerAuthority(caller);
    }

    function _acceptRefused(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAuthorized.NotPendingAuthority.selector, caller));
        _contract.acceptAuthority();
    }
}

contract AnchorsAuthorityTest is AuthorizedTest {
    function make(address first) public override returns (IAuthorized) {
        return new Anchors(first);
    }
}

contract IssuerRegistryAuthorityTest is AuthorizedTest {
    function make(address first) public override returns (IAuthorized) {
        return new IssuerRegistry(first);
    }
}

contract VerifierRegistryAuthorityTest is AuthorizedTest {
    function make(address first) public override returns (IAuthorized) {
        return new VerifierRegistry(first);
    }
}
