"""Events are one line each, and values read back as they were written."""

from __future__ import annotations

import io
import logging
import re

import pytest

from tradezone.sequencer import EventLog, configure_log
from tradezone.sequencer.log import format_value


@pytest.fixture
def stream():
    root = logging.getLogger("tradezone")
    before = (root.handlers[:], root.level, root.propagate)
    stream = io.StringIO()
    configure_log(logging.DEBUG, stream)
    yield stream
    root.handlers[:], root.level, root.propagate = before


def test_an_event_is_one_line_of_pairs(stream):
    EventLog("sequencer.journal").info("segment_opened", number=3, hash=b"\xab\xcd")
    line = stream.getvalue()
    stamp, rest = line.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert rest == "info sequencer.journal segment_opened number=3 hash=0xabcd\n"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_levels_are_written_in_full(stream, level):
    getattr(EventLog("x"), level)("happened")
    assert f" {level} x happened\n" in stream.getvalue()


def test_what_is_below_the_level_is_not_written(stream):
    configure_log(logging.WARNING, stream)
    EventLog("x").info("happened")
    assert stream.getvalue() == ""


def test_configuring_twice_writes_once(stream):
    configure_log(logging.DEBUG, stream)
    EventLog("x").info("happened")
    assert stream.getvalue().count("happened") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('"', '"\\""'),
        ("", '""'),
        ("line\nbreak", '"line\\nbreak"'),
        (b"\1", "0x01"),
        (None, "None"),
    ],
)
def test_values_are_quoted_where_they_must_be(value, text):
    assert format_value(value) == text
