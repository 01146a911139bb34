"""Kinds of events that today's engine does not write yet, with the numbers they are going to have.

``tradezone.protocol.events`` gets them together with outcome markets, plans and updates of terms; then this file
goes and the imports change.
"""

from __future__ import annotations

from typing import Final

MARKET_TERMS: Final = 12
MARKET_FEES: Final = 13
EVENT_LISTED: Final = 14
EVENT_RESOLVED: Final = 15
VENUE_UPDATED: Final = 16
CALENDAR_SET: Final = 17
ASSET_UPDATED: Final = 18
RESTARTED: Final = 19
FEE_SHARE: Final = 26
BAND_MOVED: Final = 27
PLAN_PLACED: Final = 33
PLAN_ARMED_NOW: Final = 34
PLAN_TRIGGERED: Final = 35
PLAN_FAILED: Final = 36
PLAN_CANCELLED: Final = 37
DEAD_MAN_SET: Final = 38
CANCEL_ALL_BEGUN: Final = 39
CANCEL_ALL_DONE: Final = 40
ANNIHILATED: Final = 41
SPLIT: Final = 42
MERGED: Final = 43
REDEEMED: Final = 44
ISSUED: Final = 45
INTERFACE_APPROVED: Final = 46
ACCESS_GRANTED: Final = 47
ACCESS_REVOKED: Final = 48
BALANCE_OPENED: Final = 49
BALANCE_CLOSED: Final = 50
