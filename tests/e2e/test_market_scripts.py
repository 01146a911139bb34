"""The scripts for slots and oracles: what they did, and why they would not."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from coincurve import PrivateKey

from scripts._deployment import CONTRACTS as ZONE_CONTRACTS
from scripts._deployment import ZoneParams
from scripts._markets import to_fractions, to_ids, to_milliseconds
from scripts._markets_deployment import CONTRACTS, MarketsParams
from scripts._units import UnitError
from tests.contracts.driver import Clock, Outbox, Zone, root_named
from tests.contracts.market_zone import deploy_all
from tests.e2e.conftest import DEPLOYER, MAKER, STRANGER, TAKER
from tradezone.chain import Deployment
from tradezone.protocol.enums import OUTBOX_INCIDENT

OKB = 10**18
DAY = 86_400
ARBITER = 8


@pytest.fixture
def place(accounts, project, chain, tmp_path):
    """A deployments file of a zone with slots, oracles, resolver and perpetuals."""
    zone_params = ZoneParams.local(
        root_named("genesis"), accounts[1].address, accounts[2].address, asset_bond=OKB
    )
    params = MarketsParams.local(*(accounts[i].address for i in (7, 7, 7, ARBITER)))
    addresses = deploy_all(accounts[9], project, zone_params, params)
    path = tmp_path / "local.json"
    Deployment("local", chain.chain_id, 0, addresses).save(path)
    return path


@pytest.fixture
def do(script, place):
    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=place)
        assert done.status == 0, done.text
        return done.json

    return run


@pytest.fixture
def read(script, place):
    """Run a script that does not sign; returns its text."""

    def run(*arguments):
        done = script(*arguments, deployment=place, as_json=False)
        assert done.status == 0, done.text
        return done.text

    return run


@pytest.fixture
def fails(script, place):
    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=place)
        assert done.status == 1, done.text
        return f"{done.json['error']} | {done.json['hint']}"

    return run


@pytest.fixture
def venue(do):
    do("stake", "add", "10")
    return do("venue", "create", "market-venue")["venue"]


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "provider.md"
    path.write_text("We are a test.")
    return path


@pytest.fixture
def feed(do, venue, document, accounts):
    """Feed 1 of the venue, offered by providers 1 and 2."""
    do("oracle", "feed", "market-venue", "OKB in USD")
    for number, account in enumerate((MAKER, TAKER), 1):
        signer = accounts[account].address
        made = do("oracle", "register", signer, "--document", document, account=account)
        assert made["provider"] == number
        do("oracle", "offer", number, 1, account=account)
    return 1


EVENT = """
markets:
  - kind: event
    question: Does it rain?
    outcomes: [rain, no rain]
    void: [50%, 50%]
    asset: 1
    unit: 1
    tick: 0.01
"""
KNOWN = """\
    provider: 1
    resolves: now
    exposure: 50
