// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClassId} from "./GovernanceTypes.sol";

/// @title ICharter
/// @notice Which function each class of decision may call, and whom no decision ever reaches. Governors
/// ask it when a proposal is made and again when it is executed.
///
/// Assumptions for safety:
/// - The lists given at deployment are right; `scripts/_governance.py` reads them back.
interface ICharter {
    /// @notice A function that a class may call.
    struct Entry {
        ClassId classId;
        address target;
        bytes4 selector;
    }

    /* EVENTS */

    event Allowed(ClassId indexed classId, address indexed target, bytes4 indexed selector);
    event Forbidden(ClassId indexed classId, address indexed target, bytes4 indexed selector);

    /* ERRORS */

    error UnknownClass(ClassId classId);
    /// @notice No decision reaches this contract.
    error Untouchable(address target);
    /// @notice Only the constitutional class may be given functions of this contract.
    error ConstitutionalOnly(address target, ClassId classId);
    error AlreadyAllowed(ClassId classId, address target, bytes4 selector);
    /// @notice The function is not on the class's closed list.
    error NotAllowed(ClassId classId, address target, bytes4 selector);
    error TooManyCalls(uint256 calls, uint256 most);
    /// @notice Proposals send no coin.
    error ValueSent(uint256 value);
    error NoSelector(uint256 length);
    /// @notice There is no code at the target.
    error NoCode(address target);

    /* WRITES */

    /// @notice Put a function on a class's list. Only the constitutional class.
    function allow(ClassId classId, address target, bytes4 selector) external;

    /// @notice Take a function off a class's list. Only the constitutional class.
    function forbid(ClassId classId, address target, bytes4 selector) external;

    /* VIEWS */

    /// @notice Calls in one proposal.
    function MAX_CALLS() external view returns (uint256);

    /// @notice Check a proposal. Reverts unless every call of it is on the class's list.
    /// @return pin hash over the code hashes of the targets.
    function admit(
        ClassId classId,
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata calldatas
    ) external view returns (bytes32 pin);

    /// @notice Whether a function is on a class's list.
    function isAllowed(ClassId classId, address target, bytes4 selector)
        external
        view
        returns (bool);

    /// @notice A class's list.
    function listOf(ClassId classId) external view returns (Entry[] memory);

    /// @notice Whether no decision ever reaches a contract.
    function isUntouchable(address target) external view returns (bool);
}
