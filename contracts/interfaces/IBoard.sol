// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IBoard
/// @notice Members who act together. A member supports an action by calling it; the call that reaches
/// the threshold does it. Support is bound to the exact arguments, to the term of the members, and to
/// `SUPPORT_SECONDS`.
interface IBoard {
    /* EVENTS */

    event MembersSet(uint32 indexed term, address[] members, uint8 threshold);
    event Supported(bytes32 indexed action, address indexed member, uint256 supporters);

    /* ERRORS */

    /// @notice 1 to `MAX_MEMBERS` different members, and as threshold no more than all and no less than
    /// the board's least share of them.
    error BadBoard(uint256 members, uint256 threshold);
    error NotMember(address caller);
    error AlreadySupported(bytes32 action, address member);

    /* WRITES */

    /// @notice Replace all members. Only the ordinary class. Support given before lapses.
    function setMembers(address[] calldata members, uint8 threshold) external;

    /* VIEWS */

    /// @notice Most members.
    function MAX_MEMBERS() external view returns (uint256);

    /// @notice Time within which the threshold must be reached, seconds.
    function SUPPORT_SECONDS() external view returns (uint64);

    /// @notice Number of the members' term, from 1.
    function term() external view returns (uint32);

    /// @notice Members that must support an action.
    function threshold() external view returns (uint8);

    /// @notice The members.
    function membersOf() external view returns (address[] memory);

    /// @notice Whether an account is a member.
    function isMember(address account) external view returns (bool);

    /// @notice How many support an action now.
    function supportersOf(bytes32 action) external view returns (uint256);
}
