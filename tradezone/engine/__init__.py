"""The engine: pure functions of state and inputs, compiled by Numba, one step machine."""

from __future__ import annotations

from .engine import Engine, EngineError, RunResult

__all__ = ["Engine", "EngineError", "RunResult"]
