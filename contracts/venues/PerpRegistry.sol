// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {ICalendarRegistry} from "../interfaces/ICalendarRegistry.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {IPerpRules} from "../interfaces/IPerpRules.sol";
import {IStakeRisk} from "../interfaces/IStakeRisk.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {FeedId} from "../interfaces/OracleTypes.sol";
import {
    AssetId,
    MarketId,
    NO_CALENDAR,
    NO_EVENT,
    NO_MARKET,
    VenueId
} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";
import {PerpMessages} from "../libraries/PerpMessages.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";

/// @title PerpRegistry
/// @notice Implements {IPerpRegistry}, which says what it does, what it assumes and how it fails.
contract PerpRegistry is IPerpRegistry {
    /* CONSTANTS */

    uint8 private constant _OPEN = 1;
    uint8 private constant _CLOSED = 3;
    uint8 private constant _SLOT_SIMULATED = 4;
    uint64 private constant _MS = 1000;
    /// @dev Before a market may join cross pools.
    uint64 private constant _CROSS_AGE = 30 days;
    uint8 private constant _CROSS_QUORUM = 3;

    /* IMMUTABLES */

    IInbox private immutable _inbox;
    IVenueRegistry private immutable _venues;
    IAssetRegistry private immutable _assets;
    IMarketRegistry private immutable _registry;
    ICalendarRegistry private immutable _calendars;
    IOracleRegistry private immutable _oracles;
    IStakeRisk private immutable _risk;
    IPerpRules private immutable _rules;
    address private immutable _approver;

    /* STORAGE */

    /// @inheritdoc IPerpRegistry
    uint32 public perpCount;
    /// @inheritdoc IPerpRegistry
    mapping(VenueId venue => mapping(AssetId asset => uint32 count)) public perpsOf;
    /// @inheritdoc IPerpRegistry
    mapping(VenueId venue => mapping(AssetId asset => bool isOpen)) public hasLedger;

    mapping(MarketId market => Perp entry) private _perps;
    mapping(MarketId market => Parameters parameters) private _inForce;
    mapping(MarketId market => Parameters parameters) private _announced;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        _inbox = IInbox(config_.inbox);
        _venues = IVenueRegistry(config_.venues);
        _assets = IAssetRegistry(config_.assets);
        _registry = IMarketRegistry(config_.markets);
        _calendars = ICalendarRegistry(config_.calendars);
        _oracles = IOracleRegistry(config_.oracles);
        _risk = IStakeRisk(config_.risk);
        _rules = IPerpRules(config_.rules);
        _approver = config_.approver;
    }

    /* WRITES: THE VENUE'S DEPLOYER */

    /// @inheritdoc IPerpRegistry
    function listPerp(PerpTerms calldata terms) external returns (MarketId market) {
        _venues.requireLister(terms.venue, msg.sender);
        bool isSimulated = _requireAsset(terms.venue, terms.quote);
        if (_oracles.feedOf(terms.feed).venue != terms.venue) {
            revert ForeignFeed(terms.feed, terms.venue);
        }
        if (
            terms.calendar != NO_CALENDAR
                && _calendars.venueOfCalendar(terms.calendar) != terms.venue
        ) revert ICalendarRegistry.UnknownCalendar(terms.calendar, terms.venue);
        _count(terms.venue, terms.quote);
        IMarketRegistry.Terms memory first = _firstTerms(terms);
        IMarketRegistry.Market memory entry = IMarketRegistry.Market({
            venue: terms.venue,
            base: AssetId.wrap(0),
            quote: terms.quote,
            id: 0,
            home: NO_MARKET,
            eventId: NO_EVENT,
            kind: InboxMessages.MARKET_PERP,
            stage: _OPEN,
            maxPrice: terms.maxPrice,
            lotSize: 1,
            tickValue: terms.tickValue,
            startsAt: _start(terms.effectiveAt),
            slotKind: isSimulated ? _SLOT_SIMULATED : InboxMessages.MARKET_PERP
        });
        _rules.requireListing(terms, entry, first);

        (market, entry.id) = _registry.openMarket(entry, first);
        _perps[market].feed = terms.feed;
        _perps[market].feedScale = terms.feedScale;
        _perps[market].isCounted = true;
        _keep(_inForce[market], terms.parameters);
        uint64 index = _inbox.enqueue(
            ProtocolBounds.LIST_PERP, PerpMessages.listPerp(market, entry, first, terms)
        );
        PerpTerms memory listed = terms;
        listed.effectiveAt = entry.startsAt;
        emit PerpListed(market, entry.id, terms.venue, listed, index);
        if (hasLedger[terms.venue][terms.quote]) return market;
        // Behind the listing: the zone opens the ledger with it.
        hasLedger[terms.venue][terms.quote] = true;
        _risk.openLedger(terms.venue, terms.quote);
    }

    /// @inheritdoc IPerpRegistry
    function setParameters(MarketId market, Parameters calldata parameters) external {
        IMarketRegistry.Market memory entry = _openPerp(market);
        _venues.requireDeployer(entry.venue, msg.sender);
        Perp storage perp = _perps[market];
        Parameters memory before = _inForce[market];
        bytes32 given = keccak256(abi.encode(parameters));
        if (perp.readyAt == 0 && given == keccak256(abi.encode(before))) {
            revert IMarketRegistry.Unchanged(market);
        }
        _rules.requireParameters(parameters, ProtocolBounds.MAX_BAND);
        _requireInside(market, parameters);
        (, uint64 tooMuchAt) = _rules.riseOf(before.tiers, parameters.tiers);
        if (tooMuchAt != 0) revert RisesTooMuch(market, tooMuchAt);
        IMarketRegistry.Config memory config_ = _registry.config();
        if (entry.startsAt > _now() + config_.messageLag * _MS) {
            // The zone reads of it before anybody trades.
            _tell(market, parameters, config_.messageLag);
            return;
        }
        perp.readyAt = uint64(block.timestamp) + config_.changeNotice;
        _keep(_announced[market], parameters);
        emit ParametersAnnounced(market, parameters, perp.readyAt);
    }

    /// @inheritdoc IPerpRegistry
    function cancelParameters(MarketId market) external {
        IMarketRegistry.Market memory entry = _openPerp(market);
        _venues.requireDeployer(entry.venue, msg.sender);
        if (_perps[market].readyAt == 0) revert NothingAnnounced(market);
        _perps[market].readyAt = 0;
        emit ParametersCancelled(market);
    }

    /* WRITES: THE APPROVER */

    /// @inheritdoc IPerpRegistry
    function approveCross(MarketId market, uint32 weight) external {
        if (msg.sender != _approver) revert NotApprover(msg.sender, _approver);
        IMarketRegistry.Market memory entry = _openPerp(market);
        ListingBounds.within("weight", weight, 0, ProtocolBounds.MAX_WEIGHT);
        Perp storage perp = _perps[market];
        if (entry.startsAt + _CROSS_AGE * _MS > _now()) revert NotEligible(market, "age");
        if (_oracles.feedOf(perp.feed).quorum < _CROSS_QUORUM) {
            revert NotEligible(market, "quorum");
        }
        uint32 before = perp.weight;
        if (perp.isCross && before == weight) revert IMarketRegistry.Unchanged(market);
        perp.isCross = true;
        perp.weight = weight;
        uint64 index =
            _inbox.enqueue(ProtocolBounds.APPROVE_CROSS, PerpMessages.approveCross(market, weight));
        emit CrossApproved(market, before, weight, index);
    }

    /* WRITES: ANYONE */

    /// @inheritdoc IPerpRegistry
    function applyParameters(MarketId market) external {
        _openPerp(market);
        uint64 readyAt = _perps[market].readyAt;
        if (readyAt == 0) revert NothingAnnounced(market);
        if (block.timestamp < readyAt) revert NotReady(market, readyAt);
        _tell(market, _announced[market], _registry.config().messageLag);
    }

    /// @inheritdoc IPerpRegistry
    function uncount(MarketId market) external {
        Perp storage perp = _perpAt(market);
        IMarketRegistry.Market memory entry = _registry.marketOf(market);
        if (entry.stage != _CLOSED) revert StillOpen(market);
        if (!perp.isCounted) revert IMarketRegistry.Unchanged(market);
        perp.isCounted = false;
        perpCount--;
        perpsOf[entry.venue][entry.quote]--;
        emit PerpUncounted(market);
    }

    /* VIEWS */

    /// @inheritdoc IPerpRegistry
    function config() external view returns (Config memory) {
        return Config({
            inbox: address(_inbox),
            venues: address(_venues),
            assets: address(_assets),
            markets: address(_registry),
            calendars: address(_calendars),
            oracles: address(_oracles),
            risk: address(_risk),
            rules: address(_rules),
            approver: _approver
        });
    }

    /// @inheritdoc IPerpRegistry
    function perpOf(MarketId market) external view returns (Perp memory) {
        return _perpAt(market);
    }

    /// @inheritdoc IPerpRegistry
    function parametersOf(MarketId market)
        external
        view
        returns (Parameters memory inForce, Parameters memory announced)
    {
        inForce = _inForce[market];
        if (_perpAt(market).readyAt != 0) announced = _announced[market];
    }

    /// @inheritdoc IPerpRegistry
    function requireTerms(
        MarketId market,
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata terms
    ) external view {
        uint256 widest = _widestOf(_inForce[market]);
        if (_perpAt(market).readyAt != 0) {
            uint256 announced = _widestOf(_announced[market]);
            if (announced > widest) widest = announced;
        }
        _rules.requireTerms(entry, terms, widest);
    }

    /* INTERNAL: LISTING */

    function _firstTerms(PerpTerms calldata terms)
        private
        pure
        returns (IMarketRegistry.Terms memory first)
    {
        first.phase = InboxMessages.PHASE_CONTINUOUS;
        first.minNotional = terms.minNotional;
        first.maxNotional = terms.maxNotional;
        first.maxLots = terms.maxLots;
        first.takerFee = terms.takerFee;
        first.makerFee = terms.makerFee;
        first.protocolShare = terms.protocolShare;
        first.insuranceShare = terms.insuranceShare;
        first.takerDelay = terms.takerDelay;
        first.calendar = terms.calendar;
        first.band = terms.band;
        first.openInterestCap = terms.openInterestCap;
        first.accountCap = terms.accountCap;
        first.closes = terms.closes;
    }

    function _count(VenueId venue, AssetId quote) private {
        uint256 most = _rules.MOST_PERPS();
        if (perpCount >= most) revert PerpsFull(most);
        most = _rules.MOST_LEDGER_PERPS();
        if (perpsOf[venue][quote] >= most) revert LedgerFull(venue, quote, most);
        perpCount++;
        perpsOf[venue][quote]++;
    }

    function _requireAsset(VenueId venue, AssetId asset) private view returns (bool isSimulated) {
        if (!_assets.isOpen(asset)) revert AssetNotOpen(asset);
        IAssetRegistry.Asset memory terms = _assets.assetOf(asset);
        isSimulated = terms.kind == InboxMessages.ASSET_SIMULATED;
        if (isSimulated && terms.venue != venue) revert ForeignSimulatedAsset(asset, venue);
    }

    /* INTERNAL: CHANGES */

    /// @dev The zone wants the bands inside the outer one at whatever time it reads of them.
    function _requireInside(MarketId market, Parameters calldata parameters) private view {
        (IMarketRegistry.Terms memory inForce, IMarketRegistry.Terms memory announced) =
            _registry.termsOf(market);
        uint32 band = inForce.band;
        if (announced.effectiveAt != 0 && announced.band < band) band = announced.band;
        uint256 widest = _widestOf(parameters);
        if (widest > band) revert BandTooNarrow(market, band, uint32(widest));
    }

    /// @dev Widest band of parameters, ppm.
    function _widestOf(Parameters memory parameters) private pure returns (uint256) {
        return parameters.bandBasis > parameters.bandListing
            ? parameters.bandBasis
            : parameters.bandListing;
    }

    /// @dev Put parameters in force and tell the zone. It lets maintenance rise once a day of its own time,
    /// and reads each message up to `messageLag` later.
    function _tell(MarketId market, Parameters memory parameters, uint64 messageLag) private {
        Perp storage perp = _perps[market];
        Parameters memory before = _inForce[market];
        (bool rises,) = _rules.riseOf(before.tiers, parameters.tiers);
        if (rises) {
            uint64 from = perp.raisedAt + 1 days + 2 * messageLag;
            if (perp.raisedAt != 0 && block.timestamp < from) revert RiseTooSoon(market, from);
            perp.raisedAt = uint64(block.timestamp);
        }
        perp.readyAt = 0;
        _keep(_inForce[market], parameters);
        uint64 index =
            _inbox.enqueue(ProtocolBounds.SET_PERP, PerpMessages.setPerp(market, parameters));
        emit ParametersSet(market, before, parameters, index);
    }

    /// @dev Field by field: the compiler copies no array of structs into storage.
    function _keep(Parameters storage to, Parameters memory from) private {
        to.fundingCap = from.fundingCap;
        to.interest = from.interest;
        to.impactNotional = from.impactNotional;
        to.bandListing = from.bandListing;
        to.bandBasis = from.bandBasis;
        to.oiLower = from.oiLower;
        to.oiUpper = from.oiUpper;
        to.lossCap = from.lossCap;
        for (uint256 i = 0; i < from.tiers.length; ++i) {
            to.tiers[i] = from.tiers[i];
        }
    }

    function _perpAt(MarketId market) private view returns (Perp storage perp) {
        perp = _perps[market];
        if (FeedId.unwrap(perp.feed) == 0) revert NotAPerp(market);
    }

    function _openPerp(MarketId market) private view returns (IMarketRegistry.Market memory entry) {
        _perpAt(market);
        entry = _registry.marketOf(market);
        if (entry.stage != _OPEN) revert IMarketRegistry.MarketIsClosing(market, entry.stage);
    }

    /// @dev When trading starts: at once if the time has passed.
    function _start(uint64 effectiveAt) private view returns (uint64) {
        ListingBounds.within("effectiveAt", effectiveAt, 0, ProtocolBounds.MAX_TIME);
        return effectiveAt < _now() ? _now() : effectiveAt;
    }

    /// @dev L1's time, ms.
    function _now() private view returns (uint64) {
        return uint64(block.timestamp) * _MS;
    }
}
