"""The auction of docs/spec/slots.md in the most obvious Python: gwei, seconds, basis points."""

from __future__ import annotations

from dataclasses import dataclass, field

GWEI = 10**9
BPS = 10_000
MAX_PRICE = 10**16  # gwei
MAX_DECAY = 256  # unsold rounds


@dataclass
class Auction:
    """One kind's auction. ``terms`` are those of the contract, ``begin`` 0 = sold out."""

    terms: dict
    begin: int
    start: int = 0
    floor: int = 0
    length: int = 0
    number: int = 1
    cleared: list[int] = field(default_factory=list)

    @classmethod
    def first(cls, terms: dict, price: int, time: int) -> Auction:
        auction = cls(terms, time, length=terms["roundSeconds"])
        auction.start, auction.floor = auction.after_sale(price // GWEI)
        return auction

    @property
    def least(self) -> int:
        return self.terms["minFloor"] // GWEI

    def start_from(self, price: int, floor: int) -> int:
        return max(min(price * self.terms["startMultiple"] // BPS, MAX_PRICE), floor)

    def after_sale(self, price: int) -> tuple[int, int]:
        floor = max(price * self.terms["floorShare"] // BPS, self.least)
        return self.start_from(price, floor), floor

    def move_to(self, time: int):
        """Let the rounds pass that nobody bought in."""
        unsold = 0
        while self.begin and time >= self.begin + self.length:
            before = self.floor
            self.floor = max(before * (BPS - self.terms["decay"]) // BPS, self.least)
            self.start = self.start_from(before, self.floor)
            self.begin += self.length
            self.length = self.terms["roundSeconds"]
            self.number += 1
            unsold += 1
        if unsold > MAX_DECAY:
            self.floor = self.least
            self.start = self.start_from(self.least, self.least)

    def price_at(self, time: int) -> int | None:
        """Price in wei, None if nothing is for sale. Moves to that time."""
        self.move_to(time)
        if not self.begin or time < self.begin:
            return None
        fallen = (self.start - self.floor) * (time - self.begin) // (self.length - 1)
        return (self.start - fallen) * GWEI

    def sell(self, time: int, is_last: bool) -> int:
        """Sell the slot of the running round; returns the price in wei."""
        price = self.price_at(time)
        assert price is not None
        end = self.begin + self.length
        self.start, self.floor = self.after_sale(price // GWEI)
        self.begin = 0 if is_last else end
        self.length = self.terms["roundSeconds"]
        self.number += 1
        self.cleared.append(price // GWEI)
        return price

    def resume(self, time: int):
        """A licence came back, or supply grew."""
        if not self.begin:
            self.begin, self.length = time, self.terms["roundSeconds"]

    @property
    def mean(self) -> int:
        last = self.cleared[-4:]
        return sum(last) // len(last) if last else 0

    def renewal(self, paid: int) -> int:
        """Price of the term after one that cost ``paid`` (wei), wei."""
        return max(min(self.mean, 2 * paid // GWEI), self.least) * GWEI
