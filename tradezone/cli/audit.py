"""``tradezone audit``: every invariant of a state, from a snapshot."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._output import fail, json_option, print_fields, print_json


@click.command()
@click.argument("snapshot", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Broken records of one rule that are listed.",
)
@json_option
def audit(snapshot: Path, most: int, as_json: bool) -> None:
    """Check every invariant of the state in SNAPSHOT: balances, locks, books, lists, heaps, counters.

    Unused memory is read too. It says nothing about how the state came about: `tradezone verify` does. Exit
    status 0 only if no rule is broken.
    """
    from tradezone.engine import RULES, Engine

    try:
        engine = Engine.from_snapshot(snapshot)
    except ValueError as error:
        fail(str(error), "a snapshot is what Engine.save_snapshot wrote", as_json=as_json)
    found = engine.audit(most=most, is_thorough=True)
    root = "0x" + engine.rebuild_root().hex()
    block, time = int(engine.machine["block"]), int(engine.machine["time"])
    if as_json:
        violations = [
            {"rule": v.rule, "table": v.table, "slot": v.slot, "text": v.text} for v in found
        ]
        zone = {"block": block, "time": time, "root": root}
        print_json({"ok": not found, **zone, "rules": len(RULES), "violations": violations})
    else:
        print_fields(
            {
                "state": f"block {block:,} at {time} ms",
                "root": root,
                "rules": f"{len(RULES)}, {len({v.rule for v in found})} of them broken",
            }
        )
        for violation in found:
            click.echo(f"broken: {violation} ({RULES[violation.rule]})")
        if found:
            click.echo(click.style("not ok", fg="red", bold=True), err=True)
        else:
            click.echo(click.style("ok: ", fg="green", bold=True) + "every invariant holds")
    sys.exit(1 if found else 0)
