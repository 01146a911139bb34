"""A perpetual behind a gateway, on a real clock: what a trader's program sees of it, and what the command line says."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import httpx
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from tradezone.cli import cli
from tradezone.client import (
    BlockingZone,
    NotFoundError,
    PerpMarket,
    RejectedError,
    ZoneError,
    build_plan,
)
from tradezone.protocol import messages
from tradezone.protocol.limits import REOPEN_POST

PERP = 2
FEED = 1
PROVIDERS = (b"\x91" * 20, b"\x92" * 20, b"\x93" * 20)
TICK = 10_000_000  # a tenth of a quote unit, in units of the feed


def tell_perp():
    """A feed, a perpetual with a tick of 0.1 USD and a lot of 0.001, and what its venue may carry."""
    oracle = {
        "feed": FEED,
        "venue": 1,
        "quorum": 2,
        "heartbeat": 60_000,
        "deviation": 20_000,
        "breaker": 200_000,
    }
    for place, signer in enumerate(PROVIDERS):
        oracle |= {f"provider{place}": 11 + place, f"signer{place}": signer}
    for place in range(len(PROVIDERS), 8):
        oracle |= {f"provider{place}": 0, f"signer{place}": bytes(20)}
    perp = {
        "market": PERP,
        "id": 1 << 16 | PERP,
        "venue": 1,
        "quote": 1,
        "feed": FEED,
        "feedScale": TICK,
        "tickValue": 100,
        "maxNotional": 1 << 50,
        "maxLots": 1_000_000,
        "maxPrice": 100_000,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 500_000,
        "band": 400_000,
        "bandListing": 300_000,
        "bandBasis": 200_000,
        "openInterestCap": 1 << 50,
        "fundingCap": 1_000_000,
        "interest": 100_000,
        "impactNotional": 2_000_000,
        "oiLower": 1 << 52,
        "oiUpper": 1 << 53,
        "imr0": 100_000,
        "mmr0": 50_000,
    }
    names = [name for name, _, _ in messages.BODIES[messages.LIST_PERP]]
    return [
        (messages.ORACLE_SET, oracle),
        (messages.LIST_PERP, dict.fromkeys(names, 0) | perp),
        (messages.SET_RISK, {"venue": 1, "asset": 1, "cap": 1 << 50}),
    ]


def tell_prices(node, ticks):
    """Fresh prices of every provider, told by L1."""
    now = node.clock.now()
    node.get_local_inbox().offer_all(
        [
            (
                messages.PRICE,
                {
                    "feed": FEED,
                    "provider": 11 + place,
                    "signer": signer,
                    "price": ticks * TICK,
                    "time": now,
                },
            )
            for place, signer in enumerate(PROVIDERS)
        ]
    )


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def traded(served):
    """Bob long 2 and carol short 2 at 1000.0; the price is THROTTLED or LIVE."""
    from sequencer_zone import KEYS

    node, url = served
    node.get_local_inbox().offer_all(tell_perp())
    tell_prices(node, 10_000)

    def is_open():
        tell_prices(node, 10_000)
        found = httpx.get(f"{url}/v1/markets/{PERP}/perpetual")
        return found.status_code == 200 and found.json()["state"] in ("throttled", "live")

    wait_for(is_open, REOPEN_POST / 1_000 + 60)
    symbols = {1: "USD", 2: "OKB"}
    keys = {owner: KEYS[owner - 1] for owner in (2, 3)}
    zones = {owner: BlockingZone(url, key, symbols=symbols) for owner, key in keys.items()}
    bob, carol = zones[2], zones[3]
    name = f"M{PERP}-PERP"
    carol.sell(name, 2, "1000", tif="post_only")
    bob.buy(name, 2, "1000", tif="ioc")
    yield node, url, bob, carol, name
    for zone in zones.values():
        zone.close()


def test_positions_mirror_each_other(traded):
    _, _, bob, carol, name = traded
    (long,), (short,) = bob.fetch_positions(), carol.fetch_positions()
    assert isinstance(long.market, PerpMarket)
    assert (long.market.name, long.size, short.size) == (name, Decimal(2), Decimal(-2))
    assert long.entry_price == short.entry_price == Decimal(1_000)
    assert long.unrealised == -short.unrealised
    assert long.liquidation_price < long.mark < short.liquidation_price
    assert (long.state, long.is_cross, long.leverage) == ("active", False, None)
    (pool,) = bob.fetch_pools()
    assert int(pool["equity"]) >= int(pool["initial"]) > int(pool["maintenance"]) > 0


def test_a_preview_is_what_the_order_then_costs(traded):
    _, _, bob, carol, name = traded
    carol.sell(name, 1, "1001", tif="post_only")
    found = bob.preview(name, "buy", 1, "1001")
    before = bob.fetch_balances()["USD"].free
    bob.buy(name, 1, "1001", tif="ioc")
    after = bob.fetch_balances()["USD"].free
    assert found["is_affordable"]
    assert before - after == found["pull"]
    position = bob.fetch_positions()[0]
    assert (position.size, position.liquidation_price) == (
        found["size"],
        found["liquidation_price"],
    )
    fill = next(row for row in bob.fetch_fills() if row["price"] == Decimal(1_001))
    assert fill["fee"] == found["taker_fee"]


def test_a_preview_says_what_is_wrong(traded):
    _, url, bob, _, name = traded
    with pytest.raises(ZoneError, match="to reduce"):
        bob.preview(name, "buy", 1, "1000", reduce_only=True)
    with pytest.raises(NotFoundError, match="no perpetual"):
        bob.preview("OKB/USD", "buy", 1, "60")
    order = {"market": PERP, "side": "buy", "price": 10_000, "lots": "1"}
    assert httpx.post(f"{url}/v1/preview", json=order).status_code == 400
    path = f"{url}/v1/accounts/{bob.account}/margin-preview"
    assert httpx.post(path, json=order).status_code == 401
    assert httpx.get(f"{url}/v1/accounts/{bob.account}/pools").status_code == 401
    assert httpx.get(f"{url}/v1/markets/1/perpetual").status_code == 404
    assert httpx.get(f"{url}/v1/markets/1/funding").status_code == 404


def test_leverage_and_margin_are_changed(traded):
    _, _, bob, _, name = traded
    bob.set_leverage(name, "5")
    assert bob.fetch_positions()[0].leverage == Decimal(5)
    with pytest.raises(RejectedError, match="BAD_LEVERAGE"):
        bob.set_leverage(name, "500")
    before = int(bob.fetch_pools()[0]["collateral"])
    bob.add_margin(name, "2000")
    (pool,) = bob.fetch_pools()
    assert int(pool["collateral"]) - before == int(pool["kept"]) == 2_000_000_000
    most = Decimal(pool["releasable"]) / 10**6
    with pytest.raises(RejectedError, match="INSUFFICIENT_MARGIN"):
        bob.take_margin(name, most + Decimal("0.000001"))
    bob.take_margin(name, most)
    (pool,) = bob.fetch_pools()
    assert pool["releasable"] == "0"


def test_a_plan_watches_the_mark(traded):
    _, _, bob, _, name = traded
    market = bob.get_perpetual(name)
    plan = build_plan(
        market,
        "sell",
        "stop",
        "900",
        None,
        source="mark",
        grouping="position",
        reduce_only=True,
    )
    row = bob.send(bob.signer.place_plan(plan))
    assert "error" not in row["items"][0], row
    (shown,) = bob.fetch(f"/v1/accounts/{bob.account}/plans")
    assert (shown["source"], shown["trigger"]) == (1, 9_000)
    bob.cancel_all(name)


def test_tickers_and_terms(traded):
    node, url, _, _, _ = traded
    tell_prices(node, 10_010)
    row = wait_for(
        lambda: (
            r := httpx.get(f"{url}/v1/markets/{PERP}/ticker").json(),
            r if r["index"] == 10_010 else None,
        )[1]
    )
    perp = httpx.get(f"{url}/v1/markets/{PERP}/perpetual").json()
    assert row["price_state"] == perp["state"]
    assert (row["mark"], row["index"]) == (perp["mark"], perp["index"])
    assert httpx.get(f"{url}/v1/markets/1/ticker").json()["mark"] is None
    (fund,) = httpx.get(f"{url}/v1/funds").json()
    assert int(fund["cash"]) > 0
    assert [p["market"] for p in httpx.get(f"{url}/v1/perpetuals").json()] == [PERP]
    assert httpx.get(f"{url}/v1/markets/{PERP}/funding").json() == {"data": [], "next": None}


def test_the_pools_channel_tells_a_fill(traded):
    _, url, bob, carol, name = traded
    with connect(url.replace("http", "ws") + "/v1/stream") as socket:
        socket.send(json.dumps({"op": "login", "token": bob.rest._token}))
        argument = {"channel": "pools", "account": bob.account}
        socket.send(json.dumps({"op": "subscribe", "args": [argument]}))

        def hear():
            while True:
                message = json.loads(socket.recv(timeout=20))
                if message.get("channel") == "pools":
                    return int(message["data"][0]["positions"][0]["lots"])

        before = hear()
        carol.sell(name, 1, "1000", tif="post_only")
        bob.buy(name, 1, "1000", tif="ioc")
        wait_for(lambda: hear() == before + bob.get_perpetual(name).to_lots(1))


def test_the_command_line(traded, tmp_path):
    node, url, _, carol, name = traded
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text("02" * 32)  # of owner 2, as in sequencer_zone
    environment = {
        "TRADEZONE_URL": url,
        "TRADEZONE_SYMBOLS": "1=USD,2=OKB",
        "TRADEZONE_KEY_FILE": str(key),
    }

    def run(*words, status=0):
        result = CliRunner().invoke(cli, list(words), env=environment)
        assert result.exit_code == status, (result.output, result.exception)
        return result.output

    (row,) = json.loads(run("position", "list", "--json"))
    assert (row["market"], row["mode"], row["state"]) == (name, "isolated", "active")
    assert name in run("position", "list")
    assert "active" in run("position", "pools")
    assert "is_affordable" in run("position", "preview", "buy", name, "1", "1000")
    assert run("position", "leverage", name, "4") == "set\n"
    assert run("position", "margin", "add", name, "2000") == "added\n"
    assert run("position", "margin", "take", name, "3") == "taken\n"
    assert run("position", "outcomes") == "none\n"
    assert run("market", "funding", name) == "none\n"
    assert "throttled" in run("market", "perpetual", name) or "live" in run(
        "market", "perpetual", name
    )
    assert "no perpetual" in run("market", "funding", "OKB/USD", status=1)
    tell_prices(node, 10_000)
    carol.buy(name, 10, "999", tif="post_only")
    assert "order" in run("position", "close", name)
    assert run("position", "list") == "none\n"
    kinds = {row["kind"] for row in json.loads(run("position", "events", "--json"))}
    assert "realised" in kinds
    moves = {row["kind"] for row in json.loads(run("account", "ledger", "--json"))}
    assert {"margin_in", "margin_out"} <= moves
