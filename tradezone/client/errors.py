"""What a zone answers when it does not do what was asked, as types."""

from __future__ import annotations

from typing import Any, Final

from tradezone.client.signing import ClientError


class ZoneError(ClientError):
    """Base of everything that a zone, or the way to it, refuses.

    Attributes
    ----------
    code : int
        stable; below 1000 the protocol's, above the gateway's, 0 = no answer
    name : str
        of the code
    hint : str
        what to do about it
    details : dict
        all that was answered: addresses and digest of a wrong signature, when to come again
    """

    def __init__(
        self, text: str, code: int = 0, name: str = "", hint: str = "", **details: Any
    ) -> None:
        super().__init__(f"{name + ': ' if name else ''}{text}{f' ({hint})' if hint else ''}")
        self.code = code
        self.name = name
        self.hint = hint
        self.details = details


class DisconnectedError(ZoneError, ConnectionError):
    """The zone was not reached. What was sent may or may not have arrived."""


class UnknownFateError(ZoneError, TimeoutError):
    """Envelopes arrived, and no answer came: ask for the receipt by leaf hash before sending anew."""


class BusyError(ZoneError):
    """The zone takes nothing now. Nothing was taken; ``retry_after_ms`` says when to come again."""

    @property
    def retry_after_ms(self) -> int:
        """When to come again."""
        return int(self.details.get("retry_after_ms", 0))


class RateLimitedError(BusyError):
    """More requests than this address may make."""


class UnauthorizedError(ZoneError):
    """No session, or one that may not ask this."""


class NotFoundError(ZoneError):
    """There is nothing of this name."""


class RefusedError(ZoneError):
    """The envelope got no number: nothing happened, and its nonce is free."""


class SignatureError(RefusedError):
    """The signature is not the key's; ``details`` has recovered and expected address, and the digest."""


class RejectedError(ZoneError):
    """The envelope was executed and what it asked failed; nothing of it holds.

    ``details["order"]`` is its place in the envelope.
    """


_BY_NAME: Final[dict[str, type[ZoneError]]] = {
    "BUSY": BusyError,
    "STOPPING": BusyError,
    "RATE_LIMITED": RateLimitedError,
    "UNAUTHORIZED": UnauthorizedError,
    "FORBIDDEN": UnauthorizedError,
    "NOT_FOUND": NotFoundError,
    "TIMEOUT": UnknownFateError,
}


def to_error(body: dict[str, Any], kind: type[ZoneError] = ZoneError) -> ZoneError:
    """Return an error as it was answered: ``{"code", "name", "text", "hint", ...}``."""
    values = dict(body)
    name = str(values.pop("name", ""))
    if kind is RefusedError and name == "BAD_SIGNATURE":
        kind = SignatureError
    kind = _BY_NAME.get(name, kind)
    text, code, hint = (
        values.pop(key, default) for key, default in (("text", ""), ("code", 0), ("hint", ""))
    )
    return kind(str(text), int(code), name, str(hint), **values)
