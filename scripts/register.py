"""Stand behind a duty of the zone with a bond: as one who can order inputs, or one who vouches for states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._consent import consent_options, consented, sign_digest
from scripts._evidence import case_id, encode_heads
from scripts._units import format_seconds, format_time, format_wei
from tradezone.chain._codec import encode, parse_parameters, to_bytes
from tradezone.chain.court_abi import BONDED_REGISTER
from tradezone.chain.errors import AbiError

if TYPE_CHECKING:
    from tradezone.chain.rpc import Deployed

ROLES: Final = ("sequencer", "verifier")
_ATTESTATION: Final = "(uint64,bytes32,bytes32)"
_NO_CLAIM: Final = bytes(32)

role_argument = click.argument("role", type=click.Choice(ROLES))
json_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def cli() -> None:
    """Join the sequencers or verifiers for a bond: list, show, join, rotate, leave, prove, rule."""


def _register(session: Session, role: str) -> Deployed:
    name = f"{role}_register"
    if name not in session.deployment.contracts:
        raise ScriptError(
            f"the zone in {session.path.name} has no register of {role}s",
            "deploy one that has: ape run deploy zone --governed",
        )
    return session.at(name)


def _member(session: Session, role: str, account: str) -> dict[str, Any]:
    found: dict[str, Any] = _register(session, role).call("memberOf", account)
    if not found["since"]:
        raise ScriptError(
            f"{account} is not in the register of {role}s", f"ape run register list {role}"
        )
    return found


# --- reading -----------------------------------------------------------------------------------------


@zone_command(cli, "list")
@role_argument
def list_(session: Session, role: str) -> None:
    """List the members of a register whose turn can come, in their order."""
    register = _register(session, role)
    rows = []
    for place, account in enumerate(register.call("members"), 1):
        entry = register.call("memberOf", account)
        rows.append(
            {
                "place": place,
                "account": account,
                "key": entry["key"],
                "bond": format_wei(entry["bond"]),
                "since": format_time(entry["since"]),
            }
        )
    session.table(rows, f"no {role} is on the list")


@zone_command(cli, "show")
@with_options(role_argument, click.argument("member", type=Address()))
def show(session: Session, role: str, member: str) -> None:
    """Show MEMBER, by its account or one of its keys."""
    register = _register(session, role)
    holder = register.call("accountOf", member)
    session.result(_describe(session, role, holder if int(holder, 16) else member))


def _describe(session: Session, role: str, account: str) -> dict[str, Any]:
    register = _register(session, role)
    entry = _member(session, role, account)
    listed = register.call("members")
    fields: dict[str, Any] = {
        "account": account,
        "key": entry["key"],
        "bond": format_wei(entry["bond"]),
        "place": listed.index(account) + 1 if account in listed else "not on the list",
    }
    if entry["openCases"]:
        fields["open cases"] = entry["openCases"]
    if entry["leftTime"]:
        terms = register.call("config")
        fields["free at"] = format_time(entry["leftTime"] + terms["unbondingSeconds"])
        fields["and block"] = entry["leftBlock"] + terms["unbondingBlocks"]
    return fields


# --- members -----------------------------------------------------------------------------------------


@zone_command(cli, "consent", signs=True)
@with_options(role_argument, click.argument("holder", type=Address()))
def consent(session: Session, role: str, holder: str) -> None:
    """Agree, as a key, to sign for HOLDER. Sends nothing: the signature is for `join` or `rotate`."""
    signature = sign_digest(session, _register(session, role).call("keyDigest", holder))
    body = {"key": session.address, "for": holder, "consent": "0x" + signature.hex()}
    if session.is_dry and not session.as_json:
        session.echo("dry run: nothing was signed for use")
        return
    session.result(body)


@zone_command(cli, "join", signs=True)
@with_options(role_argument, consent_options)
def join(session: Session, role: str, key: str | None, consent: str | None) -> None:
    """Join a register for its bond, at the end of the list."""
    register = _register(session, role)
    terms = register.call("config")
    signer, signature = consented(session, register, key, consent)
    place = len(register.call("members")) + 1
    receipt = session.transact(
        f"join the register of {role}s",
        register,
        "register",
        signer,
        signature,
        value=terms["bond"],
        facts={
            "key": signer,
            "place": f"{place} of at most {terms['maxMembers']}",
            "bond returns after": (
                f"{format_seconds(terms['unbondingSeconds'])}"
                f" and {terms['unbondingBlocks']:,} blocks from leaving"
            ),
        },
    )
    _show(session, role, receipt)


def _show(session: Session, role: str, receipt: Any) -> None:
    session.result(_describe(session, role, session.address) if receipt else {}, receipt)


@zone_command(cli, "rotate", signs=True)
@with_options(role_argument, consent_options)
def rotate(session: Session, role: str, key: str | None, consent: str | None) -> None:
    """Sign with another key from now on; what the old one signed stays the account's."""
    register = _register(session, role)
    before = _member(session, role, session.address)["key"]
    signer, signature = consented(session, register, key, consent)
    receipt = session.transact(
        f"rotate the key of a {role}",
        register,
        "rotate",
        signer,
        signature,
        facts={"from": before, "to": signer},
    )
    _show(session, role, receipt)


