"""A zone that was deployed, opened and funded with the scripts that people use, and a sequencer for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ape.cli import ConnectedProviderCommand
from click.testing import CliRunner

from scripts import (
    asset,
    deploy,
    deposit,
    force,
    govern,
    operate,
    oracle,
    owner,
    perp,
    post,
    register,
    sequencer,
    slash,
    slots,
    stake,
    treasury,
    venue,
    withdraw,
)
from tests.e2e.running_zone import RunningZone
from tradezone.client import build_place

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = {
    "asset": asset,
    "deploy": deploy,
    "deposit": deposit,
    "force": force,
    "govern": govern,
    "operate": operate,
    "oracle": oracle,
    "owner": owner,
    "perp": perp,
    "post": post,
    "register": register,
    "sequencer": sequencer,
    "slash": slash,
    "slots": slots,
    "stake": stake,
    "treasury": treasury,
    "venue": venue,
    "withdraw": withdraw,
}
DEPLOYER, SEQUENCER, MAKER, TAKER, ASSERTER, STRANGER = range(6)


@pytest.fixture(scope="session")
def script(chain):
    """Run ``ape run NAME ...`` in this process; returns exit status, output and JSON."""

    def run(name, *arguments, account=None, deployment=None, as_json=True, provider=None):
        command = [str(argument) for argument in arguments]
        if account is not None:
            command += ["--account", f"TEST::{account}"]
        if deployment:
            command += ["--deployment", str(deployment)]
        if as_json:
            command.append("--json")
        with pytest.MonkeyPatch.context() as patch:
            # Ape would stop the tests' chain when the command ends; test_guides goes the whole way.
            patch.setattr(
                ConnectedProviderCommand,
                "invoke",
                lambda self, context: self._invoke(context, provider=chain.provider),
            )
            result = CliRunner(mix_stderr=False).invoke(SCRIPTS[name].cli, command)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        body = None
        if as_json and result.stdout.strip():
            body = json.loads(result.stdout)
        text = result.stdout + result.stderr
        return SimpleNamespace(status=result.exit_code, text=text, json=body)

    return run


@pytest.fixture(scope="session")
def tool(chain):
    """Run ``tradezone ...`` in a process of its own, as a stranger would."""

    def run(*arguments):
        command = [sys.executable, "-m", "tradezone.cli", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        is_json = done.stdout.lstrip().startswith("{")
        return SimpleNamespace(
            status=done.returncode,
            text=done.stdout + done.stderr,
            json=json.loads(done.stdout) if is_json else None,
        )

    return run


@pytest.fixture(scope="session")
def deployed(script, accounts, tmp_path_factory):
    """A zone, deployed by ``deploy zone``."""
    folder = tmp_path_factory.mktemp("zone")
    path = folder / "deployments" / "local.json"
    done = script(
        "deploy",
        "zone",
        "--sequencer",
        f"TEST::{SEQUENCER}",
        "--governed",
        "--set",
        "window_seconds=600",
        account=DEPLOYER,
        deployment=path,
    )
    assert done.status == 0, done.text
    return path


@pytest.fixture(scope="session")
def opened(script, deployed, accounts):
    """A venue with the market OKB/USDT, opened with the scripts; returns the token's address."""

    def do(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed)
        assert done.status == 0, done.text
        return done.json

    token = do("deploy", "token", "USDT")["token"]
    do("asset", "register", token)
    do("stake", "add", "10")
    do("venue", "create", "test-venue")
    do(
        "venue",
        "list",
        "test-venue",
        "OKB",
        "USDT",
        *["--tick", "0.01", "--lot", "0.1", "--max-price", "10000"],
    )
    do("deposit", "native", "100", account=MAKER)
    do("deposit", "token", "USDT", "5000", "--to", accounts[TAKER].address)
    return token


@pytest.fixture(scope="session")
def zone(opened, deployed, chain, accounts, tmp_path_factory):
    """The zone with its sequencer running: two trades, a withdrawal, three batches on L1, all final."""
    running = RunningZone(
        chain.provider.uri,
        deployed,
        tmp_path_factory.mktemp("sequencer"),
        bytes.fromhex(accounts[SEQUENCER].private_key.removeprefix("0x")),
        accounts[SEQUENCER].address,
    )
    running.take_messages()
    running.run()
    running.publish()
    okb, usdt = running.asset(1, "OKB"), running.asset(2, "USDT")
    market = running.market(1, okb, usdt)
    maker, taker = running.signer(accounts[MAKER]), running.signer(accounts[TAKER])
    running.send(
        maker.place(build_place(market, "sell", "50.25", "10", tif="post_only")),
        taker.place(build_place(market, "buy", "50.25", "4", tif="ioc")),
    )
    running.run()
    running.publish()
    running.send(
        taker.place(build_place(market, "buy", "51", "1")),
        taker.withdraw(okb, "2.5"),
        maker.withdraw(usdt, "150"),
    )
    running.run()
    running.publish()
    poster = running.poster(with_data=True)
    poster.post()
    poster.post_bond()
    poster.claim()
    running.pass_time(601, 5)
    assert [final.batch for final in poster.finalize()] == [1, 2, 3]
    yield running
    running.sequencer.close()


@pytest.fixture
def spare(zone, accounts, tmp_path):
    """The same zone, its sequencer opened again on a copy of its folder: for tests that move it on."""
    shutil.copytree(zone.directory, tmp_path / "spare")
    running = RunningZone(
        zone.rpc.url,
        zone.deployment_path,
        tmp_path / "spare",
        zone.secret,
        accounts[SEQUENCER].address,
    )
    yield running
    running.sequencer.close()
