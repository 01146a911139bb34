"""kill -9 at any point loses nothing that was acknowledged, and the zone goes on as if nothing happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import killable
import pytest

HERE = Path(__file__).parent
BLOCKS = 400
KILLS = 6


def start(directory):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, str(HERE / "killable.py"), str(directory), str(BLOCKS)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def read_batches(directory):
    return {p.name: p.read_bytes() for p in (directory / "batches").iterdir()}


@pytest.mark.slow
def test_killed_at_random_points_nothing_acknowledged_is_missing(tmp_path):
    said = []
    killable.run(tmp_path / "whole", BLOCKS, lambda *words: said.append(words))
    expected_heads = {n: head for word, n, _, head in said if word == "acknowledged"}
    *_, (_, _, last_seq, root) = said

    chance = random.Random(20_260_101)
    directory = tmp_path / "killed"
    acknowledged, killed, finished = {}, 0, None
    while finished is None:
        process = start(directory)
        # At least one block a life, then death anywhere: in a write, a sync, a batch.
        target = max(acknowledged, default=0) + chance.randint(1, BLOCKS // KILLS)
        for line in process.stdout:
            word, block, seq, value = line.split()
            if word == "recovered":
                # Everything that was acknowledged is there; at most one synced block more.
                last = max(acknowledged, default=0)
                assert last <= int(block) <= last + 1
                assert value == (expected_heads[int(block)] if int(block) else "00" * 32)
            elif word == "acknowledged":
                acknowledged[int(block)] = value
            else:
                finished = (int(seq), value)
            if int(block) >= target and killed < KILLS and finished is None:
                time.sleep(chance.random() / 500)
                process.send_signal(signal.SIGKILL)
                killed += 1
                break
        for line in process.stdout:  # what it said before it died
            word, block, seq, value = line.split() if line.count(" ") == 3 else ("", *"000")
            if word == "acknowledged" and len(value) == 64:
                acknowledged[int(block)] = value
            elif word == "finished":
                finished = (int(seq), value)
        errors = process.stderr.read()
        assert process.wait() in (0, -signal.SIGKILL), errors
    assert killed >= 3
    assert acknowledged.items() <= expected_heads.items()
    assert finished == (last_seq, root)
    assert read_batches(directory) == read_batches(tmp_path / "whole")