"""


@pytest.fixture
def event_file(tmp_path):
    """Write a file with an event; its path."""

    def write(more):
        path = tmp_path / "event.yaml"
        path.write_text(EVENT.strip("\n") + "\n" + more)
        return path

    return write


@pytest.fixture
def group(do, feed, event_file, chain):
    made = do("venue", "list-market", "market-venue", "--file", event_file(KNOWN))
    (listed,) = made["markets"]
    assert (listed["event"], listed["slots"], listed["bond of a result"]["text"]) == (
        1,
        [1],
        "1 OKB",
    )
    Clock(chain).pass_time(100)
    return 1


# --- slots -------------------------------------------------------------------------------------------


def test_a_slot_is_bought_shown_and_reclaimed(do, read, fails, venue, chain):
    assert "spot" in read("slots", "show")
    assert "round 1 of perp slots" in read("slots", "show", "--kind", "perp")
    made = do("slots", "buy", "market-venue", "outcome", "--max", "200")
    assert made["licence"] == 1
    paid = int(made["paid"]["wei"])
    assert int(made["refund"]["wei"]) == 200 * OKB - paid
    assert "sold; next at" in read("slots", "show")
    shown = read("slots", "show", "--venue", "market-venue")
    assert "idle" in shown
    assert "base outcome" in shown
    assert "this round's outcome slot is sold" in fails("slots", "buy", "1", "outcome")
    assert "can be reclaimed from" in fails("slots", "reclaim", 1, account=STRANGER)
    assert "licence 1 is renewed between" in fails("slots", "renew", 1)
    assert do("slots", "refund")["refund"] == made["refund"]
    assert "has no refund" in fails("slots", "refund")
    assert int(do("slots", "collect", account=STRANGER)["paid"]["wei"]) == paid
    assert "there are no proceeds" in fails("slots", "collect")
    Clock(chain).pass_time(31 * DAY)
    assert do("slots", "reclaim", 1, account=STRANGER)["venue"] == venue
    assert "there is no licence 1; 1 were sold" in fails("slots", "reclaim", 1)


def test_a_licence_is_renewed_by_anyone(do, venue, chain):
    made = do("slots", "buy", venue, "simulated")
    Clock(chain).pass_time(320 * DAY)
    renewed = do("slots", "renew", 1, account=STRANGER)
    assert renewed["paid"] == made["next term"]


def test_only_the_deployer_buys_and_a_dry_run_sends_nothing(fails, script, place, venue, chain):
    assert "venue 1 belongs to" in fails("slots", "buy", venue, "spot", account=STRANGER)
    before = chain.blocks.head.number
    dry = script(
        *["slots", "buy", venue, "spot", "--dry-run"],
        account=DEPLOYER,
        deployment=place,
        as_json=False,
    )
    assert dry.status == 0, dry.text
    for part in ("price now", "at most", "costs about", "dry run: it would pass; nothing was sent"):
        assert part in dry.text
    assert chain.blocks.head.number == before


def test_a_price_below_the_auctions_is_refused_with_both(fails, venue):
    text = fails("slots", "buy", venue, "perp", "--max", "1")
    assert "the contract refuses: PriceAboveLimit(price=" in text
    assert "maxPrice=1000000000000000000)" in text


def test_a_zone_without_these_contracts_says_so(script, deployed, tmp_path):
    found = Deployment.load(deployed)
    bare = {name: found.contracts[name] for name in ZONE_CONTRACTS}
    path = tmp_path / "bare.json"
    Deployment(found.network, found.chain_id, found.block, bare).save(path)
    done = script("slots", "show", deployment=path)
    assert done.status == 1
    assert "names no contract 'slots'" in done.json["error"]
    assert "docs/spec/slots.md" in done.json["hint"]


# --- providers and feeds -----------------------------------------------------------------------------


def test_providers_are_selected_and_rotate(do, read, fails, feed, accounts, chain):
    assert read("oracle", "show").count("ready") == 2
    assert "none selected yet" in read("oracle", "show", "--feed", 1)
    chosen = do("oracle", "select", 1, "--providers", "2,1", "--heartbeat", "2s")
    assert (chosen["providers"], chosen["quorum"]) == ([1, 2], 2)
    shown = read("oracle", "show", "--feed", 1)
    assert all(part in shown for part in ("2 s", "2 of 2", "0.5%", "5% in 60 s"))
    assert "NothingNew" in fails("oracle", "announce", 1)
    new = accounts[6].address
    assert do("oracle", "rotate", 1, new, account=MAKER)["signer"] == new
    assert "provider 1 is" in fails("oracle", "rotate", 1, new, account=TAKER)
    assert "NothingNew" in fails("oracle", "announce", 1)  # the key does not count yet
    Clock(chain).pass_time(61)
    assert do("oracle", "announce", 1, account=STRANGER)["feed"] == 1
    assert new in read("oracle", "show", "--provider", 1)
    do("oracle", "offer", 2, 1, "--end", account=TAKER)
    text = fails("oracle", "select", 1, "--providers", "1,2")
    assert "provider 2 does not offer feed 1 | it has to run: ape run oracle offer 2 1" in text
    assert "there is no provider 9; 2 are registered" in fails(
        "oracle", "select", 1, "--providers", "9"
    )
    assert "there is no feed 7; 1 are open" in fails("oracle", "announce", 7)
    assert do("oracle", "exit", 2, account=TAKER)["done"] == "exit"
    Clock(chain).pass_both(800, 6)
    assert do("oracle", "exit", 2, account=TAKER)["done"] == "withdrawBond"
    assert "venue 1 belongs to" in fails(
        "oracle", "select", 1, "--providers", "1", account=STRANGER
    )


def test_an_incident_is_recorded_from_a_proof(
    do, fails, feed, place, accounts, chain, project, tmp_path
):
    deployment = Deployment.load(place)
    types = ZONE_CONTRACTS | CONTRACTS
    found = {n: getattr(project, types[n]).at(a) for n, a in deployment.contracts.items()}
    params = SimpleNamespace(claim_stride=1, window_seconds=20, window_blocks=4, claim_bond=OKB)
    zone = Zone(
        SimpleNamespace(addresses=deployment.contracts, params=params, **found), chain, accounts
    )
    zone.bond(accounts[5])
    outbox = Outbox()
    time = chain.blocks.head.timestamp * 1000
    outbox.put(1, kind=OUTBOX_INCIDENT, asset=135, owner=1, market=1, venue=1, time=time, amount=77)
    claim = zone.finalized(accounts[5], outbox.root)
    number, words, siblings = outbox.proof(1)
    path = tmp_path / "incident.json"
    body = {
        "claim": "0x" + claim.hex(),
        "id": number,
        "words": ["0x" + word.hex() for word in words],
        "siblings": ["0x" + sibling.hex() for sibling in siblings],
    }
    path.write_text(json.dumps(body))
    made = do("oracle", "incident", path, account=STRANGER)
    assert (made["provider"], made["feed"], made["what"]) == (1, 1, "deviation")
    assert "incident 1 was recorded before" in fails("oracle", "incident", path)
    path.write_text("{}")
    assert "is no proof of a record: KeyError 'claim'" in fails("oracle", "incident", path)


def test_two_prices_for_one_moment_are_recorded(do, fails, feed, place, accounts, chain, tmp_path):
    oracles = Deployment.load(place).address("oracles")
    from ape import project

    registry = project.OracleRegistry.at(oracles)
    moment = {"feed": 1, "provider": 1, "time": chain.blocks.head.timestamp * 1000}
    key = PrivateKey(bytes.fromhex(accounts[MAKER].private_key.removeprefix("0x")))

    def signed(price):
        digest = registry.priceDigest((1, 1, price, moment["time"]))
        raw = key.sign_recoverable(bytes(digest), hasher=None)
        return {"price": price, "signature": "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()}

    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(moment | {"prices": [signed(5), signed(6)]}))
    assert do("oracle", "accuse", path, account=STRANGER)["provider"] == 1
    assert "AlreadyRecorded" in fails("oracle", "accuse", path)
    path.write_text(json.dumps(moment | {"prices": [signed(5)]}))
    assert "is no evidence: ValueError" in fails("oracle", "accuse", path)


# --- results -----------------------------------------------------------------------------------------


def test_a_result_is_proposed_challenged_and_decided(do, read, fails, group, chain):
    assert "the contract refuses: ProviderFirst" in fails(
        "oracle", "resolve", 1, "100,0", account=STRANGER
    )
    assert "sums to 90%" in fails("oracle", "resolve", 1, "90,0", account=MAKER)
    assert "has 3 outcomes, the group has 2" in fails(
        "oracle", "resolve", 1, "90,5,5", account=MAKER
    )
    made = do("oracle", "resolve", 1, "100,0", account=MAKER)
    assert made["state"] == "proposed"
    assert made["proposed"].startswith("100%, 0% by ")
    assert "StillRunning" in fails("oracle", "resolve", 1)
    rival = do("oracle", "challenge", 1, "0,100", account=STRANGER)
    assert rival["state"] == "challenged"
    assert "group 1 is challenged: there is nothing to challenge" in fails(
        "oracle", "challenge", 1, "0,100"
    )
    done = do("oracle", "resolve", 1, "0,100", "--decide", account=ARBITER)
    assert (done["state"], done["result"]) == ("resolved", "0%, 100%")
    won = do("oracle", "collect", account=STRANGER)
    assert won["collected"]["text"] == "1.5 OKB"
    assert "has nothing to collect" in fails("oracle", "collect", account=STRANGER)
    assert "nothing is left to do" in fails("oracle", "resolve", 1)
    assert "0%, 100%" in read("oracle", "show", "--group", 1)


def test_silence_ends_in_the_void_payout(do, fails, group, chain):
    assert do("oracle", "resolve", 1)["state"] == "called"
    assert "StillRunning" in fails("oracle", "resolve", 1)
    Clock(chain).pass_both(600, 4)
    ended = do("oracle", "resolve", 1)
    assert (ended["state"], ended["result"]) == ("void", "50%, 50%")
    assert "there is no group 2; 1 events were listed" in fails("oracle", "resolve", 2)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("    provider: 1\n", "expected all of provider, resolves, exposure, found provider"),
        (KNOWN + "    resolver_fee: 1\n", "it follows from provider, resolves, exposure"),
        (KNOWN.replace("provider: 1", "provider: x"), "expected the number of a provider, was 'x'"),
        (KNOWN.replace("provider: 1", "provider: 9"), "ProviderNotSelectable"),
        (KNOWN.replace("exposure: 50", "exposure: 0"), "amount 0 is not above zero"),
        (KNOWN.replace("exposure: 50", "exposure: 201"), "ExposureTooLarge"),
        ("", "expected provider, resolves, exposure: the zone's resolver asks for them"),
        ("    resolver_data: 0x\n", "WrongFee"),
    ],
)
def test_an_event_that_its_resolver_refuses_is_not_listed(fails, feed, event_file, more, text):
    assert text in fails("venue", "list-market", "market-venue", "--file", event_file(more))


# --- units -------------------------------------------------------------------------------------------


def test_units_are_exact():
    assert to_fractions("33.33, 33.33,33.34%") == [3_333, 3_333, 3_334]
    assert [to_milliseconds(text) for text in ("500ms", "2s", "1.5s", "10min", "1h", "2d")] == [
        500,
        2_000,
        1_500,
        600_000,
        3_600_000,
        172_800_000,
    ]
    assert to_ids("3, 1,2") == [1, 2, 3]
    for convert, text in (
        (to_fractions, "33.333,66.667"),
        (to_fractions, "-1,101"),
        (to_fractions, "50"),
        (to_milliseconds, "2"),
        (to_milliseconds, "0.5ms"),
        (to_ids, "1,x"),
    ):
        with pytest.raises(UnitError):
            convert(text)


# --- perpetuals --------------------------------------------------------------------------------------

FILE = """\
venue:
  name: northstar
