"""The reader's guide, as it is written: its Python blocks are one program, and its links lead to files."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "docs" / "guides" / "reader.md"


def test_every_block_of_the_guide_runs():
    text = GUIDE.read_text()
    assert set(re.findall(r"^```(\w*)$", text, re.MULTILINE)) == {"python", ""}
    program, at = [], 0
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines = text[: block.start(1)].count("\n")
        program.append("\n" * (lines - at) + block[1])  # so that a failure names the guide's line
        at = lines + block[1].count("\n")
    exec(compile("".join(program), str(GUIDE), "exec"), {})


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", GUIDE.read_text())
    assert len(links) > 15
    assert not [link for link in links if not (GUIDE.parent / link).exists()]
