"""A zone in its own process that dies on purpose: ``python faulty.py <zone.yaml> <stage> <count>``.

Stages are points of the pipeline; at the ``count``-th time the process comes there it is killed by SIGKILL, so nothing
of it is tidied up. Stage ``none`` never comes.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from service_zone import make_clock

import tradezone.sequencer.batches as batches
import tradezone.sequencer.recovery as recovery
import tradezone.service.node as node_module
from tradezone.gateway import serve
from tradezone.sequencer.journal import FileJournal
from tradezone.service import Node, Views, load_config
from tradezone.service.pipeline import Pipeline


def die_at(count):
    left = [count]

    def look():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return look


def patch(owner, name, look, *, is_after=False):
    real = getattr(owner, name)

    def wrapped(*arguments, **options):
        if not is_after:
            look()
        result = real(*arguments, **options)
        if is_after:
            look()
        return result

    setattr(owner, name, wrapped)


def arm(stage, count):
    look = die_at(count)
    points = {
        "screen": (Pipeline, "_screen", False),
        "admit": (Pipeline, "_admit", True),
        "before_write": (FileJournal, "_write_all", False),
        "after_write": (FileJournal, "_write_all", True),
        "after_sync": (FileJournal, "append", True),
        "before_answer": (Pipeline, "_acknowledge", False),
        "after_answer": (Pipeline, "_acknowledge", True),
        "before_views": (Views, "offer", False),
        "after_views": (Views, "offer", True),
        "batch_file": (batches, "write_file", False),
        "batch_meta": (batches, "write_file", True),
        "snapshot": (node_module, "save_snapshot", False),
        "snapshot_meta": (recovery, "write_file", False),
    }
    if stage in points:
        owner, name, is_after = points[stage]
        patch(owner, name, look, is_after=is_after)
    elif stage == "torn_write":
        real = os.pwrite
        left = [count]

        def tear(descriptor, data, offset):
            left[0] -= 1
            if left[0] == 0:
                real(descriptor, bytes(data)[: max(len(data) // 2, 1)], offset)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(descriptor, data, offset)

        FileJournal.__init__.__kwdefaults__["write"] = tear
    elif stage in ("ENOSPC", "EIO"):
        left = [count]

        def fail(descriptor):
            left[0] -= 1
            if left[0] <= 0:
                raise OSError(
                    28 if stage == "ENOSPC" else 5, os.strerror(28 if stage == "ENOSPC" else 5)
                )
            os.fdatasync(descriptor)

        FileJournal.__init__.__kwdefaults__["sync"] = fail


def main():
    config_path, stage, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    config = load_config(Path(config_path))
    node = Node(config, clock=make_clock(Path(config_path)))
    node.start()
    arm_later = sys.argv[4:] == ["started"]
    if arm_later:
        arm(stage, count)
    sys.exit(serve(node))


if __name__ == "__main__":
    if sys.argv[4:] != ["started"]:
        arm(sys.argv[2], int(sys.argv[3]))
    main()
