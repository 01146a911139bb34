// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "../interfaces/GovernanceTypes.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {FeedId, ProviderId} from "../interfaces/OracleTypes.sol";
import {ClaimId, MessageId, VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {OracleMessages} from "../libraries/OracleMessages.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title OracleRegistry
/// @notice Implements {IOracleRegistry}, which says what it does, what it assumes and how it fails.
contract OracleRegistry is IOracleRegistry {
    using BitMaps for BitMaps.BitMap;
    using Checkpoints for Checkpoints.Trace160;
    using DualClock for Span;

    /* CONSTANTS */

    /// @dev Feeds of one venue, so that none uses up the zone's.
    uint256 private constant _MAX_FEEDS_OF_VENUE = 64;
    /// @dev Id of nobody in a feed without a selection: the highest that a field of the zone holds.
    uint32 private constant _NOBODY = (1 << 31) - 1;
    /// @dev The outbox kind of incidents (`tradezone/protocol/enums.py`).
    uint8 private constant _OUTBOX_INCIDENT = 3;
    /// @dev Codes of a provider's incidents (`tradezone/protocol/errors.py`).
    uint32 private constant _TWO_PRICES = 134;
    uint32 private constant _DEVIATION = 135;
    bytes32 private constant _PRICE_TYPE =
        keccak256("Price(uint32 feed,uint32 provider,uint64 price,uint64 time)");

    /* IMMUTABLES */

    /// @inheritdoc IOracleRegistry
    bytes32 public immutable domainSeparator;

    IInbox private immutable _inbox;
    IStateChain private immutable _chain;
    IVenueRegistry private immutable _venues;
    IProtocolLimits private immutable _limits;
    address private immutable _court;
    address private immutable _treasury;
    uint128 private immutable _bond;
    uint64 private immutable _keySeconds;
    uint64 private immutable _noticeSeconds;
    uint64 private immutable _evidenceSeconds;
    uint32 private immutable _maxFeeds;
    Span private immutable _unbonding;
    Span private immutable _case;

    /* STORAGE */

    /// @dev A selection and its providers.
    struct Chosen {
        Feed entry;
        ProviderId[] providers;
    }

    /// @inheritdoc IOracleRegistry
    uint32 public providerCount;
    /// @inheritdoc IOracleRegistry
    uint32 public feedCount;
    /// @inheritdoc IOracleRegistry
    uint256 public collectable;
    /// @inheritdoc IOracleRegistry
    mapping(ProviderId provider => mapping(uint32 code => uint256 count)) public incidentsOf;
    /// @inheritdoc IOracleRegistry
    mapping(bytes32 nullifier => bool recorded) public isEquivocationRecorded;

    mapping(ProviderId provider => Provider entry) private _providers;
    /// @dev Key by the L1 time from which it is valid.
    mapping(ProviderId provider => Checkpoints.Trace160 keys) private _keys;
    mapping(ProviderId provider => mapping(FeedId feed => Offer entry)) private _offers;
    /// @dev The newest selection of a feed, and the one that counts until it is effective.
    mapping(FeedId feed => Chosen entry) private _newest;
    mapping(FeedId feed => Chosen entry) private _before;
    /// @dev Hash of the message that the zone got last about a feed.
    mapping(FeedId feed => bytes32 hash) private _told;
    /// @dev Time of the last price that was told, ms.
    mapping(FeedId feed => mapping(ProviderId provider => uint64 time)) private _lastPrice;
    mapping(VenueId venue => uint256 count) private _feedsOf;
    /// @inheritdoc IOracleRegistry
    mapping(address signer => ProviderId provider) public providerOfKey;
    /// @dev Nullifiers of incidents: bit = message id.
    BitMaps.BitMap private _incidents;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        if (config_.inbox == address(0)) revert BadConfig("inbox");
        if (config_.venues == address(0)) revert BadConfig("venues");
        if (config_.court == address(0)) revert BadConfig("court");
        if (config_.treasury == address(0)) revert BadConfig("treasury");
        if (config_.bond == 0 || config_.bond > type(uint128).max) revert BadConfig("bond");
        if (config_.noticeSeconds == 0) revert BadConfig("noticeSeconds");
        // A key that a selection names is still valid when the selection becomes effective.
        if (config_.keySeconds < config_.noticeSeconds) revert BadConfig("keySeconds");
        // No signature outlives the bond behind it: the last key ends keySeconds after an exit, and answers
        // for what is signed with it for noticeSeconds more.
        if (
            config_.unbondingSeconds
                < config_.evidenceSeconds + config_.keySeconds + config_.noticeSeconds
        ) revert BadConfig("unbondingSeconds");
        if (config_.caseSeconds == 0) revert BadConfig("caseSeconds");
        _inbox = IInbox(config_.inbox);
        _chain = IStateChain(config_.chain);
        _venues = IVenueRegistry(config_.venues);
        _limits = IProtocolLimits(config_.limits);
        _court = config_.court;
        _treasury = config_.treasury;
        _bond = uint128(config_.bond);
        _keySeconds = config_.keySeconds;
        _noticeSeconds = config_.noticeSeconds;
        _evidenceSeconds = config_.evidenceSeconds;
        _maxFeeds = config_.maxFeeds;
        _unbonding = DualClock.toSpan(config_.unbondingSeconds, config_.unbondingBlocks);
        _case = DualClock.toSpan(config_.caseSeconds, config_.caseBlocks);
        domainSeparator = IStateChain(config_.chain).domainSeparator();
    }

    /* WRITES: PROVIDERS */

    /// @inheritdoc IOracleRegistry
    function register(address signer, bytes32 metadata, string calldata uri)
        external
        payable
        returns (ProviderId provider)
    {
        if (signer == address(0)) revert ZeroAddress();
        if (msg.value != _bond) revert WrongBond(msg.value, _bond);
        providerCount++;
        provider = ProviderId.wrap(providerCount);
        Provider storage entry = _providers[provider];
        entry.account = msg.sender;
        entry.bond = _bond;
        entry.metadata = metadata;
        emit ProviderRegistered(provider, msg.sender, signer, _bond, metadata, uri);
        _takeKey(provider, signer);
        _pushKey(provider, signer, uint64(block.timestamp));
    }

    /// @inheritdoc IOracleRegistry
    function rotate(ProviderId provider, address signer) external {
        _requireStaying(provider);
        if (signer == address(0)) revert ZeroAddress();
        (, uint96 from, uint160 last) = _keys[provider].latestCheckpoint();
        if (from > block.timestamp) revert RotationPending(provider, uint64(from));
        if (address(last) == signer) revert SameKey(provider, signer);
        _takeKey(provider, signer);
        _pushKey(provider, signer, uint64(block.timestamp) + _keySeconds);
    }

    /// @inheritdoc IOracleRegistry
    function setMetadata(ProviderId provider, bytes32 metadata, string calldata uri) external {
        Provider storage entry = _requireStaying(provider);
        emit MetadataChanged(provider, entry.metadata, metadata, uri);
        entry.metadata = metadata;
    }

    /// @inheritdoc IOracleRegistry
    function offer(ProviderId provider, FeedId feed) external {
        _requireStaying(provider);
        _feedAt(feed);
        Offer storage entry = _offers[provider][feed];
        if (entry.since != 0 && entry.until == 0) revert AlreadyOffered(provider, feed);
        // An offer that is taken up again goes on from its beginning: nothing is shaken off by it.
        if (entry.since == 0) entry.since = uint64(block.timestamp);
        entry.until = 0;
        emit Offered(provider, feed, entry.since);
    }

    /// @inheritdoc IOracleRegistry
    function retract(ProviderId provider, FeedId feed) external {
        Provider storage holder = _providerAt(provider);
        if (msg.sender != holder.account) revert NotProvider(msg.sender, holder.account);
        Offer storage entry = _offers[provider][feed];
        if (entry.since == 0 || entry.until != 0) revert NotOffered(provider, feed);
        entry.until = uint64(block.timestamp) + _noticeSeconds;
        emit Retracted(provider, feed, entry.until);
    }

    /// @inheritdoc IOracleRegistry
    function topUp(ProviderId provider) external payable {
        Provider storage entry = _providerAt(provider);
        if (entry.exitTime != 0) revert Leaving(provider);
        uint128 before = entry.bond;
        if (msg.value == 0 || msg.value > _bond - before) {
            revert WrongBond(msg.value, _bond - before);
        }
        entry.bond = before + uint128(msg.value);
        emit BondAdded(provider, msg.value, before, entry.bond);
    }

    /// @inheritdoc IOracleRegistry
    function exit(ProviderId provider) external {
        Provider storage entry = _requireStaying(provider);
        entry.exitTime = uint64(block.timestamp);
        entry.exitBlock = uint64(block.number);
        emit ExitRequested(provider);
        // Feeds have the notice to choose another provider. A key that is not valid by then never is.
        (, uint96 from,) = _keys[provider].latestCheckpoint();
        uint64 end = uint64(block.timestamp) + _noticeSeconds;
        if (from > end) end = uint64(from);
        _pushKey(provider, address(0), end);
    }

    /// @inheritdoc IOracleRegistry
    function withdrawBond(ProviderId provider) external {
        Provider storage entry = _providerAt(provider);
        if (msg.sender != entry.account) revert NotProvider(msg.sender, entry.account);
        if (entry.exitTime == 0) revert NotLeaving(provider);
        _requirePassed(_unbonding, entry.exitTime, entry.exitBlock);
        if (entry.lockTime != 0) _requirePassed(_case, entry.lockTime, entry.lockBlock);
        uint256 amount = entry.bond;
        if (amount == 0) revert BondTooSmall(provider, 1, 0);
        entry.bond = 0;
        emit BondWithdrawn(provider, msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /* WRITES: VENUES */

    /// @inheritdoc IOracleRegistry
    function openFeed(VenueId venue, uint8 decimals, bytes32 description)
        external
        returns (FeedId feed)
    {
        _requireDeployer(venue);
        if (feedCount >= _maxFeeds) revert FeedsFull(_maxFeeds);
        if (_feedsOf[venue] >= _MAX_FEEDS_OF_VENUE) {
            revert TooManyFeeds(venue, _MAX_FEEDS_OF_VENUE);
        }
        _feedsOf[venue]++;
        feedCount++;
        feed = FeedId.wrap(feedCount);
        Feed storage entry = _newest[feed].entry;
        entry.venue = venue;
        entry.decimals = decimals;
        emit FeedOpened(feed, venue, decimals, description);
        _tell(feed, venue);
    }

    /// @inheritdoc IOracleRegistry
    function select(FeedId feed, Selection calldata selection) external {
        Chosen storage newest = _newest[feed];
        Feed storage entry = _feedAt(feed);
        _requireDeployer(entry.venue);
        if (entry.effectiveAt > block.timestamp) revert SelectionPending(feed, entry.effectiveAt);
        uint256 count = selection.providers.length;
        if (count == 0 || count > ProtocolBounds.MAX_PROVIDERS) {
            revert ProvidersOutOfRange(count, ProtocolBounds.MAX_PROVIDERS);
        }
        _requireBounds("quorum", selection.quorum, count / 2 + 1, count);
        _requireBounds(
            "heartbeat",
            selection.heartbeat,
            ProtocolBounds.MIN_HEARTBEAT,
            _bounded(LimitRanges.MAX_PRICE_STALENESS, ProtocolBounds.MAX_HEARTBEAT)
        );
        _requireBounds(
            "deviation",
            selection.deviation,
            ProtocolBounds.MIN_DEVIATION,
            _bounded(LimitRanges.MAX_PRICE_DEVIATION, ProtocolBounds.PPM)
        );
        _requireBounds("breaker", selection.breaker, ProtocolBounds.MIN_BREAKER, ProtocolBounds.PPM);
        _requireServing(feed, selection.providers);

        bool isFirst = entry.count == 0;
        if (!isFirst) _before[feed] = newest;
        entry.quorum = selection.quorum;
        entry.count = uint8(count);
        entry.heartbeat = selection.heartbeat;
        entry.deviation = selection.deviation;
        entry.breaker = selection.breaker;
        entry.effectiveAt = uint64(block.timestamp) + (isFirst ? 0 : _noticeSeconds);
        newest.providers = selection.providers;
        emit Selected(feed, entry.venue, selection, entry.effectiveAt);
        if (isFirst) _tell(feed, entry.venue);
    }

    /// @inheritdoc IOracleRegistry
    function announce(FeedId feed) external {
        _tell(feed, _feedAt(feed).venue);
    }

    /* WRITES: PRICES */

    /// @inheritdoc IOracleRegistry
    function submitPrice(Price calldata price, bytes calldata signature) external {
        _feedAt(price.feed);
        _requireBounds("price", price.price, 1, ProtocolBounds.MAX_FEED_PRICE);
        uint64 last = _lastPrice[price.feed][price.provider];
        uint64 latest = uint64(block.timestamp + 1) * 1000;
        _requireBounds("time", price.time, last + 1, latest);
        address signer = checkPrice(price, signature);
        _lastPrice[price.feed][price.provider] = price.time;
        uint64 index = _inbox.enqueue(ProtocolBounds.PRICE, OracleMessages.price(price, signer));
        emit PriceTold(price.provider, price.feed, price.price, price.time, index);
    }

    /* WRITES: EVIDENCE */

    /// @inheritdoc IOracleRegistry
    function recordIncident(ClaimId claim, Proof calldata proof) external {
        uint256 slot = MessageId.unwrap(proof.id);
        if (_incidents.get(slot)) revert IncidentRecordedBefore(proof.id);
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(
            _chain.finalRootOf(claim), Records.TYPE_OUTBOX, slot, words, proof.siblings
        );
        Records.Outbox memory record = Records.decodeOutbox(words);
        uint32 code = record.asset;
        if (record.kind != _OUTBOX_INCIDENT || (code != _TWO_PRICES && code != _DEVIATION)) {
            revert NotAnIncident(proof.id, record.kind, code);
        }
        ProviderId provider = ProviderId.wrap(record.owner);
        FeedId feed = FeedId.wrap(record.market);
        if (!_isObliged(provider, feed, VenueId.wrap(record.venue), record.time / 1000)) {
            revert NotObliged(provider, feed, record.time);
        }

        _incidents.set(slot);
        uint256 count = ++incidentsOf[provider][code];
        emit IncidentRecorded(provider, feed, code, proof.id, record.time, record.amount, count);
    }

    /// @inheritdoc IOracleRegistry
    function proveEquivocation(
        Price calldata a,
        bytes calldata signatureA,
        Price calldata b,
        bytes calldata signatureB
    ) external returns (bytes32 nullifier) {
        if (
            FeedId.unwrap(a.feed) != FeedId.unwrap(b.feed)
                || ProviderId.unwrap(a.provider) != ProviderId.unwrap(b.provider)
                || a.time != b.time
        ) revert NotSameMoment(a, b);
        if (a.price == b.price) revert SamePrice(a.price);
        uint64 oldest = (uint64(block.timestamp) - _evidenceSeconds) * 1000;
        if (a.time < oldest) revert EvidenceTooOld(a.time, oldest);
        nullifier = keccak256(abi.encode(a.feed, a.provider, a.time));
        if (isEquivocationRecorded[nullifier]) revert AlreadyRecorded(nullifier);
        checkPrice(a, signatureA);
        checkPrice(b, signatureB);

        isEquivocationRecorded[nullifier] = true;
        Provider storage entry = _providers[a.provider];
        entry.equivocations++;
        entry.lockTime = uint64(block.timestamp);
        entry.lockBlock = uint64(block.number);
        emit EquivocationRecorded(
            a.provider,
            a.feed,
            nullifier,
            a.time,
            a.price,
            b.price,
            signatureA,
            signatureB,
            msg.sender
        );
    }

    /// @inheritdoc IOracleRegistry
    function slash(ProviderId provider, uint256 amount) external {
        if (msg.sender != _court) revert NotCourt(msg.sender, _court);
        Provider storage entry = _providerAt(provider);
        uint128 before = entry.bond;
        if (amount == 0 || amount > before) revert BondTooSmall(provider, amount, before);
        entry.bond = before - uint128(amount);
        collectable += amount;
        emit Slashed(provider, amount, before, entry.bond);
    }

    /// @inheritdoc IOracleRegistry
    function collect() external {
        uint256 amount = collectable;
        if (amount == 0) revert NothingToCollect();
        collectable = 0;
        emit Collected(_treasury, amount);
        _pay(_treasury, amount);
    }

    /* VIEWS */

    /// @inheritdoc IOracleRegistry
    function config() external view returns (Config memory) {
        return Config({
            inbox: address(_inbox),
            chain: address(_chain),
            venues: address(_venues),
            limits: address(_limits),
            court: _court,
            treasury: _treasury,
            bond: _bond,
            keySeconds: _keySeconds,
            noticeSeconds: _noticeSeconds,
            evidenceSeconds: _evidenceSeconds,
            unbondingSeconds: _unbonding.secondsIn(),
            unbondingBlocks: _unbonding.blocksIn(),
            caseSeconds: _case.secondsIn(),
            caseBlocks: _case.blocksIn(),
            maxFeeds: _maxFeeds
        });
    }

    /// @inheritdoc IOracleRegistry
    function providerOf(ProviderId provider) external view returns (Provider memory) {
        return _providerAt(provider);
    }

    /// @inheritdoc IOracleRegistry
    function isSelectable(ProviderId provider) public view returns (bool) {
        Provider storage entry = _providers[provider];
        return entry.bond == _bond && entry.exitTime == 0;
    }

    /// @inheritdoc IOracleRegistry
    function keyAt(ProviderId provider, uint64 time) public view returns (address) {
        return address(_keys[provider].upperLookupRecent(time));
    }

    /// @inheritdoc IOracleRegistry
    function keyCount(ProviderId provider) external view returns (uint256) {
        return _keys[provider].length();
    }

    /// @inheritdoc IOracleRegistry
    function keyOf(ProviderId provider, uint32 number)
        external
        view
        returns (address signer, uint64 since)
    {
        Checkpoints.Checkpoint160 memory key = _keys[provider].at(number);
        return (address(key._value), uint64(key._key));
    }

    /// @inheritdoc IOracleRegistry
    function offerOf(ProviderId provider, FeedId feed) external view returns (Offer memory) {
        return _offers[provider][feed];
    }

    /// @inheritdoc IOracleRegistry
    function feedOf(FeedId feed) external view returns (Feed memory) {
        return _feedAt(feed);
    }

    /// @inheritdoc IOracleRegistry
    function providersOf(FeedId feed) external view returns (ProviderId[] memory) {
        return _newest[feed].providers;
    }

    /// @inheritdoc IOracleRegistry
    function priceDigest(Price calldata price) public view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            domainSeparator,
            keccak256(abi.encode(_PRICE_TYPE, price.feed, price.provider, price.price, price.time))
        );
    }

    /// @inheritdoc IOracleRegistry
    function checkPrice(Price calldata price, bytes calldata signature)
        public
        view
        returns (address signer)
    {
        signer = ECDSA.recover(priceDigest(price), signature);
        uint64 time = price.time / 1000;
        address expected = keyAt(price.provider, time);
        if (signer == expected) return signer;
        // The zone takes a key until it hears of the next one: so long its owner answers for it.
        bool isLast =
            time >= _noticeSeconds && signer == keyAt(price.provider, time - _noticeSeconds);
        if (!isLast) revert WrongSigner(signer, expected);
    }

    /// @inheritdoc IOracleRegistry
    function isIncidentRecorded(MessageId id) external view returns (bool) {
        return _incidents.get(MessageId.unwrap(id));
    }

    /* INTERNAL: PROVIDERS */

    function _providerAt(ProviderId provider) private view returns (Provider storage) {
        Provider storage entry = _providers[provider];
        if (entry.account == address(0)) revert UnknownProvider(provider);
        return entry;
    }

    /// @dev The caller acts for the provider, and that has not asked to leave.
    function _requireStaying(ProviderId provider) private view returns (Provider storage entry) {
        entry = _providerAt(provider);
        if (msg.sender != entry.account) revert NotProvider(msg.sender, entry.account);
        if (entry.exitTime != 0) revert Leaving(provider);
    }

    /// @dev The zone refuses a set that names one signer twice, so nobody can take another one's key.
    function _takeKey(ProviderId provider, address signer) private {
        ProviderId holder = providerOfKey[signer];
        if (ProviderId.unwrap(holder) == ProviderId.unwrap(provider)) return;
        if (ProviderId.unwrap(holder) != 0) revert KeyTaken(signer, holder);
        providerOfKey[signer] = provider;
    }

    function _pushKey(ProviderId provider, address signer, uint64 from) private {
        address before = address(_keys[provider].latest());
        _keys[provider].push(from, uint160(signer));
        emit KeyChanged(provider, before, signer, from);
    }

    function _requirePassed(Span span, uint64 time, uint64 blockNumber) private view {
        Stamp start = DualClock.toStamp(time, blockNumber);
        if (span.hasPassed(start)) return;
        (uint64 untilTime, uint64 untilBlock) = span.end(start);
        revert BondLocked(untilTime, untilBlock);
    }

    function _pay(address to, uint256 amount) private {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert TransferFailed(to, amount);
    }

    /* INTERNAL: FEEDS */

    function _feedAt(FeedId feed) private view returns (Feed storage) {
        Feed storage entry = _newest[feed].entry;
        if (VenueId.unwrap(entry.venue) == 0) revert UnknownFeed(feed);
        return entry;
    }

    function _requireDeployer(VenueId venue) private view {
        address deployer = _venues.venueOf(venue).deployer;
        if (msg.sender != deployer) revert NotDeployer(msg.sender, deployer);
    }

    function _requireBounds(string memory term, uint256 given, uint256 lowest, uint256 highest)
        private
        pure
    {
        if (given < lowest || given > highest) revert OutOfBounds(term, given, lowest, highest);
    }

    function _requireServing(FeedId feed, ProviderId[] calldata providers) private view {
        ProviderId before;
        for (uint256 i = 0; i < providers.length; i++) {
            ProviderId provider = providers[i];
            if (ProviderId.unwrap(provider) <= ProviderId.unwrap(before)) {
                revert ProvidersNotRising(before, provider);
            }
            if (!isSelectable(provider)) revert NotSelectable(provider);
            Offer storage entry = _offers[provider][feed];
            if (entry.since == 0 || entry.until != 0) revert NotOffered(provider, feed);
            before = provider;
        }
    }

    /// @dev Providers and their keys now, packed, padded with zeros. Who has no key any more keeps its
    /// place, with an address that cannot sign: the zone counts its quorum over all places.
    function _signersOf(ProviderId[] memory providers) private view returns (bytes memory packed) {
        for (uint256 i = 0; i < providers.length; i++) {
            address signer = keyAt(providers[i], uint64(block.timestamp));
            uint32 provider = ProviderId.unwrap(providers[i]);
            if (signer == address(0)) signer = _mute(provider);
            packed = bytes.concat(packed, OracleMessages.place(provider, signer));
        }
        return OracleMessages.pad(packed);
    }

    /// @dev An address that nobody has a key for, another one for each provider.
    function _mute(uint32 provider) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(address(this), provider)))));
    }

    /// @dev What the zone has to take now. Without a selection that is a set of nobody: so feeds come to
    /// the zone in the order of their ids, and are never fresh before somebody was chosen.
    function _messageOf(FeedId feed, VenueId venue) private view returns (bytes memory) {
        Feed memory entry = _newest[feed].entry;
        if (entry.count == 0) {
            entry.venue = venue;
            entry.quorum = 1;
            entry.heartbeat = uint32(ProtocolBounds.MIN_HEARTBEAT);
            entry.deviation = uint32(ProtocolBounds.MIN_DEVIATION);
            entry.breaker = uint32(ProtocolBounds.MIN_BREAKER);
            bytes memory nobody = OracleMessages.place(_NOBODY, _mute(_NOBODY));
            return OracleMessages.oracleSet(feed, entry, OracleMessages.pad(nobody));
        }
        bool isComing = entry.effectiveAt > block.timestamp;
        Chosen storage chosen = isComing ? _before[feed] : _newest[feed];
        return OracleMessages.oracleSet(feed, chosen.entry, _signersOf(chosen.providers));
    }

    function _tell(FeedId feed, VenueId venue) private {
        bytes memory body = _messageOf(feed, venue);
        bytes32 hash = keccak256(body);
        if (hash == _told[feed]) revert NothingNew(feed);
        _told[feed] = hash;
        emit Announced(feed, _inbox.enqueue(ProtocolBounds.ORACLE_SET, body));
    }

    /// @dev The governed bound, if there is one and it is narrower.
    function _bounded(LimitId id, uint256 hard) private view returns (uint256) {
        if (address(_limits) == address(0)) return hard;
        uint256 value = _limits.valueOf(id);
        return value < hard ? value : hard;
    }

    /// @dev Whether the provider had offered the feed, of that venue, at that time (L1 seconds).
    function _isObliged(ProviderId provider, FeedId feed, VenueId venue, uint64 time)
        private
        view
        returns (bool)
    {
        Offer storage entry = _offers[provider][feed];
        if (_newest[feed].entry.venue != venue || entry.since == 0 || time < entry.since) {
            return false;
        }
        uint64 left = _providers[provider].exitTime;
        if (left != 0 && time >= left + _noticeSeconds) return false;
        return entry.until == 0 || time < entry.until;
    }
}
