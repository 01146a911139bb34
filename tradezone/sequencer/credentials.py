"""Checks of credential leaves before they get a number: `docs/spec/access.md` against the state of the last block.

Anyone may hand in a credential, and it costs no quota. So intake lets in only what the engine would take now: a
copy, an older one or one that its venue does not admit gets no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import NDArray

from tradezone.protocol.actions import Credential
from tradezone.protocol.enums import ACCESS_CREDENTIAL, NONE
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import ACCESS_BUCKETS, MAX_BUCKET_LENGTH, MAX_TIME, ORDER_BUCKETS
from tradezone.protocol.records import OWNER, VENUE

MAX_REGION: Final = 62  # bits of venue.regions
MAX_CLASS: Final = (1 << 15) - 1

Tables = Mapping[str, NDArray[Any]]


def get_address(record: Any, name: str) -> bytes:
    """Return the 20-byte address that a record holds in the limbs of a field."""
    limbs = (int(record[f"{name}{i}"]) << 64 * i for i in range(3))
    return sum(limbs).to_bytes(20, "big")


def get_access_bucket(venue: int, owner: int, mode: int) -> int:
    """Bucket in which the access record of (venue, owner, mode) hangs."""
    key = venue.to_bytes(4, "big") + owner.to_bytes(4, "big") + bytes([mode])
    return ORDER_BUCKETS + int.from_bytes(keccak(key), "big") % ACCESS_BUCKETS


def find_access(tables: Tables, venue: int, owner: int, mode: int) -> Any | None:
    """Return the access record of (venue, owner, mode), or None if there is none."""
    slot = int(tables["bucket"][get_access_bucket(venue, owner, mode)]["first"])
    for _ in range(MAX_BUCKET_LENGTH):
        if slot == NONE:
            break
        record = tables["approval"][slot]
        found = tuple(int(record[name]) for name in ("subject", "account", "value"))
        if found == (venue, owner, mode):
            return record
        slot = int(record["bucket_next"])
    return None


def get_provider(tables: Tables, venue: int) -> bytes:
    """Return who signs credentials for a venue; zero if nobody does or there is no such venue."""
    if not _is_used(tables, VENUE.number, venue):
        return bytes(20)
    return get_address(tables["venue"][venue], "credential_provider")


def check_credential(tables: Tables, credential: Credential, time: int) -> tuple[Code, str]:
    """Make all checks but that of the signature; return the code and what to say about it."""
    venue, owner = credential.venue, credential.owner
    if not _is_used(tables, VENUE.number, venue):
        return Code.VENUE_NOT_FOUND, f"there is no venue {venue}"
    if not _is_used(tables, OWNER.number, owner):
        return Code.OWNER_NOT_FOUND, f"there is no owner {owner}"
    address = get_address(tables["owner"][owner], "address")
    if credential.subject != address:
        text = f"subject is 0x{credential.subject.hex()}, owner {owner} is 0x{address.hex()}"
        return Code.OWNER_MISMATCH, text
    record = tables["venue"][venue]
    if not any(get_address(record, "credential_provider")):
        return Code.BAD_SIGNATURE, f"venue {venue} has no credential provider"
    return _check_terms(tables, record, credential, time)


def _check_terms(tables: Tables, venue: Any, credential: Credential, time: int) -> tuple[Code, str]:
    issued, expires = credential.issued, credential.expires
    region, least = credential.region, int(venue["min_class"])
    text = ""
    if not issued <= time < expires <= MAX_TIME:
        text = f"it holds from {issued} to {expires} ms, now is {time} ms"
    elif region > MAX_REGION or not int(venue["regions"]) >> region & 1:
        text = f"venue {credential.venue} does not admit region {region}"
    elif not least <= credential.class_ <= MAX_CLASS:
        text = f"class is {credential.class_}, venue {credential.venue} asks for {least} or more"
    else:
        known = find_access(tables, credential.venue, credential.owner, ACCESS_CREDENTIAL)
        if known is not None and issued <= int(known["issued"]):
            text = f"it was issued at {issued} ms, the zone has one of {int(known['issued'])} ms"
    return (Code.BAD_CREDENTIAL, text) if text else (Code.OK, "")


def _is_used(tables: Tables, number: int, slot: int) -> bool:
    return 1 <= slot < int(tables["head"][number]["high_water"])
