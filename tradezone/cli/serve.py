"""``tradezone serve``: run a zone until it is told to stop."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._output import Progress, catch_errors

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("zone.yaml"),
    show_default=True,
    envvar="TRADEZONE_CONFIG",
    show_envvar=True,
    help="The zone's configuration.",
)


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Only check the configuration and the key, and exit.")
@catch_errors
def serve(config_path: Path, check: bool) -> None:
    """Run a zone: replay its journal, open its doors, and go on until SIGTERM or SIGINT.

    Exit status 0 if it was stopped, 3 if it failed: what was acknowledged is on disk then, start it again.
    """
    from tradezone.service.config import load_config

    config = load_config(config_path)
    config.read_key()
    if check:
        click.echo(f"{config_path}: zone {config.name}, data in {config.directory}")
        return
    from tradezone.gateway import serve as serve_node
    from tradezone.service import Node
    from tradezone.service.log import configure

    configure(config.log.level, config.log.format)
    progress = Progress()
    node = Node(config, progress=progress.show)
    progress.clear()
    node.start()
    sys.exit(serve_node(node))
