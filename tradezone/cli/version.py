"""``tradezone version``: of the package, and of what it speaks."""

from __future__ import annotations

import click

from ._output import json_option, print_fields, print_json


def get_versions() -> dict[str, str]:
    """Return the versions of the package, of the record layout and of envelopes."""
    from tradezone import __version__
    from tradezone.protocol.actions import ENVELOPE_VERSION
    from tradezone.protocol.records import RECORDS_VERSION

    return {
        "tradezone": __version__,
        "records": str(RECORDS_VERSION),
        "envelopes": str(ENVELOPE_VERSION),
    }


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Show the versions of the package and the protocol."""
    versions = get_versions()
    if as_json:
        print_json(versions)
    else:
        print_fields(versions)
