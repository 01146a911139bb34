// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBoard} from "../interfaces/IBoard.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title Board
/// @notice Implements {IBoard}, which says what it does and how it fails.
abstract contract Board is IBoard, AccessManaged {
    /* CONSTANTS */

    /// @inheritdoc IBoard
    uint256 public constant MAX_MEMBERS = 15;
    /// @inheritdoc IBoard
    uint64 public constant SUPPORT_SECONDS = 3 days;

    /* STORAGE */

    struct Tally {
        uint64 since; // first support
        uint32 term;
        uint16 seats; // bit = seat of a supporter
    }

    /// @inheritdoc IBoard
    uint32 public term;
    /// @inheritdoc IBoard
    uint8 public threshold;

    address[] private _members;
    /// @dev Seat + 1 of a member in a term.
    mapping(uint32 term => mapping(address member => uint8 seat)) private _seats;
    mapping(bytes32 action => Tally tally) private _tallies;

    /* CONSTRUCTOR */

    constructor(address authority_, address[] memory members, uint8 threshold_)
        AccessManaged(authority_)
    {
        _setMembers(members, threshold_);
    }

    /* WRITES */

    /// @inheritdoc IBoard
    function setMembers(address[] calldata members, uint8 threshold_) external restricted {
        _setMembers(members, threshold_);
    }

    /* VIEWS */

    /// @inheritdoc IBoard
    function membersOf() external view returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc IBoard
    function isMember(address account) public view returns (bool) {
        return _seats[term][account] != 0;
    }

    /// @inheritdoc IBoard
    function supportersOf(bytes32 action) external view returns (uint256) {
        Tally memory tally = _tallies[action];
        return _isCurrent(tally) ? _countSeats(tally.seats) : 0;
    }

    /* INTERNAL */

    function _memberCount() internal view returns (uint256) {
        return _members.length;
    }

    /// @dev Support `action` as the caller. True if that makes `needed` supporters; the tally is gone
    /// then, so the same action can be decided again only from the start.
    function _support(bytes32 action, uint256 needed) internal returns (bool) {
        uint8 seat = _seats[term][msg.sender];
        if (seat == 0) revert NotMember(msg.sender);
        Tally memory tally = _tallies[action];
        if (!_isCurrent(tally)) tally = Tally(uint64(block.timestamp), term, 0);
        uint16 bit = uint16(1 << (seat - 1));
        if (tally.seats & bit != 0) revert AlreadySupported(action, msg.sender);
        tally.seats |= bit;
        uint256 supporters = _countSeats(tally.seats);
        emit Supported(action, msg.sender, supporters);
        if (supporters < needed) {
            _tallies[action] = tally;
            return false;
        }
        delete _tallies[action];
        return true;
    }

    /// @dev Lowest threshold that so many members may have; above 0 for any number.
    function _leastThreshold(uint256 members) internal view virtual returns (uint256);

    function _isCurrent(Tally memory tally) private view returns (bool) {
        return tally.term == term && block.timestamp <= tally.since + SUPPORT_SECONDS;
    }

    function _countSeats(uint16 seats) private pure returns (uint256 supporters) {
        for (; seats != 0; seats &= seats - 1) {
            ++supporters;
        }
    }

    function _setMembers(address[] memory members, uint8 threshold_) private {
        uint256 length = members.length;
        if (length > MAX_MEMBERS || threshold_ > length || threshold_ < _leastThreshold(length)) {
            revert BadBoard(length, threshold_);
        }
        ++term;
        for (uint256 i = 0; i < length; ++i) {
            if (members[i] == address(0) || _seats[term][members[i]] != 0) {
                revert BadBoard(length, threshold_);
            }
            _seats[term][members[i]] = uint8(i + 1);
        }
        _members = members;
        threshold = threshold_;
        emit MembersSet(term, members, threshold_);
    }
}
