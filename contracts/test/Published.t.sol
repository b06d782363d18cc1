// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EthereumDIDRegistry} from "../src/EthereumDIDRegistry.sol";
import {IEthereumDIDRegistry} from "../src/interfaces/IEthereumDIDRegistry.sol";
import {Identity} from "./support/Identity.sol";
import {Vm} from "./support/Vm.sol";

/// @notice The same changes on this registry and on the published one (npm `ethr-did-registry`, its own bytecode) leave
/// the same events and the same state.
contract PublishedTest is Identity {
    string private constant ARTIFACT =
        "node_modules/ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json";

    IEthereumDIDRegistry private _ours;
    IEthereumDIDRegistry private _published;

    function setUp() public {
        _ours = new EthereumDIDRegistry();
        bytes memory code = vm.parseJsonBytes(vm.readFile(ARTIFACT), ".bytecode");
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(deployed.code.length > 0, "deployed");
        _published = IEthereumDIDRegistry(deployed);
    }

    function test_the_same_changes_leave_the_same_traces(uint256 seed) public {
        uint256[3] memory keys = [HOLDER_KEY, HEIR_KEY, THIEF_KEY];
        for (uint256 i = 0; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.roll(100 + i / 2);
            vm.warp(1_800_000_000 + i * 100);
            _step(seed, keys);
        }
        for (uint256 i = 0; i < keys.length; ++i) {
            _same(vm.addr(keys[i]), keys);
        }
    }

    /// @dev One change by or signed with some key: the owner's as often as not.
    function _step(uint256 seed, uint256[3] memory keys) private {
        Change memory change = Change({
            kind: Kind(seed % 5),
            identity: vm.addr(keys[(seed >> 8) % 3]),
            account: (seed >> 16) % 4 == 3 ? address(0) : vm.addr(keys[(seed >> 16) % 4]),
            name: bytes32((seed >> 24) % 2),
            value: abi.encodePacked(uint16(seed >> 32)),
            validity: (seed >> 40) % 300
        });
        uint256 key = keys[(seed >> 48) % 3];
        if ((seed >> 56) % 2 == 0) {
            _both(vm.addr(key), direct(change), direct(change));
            return;
        }
        address owner = _ours.identityOwner(change.identity);
        for (uint256 i = 0; i < 3 && (seed >> 64) % 4 != 0; ++i) {
            if (vm.addr(keys[i]) == owner) key = keys[i];
        }
        uint256 nonce = _ours.nonce(owner);
        Signature memory ours = sign(key, address(_ours), nonce, change);
        Signature memory published = sign(key, address(_published), nonce, change);
        if ((seed >> 72) % 4 == 0) (ours, published) = (mirrored(ours), mirrored(published));
        _both(RELAY, relayed(change, ours), relayed(change, published));
    }

    function _both(address sender, bytes memory ours, bytes memory published) private {
        vm.recordLogs();
        (bool here,) = callAs(sender, address(_ours), ours);
        Vm.Log[] memory left = vm.getRecordedLogs();
        vm.recordLogs();
        (bool there,) = callAs(sender, address(_published), published);
        Vm.Log[] memory right = vm.getRecordedLogs();
        vm.assertTrue(here == there, "one takes what the other refuses");
        vm.assertEq(left.length, right.length, "events");
        for (uint256 i = 0; i < left.length; ++i) {
            vm.assertEq(abi.encode(left[i].topics), abi.encode(right[i].topics), "topics");
            vm.assertEq(left[i].data, right[i].data, "data");
        }
    }

    function _same(address identity, uint256[3] memory keys) private view {
        vm.assertEq(_ours.identityOwner(identity), _published.identityOwner(identity), "identityOwner");
        vm.assertEq(_ours.owners(identity), _published.owners(identity), "owners");
        vm.assertEq(_ours.changed(identity), _published.changed(identity), "changed");
        vm.assertEq(_ours.nonce(identity), _published.nonce(identity), "nonce");
        for (uint256 i = 0; i < keys.length * 2; ++i) {
            address delegate = vm.addr(keys[i / 2]);
            bytes32 role = bytes32(i % 2);
            vm.assertTrue(
                _ours.validDelegate(identity, role, delegate) == _published.validDelegate(identity, role, delegate),
                "validDelegate"
            );
            bytes32 key = keccak256(abi.encode(role));
            vm.assertEq(
                _ours.delegates(identity, key, delegate), _published.delegates(identity, key, delegate), "delegates"
            );
        }
    }
}
