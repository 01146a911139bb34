"""The engine: pure functions of state and inputs, compiled by Numba, one step machine."""

from __future__ import annotations

from .audit import RULES, Violation, audit_state
from .engine import Engine, EngineError, RunResult

__all__ = ["RULES", "Engine", "EngineError", "RunResult", "Violation", "audit_state"]
