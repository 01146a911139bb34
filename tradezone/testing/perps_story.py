"""A perpetual from its listing to its settlement, told with every number checked: ``tradezone demo --perps``.

A crash walks the whole ladder: forced orders, takeover by the fund, the fund at its cap, deleveraging by water-filling, the
breaker and the re-opening, a deficit, its repayment, final settlement. What the zone says is compared with formulas in
Python integers that stand here and in `tradezone.testing.perps`; nothing is taken from the engine but the numbers that are
checked. The run is the same each time, to the atom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.errors import Code

from .perps import (
    DEPLOYER,
    MARKET,
    QUOTE,
    TERMS,
    TICK_VALUE,
    USD,
    VENUE,
    PerpZone,
    Person,
    Stake,
    build_perp_zone,
    ceil_div,
    clamp,
    equal,
    get_fees,
    get_initial,
    get_maintenance,
    get_median,
    get_notional,
    trunc_div,
)
from .zone import EngineLike

HOURS: Final = 2  # of funding
FUND_MONEY: Final = 10_000 * USD
MONEY: Final = {"Mia": 2_000_000, "Uma": 100_000, "Vera": 5_000}  # dollars; the others:
_MONEY: Final = 30_000
CALM_MS: Final = 100_000  # longer than the breaker remembers
STATES: Final = {
    enums.PRICE_NONE: "NONE",
    enums.PRICE_LIVE: "LIVE",
    enums.PRICE_FROZEN: "FROZEN",
    enums.PRICE_BREAK: "BREAK",
    enums.PRICE_REOPEN: "REOPEN",
    enums.PRICE_THROTTLED: "THROTTLED",
}


def show(atoms: int) -> str:
    """Write atoms as dollars: at least cents, all six decimals if they say something."""
    whole, part = divmod(abs(atoms), USD)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if atoms < 0 else ''}${whole:,}.{decimals}"


def percent(rate: int, whole: int) -> str:
    """Write a rate of ``whole`` as per cent."""
    return f"{100 * rate / whole:.5f}".rstrip("0").rstrip(".") + " %"


# --- deleveraging, computed for itself ------------------------------------------------------------------


class Giver(NamedTuple):
    """A position on the other side: its lots without sign, the equity behind it (atoms), whether it is in profit."""

    account: int
    lots: int
    equity: int
    is_profit: bool


class Filling(NamedTuple):
    """What water-filling takes: the level, what all give at it and at the one below, and lots of each giver."""

    level: int
    total: int
    below: int
    gives: list[int]


def get_give(giver: Giver, mark: int, level: int) -> int:
    """Lots above a level of leverage, in parts of `limits.LEVEL_UNIT`."""
    if level > limits.MAX_LEVEL:
        return 0
    lot = mark * TICK_VALUE * limits.LEVEL_UNIT
    above = giver.lots * lot - level * max(0, giver.equity)
    return max(0, min(ceil_div(above, lot), giver.lots))


def fill_water(givers: Sequence[Giver], needed: int, mark: int) -> Filling:
    """Close ``needed`` lots against the most leveraged, those in profit first, down to one level."""
    profit = [g for g in givers if g.is_profit]
    has_enough = sum(g.lots for g in profit) >= needed
    group = profit if has_enough else [g for g in givers if not g.is_profit]
    target = needed if has_enough else needed - sum(g.lots for g in profit)

    def total(level: int) -> int:
        return sum(get_give(g, mark, level) for g in group)

    low, high = 0, limits.MAX_LEVEL + 1
    while low < high:
        middle = (low + high) // 2
        if total(middle) <= target:
            high = middle
        else:
            low = middle + 1
    rest, gives = target - total(low), []
    for giver in givers:
        if giver not in group:
            gives.append(giver.lots if giver.is_profit else 0)
            continue
        least = get_give(giver, mark, low)
        more = min(rest, get_give(giver, mark, low - 1) - least) if rest else 0
        rest -= more
        gives.append(least + more)
    return Filling(low, total(low), total(low - 1) if low else total(low), gives)


# --- the story ------------------------------------------------------------------------------------------


@dataclass
class Telling:
    """The zone, the people in it, and the story so far."""

    zone: PerpZone
    say: Callable[[str], Any]
    checks: int = 0
    chapters: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """Begin a part."""
        self.chapters += 1
        self.say(f"\n{self.chapters}. {title}")

    def tell(self, text: str) -> None:
        """Say what happens."""
        self.say(f"   {text}")

    def check(self, what: str, found: object, expected: object, text: str | None = None) -> None:
        """Compare a number with its formula and show both; NumberError if they differ."""
        equal(what, found, expected)
        self.checks += 1
        value = text if text is not None else f"{found:,}" if isinstance(found, int) else found
        self.say(f"     = {what}: {value}")

    def money(self, what: str, found: int, expected: int) -> None:
        """`check` of atoms."""
        self.check(what, found, expected, show(found))

    def who(self, name: str) -> Person:
        """Return a person."""
        return self.zone.people[name]

    def stake(self, name: str) -> Stake:
        """Return what a person has in the market."""
        return self.zone.stake(self.who(name))

    def move(self, price: int, duration: int = 250) -> list[Any]:
        """Let the providers sign another price."""
        self.zone.price = price
        return self.zone.run(duration)


def tell_story(engine: EngineLike, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Run the whole story on an engine at genesis; return its figures. NumberError names the first number that is wrong."""
    telling = list_market(engine, say)
    open_positions(telling)
    pay_funding(telling)
    force(telling)
    take_over(telling)
    deleverage(telling)
    reopen(telling)
    reach_last_rung(telling)
    repay(telling)
    settle(telling)
    close(telling, engine)
    return telling.figures


