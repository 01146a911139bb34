"""Deleveraging and the jobs that run it (``docs/spec/adl.md``)."""

from __future__ import annotations

from tradezone.engine._jit import jit


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    raise ValueError("machine.pc names no step")
