// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IParticipants} from "../interfaces/IParticipants.sol";

/// @notice The Keccak-256 of a name's UTF-8 bytes.
type NameId is bytes32;

/// @title The set of names that a participant is admitted for
/// @dev A grant that stands already, or a withdrawal of one that does not, is refused: the caller's picture of the
/// registry is then wrong, and silence would hide it.
library Names {
    /// @notice The longest name or reason, in bytes.
    uint256 internal constant LONGEST = 64;

    struct Set {
        mapping(NameId => bool) held;
    }

    /// @notice Puts `name` into `set`.
    function add(Set storage set, string calldata name) internal returns (NameId id) {
        fits(name);
        id = _id(name);
        if (set.held[id]) revert IParticipants.BadName(name);
        set.held[id] = true;
    }

    /// @notice Takes `name` out of `set`.
    function remove(Set storage set, string calldata name) internal returns (NameId id) {
        fits(name);
        id = _id(name);
        if (!set.held[id]) revert IParticipants.BadName(name);
        delete set.held[id];
    }

    /// @notice Whether `name` is in `set`.
    function has(Set storage set, string calldata name) internal view returns (bool) {
        return set.held[_id(name)];
    }

    /// @notice Refuses a name or reason that has not 1 to 64 bytes.
    function fits(string calldata name) internal pure {
        uint256 length = bytes(name).length;
        if (length == 0 || length > LONGEST) revert IParticipants.BadName(name);
    }

    /// @notice Refuses an empty list.
    function some(string[] calldata names) internal pure {
        if (names.length == 0) revert IParticipants.EmptyList();
    }

    function _id(string calldata name) private pure returns (NameId) {
        return NameId.wrap(keccak256(bytes(name)));
    }
}
