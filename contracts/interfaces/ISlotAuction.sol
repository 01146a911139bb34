// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISlotAuction
/// @notice Slots in which venues list markets. Each venue has some free of charge; more are licences,
/// bought in a descending auction per kind of market. docs/spec/slots.md has the rules and their reasons.
///
/// Kinds are 1 = spot, 2 = perp, 3 = outcome, 4 = simulated. Amounts are wei of the native coin and
/// whole gwei, times L1 seconds, rates parts of 10,000 (bps).
///
/// - One auction a kind and one slot a round. The price falls linearly from a multiple of the last
///   clearing price to a floor; the floor decays while nobody buys. Nobody starts or ends a round.
/// - A licence belongs to a venue, not to an account, so it goes where the venue goes. It has a term,
///   a renewal price that is fixed when the term begins, and a grace after it.
/// - A licence that stays without a market is reclaimed by anyone and is sold again.
///
/// The implementation is in Vyper, so ids are plain numbers here: `venue` is a VenueId, `market` a
/// MarketId.
///
/// Assumptions for safety:
/// - The market registry names the deployer of a venue, and occupies and releases slots as markets come
///   and go. It can misplace slots; it cannot reach money.
/// - Governance keeps inside hard bounds whatever it wants; it can stop the growth of a kind and raise
///   prices up to the bounds, and it can take nothing back.
///
/// Assumptions for liveness: none for `reclaim` and payments; L1 takes a buyer's transaction in the
/// second whose price it wants.
interface ISlotAuction {
    /// @notice Parameters of a kind. They count from its next round on.
    struct KindTerms {
        uint16 startMultiple; // bps: a round starts at this times the last price; 11,000 .. 40,000
        uint16 floorShare; // bps: and falls to this share of it; 1,000 .. 10,000
        uint16 decay; // bps by which the floor falls each unsold round; 100 .. 5,000
        uint16 baseSlots; // free slots of each venue; 0 .. 64
        uint32 supply; // licences outstanding at most; 0 .. 4,096
        uint32 roundSeconds; // 1 h .. 7 d
        uint256 minFloor; // wei, whole gwei; 0.001 .. 100,000 coins
    }

    /// @notice Parameters of licences. They count from a licence's purchase or next renewal on.
    struct LicenceTerms {
        uint16 termDays; // 30 .. 730
        uint16 renewalDays; // before the end of a term in which it can be renewed; 7 .. 60
        uint16 graceDays; // after it, until the licence can be reclaimed; 7 .. 90
        uint16 idleDays; // without a market, until it can be reclaimed; 7 .. 180
    }

    /// @notice A round of an auction.
    struct Round {
        uint64 number; // from 1 in each kind
        uint64 begin; // its first second; 0 = the kind is sold out, no round runs
        uint64 length; // seconds
        uint256 start; // price in the first second
        uint256 floor; // price in the last second
    }

    /// @notice A licence.
    struct Licence {
        uint8 kind; // 0 = never bought, or reclaimed
        uint32 venue;
        uint32 market; // 0 = idle
        uint64 expires; // end of the term
        uint64 idleSince; // when it was bought or last released
        uint16 graceDays;
        uint16 idleDays;
        uint256 renewalPrice; // of the next term
    }

    /// @notice Where a market is listed.
    struct Slot {
        uint8 state; // 0 = nowhere, 1 = base slot, 2 = licence, 3 = its licence was reclaimed
        uint8 kind;
        uint32 venue;
        uint32 licence; // 0 = base slot
    }

    /* EVENTS */

    event LicenceBought(
        uint32 indexed licence,
        uint32 indexed venue,
        uint8 indexed kind,
        address buyer,
        uint64 round,
        uint256 price,
        uint256 renewalPrice,
        uint64 expires
    );
    event LicenceRenewed(
        uint32 indexed licence,
        uint32 indexed venue,
        address payer,
        uint256 price,
        uint256 renewalPrice,
        uint64 expiresBefore,
        uint64 expires
    );
    /// @notice A licence is gone. Its market, if it had one, has lost its slot.
    event LicenceReclaimed(
        uint32 indexed licence, uint32 indexed venue, uint32 indexed market, uint8 kind, address by
    );
    /// @notice A market took a slot; licence 0 is a base slot.
    event SlotOccupied(
        uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence
    );
    event SlotReleased(
        uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence
    );
    event RefundCredited(address indexed account, uint256 amount, uint256 before, uint256 refund);
    event RefundCollected(address indexed account, address indexed to, uint256 amount);
    event ProceedsCollected(address indexed treasury, uint256 amount);
    event KindTermsChanged(uint8 indexed kind, KindTerms before, KindTerms terms);
    event LicenceTermsChanged(LicenceTerms before, LicenceTerms terms);

    /* ERRORS */

