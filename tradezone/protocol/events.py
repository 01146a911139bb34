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
MARKET_LISTED: Final = 10  # market, account = venue
HEARTBEAT: Final = 11  # amount = L1 time, ms
# MARKET_LISTED and each update are followed by both of these: with them a book needs no other source
MARKET_TERMS: Final = 12  # market, flag = kind, account = base asset or event,
#                           other_account = quote, price = max_price, order = lot_size, other_order = tick_value,
#                           lots = min_notional, left = max_notional, amount = max_lots, amount2 = home
MARKET_FEES: Final = 13  # market, flag = phase, side = access, tif = taker_delay, price = band,
#                          order = taker_fee, other_order = maker_fee, lots = protocol_share,
#                          left = insurance_share, amount = referrer_share, amount2 = guest_fee
EVENT_LISTED: Final = 14  # market = event, flag = outcomes, account = venue, other_account = asset,
#                           amount = unit
EVENT_RESOLVED: Final = 15  # market = event, flag = state, payouts = client_id0, client_id1, order,
#                             other_order (limbs, lowest first, bits of the u256)
VENUE_UPDATED: Final = 16  # market = venue, flag = access, side = state
CALENDAR_SET: Final = 17  # market = calendar, account = venue
ASSET_UPDATED: Final = 18  # market = asset
RESTARTED: Final = 19  # amount = ms of the gap
ORDER_WAITING: Final = 20  # order, account, market, side, tif, price, lots, amount = locked
ORDER_RESTED: Final = 21  # order, account, market, side, tif, price, lots, amount = locked
ORDER_AMENDED: Final = 22  # order, account, market, side, tif, price, lots = open, amount = locked,
#                            flag 1 = it left its place
ORDER_CANCELLED: Final = 23  # order, account, market, side, tif = reason, price, lots left
#                              (20, 21: flag = ORDER_REDUCE_ONLY, ORDER_FORCED; 20 to 23: left = cover, lots of the holding that it locks,
#                              amount2 = ppm that its interface or door takes)
FILL: Final = 24  # order = taker, other_order = maker, accounts, side of the taker, price, lots,
#                   left = maker's open lots, amount = all that the taker pays in fees,
#                   amount2 = all that the maker pays (negative = it receives)
FEES: Final = (
    25  # market, amount = venue, amount2 = insurance, left = protocol (of the fill before)
)
FEE_SHARE: Final = 26  # market, account = receiver, order = whose fee it is part of,
#                        flag 1 = interface or guest venue, 2 = referrer; amount
BAND_MOVED: Final = 27  # market, price = anchor
ITEM_REJECTED: Final = 30  # account, error, flag = item index
LEAF_REJECTED: Final = 31  # error; account as written in a well-formed envelope, else 0
MESSAGE_IGNORED: Final = 32  # error, leaf = inbox index
PLAN_PLACED: Final = (
    33  # order = plan, other_order = parent, account, market, side, tif = plan kind,
)
#                          flag = source | grouping << 4, price = trigger, lots, left = limit price
PLAN_ARMED_NOW: Final = 34  # order = plan, account, market: it stands on its trigger level
PLAN_TRIGGERED: Final = 35  # order = plan, other_order = the order it sent, account, market,
#                             price = trigger, lots of that order
PLAN_FAILED: Final = 36  # order = plan, account, market, error: it fired and its order was refused
PLAN_CANCELLED: Final = 37  # order = plan, account, market, tif = reason
DEAD_MAN_SET: Final = 38  # account, amount = ms when it cancels, 0 = off
CANCEL_ALL_BEGUN: Final = 39  # account (0 = a market's), market (0 = all), side, tif = reason
CANCEL_ALL_DONE: Final = 40  # the same
ANNIHILATED: Final = 41  # account, market, lots of yes and no, amount paid for them
SPLIT: Final = 42  # account, market = event, lots, amount paid
MERGED: Final = 43  # account, market = event, lots, amount received
REDEEMED: Final = 44  # account, market, lots = yes, left = no, amount
ISSUED: Final = 45  # account, market = asset, amount, flag 1 = faucet, 2 = by the venue
INTERFACE_APPROVED: Final = (
    46  # account, other_account = interface, price = most ppm (0 = revoked),
)
#                                 amount = expires
ACCESS_GRANTED: Final = 47  # market = venue, order = owner, flag = mode, price = region,
#                             lots = class, amount = expires, amount2 = issued
ACCESS_REVOKED: Final = 48  # market = venue, order = owner, flag = mode
BALANCE_OPENED: Final = 49  # account, market = asset
BALANCE_CLOSED: Final = 50  # account, market = asset

