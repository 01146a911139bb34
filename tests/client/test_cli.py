"""The trading commands against a real zone; and that help is at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from tradezone.cli import COMMANDS, cli
from tradezone.client import Zone
from tradezone.protocol.hashing import keccak


@pytest.fixture(scope="module")
def demo():
    with Zone.demo() as zone:
        yield zone


@pytest.fixture
def run(demo, tmp_path):
    def call(*words, who="alice", status=0):
        key = tmp_path / who
        key.touch(0o600)
        key.write_text(keccak(f"tradezone demo {who}".encode()).hex())
        environment = {
            "TRADEZONE_URL": demo.url,
            "TRADEZONE_SYMBOLS": "1=USD,2=OKB",
            "TRADEZONE_KEY_FILE": str(key),
        }
        result = CliRunner().invoke(cli, list(words), env=environment)
        assert result.exit_code == status, (result.output, result.exception)
        return result.output

    return call


def test_a_trade_by_hand(run):
    placed = json.loads(run("order", "place", "sell", "OKB/USD", "2", "--price", "60", "--json"))
    assert int(placed["order"]) > 0
    taken = json.loads(
        run(
            "order",
            "place",
            "buy",
            "OKB/USD",
            "0.5",
            "--price",
            "60",
            "--wait",
            "--json",
            who="bob",
        )
    )
    assert (taken["state"], taken["filled"]) == ("Filled", "0.5")
    (row,) = json.loads(run("order", "list", "--json"))
    assert (row["id"], row["open"], row["filled"]) == (placed["order"], "1.5", "0.5")
    shown = json.loads(run("order", "show", placed["order"], "--json"))
    assert shown["state"] == "Partially filled"
    assert "0.5" in run("account", "fills", who="bob")
    assert "Filled" in run("order", "list", "--all", who="bob")
    assert "60" in run("market", "book", "OKB/USD")
    assert "60" in run("market", "trades", "OKB/USD")
    assert json.loads(run("market", "candles", "OKB/USD", "--json"))[0]["close"] == "60"
    assert "60" in run("market", "ticker", "OKB/USD")
    assert run("order", "amend", placed["order"], "OKB/USD", "1") == "amended\n"
    (row,) = json.loads(run("order", "list", "--json"))
    assert (row["open"], row["filled"]) == ("0.5", "0.5")
    assert "NOT_A_SHRINK" in run("order", "amend", placed["order"], "OKB/USD", "2", status=1)
    assert run("order", "cancel", placed["order"]) == "cancelled\n"
    error = json.loads(run("order", "show", "999", "--json", status=1))
    assert "NOT_FOUND" in error["error"]
    assert "ORDER_NOT_FOUND" in run("order", "cancel", placed["order"], status=1)
    assert run("order", "cancel-all") == "cancelled\n"


def test_markets_and_money(run):
    assert "OKB/USD" in run("market", "list")
    balances = {row["asset"]: row for row in json.loads(run("account", "balances", "--json"))}
    assert float(balances["USD"]["free"]) > 0
    assert "deposit" in run("account", "ledger")
    assert "actions" in run("account", "quota")
    assert run("position", "list") == "none\n"
    run("withdraw", "request", "1.5", "USD")
    rows = json.loads(run("withdraw", "list", "--json"))
    assert rows[0]["amount"] == "-1500000"
    assert (
        json.loads(run("withdraw", "show", rows[0]["reference"], "--json"))["amount"] == "1500000"
    )
    assert "no asset" in run("withdraw", "request", "1", "XYZ", status=1)


def test_agents_come_and_go(run):
    text = run("agent", "approve", "0x" + "12" * 20, "--name", "bot", "--days", "1")
    key_id = text.split()[-1]
    keys = json.loads(run("agent", "list", "--json"))
    assert any(key["id"] == key_id and key["name"] == "bot" for key in keys)
    assert run("agent", "revoke", key_id) == "revoked\n"
    assert all(key["id"] != key_id for key in json.loads(run("agent", "list", "--json")))
    assert "KEY_NOT_FOUND" in run("agent", "revoke", key_id, status=1)
    assert "bot" not in run("account", "show")


def test_status_says_whether_orders_are_taken(run, demo):
    body = json.loads(run("status", "--json"))
    assert body["ready"] is True
    assert body["phase"] == "continuous"
    out = CliRunner().invoke(cli, ["status", "--url", "http://127.0.0.1:1"])
    assert out.exit_code == 1
    assert "does not answer" in out.output


def test_wrong_words_are_one_line(run, tmp_path):
    assert "is not a multiple" in run(
        "order", "place", "buy", "OKB/USD", "0.001", "--price", "1", status=1
    )
    assert "no market" in run("order", "place", "buy", "A/B", "1", "--price", "1", status=1)
    assert "expected something like" in run("market", "list", "--symbols", "x", status=2)
    key = tmp_path / "open"
    key.write_text("11" * 32)
    key.chmod(0o644)
    text = run("account", "balances", "--key-file", str(key), status=1)
    assert "may be read by others" in text


@pytest.mark.parametrize("words", [(), *((name,) for name in sorted(COMMANDS))])
def test_help_comes_at_once_and_imports_neither_engine_nor_ape(words):
    code = (
        "import sys; from tradezone.cli import cli\n"
        f"try: cli.main({[*words, '--help']!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'numba', 'ape', 'numpy', 'litestar', 'web3'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    best = 9.0
    for _ in range(3):
        began = time.monotonic()
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        best = min(best, time.monotonic() - began)
        assert result.returncode == 0, result.stderr
        assert "Usage:" in result.stdout
        if best < 0.3:
            break
    assert best < 1.5, "0.3 s on an idle machine"
