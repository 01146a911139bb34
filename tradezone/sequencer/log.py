"""One line an event, ``key=value``, on top of the standard library's logging.

    2026-01-01T00:00:00.000Z info sequencer.journal segment_opened number=3 bytes=268435456

A host that has configured logging itself gets the same lines as messages of its own handlers.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final, TextIO

ROOT: Final = "tradezone"


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Format a record: time, level, component, event and its fields."""
        name = record.name.removeprefix(f"{ROOT}.")
        level = record.levelname.lower()
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z {level} {name} {record.getMessage()}"


def format_value(value: Any) -> str:
    """Return a value as it stands behind ``key=``: bytes as hex, text quoted where it must be."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    text = str(value)
    plain = text and not any(c in ' "=' or not c.isprintable() for c in text)
    return text if plain else json.dumps(text)


class EventLog:
    """Logger of one component.

    Parameters
    ----------
    component : str
        dotted name behind ``tradezone.``
    """

    def __init__(self, component: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{component}")

    def debug(self, event: str, **fields: Any) -> None:
        """Log a detail."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Log something that an operator reads."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log something that an operator should look into."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Log something that stopped the component."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            pairs = "".join(f" {key}={format_value(value)}" for key, value in fields.items())
            self._logger.log(level, "%s%s", event, pairs)


def configure_log(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send the package's events to ``stream`` (stderr if absent), once however often it is called."""
    logger = logging.getLogger(ROOT)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter())
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
