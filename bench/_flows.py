"""Flows for claims: packed once, so that only an engine or a reader of events is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradezone.engine import Engine
from tradezone.testing import (
    Terms,
    bitstamp,
    build_blocks,
    build_groups,
    build_setup,
    build_setup_leaves,
    build_traders,
    get_funding,
    lobster,
    synthetic,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradezone.testing import OrderFlow

BLOCKS_A_RUN = 256


class PackedFlow(NamedTuple):
    """Inputs of an engine: the setup, then runs of blocks as `Engine.execute_run` takes them."""

    name: str
    inbox: list[bytes]
    setup: list[bytes]
    runs: list[tuple[Any, Any, Any]]
    actions: int
    blocks: int

    def start(self) -> tuple[Engine, Any]:
        """Make an engine ready for the first run; return it with the events of that."""
        engine = Engine()
        _, events = engine.execute(self.setup, [None] * len(self.setup), self.inbox)
        return engine, events


def pack(leaves: Sequence[bytes], signers: Sequence[bytes | None]) -> tuple[Any, Any, Any]:
    offsets = np.zeros(len(leaves) + 1, dtype=np.int64)
    np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
    rows = np.frombuffer(b"".join(s or bytes(20) for s in signers), dtype=np.uint8)
    return np.frombuffer(b"".join(leaves), dtype=np.uint8), offsets, rows.reshape(-1, 20)


def pack_flow(flow: OrderFlow, terms: Terms | None = None) -> PackedFlow:
    """Sign a flow and pack it into runs."""
    groups = list(build_groups(flow))
    traders = build_traders()
    inbox = build_setup(traders, get_funding(groups, len(traders)), terms=terms)
    delay = 0 if terms is None else terms.taker_delay
    blocks = list(build_blocks(groups, traders, delay=delay))
    runs = []
    for at in range(0, len(blocks), BLOCKS_A_RUN):
        part = blocks[at : at + BLOCKS_A_RUN]
        runs.append(pack([x for b, _ in part for x in b], [x for _, s in part for x in s]))
    drafts = [draft for group in groups for draft in group.envelopes]
    return PackedFlow(
        flow.name,
        inbox,
        build_setup_leaves(len(inbox)),
        runs,
        actions=sum(draft.items for draft in drafts),
        blocks=len(blocks),
    )


def pack_flows() -> list[PackedFlow]:
    """Pack the real flows whose data is at hand, and the made-up one."""
    flows = [pack_flow(synthetic.build_flow(60_000))]
    if lobster.get_missing_reason() is None:
        flows.append(pack_flow(lobster.fetch_flow()))
    if bitstamp.get_missing_reason() is None:
        flows.append(pack_flow(bitstamp.fetch_flow(), bitstamp.TERMS))
    return flows
