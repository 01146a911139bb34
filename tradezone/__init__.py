"""TradeZone: the sequencer, engine, state tree, verifier and client of Exchange OS.

Importing this package does one thing: it points Numba's on-disk cache at a folder named by a hash of the
jitted packages' sources, before Numba is imported. Numba does not notice an edit in an *imported* module
and would go on running the old machine code.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

__version__: Final = "0.1.0"


def _sources_digest() -> str:
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for package in ("protocol", "state", "engine"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    _base = Path(os.environ.get("TRADEZONE_CACHE", Path.home() / ".cache" / "tradezone"))
    os.environ["NUMBA_CACHE_DIR"] = str(_base / f"numba-{_sources_digest()}")
