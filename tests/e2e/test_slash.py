"""The slashing court with the scripts that people use: both tracks, from accusation to compensation."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from scripts import slash
from scripts._deployment import CONTRACTS as ZONE_CONTRACTS
from tests.contracts.courtroom import Head, key_of
from tests.contracts.driver import OKB, Clock, Zone
from tests.contracts.governed import State
from tests.e2e.conftest import ASSERTER, DEPLOYER, MAKER, SEQUENCER, STRANGER, TAKER
from tests.e2e.test_scripts import do, fails, misused  # noqa: F401 -- fixtures
from tradezone.chain import Deployment
from tradezone.protocol.batches import block_head_digest
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.verifier.receipts import BlockHead

ACCUSER, ACCUSED = MAKER, TAKER
HARM = 9  # claim asset


@pytest.fixture
def clock(chain):
    return Clock(chain)


@pytest.fixture
def court(deployed, project):
    return project.SlashingCourt.at(Deployment.load(deployed).address("court"))


@pytest.fixture
def proof(tmp_path):
    path = tmp_path / "evidence.md"
    path.write_text("It stopped its feed.")
    return path


@pytest.fixture
def votes(tmp_path):
    return tmp_path / "votes"


@pytest.fixture
def staked(do, clock):  # noqa: F811
    """The accused has 50 OKB, two jurors 110 (10 behind a venue) and 60, aged."""
    do("stake", "add", "50", account=ACCUSED)
    do("stake", "add", "100", account=DEPLOYER)
    do("stake", "add", "60", account=STRANGER)
    clock.pass_time(12)


@pytest.fixture
def accused(do, staked, accounts, proof):  # noqa: F811
    """Case 1: 40 % of the accused's stake."""
    return accuse(do, accounts, proof)


def accuse(do, accounts, proof):  # noqa: F811
    return do(
        *["slash", "accuse", accounts[ACCUSED].address, "--class", "fraud", "--share", "40%"],
        *["--evidence", proof, "--location", "ipfs://evidence", "--harm", HARM],
        account=ACCUSER,
    )


@pytest.fixture
def end(court, clock):
    """Let a phase of a case pass."""

    def pass_phase(phase, number=1):
        time, block = court.endOf(slash.case_id(court.address, number), phase)
        clock.pass_blocks(max(block - clock.block, 1))
        if clock.time < time:
            clock.pass_time(time - clock.time)

    return pass_phase


@pytest.fixture
def judge(do, end, votes):  # noqa: F811
    """Both jurors commit to a share and reveal it."""

    def run(share, phases=(slash.RESPONSE, slash.COMMIT, slash.REVEAL)):
        before, commit, reveal = phases
        end(before)
        for juror in (DEPLOYER, STRANGER):
            do("slash", "vote", 1, share, "--secrets", votes, account=juror)
        end(commit)
        for juror in (DEPLOYER, STRANGER):
            do("slash", "reveal", 1, "--secrets", votes, account=juror)
        end(reveal)

    return run


# --- the jury track


def test_a_case_goes_from_accusation_to_payment(
    do,  # noqa: F811
    script,
    deployed,
    accounts,
    accused,
    judge,
    end,
    proof,
):
    assert (accused["case"], accused["phase"], accused["class"]) == (1, "response", "fraud")
    assert accused["asked"] == "40% of 50 OKB"
    rows = script("slash", "list", "--open", deployment=deployed).json
    assert [(row["case"], row["track"], row["phase"]) for row in rows] == [(1, "jury", "response")]
    done = do("slash", "answer", 1, "--document", proof, account=ACCUSED)
    assert done["document"].startswith("0x")
    judge("30%")
    shown = script("slash", "show", 1, deployment=deployed).json
    assert shown["verdict 1"] == "guilty, 30%"
    assert shown["votes"].startswith("170 OKB revealed, quorum ")
    assert shown["answer"] == f"{done['document']} at no place named"
    appealed = do("slash", "appeal", 1, account=ACCUSED)
    assert appealed["bond"]["text"] == "0.8 OKB"  # twice 2 % of 20 OKB
    judge("10%", (slash.APPEAL, slash.APPEAL_COMMIT, slash.APPEAL_REVEAL))
    ruled = do("slash", "verdict", 1, account=STRANGER)
    assert ruled["taken"]["text"] == "5 OKB"
    assert ruled["reward of the accuser"]["text"] == "0.25 OKB"
    assert ruled["pool of the harmed"]["text"] == "2.5 OKB"
    text = script("slash", "show", "1", deployment=deployed, as_json=False).text
    assert "closed" in text
    assert "guilty, 10%" in text
    before = accounts[ACCUSER].balance
    paid = do("slash", "collect", accounts[ACCUSER].address, account=STRANGER)
    assert accounts[ACCUSER].balance - before == int(paid["paid"]["wei"]) == 65 * OKB // 100
    assert script("slash", "list", "--open", deployment=deployed).json == []


