"""Governance with the scripts that people use: from a draft to its effect, and why not."""

from __future__ import annotations

import pytest

from scripts.govern import LIMITS
from tests.e2e.conftest import DEPLOYER, MAKER, STRANGER, TAKER
from tests.e2e.test_scripts import do, fails, misused  # noqa: F401 -- fixtures
from tradezone.chain import Deployment
from tradezone.chain.deployment import CONTRACT_NAMES

DAY = 86_400


@pytest.fixture
def wait(chain):
    """Let time pass, and a block come."""

    def pass_seconds(seconds):
        chain.provider.make_request("evm_increaseTime", [seconds])
        chain.provider.make_request("anvil_mine", ["0x1"])

    return pass_seconds


@pytest.fixture
def staked(do, wait):  # noqa: F811
    """Aged votes of the deployer (10 OKB are its venue's) and a stranger."""
    do("stake", "add", "90")
    do("stake", "add", "5", account=STRANGER)
    wait(7 * DAY + 2)


@pytest.fixture
def proposed(do, staked):  # noqa: F811
    """A proposal of class parameter; its name."""
    made = do(
        *["govern", "propose", "parameter", "--call", "limits.set MAX_LEVERAGE 25"],
        *["--because", "more leverage"],
    )
    return made["proposal"]


def test_the_names_of_limits_are_those_of_the_contract(script, deployed, opened, project):
    rows = script("govern", "limits", deployment=deployed).json
    assert [row["limit"] for row in rows] == list(LIMITS)
    source = (project.path / "contracts" / "libraries" / "LimitRanges.sol").read_text()
    for number, name in enumerate(LIMITS, 1):
        assert f"constant {name} = LimitId.wrap({number});" in source
    assert rows[0] == {
        "limit": "MAX_LEVERAGE",
        "value": 20,
        "range": "1 .. 100",
        "next step": "10 .. 30",
    }


def test_a_parameter_goes_from_a_draft_to_its_effect(do, script, deployed, proposed, wait):  # noqa: F811
    rows = script("govern", "list", deployment=deployed).json
    assert [(r["proposal"], r["class"], r["state"]) for r in rows] == [
        (proposed, "parameter", "pending")
    ]
    wait(3_602)
    shown = script("govern", "show", proposed, deployment=deployed).json
    assert shown["state"] == "active"
    assert shown["calls"] == ["limits.set(MAX_LEVERAGE, 25)"]
    assert shown["passes unless"] == "1.05 OKB object"
    wait(3 * DAY + 60)
    queued = do("govern", "queue", proposed, account=STRANGER)
    assert "ready in" in queued["next"]
    wait(DAY + 60)
    done = do("govern", "execute", proposed, account=STRANGER)
    assert done["state"] == "executed"
    assert script("govern", "limits", deployment=deployed).json[0]["value"] == 25
    assert script("govern", "list", "--open", deployment=deployed).json == []


def test_an_objection_makes_a_vote_of_it(do, fails, script, deployed, proposed, wait):  # noqa: F811
    assert "is pending, not active" in fails("govern", "object", proposed, account=STRANGER)
    wait(3_602)
    done = do("govern", "object", proposed, "--reason", "too much", account=STRANGER)
    assert (done["vote"], done["weight"]["text"]) == ("against", "5 OKB")
    shown = script("govern", "show", proposed, deployment=deployed).json
    assert shown["quorum"] == "0 OKB of 21 OKB"
    do("govern", "vote", proposed, "for")
    shown = script("govern", "show", proposed, deployment=deployed).json
    assert shown["for"]["text"] == "100 OKB"
    assert "had no aged votes at the snapshot" in fails(
        "govern", "vote", proposed, "for", account=TAKER
    )
    wait(5 * DAY + 60)
    assert script("govern", "show", proposed, deployment=deployed).json["state"] == "succeeded"
    text = script("govern", "show", proposed, deployment=deployed, as_json=False).text
    assert "limits.set(MAX_LEVERAGE, 25)" in text


def test_what_cannot_be_proposed_is_said(fails, misused, staked):  # noqa: F811
    def propose(kind, call, account=DEPLOYER):
        return fails("govern", "propose", kind, "--call", call, "--because", "x", account=account)

    assert "NotAllowed" in propose("parameter", "treasury.closeStream 1")
    assert "expected CONTRACT.FUNCTION ARGUMENTS" in propose("parameter", "set 1 2")
    assert "limits has no function 'sot' | it has: set" in propose("parameter", "limits.sot 1")
    assert "limits.set takes id:uint8 value:uint64, 1 were given" in propose(
        "parameter", "limits.set 1"
    )
    assert "expected a whole number" in propose("parameter", "limits.set MAX_LEVERAGE lots")
    assert "of aged votes" in propose(
        "core", f"releases.endorse chain 0x{'11' * 32}", account=TAKER
    )
    assert "is not one of" in misused("govern", "propose", "royal", "--call", "x", "--because", "y")


