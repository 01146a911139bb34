"""Every bound of the protocol, with the reason for each.

The bounds make all arithmetic provably fit: an unsigned field of N bits stays below 2^(N-1), so jitted
code uses signed 64-bit integers only, and every product that may pass 2^63 goes through a 128-bit
``mul_div``. The derivations are in ``docs/spec/limits.md``.
"""

from __future__ import annotations

from typing import Final

# --- numbers ---------------------------------------------------------------------------------------
PPM: Final = 1_000_000  # rates are parts per million
MAX_TOTAL_ATOMS: Final = (1 << 62) - 1  # of one asset in the zone: sums of two holdings fit in i64
MAX_NOTIONAL: Final = 1 << 61  # of one order with its worst fee below 2^62
MAX_PRICE: Final = (1 << 31) - 1  # ticks
MAX_TICK_VALUE: Final = (1 << 30) - 1  # price * tick_value < 2^61 without a wide product
MAX_LOTS: Final = 1 << 61  # of one order; a market narrows it so that notional and base fit
MAX_TIME: Final = 1 << 48  # ms: year 10889; a sum of two times fits easily

# --- fees ------------------------------------------------------------------------------------------
MAX_TAKER_FEE: Final = 50_000  # ppm, 5 %: the most a venue may ask
MAX_MAKER_FEE: Final = 50_000  # ppm
MAX_REBATE: Final = 10_000  # ppm; the engine bounds it again by each fill's taker fee
MIN_PROTOCOL_SHARE: Final = 100_000  # ppm of every fee
MAX_INTERFACE_FEE: Final = 10_000  # ppm, 1 %: the most an interface or a guest venue may ask

# --- envelopes -------------------------------------------------------------------------------------
MAX_LEAF_BYTES: Final = 4096
MAX_ITEMS: Final = 30  # orders, amends or cancels one signature covers
NONCE_CELLS: Final = 64  # per key
NONCE_PAST: Final = 2 * 86_400_000  # ms: a nonce is valid within (time - 2 d, time + 1 d)
NONCE_FUTURE: Final = 86_400_000
MAX_EXPIRES_AFTER: Final = 86_400_000  # ms ahead of the block
SECP256K1_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

# --- accounts --------------------------------------------------------------------------------------
MAX_OPEN_ORDERS: Final = 1000  # per account, resting and waiting
MAX_BALANCES: Final = 256  # per account
MAX_POSITIONS: Final = 64  # per pool
MAX_ACCOUNTS: Final = 64  # per owner
MAX_KEYS: Final = 32  # per owner
MAX_PLANS: Final = 100  # per account
MAX_HOLDINGS: Final = 256  # outcome holdings per account
MAX_APPROVALS: Final = 64  # per account
MAX_BUCKET_LENGTH: Final = 16  # a chain walk is bounded; a full bucket refuses the client id
ORDER_BUCKETS: Final = 1 << 20  # half a full order table per bucket on average
# Slots that users cannot take, so that what L1 has given out an id for always finds room.
RESERVED_ACCOUNTS: Final = (1 << 19) + (1 << 16)  # one per owner, two per venue
RESERVED_KEYS: Final = 1 << 19  # one per owner; those present need none
RESERVED_BALANCES: Final = 3 << 14  # three per market
RESERVED_TIMERS: Final = 1 << 14  # one per market
RESERVED_TASKS: Final = 1 << 15  # one per market, and as many for dead-man switches
ACCESS_BUCKETS: Final = 1 << 20  # buckets ORDER_BUCKETS .. ORDER_BUCKETS + ACCESS_BUCKETS - 1
MIN_DEAD_MAN: Final = 5_000  # ms, shortest timeout of a dead-man switch
MAX_DEAD_MAN: Final = 86_400_000

