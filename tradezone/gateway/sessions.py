"""Who is asking: sessions that a key signed, and what each may read.

Rules, checked anew with every request, because a key may be revoked at any moment:

* the key is active, of the generation that signed, and not expired;
* it may ask about the accounts of its owner; bound to one account, only about that;
* a signed request opens one session, once, within `SKEW_MS` of when it was issued.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import coincurve

from tradezone.client.session import MAX_SESSION_MS, SessionRequest
from tradezone.protocol.enums import ACTIVE
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import SECP256K1_HALF_ORDER
from tradezone.service.state import get_account_owner, get_bytes, get_used

from .errors import ApiError, Problem

if TYPE_CHECKING:
    from tradezone.engine import Engine
    from tradezone.service import Node

SKEW_MS: Final = 60_000
MAX_SESSIONS: Final = 1 << 17
_LOGIN: Final = "sign a Session with a key of the account, see docs/reference/api.md"
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Session:
    """A key that has shown itself."""

    token: str
    key: int  # generation << 32 | slot
    owner: int
    account: int  # the only one that the key may act for, 0 = all of its owner's
    expires: int  # ms


def recover_address(digest: bytes, signature: bytes) -> bytes:
    """Address that signed a digest; empty if the signature breaks a rule (v 27 or 28, s low)."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return b""
    if int.from_bytes(signature[32:64], "big") > SECP256K1_HALF_ORDER:
        return b""
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:  # noqa: BLE001 -- the library has no narrower class
        return b""
    return keccak(key.format(compressed=False)[1:])[12:]


class Sessions:
    """The open sessions of a gateway. One thread.

    Parameters
    ----------
    node : Node
        the zone
    hours : int
        longest life of a session
    """

    def __init__(self, node: Node, hours: int = 24) -> None:
        self._node = node
        self._longest = min(hours * 3_600_000, MAX_SESSION_MS)
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._used: OrderedDict[bytes, int] = OrderedDict()  # digest -> when it may be forgotten

    async def open(self, request: SessionRequest) -> Session:
        """Open a session. ApiError UNAUTHORIZED says what does not fit."""
        now = self._node.clock.now()
        if abs(request.issued - now) > SKEW_MS:
            raise ApiError(
                Problem.UNAUTHORIZED,
                f"the session was issued at {request.issued} ms, now is {now} ms",
                f"they may differ by {SKEW_MS} ms: check your clock",
            )
        if not request.issued < request.expires <= request.issued + self._longest:
            text = f"the session ends at {request.expires} ms"
            raise ApiError(Problem.UNAUTHORIZED, text, f"it may last {self._longest} ms")
        digest = request.get_digest(self._node.separator)
        signer = recover_address(digest, request.signature)
        found = read_key(self._node.sequencer.engine, request.key)
        if found is None or not signer or signer != found[0]:
            by = f"0x{signer.hex()}" if signer else "nobody"
            raise ApiError(
                Problem.UNAUTHORIZED,
                f"key {request.key} is not active, or the signature is not its own: it is of {by}",
                f"the digest to sign is 0x{digest.hex()}",
            )
        _, owner, only, expires = found
        if expires and expires <= now:
            raise ApiError(Problem.UNAUTHORIZED, f"key {request.key} expired at {expires} ms")
        if get_account_owner(self._node.sequencer.engine, request.account) != owner:
            text = f"account {request.account} is not one of the key's owner"
            raise ApiError(Problem.UNAUTHORIZED, text, _LOGIN)
        if only not in (0, request.account):
            raise ApiError(Problem.UNAUTHORIZED, f"the key is for account {only} only", _LOGIN)
        self._use(digest, now)
        session = Session(secrets.token_urlsafe(32), request.key, owner, only, request.expires)
        self._open[session.token] = session
        if len(self._open) > MAX_SESSIONS:
            self._open.popitem(last=False)
        return session

    def _use(self, digest: bytes, now: int) -> None:
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if digest in self._used:
            text = "this session request was used already"
            raise ApiError(Problem.UNAUTHORIZED, text, "sign a new one")
        self._used[digest] = now + 2 * SKEW_MS

    def close(self, token: str) -> None:
        """End a session."""
        self._open.pop(token, None)

    def get(self, token: str | None) -> Session:
        """Return the session of a token. ApiError UNAUTHORIZED if it is none, or its key is no more."""
        session = self._open.get(token or "")
        if session is None:
            raise ApiError(Problem.UNAUTHORIZED, "no session, or one that has ended", _LOGIN)
        now = self._node.clock.now()
        found = read_key(self._node.sequencer.engine, session.key)
        is_gone = found is None or (found[3] and found[3] <= now)
        if is_gone or session.expires <= now:
            self.close(session.token)
            why = "its key was revoked or has expired" if is_gone else "it has ended"
            raise ApiError(Problem.UNAUTHORIZED, f"the session is over: {why}", _LOGIN)
        return session

    def authorize(self, session: Session, account: int) -> None:
        """Make sure that a session may ask about an account. ApiError FORBIDDEN if not.

        An account that does not exist is FORBIDDEN too: the answer tells nobody which there are.
        """
        owner = get_account_owner(self._node.sequencer.engine, account)
        if owner != session.owner or session.account not in (0, account):
            text = f"account {account} is not yours to ask about"
            raise ApiError(Problem.FORBIDDEN, text, "log in with a key of its owner")


def read_key(engine: Engine, key: int) -> tuple[bytes, int, int, int] | None:
    """(address, owner, only account, expires) of an active key; None if there is none with this id.

    Read beside the running writer: each field is one machine word, and a key that changes under the
    reader is one that was revoked a moment ago or will be in a moment.
    """
    slot, generation = key & _MASK, key >> 32
    if not 1 <= slot < get_used(engine, "key"):
        return None
    record: Any = engine.tables["key"][slot]
    if int(record["state"]) != ACTIVE or int(record["generation"]) != generation:
        return None
    only, expires = int(record["account"]), int(record["expires"])
    return get_bytes(record, "address", 20), int(record["owner"]), only, expires