def test_a_dry_run_shows_calls_effect_and_cost(script, deployed, staked, chain):
    before = chain.blocks.head.number
    done = script(
        *["govern", "propose", "parameter", "--call", "limits.set MAX_LEVERAGE 25"],
        *["--call", "limits.set MAX_TAKER_FEE 1", "--because", "more", "--dry-run"],
        account=DEPLOYER,
        deployment=deployed,
        as_json=False,
    )
    assert done.status == 0, done.text
    assert "MAX_LEVERAGE: 20 -> 25" in done.text
    assert "would fail now: OutOfRange(id=2, value=1, min=100, max=50000)" in done.text
    assert "costs about" in done.text
    assert "nothing was sent" in done.text
    assert chain.blocks.head.number == before


def test_a_proposer_cancels_what_is_pending(do, fails, script, deployed, proposed):  # noqa: F811
    assert "GovernorUnableToCancel" in fails("govern", "cancel", proposed, account=STRANGER)
    assert do("govern", "cancel", proposed)["state"] == "canceled"
    assert "is canceled, not succeeded" in fails("govern", "queue", proposed)
    assert "is canceled, not queued" in fails("govern", "execute", proposed)


def test_a_proposal_that_does_not_exist_names_those_that_do(fails, proposed):  # noqa: F811
    assert f"there are: {proposed}" in fails("govern", "queue", "ffffff")


def test_objecting_is_for_parameters(do, fails, staked):  # noqa: F811
    made = do(
        *["govern", "propose", "core", "--call", f"releases.endorse chain 0x{'11' * 32}"],
        *["--because", "endorse"],
    )
    text = fails("govern", "object", made["proposal"])
    assert "is of class core, which always votes | ape run govern vote" in text


def test_depositors_veto_with_the_final_state(
    zone,
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    deployed,
    staked,
):
    made = do(
        *["govern", "propose", "core", "--call", f"releases.endorse chain 0x{'11' * 32}"],
        *["--because", "endorse"],
    )
    name = made["proposal"]
    assert "is no owner in this zone" in fails("govern", "veto", name, account=STRANGER)
    shown = script("govern", "show", name, deployment=deployed).json
    assert shown["veto"] == "0 of 1 assets proved"
    done = do("govern", "veto", name, "--data", str(zone.directory), account=MAKER)
    assert done["balances"] == 1
    assert done["veto"].endswith(
        "of all collateral: defeated"
    )  # nearly all of the OKB is the maker's
    shown = script("govern", "show", name, deployment=deployed)
    assert shown.json.get("state") == "defeated", shown.text
    text = fails("govern", "veto", name, "--data", str(zone.directory), account=MAKER)
    assert "no balance with a weight" in text


def test_guardians_close_the_door_once(do, fails, opened):  # noqa: F811
    shown = do("govern", "brake", "show")
    assert (shown["door"], shown["armed"], shown["zone asks it"]) == ("open", True, True)
    assert "expected --reason" in fails("govern", "brake", "pull")
    assert "is no guardian" in fails("govern", "brake", "pull", "--reason", "x", account=TAKER)
    done = do("govern", "brake", "pull", "--reason", "a bug in deposits")
    assert done["door"].startswith("closed until")
    text = fails("deposit", "native", "1", account=MAKER)
    assert "DepositsClosed" in text
    assert "ape run govern brake show" in text
    do("govern", "brake", "release", "--reason", "it was none")
    do("deposit", "native", "1", account=MAKER)
    assert "NotArmed" in fails("govern", "brake", "pull", "--reason", "again")


def test_a_zone_without_governance_says_so(fails, deployed, tmp_path):  # noqa: F811
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
    assert not bare.is_governed
    text = fails("govern", "brake", "show", deployment=path)
    assert "has no governance | deploy one that has: ape run deploy zone --governed" in text


# --- stake that votes --------------------------------------------------------------------------------


def test_votes_are_delegated_and_taken_back(do, script, deployed, accounts, staked):  # noqa: F811
    taker, stranger = accounts[TAKER].address, accounts[STRANGER].address
    done = do("stake", "delegate", taker, account=STRANGER)
    assert done["votes of the delegate"]["text"] == "5 OKB"
    shown = script("stake", "show", stranger, deployment=deployed).json
    assert (shown["votes"]["text"], shown["delegate"]) == ("0 OKB", taker)
    do("stake", "delegate", stranger, account=STRANGER)
    assert script("stake", "show", stranger, deployment=deployed).json["delegate"] == stranger


def test_finality_is_noted_and_begins_the_clock(do, script, deployed, zone, accounts, staked):  # noqa: F811
    do("stake", "unbond", "1", account=STRANGER)
    assert do("stake", "note")["noted"] == "nothing new"  # the request noted it already
    shown = script("stake", "show", accounts[STRANGER].address, deployment=deployed).json
    assert "or batch 4 final and noted" in shown["requests"][0]["until"]


def test_a_venue_with_a_market_keeps_its_stake(do, fails, zone, opened):  # noqa: F811
    assert "is not leaving | ape run stake leave 1" in fails("stake", "release", "1")
    assert do("stake", "leave", "1")["leaving"] is True
    text = fails("stake", "release", "1", "--data", str(zone.directory))
    assert "VenueNotEmpty" in text or "StateTooOld" in text
    assert do("stake", "leave", "1", "--undo")["leaving"] is False
    assert "no stake behind venue 2" in fails("stake", "release", "2")
