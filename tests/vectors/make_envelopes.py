"""Write `envelopes.json`: golden vectors for every envelope, made without the code under test.

    python tests/vectors/make_envelopes.py          rewrite the file
    python tests/vectors/make_envelopes.py --check   fail if it would change

Digests and signatures come from eth-account and eth-keys, leaves from the packing written out below;
nothing here imports `tradezone`. So the file is an independent reading of `docs/spec/envelopes.md`,
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
}
ACTION_AT, ITEMS_AT, SIZE_AT, BODY_AT = 30, 31, 32, 34
WIDTHS = {"uint8": 1, "uint32": 4, "uint64": 8, "address": 20, "bytes8": 8}


def to_bytes(value, width):
    if isinstance(value, str):
        raw = bytes.fromhex(value[2:])
        assert len(raw) == width, (value, width)
        return raw
    return value.to_bytes(width, "big")


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
BIG |= {n for _, layout in TYPED.values() for n, t in layout if t == "uint64"}


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
        ("reserved action 4", patched(ACTION_AT, 4)),
        ("action 255", patched(ACTION_AT, 255)),
        ("items 0", patched(ITEMS_AT, 0)),
        ("items 2, bytes of 1", patched(ITEMS_AT, 2)),
        ("items 31", more),
        ("size one less", patched(SIZE_AT, 0, 55)),
        ("typed action with 2 items", typed[:ITEMS_AT] + b"\2" + typed[SIZE_AT:]),
        ("typed action with a body", typed[:SIZE_AT] + b"\0\1\0" + typed[BODY_AT:]),
        ("block mark", bytes([1]) + (1).to_bytes(8, "big") + NOW.to_bytes(8, "big")),
        ("inbox mark", bytes([4]) + (1).to_bytes(8, "big")),
        ("longer than any leaf", leaf[:BODY_AT] + bytes(5_000) + leaf[-65:]),
    ]
    bad += [{"name": n, "well_formed": False, "leaf": "0x" + raw.hex()} for n, raw in shapes]
    return bad


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
    prefix = "uint32 account,uint64 key,uint64 nonce,uint64 expiresAfter"
    separator = typed_data("Noop", PREFIX, dict.fromkeys((n for n, _ in PREFIX), 0), DOMAIN).header
    return {
        "about": "EIP-712 envelopes of the TradeZone; written by make_envelopes.py, see docs/spec/envelopes.md",
        "domain": {**DOMAIN, "separator": "0x" + bytes(separator).hex()},
        "types": {
            "Trade": f"Trade({prefix},uint8 action,bytes items)",
            **{
                name: f"{name}({prefix}{''.join(f',{t} {n}' for n, t in fields)})"
                for name, fields in TYPED.values()
            },
        },
        "keys": {
            name: {"private_key": key, "address": Account.from_key(key).address}
            for name, key in (("owner", OWNER), ("agent", AGENT))
        },
        "envelopes": vectors,
        "without_signer": unsigned_leaves(vectors),
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
