"""Record tables: every field, width and type number of the consensus state.

Invariant of the layout
-----------------------
A record is 1 to 6 words of 32 bytes. In memory a word is a *little-endian* 256-bit integer and a field
lies at a byte offset counted from the low end of its word; on chain the same word is a ``uint256`` and
the field is ``uintN(word >> (8 * offset))``. So reversing the 32 bytes of each word turns the NumPy
record into exactly the words that Solidity and Vyper hash and decode, for every table alike.

Fields never cross a word and are aligned to their width. Addresses (20 bytes) and hashes (32 bytes) are
stored as little-endian limbs named ``<field>0`` (lowest) upwards, because Numba has no 160-bit integer.

Conventions
-----------
* Slot 0 of every allocated table is never used: a link of 0 means "none".
* ``generation`` counts how often a slot was freed; ids shown to users are ``generation << 32 | slot``.
* A freed slot keeps only {state = FREE, generation + 1, next free (in ``next``)}.
* An unsigned field of N bits holds 0 .. 2^(N-1)-1 only; limbs of addresses and hashes use all bits.
* Units stand in the field comments: ticks, lots, atoms (smallest unit of an asset), ms, ppm (1e-6).

Change of any layout is a change of protocol: bump ``RECORDS_VERSION`` and run ``make generate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

RECORDS_VERSION: Final = 4

WORD_BYTES: Final = 32
MAX_WORDS: Final = 6

_WIDTHS: Final = {
    "u8": 1,
    "u16": 2,
    "u32": 4,
    "u64": 8,
    "i8": 1,
    "i16": 2,
    "i32": 4,
    "i64": 8,
    "address": 20,
    "bytes16": 16,
    "bytes32": 32,
}
# Unsigned kinds are *signed* NumPy columns: every unsigned field keeps to the lower half of its range
# (protocol.limits), so the bits are the same and jitted code never meets unsigned arithmetic, whose
# subtraction wraps silently. Random test data must keep the top bit clear as well.
_NUMPY: Final = {
    "u8": "i1",
    "u16": "<i2",
    "u32": "<i4",
    "u64": "<i8",
    "i8": "i1",
    "i16": "<i2",
    "i32": "<i4",
    "i64": "<i8",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its kind (``u8`` .. ``i64``, ``address``, ``bytes16``, ``bytes32``) and its place."""

    name: str
    kind: str
    word: int
    offset: int  # bytes from the low end of the word
    doc: str

    @property
    def width(self) -> int:
        """Width in bytes."""
        return _WIDTHS[self.kind]

    def limbs(self) -> list[tuple[str, str, int]]:
        """NumPy columns of this field as (name, numpy format, byte offset in the record)."""
        base = self.word * WORD_BYTES + self.offset
        if self.kind in _NUMPY:
            return [(self.name, _NUMPY[self.kind], base)]
        if self.kind == "address":
            return [
                (f"{self.name}0", "<u8", base),
                (f"{self.name}1", "<u8", base + 8),
                (f"{self.name}2", "<u4", base + 16),
            ]
        count = self.width // 8
        return [(f"{self.name}{i}", "<u8", base + 8 * i) for i in range(count)]


