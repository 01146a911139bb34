// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {FeedId, ProviderId} from "../interfaces/OracleTypes.sol";
import {ClaimId, MessageId, VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {OracleMessages} from "../libraries/OracleMessages.sol";
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
    uint256 private constant _MIN_HEARTBEAT = 500; // ms
    uint256 private constant _MAX_HEARTBEAT = 86_400_000;
    uint256 private constant _MIN_DEVIATION = 100; // ppm
    uint256 private constant _MAX_DEVIATION = 500_000;
    /// @dev The outbox kind of incidents (`tradezone/protocol/enums.py`).
    uint8 private constant _OUTBOX_INCIDENT = 3;
    /// @dev Codes of a provider's incidents: heartbeat, deviation, time.
    uint8 private constant _CODES = 3;
    bytes32 private constant _PRICE_TYPE =
        keccak256("Price(uint32 feed,uint32 provider,uint64 price,uint64 time)");

    /* IMMUTABLES */

    /// @inheritdoc IOracleRegistry
    bytes32 public immutable domainSeparator;

    IInbox private immutable _inbox;
    IStateChain private immutable _chain;
    IVenueRegistry private immutable _venues;
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

    /// @dev What the zone was told last of a feed. A set is the hash of a message without its time.
    struct Told {
        bytes32 set;
        bytes32 before; // what applies until then
        uint64 from; // L1 seconds
    }

    /// @inheritdoc IOracleRegistry
    uint32 public providerCount;
    /// @inheritdoc IOracleRegistry
    uint32 public feedCount;
    /// @inheritdoc IOracleRegistry
    uint256 public collectable;
    /// @inheritdoc IOracleRegistry
    mapping(ProviderId provider => mapping(uint8 code => uint256 count)) public incidentsOf;
    /// @inheritdoc IOracleRegistry
    mapping(bytes32 nullifier => bool recorded) public isEquivocationRecorded;

    mapping(ProviderId provider => Provider entry) private _providers;
    /// @dev Key by the L1 time from which it is valid.
    mapping(ProviderId provider => Checkpoints.Trace160 keys) private _keys;
    mapping(ProviderId provider => mapping(FeedId feed => Offer entry)) private _offers;
    mapping(FeedId feed => Feed entry) private _feeds;
    mapping(FeedId feed => ProviderId[] providers) private _selected;
    mapping(FeedId feed => Told entry) private _told;
    mapping(VenueId venue => uint256 count) private _feedsOf;
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
        // No signature outlives the bond behind it: the last key ends keySeconds after an exit.
        if (config_.unbondingSeconds < config_.evidenceSeconds + config_.keySeconds) {
            revert BadConfig("unbondingSeconds");
        }
        if (config_.caseSeconds == 0) revert BadConfig("caseSeconds");
        _inbox = IInbox(config_.inbox);
        _chain = IStateChain(config_.chain);
        _venues = IVenueRegistry(config_.venues);
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
        _pushKey(provider, signer, uint64(block.timestamp));
    }

    /// @inheritdoc IOracleRegistry
    function rotate(ProviderId provider, address signer) external {
        _requireStaying(provider);
        if (signer == address(0)) revert ZeroAddress();
        (, uint96 from, uint160 last) = _keys[provider].latestCheckpoint();
        if (from > block.timestamp) revert RotationPending(provider, uint64(from));
        if (address(last) == signer) revert SameKey(provider, signer);
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
        Feed storage entry = _feeds[feed];
        entry.venue = venue;
        entry.decimals = decimals;
        emit FeedOpened(feed, venue, decimals, description);
    }

    /// @inheritdoc IOracleRegistry
    function select(FeedId feed, Selection calldata selection) external {
        Feed storage entry = _feedAt(feed);
        _requireDeployer(entry.venue);
        if (entry.effectiveAt > block.timestamp) revert SelectionPending(feed, entry.effectiveAt);
        uint256 count = selection.providers.length;
        if (count == 0 || count > OracleMessages.MAX_PROVIDERS) {
            revert ProvidersOutOfRange(count, OracleMessages.MAX_PROVIDERS);
        }
        _requireBounds("quorum", selection.quorum, count / 2 + 1, count);
        _requireBounds("heartbeat", selection.heartbeat, _MIN_HEARTBEAT, _MAX_HEARTBEAT);
        _requireBounds("deviation", selection.deviation, _MIN_DEVIATION, _MAX_DEVIATION);
        _requireServing(feed, selection.providers);

        bool isFirst = entry.count == 0;
        entry.quorum = selection.quorum;
        entry.count = uint8(count);
        entry.heartbeat = selection.heartbeat;
        entry.deviation = selection.deviation;
        entry.effectiveAt = uint64(block.timestamp) + (isFirst ? 0 : _noticeSeconds);
        _selected[feed] = selection.providers;
        emit Selected(
            feed,
            entry.venue,
            selection.providers,
            selection.quorum,
            selection.heartbeat,
            selection.deviation,
            entry.effectiveAt
        );
        bytes memory signers = _signersAt(selection.providers, entry.effectiveAt);
        _tell(feed, entry, entry.effectiveAt, signers);
    }

    /// @inheritdoc IOracleRegistry
    function announce(FeedId feed) external {
        Feed memory entry = _feedAt(feed);
        if (entry.count == 0) revert NothingSelected(feed);
        ProviderId[] memory providers = _selected[feed];
        Told memory told = _told[feed];
        uint64 time = uint64(block.timestamp);
        if (entry.effectiveAt > time) time = entry.effectiveAt;

        // First what applies at that time, if the zone would take it for something else.
        bytes memory signers = _signersAt(providers, time);
        if (_hashSet(feed, entry, signers) == (told.from <= time ? told.set : told.before)) {
            uint64 next = _nextChange(providers, time);
            signers = _signersAt(providers, next);
            bool isTold = told.from == next && told.set == _hashSet(feed, entry, signers);
            if (next == time || isTold) revert NothingNew(feed);
            time = next;
        }
        _tell(feed, entry, time, signers);
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
        if (record.kind != _OUTBOX_INCIDENT || record.status == 0 || record.status > _CODES) {
            revert NotAnIncident(proof.id, record.kind, record.status);
        }
        ProviderId provider = ProviderId.wrap(record.owner);
        FeedId feed = FeedId.wrap(record.asset);
        if (!_isObliged(provider, feed, VenueId.wrap(record.venue), record.time / 1000)) {
            revert NotObliged(provider, feed, record.time);
        }

        _incidents.set(slot);
        uint256 count = ++incidentsOf[provider][record.status];
        emit IncidentRecorded(
            provider, feed, record.status, proof.id, record.time, record.amount, count
        );
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
        return _selected[feed];
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
        address expected = keyAt(price.provider, price.time / 1000);
        if (signer != expected) revert WrongSigner(signer, expected);
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
        Feed storage entry = _feeds[feed];
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

    /// @dev Earliest time after `time` at which a key of these providers changes, or else `time`. A
    /// provider has at most one key that is not valid yet.
    function _nextChange(ProviderId[] memory providers, uint64 time)
        private
        view
        returns (uint64 next)
    {
        next = time;
        for (uint256 i = 0; i < providers.length; i++) {
            (, uint96 from,) = _keys[providers[i]].latestCheckpoint();
            if (from > time && (next == time || from < next)) next = uint64(from);
        }
    }

    /// @dev Providers and their keys at a time, packed, padded with zeros to MAX_PROVIDERS.
    function _signersAt(ProviderId[] memory providers, uint64 time)
        private
        view
        returns (bytes memory packed)
    {
        for (uint256 i = 0; i < providers.length; i++) {
            packed = bytes.concat(
                packed, abi.encodePacked(ProviderId.unwrap(providers[i]), keyAt(providers[i], time))
            );
        }
        uint256 size = OracleMessages.MAX_PROVIDERS * OracleMessages.PROVIDER_BYTES;
        return bytes.concat(packed, new bytes(size - packed.length));
    }

    function _hashSet(FeedId feed, Feed memory entry, bytes memory signers)
        private
        pure
        returns (bytes32)
    {
        return keccak256(OracleMessages.oracleSet(feed, entry, 0, signers));
    }

    function _tell(FeedId feed, Feed memory entry, uint64 time, bytes memory signers) private {
        Told storage told = _told[feed];
        // A message removes those that would apply later: what applies before it stays as it is.
        if (told.from < time) told.before = told.set;
        told.set = _hashSet(feed, entry, signers);
        told.from = time;
        uint64 effectiveAt = time * 1000;
        uint64 index = _inbox.enqueue(
            OracleMessages.ORACLE_SET, OracleMessages.oracleSet(feed, entry, effectiveAt, signers)
        );
        emit Announced(feed, effectiveAt, index);
    }

    /// @dev Whether the provider had offered the feed, of that venue, at that time (L1 seconds).
    function _isObliged(ProviderId provider, FeedId feed, VenueId venue, uint64 time)
        private
        view
        returns (bool)
    {
        Offer storage entry = _offers[provider][feed];
        if (_feeds[feed].venue != venue || entry.since == 0 || time < entry.since) return false;
        uint64 left = _providers[provider].exitTime;
        if (left != 0 && time >= left + _noticeSeconds) return false;
        return entry.until == 0 || time < entry.until;
    }
}
