"""Take part in governance: read proposals, propose, vote, object, veto, queue, execute, pull the brake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from scripts._common import ScriptError, Session, with_options, zone_command
from scripts._proposing import (
    LIMITS,
    SHOWN_DIGITS,
    describe_call,
    describe_effect,
    governor_of,
    hash_text,
    parse_call,
    submit,
    time_of,
)
from scripts._units import format_ppm, format_seconds, format_time, format_wei
from tradezone.chain import ChainReader, FinalState, Receipt
from tradezone.chain._codec import to_checksum
from tradezone.chain.abi import CONTRACTS
from tradezone.chain.deployment import CLASSES
from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from tradezone.chain.rpc import Deployed

STATES: Final = (
    "pending",
    "active",
    "canceled",
    "defeated",
    "succeeded",
    "queued",
    "expired",
    "executed",
)
SUPPORT: Final = {"against": 0, "for": 1, "abstain": 2}
MEASURES: Final = ("none", "reduce-only", "cap", "settle")
"""Measures of the council by their numbers, from 0."""
CAP: Final = 2


@click.group()
def cli() -> None:
    """Govern: propose, vote, object, veto, queue, execute; boards: council and guardians."""


# --- proposals ---------------------------------------------------------------------------------------


class Proposal(NamedTuple):
    """A proposal as it was made. No dataclass: Ape loads a script without registering it as a module."""

    kind: str
    number: int
    proposer: str
    targets: list[str]
    values: list[int]
    calldatas: list[bytes]
    description: str
    made_at: int  # seconds

    @property
    def name(self) -> str:
        """The first digits of its number, by which people call it."""
        return f"{self.number:064x}"[:SHOWN_DIGITS]

    @property
    def hashed(self) -> tuple[list[str], list[int], list[bytes], bytes]:
        """What queue, execute and cancel take."""
        return (
            self.targets,
            self.values,
            self.calldatas,
            keccak(self.description.encode()),
        )


def _require_governed(session: Session) -> None:
    if not session.deployment.is_governed:
        raise ScriptError(
            f"the zone in {session.path.name} has no governance",
            "deploy one that has: ape run deploy zone --governed",
        )


def _load(session: Session, kind: str | None = None) -> list[Proposal]:
    """Return every proposal, oldest first in each class."""
    _require_governed(session)
    head = session.rpc.head().number
    return [
        Proposal(
            name,
            event["proposalId"],
            event["proposer"],
            event["targets"],
            event["values"],
            event["calldatas"],
            event["description"],
            event["voteStart"] - governor_of(session, name).call("votingDelay"),
        )
        for name in (CLASSES if kind is None else (kind,))
        for event in governor_of(session, name).events(
            "ProposalCreated", session.deployment.block, head
        )
    ]


def _find(session: Session, text: str) -> Proposal:
    """Return the proposal that begins with these digits, or the newest for ``latest``."""
    wanted = text.lower().removeprefix("0x")
    every = _load(session)
    if text == "latest" and every:
        return max(every, key=lambda proposal: proposal.made_at)
    found = [p for p in every if f"{p.number:064x}".startswith(wanted) or str(p.number) == text]
    if len(found) == 1:
        return found[0]
    if found:
        raise ScriptError(f"{len(found)} proposals begin with {text!r}", "give more digits")
    known = ", ".join(p.name for p in every) or "none"
    raise ScriptError(f"no proposal begins with {text!r}; there are: {known}")


def _state(session: Session, proposal: Proposal) -> str:
    return STATES[governor_of(session, proposal.kind).call("state", proposal.number)]


def _require_state(session: Session, proposal: Proposal, expected: str, hint: str) -> None:
    state = _state(session, proposal)
    if state != expected:
        raise ScriptError(f"proposal {proposal.name} is {state}, not {expected}", hint)


# --- reading -----------------------------------------------------------------------------------------


@zone_command(cli, "limits")
def limits(session: Session) -> None:
    """Show every limit: its value, its hard range, and how far one proposal can take it."""
    _require_governed(session)
    contract = session.at("limits")
    rows = []
    for number, name in enumerate(LIMITS, 1):
        found = contract.call("rangeOf", number)
        low, high = contract.call("reachOf", number)
        rows.append(
            {
                "limit": name,
                "value": contract.call("valueOf", number),
                "range": f"{found['min']} .. {found['max']}",
                "next step": f"{low} .. {high}",
            }
        )
    session.table(rows, "")


@zone_command(cli, "list")
@with_options(
    click.option("--class", "kind", type=click.Choice(CLASSES), help="Only one class."),
    click.option("--open", "only_open", is_flag=True, help="Only what can still happen."),
)
def list_(session: Session, kind: str | None, only_open: bool) -> None:
    """List proposals with their states and what comes next."""
    rows = []
    for proposal in _load(session, kind):
        state = _state(session, proposal)
        if only_open and state in ("canceled", "defeated", "expired", "executed"):
            continue
        rows.append(
            {
                "proposal": proposal.name,
                "class": proposal.kind,
                "state": state,
                "next": _next(session, proposal, state),
                "description": proposal.description,
            }
        )
    session.table(rows, "no proposals")


def _next(session: Session, proposal: Proposal, state: str) -> str:
    """Return what happens next, and when."""
    governor, now = governor_of(session, proposal.kind), time_of(session)
    if state == "pending":
        start = governor.call("proposalSnapshot", proposal.number)
        return f"the vote begins in {format_seconds(max(start - now, 0))}"
    if state == "active":
        end = governor.call("proposalDeadline", proposal.number)
        return f"the vote ends in {format_seconds(max(end - now, 0))}"
    if state in ("succeeded", "queued"):
        expiry = governor.call("expiryOf", proposal.number)
        if state == "succeeded":
            return f"queue it within {format_seconds(expiry - now)}"
        ready, _ = governor.call("readyOf", proposal.number)
        if ready > now:
            return f"ready in {format_seconds(ready - now)}"
        return f"execute it within {format_seconds(expiry - now)}"
    return ""


@zone_command(cli, "show")
@click.argument("proposal")
def show(session: Session, proposal: str) -> None:
    """Show PROPOSAL (the first digits of its number): calls, votes, quorum, time left, veto."""
    found = _find(session, proposal)
    session.result(_describe(session, found))


def _describe(session: Session, proposal: Proposal) -> dict[str, Any]:
    governor, number = governor_of(session, proposal.kind), proposal.number
    state = _state(session, proposal)
    snapshot = governor.call("proposalSnapshot", number)
    fields: dict[str, Any] = {
        "proposal": f"{number:064x}",
        "class": proposal.kind,
        "description": proposal.description,
        "proposer": proposal.proposer,
        "state": state,
        "next": _next(session, proposal, state),
        "snapshot": format_time(snapshot),
        "calls": [
            describe_call(session, target, data)
            for target, data in zip(proposal.targets, proposal.calldatas, strict=True)
        ],
    }
    against, in_favour, abstain = governor.call("proposalVotes", number)
    fields |= {
        "for": format_wei(in_favour),
        "against": format_wei(against),
        "abstain": format_wei(abstain),
    }
    if snapshot < time_of(session):  # a veto may come before the vote
        needed = governor.call("objectionNeeded", number)
        is_objected = governor.call("isObjected", number)
        age = session.at("limits").call("valueAt", LIMITS.index("VOTE_AGE") + 1, snapshot)
        staked = session.at("staking").call("agedTotal", snapshot, age)
        if needed and not is_objected and staked >= governor.call("config")["quorumFloor"]:
            fields["passes unless"] = f"{format_wei(needed)} object"
        else:
            quorum = governor.call("quorum", snapshot)
            fields["quorum"] = f"{format_wei(in_favour + abstain)} of {format_wei(quorum)}"
            fields["majority"] = f"more than {format_ppm(governor.call('config')['majorityPpm'])}"
    ready, block = governor.call("readyOf", number)
    if ready:
        fields["ready"] = f"{format_time(ready)} and block {block}"
    if _has_chamber(governor):
        fields["veto"] = _describe_veto(session, governor, number)
    return fields


def _has_chamber(governor: Deployed) -> bool:
    return bool(int(governor.call("config")["chamber"], 16))


def _describe_veto(session: Session, governor: Deployed, number: int) -> str:
    chamber = session.at("chamber")
    ballot = chamber.call("ballotOf", governor.address, number)
    if ballot["provedAssets"] < ballot["assets"]:
        return f"{ballot['provedAssets']} of {ballot['assets']} assets proved"
    share = chamber.call("sharePpm", governor.address, number)
    is_defeated, delay = chamber.call("verdictOn", governor.address, number)
    effect = "defeated" if is_defeated else f"delays by {format_seconds(delay)}"
    return f"{format_ppm(share)} of all collateral: {effect}"


# --- proposing and voting ----------------------------------------------------------------------------


@zone_command(cli, "propose", signs=True)
@with_options(
    click.argument("kind", metavar="CLASS", type=click.Choice(CLASSES)),
    click.option(
        "--call",
        "calls",
        multiple=True,
        required=True,
        metavar="'CONTRACT.FUNCTION ARGUMENTS'",
        help="For instance 'limits.set MAX_LEVERAGE 25'; may be repeated.",
    ),
    click.option("--because", "description", required=True, help="What voters will read."),
)
def propose(session: Session, kind: str, calls: tuple[str, ...], description: str) -> None:
    """Propose calls to be decided by CLASS."""
    _require_governed(session)
    submit(session, kind, [parse_call(session, text) for text in calls], description)


@zone_command(cli, "vote", signs=True)
@with_options(
    click.argument("proposal"),
    click.argument("support", type=click.Choice(list(SUPPORT))),
    click.option("--reason", default="", help="Published with the vote."),
)
def vote(session: Session, proposal: str, support: str, reason: str) -> None:
    """Vote for or against PROPOSAL, or abstain, with the aged votes of its snapshot."""
    _cast(session, _find(session, proposal), support, reason)


@zone_command(cli, "object", signs=True)
@with_options(
    click.argument("proposal"),
    click.option("--reason", default="", help="Published with the objection."),
)
def object_(session: Session, proposal: str, reason: str) -> None:
    """Object to a PROPOSAL of class parameter; enough objections make a vote of it."""
    found = _find(session, proposal)
    if found.kind != "parameter":
        raise ScriptError(
            f"proposal {found.name} is of class {found.kind}, which always votes",
            f"ape run govern vote {found.name} against",
        )
    _cast(session, found, "against", reason)


def _cast(session: Session, proposal: Proposal, support: str, reason: str) -> None:
    governor = governor_of(session, proposal.kind)
    _require_state(session, proposal, "active", f"ape run govern show {proposal.name}")
    snapshot = governor.call("proposalSnapshot", proposal.number)
    weight = governor.call("getVotes", session.address, snapshot)
    if not weight:
        raise ScriptError(
            f"{session.address} had no aged votes at the snapshot, {format_time(snapshot)}",
            "stake counts once it is older than the vote age, or is delegated to somebody",
        )
    receipt = session.transact(
        f"vote {support} on {proposal.name}: {proposal.description}",
        governor,
        "castVoteWithReason",
        proposal.number,
        SUPPORT[support],
        reason,
        facts={"with": format_wei(weight)},
    )
    session.result(
        {"proposal": proposal.name, "vote": support, "weight": format_wei(weight)}
        | ({"now": _describe(session, proposal)["next"]} if receipt else {}),
        receipt,
    )


# --- depositors --------------------------------------------------------------------------------------


@zone_command(cli, "veto", signs=True)
@with_options(
    click.argument("proposal"),
    click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with the published batch files; without it they are taken from L1.",
    ),
)
def veto(session: Session, proposal: str, data: Path | None) -> None:
    """Veto PROPOSAL with what the account has in the vault, as the ballot's final state shows it."""
    found = _find(session, proposal)
    governor, chamber = governor_of(session, found.kind), session.at("chamber")
    if not _has_chamber(governor):
        raise ScriptError(f"depositors have no say on proposals of class {found.kind}")
    owner = session.at("owner_registry").call("idOf", session.address)
    if not owner:
        raise ScriptError(f"{session.address} is no owner in this zone", "who deposits is one")
    ballot = chamber.call("ballotOf", governor.address, found.number)
    state = _replay_to(session, ballot["claim"], data)
    weights = {
        asset: chamber.call("weightAt", asset, ballot["weighedAt"])
        for asset in chamber.call("assetsOf")
    }
    ballot_of = (governor.address, found.number)
    assets = [
        _proof("asset", asset, state.prove_record("asset", asset))
        for asset, weight in weights.items()
        if weight and not chamber.call("isProved", *ballot_of, asset)
    ]
    slots = [
        slot
        for slot in _balances_of(state, owner)
        if weights.get(int(state.engine.tables["balance"][slot]["asset"]))
        and not chamber.call("hasVetoed", *ballot_of, slot)
    ]
    if not slots:
        raise ScriptError(
            f"{session.address} has no balance with a weight in the state after batch"
            f" {state.claim.batch} that has not vetoed yet",
            "only what was there before the proposal counts",
        )
    if assets:
        session.transact(
            f"prove the totals of {len(assets)} assets", chamber, "proveAssets", *ballot_of, assets
        )
    proofs = [_proof("slot", slot, state.prove_record("balance", slot)) for slot in slots]
    receipt = session.transact(
        f"veto {found.name} with {len(slots)} balances: {found.description}",
        chamber,
        "veto",
        *ballot_of,
        proofs,
    )
    session.result(
        {"proposal": found.name, "balances": len(slots)}
        | ({"veto": _describe_veto(session, governor, found.number)} if receipt else {}),
        receipt,
    )


