"""``tradezone demo``: what a zone does, shown in this process, with nothing else running."""

from __future__ import annotations

import click

from ._output import fail, json_option, print_json


@click.command()
@click.option(
    "--perps", is_flag=True, help="The life of a perpetual, down the whole liquidation ladder."
)
@json_option
def demo(perps: bool, as_json: bool) -> None:
    """Tell a story with every number checked: `tradezone demo --perps`.

    The engine is the one that zones run; what it says is compared with formulas of its own in plain integers. It needs no
    chain, no network and no files. Exit status 0 only if every number held.
    """
    if not perps:
        raise click.UsageError(
            "say which story: --perps (a whole exchange on a chain is `make demo`)"
        )
    from tradezone.engine import Engine
    from tradezone.testing.perps import NumberError
    from tradezone.testing.perps_story import tell_story

    try:
        figures = tell_story(Engine(), (lambda _: None) if as_json else click.echo)
    except NumberError as error:
        fail(
            str(error),
            "the engine and the formulas of docs/spec differ: report it",
            as_json=as_json,
        )
    if as_json:
        print_json({"ok": True, **figures})
