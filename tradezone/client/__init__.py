"""What a trader's program needs: keys, envelopes, and the states of its orders. No server, no engine.

Receipts are checked with `tradezone.verifier`.
"""

from __future__ import annotations

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
from tradezone.client.signer import Signer, readdress_credential, sign_credential
from tradezone.client.signing import ClientError, NonceSource, PrivateKey, to_checksum_address
from tradezone.client.states import OrderState, OrderTracker, TrackedOrder, TrackedPlan

__all__ = [
    "Asset",
    "ClientError",
    "Instrument",
    "Leg",
    "Market",
    "NonceSource",
    "NotAMultipleError",
    "OrderState",
    "OrderTracker",
    "OutcomeMarket",
    "PrivateKey",
    "Signer",
    "TrackedOrder",
    "TrackedPlan",
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
    "to_checksum_address",
    "to_client_id",
    "to_decimal",
    "to_fraction",
    "to_ppm",
]
