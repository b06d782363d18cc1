// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEthereumDIDRegistry} from "./interfaces/IEthereumDIDRegistry.sol";

/// @title ERC-1056: Ethereum lightweight identity
/// @dev Where the ERC and its published implementation leave a choice:
/// - Zero recovered: `ecrecover` answers zero for a signature that is none. It is refused, so that `address(0)` is not
///   an identity that everybody may change. This is the one input on which the published implementation differs.
/// - High s: accepted, as there. The nonce is spent with the change, so a mirrored signature buys nothing: it could
///   only make the same change once, instead of the original.
/// - Zero owner: `changeOwner(identity, 0)` gives the identity back to itself here; did:ethr resolvers read the event
///   as deactivation. Both as published.
/// - Chain: the hash names the registry's address and not the chain. Registries on two chains must not share an
///   address, or a signature for one is good for the other.
/// - Errors are custom ones; the ERC names none.
contract EthereumDIDRegistry is IEthereumDIDRegistry {
    /// @inheritdoc IEthereumDIDRegistry
    mapping(address identity => address) public override owners;
    /// @inheritdoc IEthereumDIDRegistry
    mapping(address identity => mapping(bytes32 delegateTypeHash => mapping(address delegate => uint256)))
        public
        override delegates;
    /// @inheritdoc IEthereumDIDRegistry
    mapping(address identity => uint256) public override changed;
    /// @inheritdoc IEthereumDIDRegistry
    mapping(address owner => uint256) public override nonce;

    modifier onlyOwner(address identity) {
        if (msg.sender != identityOwner(identity)) revert BadActor(identity, msg.sender);
        _;
    }

    /// @inheritdoc IEthereumDIDRegistry
    function changeOwner(address identity, address newOwner) external override onlyOwner(identity) {
        _changeOwner(identity, newOwner);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function changeOwnerSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, address newOwner)
        external
        override
    {
        _spend(identity, sigV, sigR, sigS, abi.encodePacked("changeOwner", newOwner));
        _changeOwner(identity, newOwner);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity)
        external
        override
        onlyOwner(identity)
    {
        _setDelegate(identity, delegateType, delegate, block.timestamp + validity);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function addDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate,
        uint256 validity
    ) external override {
        _spend(identity, sigV, sigR, sigS, abi.encodePacked("addDelegate", delegateType, delegate, validity));
        _setDelegate(identity, delegateType, delegate, block.timestamp + validity);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function revokeDelegate(address identity, bytes32 delegateType, address delegate)
        external
        override
        onlyOwner(identity)
    {
        _setDelegate(identity, delegateType, delegate, block.timestamp);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function revokeDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate
    ) external override {
        _spend(identity, sigV, sigR, sigS, abi.encodePacked("revokeDelegate", delegateType, delegate));
        _setDelegate(identity, delegateType, delegate, block.timestamp);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity)
        external
        override
        onlyOwner(identity)
    {
        _setAttribute(identity, name, value, block.timestamp + validity);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function setAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value,
        uint256 validity
    ) external override {
        _spend(identity, sigV, sigR, sigS, abi.encodePacked("setAttribute", name, value, validity));
        _setAttribute(identity, name, value, block.timestamp + validity);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function revokeAttribute(address identity, bytes32 name, bytes calldata value)
        external
        override
        onlyOwner(identity)
    {
        _setAttribute(identity, name, value, 0);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function revokeAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value
    ) external override {
        _spend(identity, sigV, sigR, sigS, abi.encodePacked("revokeAttribute", name, value));
        _setAttribute(identity, name, value, 0);
    }

    /// @inheritdoc IEthereumDIDRegistry
    function validDelegate(address identity, bytes32 delegateType, address delegate)
        external
        view
        override
        returns (bool)
    {
        // The ERC's own comparison; a validator's few seconds are nothing to a delegate's days.
        // slither-disable-next-line timestamp
        return delegates[identity][_key(delegateType)][delegate] > block.timestamp;
    }

    /// @inheritdoc IEthereumDIDRegistry
    function identityOwner(address identity) public view override returns (address) {
        address owner = owners[identity];
        return owner == address(0) ? identity : owner;
    }

    function _changeOwner(address identity, address newOwner) private {
        owners[identity] = newOwner;
        emit DIDOwnerChanged(identity, newOwner, _touch(identity));
    }

    function _setDelegate(address identity, bytes32 delegateType, address delegate, uint256 validTo) private {
        delegates[identity][_key(delegateType)][delegate] = validTo;
        emit DIDDelegateChanged(identity, delegateType, delegate, validTo, _touch(identity));
    }

    function _setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validTo) private {
        emit DIDAttributeChanged(identity, name, value, validTo, _touch(identity));
    }

    /// @dev Moves the head of the identity's list of changes to this block.
    function _touch(address identity) private returns (uint256 previous) {
        previous = changed[identity];
        changed[identity] = block.number;
    }

    /// @dev Accepts the owner's signature over `change` once.
    function _spend(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes memory change) private {
        address owner = identityOwner(identity);
        bytes32 hash = keccak256(abi.encodePacked(hex"1900", address(this), nonce[owner], identity, change));
        address signer = ecrecover(hash, sigV, sigR, sigS);
        if (signer == address(0) || signer != owner) revert BadSignature(identity);
        ++nonce[owner];
    }

    function _key(bytes32 delegateType) private pure returns (bytes32) {
        return keccak256(abi.encode(delegateType));
    }
}