def test_a_dry_run_shows_what_is_asked_and_sends_nothing(
    script, deployed, accounts, staked, proof, chain
):
    before = chain.blocks.head.number
    done = script(
        *["slash", "accuse", accounts[ACCUSED].address, "--class", "outage", "--share", "5"],
        *["--evidence", proof, "--dry-run"],
        account=ACCUSER,
        deployment=deployed,
        as_json=False,
    )
    assert done.status == 0, done.text
    assert "5% of 50 OKB: 2.5 OKB" in done.text
    assert "locked until the ruling" in done.text
    assert "costs about" in done.text
    assert chain.blocks.head.number == before


def test_a_dry_run_of_a_vote_keeps_no_secret(script, deployed, accused, end, votes):
    end(slash.RESPONSE)
    done = script(
        *["slash", "vote", 1, "0%", "--secrets", votes, "--dry-run"],
        account=STRANGER,
        deployment=deployed,
        as_json=False,
    )
    assert done.status == 0, done.text
    assert "0%: acquit" in done.text
    assert not votes.exists()


def test_a_vote_is_kept_for_its_owner_alone(do, accused, end, votes):  # noqa: F811
    end(slash.RESPONSE)
    made = do("slash", "vote", 1, "10%", "--secrets", votes, account=STRANGER)
    (path,) = votes.iterdir()
    assert str(path) == made["secret"]
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["share"] == 10


def test_what_cannot_be_accused_is_said(fails, misused, accounts, staked, proof):  # noqa: F811
    def accuse(who, kind="fraud", share="40%", *more):
        return fails(
            *["slash", "accuse", who, "--class", kind, "--share", share, "--evidence", proof],
            *more,
            account=ACCUSER,
        )

    who = accounts[ACCUSED].address
    assert "not within 1% and 5%, the bounds of outage" in accuse(who, "outage")
    assert "is no whole percentage" in accuse(who, "fraud", "0.5%")
    assert "has nothing free or unbonding" in accuse(accounts[ASSERTER].address)
    assert "is too small; least 0.4 OKB" in accuse(who, "fraud", "40%", "--bond", "0.1")
    text = misused(
        "slash", "accuse", who, "--class", "treason", "--share", "1", "--evidence", proof
    )
    assert "is not one of" in text


def test_what_comes_at_the_wrong_time_or_from_the_wrong_account_is_said(
    fails,  # noqa: F811
    accused,
    end,
    proof,
    votes,
):
    assert "no case '7'; there are 1 to 1" in fails("slash", "verdict", 7)
    assert "is in the phase response; to vote it has to be in commit" in fails(
        "slash", "vote", 1, "10%"
    )
    assert "accuses" in fails("slash", "answer", 1, "--document", proof, account=STRANGER)
    assert "has no pool" in fails("slash", "claim", 1)
    end(slash.RESPONSE)
    assert "above the 40%" in fails("slash", "vote", 1, "41%")
    assert "has no votes in case 1" in fails("slash", "vote", 1, "10%", account=ASSERTER)
    end(slash.COMMIT)
    text = fails("slash", "reveal", 1, "--secrets", votes)
    assert "so the vote in case 1 is not known here" in text
    end(slash.REVEAL)
    assert "neither accuser nor accused" in fails("slash", "appeal", 1, account=STRANGER)
    end(slash.APPEAL)
    assert "to appeal it has to be in appeal" in fails("slash", "appeal", 1, account=ACCUSED)
    assert "owes" in fails("slash", "collect", account=ASSERTER)


def test_cases_against_one_accused_are_ruled_in_their_order(
    do,  # noqa: F811
    fails,  # noqa: F811
    accused,
    accounts,
    end,
    proof,
    clock,
):
    do(
        *["slash", "accuse", accounts[ACCUSED].address, "--class", "fraud", "--share", "1%"],
        *["--evidence", proof],
        account=STRANGER,
    )
    end(slash.APPEAL, 2)
    text = fails("slash", "verdict", 2)
    assert "case 1 against the same accused is ruled before case 2" in text
    assert do("slash", "verdict", 1)["taken"]["text"] == "0 OKB"  # nobody voted
    do("slash", "verdict", 2)


# --- the proof track