# --- quota -----------------------------------------------------------------------------------------
MICRO: Final = 1_000_000  # micro-actions in an action
QUOTA_START: Final = 10_000  # actions that come with an owner's first real deposit
QUOTA_DAILY: Final = 2_000  # actions a day of an owner who never made one
QUOTA_OVERDRAFT: Final = 100_000  # actions that cancels and shrinks may go below zero
QUOTA_TRICKLE: Final = 10_000  # ms: beyond its quota an owner has one action in this time
QUOTA_CANCEL_ALL: Final = 5  # actions that a cancel-all costs
MAX_QUOTA: Final = 1 << 61  # micro-actions
MAX_QUOTA_RATE: Final = 1 << 29  # micro-actions an atom: with MAX_QUOTA_FEE below 2^61
MAX_QUOTA_FEE: Final = 1 << 31  # atoms of one fee that are counted

# --- outcomes --------------------------------------------------------------------------------------
MAX_OUTCOMES: Final = 16
PAYOUT_UNIT: Final = 10_000  # fractions of a payout vector; a lot's unit is a multiple of it

# --- plans and bands -------------------------------------------------------------------------------
MAX_SLIPPAGE: Final = 500_000  # ppm beyond its trigger that a market plan may go
BAND_WINDOW: Final = 1_000  # ms between two moves of a band's anchor
MIN_BAND: Final = 1_000  # ppm
MAX_BAND: Final = 900_000

# --- perpetuals: numbers -----------------------------------------------------------------------------
MAX_LOT_VALUE: Final = 1 << 40  # max_price * tick_value: what one lot may ever be worth, atoms
MAX_POSITION_VALUE: Final = 1 << 54  # of one position with its orders: 64 of them sum below 2^61
MAX_OPEN_VALUE: Final = 1 << 54  # open interest of one market at its highest price, atoms
MAX_LEDGER_PERPS: Final = 256  # live perpetuals of one ledger: their open interest sums to 2^62
MAX_VENUE_CAP: Final = 1 << 61  # open interest that a stake may carry, atoms
SUB: Final = 1 << 16  # parts of a tick that averages are kept in
RATE: Final = 1_000_000_000  # funding rates are parts per billion
FUNDING_UNIT: Final = (
    1 << 48
)  # the funding index of the dearest lot moves by at most 1 % of it an hour
MAX_FEED_SCALE: Final = 1 << 40  # feed units (1e-8) of a tick
MAX_FEED_PRICE: Final = 1 << 61  # feed units
MAX_PERPS: Final = 1024  # live perpetuals of the zone: one mark tick is bounded
MAX_POOLS: Final = 64  # per account
MAX_TIERS: Final = 4
MAX_PROVIDERS: Final = 8  # of a feed: their prices fit one record
RESERVED_OUTBOX: Final = 1 << 20  # slots that incidents and insolvencies leave to withdrawals

# --- perpetuals: margin ----------------------------------------------------------------------------
MIN_MMR: Final = 2_500  # ppm: with the mark's reach of half of it, an index error of 0.125 %
MARGIN_RISE: Final = (
    250_000  # ppm by which maintenance may rise at once, and then a day later again
)
MAX_WEIGHT: Final = 800_000  # ppm of a market's profit that may count for others
RELEASE_FLOOR: Final = 10  # a release leaves one tenth of the notional
CROSS_AGE: Final = 30 * 86_400_000  # ms of life without a break before approval for cross pools
MIN_IMPACT: Final = 1_000  # atoms; what is enough for an asset is the listing's business
MAX_IMPACT: Final = 1 << 50
HOUR: Final = 3_600_000  # ms
DAY: Final = 86_400_000

