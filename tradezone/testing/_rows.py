"""Rows: the top of a book as a flat tuple (see `tradezone.testing.intentions`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradezone.views import Ladder


def build_row(asks: Ladder, bids: Ladder, count: int) -> tuple[int, ...]:
    """Top ``count`` levels of a book as a row."""
    ask_levels, bid_levels = asks.levels(count), bids.levels(count)
    row: list[int] = []
    for n in range(count):
        row += ask_levels[n] if n < len(ask_levels) else (0, 0)
        row += bid_levels[n] if n < len(bid_levels) else (0, 0)
    return tuple(row)
