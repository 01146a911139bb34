"""A zone on disk for the tests of the service: the traders and market of `sequencer_zone`, on a real clock."""

from __future__ import annotations

import threading
import time

from sequencer_zone import (
    KEYS,
    MARKET,
    OKB,
    TRADERS,
    USD,
    create_venue,
    deposit,
    list_market,
    register_asset,
    register_owner,
)

from tradezone.client import NonceSource, Signer, build_place
from tradezone.sequencer import JournalReader
from tradezone.service import Executed, Node, SteadyClock, Submission, load_config

SECRET = "51" * 32
CONTRACT = "0x" + "5a" * 20

TEXT = """\
name: test
data: data
domain: {{chain_id: 196, contract: "{contract}"}}
sequencer: {{key_file: key}}
gateway: {{port: 0}}
{more}
"""


def write_zone(folder, more=""):
    """Write zone.yaml and its key; return the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    key.write_text(SECRET)
    key.chmod(0o600)
    path = folder / "zone.yaml"
    path.write_text(TEXT.format(contract=CONTRACT, more=more))
    return path


def tell_setup(taker_delay=3):
    """What a local zone is told before it can trade."""
    return [
        *(register_owner(owner, key) for owner, key in enumerate(KEYS, 1)),
        *map(register_asset, (USD, OKB)),
        create_venue(),
        list_market(taker_delay),
        *(
            deposit(owner, asset, units)
            for owner in range(2, TRADERS + 2)
            for asset, units in ((USD, 10_000_000), (OKB, 100_000))
        ),
    ]


def start_node(path, taker_delay=3, **options):
    """Open and start a node; tell it what it needs if it is new."""
    node = Node(load_config(path), **options)
    node.start()
    if node.report.last_block == 0:
        node.get_local_inbox().offer_all(tell_setup(taker_delay))
        wait_for(lambda: node.pipeline.query(lambda e: int(e.machine["inbox"])).result(30) > 18)
        time.sleep(0.002)  # nonces are above the time at which keys were approved
    return node


def make_clock(path):
    """A clock that goes on where a zone's journal ends, so that a restart is no outage."""
    separator = load_config(path).domain.separator
    last = 0
    for frame in JournalReader(path.parent / "data" / "journal", separator).read_frames():
        last = frame.time
    shift = max(time.time_ns() - (last + 50) * 10**6, 0) if last else 0
    return SteadyClock(lambda: time.time_ns() - shift)


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def make_signers(separator):
    """Traders 2 .. TRADERS + 1: account = key slot = owner."""
    return {
        owner: Signer(KEYS[owner - 1], owner, owner, separator, nonces=NonceSource())
        for owner in range(2, TRADERS + 2)
    }


def send(node, *leaves, seconds=60.0):
    """Send leaves and wait for their answers."""
    done, found = threading.Event(), []

    def deliver(answers):
        found.extend(answers)
        done.set()

    node.pipeline.submit(Submission(leaves, node.clock.now(), deliver))
    assert done.wait(seconds), "no answer"
    return found


def place(signer, side="buy", price="60", size="1", tif="gtc", client_id=None):
    return signer.place(build_place(MARKET, side, price, size, tif=tif, client_id=client_id))


def get_results(answers):
    return [answer.result if isinstance(answer, Executed) else answer for answer in answers]
