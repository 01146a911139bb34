"""Terms of a market as far as money depends on them: what an order costs and what it locks.

Costs are exact; only fees round, up (``docs/spec`` has the formulas). Prices are ticks, sizes lots, money atoms.
"""

from __future__ import annotations

from typing import NamedTuple

from tradezone.protocol.enums import BUY, MARKET_OUTCOME, MARKET_SPOT
from tradezone.protocol.limits import PPM


class MarketTerms(NamedTuple):
    """Terms of a market.

    Parameters
    ----------
    venue : int
        whose market it is
    kind : int
        MARKET_SPOT or MARKET_OUTCOME; 0 until its terms are told, right after the listing
    base : int
        asset that is traded; the event of an outcome
    quote : int
        asset that is paid with
    lot_size : int
        base atoms of a lot; what a lot of a sure outcome pays, quote atoms
    tick_value : int
        quote atoms of a tick of a lot
    taker_fee, maker_fee : int
        ppm, negative = rebate
    home : int
        market whose book it trades in: itself, but for a door
    """

    venue: int
    kind: int = 0
    base: int = 0
    quote: int = 0
    lot_size: int = 0
    tick_value: int = 0
    taker_fee: int = 0
    maker_fee: int = 0
    home: int = 0

    def get_paying_asset(self, side: int) -> int:
        """Asset that an order of a side locks."""
        return self.quote if side == BUY or self.kind == MARKET_OUTCOME else self.base

    def get_notional(self, price: int, lots: int) -> int:
        """Quote atoms of lots at a price."""
        return price * self.tick_value * lots

    def get_cost(self, side: int, price: int, lots: int) -> int:
        """Atoms of the paying asset that an order costs, fees apart."""
        if side == BUY:
            return self.get_notional(price, lots)
        if self.kind == MARKET_OUTCOME:
            return (self.lot_size - price * self.tick_value) * lots
        return self.lot_size * lots

    def get_lock(self, side: int, price: int, lots: int, extra_fee: int = 0) -> int:
        """Atoms of the paying asset that open lots lock, the worst fee included.

        Parameters
        ----------
        lots : int
            open lots that nothing the account holds covers
        extra_fee : int
            ppm that an interface or a door takes on top
        """
        cost = self.get_cost(side, price, lots)
        if self.kind == MARKET_SPOT and side != BUY:
            return cost  # its fees come out of the proceeds
        unit = price * self.tick_value
        if self.kind == MARKET_OUTCOME:
            unit = min(unit, self.lot_size - unit)
        rate = max(self.taker_fee, self.maker_fee, 0) + extra_fee
        return cost + -(-unit * lots * rate // PPM)