def _proof(key: str, number: int, proof: tuple[list[bytes], list[bytes]]) -> dict[str, Any]:
    words, siblings = proof
    return {key: number, "words": words, "siblings": siblings}


def _replay_to(session: Session, claim: bytes, data: Path | None) -> FinalState:
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    wanted = [c for c in reader.claims() if c.id == claim]
    if not wanted:
        raise ScriptError(
            "the ballot pins the state before the first batch, in which nobody has anything"
        )
    session.echo("computing the state from the batches (the first use compiles the engine)")
    return FinalState.replay(reader, data, wanted[0])


def _balances_of(state: FinalState, owner: int) -> list[int]:
    """Return the slots of an owner's balances that are in use."""
    balances = state.engine.tables["balance"]
    from tradezone.protocol.records import TABLE_BY_NAME

    end = int(state.engine.tables["head"][TABLE_BY_NAME["balance"].number]["high_water"])
    return [
        slot
        for slot in range(1, end)
        if int(balances[slot]["owner"]) == owner and int(balances[slot]["state"]) == 1
    ]


# --- from a vote to its effect -----------------------------------------------------------------------


@zone_command(cli, "queue", signs=True)
@click.argument("proposal")
def queue(session: Session, proposal: str) -> None:
    """Queue a PROPOSAL that passed. Anyone may; its delay begins."""
    found = _find(session, proposal)
    _require_state(session, found, "succeeded", f"ape run govern show {found.name}")
    governor = governor_of(session, found.kind)
    delay = session.at(f"{found.kind}_timelock").call("getMinDelay")
    receipt = session.transact(
        f"queue {found.name}: {found.description}",
        governor,
        "queue",
        *found.hashed,
        facts={"waits": format_seconds(delay)},
    )
    session.result(
        {"proposal": found.name}
        | ({"next": _next(session, found, "queued")} if receipt else {"waits": str(delay)}),
        receipt,
    )


