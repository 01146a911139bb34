"""What the service refuses or fails with, under one base class."""

from __future__ import annotations

from tradezone.sequencer import SequencerError


class ServiceError(SequencerError):
    """Base of the errors of a running zone; carries a hint as every error of the sequencer."""


class ConfigError(ServiceError, ValueError):
    """A configuration that cannot be used: which file, which key, what was expected and what was there."""


class BusyError(ServiceError):
    """More is under way than the queues hold. Nothing was taken.

    Parameters
    ----------
    waiting, limit : int
        leaves under way, and how many may be
    retry_after_ms : int
        when to try again
    """

    def __init__(self, waiting: int, limit: int, retry_after_ms: int) -> None:
        super().__init__(
            f"{waiting} envelopes are under way, {limit} may be",
            f"try again in {retry_after_ms} ms",
        )
        self.retry_after_ms = retry_after_ms


class StoppingError(ServiceError):
    """The zone is going down, or has failed; nothing was taken."""


class ViewsError(ServiceError):
    """Market data cannot be had now: their process starts, or catches up. Trading goes on."""


class HistoryError(ServiceError):
    """The history store cannot be used as it is."""


class ZoneLockedError(ServiceError):
    """Another process runs on this data folder."""
