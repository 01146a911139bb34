"""The Python of README and of the market maker's guide runs, block after block, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/guides/market_maker.md"])
def test_every_block_of_python_runs(name, capsys):
    text = (ROOT / name).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    if name == "README.md":
        assert capsys.readouterr().out.split() == ["Filled", "60"]


def test_links_of_the_guides_lead_to_files():
    for path in (ROOT / "docs" / "guides").glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