def list_market(engine: EngineLike, say: Callable[[str], Any]) -> Telling:
    """Register everybody, and wait until the price is LIVE."""
    zone = build_perp_zone(engine)
    told = Telling(zone, say)
    told.chapter("A venue, an oracle set, a perpetual")
    for name in ("Mia", "Ava", "Ben", "Cora", "Sid", "Tess", "Uma", "Vera", "Dan", "Sam", "Tom"):
        zone.add(name, MONEY.get(name, _MONEY) * USD)
    deployer = told.who(DEPLOYER)
    zone.deposit(deployer, 20_000 * USD)
    states = [(zone.time, zone.state)]
    while zone.state != enums.PRICE_LIVE:
        zone.block(after=1_000)
        if zone.state != states[-1][1]:
            states.append((zone.time, zone.state))
    told.tell("three providers sign $60,000, $60,010 and $59,990; the market opens in steps")
    times = {state: time for time, state in states}
    told.check(
        "index, their median", int(zone.terms["index"]), get_median((60_000, 60_010, 59_990))
    )
    post = times[enums.PRICE_THROTTLED] - times[enums.PRICE_REOPEN]
    told.check("ms of post-only", post, limits.REOPEN_POST)
    slow = times[enums.PRICE_LIVE] - times[enums.PRICE_THROTTLED]
    told.check("ms of throttled liquidation", slow, limits.REOPEN_THROTTLE)
    fund = {"venue": VENUE, "asset": QUOTE, "amount": FUND_MONEY}
    zone.block(zone.act(deployer, actions.FUND, **fund))
    told.money("insurance fund, given by the deployer", zone.fund, FUND_MONEY)
    told.tell(f"of it this market may cost {show(TERMS['lossCap'])} a day, whatever happens")
    return told


