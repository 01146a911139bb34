"""Small numbers that records, actions and events share."""

from __future__ import annotations

from typing import Final

NONE: Final = 0

# record states; FREE is 0 for every table so that untouched memory is free memory
FREE: Final = 0
ACTIVE: Final = 1
WAITING: Final = 2  # order: admitted, not yet released to take
RESTING: Final = 3  # order: on a level of the book
TAKING: Final = 4  # order: released, being matched by the running steps
DEPOSITS_CLOSED: Final = 5  # asset

ASSET_NATIVE: Final = 1
ASSET_ERC20: Final = 2
ASSET_SIMULATED: Final = 3

OWNER_USER: Final = 1  # signs envelopes
OWNER_CONTRACT: Final = 2  # acts through the inbox only

ACCOUNT_USER: Final = 1
ACCOUNT_VENUE: Final = 2
ACCOUNT_FUND: Final = 3
ACCOUNT_PROTOCOL: Final = 4
ACCOUNT_INTERFACE: Final = 5

PROTOCOL_OWNER: Final = 1  # owner id registered by the registry's constructor

SCOPE_TRADE: Final = 1
SCOPE_OWNER: Final = 2  # bit: may sign all that the owner may

APPROVAL_ALLOWANCE: Final = 1
APPROVAL_LEVERAGE: Final = 2
APPROVAL_INTERFACE: Final = 3
APPROVAL_ACCESS: Final = 4

MODE_CROSS: Final = 1  # margin mode of an account in a market
MODE_ISOLATED: Final = 2

MARKET_CROSS: Final = 1  # market.flags: approved for cross pools, for good

POOL_LIQUIDATING: Final = 6  # it stands in the queue
POOL_BANKRUPT: Final = 7  # positions of it are registered for deleveraging
POSITION_ADL: Final = 1  # position.flags: registered
POSITION_PROFIT: Final = 2  # in profit at the snapshot

# What the price of a perpetual is good for (docs/spec/prices.md).
PRICE_NONE: Final = 0
PRICE_LIVE: Final = 1
PRICE_FROZEN: Final = 2  # stale, out of range or session closed
PRICE_BREAK: Final = 3
PRICE_REOPEN: Final = 4  # post-only
PRICE_THROTTLED: Final = 5

JOB_ADL: Final = 1
JOB_SETTLE: Final = 2

# agenda.closing: what the closing batch does behind its last message (docs/spec/escape.md)
CLOSING_FINISH: Final = 1  # jobs that run
CLOSING_SETTLE: Final = 2  # every live perpetual
CLOSING_QUEUE: Final = 3  # pools are liquidated no more
CLOSING_FUNDS: Final = 4  # deficits are repaid
CLOSING_PAY: Final = 5  # pools to balances
CLOSING_REST: Final = 6  # funds to balances
CLOSED: Final = 7

VENUE_ACTIVE: Final = 1
VENUE_REDUCE_ONLY: Final = 2
VENUE_WOUND_DOWN: Final = 3

ACCESS_OPEN: Final = 0
ACCESS_LIST: Final = 1
ACCESS_CREDENTIAL: Final = 2

MARKET_SPOT: Final = 1
MARKET_PERP: Final = 2
MARKET_OUTCOME: Final = 3

# Phases of a market (docs/spec/phases.md). The one in force may be stricter than the one set.
PHASE_LISTED: Final = 0  # announced, effective_at not reached
PHASE_CONTINUOUS: Final = 1
PHASE_POST_ONLY: Final = 2
PHASE_CANCEL_ONLY: Final = 3
PHASE_REDUCE_ONLY: Final = 4
PHASE_HALTED: Final = 5
PHASE_SETTLED: Final = 6  # for good: its orders are being removed

BUY: Final = 0
SELL: Final = 1
BOTH_SIDES: Final = 2  # of a cancel-all

# level.side of plans: TRIGGER_UP_LAST + 2 * source + (0 = fires when the price rises, 1 = falls)
TRIGGER_UP_LAST: Final = 2
TRIGGER_DOWN_LAST: Final = 3
TRIGGER_UP_MARK: Final = 4
TRIGGER_DOWN_MARK: Final = 5
TRIGGER_UP_INDEX: Final = 6
TRIGGER_DOWN_INDEX: Final = 7

