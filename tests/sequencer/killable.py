"""A sequencer that lives until it is killed: ``python killable.py <directory> <blocks>``.

Block n holds leaves that depend on n alone, so whoever goes on after a crash makes the same blocks. A line
is printed for every acknowledged block, and nothing is printed before it is on disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sequencer_zone import CONFIG, SEQUENCER_KEY, START, build_inbox, build_stream

from tradezone.sequencer import BatchLimits, ManualClock, recover

LEAVES_A_BLOCK = 2
LIMITS = BatchLimits(blocks=7)


def run(directory, blocks, say):
    recovered = recover(
        Path(directory),
        CONFIG,
        SEQUENCER_KEY,
        clock=ManualClock(START),
        limits=LIMITS,
        segment_bytes=20_000,
    )
    sequencer = recovered.sequencer
    say("recovered", sequencer.block, sequencer.next_seq, sequencer.head.hex())
    stream = build_stream(LEAVES_A_BLOCK * blocks)
    while sequencer.block < blocks:
        number = sequencer.block + 1
        if number == 1:
            sequencer.offer_messages(build_inbox())
        else:
            leaves = stream[LEAVES_A_BLOCK * (number - 2) : LEAVES_A_BLOCK * (number - 1)]
            sequencer.admit_and_submit(leaves, START + number - 1)
        block = sequencer.close_block(START + number - 1)
        say("acknowledged", block.number, sequencer.next_seq, sequencer.head.hex())
        sequencer.publish_due()
    sequencer.publish_batch()
    root = sequencer.engine.commit_root()
    say("finished", sequencer.block, sequencer.next_seq, root.hex())
    sequencer.close()


def main():
    def say(*words):
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()

    run(sys.argv[1], int(sys.argv[2]), say)


if __name__ == "__main__":
    main()
