"""``ape run demo --perps``: the story of `tradezone.testing.perps_story`, kept in ``.demo/perps.txt``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

import click

FOLDER: Final = Path(".demo")


def run_story() -> None:
    """Tell the story and write it down; ClickException names the first number that is wrong."""
    from tradezone.engine import Engine
    from tradezone.testing.perps import NumberError
    from tradezone.testing.perps_story import tell_story

    started, lines = time.perf_counter(), []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    try:
        figures = tell_story(Engine(), say)
    except NumberError as error:
        raise click.ClickException(str(error)) from error
    figures["seconds"] = round(time.perf_counter() - started, 1)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "perps.json").write_text(json.dumps(figures, indent=2) + "\n")
    (FOLDER / "perps.txt").write_text("\n".join(lines).strip() + "\n")
    print(f"\nall of it held, in {figures['seconds']} s; the story is in {FOLDER}/perps.txt")
