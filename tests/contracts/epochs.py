"""Drive the sequencers of a zone in tests: commits of whoever is in office, takeovers, rotations."""

from __future__ import annotations

from dataclasses import astuple

from tests.contracts.register_desk import join
from tradezone.protocol.messages import HEARTBEAT


def heartbeat(zone) -> int:
    """Index of the message with which the last batch was committed; 0 if there is none."""
    batch = zone.chain.tip().number
    found = [
        message.index
        for message in zone.messages()
        if message.kind == HEARTBEAT and int.from_bytes(message.payload, "big") == batch
    ]
    return found[0] if found else 0


def commit(zone, sender, **changes):
    """Commit the next batch as whoever is in office."""
    header = zone.header(epoch=zone.sequencers.currentEpoch(), **changes)
    zone.chain.commit(astuple(header), sender=sender)
    return header


def take_over(zone, sender, index=None):
    """Take over; the epoch that began."""
    index = heartbeat(zone) if index is None else index
    zone.sequencers.takeOver(index, sender=sender)
    return zone.sequencers.currentEpoch()


def join_all(zone, *accounts):
    """Bond operators, in this order."""
    for account in accounts:
        join(zone.sequencer_register, account)


def pass_periods(zone, count):
    """So many takeover periods, on both clocks."""
    terms = zone.params
    zone.clock.pass_both(count * terms.takeover_seconds, count * terms.takeover_blocks)


def pass_open(zone):
    """The time after which every standby may take over."""
    zone.clock.pass_both(zone.params.open_seconds, zone.params.open_blocks)
