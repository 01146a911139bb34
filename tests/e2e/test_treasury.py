"""The treasury and the council with the scripts that people use."""

from __future__ import annotations

import pytest

from tests.contracts.driver import OKB
from tests.e2e.conftest import DEPLOYER, MAKER, STRANGER, TAKER
from tests.e2e.test_govern import proposed, staked, wait  # noqa: F401 -- fixtures
from tests.e2e.test_scripts import do, fails, misused  # noqa: F401 -- fixtures
from tradezone.chain import Deployment
from tradezone.chain.deployment import CONTRACT_NAMES

DAY = 86_400


@pytest.fixture
def funded(deployed, opened, accounts):
    """100 OKB in the treasury; its address."""
    treasury = Deployment.load(deployed).address("treasury")
    accounts[MAKER].transfer(treasury, 100 * OKB)
    return treasury


@pytest.fixture
def pass_vote(do, wait):  # noqa: F811
    """Bring a proposal of class ordinary from its draft to its effect."""

    def run(name):
        wait(DAY + 2)
        do("govern", "vote", name, "for")
        wait(5 * DAY + 60)
        do("govern", "queue", name, account=STRANGER)
        wait(3 * DAY + 60)
        return do("govern", "execute", name, account=STRANGER)

    return run


# --- the treasury


def test_a_payment_goes_from_a_draft_to_its_recipient(
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    deployed,
    staked,  # noqa: F811
    funded,
    accounts,
    pass_vote,
    wait,  # noqa: F811
):
    taker = accounts[TAKER].address
    made = do("treasury", "propose", taker, "60", "--over", "40d", "--because", "a grant")
    assert made["class"] == "ordinary"
    pass_vote(made["proposal"])
    shown = script("treasury", "show", deployment=deployed).json
    assert [entry["promised"]["text"] for entry in shown["held"]] == ["60 OKB"]
    assert [entry["free"]["text"] for entry in shown["held"]] == ["40 OKB"]
    assert [(s["stream"], s["to"]) for s in shown["streams"]] == [(1, taker)]
    wait(10 * DAY)
    before = accounts[TAKER].balance
    done = do("treasury", "collect", 1, account=STRANGER)
    paid = accounts[TAKER].balance - before
    assert done["to"] == taker
    assert 15 * OKB <= paid < 15 * OKB + OKB // 100  # a quarter, and what the seconds since bring

    ended = do("treasury", "close", 1, "--because", "it was not used")
    pass_vote(ended["proposal"])
    stream = script("treasury", "show", "--stream", 1, deployment=deployed).json
    assert 28 * OKB < int(stream["amount"]["wei"]) < 30 * OKB  # 19 days of 40
    do("treasury", "collect", 1)
    assert "nothing of stream 1 is ready" in fails("treasury", "collect", 1)


def test_tokens_are_paid_in_their_own_units(
    do,  # noqa: F811
    script,
    deployed,
    staked,  # noqa: F811
    funded,
    opened,
    accounts,
    project,
):
    token = project.TestToken.at(opened)
    token.mint(funded, 5_000_000, sender=accounts[DEPLOYER])
    shown = script("treasury", "show", deployment=deployed).json
    assert [entry["holds"]["text"] for entry in shown["held"]] == ["100 OKB", "5 USDT"]
    done = script(
        *["treasury", "propose", accounts[TAKER].address, "1.5", "--token", "USDT"],
        *["--because", "a grant", "--dry-run"],
        account=DEPLOYER,
        deployment=deployed,
        as_json=False,
    )
    assert done.status == 0, done.text
    assert "1.5 USDT to" in done.text
    assert "3.5 USDT" in done.text
    assert f"treasury.openStream({opened}, {accounts[TAKER].address}, 1500000, 0," in done.text
    assert "nothing was sent" in done.text


def test_what_cannot_be_paid_is_said(fails, staked, funded, accounts):  # noqa: F811
    def propose(*arguments):
        who = accounts[TAKER].address
        return fails("treasury", "propose", who, *arguments, "--because", "x")

    assert "101 OKB are more than the 100 OKB that are free" in propose("101")
    assert "payments vest over at least 30 d" in propose("1", "--over", "29d")
    assert "is no whole number of ms" in propose("1", "--over", "soon")
    assert "no asset 'GOLD' in this zone" in propose("1", "--token", "GOLD")
    assert "there is no stream 3; 0 are known" in fails("treasury", "collect", 3)


