"""Accuse before the slashing court, answer, judge, and claim what the harmed are owed."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._evidence import case_id, encode_heads
from scripts._units import format_seconds, format_time, format_wei, to_ppm, to_wei
from tradezone.chain import ChainReader, FinalState
from tradezone.chain.court_abi import SLASHING_COURT
from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradezone.chain.rpc import Deployed

PHASES: Final = (
    "none",
    "waiting",
    "response",
    "commit",
    "reveal",
    "appeal",
    "appeal commit",
    "appeal reveal",
    "ruling",
    "closed",
)
(
    NO_CASE,
    WAITING,
    RESPONSE,
    COMMIT,
    REVEAL,
    APPEAL,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    RULING,
    CLOSED,
) = range(10)
CLASSES: Final = ("outage", "negligence", "manipulation", "fraud")
"""Classes of the jury track by their numbers, from 0."""

_WORD: Final = 32
_BPS_PERCENT: Final = 100
_PPM_PERCENT: Final = 10_000
_ACTIVE: Final = 1  # state of a record that is in use

case_argument = click.argument("case", metavar="CASE")
data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the published batch files; without it they are taken from L1.",
)
secrets_option = click.option(
    "--secrets",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the secrets of votes; `votes` beside the deployments file if absent.",
)


@click.group()
def cli() -> None:
    """Slash by proof or by jury: accuse, evidence, answer, vote, reveal, appeal, verdict, claim."""


# --- cases -------------------------------------------------------------------------------------------


def _court(session: Session) -> Deployed:
    if "court" not in session.deployment.contracts:
        raise ScriptError(
            f"the zone in {session.path.name} has no slashing court",
            "deploy one that has: ape run deploy zone --governed",
        )
    return session.at("court")


def _find(session: Session, text: str) -> tuple[int, bytes, dict[str, Any]]:
    """Return number, id and entry of a case that a person names by its number or its id."""
    court = _court(session)
    count = court.call("caseCount")
    wanted = text.lower().removeprefix("0x")
    if text.isdigit() and 1 <= int(text) <= count:
        numbers = [int(text)]
    else:
        ids = {n: case_id(court.address, n).hex() for n in range(1, count + 1)}
        is_id = text.startswith("0x") and len(wanted) >= 6
        numbers = [n for n, found in ids.items() if is_id and found.startswith(wanted)]
    if len(numbers) != 1:
        there = f"there are 1 to {count}" if count else "there is none yet"
        raise ScriptError(f"no case {text!r}; {there}", "see them with: ape run slash list")
    number = numbers[0]
    case = case_id(court.address, number)
    return number, case, court.call("caseOf", case)


def _event(session: Session, name: str, case: bytes) -> list[dict[str, Any]]:
    head = session.rpc.head().number
    return list(_court(session).events(name, session.deployment.block, head, [case]))


def _require_phase(
    session: Session, number: int, case: bytes, phases: tuple[int, ...], action: str
) -> int:
    phase: int = _court(session).call("phaseOf", case)
    if phase not in phases:
        wanted = " or ".join(PHASES[p] for p in phases)
        raise ScriptError(
            f"case {number} is in the phase {PHASES[phase]}; to {action} it has to be in {wanted}",
            f"ape run slash show {number}",
        )
    return phase


def _percent(bps: int) -> str:
    return f"{bps / _BPS_PERCENT:g}%"


def _share(text: str) -> int:
    """Return a share in whole percent, the unit of verdicts."""
    ppm = to_ppm(text, "share")
    if ppm % _PPM_PERCENT:
        raise ScriptError(f"share {text!r} is no whole percentage", "for instance 40%")
    return ppm // _PPM_PERCENT


def _hash_of(document: Path) -> bytes:
    return keccak(document.read_bytes())


def _next(session: Session, case: bytes, phase: int) -> str:
    """Return what happens next, and when."""
    court = _court(session)
    if phase == RULING:
        return "anyone may call the verdict"
    if phase in (NO_CASE, CLOSED):
        return ""
    time, block = court.call("endOf", case, phase)
    now = session.rpc.head()
    left = format_seconds(max(time - now.time, 0))
    blocks = max(block - now.number, 0)
    what = {
        WAITING: "the ruling",
        RESPONSE: "commits begin",
        COMMIT: "reveals begin",
        REVEAL: "an appeal may be made",
        APPEAL: "the time for an appeal ends",
        APPEAL_COMMIT: "reveals begin",
        APPEAL_REVEAL: "the ruling",
    }[phase]
    return f"{what} in {left} and {blocks:,} blocks"


# --- reading -----------------------------------------------------------------------------------------


@zone_command(cli, "list")
@with_options(
    click.option("--accused", type=Address(), help="Only cases against this account."),
    click.option("--open", "only_open", is_flag=True, help="Only cases without a ruling."),
)
def list_(session: Session, accused: str | None, only_open: bool) -> None:
    """List cases, with what comes next."""
    court = _court(session)
    rows = []
    for number in range(1, court.call("caseCount") + 1):
        case = case_id(court.address, number)
        entry, phase = court.call("caseOf", case), court.call("phaseOf", case)
        if (accused and entry["accused"] != accused) or (only_open and phase == CLOSED):
            continue
        rows.append(
            {
                "case": number,
                "track": "proof" if entry["isProof"] else "jury",
                "accused": entry["accused"],
                "asked": _percent(entry["asked"]),
                "of": format_wei(entry["base"]),
                "phase": PHASES[phase],
                "next": _next(session, case, phase),
            }
        )
    session.table(rows, "no cases")


@zone_command(cli, "show")
@case_argument
def show(session: Session, case: str) -> None:
    """Show CASE (its number or id): parties, evidence, calendar, votes, verdict, pool."""
    session.result(_describe(session, *_find(session, case)))


def _describe(
    session: Session, number: int, case: bytes, entry: Mapping[str, Any]
) -> dict[str, Any]:
    court = _court(session)
    phase = court.call("phaseOf", case)
    fields: dict[str, Any] = {
        "case": number,
        "id": "0x" + case.hex(),
        "track": "proof" if entry["isProof"] else "jury",
        "accused": entry["accused"],
        "accuser": entry["accuser"],
        "venue": entry["venue"] or "none",
        "since": format_time(entry["time"]),
        "phase": PHASES[phase],
        "next": _next(session, case, phase),
        "asked": f"{_percent(entry['asked'])} of {format_wei(entry['base'])}",
    }
    if not entry["isProof"]:
        fields |= _describe_jury(session, case, entry, phase)
    ruled = _event(session, "Ruled", case)
    if ruled:
        fields["taken"] = format_wei(ruled[0]["taken"])
        fields["reward"] = format_wei(ruled[0]["reward"])
    pool = court.call("poolOf", case)
    if pool["amount"]:
        state = "swept" if pool["isSwept"] else "open" if pool["total"] else "not open yet"
        fields["pool"] = f"{format_wei(pool['amount'])}, {format_wei(pool['paid'])} paid, {state}"
    return fields


def _describe_jury(
    session: Session, case: bytes, entry: Mapping[str, Any], phase: int
) -> dict[str, Any]:
    court = _court(session)
    made = _event(session, "Accused", case)[0]
    fields: dict[str, Any] = {
        "class": CLASSES[made["accusation"]["class"]],
        "evidence": f"0x{entry['evidence'].hex()} at {made['location'] or 'no place named'}",
        "bond": format_wei(entry["bond"]),
    }
    if entry["harm"]:
        fields["harmed hold asset"] = entry["harm"]
    answers = _event(session, "Responded", case)
    if answers:
        answer = answers[-1]
        where = answer["location"] or "no place named"
        fields["answer"] = f"0x{answer['evidence'].hex()} at {where}"
    if session.rpc.head().time <= entry["time"]:
        return fields  # weights are those of a second that has to be over
    for number in (1, 2) if entry["isAppealed"] else (1,):
        name = "votes" if number == 1 else "votes after the appeal"
        revealed = court.call("revealedOf", case, number)
        quorum = court.call("quorumOf", case, number)
        fields[name] = f"{format_wei(revealed)} revealed, quorum {format_wei(quorum)}"
        if phase > (REVEAL if number == 1 else APPEAL_REVEAL):
            verdict = court.call("verdictOf", case, number)
            fields[f"verdict {number}"] = _verdict(verdict)
    if entry["isAppealed"]:
        who = "accuser" if entry["isAppealOfAccuser"] else "accused"
        fields["appeal"] = f"by the {who}, bond {format_wei(entry['appealBond'])}"
    return fields


def _verdict(verdict: Mapping[str, Any]) -> str:
    if not verdict["isReached"]:
        return "none: no quorum"
    return f"guilty, {verdict['share']}%" if verdict["share"] else "acquitted"


# --- accusing ----------------------------------------------------------------------------------------


@zone_command(cli, "accuse", signs=True)
@with_options(
    click.argument("accused", type=Address()),
    click.option("--class", "kind", type=click.Choice(CLASSES), required=True),
    click.option("--share", required=True, help="Asked of what is at stake, for instance 40%."),
    click.option(
        "--evidence",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        help="File with the evidence; its hash is recorded.",
    ),
    click.option("--location", default="", help="Where jurors can read it."),
    click.option("--venue", type=click.IntRange(min=1), help="Venue whose stake answers first."),
    click.option(
        "--harm",
        type=click.IntRange(min=1),
        help="What was lost: the asset of the venue's ledger, or a claim asset of the incident.",
    ),
    click.option("--bond", help="Bond in OKB; the least one if absent."),
)
def accuse(
    session: Session,
    accused: str,
    kind: str,
    share: str,
    evidence: Path,
    location: str,
    venue: int | None,
    harm: int | None,
    bond: str | None,
) -> None:
    """Accuse ACCUSED before a jury of stakers. The bond is lost if they acquit."""
    court, percent, number = _court(session), _share(share), CLASSES.index(kind)
    most = court.call("limitOf", number)
    if not 1 <= percent <= most:
        raise ScriptError(f"share {share} is not within 1% and {most}%, the bounds of {kind}")
    base = court.call("baseOf", accused, venue or 0)
    if not base:
        where = f"behind venue {venue} or free" if venue else "free or unbonding"
        raise ScriptError(f"{accused} has nothing {where} that could be slashed")
    least = court.call("bondFor", base, percent)
    value = to_wei(bond) if bond else least
    if value < least:
        raise ScriptError(f"a bond of {format_wei(value)} is too small; least {format_wei(least)}")
    accusation = {
        "accused": accused,
        "venue": venue or 0,
        "class": number,
        "share": percent,
        "harm": harm or 0,
        "evidence": _hash_of(evidence),
    }
    receipt = session.transact(
        f"accuse {accused} of {kind}",
        court,
        "accuse",
        accusation,
        location,
        value=value,
        facts={
            "asks": f"{percent}% of {format_wei(base)}: {format_wei(base * percent // 100)}",
            "evidence": f"{evidence.name}, hash 0x{accusation['evidence'].hex()}",
            "bond": f"{format_wei(value)}; lost if acquitted, half of it without a quorum",
            "effect": "the accused's stake is locked until the ruling",
        },
    )
    _show_new(session, receipt, "Accused", "Accuse")


@zone_command(cli, "evidence", signs=True)
@with_options(
    click.argument("first", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.argument("second", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
)
def evidence(session: Session, first: Path, second: Path) -> None:
    """Convict a sequencer by two signed block heads that contradict each other.

    FIRST and SECOND are JSON files: a block head, or a receipt that holds one. No jury and no bond.
    """
    court, contract = _court(session), session.at("double_head")
    data = encode_heads(first, second)
    finding = contract.call("check", data)
    base = court.call("baseOf", finding["accused"], finding["venue"])
    receipt = session.transact(
        "convict a sequencer by its own signatures",
        court,
        "prove",
        contract.address,
        data,
        facts={
            "accused": finding["accused"],
            "takes": f"{_percent(finding['bps'])} of {format_wei(base)}",
            "reward": "5% of what is taken",
        },
    )
    _show_new(session, receipt, "Proved", "Convict")


def _show_new(session: Session, receipt: Any, event: str, action: str) -> None:
    if receipt is None:
        session.result({"action": action})
        return
    case = receipt.events(SLASHING_COURT, event)[0]["caseId"]
    session.result(_describe(session, *_find(session, "0x" + case.hex())), receipt)


@zone_command(cli, "answer", signs=True)
@with_options(
    case_argument,
    click.option(
        "--document",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        help="File with the answer; its hash is recorded.",
    ),
    click.option("--location", default="", help="Where jurors can read it."),
)
def answer(session: Session, case: str, document: Path, location: str) -> None:
    """Answer the accusation of CASE, as the accused; again if there is more to say."""
    number, found, entry = _find(session, case)
    _require_phase(session, number, found, (RESPONSE, COMMIT), "answer")
    if entry["accused"] != session.address:
        raise ScriptError(f"case {number} accuses {entry['accused']}, not {session.address}")
    digest = _hash_of(document)
    receipt = session.transact(
        f"answer case {number}",
        _court(session),
        "respond",
        found,
        digest,
        location,
        facts={"document": f"{document.name}, hash 0x{digest.hex()}"},
    )
    session.result({"case": number, "document": "0x" + digest.hex()}, receipt)


# --- judging -----------------------------------------------------------------------------------------


@zone_command(cli, "vote", signs=True)
@with_options(case_argument, click.argument("share"), secrets_option)
def vote(session: Session, case: str, share: str, folder: Path | None) -> None:
    """Commit to a SHARE of what was at stake in CASE, 0% to acquit; `reveal` has to follow.

    The vote is kept in a file, without which nobody can reveal it. A later vote replaces an earlier one.
    """
    number, found, entry = _find(session, case)
    court, percent = _court(session), _share(share)
    most = entry["asked"] // _BPS_PERCENT
    if percent > most:
        raise ScriptError(f"share {share} is above the {most}% that case {number} asks for")
    phase = _require_phase(session, number, found, (COMMIT, APPEAL_COMMIT), "vote")
    round_ = 1 if phase == COMMIT else 2
    weight = court.call("weightOf", found, session.address)
    if not weight:
        raise ScriptError(
            f"{session.address} has no votes in case {number}",
            "aged stake at the accusation counts, and not that of the parties",
        )
    salt = secrets.token_bytes(_WORD)
    commitment = court.call("commitmentFor", found, round_, session.address, percent, salt)
    path = _secret_path(session, folder, number, round_)
    if not session.is_dry:
        # Before it is sent: a commitment whose secret is lost is a lost vote.
        _write_secret(path, {"case": "0x" + found.hex(), "share": percent, "salt": salt.hex()})
    _, until = court.call("endOf", found, phase)
    receipt = session.transact(
        f"vote in case {number}",
        court,
        "commitVote",
        found,
        commitment,
        facts={
            "share": f"{percent}%" if percent else "0%: acquit",
            "with": format_wei(weight),
            "secret in": path,
            "reveal": f"after block {until:,}; a vote that is not revealed does not count",
        },
    )
    session.result(
        {"case": number, "share": f"{percent}%", "weight": format_wei(weight), "secret": str(path)},
        receipt,
    )


@zone_command(cli, "reveal", signs=True)
@with_options(case_argument, secrets_option)
def reveal(session: Session, case: str, folder: Path | None) -> None:
    """Reveal the account's vote in CASE."""
    number, found, _ = _find(session, case)
    phase = _require_phase(session, number, found, (REVEAL, APPEAL_REVEAL), "reveal")
    round_ = 1 if phase == REVEAL else 2
    path = _secret_path(session, folder, number, round_)
    if not path.exists():
        raise ScriptError(
            f"{path} does not exist, so the vote in case {number} is not known here",
            "name the folder that `vote` wrote to: --secrets",
        )
    kept = json.loads(path.read_text())
    if kept["case"] != "0x" + found.hex():
        raise ScriptError(f"{path} is about another case", "name another folder: --secrets")
    percent, salt = kept["share"], bytes.fromhex(kept["salt"])
    receipt = session.transact(
        f"reveal the vote in case {number}",
        _court(session),
        "revealVote",
        found,
        percent,
        salt,
        facts={"share": f"{percent}%"},
    )
    session.result({"case": number, "share": f"{percent}%"}, receipt)


