"""The tables of `docs/spec/envelopes.md` against the definitions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradezone.protocol import actions, messages
from tradezone.protocol.actions import ITEM_LAYOUTS, SINGLE_ITEM, TYPED_ACTIONS, layout_bytes
from tradezone.protocol.limits import MAX_ITEMS

FOLDER = Path(__file__).parents[2] / "docs" / "spec"
TEXT = (FOLDER / "envelopes.md").read_text()


def read_table(header):
    """Rows of the table whose header begins so, as lists of cells."""
    lines = TEXT.split(f"| {header} |", 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


ACTIONS = read_table("# | action")
MESSAGES = read_table("# | message")


def test_every_action_and_message_is_in_its_table():
    assert [int(row[0]) for row in ACTIONS] == list(actions.ACTIONS)
    assert [int(row[0]) for row in MESSAGES] == sorted(messages.BODIES)


@pytest.mark.parametrize("row", ACTIONS, ids=lambda row: row[1])
def test_an_action_is_as_its_row_says(row):
    action, name = int(row[0]), row[1]
    assert getattr(actions, name) == action
    if action in ITEM_LAYOUTS:
        items = "1" if action in SINGLE_ITEM else f"1..{MAX_ITEMS}"
        layout, scope, signed = ITEM_LAYOUTS[action], "TRADE", "`Trade`"
    else:
        primary, layout = TYPED_ACTIONS[action]
        items, scope, signed = "1", "any" if name == "NOOP" else "OWNER", f"`{primary}`"
    assert row[2:4] == [items, str(layout_bytes(layout))]
    assert row[5:7] == [scope, signed]


@pytest.mark.parametrize("row", MESSAGES, ids=lambda row: row[1])
def test_a_message_is_as_its_row_says(row):
    kind, name = int(row[0]), row[1]
    assert getattr(messages, name) == kind
    assert int(row[2]) == layout_bytes(messages.BODIES[kind])


@pytest.mark.parametrize("row", ACTIONS + MESSAGES, ids=lambda row: row[1])
def test_every_row_names_a_chapter_that_speaks_of_it(row):
    linked = re.search(r"\((\w+\.md)\)", row[-1])
    text = (FOLDER / linked[1]).read_text() if linked else TEXT.split("## Keys")[1]
    assert row[1] in text


def test_the_types_that_are_signed_stand_in_the_text():
    assert actions.TRADE_TYPE in TEXT
    assert actions.CREDENTIAL_TYPE in TEXT
    assert actions.DOMAIN_TYPE in TEXT


def test_actions_are_numbered_without_gaps():
    assert list(actions.ACTIONS) == list(range(1, max(actions.ACTIONS) + 1))
