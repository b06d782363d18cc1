// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EthereumDIDRegistry} from "../../src/EthereumDIDRegistry.sol";
import {Identity} from "../support/Identity.sol";

/// @notice Changes identities as owners, former owners, relays and forgers might, with time going on, and keeps a model
/// of owners, nonces, delegates and histories.
contract IdentitiesHandler is Identity {
    struct Past {
        Change change;
        Signature signature;
    }

    EthereumDIDRegistry public registry = new EthereumDIDRegistry();
    uint256[3] private _keys = [HOLDER_KEY, HEIR_KEY, THIEF_KEY];
    address[3] public people = [vm.addr(HOLDER_KEY), vm.addr(HEIR_KEY), vm.addr(THIEF_KEY)];
    uint256 public number = 100;
    uint256 public time = 1_800_000_000;

    mapping(address => address) public ownerOf;
    mapping(address => uint256) public nonceOf;
    mapping(address => uint256) public changedAt;
    mapping(address => mapping(bytes32 => mapping(address => uint256))) public validTo;
    Past[] private _past;

    constructor() {
        for (uint256 i = 0; i < 3; ++i) {
            ownerOf[people[i]] = people[i];
        }
    }

    function send(uint256 who, uint256 seed, bytes calldata value, uint8 pause) external {
        _pass(pause);
        address sender = people[who % 3];
        Change memory change = _shape(seed, value);
        if (sender != ownerOf[change.identity]) {
            refused(sender, address(registry), direct(change), badActor(change.identity, sender));
            return;
        }
        accepted(sender, address(registry), direct(change));
        _made(change);
    }

    function relay(uint256 who, uint256 seed, bytes calldata value, uint8 pause, bool mirror, uint8 skew) external {
        _pass(pause);
        Change memory change = _shape(seed, value);
        address owner = ownerOf[change.identity];
        // Signed by the owner half of the time, and then with its next nonce three times of four.
        uint256 key = who % 6 < 3 ? _keyOf(owner) : _keys[who % 3];
        uint256 nonce = nonceOf[owner] + (skew % 4 == 0 ? skew : 0);
        Signature memory signature = sign(key, address(registry), nonce, change);
        if (mirror) signature = mirrored(signature);
        if (vm.addr(key) != owner || nonce != nonceOf[owner]) {
            refused(RELAY, address(registry), relayed(change, signature), badSignature(change.identity));
            return;
        }
        accepted(RELAY, address(registry), relayed(change, signature));
        ++nonceOf[owner];
        _made(change);
        _past.push(Past(change, signature));
    }

    function replay(uint256 index, bool mirror) external {
        if (_past.length == 0) return;
        Past memory past = _past[index % _past.length];
        if (mirror) past.signature = mirrored(past.signature);
        bytes memory reason = badSignature(past.change.identity);
        refused(RELAY, address(registry), relayed(past.change, past.signature), reason);
    }

    /// @dev Nobody's signature, for the identity whose owner is zero.
    function forge(uint8 kind, uint8 v, bytes32 r, bytes32 s) external {
        if (v == 27 || v == 28) s = 0;
        Change memory change = some(Kind(kind % 5), address(0));
        refused(RELAY, address(registry), relayed(change, Signature(v, r, s)), badSignature(address(0)));
    }

    function _pass(uint8 pause) private {
        number += pause % 3;
        time += pause;
        vm.roll(number);
        vm.warp(time);
    }

    function _shape(uint256 seed, bytes calldata value) private view returns (Change memory) {
        uint256 account = (seed >> 16) % 4;
        return Change({
            kind: Kind(seed % 5),
            identity: people[(seed >> 8) % 3],
            account: account == 3 ? address(0) : people[account],
            name: bytes32((seed >> 24) % 2),
            value: value,
            validity: (seed >> 32) % 400
        });
    }

    function _made(Change memory change) private {
        address identity = change.identity;
        changedAt[identity] = number;
        if (change.kind == Kind.ChangeOwner) {
            ownerOf[identity] = change.account == address(0) ? identity : change.account;
        }
        if (change.kind == Kind.AddDelegate) validTo[identity][change.name][change.account] = time + change.validity;
        if (change.kind == Kind.RevokeDelegate) validTo[identity][change.name][change.account] = time;
    }

    function _keyOf(address owner) private view returns (uint256) {
        for (uint256 i = 0; i < 3; ++i) {
            if (people[i] == owner) return _keys[i];
        }
        revert("an owner that nobody is");
    }
}

contract IdentitiesInvariants is Identity {
    IdentitiesHandler private _handler;

    function setUp() public {
        _handler = new IdentitiesHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_identities_are_what_their_owners_made_them() public {
        EthereumDIDRegistry registry = _handler.registry();
        vm.warp(_handler.time());
        for (uint256 i = 0; i < 3; ++i) {
            address identity = _handler.people(i);
            vm.assertEq(registry.identityOwner(identity), _handler.ownerOf(identity), "owner");
            vm.assertTrue(registry.identityOwner(identity) != address(0), "nobody's");
            vm.assertEq(registry.nonce(identity), _handler.nonceOf(identity), "nonce");
            vm.assertEq(registry.changed(identity), _handler.changedAt(identity), "changed");
            vm.assertLe(registry.changed(identity), _handler.number(), "changed in the future");
            for (uint256 j = 0; j < 8; ++j) {
                address delegate = j / 2 == 3 ? address(0) : _handler.people(j / 2);
                uint256 end = _handler.validTo(identity, bytes32(j % 2), delegate);
                bytes32 key = keccak256(abi.encode(bytes32(j % 2)));
                vm.assertEq(registry.delegates(identity, key, delegate), end, "delegate");
                bool valid = registry.validDelegate(identity, bytes32(j % 2), delegate);
                vm.assertTrue(valid == (end > _handler.time()), "validDelegate");
            }
        }
        vm.assertEq(registry.owners(address(0)), address(0), "the zero identity");
        vm.assertEq(registry.nonce(address(0)), 0, "the zero identity's nonce");
        vm.assertEq(registry.changed(address(0)), 0, "the zero identity's history");
    }
}
