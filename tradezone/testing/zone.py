"""A zone made for one order flow: owners, assets, venue, market and money, then every group as a block.

For tests and benchmarks that drive an engine directly; a deployment gets the same messages from L1. Unless the terms say
otherwise one tick is one cent and one lot one share: the quote asset has 6 decimals, the base asset is counted in whole shares.

With a taker delay execution does not follow arrival any more. To compare a run with what was published all the same, each
group with an aggressive order is followed by blocks in which nothing arrives, until it has been served.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice, tee
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tradezone.protocol import actions, messages
from tradezone.protocol.enums import (
    ACCESS_OPEN,
    ASSET_ERC20,
    MARKET_SPOT,
    OWNER_USER,
    PROTOCOL_OWNER,
)
from tradezone.protocol.limits import (
    MAX_INBOX_MARK,
    MAX_TOTAL_ATOMS,
    MICRO,
    PPM,
    WAIT_BLOCKS,
)

from .flow import (
    DEFAULT_MAKERS,
    DEFAULT_MARKET,
    DEFAULT_TAKERS,
    Funding,
    Group,
    Trader,
    build_groups,
    get_address,
    get_funding,
    get_secret,
    presign,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tradezone.views import Events

    from .intentions import OrderFlow

START: Final = 1_700_000_000_000  # ms, time of the first block
CHAIN_ID: Final = 196
CONTRACT: Final = bytes.fromhex("5a" * 20)
SEPARATOR: Final = actions.domain_separator(CHAIN_ID, CONTRACT)

QUOTE: Final = 1  # asset id
BASE: Final = 2
VENUE: Final = 1
TICK_VALUE: Final = 10_000  # quote atoms a tick and lot: one cent of a dollar of 10^6 atoms
_BLOCKS_A_RUN: Final = 256


class EngineLike(Protocol):
    """What runs a flow: the engine, or a stand-in for it."""

    def execute(
        self, leaves: list[bytes], signers: list[bytes | None], messages: list[bytes], /
    ) -> tuple[Sequence[int], Any]:
        """Execute a run that begins with a block mark; return (result of each leaf, events)."""
        ...


@dataclass(frozen=True)
class Terms:
    """Terms of the market; rates are ppm, negative maker fees are rebates. ``taker_delay`` is ms.

    ``quota_rate`` is what an atom of protocol fee in the quote asset buys, micro-actions: by default one action, so that
    whoever trades does not run out of them (``docs/spec/quota.md``).
    """

    taker_fee: int = 500
    maker_fee: int = 200
    protocol_share: int = 200_000
    insurance_share: int = 100_000
    max_price: int = 1_000_000  # ticks
    max_lots: int = 1_000_000
    tick_value: int = TICK_VALUE
    taker_delay: int = 0
    quota_rate: int = MICRO


@dataclass(frozen=True)
class FlowRun:
    """What a run of a flow did."""

    events: Events  # of all blocks, the first one with the setup included
    results: list[int]  # of all leaves
    blocks: int
    envelopes: int
    orders: int


def build_traders(makers: int = DEFAULT_MAKERS, takers: int = DEFAULT_TAKERS) -> list[Trader]:
    """Traders as `build_setup` registers them in an empty zone: right after the protocol's owner."""
    first = PROTOCOL_OWNER + 1
    return [Trader(first + n, first + n, get_secret(n)) for n in range(makers + takers)]


