"""Everything the sequencer refuses or fails with, under one base class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradezone.protocol.errors import EXPLANATIONS, Code

if TYPE_CHECKING:
    from pathlib import Path


class SequencerError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    text : str
        what was received and what was expected
    hint : str
        what to do about it; may be empty
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text


class EnvelopeRejectedError(SequencerError, ValueError):
    """An envelope or credential that intake refused: it got no number, and no nonce is burnt.

    Parameters
    ----------
    code : Code
        stable error code
    text, hint : str
        taken from the protocol's explanation of the code where empty
    recovered : bytes
        BAD_SIGNATURE only: the address that signed these bytes, empty if none did
    expected : bytes
        BAD_SIGNATURE only: the address of the key, or of the venue's credential provider
    digest : bytes
        BAD_SIGNATURE only: the EIP-712 digest that it has to sign
    """

    def __init__(
        self,
        code: Code,
        text: str = "",
        hint: str = "",
        recovered: bytes = b"",
        expected: bytes = b"",
        digest: bytes = b"",
    ) -> None:
        known = EXPLANATIONS.get(code)
        super().__init__(
            text or (known.text if known else code.name), hint or (known.hint if known else "")
        )
        self.code = code
        self.recovered = recovered
        self.expected = expected
        self.digest = digest

    def to_json(self) -> dict[str, str | int]:
        """Return the refusal as plain values; addresses and digest only where they say something."""
        body: dict[str, str | int] = {
            "code": int(self.code),
            "name": self.code.name,
            "text": self.text,
            "hint": self.hint,
        }
        for name in ("recovered", "expected", "digest"):
            if value := getattr(self, name):
                body[name] = "0x" + value.hex()
        return body


class SequencerStoppedError(SequencerError, RuntimeError):
    """The sequencer met an error after which it may not go on; nothing unsynced was acknowledged."""


class ClockError(SequencerError, ValueError):
    """A block time before that of the block before, or beyond what the protocol can hold."""


class JournalError(SequencerError):
    """Base of the journal's errors."""


class JournalCorruptError(JournalError):
    """A frame that was synced does not read as it was written. Nothing was changed on disk.

    Parameters
    ----------
    segment : Path
        file
    offset : int
        byte in the file at which the frame begins
    block : int
        number of the block that is expected there
    reason : str
        what is wrong
    """

    def __init__(self, segment: Path, offset: int, block: int, reason: str) -> None:
        super().__init__(
            f"journal segment {segment.name}, offset {offset}, block {block}: {reason}",
            "restore the segment from a replica or backup; see docs/spec/journal.md, Repair",
        )
        self.segment = segment
        self.offset = offset
        self.block = block
        self.reason = reason


class JournalFailedError(JournalError, OSError):
    """A write or sync failed; the journal takes nothing more until it is opened again."""


class JournalLockedError(JournalError):
    """Another process holds the journal."""


class BatchError(SequencerError):
    """A batch cannot be built, or a batch on disk contradicts the journal."""


class RecoveryError(SequencerError):
    """What is on disk does not fit together; nothing was changed."""
