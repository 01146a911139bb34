// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CONSTITUTIONAL, ClassId} from "../interfaces/GovernanceTypes.sol";
import {ICharter} from "../interfaces/ICharter.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

/// @title Charter
/// @notice Implements {ICharter}, which says what it does, what it assumes and how it fails.
contract Charter is ICharter, AccessManaged {
    using EnumerableSet for EnumerableSet.Bytes32Set;

    /* CONSTANTS */

    /// @inheritdoc ICharter
    uint256 public constant MAX_CALLS = 10;

    /* STORAGE */

    /// @inheritdoc ICharter
    mapping(address target => bool refused) public isUntouchable;

    /// @dev Each entry is `target << 96 | selector << 64`.
    mapping(ClassId classId => EnumerableSet.Bytes32Set entries) private _lists;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    /// @param untouchable contracts that no decision ever reaches.
    /// @param entries the lists to begin with.
    constructor(address authority_, address[] memory untouchable, Entry[] memory entries)
        AccessManaged(authority_)
    {
        for (uint256 i = 0; i < untouchable.length; ++i) {
            isUntouchable[untouchable[i]] = true;
        }
        for (uint256 i = 0; i < entries.length; ++i) {
            _allow(entries[i].classId, entries[i].target, entries[i].selector);
        }
    }

    /* WRITES */

    /// @inheritdoc ICharter
    function allow(ClassId classId, address target, bytes4 selector) external restricted {
        _allow(classId, target, selector);
    }

    /// @inheritdoc ICharter
    function forbid(ClassId classId, address target, bytes4 selector) external restricted {
        if (!_lists[classId].remove(_key(target, selector))) {
            revert NotAllowed(classId, target, selector);
        }
        emit Forbidden(classId, target, selector);
    }

    /* VIEWS */

    /// @inheritdoc ICharter
    function admit(
        ClassId classId,
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata calldatas
    ) external view returns (bytes32 pin) {
        if (targets.length > MAX_CALLS) {
            revert TooManyCalls(targets.length, MAX_CALLS);
        }
        bytes32[] memory codes = new bytes32[](targets.length);
        for (uint256 i = 0; i < targets.length; ++i) {
            address target = targets[i];
            if (values[i] != 0) revert ValueSent(values[i]);
            if (calldatas[i].length < 4) revert NoSelector(calldatas[i].length);
            bytes4 selector = bytes4(calldatas[i]);
            if (!isAllowed(classId, target, selector)) {
                revert NotAllowed(classId, target, selector);
            }
            if (target.code.length == 0) revert NoCode(target);
            codes[i] = target.codehash;
        }
        return keccak256(abi.encode(codes));
    }

    /// @inheritdoc ICharter
    function isAllowed(ClassId classId, address target, bytes4 selector)
        public
        view
        returns (bool)
    {
        return _lists[classId].contains(_key(target, selector));
    }

    /// @inheritdoc ICharter
    function listOf(ClassId classId) external view returns (Entry[] memory entries) {
        bytes32[] memory keys = _lists[classId].values();
        entries = new Entry[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            entries[i] = Entry(classId, address(bytes20(keys[i])), bytes4(keys[i] << 160));
        }
    }

    /* INTERNAL */

    function _allow(ClassId classId, address target, bytes4 selector) private {
        uint8 number = ClassId.unwrap(classId);
        if (number == 0 || number > ClassId.unwrap(CONSTITUTIONAL)) revert UnknownClass(classId);
        if (isUntouchable[target]) revert Untouchable(target);
        if (classId != CONSTITUTIONAL && (target == authority() || target == address(this))) {
            revert ConstitutionalOnly(target, classId);
        }
        if (!_lists[classId].add(_key(target, selector))) {
            revert AlreadyAllowed(classId, target, selector);
        }
        emit Allowed(classId, target, selector);
    }

    function _key(address target, bytes4 selector) private pure returns (bytes32) {
        return bytes32(bytes20(target)) | (bytes32(selector) >> 160);
    }
}
