"""The scripts of venues: files with their errors, changes, notices, handing over, the end."""

from __future__ import annotations

from textwrap import dedent

import pytest

from scripts._units import UnitError, to_seconds
from scripts._venue_file import read_venue_file
from tests.e2e.conftest import DEPLOYER, STRANGER, TAKER

OKB = 10**18
HOUR = 3_600


@pytest.fixture
def do(script, deployed, opened):
    """Run a script that has to work; returns its JSON."""

    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed)
        assert done.status == 0, done.text
        return done.json

    return run


@pytest.fixture
def fails(script, deployed, opened):
    """Run a script that has to fail with exit status 1; returns its error and hint."""

    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed)
        assert done.status == 1, done.text
        return f"{done.json['error']} | {done.json['hint']}"

    return run


@pytest.fixture
def write(tmp_path):
    """Write a venue file."""

    def file(text):
        path = tmp_path / "venue.yaml"
        path.write_text(dedent(text).lstrip())
        return path

    return file


@pytest.fixture
def later(chain):
    """Let time pass on the chain."""

    def run(seconds):
        chain.provider.make_request("evm_increaseTime", [seconds])
        chain.provider.make_request("anvil_mine", ["0x1"])

    return run


GOOD = """
venue:
  name: file-venue
  access: credential
  credentials:
    provider: TEST::5
    least_class: 2
    regions: [0, 4]
assets:
  - symbol: PLAY
    decimals: 6
    cap: 1_000_000_000
    faucet:
      amount: 1000
      every: 24 h
  - symbol: FUN
    decimals: 2
    cap: 1000000
markets:
  - kind: spot
    base: OKB
    quote: USDT
    tick: 0.01
    lot: 0.1
    highest_price: 10000
    least_value: 1
    taker_fee: 5bp
    maker_fee: -1bp
  - kind: spot
    base: FUN
    quote: PLAY
    tick: 0.01
    lot: 1
    highest_price: 100
"""


PERPETUAL = """\
markets:
  - kind: perpetual
    quote: USD
    feed: BTC
    tick: 0.1
    lot: 0.001
    highest_price: 200000
    open_interest: 1000000
    account_cap: 100000
    impact: 1000
    tiers:
      - initial: 5%
        maintenance: 2.5%
"""


# --- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "venue.yaml:1: the file is empty"),
        ("venue: [1", "venue.yaml:1: no YAML: expected ',' or ']'"),
        ("- a", "venue.yaml:1: file: expected keys with values, was a list"),
        ("venue: x", "venue.yaml:1: venue: expected keys with values, was 'x'"),
        ("venues:\n  name: x", "venue.yaml:1: venues: no such key; did you mean venue?"),
        ("venue:\n  nam: x", "venue.yaml:2: venue.nam: no such key; did you mean name?"),
        ("venue:\n  access: open", "venue.yaml:2: venue: name missing"),
        ("venue:\n  name:\n", "venue.yaml:2: venue.name: expected a value, was nothing"),
        ("venue:\n  name: a\n  name: b", "venue.yaml:3: venue: name stands here twice"),
        ("venue:\n  name: {a: b}", "venue.yaml:2: venue.name: expected a single value"),
        ("markets:\n  kind: spot", "venue.yaml:2: markets: expected a list, each entry after '- '"),
        ("markets:\n  - base: OKB", "venue.yaml:2: markets[0]: kind missing; expected spot, event"),
        (
            "markets:\n  - kind: option",
            "venue.yaml:2: kind: expected spot, event, perpetual, door, was 'option'",
        ),
        (
            "markets:\n  - kind: perpetual",
            "quote, feed, tick, lot, highest_price, open_interest, account_cap, tiers, impact missing",
        ),
        (
            "feeds:\n  - name: BTC",
            "venue.yaml:2: feeds[0]: measures missing",
        ),
        (
            PERPETUAL.replace("maintenance: 2.5%", "maintenence: 2.5%"),
            "venue.yaml:13: markets[0].tiers[0].maintenence: no such key; did you mean maintenance?",
        ),
        (
            "markets:\n  - kind: door\n    home: 1\n    fee: 1%\n    lot: 1",
            "venue.yaml:5: markets[0].lot: no such key",
        ),
        (
            "markets:\n  - kind: spot\n    base: OKB\n    quote: USDT",
            "markets[0]: tick, lot, highest_price missing",
        ),
    ],
)
def test_a_bad_file_is_refused_with_line_and_key(write, text, message):
    with pytest.raises(UnitError) as caught:
        read_venue_file(write(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tick: 0.01", "tick: 0.015", "venue.yaml:19: markets[0]: highest price 10000"),
        ("base: OKB", "base: GOLD", "venue.yaml:20: markets[0].base: no asset 'GOLD' in this zone"),
        ("quote: USDT", "quote: OKB", "venue.yaml:21: markets[0].quote: OKB is the base already"),
        ("taker_fee: 5bp", "taker_fee: 6%", "venue.yaml:26: markets[0].taker_fee: taker fee 6% is"),
        ("access: credential", "access: some", "venue.yaml:3: venue.access: expected one of open"),
        ("access: credential", "access: list", "credentials stand beside 'access: credential'"),
        (
            "[0, 4]",
            "[0, 63]",
            "venue.yaml:7: venue.credentials.regions[1]: region 63 is not within",
        ),
        ("every: 24 h", "every: often", "venue.yaml:14: assets[0].faucet.every: duration 'often'"),
        ("cap: 1_000_000_000", "cap: 1e30", "venue.yaml:11: assets[0].cap: there are at most"),
    ],
)
def test_a_bad_value_is_refused_with_line_and_key_before_anything_is_sent(
    fails, do, write, deployed, chain, old, new, message
):
    do("stake", "add", "10")
    before = chain.blocks.head.number
    assert message in fails("venue", "create", "--file", write(GOOD.replace(old, new)))
    assert chain.blocks.head.number == before


