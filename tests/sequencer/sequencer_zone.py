"""A small zone for the tests: four traders, two assets, one market, and a stream of envelopes."""

from __future__ import annotations

import random
from decimal import Decimal

from tradezone.client import (
    Asset,
    Market,
    NonceSource,
    PrivateKey,
    Signer,
    build_amend,
    build_cancel,
    build_place,
)
from tradezone.protocol import messages
from tradezone.protocol.actions import domain_separator, pack
from tradezone.protocol.enums import ACCESS_OPEN, ASSET_ERC20, MARKET_SPOT, OWNER_USER
from tradezone.protocol.messages import Message
from tradezone.sequencer import SequencerConfig

START = 1_767_225_600_000
SEPARATOR = domain_separator(196, bytes.fromhex("5a" * 20))
CONFIG = SequencerConfig(SEPARATOR)
SEQUENCER_KEY = PrivateKey(b"\x51" * 32)
TRADERS = 4
KEYS = [PrivateKey(bytes([n]) * 32) for n in range(1, TRADERS + 3)]  # 1 = protocol, last = deployer
USD = Asset(1, "USD", 6)
OKB = Asset(2, "OKB", 8)
MARKET = Market(1, OKB, USD, 1_000_000, 100, 1_000_000, 1_000_000)  # tick 0.01, lot 0.01


def message(index, kind, values):
    payload = pack(messages.BODIES[kind], values)
    return Message(index, kind, bytes(20), START // 1000, 100 + index, payload).to_bytes()


def register_owner(owner, key):
    values = {"owner": owner, "address": key.address, "referrer": 0, "kind": OWNER_USER}
    return messages.REGISTER_OWNER, values


def register_asset(asset):
    values = {
        "asset": asset.id,
        "token": asset.id.to_bytes(20, "big"),
        "kind": ASSET_ERC20,
        "decimals": asset.decimals,
        "quantum": 1,
        "cap": 1 << 60,
        "venue": 0,
    }
    return messages.REGISTER_ASSET, values


def create_venue():
    values = {"venue": 1, "owner": len(KEYS), "access": ACCESS_OPEN, "stake": 10**9}
    return messages.CREATE_VENUE, values


def list_market(taker_delay):
    values = {
        "market": MARKET.slot,
        "id": 1 << 16 | 1,
        "venue": 1,
        "kind": MARKET_SPOT,
        "base": OKB.id,
        "quote": USD.id,
        "lotSize": MARKET.lot_size,
        "tickValue": MARKET.tick_value,
        "minNotional": 0,
        "maxNotional": 1 << 60,
        "maxLots": MARKET.max_lots,
        "maxPrice": MARKET.max_price,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
        "takerDelay": taker_delay,
        "effectiveAt": 0,
    }
    return messages.LIST_MARKET, values


def deposit(owner, asset, units):
    values = {
        "owner": owner,
        "address": KEYS[owner - 1].address,
        "asset": asset.id,
        "amount": asset.to_atoms(units),
    }
    return messages.DEPOSIT, values


def build_inbox(taker_delay=3):
    """Everything that L1 tells a zone before it can trade; ends with a heartbeat."""
    told = [
        *(register_owner(owner, key) for owner, key in enumerate(KEYS, 1)),
        *map(register_asset, (USD, OKB)),
        create_venue(),
        list_market(taker_delay),
        *(
            deposit(owner, asset, units)
            for owner in range(2, TRADERS + 2)
            for asset, units in ((USD, 10_000_000), (OKB, 100_000))
        ),
        (messages.HEARTBEAT, {"batch": 0}),
    ]
    return [message(i, kind, values) for i, (kind, values) in enumerate(told)]


def build_signers(now):
    """Traders 2 .. TRADERS + 1: account = key slot = owner."""
    return {
        owner: Signer(KEYS[owner - 1], owner, owner, SEPARATOR, nonces=NonceSource(now))
        for owner in range(2, TRADERS + 2)
    }


def build_stream(count, seed=7, now=lambda: START + 1):
    """Envelopes of random traders around one price; some take, some rest, some cancel, some fail."""
    chance = random.Random(seed)
    signers = build_signers(now)
    leaves = []
    for n in range(count):
        signer = signers[chance.choice(list(signers))]
        roll = chance.random()
        if roll < 0.70 or n < 20:
            orders = [
                build_place(
                    MARKET,
                    chance.choice(("buy", "sell")),
                    (Decimal(6000 + chance.randint(-30, 30)) / 100),
                    Decimal(chance.randint(1, 300)) / 100,
                    tif=chance.choice(("gtc", "gtc", "post_only", "post_only", "ioc", "fok")),
                    client_id=f"o{n}-{k}",
                )
                for k in range(chance.choice((1, 1, 2, 5)))
            ]
            leaves.append(signer.place(*orders))
        elif roll < 0.85:
            leaves.append(signer.cancel(build_cancel(client_id=f"o{chance.randint(0, n)}-0")))
        elif roll < 0.95:
            amend = build_amend(
                MARKET,
                client_id=f"o{chance.randint(0, n)}-0",
                size=Decimal(chance.randint(1, 300)) / 100,
                price=Decimal(6000 + chance.randint(-30, 30)) / 100,
                mode=chance.choice(("shrink", "post_only", "take")),
            )
            leaves.append(signer.amend(amend))
        else:
            leaves.append(signer.withdraw(USD, 1) if chance.random() < 0.5 else signer.noop())
    return leaves
