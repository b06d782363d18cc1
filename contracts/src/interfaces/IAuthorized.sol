// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A contract with one authority, handed over in two steps
interface IAuthorized {
    /// @notice The caller is not the authority.
    error NotAuthority(address caller);
    /// @notice The caller is not the one the authority was offered to.
    error NotPendingAuthority(address caller);
    /// @notice The zero address cannot take part.
    error ZeroAddress();

    /// @notice The authority offered its role; nothing changes until the other side accepts. The zero address takes an
    /// offer back.
    event AuthorityOffered(address indexed from, address indexed to);
    /// @notice The role went over.
    event AuthorityTransferred(address indexed from, address indexed to);

    /// @notice The account that admits, suspends and revokes.
    function authority() external view returns (address);
    /// @notice The account that the role is offered to, or zero.
    function pendingAuthority() external view returns (address);
    /// @notice Offers the role to `to`. Only the authority.
    function offerAuthority(address to) external;
    /// @notice Takes the role. Only the account it is offered to.
    function acceptAuthority() external;
}
