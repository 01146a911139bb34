"""``tradezone status``: how a zone is."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ._client import url_option
from ._output import catch_errors, json_option, print_fields, print_json


@click.command()
@url_option
@json_option
@catch_errors
def status(url: str, as_json: bool) -> None:
    """Show how a zone is: block, clock, L1, queues. Exit status 1 if it takes no orders."""
    import asyncio

    body = asyncio.run(_fetch(url))
    if as_json:
        print_json(body)
    else:
        print_fields(body)
    sys.exit(0 if body["ready"] else 1)


async def _fetch(url: str) -> dict[str, Any]:
    import msgspec

    from tradezone.client._wire import Address, HttpPool

    pool = HttpPool(Address.from_url(url))
    try:
        ready = await pool.request("GET", "/readyz")
        zone = msgspec.json.decode((await pool.request("GET", "/v1/zone")).body)
    finally:
        pool.close()
    probe = msgspec.json.decode(ready.body)
    state = zone.get("state", {})
    now = time.time_ns() // 1_000_000
    return {
        "ready": probe["ok"],
        "reason": probe["reason"],
        "name": zone.get("name", ""),
        "version": zone.get("version", ""),
        "block": probe["block"],
        "phase": state.get("phase", ""),
        "seconds_since_block": round((now - int(state.get("time", now))) / 1_000, 3),
        "seconds_since_l1": round((now - int(state.get("l1_time", now))) / 1_000),
        "sequencer": zone.get("sequencer", ""),
        "is_local": zone.get("is_local", False),
    }
