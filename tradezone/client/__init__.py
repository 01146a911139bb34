"""What a trader's program needs: a zone's doors, keys, envelopes, and the states of its orders. No server, no engine.

Receipts are checked with `tradezone.verifier`.
"""

from __future__ import annotations

from tradezone.client.errors import (
    BusyError,
    DisconnectedError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    RejectedError,
    SignatureError,
    UnauthorizedError,
    UnknownFateError,
    ZoneError,
)
from tradezone.client.instruments import (
    Asset,
    Instrument,
    Market,
    NotAMultipleError,
    OutcomeMarket,
    to_decimal,
    to_fraction,
    to_ppm,
)
from tradezone.client.orders import (
    Leg,
    build_amend,
    build_bracket,
    build_cancel,
    build_cancel_all,
    build_market_order,
    build_place,
    build_plan,
    build_pull,
    build_quote,
    build_set,
    to_client_id,
)
from tradezone.client.rest import Rest
from tradezone.client.session import SessionRequest, sign_session
from tradezone.client.signer import Signer, readdress_credential, sign_credential, sign_price
from tradezone.client.signing import ClientError, NonceSource, PrivateKey, to_checksum_address
from tradezone.client.states import OrderState, OrderTracker, TrackedOrder, TrackedPlan
from tradezone.client.stream import LocalBook, Stream
from tradezone.client.zone import Balance, BlockingZone, Order, Zone

__all__ = [
    "Asset",
    "Balance",
    "BlockingZone",
    "BusyError",
    "ClientError",
    "DisconnectedError",
    "Instrument",
    "Leg",
    "LocalBook",
    "Market",
    "NonceSource",
    "NotAMultipleError",
    "NotFoundError",
    "Order",
    "OrderState",
    "OrderTracker",
    "OutcomeMarket",
    "PrivateKey",
    "RateLimitedError",
    "RefusedError",
    "RejectedError",
    "Rest",
    "SessionRequest",
    "SignatureError",
    "Signer",
    "Stream",
    "TrackedOrder",
    "TrackedPlan",
    "UnauthorizedError",
    "UnknownFateError",
    "Zone",
    "ZoneError",
    "build_amend",
    "build_bracket",
    "build_cancel",
    "build_cancel_all",
    "build_market_order",
    "build_place",
    "build_plan",
    "build_pull",
    "build_quote",
    "build_set",
    "readdress_credential",
    "sign_credential",
    "sign_price",
    "sign_session",
    "to_checksum_address",
    "to_client_id",
    "to_decimal",
    "to_fraction",
    "to_ppm",
]
