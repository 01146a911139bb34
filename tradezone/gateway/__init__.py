"""The doors of a zone: REST, WebSocket, and the hot order path."""

from __future__ import annotations

from .app import Gateway
from .errors import ApiError, Problem
from .server import BackgroundServer, Server, serve

__all__ = ["ApiError", "BackgroundServer", "Gateway", "Problem", "Server", "serve"]