def build_setup(
    traders: Sequence[Trader],
    funding: Sequence[Funding],
    time: int = START,
    terms: Terms | None = None,
) -> list[bytes]:
    """Inbox messages that make an empty zone ready for a flow.

    Parameters
    ----------
    traders : sequence of Trader
        from `build_traders`
    funding : sequence of Funding
        what each of them needs at most; the worst fee is added
    time : int
        L1 time of all messages, ms
    """
    terms = Terms() if terms is None else terms
    addresses = [get_address(get_secret(0, "protocol"))]
    addresses += [trader.get_address() for trader in traders]
    addresses += [get_address(get_secret(0, "deployer"))]
    told: list[tuple[int, bytes]] = []
    for owner, address in enumerate(addresses, PROTOCOL_OWNER):
        told.append(_tell_owner(owner, address))
    told += [_tell_asset(QUOTE, decimals=6), _tell_asset(BASE, decimals=0)]
    told.append(_tell_quota(QUOTE, terms.quota_rate))
    told += [_tell_venue(owner=PROTOCOL_OWNER + len(traders) + 1), _tell_market(terms)]
    worst_fee = max(terms.taker_fee, terms.maker_fee, 0)
    for owner, needs in enumerate(funding, PROTOCOL_OWNER + 1):
        quote = needs.quote * terms.tick_value
        quote += quote * worst_fee // PPM + 1_000_000  # a fee rounds up once an order
        for asset, amount in ((QUOTE, quote), (BASE, needs.lots)):
            if amount > 0:
                told.append(_tell_deposit(owner, addresses[owner - PROTOCOL_OWNER], asset, amount))
    told.append(_tell(messages.HEARTBEAT, batch=0))
    return [
        messages.Message(index, kind, bytes(20), time // 1000, index, payload).to_bytes()
        for index, (kind, payload) in enumerate(told)
    ]


def build_setup_leaves(count: int, time: int = START) -> list[bytes]:
    """Leaves of block 1, which consumes ``count`` messages."""
    ends = [*range(MAX_INBOX_MARK, count, MAX_INBOX_MARK), count]
    return [actions.block_mark(1, time), *(actions.inbox_mark(end) for end in ends)]


def run_flow(
    engine: EngineLike,
    flow: OrderFlow,
    makers: int = DEFAULT_MAKERS,
    takers: int = DEFAULT_TAKERS,
    terms: Terms | None = None,
) -> FlowRun:
    """Set up an empty engine and run a flow through it, one block a group and 1 ms a block."""
    groups = list(build_groups(flow, makers, takers, DEFAULT_MARKET))
    traders = build_traders(makers, takers)
    inbox = build_setup(traders, get_funding(groups, makers + takers), terms=terms)
    leaves = build_setup_leaves(len(inbox))
    results, events = engine.execute(leaves, [None] * len(leaves), inbox)
    all_results, all_events = list(results), [events]
    delay = 0 if terms is None else terms.taker_delay
    blocks = build_blocks(groups, traders, delay=delay)
    done = 1
    while run := list(islice(blocks, _BLOCKS_A_RUN)):
        done += len(run)
        leaves = [leaf for block, _ in run for leaf in block]
        results, events = engine.execute(leaves, [one for _, signers in run for one in signers], [])
        all_results += results
        all_events.append(events)
    drafts = [draft for group in groups for draft in group.envelopes]
    return FlowRun(
        events=np.concatenate(all_events),
        results=all_results,
        blocks=done,
        envelopes=len(drafts),
        orders=sum(draft.items for draft in drafts if draft.action == actions.PLACE),
    )


def build_blocks(
    groups: Iterable[Group],
    traders: Sequence[Trader],
    number: int = 2,
    start: int = START,
    delay: int = 0,
) -> Iterator[tuple[list[bytes], list[bytes | None]]]:
    """Yield (leaves, signers) of each group as a block that begins with its mark, and empty blocks behind it.

    Parameters
    ----------
    number : int
        number of the first block
    start : int
        ms; block n has the time ``start + n``, the nonces of each key begin at ``start + 1``
    delay : int
        taker delay of the market, ms: so many empty blocks follow a group that can take, at least as many as it has to wait
    """
    addresses = [trader.get_address() for trader in traders]
    first, second = tee(groups)
    signed = presign(second, traders, SEPARATOR, start + 1)
    blocks = count(number)
    for group, envelopes in zip(first, signed, strict=True):
        n = next(blocks)
        signers = [addresses[draft.account] for draft in group.envelopes]
        yield [actions.block_mark(n, start + n), *envelopes], [None, *signers]
        is_taking = any(actions.leaf_class(leaf) == actions.CLASS_TAKE for leaf in envelopes)
        for n in islice(blocks, max(delay, WAIT_BLOCKS) if delay and is_taking else 0):
            yield [actions.block_mark(n, start + n)], [None]


def _tell(kind: int, /, **values: int | bytes) -> tuple[int, bytes]:
    return kind, actions.pack(messages.BODIES[kind], values)


def _tell_owner(owner: int, address: bytes) -> tuple[int, bytes]:
    return _tell(messages.REGISTER_OWNER, owner=owner, address=address, referrer=0, kind=OWNER_USER)


def _tell_asset(asset: int, decimals: int) -> tuple[int, bytes]:
    return _tell(
        messages.REGISTER_ASSET,
        asset=asset,
        token=asset.to_bytes(20, "big"),
        kind=ASSET_ERC20,
        decimals=decimals,
        quantum=1,
        cap=MAX_TOTAL_ATOMS,
        venue=0,
    )


def _tell_quota(asset: int, rate: int) -> tuple[int, bytes]:
    terms = {"quotaRate": rate, "quotaDeposit": 0, "faucetAmount": 0, "faucetInterval": 0}
    return _tell(messages.SET_ASSET, asset=asset, **terms)


def _tell_venue(owner: int) -> tuple[int, bytes]:
    return _tell(
        messages.CREATE_VENUE, venue=VENUE, owner=owner, access=ACCESS_OPEN, stake=1_000_000_000
    )


def _tell_market(terms: Terms) -> tuple[int, bytes]:
    most = terms.max_price * terms.tick_value * terms.max_lots
    return _tell(
        messages.LIST_MARKET,
        market=DEFAULT_MARKET,
        id=VENUE << 16 | 1,
        venue=VENUE,
        kind=MARKET_SPOT,
        base=BASE,
        quote=QUOTE,
        lotSize=1,
        tickValue=terms.tick_value,
        minNotional=0,
        maxNotional=most,
        maxLots=terms.max_lots,
        maxPrice=terms.max_price,
        takerFee=terms.taker_fee,
        makerFee=terms.maker_fee,
        protocolShare=terms.protocol_share,
        insuranceShare=terms.insurance_share,
        takerDelay=terms.taker_delay,
        effectiveAt=0,
    )


def _tell_deposit(owner: int, address: bytes, asset: int, amount: int) -> tuple[int, bytes]:
    return _tell(messages.DEPOSIT, owner=owner, address=address, asset=asset, amount=amount)
