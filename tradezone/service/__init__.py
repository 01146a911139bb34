"""A zone as a process that runs for months: configuration, pipeline, feeds, history, start and stop.

No web server here: `tradezone.gateway` opens the doors, and `tradezone.client.Zone` in the same process needs none.
"""

from __future__ import annotations

from .answers import Answers
from .clock import SteadyClock
from .config import ZoneConfig, load_config, read_config
from .errors import (
    BusyError,
    ConfigError,
    HistoryError,
    ServiceError,
    StoppingError,
    ViewsError,
    ZoneLockedError,
)
from .feeds import Feeds, Published, Ticker
from .history import HistoryReader, HistoryWriter
from .listeners import Listeners, Told
from .lock import ZoneLock, read_lock
from .metrics import Metrics
from .node import Node
from .pipeline import Answer, BlockEvents, Executed, Pipeline, Refusal, Submission
from .replay import rebuild_history, take_snapshot
from .views import Views

__all__ = [
    "Answer",
    "Answers",
    "BlockEvents",
    "BusyError",
    "ConfigError",
    "Executed",
    "Feeds",
    "HistoryError",
    "HistoryReader",
    "HistoryWriter",
    "Listeners",
    "Metrics",
    "Node",
    "Pipeline",
    "Published",
    "Refusal",
    "ServiceError",
    "SteadyClock",
    "StoppingError",
    "Submission",
    "Ticker",
    "Told",
    "Views",
    "ViewsError",
    "ZoneConfig",
    "ZoneLock",
    "ZoneLockedError",
    "load_config",
    "read_config",
    "read_lock",
    "rebuild_history",
    "take_snapshot",
]
