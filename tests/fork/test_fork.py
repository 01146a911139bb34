"""Against a fork of a chain that holds a zone already: what a deployer would try before doing it for real.

The upstream is an anvil that says it is X Layer; nothing leaves this machine. With FORK_RPC in the environment, the
address of a node of X Layer, the upstream is a local copy of that chain as it is now: it is read, nothing is sent to it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tradezone.chain import ChainReader, Deployment, InboxWatcher, NodeSender, Rpc, RpcError
from tradezone.chain.abi import CUSTODY_VAULT
from tradezone.protocol.messages import DEPOSIT, Message

ROOT = Path(__file__).parent.parent.parent
XLAYER = 196
OKB = 10**18
SECONDS = 180  # for one command
DEPLOYER, USER = "TEST::0", "TEST::1"


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def start_anvil():
    """Start anvil with options; returns a node that answers."""
    program = shutil.which("anvil")
    if program is None:
        pytest.skip("anvil is not on PATH: run `make setup`, then `. tools/env.sh`")
    processes = []

    def start(*options):
        port = find_free_port()
        command = [program, "--port", str(port), "--silent", *options]
        processes.append(subprocess.Popen(command))
        rpc = Rpc(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 20
        while True:
            try:
                rpc.chain_id()
            except RpcError:
                assert time.monotonic() < deadline, "anvil does not answer"
                time.sleep(0.05)
            else:
                return rpc

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def upstream(start_anvil):
    # Blocks come by themselves, because Ape waits for confirmations on a live network.
    real = os.environ.get("FORK_RPC")
    if real:
        found = Rpc(real).chain_id()
        assert found == XLAYER, f"FORK_RPC is a node of chain {found}, expected {XLAYER}"
    copied = ("--fork-url", real) if real else ()
    return start_anvil("--chain-id", str(XLAYER), "--block-time", "0.1", *copied)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, project):
    """A checkout with what was compiled already, whose X Layer Ape does not wait for so patiently."""
    assert project.contracts  # compiled here, not by each process
    folder = tmp_path_factory.mktemp("fork")
    for name in ("node_modules", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("contracts", ".build"):
        shutil.copytree(ROOT / name, folder / name)
    config = (ROOT / "ape-config.yaml").read_text()
    quick = "xlayer:\n  mainnet:\n    required_confirmations: 0\n"
    (folder / "ape-config.yaml").write_text(config if "\nxlayer:" in config else config + quick)
    return folder


@pytest.fixture(scope="session")
def ape(upstream, folder):
    """Run ``ape run`` in a process whose X Layer is the upstream."""
    deployments = folder / "deployments"

    def run(*arguments, network="xlayer:mainnet-fork", account=None):
        environment = dict(os.environ) | {
            "XLAYER_MAINNET_RPC": upstream.url,
            "PYTHONPATH": str(ROOT),  # Numba keeps what it compiled by the path of the source
        }
        for name in ("APE_FOUNDRY_HOST", "TRADEZONE_DEPLOYMENT"):
            environment.pop(name, None)
        command = [str(Path(sys.executable).parent / "ape"), "run", *map(str, arguments), "--json"]
        command += ["--network", network]
        command += ["--account", account] if account else []
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        body = json.loads(done.stdout) if done.stdout.strip() else None
        return SimpleNamespace(status=done.returncode, text=text, json=body)

    run.deployment_path = deployments / "xlayer-mainnet.json"
    return run


@pytest.fixture(scope="session")
def deployment(ape):
    """A zone with the parameters of production, deployed as one deploys for real."""
    command = ["deploy", "zone", "--sequencer", DEPLOYER]
    refused = ape(*command, network="xlayer:mainnet", account=DEPLOYER)
    assert refused.status == 1, refused.text
    assert "on xlayer:mainnet needs a confirmation" in refused.json["error"]
    done = ape(*command, "--yes", network="xlayer:mainnet", account=DEPLOYER)
    assert done.status == 0, done.text
    return Deployment.load(ape.deployment_path)


def test_a_zone_is_deployed_with_the_parameters_of_production(deployment, upstream):
    assert (deployment.network, deployment.chain_id) == ("xlayer:mainnet", XLAYER)
    assert deployment.parameters["window_seconds"] == 7 * 86_400
    deployment.check(upstream)
    assert upstream.balance(deployment.address("vault")) == 0


def test_the_preset_for_tests_is_refused_on_a_live_network(ape, deployment):
    done = ape(
        *["deploy", "zone", "--preset", "local", "--force", "--yes"],
        network="xlayer:mainnet",
        account=DEPLOYER,
    )
    assert done.status == 1
    assert "xlayer:mainnet is live" in done.json["error"]


def test_what_is_tried_on_a_fork_leaves_the_chain_alone(ape, deployment, upstream, accounts):
    done = ape("stake", "add", "3", account=USER)
    assert done.status == 0, done.text
    assert done.json["free"]["wei"] == str(3 * OKB)
    staking = deployment.at(upstream, "staking")
    assert staking.call("freeOf", accounts[1].address) == 0
    assert staking.call("totalStaked") == 0


def test_a_fork_says_what_the_chain_would(ape, deployment):
    done = ape("venue", "create", "my-venue", account=USER)
    assert done.status == 1
    assert "a venue needs 10,000 OKB of free stake" in done.json["error"]


def test_the_watcher_reads_through_a_fork_what_happened_before_and_after(
    deployment, upstream, start_anvil, accounts, tmp_path
):
    user = NodeSender(upstream, accounts[1].address)
    vault = deployment.at(upstream, "vault")
    fee = deployment.at(upstream, "owner_registry").call("registrationFee")
    receipt = vault.transact(user, "depositNative", user.address, value=OKB + fee)
    index = receipt.events(CUSTODY_VAULT, "Deposited")[0]["inboxIndex"]

    fork = start_anvil("--fork-url", upstream.url)
    reader = ChainReader(fork, deployment.address("chain"))
    watcher = InboxWatcher(fork, reader.inbox_address, tmp_path / "cursor.json", confirmations=0)
    before = watcher.poll()
    assert before == reader.messages()
    assert Message.from_bytes(before[index]).kind == DEPOSIT

    there = NodeSender(fork, accounts[1].address)
    deployment.at(fork, "vault").transact(there, "depositNative", there.address, value=2 * OKB)
    (after,) = watcher.poll()
    assert Message.from_bytes(after).index == len(before)
    assert ChainReader(upstream, deployment.address("chain")).message_count() == len(before)
