// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "../src/Anchors.sol";
import {EthereumDIDRegistry} from "../src/EthereumDIDRegistry.sol";
import {IssuerRegistry} from "../src/IssuerRegistry.sol";
import {VerifierRegistry} from "../src/VerifierRegistry.sol";
import {Test} from "./support/Test.sol";

/// @notice What is tested here is, byte for byte, what the committed artifacts deploy.
contract ArtifactsTest is Test {
    function test_the_committed_bytecode_is_the_tested_one() public view {
        _same("Anchors", type(Anchors).creationCode);
        _same("EthereumDIDRegistry", type(EthereumDIDRegistry).creationCode);
        _same("IssuerRegistry", type(IssuerRegistry).creationCode);
        _same("VerifierRegistry", type(VerifierRegistry).creationCode);
    }

    function _same(string memory name, bytes memory code) private view {
        string memory artifact = vm.readFile(string.concat("artifacts/", name, ".json"));
        vm.assertEq(vm.parseJsonBytes(artifact, ".bytecode"), code, name);
    }
}
