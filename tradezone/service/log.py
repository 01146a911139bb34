"""Logs of a running zone: lines for people, or JSON for machines, of the same events."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, TextIO

from tradezone.sequencer.log import ROOT, configure_log


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one JSON object."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        body: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "component": record.name.removeprefix(f"{ROOT}."),
            "message": record.getMessage(),
        }
        if isinstance(record.args, tuple) and record.args:
            body["event"] = str(record.args[0])
        return json.dumps(body)


def configure(level: str, kind: str, stream: TextIO | None = None) -> None:
    """Send the package's events to ``stream`` (stderr if absent).

    Parameters
    ----------
    level : str
        debug, info, warning or error
    kind : str
        text or json
    """
    configure_log(getattr(logging, level.upper()), stream)
    if kind == "json":
        handler = logging.StreamHandler(stream or sys.stderr)
        handler.setFormatter(_JsonFormatter())
        logging.getLogger(ROOT).handlers[:] = [handler]
