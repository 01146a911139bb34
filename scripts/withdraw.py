"""Take money out: withdrawals that the zone wrote down, paid by L1 against a proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._final_state import data_option, replay_final
from scripts._units import format_atoms
from tradezone.chain import Withdrawal
from tradezone.chain._codec import to_bytes
from tradezone.chain.abi import WITHDRAWALS


@click.group()
def cli() -> None:
    """Withdraw: list what is owed, submit proofs."""


@zone_command(cli, "list")
@with_options(
    data_option,
    click.option("--recipient", type=Address(), help="Only those of an account."),
    click.option("--all", "with_paid", is_flag=True, help="Paid ones too."),
)
def list_(
    session: Session,
    data: Path | None,
    recipient: str | None,
    with_paid: bool,
) -> None:
    """List the withdrawals in the newest final state, computed from the batches."""
    state = replay_final(session, data)
    rows = []
    for item in state.withdrawals():
        is_paid = session.at("withdrawals").call("isPaid", item.id)
        if (is_paid and not with_paid) or (recipient and item.recipient != recipient):
            continue
        rows.append(
            {
                "id": item.id,
                "amount": _show_amount(session, item),
                "recipient": item.recipient,
                "state": "paid" if is_paid else "to be submitted",
            }
        )
    session.table(
        rows, f"no withdrawal is open after batch {state.claim.batch}, the newest final one"
    )


@zone_command(cli, "submit", signs=True)
@with_options(
    click.argument("ids", type=click.IntRange(min=1), nargs=-1),
    data_option,
    click.option(
        "--proof",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file that `tradezone prove withdrawal` wrote, instead of computing it here.",
    ),
)
def submit(session: Session, ids: tuple[int, ...], data: Path | None, proof: Path | None) -> None:
    """Prove the withdrawals IDS and have them paid. Anyone may; each pays its recipient only."""
    if bool(ids) == bool(proof):
        raise ScriptError(
            "expected ids, or --proof with a file", "see them with: ape run withdraw list"
        )
    contract = session.at("withdrawals")
    for number in ids:
        if contract.call("isPaid", number):
            raise ScriptError(f"withdrawal {number} was paid already", "leave it away")
    if proof:
        claim, arguments = _read_proof(proof)
        facts = {"proof": proof.name}
    else:
        state = replay_final(session, data)
        claim, proofs = state.claim.id, [state.prove(number) for number in ids]
        arguments = [p.argument for p in proofs]
        facts = {
            f"pays {p.withdrawal.id}": f"{_show_amount(session, p.withdrawal)} to {p.withdrawal.recipient}"
            for p in proofs
        }
    call = (
        ("withdraw", claim, arguments[0])
        if len(arguments) == 1
        else ("withdrawMany", claim, arguments)
    )
    numbers = ", ".join(str(argument["id"]) for argument in arguments)
    receipt = session.transact(f"submit withdrawal {numbers}", contract, *call, facts=facts)
    if receipt:
        paid = receipt.events(WITHDRAWALS, "WithdrawalPaid")
        blocked = receipt.events(WITHDRAWALS, "WithdrawalBlocked")
        session.result(
            {
                "paid": ", ".join(str(event["id"]) for event in paid) or "none",
                **({"blocked": ", ".join(str(e["id"]) for e in blocked)} if blocked else {}),
            },
            receipt,
        )


def _show_amount(session: Session, item: Withdrawal) -> str:
    asset, _ = session.assets()[item.asset]
    return format_atoms(item.amount, asset)


def _read_proof(path: Path) -> tuple[bytes, list[dict[str, Any]]]:
    try:
        body = json.loads(path.read_text())
        argument = {
            "id": int(body["id"]),
            "words": [to_bytes(word) for word in body["words"]],
            "siblings": [to_bytes(sibling) for sibling in body["siblings"]],
        }
        return to_bytes(body["claim"]), [argument]
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{path.name} is no proof of a withdrawal: {type(error).__name__} {error}"
        raise ScriptError(text, "write one with: tradezone prove withdrawal") from None
