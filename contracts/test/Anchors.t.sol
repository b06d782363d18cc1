// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "../src/Anchors.sol";
import {IAnchors} from "../src/interfaces/IAnchors.sol";
import {IAuthorized} from "../src/interfaces/IAuthorized.sol";
import {Test} from "./support/Test.sol";

contract AnchorsTest is Test {
    address private constant ANCHORER = address(uint160(uint256(keccak256("anchorer"))));
    bytes32 private constant ROOT = keccak256("root");

    Anchors private _anchors;

    function setUp() public {
        _anchors = new Anchors(AUTHORITY);
        vm.prank(AUTHORITY);
        _anchors.setAnchorer(ANCHORER, true);
        vm.roll(1000);
        vm.warp(1_800_000_000);
    }

    function test_nobody_may_anchor_until_the_authority_says_so() public {
        Anchors fresh = new Anchors(AUTHORITY);
        vm.assertFalse(fresh.isAnchorer(AUTHORITY), "the authority itself");
        vm.prank(AUTHORITY);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.NotAnchorer.selector, AUTHORITY));
        fresh.anchor(ROOT, 1);
    }

    function test_the_authority_lets_an_account_anchor_and_stops_it() public {
        vm.expectEmit(address(_anchors));
        emit IAnchors.AnchorerChanged(LAB, true);
        _set(LAB, true);
        vm.assertTrue(_anchors.isAnchorer(LAB), "allowed");
        vm.expectEmit(address(_anchors));
        emit IAnchors.AnchorerChanged(LAB, false);
        _set(LAB, false);
        vm.assertFalse(_anchors.isAnchorer(LAB), "stopped");
        _refused(LAB, ROOT, 1, abi.encodeWithSelector(IAnchors.NotAnchorer.selector, LAB));
    }

    function test_the_zero_address_cannot_anchor() public {
        vm.prank(AUTHORITY);
        vm.expectRevert(abi.encodeWithSelector(IAuthorized.ZeroAddress.selector));
        _anchors.setAnchorer(address(0), true);
    }

    function test_only_the_authority_names_anchorers(address caller, address account, bool allowed) public {
        vm.assume(caller != AUTHORITY);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAuthorized.NotAuthority.selector, caller));
        _anchors.setAnchorer(account, allowed);
    }

    function test_a_root_stands_where_it_was_anchored() public {
        vm.expectEmit(address(_anchors));
        emit IAnchors.Anchored(ROOT, 42, ANCHORER);
        _anchor(ROOT, 42);
        _stands(ROOT, 1000, 1_800_000_000, 42);
    }

    function test_an_unknown_root_is_all_zeros(bytes32 root) public view {
        _stands(root, 0, 0, 0);
    }

    function test_a_root_is_anchored_once_whoever_tries_again() public {
        _anchor(ROOT, 42);
        _set(LAB, true);
        vm.roll(2000);
        vm.warp(1_900_000_000);
        _refused(ANCHORER, ROOT, 42, abi.encodeWithSelector(IAnchors.AlreadyAnchored.selector, ROOT));
        _refused(LAB, ROOT, 7, abi.encodeWithSelector(IAnchors.AlreadyAnchored.selector, ROOT));
        _stands(ROOT, 1000, 1_800_000_000, 42);
    }

    function test_a_root_stands_after_its_anchorer_is_stopped() public {
        _anchor(ROOT, 42);
        _set(ANCHORER, false);
        _stands(ROOT, 1000, 1_800_000_000, 42);
    }

    function test_anchorers_stay_when_the_authority_goes() public {
        vm.prank(AUTHORITY);
        _anchors.offerAuthority(SUCCESSOR);
        vm.prank(SUCCESSOR);
        _anchors.acceptAuthority();
        _anchor(ROOT, 1);
        vm.prank(SUCCESSOR);
        _anchors.setAnchorer(ANCHORER, false);
        _refused(ANCHORER, keccak256("next"), 1, abi.encodeWithSelector(IAnchors.NotAnchorer.selector, ANCHORER));
    }

    function test_no_empty_root() public {
        _refused(ANCHORER, bytes32(0), 1, abi.encodeWithSelector(IAnchors.EmptyRoot.selector));
    }

    function test_no_empty_batch() public {
        _refused(ANCHORER, ROOT, 0, abi.encodeWithSelector(IAnchors.EmptyBatch.selector));
    }

    function test_only_anchorers_anchor(address caller, bytes32 root, uint64 size) public {
        vm.assume(caller != ANCHORER);
        _refused(caller, root, size, abi.encodeWithSelector(IAnchors.NotAnchorer.selector, caller));
    }

    function test_any_root_and_size_at_any_time(bytes32 root, uint64 size, uint64 number, uint64 time) public {
        vm.assume(root != bytes32(0) && size != 0);
        vm.roll(number);
        vm.warp(time);
        _anchor(root, size);
        _stands(root, number, time, size);
    }

    function test_roots_do_not_touch_each_other(bytes32 first, bytes32 second) public {
        vm.assume(first != bytes32(0) && second != bytes32(0) && first != second);
        _anchor(first, 1);
        vm.roll(1001);
        _anchor(second, type(uint64).max);
        _stands(first, 1000, 1_800_000_000, 1);
        _stands(second, 1001, 1_800_000_000, type(uint64).max);
    }

    function _set(address account, bool allowed) private {
        vm.prank(AUTHORITY);
        _anchors.setAnchorer(account, allowed);
    }

    function _anchor(bytes32 root, uint64 size) private {
        vm.prank(ANCHORER);
        _anchors.anchor(root, size);
    }

    function _refused(address caller, bytes32 root, uint64 size, bytes memory reason) private {
        vm.prank(caller);
        vm.expectRevert(reason);
        _anchors.anchor(root, size);
    }

    function _stands(bytes32 root, uint256 number, uint256 time, uint256 size) private view {
        (uint64 blockNumber, uint64 stamp, uint64 commitments) = _anchors.anchored(root);
        vm.assertEq(blockNumber, number, "block");
        vm.assertEq(stamp, time, "time");
        vm.assertEq(commitments, size, "size");
    }
}
