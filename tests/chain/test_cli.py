"""The command line without a chain: help, errors, exit status. With one: tests/e2e."""

import json
import os
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from tradezone.cli import COMMANDS, cli

CHAIN = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
NOWHERE = ["--rpc", "http://127.0.0.1:9", "--chain", CHAIN]


def run(*arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRADEZONE_")}
    return subprocess.run(
        [sys.executable, "-m", "tradezone.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
    )


def test_help_needs_neither_the_engine_nor_a_node():
    code = (
        "import sys; from tradezone.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert not {"numba", "numpy", "tradezone.engine", "tradezone.chain", "ape"} & set(
        done.stdout.split()
    )
    assert all(name in done.stdout for name in COMMANDS)


def test_help_is_there_at_once():
    started = time.perf_counter()
    assert run("--help").returncode == 0
    assert time.perf_counter() - started < 2  # a tenth of it, on a machine with nothing else to do


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command):
    done = CliRunner().invoke(cli, [command, "--help"])
    assert done.exit_code == 0
    assert COMMANDS[command][1].split()[0] in done.output


def test_versions_can_be_read_by_programs():
    done = run("version", "--json")
    assert set(json.loads(done.stdout)) == {"tradezone", "records", "envelopes"}
    assert run("--version").stdout.startswith("tradezone ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verfy"], "no command 'verfy'; there are verify, prove, audit, doctor, version"),
        (["verify"], "Missing option '--rpc'"),
        (
            ["verify", "--rpc", "x", "--chain", CHAIN],
            "expected an address like http://127.0.0.1:8545",
        ),
        (
            ["verify", "--rpc", "http://x", "--chain", "0x12"],
            "expected an address (0x and 40 hex digits)",
        ),
        (["verify", *NOWHERE, "--chain", CHAIN.swapcase().replace("0X", "0x")], "wrong checksum"),
        (["verify", *NOWHERE, "--data", "/does/not/exist"], "does not exist"),
        (["prove", "withdrawal", *NOWHERE, "--id", "0"], "0 is not in the range x>=1"),
        (["prove", "withdrawal", *NOWHERE], "Missing option '--id'"),
    ],
)
def test_a_wrong_command_line_is_status_2(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("command", [["verify"], ["prove", "withdrawal", "--id", "1"]])
def test_a_failure_is_status_1_in_one_line_with_a_hint(command):
    done = run(*command, *NOWHERE)
    assert done.returncode == 1
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: no node answers at http://127.0.0.1:9")
    assert hint == "hint:  check the address, and that the node is running"


def test_a_failure_can_be_read_by_programs():
    done = run("verify", "--json", *NOWHERE)
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["ok"] is False
    assert "no node answers" in body["error"]


def test_options_may_stand_in_the_environment():
    done = run("verify", TRADEZONE_RPC="http://127.0.0.1:9", TRADEZONE_CHAIN=CHAIN)
    assert "no node answers at http://127.0.0.1:9" in done.stderr


def test_nothing_is_coloured_that_is_no_terminal():
    assert "\x1b" not in run("doctor").stdout
    assert (
        "\x1b" not in CliRunner().invoke(cli, ["doctor"], color=True, env={"NO_COLOR": "1"}).output
    )
    assert "\x1b" in CliRunner().invoke(cli, ["doctor"], color=True, env={"NO_COLOR": ""}).output


def test_the_doctor_looks_at_what_is_needed():
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    levels = {check["name"]: check["level"] for check in json.loads(done.stdout)["checks"]}
    assert levels["package"] == levels["python"] == levels["core"] == "ok"
    assert set(levels) >= {"chain", "engine", "anvil"}


def test_the_doctor_says_what_a_node_does_not():
    done = run("doctor", "--rpc", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "bad   rpc" in done.stdout
    assert "check the address" in done.stdout


def test_a_reader_that_goes_away_is_no_error_message():
    command = f"{sys.executable} -m tradezone.cli doctor --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
