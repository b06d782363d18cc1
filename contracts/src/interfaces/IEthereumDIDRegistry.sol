// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ERC-1056: Ethereum lightweight identity
/// @notice Every account is an identity, owned by itself until it says otherwise. The names, parameters and events are
/// the ERC's.
/// @dev A `…Signed` function takes the owner's raw secp256k1 signature (v is 27 or 28) over
/// `keccak256(0x19 ‖ 0x00 ‖ registry ‖ nonce[identityOwner(identity)] ‖ identity ‖ "<function name without Signed>" ‖
/// arguments)`, tightly packed, so that somebody else may send and pay for the transaction.
interface IEthereumDIDRegistry {
    /// @notice `actor` does not own `identity`.
    error BadActor(address identity, address actor);
    /// @notice The signature is not the one of the owner of `identity` over this change and the owner's next nonce.
    error BadSignature(address identity);

    /// @notice `owner` owns `identity` from here on; the zero address means the identity itself again.
    event DIDOwnerChanged(address indexed identity, address owner, uint256 previousChange);
    /// @notice `delegate` acts for `identity` until before `validTo` (Unix seconds).
    event DIDDelegateChanged(
        address indexed identity, bytes32 delegateType, address delegate, uint256 validTo, uint256 previousChange
    );
    /// @notice An attribute holds until before `validTo` (Unix seconds); zero when it was revoked.
    event DIDAttributeChanged(
        address indexed identity, bytes32 name, bytes value, uint256 validTo, uint256 previousChange
    );

    /// @notice The owner that was set, or zero when none was.
    function owners(address identity) external view returns (address);
    /// @notice Until when a delegate is valid. The middle key is the Keccak-256 of the delegate type.
    function delegates(address identity, bytes32 delegateTypeHash, address delegate) external view returns (uint256);
    /// @notice The block of the identity's last change, the head of the list that `previousChange` links.
    function changed(address identity) external view returns (uint256);
    /// @notice How many signed changes `owner` has made, over all the identities it owned.
    function nonce(address owner) external view returns (uint256);

    /// @notice Who owns `identity` now.
    function identityOwner(address identity) external view returns (address);
    /// @notice Hands `identity` to `newOwner`; the zero address gives it back to itself. Only its owner.
    function changeOwner(address identity, address newOwner) external;
    /// @notice {changeOwner} by signature over `"changeOwner" ‖ newOwner`.
    function changeOwnerSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, address newOwner) external;

    /// @notice Whether `delegate` is valid for `identity` in the role `delegateType` now.
    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool);
    /// @notice Makes `delegate` valid for the next `validity` seconds. Only the owner.
    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) external;
    /// @notice {addDelegate} by signature over `"addDelegate" ‖ delegateType ‖ delegate ‖ validity`.
    function addDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate,
        uint256 validity
    ) external;
    /// @notice Ends a delegate's validity now. Only the owner.
    function revokeDelegate(address identity, bytes32 delegateType, address delegate) external;
    /// @notice {revokeDelegate} by signature over `"revokeDelegate" ‖ delegateType ‖ delegate`.
    function revokeDelegateSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 delegateType,
        address delegate
    ) external;

    /// @notice States an attribute for the next `validity` seconds. Kept in the event only. Only the owner.
    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external;
    /// @notice {setAttribute} by signature over `"setAttribute" ‖ name ‖ value ‖ validity`.
    function setAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value,
        uint256 validity
    ) external;
    /// @notice Takes an attribute back. Only the owner.
    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external;
    /// @notice {revokeAttribute} by signature over `"revokeAttribute" ‖ name ‖ value`.
    function revokeAttributeSigned(
        address identity,
        uint8 sigV,
        bytes32 sigR,
        bytes32 sigS,
        bytes32 name,
        bytes calldata value
    ) external;
}
