// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Keys} from "../../src/interfaces/IParticipants.sol";
import {Vm} from "./Vm.sol";

/// @notice Who takes part, and what every test needs.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address internal constant AUTHORITY = address(uint160(uint256(keccak256("authority"))));
    address internal constant SUCCESSOR = address(uint160(uint256(keccak256("successor"))));
    address internal constant LAB = address(uint160(uint256(keccak256("lab"))));
    address internal constant AIRLINE = address(uint160(uint256(keccak256("airline"))));
    address internal constant STRANGER = address(uint160(uint256(keccak256("stranger"))));
    bytes32 internal constant PROFILE = keccak256("profile");

    /// @dev Four distinct keys for each seed.
    function someKeys(uint256 seed) internal pure returns (Keys memory) {
        return Keys({
            p256x: keccak256(abi.encode(seed, "x")),
            p256y: keccak256(abi.encode(seed, "y")),
            x25519: keccak256(abi.encode(seed, "x25519")),
            certificate: keccak256(abi.encode(seed, "certificate"))
        });
    }

    function assertKeys(Keys memory left, Keys memory right) internal pure {
        vm.assertEq(keccak256(abi.encode(left)), keccak256(abi.encode(right)), "keys");
    }

    function list(string memory a) internal pure returns (string[] memory names) {
        names = new string[](1);
        names[0] = a;
    }

    function list(string memory a, string memory b) internal pure returns (string[] memory names) {
        names = new string[](2);
        (names[0], names[1]) = (a, b);
    }

    function none() internal pure returns (string[] memory) {
        return new string[](0);
    }

    /// @dev A name of `length` bytes.
    function long(uint256 length) internal pure returns (string memory) {
        bytes memory name = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            name[i] = "x";
        }
        return string(name);
    }

    /// @dev Calls `target` as `sender`.
    function callAs(address sender, address target, bytes memory data) internal returns (bool ok, bytes memory result) {
        vm.prank(sender);
        (ok, result) = target.call(data);
    }

    /// @dev Calls `target` as `sender` and asserts that it reverts with exactly `reason`.
    function refused(address sender, address target, bytes memory data, bytes memory reason) internal {
        (bool ok, bytes memory result) = callAs(sender, target, data);
        vm.assertFalse(ok, "went through");
        vm.assertEq(result, reason, "refused for another reason");
    }

    /// @dev Calls `target` as `sender` and asserts that it goes through.
    function accepted(address sender, address target, bytes memory data) internal {
        (bool ok, bytes memory result) = callAs(sender, target, data);
        vm.assertEq(result, "", "refused");
        vm.assertTrue(ok, "refused without a reason");
    }

    /// @dev How many functions in a committed artifact's ABI change state.
    function writers(string memory name) internal view returns (uint256 count) {
        string memory artifact = vm.readFile(string.concat("artifacts/", name, ".json"));
        for (uint256 i = 0; vm.keyExistsJson(artifact, string.concat(".abi[", vm.toString(i), "]")); ++i) {
            string memory entry = string.concat(".abi[", vm.toString(i), "].");
            if (!_is(artifact, string.concat(entry, "type"), "function")) continue;
            if (_is(artifact, string.concat(entry, "stateMutability"), "nonpayable")) ++count;
        }
    }

    function _is(string memory json, string memory key, string memory value) private pure returns (bool) {
        return keccak256(bytes(vm.parseJsonString(json, key))) == keccak256(bytes(value));
    }

    /// @dev The selector that a function call carries.
    function selectorOf(bytes memory data) internal pure returns (bytes4 selector) {
        // The first word after the length; a bytes4 keeps its high bytes.
        assembly ("memory-safe") {
            selector := mload(add(data, 0x20))
        }
    }
}
