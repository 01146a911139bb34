"""Write `envelopes.json`: golden vectors of envelopes, credentials and inbox messages, made without the code
under test.

    python tests/vectors/make_envelopes.py          rewrite the file
    python tests/vectors/make_envelopes.py --check   fail if it would change

Digests and signatures come from eth-account and eth-keys, leaves and messages from the packing written out
below; nothing here imports `tradezone`. So the file is an independent reading of `docs/spec/envelopes.md`,
for Python, Solidity, Vyper and TypeScript alike. Output is the same on every run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.backends.native import NativeECCBackend
from eth_keys.datatypes import Signature
from eth_utils import keccak

FILE = Path(__file__).with_name("envelopes.json")

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = ORDER // 2
NOW = 1_767_225_600_000  # ms

DOMAIN = {
    "name": "TradeZone",
    "version": "1",
    "chainId": 196,
    "verifyingContract": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
}
OTHER_DOMAIN = {**DOMAIN, "chainId": 1952}
DOMAIN_FIELDS = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
]

OWNER = "0x" + "11" * 32  # well-known test keys: never fund them
AGENT = "0x" + "22" * 32
PROVIDER = "0x" + "33" * 32

PREFIX = [("account", "uint32"), ("key", "uint64"), ("nonce", "uint64"), ("expiresAfter", "uint64")]
TRADE = [*PREFIX, ("action", "uint8"), ("items", "bytes")]
TYPED = {
    10: ("Transfer", [("toAccount", "uint32"), ("asset", "uint32"), ("amount", "uint64")]),
    11: ("Withdraw", [("asset", "uint32"), ("amount", "uint64")]),
    12: (
        "ApproveKey",
        [
            ("agent", "address"),
            ("onlyAccount", "uint32"),
            ("onlyVenue", "uint32"),
            ("scope", "uint8"),
            ("expires", "uint64"),
            ("maxNotional", "uint64"),
            ("name", "bytes8"),
        ],
    ),
    13: ("RevokeKey", [("revokedKey", "uint64")]),
    14: ("CreateAccount", []),
    15: ("Noop", []),
    19: (
        "ApproveInterface",
        [("interface", "uint32"), ("maxFee", "uint32"), ("expires", "uint64")],
    ),
    21: ("Faucet", [("asset", "uint32")]),
    24: ("Issue", [("asset", "uint32"), ("toAccount", "uint32"), ("amount", "uint64")]),
    25: ("GrantAccess", [("venue", "uint32"), ("grantee", "uint32"), ("expires", "uint64")]),
    26: ("RevokeAccess", [("venue", "uint32"), ("grantee", "uint32")]),
    27: ("OpenBalance", [("asset", "uint32")]),
    28: ("CloseBalance", [("asset", "uint32")]),
    16: ("Allowance", [("venue", "uint32"), ("asset", "uint32"), ("amount", "uint64")]),
    18: (
        "AdjustMargin",
        [
            ("venue", "uint32"),
            ("asset", "uint32"),
            ("market", "uint32"),
            ("direction", "uint8"),
            ("amount", "uint64"),
        ],
    ),
    29: ("Fund", [("venue", "uint32"), ("asset", "uint32"), ("amount", "uint64")]),
    30: ("Defund", [("venue", "uint32"), ("asset", "uint32"), ("amount", "uint64")]),
}
ITEMS = {
    1: [
        ("market", 4),
        ("price", 4),
        ("lots", 8),
        ("side", 1),
        ("tif", 1),
        ("stp", 1),
        ("flags", 1),
        ("expires", 8),
        ("client_id", 16),
        ("interface", 4),
        ("interface_fee", 4),
    ],
    2: [("order", 8), ("client_id", 16), ("price", 4), ("lots", 8), ("mode", 1)],
    3: [("order", 8), ("client_id", 16)],
    4: [("market", 4), ("side", 1)],
    5: [
        ("market", 4),
        ("price", 4),
        ("lots", 8),
        ("side", 1),
        ("tif", 1),
        ("stp", 1),
        ("expires", 8),
        ("client_id", 16),
    ],
    6: [("timeout", 4)],
    7: [
        ("market", 4),
        ("side", 1),
        ("kind", 1),
        ("source", 1),
        ("grouping", 1),
        ("trigger", 4),
        ("price", 4),
        ("lots", 8),
        ("tif", 1),
        ("stp", 1),
        ("flags", 1),
        ("slippage", 4),
        ("expires", 8),
        ("parent", 8),
        ("parent_client_id", 16),
        ("interface", 4),
        ("interface_fee", 4),
    ],
    8: [("group", 4), ("lots", 8)],
    9: [("group", 4), ("lots", 8)],
    22: [("plan", 8)],
    23: [("market", 4)],
    17: [("market", 4), ("mode", 1), ("leverage", 4)],
    20: [("account", 4), ("venue", 4), ("asset", 4), ("market", 4)],
}
# of a credential leaf, behind its kind byte; the signature covers all but the first field
CREDENTIAL = [
    ("venue", "uint32"),
    ("owner", "uint32"),
    ("subject", "address"),
    ("region", "uint32"),
    ("class", "uint16"),
    ("issued", "uint64"),
    ("expires", "uint64"),
]
DAYS, CLOSURES = range(7), range(4)
PLACES, TIERS = range(8), range(4)
PERP = [
    ("fundingCap", "uint32"),
    ("interest", "uint32"),
    ("impactNotional", "uint64"),
    ("bandListing", "uint32"),
    ("bandBasis", "uint32"),
    ("oiLower", "uint64"),
    ("oiUpper", "uint64"),
    ("lossCap", "uint64"),
    *(
        (f"{name}{k}", kind)
        for k in TIERS
        for name, kind in (("lower", "uint64"), ("imr", "uint32"), ("mmr", "uint32"))
    ),
]
FORCED = [("owner", "uint32"), ("address", "address")]
MESSAGES = {
    1: [("owner", "uint32"), ("address", "address"), ("asset", "uint32"), ("amount", "uint64")],
    2: [("owner", "uint32"), ("address", "address"), ("referrer", "uint32"), ("kind", "uint8")],
    3: [("batch", "uint64")],
    4: [
        ("asset", "uint32"),
        ("token", "address"),
        ("kind", "uint8"),
        ("decimals", "uint8"),
        ("quantum", "uint64"),
        ("cap", "uint64"),
        ("venue", "uint32"),
    ],
    5: [("venue", "uint32"), ("owner", "uint32"), ("access", "uint8"), ("stake", "uint64")],
    6: [
        ("market", "uint32"),
        ("id", "uint32"),
        ("venue", "uint32"),
        ("kind", "uint8"),
        ("base", "uint32"),
        ("quote", "uint32"),
        ("lotSize", "uint64"),
        ("tickValue", "uint64"),
        ("minNotional", "uint64"),
        ("maxNotional", "uint64"),
        ("maxLots", "uint64"),
        ("maxPrice", "uint32"),
        ("takerFee", "int32"),
        ("makerFee", "int32"),
        ("protocolShare", "uint32"),
        ("insuranceShare", "uint32"),
        ("takerDelay", "uint8"),
        ("effectiveAt", "uint64"),
    ],
    7: [
        ("venue", "uint32"),
        ("state", "uint8"),
        ("access", "uint8"),
        ("credentialProvider", "address"),
        ("minClass", "uint16"),
        ("regions", "uint64"),
        ("stake", "uint64"),
    ],
    8: [
        ("market", "uint32"),
        ("phase", "uint8"),
        ("access", "uint8"),
        ("takerDelay", "uint8"),
        ("calendar", "uint16"),
        ("takerFee", "int32"),
        ("makerFee", "int32"),
        ("protocolShare", "uint32"),
        ("insuranceShare", "uint32"),
        ("referrerShare", "uint32"),
        ("guestFee", "uint32"),
        ("band", "uint32"),
        ("minNotional", "uint64"),
        ("maxNotional", "uint64"),
        ("maxLots", "uint64"),
        ("openInterestCap", "uint64"),
        ("accountCap", "uint64"),
        ("closes", "uint64"),
        ("effectiveAt", "uint64"),
    ],
    9: [
        ("group", "uint32"),
        ("venue", "uint32"),
        ("asset", "uint32"),
        ("outcomes", "uint8"),
        ("unit", "uint64"),
        ("voidPayouts", "bytes32"),
    ],
    10: [
        ("market", "uint32"),
        ("id", "uint32"),
        ("group", "uint32"),
        ("tickValue", "uint64"),
        ("minNotional", "uint64"),
        ("maxNotional", "uint64"),
        ("maxLots", "uint64"),
        ("takerFee", "int32"),
        ("makerFee", "int32"),
        ("protocolShare", "uint32"),
        ("insuranceShare", "uint32"),
        ("takerDelay", "uint8"),
        ("effectiveAt", "uint64"),
        ("closes", "uint64"),
    ],
    11: [
        ("market", "uint32"),
        ("id", "uint32"),
        ("venue", "uint32"),
        ("home", "uint32"),
        ("guestFee", "uint32"),
        ("effectiveAt", "uint64"),
    ],
    12: [
        ("calendar", "uint32"),
        ("venue", "uint32"),
        *((f"{edge}{day}", "uint16") for day in DAYS for edge in ("open", "close")),
        *((f"{edge}{n}", "uint64") for n in CLOSURES for edge in ("from", "to")),
    ],
    13: [
        ("market", "uint32"),
        ("id", "uint32"),
        ("venue", "uint32"),
        ("quote", "uint32"),
        ("feed", "uint32"),
        ("feedScale", "uint64"),
        ("tickValue", "uint64"),
        ("minNotional", "uint64"),
        ("maxNotional", "uint64"),
        ("maxLots", "uint64"),
        ("maxPrice", "uint32"),
        ("takerFee", "int32"),
        ("makerFee", "int32"),
        ("protocolShare", "uint32"),
        ("insuranceShare", "uint32"),
        ("takerDelay", "uint8"),
        ("calendar", "uint16"),
        ("band", "uint32"),
        ("openInterestCap", "uint64"),
        ("accountCap", "uint64"),
        ("closes", "uint64"),
        ("effectiveAt", "uint64"),
        *PERP,
    ],
    14: [("market", "uint32"), *PERP],
    15: [("market", "uint32"), ("weight", "uint32")],
    16: [*FORCED, ("account", "uint32"), ("asset", "uint32"), ("amount", "uint64")],
    17: [*FORCED, ("account", "uint32"), ("market", "uint32"), ("position", "uint32")],
    18: [*FORCED, ("account", "uint32")],
    19: [
        *FORCED,
        ("agent", "address"),
        ("onlyAccount", "uint32"),
        ("onlyVenue", "uint32"),
        ("scope", "uint8"),
        ("expires", "uint64"),
        ("maxNotional", "uint64"),
        ("name", "bytes8"),
    ],
    20: [*FORCED, ("revokedKey", "uint64")],
    21: [*FORCED, ("to", "address")],
    32: [
        ("feed", "uint32"),
        ("venue", "uint32"),
        ("quorum", "uint8"),
        ("heartbeat", "uint32"),
        ("deviation", "uint32"),
        ("breaker", "uint32"),
        *(
            (f"{name}{place}", kind)
            for place in PLACES
            for name, kind in (("provider", "uint32"), ("signer", "address"))
        ),
    ],
    33: [
        ("feed", "uint32"),
        ("provider", "uint32"),
        ("signer", "address"),
        ("price", "uint64"),
        ("time", "uint64"),
    ],
    49: [("venue", "uint32"), ("asset", "uint32"), ("amount", "uint64")],
    50: [("venue", "uint32"), ("asset", "uint32"), ("cap", "uint64")],
    34: [("group", "uint32"), ("state", "uint8"), ("payouts", "bytes32")],
    48: [
        ("asset", "uint32"),
        ("quotaRate", "uint64"),
        ("quotaDeposit", "uint64"),
        ("faucetAmount", "uint64"),
        ("faucetInterval", "uint64"),
    ],
}
ACTION_AT, ITEMS_AT, SIZE_AT, BODY_AT = 30, 31, 32, 34
WIDTHS = {
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "int32": 4,
    "uint64": 8,
    "bytes8": 8,
    "address": 20,
    "bytes32": 32,
}


def to_bytes(value, width):
    if isinstance(value, str):
        raw = bytes.fromhex(value[2:])
        assert len(raw) == width, (value, width)
        return raw
    return value.to_bytes(width, "big", signed=value < 0)


def typed_data(name, fields, message, domain):
    as_types = lambda pairs: [{"name": n, "type": t} for n, t in pairs]  # noqa: E731
    return encode_typed_data(
        full_message={
            "domain": domain,
            "types": {"EIP712Domain": as_types(DOMAIN_FIELDS), name: as_types(fields)},
            "primaryType": name,
            "message": message,
        }
    )


def digest_of(signable):
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def recover(digest, r, s, v):
    """Recover an address in plain Python; None where the curve has no such point."""
    signature = Signature(vrs=(v - 27, r, s), backend=NativeECCBackend())
    try:
        return signature.recover_public_key_from_msg_hash(digest).to_checksum_address()
    except Exception:  # noqa: BLE001 -- whatever it is, there is no signer
        return None


BIG = {n for layout in ITEMS.values() for n, w in layout if w == 8}
TYPED_LAYOUTS = [*(layout for _, layout in TYPED.values()), CREDENTIAL, *MESSAGES.values()]
BIG |= {n for layout in TYPED_LAYOUTS for n, t in layout if t == "uint64"}


def with_big_numbers_as_text(fields):
    """JSON numbers end at 2^53 in some readers: every u64 field is a decimal string."""
    if isinstance(fields, list):
        return [with_big_numbers_as_text(item) for item in fields]
    return {n: str(v) if n in BIG else v for n, v in fields.items()}


def envelope(name, action, fields, *, signing_key=AGENT, leaf_class=1, domain=DOMAIN, **overrides):
    """One well-formed envelope: ``fields`` is the typed body, or the list of items."""
    head = {
        "account": 7,
        "key": (2 << 32) | 3,
        "nonce": NOW + 1,
        "expiresAfter": NOW + 30_000,
        **overrides,
    }
    if action in ITEMS:
        body = b"".join(to_bytes(item[n], w) for item in fields for n, w in ITEMS[action])
        count = len(fields)
        signable = typed_data("Trade", TRADE, {**head, "action": action, "items": body}, domain)
        primary = "Trade"
    else:
        primary, layout = TYPED[action]
        body = b"".join(to_bytes(fields[n], WIDTHS[t]) for n, t in layout)
        count = 1
        signable = typed_data(primary, [*PREFIX, *layout], {**head, **fields}, domain)
    signed = Account.from_key(signing_key).sign_message(signable)
    leaf = (
        bytes([2, 1])
        + head["account"].to_bytes(4, "big")
        + head["key"].to_bytes(8, "big")
        + head["nonce"].to_bytes(8, "big")
        + head["expiresAfter"].to_bytes(8, "big")
        + bytes([action, count])
        + len(body).to_bytes(2, "big")
        + body
        + bytes(signed.signature)
    )
    return {
        "name": name,
        "primary_type": primary,
        "action": action,
        **{k: str(v) if k in ("key", "nonce", "expiresAfter") else v for k, v in head.items()},
        "items": count,
        "fields": with_big_numbers_as_text(fields),
        "body": "0x" + body.hex(),
        "struct_hash": "0x" + bytes(signable.body).hex(),
        "digest": "0x" + digest_of(signable).hex(),
        "signature": "0x" + bytes(signed.signature).hex(),
        "signer": Account.from_key(signing_key).address,
        "leaf": "0x" + leaf.hex(),
        "leaf_hash": "0x" + keccak(leaf).hex(),
        "class": leaf_class,
    }


def place(**changes):
    item = {
        "market": 1,
        "price": 58_533,
        "lots": 1_000,
        "side": 0,
        "tif": 0,
        "stp": 0,
        "flags": 0,
        "expires": 0,
        "client_id": "0x" + "00" * 16,
        "interface": 0,
        "interface_fee": 0,
    }
    return {**item, **changes}


def amend(**changes):
    return {
        "order": (5 << 32) | 9,
        "client_id": "0x" + "00" * 16,
        "price": 58_540,
        "lots": 900,
        "mode": 0,
        **changes,
    }


def cancel(**changes):
    return {"order": (5 << 32) | 9, "client_id": "0x" + "00" * 16, **changes}


def quote(**changes):
    return {
        "market": 1,
        "price": 58_500,
        "lots": 700,
        "side": 0,
        "tif": 1,
        "stp": 0,
        "expires": 0,
        "client_id": "0x" + "0a" * 16,
        **changes,
    }


def plan(**changes):
    return {
        "market": 1,
        "side": 1,
        "kind": 1,
        "source": 0,
        "grouping": 0,
        "trigger": 57_000,
        "price": 0,
        "lots": 1_000,
        "tif": 5,
        "stp": 0,
        "flags": 0,
        "slippage": 10_000,
        "expires": 0,
        "parent": 0,
        "parent_client_id": "0x" + "00" * 16,
        "interface": 0,
        "interface_fee": 0,
        **changes,
    }


def credential(name, *, signing_key=PROVIDER, **changes):
    """One credential leaf, signed by its provider."""
    fields = {
        "venue": 2,
        "owner": 5,
        "subject": Account.from_key(OWNER).address,
        "region": 12,
        "class": 3,
        "issued": NOW - 3_600_000,
        "expires": NOW + 30 * 86_400_000,
        **changes,
    }
    signed_fields = CREDENTIAL[1:]
    message = {n: fields[n] for n, _ in signed_fields}
    signable = typed_data("Credential", signed_fields, message, DOMAIN)
    signed = Account.from_key(signing_key).sign_message(signable)
    body = b"".join(to_bytes(fields[n], WIDTHS[t]) for n, t in CREDENTIAL)
    leaf = bytes([5]) + body + bytes(signed.signature)
    return {
        "name": name,
        "fields": with_big_numbers_as_text(fields),
        "struct_hash": "0x" + bytes(signable.body).hex(),
        "digest": "0x" + digest_of(signable).hex(),
        "signature": "0x" + bytes(signed.signature).hex(),
        "signer": Account.from_key(signing_key).address,
        "leaf": "0x" + leaf.hex(),
        "leaf_hash": "0x" + keccak(leaf).hex(),
        "class": 0,
    }


def credentials():
    full = 2**64 - 1
    return [
        credential("credential"),
        credential("the same for another venue", venue=9),
        credential(
            "credential, every field full",
            venue=2**32 - 1,
            owner=2**32 - 1,
            subject="0x" + "ff" * 20,
            region=2**32 - 1,
            issued=full,
            expires=full,
            **{"class": 2**16 - 1},
        ),
        credential(
            "credential, all zero",
            **dict.fromkeys((n for n, _ in CREDENTIAL), 0) | {"subject": "0x" + "00" * 20},
        ),
    ]


def payouts_of(*fractions):
    """A payout vector: u16 an outcome, outcome 0 first, zeros behind."""
    return "0x" + b"".join(f.to_bytes(2, "big") for f in fractions).ljust(32, b"\0").hex()


def messages():
    """One message of every kind, in one chain of prefix hashes."""
    address = Account.from_key(OWNER).address
    terms = {"minNotional": 10**6, "maxNotional": 10**15, "maxLots": 10**9}
    fees = {"takerFee": 500, "makerFee": -100, "protocolShare": 200_000, "insuranceShare": 100_000}
    hours = {f"open{d}": 540 if d < 5 else 0 for d in DAYS} | {
        f"close{d}": 1_050 if d < 5 else 0 for d in DAYS
    }
    closed = {f"from{n}": NOW + n * 10**8 for n in CLOSURES} | {
        f"to{n}": NOW + n * 10**8 + 1 for n in CLOSURES
    }
    perp = {
        "fundingCap": 400_000,
        "interest": 100_000,
        "impactNotional": 10**10,
        "bandListing": 100_000,
        "bandBasis": 50_000,
        "oiLower": 10**13,
        "oiUpper": 10**14,
        "lossCap": 10**12,
        **{f"lower{k}": 10**12 * k if k < 2 else 0 for k in TIERS},
        **{f"imr{k}": 50_000 * (k + 1) if k < 2 else 0 for k in TIERS},
        **{f"mmr{k}": 25_000 * (k + 1) if k < 2 else 0 for k in TIERS},
    }
    forced = {"owner": 2, "address": address}
    bodies = [
        (1, {"owner": 2, "address": address, "asset": 1, "amount": 10**12}),
        (2, {"owner": 2, "address": address, "referrer": 1, "kind": 1}),
        (3, {"batch": 77}),
        (
            4,
            {
                "asset": 3,
                "token": "0x" + "cc" * 20,
                "kind": 2,
                "decimals": 6,
                "quantum": 10**12,
                "cap": 2**62 - 1,
                "venue": 0,
            },
        ),
        (5, {"venue": 2, "owner": 5, "access": 2, "stake": 10**12}),
        (
            6,
            {
                "market": 1,
                "id": 2 << 16 | 1,
                "venue": 2,
                "kind": 1,
                "base": 2,
                "quote": 1,
                "lotSize": 10**6,
                "tickValue": 100,
                **terms,
                "maxPrice": 10**6,
                **fees,
                "takerDelay": 3,
                "effectiveAt": NOW,
            },
        ),
        (
            7,
            {
                "venue": 2,
                "state": 1,
                "access": 2,
                "credentialProvider": Account.from_key(PROVIDER).address,
                "minClass": 3,
                "regions": 2**63 - 1,
                "stake": 10**12,
            },
        ),
        (
            8,
            {
                "market": 1,
                "phase": 1,
                "access": 1,
                "takerDelay": 5,
                "calendar": 4,
                **fees,
                "referrerShare": 50_000,
                "guestFee": 0,
                "band": 50_000,
                **terms,
                "openInterestCap": 10**16,
                "accountCap": 10**15,
                "closes": NOW + 10**10,
                "effectiveAt": NOW + 10**9,
            },
        ),
        (
            9,
            {
                "group": 1,
                "venue": 2,
                "asset": 1,
                "outcomes": 3,
                "unit": 10**6,
                "voidPayouts": payouts_of(3_334, 3_333, 3_333),
            },
        ),
        (
            10,
            {
                "market": 2,
                "id": 2 << 16 | 2,
                "group": 1,
                "tickValue": 10**4,
                **terms,
                **fees,
                "takerDelay": 3,
                "effectiveAt": NOW,
                "closes": NOW + 10**10,
            },
        ),
        (
            11,
            {
                "market": 3,
                "id": 4 << 16 | 1,
                "venue": 4,
                "home": 1,
                "guestFee": 1_000,
                "effectiveAt": NOW,
            },
        ),
        (12, {"calendar": 4, "venue": 2, **hours, **closed}),
        (
            32,
            {
                "feed": 1,
                "venue": 2,
                "quorum": 2,
                "heartbeat": 3_000,
                "deviation": 20_000,
                "breaker": 50_000,
                **{f"provider{i}": 40 + i if i < 3 else 0 for i in PLACES},
                **{f"signer{i}": "0x" + f"{0xC0 + i if i < 3 else 0:02x}" * 20 for i in PLACES},
            },
        ),
        (
            13,
            {
                "market": 4,
                "id": 2 << 16 | 3,
                "venue": 2,
                "quote": 1,
                "feed": 1,
                "feedScale": 10**7,
                "tickValue": 100,
                **terms,
                "maxPrice": 2**30,
                **fees,
                "takerDelay": 3,
                "calendar": 4,
                "band": 200_000,
                "openInterestCap": 10**14,
                "accountCap": 10**13,
                "closes": 0,
                "effectiveAt": NOW,
                **perp,
            },
        ),
        (14, {"market": 4, **perp}),
        (15, {"market": 4, "weight": 800_000}),
        (
            33,
            {
                "feed": 1,
                "provider": 41,
                "signer": "0x" + "c1" * 20,
                "price": 58_532 * 10**8,
                "time": NOW,
            },
        ),
        (16, forced | {"account": 9, "asset": 1, "amount": 10**12}),
        (17, forced | {"account": 9, "market": 4, "position": 77}),
        (18, forced | {"account": 9}),
        (
            19,
            forced
            | {
                "agent": Account.from_key(AGENT).address,
                "onlyAccount": 9,
                "onlyVenue": 2,
                "scope": 1,
                "expires": NOW + 10**9,
                "maxNotional": 10**12,
                "name": "0x" + b"forced".ljust(8, b"\0").hex(),
            },
        ),
        (20, forced | {"revokedKey": 3 << 32 | 12}),
        (21, forced | {"to": "0x" + "dd" * 20}),
        (34, {"group": 1, "state": 2, "payouts": payouts_of(0, 10_000, 0)}),
        (49, {"venue": 2, "asset": 1, "amount": 10**12}),
        (50, {"venue": 2, "asset": 1, "cap": 10**15}),
        (
            48,
            {
                "asset": 3,
                "quotaRate": 100,
                "quotaDeposit": 10**7,
                "faucetAmount": 0,
                "faucetInterval": 0,
            },
        ),
    ]
    sender = "0x" + "bb" * 20
    prefix, vectors = bytes(32), []
    for index, (kind, fields) in enumerate(bodies):
        payload = b"".join(to_bytes(fields[n], WIDTHS[t]) for n, t in MESSAGES[kind])
        head = {"index": index, "time": NOW // 1000 + index, "block": 10**6 + index}
        message = (
            bytes([kind])
            + head["index"].to_bytes(8, "big")
            + to_bytes(sender, 20)
            + head["time"].to_bytes(8, "big")
            + head["block"].to_bytes(8, "big")
            + payload
        )
        prefix = keccak(prefix + keccak(message))
        vectors.append(
            {
                "kind": kind,
                **{n: str(v) for n, v in head.items()},
                "sender": sender,
                "fields": with_big_numbers_as_text(fields),
                "payload": "0x" + payload.hex(),
                "message": "0x" + message.hex(),
                "prefix": "0x" + prefix.hex(),
            }
        )
    return vectors


def good():
    client = "0x000102030405060708090a0b0c0d0e0f"
    full = 2**64 - 1
    agent = {
        "agent": Account.from_key(AGENT).address,
        "onlyAccount": 7,
        "onlyVenue": 2,
        "scope": 1,
        "expires": NOW + 86_400_000,
        "maxNotional": 10**12,
        "name": "0x" + b"desk one".hex(),
    }
    return [
        envelope("place one", 1, [place()], leaf_class=3),
        envelope("place post-only", 1, [place(tif=1, client_id=client)], leaf_class=2),
        envelope("place mixed", 1, [place(tif=1), place(side=1, tif=2)], leaf_class=3),
        envelope(
            "place thirty",
            1,
            [place(price=58_533 - i, tif=1, client_id=f"0x{i:032x}") for i in range(30)],
            leaf_class=2,
        ),
        envelope(
            "place every field full",
            1,
            [
                place(
                    market=2**32 - 1,
                    price=2**32 - 1,
                    lots=full,
                    side=255,
                    tif=255,
                    stp=255,
                    flags=255,
                    expires=full,
                    client_id="0x" + "ff" * 16,
                    interface=2**32 - 1,
                    interface_fee=2**32 - 1,
                )
            ],
            leaf_class=3,
            account=2**32 - 1,
            key=full,
            nonce=full,
            expiresAfter=full,
        ),
        envelope("amend shrink", 2, [amend()]),
        envelope("amend post-only", 2, [amend(), amend(mode=1)], leaf_class=2),
        envelope("amend take", 2, [amend(mode=2, client_id=client, order=0)], leaf_class=3),
        envelope("amend unknown mode", 2, [amend(mode=9)], leaf_class=3),
        envelope("cancel one", 3, [cancel()]),
        envelope("cancel by client id", 3, [cancel(order=0, client_id=client)]),
        envelope("cancel thirty", 3, [cancel(order=i + 1) for i in range(30)]),
        envelope("place post-slide", 1, [place(tif=1), place(tif=4)], leaf_class=2),
        envelope(
            "place market, reduce-only, through an interface",
            1,
            [place(tif=5, stp=17, flags=1, interface=12, interface_fee=250)],
            leaf_class=3,
        ),
        envelope("amend post-slide", 2, [amend(), amend(mode=3)], leaf_class=2),
        envelope("cancel all", 4, [{"market": 0, "side": 2}]),
        envelope("cancel all of two markets", 4, [{"market": m, "side": m - 1} for m in (1, 2)]),
        envelope("mass quote one", 5, [quote()], leaf_class=2),
        envelope(
            "mass quote thirty",
            5,
            [quote(side=i % 2, price=58_500 + i, client_id=f"0x{i + 1:032x}") for i in range(30)],
            leaf_class=2,
        ),
        envelope("mass quote that takes away", 5, [quote(lots=0, tif=255)], leaf_class=2),
        envelope("dead man's switch", 6, [{"timeout": 30_000}]),
        envelope("dead man's switch off", 6, [{"timeout": 0}]),
        envelope("place plan, stop", 7, [plan()], leaf_class=3),
        envelope(
            "place plan, two legs on an order",
            7,
            [
                plan(grouping=1, parent_client_id=client),
                plan(
                    kind=2,
                    grouping=1,
                    trigger=60_000,
                    price=59_900,
                    tif=0,
                    slippage=0,
                    parent=(5 << 32) | 9,
                ),
            ],
            leaf_class=3,
        ),
        envelope(
            "place plan, every field full",
            7,
            [{n: "0x" + "ff" * w if w == 16 else 2 ** (8 * w) - 1 for n, w in ITEMS[7]}] * 30,
            leaf_class=3,
        ),
        envelope("split", 8, [{"group": 1, "lots": 50}]),
        envelope("merge", 9, [{"group": 1, "lots": 50}, {"group": 2, "lots": full}]),
        envelope("cancel plan", 22, [{"plan": (3 << 32) | 11}]),
        envelope("redeem", 23, [{"market": 2}, {"market": 3}]),
        envelope("transfer", 10, {"toAccount": 8, "asset": 2, "amount": 10**18}, signing_key=OWNER),
        envelope("withdraw", 11, {"asset": 1, "amount": 1}, signing_key=OWNER),
        envelope("approve key", 12, agent, signing_key=OWNER),
        envelope(
            "approve key, short name",
            12,
            {**agent, "name": "0x6100000000000000"},
            signing_key=OWNER,
        ),
        envelope("revoke key", 13, {"revokedKey": (1 << 32) | 4}, signing_key=OWNER),
        envelope("create account", 14, {}, signing_key=OWNER),
        envelope(
            "approve interface",
            19,
            {"interface": 12, "maxFee": 500, "expires": NOW + 10**10},
            signing_key=OWNER,
        ),
        envelope("faucet", 21, {"asset": 4}, signing_key=OWNER),
        envelope("issue", 24, {"asset": 4, "toAccount": 9, "amount": 10**9}, signing_key=OWNER),
        envelope("grant access", 25, {"venue": 2, "grantee": 5, "expires": 0}, signing_key=OWNER),
        envelope("revoke access", 26, {"venue": 2, "grantee": 5}, signing_key=OWNER),
        envelope("open balance", 27, {"asset": 3}, signing_key=OWNER),
        envelope("close balance", 28, {"asset": 3}, signing_key=OWNER),
        envelope("allowance", 16, {"venue": 2, "asset": 1, "amount": 10**9}, signing_key=OWNER),
        envelope("leverage", 17, [{"market": 4, "mode": 2, "leverage": 1_000}]),
        envelope(
            "add margin",
            18,
            {"venue": 2, "asset": 1, "market": 4, "direction": 0, "amount": 10**8},
            signing_key=OWNER,
        ),
        envelope(
            "take margin",
            18,
            {"venue": 2, "asset": 1, "market": 0, "direction": 1, "amount": full},
            signing_key=OWNER,
        ),
        envelope(
            "check two pools",
            20,
            [{"account": 9, "venue": 2, "asset": 1, "market": m} for m in (0, 4)],
        ),
        envelope("fund", 29, {"venue": 2, "asset": 1, "amount": 10**9}, signing_key=OWNER),
        envelope("defund", 30, {"venue": 2, "asset": 1, "amount": 10**9}, signing_key=OWNER),
        envelope("noop", 15, {}),
        envelope("noop, all zero", 15, {}, account=0, key=0, nonce=0, expiresAfter=0),
        {
            **envelope("noop for another chain", 15, {}, domain=OTHER_DOMAIN),
            "digest": None,  # of this domain: filled in below
            "signer": None,
        },
    ]


def with_signature(vector, r, s, v):
    leaf = bytes.fromhex(vector["leaf"][2:])[:-65]
    return leaf + r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def unsigned_leaves(vectors):
    """Leaves without a signer: signatures against the rules, then leaves that do not decode."""
    base = next(v for v in vectors if v["name"] == "place one")
    digest = bytes.fromhex(base["digest"][2:])
    raw = bytes.fromhex(base["signature"][2:])
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    leaf = bytes.fromhex(base["leaf"][2:])
    off_curve = next(x for x in range(1, 100) if recover(digest, x, s, 27) is None)
    signatures = [
        ("high s", r, ORDER - s, 55 - v),
        ("s just above half the order", r, HALF_ORDER + 1, v),
        ("s zero", r, 0, v),
        ("s is the order", r, ORDER, v),
        ("r zero", 0, s, v),
        ("r is the order", ORDER, s, v),
        ("r all ones", 2**256 - 1, s, v),
        ("r is not on the curve", off_curve, s, v),
        ("v 0", r, s, v - 27),
        ("v 26", r, s, 26),
        ("v 29", r, s, 29),
        ("v of EIP-155", r, s, v + 400 - 256),
    ]
    bad = [
        {"name": n, "well_formed": True, "leaf": "0x" + with_signature(base, *rsv).hex()}
        for n, *rsv in signatures
    ]

    def patched(at, *values):
        return leaf[:at] + bytes(values) + leaf[at + len(values) :]

    typed = bytes.fromhex(next(v for v in vectors if v["name"] == "noop")["leaf"][2:])
    thirty = bytes.fromhex(next(v for v in vectors if v["name"] == "cancel thirty")["leaf"][2:])
    switch = bytes.fromhex(next(v for v in vectors if v["action"] == 6)["leaf"][2:])
    two_switches = (
        switch[:ITEMS_AT] + b"\2\0\x08" + switch[BODY_AT : BODY_AT + 4] * 2 + switch[-65:]
    )
    size = (31 * 24).to_bytes(2, "big")
    more = (
        thirty[:ITEMS_AT] + bytes([31]) + size + thirty[BODY_AT : BODY_AT + 24] + thirty[BODY_AT:]
    )
    shapes = [
        ("empty", b""),
        ("kind byte alone", leaf[:1]),
        ("one byte short", leaf[:-1]),
        ("one byte long", leaf + b"\0"),
        ("header and signature without body", leaf[:BODY_AT] + leaf[-65:]),
        ("kind 0", patched(0, 0)),
        ("kind 1", patched(0, 1)),
        ("version 0", patched(1, 0)),
        ("version 2", patched(1, 2)),
        ("action 0", patched(ACTION_AT, 0)),
        ("action 16 with a body of action 1", patched(ACTION_AT, 16)),
        ("action 31", patched(ACTION_AT, 31)),
        ("action 255", patched(ACTION_AT, 255)),
        ("items 0", patched(ITEMS_AT, 0)),
        ("items 2, bytes of 1", patched(ITEMS_AT, 2)),
        ("items 31", more),
        ("size one less", patched(SIZE_AT, 0, 55)),
        ("dead man's switch with 2 items", two_switches),
        ("typed action with 2 items", typed[:ITEMS_AT] + b"\2" + typed[SIZE_AT:]),
        ("typed action with a body", typed[:SIZE_AT] + b"\0\1\0" + typed[BODY_AT:]),
        ("block mark", bytes([1]) + (1).to_bytes(8, "big") + NOW.to_bytes(8, "big")),
        ("inbox mark", bytes([4]) + (1).to_bytes(8, "big")),
        ("longer than any leaf", leaf[:BODY_AT] + bytes(5_000) + leaf[-65:]),
    ]
    bad += [{"name": n, "well_formed": False, "leaf": "0x" + raw.hex()} for n, raw in shapes]
    return bad


def unsigned_credentials(vectors):
    """Credentials without a signer: signatures against the rules, then leaves that do not decode."""
    leaf = bytes.fromhex(vectors[0]["leaf"][2:])
    head, r, s, v = leaf[:-65], leaf[-65:-33], int.from_bytes(leaf[-33:-1], "big"), leaf[-1]
    signatures = [
        ("credential with high s", r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])),
        ("credential with r zero", bytes(32) + leaf[-33:]),
        ("credential with v 29", leaf[-65:-1] + b"\x1d"),
        ("credential without a signature", bytes(65)),
    ]
    shapes = [
        ("credential, one byte short", leaf[:-1]),
        ("credential, one byte long", leaf + b"\0"),
        ("credential of kind 6", b"\6" + leaf[1:]),
        ("credential of kind 2", b"\2" + leaf[1:]),
        ("credential of another size", leaf[:1] + leaf[5:]),
    ]
    return [
        *(
            {"name": n, "well_formed": True, "leaf": "0x" + (head + raw).hex()}
            for n, raw in signatures
        ),
        *({"name": n, "well_formed": False, "leaf": "0x" + raw.hex()} for n, raw in shapes),
    ]


def build():
    vectors = good()
    base = vectors[0]
    digest = bytes.fromhex(base["digest"][2:])
    # A signature nobody made, at the very edge of the rule: it has a signer all the same.
    r = next(x for x in range(1, 100) if recover(digest, x, HALF_ORDER, 27))
    for v in (27, 28):
        leaf = with_signature(base, r, HALF_ORDER, v)
        vectors.append(
            {
                **base,
                "name": f"s is exactly half the order, v {v}",
                "signature": "0x" + leaf[-65:].hex(),
                "signer": recover(digest, r, HALF_ORDER, v),
                "leaf": "0x" + leaf.hex(),
                "leaf_hash": "0x" + keccak(leaf).hex(),
            }
        )
    for vector in vectors:
        if vector["signer"] is None:
            vector["digest"] = next(v for v in vectors if v["name"] == "noop")["digest"]
            raw = bytes.fromhex(vector["signature"][2:])
            rs = (int.from_bytes(raw[i : i + 32], "big") for i in (0, 32))
            vector["signer"] = recover(bytes.fromhex(vector["digest"][2:]), *rs, raw[64])
    attested = credentials()
    prefix = "uint32 account,uint64 key,uint64 nonce,uint64 expiresAfter"
    separator = typed_data("Noop", PREFIX, dict.fromkeys((n for n, _ in PREFIX), 0), DOMAIN).header
    return {
        "about": "EIP-712 envelopes, credentials and inbox messages of the TradeZone; written by make_envelopes.py, see docs/spec/envelopes.md",
        "domain": {**DOMAIN, "separator": "0x" + bytes(separator).hex()},
        "types": {
            "Trade": f"Trade({prefix},uint8 action,bytes items)",
            **{
                name: f"{name}({prefix}{''.join(f',{t} {n}' for n, t in fields)})"
                for name, fields in TYPED.values()
            },
            "Credential": f"Credential({','.join(f'{t} {n}' for n, t in CREDENTIAL[1:])})",
        },
        "keys": {
            name: {"private_key": key, "address": Account.from_key(key).address}
            for name, key in (("owner", OWNER), ("agent", AGENT), ("provider", PROVIDER))
        },
        "envelopes": vectors,
        "credentials": attested,
        "without_signer": [*unsigned_leaves(vectors), *unsigned_credentials(attested)],
        "messages": messages(),
    }


def main(arguments):
    text = json.dumps(build(), indent=1) + "\n"
    if "--check" in arguments:
        if FILE.read_text() != text:
            raise SystemExit(f"{FILE.name} is not what {Path(__file__).name} writes; run it again")
        return
    FILE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
