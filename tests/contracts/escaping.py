"""Bring a zone to its end in tests, at a state that a test wrote down."""

from tests.contracts.driver import root_named
from tradezone.protocol.records import TABLE_BY_NAME

BALANCE, HOLDING = TABLE_BY_NAME["balance"].number, TABLE_BY_NAME["holding"].number
RESOLVED, VOID = 5, 6
ACTIVE = 1
NO_HEADER = (0, 0, bytes(32), bytes(32), 0, 0, 0, bytes(32), 0, 0, 0, 0)


def freeze(zone):
    zone.clock.pass_both(zone.params.silence_seconds, zone.params.silence_blocks)
    return zone.chain.freezeSilent(sender=zone.deployer)


def claim_closing(zone, asserter, parent: bytes, root: bytes) -> bytes:
    batch = zone.chain.closingBatch()
    zone.chain.claim(parent, batch, zone.chain.headerHashOf(batch), root, sender=asserter)
    return zone.claim_id(parent, batch, root)


def close_at(zone, asserter, root: bytes) -> bytes:
    """Freeze the zone and make a claim on its closing batch final."""
    zone.bond(asserter)
    freeze(zone)
    claim = claim_closing(zone, asserter, bytes(zone.chain.latestFinal()), root)
    zone.pass_window()
    zone.finalize(claim)
    return claim


def abandon_at(zone, asserter, root: bytes):
    """Make a claim on a batch final, freeze the zone behind one more, and let nobody claim."""
    zone.bond(asserter)
    zone.finalized(asserter, root)
    zone.commit()
    freeze(zone)
    zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)
    zone.chain.abandon(sender=zone.deployer)


def exit_of(state, table: str, slot: int) -> tuple:
    """What `Escape` takes."""
    return (TABLE_BY_NAME[table].number, *state.proof(table, slot))


def deposit_of(zone, index: int) -> tuple:
    """A deposit message as `Escape` takes it."""
    message = zone.messages()[index]
    return (index, message.time, message.block, message.payload)


def header_of(zone, number: int) -> tuple:
    """The header of a batch, from the logs."""
    for log in zone.chain.BatchCommitted.range(0, zone.clock.block + 1):
        if log.number == number:
            return tuple(log.header)
    raise AssertionError(number)


def other_root() -> bytes:
    return root_named("another state")
