"""Intake: which envelopes, credentials and prices get a number.

A leaf that intake refuses is not numbered and is in no block, and an envelope keeps its nonce; whoever sent it
is told why (`EnvelopeRejectedError`). Checks are those of `docs/spec/envelopes.md`, `docs/spec/access.md`
and `docs/spec/prices.md` against the state of the last block, plus nonces, quota, credentials and prices that were let in since. What is let in
may still fail in its block: the state goes on. A bad signature may not be in a block at all, so signatures are
verified here, on other threads, after the checks that cost nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.engine.codec import get_class
from tradezone.engine.signatures import (
    ADDRESS_BYTES,
    HASHES,
    LAYOUTS,
    SignerPool,
    find_signature,
    is_canonical,
    is_credential,
    is_price,
    recover_signers,
)
from tradezone.protocol.actions import (
    ACTIONS,
    AT_ACCOUNT,
    AT_ACTION,
    AT_BODY,
    AT_EXPIRES,
    AT_ITEMS,
    AT_KEY,
    AT_NONCE,
    CREDENTIAL_BYTES,
    ENVELOPE_HEADER,
    ITEM_LAYOUTS,
    LEAF_CREDENTIAL,
    LEAF_ENVELOPE,
    LEAF_PRICE,
    NOOP,
    PRICE_BYTES,
    SIGNATURE_BYTES,
    Credential,
    Envelope,
    SignedPrice,
)
from tradezone.protocol.enums import ACCOUNT_FUND, ACTIVE, SCOPE_OWNER, SCOPE_TRADE
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import (
    MAX_EXPIRES_AFTER,
    MAX_LEAF_BYTES,
    MICRO,
    NONCE_CELLS,
    NONCE_FUTURE,
    NONCE_PAST,
)
from tradezone.protocol.records import KEY, WORD_BYTES
from tradezone.sequencer.credentials import check_credential, get_provider
from tradezone.sequencer.errors import EnvelopeRejectedError
from tradezone.sequencer.jit import compiled
from tradezone.sequencer.leaves import LeafRun
from tradezone.sequencer.prices import check_price, get_signer
from tradezone.sequencer.quota import (
    OwnerQuota,
    get_cost,
    get_room,
    has_trickle,
    is_over_quota,
)

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
_QUOTA_EXCEEDED: Final = int(Code.QUOTA_EXCEEDED)
_TRADE_ACTIONS: Final = tuple(ITEM_LAYOUTS)
_TOUCHED: Final = 1 << 12  # leaves let in at first; room grows
_NO_KEY: Final = 0  # key slot of leaves that are no envelopes; the slot is never used


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
    owner_quota: NDArray[np.int64]
    owner_flags: NDArray[np.int8]
    owner_quota_day: NDArray[np.int32]
    owner_trickle_time: NDArray[np.int64]


class _Leaves(NamedTuple):
    """Leaves as the engine's readers take them."""

    leaf: NDArray[np.uint8]
    leaf_at: NDArray[np.int64]
    first_seq: int


class _Found(NamedTuple):
    """What the first look at each leaf gives."""

    codes: NDArray[np.int32]
    keys: NDArray[np.int64]
    nonces: NDArray[np.int64]
    owners: NDArray[np.int64]
    costs: NDArray[np.int64]  # micro-actions
    rooms: NDArray[np.int64]  # micro-actions that it may cost
    trickles: NDArray[np.bool_]  # may pass beyond the quota


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
def _check_nonce(columns: _Columns, key: int, nonce: int, time: int) -> int:
    """Apply checks 5 and 6."""
    if nonce <= time - NONCE_PAST or nonce >= time + NONCE_FUTURE:
        return _NONCE_OUT_OF_WINDOW
    row = key * _SLOTS_PER_KEY + (nonce % NONCE_CELLS) // _CELLS_PER_SLOT
    if nonce <= columns.cells[row, nonce % _CELLS_PER_SLOT]:
        return _NONCE_USED
    return _OK


@compiled
def _check_times(columns: _Columns, key: int, expires: int, time: int) -> int:
    """Apply checks 8 to 10."""
    if expires < time:
        return _EXPIRED
    if expires > time + MAX_EXPIRES_AFTER:
        return _EXPIRES_TOO_FAR
    if columns.key_expires[key] != 0 and time >= columns.key_expires[key]:
        return _KEY_EXPIRED
    return _OK


