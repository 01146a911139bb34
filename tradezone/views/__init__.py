"""What consumers make of the event stream alone: books, depth, trades, candles, and every account's ledger.

==========  ==========================================================================================
`l3`        books order by order, with the place of each order in its queue; waiting orders apart
`l2`        depth per price: snapshots and updates with checksums; a follower that repairs its gaps
`trades`    trades, and candles from a second to a day
`ledger`    balances, open orders, holdings, plans and fees of every account
`perps`     marks, funding, positions, margin pools, insurance funds, liquidation; part of a ledger
`margin`    what positions are worth and ask for; an order's margin before it is sent
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
from .margin import Preview, Rank, Risk, Stance, Terms, Tier, Values, preview_order
from .perps import (
    MarginPool,
    Perpetuals,
    PerpMarket,
    PoolReport,
    Position,
    PositionReport,
    Wall,
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
    "MarginPool",
    "MarketTerms",
    "MisfitError",
    "OpenOrder",
    "Order",
    "OutcomeEvent",
    "PerpMarket",
    "Perpetuals",
    "Place",
    "Plan",
    "PoolReport",
    "Position",
    "PositionReport",
    "Preview",
    "Rank",
    "Risk",
    "StaleError",
    "Stance",
    "Terms",
    "Tier",
    "Trade",
    "Values",
    "ViewError",
    "Wall",
    "get_checksum",
    "get_level_digest",
    "preview_order",
    "read_events",
    "read_trades",
    "select_events",
]
