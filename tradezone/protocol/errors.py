"""Stable error codes: what a receipt, an event and the API say about an action that did not succeed.

Codes are part of the protocol (results are in receipts) and are never reused. The engine only ever
records a code; the text and hint here are for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Code(IntEnum):
    """Result of an action or of one of its items. 0 means done."""

    OK = 0
    # the envelope as a whole (1..39)
    MALFORMED = 1
    UNKNOWN_ACTION = 2
    ACCOUNT_NOT_FOUND = 3
    KEY_NOT_FOUND = 4
    KEY_NOT_OF_OWNER = 5
    BAD_SIGNATURE = 6
    NONCE_USED = 7
    NONCE_OUT_OF_WINDOW = 8
    EXPIRED = 9
    EXPIRES_TOO_FAR = 10
    KEY_EXPIRED = 11
    KEY_SCOPE = 12
    KEY_ACCOUNT = 13
    # 14 is reserved
    STALE_L1 = 15
    UNEXPECTED_LEAF = 16
    QUOTA_EXCEEDED = 17
    # orders (40..79)
    MARKET_NOT_FOUND = 40
    MARKET_CLOSED = 41
    PRICE_OUT_OF_RANGE = 42
    LOTS_OUT_OF_RANGE = 43
    NOTIONAL_TOO_SMALL = 44
    NOTIONAL_TOO_LARGE = 45
    BAD_ORDER_FIELD = 46
    ORDER_EXPIRED = 47
    INSUFFICIENT_BALANCE = 48
    TOO_MANY_ORDERS = 49
    TOO_MANY_BALANCES = 50
    CLIENT_ID_IN_USE = 51
    BUCKET_FULL = 52
    POST_ONLY_WOULD_CROSS = 53
    ORDER_NOT_FOUND = 54
    NOT_ORDER_OWNER = 55
    NOT_A_SHRINK = 56
    ORDER_WAITING = 57
    KEY_VENUE = 58
    KEY_NOTIONAL = 59
    INTERFACE_NOT_APPROVED = 60
    FOK_NOT_FILLED = 61
    TABLE_FULL = 62
    ACCESS_DENIED = 63
    PRICE_BAND = 64
    NOTHING_TO_REDUCE = 65
    OPEN_INTEREST_CAP = 66
    ACCOUNT_CAP = 67
    TOO_MANY_PLANS = 68
    PLAN_NOT_FOUND = 69
    PARENT_NOT_FOUND = 70
    TOO_MANY_HOLDINGS = 71
    NOT_ENOUGH_SETS = 72
    BUSY = 73
    EVENT_NOT_FOUND = 74
    EVENT_SETTLED = 75
    NOT_SETTLED = 76
    BAD_PLAN = 77
    # money and keys (80..99)
    ASSET_NOT_FOUND = 80
    AMOUNT_OUT_OF_RANGE = 81
    KEY_LIMIT = 82
    ACCOUNT_LIMIT = 83
    BAD_KEY = 84
    CANNOT_REVOKE_OWNER_KEY = 85
    NOT_SAME_KIND = 86
    NO_FAUCET = 87
    FAUCET_TOO_SOON = 88
    ASSET_CAP = 89
    NOT_VENUE_OWNER = 90
    BALANCE_IN_USE = 91
    TOO_MANY_APPROVALS = 92
    BAD_APPROVAL = 93
    BAD_CREDENTIAL = 94
    OWNER_NOT_FOUND = 95
    # inbox messages (100..)
    UNKNOWN_MESSAGE = 100
    OWNER_MISMATCH = 101
    BAD_PARAMETERS = 102
    NOT_NEXT_ID = 103
    VENUE_NOT_FOUND = 104
    # perpetuals (120..)
    INSUFFICIENT_MARGIN = 120
    POSITION_TOO_LARGE = 121
    TOO_MANY_POOLS = 122
    TOO_MANY_POSITIONS = 123
    POOL_NOT_FOUND = 124
    POOL_BUSY = 125
    BAD_LEVERAGE = 126
    POSITION_OPEN = 127
    LEDGER_SHORT = 128
    VENUE_CAP = 129
    FEED_NOT_FOUND = 130
    BAD_PRICE = 131
    PRICE_TOO_OLD = 132
    NOT_ELIGIBLE = 133
    TWO_PRICES = 134
    DEVIATION = 135


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and what to do about it."""

    text: str
    hint: str


