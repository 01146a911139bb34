"""Errors of the gateway: stable codes above those of the protocol, one shape for all.

    {"error": {"code": 1003, "name": "UNAUTHORIZED", "text": "...", "hint": "...", ...}}

Codes below 1000 are the protocol's (`tradezone.protocol.errors`): what a receipt or a refusal says of an envelope.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import msgspec

from tradezone.protocol.errors import EXPLANATIONS, Code
from tradezone.sequencer import EnvelopeRejectedError
from tradezone.service import BusyError, StoppingError, ViewsError


class Problem(IntEnum):
    """What can go wrong before, or besides, the zone's own rules. Never reused."""

    BUSY = 1000
    STOPPING = 1001
    RATE_LIMITED = 1002
    UNAUTHORIZED = 1003
    FORBIDDEN = 1004
    NOT_FOUND = 1005
    BAD_REQUEST = 1006
    TOO_LARGE = 1007
    METHOD_NOT_ALLOWED = 1008
    UNKNOWN_CHANNEL = 1009
    TOO_MANY_SUBSCRIPTIONS = 1010
    TIMEOUT = 1011
    TOO_MANY_CONNECTIONS = 1012
    NO_MARKET_DATA = 1013
    INTERNAL = 1099


STATUS: Final = {
    Problem.BUSY: 503,
    Problem.STOPPING: 503,
    Problem.RATE_LIMITED: 429,
    Problem.UNAUTHORIZED: 401,
    Problem.FORBIDDEN: 403,
    Problem.NOT_FOUND: 404,
    Problem.BAD_REQUEST: 400,
    Problem.TOO_LARGE: 413,
    Problem.METHOD_NOT_ALLOWED: 405,
    Problem.UNKNOWN_CHANNEL: 400,
    Problem.TOO_MANY_SUBSCRIPTIONS: 429,
    Problem.TIMEOUT: 504,
    Problem.TOO_MANY_CONNECTIONS: 429,
    Problem.NO_MARKET_DATA: 503,
    Problem.INTERNAL: 500,
}
"""HTTP status of each."""


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it is sent. The last four are there only where they say something."""

    code: int
    name: str
    text: str
    hint: str = ""
    recovered: str = ""  # address that signed, of a wrong signature
    expected: str = ""  # address that should have
    digest: str = ""  # what it should have signed
    retry_after_ms: int = 0


class ApiError(Exception):
    """A request that is refused.

    Parameters
    ----------
    problem : Problem
        what kind
    text : str
        what was received and what was expected
    hint : str
        what to do about it
    retry_after_ms : int
        when to come again, 0 = it says nothing
    """

    def __init__(
        self, problem: Problem, text: str, hint: str = "", *, retry_after_ms: int = 0
    ) -> None:
        super().__init__(text)
        self.problem = problem
        self.text = text
        self.hint = hint
        self.retry_after_ms = retry_after_ms

    @property
    def status(self) -> int:
        """HTTP status."""
        return STATUS[self.problem]

    @property
    def body(self) -> ErrorBody:
        """Return what is sent."""
        problem = self.problem
        return ErrorBody(
            int(problem), problem.name, self.text, self.hint, retry_after_ms=self.retry_after_ms
        )

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return headers that belong to it."""
        if not self.retry_after_ms:
            return []
        return [(b"retry-after", str(-(-self.retry_after_ms // 1_000)).encode())]


def to_api_error(error: BaseException) -> ApiError:
    """Return an error of the service as it is sent; what is not known is INTERNAL and says nothing."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, BusyError):
        hint = error.hint
        return ApiError(Problem.BUSY, error.text, hint, retry_after_ms=error.retry_after_ms)
    if isinstance(error, StoppingError):
        return ApiError(Problem.STOPPING, error.text, error.hint, retry_after_ms=1_000)
    if isinstance(error, ViewsError):
        return ApiError(Problem.NO_MARKET_DATA, error.text, error.hint, retry_after_ms=1_000)
    return ApiError(Problem.INTERNAL, "the gateway failed", "the operator's log says why")


def explain_code(code: int) -> ErrorBody:
    """Return a code of the protocol as it is sent."""
    try:
        known = Code(code)
    except ValueError:
        return ErrorBody(code, f"CODE_{code}", "this version does not know the code")
    explanation = EXPLANATIONS.get(known)
    if explanation is None:
        return ErrorBody(code, known.name, known.name)
    return ErrorBody(code, known.name, explanation.text, explanation.hint)


def explain_refusal(error: EnvelopeRejectedError) -> ErrorBody:
    """Return why an envelope got no number, with the addresses and the digest of a wrong signature."""
    shown: dict[str, Any] = {
        name: "0x" + value.hex()
        for name in ("recovered", "expected", "digest")
        if (value := getattr(error, name))
    }
    return ErrorBody(int(error.code), error.code.name, error.text, error.hint, **shown)
