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

VENUE_ACTIVE: Final = 1
VENUE_REDUCE_ONLY: Final = 2
VENUE_WOUND_DOWN: Final = 3

ACCESS_OPEN: Final = 0
ACCESS_LIST: Final = 1
ACCESS_CREDENTIAL: Final = 2

MARKET_SPOT: Final = 1
MARKET_PERP: Final = 2
MARKET_OUTCOME: Final = 3

PHASE_LISTED: Final = 0  # announced, effective_at not reached
PHASE_CONTINUOUS: Final = 1
PHASE_POST_ONLY: Final = 2
PHASE_CANCEL_ONLY: Final = 3
PHASE_REDUCE_ONLY: Final = 4
PHASE_HALTED: Final = 5
PHASE_SETTLED: Final = 6

BUY: Final = 0
SELL: Final = 1

TIF_GTC: Final = 0
TIF_POST_ONLY: Final = 1
TIF_IOC: Final = 2
TIF_FOK: Final = 3

STP_NEWEST: Final = 0  # the taker's rest is cancelled
STP_OLDEST: Final = 1  # the maker is cancelled, the taker goes on
STP_BOTH: Final = 2
STP_DECREMENT: Final = 3  # both shrink by the smaller open size, no trade

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