EXPLANATIONS: Final[dict[Code, Explanation]] = {
    Code.OK: Explanation("done", ""),
    Code.MALFORMED: Explanation(
        "the envelope does not decode",
        "build it with tradezone.client or see docs/spec/envelopes.md",
    ),
    Code.UNKNOWN_ACTION: Explanation("no such action kind", "see docs/spec/envelopes.md"),
    Code.ACCOUNT_NOT_FOUND: Explanation(
        "no account with this id", "deposit or register on L1 first; the id comes with the receipt"
    ),
    Code.KEY_NOT_FOUND: Explanation("no active key in this slot", "it may have been revoked"),
    Code.KEY_NOT_OF_OWNER: Explanation("the key belongs to another owner", "check the key slot"),
    Code.BAD_SIGNATURE: Explanation(
        "the recovered signer is not the key's address",
        "check chain id and contract of the EIP-712 domain, account, key and nonce",
    ),
    Code.NONCE_USED: Explanation(
        "the nonce is not above its cell", "use a fresh millisecond timestamp for every envelope"
    ),
    Code.NONCE_OUT_OF_WINDOW: Explanation(
        "the nonce is not within 2 days before and 1 day after block time", "check your clock"
    ),
    Code.EXPIRED: Explanation("expires_after has passed", "the action was not executed"),
    Code.EXPIRES_TOO_FAR: Explanation(
        "expires_after is more than a day ahead of block time", "use a nearer time"
    ),
    Code.KEY_EXPIRED: Explanation("the key has expired", "approve a new one with the owner key"),
    Code.KEY_SCOPE: Explanation("the key may not sign this action", "sign with the owner key"),
    Code.KEY_ACCOUNT: Explanation("the key is for another account", "use the account it names"),
    Code.STALE_L1: Explanation(
        "the zone has not heard from L1 for an hour", "only cancels are accepted until it has"
    ),
    Code.UNEXPECTED_LEAF: Explanation("an input that has no place here", "recorded as a no-op"),
    Code.QUOTA_EXCEEDED: Explanation(
        "the owner's action quota is used up",
        "cancel or wait: one action every 10 s is free; protocol fees paid buy more",
    ),
    Code.MARKET_NOT_FOUND: Explanation("no market in this slot", "list the markets"),
    Code.MARKET_CLOSED: Explanation("the market does not take this order now", "see its phase"),
    Code.PRICE_OUT_OF_RANGE: Explanation(
        "price must be 1 .. max_price ticks", "prices are whole ticks"
    ),
    Code.LOTS_OUT_OF_RANGE: Explanation("lots must be 1 .. max_lots", "sizes are whole lots"),
    Code.NOTIONAL_TOO_SMALL: Explanation("notional is below the market's minimum", ""),
    Code.NOTIONAL_TOO_LARGE: Explanation("notional is above the market's maximum", ""),
    Code.BAD_ORDER_FIELD: Explanation("side, tif, stp or flags are out of range", ""),
    Code.ORDER_EXPIRED: Explanation("the order's own expiry has passed", ""),
    Code.INSUFFICIENT_BALANCE: Explanation(
        "the free balance does not cover the lock",
        "a buy locks notional and worst fee in the quote asset, a sell its lots in the base asset",
    ),
    Code.TOO_MANY_ORDERS: Explanation("the account has 1000 open orders", "cancel some"),
    Code.TOO_MANY_BALANCES: Explanation("the account holds 256 assets", "use a sub-account"),
    Code.CLIENT_ID_IN_USE: Explanation("an open order of the account has this client id", ""),
    Code.BUCKET_FULL: Explanation("the bucket of this client id is full", "use a random id"),
    Code.POST_ONLY_WOULD_CROSS: Explanation("a post-only order would have taken", "reprice it"),
    Code.ORDER_NOT_FOUND: Explanation("no such open order", "it was filled or cancelled"),
    Code.NOT_ORDER_OWNER: Explanation("the order belongs to another account", ""),
    Code.NOT_A_SHRINK: Explanation(
        "a shrink must keep the price and may not raise the size", "use another amend mode"
    ),
    Code.ORDER_WAITING: Explanation(
        "the order is waiting to execute", "it can be cancelled, which turns its rest into IOC"
    ),
    Code.KEY_VENUE: Explanation("the key may not trade on this venue", ""),
    Code.KEY_NOTIONAL: Explanation("the order is above the key's notional bound", ""),
    Code.INTERFACE_NOT_APPROVED: Explanation("the account has not approved this interface", ""),
    Code.FOK_NOT_FILLED: Explanation("the book could not fill the order whole", ""),
    Code.TABLE_FULL: Explanation("the zone has no room left in this table", ""),
    Code.ACCESS_DENIED: Explanation("the venue's access rule does not admit this account", ""),
    Code.PRICE_BAND: Explanation(
        "the price is outside the market's price band", "the band stands around the last prices"
    ),
    Code.NOTHING_TO_REDUCE: Explanation("a reduce-only order would not reduce", ""),
    Code.OPEN_INTEREST_CAP: Explanation("the market's open interest is at its cap", ""),
    Code.ACCOUNT_CAP: Explanation("the account would pass its share of the market", ""),
    Code.TOO_MANY_PLANS: Explanation("the account has 100 plans", "cancel some"),
    Code.PLAN_NOT_FOUND: Explanation("no such plan", "it fired or was cancelled"),
    Code.PARENT_NOT_FOUND: Explanation("the order that the plan should follow is not open", ""),
    Code.TOO_MANY_HOLDINGS: Explanation("the account holds 256 outcomes", "use a sub-account"),
    Code.NOT_ENOUGH_SETS: Explanation("the account does not hold that many complete sets", ""),
    Code.BUSY: Explanation("an earlier cancel-all is not done yet", "it goes on by itself"),
    Code.EVENT_NOT_FOUND: Explanation("no such event, or not all its outcomes are listed", ""),
    Code.EVENT_SETTLED: Explanation("the event is resolved", "holdings are paid out"),
    Code.NOT_SETTLED: Explanation("the event is not resolved yet", ""),
    Code.BAD_PLAN: Explanation("a field of the plan is out of range", ""),
    Code.ASSET_NOT_FOUND: Explanation("no such asset", ""),
    Code.AMOUNT_OUT_OF_RANGE: Explanation("the amount is zero or above the free balance", ""),
    Code.KEY_LIMIT: Explanation("the owner has 32 keys", "revoke one"),
    Code.ACCOUNT_LIMIT: Explanation("the owner has 64 accounts", ""),
    Code.BAD_KEY: Explanation("key fields are out of range", ""),
    Code.CANNOT_REVOKE_OWNER_KEY: Explanation("the owner key cannot be revoked", ""),
    Code.NOT_SAME_KIND: Explanation("simulated and real assets never meet", ""),
    Code.NO_FAUCET: Explanation("the asset has no faucet", "its venue issues it"),
    Code.FAUCET_TOO_SOON: Explanation("the last claim was too short ago", ""),
    Code.ASSET_CAP: Explanation("the zone takes no more of this asset", ""),
    Code.NOT_VENUE_OWNER: Explanation("only the owner of the venue may do this", ""),
    Code.BALANCE_IN_USE: Explanation("the balance is not empty or orders name it", ""),
    Code.TOO_MANY_APPROVALS: Explanation("the account has 64 approvals", ""),
    Code.BAD_APPROVAL: Explanation("fields of the approval are out of range", ""),
    Code.BAD_CREDENTIAL: Explanation(
        "the credential is expired, not newer, not of this owner or not admitted", ""
    ),
    Code.OWNER_NOT_FOUND: Explanation("no such owner", ""),
    Code.UNKNOWN_MESSAGE: Explanation("an inbox message this version does not act on", ""),
    Code.OWNER_MISMATCH: Explanation("owner id and address do not agree", ""),
    Code.BAD_PARAMETERS: Explanation("parameters are outside the protocol's bounds", ""),
    Code.NOT_NEXT_ID: Explanation("ids are given out in order", ""),
    Code.VENUE_NOT_FOUND: Explanation("no such venue", ""),
    Code.INSUFFICIENT_MARGIN: Explanation(
        "margin is short of what the order needs", "add margin, or lower size or leverage"
    ),
    Code.POSITION_TOO_LARGE: Explanation("position and orders pass the protocol's bound", ""),
    Code.TOO_MANY_POOLS: Explanation("the account has 64 margin pools", "use a sub-account"),
    Code.TOO_MANY_POSITIONS: Explanation("the pool holds 64 positions", "use a sub-account"),
    Code.POOL_NOT_FOUND: Explanation("no such margin pool or ledger", ""),
    Code.POOL_BUSY: Explanation(
        "the pool is being liquidated", "adding margin and reducing by force are all it takes"
    ),
    Code.BAD_LEVERAGE: Explanation(
        "leverage or margin mode is not allowed here", "cross needs an approved market"
    ),
    Code.POSITION_OPEN: Explanation("a position or order of the market is open", "close it first"),
    Code.LEDGER_SHORT: Explanation("the venue's ledger cannot pay this out now", ""),
    Code.VENUE_CAP: Explanation("the venue's stake carries no more open interest", ""),
    Code.FEED_NOT_FOUND: Explanation("no such feed or provider", ""),
    Code.BAD_PRICE: Explanation("price or its time is out of range", ""),
    Code.PRICE_TOO_OLD: Explanation("the provider has spoken since", "times strictly rise"),
    Code.NOT_ELIGIBLE: Explanation("the objective test is not met", ""),
    Code.TWO_PRICES: Explanation("a provider signed two prices for one time", ""),
    Code.DEVIATION: Explanation("a provider's price is far from the others' median", ""),
}
