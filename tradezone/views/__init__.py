"""What consumers make of the event stream alone: books, depth, trades, candles, and every account's ledger.

==========  ==========================================================================================
`l3`        books order by order, with the place of each order in its queue; waiting orders apart
`l2`        depth per price: snapshots and updates with checksums; a follower that repairs its gaps
`trades`    trades, and candles from a second to a day
`ledger`    balances, open orders, holdings, plans and fees of every account
`stream`    how events are read, and the errors of a stream that does not fit
==========  ==========================================================================================

Arrays of events go in, plain objects come out. Nothing here needs an engine, a sequencer or Numba: only
``tradezone.protocol``. A view is a check as well: it raises on the first event that contradicts those before it.
"""

from __future__ import annotations

from ._ladder import Ladder
from .l2 import (
    Change,
    ChecksumError,
    DepthBook,
    DepthFeed,
    DepthSnapshot,
    DepthUpdate,
    Level,
    StaleError,
    get_checksum,
    get_level_digest,
)
from .l3 import L3Book, L3Feed, Order, Place
from .ledger import (
    Balance,
    Holding,
    Ledger,
    OpenOrder,
    OutcomeEvent,
    Plan,
)
from .stream import (
    Event,
    EventCursor,
    Events,
    GapError,
    MisfitError,
    ViewError,
    read_events,
    select_events,
)
from .terms import MarketTerms
from .trades import INTERVALS, Candle, CandleFeed, Trade, read_trades

__all__ = [
    "INTERVALS",
    "Balance",
    "Candle",
    "CandleFeed",
    "Change",
    "ChecksumError",
    "DepthBook",
    "DepthFeed",
    "DepthSnapshot",
    "DepthUpdate",
    "Event",
    "EventCursor",
    "Events",
    "GapError",
    "Holding",
    "L3Book",
    "L3Feed",
    "Ladder",
    "Ledger",
    "Level",
    "MarketTerms",
    "MisfitError",
    "OpenOrder",
    "Order",
    "OutcomeEvent",
    "Place",
    "Plan",
    "StaleError",
    "Trade",
    "ViewError",
    "get_checksum",
    "get_level_digest",
    "read_events",
    "read_trades",
    "select_events",
]