def test_simulated_assets_are_nothing_to_a_treasury(do, fails, script, deployed, staked, accounts):  # noqa: F811
    """They have no token: the zero address would mean the native coin."""
    do("asset", "simulate", "1", "TOY", "--cap", "1000")
    who = accounts[TAKER].address
    text = fails("treasury", "propose", who, "1", "--token", "TOY", "--because", "x")
    assert "TOY is a simulated asset: it exists in the zone alone" in text
    done = script("treasury", "show", deployment=deployed, as_json=False)
    assert done.status == 0, done.text
    assert "TOY" not in done.text


# --- what else an ordinary vote decides


def test_terms_of_slots_are_proposed_by_their_names(do, fails, script, deployed, staked, wait):  # noqa: F811
    call = "slots.setLicenceTerms termDays=400,renewalDays=60,graceDays=30,idleDays=30"
    made = do("govern", "propose", "parameter", "--call", call, "--because", "longer terms")
    shown = script("govern", "show", made["proposal"], deployment=deployed).json
    assert shown["calls"] == [
        "slots.setLicenceTerms({'termDays': 400, 'renewalDays': 60, 'graceDays': 30, 'idleDays': 30})"
    ]
    wait(3_602 + 3 * DAY + 60)
    do("govern", "queue", made["proposal"])
    wait(DAY + 60)
    assert do("govern", "execute", made["proposal"])["state"] == "executed"

    def propose(kind, text):
        return fails("govern", "propose", kind, "--call", text, "--because", "x")

    assert "NotAllowed" in propose("ordinary", call)
    assert "expected termDays, renewalDays, graceDays, idleDays" in propose(
        "parameter", "slots.setLicenceTerms termDays=400"
    )
    assert "2 values were given" in propose("parameter", "slots.setLicenceTerms 1,2")
    assert (
        "would fail now"
        in script(
            *["govern", "propose", "ordinary", "--call", "resolver.decide 1 10000,0"],
            *["--because", "it rained", "--dry-run"],
            account=DEPLOYER,
            deployment=deployed,
            as_json=False,
        ).text
    )


# --- the council


def test_the_council_declares_and_lifts_and_stakers_protest(
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    deployed,
    staked,  # noqa: F811
    wait,  # noqa: F811
):
    shown = script("govern", "council", deployment=deployed).json
    assert (shown["declares with"], shown["notice"], shown["a measure lasts"]) == (1, "1 h", "7 d")
    assert "is not of the council" in fails(
        "govern", "declare", 1, "settle", "--reason", "x", account=TAKER
    )
    assert "a cap needs --value" in fails("govern", "declare", 1, "cap", "--reason", "x")
    made = do("govern", "declare", 1, "cap", "--value", 500, "--reason", "a manipulated market")
    assert (made["supporters"], made["in force"]) == (1, "none")
    wait(3_601)
    shown = script("govern", "council", "--market", 1, deployment=deployed).json
    assert (shown["in force"], shown["cap"]) == ("cap", "500 reference units")
    assert "MarketBusy" in fails("govern", "declare", 1, "reduce-only", "--reason", "x")
    assert "UnknownMarket" in fails("govern", "declare", 99, "settle", "--reason", "x")
    done = do("govern", "lift", 1, "--reason", "it was none")
    assert done["in force"] == "none"
    wait(8 * DAY)
    do("govern", "declare", 1, "reduce-only", "--reason", "again")
    wait(3_601)
    done = do("govern", "protest", 1, account=STRANGER)  # 5 of 105 OKB, below 5 %
    assert done["in force"] == "reduce-only"
    assert done["objections"]["text"] == "5 OKB"
    assert "AlreadyObjected" in fails("govern", "protest", 1, account=STRANGER)
    assert "NoWeight" in fails("govern", "protest", 1, account=TAKER)
    assert do("govern", "protest", 1)["in force"] == "none"


def test_the_council_strikes_a_proposal(do, fails, proposed):  # noqa: F811
    assert "is not of the council" in fails(
        "govern", "strike", proposed, "--reason", "x", account=TAKER
    )
    assert do("govern", "strike", proposed, "--reason", "a mistake")["state"] == "canceled"


def test_a_zone_without_governance_has_no_treasury(fails, deployed, tmp_path):  # noqa: F811
    found = Deployment.load(deployed)
    bare = Deployment(
        found.network,
        found.chain_id,
        found.block,
        {name: found.contracts[name] for name in CONTRACT_NAMES},
        found.parameters,
    )
    path = tmp_path / "bare.json"
    bare.save(path)
    assert "has no treasury | deploy one" in fails("treasury", "collect", 1, deployment=path)
