// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {FeedId, ProviderId} from "./OracleTypes.sol";
import {ClaimId, MessageId, VenueId} from "./Types.sol";

/// @title IOracleRegistry
/// @notice Who may sign prices for a zone, with which keys, and to whom each feed listens. Anyone becomes
/// a provider for a bond; venues choose k of n providers for each feed. docs/spec/oracles.md has the
/// rules and their reasons.
///
/// No price is set or kept here. The zone checks each signed price against the sets that this contract
/// puts into the inbox. What it keeps is evidence: incidents that the zone itself recorded, and two
/// prices that one provider signed for one moment. A court takes from bonds; nothing here does by itself.
///
/// Assumptions for safety:
/// - More than half of the providers that a feed selects sign true prices.
/// - The court takes only from those who deserve it: it may take any bond, at once.
/// - Final roots are right (`IStateChain`), and the zone writes each outbox slot once.
///
/// Assumptions for liveness:
/// - The inbox is open: no set changes after the chain froze.
interface IOracleRegistry {
    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address inbox;
        address chain; // whose final roots count, and whose domain prices are signed for
        address venues; // says who deployed a venue
        address limits; // governed bounds of selections (`IProtocolLimits`); zero = the hard ones alone
        address court; // may take from bonds
        address treasury; // gets what the court takes
        uint256 bond; // of a provider, wei
        uint64 keySeconds; // from a rotation until the new key is valid
        uint64 noticeSeconds; // from a change of a feed until it counts
        uint64 evidenceSeconds; // age at which a signature is no evidence any more
        uint64 unbondingSeconds; // at least evidenceSeconds + keySeconds + noticeSeconds
        uint64 unbondingBlocks;
        uint64 caseSeconds; // that recorded evidence locks a bond for the court
        uint64 caseBlocks;
        uint32 maxFeeds; // highest feed id; below the capacity of the zone's feed table
    }

    /// @notice A provider.
    struct Provider {
        address account; // acts for it
        uint128 bond; // wei
        uint64 exitTime; // L1 seconds; 0 = has not asked to leave
        uint64 exitBlock;
        uint64 lockTime; // last recorded evidence, L1 seconds; 0 = none
        uint64 lockBlock;
        uint32 equivocations;
        bytes32 metadata; // keccak256 of the document that says who it is
    }

    /// @notice A provider's word to serve a feed.
    struct Offer {
        uint64 since; // L1 seconds; 0 = never
        uint64 until; // obliged until then; 0 = without end
    }

    /// @notice A feed and its selection.
    struct Feed {
        VenueId venue;
        uint8 decimals; // for display
        uint8 quorum; // fresh providers that an index needs
        uint8 count; // providers selected; 0 = none yet
        uint32 heartbeat; // ms
        uint32 deviation; // ppm
        uint32 breaker; // ppm
        uint64 effectiveAt; // of the selection, L1 seconds
    }

    /// @notice What a venue chooses for a feed.
    struct Selection {
        ProviderId[] providers; // 1 .. 8, rising
        uint8 quorum; // more than half of them
        uint32 heartbeat; // ms; 1,000 .. 60,000: a price is stale after it
        uint32 deviation; // ppm of the median, from 1,000: a price further away is an incident
        uint32 breaker; // ppm in 60 s, from 5,000: an index that moves more breaks trading
    }

    /// @notice A price as providers sign it (EIP-712), field for field the zone's price leaf.
    struct Price {
        FeedId feed;
        ProviderId provider;
        uint64 price; // units of 10^-8
        uint64 time; // ms
    }

    /// @notice An outbox record and its place in the tree.
    struct Proof {
        MessageId id; // slot of the record
        bytes32[] words; // the record: 2 words
        bytes32[] siblings; // 40, bottom up
    }

    /* EVENTS */

    event ProviderRegistered(
        ProviderId indexed provider,
        address indexed account,
        address indexed signer,
        uint256 bond,
        bytes32 metadata,
        string uri
    );
    event MetadataChanged(
        ProviderId indexed provider, bytes32 before, bytes32 metadata, string uri
    );
    /// @notice A key is valid from a time on (L1 seconds); zero = the provider leaves.
    event KeyChanged(
        ProviderId indexed provider, address indexed before, address indexed signer, uint64 from
    );
    event BondAdded(ProviderId indexed provider, uint256 amount, uint256 before, uint256 bond);
    event ExitRequested(ProviderId indexed provider);
    event BondWithdrawn(ProviderId indexed provider, address indexed account, uint256 amount);
    event Slashed(ProviderId indexed provider, uint256 amount, uint256 before, uint256 bond);
    event Collected(address indexed treasury, uint256 amount);
    event Offered(ProviderId indexed provider, FeedId indexed feed, uint64 since);
    event Retracted(ProviderId indexed provider, FeedId indexed feed, uint64 until);
    event FeedOpened(
        FeedId indexed feed, VenueId indexed venue, uint8 decimals, bytes32 description
    );
    /// @notice A venue chose providers for a feed. The keys stand in the inbox message.
    event Selected(
        FeedId indexed feed, VenueId indexed venue, Selection selection, uint64 effectiveAt
    );
    /// @notice The zone was told of a set, which counts when it reads of it.
    event Announced(FeedId indexed feed, uint64 inboxIndex);
    /// @notice The zone was told of a price; `time` is ms.
    event PriceTold(
        ProviderId indexed provider,
        FeedId indexed feed,
        uint64 price,
        uint64 time,
        uint64 inboxIndex
    );
    event IncidentRecorded(
        ProviderId indexed provider,
        FeedId indexed feed,
        uint32 indexed code,
        MessageId id,
        uint64 time,
        uint64 amount,
        uint256 count
    );
    /// @notice Evidence for the court: one provider, one feed, one time, two prices.
    event EquivocationRecorded(
        ProviderId indexed provider,
        FeedId indexed feed,
        bytes32 indexed nullifier,
        uint64 time,
        uint64 priceA,
        uint64 priceB,
        bytes signatureA,
        bytes signatureB,
        address reporter
    );

    /* ERRORS: CONFIGURATION */

    /// @notice A parameter of the constructor is zero, or too short for another one.
    error BadConfig(string parameter);

    /* ERRORS: PROVIDERS */

    error ZeroAddress();
    error WrongBond(uint256 sent, uint256 expected);
    error UnknownProvider(ProviderId provider);
    error NotProvider(address caller, address account);
    /// @notice The provider has asked to leave.
    error Leaving(ProviderId provider);
    error NotLeaving(ProviderId provider);
    /// @notice The last rotation is not valid yet.
    error RotationPending(ProviderId provider, uint64 from);
    error SameKey(ProviderId provider, address signer);
    /// @notice The key is, or was, another provider's.
    error KeyTaken(address signer, ProviderId holder);
    /// @notice The bond is bound until both of these are reached.
    error BondLocked(uint64 untilTime, uint64 untilBlock);
    error BondTooSmall(ProviderId provider, uint256 asked, uint256 bond);
    error NotCourt(address caller, address court);
    error NothingToCollect();
    error TransferFailed(address to, uint256 amount);

    /* ERRORS: FEEDS */

    error UnknownFeed(FeedId feed);
    error NotDeployer(address caller, address deployer);
    error FeedsFull(uint32 maxFeeds);
    error TooManyFeeds(VenueId venue, uint256 limit);
    error AlreadyOffered(ProviderId provider, FeedId feed);
    error NotOffered(ProviderId provider, FeedId feed);
    error ProvidersOutOfRange(uint256 given, uint256 limit);
    /// @notice Ids must rise, so that none is named twice.
    error ProvidersNotRising(ProviderId before, ProviderId provider);
    /// @notice The provider leaves, or its bond is not complete.
    error NotSelectable(ProviderId provider);
    /// @notice A value is outside its bounds (both inclusive).
    error OutOfBounds(string term, uint256 given, uint256 lowest, uint256 highest);
    /// @notice The last selection is not effective yet.
    error SelectionPending(FeedId feed, uint64 effectiveAt);
    /// @notice The zone was told what counts now.
    error NothingNew(FeedId feed);

    /* ERRORS: EVIDENCE */

    /// @notice The signature is by no key that the provider answers for at that time.
    error WrongSigner(address signer, address expected);
    /// @notice The two are not about one feed, provider and time.
    error NotSameMoment(Price a, Price b);
    error SamePrice(uint64 price);
    error EvidenceTooOld(uint64 time, uint64 oldest);
    error AlreadyRecorded(bytes32 nullifier);
    error IncidentRecordedBefore(MessageId id);
    /// @notice The outbox record is not an incident of a provider.
    error NotAnIncident(MessageId id, uint8 kind, uint32 code);
    /// @notice The provider had not offered the feed to that venue at that time.
    error NotObliged(ProviderId provider, FeedId feed, uint64 time);

    /* WRITES: PROVIDERS */

    /// @notice Become a provider; the caller acts for it. Send exactly the bond.
    /// @param signer key that signs prices from now on.
    /// @param metadata keccak256 of a document that says who this is and where the prices come from.
    /// @param uri where the document is.
    function register(address signer, bytes32 metadata, string calldata uri)
        external
        payable
        returns (ProviderId provider);

    /// @notice Replace the key; the new one is valid `keySeconds` from now.
    function rotate(ProviderId provider, address signer) external;

    function setMetadata(ProviderId provider, bytes32 metadata, string calldata uri) external;

    /// @notice Take on a feed: a venue may select the provider for it from now on.
    function offer(ProviderId provider, FeedId feed) external;

    /// @notice End that. The obligation ends after the notice.
    function retract(ProviderId provider, FeedId feed) external;

    /// @notice Fill up a bond that the court took from. Anyone may.
    function topUp(ProviderId provider) external payable;

    /// @notice Leave: unbonding begins; keys and obligations end after the notice, so that feeds can choose
    /// another provider.
    function exit(ProviderId provider) external;

    /// @notice Pay the bond out after unbonding and locks. Only the provider's account.
    function withdrawBond(ProviderId provider) external;

    /* WRITES: VENUES */

    /// @notice Open a feed for a venue of the caller. The zone is told of it with nobody who could sign, so
    /// that ids are in order there too.
    /// @param description keccak256 of the text that says what is measured.
    function openFeed(VenueId venue, uint8 decimals, bytes32 description)
        external
        returns (FeedId feed);

    /// @notice Choose the providers of a feed of the caller's venue. The first choice is told at once, a later
    /// one by `announce` after the notice.
    function select(FeedId feed, Selection calldata selection) external;

    /// @notice Tell the zone of a selection or of keys that count now and that it was not told of. Anyone may.
    function announce(FeedId feed) external;

    /* WRITES: PRICES */

    /// @notice Force a signed price into the zone. Anyone may; each provider's prices in rising time.
    function submitPrice(Price calldata price, bytes calldata signature) external;

    /* WRITES: EVIDENCE */

    /// @notice Count an incident that the zone recorded, once. Anyone may.
    /// @param claim a final claim whose state holds the record.
    function recordIncident(ClaimId claim, Proof calldata proof) external;

    /// @notice Record that a provider signed two prices for one moment, once. Anyone may.
    function proveEquivocation(
        Price calldata a,
        bytes calldata signatureA,
        Price calldata b,
        bytes calldata signatureB
    ) external returns (bytes32 nullifier);

    /// @notice Take from a bond, for the treasury. Only the court.
    function slash(ProviderId provider, uint256 amount) external;

    /// @notice Pay the treasury what was taken. Anyone may.
    function collect() external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice EIP-712 domain of prices: the state chain's.
    function domainSeparator() external view returns (bytes32);

    function providerCount() external view returns (uint32);
    function feedCount() external view returns (uint32);

    /// @notice What the treasury has to get, wei.
    function collectable() external view returns (uint256);

    /// @notice A provider. Reverts with `UnknownProvider` if there is none.
    function providerOf(ProviderId provider) external view returns (Provider memory);

    /// @notice Whether a venue may select the provider: bond complete, not leaving.
    function isSelectable(ProviderId provider) external view returns (bool);

    /// @notice Key of a provider at a time (L1 seconds), past or to come; zero = none.
    function keyAt(ProviderId provider, uint64 time) external view returns (address);

    /// @notice Number of keys that a provider has had, the next one included.
    function keyCount(ProviderId provider) external view returns (uint256);

    /// @notice A key of a provider and the time from which it is valid; numbered from 0.
    function keyOf(ProviderId provider, uint32 number)
        external
        view
        returns (address signer, uint64 since);

    function offerOf(ProviderId provider, FeedId feed) external view returns (Offer memory);

    /// @notice A feed. Reverts with `UnknownFeed` if there is none.
    function feedOf(FeedId feed) external view returns (Feed memory);

    /// @notice Providers that a feed's selection names.
    function providersOf(FeedId feed) external view returns (ProviderId[] memory);

    /// @notice What the provider signs for a price.
    function priceDigest(Price calldata price) external view returns (bytes32);

    /// @notice Check that a price was signed by its provider's key of its time, or by the one before if that
    /// ended less than the notice before. Reverts otherwise.
    /// @return signer that key.
    function checkPrice(Price calldata price, bytes calldata signature)
        external
        view
        returns (address signer);

    /// @notice Incidents of a provider with a code: 134 two prices for one time, 135 deviation.
    function incidentsOf(ProviderId provider, uint32 code) external view returns (uint256);

    /// @notice Provider that has, or had, a key; 0 = nobody.
    function providerOfKey(address signer) external view returns (ProviderId);

    function isIncidentRecorded(MessageId id) external view returns (bool);
    function isEquivocationRecorded(bytes32 nullifier) external view returns (bool);
}