@compiled
def _check_scope(columns: _Columns, account: int, key: int, action: int) -> int:
    """Apply checks 11 and 12."""
    if columns.key_account[key] != 0 and columns.key_account[key] != account:
        return _KEY_ACCOUNT
    if action == NOOP:
        return _OK
    allowed = SCOPE_OWNER | SCOPE_TRADE if action in _TRADE_ACTIONS else SCOPE_OWNER
    return _OK if columns.key_scope[key] & allowed else _KEY_SCOPE


@compiled
def _check_quota(columns: _Columns, leaves: _Leaves, i: int, time: int, found: _Found) -> int:
    """Apply check 7, and note what the envelope costs and may cost."""
    owner = found.owners[i]
    at = leaves.leaf_at[i]
    action, items = _read(leaves.leaf, at + AT_ACTION, 1), _read(leaves.leaf, at + AT_ITEMS, 1)
    leaf_class = get_class(leaves, i)
    record = OwnerQuota(
        int(columns.owner_quota[owner]),
        int(columns.owner_flags[owner]),
        int(columns.owner_quota_day[owner]),
        int(columns.owner_trickle_time[owner]),
    )
    found.costs[i] = get_cost(action, items)
    found.rooms[i] = get_room(record, action, leaf_class, time)
    found.trickles[i] = has_trickle(record, found.costs[i], time)
    return _QUOTA_EXCEEDED if is_over_quota(record, action, items, leaf_class, time) else _OK


class _Held(NamedTuple):
    """What was let in and is not executed yet. Rows that are not zero are named in ``touched``."""

    cells: NDArray[np.int64]  # highest nonce by (row, cell), as the state's own
    charged: NDArray[np.int64]  # micro-actions by owner
    trickled: NDArray[np.bool_]  # owners that have passed beyond their quota


class _Touched(NamedTuple):
    """Where `_Held` is not zero: (row, cell) of nonces and owners, one a leaf."""

    rows: NDArray[np.int64]
    cells: NDArray[np.int64]
    owners: NDArray[np.int64]


@compiled
def _note_all(
    good: NDArray[np.bool_], found: _Found, held: _Held, touched: _Touched, count: int
) -> Any:
    """Check good envelopes, in order, against those let in before them, and let them in.

    Returns how many rows of ``touched`` are in use.
    """
    for i in range(good.size):
        if not good[i] or found.codes[i] != _OK or found.keys[i] == _NO_KEY:
            continue
        nonce, owner = found.nonces[i], found.owners[i]
        row = found.keys[i] * _SLOTS_PER_KEY + (nonce % NONCE_CELLS) // _CELLS_PER_SLOT
        cell = nonce % _CELLS_PER_SLOT
        if nonce <= held.cells[row, cell]:
            found.codes[i] = _NONCE_USED
            continue
        charged = held.charged[owner] + found.costs[i]
        if charged <= found.rooms[i]:
            held.charged[owner] = charged
        elif found.trickles[i] and not held.trickled[owner]:
            held.trickled[owner] = True
        else:
            found.codes[i] = _QUOTA_EXCEEDED
            continue
        held.cells[row, cell] = nonce
        touched.rows[count], touched.cells[count] = row, cell
        touched.owners[count] = owner
        count += 1
    return count


@compiled
def _forget_all(held: _Held, touched: _Touched, count: int) -> None:
    for i in range(count):
        held.cells[touched.rows[i], touched.cells[i]] = 0
        held.charged[touched.owners[i]] = 0
        held.trickled[touched.owners[i]] = False


@compiled
def _screen(
    leaves: _Leaves,
    times: NDArray[np.int64],
    layouts: NDArray[np.int64],
    hashes: NDArray[np.uint8],
    columns: _Columns,
    found: _Found,
) -> None:
    """Look at each leaf once. A 64-bit field with its top bit set reads as negative."""
    buffer, offsets = leaves.leaf, leaves.leaf_at
    for i in range(found.codes.size):
        at = offsets[i]
        time = times[i]
        signature = find_signature(buffer, at, offsets[i + 1], layouts)
        if signature < 0:
            found.codes[i] = _MALFORMED
            continue
        if is_credential(buffer, at, offsets[i + 1]) or is_price(buffer, at, offsets[i + 1]):
            if not is_canonical(buffer, signature, hashes):
                found.codes[i] = _BAD_SIGNATURE
            continue
        account = _read(buffer, at + AT_ACCOUNT, 4)
        generation = _read(buffer, at + AT_KEY, 4)
        key = _read(buffer, at + AT_KEY + 4, 4)
        nonce = _read(buffer, at + AT_NONCE, 8)
        found.keys[i] = key
        found.nonces[i] = nonce
        code = _check_parties(columns, account, key, generation)
        if code == _OK:
            found.owners[i] = columns.account_owner[account]
            if not is_canonical(buffer, signature, hashes):
                code = _BAD_SIGNATURE
        if code == _OK:
            code = _check_nonce(columns, key, nonce, time)
        if code == _OK:
            code = _check_quota(columns, leaves, i, time, found)
        if code == _OK:
            code = _check_times(columns, key, _read(buffer, at + AT_EXPIRES, 8), time)
        if code == _OK:
            code = _check_scope(columns, account, key, _read(buffer, at + AT_ACTION, 1))
        found.codes[i] = code


