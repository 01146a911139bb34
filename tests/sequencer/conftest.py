"""Makes `sequencer_zone` importable: test folders are no packages, and their processes need it too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
