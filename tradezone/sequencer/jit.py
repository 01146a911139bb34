"""How the few loops of this package that count are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def compiled(function: _Function) -> _Function:
    """Compile: cached on disk, free of the interpreter's lock, bounds checked."""
    return cast("_Function", njit(cache=True, nogil=True, boundscheck=True)(function))