@zone_command(cli, "execute", signs=True)
@click.argument("proposal")
def execute(session: Session, proposal: str) -> None:
    """Execute a PROPOSAL whose delay is over. Anyone may."""
    found = _find(session, proposal)
    _require_state(session, found, "queued", f"ape run govern show {found.name}")
    receipt = session.transact(
        f"execute {found.name}: {found.description}",
        governor_of(session, found.kind),
        "execute",
        *found.hashed,
        facts={
            f"effect {i}": (
                f"{describe_call(session, target, data)}:"
                f" {describe_effect(session, found.kind, target, data)}"
            )
            for i, (target, data) in enumerate(zip(found.targets, found.calldatas, strict=True), 1)
        },
    )
    session.result({"proposal": found.name, "state": _state(session, found)}, receipt)


@zone_command(cli, "cancel", signs=True)
@click.argument("proposal")
def cancel(session: Session, proposal: str) -> None:
    """Cancel a PROPOSAL of the account that is still pending."""
    found = _find(session, proposal)
    receipt = session.transact(
        f"cancel {found.name}: {found.description}",
        governor_of(session, found.kind),
        "cancel",
        *found.hashed,
    )
    session.result({"proposal": found.name, "state": _state(session, found)}, receipt)


# --- the council -------------------------------------------------------------------------------------


