"""Run test suites side by side: one process a shard, each with its share of the files.

    python tools/shards.py [options] SUITE... -- COMMAND... [-- ARGUMENT...]

Options:
    --at-once N        shards, which run at the same time (default: one a core, four at most)
    --times FILE       seconds that each file took once, as JSON; shards are balanced by them
    --own VARIABLE     give each shard an empty folder of its own and its path in this variable
    --write-times      write what the files took into FILE, with the run's own figures

COMMAND is a pytest, with what it needs. An ARGUMENT that names a file or folder that exists, or a test in one,
selects it in place of the suites; the others are passed on to each shard. One file alone, or an argument that
speaks of one process (`ALONE`), runs as if COMMAND had been called by hand.

While the shards run, their lines of progress are printed as they come, with the number of the shard. What a
failed shard says about its failures follows whole at the end. The exit status is 0 only if every shard has
passed, 5 if none has found a test, as pytest's own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

NO_TESTS = 5
INTERRUPTED = 130
MOST_AT_ONCE = 4
# Options that are about the one process of a run: its terminal, or what the run before left in the cache.
ALONE = frozenset(
    [
        "-s",
        "--capture",
        "--pdb",
        "--trace",
        "--lf",
        "--last-failed",
        "--ff",
        "--failed-first",
        "--nf",
        "--new-first",
        "--sw",
        "--stepwise",
        "--co",
        "--collect-only",
        "--fixtures",
        "--markers",
        "-h",
        "--help",
        "--version",
    ]
)
PROGRESS = re.compile(r"\[ *\d+%\]$")
FAILURES = re.compile(r"^=+ (ERRORS|FAILURES) =+$", re.MULTILINE)
# Seconds for a file that nobody has measured.
UNKNOWN = 5.0


@dataclass
class Options:
    """What the command line asks for."""

    suites: list[str]
    command: list[str]
    selected: list[str]
    arguments: list[str]
    at_once: int = field(default_factory=lambda: min(os.cpu_count() or 1, MOST_AT_ONCE))
    times: Path | None = None
    own: str | None = None
    is_writing_times: bool = False


@dataclass
class Shard:
    """A running share of the files."""

    number: int
    process: subprocess.Popen[bytes]
    log: Path
    report: Path
    reader: IO[str]
    rest: str = ""

    def get_status(self) -> int:
        """Exit status; 1 for a process that calls itself good but has not run to its end."""
        status = self.process.returncode
        return 1 if status == 0 and not self.report.exists() else status

    def has_failed(self) -> bool:
        """Whether it has anything else to say than good."""
        return self.get_status() not in (0, NO_TESTS)

    def get_progress(self) -> list[str]:
        """Get the lines of progress that are new since the last time."""
        *lines, self.rest = (self.rest + self.reader.read()).split("\n")
        return [line for line in lines if PROGRESS.search(line)]

    def get_last_line(self) -> str:
        """Get what pytest says in its last line, without the rule around it."""
        lines = self.log.read_text().strip().splitlines()
        return lines[-1].strip("= ") if lines else "no output"

    def get_failures(self) -> str:
        """Get what pytest says about failures; everything, if it did not come that far."""
        text = self.log.read_text()
        found = FAILURES.search(text)
        return text[found.start() :] if found else text


def parse(words: list[str]) -> Options:
    """Split the command line; raises ValueError if a part of it is missing or unknown."""
    if "--" not in words:
        raise ValueError("expected -- before the command")
    ours, rest = words[: words.index("--")], words[words.index("--") + 1 :]
    command, given = rest, []
    if "--" in rest:
        command, given = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    selected = [word for word in given if is_test(word)]
    options = Options([], command, selected, [word for word in given if word not in selected])
    values = iter(ours)
    for word in values:
        if word == "--at-once":
            options.at_once = int(next(values, ""))
        elif word == "--times":
            options.times = Path(next(values, ""))
        elif word == "--own":
            options.own = next(values, "")
        elif word == "--write-times":
            options.is_writing_times = True
        elif word.startswith("-"):
            raise ValueError(f"unknown option {word}")
        else:
            options.suites.append(word)
    if not command or not options.suites or options.at_once < 1:
        raise ValueError("expected suites, a command and at least one shard at once")
    return options


def is_test(word: str) -> bool:
    """Whether an argument names a file or folder, or a test in a file."""
    return not word.startswith("-") and Path(word.partition("::")[0]).exists()


def get_files(places: list[str]) -> list[str]:
    """Test files in folders, in the order in which pytest runs them; files, and tests in them, stay."""
    files: dict[str, None] = {}
    for place in places:
        path = Path(place)
        found = sorted(path.rglob("test_*.py")) if path.is_dir() else [place]
        files |= {str(file): None for file in found}
    return list(files)


def partition(files: list[str], times: dict[str, float], count: int) -> list[list[str]]:
    """Share files among at most ``count`` shards so that the longest is short; each keeps their order.

    The longest file first, each into the shard with least to do: never more than a third above the best.
    """
    weights = [times.get(file.partition("::")[0], UNKNOWN) for file in files]
    shards: list[list[int]] = [[] for _ in range(min(count, len(files)))]
    loads = [0.0] * len(shards)
    for place in sorted(range(len(files)), key=lambda place: (-weights[place], place)):
        least = loads.index(min(loads))
        shards[least].append(place)
        loads[least] += weights[place]
    return [[files[place] for place in sorted(shard)] for shard in shards]


def status_of(statuses: list[int]) -> int:
    """Exit status of a run whose shards ended with ``statuses``; a shard that a signal ended has failed."""
    failed = [status for status in statuses if status not in (0, NO_TESTS)]
    if failed:
        return max([status for status in failed if status > 0], default=1)
    return 0 if 0 in statuses else NO_TESTS


def read_times(report: Path) -> dict[str, float]:
    """Seconds of each file in pytest's XML report."""
    times: dict[str, float] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        file = case.get("classname", "").replace(".", "/") + ".py"
        times[file] = times.get(file, 0.0) + float(case.get("time", 0))
    return times


