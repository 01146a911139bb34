"""A zone of perpetuals for benchmarks: one cross pool an account over any number of markets, which one feed prices.

Set up through messages and leaves like any zone, but for one thing: governance approves a market for cross pools after thirty
days of life (docs/spec/perps.md), so the approval is written into the records, as it would stand there then.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench._zone import _PLACE, ITEMS, MID, QUOTE, START, Block, Driver
from tradezone.protocol import actions, messages
from tradezone.protocol.enums import (
    BUY,
    MARKET_CROSS,
    OWNER_USER,
    PRICE_LIVE,
    SELL,
    TIF_IOC,
    TIF_POST_ONLY,
)
from tradezone.protocol.limits import MAX_OPEN_VALUE, MAX_WEIGHT, MICRO, PPM

TICK_VALUE = 10  # atoms
FEED_UNIT = 10**8  # feed units of a tick
PROVIDERS = 3
HEARTBEAT = 60_000  # ms
TERMS = {
    "feedScale": FEED_UNIT,
    "tickValue": TICK_VALUE,
    "maxNotional": 1 << 50,
    "maxLots": 10**6,
    "maxPrice": 2 * MID,
    "takerFee": 500,
    "makerFee": 200,
    "protocolShare": 200_000,
    "insuranceShare": 500_000,
    "band": 400_000,
    "bandListing": 300_000,
    "bandBasis": 200_000,
    "openInterestCap": MAX_OPEN_VALUE,
    "fundingCap": 1_000_000,
    "interest": 100_000,
    "impactNotional": 1 << 26,
    "oiLower": MAX_OPEN_VALUE - 1,
    "oiUpper": MAX_OPEN_VALUE,
    "imr0": 100_000,
    "mmr0": 50_000,
}


def get_resident():
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class PerpDriver(Driver):
    """`bench._zone.Driver` with perpetuals in place of spot markets, all in the cross pools of their accounts.

    Parameters
    ----------
    money : int
        atoms that each account deposits
    """

    def __init__(self, accounts, markets=1, favourites=1, seed=1, depth=200, money=1 << 40):
        self.clock, self.price, self.money = START, MID, money
        self.signers = np.random.default_rng(seed).integers(1, 256, (PROVIDERS, 20), dtype=np.uint8)
        super().__init__(accounts, markets, favourites, seed, taker_delay=0, depth=depth)

    def _mark(self):
        self.clock += 1
        leaf = actions.block_mark(self.block, self.clock)
        self.block += 1
        return leaf

    def _build(self, item, action, accounts):
        rows = super()._build(item, action, accounts)
        rows["expires"] = self.clock + 10_000
        return rows

    def _set_up(self, taker_delay):
        owners = np.arange(1, self.accounts + 3)
        self._consume(
            self._tell(
                messages.REGISTER_OWNER,
                len(owners),
                owner=owners,
                address=self.address[owners],
                kind=OWNER_USER,
            )
        )
        token = np.full((1, 20), 7, np.uint8)
        self._consume(
            self._tell(
                messages.REGISTER_ASSET, 1, asset=QUOTE, token=token, kind=2, decimals=6,
                quantum=1, cap=(1 << 62) - 1,
            )
        )  # fmt: skip
        self._consume(self._tell(messages.SET_ASSET, 1, asset=QUOTE, quotaRate=MICRO))
        deployer = self.accounts + 2
        self._consume(self._tell(messages.CREATE_VENUE, 1, venue=1, owner=deployer, stake=10**9))
        oracle = {"quorum": 2, "heartbeat": HEARTBEAT, "deviation": 20_000, "breaker": PPM}
        for place in range(PROVIDERS):
            oracle |= {f"provider{place}": 11 + place, f"signer{place}": self.signers[place]}
        self._consume(self._tell(messages.ORACLE_SET, 1, feed=1, venue=1, **oracle))
        markets = np.arange(1, self.markets + 1)
        self._consume(
            self._tell(
                messages.LIST_PERP, self.markets, market=markets, id=(1 << 16) | markets, venue=1,
                quote=QUOTE, feed=1, takerDelay=taker_delay, **TERMS,
            )
        )  # fmt: skip
        self._consume(self._tell(messages.SET_RISK, 1, venue=1, asset=QUOTE, cap=1 << 60))
        mine = np.arange(self.first, self.first + self.accounts)
        self._consume(
            self._tell(
                messages.DEPOSIT,
                len(mine),
                owner=mine,
                address=self.address[mine],
                asset=QUOTE,
                amount=self.money,
            )
        )
        self._consume(self._tell(messages.HEARTBEAT, 1))
        tables = self.engine.tables
        while (tables["price"]["state"][markets] != PRICE_LIVE).any():
            self.tick(after=5_000)
        tables["market"]["flags"][markets] |= MARKET_CROSS
        tables["market"]["profit_weight"][markets] = MAX_WEIGHT

    def tick(self, price=None, after=250):
        """Close a block with fresh prices; returns (nanoseconds, nanoseconds of processor time, result)."""
        self.price = self.price if price is None else price
        self.clock += after - 1
        leaves = [self._mark()]
        self.heard = self.clock
        for place in range(PROVIDERS):
            signed = actions.SignedPrice(
                1, 11 + place, self.price * FEED_UNIT, self.clock, bytes(actions.SIGNATURE_BYTES)
            )
            leaves.append(signed.to_leaf())
        offsets = np.cumsum([0, *map(len, leaves)]).astype(np.int64)
        signers = np.zeros((len(leaves), 20), np.uint8)
        signers[1:] = self.signers
        return self.run(Block(np.frombuffer(b"".join(leaves), np.uint8), offsets, signers, 0))

    def trade(self, accounts, side, tif, price, lots, markets):
        """Let each account place one order in each of at most ITEMS markets, in one block."""
        if self.clock >= self.heard + HEARTBEAT // 2:
            self.tick(after=1)
        item = np.zeros((len(accounts), len(markets)), _PLACE)
        item["market"], item["side"], item["tif"] = markets, side, tif
        item["price"], item["lots"], item["stp"] = price, lots, 1
        self.run(self.pack([self._build(item, actions.PLACE, accounts)]))

    def open_positions(self, lots, markets):
        """Open a position of every account in every market: the first half sells to the second at the index."""
        for at in range(0, len(markets), ITEMS):
            self.pair(self.first, self.accounts // 2, markets[at : at + ITEMS], lots)

    def pair(self, first, count, markets, lots):
        """Let ``count`` accounts from ``first`` on sell lots in each market to the ``count`` behind them."""
        markets = [markets] if isinstance(markets, int) else markets
        envelopes = min(1_000, 4_000 // len(markets))  # within the leaves and meetings of a block
        shorts = np.arange(first, first + count)
        for at in range(0, count, envelopes):
            who = shorts[at : at + envelopes]
            self.trade(who, SELL, TIF_POST_ONLY, self.price, lots, markets)
            self.trade(who + count, BUY, TIF_IOC, self.price, lots, markets)

    def count(self, table):
        """Count the records in use of a table."""
        rows = self.engine.tables[table]
        used = int(np.flatnonzero(rows["state"])[-1]) + 1 if rows["state"].any() else 1
        return int(np.count_nonzero(rows["state"][:used]))
