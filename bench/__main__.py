"""Run every claim in a process of its own: ``python -m bench [name ...]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main():
    known = sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))
    names = sys.argv[1:] or known
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"no claim called {unknown[0]!r}; there are: {', '.join(known)}")
    failed = 0
    for name in names:
        print(f"-- {name}", file=sys.stderr, flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode != 0
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
