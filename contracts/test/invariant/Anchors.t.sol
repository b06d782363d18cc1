// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "../../src/Anchors.sol";
import {IAnchors} from "../../src/interfaces/IAnchors.sol";
import {IAuthorized} from "../../src/interfaces/IAuthorized.sol";
import {Test} from "../support/Test.sol";

/// @notice Anchors as anybody might, while blocks pass and anchorers come and go; keeps where each root was first seen
/// to stand.
contract AnchorsHandler is Test {
    struct Place {
        uint256 number;
        uint256 time;
        uint256 size;
    }

    uint256 public constant ROOTS = 32;
    Anchors public anchors = new Anchors(AUTHORITY);
    uint256 public number = 100;
    uint256 public time = 1_800_000_000;
    address[3] public accounts = [AUTHORITY, LAB, STRANGER];

    mapping(address => bool) public allowed;
    mapping(bytes32 => Place) public places;

    function setAnchorer(uint256 caller, uint256 account, bool allow) external {
        address sender = accounts[caller % 3];
        address who = account % 4 == 3 ? address(0) : accounts[account % 4];
        bytes memory data = abi.encodeCall(IAnchors.setAnchorer, (who, allow));
        if (sender != AUTHORITY) {
            bytes memory reason = abi.encodeWithSelector(IAuthorized.NotAuthority.selector, sender);
            refused(sender, address(anchors), data, reason);
        } else if (who == address(0)) {
            refused(sender, address(anchors), data, abi.encodeWithSelector(IAuthorized.ZeroAddress.selector));
        } else {
            accepted(sender, address(anchors), data);
            allowed[who] = allow;
        }
    }

    function anchor(uint256 caller, uint256 index, uint64 size, uint8 pause) external {
        number += pause;
        time += pause;
        vm.roll(number);
        vm.warp(time);
        address sender = accounts[caller % 3];
        bytes32 root = rootAt(index);
        if (size % 16 == 0) size = 0;
        bytes memory data = abi.encodeCall(IAnchors.anchor, (root, size));
        bytes memory reason;
        if (!allowed[sender]) reason = abi.encodeWithSelector(IAnchors.NotAnchorer.selector, sender);
        else if (root == 0) reason = abi.encodeWithSelector(IAnchors.EmptyRoot.selector);
        else if (size == 0) reason = abi.encodeWithSelector(IAnchors.EmptyBatch.selector);
        else if (places[root].size != 0) reason = abi.encodeWithSelector(IAnchors.AlreadyAnchored.selector, root);
        if (reason.length > 0) {
            refused(sender, address(anchors), data, reason);
            return;
        }
        accepted(sender, address(anchors), data);
        places[root] = Place(number, time, size);
    }

    /// @dev The first is the zero root.
    function rootAt(uint256 index) public pure returns (bytes32) {
        return index % ROOTS == 0 ? bytes32(0) : keccak256(abi.encode(index % ROOTS));
    }
}

contract AnchorsInvariants is Test {
    AnchorsHandler private _handler;

    function setUp() public {
        _handler = new AnchorsHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_a_root_stands_where_it_first_stood() public view {
        Anchors anchors = _handler.anchors();
        for (uint256 i = 0; i < _handler.ROOTS(); ++i) {
            bytes32 root = _handler.rootAt(i);
            (uint256 number, uint256 time, uint256 size) = _handler.places(root);
            (uint64 blockNumber, uint64 stamp, uint64 commitments) = anchors.anchored(root);
            vm.assertEq(blockNumber, number, "block");
            vm.assertEq(stamp, time, "time");
            vm.assertEq(commitments, size, "size");
            vm.assertTrue((size == 0) == (number == 0), "half a place");
        }
        for (uint256 i = 0; i < 3; ++i) {
            address account = _handler.accounts(i);
            vm.assertTrue(anchors.isAnchorer(account) == _handler.allowed(account), "anchorer");
        }
        vm.assertEq(anchors.authority(), AUTHORITY, "authority");
    }
}