@zone_command(cli, "council")
@click.option("--market", type=click.IntRange(min=1), help="A market's measure, by its slot.")
def council(session: Session, market: int | None) -> None:
    """Show the council; with --market, what is in force on a market."""
    _require_governed(session)
    contract = session.at("council")
    if market:
        session.result(_describe_measure(contract, market))
        return
    session.result(
        {
            "members": [to_checksum(bytes.fromhex(m[2:])) for m in contract.call("membersOf")],
            "declares with": contract.call("threshold"),
            "cancels with": contract.call("cancelThreshold"),
            "notice": format_seconds(contract.call("NOTICE_SECONDS")),
            "a measure lasts": format_seconds(contract.call("MEASURE_SECONDS")),
            "objections that end it": format_ppm(contract.call("OBJECTION_PPM")),
        }
    )


def _describe_measure(contract: Deployed, market: int) -> dict[str, Any]:
    found = contract.call("emergencyOf", market)
    measure, value = contract.call("inForce", market)
    fields: dict[str, Any] = {"market": market, "in force": MEASURES[measure]}
    if measure == CAP:
        fields["cap"] = f"{value:,} reference units"
    if found["measure"]:
        is_open = found["endsAt"] == 2**64 - 1
        fields |= {
            "declared": f"{MEASURES[found['measure']]}, {format_time(found['declaredAt'])}",
            "from": format_time(found["startsAt"]),
            "until": "it is settled" if is_open else format_time(found["endsAt"]),
            "objections": format_wei(found["objections"]),
            "reason": "0x" + found["reason"].hex(),
        }
    return fields