def start(number: int, files: list[str], options: Options, folder: Path) -> Shard:
    """Start a shard that writes its output and report into ``folder``."""
    log, report = folder / f"{number}.log", folder / f"{number}.xml"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    if options.own:
        own = folder / f"{number}.own"
        own.mkdir()
        environment[options.own] = str(own)
    # The cache of the last failures is one for all: shards would overwrite each other's.
    ours = ["-p", "no:cacheprovider", f"--junit-xml={report}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*options.command, *files, *options.arguments, *ours],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    return Shard(number, process, log, report, log.open(errors="replace"))


def follow(shards: list[Shard]) -> None:
    """Print the shards' progress until all have ended."""
    is_running = True
    while is_running:
        # Asked before the output is read, so that the last lines are not missed.
        is_running = any(shard.process.poll() is None for shard in shards)
        for shard in shards:
            for line in shard.get_progress():
                print(f"[{shard.number}] {line}", flush=True)
        time.sleep(0.1)


def run_shards(options: Options, shares: list[list[str]], times: dict[str, float]) -> int:
    """Run the shares side by side and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="shards-") as folder:
        began = time.monotonic()
        shards = [start(i + 1, share, options, Path(folder)) for i, share in enumerate(shares)]
        try:
            follow(shards)
        except KeyboardInterrupt:
            # The terminal has told the shards too; they stop their nodes before they end.
            for shard in shards:
                shard.process.wait()
            return INTERRUPTED
        finally:
            for shard in shards:
                if shard.process.poll() is None:
                    shard.process.terminate()
                    shard.process.wait()
        for shard in shards:
            if shard.has_failed():
                end = f"exit status {shard.process.returncode}"
                end += "" if shard.report.exists() else ", no report"
                print(f"\n== shard {shard.number}, {end}\n{shard.get_failures()}")
        print()
        for shard, share in zip(shards, shares, strict=True):
            print(f"[{shard.number}] {len(share)} files: {shard.get_last_line()}")
        print(f"{len(shards)} shards in {time.monotonic() - began:.0f} s", flush=True)
        status = status_of([shard.get_status() for shard in shards])
        if options.is_writing_times and options.times:
            for shard in shards:
                times |= read_times(shard.report) if shard.report.exists() else {}
            rounded = {file: round(times[file], 1) for file in sorted(times)}
            options.times.write_text(json.dumps(rounded, indent=1) + "\n")
    return status


def main(words: list[str]) -> int:
    """Run what the command line says."""
    try:
        options = parse(words)
    except ValueError as error:
        print(f"shards: {error}\n\n{__doc__}", file=sys.stderr)
        return 2
    times = (
        json.loads(options.times.read_text()) if options.times and options.times.exists() else {}
    )
    shares = partition(get_files(options.selected or options.suites), times, options.at_once)
    is_alone = any(word.partition("=")[0] in ALONE for word in options.arguments)
    if len(shares) <= 1 or is_alone:
        places = options.selected or options.suites
        return subprocess.call([*options.command, *places, *options.arguments])
    # As a terminal's interrupt would, so that no shard and no node is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return run_shards(options, shares, times)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