@zone_command(cli, "top-up", signs=True)
@with_options(
    role_argument, click.argument("whom", metavar="[MEMBER]", type=Address(), required=False)
)
def top_up(session: Session, role: str, whom: str | None) -> None:
    """Restore the bond of MEMBER, the signer if absent, that was slashed; it comes back on the list."""
    register, account = _register(session, role), whom or session.address
    entry = _member(session, role, account)
    missing = register.call("config")["bond"] - entry["bond"]
    if not missing:
        raise ScriptError(f"the bond of {account} is whole")
    receipt = session.transact(
        f"restore the bond of {account}", register, "topUp", account, value=missing
    )
    session.result(_describe(session, role, account) if receipt else {}, receipt)


@zone_command(cli, "leave", signs=True)
@role_argument
def leave(session: Session, role: str) -> None:
    """Leave the list and begin to unbond."""
    register = _register(session, role)
    _member(session, role, session.address)
    terms = register.call("config")
    receipt = session.transact(
        f"leave the register of {role}s",
        register,
        "leave",
        facts={"bond returns after": format_seconds(terms["unbondingSeconds"])},
    )
    _show(session, role, receipt)


@zone_command(cli, "withdraw", signs=True)
@role_argument
def withdraw(session: Session, role: str) -> None:
    """Take the bond back, once the unbonding is over."""
    amount = format_wei(_member(session, role, session.address)["bond"])
    receipt = session.transact(
        f"withdraw the bond of a {role}",
        _register(session, role),
        "withdraw",
        facts={"pays": amount},
    )
    session.result({"account": session.address, "paid": amount}, receipt)


# --- slashes -----------------------------------------------------------------------------------------


@zone_command(cli, "prove", signs=True)
@with_options(
    role_argument,
    click.argument("first", type=json_file),
    click.argument("second", type=json_file, required=False),
    click.option("--claim", help="Final claim that refutes the attestation, instead of SECOND."),
)
def prove(session: Session, role: str, first: Path, second: Path | None, claim: str | None) -> None:
    """Convict a member by what it signed: two block heads, or attestations, that contradict each other.

    An attestation is JSON: {"batch", "header_hash", "state_root", "signature"}.
    """
    register = _register(session, role)
    if (second is None) == (claim is None) or (claim and role == "sequencer"):
        raise ScriptError(
            "expected two files, or an attestation and the --claim that refutes it",
            "docs/spec/registers.md",
        )
    if role == "sequencer":
        contract, data = session.at("double_head"), encode_heads(first, second or first)
    else:
        contract, data = session.at("attestation"), _encode_attestations(first, second, claim)
    finding = contract.call("check", data)
    account = register.call("accountOf", finding["accused"])
    if not int(account, 16):
        raise ScriptError(f"{finding['accused']} is no key of a {role} in this register")
    entry = _member(session, role, account)
    receipt = session.transact(
        f"convict a {role} by its own signatures",
        register,
        "prove",
        contract.address,
        data,
        facts={
            "accused": account,
            "takes": f"{finding['bps'] / 100:g}% of {format_wei(entry['bond'])}",
            "reward": "5% of what is taken",
            "after": format_seconds(register.call("config")["proofSeconds"]),
        },
    )
    session.result(
        {"case": register.call("caseCount")} | _describe(session, role, account)
        if receipt
        else {"accused": account},
        receipt,
    )


def _encode_attestations(first: Path, second: Path | None, claim: str | None) -> bytes:
    kinds, _ = parse_parameters(f"({_ATTESTATION},bytes,{_ATTESTATION},bytes,bytes32)")
    signed = [*_read_attestation(first), *_read_attestation(second or first)]
    return encode(kinds, [*signed, to_bytes(claim) if claim else _NO_CLAIM])


def _read_attestation(path: Path) -> tuple[list[Any], bytes]:
    try:
        body = json.loads(path.read_text())
        fields = [int(body["batch"]), to_bytes(body["header_hash"]), to_bytes(body["state_root"])]
        return fields, to_bytes(body["signature"])
    except (ValueError, KeyError, TypeError, AbiError) as error:
        raise ScriptError(
            f"{path.name} holds no attestation: {error}", "see docs/spec/registers.md"
        ) from None


@zone_command(cli, "rule", signs=True)
@with_options(role_argument, click.argument("case", type=click.IntRange(min=1)))
def rule(session: Session, role: str, case: int) -> None:
    """Carry out the conviction CASE (its number) of a register. Anyone may, once its time has come."""
    register = _register(session, role)
    found = case_id(register.address, case)
    entry = register.call("caseOf", found)
    if not entry["time"]:
        count = register.call("caseCount")
        raise ScriptError(f"there is no case {case} in the register of {role}s, but {count}")
    receipt = session.transact(
        f"rule case {case} of the register of {role}s",
        register,
        "rule",
        found,
        facts={"accused": entry["account"], "takes at most": format_wei(entry["amount"])},
    )
    if receipt is None:
        session.result({"case": case})
        return
    ruled = receipt.events(BONDED_REGISTER, "Ruled")[0]
    session.result(
        {
            "case": case,
            "accused": entry["account"],
            "taken": format_wei(ruled["taken"]),
            "reward": format_wei(ruled["reward"]),
        },
        receipt,
    )


@zone_command(cli, "collect", signs=True)
@with_options(
    role_argument, click.argument("whom", metavar="[ACCOUNT]", type=Address(), required=False)
)
def collect(session: Session, role: str, whom: str | None) -> None:
    """Pay out what a register owes ACCOUNT, the signer if absent."""
    register, account = _register(session, role), whom or session.address
    owed = register.call("owedTo", account)
    if not owed:
        raise ScriptError(f"the register of {role}s owes {account} nothing")
    receipt = session.transact(f"pay {format_wei(owed)} to {account}", register, "collect", account)
    session.result({"account": account, "paid": format_wei(owed)}, receipt)