    error ZeroAddress();
    error UnknownKind(uint8 kind);
    /// @notice A parameter is outside its bounds (both inclusive).
    error OutOfBounds(string parameter, uint256 given, uint256 lowest, uint256 highest);
    /// @notice A price is no whole number of gwei.
    error NotWholeGwei(uint256 amount);
    error NotGovernance(address caller, address governance);
    error NotVenueRegistry(address caller, address registry);
    error NotDeployer(address caller, address deployer);
    /// @notice Every licence of the kind is out; none is sold until one comes back.
    error SoldOut(uint8 kind, uint32 supply);
    /// @notice This round's slot is sold; the next round begins then.
    error RoundSold(uint8 kind, uint64 nextBegin);
    /// @notice The auction of that time is over and not remembered.
    error PastTime(uint64 time, uint64 begin);
    error PriceAboveLimit(uint256 price, uint256 maxPrice);
    error NotEnoughSent(uint256 sent, uint256 price);
    /// @notice The venue holds as many licences of the kind as a venue can.
    error TooManyLicences(uint32 venue, uint8 kind, uint256 limit);
    error UnknownLicence(uint32 licence);
    /// @notice A licence is renewed between these two times.
    error NotRenewable(uint32 licence, uint64 from, uint64 until);
    /// @notice A licence is reclaimed when it was idle too long or its grace is over.
    error NotReclaimable(uint32 licence, uint64 from);
    error ZeroMarket();
    error AlreadyOccupied(uint32 market);
    error NoFreeSlot(uint32 venue, uint8 kind);
    error UnknownMarket(uint32 market);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES: BUYERS */

    /// @notice Buy the slot of the running round for a venue of the caller. Send at least the price; what
    /// is beyond it is credited to the caller.
    /// @param venue that gets the licence; the caller is its deployer.
    /// @param kind of the slot.
    /// @param maxPrice most the caller pays, wei, whatever it sends.
    /// @return licence number of the new licence.
    function buy(uint32 venue, uint8 kind, uint256 maxPrice)
        external
        payable
        returns (uint32 licence);

    /// @notice Pay for the next term of a licence. Anyone may; the licence stays with its venue.
    /// @param maxPrice most the caller pays, wei.
    /// @return expires new end of the term.
    function renew(uint32 licence, uint256 maxPrice) external payable returns (uint64 expires);

    /// @notice End a licence that was idle too long or whose grace is over. Anyone may.
    function reclaim(uint32 licence) external;

    /// @notice Pay out what the caller overpaid.
    /// @param to who gets it.
    function collectRefund(address to) external returns (uint256 amount);

    /// @notice Pay the proceeds to the treasury. Anyone may.
    function collectProceeds() external returns (uint256 amount);

    /* WRITES: MARKET REGISTRY */

    /// @notice Take a slot for a market that is being listed: a base slot if there is one, else the oldest
    /// idle licence.
    /// @return licence that it stands on; 0 = a base slot.
    function occupy(uint32 venue, uint8 kind, uint32 market) external returns (uint32 licence);

    /// @notice Free the slot of a market that is gone. A licence is idle from now on.
    function release(uint32 market) external;

    /* WRITES: GOVERNANCE */

    /// @notice Change the parameters of a kind. The running round stays as it is.
    function setKindTerms(uint8 kind, KindTerms calldata terms) external;

    /// @notice Change the parameters of licences bought or renewed from now on.
    function setLicenceTerms(LicenceTerms calldata terms) external;

    /* VIEWS */

    /// @notice Contract that knows venues and their markets.
    function registry() external view returns (address);

    /// @notice Gets the proceeds.
    function treasury() external view returns (address);

    /// @notice May change parameters inside their bounds.
    function governance() external view returns (address);

    /// @notice Parameters of a kind.
    function kindTerms(uint8 kind) external view returns (KindTerms memory);

    /// @notice Parameters of licences.
    function licenceTerms() external view returns (LicenceTerms memory);

    /// @notice Round that runs, or begins next, at a time: if nobody buys and governance changes nothing
    /// until then. Reverts with `PastTime` for a time before the round that is remembered.
    function roundAt(uint8 kind, uint64 time) external view returns (Round memory);

    /// @notice Price at a time under the same conditions. Reverts with `SoldOut` or `RoundSold` if
    /// nothing is for sale then.
    function priceAt(uint8 kind, uint64 time) external view returns (uint256);

    /// @notice Price now.
    function price(uint8 kind) external view returns (uint256);

    /// @notice Mean of the last four clearing prices of a kind (fewer in the beginning); 0 = no sale yet.
    function meanPrice(uint8 kind) external view returns (uint256);

    /// @notice Licences of a kind that are out.
    function outstanding(uint8 kind) external view returns (uint32);

    /// @notice Licences sold so far; the number of the last one.
    function licenceCount() external view returns (uint32);

    /// @notice A licence; `kind` is 0 if there is none.
    function licenceOf(uint32 licence) external view returns (Licence memory);

    /// @notice Licences of a venue in a kind, oldest first; at most 16.
    function licencesOf(uint32 venue, uint8 kind) external view returns (uint32[] memory);

    /// @notice First second in which a licence can be reclaimed if nothing happens to it.
    function reclaimableFrom(uint32 licence) external view returns (uint64);

    /// @notice Base slots of a kind that a venue uses.
    function baseSlotsUsed(uint32 venue, uint8 kind) external view returns (uint16);

    /// @notice Whether a market of the kind can be listed on the venue now.
    function isSlotFree(uint32 venue, uint8 kind) external view returns (bool);

    /// @notice Slot of a market.
    function slotOf(uint32 market) external view returns (Slot memory);

    /// @notice What the treasury has to get, wei.
    function proceeds() external view returns (uint256);

    /// @notice What an account has to get, wei.
    function refundOf(address account) external view returns (uint256);

    /// @notice Sum of all refunds, wei.
    function refunds() external view returns (uint256);
}