def open_positions(told: Telling) -> None:
    """Let Ava buy from Mia, at ten times leverage."""
    zone = told.zone
    told.chapter("A maker and a taker")
    before = zone.free(told.who("Ava"))
    income = zone.income
    zone.trade(told.who("Ava"), told.who("Mia"), 60_000, 1_000)
    notional = get_notional(1_000, 60_000)
    fees = get_fees(notional)
    ava = told.stake("Ava")
    told.tell(f"Ava buys 1 coin from Mia at $60,000: {show(notional)}, ten times her margin")
    told.money("her margin, a tenth", ava.collateral, notional // 10)
    told.money("her fee, 0.05 %", before - zone.free(told.who("Ava")) - ava.collateral, fees.taker)
    told.money("the fund's share of both fees", zone.income - income, fees.insurance)
    told.money("the fund", zone.fund, FUND_MONEY + zone.income)
    told.money("her equity", ava.equity(zone.mark), notional // 10)


def pay_funding(told: Telling) -> None:
    """Let Mia quote above the index for two hours."""
    zone = told.zone
    told.chapter("Two hours of funding")
    mia, ava = told.who("Mia"), told.who("Ava")
    zone.block(zone.place(mia, enums.BUY, 60_120, 400), zone.place(mia, enums.SELL, 60_150, 400))
    told.tell("Mia bids $60,120 and asks $60,150, while the index stands at $60,000")
    scale = limits.FUNDING_UNIT // (TERMS["maxPrice"] * TICK_VALUE)
    rate = pot = 0
    for hour in range(1, HOURS + 1):
        before = {p.name: zone.stake(p).collateral for p in (mia, ava)}
        index = int(zone.terms["funding_index"])
        rows = zone.run_until(events.FUNDING_SET, step=20_000)
        (row,) = [e for e in rows if e["kind"] == events.FUNDING_SET]
        premium = (60_120 - 60_000) * limits.RATE // 60_000
        inner = clamp(TERMS["interest"] - premium, -limits.FUNDING_CLAMP, limits.FUNDING_CLAMP)
        rate = (premium + inner) // 8
        if hour > 1:  # the first hour also has the minutes before Mia quoted
            told.check("rate: (P + clamp(I - P)) / 8, ppb", int(row["amount"]), rate)
        rate = int(row["amount"])
        text = f"hour {hour}: the premium's average asks for {percent(rate, limits.RATE)} an hour"
        told.tell(text)
        step = trunc_div(rate * zone.price * TICK_VALUE * scale, limits.RATE)
        told.check("step of the funding index", int(row["amount2"]) - index, step)
        zone.run(2_000)
        owed = 1_000 * step
        paid = before["Ava"] - zone.stake(ava).collateral
        told.money("Ava, long, pays, rounded up", paid, ceil_div(owed, scale))
        got = zone.stake(mia).collateral - before["Mia"]
        told.money("Mia, short, receives, rounded down", got, owed // scale)
        pot += paid - got
        told.check("atoms left in the pot", int(zone.terms["pot"]), pot)
    zone.cancel_all(mia)
    zone.run(300_000, step=20_000)
    told.tell(f"Mia takes her quotes back; mark ${zone.mark:,} at an index of ${zone.price:,}")
    told.figures["funding_rate_ppb"] = rate


def force(told: Telling) -> None:
    """Let the price slide below Ava's maintenance; she is sold in parts, by her own orders."""
    zone = told.zone
    told.chapter("A slide: forced orders")
    mia = told.who("Mia")
    told.move(59_000, 2_000)
    zone.trade(told.who("Ben"), mia, 59_000, 500)
    told.tell("$59,000: Ben buys half a coin from Mia, ten times his margin")
    ben = told.stake("Ben")
    loss = max(0, -(ben.quote + get_notional(500, zone.mark)))
    told.money("his margin", ben.collateral, get_initial(500, zone.mark) + loss)
    zone.block(zone.place(mia, enums.BUY, 56_500, 100), zone.place(mia, enums.BUY, 56_300, 100))
    zone.price = 56_800
    ava, fund, income = told.stake("Ava"), zone.fund, zone.income
    rows = zone.run_until(events.FORCED_ORDER)
    mark, lots = zone.mark, 1_000
    equity, maintenance = ava.equity(mark), get_maintenance(lots, mark)
    told.tell(f"index $56,800, mark ${mark:,}: Ava has {show(equity)} of {show(maintenance)}")
    (begun,) = [e for e in rows if e["kind"] == events.LIQUIDATION_BEGUN]
    found = (int(begun["amount"]), int(begun["amount2"]))
    told.check("equity and maintenance in the zone", found, (equity, maintenance), "the same")
    (order,) = [e for e in rows if e["kind"] == events.FORCED_ORDER]
    away = min(equity // (lots * TICK_VALUE), mark * limits.LIQ_DISTANCE // limits.PPM)
    told.check("lots: a fifth", int(order["lots"]), lots * limits.LIQ_SHARE // limits.PPM)
    told.check("limit: her zero price", int(order["price"]), mark - away, f"${mark - away:,}")
    fills = [e for e in rows if e["kind"] == events.FILL]
    told.check("bids it meets", [int(e["price"]) for e in fills], [56_500, 56_300], "both")
    for row in fills:
        price, part = int(row["price"]), int(row["lots"])
        allowed, lost = equity * part // lots, (mark - price) * part * TICK_VALUE
        most = get_notional(part, price) * limits.LIQ_GAIN_MAX // limits.PPM
        gain = min((allowed - lost) * limits.LIQ_GAIN // limits.PPM, most)
        text = f"{part} lots at ${price:,}: the fund gets half of the improvement, at most 1 %"
        told.money(text, int(row["amount"]), gain)
        equity, lots = equity - lost - gain, lots - part
    told.money(
        "the fund has grown by gains and its shares of fees", zone.fund - fund, zone.income - income
    )
    ava = told.stake("Ava")
    told.check("her lots", ava.lots, lots)
    told.money("her equity, no fee", ava.equity(mark), equity)
    told.check("she is healthy", equity >= get_maintenance(lots, mark), True, "and left alone")
    rows = zone.run(1_000)
    ended = [int(e["account"]) for e in rows if e["kind"] == events.LIQUIDATION_ENDED]
    told.check("liquidations that ended", ended, [told.who("Ava").account], "hers")
    told.figures["forced_gain"] = zone.fund - fund


def take_over(told: Telling) -> None:
    """Let the price fall below two thirds of Ben's maintenance, with nobody in the book."""
    zone = told.zone
    told.chapter("A gap: the fund takes over")
    zone.block(zone.adjust(told.who("Ava"), actions.MARGIN_ADD, 12_000 * USD))
    told.tell("Ava adds $12,000 of margin; the book is empty")
    zone.price = 54_500
    ben, free, fund = told.stake("Ben"), zone.free(told.who("Ben")), zone.fund
    rows = zone.run_until(events.TAKEOVER)
    mark = zone.mark
    equity, maintenance = ben.equity(mark), get_maintenance(500, mark)
    told.tell(f"mark ${mark:,}: Ben has {show(equity)} of {show(maintenance)}, below two thirds")
    told.check("3 E < 2 MM", 3 * equity < 2 * maintenance, True, "yes")
    (row,) = [e for e in rows if e["kind"] == events.TAKEOVER]
    share = min(equity, get_notional(500, mark) * limits.TAKEOVER_MAX // limits.PPM)
    cost = get_initial(500, mark) - share
    told.money(
        "his equity that goes along, at most 2.5 % of the notional", int(row["amount"]), share
    )
    told.money("what the fund adds, up to initial margin", int(row["amount2"]), cost)
    told.money("the fund", zone.fund, fund - cost)
    told.money("what is left is his", zone.free(told.who("Ben")) - free, equity - share)
    taken = zone.stake(zone.fund_account)
    told.check("lots of the fund's pool", taken.lots, 500)
    told.money("its equity", taken.equity(mark), share + cost)
    spent = int(zone.tables["fund"][MARKET]["spent"])
    told.money("spent today", spent, cost)
    told.figures["takeover_cost"] = cost


def deleverage(told: Telling) -> None:
    """Let a crash leave more than the fund may take: the most leveraged on the other side give."""
    zone = told.zone
    told.chapter("The fund at its cap: deleveraging by water-filling")
    zone.run(CALM_MS, step=5_000)
    cora = told.who("Cora")
    for name, lots, more in (("Sid", 600, 0), ("Tess", 600, 10_000), ("Uma", 800, 40_000)):
        zone.trade(cora, told.who(name), 54_500, lots)
        if more:
            zone.block(zone.adjust(told.who(name), actions.MARGIN_ADD, more * USD))
    told.tell("Cora buys 2 coins from Sid, Tess and Uma at $54,500; Tess and Uma add margin")
    zone.run(1_000)
    zone.price = 48_500
    before = {name: told.stake(name) for name in ("Mia", "Sid", "Tess", "Uma", "Cora")}
    before["the fund"] = zone.stake(zone.fund_account)
    wealth = {name: zone.wealth(told.who(name)) for name in before if name != "the fund"}
    old, fund, income = zone.mark, zone.fund, zone.income
    room = TERMS["lossCap"] - int(zone.tables["fund"][MARKET]["spent"])
    rows = zone.run_until(events.ADL_DONE)
    told.check("takeovers", sum(e["kind"] == events.TAKEOVER for e in rows), 0, "none is possible")
    mark = zone.mark
    losses = [-before[name].equity(mark) for name in ("Cora", "the fund")]
    told.tell(
        f"mark ${mark:,}: Cora is {show(losses[0])} below zero, the fund's pool {show(losses[1])}"
    )
    needs = get_initial(2_500, mark) + sum(losses)
    told.check("the fund would need more than its cap leaves", needs > room, True, show(needs))
    told.money("what its cap leaves", room, TERMS["lossCap"] - told.figures["takeover_cost"])
    names = {told.who(name).account: name for name in wealth}
    givers = [
        Giver(
            told.who(n).account, -s.lots, s.equity(mark), s.quote + s.lots * mark * TICK_VALUE > 0
        )
        for n, s in before.items()
        if s.lots < 0
    ]
    check_deleveraging(told, rows, givers, sum(losses), room, 2_500, names)
    told.money("the fund pays no more than its cap", fund + zone.income - income - zone.fund, room)
    told.money("deficit", int(zone.ledger["deficit"]), 0)
    for name in ("Cora", "the fund"):
        left = told.stake(name) if name == "Cora" else zone.stake(zone.fund_account)
        told.check(f"what is left of the pool of {name}", left, Stake(0, 0, 0), "nothing, no debt")
    paid = {int(e["account"]): int(e["amount"]) for e in _get_gives(rows)}
    for giver in givers:
        name = names[giver.account]
        change = zone.wealth(told.who(name)) - wealth[name]
        gained = before[name].lots * (mark - old) * TICK_VALUE
        equal(f"wealth of {name}", change, gained - paid.get(giver.account, 0))
        told.checks += 1
    told.tell(
        "what each of them has is what the move brought, less what was paid: nothing else is gone"
    )


def _get_gives(rows: list[Any]) -> list[Any]:
    """Return the fills of a job's counterparties: they buy, where the bankrupt side sells."""
    return [e for e in rows if e["kind"] == events.ADL_FILL and e["lots"] > 0]


def check_deleveraging(
    told: Telling,
    rows: list[Any],
    givers: list[Giver],
    loss: int,
    room: int,
    needed: int,
    names: dict[int, str],
) -> int:
    """Compare a job against long bankrupts with `fill_water`; return what was raised, atoms."""
    mark = told.zone.mark
    filling = fill_water(givers, needed, mark)
    (done,) = [e for e in rows if e["kind"] == events.ADL_DONE]
    covered = min(loss, room)
    charge = loss - covered
    told.check("lots to be closed", int(done["lots"]), needed)
    told.money("loss", int(done["amount"]) + covered, loss)
    told.money("of it the fund", loss - int(done["amount"]), covered)
    level = filling.level / limits.LEVEL_UNIT
    told.check("level of leverage", int(done["price"]), filling.level, f"{level:.4f}")
    sums = (int(done["order"]), int(done["other_order"]))
    text = f"{sums[0]:,} lots at it, {sums[1]:,} a step below"
    told.check("the two sums that prove it", sums, (filling.total, filling.below), text)
    given = {int(e["account"]): e for e in _get_gives(rows)}
    done_lots = done_money = raised = 0
    for giver, give in zip(givers, filling.gives, strict=True):
        due = charge * (done_lots + give) // needed - done_money
        done_lots, done_money = done_lots + give, done_money + due
        paid = min(due, max(0, giver.equity))
        raised += paid
        row = given.get(giver.account)
        found = (int(row["lots"]), int(row["amount"])) if row is not None else (0, 0)
        left = get_notional(giver.lots - give, mark)
        before = get_notional(giver.lots, mark) / giver.equity if giver.equity else 0
        after = left / giver.equity if giver.equity else 0
        text = f"{give:,} of {giver.lots:,} lots, {before:.2f}x to {after:.2f}x, pays {show(paid)}"
        told.check(f"{names[giver.account]} gives", found, (give, paid), text)
        if giver.is_profit and filling.total <= needed and giver.lots > give:
            lot = get_notional(1, mark) * limits.LEVEL_UNIT
            bound = filling.level * giver.equity + lot
            equal("leverage left", left * limits.LEVEL_UNIT <= bound, True)
    told.money("raised", int(done["amount2"]), raised)
    return raised


def reopen(told: Telling) -> None:
    """Let the price fall by a quarter: the breaker stops everything, then the market opens in steps."""
    zone = told.zone
    told.chapter("A quarter in one step: the breaker, and the re-opening")
    bids = [
        zone.place(told.who(name), enums.BUY, 48_500, -told.stake(name).lots, flags=1)
        for name in ("Mia", "Sid", "Tess", "Uma")
        if told.stake(name).lots < 0
    ]
    left = told.stake("Ava").lots
    zone.block(*bids)
    sell = zone.place(told.who("Ava"), enums.SELL, 48_500, left, enums.TIF_IOC, flags=1)
    zone.block(sell)
    told.tell(f"those who are left meet: Ava sells her {left} lots to what the shorts must buy")
    told.check("open lots", int(zone.tables["book"][MARKET]["open_lots"]), 0)
    zone.cancel_all(told.who("Mia"))
    zone.trade(told.who("Vera"), told.who("Mia"), 48_500, 20)
    zone.block(zone.adjust(told.who("Vera"), actions.MARGIN_ADD, 2_000 * USD))
    zone.trade(told.who("Dan"), told.who("Sam"), 48_500, 1_000)
    told.tell(
        "Vera buys 20 lots of Mia and adds $2,000; Dan buys a coin of Sam, ten times his margin"
    )
    zone.run(CALM_MS, step=5_000)
    zone.block()
    trips = int(zone.tables["feed"][1]["trips"])
    zone.price = 36_400
    dan = told.stake("Dan")
    while zone.state != enums.PRICE_BREAK:
        zone.block()
    told.check("trips of the breaker", int(zone.tables["feed"][1]["trips"]), trips + 1)
    equity = dan.equity(zone.mark)
    told.tell(f"index $36,400: Dan is {show(-equity)} below zero, and nobody may touch him yet")
    zone.block(zone.place(told.who("Mia"), enums.BUY, 36_000, 1), may_fail=True)
    told.check("code of a new order", zone.codes[0], int(Code.MARKET_CLOSED), "MARKET_CLOSED")
    seen = [(zone.time, zone.state)]
    while zone.state != enums.PRICE_REOPEN:
        equal("state of Dan's pool", zone.pool_state(told.who("Dan")), enums.ACTIVE)
        zone.block()
    seen.append((zone.time, zone.state))
    told.tell(f"{limits.BREAK_ROUNDS} rounds of all providers later: post-only")
    zone.block(zone.place(told.who("Sam"), enums.BUY, 36_400, 1_000))
    while zone.time + 250 < seen[-1][0] + limits.REOPEN_POST:
        zone.block()
    sam, free = told.stake("Sam"), zone.free(told.who("Sam"))
    told.tell(
        "in the first block of trading Sam, short, takes his profit: Tom sells to him at the bottom"
    )
    zone.block(zone.place(told.who("Tom"), enums.SELL, 36_400, 1_000, enums.TIF_IOC))
    told.check("state", zone.state, enums.PRICE_THROTTLED, STATES[zone.state])
    fee = get_fees(get_notional(1_000, 36_400)).maker
    gain = sam.collateral + sam.quote - get_notional(1_000, 36_400)
    told.money("Sam's margin and profit, out", zone.free(told.who("Sam")) - free, gain - fee)


def reach_last_rung(told: Telling) -> None:
    """Let the loss be larger than fund and counterparties may pay."""
    zone = told.zone
    told.chapter("The last rung: a deficit")
    names = {told.who(n).account: n for n in ("Mia", "Tom", "Vera", "Dan")}
    before = {n: told.stake(n) for n in names.values()}
    row = zone.tables["fund"][MARKET]
    room = TERMS["lossCap"] - int(row["spent"])
    told.money("what the fund may still spend today", room, 0)
    fund, income = zone.fund, zone.income
    rows = zone.run_until(events.ADL_DONE)
    mark = zone.mark
    loss = -before["Dan"].equity(mark)
    givers = [
        Giver(
            told.who(n).account, -s.lots, s.equity(mark), s.quote + s.lots * mark * TICK_VALUE > 0
        )
        for n, s in before.items()
        if s.lots < 0
    ]
    told.tell(f"Dan is {show(loss)} below zero; Mia is in profit and gives first, then Tom")
    raised = check_deleveraging(told, rows, givers, loss, room, 1_000, names)
    deficit = loss - room - raised
    told.money("what nobody covers is the venue's deficit", int(zone.ledger["deficit"]), deficit)
    told.money("the fund's other money is behind its cap", zone.fund - fund, zone.income - income)
    outbox = zone.tables["outbox"]
    used = outbox[outbox["kind"] == enums.OUTBOX_INSOLVENCY]
    told.money("record for L1", int(used["amount"].sum()), deficit)
    told.check("Dan's pool", told.stake("Dan"), Stake(0, 0, 0), "closed at nothing")
    told.figures |= {"deficit": deficit, "raised": raised}

    zone.block(zone.place(told.who("Vera"), enums.SELL, mark, 20, flags=1))
    rows = zone.run_until(events.FILL)
    fill = next(e for e in rows if e["kind"] == events.FILL)
    told.tell("the market only reduces: Vera closes against Tom's forced order")
    fees = (int(fill["amount"]), int(fill["amount2"]))
    told.check("fees while there is a deficit", fees, (0, 0), "none")
    zone.run(1_000)
    vera = told.who("Vera")
    claim, half = told.stake("Vera").collateral, 1_000 * USD
    told.money("Vera's claim, still in", claim, before["Vera"].equity(mark))
    cash, free = int(zone.ledger["cash"]), zone.free(vera)
    zone.block(zone.adjust(vera, actions.MARGIN_TAKE, half))
    paid = half * cash // (cash + deficit)
    told.money(
        f"she takes {show(half)} out and gets cash / (cash + deficit)", zone.free(vera) - free, paid
    )
    told.money(
        "the deficit falls by what she gave up", int(zone.ledger["deficit"]), deficit - half + paid
    )
    told.figures["haircut"] = half - paid


def repay(told: Telling) -> None:
    """Let income and the slashed stake repay; the market opens again."""
    zone = told.zone
    told.chapter("Repayment")
    deployer, deficit, fund = told.who(DEPLOYER), int(zone.ledger["deficit"]), zone.fund
    gift = {"venue": VENUE, "asset": QUOTE, "amount": 1_000 * USD}
    zone.block(zone.act(deployer, actions.FUND, **gift))
    told.tell("the deployer gives $1,000; L1 slashes his stake for the rest, and $500 more")
    told.money(
        "income repays before it is kept", int(zone.ledger["deficit"]), deficit - 1_000 * USD
    )
    told.money("the fund", zone.fund, fund)
    zone.block(zone.place(told.who("Mia"), enums.BUY, 36_000, 1), may_fail=True)
    told.check("code of a new order", zone.codes[0], int(Code.MARKET_CLOSED), "MARKET_CLOSED")
    amount = deficit - 500 * USD
    zone.tell(messages.SLASH, venue=VENUE, asset=QUOTE, amount=amount)
    zone.deposited += amount
    zone.block()
    told.money("deficit", int(zone.ledger["deficit"]), 0)
    told.money("what was left over is the fund's", zone.fund, fund + 500 * USD)
    zone.block(zone.place(told.who("Mia"), enums.BUY, 36_000, 1))
    told.check("code of a new order", zone.codes[0], 0, "OK: the market is open again")
    vera = told.who("Vera")
    rest, free = told.stake("Vera").collateral, zone.free(vera)
    zone.block(zone.adjust(vera, actions.MARGIN_TAKE, rest))
    told.money("Vera takes the rest, whole", zone.free(vera) - free, rest)
    zone.cancel_all(told.who("Mia"))


def settle(told: Telling) -> None:
    """Let the market be delisted with a position in it."""
    zone = told.zone
    told.chapter("Final settlement")
    sam, mia = told.who("Sam"), told.who("Mia")
    while zone.state != enums.PRICE_LIVE:
        zone.block(after=1_000)
    zone.trade(sam, mia, 36_400, 100)
    told.move(37_400, 10_000)
    before = {p.name: (zone.free(p), zone.stake(p)) for p in (sam, mia)}
    index, mark = int(zone.terms["index"]), zone.mark
    average = (int(zone.terms["average"]) + limits.SUB // 2) // limits.SUB
    market = zone.tables["market"][MARKET]
    values: dict[str, int | bytes] = {
        name: int(market[column])
        for name, column in (
            ("takerFee", "taker_fee"),
            ("makerFee", "maker_fee"),
            ("protocolShare", "protocol_share"),
            ("insuranceShare", "insurance_share"),
            ("band", "band"),
            ("maxNotional", "max_notional"),
            ("maxLots", "max_lots"),
            ("openInterestCap", "open_interest_cap"),
        )
    }
    zone.tell(messages.UPDATE_MARKET, market=MARKET, phase=enums.PHASE_SETTLED, **values)
    rows = zone.block() + zone.run(1_000)
    price = sorted((index, average, mark))[1]
    found = next(int(e["price"]) for e in rows if e["kind"] == events.SETTLEMENT_BEGUN)
    told.tell(
        f"Sam is long 100 lots; index ${index:,}, its average of the hour ${average:,}, mark ${mark:,}"
    )
    told.check("settlement at the middle one", found, price, f"${price:,}")
    for person in (sam, mia):
        free, stake = before[person.name]
        told.money(f"{person.name} takes home", zone.free(person) - free, stake.equity(price))
    told.check("positions left", (zone.stake(sam), zone.stake(mia)), (Stake(0, 0, 0),) * 2, "none")
    told.check("live perpetuals", int(zone.tables["agenda"][0]["perps"]), 0)


def close(told: Telling, engine: EngineLike) -> None:
    """Write the line that everything ends in."""
    zone = told.zone
    told.chapter("The books")
    people = {p.account: zone.free(p) for p in zone.people.values()}
    venue = zone.tables["venue"][VENUE]
    fees = zone.free(int(venue["fee_account"])) + zone.free(int(venue["fund_account"]))
    cash = int(zone.ledger["cash"])
    told.money("what the wall still holds is the fund", cash, zone.fund)
    told.money("the venue's share of all fees", fees, zone.venue_fees)
    total = sum(people.values()) + fees + cash
    audit = getattr(engine, "audit", None)
    if audit is not None:
        broken = audit(is_thorough=True)
        told.check("rules of the audit that are broken", len(broken), 0, "none")
    came, deposits = show(zone.deposited), show(sum(people.values()))
    line = (
        f"{came} came in = {deposits} people's + {show(fees)} the venue's + {show(cash)} the fund's"
    )
    told.check("conservation", total, zone.deposited, line)
    told.tell(
        f"{told.checks} numbers were checked above; index, averages, mark, funding, fees and both"
    )
    told.tell(f"conservation lines after each of {zone.blocks:,} blocks, with {zone.fills} fills")
    told.figures |= {
        "blocks": zone.blocks,
        "checks": told.checks,
        "fills": zone.fills,
        "deposited": zone.deposited,
        "fund": zone.fund,
    }


__all__ = ["Filling", "Giver", "fill_water", "get_give", "show", "tell_story"]
