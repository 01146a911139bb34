"""How the demonstration talks: progress bars on a terminal, plain lines elsewhere, a closing table."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

_BAR = 30


@dataclass
class Story:
    """Steps, each with a figure; `close` prints them all as a table."""

    steps: list[tuple[str, str, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.perf_counter)
    _shown: float = 0.0
    _tenth: int = -1

    def begin(self, what: str) -> None:
        """Say what happens now."""
        self._started, self._tenth = time.perf_counter(), -1
        print(f"-- {what}", flush=True)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Show how far the running step is."""
        now = time.perf_counter()
        if sys.stdout.isatty():
            if now - self._shown > 0.1 or done == total:
                filled = _BAR * done // max(total, 1)
                bar = "#" * filled + "." * (_BAR - filled)
                print(f"\r   [{bar}] {done:,}/{total:,} {note}\x1b[K", end="", flush=True)
                self._shown = now
            if done == total:
                print("\r\x1b[K", end="", flush=True)
        elif (tenth := 5 * done // max(total, 1)) > self._tenth:
            self._tenth = tenth
            print(f"   {done:,} of {total:,} {note}", flush=True)

    def done(self, step: str, figure: str) -> None:
        """Record a step and its figure."""
        took = time.perf_counter() - self._started
        self.steps.append((step, figure, took))
        print(f"   {step}: {figure} ({took:.1f} s)", flush=True)
        self._started = time.perf_counter()

    def close(self) -> None:
        """Print the table of all steps."""
        width = max(len(step) for step, _, _ in self.steps)
        wide = max(len(figure) for _, figure, _ in self.steps)
        print(f"\n{'step':<{width}}  {'figure':<{wide}}  seconds")
        print(f"{'-' * width}  {'-' * wide}  -------")
        for step, figure, took in self.steps:
            print(f"{step:<{width}}  {figure:<{wide}}  {took:7.1f}")
