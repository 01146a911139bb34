"""Events: one fixed-width record for everything that happens, in execution order.

Events are not hashed; they follow from the inputs. With the terms of the markets (which L1 has announced)
they are enough to rebuild every book, order and balance from nothing. Unused columns are zero. ``seq`` counts from 1 over the life of the zone.

Every ``ORDER_*`` event carries the order's client id (0 if it has none); FILL does not. ``ORDER_WAITING``
comes for every order that can take, whatever the taker delay, so consumers learn a taker's id before its
fills.
"""

from __future__ import annotations

from typing import Final

import numpy as np

OWNER_REGISTERED: Final = 1  # account = main account, order = owner id
KEY_APPROVED: Final = 2  # account = main account of the owner, order = key id
KEY_REVOKED: Final = 3  # account = main account, order = key id as it was
ACCOUNT_CREATED: Final = 4  # account, order = owner id, flag = account kind
DEPOSITED: Final = 5  # account, market = asset, amount
WITHDRAWN: Final = 6  # account, market = asset, amount, order = outbox id
TRANSFERRED: Final = 7  # account -> other_account, market = asset, amount
ASSET_REGISTERED: Final = 8  # market = asset
VENUE_CREATED: Final = 9  # market = venue, account = fee account, other_account = fund account
MARKET_LISTED: Final = 10  # market
HEARTBEAT: Final = 11  # amount = L1 time, ms
ORDER_WAITING: Final = 20  # order, account, market, side, tif, price, lots, amount = locked
ORDER_RESTED: Final = 21  # order, account, market, side, price, lots, amount = locked
ORDER_AMENDED: Final = 22  # order, account, market, side, price, lots = open, amount = locked
ORDER_CANCELLED: Final = 23  # order, account, market, side, tif = reason, price, lots left
FILL: Final = 24  # order = taker, other_order = maker, accounts, side of the taker, price, lots,
#                   left = maker's open lots, amount = taker fee, amount2 = maker fee (signed)
FEES: Final = (
    25  # market, amount = venue, amount2 = insurance, left = protocol (of the fill before)
)
ITEM_REJECTED: Final = 30  # account, error, flag = item index
LEAF_REJECTED: Final = 31  # error; account as written in a well-formed envelope, else 0
MESSAGE_IGNORED: Final = 32  # error, leaf = inbox index

EVENT_DTYPE: Final = np.dtype(
    [
        ("seq", "<i8"),
        ("leaf", "<i8"),  # seq of the leaf being executed; inbox index for messages; 0 for sweeps
        ("kind", "i1"),
        ("side", "i1"),
        ("tif", "i1"),
        ("flag", "i1"),
        ("error", "<i4"),
        ("market", "<i4"),
        ("account", "<i4"),
        ("other_account", "<i4"),
        ("price", "<i4"),
        ("order", "<i8"),
        ("other_order", "<i8"),
        ("lots", "<i8"),
        ("left", "<i8"),
        ("amount", "<i8"),
        ("amount2", "<i8"),
        ("client_id0", "<u8"),  # low limb of the client id as a big-endian integer
        ("client_id1", "<u8"),
    ]
)
assert EVENT_DTYPE.itemsize == 104
