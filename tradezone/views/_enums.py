"""Small numbers that ``tradezone.protocol`` is about to have; see `tradezone.views._kinds`."""

from __future__ import annotations

from typing import Final

from tradezone.protocol.enums import TIF_POST_ONLY

TIF_POST_SLIDE: Final = 4
POST_TIFS: Final = (TIF_POST_ONLY, TIF_POST_SLIDE)  # what rests without having waited
CANCEL_DEAD_MAN: Final = 12
