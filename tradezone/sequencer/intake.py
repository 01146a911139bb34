"""Intake: which envelopes get a number.

An envelope that intake refuses is not numbered, is in no block and keeps its nonce; whoever sent it is
told why (`EnvelopeRejectedError`). Checks are those of `docs/spec/envelopes.md` against the state of the last
block, plus nonces of envelopes that were let in since. What is let in may still fail in its block: the
state goes on. A bad signature may not be in a block at all, so signatures are verified here, on other
threads, after the checks that cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.engine.signatures import (
    ADDRESS_BYTES,
    HASHES,
    LAYOUTS,
    SignerPool,
    get_body_size,
    is_canonical,
    join_leaves,
    recover_signers,
)
from tradezone.protocol.actions import (
    ACTIONS,
    AMEND,
    AT_ACCOUNT,
    AT_ACTION,
    AT_BODY,
    AT_EXPIRES,
    AT_KEY,
    AT_NONCE,
    CANCEL,
    ENVELOPE_HEADER,
    LEAF_ENVELOPE,
    NOOP,
    PLACE,
    SIGNATURE_BYTES,
    Envelope,
)
from tradezone.protocol.enums import ACCOUNT_FUND, ACTIVE, SCOPE_OWNER, SCOPE_TRADE
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import (
    MAX_EXPIRES_AFTER,
    MAX_LEAF_BYTES,
    NONCE_CELLS,
    NONCE_FUTURE,
    NONCE_PAST,
)
from tradezone.protocol.records import KEY, WORD_BYTES
from tradezone.sequencer.errors import EnvelopeRejectedError
from tradezone.sequencer.jit import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tradezone.engine import Engine
    from tradezone.sequencer.clock import Clock

_CELLS_PER_SLOT: Final = 16  # protocol.records.NONCES
_SLOTS_PER_KEY: Final = NONCE_CELLS // _CELLS_PER_SLOT
_ADDRESS_AT: Final = KEY.field("address").word * WORD_BYTES + KEY.field("address").offset

_OK: Final = int(Code.OK)
_MALFORMED: Final = int(Code.MALFORMED)
_ACCOUNT_NOT_FOUND: Final = int(Code.ACCOUNT_NOT_FOUND)
_KEY_NOT_FOUND: Final = int(Code.KEY_NOT_FOUND)
_KEY_NOT_OF_OWNER: Final = int(Code.KEY_NOT_OF_OWNER)
_BAD_SIGNATURE: Final = int(Code.BAD_SIGNATURE)
_NONCE_OUT_OF_WINDOW: Final = int(Code.NONCE_OUT_OF_WINDOW)
_NONCE_USED: Final = int(Code.NONCE_USED)
_EXPIRED: Final = int(Code.EXPIRED)
_EXPIRES_TOO_FAR: Final = int(Code.EXPIRES_TOO_FAR)
_KEY_EXPIRED: Final = int(Code.KEY_EXPIRED)
_KEY_ACCOUNT: Final = int(Code.KEY_ACCOUNT)
_KEY_SCOPE: Final = int(Code.KEY_SCOPE)


class Accepted(NamedTuple):
    """A leaf that may be numbered: its bytes, its verified signer, and when it came (ms)."""

    leaf: bytes
    signer: bytes
    received: int


class _Columns(NamedTuple):
    """Columns of the state that intake reads; views, so they are always up to date."""

    account_state: NDArray[np.int8]
    account_kind: NDArray[np.int8]
    account_owner: NDArray[np.int32]
    key_state: NDArray[np.int8]
    key_generation: NDArray[np.int32]
    key_owner: NDArray[np.int32]
    key_account: NDArray[np.int32]
    key_scope: NDArray[np.int8]
    key_expires: NDArray[np.int64]
    cells: NDArray[np.int64]


@compiled
def _read(buffer: NDArray[np.uint8], at: int, width: int) -> Any:
    value = np.int64(0)
    for i in range(width):
        value = (value << 8) | np.int64(buffer[at + i])
    return value


@compiled
def _check_parties(columns: _Columns, account: int, key: int, generation: int) -> int:
    """Apply checks 1 to 3 of the envelope table."""
    if account < 1 or account >= columns.account_state.size:
        return _ACCOUNT_NOT_FOUND
    if columns.account_state[account] != ACTIVE or columns.account_kind[account] == ACCOUNT_FUND:
        return _ACCOUNT_NOT_FOUND
    if key < 1 or key >= columns.key_state.size or columns.key_state[key] != ACTIVE:
        return _KEY_NOT_FOUND
    if columns.key_generation[key] != generation:
        return _KEY_NOT_FOUND
    if columns.key_owner[key] != columns.account_owner[account]:
        return _KEY_NOT_OF_OWNER
    return _OK


@compiled
def _check_times(columns: _Columns, key: int, nonce: int, expires: int, time: int) -> int:
    """Apply checks 5 to 9."""
    if nonce <= time - NONCE_PAST or nonce >= time + NONCE_FUTURE:
        return _NONCE_OUT_OF_WINDOW
    row = key * _SLOTS_PER_KEY + (nonce % NONCE_CELLS) // _CELLS_PER_SLOT
    if nonce <= columns.cells[row, nonce % _CELLS_PER_SLOT]:
        return _NONCE_USED
    if expires < time:
        return _EXPIRED
    if expires > time + MAX_EXPIRES_AFTER:
        return _EXPIRES_TOO_FAR
    if columns.key_expires[key] != 0 and time >= columns.key_expires[key]:
        return _KEY_EXPIRED
    return _OK


@compiled
def _check_scope(columns: _Columns, account: int, key: int, action: int) -> int:
    """Apply checks 10 and 11."""
    if columns.key_account[key] != 0 and columns.key_account[key] != account:
        return _KEY_ACCOUNT
    if action == NOOP:
        return _OK
    is_trade = action in (PLACE, AMEND, CANCEL)
    allowed = SCOPE_OWNER | SCOPE_TRADE if is_trade else SCOPE_OWNER
    return _OK if columns.key_scope[key] & allowed else _KEY_SCOPE


@compiled
def _screen(
    buffer: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    time: int,
    layouts: NDArray[np.int64],
    hashes: NDArray[np.uint8],
    columns: _Columns,
    codes: NDArray[np.int32],
    keys: NDArray[np.int64],
    nonces: NDArray[np.int64],
) -> None:
    """Code, key slot and nonce of each leaf. A 64-bit field with its top bit set reads as negative."""
    for i in range(codes.size):
        at = offsets[i]
        size = get_body_size(buffer, at, offsets[i + 1], layouts)
        if size < 0:
            codes[i] = _MALFORMED
            continue
        account = _read(buffer, at + AT_ACCOUNT, 4)
        generation = _read(buffer, at + AT_KEY, 4)
        key = _read(buffer, at + AT_KEY + 4, 4)
        keys[i] = key
        nonces[i] = _read(buffer, at + AT_NONCE, 8)
        code = _check_parties(columns, account, key, generation)
        if code == _OK and not is_canonical(buffer, at + AT_BODY + size, hashes):
            code = _BAD_SIGNATURE
        if code == _OK:
            code = _check_times(columns, key, nonces[i], _read(buffer, at + AT_EXPIRES, 8), time)
        if code == _OK:
            code = _check_scope(columns, account, key, _read(buffer, at + AT_ACTION, 1))
        codes[i] = code


class Intake:
    """Checks raw envelopes against the engine's state.

    Parameters
    ----------
    engine : Engine
        read only
    separator : bytes
        EIP-712 domain separator of the zone
    clock : Clock
        gives receive times
    pool : SignerPool, optional
        threads that verify signatures; the calling one if absent
    """

    def __init__(
        self, engine: Engine, separator: bytes, clock: Clock, pool: SignerPool | None = None
    ) -> None:
        self._engine = engine
        self._separator = separator
        self._clock = clock
        self._pool = pool
        accounts, keys = engine.tables["account"], engine.tables["key"]
        self._columns = _Columns(
            accounts["state"],
            accounts["kind"],
            accounts["owner"],
            keys["state"],
            keys["generation"],
            keys["owner"],
            keys["account"],
            keys["scope"],
            keys["expires"],
            engine.tables["nonces"].view("<i8").reshape(-1, _CELLS_PER_SLOT),
        )
        addresses = keys.view(np.uint8).reshape(len(keys), -1)
        # Records are little-endian in memory, addresses are written most significant byte first.
        self._addresses = addresses[:, _ADDRESS_AT : _ADDRESS_AT + ADDRESS_BYTES][:, ::-1]
        self._pending: dict[
            tuple[int, int], int
        ] = {}  # (key, cell) -> nonce let in, not executed yet

    def admit(
        self, leaves: Sequence[bytes], received: int | None = None
    ) -> list[Accepted | EnvelopeRejectedError]:
        """Check envelopes and return, for each, what to submit or why not.

        Parameters
        ----------
        leaves : sequence of bytes
            raw envelopes, in the order in which they came
        received : int, optional
            when they came, ms; the clock's time if absent
        """
        if not leaves:
            return []
        received = self._clock.now() if received is None else received
        time = max(received, int(self._engine.machine["time"]))
        buffer, offsets = join_leaves(leaves)
        count = len(leaves)
        codes = np.zeros(count, np.int32)
        keys = np.zeros(count, np.int64)
        nonces = np.zeros(count, np.int64)
        _screen(
            buffer,
            offsets,
            time,
            LAYOUTS,
            HASHES,
            self._columns,
            codes,
            keys,
            nonces,
        )
        all_pass = not codes.any()
        if all_pass:
            signers = self._recover(buffer, offsets)
        else:
            signers = np.zeros((count, ADDRESS_BYTES), np.uint8)
            passed = np.flatnonzero(codes == _OK)
            signers[passed] = self._recover(*join_leaves([leaves[i] for i in passed]))
        verified = (signers == self._addresses[np.where(codes == _OK, keys, 0)]).all(axis=1)
        rows = signers.tobytes()
        answers: list[Accepted | EnvelopeRejectedError] = []
        for i, (code, good, key, nonce) in enumerate(
            zip(codes.tolist(), verified.tolist(), keys.tolist(), nonces.tolist(), strict=True)
        ):
            signer = rows[ADDRESS_BYTES * i : ADDRESS_BYTES * (i + 1)]
            if code:
                answers.append(self._explain(leaves[i], Code(code), time, b""))
            elif not good:
                answers.append(self._explain(leaves[i], Code.BAD_SIGNATURE, time, signer))
            elif nonce <= self._pending.get((key, nonce % NONCE_CELLS), 0):
                answers.append(self._explain(leaves[i], Code.NONCE_USED, time, signer))
            else:
                self._pending[key, nonce % NONCE_CELLS] = nonce
                answers.append(Accepted(leaves[i], signer, received))
        return answers

    def admit_one(self, leaf: bytes, received: int | None = None) -> Accepted:
        """Check one envelope. EnvelopeRejectedError says why it gets no number."""
        answer = self.admit([leaf], received)[0]
        if isinstance(answer, EnvelopeRejectedError):
            raise answer
        return answer

    def forget_pending(self) -> None:
        """Everything let in so far has been executed: the state knows its nonces now."""
        self._pending.clear()

    def _recover(self, buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
        if self._pool:
            return self._pool.recover(buffer, offsets, self._separator)
        return recover_signers(buffer, offsets, self._separator)

    def _explain(self, leaf: bytes, code: Code, time: int, signer: bytes) -> EnvelopeRejectedError:
        """Say what was received and what was expected."""
        envelope = Envelope.from_leaf(leaf)
        if envelope is None:
            return EnvelopeRejectedError(code, _describe_malformed(leaf))
        if code == Code.BAD_SIGNATURE:
            return self._explain_signature(envelope, signer)
        account, nonce = envelope.account, envelope.nonce
        key, generation = envelope.key & 0xFFFFFFFF, envelope.key >> 32
        texts = {
            Code.ACCOUNT_NOT_FOUND: f"account {account} does not exist, is closed or never acts",
            Code.KEY_NOT_FOUND: f"there is no active key of slot {key}, generation {generation}",
            Code.KEY_NOT_OF_OWNER: f"key {key} and account {account} have different owners",
            Code.NONCE_OUT_OF_WINDOW: f"nonce {nonce} is not within {time - NONCE_PAST + 1} .. "
            f"{time + NONCE_FUTURE - 1}, 2 days before and 1 day after now ({time} ms)",
            Code.EXPIRED: f"expires_after {envelope.expires_after} has passed, now is {time} ms",
            Code.EXPIRES_TOO_FAR: f"expires_after {envelope.expires_after} is more than "
            f"{MAX_EXPIRES_AFTER} ms after now ({time} ms)",
        }
        if code == Code.NONCE_USED:
            cell = nonce % NONCE_CELLS
            row = self._columns.cells[key * _SLOTS_PER_KEY + cell // _CELLS_PER_SLOT]
            newest = max(int(row[cell % _CELLS_PER_SLOT]), self._pending.get((key, cell), 0))
            texts[code] = f"nonce {nonce} is not above {newest}, the newest in its cell ({cell})"
        elif code in (Code.KEY_EXPIRED, Code.KEY_ACCOUNT, Code.KEY_SCOPE):
            record = self._engine.tables["key"][key]
            expires, only, scope = (int(record[n]) for n in ("expires", "account", "scope"))
            texts[Code.KEY_EXPIRED] = f"key {key} expired at {expires} ms, now is {time} ms"
            texts[Code.KEY_ACCOUNT] = f"key {key} is for account {only} only, not for {account}"
            texts[Code.KEY_SCOPE] = (
                f"key {key} has scope {scope}, too little for action {envelope.action}"
            )
        return EnvelopeRejectedError(code, texts.get(code, ""))

    def _explain_signature(self, envelope: Envelope, signer: bytes) -> EnvelopeRejectedError:
        expected = self._addresses[envelope.key & 0xFFFFFFFF].tobytes()
        digest = envelope.digest(self._separator)
        if any(signer):
            text = (
                f"the signature is of 0x{signer.hex()}, the key is 0x{expected.hex()}; "
                f"the digest to sign is 0x{digest.hex()}"
            )
        else:
            text = (
                "no address can be recovered from the signature: v must be 27 or 28, r and s in range"
                f" and s low; the digest to sign is 0x{digest.hex()}"
            )
        recovered = signer if any(signer) else b""
        return EnvelopeRejectedError(
            Code.BAD_SIGNATURE, text, recovered=recovered, expected=expected, digest=digest
        )


def _describe_malformed(leaf: bytes) -> str:
    """Say what keeps a leaf from being an envelope."""
    shortest = ENVELOPE_HEADER + SIGNATURE_BYTES
    if not shortest <= len(leaf) <= MAX_LEAF_BYTES:
        return f"an envelope is {shortest} to {MAX_LEAF_BYTES} bytes, was {len(leaf)}"
    if leaf[0] != LEAF_ENVELOPE or leaf[1] != 1:
        return f"an envelope begins with 0x0201 (kind, version), was 0x{leaf[:2].hex()}"
    if leaf[AT_ACTION] not in ACTIONS:
        return f"action {leaf[AT_ACTION]} does not exist, known are {', '.join(map(str, ACTIONS))}"
    size = int.from_bytes(leaf[AT_BODY - 2 : AT_BODY], "big")
    if len(leaf) != shortest + size:
        return f"size says {size} bytes of body, the leaf has room for {len(leaf) - shortest}"
    return f"{leaf[AT_ACTION + 1]} items of action {leaf[AT_ACTION]} are not {size} bytes of body"
