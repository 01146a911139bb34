"""What joining a register and rotating a key share: a key that agrees to sign for an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from scripts._common import Address, ScriptError, Session, with_options
from tradezone.chain._codec import to_bytes
from tradezone.chain.errors import AbiError

if TYPE_CHECKING:
    from tradezone.chain.rpc import Deployed

_SIGNATURE: Final = 65

consent_options = with_options(
    click.option("--key", type=Address(), help="Key that signs; the account itself if absent."),
    click.option("--consent", help="Signature of that key, made by: ape run register consent."),
)


def sign_digest(session: Session, digest: bytes) -> bytes:
    """Return the account's signature of a digest, r s v. ScriptError if it declines."""
    from eth_pydantic_types import HexBytes

    signed = session.account.sign_raw_msghash(HexBytes(digest))
    if signed is None:
        raise ScriptError(f"{session.address} did not sign")
    return bytes(signed.r).rjust(32, b"\0") + bytes(signed.s).rjust(32, b"\0") + bytes([signed.v])


def consented(
    session: Session, register: Deployed, key: str | None, text: str | None
) -> tuple[str, bytes]:
    """Return a key and its consent to an account: given, or the account's own."""
    if key is None or key == session.address:
        return session.address, sign_digest(session, register.call("keyDigest", session.address))
    hint = f"with that key: ape run register consent ROLE {session.address} --account KEY"
    if text is None:
        raise ScriptError(f"the key {key} has to agree: --consent", hint)
    try:
        signature = to_bytes(text)
    except AbiError as error:
        raise ScriptError(f"--consent: {error.text}", hint) from None
    if len(signature) != _SIGNATURE:
        raise ScriptError(f"--consent has {len(signature)} bytes, expected {_SIGNATURE}", hint)
    return key, signature
