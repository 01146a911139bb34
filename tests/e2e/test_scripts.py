"""Each script's answers: what it did, and why it would not."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from scripts._common import Session, connect, find_deployment, get_network_name
from tests.e2e.conftest import DEPLOYER, MAKER, SEQUENCER, STRANGER, TAKER
from tradezone.chain import Deployment
from tradezone.chain.abi import ERC20, STAKING_VAULT
from tradezone.chain.deployment import ALL_NAMES

OKB = 10**18


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

    def run(*arguments, account=DEPLOYER, deployment=None):
        done = script(*arguments, account=account, deployment=deployment or deployed)
        assert done.status == 1, done.text
        assert done.json["ok"] is False
        return f"{done.json['error']} | {done.json['hint']}"

    return run


@pytest.fixture
def misused(script, deployed, opened):
    """Run a script with a wrong command line: exit status 2; returns what is said."""

    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed, as_json=False)
        assert done.status == 2, done.text
        return done.text

    return run


# --- deploy ------------------------------------------------------------------------------------------


def test_a_governed_zone_is_deployed_with_all_of_its_own(fails, deployed, accounts):
    other = accounts[STRANGER].address
    for name in ("court", "resolver", "auction"):
        text = fails("deploy", "zone", "--governed", f"--{name}", other)
        assert f"a governed zone is deployed with its {name} | leave --{name} away" in text
    found = Deployment.load(deployed)
    assert set(found.contracts) == set(ALL_NAMES)


def test_the_deployments_file_holds_the_zone_and_its_parameters(deployed, chain, accounts):
    deployment = Deployment.load(deployed)
    assert (deployment.network, deployment.chain_id) == ("local", chain.chain_id)
    assert deployment.parameters["window_seconds"] == 600
    assert deployment.parameters["venue_stake"] == str(10 * OKB)
    assert deployment.parameters["sequencer"] == accounts[SEQUENCER].address
    deployment.check(connect(chain.provider))


def test_a_zone_is_not_deployed_over_another_by_accident(fails, script, deployed, tmp_path):
    assert "already records a zone | name another file with --deployment" in fails(
        "deploy", "zone"
    ).replace(" on this chain", "")
    fresh = script(
        "deploy", "zone", "--dry-run", account=DEPLOYER, deployment=tmp_path / "other.json"
    )
    assert fresh.status == 0, fresh.text
    assert fresh.json["dry_run"] is True
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("speed=1", "no parameter 'speed' can be set; there are registration_fee, forced_bond"),
        ("genesis_root=1", "no parameter 'genesis_root' can be set"),
        ("claim_stride", "expected claim_stride=WHOLE NUMBER, was 'claim_stride'"),
        ("claim_stride=fast", "expected claim_stride=WHOLE NUMBER, was 'claim_stride=fast'"),
    ],
)
def test_parameters_that_do_not_exist_are_refused(fails, tmp_path, change, message):
    place = tmp_path / "other.json"
    assert message in fails("deploy", "zone", "--set", change, deployment=place)


def test_the_zone_can_be_shown(do, deployed, script):
    shown = script("deploy", "show", deployment=deployed)
    assert shown.json == json.loads(deployed.read_text())
    text = script("deploy", "show", deployment=deployed, as_json=False).text
    assert "chain id" in text


def test_a_missing_deployment_says_how_to_make_one(fails, tmp_path):
    text = fails("stake", "add", "1", deployment=tmp_path / "deployments" / "x.json")
    assert "no deployment is recorded in deployments/x.json" in text
    assert "ape run deploy zone" in text


def test_a_deployment_of_another_chain_is_refused(fails, deployed, tmp_path):
    body = json.loads(deployed.read_text()) | {"chain_id": 196}
    other = tmp_path / "mainnet.json"
    other.write_text(json.dumps(body))
    assert "expected chain id 196" in fails("stake", "add", "1", deployment=other)


# --- live networks -----------------------------------------------------------------------------------


def make_session(chain, accounts, deployed, **options):
    network = SimpleNamespace(
        is_dev=False,
        is_fork=False,
        is_adhoc=False,
        name="mainnet",
        ecosystem=SimpleNamespace(name="xlayer"),
    )
    provider = SimpleNamespace(chain_id=196, network=network, web3=chain.provider.web3, name="node")
    rpc = connect(chain.provider)
    return Session(provider, network, rpc, deployed, accounts[0], **options)


def test_live_networks_are_asked_about_first(chain, accounts, deployed, monkeypatch):
    from scripts._common import ScriptError

    session = make_session(chain, accounts, deployed)
    assert session.is_live
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(ScriptError, match="on xlayer:mainnet needs a confirmation") as caught:
        session.confirm("stake 1 OKB", {})
    assert caught.value.hint == "give --yes to go on"
    make_session(chain, accounts, deployed, is_confirmed=True).confirm("stake 1 OKB", {})
    make_session(chain, accounts, deployed, is_dry=True).confirm("stake 1 OKB", {})


def test_the_deployment_of_a_network_is_found_by_its_name_or_chain(tmp_path, deployed):
    def network(name, *, ecosystem="xlayer", is_fork=False, is_adhoc=False):
        return SimpleNamespace(
            name=name, is_fork=is_fork, is_adhoc=is_adhoc, ecosystem=SimpleNamespace(name=ecosystem)
        )

    body = json.loads(deployed.read_text()) | {"chain_id": 196, "network": "xlayer:mainnet"}
    main = tmp_path / "xlayer-mainnet.json"
    main.write_text(json.dumps(body))
    fork = network("mainnet-fork", is_fork=True)
    url = network("custom", ecosystem="ethereum", is_adhoc=True)
    assert find_deployment(network("mainnet"), 196, tmp_path) == main
    assert find_deployment(fork, 196, tmp_path) == main
    assert find_deployment(url, 196, tmp_path) == main
    assert find_deployment(url, 5, tmp_path).name == "chain-5.json"
    assert find_deployment(url, 31337, tmp_path).name == "local.json"
    assert get_network_name(network("testnet"), 1952) == "xlayer:testnet"
    (tmp_path / "xlayer-mainnet-fork.json").write_text(json.dumps(body))
    assert find_deployment(fork, 196, tmp_path).name == "xlayer-mainnet-fork.json"


# --- stake -------------------------------------------------------------------------------------------


def test_stake_is_added_unbonded_called_back_and_withdrawn(
    do, fails, script, deployed, chain, accounts
):
    account = accounts[STRANGER].address
    added = do("stake", "add", "2.5", account=STRANGER)
    assert added["staked"] == {"text": "2.5 OKB", "wei": str(25 * OKB // 10)}
    do("stake", "add", "1", "--for", account)
    assert do("stake", "unbond", "2", account=STRANGER)["request"] == 1
    assert do("stake", "unbond", "0.5", account=STRANGER)["request"] == 2
    assert do("stake", "cancel", "2", account=STRANGER)["free again"]["text"] == "0.5 OKB"
    shown = script("stake", "show", account, deployment=deployed).json
    assert (shown["free"]["text"], shown["unbonding"]["text"]) == ("1.5 OKB", "2 OKB")
    assert [row["request"] for row in shown["requests"]] == [1]
    assert "UnbondingRunning" in fails("stake", "withdraw", "1", account=STRANGER)
    chain.provider.make_request("evm_increaseTime", [4 * 121])  # no root comes: four periods
    chain.provider.make_request("anvil_mine", ["0x51"])
    do("stake", "withdraw", "1", account=STRANGER)
    assert "has no open request 1" in fails("stake", "withdraw", "1", account=STRANGER)


def test_stake_that_is_not_there_is_refused_with_have_and_need(fails, accounts):
    account = accounts[TAKER].address
    text = fails("stake", "unbond", "5", account=TAKER)
    assert f"{account} has 0 OKB of free stake, 5 OKB are asked" in text
    text = fails("stake", "add", "20000", account=TAKER)
    assert "20,000 OKB are needed | fund the account" in text


@pytest.mark.parametrize("amount", ["0", "x", "-1", "1e-30"])
def test_nonsense_amounts_are_refused(fails, misused, amount):
    if amount.startswith("-"):
        assert "No such option" in misused("stake", "add", amount)
    else:
        assert "amount" in fails("stake", "add", amount)


def test_a_dry_run_shows_the_cost_and_sends_nothing(script, deployed, opened, chain):
    before = chain.blocks.head.number
    done = script(
        "stake", "add", "1", "--dry-run", account=DEPLOYER, deployment=deployed, as_json=False
    )
    assert done.status == 0, done.text
    assert "costs about" in done.text
    assert "dry run: it would pass; nothing was sent" in done.text
    assert chain.blocks.head.number == before


# --- venues ------------------------------------------------------------------------------------------


def test_a_venue_needs_stake_and_says_how_much_is_missing(fails, do):
    do("stake", "add", "4", account=STRANGER)
    text = fails("venue", "create", "another", account=STRANGER)
    assert "a venue needs 10 OKB of free stake" in text
    assert "has 4 OKB | ape run stake add 6" in text


def test_venue_names_are_checked(fails, do):
    do("stake", "add", "30")
    assert "venue 1 is called 'test-venue' already | choose another name" in fails(
        "venue", "create", "test-venue"
    )
    assert "the contract refuses: BadName(name='No')" in fails("venue", "create", "No")


def test_a_listing_is_checked_before_it_is_sent(fails, do):
    def listing(venue="test-venue", base="OKB", quote="USDT", account=DEPLOYER, **terms):
        options = {"tick": "0.01", "lot": "0.1", "max-price": "10000"} | terms
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return fails("venue", "list", venue, base, quote, *flags, account=account)

    assert "no venue 'nowhere'; 1 are open | see them with: ape run venue show" in listing(
        "nowhere"
    )
    assert "no venue '9'" in listing("9")
    assert "venue 1 belongs to" in listing(account=STRANGER)
    assert "no asset 'GOLD' in this zone; there are: 1 OKB, 2 USDT" in listing(base="GOLD")
    assert "OKB and 1 are the same asset" in listing(base="OKB", quote="1")
    assert "nearest: 0.00001 or 0.00002" in listing(tick="0.000015")
    assert "taker fee 6% is not within 0% .. 5%" in listing(taker_fee="6%")
    assert "maker fee -2% is not within -1% .. 5%" in listing(maker_fee="-2%")
    assert "protocol share 5% is not within 10% .. 100%" in listing(protocol_share="5%")
    assert "exceed the fee" in listing(protocol_share="60%", insurance_share="50%")
    assert "names no time zone" in listing(start="2027-01-01T00:00")


def test_a_market_is_shown_as_it_was_typed(script, deployed, opened, do):
    shown = script("venue", "show", "test-venue", deployment=deployed).json
    (market,) = shown["markets"]
    assert (market["market"], market["tick"], market["lot"]) == ("OKB/USDT", "0.01 USDT", "0.1 OKB")
    assert (market["slot"], market["id"]) == (1, 65537)
    rows = script("venue", "show", deployment=deployed).json
    assert [row["name"] for row in rows] == ["test-venue"]
    made = do(
        *[
            "venue",
            "list",
            "1",
            "2",
            "1",
            "--tick",
            "0.001",
            "--lot",
            "1",
            "--max-price",
            "100",
            "--taker-delay",
            "0",
        ]
    )
    assert (made["slot"], made["market"]) == (2, "USDT/OKB")


def test_options_out_of_range_are_misuse(misused):
    text = misused(
        *[
            "venue",
            "list",
            "1",
            "OKB",
            "USDT",
            "--tick",
            "1",
            "--lot",
            "1",
            "--max-price",
            "9",
            "--taker-delay",
            "51",
        ]
    )
    assert "51 is not in the range 0<=x<=50" in text
    assert "Missing option '--lot'" in misused(
        *["venue", "list", "1", "OKB", "USDT", "--tick", "1", "--max-price", "9"]
    )


# --- assets, owners, deposits ------------------------------------------------------------------------


def test_a_token_is_registered_with_the_atom_that_was_typed(do, fails, script, deployed):
    token = do("deploy", "token", "GLD", "--decimals", "18")["token"]
    made = do("asset", "register", token, "--atom", "0.001", "--cap", "1000000")
    assert (made["asset"], made["quantum"]) == (3, 10**15)
    rows = script("asset", "list", deployment=deployed).json
    assert [(row["id"], row["symbol"], row["decimals"]) for row in rows[1:]] == [
        (2, "USDT", 6),
        (3, "GLD", 3),
    ]
    again = do("asset", "register", token)
    assert again["quantum"] == 10**9
    assert "'GLD' is several assets: 3 (quantum 1" in fails("deposit", "token", "GLD", "1")
    assert "nearest: 0.001 or 0.002" in fails("deposit", "token", "3", "0.0015")
    do("asset", "close", "4")
    assert "is closed" in fails(
        *["venue", "list", "1", "4", "OKB", "--tick", "1", "--lot", "1", "--max-price", "9"]
    )
    assert "takes no deposits any more" in fails("deposit", "token", "4", "1")


@pytest.mark.parametrize("atom", ["0.3", "0.0000001", "10", "0"])
def test_atoms_that_are_no_power_of_ten_are_refused(fails, opened, atom):
    text = fails("asset", "register", opened, "--atom", atom)
    assert "expected 1, 0.1, 0.01 and so on down to 0.000001" in text


def test_an_address_that_is_no_token_is_refused(fails, misused, accounts):
    assert "does not answer as an ERC-20 does" in fails("asset", "register", accounts[9].address)
    assert "expected an address" in misused("asset", "register", "0x12")
    wrong = accounts[9].address.swapcase().replace("0X", "0x")
    assert "wrong checksum" in misused("asset", "register", wrong)


def test_owners_are_registered_once(do, fails, script, deployed, accounts):
    made = do("owner", "register", "TEST::8", accounts[9].address)
    ids = [made[accounts[i].address] for i in (8, 9)]
    assert len(set(ids)) == 2
    assert "nobody to register" in fails("owner", "register", "TEST::8")
    rows = script("owner", "show", "TEST::8", "TEST::9", "TEST::10", deployment=deployed).json
    assert [row["owner"] > 0 for row in rows] == [True, True, False]


def test_deposits_say_what_was_credited_to_whom(do, script, deployed, opened, accounts):
    made = do("deposit", "native", "2.000000001", "--to", "TEST::9")
    assert made["deposited"] == {"text": "2.000000001 OKB", "atoms": "2000000001"}
    assert made["for"] == accounts[9].address
    assert made["owner"] > 0
    made = do("deposit", "token", opened, "3", "--to", "TEST::9")
    assert made["deposited"]["text"] == "3 USDT"
    rows = script("asset", "list", deployment=deployed).json
    assert rows[1]["deposited"]["text"].startswith("5,003 ")


def test_deposits_that_cannot_be_are_explained(fails, accounts):
    assert "nearest: 1 or 1.000000001" in fails("deposit", "native", "1.0000000001")
    assert "nearest: 1 or 1.000001" in fails("deposit", "token", "USDT", "1.0000001")
    assert "OKB is the native coin | ape run deposit native 1" in fails(
        "deposit", "token", "OKB", "1"
    )
    assert f"{accounts[TAKER].address} has 0 USDT, 1 USDT are needed" in fails(
        "deposit", "token", "USDT", "1", account=TAKER
    )
    assert "no asset 'GOLD'" in fails("deposit", "token", "GOLD", "1")


# --- posting -----------------------------------------------------------------------------------------


def test_only_the_sequencer_posts(zone, fails, accounts):
    text = fails("post", "batches", "--data", zone.directory, account=MAKER)
    assert f"the sequencer of epoch 1 is {accounts[SEQUENCER].address}" in text
    assert "has posted no bond | post it first: ape run post bond" in fails(
        "post", "claim", "--data", zone.directory, account=MAKER
    )


def test_posting_by_hand_goes_step_by_step(spare, do, script, deployed):
    spare.take_messages()
    spare.run()
    spare.publish()

    def post(command, *arguments, account=SEQUENCER):
        return do("post", command, *arguments, "--data", spare.directory, account=account)

    status = script("post", "status", "--data", spare.directory, deployment=deployed).json
    assert (status["published"], status["committed"], status["final"]) == (4, 3, 3)
    assert post("batches", "--dry-run")["committed"] == 0
    assert post("batches")["committed"] == 1
    assert post("batches")["committed"] == 0
    assert post("claim")["claims made"] == 1
    assert post("finalize", account=STRANGER)["made final"] == 0
    spare.pass_time(601, 5)
    assert post("finalize", account=STRANGER) == {"made final": 1, "final up to": 4, "claimed": 4}


def test_posting_runs_beside_a_sequencer(spare, do):
    spare.take_messages()
    spare.run()
    spare.publish()
    command = ["run", "--every", "0.1", "--rounds", "2", "--with-data"]
    status = do("post", *command, "--data", spare.directory, account=SEQUENCER)
    assert (status["committed"], status["claimed"]) == (4, 4)


def test_a_bond_is_posted_once(zone, do, fails):
    do("post", "bond", account=MAKER)
    assert "has posted its bond already" in fails("post", "bond", account=MAKER)


def test_a_folder_without_batches_posts_nothing(do, misused, zone, tmp_path):
    done = do("post", "batches", "--data", tmp_path, account=SEQUENCER)
    assert done["committed"] == 0
    assert "does not exist" in misused("post", "batches", "--data", tmp_path / "nowhere")


# --- withdrawing -------------------------------------------------------------------------------------


def test_withdrawing_needs_ids_or_a_proof(zone, fails, tmp_path):
    assert "expected ids, or --proof with a file" in fails("withdraw", "submit")
    path = tmp_path / "proof.json"
    path.write_text("{}")
    assert "proof.json is no proof of a withdrawal" in fails("withdraw", "submit", "--proof", path)
    text = fails("withdraw", "submit", "7", "--data", zone.directory)
    assert "withdrawal 7 is not in the state after batch 3" in text


def test_an_id_that_no_outbox_can_have_is_refused(zone, misused):
    assert "0 is not in the range x>=1" in misused("withdraw", "submit", "0")


def test_only_those_of_an_account_are_listed(zone, script, deployed, accounts):
    rows = script("withdraw", "list", "--recipient", f"TEST::{MAKER}", deployment=deployed).json
    assert [row["recipient"] for row in rows] == [accounts[MAKER].address]
    text = script(
        "withdraw", "list", "--recipient", "TEST::9", deployment=deployed, as_json=False
    ).text
    assert "no withdrawal is open after batch 3, the newest final one" in text


def test_events_are_read_by_the_abis_that_python_carries(opened, chain, accounts, deployed):
    rpc = connect(chain.provider)
    deployment = Deployment.load(deployed)
    staked = list(deployment.at(rpc, "staking").events("Staked", 0, rpc.head().number))
    assert [event["amount"] for event in staked] == [10 * OKB]
    assert STAKING_VAULT.name == "StakingVault"
    assert rpc.at(ERC20, opened).call("symbol") == "USDT"
