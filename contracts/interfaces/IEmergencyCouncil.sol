// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBoard} from "./IBoard.sol";
import {MarketId} from "./Types.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";

/// @title IEmergencyCouncil
/// @notice Emergencies of a single market, by a closed list of measures. No price can be given, no money
/// named, no function called: SETTLE is at the median that the zone's state holds.
///
/// The council may also cancel proposals of the parameter and ordinary classes, with a larger share of
/// its members. It can bring none about.
///
/// Assumptions for safety: none for users' balances. A hostile council can make one market after the
/// other reduce-only for a week of two, or settle it at its own median.
interface IEmergencyCouncil is IBoard {
    enum Measure {
        NONE,
        REDUCE_ONLY,
        CAP_OPEN_INTEREST, // `value` in reference units
        SETTLE // at the median in the state; does not end by itself
    }

    /// @notice The last measure declared for a market.
    struct Emergency {
        Measure measure; // NONE = never, or ended early
        uint64 value;
        uint64 declaredAt; // seconds
        uint64 startsAt;
        uint64 endsAt; // 2^64 - 1 for SETTLE
        uint256 objections; // aged votes
        bytes32 reason;
    }

    /* EVENTS */

    event Declared(
        MarketId indexed market,
        Measure indexed measure,
        uint64 value,
        uint64 startsAt,
        uint64 endsAt,
        bytes32 reason
    );
    /// @notice A measure ended early.
    event Lifted(MarketId indexed market, Measure indexed measure, bytes32 reason);
    event Objected(
        MarketId indexed market, address indexed account, uint256 weight, uint256 objections
    );
    event ProposalCancelled(IGovernor indexed governor, uint256 indexed proposalId, string reason);

    /* ERRORS */

    error UnknownMarket(MarketId market, uint32 markets);
    /// @notice NONE cannot be declared; a cap needs a value, the others take none.
    error BadMeasure(Measure measure, uint64 value);
    /// @notice The market has a measure, or must be left alone for a while after one.
    error MarketBusy(MarketId market, uint64 until);
    error NoMeasure(MarketId market);
    error AlreadyObjected(MarketId market, address account);
    error NoWeight(address account);

    /* WRITES */

    /// @notice Support a measure on a market.
    /// @param reason hash of the published reason.
    function declare(MarketId market, Measure measure, uint64 value, bytes32 reason) external;

    /// @notice Support ending a market's measure early.
    function lift(MarketId market, bytes32 reason) external;

    /// @notice Object to a market's measure with the caller's aged votes of the second before it was
    /// declared. At `OBJECTION_PPM` of all of them the measure ends.
    function object(MarketId market) external;

    /// @notice Support cancelling a proposal; takes `cancelThreshold` members.
    function cancelProposal(
        IGovernor governor,
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata calldatas,
        bytes32 descriptionHash,
        string calldata reason
    ) external;

    /* VIEWS */

    /// @notice From declaration to start, seconds.
    function NOTICE_SECONDS() external view returns (uint64);

    /// @notice From start to end, seconds.
    function MEASURE_SECONDS() external view returns (uint64);

    /// @notice For how long a market is left alone after a measure, seconds.
    function REST_SECONDS() external view returns (uint64);

    /// @notice Share of aged stake that ends a measure, ppm.
    function OBJECTION_PPM() external view returns (uint256);

    /// @notice Members that cancel a proposal: three quarters, rounded up.
    function cancelThreshold() external view returns (uint256);

    /// @notice The last measure of a market.
    function emergencyOf(MarketId market) external view returns (Emergency memory);

    /// @notice What is in force on a market now.
    function inForce(MarketId market) external view returns (Measure measure, uint64 value);
}
