"""The registers with the scripts that people use: joining, keys, leaving, convictions."""

from __future__ import annotations

import json

import pytest

from tests.contracts.courtroom import key_of
from tests.contracts.driver import OKB, Clock
from tests.contracts.register_desk import HEADER, ROOTS, separator
from tests.e2e.conftest import ASSERTER, DEPLOYER, MAKER, STRANGER, TAKER
from tests.e2e.test_scripts import do, fails, misused  # noqa: F401 -- fixtures
from tradezone.chain import Deployment
from tradezone.protocol.attestations import attestation_digest


@pytest.fixture
def clock(chain):
    return Clock(chain)


@pytest.fixture
def register(deployed, project):
    return project.BondedRegister.at(Deployment.load(deployed).address("verifier_register"))


@pytest.fixture
def attestation(register, accounts, tmp_path):
    """Write an attestation that an account signed."""

    def write(name, who, root):
        digest = attestation_digest(separator(register), 1, HEADER, root)
        body = {
            "batch": 1,
            "header_hash": "0x" + HEADER.hex(),
            "state_root": "0x" + root.hex(),
            "signature": "0x" + key_of(accounts[who]).sign_digest(digest).hex(),
        }
        path = tmp_path / name
        path.write_text(json.dumps(body))
        return path

    return write


def test_members_join_in_order_leave_and_get_their_bond(
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    deployed,
    accounts,
    clock,
):
    made = do("register", "join", "verifier", account=MAKER)
    assert (made["place"], made["bond"]["text"]) == (1, "1 OKB")
    # The operator of the second keeps its key elsewhere.
    agreed = do("register", "consent", "verifier", accounts[TAKER].address, account=STRANGER)
    key = accounts[STRANGER].address
    assert agreed["key"] == key
    text = fails("register", "join", "verifier", "--key", key, account=TAKER)
    assert "has to agree: --consent | with that key" in text
    signature = agreed["consent"]
    do("register", "join", "verifier", "--key", key, "--consent", signature, account=TAKER)
    rows = script("register", "list", "verifier", deployment=deployed).json
    assert [(row["place"], row["account"], row["key"]) for row in rows] == [
        (1, accounts[MAKER].address, accounts[MAKER].address),
        (2, accounts[TAKER].address, key),
    ]
    shown = script("register", "show", "verifier", key, deployment=deployed).json
    assert (shown["account"], shown["place"]) == (accounts[TAKER].address, 2)
    rotated = do("register", "rotate", "verifier", account=TAKER)  # to the account's own key
    assert rotated["key"] == accounts[TAKER].address
    left = do("register", "leave", "verifier", account=MAKER)
    assert left["place"] == "not on the list"
    assert "StillRunning" in fails("register", "withdraw", "verifier", account=MAKER)
    clock.pass_both(121, 21)
    before = accounts[MAKER].balance
    assert do("register", "withdraw", "verifier", account=MAKER)["paid"]["text"] == "1 OKB"
    assert accounts[MAKER].balance > before + OKB * 99 // 100
    assert "is not in the register" in fails("register", "leave", "verifier", account=MAKER)


def test_consent_of_another_key_or_in_another_shape_is_refused(fails, do, accounts):  # noqa: F811
    key = accounts[STRANGER].address
    agreed = do("register", "consent", "sequencer", accounts[TAKER].address, account=STRANGER)

    def join(signature):
        flags = ("--key", key, "--consent", signature)
        return fails("register", "join", "verifier", *flags, account=TAKER)

    assert "WrongSigner" in join(agreed["consent"])  # it was for the other register
    assert "--consent has 2 bytes, expected 65" in join("0x1234")
    assert "--consent: " in join("yes")


def test_two_roots_convict_a_verifier(
    do,  # noqa: F811
    fails,  # noqa: F811
    accounts,
    attestation,
    clock,
):
    do("register", "join", "verifier", account=MAKER)
    first, second = attestation("a.json", MAKER, ROOTS[0]), attestation("b.json", MAKER, ROOTS[1])
    assert "NoContradiction" in fails("register", "prove", "verifier", first, first)
    assert "expected two files, or" in fails("register", "prove", "verifier", first)
    strange = [attestation(f"{i}.json", ASSERTER, root) for i, root in enumerate(ROOTS)]
    assert "is no key of a verifier" in fails("register", "prove", "verifier", *strange)
    made = do("register", "prove", "verifier", first, second, account=STRANGER)
    assert (made["case"], made["open cases"], made["place"]) == (1, 1, "not on the list")
    assert "EvidenceUsed" in fails("register", "prove", "verifier", second, first)
    assert "StillRunning" in fails("register", "rule", "verifier", 1)
    assert "there is no case 2" in fails("register", "rule", "verifier", 2)
    clock.pass_both(21, 5)
    ruled = do("register", "rule", "verifier", 1)
    assert (ruled["taken"]["text"], ruled["reward"]["text"]) == ("1 OKB", "0.05 OKB")
    assert do("register", "collect", "verifier", account=STRANGER)["paid"]["text"] == "0.05 OKB"
    assert "owes" in fails("register", "collect", "verifier", account=STRANGER)
    restored = do("register", "top-up", "verifier", accounts[MAKER].address, account=STRANGER)
    assert (restored["place"], restored["bond"]["text"]) == (1, "1 OKB")
    assert "is whole" in fails("register", "top-up", "verifier", account=MAKER)
    first.write_text("{}")
    assert "holds no attestation" in fails("register", "prove", "verifier", first, second)


def test_a_claim_that_does_not_exist_refutes_nothing(do, fails, attestation):  # noqa: F811
    do("register", "join", "verifier", account=MAKER)
    path = attestation("a.json", MAKER, ROOTS[0])
    claim = "0x" + "11" * 32
    assert "NotYetFinal" in fails("register", "prove", "verifier", path, "--claim", claim)
    text = fails("register", "prove", "sequencer", path, "--claim", claim)
    assert "expected two files, or" in text


def test_a_dry_run_of_joining_shows_place_and_bond(script, deployed, misused):  # noqa: F811
    done = script(
        *["register", "join", "sequencer", "--dry-run"],
        account=DEPLOYER,
        deployment=deployed,
        as_json=False,
    )
    assert done.status == 0, done.text
    assert "1 of at most 16" in done.text
    assert "sends" in done.text
    assert "nothing was sent" in done.text
    assert "is not one of" in misused("register", "join", "king")


def test_what_is_no_block_head_convicts_nobody(fails, tmp_path):  # noqa: F811
    path = tmp_path / "head.json"
    path.write_text("{}")
    assert "holds no signed block head" in fails("register", "prove", "sequencer", path, path)
