"""Messages between the zone's process and that of its views, over a socket pair: a size, then a pickled tuple.

Both ends are this package in one version, started one by the other, so nothing foreign is ever unpickled.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

_SIZE: Final = struct.Struct(">Q")


def encode(*message: Any) -> bytes:
    """Return a message as it is sent."""
    body = pickle.dumps(message, protocol=5)
    return _SIZE.pack(len(body)) + body


class MessageReader:
    """Reads messages from a socket; one thread.

    Parameters
    ----------
    sock : socket
        blocking
    """

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb", buffering=1 << 16)

    def read(self) -> tuple[tuple[Any, ...], int] | None:
        """Wait for a message; it and its size in bytes, or None once the other end is gone."""
        try:
            head = self._file.read(_SIZE.size)
            if len(head) < _SIZE.size:
                return None
            (size,) = _SIZE.unpack(head)
            body = self._file.read(size)
        except (OSError, ValueError):  # reset, or closed under us
            return None
        if len(body) < size:
            return None
        message: tuple[Any, ...] = pickle.loads(body)  # noqa: S301 -- see the module
        return message, size
