"""Everything an operator does beside a running zone: watch L1, post batches, assert state roots."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from scripts._common import ScriptError, with_options, zone_command
from scripts._posting import (
    build_poster,
    check_sequencer,
    data_option,
    post_once,
    with_data_option,
)
from tradezone.chain import ChainError, ChainReader, DivergedError
from tradezone.protocol.messages import Message

if TYPE_CHECKING:
    from pathlib import Path

    from scripts._common import Session
    from tradezone.chain import Poster

_ASK_S: Final = 5.0  # seconds for the zone's gateway to answer
_ALARM_PARTS: Final = 4  # said from a quarter of it on
_HEARTBEAT_S: Final = 3_600  # a zone that heard nothing of L1 for so long takes only cancels

_group = click.Group()


def ask_zone(url: str) -> dict[str, Any]:
    """Return what the zone says of itself. ScriptError if it does not answer, or takes no orders."""
    try:
        for path in ("/readyz", "/v1/zone"):
            with urllib.request.urlopen(url.rstrip("/") + path, timeout=_ASK_S) as answer:  # noqa: S310 -- an operator's own zone
                body = json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:200]
        raise ScriptError(f"the zone takes no orders: {text}", "look at its log") from None
    except (OSError, ValueError) as error:
        raise ScriptError(f"{url} does not answer: {error}", "is the zone running?") from None
    state: dict[str, Any] = body["state"]
    return state


def find_alarms(reader: ChainReader, zone: dict[str, Any], now: int, lag: int) -> list[str]:
    """Say what L1 has that the zone has not heard, if it is old.

    Parameters
    ----------
    now : int
        L1 time, seconds
    lag : int
        seconds that a message may wait before commits revert
    """
    alarms = []
    heard, count = int(zone["inbox"]), reader.message_count()
    if heard > count:
        alarms.append(f"the zone has executed {heard} inbox messages, L1 has {count}: reorganised")
    elif heard < count:
        (oldest,) = reader.messages(heard, heard + 1)
        age = now - Message.from_bytes(oldest).time
        if age * _ALARM_PARTS > lag:
            alarms.append(
                f"inbox message {heard} is {age} s old and not executed; "
                f"from {lag} s on no batch can be committed"
            )
    silence = int(zone["time"]) // 1_000 - int(zone["l1_time"]) // 1_000
    if silence * _ALARM_PARTS > _HEARTBEAT_S:
        alarms.append(
            f"the newest heartbeat is {silence} s old; from {_HEARTBEAT_S} s on it takes only cancels"
        )
    return alarms


@zone_command(_group, "operate", signs=True)
@with_options(
    data_option,
    with_data_option,
    click.option(
        "--url",
        default="http://127.0.0.1:8420",
        show_default=True,
        envvar="TRADEZONE_URL",
        help="Gateway of the zone.",
    ),
    click.option(
        "--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds."
    ),
    click.option(
        "--rounds", type=click.IntRange(min=0), default=0, help="Stop after so many; 0 = never."
    ),
)
def cli(session: Session, data: Path, with_data: bool, url: str, every: float, rounds: int) -> None:
    """Watch L1 and the zone, commit batches, claim their roots and make claims final, until stopped.

    What the zone or a node cannot do now is shown and tried again. It stops by itself when L1 and the data contradict
    each other, or the zone is frozen: then a person has to look.
    """
    check_sequencer(session)
    poster = build_poster(session, data, with_data=with_data)
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    if not poster.is_bonded():
        raise ScriptError(f"{session.address} has posted no bond", "ape run post bond")
    session.confirm("post and claim as the sequencer until stopped", {"from": session.address})
    if session.is_dry:
        return
    done, alarms, zone = 0, 0, dict[str, Any]()
    while True:
        done += 1
        post_once(session, poster, claims=True)
        found, zone = _look(session, reader, url, zone)
        alarms += found
        _check_frozen(session, poster)
        if done == rounds:
            break
        time.sleep(every)
    session.result(
        {
            **asdict(poster.status()),
            "rounds": done,
            "alarms": alarms,
            "zone_block": zone.get("block", ""),
            "zone_inbox": zone.get("inbox", ""),
            "inbox": reader.message_count(),
        }
    )


def _look(
    session: Session, reader: ChainReader, url: str, before: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Show what is wrong with the zone or its ear to L1; how much that is, and what the zone said last."""
    try:
        zone = ask_zone(url)
        lag = int(reader.chain.call("inboxLag"))
        alarms = find_alarms(reader, zone, session.rpc.head().time, lag)
    except ScriptError as error:
        session.echo(f"alarm: {error}")
        return 1, before
    except DivergedError:
        raise
    except ChainError as error:
        session.echo(f"will look again: {error}")
        return 0, before
    for alarm in alarms:
        session.echo(f"alarm: {alarm}")
    return len(alarms), zone


def _check_frozen(session: Session, poster: Poster) -> None:
    try:
        is_frozen = poster.status().is_frozen
    except DivergedError:
        raise
    except ChainError as error:
        session.echo(f"will look again: {error}")
        return
    if is_frozen:
        raise ScriptError("the zone is frozen on L1", "no batch is taken any more: tradezone exit")
