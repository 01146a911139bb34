"""Items of envelopes from plain values: prices and sizes as people write them, exact integers as they are sent.

An item is packed bytes; `tradezone.client.Signer` puts up to 30 of them under one signature.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tradezone.client.instruments import (
    SIDES,
    Instrument,
    Market,
    Number,
    OutcomeMarket,
    PerpMarket,
    Ratio,
    choose,
    to_fraction,
    to_ppm,
)
from tradezone.client.signing import ClientError
from tradezone.protocol import actions
from tradezone.protocol.actions import pack
from tradezone.protocol.enums import (
    BOTH_SIDES,
    GROUP_NONE,
    GROUP_ORDER,
    GROUP_POSITION,
    ORDER_REDUCE_ONLY,
    PLAN_STOP,
    PLAN_TAKE_PROFIT,
    SELL,
    SOURCE_INDEX,
    SOURCE_LAST,
    SOURCE_MARK,
    STP_BOTH,
    STP_DECREMENT,
    STP_NEWEST,
    STP_OLDEST,
    STP_OWNER,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_MARKET,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
)
from tradezone.protocol.limits import MAX_INTERFACE_FEE, MAX_SLIPPAGE

ClientId = bytes | str | uuid.UUID | None
"""16 bytes, up to 16 ASCII characters, 32 hex digits behind 0x, or a UUID."""

TIMES_IN_FORCE: Final[Mapping[str, int]] = {
    "gtc": TIF_GTC,
    "gtt": TIF_GTC,
    "post_only": TIF_POST_ONLY,
    "post_slide": TIF_POST_SLIDE,
    "ioc": TIF_IOC,
    "fok": TIF_FOK,
    "market": TIF_MARKET,
}
QUOTE_TIMES_IN_FORCE: Final[Mapping[str, int]] = {
    "post_only": TIF_POST_ONLY,
    "post_slide": TIF_POST_SLIDE,
}
SELF_TRADE: Final[Mapping[str, int]] = {
    "newest": STP_NEWEST,
    "oldest": STP_OLDEST,
    "both": STP_BOTH,
    "decrement": STP_DECREMENT,
}
SELF_TRADE_SCOPES: Final[Mapping[str, int]] = {"account": 0, "owner": STP_OWNER}
AMEND_MODES: Final[Mapping[str, int]] = {
    "shrink": actions.AMEND_SHRINK,
    "post_only": actions.AMEND_POST_ONLY,
    "take": actions.AMEND_TAKE,
    "post_slide": actions.AMEND_POST_SLIDE,
}
PLAN_KINDS: Final[Mapping[str, int]] = {"stop": PLAN_STOP, "take_profit": PLAN_TAKE_PROFIT}
PLAN_SOURCES: Final[Mapping[str, int]] = {
    "last": SOURCE_LAST,
    "mark": SOURCE_MARK,
    "index": SOURCE_INDEX,
}
PLAN_GROUPINGS: Final[Mapping[str, int]] = {
    "none": GROUP_NONE,
    "order": GROUP_ORDER,
    "position": GROUP_POSITION,
}
NO_CLIENT_ID: Final = bytes(16)
SLIPPAGE: Final = "5%"  # how far beyond its trigger a market plan goes unless told otherwise


# --- parts of items --------------------------------------------------------------------------------


def to_client_id(value: ClientId) -> bytes:
    """Return a client id as 16 bytes; None is none (zero)."""
    if value is None:
        return NO_CLIENT_ID
    if isinstance(value, uuid.UUID):
        raw = value.bytes
    elif isinstance(value, str) and value.startswith("0x"):
        try:
            raw = bytes.fromhex(value[2:])
        except ValueError:
            raise ClientError(f"client id {value!r} is not hex") from None
    elif isinstance(value, str):
        if not value.isascii() or not 1 <= len(value) <= 16:
            raise ClientError(f"client id {value!r} is not 1 to 16 ASCII characters")
        raw = value.encode().ljust(16, b"\0")
    else:
        raw = value
    if len(raw) != 16:
        raise ClientError(f"a client id is 16 bytes, was {len(raw)}")
    return raw


def pack_fields(layout: actions.Layout, **values: int | bytes) -> bytes:
    """Pack an item or body. ClientError names the fields if one is out of range."""
    try:
        return pack(layout, values)
    except (OverflowError, ValueError, AttributeError, TypeError) as error:
        fields = {n: v for n, v in values.items() if not isinstance(v, bytes)}
        raise ClientError(f"a field is out of range: {error}; fields {fields}") from error


def _check_order_name(order: int | None, client_id: ClientId, what: str) -> tuple[int, bytes]:
    if (order is None) == (client_id is None):
        raise ClientError(f"name {what} by its id or by its client id, and not by both")
    if order == 0:
        raise ClientError("order id 0 does not exist")
    identity = to_client_id(client_id)
    if order is None and identity == NO_CLIENT_ID:
        raise ClientError("client id 0 names no order")
    return order or 0, identity


def _to_stp(mode: str, scope: str) -> int:
    return choose(mode, SELF_TRADE, "stp") | choose(scope, SELF_TRADE_SCOPES, "stp_scope")


def _to_flags(market: Instrument, reduce_only: bool) -> int:
    if reduce_only and not isinstance(market, OutcomeMarket | PerpMarket):
        raise ClientError(
            f"{market.name} has no positions: reduce_only is for outcome markets and perpetuals"
        )
    return ORDER_REDUCE_ONLY if reduce_only else 0


def _to_tif(tif: str, expires: int) -> int:
    code = choose(tif, TIMES_IN_FORCE, "tif")
    if tif == "gtt" and not expires:
        raise ClientError("tif is 'gtt' and expires is 0: say until when (ms since 1970)")
    return code


def _to_interface(interface: int, fee: Ratio) -> tuple[int, int]:
    parts = to_ppm(fee, "interface_fee", MAX_INTERFACE_FEE)
    if parts and not interface:
        raise ClientError(f"interface_fee is {fee} and interface is 0: say who gets it")
    return interface, parts


def _check_notional(market: Instrument, ticks: int, lots: int, size: Number, price: str) -> None:
    notional = ticks * lots * market.tick_value
    if notional < market.min_notional:
        symbol = market.quote.symbol
        least, found = (market.quote.from_atoms(n) for n in (market.min_notional, notional))
        raise ClientError(
            f"{size} at {price} is worth {found:f} {symbol}, the least of {market.name} is {least:f}"
        )


# --- orders ----------------------------------------------------------------------------------------


def build_place(
    market: Instrument,
    side: str,
    price: Number,
    size: Number,
    *,
    tif: str = "gtc",
    stp: str = "newest",
    stp_scope: str = "account",
    reduce_only: bool = False,
    expires: int = 0,
    client_id: ClientId = None,
    interface: int = 0,
    interface_fee: Ratio = 0,
) -> bytes:
    """Build one order of a PLACE envelope.

    Parameters
    ----------
    market : Instrument
        where; a market that opens a door to another venue's book is named like any other
    side : str
        "buy" or "sell"
    price : str, Decimal or int
        limit, quote units per base unit; of an outcome a part of its unit, between 0 and 1
    size : str, Decimal or int
        base units; of an outcome whole contracts
    tif : str
        "gtc"; "gtt" (until ``expires``); "post_only" (refused if it would take); "post_slide" (would it take,
        it rests one tick behind the best opposite price); "ioc"; "fok"; "market" (``price`` is the worst that
        is accepted, see `build_market_order`)
    stp : str
        who gives way when the order takes from an own one: "newest" (this one), "oldest", "both" or
        "decrement"
    stp_scope : str
        whose orders are own ones: those of the "account", or of all accounts of the "owner"
    reduce_only : bool
        outcome markets: the order only closes what the account holds
    expires : int
        ms since 1970 at which the resting order ends, 0 = never
    client_id : optional
        see `ClientId`
    interface : int
        account of the interface that is paid ``interface_fee``, which the account must have approved
    interface_fee : str, Decimal or int
        part of the notional, as "0.0005" or "0.05%"

    Raises
    ------
    ClientError
        If a value cannot be sent as given; the text names the nearest ones that can.
    """
    return _pack_place(
        market,
        market.to_ticks(price),
        side,
        size,
        str(price),
        tif=_to_tif(tif, expires),
        stp=_to_stp(stp, stp_scope),
        flags=_to_flags(market, reduce_only),
        expires=expires,
        client_id=client_id,
        interface=_to_interface(interface, interface_fee),
    )


def build_market_order(
    market: Instrument,
    side: str,
    size: Number,
    *,
    reference: Number,
    slippage: Ratio,
    stp: str = "newest",
    stp_scope: str = "account",
    reduce_only: bool = False,
    client_id: ClientId = None,
    interface: int = 0,
    interface_fee: Ratio = 0,
) -> bytes:
    """Build a market order of a PLACE envelope: it takes what there is, and nothing worse than a bound.

    The bound is ``reference`` and ``slippage`` of it on top (buy) or off (sell), rounded to the tick that is
    better for the sender. The market's price band may cut it further.

    Parameters
    ----------
    reference : str, Decimal or int
        what the sender sees as the price, for instance the best price of the other side
    slippage : str, Decimal or int
        "0.01" or "1%"

    The other parameters are those of `build_place`.
    """
    ticks = market.to_worst_ticks(side, reference, slippage)
    return _pack_place(
        market,
        ticks,
        side,
        size,
        f"{market.from_ticks(ticks):f}",
        tif=TIF_MARKET,
        stp=_to_stp(stp, stp_scope),
        flags=_to_flags(market, reduce_only),
        expires=0,
        client_id=client_id,
        interface=_to_interface(interface, interface_fee),
    )


def _pack_place(
    market: Instrument,
    ticks: int,
    side: str,
    size: Number,
    price: str,
    *,
    tif: int,
    stp: int,
    flags: int,
    expires: int,
    client_id: ClientId,
    interface: tuple[int, int],
) -> bytes:
    lots, direction = market.to_lots(size), market.to_side(side)
    # Who closes may go below: a spot sell of all that is left, a reduce-only order. The engine knows.
    is_closing = flags != 0 or (isinstance(market, Market) and direction == SELL)
    if not is_closing:
        _check_notional(market, ticks, lots, size, price)
    return pack_fields(
        actions.PLACE_ITEM,
        market=market.slot,
        price=ticks,
        lots=lots,
        side=direction,
        tif=tif,
        stp=stp,
        flags=flags,
        expires=expires,
        client_id=to_client_id(client_id),
        interface=interface[0],
        interface_fee=interface[1],
    )


def build_amend(
    market: Instrument,
    *,
    size: Number,
    price: Number | None = None,
    order: int | None = None,
    client_id: ClientId = None,
    mode: str = "shrink",
) -> bytes:
    """Build one amend of an AMEND envelope.

    Parameters
    ----------
    market : Instrument
        of the order
    size : str, Decimal or int
        new *total* size, base units, including what is filled already
    price : str, Decimal or int, optional
        new limit; the old one if absent
    order, client_id
        name of the order: one of the two
    mode : str
        "shrink" keeps the place in the queue and only allows less at the same price; "post_only",
        "post_slide" and "take" place the order anew if more than that is asked
    """
    number, identity = _check_order_name(order, client_id, "an order")
    return pack_fields(
        actions.AMEND_ITEM,
        order=number,
        client_id=identity,
        price=0 if price is None else market.to_ticks(price),
        lots=market.to_lots(size),
        mode=choose(mode, AMEND_MODES, "mode"),
    )


def build_cancel(order: int | None = None, *, client_id: ClientId = None) -> bytes:
    """Build one cancel of a CANCEL envelope; the order is named by id or by client id."""
    number, identity = _check_order_name(order, client_id, "an order")
    return pack_fields(actions.CANCEL_ITEM, order=number, client_id=identity)


def build_cancel_all(market: Instrument | None = None, side: str = "both") -> bytes:
    """Build one item of a CANCEL_ALL envelope.

    Parameters
    ----------
    market : Instrument, optional
        only orders and plans of this market; all if absent
    side : str
        "buy", "sell" or "both"
    """
    if side == "both" or market is None:
        code = choose(side, {**SIDES, "both": BOTH_SIDES}, "side")
    else:
        code = market.to_side(side)
    return pack_fields(actions.CANCEL_ALL_ITEM, market=market.slot if market else 0, side=code)


def build_quote(
    market: Instrument,
    side: str,
    price: Number,
    size: Number,
    *,
    client_id: ClientId,
    tif: str = "post_only",
    stp: str = "newest",
    stp_scope: str = "account",
    expires: int = 0,
) -> bytes:
    """Build one rung of a MASS_QUOTE envelope: what shall rest under this client id.

    Parameters
    ----------
    size : str, Decimal or int
        base units that shall be *open*; a rung that rests at the same price with more shrinks in place
    client_id : see `ClientId`
        which rung it is; the order that bears it is replaced
    tif : str
        "post_only" or "post_slide"

    The other parameters are those of `build_place`.
    """
    ticks, lots = market.to_ticks(price), market.to_lots(size)
    direction = market.to_side(side)
    if not (isinstance(market, Market) and direction == SELL):
        _check_notional(market, ticks, lots, size, str(price))
    return pack_fields(
        actions.QUOTE_ITEM,
        market=market.slot,
        price=ticks,
        lots=lots,
        side=direction,
        tif=choose(tif, QUOTE_TIMES_IN_FORCE, "tif"),
        stp=_to_stp(stp, stp_scope),
        expires=expires,
        client_id=_to_rung(client_id),
    )


def build_pull(market: Instrument, *, client_id: ClientId) -> bytes:
    """Build a rung of a MASS_QUOTE envelope that takes away what rests under this client id."""
    return pack_fields(
        actions.QUOTE_ITEM,
        market=market.slot,
        price=0,
        lots=0,
        side=0,
        tif=TIF_POST_ONLY,
        stp=STP_NEWEST,
        expires=0,
        client_id=_to_rung(client_id),
    )


def _to_rung(client_id: ClientId) -> bytes:
    identity = to_client_id(client_id)
    if identity == NO_CLIENT_ID:
        raise ClientError("a rung needs a client id: it says which rung of the ladder it is")
    return identity


def find_repeated_rung(rungs: tuple[bytes, ...]) -> bytes | None:
    """Return a client id under which two of the rungs are to rest, or None."""
    seen = set()
    for rung in rungs:
        fields = actions.unpack(actions.QUOTE_ITEM, rung)
        if fields["lots"]:
            if fields["client_id"] in seen:
                return bytes(rung[-16:])
            seen.add(fields["client_id"])
    return None


# --- plans -----------------------------------------------------------------------------------------


def build_plan(
    market: Instrument,
    side: str,
    kind: str,
    trigger: Number,
    size: Number | None,
    *,
    price: Number | None = None,
    slippage: Ratio | None = None,
    tif: str | None = None,
    source: str = "last",
    grouping: str = "none",
    parent: int | None = None,
    parent_client_id: ClientId = None,
    stp: str = "newest",
    stp_scope: str = "account",
    reduce_only: bool = False,
    expires: int = 0,
    interface: int = 0,
    interface_fee: Ratio = 0,
) -> bytes:
    """Build one plan of a PLACE_PLAN envelope: an order that is sent when a price reaches its trigger.

    Parameters
    ----------
    side : str
        "buy" or "sell": of the order that it sends
    kind : str
        "stop" (buys when the price rises to the trigger, sells when it falls to it) or "take_profit" (the
        other way round)
    trigger : str, Decimal or int
        price, as that of an order
    size : str, Decimal or int, optional
        most that the order is for; None only with grouping "position": all that the account holds
    price : str, Decimal or int, optional
        limit of the order; a market order if absent
    slippage : str, Decimal or int, optional
        market orders: how far beyond the trigger they may go, 5% if absent
    tif : str, optional
        limit orders: as for `build_place`, "gtc" if absent
    source : str
        price that is watched: "last"; of perpetuals also "mark" or "index"
    grouping : str
        "none"; "order": a leg of a bracket on the order named by ``parent`` or ``parent_client_id``, whose
        size follows what that order fills; "position": a leg of a bracket on what the account holds
    expires : int
        ms since 1970 at which the plan, and the order it has sent, ends, 0 = never

    The other parameters are those of `build_place`.
    """
    group = choose(grouping, PLAN_GROUPINGS, "grouping")
    if group == GROUP_ORDER:
        number, identity = _check_order_name(parent, parent_client_id, "the parent of a plan")
    elif parent is not None or parent_client_id is not None:
        raise ClientError(f"grouping is {grouping!r}: only grouping 'order' has a parent")
    else:
        number, identity = 0, NO_CLIENT_ID
    if group == GROUP_POSITION and not reduce_only:
        raise ClientError("grouping is 'position': such a plan is reduce_only")
    if size is None and group != GROUP_POSITION:
        raise ClientError("size is None: only a plan with grouping 'position' is for all there is")
    watched = choose(source, PLAN_SOURCES, "source")
    if watched != SOURCE_LAST and not isinstance(market, PerpMarket):
        raise ClientError(
            f"source is {source!r}: {market.name} is no perpetual, it has no such price"
        )
    ticks = market.to_ticks(trigger, "trigger")
    limit, time_in_force, parts = _to_plan_terms(market, ticks, price, slippage, tif, expires)
    lots = 0 if size is None else market.to_lots(size)
    if size is not None and not reduce_only:
        shown = str(trigger if price is None else price)
        _check_notional(market, limit or ticks, lots, size, shown)
    account, fee = _to_interface(interface, interface_fee)
    return pack_fields(
        actions.PLAN_ITEM,
        market=market.slot,
        side=market.to_side(side),
        kind=choose(kind, PLAN_KINDS, "kind"),
        source=watched,
        grouping=group,
        trigger=ticks,
        price=limit,
        lots=lots,
        tif=time_in_force,
        stp=_to_stp(stp, stp_scope),
        flags=_to_flags(market, reduce_only),
        slippage=parts,
        expires=expires,
        parent=number,
        parent_client_id=identity,
        interface=account,
        interface_fee=fee,
    )


def _to_plan_terms(
    market: Instrument,
    trigger: int,
    price: Number | None,
    slippage: Ratio | None,
    tif: str | None,
    expires: int,
) -> tuple[int, int, int]:
    """Limit (ticks, 0 = market), time in force and slippage (ppm)."""
    if price is None:
        if tif not in (None, "market"):
            raise ClientError(f"tif is {tif!r} and price is None: only a limit order has a tif")
        allowed = SLIPPAGE if slippage is None else slippage
        return 0, TIF_MARKET, market.to_slippage(trigger, allowed, MAX_SLIPPAGE)
    if slippage is not None:
        raise ClientError(f"slippage is {slippage} and price is {price}: a limit has no slippage")
    if tif == "market":
        raise ClientError(f"tif is 'market' and price is {price}: a market plan has no price")
    return market.to_ticks(price), _to_tif(tif or "gtc", expires), 0


@dataclass(frozen=True, slots=True)
class Leg:
    """One way out of a bracket: where it fires, and the limit of what it sends (None = market order)."""

    trigger: Number
    price: Number | None = None
    slippage: Ratio | None = None


def build_bracket(
    market: Instrument,
    side: str,
    size: Number,
    *,
    parent: int | None = None,
    parent_client_id: ClientId = None,
    take_profit: Leg | None = None,
    stop: Leg | None = None,
    stp: str = "newest",
    stp_scope: str = "account",
    expires: int = 0,
    interface: int = 0,
    interface_fee: Ratio = 0,
) -> tuple[bytes, ...]:
    """Build the legs of a bracket on an order: plans on its other side, of which one cancels the other.

    Parameters
    ----------
    side : str
        of the *order* that is bracketed
    size : str, Decimal or int
        of that order; the legs never close more than it has filled
    parent, parent_client_id
        name of the order: one of the two
    take_profit, stop : Leg, optional
        at least one

    In outcome markets and perpetuals the legs are reduce-only. The other parameters are those of `build_plan`.
    """
    is_buy = choose(side, SIDES, "side") == SIDES["buy"]
    if take_profit is None and stop is None:
        raise ClientError("a bracket needs take_profit, stop, or both")
    if take_profit and stop:
        above, below = (
            to_fraction(leg.trigger, "trigger")
            for leg in ((take_profit, stop) if is_buy else (stop, take_profit))
        )
        if above <= below:
            raise ClientError(
                f"take_profit is {take_profit.trigger} and stop is {stop.trigger}: the profit of a {side} is "
                f"{'above' if is_buy else 'below'} its stop"
            )
    legs = (("take_profit", take_profit), ("stop", stop))
    return tuple(
        build_plan(
            market,
            "sell" if is_buy else "buy",
            kind,
            leg.trigger,
            size,
            price=leg.price,
            slippage=leg.slippage,
            grouping="order",
            parent=parent,
            parent_client_id=parent_client_id,
            stp=stp,
            stp_scope=stp_scope,
            reduce_only=isinstance(market, OutcomeMarket | PerpMarket),
            expires=expires,
            interface=interface,
            interface_fee=interface_fee,
        )
        for kind, leg in legs
        if leg
    )


# --- sets ------------------------------------------------------------------------------------------


def build_set(event: OutcomeMarket | int, sets: Number) -> bytes:
    """Build one item of a SPLIT or MERGE envelope: so many complete sets of an event.

    Parameters
    ----------
    event : OutcomeMarket or int
        slot of the event, or any of its markets
    sets : str, Decimal or int
        whole sets; one is a Yes of every outcome
    """
    group = event.event if isinstance(event, OutcomeMarket) else event
    count = to_fraction(sets, "sets")
    if count.denominator != 1 or count < 1:
        raise ClientError(f"sets is {sets}, expected a whole number above zero")
    return pack_fields(actions.SET_ITEM, group=group, lots=count.numerator)
