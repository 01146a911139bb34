"""Order entry: from JSON or binary frames to leaves, and from answers back.

JSON is for people and for the first day; a leaf as hex or in a frame is what fast programs send. Both carry the
same bytes, because what is signed is the packed action: JSON is packed here, and a signature over anything
else does not verify.

Binary, all integers big-endian:

    request   (size u16 | leaf[size]) ...
    answer    (status u8 | code u16 | seq u64 | block u64 | result u32 | items u8 | (order u64 | code u16)[items]) ...

status: 0 executed, 1 refused, 2 unknown (the zone went down). In a WebSocket frame a request number u32 comes first.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tradezone.client.orders import AMEND_MODES, SELF_TRADE, TIMES_IN_FORCE
from tradezone.protocol import actions
from tradezone.protocol import events as kinds
from tradezone.protocol.actions import Envelope
from tradezone.protocol.enums import BOTH_SIDES, BUY, MODE_CROSS, MODE_ISOLATED, SELL
from tradezone.protocol.hashing import keccak
from tradezone.sequencer import EnvelopeRejectedError, LeafRun, split_frames
from tradezone.service import Answer, Executed, Refusal, Submission
from tradezone.service.answers import ANSWER, EXECUTED, ITEM, REFUSED, UNKNOWN

from .errors import ApiError, ErrorBody, Problem, explain_code, explain_refusal, to_api_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_ENVELOPES: Final = 1_024  # in one request

ACTION_NAMES: Final = {
    "placeOrder": actions.PLACE,
    "amendOrder": actions.AMEND,
    "cancelOrder": actions.CANCEL,
    "cancelAll": actions.CANCEL_ALL,
    "massQuote": actions.MASS_QUOTE,
    "cancelAllAfter": actions.DEAD_MAN,
    "placePlan": actions.PLACE_PLAN,
    "cancelPlan": actions.CANCEL_PLAN,
    "split": actions.SPLIT,
    "merge": actions.MERGE,
    "redeem": actions.REDEEM,
    "transfer": actions.TRANSFER,
    "withdraw": actions.WITHDRAW,
    "approveKey": actions.APPROVE_KEY,
    "revokeKey": actions.REVOKE_KEY,
    "createAccount": actions.CREATE_ACCOUNT,
    "noop": actions.NOOP,
    "approveInterface": actions.APPROVE_INTERFACE,
    "faucet": actions.FAUCET,
    "issue": actions.ISSUE,
    "grantAccess": actions.GRANT_ACCESS,
    "revokeAccess": actions.REVOKE_ACCESS,
    "openBalance": actions.OPEN_BALANCE,
    "closeBalance": actions.CLOSE_BALANCE,
    "updateLeverage": actions.LEVERAGE,
    "checkPool": actions.CHECK,
    "setAllowance": actions.ALLOWANCE,
    "adjustMargin": actions.ADJUST_MARGIN,
    "fund": actions.FUND,
    "defund": actions.DEFUND,
}
"""``action.type`` of each action. The first is the official name; where none is known the same style."""

_WORDS: Final[dict[str, dict[str, int]]] = {
    "side": {"buy": BUY, "sell": SELL, "both": BOTH_SIDES},
    "tif": dict(TIMES_IN_FORCE),
    "stp": dict(SELF_TRADE),
    "mode": dict(AMEND_MODES),
}
_MARGIN_WORDS: Final[dict[int, dict[str, dict[str, int]]]] = {
    actions.LEVERAGE: {"mode": {"cross": MODE_CROSS, "isolated": MODE_ISOLATED}},
    actions.ADJUST_MARGIN: {"direction": {"add": actions.MARGIN_ADD, "take": actions.MARGIN_TAKE}},
}
"""Words of actions in which a field of the same name means something else."""

_DEFAULTS: Final = frozenset(
    [
        "stp",
        "flags",
        "expires",
        "client_id",
        "interface",
        "interface_fee",
        "order",
        "price",
        "slippage",
        "parent",
        "parent_client_id",
        "onlyAccount",
        "onlyVenue",
        "maxNotional",
        "name",
        "source",
        "grouping",
    ]
)
"""Fields that are 0 if absent."""

_SIZE: Final = struct.Struct(">H")


class ActionBody(msgspec.Struct):
    """What is to be done: ``orders`` (or ``items``, the same) of trade actions, ``body`` of the others."""

    type: str
    orders: list[dict[str, Any]] | None = None
    items: list[dict[str, Any]] | None = None
    body: dict[str, Any] | None = None


class EnvelopeBody(msgspec.Struct, forbid_unknown_fields=True):
    """A signed envelope. 64-bit numbers may be decimal text; ``signature`` is r | s | v, 0x and 130 hex digits."""

    account: int
    key: int | str
    nonce: int | str
    expires_after: int | str
    action: ActionBody
    signature: str


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 1,024 envelopes, each signed by itself: as fields, or as its leaf in hex."""

    envelopes: list[EnvelopeBody | str]


class ItemAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one item. ``status``: done, resting, waiting, held (a plan), rejected."""

    index: int
    status: str
    order: str = ""  # id of the order or plan that it made
    error: ErrorBody | None = None


class EnvelopeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one envelope. ``status``: executed, refused, unknown, or, asynchronously, accepted."""

    status: str
    leaf_hash: str
    seq: str = ""
    block: str = ""
    time: str = ""
    result: int | None = None
    items: list[ItemAnswer] = []
    error: ErrorBody | None = None
    receipt: dict[str, Any] | None = None


class OrderAnswer(msgspec.Struct, frozen=True):
    """What became of all envelopes of a request, in their order."""

    envelopes: list[EnvelopeAnswer]


# --- in ----------------------------------------------------------------------------------------------


def decode_json(data: bytes) -> list[bytes]:
    """Return the leaves of a JSON request. ApiError BAD_REQUEST says where it does not fit."""
    try:
        request = msgspec.json.decode(data, type=OrderRequest)
    except (msgspec.DecodeError, RecursionError) as error:
        hint = 'a body is {"envelopes": [{"account", "key", "nonce", ...} or "0x..."]}'
        raise ApiError(Problem.BAD_REQUEST, f"the body does not fit: {error}", hint) from None
    return decode_envelopes(request.envelopes)


def decode_envelopes(envelopes: Sequence[EnvelopeBody | str]) -> list[bytes]:
    """Return the leaves of envelopes as JSON has them. ApiError BAD_REQUEST if one does not fit."""
    if not 1 <= len(envelopes) <= MAX_ENVELOPES:
        text = f"{len(envelopes)} envelopes, expected 1 .. {MAX_ENVELOPES}"
        raise ApiError(Problem.BAD_REQUEST, text)
    leaves = []
    for n, envelope in enumerate(envelopes):
        where = f"envelopes[{n}]"
        if isinstance(envelope, str):
            leaves.append(_to_bytes(envelope, where))
        else:
            leaves.append(_pack_envelope(envelope, where))
    return leaves


def _bad(where: str, text: str) -> ApiError:
    return ApiError(Problem.BAD_REQUEST, f"{where}: {text}", "see docs/reference/api.md")


def _to_bytes(text: Any, where: str, size: int | None = None) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise _bad(where, "expected hex with 0x in front")
    try:
        raw = bytes.fromhex(text[2:])
    except ValueError:
        raise _bad(where, "expected hex digits") from None
    if size is not None and len(raw) != size:
        raise _bad(where, f"expected {size} bytes, was {len(raw)}")
    return raw