# perpetuals; `flag` of the account columns and units as in docs/spec/perps.md and its chapters
PERP_TERMS: Final = 51  # market, account = feed, price = band_basis, other_account = band_listing,
#                         order = funding_cap, other_order = interest, lots = oi_lower, left = oi_upper,
#                         amount = impact_notional, amount2 = loss_cap, flag = tiers
MARGIN_TIER: Final = 52  # market, flag = tier, order = lower, price = imr, other_account = mmr
CROSS_APPROVED: Final = 53  # market, amount = weight
RISK_SET: Final = 54  # market = venue, account = asset, amount = cap
FEED_SET: Final = 55  # market = feed, account = venue, flag = providers, side = quorum
PRICE_SET: Final = 56  # market = feed, flag = place, amount = price, amount2 = time
INCIDENT: Final = (
    57  # market = feed, account = provider, error = TWO_PRICES, DEVIATION; amount = price
)
PRICE_STATE: Final = 58  # market, flag = state
MARK_SET: Final = 59  # market, price = mark, other_account = index: one of them changed
FUNDING_SET: Final = 60  # market, amount = rate, amount2 = index
FUNDING_PAID: Final = 61  # account, market, amount (negative = received)
LEVERAGE_SET: Final = 62  # account, market, flag = mode, amount = leverage
ALLOWANCE_SET: Final = 63  # account, market = venue, other_account = asset, amount
POOL_MOVED: Final = (
    64  # account, market = pool's market, order = venue, other_order = asset, amount in
)
POOL_RELEASED: Final = 65  # the same, amount = claim given up, amount2 = haircut
MARGIN_ADJUSTED: Final = 66  # the same, amount = kept
REALISED: Final = 67  # account, market, amount moved from position to pool
FUND_CHANGED: Final = (
    68  # market = venue, account = asset, amount = fund, amount2 = what came over the wall for it
)
#                         (negative = left), other_account = from or to whom, 0 = slashed stake
DEFICIT: Final = 69  # market = venue, account = asset, amount = new loss, amount2 = deficit
DEFICIT_REPAID: Final = 70  # market = venue, account = asset, amount = repaid, amount2 = deficit
LIQUIDATION_BEGUN: Final = 71  # account, market = pool's market, amount = E, amount2 = MM
LIQUIDATION_ENDED: Final = 72  # account, market = pool's market
FORCED_ORDER: Final = 73  # order, account, market, side, price, lots
TAKEOVER: Final = 74  # account, other_account = fund's, market, lots, amount = e, amount2 = c
ADL_BEGUN: Final = 75  # market
ADL_FILL: Final = 76  # account, market, lots (signed change), amount = paid (negative = got),
#                       flag = ADL_CROSSED, ADL_GAVE, ADL_CLOSED
ADL_DONE: Final = 77  # market, price = L, lots = Q, order = S(L), other_order = S(L - 1),
#                       amount = charge, amount2 = raised
SETTLEMENT_BEGUN: Final = 78  # market, price
POSITION_SETTLED: Final = 79  # account, market, lots, amount = result
SETTLEMENT_DONE: Final = 80  # market, amount = shortfall, amount2 = cut from gains

FORCED_ANSWERED: Final = 81  # account, order = outbox id, flag = kind of the message, error, amount

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