def test_a_venue_is_created_from_a_file(do, write, script, deployed):
    do("stake", "add", "10")
    path = write(GOOD)
    dry = do("venue", "create", "--file", path, "--dry-run")
    assert dry["would follow"] == ["register PLAY", "register FUN", "list spot", "list spot"]
    made = do("venue", "create", "--file", path)
    assert [asset["symbol"] for asset in made["assets"]] == ["PLAY", "FUN"]
    assert [market["market"] for market in made["markets"]] == ["OKB/USDT", "FUN/PLAY"]
    shown = script("venue", "show", "file-venue", deployment=deployed).json
    assert (shown["access"], shown["state"]) == ("credential", "active")
    assert (shown["regions"], shown["least class"]) == ("0, 4", 2)
    assert [market["maker fee"] for market in shown["markets"]] == ["-0.01%", "0.02%"]
    assets = script("asset", "list", deployment=deployed).json
    assert assets[-1]["token"] == f"simulated, venue {made['venue']}"


def test_create_wants_a_name_or_a_file(fails, write):
    assert "expected a name or --file" in fails("venue", "create")
    assert "expected a name or --file" in fails("venue", "create", "x", "--file", write(GOOD))


def test_an_event_says_who_resolves_it(fails, write):
    path = write(
        """
        markets:
          - kind: event
            question: Will it rain in Lisbon on 2027-01-31 (UTC), by the gauge of its airport?
            outcomes: [yes, no]
            void: [50%, 50%]
            asset: USDT
            unit: 1
            tick: 0.01
        """
    )
    text = fails("venue", "list-market", "test-venue", "--file", path)
    assert "markets[0]: expected provider, resolves, exposure" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[50%, 50%]", "[50%, 49%]", "venue.yaml:5: markets[0].void[1]: parts sum to 99%"),
        ("[50%, 50%]", "[100%]", "venue.yaml:5: markets[0].void[0]: expected 2 parts"),
        ("[yes, no]", "[yes]", "expected 2 to 16 different outcomes"),
        ("unit: 1", "unit: 0.000001", "a unit is a multiple of 0.01 USDT"),
        ("tick: 0.01", "tick: 0.03", "a tick divides the unit, 1"),
    ],
)
def test_an_events_values_are_checked(fails, write, old, new, message):
    text = """
        markets:
          - kind: event
            question: Will it rain?
            outcomes: [yes, no]
            void: [50%, 50%]
            asset: USDT
            unit: 1
            tick: 0.01
        """
    path = write(text.replace(old, new))
    assert message in fails("venue", "list-market", "test-venue", "--file", path)


# --- changes -----------------------------------------------------------------------------------------


def test_a_market_is_changed_with_the_notice_that_it_needs(do, fails, script, deployed):
    cheaper = do("venue", "update", "1", "--taker-fee", "4bp")
    assert (cheaper["notice"], cheaper["counts"]) == ("none", "at once")
    assert cheaper["takerFee"] == "500 -> 400"
    dearer = do("venue", "update", "1", "--taker-fee", "0.05%", "--band", "10%")
    assert dearer["notice"] == "2 h"
    assert dearer["counts"].endswith("UTC")
    market = script("venue", "show", "1", deployment=deployed).json["markets"][0]
    assert market["changes"] == dearer["counts"]
    assert "nothing to change" in fails("venue", "update", "1")
    assert "band 95% is not within 0.1% .. 90%" in fails("venue", "update", "1", "--band", "95%")
    assert "NoticeTooShort" in fails(
        "venue", "update", "1", "--taker-fee", "5%", "--at", "2026-01-01T00:00:00Z"
    )
    assert "no market 99" in fails("venue", "update", "99", "--taker-fee", "0")
    assert "belongs to" in fails("venue", "update", "1", "--taker-fee", "0", account=STRANGER)


def test_a_market_is_halted_and_reopened(do, script, deployed):
    do("venue", "phase", "1", "halted")
    assert script("venue", "show", "1", deployment=deployed).json["markets"][0]["phase"] == "halted"
    assert do("venue", "update", "1", "--phase", "continuous")["notice"] == "1 h"


