"""The guides, as they are written: every ``bash`` block of all of them, in order, in one shell.

They run in a folder of their own with an anvil of their own; only its port is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDES = ("deployer", "trader", "verifier", "voter")
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINKED = ("node_modules", "scripts", "ape-config.yaml")
COPIED = ("contracts", ".build")  # Ape writes beside them
SECONDS = 1800


def get_blocks(guide):
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text()
    fences = re.findall(r"^```(\w*)$", text, re.MULTILINE)
    assert set(fences) <= {"bash", ""}, "every code block of a guide is bash and runs"
    return BLOCK.findall(text)


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def folder(tmp_path, project):
    """A checkout to work in, with what was compiled already."""
    assert project.contracts  # compile before it is copied, not twice
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tradezone"  # as installing the package makes it
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tradezone.cli "$@"\n')
    tool.chmod(0o755)
    return tmp_path


@pytest.mark.slow
def test_every_block_of_the_guides_runs(folder):
    port = find_free_port()
    script = ["set -euo pipefail"]
    for guide in GUIDES:
        for number, block in enumerate(get_blocks(guide), 1):
            script += [f"echo '== {guide} {number}'", block.replace("8545", str(port))]
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join(
        [str(folder / "bin"), str(Path(sys.executable).parent), environment["PATH"]]
    )
    # The package stays where it is: Numba keeps what it compiled by the path of the source.
    environment["PYTHONPATH"] = str(ROOT)
    for name in ("TRADEZONE_RPC", "TRADEZONE_CHAIN", "TRADEZONE_DEPLOYMENT", "APE_FOUNDRY_HOST"):
        environment.pop(name, None)
    log = folder / "guides.log"
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = shell.wait(SECONDS)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)  # its anvil too
            shell.wait(30)
    text = log.read_text()
    assert status == 0, text
    assert "150 USDT" in text
    assert text.count("ok: every claimed root is the root") == 1
    assert "150000000" in text  # what the token says the trader has
    assert "MAX_LEVERAGE: 20 -> 25" in text
    assert "of all collateral: defeated" in text