def _council(session: Session) -> Deployed:
    """Return the council, of which the account has to be a member."""
    _require_governed(session)
    contract = session.at("council")
    if not contract.call("isMember", session.address):
        raise ScriptError(f"{session.address} is not of the council", "see: ape run govern council")
    return contract


@zone_command(cli, "declare", signs=True)
@with_options(
    click.argument("market", type=click.IntRange(min=1)),
    click.argument("measure", type=click.Choice(["reduce-only", "cap", "settle"])),
    click.option("--value", type=click.IntRange(min=1), help="Of a cap, reference units."),
    click.option("--reason", required=True, help="Published; members must give the same."),
)
def declare(session: Session, market: int, measure: str, value: int | None, reason: str) -> None:
    """As one of the council, support a MEASURE on MARKET (its slot): reduce-only, cap, settle."""
    contract = _council(session)
    if (measure == "cap") != (value is not None):
        raise ScriptError("a cap needs --value, in reference units; the other measures take none")
    receipt = session.transact(
        f"support {measure} on market {market}: {reason}",
        contract,
        "declare",
        market,
        MEASURES.index(measure),
        value or 0,
        hash_text(reason),
        facts={
            "takes": f"{contract.call('threshold')} of the council",
            "in force after": format_seconds(contract.call("NOTICE_SECONDS")),
        },
    )
    _show_support(session, contract, market, receipt)


