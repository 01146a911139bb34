"""Final settlement of a market (``docs/spec/adl.md``)."""

from __future__ import annotations

from tradezone.engine._jit import jit


@jit
def begin_settlement(s, d, io, m, market, back):
    """Settle a market at its last prices; then step ``back`` follows."""
    raise ValueError("a settlement has no steps")
