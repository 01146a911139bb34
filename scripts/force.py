"""Act in the zone through L1, whatever its sequencer wants (docs/spec/forced.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._final_state import data_option, replay_final
from scripts._units import format_atoms, format_wei, to_atoms
from tradezone.chain import RecordProof
from tradezone.chain._codec import to_bytes
from tradezone.chain.abi import FORCED
from tradezone.chain.forced import PRIMARY_TYPES, build_typed_data, encode_fields
from tradezone.protocol import messages
from tradezone.protocol.enums import SCOPE_TRADE
from tradezone.protocol.errors import Code

_DAY: Final = 86_400  # seconds that a message to be signed holds, unless told otherwise
_NAME: Final = 8  # bytes of a key's name

relay_options = (
    click.option(
        "--for",
        "owner",
        type=Address(),
        help="The owner who acts, if not the account that sends; needs its signature.",
    ),
    click.option("--signature", help="Signature (hex) of the owner over the typed data."),
    click.option("--deadline", type=int, help="L1 seconds until which the signature holds."),
    click.option(
        "--typed-data",
        "is_unsigned",
        is_flag=True,
        help="Print what the owner signs, send nothing.",
    ),
)
account_argument = click.argument("zone_account", metavar="ACCOUNT", type=click.IntRange(min=1))
index_argument = click.argument("index", type=click.IntRange(min=1))


@click.group()
def cli() -> None:
    """Force: withdraw, close, cancel, keys, redirect; then prove the answer and collect the bond."""


@zone_command(cli, "withdraw", signs=True)
@with_options(account_argument, click.argument("asset"), click.argument("amount"), *relay_options)
def withdraw(session: Session, zone_account: int, asset: str, amount: str, **relay: Any) -> None:
    """Have at most AMOUNT of ASSET leave ACCOUNT, or all that is free: AMOUNT `all`."""
    found, _ = session.find_asset(asset)
    atoms = (1 << 64) - 1 if amount == "all" else to_atoms(amount, found)
    shown = "all that is free" if amount == "all" else str(format_atoms(atoms, found))
    values = {"account": zone_account, "asset": found.id, "amount": atoms}
    _send(session, messages.FORCED_WITHDRAW, values, f"withdraw {shown}", relay)


@zone_command(cli, "close", signs=True)
@with_options(
    account_argument,
    click.argument("market", type=click.IntRange(min=1)),
    click.argument("position", type=click.IntRange(min=1)),
    *relay_options,
)
def close(session: Session, zone_account: int, market: int, position: int, **relay: Any) -> None:
    """Send a reduce-only order for POSITION (its slot) of ACCOUNT in MARKET (its slot)."""
    values = {"account": zone_account, "market": market, "position": position}
    _send(session, messages.FORCED_CLOSE, values, f"close position {position}", relay)


@zone_command(cli, "cancel", signs=True)
@with_options(account_argument, *relay_options)
def cancel(session: Session, zone_account: int, **relay: Any) -> None:
    """Cancel every order and plan of ACCOUNT."""
    values = {"account": zone_account}
    _send(session, messages.FORCED_CANCEL_ALL, values, "cancel all orders", relay)


@zone_command(cli, "approve-key", signs=True)
@with_options(
    click.argument("agent", type=Address()),
    click.option("--expires", type=int, required=True, help="Zone time, ms."),
    click.option("--only-account", type=int, default=0, help="Bind it to one account."),
    click.option("--only-venue", type=int, default=0, help="Bind it to one venue."),
    click.option("--max-notional", type=int, default=0, help="Most atoms of an order; 0 = any."),
    click.option("--name", default="forced", help="At most 8 bytes."),
    *relay_options,
)
def approve_key(
    session: Session,
    agent: str,
    expires: int,
    only_account: int,
    only_venue: int,
    max_notional: int,
    name: str,
    **relay: Any,
) -> None:
    """Approve AGENT as a key that trades, and never withdraws."""
    if len(name.encode()) > _NAME:
        raise ScriptError(f"name {name!r} is longer than {_NAME} bytes")
    values = {
        "agent": agent,
        "onlyAccount": only_account,
        "onlyVenue": only_venue,
        "scope": SCOPE_TRADE,
        "expires": expires,
        "maxNotional": max_notional,
        "name": name.encode().ljust(_NAME, b"\0"),
    }
    _send(session, messages.FORCED_APPROVE_KEY, values, f"approve {agent}", relay)


@zone_command(cli, "revoke-key", signs=True)
@with_options(click.argument("key", type=click.IntRange(min=1)), *relay_options)
def revoke_key(session: Session, key: int, **relay: Any) -> None:
    """Revoke KEY (its id)."""
    _send(session, messages.FORCED_REVOKE_KEY, {"revokedKey": key}, f"revoke key {key}", relay)


@zone_command(cli, "redirect", signs=True)
@with_options(click.argument("to", type=Address()), *relay_options)
def redirect(session: Session, to: str, **relay: Any) -> None:
    """Have withdrawals written from now on paid TO an address; zero = the owner's own again."""
    _send(session, messages.FORCED_REDIRECT, {"to": to}, f"redirect withdrawals to {to}", relay)


