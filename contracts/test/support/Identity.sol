// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEthereumDIDRegistry} from "../../src/interfaces/IEthereumDIDRegistry.sol";
import {Test} from "./Test.sol";

/// @notice People with keys, and changes to their identities as calls: sent by the owner, or signed by it and sent by
/// anybody.
abstract contract Identity is Test {
    uint256 internal constant HOLDER_KEY = 0xA11CE;
    uint256 internal constant HEIR_KEY = 0xB0B;
    uint256 internal constant THIEF_KEY = 0xBAD;
    address internal constant RELAY = address(uint160(uint256(keccak256("relay"))));
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    enum Kind {
        ChangeOwner,
        AddDelegate,
        RevokeDelegate,
        SetAttribute,
        RevokeAttribute
    }

    /// @dev One change to an identity; each kind uses the fields it has a use for.
    struct Change {
        Kind kind;
        address identity;
        address account;
        bytes32 name;
        bytes value;
        uint256 validity;
    }

    struct Signature {
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function some(Kind kind, address identity) internal pure returns (Change memory) {
        return Change(kind, identity, vm.addr(HEIR_KEY), "did/pub/X25519/enc/hex", hex"c0ffee", 86_400);
    }

    /// @dev What a signature is made over, written out from the ERC's text, apart from the contract's own code.
    function digest(address registry, uint256 nonce, Change memory c) internal pure returns (bytes32) {
        bytes memory head = abi.encodePacked(bytes1(0x19), bytes1(0x00), registry, nonce, c.identity);
        bytes memory tail;
        if (c.kind == Kind.ChangeOwner) tail = abi.encodePacked("changeOwner", c.account);
        if (c.kind == Kind.AddDelegate) tail = abi.encodePacked("addDelegate", c.name, c.account, c.validity);
        if (c.kind == Kind.RevokeDelegate) tail = abi.encodePacked("revokeDelegate", c.name, c.account);
        if (c.kind == Kind.SetAttribute) tail = abi.encodePacked("setAttribute", c.name, c.value, c.validity);
        if (c.kind == Kind.RevokeAttribute) tail = abi.encodePacked("revokeAttribute", c.name, c.value);
        return keccak256(bytes.concat(head, tail));
    }

    function sign(uint256 key, address registry, uint256 nonce, Change memory c)
        internal
        pure
        returns (Signature memory signature)
    {
        (signature.v, signature.r, signature.s) = vm.sign(key, digest(registry, nonce, c));
    }

    /// @dev The other signature that the same key's holder could have made, which anybody can compute.
    function mirrored(Signature memory signature) internal pure returns (Signature memory) {
        return Signature(signature.v == 27 ? 28 : 27, signature.r, bytes32(ORDER - uint256(signature.s)));
    }

    /// @dev The call that the owner sends itself.
    function direct(Change memory c) internal pure returns (bytes memory) {
        if (c.kind == Kind.ChangeOwner) {
            return abi.encodeCall(IEthereumDIDRegistry.changeOwner, (c.identity, c.account));
        }
        if (c.kind == Kind.AddDelegate) {
            return abi.encodeCall(IEthereumDIDRegistry.addDelegate, (c.identity, c.name, c.account, c.validity));
        }
        if (c.kind == Kind.RevokeDelegate) {
            return abi.encodeCall(IEthereumDIDRegistry.revokeDelegate, (c.identity, c.name, c.account));
        }
        if (c.kind == Kind.SetAttribute) {
            return abi.encodeCall(IEthereumDIDRegistry.setAttribute, (c.identity, c.name, c.value, c.validity));
        }
        return abi.encodeCall(IEthereumDIDRegistry.revokeAttribute, (c.identity, c.name, c.value));
    }

    /// @dev The call that carries the owner's signature.
    function relayed(Change memory c, Signature memory g) internal pure returns (bytes memory) {
        if (c.kind == Kind.ChangeOwner) {
            return abi.encodeCall(IEthereumDIDRegistry.changeOwnerSigned, (c.identity, g.v, g.r, g.s, c.account));
        }
        if (c.kind == Kind.AddDelegate) {
            return abi.encodeCall(
                IEthereumDIDRegistry.addDelegateSigned, (c.identity, g.v, g.r, g.s, c.name, c.account, c.validity)
            );
        }
        if (c.kind == Kind.RevokeDelegate) {
            return
                abi.encodeCall(
                    IEthereumDIDRegistry.revokeDelegateSigned, (c.identity, g.v, g.r, g.s, c.name, c.account)
                );
        }
        if (c.kind == Kind.SetAttribute) {
            return abi.encodeCall(
                IEthereumDIDRegistry.setAttributeSigned, (c.identity, g.v, g.r, g.s, c.name, c.value, c.validity)
            );
        }
        return abi.encodeCall(IEthereumDIDRegistry.revokeAttributeSigned, (c.identity, g.v, g.r, g.s, c.name, c.value));
    }

    function badActor(address identity, address actor) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEthereumDIDRegistry.BadActor.selector, identity, actor);
    }

    function badSignature(address identity) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEthereumDIDRegistry.BadSignature.selector, identity);
    }
}