TIF_GTC: Final = 0  # good till cancelled; with `expires`, till then
TIF_POST_ONLY: Final = 1  # refused if it would take
TIF_IOC: Final = 2
TIF_FOK: Final = 3
TIF_POST_SLIDE: Final = 4  # would it take, it rests one tick behind the best opposite price instead
TIF_MARKET: Final = 5  # IOC whose price is the worst the sender accepts, cut to the band

ORDER_REDUCE_ONLY: Final = 1  # flag bits of an order; a leaf may set the first one only
ORDER_CANCELLED_WAITING: Final = 2  # cancelled while it waited: the rest is IOC
ORDER_ARMED: Final = 4  # its children are on their trigger levels
ORDER_FORCED: Final = 8  # sent by liquidation

ADL_CROSSED: Final = 1  # ADL_FILL: bankrupt positions of both sides meet
ADL_GAVE: Final = 2  # a counterparty gives lots and pays its part of the charge
ADL_CLOSED: Final = (
    3  # what is left of a bankrupt position is closed and gets its part of the cover
)

STP_NEWEST: Final = 0  # the taker's rest is cancelled
STP_OLDEST: Final = 1  # the maker is cancelled, the taker goes on
STP_BOTH: Final = 2
STP_DECREMENT: Final = 3  # both shrink by the smaller open size, no trade
STP_MODE: Final = 15  # mask of the mode
STP_OWNER: Final = 16  # bit: orders of any account of the owner are own orders

PLAN_STOP: Final = 1  # buys when the price rises to the trigger, sells when it falls to it
PLAN_TAKE_PROFIT: Final = 2  # buys when the price falls to it, sells when it rises to it
PLAN_TWAP: Final = 3  # reserved, as are the next two
PLAN_TRAILING: Final = 4
PLAN_ICEBERG: Final = 5
PLAN_HELD: Final = 2  # states of a plan: its parent has filled nothing yet
PLAN_ARMED: Final = 3  # it stands on its trigger level
SOURCE_LAST: Final = 0
SOURCE_MARK: Final = 1
SOURCE_INDEX: Final = 2
GROUP_NONE: Final = 0
GROUP_ORDER: Final = 1  # legs of a bracket on an order: their size follows what it filled
GROUP_POSITION: Final = 2  # legs of a bracket on what the account holds of the market

GROUP_OPEN: Final = 1  # states of an event
GROUP_RESOLVED: Final = 2
GROUP_VOID: Final = 3

TIMER_ORDER: Final = 1
TIMER_PLAN: Final = 2
TIMER_ACCOUNT: Final = 3
TIMER_MARKET: Final = 4

TASK_ACCOUNT: Final = 1
TASK_MARKET: Final = 2
TASK_POOL: Final = 3

OUTBOX_WITHDRAWAL: Final = 1
OUTBOX_FORCED_RESULT: Final = 2
OUTBOX_INCIDENT: Final = 3
OUTBOX_INSOLVENCY: Final = 4

# why an open order left (column ``tif`` of ORDER_CANCELLED carries one of these)
CANCEL_USER: Final = 1
CANCEL_IOC: Final = 2  # the rest of an IOC, or of a waiting order that was cancelled
CANCEL_FOK: Final = 3
CANCEL_STP: Final = 4
CANCEL_EXPIRED: Final = 5
CANCEL_MARKET: Final = 6  # the market left a phase in which the order may rest
CANCEL_AMEND: Final = 7  # amended to no open lots
CANCEL_BAND: Final = 8  # a maker outside its band, or a taker whose next price is outside
CANCEL_REDUCE_ONLY: Final = 9  # nothing is left that it may reduce
CANCEL_CAP: Final = 10  # the fill would pass the account's or the market's open-interest cap
CANCEL_ALL: Final = 11  # by a cancel-all
CANCEL_DEAD_MAN: Final = 12
CANCEL_QUOTE: Final = 13  # replaced by a mass quote
CANCEL_SIBLING: Final = 14  # another leg of the bracket fired
CANCEL_PARENT: Final = 15  # plan: its parent left and had filled nothing
CANCEL_SETTLED: Final = 16  # the market is settled or delisted
CANCEL_MARGIN: Final = 17  # the fill would leave its pool short of margin
CANCEL_LIQUIDATION: Final = 18  # its pool is being liquidated
CANCEL_HEALTHY: Final = 19  # forced order: the pool does not need it any more
