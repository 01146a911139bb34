"""How the engine is compiled, and the exact arithmetic it uses.

``jit`` compiles with bounds checks on: a bad slot raises instead of corrupting memory. ``i64`` widens a
field to the one integer type of the engine. Both become plain Python in the step executor
(``tradezone.verifier.stepper``), which runs the same functions over witnesses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from tradezone.protocol.limits import PPM

i64 = numba.int64


def jit(function: Callable[..., Any]) -> Any:
    """Compile ``function``: cached on disk, free of the GIL, bounds checked."""
    return numba.njit(cache=True, nogil=True, boundscheck=True)(function)


def jit_inline(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as part of each jitted function that calls it."""
    return numba.njit(cache=True, nogil=True, boundscheck=True, inline="always")(function)


@jit
def ppm_down(amount, rate):
    """floor(amount * rate / PPM) for 0 <= amount < 2^62, 0 <= rate <= PPM, without a wide product.

    amount = q * PPM + r, so amount * rate / PPM = q * rate + r * rate / PPM, and r * rate < 10^12.
    """
    return (amount // PPM) * rate + (amount % PPM) * rate // PPM


@jit
def ppm_up(amount, rate):
    """ceil(amount * rate / PPM), same bounds as ``ppm_down``."""
    return (amount // PPM) * rate + ((amount % PPM) * rate + PPM - 1) // PPM
