"""Deploy the contracts of a zone."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Any

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._deployment import CONTRACTS, NOBODY, ZoneParams, deploy_zone, predict_address
from scripts._deployment import DeploymentError as ZoneError
from scripts._governance import GovernanceParams
from scripts._trust import TrustParams, deploy_trust, wired
from scripts._units import format_cost, format_seconds, format_wei
from tradezone.chain import Deployment

GAS = 42_000_000  # that all deployments of a zone take, about
TRUST_GAS = 76_000_000  # that governance and what stands beside the zone take besides
SECONDS = (
    "takeover_seconds",
    "open_seconds",
    "inbox_lag",
    "window_seconds",
    "silence_seconds",
    "stall_seconds",
    "closing_seconds",
    "judge_seconds",
    "verifier_unbonding_seconds",
    "unbonding_seconds",
    "case_seconds",
    "change_notice",
    "close_notice",
)
_LEAST_GUARDIANS = 7
_LEAST_COUNCIL = 9
WEI = ("registration_fee", "asset_bond", "asset_fee", "claim_bond", "verifier_bond", "venue_stake")


@click.group()
def cli() -> None:
    """Deploy a zone, and show what is deployed."""


@zone_command(cli, "zone", signs=True)
@with_options(
    click.option(
        "--sequencer", type=Address(), help="Key that commits batches; the deployer if absent."
    ),
    click.option(
        "--protocol-owner", type=Address(), help="Owner 1, paid the protocol's share of fees."
    ),
    click.option(
        "--preset",
        type=click.Choice(["production", "local"]),
        help="Parameters to begin with; local on development chains, else production.",
    ),
    click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a parameter, wei and seconds as whole numbers; may be repeated.",
    ),
    click.option(
        "--governed",
        is_flag=True,
        help="Deploy governance, court, slots, oracles and results too.",
    ),
    click.option(
        "--guardian", "guardians", type=Address(), multiple=True, help="Guardian; repeat for each."
    ),
    click.option(
        "--councillor", "council", type=Address(), multiple=True, help="Council; repeat for each."
    ),
    click.option(
        "--court",
        type=Address(),
        help="Contract that may slash in a zone that is not governed; nobody if absent.",
    ),
    click.option(
        "--resolver",
        type=Address(),
        help="Contract that resolves events in a zone that is not governed; none if absent.",
    ),
    click.option(
        "--auction",
        type=Address(),
        help="Contract that sells slots in a zone that is not governed; none if absent.",
    ),
    click.option("--force", is_flag=True, help="Replace a deployments file that is there already."),
)
def zone(
    session: Session,
    sequencer: str | None,
    protocol_owner: str | None,
    preset: str | None,
    changes: tuple[str, ...],
    governed: bool,
    guardians: tuple[str, ...],
    council: tuple[str, ...],
    court: str | None,
    resolver: str | None,
    auction: str | None,
    force: bool,
) -> None:
    """Deploy the contracts of a zone and write its deployments file.

    Nothing about a zone can be changed after this, but by its governance what governance can change. The
    deployer gets no right by deploying.
    """
    for name, asked in (("court", court), ("resolver", resolver), ("auction", auction)):
        if governed and asked:
            text = f"a governed zone is deployed with its {name}"
            raise ScriptError(text, f"leave --{name} away")
    if session.path.exists() and not force and _is_alive(session):
        raise ScriptError(
            f"{session.path.name} already records a zone on this chain",
            "name another file with --deployment, or replace it with --force",
        )
    session.echo("computing the genesis root (the first use compiles the engine, about a minute)")
    params = _build_params(session, sequencer, protocol_owner, preset, changes)
    trust = None
    if governed:
        boards = _build_boards(session, guardians, council)
        make = TrustParams.production if _is_production(session, preset) else TrustParams.local
        trust = wired(session.account, make(params, boards))
        params = trust.zone
    else:
        params = replace(
            params,
            court=court or NOBODY,
            resolver=resolver or NOBODY,
            auction=auction or NOBODY,
        )
    nonce = session.account.nonce
    chain = predict_address(session.address, nonce + list(CONTRACTS).index("chain"))
    price = int(session.rpc.request("eth_gasPrice"), 16)
    session.confirm(
        f"deploy a zone on {session.network_name} (chain {session.provider.chain_id})",
        _describe(params)
        | {
            "from": session.address,
            "state chain": chain,
            "governed": governed,
            "costs about": format_cost((GAS + (TRUST_GAS if governed else 0)) * price),
        },
    )
    if session.is_dry:
        session.echo("dry run: nothing was sent")
        session.result({"state_chain": chain, "parameters": _to_plain(params)})
        return
    block = session.rpc.head().number
    addresses = _deploy(session, params, trust)
    deployment = Deployment(
        session.network_name,
        session.provider.chain_id,
        block,
        addresses,
        _to_plain(params),
    )
    deployment.check(session.rpc)
    deployment.save(session.path)
    session.result({**addresses, "file": str(session.path)})


def _build_boards(
    session: Session, guardians: tuple[str, ...], council: tuple[str, ...]
) -> GovernanceParams:
    """Return parameters of governance; on a live network every member has to be named."""
    if not session.is_live:
        mine = (session.address,)
        return GovernanceParams.local(guardians or mine, council or mine)
    if len(guardians) < _LEAST_GUARDIANS or len(council) < _LEAST_COUNCIL:
        raise ScriptError(
            f"{len(guardians)} guardians and {len(council)} of the council were named,"
            f" {_LEAST_GUARDIANS} and {_LEAST_COUNCIL} are needed on {session.network_name}",
            "repeat --guardian ADDRESS and --councillor ADDRESS",
        )
    return GovernanceParams(
        guardians,
        council,
        guardian_threshold=len(guardians) // 3 + 1,
        council_threshold=len(council) // 2 + 1,
    )


def _is_production(session: Session, preset: str | None) -> bool:
    return preset == "production" or (preset is None and session.is_live)


def _deploy(session: Session, params: ZoneParams, trust: TrustParams | None) -> dict[str, str]:
    from ape import project
    from ape.exceptions import ApeException

    session.echo("compiling and deploying")
    try:
        if trust is None:
            return deploy_zone(session.account, project, params).addresses
        session.echo("deploying everything and handing it over, about fifty transactions")
        return deploy_trust(session.account, project, trust).addresses
    except ZoneError as error:
        raise ScriptError(
            str(error), "deploy again; what was deployed so far stays unused"
        ) from None
    except ApeException as error:
        raise ScriptError(
            f"a deployment failed: {error}", "see `ape run deploy zone -v DEBUG`"
        ) from None


def _is_alive(session: Session) -> bool:
    """Whether the zone in the deployments file is on this chain (a local chain may be a new one)."""
    found = Deployment.load(session.path)
    return found.chain_id == session.provider.chain_id and session.rpc.has_code(
        found.address("chain")
    )


def _build_params(
    session: Session,
    sequencer: str | None,
    protocol_owner: str | None,
    preset: str | None,
    changes: tuple[str, ...],
) -> ZoneParams:
    from tradezone.engine import Engine

    if session.is_live and preset == "local":
        text = (
            f"the preset local has short deadlines and small stakes, {session.network_name} is live"
        )
        raise ScriptError(text, "leave --preset away, or set parameters one by one")
    make = ZoneParams if _is_production(session, preset) else ZoneParams.local
    params = make(
        genesis_root=Engine().commit_root(),
        sequencer=sequencer or session.address,
        protocol_owner=protocol_owner or session.address,
    )
    return replace(params, **_parse_changes(changes))


def _parse_changes(changes: tuple[str, ...]) -> dict[str, int]:
    numbers = [f.name for f in fields(ZoneParams) if f.type in ("int", int)]
    parsed = {}
    for change in changes:
        name, sign, value = change.partition("=")
        if name not in numbers:
            text = f"no parameter {name!r} can be set; there are {', '.join(numbers)}"
            raise ScriptError(text, "for instance --set claim_stride=10")
        if not sign or not value.replace("_", "").isdigit():
            raise ScriptError(f"expected {name}=WHOLE NUMBER, was {change!r}")
        parsed[name] = int(value)
    return parsed


def _to_plain(params: ZoneParams) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in asdict(params).items():
        if isinstance(value, bytes):
            plain[name] = "0x" + value.hex()
        else:
            # Numbers of wei do not survive every JSON reader.
            plain[name] = str(value) if name in WEI else value
    return plain


def _describe(params: ZoneParams) -> dict[str, str]:
    described = {}
    for name, value in _to_plain(params).items():
        if name in WEI:
            described[name] = format_wei(int(value))
        elif name in SECONDS:
            described[name] = format_seconds(value)
        else:
            described[name] = str(value)
    return described


@zone_command(cli, "show")
@click.option("--contract", metavar="NAME", help="Print the address of one contract only.")
def show(session: Session, contract: str | None) -> None:
    """Show the zone of this network: its contracts and parameters."""
    deployment = session.deployment
    if contract:
        click.echo(deployment.address(contract))
        return
    if session.as_json:
        click.echo(json.dumps(deployment.to_json(), indent=2))
        return
    session.result(
        {"network": deployment.network, "chain id": deployment.chain_id, "block": deployment.block}
        | dict(deployment.contracts)
        | dict(deployment.parameters)
    )


@zone_command(cli, "token", signs=True)
@with_options(
    click.argument("symbol"),
    click.option("--decimals", type=click.IntRange(0, 36), default=6, show_default=True),
    click.option(
        "--mint",
        type=click.IntRange(min=0),
        default=10**6,
        show_default=True,
        help="Units for you.",
    ),
    click.option("--quiet", is_flag=True, help="Print the address only."),
)
def token(
    session: Session,
    symbol: str,
    decimals: int,
    mint: int,
    quiet: bool,
) -> None:
    """Deploy a token for testing that anyone can mint. Refused on live networks."""
    from ape import project

    if session.is_live:
        raise ScriptError(
            f"{session.network_name} is live", "test tokens are for development chains"
        )
    if session.is_dry:
        session.echo("dry run: nothing was sent")
        return
    deployed = session.account.deploy(project.TestToken, f"Test {symbol}", symbol, decimals)
    deployed.mint(session.address, mint * 10**decimals, sender=session.account)
    if quiet:
        click.echo(deployed.address)
        return
    session.result({"token": deployed.address, "symbol": symbol, "decimals": decimals})
