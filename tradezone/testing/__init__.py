"""A kit for tests, demonstrations and benchmarks: order flow, real or made up, and what to check it with.

=============  ====================================================================================
`intentions`   what participants meant to do, message by message: `OrderFlow`
`lobster`      one real hour of NASDAQ AAPL as an `OrderFlow`; the data is not part of this package
`bitstamp`     five real hours of Bitstamp BTC/USD, likewise
`synthetic`    a made-up `OrderFlow` of the same shape, for machines without the data
`reference`    the smallest right book: intentions in, fills out
`flow`         intentions as groups of envelopes for several hundred accounts, signed ahead
`zone`         an empty zone made ready for a flow, and a flow run through an engine
`book`         books rebuilt from engine events alone
`checks`       rows and makers of a run against the published ones
`perps`        a venue with a perpetual, every price, fee and balance recomputed after each block
`perps_story`  the life of that perpetual, down the whole liquidation ladder
=============  ====================================================================================

Nothing here imports the engine or Numba.
"""

from __future__ import annotations

from . import bitstamp, lobster, synthetic
from .book import BookFeed, MarketBook, RestingOrder
from .checks import Count, Difference, Report, RunCheck, check_run
from .flow import (
    Draft,
    FlowSetupError,
    Funding,
    Group,
    Trader,
    build_groups,
    get_address,
    get_client_id,
    get_funding,
    get_secret,
    presign,
)
from .intentions import (
    Cancel,
    Checkpoint,
    FlowDataError,
    Intention,
    Maker,
    OrderFlow,
    PlacePostOnly,
    Row,
    Shrink,
    Take,
)
from .reference import FifoBook, OpenOrder
from .zone import (
    FlowRun,
    Terms,
    build_blocks,
    build_setup,
    build_setup_leaves,
    build_traders,
    run_flow,
)

__all__ = [
    "BookFeed",
    "Cancel",
    "Checkpoint",
    "Count",
    "Difference",
    "Draft",
    "FifoBook",
    "FlowDataError",
    "FlowRun",
    "FlowSetupError",
    "Funding",
    "Group",
    "Intention",
    "Maker",
    "MarketBook",
    "OpenOrder",
    "OrderFlow",
    "PlacePostOnly",
    "Report",
    "RestingOrder",
    "Row",
    "RunCheck",
    "Shrink",
    "Take",
    "Terms",
    "Trader",
    "bitstamp",
    "build_blocks",
    "build_groups",
    "build_setup",
    "build_setup_leaves",
    "build_traders",
    "check_run",
    "fetch_flow",
    "get_address",
    "get_client_id",
    "get_funding",
    "get_secret",
    "lobster",
    "presign",
    "run_flow",
    "synthetic",
]


def fetch_flow() -> OrderFlow:
    """Return the real hour where its data is at hand, else a made-up flow of about that size."""
    if lobster.get_missing_reason() is None:
        return lobster.fetch_flow()
    return synthetic.build_flow(messages=90_000)
