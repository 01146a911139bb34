"""``tradezone doctor``: what this machine has, and what a node answers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import click

from ._output import UrlType, json_option, print_json
from .version import get_versions

CORE: Final = ("numpy", "numba", "coincurve", "safe-pysha3", "msgspec", "click")
CHAIN: Final = ("eth-ape", "ape-foundry", "ape-solidity", "ape-vyper", "eth-account")
_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``level``: ok, note (something optional is absent), bad."""

    name: str
    level: str
    text: str
    hint: str = ""


def _check_python() -> Check:
    text = platform.python_version()
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        return Check("python", "ok", text)
    return Check("python", "bad", f"{text}, expected 3.11 or 3.12", "make setup PYTHON=...")


def _check_packages(name: str, packages: tuple[str, ...], level: str, hint: str) -> Check:
    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        return Check(name, level, f"missing: {', '.join(missing)}", hint)
    return Check(name, "ok", ", ".join(found))


def _check_cache() -> Check:
    folder = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    compiled = sum(1 for _ in folder.rglob("*.nbc")) if folder.is_dir() else 0
    if compiled:
        return Check("engine", "ok", f"compiled ({compiled} functions in {folder})")
    hint = "python -m tradezone.warm compiles it now; else the first use does, in about a minute"
    return Check("engine", "note", f"not compiled yet for these sources ({folder})", hint)


def _check_anvil() -> Check:
    path = shutil.which("anvil")
    if not path:
        hint = "only needed for local chains: make setup, then . tools/env.sh"
        return Check("anvil", "note", "not on PATH", hint)
    try:
        answer = subprocess.run(  # noqa: S603 - the program that PATH names, without arguments of others
            [path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("anvil", "bad", f"does not run: {error}", "install it anew: make setup")
    return Check("anvil", "ok", (answer.stdout.splitlines() or ["?"])[0].removeprefix("anvil "))


def _check_rpc(url: str) -> list[Check]:
    from tradezone.chain import ChainError, Rpc, RpcError

    rpc = Rpc(url)
    try:
        chain_id, head = rpc.chain_id(), rpc.head()
    except ChainError as error:
        return [Check("rpc", "bad", error.text, error.hint)]
    checks = [Check("rpc", "ok", f"chain {chain_id}, block {head.number:,} at {url}")]
    hint = "the watcher needs a confirmation depth there"
    try:
        safe = rpc.block("safe")
    except RpcError as error:
        checks.append(Check("safe block", "note", f"not supported: {error.text}", hint))
    else:
        if safe is None:
            checks.append(Check("safe block", "note", "none yet", hint))
        else:
            checks.append(Check("safe block", "ok", f"{safe.number:,}"))
    return checks


@click.command()
@click.option(
    "--rpc",
    "url",
    type=UrlType(),
    envvar="TRADEZONE_RPC",
    show_envvar=True,
    help="JSON-RPC address of an L1 node to look at too.",
)
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Check what this machine has and, with --rpc, what a node answers.

    Exit status 1 if something is missing that cannot be done without.
    """
    package = ", ".join(f"{name} {value}" for name, value in get_versions().items())
    checks = [
        Check("package", "ok", package),
        _check_python(),
        _check_packages("core", CORE, "bad", "pip install tradezone"),
        _check_packages(
            "chain", CHAIN, "note", "needed to deploy and post: pip install 'tradezone[chain]'"
        ),
        _check_cache(),
        _check_anvil(),
        *(_check_rpc(url) if url else []),
    ]
    is_ok = all(check.level != "bad" for check in checks)
    if as_json:
        rows = [{n: getattr(check, n) for n in check.__slots__} for check in checks]
        print_json({"ok": is_ok, "checks": rows})
    else:
        _print(checks)
    sys.exit(0 if is_ok else 1)


def _print(checks: list[Check]) -> None:
    colors = {"ok": "green", "note": "yellow", "bad": "red"}
    width = max(len(check.name) for check in checks)
    for check in checks:
        level = click.style(f"{check.level:<4}", fg=colors[check.level])
        click.echo(f"{level}  {check.name:<{width}}  {check.text}")
        if check.hint and check.level != "ok":
            click.echo(f"      {'':<{width}}  {check.hint}")
