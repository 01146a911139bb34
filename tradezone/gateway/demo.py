"""A whole zone in this process: node, gateway on a free port, a market, and two traders with money.

For demonstrations, notebooks and tests. It has no L1, so nothing in it is worth anything.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final, Self

from tradezone.client import PrivateKey
from tradezone.client.zone import BlockingZone
from tradezone.protocol import messages
from tradezone.protocol.enums import ACCESS_OPEN, ASSET_ERC20, MARKET_SPOT, OWNER_USER
from tradezone.protocol.hashing import keccak
from tradezone.service import Node, ServiceError, read_config

from .server import BackgroundServer

SYMBOLS: Final = {1: "USD", 2: "OKB"}
_DECIMALS: Final = {1: 6, 2: 8}
_NAMES: Final = ("protocol", "alice", "bob", "deployer")
_MONEY: Final = {1: 1_000_000 * 10**6, 2: 10_000 * 10**8}
_SETUP_S: Final = 60.0


def make_key(name: str) -> PrivateKey:
    """Key of one of the made-up people. Warning: anybody can make it."""
    return PrivateKey(keccak(f"tradezone demo {name}".encode()))


class DemoZone:
    """A running zone. Close it when done.

    Parameters
    ----------
    folder : Path, optional
        data folder, kept; a temporary one if absent
    port : int
        0 = any that is free
    taker_delay : int
        of the market, ms
    max_connections_per_ip : int
        of the gateway
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int = 0,
        taker_delay: int = 3,
        max_connections_per_ip: int = 256,
    ) -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="tradezone-demo-")
        base = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        base.mkdir(parents=True, exist_ok=True)
        key = base / "key"
        if not key.exists():
            key.touch(0o600)
            key.write_text(keccak(b"tradezone demo sequencer").hex())
        text = (
            f"name: demo\ndata: data\ndomain: {{chain_id: 31337, contract: '0x{'5a' * 20}'}}\n"
            f"sequencer: {{key_file: key}}\n"
            f"gateway: {{port: {port}, requests_per_minute: 600000,"
            f" max_connections_per_ip: {max_connections_per_ip}}}\n"
        )
        self.node = Node(read_config(text, "demo", base))
        self.node.start()
        if self.node.report.last_block == 0:
            self._tell(taker_delay)
        self._server = BackgroundServer(self.node)
        self.url = self._server.url
        self._open: list[BlockingZone] = []

    def _tell(self, taker_delay: int) -> None:
        told = tell_demo(taker_delay)
        last = self.node.get_local_inbox().offer_all(told)[-1]
        deadline = time.monotonic() + _SETUP_S
        while self.node.pipeline.query(lambda e: int(e.machine["inbox"])).result(_SETUP_S) <= last:
            if time.monotonic() > deadline:
                raise ServiceError("the demonstration zone did not set itself up in time")
            time.sleep(0.005)

    def connect(self, name: str | None = None) -> BlockingZone:
        """Connect as one of the traders (alice, bob), or, without a name, to look only."""
        key = make_key(name) if name else None
        zone = BlockingZone(self.url, key, symbols=SYMBOLS)
        self._open.append(zone)
        return zone

    @property
    def alice(self) -> BlockingZone:
        """A new connection of the first trader."""
        return self.connect("alice")

    @property
    def bob(self) -> BlockingZone:
        """A new connection of the second trader."""
        return self.connect("bob")

    def close(self) -> None:
        """Close every connection, the zone, and its temporary folder."""
        for zone in self._open:
            zone.close()
        self._server.stop()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def tell_demo(taker_delay: int = 3) -> list[tuple[int, dict[str, Any]]]:
    """Return what the zone is told before it can trade: inbox messages by kind and fields."""
    told: list[tuple[int, dict[str, Any]]] = []
    for owner, name in enumerate(_NAMES, 1):
        values = {"owner": owner, "address": make_key(name).address, "referrer": 0}
        told.append((messages.REGISTER_OWNER, {**values, "kind": OWNER_USER}))
    for asset, decimals in _DECIMALS.items():
        token = asset.to_bytes(20, "big")
        values = {"asset": asset, "token": token, "kind": ASSET_ERC20, "decimals": decimals}
        told.append((messages.REGISTER_ASSET, {**values, "quantum": 1, "cap": 1 << 60, "venue": 0}))
    # fees buy actions so cheaply that a demonstration does not run out of them
    plenty = {"asset": 1, "quotaRate": 1 << 20, "quotaDeposit": 0}
    told.append((messages.SET_ASSET, {**plenty, "faucetAmount": 0, "faucetInterval": 0}))
    venue = {"venue": 1, "owner": len(_NAMES), "access": ACCESS_OPEN, "stake": 10**9}
    told.append((messages.CREATE_VENUE, venue))
    told.append((messages.LIST_MARKET, _market(taker_delay)))
    for owner in (2, 3):
        address = make_key(_NAMES[owner - 1]).address
        for asset, amount in _MONEY.items():
            values = {"owner": owner, "address": address, "asset": asset, "amount": amount}
            told.append((messages.DEPOSIT, values))
    return told


def _market(taker_delay: int) -> dict[str, Any]:
    return {
        "market": 1,
        "id": 1 << 16 | 1,
        "venue": 1,
        "kind": MARKET_SPOT,
        "base": 2,
        "quote": 1,
        "lotSize": 1_000_000,
        "tickValue": 100,
        "minNotional": 0,
        "maxNotional": 1 << 60,
        "maxLots": 1_000_000,
        "maxPrice": 1_000_000,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
        "takerDelay": taker_delay,
        "effectiveAt": 0,
    }