# --- perpetuals: prices ----------------------------------------------------------------------------
MARK_MS: Final = 250  # between two mark ticks
SAMPLE_MS: Final = 1_000  # between two impact samples
SAMPLE_MAX: Final = 5_000  # ms that one sample stands for at most
BOOK_AVERAGE: Final = 30_000  # ms
BASIS_AVERAGE: Final = 300_000
BASIS_STEP: Final = 100  # ppm of the index that the basis moves in a second at most
IMPACT_LEVELS: Final = 16  # levels of a side that an impact price looks at
MAX_TICK_GAP: Final = 60_000  # ms that one tick stands for at most
PRICE_AHEAD: Final = 1_000  # ms that a provider's clock may be ahead
MIN_HEARTBEAT: Final = 1_000
MAX_HEARTBEAT: Final = 60_000
MIN_DEVIATION: Final = 1_000  # ppm
MIN_BREAKER: Final = 5_000
INCIDENT_MS: Final = HOUR  # between two incidents of a provider in a feed
BREAKER_BUCKET: Final = 30_000  # ms; three of them reach back 60 to 90 s
BREAK_ROUNDS: Final = 3
REOPEN_POST: Final = 10_000  # ms of post-only after a break
REOPEN_THROTTLE: Final = 60_000  # ms of throttled liquidation behind that
STALE_SETTLE: Final = DAY
LISTING_MS: Final = DAY  # the listing band holds this long

# --- perpetuals: funding ---------------------------------------------------------------------------
FUNDING_CLAMP: Final = 500_000  # ppb: 0.05 % of 8 h
MAX_FUNDING_CAP: Final = 10_000_000  # ppb: 1 % an hour
MAX_INTEREST: Final = 1_000_000  # ppb: 0.1 % of 8 h
MIN_SAMPLES: Final = 60  # of an hour, else it passes without funding

# --- perpetuals: liquidation and deleveraging ------------------------------------------------------
SWEEP_MS: Final = 1_000  # every pool is visited within
BLOCK_SWEEP: Final = 1 << 14  # pools and positions a block
BLOCK_LIQUIDATIONS: Final = 1 << 10  # visits a block
LIQ_STEP_MS: Final = 1_000  # between two forced orders of a pool
LIQ_SHARE: Final = 200_000  # ppm of a position that one forced order closes
LIQ_GAIN: Final = 500_000  # ppm of the improvement over the zero price that the fund gets
LIQ_GAIN_MAX: Final = 10_000  # ppm of notional
LIQ_DISTANCE: Final = 50_000  # ppm of the mark that a forced order goes away from it at most
TAKEOVER_MAX: Final = 25_000  # ppm of notional that the fund gets of the equity it takes over
ABSORB_MS: Final = 30_000  # after which the fund may take over what nobody bought
LEVEL_UNIT: Final = 1 << 10  # grid of leverage levels
MAX_LEVEL: Final = 1 << 20  # leverage 1024
BLOCK_ADL: Final = 1 << 17  # looks of jobs a block

# --- blocks ----------------------------------------------------------------------------------------
MAX_BLOCK_LEAVES: Final = 1024  # leaves of a block after its mark; later ones are no-ops
BLOCK_STEPS: Final = (
    1 << 24
)  # derived, not enforced: what the bounds here add up to (docs/spec/steps.md)
BLOCK_MEETINGS: Final = (
    1 << 13
)  # orders released plus makers met a block; then release goes on in the next
MAX_TAKER_DELAY: Final = 50  # ms
DEFAULT_TAKER_DELAY: Final = 3
WAIT_BLOCKS: Final = 2  # closed blocks a waiting order stays behind, when the delay is not zero
MAX_FILLS: Final = 256  # makers a taker may meet in one block
BLOCK_TIMERS: Final = 1 << 12  # timers served a block
BLOCK_REMOVALS: Final = 1 << 13  # orders and plans that tasks look at in a block
PAYOUT_SWEEP: Final = 32  # holdings that the payout sweep visits a block while an event is settled
RESTART_GAP: Final = 30_000  # ms between two blocks that begin the restart phases
RESTART_CANCEL: Final = 10_000  # ms of cancel-only
RESTART_POST: Final = 20_000  # ms after the gap until post-only ends
STALE_L1: Final = 3_600_000  # ms without a heartbeat, then only cancels
MAX_INBOX_PAYLOAD: Final = 512  # bytes
MAX_INBOX_MARK: Final = 128  # messages one inbox mark may open, so a block's work is bounded

# --- batches and trees -----------------------------------------------------------------------------
RECORD_TREE_DEPTH: Final = 40
INPUT_TREE_DEPTH: Final = 24
MAX_BATCH_LEAVES: Final = 1 << INPUT_TREE_DEPTH