def _to_int(value: Any, where: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _bad(where, f"expected a whole number from 0 up, was {value!r}")


def _pack_envelope(body: EnvelopeBody, where: str) -> bytes:
    action = ACTION_NAMES.get(body.action.type)
    if action is None:
        text = f"no action {body.action.type!r}; there are {', '.join(ACTION_NAMES)}"
        raise _bad(f"{where}.action.type", text)
    given = body.action
    if action in actions.ITEM_LAYOUTS:
        items = given.orders if given.orders is not None else given.items
        if (
            given.body is not None
            or not items
            or (given.orders is not None and given.items is not None)
        ):
            raise _bad(f"{where}.action", f"{given.type} takes orders (or items), at least one")
        layout = actions.ITEM_LAYOUTS[action]
        words = _MARGIN_WORDS.get(action, _WORDS)
        packed = b"".join(
            _pack(layout, item, f"{where}.action.orders[{i}]", words)
            for i, item in enumerate(items)
        )
    else:
        if given.orders is not None or given.items is not None:
            raise _bad(f"{where}.action", f"{given.type} takes a body")
        layout = actions.TYPED_ACTIONS[action][1]
        words = _MARGIN_WORDS.get(action, _WORDS)
        packed = _pack(layout, given.body or {}, f"{where}.action.body", words)
    try:
        return Envelope(
            body.account,
            _to_int(body.key, f"{where}.key"),
            _to_int(body.nonce, f"{where}.nonce"),
            _to_int(body.expires_after, f"{where}.expires_after"),
            action,
            packed,
            _to_bytes(body.signature, f"{where}.signature", actions.SIGNATURE_BYTES),
        ).to_leaf()
    except (OverflowError, ValueError) as error:
        raise _bad(where, str(error)) from None


def _pack(
    layout: actions.Layout,
    values: dict[str, Any],
    where: str,
    words: dict[str, dict[str, int]],
) -> bytes:
    names = {name for name, _, _ in layout}
    if unknown := sorted(values.keys() - names):
        raise _bad(where, f"no field {unknown[0]!r}; there are {', '.join(sorted(names))}")
    parts = []
    for name, kind, width in layout:
        place = f"{where}.{name}"
        value = values.get(name)
        if value is None:
            if name not in _DEFAULTS:
                raise _bad(place, "is missing")
            value = "0x" + "00" * width if kind.startswith(("bytes", "address")) else 0
        if kind.startswith(("bytes", "address")):
            parts.append(_to_bytes(value, place, width))
            continue
        if isinstance(value, str) and value in words.get(name, {}):
            value = words[name][value]
        number = _to_int(value, place)
        if number >> 8 * width:
            raise _bad(place, f"{number} does not fit {8 * width} bits")
        parts.append(number.to_bytes(width, "big"))
    return b"".join(parts)


def decode_frames(data: bytes | memoryview) -> LeafRun:
    """Return the leaves of a binary request. ApiError BAD_REQUEST if sizes do not add up."""
    if not len(data):
        raise _bad("frame", "there is no envelope in it")
    found = split_frames(data, MAX_ENVELOPES)
    if isinstance(found, LeafRun):
        return found
    at, end = found, len(data)
    if at + _SIZE.size > end:
        raise _bad("frame", f"{end - at} bytes are left, a size has 2")
    (size,) = _SIZE.unpack_from(data, at)
    at += _SIZE.size
    if size == 0 or at + size > end:
        raise _bad("frame", f"a leaf of {size} bytes is announced, {end - at} are left")
    raise _bad("frame", f"more than {MAX_ENVELOPES} envelopes")


def encode_frames(leaves: Sequence[bytes]) -> bytes:
    """Return leaves as a binary request."""
    return b"".join(_SIZE.pack(len(leaf)) + leaf for leaf in leaves)


# --- out ---------------------------------------------------------------------------------------------

_PLACED: Final = {
    kinds.ORDER_WAITING: "waiting",
    kinds.ORDER_RESTED: "resting",
    kinds.PLAN_PLACED: "held",
}
_MAKES: Final = (actions.PLACE, actions.MASS_QUOTE, actions.PLACE_PLAN)


def read_items(leaf: bytes, answer: Executed) -> list[tuple[str, int, int]]:
    """Tell what became of each item of an executed envelope: (status, order or plan id, error code)."""
    envelope = Envelope.from_leaf(leaf)
    if envelope is None:
        return []
    first_error = answer.result & 0xFFFF
    rows: list[Any] = answer.block.get_events(answer.seq).tolist()
    placed: dict[int, str] = {}
    rejected: dict[int, int] = {}
    for row in rows:
        kind = row[_KIND]
        if kind == kinds.LEAF_REJECTED:
            return [("rejected", 0, first_error)] * envelope.items
        if kind == kinds.ITEM_REJECTED:
            rejected[row[_FLAG]] = row[_ERROR]
        elif kind in _PLACED:
            placed.setdefault(row[_ORDER], _PLACED[kind])
    made = iter(placed.items())
    found: list[tuple[str, int, int]] = []
    lots = (
        [item.get("lots", 1) for item in actions.unpack_items(envelope)]
        if envelope.action in _MAKES
        else []
    )
    for i in range(envelope.items):
        if i in rejected:
            found.append(("rejected", 0, rejected[i]))
        elif envelope.action in _MAKES and lots[i] and envelope.action != actions.MASS_QUOTE:
            order, status = next(made, (0, "done"))
            found.append((status, order, 0))
        else:
            found.append(("done", 0, 0))
    if envelope.action == actions.MASS_QUOTE:
        return _read_quotes(envelope, rows, found)
    return found


_COLUMNS: Final = kinds.EVENT_DTYPE.names or ()
_KIND, _FLAG, _ERROR, _ORDER, _ID0, _ID1 = (
    _COLUMNS.index(name) for name in ("kind", "flag", "error", "order", "client_id0", "client_id1")
)


def _read_quotes(
    envelope: Envelope, rows: list[Any], found: list[tuple[str, int, int]]
) -> list[tuple[str, int, int]]:
    """Orders of a mass quote are found by their client ids: a rung may shrink in place."""
    orders: dict[int, int] = {}
    for row in rows:
        if row[_KIND] in (kinds.ORDER_RESTED, kinds.ORDER_AMENDED):
            orders[row[_ID1] << 64 | row[_ID0]] = row[_ORDER]
    for i, item in enumerate(actions.unpack_items(envelope)):
        client_id = item["client_id"]
        assert isinstance(client_id, bytes)
        order = orders.get(int.from_bytes(client_id, "big"), 0)
        if found[i][0] == "done" and item["lots"] and order:
            found[i] = ("resting", order, 0)
    return found


def answer_json(leaf: bytes, answer: Answer, *, with_receipt: bool = False) -> EnvelopeAnswer:
    """Return what became of a leaf as JSON has it."""
    digest = "0x" + keccak(leaf).hex()
    if isinstance(answer, EnvelopeRejectedError):
        return EnvelopeAnswer("refused", digest, error=explain_refusal(answer))
    if not isinstance(answer, Executed):
        return EnvelopeAnswer("unknown", digest, error=to_api_error(answer).body)
    closed = answer.block.closed
    items = [
        ItemAnswer(i, status, str(order) if order else "", explain_code(code) if code else None)
        for i, (status, order, code) in enumerate(read_items(leaf, answer))
    ]
    code = answer.result & 0xFFFF
    return EnvelopeAnswer(
        "executed",
        digest,
        str(answer.seq),
        str(closed.number),
        str(closed.time),
        answer.result,
        items,
        explain_code(code) if code else None,
        closed.get_receipt(answer.seq).to_json() if with_receipt else None,
    )


def answer_frame(leaf: bytes, answer: Answer) -> bytes:
    """Return what became of one leaf as a binary answer has it; `FrameSubmission` does it by the block."""
    if not isinstance(answer, Executed):
        return _refuse_frame(answer)
    items = read_items(leaf, answer)
    head = ANSWER.pack(
        EXECUTED,
        answer.result & 0xFFFF,
        answer.seq,
        answer.block.closed.number,
        answer.result,
        len(items),
    )
    return head + b"".join(ITEM.pack(order, code) for _, order, code in items)


def _refuse_frame(refusal: Refusal) -> bytes:
    if isinstance(refusal, EnvelopeRejectedError):
        return ANSWER.pack(REFUSED, int(refusal.code), 0, 0, 0, 0)
    return ANSWER.pack(UNKNOWN, int(to_api_error(refusal).problem), 0, 0, 0, 0)


class FrameSubmission(Submission):
    """Leaves of a binary request; what became of them is handed over as one binary answer.

    Parameters
    ----------
    leaves : LeafRun
        as `decode_frames` gives them
    received : int
        when they came, ms
    deliver : callable
        is handed the answer, on one of the pipeline's threads; must not block
    """

    __slots__ = ()

    def __init__(self, leaves: LeafRun, received: int, deliver: Callable[[bytes], None]) -> None:
        super().__init__(leaves, received, deliver)  # type: ignore[arg-type]

    def deliver(self) -> None:
        """Hand the answer over."""
        spans = [
            (part.first, part.block.answers.get(part.row, part.row + part.end - part.first))
            for part in self.parts
        ]
        spans += [(i, _refuse_frame(refusal)) for i, refusal in self.refused.items()]
        if len(spans) > 1:
            spans.sort(key=itemgetter(0))
        self._deliver(b"".join(span for _, span in spans))
