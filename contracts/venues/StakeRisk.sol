// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "../interfaces/GovernanceTypes.sol";
import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IStakeRisk} from "../interfaces/IStakeRisk.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {AssetId, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {PerpMessages} from "../libraries/PerpMessages.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";

/// @title StakeRisk
/// @notice Implements {IStakeRisk}, which says what it does, what it assumes and how it fails.
contract StakeRisk is IStakeRisk {
    /* CONSTANTS */

    /// @inheritdoc IStakeRisk
    uint64 public constant COOLDOWN = 1 days;
    uint256 private constant _COIN = 1e18;
    /// @dev Largest change of a price at once: one part in so many.
    uint64 private constant _STEP = 2;
    uint32 private constant _WHOLE = uint32(ProtocolBounds.PPM);

    /* IMMUTABLES */

    IInbox private immutable _inbox;
    IVenueRegistry private immutable _venues;
    IStakingVault private immutable _staking;
    IAssetRegistry private immutable _assets;
    address private immutable _perps;
    IProtocolLimits private immutable _limits;
    address private immutable _governance;

    /* STORAGE */

    /// @inheritdoc IStakeRisk
    mapping(AssetId asset => uint64 atoms) public priceOf;
    /// @inheritdoc IStakeRisk
    mapping(AssetId asset => uint64 time) public pricedAt;
    /// @inheritdoc IStakeRisk
    mapping(VenueId venue => uint32 sum) public sharesOf;

    mapping(VenueId venue => mapping(AssetId asset => Ledger entry)) private _ledgers;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        _inbox = IInbox(config_.inbox);
        _venues = IVenueRegistry(config_.venues);
        _staking = IStakingVault(config_.staking);
        _assets = IAssetRegistry(config_.assets);
        _perps = config_.perps;
        _limits = IProtocolLimits(config_.limits);
        _governance = config_.governance;
    }

    /* WRITES */

    /// @inheritdoc IStakeRisk
    function openLedger(VenueId venue, AssetId asset) external {
        if (msg.sender != _perps) revert NotPerps(msg.sender, _perps);
        Ledger storage ledger = _ledgers[venue][asset];
        if (ledger.isOpen) revert LedgerIsOpen(venue, asset);
        ledger.isOpen = true;
        if (sharesOf[venue] == 0 && !_isSimulated(asset)) {
            ledger.share = _WHOLE;
            sharesOf[venue] = _WHOLE;
        }
        emit LedgerOpened(venue, asset, ledger.share);
        // The zone opens a ledger with a cap of zero.
        uint64 cap = capOf(venue, asset);
        if (cap != 0) _tell(venue, asset, cap);
    }

    /// @inheritdoc IStakeRisk
    function setShare(VenueId venue, AssetId asset, uint32 share) external {
        _venues.requireDeployer(venue, msg.sender);
        Ledger storage ledger = _ledgerAt(venue, asset);
        if (_isSimulated(asset)) revert NoStakeNeeded(asset);
        uint32 before = ledger.share;
        if (share == before) revert Unchanged(venue, asset);
        uint256 sum = uint256(sharesOf[venue]) - before + share;
        if (sum > _WHOLE) revert SharesTooLarge(venue, sum);
        sharesOf[venue] = uint32(sum);
        ledger.share = share;
        emit ShareSet(venue, asset, before, share);
        uint64 cap = capOf(venue, asset);
        if (cap != ledger.told) _tell(venue, asset, cap);
    }

    /// @inheritdoc IStakeRisk
    function setPrice(AssetId asset, uint64 price) external {
        if (msg.sender != _governance) revert NotGovernance(msg.sender, _governance);
        if (_isSimulated(asset)) revert NoStakeNeeded(asset);
        uint64 before = priceOf[asset];
        (uint64 lowest, uint64 highest) = (1, uint64(ProtocolBounds.MAX_TOTAL_ATOMS));
        if (before != 0) {
            uint64 last = pricedAt[asset];
            if (block.timestamp < last + COOLDOWN) revert Cooling(asset, last + COOLDOWN);
            uint64 step = before / _STEP;
            if (step == 0) step = 1;
            if (before - step > lowest) lowest = before - step;
            if (before + step < highest) highest = before + step;
        }
        if (price < lowest || price > highest || price == before) {
            revert BadPrice(asset, price, lowest, highest);
        }
        priceOf[asset] = price;
        pricedAt[asset] = uint64(block.timestamp);
        emit PriceSet(asset, before, price);
    }

    /// @inheritdoc IStakeRisk
    function tell(VenueId venue, AssetId asset) external {
        uint64 cap = capOf(venue, asset);
        if (cap == _ledgerAt(venue, asset).told) revert Unchanged(venue, asset);
        _tell(venue, asset, cap);
    }

    /* VIEWS */

    /// @inheritdoc IStakeRisk
    function config() external view returns (Config memory) {
        return Config({
            inbox: address(_inbox),
            venues: address(_venues),
            staking: address(_staking),
            assets: address(_assets),
            perps: _perps,
            limits: address(_limits),
            governance: _governance
        });
    }

    /// @inheritdoc IStakeRisk
    function ledgerOf(VenueId venue, AssetId asset) external view returns (Ledger memory) {
        return _ledgers[venue][asset];
    }

    /// @inheritdoc IStakeRisk
    function capOf(VenueId venue, AssetId asset) public view returns (uint64) {
        Ledger storage ledger = _ledgers[venue][asset];
        if (!ledger.isOpen) return 0;
        if (_isSimulated(asset)) return uint64(ProtocolBounds.MAX_VENUE_CAP);
        uint256 part = carriedBy(venue) * ledger.share / ProtocolBounds.PPM;
        uint256 cap = part * priceOf[asset] / _COIN;
        return uint64(cap < ProtocolBounds.MAX_VENUE_CAP ? cap : ProtocolBounds.MAX_VENUE_CAP);
    }

    /// @inheritdoc IStakeRisk
    function carriedBy(VenueId venue) public view returns (uint256) {
        // Nothing while the venue is leaving: what is open can only shrink.
        uint256 carried = _staking.backingOf(venue) * _limit(LimitRanges.STAKE_MULTIPLE);
        uint256 most = _limit(LimitRanges.VENUE_OPEN_INTEREST) * 1 gwei;
        return carried < most ? carried : most;
    }

    /* INTERNAL */

    function _tell(VenueId venue, AssetId asset, uint64 cap) private {
        Ledger storage ledger = _ledgers[venue][asset];
        uint64 before = ledger.told;
        ledger.told = cap;
        uint64 index =
            _inbox.enqueue(ProtocolBounds.SET_RISK, PerpMessages.ledger(venue, asset, cap));
        emit RiskTold(venue, asset, before, cap, index);
    }

    function _ledgerAt(VenueId venue, AssetId asset) private view returns (Ledger storage ledger) {
        ledger = _ledgers[venue][asset];
        if (!ledger.isOpen) revert NoLedger(venue, asset);
    }

    function _isSimulated(AssetId asset) private view returns (bool) {
        return _assets.assetOf(asset).kind == InboxMessages.ASSET_SIMULATED;
    }

    function _limit(LimitId id) private view returns (uint256) {
        if (address(_limits) == address(0)) return LimitRanges.rangeOf(id).first;
        return _limits.valueOf(id);
    }
}
