"""The guides in Python, as they are written: the blocks of each are one program, and its links lead to files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDES = Path(__file__).parent.parent.parent / "docs" / "guides"


@pytest.fixture(params=["reader", "client", "perpetuals"])
def guide(request):
    return GUIDES / f"{request.param}.md"


def test_every_block_of_the_guide_runs(guide):
    text = guide.read_text()
    assert set(re.findall(r"^```(\w*)$", text, re.MULTILINE)) == {"python", ""}
    program, at = [], 0
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines = text[: block.start(1)].count("\n")
        program.append("\n" * (lines - at) + block[1])  # so that a failure names the guide's line
        at = lines + block[1].count("\n")
    exec(compile("".join(program), str(guide), "exec"), {})


def test_links_lead_to_files(guide):
    links = re.findall(r"\]\(([^)]+)\)", guide.read_text())
    assert len(links) > 5
    assert not [link for link in links if not (guide.parent / link).exists()]
