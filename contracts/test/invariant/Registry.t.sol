// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorized} from "../../src/interfaces/IAuthorized.sol";
import {IIssuerRegistry} from "../../src/interfaces/IIssuerRegistry.sol";
import {IParticipants, Keys, Status} from "../../src/interfaces/IParticipants.sol";
import {IVerifierRegistry} from "../../src/interfaces/IVerifierRegistry.sol";
import {IssuerRegistry} from "../../src/IssuerRegistry.sol";
import {VerifierRegistry} from "../../src/VerifierRegistry.sol";
import {Test} from "../support/Test.sol";

/// @notice Calls a registry as anybody might, keeps a model of what it should hold beside it, and asserts for each call
/// that it goes through exactly when the model says so.
abstract contract RegistryHandler is Test {
    struct Model {
        Status status;
        uint32 version;
        bytes32 keys;
        bool everRevoked;
        mapping(uint32 => uint256) revokedFrom; // one more than the time; zero: not revoked
        mapping(uint256 => bool) names;
    }

    IParticipants public registry;
    address public authority = AUTHORITY;
    address public pending;
    uint256 public handOvers;
    address[4] public accounts = [AUTHORITY, SUCCESSOR, STRANGER, LAB];
    uint256 public constant MEMBERS = 8;
    uint256 public constant NAMES = 4;

    mapping(address => Model) internal _models;

    function approve(uint256 caller, uint256 member, uint256 seed) external {
        address who = memberAt(member);
        Model storage model = _models[who];
        Keys memory keys = someKeys(seed);
        uint256 name = seed % NAMES;
        if (!_try(caller, model.status == Status.None, _approval(who, keys, name))) return;
        model.status = Status.Active;
        model.version = 1;
        model.keys = keccak256(abi.encode(keys));
        _admitted(model, name);
    }

    function suspend(uint256 caller, uint256 member) external {
        Model storage model = _models[memberAt(member)];
        bytes memory data = abi.encodeCall(IParticipants.suspend, (memberAt(member), "r"));
        if (_try(caller, model.status == Status.Active, data)) model.status = Status.Suspended;
    }

    function resume(uint256 caller, uint256 member) external {
        Model storage model = _models[memberAt(member)];
        bytes memory data = abi.encodeCall(IParticipants.resume, (memberAt(member)));
        if (_try(caller, model.status == Status.Suspended, data)) model.status = Status.Active;
    }

    /// @dev One in four is meant, or every participant is revoked before anything else happens to it.
    function revoke(uint256 caller, uint256 member, uint256 meant) external {
        if (meant % 4 != 0) return;
        Model storage model = _models[memberAt(member)];
        bytes memory data = abi.encodeCall(IParticipants.revoke, (memberAt(member), "r"));
        if (!_try(caller, _standing(model), data)) return;
        model.status = Status.Revoked;
        model.everRevoked = true;
    }

    function rotateKeys(uint256 caller, uint256 member, uint256 seed) external {
        Model storage model = _models[memberAt(member)];
        Keys memory keys = someKeys(seed);
        if (!_try(caller, _standing(model), abi.encodeCall(IParticipants.rotateKeys, (memberAt(member), keys)))) {
            return;
        }
        ++model.version;
        model.keys = keccak256(abi.encode(keys));
    }

    function revokeKeys(uint256 caller, uint256 member, uint32 version, uint64 from) external {
        Model storage model = _models[memberAt(member)];
        version = version % (model.version + 2);
        bool possible = model.status != Status.None && version >= 1 && version <= model.version
            && (model.revokedFrom[version] == 0 || uint256(from) + 1 < model.revokedFrom[version]);
        bytes memory data = abi.encodeCall(IParticipants.revokeKeys, (memberAt(member), version, from));
        if (_try(caller, possible, data)) model.revokedFrom[version] = uint256(from) + 1;
    }

    function changeProfile(uint256 caller, uint256 member, bytes32 profile) external {
        bytes memory data = abi.encodeCall(IParticipants.changeProfile, (memberAt(member), profile));
        _try(caller, _standing(_models[memberAt(member)]), data);
    }

    function change(uint256 caller, uint256 member, uint256 name, bool add) external {
        Model storage model = _models[memberAt(member)];
        name = name % (NAMES * lists());
        bool possible = _standing(model) && model.names[name] != add;
        if (_try(caller, possible, _change(memberAt(member), name, add))) model.names[name] = add;
    }

    function offerAuthority(uint256 caller, uint256 to) external {
        address heir = to % 5 == 4 ? address(0) : accounts[to % 5];
        if (_try(caller, true, abi.encodeCall(IAuthorized.offerAuthority, (heir)))) pending = heir;
    }

    function acceptAuthority(uint256 caller) external {
        address sender = _caller(caller);
        bytes memory data = abi.encodeCall(IAuthorized.acceptAuthority, ());
        if (sender != pending) {
            bytes memory reason = abi.encodeWithSelector(IAuthorized.NotPendingAuthority.selector, sender);
            refused(sender, address(registry), data, reason);
            return;
        }
        accepted(sender, address(registry), data);
        authority = sender;
        pending = address(0);
        ++handOvers;
    }

    /// @dev The first is one of the callers, too.
    function memberAt(uint256 index) public pure returns (address) {
        return index % MEMBERS == 0 ? LAB : address(uint160(0x1000 + index % MEMBERS));
    }

    /// @dev Whether everything that can be read of `who` is what the model holds.
    function check(address who) external view {
        Model storage model = _models[who];
        vm.assertEq(uint256(registry.status(who)), uint256(model.status), "status");
        vm.assertTrue(!model.everRevoked || registry.status(who) == Status.Revoked, "out of revoked");
        (uint32 version, Keys memory keys) = registry.keys(who);
        vm.assertEq(version, model.version, "version");
        if (version > 0) vm.assertEq(keccak256(abi.encode(keys)), model.keys, "keys");
        for (uint32 i = 0; i <= version + 1 && i < 40; ++i) {
            (bool revoked, uint64 from) = registry.keysRevoked(who, i);
            vm.assertEq(revoked ? uint256(from) + 1 : 0, model.revokedFrom[i], "keysRevoked");
        }
        _checkNames(who, model);
    }

    /// @dev How many lists of names a participant has.
    function lists() public pure virtual returns (uint256);
    function _approval(address who, Keys memory keys, uint256 name) internal pure virtual returns (bytes memory);
    function _change(address who, uint256 name, bool add) internal pure virtual returns (bytes memory);
    function _admitted(Model storage model, uint256 name) internal virtual;
    function _checkNames(address who, Model storage model) internal view virtual;

    function _try(uint256 caller, bool possible, bytes memory data) internal returns (bool) {
        address sender = _caller(caller);
        if (sender != authority) {
            bytes memory reason = abi.encodeWithSelector(IAuthorized.NotAuthority.selector, sender);
            refused(sender, address(registry), data, reason);
            return false;
        }
        (bool ok,) = callAs(sender, address(registry), data);
        vm.assertTrue(ok == possible, possible ? "refused what is allowed" : "allowed what is not");
        return ok;
    }

    /// @dev The authority half of the time.
    function _caller(uint256 seed) internal view returns (address) {
        return seed % 8 < 4 ? authority : accounts[seed % 4];
    }

    function _standing(Model storage model) internal view returns (bool) {
        return model.status == Status.Active || model.status == Status.Suspended;
    }

    function _name(uint256 index) internal pure returns (string memory) {
        return string.concat("name-", vm.toString(index % NAMES));
    }
}

