"""Everything that can go wrong between here and the root of trust, under one base class."""

from __future__ import annotations

from typing import Any


class ChainError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    text : str
        what was received and what was expected, one line
    hint : str
        what to do about it; may be empty
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text


class AbiError(ChainError, ValueError):
    """A value does not fit its Solidity type, or bytes do not decode as one."""


class RpcError(ChainError):
    """The node answered with an error that is not a revert."""

    def __init__(self, text: str, hint: str = "", code: int = 0) -> None:
        super().__init__(text, hint)
        self.code = code


class RpcUnreachableError(RpcError, ConnectionError):
    """The node does not answer; trying again may help."""


class WrongChainError(ChainError):
    """The node serves another chain."""

    def __init__(self, expected: int, received: int, url: str) -> None:
        super().__init__(
            f"expected chain id {expected}, {url} serves {received}",
            "check the RPC address and the network of the deployment",
        )
        self.expected = expected
        self.received = received


class RevertedError(ChainError):
    """A contract refused a call.

    Parameters
    ----------
    name : str
        custom error, ``Error``, ``Panic``, or empty if the node returned no data
    values : dict
        its arguments by name
    """

    def __init__(self, name: str, values: dict[str, Any], text: str, hint: str = "") -> None:
        super().__init__(text, hint)
        self.name = name
        self.values = values


class TransactionFailedError(ChainError):
    """A transaction was mined and reverted, or was not mined in time."""

    def __init__(self, text: str, hint: str = "", transaction: str = "") -> None:
        super().__init__(text, hint)
        self.transaction = transaction


class IncompleteLogsError(ChainError):
    """The node left messages out of its logs; another answer may be complete."""


class ReorgError(ChainError):
    """The L1 replaced blocks whose messages were already handed out. The zone must stop.

    Parameters
    ----------
    first, last : int
        first and last block that were replaced, as far as known
    index : int
        first message that may have changed
    """

    def __init__(self, first: int, last: int, index: int, text: str) -> None:
        super().__init__(
            text, "what was executed since then follows another L1; see docs/spec/chain.md"
        )
        self.first = first
        self.last = last
        self.index = index


class CursorError(ChainError):
    """The watcher's cursor file is damaged or belongs to another inbox."""


class DivergedError(ChainError):
    """L1 holds another batch than the one here under the same number. Nothing may be posted."""


class DeploymentError(ChainError, ValueError):
    """A deployments file is missing or not what it should be."""


class DeposedError(ChainError):
    """A sequencer is not in office, or no more: what it signs is void."""
