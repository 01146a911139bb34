"""``python -m tradezone.cli``: the ``tradezone`` command where its script is not installed."""

from __future__ import annotations

from . import main

main()