def test_a_venue_is_configured_with_notice(do, fails, later):
    do("venue", "reduce-only", "test-venue")
    announced = do("venue", "configure", "test-venue", "--state", "active")
    assert announced["ready"].endswith("UTC")
    assert "NotReady" in fails("venue", "apply", "test-venue", account=STRANGER)
    later(HOUR + 5)
    assert do("venue", "apply", "test-venue", account=STRANGER)["state"] == "active"
    do("venue", "configure", "test-venue", "--access", "list")
    do("venue", "cancel", "test-venue")
    assert "NothingAnnounced" in fails("venue", "apply", "test-venue")


def test_hours_are_set(do, fails):
    made = do(
        *["venue", "calendar", "test-venue", "--hours", "mon-fri=13:30-20:00"],
        *["--closure", "2030-12-24T00:00:00Z/2030-12-26T00:00:00Z"],
    )
    assert made["calendar"] >= 1
    bad = {
        "mon=20:00-13:30": "end before they begin",
        "fri-mon=09:00-17:00": "fri is behind mon; write two",
        "mon=9-17": "is no time of a day",
        "monday=09:00-17:00": "expected for instance mon-fri=13:30-20:00",
        "mon=09:00-25:00": "is no time of a day",
    }
    for hours, message in bad.items():
        assert message in fails("venue", "calendar", "test-venue", "--hours", hours)


def test_stake_is_added_and_told(do):
    do("stake", "add", "5")
    assert do("venue", "add-stake", "test-venue", "5")["stake"]["wei"] == str(15 * OKB)
    do("venue", "tell-stake", "test-venue", account=STRANGER)


def test_a_simulated_asset_and_its_faucet(do, fails):
    made = do("asset", "simulate", "1", "TOY", "--cap", "1000")
    assert do("asset", "faucet", "TOY", "10", "--every", "12 h")["asset"] == made["asset"]
    do("asset", "faucet", "TOY", "0")
    assert "only simulated ones have a faucet" in fails("asset", "faucet", "USDT", "1")
    assert "BadSymbol" in fails("asset", "simulate", "1", "toy", "--cap", "1000")
    assert "NotDeployer" in fails("asset", "simulate", "1", "TOY", "--cap", "1", account=STRANGER)


# --- handing over, the end ---------------------------------------------------------------------------


def test_a_venue_is_handed_over(do, fails, script, deployed, accounts):
    taker = accounts[TAKER].address
    assert "expected an address, or --cancel" in fails("venue", "hand-over", "test-venue")
    do("venue", "hand-over", "test-venue", taker)
    shown = script("venue", "show", "test-venue", deployment=deployed).json
    assert shown["offered to"] == taker
    do("venue", "hand-over", "test-venue", "--cancel")
    do("venue", "hand-over", "test-venue", taker)
    assert "InsufficientFree" in fails("venue", "take-over", "test-venue", account=TAKER)
    do("stake", "add", "10", account=TAKER)
    assert do("venue", "take-over", "test-venue", account=TAKER)["deployer"] == taker
    assert "belongs to" in fails("venue", "reduce-only", "test-venue")


def test_a_venue_is_wound_down(do, fails, later, script, deployed):
    text = fails("venue", "wind-down", "test-venue")
    assert "venue 1 has open markets: 1 | close them" in text
    assert do("venue", "wind-down", "test-venue", "--delist")["closing"] == [1]
    assert "no spot market that can begin to close" in fails(
        "venue", "wind-down", "test-venue", "--delist"
    )
    assert "MarketNotOver" in fails("venue", "forget", "1", account=STRANGER)
    later(4 * HOUR + 5)
    do("venue", "forget", "1", account=STRANGER)
    assert do("venue", "wind-down", "test-venue")["state"] == "wound down"
    assert script("venue", "show", "1", deployment=deployed).json["state"] == "wound down"
    assert "VenueWoundDown" in fails("venue", "reduce-only", "test-venue")


@pytest.mark.parametrize("command", ["create", "update", "calendar", "wind-down", "hand-over"])
def test_a_dry_run_sends_nothing(script, deployed, opened, chain, command):
    arguments = {
        "create": ["dry-venue"],
        "update": ["1", "--taker-fee", "1bp"],
        "calendar": ["test-venue", "--hours", "mon-fri=13:30-20:00"],
        "wind-down": ["test-venue", "--delist"],
        "hand-over": ["test-venue", "TEST::3"],
    }[command]
    if command == "create":
        assert script("stake", "add", "10", account=DEPLOYER, deployment=deployed).status == 0
    before = chain.blocks.head.number
    done = script(
        "venue", command, *arguments, "--dry-run", account=DEPLOYER, deployment=deployed,
        as_json=False,
    )  # fmt: skip
    assert done.status == 0, done.text
    assert "costs about" in done.text
    assert "dry run: it would pass; nothing was sent" in done.text
    assert chain.blocks.head.number == before


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 min", 5_400), ("24h", 86_400), ("3 days", 259_200), ("10s", 10)]
)
def test_durations_are_read(text, seconds):
    assert to_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "h", "3 weeks", "-1 h", "0.3 s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UnitError):
        to_seconds(text)