def test_two_heads_convict_a_sequencer(
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    deployed,
    project,
    accounts,
    tmp_path,
    end,
):
    do("stake", "add", "80", account=SEQUENCER)
    chain = project.StateChain.at(Deployment.load(deployed).address("chain"))
    paths = []
    for i, head in enumerate((Head(), Head(count=5))):
        digest = block_head_digest(bytes(chain.domainSeparator()), *head.fields)
        signed = BlockHead(*head.fields, key_of(accounts[SEQUENCER]).sign_digest(digest))
        path = tmp_path / f"head{i}.json"
        # One as it stands in a receipt, one alone.
        path.write_text(json.dumps({"block_head": signed.to_json()} if i else signed.to_json()))
        paths.append(path)
    made = do("slash", "evidence", *paths, account=STRANGER)
    assert (made["track"], made["phase"], made["asked"]) == ("proof", "waiting", "100% of 80 OKB")
    assert "EvidenceUsed" in fails("slash", "evidence", *reversed(paths), account=STRANGER)
    assert "NoContradiction" in fails("slash", "evidence", paths[0], paths[0])
    paths[1].write_text("{}")
    assert "holds no signed block head" in fails("slash", "evidence", *paths)
    end(slash.WAITING)
    assert do("slash", "verdict", 1)["taken"]["text"] == "80 OKB"
    shown = script("stake", "show", accounts[SEQUENCER].address, deployment=deployed).json
    assert shown["free"]["text"] == "0 OKB"


# --- the harmed


@pytest.fixture
def final_state(deployed, opened, project, accounts, chain):
    """A final root under which the maker has 30 and the accused 70 of 100 atoms of harm; and the owners."""
    deployment = Deployment.load(deployed)
    found = {
        name: getattr(project, kind).at(deployment.address(name))
        for name, kind in ZONE_CONTRACTS.items()
    }
    params = SimpleNamespace(claim_stride=1, window_seconds=600, window_blocks=4, claim_bond=OKB)
    addresses = {name: contract.address for name, contract in found.items()}
    zone = Zone(SimpleNamespace(addresses=addresses, params=params, **found), chain, accounts)
    owners = [zone.owner_registry.idOf(accounts[who]) for who in (MAKER, ACCUSED)]
    state = State()
    state.put("asset", HARM, kind=4, total=100)
    for slot, (owner, atoms) in enumerate(zip(owners, (30, 70), strict=True), 1):
        state.put("balance", slot, owner=owner, asset=HARM, state=1, free=atoms)
    zone.bond(accounts[ASSERTER])
    zone.finalized(accounts[ASSERTER], state.root)
    return state, owners


@pytest.fixture
def harmed(final_state, do, staked, accounts, proof, judge, end, monkeypatch):  # noqa: F811
    """A pool of 5 OKB for those whom the final state names."""
    accuse(do, accounts, proof)  # the calendar of a case is shorter than the window of a claim
    judge("20%")
    end(slash.APPEAL)
    do("slash", "verdict", 1)
    state, owners = final_state
    empty = {"asset": 0, "owner": 0, "state": 0, "free": 0, "locked": 0}
    balances = [empty] + [
        empty | {"asset": HARM, "owner": owner, "state": 1, "free": atoms}
        for owner, atoms in zip(owners, (30, 70), strict=True)
    ]
    heads = {TABLE_BY_NAME["balance"].number: {"high_water": len(balances)}}
    engine = SimpleNamespace(tables={"balance": balances, "head": heads})

    def replay(reader, data, claim):
        """Instead of running the engine: it issues no claim assets yet."""
        return SimpleNamespace(
            claim=claim,
            engine=engine,
            prove_record=lambda table, slot: (
                state.words(table, slot),
                state.siblings(table, slot),
            ),
        )

    monkeypatch.setattr(slash, "FinalState", SimpleNamespace(replay=replay))


def test_the_harmed_are_paid_in_proportion_and_once(do, fails, harmed, clock):  # noqa: F811
    assert "the pool of case 1 is not open" in fails("slash", "claim", 1, account=MAKER)
    assert do("slash", "open", 1, account=STRANGER)["pool"]["text"] == "5 OKB"
    assert "the pool of case 1 is open" in fails("slash", "open", 1)
    done = do("slash", "claim", 1, account=MAKER)
    assert (done["balances"], done["owed"]["text"]) == (1, "1.5 OKB")
    assert "nothing is left to claim" in fails("slash", "claim", 1, account=MAKER)
    assert "is no owner in this zone" in fails("slash", "claim", 1, account=STRANGER)
    text = fails("slash", "claim", 1, "--everybody", account=STRANGER)
    assert "OwnerIsAccused" in text  # what is left is the accused's own
    assert "PoolRunning" in fails("slash", "sweep", 1)
    clock.pass_both(61, 10)
    assert do("slash", "sweep", 1)["to the treasury"]["text"] == "3.5 OKB"
    assert "is over" in fails("slash", "claim", 1, account=MAKER)


def test_a_zone_without_a_court_says_so(fails, deployed, tmp_path):  # noqa: F811
    found = Deployment.load(deployed)
    bare = Deployment(
        found.network,
        found.chain_id,
        found.block,
        {name: found.contracts[name] for name in ZONE_CONTRACTS},
        found.parameters,
    )
    path = tmp_path / "bare.json"
    bare.save(path)
    text = fails("slash", "verdict", 1, deployment=path)
    assert "has no slashing court | deploy one that has: ape run deploy zone --governed" in text
