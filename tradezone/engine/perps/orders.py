"""Orders and fills of perpetuals (``docs/spec/perps.md``)."""

from __future__ import annotations

from tradezone.engine._jit import jit


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    raise ValueError("machine.pc names no step")
