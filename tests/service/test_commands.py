"""The operator's guide by its commands: check, serve, status, backup, rebuild, restore, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from service_zone import write_zone

from tradezone.cli import COMMANDS
from tradezone.service import read_lock

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "operator.md").read_text()


def run(*words, cwd, status=0):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tradezone.cli", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def start(cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tradezone.cli", "serve"],
        cwd=cwd,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        body = read_lock(cwd / "data")
        if body and "port" in body:
            return process, f"http://{body['host']}:{body['port']}"
        time.sleep(0.05)
    raise AssertionError("it did not start in time")


def stop(process):
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=60)[1]
    assert process.returncode == 0, text
    return text


@pytest.mark.slow
def test_a_zone_is_run_backed_up_and_restored_by_its_commands(tmp_path):
    folder = write_zone(tmp_path / "zone", more="log: {format: json}").parent
    assert "zone test" in run("serve", "--check", cwd=folder)
    process, url = start(folder)
    body = json.loads(run("status", "--url", url, "--json", cwd=folder))
    assert body["ready"] is True
    assert body["is_local"] is True
    second = run("serve", cwd=folder, status=1)
    assert "is held by another process" in second
    assert f'"pid": {process.pid}' in second
    copy = tmp_path / "copy"
    assert "backup of" in run("backup", str(copy), cwd=folder)
    assert "is held by" in run("history", "rebuild", cwd=folder, status=1)
    text = stop(process)
    for line in filter(None, text.splitlines()):
        assert {"time", "level", "component", "message"} <= json.loads(line).keys()
    assert "history rebuilt" in run("history", "rebuild", cwd=folder)
    assert "not empty" in run("restore", str(copy), cwd=folder, status=1)
    shutil.rmtree(folder / "data")
    assert "restored" in run("restore", str(copy), cwd=folder)
    process, url = start(folder)
    assert json.loads(run("status", "--url", url, "--json", cwd=folder))["ready"] is True
    stop(process)


@pytest.mark.slow
def test_two_zones_on_one_machine_do_not_meet(tmp_path):
    folders = [write_zone(tmp_path / name).parent for name in ("one", "two")]
    started = [start(folder) for folder in folders]
    assert started[0][1] != started[1][1]
    port = started[0][1].rpartition(":")[2]
    third = write_zone(tmp_path / "three")
    third.write_text(third.read_text().replace("{port: 0}", f"{{port: {port}}}"))
    assert "cannot be listened on" in run("serve", cwd=third.parent, status=1)
    assert read_lock(third.parent / "data") is None
    for process, _ in started:
        stop(process)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("port: 0", "port: x"), "line 5"),
        (("key_file: key", "key_file: nowhere"), "sequencer.key_file"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_status_1(tmp_path, change, words):
    path = write_zone(tmp_path)
    path.write_text(path.read_text().replace(*change))
    text = run("serve", "--check", cwd=tmp_path, status=1)
    assert words in text
    assert "Traceback" not in text


def test_the_guide_names_commands_and_files_that_exist():
    named = set(re.findall(r"^tradezone ([a-z]+)", GUIDE, re.MULTILINE))
    assert named >= {"serve", "status", "backup", "restore"}
    assert named <= set(COMMANDS)
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / "guides" / link).exists(), link
    for metric in re.findall(r"`(tradezone_[a-z_0-9]+)`", GUIDE):
        name = metric.removesuffix("_total")
        sources = (ROOT / "tradezone" / "service").glob("*.py")
        text = "".join(path.read_text() for path in sources)
        assert name in text or name.removeprefix("tradezone_") in text, metric