def _send(
    session: Session, kind: int, values: dict[str, Any], action: str, relay: dict[str, Any]
) -> None:
    contract = session.at("forced")
    owner, signature = relay["owner"], relay["signature"]
    if relay["is_unsigned"]:
        _print_typed_data(session, kind, values, owner or session.address, relay["deadline"])
        return
    if (owner is None) != (signature is None) or (signature and relay["deadline"] is None):
        raise ScriptError(
            "an owner who does not send needs --for, --signature and --deadline together",
            "see what it signs with --for OWNER --typed-data",
        )
    bond, surcharge = contract.call("bond"), contract.call("surcharge")
    fields = encode_fields(kind, values)
    call: tuple[Any, ...] = ("submit", kind, fields)
    if owner:
        call = ("submitBySig", owner, kind, fields, relay["deadline"], to_bytes(signature))
    receipt = session.transact(
        action,
        contract,
        *call,
        value=bond + surcharge,
        facts={
            "for": owner or session.address,
            "bond": f"{format_wei(bond)}, back with a proved answer unless it is a refusal",
            **({"surcharge": format_wei(surcharge)} if surcharge else {}),
        },
    )
    if receipt:
        (sent,) = receipt.events(FORCED, "Submitted")
        session.result({"message": sent["index"]}, receipt)


def _print_typed_data(
    session: Session, kind: int, values: dict[str, Any], owner: str, deadline: int | None
) -> None:
    contract = session.at("forced")
    if deadline is None:
        head = session.rpc.request("eth_getBlockByNumber", "latest", False)
        deadline = int(head["timestamp"], 16) + _DAY
    data = build_typed_data(
        contract.address,
        session.provider.chain_id,
        kind,
        values,
        owner=owner,
        nonce=contract.call("nonces", owner),
        deadline=deadline,
    )
    click.echo(json.dumps(data, indent=2))


@zone_command(cli, "show")
@with_options(index_argument)
def show(session: Session, index: int) -> None:
    """Show what became of the operation with message INDEX, as far as it is proved."""
    operation = session.at("forced").call("operationOf", index)
    if int(operation["payer"], 16) == 0:
        raise ScriptError(f"message {index} is no forced operation")
    state = "waits for its answer, or for somebody to prove it"
    if operation["isAnswered"]:
        status = Code(operation["status"])
        state = "done" if status == Code.OK else f"refused: {status.name}"
    session.result({"state": state, "amount": operation["amount"], "payer": operation["payer"]})


@zone_command(cli, "prove", signs=True)
@with_options(
    click.argument("index", type=click.IntRange(min=1), required=False),
    data_option,
    click.option(
        "--proof",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file that `tradezone prove forced` wrote, instead of computing it here.",
    ),
)
def prove(session: Session, index: int | None, data: Path | None, proof: Path | None) -> None:
    """Prove the zone's answer to message INDEX, which settles its bond. Anyone may."""
    if (index is None) == (proof is None):
        raise ScriptError("expected the index of the message, or --proof with a file")
    if proof:
        claim, argument = _read_proof(proof)
    else:
        found: RecordProof = replay_final(session, data).prove_forced(index or 0)
        claim = found.claim.id
        argument = {"id": found.slot, "words": found.words, "siblings": found.siblings}
    receipt = session.transact("prove the answer", session.at("forced"), "prove", claim, argument)
    if receipt:
        (event,) = receipt.events(FORCED, "Answered")
        status = Code(event["status"])
        shown = {"message": event["index"], "status": status.name, "amount": event["amount"]}
        session.result(shown, receipt)


def _read_proof(path: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        body = json.loads(path.read_text())
        return to_bytes(body["claim"]), {
            "id": int(body["slot"]),
            "words": [to_bytes(word) for word in body["words"]],
            "siblings": [to_bytes(sibling) for sibling in body["siblings"]],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ScriptError(
            f"{path} is no proof: {error}", "tradezone prove forced writes one"
        ) from None


@zone_command(cli, "reclaim", signs=True)
@with_options(index_argument)
def reclaim(session: Session, index: int) -> None:
    """Free the bond of operation INDEX, which nothing answered, once the zone has ended."""
    receipt = session.transact("free the bond", session.at("forced"), "reclaim", index)
    if receipt:
        session.result({"message": index}, receipt)


@zone_command(cli, "collect", signs=True)
@with_options(click.argument("payer", type=Address(), required=False))
def collect(session: Session, payer: str | None) -> None:
    """Pay out the bonds owed to PAYER, or to the account that sends."""
    contract, payer = session.at("forced"), payer or session.address
    facts = {"to": payer, "amount": format_wei(contract.call("owed", payer))}
    receipt = session.transact("collect bonds", contract, "collect", payer, facts=facts)
    if receipt:
        session.result(facts, receipt)


assert set(PRIMARY_TYPES) == set(messages.FORCED_KINDS)