contract IssuerHandler is RegistryHandler {
    constructor() {
        registry = new IssuerRegistry(AUTHORITY);
    }

    function lists() public pure override returns (uint256) {
        return 1;
    }

    function _approval(address who, Keys memory keys, uint256 name) internal pure override returns (bytes memory) {
        return abi.encodeCall(IIssuerRegistry.approve, (who, PROFILE, keys, list(_name(name))));
    }

    function _change(address who, uint256 name, bool add) internal pure override returns (bytes memory) {
        if (add) return abi.encodeCall(IIssuerRegistry.grantCategories, (who, list(_name(name))));
        return abi.encodeCall(IIssuerRegistry.withdrawCategories, (who, list(_name(name))));
    }

    function _admitted(Model storage model, uint256 name) internal override {
        model.names[name] = true;
    }

    function _checkNames(address who, Model storage model) internal view override {
        for (uint256 i = 0; i < NAMES; ++i) {
            bool may = model.status == Status.Active && model.names[i];
            vm.assertTrue(IssuerRegistry(address(registry)).mayIssue(who, _name(i)) == may, "mayIssue");
        }
    }
}

/// @dev Names below `NAMES` are attributes, the others purposes.
contract VerifierHandler is RegistryHandler {
    constructor() {
        registry = new VerifierRegistry(AUTHORITY);
    }

    function lists() public pure override returns (uint256) {
        return 2;
    }

    function _approval(address who, Keys memory keys, uint256 name) internal pure override returns (bytes memory) {
        string[] memory names = list(_name(name));
        return abi.encodeCall(IVerifierRegistry.approve, (who, PROFILE, keys, names, names));
    }

    function _change(address who, uint256 name, bool add) internal pure override returns (bytes memory) {
        string[] memory names = list(_name(name));
        if (name < NAMES) {
            if (add) return abi.encodeCall(IVerifierRegistry.grantAttributes, (who, names));
            return abi.encodeCall(IVerifierRegistry.withdrawAttributes, (who, names));
        }
        if (add) return abi.encodeCall(IVerifierRegistry.grantPurposes, (who, names));
        return abi.encodeCall(IVerifierRegistry.withdrawPurposes, (who, names));
    }

    function _admitted(Model storage model, uint256 name) internal override {
        model.names[name] = true;
        model.names[NAMES + name] = true;
    }

    function _checkNames(address who, Model storage model) internal view override {
        for (uint256 i = 0; i < NAMES; ++i) {
            for (uint256 j = 0; j < NAMES; ++j) {
                bool may = model.status == Status.Active && model.names[i] && model.names[NAMES + j];
                vm.assertTrue(VerifierRegistry(address(registry)).mayAsk(who, _name(i), _name(j)) == may, "mayAsk");
            }
        }
    }
}

abstract contract RegistryInvariants is Test {
    RegistryHandler internal handler;

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_the_registry_is_what_its_model_says() public view {
        vm.assertEq(handler.registry().authority(), handler.authority(), "authority");
        vm.assertEq(handler.registry().pendingAuthority(), handler.pending(), "pending");
        vm.assertTrue(handler.authority() != address(0), "no authority");
        vm.assertTrue(handler.handOvers() > 0 || handler.authority() == AUTHORITY, "changed without a hand-over");
        for (uint256 i = 0; i < handler.MEMBERS(); ++i) {
            handler.check(handler.memberAt(i));
        }
        handler.check(STRANGER);
    }
}

contract IssuerRegistryInvariants is RegistryInvariants {
    function setUp() public {
        handler = new IssuerHandler();
    }
}

contract VerifierRegistryInvariants is RegistryInvariants {
    function setUp() public {
        handler = new VerifierHandler();
    }
}