@zone_command(cli, "lift", signs=True)
@with_options(
    click.argument("market", type=click.IntRange(min=1)),
    click.option("--reason", required=True, help="Published; members must give the same."),
)
def lift(session: Session, market: int, reason: str) -> None:
    """As one of the council, support ending the measure on MARKET early."""
    contract = _council(session)
    receipt = session.transact(
        f"support lifting the measure on market {market}: {reason}",
        contract,
        "lift",
        market,
        hash_text(reason),
        facts={"takes": f"{contract.call('threshold')} of the council"},
    )
    _show_support(session, contract, market, receipt)


def _show_support(
    session: Session, contract: Deployed, market: int, receipt: Receipt | None
) -> None:
    supported = receipt.events(CONTRACTS["EmergencyCouncil"], "Supported") if receipt else []
    fields = {"supporters": supported[0]["supporters"]} if supported else {}
    session.result(fields | _describe_measure(contract, market), receipt)


@zone_command(cli, "protest", signs=True)
@click.argument("market", type=click.IntRange(min=1))
def protest(session: Session, market: int) -> None:
    """Object to the council's measure on MARKET with the account's aged votes."""
    _require_governed(session)
    contract = session.at("council")
    receipt = session.transact(
        f"object to the measure on market {market}",
        contract,
        "object",
        market,
        facts={"ends it": f"{format_ppm(contract.call('OBJECTION_PPM'))} of aged stake"},
    )
    session.result(_describe_measure(contract, market), receipt)


@zone_command(cli, "strike", signs=True)
@with_options(
    click.argument("proposal"),
    click.option("--reason", required=True, help="Published; members must give the same."),
)
def strike(session: Session, proposal: str, reason: str) -> None:
    """As one of the council, support cancelling PROPOSAL, of class parameter or ordinary."""
    contract = _council(session)
    found = _find(session, proposal)
    if found.kind not in ("parameter", "ordinary"):
        raise ScriptError(f"nobody cancels proposals of class {found.kind}")
    receipt = session.transact(
        f"support cancelling {found.name}: {found.description}",
        contract,
        "cancelProposal",
        session.deployment.address(f"{found.kind}_governor"),
        *found.hashed,
        reason,
        facts={"takes": f"{contract.call('cancelThreshold')} of the council", "reason": reason},
    )
    session.result({"proposal": found.name, "state": _state(session, found)}, receipt)


# --- the brake ---------------------------------------------------------------------------------------


@zone_command(cli, "brake", signs=True)
@with_options(
    click.argument("action", type=click.Choice(["show", "pull", "release"])),
    click.option("--reason", help="Published reason; guardians must give the same."),
)
def brake(session: Session, action: str, reason: str | None) -> None:
    """Show the brake; as a guardian, support closing the door (pull) or opening it early (release)."""
    _require_governed(session)
    contract = session.at("brake")
    if action == "show":
        session.result(_describe_brake(session, contract))
        return
    if not reason:
        raise ScriptError("expected --reason", "its hash goes on chain, the text is for people")
    if not contract.call("isMember", session.address):
        members = ", ".join(contract.call("membersOf"))
        raise ScriptError(f"{session.address} is no guardian", f"guardians are: {members}")
    receipt = session.transact(
        f"support to {action} the brake: {reason}",
        contract,
        action,
        hash_text(reason),
        facts={"takes": f"{contract.call('threshold')} guardians"},
    )
    fields = _describe_brake(session, contract)
    if receipt:
        supported = receipt.events(CONTRACTS["GuardianBrake"], "Supported")
        fields = {"supporters": supported[0]["supporters"]} | fields
    session.result(fields, receipt)


def _describe_brake(session: Session, contract: Deployed) -> dict[str, Any]:
    is_closed = contract.call("isClosed")
    until = contract.call("closedUntil")
    return {
        "door": f"closed until {format_time(until)}" if is_closed else "open",
        "armed": contract.call("isArmed"),
        "threshold": contract.call("threshold"),
        "guardians": [to_checksum(bytes.fromhex(m[2:])) for m in contract.call("membersOf")],
        "zone asks it": session.at("vault").call("brake") == contract.address,
    }
