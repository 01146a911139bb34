"""One process a data folder: zones on one machine do not meet."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any, Self

from tradezone.sequencer.files import make_directory

from .errors import ZoneLockedError

if TYPE_CHECKING:
    from pathlib import Path


class ZoneLock:
    """Holds ``<data>/zone.lock`` as long as it lives. The file says who holds it, and where it listens.

    The lock is the kernel's: it is gone with the process, however that ends.
    """

    def __init__(self, directory: Path, name: str) -> None:
        make_directory(directory)
        self._path = directory / "zone.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._descriptor, 4_096).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise ZoneLockedError(
                f"{self._path} is held by another process: {holder or 'it says nothing of itself'}",
                "stop it, or give this zone its own data folder",
            ) from None
        self._body: dict[str, Any] = {"name": name, "pid": os.getpid()}
        self.note()

    def note(self, **values: Any) -> None:
        """Write something about this process into the file, for `read_lock`."""
        self._body |= values
        data = (json.dumps(self._body) + "\n").encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)

    def close(self) -> None:
        """Let go."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_lock(directory: Path) -> dict[str, Any] | None:
    """Return what the process says that runs on a data folder; None if none runs."""
    path = directory / "zone.lock"
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        data = os.read(descriptor, 4_096)
        try:
            body: dict[str, Any] = json.loads(data)
        except ValueError:
            return {}
        return body
    finally:
        os.close(descriptor)
    return None
