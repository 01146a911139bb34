"""What an operator watches: Prometheus metrics of one zone, in a registry of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradezone.sequencer import Batch, ClosedBlock

_SECONDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
)


class Metrics:
    """All metrics of a zone. Names begin with ``tradezone_``."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.blocks = Counter("tradezone_blocks", "Blocks on disk", registry=registry)
        self.leaves = Counter(
            "tradezone_leaves", "Envelopes and credentials in blocks", registry=registry
        )
        self.events = Counter("tradezone_events", "Events of blocks on disk", registry=registry)
        self.refused = Counter(
            "tradezone_refused", "Envelopes that got no number", ["code"], registry=registry
        )
        self.busy = Counter(
            "tradezone_busy", "Requests that were told to come again", registry=registry
        )
        self.limited = Counter(
            "tradezone_rate_limited", "Requests beyond a rate limit", registry=registry
        )
        self.dropped = Counter(
            "tradezone_dropped_connections",
            "Connections that the gateway closed",
            ["reason"],
            registry=registry,
        )
        self.requests = Counter(
            "tradezone_requests", "Requests by answer", ["kind", "status"], registry=registry
        )
        self.batch_failures = Counter(
            "tradezone_batch_failures", "Batches that could not be written", registry=registry
        )
        self.acknowledgement = Histogram(
            "tradezone_acknowledgement_seconds",
            "From the gateway to the answer, synced",
            buckets=_SECONDS,
            registry=registry,
        )
        self.stage = Histogram(
            "tradezone_stage_seconds",
            "Time in a stage of the pipeline",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.block = Gauge("tradezone_block_number", "Last block on disk", registry=registry)
        self.seq = Gauge("tradezone_next_seq", "Number of the next leaf", registry=registry)
        self.batch = Gauge("tradezone_batch_number", "Last published batch", registry=registry)
        self.root = Gauge(
            "tradezone_last_root_info",
            "Last state root, as a label",
            ["batch", "root"],
            registry=registry,
        )
        self.connections = Gauge(
            "tradezone_connections", "Open WebSocket connections", registry=registry
        )

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when it is asked for."""
        Gauge(f"tradezone_{name}", text, registry=self.registry).set_function(read)

    def count_block(self, closed: ClosedBlock) -> None:
        """Count a block that is on disk."""
        head = closed.receipts.block_head
        self.blocks.inc()
        self.leaves.inc(head.count)
        self.events.inc(len(closed.events))
        self.block.set(closed.number)
        self.seq.set(head.first_seq + head.count)

    def set_batch(self, batch: Batch) -> None:
        """Note a published batch."""
        self.batch.set(batch.number)
        self.root.clear()
        self.root.labels(str(batch.number), "0x" + batch.state_root.hex()).set(1)

    def render(self) -> bytes:
        """Return the text format of Prometheus."""
        return generate_latest(self.registry)
