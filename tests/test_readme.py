"""The README promises commands, files and links that exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def get_commands():
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            if command := line.partition("#")[0].strip():
                yield command


@pytest.mark.parametrize("command", get_commands())
def test_commands_are_make_targets_that_can_run(command):
    program, *targets = command.split()
    assert program == "make"
    # -n expands every recipe and fails for a target that does not exist
    done = subprocess.run(
        ["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_the_file_tree_names_folders_that_exist():
    tree = README.split("## Where things are")[1].split("```")[1]
    tops = re.findall(r"^([a-z]+)/", tree, re.MULTILINE)
    inner = re.findall(r"\b([a-z_0-9]+)/", tree.split("tradezone/")[1].split("tests/")[0])
    missing = [name for name in tops if not (ROOT / name).is_dir()]
    missing += [name for name in inner if not (ROOT / "tradezone" / name).is_dir()]
    assert not missing