class Intake:
    """Checks raw envelopes, credentials and prices against the engine's state.

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
        accounts, keys, owners = (engine.tables[name] for name in ("account", "key", "owner"))
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
            owners["quota"],
            owners["flags"],
            owners["quota_day"],
            owners["trickle_time"],
        )
        addresses = keys.view(np.uint8).reshape(len(keys), -1)
        # Records are little-endian in memory, addresses are written most significant byte first.
        self._addresses = addresses[:, _ADDRESS_AT : _ADDRESS_AT + ADDRESS_BYTES][:, ::-1]
        # Let in, not executed yet. As large as the state's tables; pages appear when they are used.
        self._held = _Held(
            np.zeros(self._columns.cells.shape, np.int64),
            np.zeros(len(owners), np.int64),
            np.zeros(len(owners), np.bool_),
        )
        self._touched = _Touched(*np.zeros((3, _TOUCHED), np.int64))
        self._touched_count = 0
        self._attested: dict[tuple[int, int], int] = {}  # (venue, owner) -> issued
        self._spoken: dict[tuple[int, int], SignedPrice] = {}  # (feed, provider) -> newest

    def admit(
        self,
        leaves: Sequence[bytes],
        received: int | None = None,
        signers: NDArray[np.uint8] | None = None,
    ) -> list[Accepted | EnvelopeRejectedError]:
        """Check leaves and return, for each, what to submit or why not.

        Parameters
        ----------
        leaves : sequence of bytes
            raw envelopes and credentials, in the order in which they came
        received : int, optional
            when they came, ms; the clock's time if absent
        signers : (n, 20) uint8, optional
            what `screen` recovered of these very bytes, zero = nobody; recovered here if absent
        """
        if not leaves:
            return []
        received = self._clock.now() if received is None else received
        run = LeafRun.of(leaves)
        if signers is None:
            _, signers = self.check_run(run, received)
        codes, texts = self.admit_run(run, received, signers)
        rows = signers.tobytes()
        answers: list[Accepted | EnvelopeRejectedError] = []
        for i, code in enumerate(codes.tolist()):
            signer = rows[ADDRESS_BYTES * i : ADDRESS_BYTES * (i + 1)]
            if code:
                answers.append(self.explain(leaves[i], code, received, signer, texts.get(i, "")))
            else:
                answers.append(Accepted(leaves[i], signer, received))
        return answers

    def admit_run(
        self, run: LeafRun, received: int | NDArray[np.int64], signers: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int32], dict[int, str]]:
        """Check a run of leaves and let the good ones in, without an object a leaf.

        Parameters
        ----------
        run : LeafRun
            raw envelopes and credentials, in the order in which they came
        received : int or int64[n]
            when they came, ms
        signers : (n, 20) uint8
            recovered of these very bytes, zero = nobody

        Returns
        -------
        (int32[n], dict)
            code of each, 0 = let in; and what is to be said besides, by row
        """
        found = self._look(run, received)
        codes = found.codes
        expected = self._addresses[np.where(codes == _OK, found.keys, _NO_KEY)]
        texts: dict[int, str] = {}
        attested = np.flatnonzero((codes == _OK) & (found.keys == _NO_KEY)).tolist()
        for i in attested:
            codes[i], texts[i], provider = self._check_attested(run[i], self._get_time(received, i))
            expected[i] = np.frombuffer(provider, np.uint8)
        good = (signers == expected).all(axis=1) & signers.any(axis=1)
        codes[(codes == _OK) & ~good] = _BAD_SIGNATURE
        self._make_room(len(run))
        self._touched_count = int(
            _note_all(good, found, self._held, self._touched, self._touched_count)
        )
        for i in attested:
            if codes[i] == _OK:
                codes[i] = self._note_attested(run[i])
        return codes, texts

    def _make_room(self, count: int) -> None:
        needed = self._touched_count + count
        if needed <= len(self._touched.rows):
            return
        size = max(needed, 2 * len(self._touched.rows))
        grown = np.zeros((3, size), np.int64)
        for row, old in zip(grown, self._touched, strict=True):
            row[: self._touched_count] = old[: self._touched_count]
        self._touched = _Touched(*grown)

    def _get_time(self, received: int | NDArray[np.int64], i: int) -> int:
        when = received if isinstance(received, int) else int(received[i])
        return max(when, int(self._engine.machine["time"]))

    def _look(self, run: LeafRun, received: int | NDArray[np.int64]) -> _Found:
        count = len(run)
        numbers = np.zeros((5, count), np.int64)
        found = _Found(
            codes=np.zeros(count, np.int32),
            keys=numbers[0],
            nonces=numbers[1],
            owners=numbers[2],
            costs=numbers[3],
            rooms=numbers[4],
            trickles=np.zeros(count, np.bool_),
        )
        times = np.full(count, int(self._engine.machine["time"]), np.int64)
        np.maximum(times, received, out=times)
        leaves = _Leaves(run.buffer, run.offsets, 0)
        _screen(leaves, times, LAYOUTS, HASHES, self._columns, found)
        return found

    def _check_attested(self, leaf: bytes, time: int) -> tuple[Code, str, bytes]:
        """Check what a provider signed; return the code, what to say about it, and who should have signed."""
        tables = self._engine.tables
        credential, price = Credential.from_leaf(leaf), SignedPrice.from_leaf(leaf)
        if credential is not None:
            provider = get_provider(tables, credential.venue)
            return *check_credential(tables, credential, time), provider
        if price is not None:
            return *check_price(tables, price, time), get_signer(tables, price)
        return Code.MALFORMED, "", bytes(ADDRESS_BYTES)

    def _note_attested(self, leaf: bytes) -> int:
        credential, price = Credential.from_leaf(leaf), SignedPrice.from_leaf(leaf)
        if credential is not None:
            return self._note_credential(credential)
        return _MALFORMED if price is None else self._note_price(price)

    def _note_price(self, price: SignedPrice) -> int:
        """Let a price in, if it is newer than those let in before it, or contradicts the newest of them."""
        place = price.feed, price.provider
        before = self._spoken.get(place)
        if before is not None:
            is_contradiction = price.time == before.time and price.price != before.price
            # what contradicts is kept without a signature, so that it is let in once
            if price.time < before.time or not (is_contradiction or price.time > before.time):
                return int(Code.PRICE_TOO_OLD)
            if is_contradiction:
                if not before.signature:
                    return int(Code.PRICE_TOO_OLD)
                price = replace(price, signature=b"")
        self._spoken[place] = price
        return _OK

    def _note_credential(self, credential: Credential) -> int:
        place = credential.venue, credential.owner
        if credential.issued <= self._attested.get(place, -1):
            return int(Code.BAD_CREDENTIAL)
        self._attested[place] = credential.issued
        return _OK

    def screen(
        self, leaves: Sequence[bytes], received: int | None = None
    ) -> tuple[list[EnvelopeRejectedError | None], NDArray[np.uint8]]:
        """Check leaves as `check_run`; return why each is refused (None: it passes) and their signers."""
        refused: list[EnvelopeRejectedError | None] = [None] * len(leaves)
        received = self._clock.now() if received is None else received
        codes, signers = self.check_run(LeafRun.of(leaves), received)
        for i in np.flatnonzero(codes).tolist():
            refused[i] = self.explain(leaves[i], int(codes[i]), received)
        return refused, signers

    def check_run(
        self, run: LeafRun, received: int | NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Check leaves without letting them in: what costs nothing first, then recover signers.

        Unlike `admit_run` this may run on another thread while a block is executed. It reads the state as
        it finds it, so a leaf may be refused that the next state would take, as if it had come a
        moment before; what it lets pass `admit_run` checks again, its signer with it.

        Returns
        -------
        (int32[n], (n, 20) uint8)
            codes, 0 = it passes; and signers, for `admit_run`
        """
        signers = np.zeros((len(run), ADDRESS_BYTES), np.uint8)
        if not len(run):
            return np.zeros(0, np.int32), signers
        codes = self._look(run, received).codes
        if not codes.any():
            return codes, self._recover(run)
        passed = np.flatnonzero(codes == _OK)
        if len(passed):
            signers[passed] = self._recover(run.take(passed))
        return codes, signers

    def admit_one(self, leaf: bytes, received: int | None = None) -> Accepted:
        """Check one leaf. EnvelopeRejectedError says why it gets no number."""
        answer = self.admit([leaf], received)[0]
        if isinstance(answer, EnvelopeRejectedError):
            raise answer
        return answer

    def forget_pending(self) -> None:
        """Everything let in so far has been executed: the state knows it now."""
        _forget_all(self._held, self._touched, self._touched_count)
        self._touched_count = 0
        self._attested.clear()
        self._spoken.clear()

    def _recover(self, run: LeafRun) -> NDArray[np.uint8]:
        if self._pool:
            return self._pool.recover(run.buffer, run.offsets, self._separator)
        return recover_signers(run.buffer, run.offsets, self._separator)

    def explain(
        self, leaf: bytes, number: int, received: int, signer: bytes = b"", text: str = ""
    ) -> EnvelopeRejectedError:
        """Say of a refused leaf what was received and what was expected.

        Parameters
        ----------
        number : int
            the code that `check_run` or `admit_run` gave
        received : int
            when it came, ms
        signer : bytes
            who signed, as far as it was recovered
        text : str
            what `admit_run` said besides
        """
        code, time = Code(number), max(received, int(self._engine.machine["time"]))
        credential = Credential.from_leaf(leaf)
        if credential is not None:
            return self._explain_credential(credential, code, signer, text)
        price = SignedPrice.from_leaf(leaf)
        if price is not None:
            return self._explain_price(price, code, signer, text)
        envelope = Envelope.from_leaf(leaf)
        if envelope is None:
            return EnvelopeRejectedError(code, _describe_malformed(leaf))
        if code == Code.BAD_SIGNATURE:
            expected = self._addresses[envelope.key & 0xFFFFFFFF].tobytes()
            return self._explain_signature(envelope, signer, expected, "key")
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
            held = self._held.cells[key * _SLOTS_PER_KEY + cell // _CELLS_PER_SLOT]
            newest = max(int(row[cell % _CELLS_PER_SLOT]), int(held[cell % _CELLS_PER_SLOT]))
            texts[code] = f"nonce {nonce} is not above {newest}, the newest in its cell ({cell})"
        elif code == Code.QUOTA_EXCEEDED:
            texts[code] = self._describe_quota(envelope)
        elif code in (Code.KEY_EXPIRED, Code.KEY_ACCOUNT, Code.KEY_SCOPE):
            record = self._engine.tables["key"][key]
            expires, only, scope = (int(record[n]) for n in ("expires", "account", "scope"))
            texts[Code.KEY_EXPIRED] = f"key {key} expired at {expires} ms, now is {time} ms"
            texts[Code.KEY_ACCOUNT] = f"key {key} is for account {only} only, not for {account}"
            texts[Code.KEY_SCOPE] = (
                f"key {key} has scope {scope}, too little for action {envelope.action}"
            )
        return EnvelopeRejectedError(code, texts.get(code, ""))

    def _describe_quota(self, envelope: Envelope) -> str:
        owner = int(self._columns.account_owner[envelope.account])
        left = int(self._columns.owner_quota[owner]) - int(self._held.charged[owner])
        cost = get_cost(envelope.action, envelope.items)
        return f"owner {owner} has {left // MICRO} actions left, the envelope costs {cost // MICRO}"

    def _explain_credential(
        self, credential: Credential, code: Code, signer: bytes, text: str
    ) -> EnvelopeRejectedError:
        provider = get_provider(self._engine.tables, credential.venue)
        if code == Code.BAD_SIGNATURE and any(provider):
            return self._explain_signature(credential, signer, provider, "provider")
        if code == Code.BAD_CREDENTIAL and not text:
            text = "one that was issued as late or later waits for its block"
        return EnvelopeRejectedError(code, text)

    def _explain_price(
        self, price: SignedPrice, code: Code, signer: bytes, text: str
    ) -> EnvelopeRejectedError:
        if code == Code.BAD_SIGNATURE:
            expected = get_signer(self._engine.tables, price)
            return self._explain_signature(price, signer, expected, "provider's key")
        if code == Code.PRICE_TOO_OLD and not text:
            text = "one that was signed as late or later waits for its block"
        return EnvelopeRejectedError(code, text)

    def _explain_signature(
        self, signed: Envelope | Credential | SignedPrice, signer: bytes, expected: bytes, who: str
    ) -> EnvelopeRejectedError:
        digest = signed.digest(self._separator)
        if any(signer):
            text = (
                f"the signature is of 0x{signer.hex()}, the {who} is 0x{expected.hex()}; "
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
    """Say what keeps a leaf from being an envelope, a credential or a price."""
    if leaf[:1] == bytes([LEAF_PRICE]):
        return f"a price is {PRICE_BYTES} bytes, was {len(leaf)}"
    if leaf[:1] == bytes([LEAF_CREDENTIAL]):
        return f"a credential is {CREDENTIAL_BYTES} bytes, was {len(leaf)}"
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