@dataclass(frozen=True, slots=True)
class Table:
    """One record table: type number, fields, capacity (slots mapped) and what it holds."""

    name: str
    number: int
    capacity: int
    doc: str
    fields: tuple[Field, ...]
    words: int
    is_allocated: bool  # slots come from the table head's free list or high-water mark

    @property
    def dtype(self) -> np.dtype[np.void]:
        """NumPy dtype of one record (itemsize = 32 * words)."""
        columns = [limb for field in self.fields for limb in field.limbs()]
        return np.dtype(
            {
                "names": [c[0] for c in columns],
                "formats": [c[1] for c in columns],
                "offsets": [c[2] for c in columns],
                "itemsize": self.words * WORD_BYTES,
            }
        )

    def field(self, name: str) -> Field:
        """Return the field called ``name`` (KeyError if there is none)."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"table {self.name} has no field {name!r}")


def _table(
    name: str, number: int, capacity: int, doc: str, *words: str, is_allocated: bool = True
) -> Table:
    """Build a table from one text per word: ``kind name -- comment`` lines, low end first."""
    fields: list[Field] = []
    for index, text in enumerate(words):
        offset = 0
        for line in text.strip().splitlines():
            declaration, _, comment = line.partition("--")
            kind, label = declaration.split()
            width = _WIDTHS[kind]
            align = min(width, 8) if kind != "address" else 8
            offset = -(-offset // align) * align
            if label != "_":  # "_" leaves a gap of that width
                fields.append(Field(label, kind, index, offset, comment.strip()))
            offset += width
        if offset > WORD_BYTES:
            raise ValueError(f"{name}: word {index} is {offset} bytes, at most {WORD_BYTES} fit")
    if not 1 <= len(words) <= MAX_WORDS:
        raise ValueError(f"{name}: {len(words)} words, expected 1..{MAX_WORDS}")
    return Table(name, number, capacity, doc, tuple(fields), len(words), is_allocated)


# --- type 0 and 1: the machine and the table heads -------------------------------------------------

MACHINE = _table(
    "machine",
    0,
    4,
    "Slot 0 = control and clock, slot 1 = registers of the action, slot 2 = registers of the match.",
    """
    u16 pc -- next step (protocol.steps)
    u16 return0 -- innermost return step
    u16 return1 -- next outer return step
    u16 return2 -- outermost return step
    u8 phase -- phase of the block (protocol.steps.PHASE_*)
    u8 item -- index of the order, amend or cancel inside the envelope
    u8 items -- how many there are
    u8 action -- action kind being executed
    u32 steps -- steps used in this block
    u32 order -- order slot being processed
    u32 market -- market slot being processed
    u16 error -- result of the item being processed
    u16 failed -- items of this envelope that failed
    u32 taker -- order being matched
    """,
    """
    u64 block -- number of the open (or last) block
    u64 time -- block time, ms
    u64 seq -- sequence number of the next leaf of the batch (the input cursor)
    u64 block_first -- seq of the first leaf of the block after its mark
    """,
    """
    u64 block_end -- seq one past the last leaf of the block
    u64 inbox -- index of the next inbox message
    u64 inbox_end -- inbox messages below this index may be consumed in this block
    u64 l1_time -- L1 time of the newest consumed heartbeat, ms
    """,
    """
    u64 epoch -- mark tick counter
    u64 order_seq -- admissions so far; an order's seq
    u64 trade_seq -- fills so far
    u64 value3 -- scratch
    """,
    """
    u32 passed_first -- books that the release of this block passed over, by book.passed_next
    u32 cursor -- record slot a walk stands on
    u32 cursor2 -- second walk register
    u32 count -- walk length so far
    u32 account -- account of the action
    u32 key -- key slot of the action
    u32 owner -- owner of the action
    u32 met -- orders released, makers met and plans triggered in this block
    """,
    """
    u64 pos -- byte position of the item inside the leaf
    u64 value0 -- scratch of the running step sequence
    u64 value1 -- scratch
    u64 value2 -- scratch
    """,
    is_allocated=False,
)

HEAD = _table(
    "head",
    1,
    256,
    "Table head: slot = type number of the table it serves.",
    """
    u32 high_water -- slots 1 .. high_water-1 were used at least once
    u32 first_free -- last freed slot, 0 = none
    u32 in_use -- records in use
    """,
    is_allocated=False,
)

# --- assets, people, keys --------------------------------------------------------------------------

ASSET = _table(
    "asset",
    2,
    1 << 12,
    "An asset of the zone; slot = asset id given out on L1. Sum of all holdings < 2^62 atoms.",
    """
    address token -- L1 token; zero = native coin; unused for simulated assets
    u8 kind -- ASSET_NATIVE, ASSET_ERC20, ASSET_SIMULATED
    u8 decimals -- decimals of one atom-denominated unit, display only
    u8 state -- ACTIVE, DEPOSITS_CLOSED
    u8 _
    u32 venue -- home venue of a simulated asset, else 0
    """,
    """
    u64 total -- deposited or issued minus withdrawn, atoms: what the zone owes in all
    u64 dust -- rounding differences held by nobody, atoms
    u64 quantum -- L1 units per atom
    u64 cap -- most atoms the zone takes in all
    """,
    """
    u64 faucet_amount -- simulated: atoms of one claim, 0 = no faucet
    u64 faucet_interval -- simulated: ms between two claims of an account
    u64 quota_rate -- micro-actions that one atom of protocol fee buys, 0 = unpriced
    u64 quota_deposit -- least atoms of the deposit that opens an owner's allowance
    """,
)

OWNER = _table(
    "owner",
    3,
    1 << 19,
    "A person or contract known on L1; slot = owner id given out on L1, in order.",
    """
    address address -- the L1 address: the only one that is ever paid
    u32 first_account -- main account; the others follow by account.next
    u32 account_count --
    u32 referrer -- owner id that introduced this owner, 0 = none
    """,
    """
    i64 quota -- action quota left, micro-actions
    u64 trickle_time -- ms of the last action beyond the quota
    u32 quota_day -- day number of the last daily refill
    u32 key_count -- keys alive
    u8 flags -- bit 0: a real deposit was made
    u8 kind -- OWNER_USER, OWNER_CONTRACT (acts through the inbox only)
    """,
    """
    address redirect -- where withdrawals go instead, signed by the owner; zero = address
    u32 first_key -- key list by key.next
    u32 _
    """,
)

ACCOUNT = _table(
    "account",
    4,
    1 << 20,
    "A trading account (main or sub) of an owner.",
    """
    u32 generation --
    u32 next -- next account of the same owner
    u8 state -- FREE, ACTIVE, CLOSED
    u8 kind -- ACCOUNT_USER, ACCOUNT_VENUE, ACCOUNT_FUND, ACCOUNT_PROTOCOL, ACCOUNT_INTERFACE
    u16 index -- 0 = main account
    u32 owner --
    u32 first_balance -- list sorted by asset
    u32 first_order -- newest open order
    u16 balance_count --
    u16 order_count -- open and waiting orders
    u16 pool_count --
    u16 approval_count --
    """,
    """
    u32 first_pool -- list sorted by (venue, market)
    u32 first_approval -- list sorted by (kind, subject)
    u32 first_plan -- newest plan
    u32 first_holding -- outcome holdings, list sorted by market
    u32 timer -- dead-man switch: its place in the timer queue, 0 = off
    u32 task -- cancel-all that is not done yet, 0 = none
    u16 plan_count --
    u16 holding_count --
    """,
)

KEY = _table(
    "key",
    5,
    3 << 18,
    "A signing key of an owner: the owner's own address, or a named agent with a scope.",
    """
    u32 generation --
    u32 next -- next key of the same owner
    u8 state -- FREE, ACTIVE
    u8 scope -- bits SCOPE_TRADE, SCOPE_OWNER (all that an owner may sign)
    u16 _
    u32 owner --
    u32 account -- the only account it may act for, 0 = every account of the owner
    u32 venue -- the only venue it may trade on, 0 = every venue
    u64 expires -- ms, 0 = never (owner key only)
    """,
    """
    address address -- signer
    u32 _
    u64 approved -- block time of the approval, ms: nonces at or below it never were valid
    """,
    """
    u64 max_notional -- largest notional of one order, quote atoms, 0 = no bound
    u64 name -- first 8 bytes of the name, display only
    """,
)

NONCES = _table(
    "nonces",
    6,
    3 << 20,
    "Nonce cells: slot = key * 4 + (nonce mod 64) // 16, cell = nonce mod 16.",
    "\n".join(f"u64 cell{i} -- highest nonce used in this cell, ms" for i in range(4)),
    "\n".join(f"u64 cell{i} -- highest nonce used in this cell, ms" for i in range(4, 8)),
    "\n".join(f"u64 cell{i} -- highest nonce used in this cell, ms" for i in range(8, 12)),
    "\n".join(f"u64 cell{i} -- highest nonce used in this cell, ms" for i in range(12, 16)),
    is_allocated=False,
)

BALANCE = _table(
    "balance",
    7,
    1 << 21,
    "What an account holds of an asset. free + locked belongs to the account.",
    """
    u32 generation --
    u32 next -- next balance of the account, by rising asset
    u32 previous -- previous balance of the account, 0 = first
    u32 account --
    u32 asset --
    u8 state -- FREE, ACTIVE
    u8 _
    u16 _
    u32 uses -- open orders that lock or credit this balance
    """,
    """
    u64 free -- atoms the owner may use
    u64 locked -- atoms locked by open orders
    u32 owner -- owner of the account, so that a balance proves whose it is
    u32 _
    u64 faucet_time -- ms of the last claim from the asset's faucet
    """,
)

APPROVAL = _table(
    "approval",
    8,
    1 << 20,
    "A permission: of an account (allowance, leverage, interface) in its list, of an owner (access) in a bucket.",
    """
    u32 generation --
    u32 next -- next approval of the account, by rising (kind, subject)
    u32 previous --
    u32 account -- account, or the owner that an access is for
    u32 subject -- venue, market or interface account
    u8 state -- FREE, ACTIVE
    u8 kind -- APPROVAL_ALLOWANCE, APPROVAL_LEVERAGE, APPROVAL_INTERFACE, APPROVAL_ACCESS
    u16 flags -- margin mode, class of a credential
    u32 bucket_next -- access: chain of the bucket it hangs in
    u32 region -- of a credential
    """,
    """
    u64 value -- allowance atoms, leverage, fee cap ppm
    u64 used -- allowance pulled, atoms
    u64 expires -- ms, 0 = never
    u64 issued -- ms
    """,
)

BUCKET = _table(
    "bucket",
    9,
    1 << 21,
    "Hash chains in the state: slots below 2^20 for client ids, the others for access.",
    """
    u32 first -- first record of the chain, 0 = empty
    u32 length -- records in the chain, at most MAX_BUCKET_LENGTH
    """,
    is_allocated=False,
)

# --- venues and their walls ------------------------------------------------------------------------

VENUE = _table(
    "venue",
    10,
    1 << 15,
    "A venue; slot = venue id given out on L1.",
    """
    u32 owner -- the deployer
    u32 fee_account -- where the venue's share of fees goes
    u32 fund_account -- insurance fund
    u32 first_ledger -- list by rising settlement asset
    u8 state -- VENUE_ACTIVE, VENUE_REDUCE_ONLY, VENUE_WOUND_DOWN
    u8 access -- ACCESS_OPEN, ACCESS_LIST, ACCESS_CREDENTIAL
    u16 market_count --
    """,
    """
    address credential_provider -- signer of credentials
    u16 min_class -- lowest class of credential that the venue admits
    u16 perps -- live perpetuals
    """,
    """
    u64 stake -- slashable stake as last told by L1, gwei of the native coin
    u32 market_orders -- open orders of the venue
    u32 incidents --
    u64 regions -- credentials: bit r = region r is admitted, r = 0..62
    """,
)

LEDGER = _table(
    "ledger",
    11,
    1 << 16,
    "The wall: what went into the pools and fund of a venue in one settlement asset minus what left.",
    """
    u32 generation --
    u32 next -- next ledger of the venue, by rising asset
    u32 venue --
    u32 asset --
    u64 cash -- moved in minus moved out, atoms, never below zero
    u64 deficit -- losses nobody has covered yet, atoms; cash + deficit is what the venue owes
    """,
    """
    u8 state -- FREE, ACTIVE
    u32 perps -- live perpetuals that settle in it
    u64 fund -- money of the insurance fund, atoms
    u64 cap -- open interest that the venue's stake carries, atoms
    u64 open_value -- open interest of its markets at their marks, atoms
    """,
    """
    u64 claims -- sum of positive equities at the closing batch, atoms
    u64 haircuts -- what releases lost to deficits so far, atoms
    """,
)

FUND = _table(
    "fund",
    12,
    1 << 14,
    "What the insurance fund risks in one perpetual; same slot as the market.",
    """
    u64 loss_cap -- most that may be spent a day, atoms
    u64 spent -- spent since `day` began and not given back, atoms
    u64 day -- ms when the day began
    u32 pool -- the fund's isolated pool of the market, 0 = none
    u32 _
    """,
    is_allocated=False,
)

# --- prices ----------------------------------------------------------------------------------------

FEED = _table(
    "feed",
    13,
    1 << 14,
    "An index: median over fresh provider prices, at least `quorum` of them; slot given out on L1.",
    """
    u32 venue --
    u8 state -- FREE, ACTIVE
    u8 providers -- places in use
    u8 quorum --
    u8 is_fresh -- at `epoch`
    u32 heartbeat -- ms after which a provider price is stale
    u32 deviation -- ppm from the median of the others that is an incident
    u32 breaker -- ppm within 60 s that break the price
    u32 round -- rounds in which every fresh provider spoke, modulo 2^31
    u64 index -- last fresh median, 1e-8
    """,
    """
    u64 epoch -- mark tick it was evaluated at
    u64 round_start -- ms
    u32 trips -- times that the breaker tripped, modulo 2^31
    """,
    "\n".join(f"u64 price{i} -- last price of place {i}, 1e-8" for i in range(4)),
    "\n".join(f"u64 price{i} --" for i in range(4, 8)),
    "\n".join(f"u64 time{i} -- its signed time, ms, 0 = none" for i in range(4)),
    "\n".join(f"u64 time{i} --" for i in range(4, 8)),
)

PROVIDER = _table(
    "provider",
    14,
    1 << 17,
    "Who speaks for a place of a feed; slot = feed * 8 + place.",
    """
    address signer -- zero = place not in use
    u32 provider -- id in the oracle registry
    u64 incident -- ms of its last incident
    """,
    is_allocated=False,
)

# --- markets ---------------------------------------------------------------------------------------

MARKET = _table(
    "market",
    15,
    1 << 14,
    "An instrument: fixed terms and parameters; slot given out on L1, id = venue << 16 | n.",
    """
    u32 id -- venue << 16 | number inside the venue
    u32 venue -- home venue
    u32 base -- base asset (spot), 0 otherwise
    u32 quote -- quote or settlement asset
    u8 kind -- MARKET_SPOT, MARKET_PERP, MARKET_OUTCOME
    u8 phase -- PHASE_* of the market's life
    u8 taker_delay -- ms, 0..50
    u8 access -- as venue.access, on top of it
    u16 flags -- MARKET_CROSS
    u16 calendar -- calendar of its sessions, 0 = always open
    u32 feed --
    u32 group -- event group of an outcome
    """,
    """
    u64 lot_size -- base atoms of one lot; outcome: what one lot of a sure outcome pays, quote atoms
    u64 tick_value -- quote atoms of one tick of one lot
    u64 min_notional -- quote atoms an order must reach at entry
    u64 max_notional -- quote atoms an order may reach
    """,
    """
    u32 max_price -- highest price, ticks
    i32 taker_fee -- ppm of notional
    i32 maker_fee -- ppm of notional, negative = rebate
    u32 protocol_share -- ppm of the fee
    u32 insurance_share -- ppm of the fee
    u32 referrer_share -- ppm of the fee
    u32 max_leverage -- in hundredths
    u32 band -- outer price band, ppm
    """,
    """
    u64 open_interest_cap -- quote atoms
    u64 account_cap -- quote atoms
    u64 max_lots -- largest order, lots
    u64 listed -- ms
    """,
    """
    u32 funding_cap -- ppb an hour
    u32 interest -- ppb per 8 h
    u32 perp_next -- next perpetual, in listing order
    u32 band_listing -- X, ppm
    u32 band_basis -- Y, ppm
    u32 profit_weight -- ppm of its profit beyond its own margin that counts for others
    u32 ledger -- perpetual: ledger of (venue, quote)
    u32 guest_of -- market whose book is shared, 0 = own book
    """,
    """
    u64 closes -- ms after which nothing opens any more, 0 = never
    u32 guest_fee -- ppm that a guest venue takes at its door
    u32 outcome -- number of the outcome inside its event
    u32 group_next -- market of the outcome listed before
    u32 timer -- pending update: its place in the timer queue, 0 = none
    """,
)

BOOK = _table(
    "book",
    16,
    1 << 14,
    "Moving part of a market; same slot as its market.",
    """
    u32 best_bid -- level slot, 0 = none; worse levels follow by level.next
    u32 best_ask -- level slot
    u32 waiting_first -- release queue of orders that can take
    u32 waiting_last --
    u32 queue -- its place in the release queue, 0 = nobody waits
    u32 passed_next -- next book that the release passed over
    u32 bid_levels --
    u32 ask_levels --
    """,
    """
    u64 release -- release time of the waiting head, ms
    u64 release_seq -- its order seq
    u64 release_block -- block from which it may go
    u64 last_release -- release time of the waiting tail, ms
    """,
    """
    u32 last_price -- ticks of the last fill, 0 = none
    u32 order_count -- orders resting
    u64 last_time -- ms of the last fill
    u64 volume_lots -- lots traded, modulo 2^62
    u32 waiting_count --
    u32 trades -- fills, modulo 2^31
    """,
    """
    u32 up_last -- level of plans that fire when the last price rises to it, nearest first
    u32 down_last -- when it falls to it
    u32 up_mark --
    u32 down_mark --
    u32 up_index --
    u32 down_index --
    u32 trigger_low -- lowest last price since the plans were looked at, 0 = none
    u32 trigger_high -- highest
    """,
    """
    u64 open_lots -- outcome, perpetual: lots held long, all accounts
    u64 band_time -- ms when the band's anchor was set
    u32 band_price -- anchor of the price band, ticks, 0 = none yet
    u32 band_last -- last price since then, ticks, 0 = no fill
    u32 trigger_next -- next book whose plans must be looked at
    u8 is_triggering -- it stands in that list
    """,
    is_allocated=False,
)

PRICE = _table(
    "price",
    17,
    1 << 14,
    "Index, mark and funding of a perpetual; same slot as its market. SUB = 2^16 parts of a tick.",
    """
    u32 mark -- ticks
    u32 index -- ticks
    u8 state -- PRICE_NONE .. PRICE_THROTTLED
    u8 _
    u16 _
    u32 hour -- number of the hour whose premium is being sampled
    u32 oi_rate -- initial rate that the open interest asks for, ppm
    u32 long_first -- positions by side, oldest first
    u32 long_last --
    u32 short_first --
    """,
    """
    u32 short_last --
    u32 settlement -- price of final settlement, ticks, 0 = live
    u32 round -- feed.round when the price broke
    u32 trips -- feed.trips that it knows
    u64 until -- ms when REOPEN or THROTTLED ends
    u64 stale_since -- ms, 0 = not stale
    """,
    """
    i64 basis -- slow average of (impact mid - index), SUB
    i64 book -- fast average of the same, SUB
    i64 average -- index averaged over an hour, SUB
    i64 funding_index -- atoms per lot, scaled by funding_scale
    """,
    """
    i64 premium_sum -- premium samples of this hour, ppb
    i64 pot -- funding paid minus received, atoms
    u64 tick_time -- ms of the last mark tick
    u64 sample_time -- ms of the last impact sample
    """,
    """
    u64 forced_epoch -- mark tick of the last forced order
    u64 broken -- ms when the breaker last tripped
    u32 premium_count --
    i32 funding_rate -- ppb an hour, last
    u64 raised -- ms when its maintenance was last raised, 0 = never
    """,
    is_allocated=False,
)

TIER = _table(
    "tier",
    18,
    1 << 14,
    "Margin tiers and other terms of a perpetual; same slot as its market.",
    """
    u64 lower1 -- notional where tier 1 begins, atoms; tier 0 begins at 0
    u64 lower2 --
    u64 lower3 --
    u32 tiers -- how many there are, 1..4
    u32 feed --
    """,
    "\n".join(f"u32 imr{i} -- initial rate, ppm" for i in range(4))
    + "\n"
    + "\n".join(f"u32 mmr{i} -- maintenance rate, ppm" for i in range(4)),
    """
    u64 oi_lower -- open interest where initial margin begins to rise, atoms
    u64 oi_upper -- open interest where it reaches the whole notional, atoms
    u64 feed_scale -- feed units of a tick
    u64 funding_scale -- of the funding index: floor(2^48 / (max_price * tick_value))
    """,
    """
    u64 impact_notional -- depth that an impact price asks for, atoms
    """,
    is_allocated=False,
)

LEVEL = _table(
    "level",
    19,
    (1 << 21) + (1 << 18),
    "All resting orders of one side at one price, or all plans of one trigger, oldest first.",
    """
    u32 generation --
    u32 next -- next worse level of the side
    u32 previous -- next better level of the side, 0 = best
    u32 market --
    u32 price -- ticks
    u8 state -- FREE, ACTIVE
    u8 side -- BUY, SELL, or a list of triggers (TRIGGER_*)
    u16 _
    u32 first -- oldest order or plan
    u32 last -- newest order or plan
    """,
    """
    u64 lots -- sum of the orders' open lots
    u32 count -- orders
    u64 firm -- perpetual: of it, lots of orders that are not reduce-only
    """,
)

ORDER = _table(
    "order",
    20,
    1 << 21,
    "An open order: resting, waiting to take, or held by a plan. Id = generation << 32 | slot.",
    """
    u32 generation --
    u32 next -- next (newer) order of the level or release queue; next free slot when freed
    u32 previous --
    u32 account --
    u32 market --
    u32 price -- ticks, limit
    u8 state -- FREE, WAITING, RESTING
    u8 side -- BUY, SELL
    u8 tif -- TIF_*
    u8 stp -- STP_*, bit 4: own orders are those of the owner, not of the account
    u32 level -- level it rests on
    """,
    """
    u64 lots -- open lots
    u64 filled -- lots filled so far
    u64 locked -- atoms locked in pay_balance
    u64 seq -- admission number: time priority
    """,
    """
    u32 account_next -- next (older) open order of the account
    u32 account_previous -- newer open order of the account, 0 = newest
    u32 pay_balance -- balance that pays: quote for buys, base for sells
    u32 receive_balance -- balance that receives
    u64 expires -- ms, 0 = never
    u64 release -- WAITING: earliest time to execute, ms
    """,
    """
    u64 release_block -- WAITING: earliest block to execute
    u32 bucket_next -- chain of the client id's bucket
    u32 interface -- account of the interface or guest venue, 0 = none
    u32 interface_fee -- ppm on top, within the account's approval
    u32 fills -- makers met in the current block while taking
    u8 flags -- ORDER_* bits
    u8 _
    u16 _
    u32 holding -- outcome: the holding it changes; perpetual: the position
    """,
    """
    bytes16 client_id -- 0 = none; unique among the account's open orders
    u32 owner -- owner of the account
    u32 door -- guest market it came through, 0 = none
    u32 first_child -- plans that follow what it fills, by plan.sibling
    u32 key -- key that signed it
    """,
    """
    u64 cover -- outcome: lots of the holding that it would close, locked there
    u32 timer -- its place in the timer queue, 0 = none
    u32 bucket -- bucket of its client id
    u64 reserve -- perpetual: loss of one lot at its own price against the mark at entry, atoms
    u32 pool -- perpetual: the pool it belongs to
    """,
)

PLAN = _table(
    "plan",
    21,
    1 << 18,
    "A conditional order held off book: trigger or bracket; TWAP, trailing and iceberg are reserved.",
    """
    u32 generation --
    u32 next -- next (newer) plan of its trigger level; next free slot when freed
    u32 previous --
    u32 account --
    u32 market --
    u32 price -- limit of the order it sends, ticks; 0 = market
    u8 state -- FREE, PLAN_HELD, PLAN_ARMED
    u8 kind -- PLAN_STOP, PLAN_TAKE_PROFIT; PLAN_TWAP, PLAN_TRAILING, PLAN_ICEBERG
    u8 side --
    u8 source -- SOURCE_LAST, SOURCE_MARK, SOURCE_INDEX
    u32 parent -- order it follows, 0 = none (any more)
    """,
    """
    u32 trigger -- ticks
    u32 level -- trigger level it stands on, 0 while held
    u64 lots -- most lots of the order it sends
    u64 expires -- ms, 0 = never
    u64 seq -- admission number
    """,
    """
    u32 sibling -- next leg of the same bracket, a ring; 0 = alone
    u32 account_next -- next (older) plan of the account
    u32 account_previous --
    u8 grouping -- GROUP_NONE, GROUP_ORDER, GROUP_POSITION
    u8 tif --
    u8 stp --
    u8 flags --
    u32 door --
    u32 interface --
    u32 interface_fee --
    u32 slippage -- ppm beyond the trigger that a market order may go
    """,
    """
    u32 key --
    u32 timer -- its place in the timer queue, 0 = none
    u64 interval -- ms between slices
    u64 slice_lots --
    u64 next_time -- ms
    """,
)

# --- margin ----------------------------------------------------------------------------------------

POOL = _table(
    "pool",
    22,
    1 << 19,
    "Margin pool of an account on a venue in one asset (cross) or of one market (isolated).",
    """
    u32 generation --
    u32 next -- next pool of the account, by rising (venue, asset, market)
    u32 previous --
    u32 account --
    u32 venue --
    u32 asset -- settlement asset
    u32 market -- 0 = cross
    u32 first_position -- by rising market
    """,
    """
    i64 collateral -- atoms
    u64 allowance -- most that may be pulled without the owner, atoms
    u64 pulled -- of it, atoms
    u64 kept -- margin that its owner put in to stay, atoms
    """,
    """
    i64 equity -- at `epoch`, atoms: this and the sums below
    i64 weighted -- equity at entry
    u64 initial -- initial margin
    u64 maintenance --
    """,
    """
    u64 notional -- of the worst sides
    i64 losses -- of the positions in loss, at the price that a release assumes
    u64 order_margin -- sum of order.locked of its orders
    u64 epoch -- mark tick it was last valued at
    """,
    """
    u32 queue_next -- liquidation queue
    u32 queue_previous --
    u8 state -- FREE, ACTIVE, POOL_LIQUIDATING, POOL_BANKRUPT
    u8 position_count --
    u16 registered -- positions registered for ADL
    u32 order_count -- open orders, forced ones apart
    u32 forced -- forced order under way, 0 = none
    u32 balance -- of the account in the asset
    u32 ledger --
    u32 owner -- owner of the account, so that a pool proves whose it is
    """,
    """
    u64 liquidated -- ms of the last forced order
    u64 below_since -- ms, 0 = healthy
    u64 haircut -- what its releases lost to deficits, atoms
    """,
)

POSITION = _table(
    "position",
    23,
    1 << 19,
    "Position of a pool in a market: equity = quote + lots * mark; entry price is display only.",
    """
    u32 generation --
    u32 next -- next position of the pool, by rising market
    u32 previous --
    u32 pool --
    u32 market --
    u32 account --
    u8 state -- FREE, ACTIVE
    u8 flags -- POSITION_ADL, POSITION_PROFIT
    u16 uses -- open orders that name it
    u32 side_next -- next (newer) position of the market on its side
    """,
    """
    i64 lots -- signed
    i64 quote -- signed, atoms: minus the cost of the lots
    i64 funding_index -- at the last touch
    u64 claim -- in a job: loss of a registered position, equity of a counterparty, atoms
    """,
    """
    u64 buy_lots -- open lots of buy orders that may open
    u64 sell_lots -- of sell orders
    u32 side_previous --
    u32 job_next -- next registered position of its side
    u32 leverage -- hundredths, 0 = the highest
    u32 owner -- owner of the account, so that a position proves whose it is
    """,
)

EVENT_GROUP = _table(
    "event_group",
    24,
    1 << 14,
    "An event with outcomes; slot = group id given out on L1. Payouts are fractions of PAYOUT_UNIT.",
    """
    u32 generation --
    u32 venue --
    u32 first_market -- market of the outcome listed last; the earlier ones follow by market.group_next
    u8 state -- GROUP_OPEN, GROUP_RESOLVED, GROUP_VOID
    u8 outcomes -- 2..16; an event with two has one market
    u16 _
    u64 unit -- quote atoms of one lot of a sure outcome
    u64 resolved -- ms
    """,
    """
    bytes32 payouts -- u16 a outcome, outcome 0 in the highest bits; sum = PAYOUT_UNIT
    """,
    """
    bytes32 void_payouts -- the vector of VOID, fixed at listing
    """,
    """
    u64 cash -- quote atoms that back all holdings of the event
    i64 sets -- complete sets split minus merged, lots; below zero when sets put together by trading are merged
    u32 asset -- settlement asset
    u32 markets -- listed so far
    """,
)

TIMER = _table(
    "timer",
    25,
    1 << 21,
    "Binary heap of timed things, earliest first: node i stands before nodes 2i and 2i + 1; size = head.in_use.",
    """
    u64 time -- ms when it is due
    u64 seq -- number of its setting: earlier set, earlier served
    u32 subject -- slot of what it is about
    u8 kind -- TIMER_ORDER, TIMER_PLAN, TIMER_ACCOUNT, TIMER_MARKET
    """,
    is_allocated=False,
)

OUTBOX = _table(
    "outbox",
    26,
    1 << 22,
    "Append-only messages to L1: slot = message id, never reused, so the id is the nullifier.",
    """
    address recipient -- who is paid (withdrawal), or the subject of the message
    u8 kind -- OUTBOX_WITHDRAWAL, OUTBOX_FORCED_RESULT, OUTBOX_INCIDENT, OUTBOX_INSOLVENCY
    u8 status -- 0 = done, else the protocol error that a forced operation met
    u16 _
    u32 owner --
    u32 asset --
    """,
    """
    u64 amount -- atoms
    u64 time -- block time, ms
    u64 inbox -- index of the deposit it sends back or the forced operation it answers, 0 = none
    u32 venue --
    u32 market --
    """,
)

AGENDA = _table(
    "agenda",
    27,
    4,
    "Slot 0: heads of the zone-wide lists and cursors of work that goes on over blocks.",
    """
    u32 trigger_first -- books whose plans must be looked at, first in first out
    u32 liquidation_first -- pools being liquidated, first in first out, by pool.queue_next
    u32 liquidation_last --
    u32 pool_cursor -- pool that the sweep visited last
    u32 forced_first -- forced operations that are retried
    u32 job_first -- markets with a job, first in first out, by job.next
    u8 restart_phase --
    u8 closing -- stage of the closing batch, CLOSED behind it
    u16 _
    u32 trigger_last --
    """,
    """
    u64 next_mark -- ms of the next mark tick
    u64 restart_time -- ms when the restart phases began, 0 = never
    u64 sweep_time -- ms when the sweep last moved
    u32 perp_first -- live perpetuals in listing order, by market.perp_next
    u32 perp_last --
    """,
    """
    u64 timer_seq -- timers set so far
    u32 task_first -- tasks, first in first out
    u32 task_last --
    u32 holding_cursor -- next holding that the payout sweep visits
    u32 sweep_left -- holdings that it still has to visit
    u32 removed -- orders and plans that tasks removed in this block
    u32 job_last --
    """,
    """
    u32 liquidations -- pools in the liquidation queue
    u32 perps -- live perpetuals
    u32 looks -- of jobs, in this block; before them, what the sweep may still touch
    u32 visits -- of the sweep or the queue, still to be made in this block
    u64 swept -- slots of pools that the sweep has passed so far
    u64 visited -- visits of the queue so far
    """,
    is_allocated=False,
)

JOB = _table(
    "job",
    28,
    1 << 14,
    "Work on all positions of a perpetual (ADL, settlement); same slot as the market.",
    """
    u8 kind -- JOB_ADL, JOB_SETTLE; 0 = none (positions may be registered)
    u8 stage --
    u8 group -- POSITION_PROFIT or 0: the group that is levelled
    u8 next_kind -- JOB_SETTLE that waits for this job's end
    u32 next -- next market with a job
    u32 cursor -- position looked at last
    u32 long_first -- registered positions by side
    u32 short_first --
    u32 low -- of the bisection
    u32 high --
    u32 level -- L
    """,
    """
    u64 long_lots -- registered
    u64 short_lots --
    u64 target -- lots that the group still gives: T
    u64 running -- running sum of the stage
    """,
    """
    u64 loss -- D
    u64 charge -- what counterparties are asked for
    u64 covered -- what the fund paid: f
    u64 raised -- what counterparties paid
    """,
    """
    u64 sum -- S(L), or of the probe
    u64 sum_below -- S(L - 1)
    u64 gains -- G1 lots of the group PROFIT; settlement: gains, atoms
    u64 others -- G2 lots; settlement: shortfall, atoms
    """,
    """
    u64 ripe -- agenda.swept (stage 0) or visited (stage 1) when the pass ends, 0 = nothing is registered
    u64 given -- second running sum of the stage
    i64 lots_moved -- net change of the market's lots by this job so far, 0 at its end
    u64 money -- raised or from the fund and not given on yet, atoms, 0 at its end
    """,
    is_allocated=False,
)

# --- outcomes, registers, queues -------------------------------------------------------------------

HOLDING = _table(
    "holding",
    29,
    1 << 20,
    "What an account holds of an outcome: Yes and No lots. Unlocked lots stand on one side only.",
    """
    u32 generation --
    u32 next -- next holding of the account, by rising market
    u32 previous --
    u32 account --
    u32 market --
    u32 owner -- owner of the account, so that a holding proves whose it is
    u8 state -- FREE, ACTIVE
    u8 outcome -- number of the outcome inside its event
    u16 uses -- open orders that name it
    u32 group -- event
    """,
    """
    u64 yes -- lots that pay if the outcome comes true
    u64 no -- lots that pay if it does not
    u64 yes_locked -- lots of yes that open sells would close
    u64 no_locked -- lots of no that open buys would close
    """,
)

DRAFT = _table(
    "draft",
    30,
    1,
    "Slot 0: the order being admitted and the fill being shared out; registers like the machine's.",
    """
    u32 market -- home market
    u32 door -- guest market, 0 = none
    u32 price -- ticks
    u8 side --
    u8 tif --
    u8 stp --
    u8 flags --
    u64 lots --
    u64 expires -- ms
    """,
    """
    bytes16 client_id --
    u32 interface --
    u32 interface_fee -- ppm
    u32 bucket -- of the client id
    u32 plan -- plan that sends it, 0 = a leaf
    """,
    """
    u32 pay -- balance that pays
    u32 receive -- balance that receives
    u32 holding --
    u32 found -- walk register
    u64 lock -- atoms it locks
    u64 cover -- lots of the holding it locks
    """,
    """
    i64 taker_fee -- of the fill being shared out, atoms
    i64 maker_fee --
    u64 taker_extra -- interface fee of the taker, atoms
    u64 maker_extra --
    """,
    """
    u64 pot -- fees not shared out yet, atoms
    u64 least -- the protocol's least part of them
    u32 first_price -- first fill price of the taker's turn, ticks, 0 = none
    u32 mask -- items of a mass quote that are done
    u64 value -- scratch
    """,
    is_allocated=False,
)

TASK = _table(
    "task",
    31,
    1 << 16,
    "Work that spans blocks, first in first out: cancelling many orders.",
    """
    u32 generation --
    u32 next -- next task; next free slot when freed
    u8 state -- FREE, ACTIVE
    u8 kind -- TASK_ACCOUNT, TASK_MARKET, TASK_POOL
    u8 side -- BUY, SELL or BOTH_SIDES
    u8 reason -- why the orders leave (CANCEL_*)
    u32 subject -- account, market or pool
    u32 market -- only orders of this market, 0 = every market
    u32 cursor -- order or plan looked at last, 0 = none
    u64 seq -- only orders and plans admitted up to here
    """,
)

QUEUE = _table(
    "queue",
    32,
    1 << 14,
    "Binary heap of books with waiting orders by (release, seq) of their heads; size = head.in_use.",
    """
    u64 release -- ms
    u64 seq --
    u32 book --
    """,
    is_allocated=False,
)

CALENDAR = _table(
    "calendar",
    33,
    1 << 12,
    "Sessions: minutes of the UTC day from open (in) to close (out), Monday = day 0; slot given out on L1.",
    "\n".join(f"u16 open{i} --\nu16 close{i} -- 0 = closed all day" for i in range(7))
    + "\nu32 venue --",
    "\n".join(f"u64 from{i} -- ms, closed from here\nu64 to{i} -- to here (out)" for i in range(2)),
    "\n".join(f"u64 from{i} -- ms\nu64 to{i} -- ms" for i in range(2, 4)),
)

PENDING = _table(
    "pending",
    34,
    1 << 14,
    "An update of a market that waits for its time; same slot as the market.",
    """
    u64 effective -- ms
    i32 taker_fee --
    i32 maker_fee --
    u32 protocol_share --
    u32 insurance_share --
    u32 referrer_share --
    u32 band --
    """,
    """
    u64 min_notional --
    u64 max_notional --
    u64 max_lots --
    u64 closes --
    """,
    """
    u64 open_interest_cap --
    u64 account_cap --
    u32 guest_fee --
    u16 calendar --
    u8 taker_delay --
    u8 phase --
    u8 access --
    u8 state -- FREE, ACTIVE
    """,
    is_allocated=False,
)

WATCH = _table(
    "watch",
    35,
    1 << 14,
    "Highest and lowest index of a feed in the last 60 to 90 s, for its breaker; same slot as the feed.",
    """
    u64 low0 -- of the running bucket, 0 = empty
    u64 high0 --
    u64 low1 -- of the bucket before
    u64 high1 --
    """,
    """
    u64 low2 -- of the one before that
    u64 high2 --
    u64 begun -- ms when the running bucket began
    """,
    is_allocated=False,
)

# Type numbers 36 to 63 are reserved for later engines; no layout above changes when they come.

TABLES: Final[tuple[Table, ...]] = (
    MACHINE,
    HEAD,
    ASSET,
    OWNER,
    ACCOUNT,
    KEY,
    NONCES,
    BALANCE,
    APPROVAL,
    BUCKET,
    VENUE,
    LEDGER,
    FUND,
    FEED,
    PROVIDER,
    MARKET,
    BOOK,
    PRICE,
    TIER,
    LEVEL,
    ORDER,
    PLAN,
    POOL,
    POSITION,
    EVENT_GROUP,
    TIMER,
    OUTBOX,
    AGENDA,
    JOB,
    HOLDING,
    DRAFT,
    TASK,
    QUEUE,
    CALENDAR,
    PENDING,
    WATCH,
)
TABLE_BY_NUMBER: Final = {table.number: table for table in TABLES}
TABLE_BY_NAME: Final = {table.name: table for table in TABLES}

assert [table.number for table in TABLES] == list(range(len(TABLES))), "type numbers are dense"


def state_dtype() -> np.dtype[np.void]:
    """NumPy dtype of the whole state: one nested array per table, named after it.

    One record of this type *is* the consensus state. A jitted function receives it as one pointer, so a
    call costs the same whatever number of tables there is (`docs/reference/decisions.md`).
    """
    return np.dtype([(table.name, table.dtype, (table.capacity,)) for table in TABLES])