feeds:
  - name: BTC
    measures: BTC in US dollars, the median of three exchanges
markets:
  - kind: perpetual
    quote: USD
    feed: BTC
    tick: 0.1
    lot: 0.001
    highest_price: 200000
    largest_order: 10
    least_value: 5
    open_interest: 1000000
    account_cap: 100000
    impact: 1000
    margin_rises_from: 500000
    margin_rises_to: 5000000
    loss_cap: 10000
    tiers:
      - initial: 5%
        maintenance: 2.5%
      - from: 100000
        initial: 10%
        maintenance: 5%
"""


@pytest.fixture
def usd(accounts, project, place):
    """A dollar that the zone knows, asset 2."""
    deployer = accounts[DEPLOYER]
    token = deployer.deploy(project.TestToken, "Dollar", "USD", 6)
    found = Deployment.load(place).contracts
    registry = project.AssetRegistry.at(found["asset_registry"])
    registry.registerAsset(token, 1, 10**17, sender=deployer, value=registry.bond())
    return token


@pytest.fixture
def write_file(tmp_path):
    def write(text):
        path = tmp_path / "venue.yaml"
        path.write_text(text)
        return path

    return write


def test_a_venue_file_opens_feeds_and_lists_perpetuals(
    do, read, script, place, usd, write_file, accounts, project
):
    path = write_file(FILE)
    do("stake", "add", "10", account=DEPLOYER)
    dry = script(
        "venue",
        "create",
        "--file",
        path,
        "--dry-run",
        account=DEPLOYER,
        deployment=place,
        as_json=False,
    )
    assert dry.status == 0, dry.text
    assert "then: open feed BTC" in dry.text
    assert "then: list perpetual" in dry.text
    made = do("venue", "create", "--file", path)
    assert made["feeds"] == {"BTC": 1}
    assert made["markets"][0]["leverage"] == "20x"
    contracts = Deployment.load(place).contracts
    perps = project.PerpRegistry.at(contracts["perps"])
    inside, _ = perps.parametersOf(1)
    assert [tuple(tier) for tier in inside[8]][:2] == [
        (0, 50_000, 25_000),
        (100_000 * 10**6, 100_000, 50_000),
    ]
    market = project.MarketRegistry.at(contracts["market_registry"]).marketOf(1)
    assert (market.tickValue, market.maxPrice) == (100, 2_000_000)
    assert perps.perpOf(1).feedScale == 10**7
    assert "ape run perp show 1" in read("venue", "show", "northstar")
    assert "5% initial, 2.5% maintenance" in read("perp", "show", 1)
    # Parameters change by the same kind of file, after the notice.
    changed = write_file(FILE.replace("loss_cap: 10000", "loss_cap: 20000"))
    done = do("perp", "set", 1, "--file", changed)
    assert done["next"] == "ape run perp apply 1"
    waiting = script("perp", "apply", 1, account=STRANGER, deployment=place)
    assert waiting.status == 1
    assert "the notice ends at" in waiting.text
    do("perp", "cancel", 1)
    # What the stake carries: nothing, until governance says what it counts for.
    risk = project.StakeRisk.at(contracts["risk"])
    risk.setPrice(2, 50 * 10**6, sender=accounts[7])
    told = do("perp", "risk", "northstar", "USD", account=STRANGER)
    assert told["open interest"]["text"].startswith("10,000")
    shared = do("perp", "risk", "northstar", "USD", "--share", "50%")
    assert shared["open interest"]["text"].startswith("5,000")
    # Slashed stake is for sale.
    desk = project.Restitution.at(contracts["restitution"])
    desk.give(1, 2, sender=accounts[STRANGER], value=OKB)
    assert "lot" in read("perp", "lots")
    usd.mint(accounts[TAKER], 200 * 10**6, sender=accounts[TAKER])
    usd.approve(desk, 200 * 10**6, sender=accounts[TAKER])
    bought = do("perp", "buy", 1, "0.5", "--at-most", "60", account=TAKER)
    assert bought["bought"]["text"].startswith("0.5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("tick: 0.1", "tick: 0.0001"), "venue.yaml:10: markets[0].tick: one tick of one lot"),
        (("quote: USD", "quote: EUR"), "venue.yaml:8: markets[0].quote"),
        (("feed: BTC", "feed: 7"), "venue.yaml:9: markets[0].feed: there is no feed 7"),
        (("initial: 10%", "initial: 4%"), "maintenance margin 5% is not within 0.25% .. 2.6666%"),
        (("initial: 5%", "initial: 12%"), "each tier is from more on, and asks no less margin"),
        (("from: 100000", "from: 0"), "each tier is from more on"),
        (("maintenance: 5%", "maintenance: 9%"), "maintenance margin 9% is not within"),
        (("highest_price: 200000", "highest_price: 200000.05"), "is not a multiple of 0.1"),
        (("margin_rises_to: 5000000", "margin_rises_to: 400000"), "more than margin_rises_from"),
        (("account_cap: 100000", "account_cap: 0"), "account_cap"),
    ],
)
def test_a_perpetual_that_the_contracts_would_refuse_is_refused_with_its_line(
    script, place, usd, write_file, change, message
):
    path = write_file(FILE.replace(*change))
    done = script(
        "venue", "create", "--file", path, "--dry-run", account=DEPLOYER, deployment=place
    )
    assert done.status == 1
    assert message in done.text, done.text