def _secret_path(session: Session, folder: Path | None, number: int, round_: int) -> Path:
    folder = folder or session.path.parent / "votes"
    chain = session.provider.chain_id
    return folder / f"{chain}-{number}-{round_}-{session.address.lower()}.json"


def _write_secret(path: Path, body: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(json.dumps(body) + "\n")


@zone_command(cli, "appeal", signs=True)
@with_options(case_argument, click.option("--bond", help="Bond in OKB; the least one if absent."))
def appeal(session: Session, case: str, bond: str | None) -> None:
    """Have all jurors vote again in CASE, once, as accuser or accused."""
    number, found, entry = _find(session, case)
    _require_phase(session, number, found, (APPEAL,), "appeal")
    if entry["isAppealed"]:
        raise ScriptError(f"case {number} was appealed already", f"ape run slash show {number}")
    court = _court(session)
    if session.address not in (entry["accuser"], entry["accused"]):
        raise ScriptError(f"{session.address} is neither accuser nor accused of case {number}")
    least = court.call("appealBondFor", found)
    value = to_wei(bond) if bond else least
    if value < least:
        raise ScriptError(f"a bond of {format_wei(value)} is too small; least {format_wei(least)}")
    verdict = court.call("verdictOf", found, 1)
    receipt = session.transact(
        f"appeal case {number}",
        court,
        "appeal",
        found,
        value=value,
        facts={
            "verdict so far": _verdict(verdict),
            "bond": f"{format_wei(value)}; it goes to the other party unless the share moves",
        },
    )
    session.result({"case": number, "bond": format_wei(value)}, receipt)


@zone_command(cli, "verdict", signs=True)
@case_argument
def verdict(session: Session, case: str) -> None:
    """Carry out the verdict of CASE. Anyone may, once its phase is ruling."""
    number, found, entry = _find(session, case)
    court = _court(session)
    _require_phase(session, number, found, (RULING,), "rule")
    due = court.call("nextCaseOf", entry["accused"])
    if due != found:
        first, _, _ = _find(session, "0x" + due.hex())
        raise ScriptError(
            f"case {first} against the same accused is ruled before case {number}",
            f"ape run slash verdict {first}",
        )
    receipt = session.transact(
        f"rule case {number}", court, "rule", found, facts=_expected(court, found, entry)
    )
    if receipt is None:
        session.result({"case": number} | _expected(court, found, entry))
        return
    ruled = receipt.events(SLASHING_COURT, "Ruled")[0]
    session.result(
        {
            "case": number,
            "taken": format_wei(ruled["taken"]),
            "reward of the accuser": format_wei(ruled["reward"]),
            "pool of the harmed": format_wei(ruled["pool"]),
        },
        receipt,
    )


def _expected(court: Deployed, case: bytes, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ruling will say."""
    if entry["isProof"]:
        return {"verdict": f"guilty by proof, {_percent(entry['asked'])}"}
    first = court.call("verdictOf", case, 1)
    second = court.call("verdictOf", case, 2) if entry["isAppealed"] else first
    return {"verdict": _verdict(second if second["isReached"] else first)}


# --- money -------------------------------------------------------------------------------------------


@zone_command(cli, "open", signs=True)
@with_options(case_argument, data_option)
def open_(session: Session, case: str, data: Path | None) -> None:
    """Open the pool of CASE for the harmed, with the newest final state. Anyone may."""
    number, found, entry = _find(session, case)
    court = _court(session)
    pool = _pool(court, number, found)
    if pool["total"]:
        raise ScriptError(f"the pool of case {number} is open", f"ape run slash claim {number}")
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    state = _replay(session, reader, data, court.call("chain"), None)
    words, siblings = state.prove_record("asset", entry["harm"])
    proof = {"slot": entry["harm"], "words": words, "siblings": siblings}
    receipt = session.transact(
        f"open the pool of case {number}",
        court,
        "openPool",
        found,
        proof,
        facts={"pool": format_wei(pool["amount"]), "state after batch": state.claim.batch},
    )
    session.result({"case": number, "pool": format_wei(pool["amount"])}, receipt)


@zone_command(cli, "compensate", signs=True)
@with_options(case_argument, data_option)
def compensate(session: Session, case: str, data: Path | None) -> None:
    """Give the pool of CASE to the ledger that lost, as far as the newest final state shows a loss. Anyone may.

    Coin is paid in at once; for another asset it is for sale then: `ape run perp lots`.
    """
    number, found, entry = _find(session, case)
    court = _court(session)
    pool = _pool(court, number, found)
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    state = _replay(session, reader, data, court.call("chain"), None)
    slot, deficit = _ledger(state, entry["venue"], entry["harm"])
    words, siblings = state.prove_record("ledger", slot)
    receipt = session.transact(
        f"compensate the ledger of venue {entry['venue']}",
        court,
        "compensate",
        found,
        {"slot": slot, "words": words, "siblings": siblings},
        facts={"pool": format_wei(pool["amount"]), "atoms lost": f"{deficit:,}"},
    )
    if receipt:
        made = receipt.events(SLASHING_COURT, "LedgerCompensated")[0]
        session.result(
            {
                "case": number,
                "given": format_wei(made["amount"]),
                "to the treasury": format_wei(made["rest"]),
            },
            receipt,
        )


def _ledger(state: FinalState, venue: int, asset: int) -> tuple[int, int]:
    """Return the slot of a venue's ledger, and the losses in it that nobody has covered."""
    from tradezone.protocol.records import TABLE_BY_NAME

    ledgers = state.engine.tables["ledger"]
    end = int(state.engine.tables["head"][TABLE_BY_NAME["ledger"].number]["high_water"])
    for slot in range(1, end):
        record = ledgers[slot]
        if (int(record["venue"]), int(record["asset"])) == (venue, asset):
            if not int(record["deficit"]):
                raise ScriptError(f"the newest final state shows no loss of venue {venue}")
            return slot, int(record["deficit"])
    raise ScriptError(
        f"venue {venue} has no ledger in asset {asset}",
        "the accusation has to name the asset that was lost: --harm",
    )


@zone_command(cli, "claim", signs=True)
@with_options(
    case_argument,
    click.option("--for", "owner", type=Address(), help="Another owner, instead of the account."),
    click.option("--everybody", is_flag=True, help="Claim for all of the harmed."),
    data_option,
)
def claim(
    session: Session, case: str, owner: str | None, everybody: bool, data: Path | None
) -> None:
    """Claim compensation from the pool of CASE for the account's harm; `collect` pays it out."""
    number, found, entry = _find(session, case)
    court = _court(session)
    pool = _pool(court, number, found)
    if not pool["total"]:
        raise ScriptError(f"the pool of case {number} is not open", f"ape run slash open {number}")
    whose = owner or session.address
    owner_id = 0 if everybody else session.at("owner_registry").call("idOf", whose)
    if not everybody and not owner_id:
        raise ScriptError(f"{whose} is no owner in this zone", "who deposits is one")
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    state = _replay(session, reader, data, court.call("chain"), pool["claim"])
    slots = [
        slot
        for slot in _harmed(state, entry["harm"], owner_id)
        if not court.call("isPaid", found, slot)
    ]
    if not slots:
        raise ScriptError(
            f"nothing is left to claim in case {number}",
            "who holds the claim asset in the pool's state is paid once",
        )
    proofs = []
    for slot in slots:
        words, siblings = state.prove_record("balance", slot)
        proofs.append({"slot": slot, "words": words, "siblings": siblings})
    receipt = session.transact(
        f"claim compensation in case {number} for {len(slots)} balances",
        court,
        "claimHarm",
        found,
        proofs,
        facts={"pool": format_wei(pool["amount"]), "atoms harmed": f"{pool['total']:,}"},
    )
    paid = receipt.events(SLASHING_COURT, "HarmPaid") if receipt else []
    session.result(
        {"case": number, "balances": len(slots), "owed": format_wei(sum(p["amount"] for p in paid))}
        if receipt
        else {"case": number, "balances": len(slots)},
        receipt,
    )


def _pool(court: Deployed, number: int, case: bytes) -> dict[str, Any]:
    pool: dict[str, Any] = court.call("poolOf", case)
    if not pool["amount"]:
        raise ScriptError(
            f"case {number} has no pool", "one is made by a verdict that names a claim asset"
        )
    if pool["isSwept"]:
        raise ScriptError(f"the time to claim from case {number} is over")
    return pool


def _replay(
    session: Session, reader: ChainReader, data: Path | None, chain: str, claim: bytes | None
) -> FinalState:
    if chain != session.deployment.address("chain"):
        raise ScriptError(f"the court believes the state chain at {chain}, not this zone's")
    wanted = [c for c in reader.claims() if c.id == claim] if claim else [reader.latest_final()]
    if not wanted or not wanted[0].batch:
        raise ScriptError("no claim on a batch is final yet", "ape run post finalize")
    session.echo("computing the state from the batches (the first use compiles the engine)")
    return FinalState.replay(reader, data, wanted[0])


def _harmed(state: FinalState, asset: int, owner: int) -> list[int]:
    """Return the balances of a claim asset that are not empty; of one owner, 0 = of all."""
    from tradezone.protocol.records import TABLE_BY_NAME

    balances = state.engine.tables["balance"]
    end = int(state.engine.tables["head"][TABLE_BY_NAME["balance"].number]["high_water"])
    return [
        slot
        for slot in range(1, end)
        if int(balances[slot]["asset"]) == asset
        and int(balances[slot]["state"]) == _ACTIVE
        and (not owner or int(balances[slot]["owner"]) == owner)
        and int(balances[slot]["free"]) + int(balances[slot]["locked"])
    ]


@zone_command(cli, "sweep", signs=True)
@case_argument
def sweep(session: Session, case: str) -> None:
    """Give what is left of the pool of CASE to the treasury, once its time is over. Anyone may."""
    number, found, _ = _find(session, case)
    court = _court(session)
    pool = _pool(court, number, found)
    left = pool["amount"] - pool["paid"]
    receipt = session.transact(
        f"sweep the pool of case {number}",
        court,
        "sweep",
        found,
        facts={"to the treasury": format_wei(left)},
    )
    session.result({"case": number, "to the treasury": format_wei(left)}, receipt)


@zone_command(cli, "collect", signs=True)
@click.argument("whom", metavar="[ACCOUNT]", type=Address(), required=False)
def collect(session: Session, whom: str | None) -> None:
    """Pay out what the court owes ACCOUNT, the signer if absent: bonds, rewards, compensation."""
    court, whose = _court(session), whom or session.address
    owed = court.call("owedTo", whose)
    if not owed:
        raise ScriptError(f"the court owes {whose} nothing")
    receipt = session.transact(
        f"pay {format_wei(owed)} to {whose}", court, "collect", whose, facts={}
    )
    session.result({"account": whose, "paid": format_wei(owed)}, receipt)
