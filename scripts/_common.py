"""What the scripts share: the zone they work on, confirmation, dry runs, output, errors.

A command gets a `Session`: a node (through Ape's provider), the deployment of its network, and the
account that signs. Contracts are called by the ABIs of `tradezone.chain.abi`, so only ``deploy`` needs
the compilers.
"""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from ape.cli import ConnectedProviderCommand, account_option

from scripts._units import Quantity, UnitError, format_cost, format_wei
from tradezone.chain import (
    AbiError,
    ChainError,
    Deployment,
    DeploymentError,
    Receipt,
    RevertedError,
    Rpc,
    RpcUnreachableError,
)
from tradezone.chain._codec import to_address_bytes, to_bytes, to_checksum
from tradezone.chain.abi import ERC20
from tradezone.chain.deployment import FOLDER, to_file_name
from tradezone.chain.rpc import Deployed, decode_revert, fetch_receipt
from tradezone.client import Asset
from tradezone.protocol.enums import ASSET_SIMULATED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEV_CHAINS: Final = (1337, 31337)  # what anvil and its kin give themselves
NATIVE: Final = "OKB"
_CHECKPOINTS: Final = 75_000  # gas that three new ones cost more than three overwritten ones


class ScriptError(ChainError):
    """A command cannot be done; the text and hint say why and what to do."""


# --- Ape's node and accounts -------------------------------------------------------------------------


def connect(provider: Any) -> Rpc:
    """Return the node that Ape is connected to."""

    def transport(body: bytes) -> bytes:
        request = json.loads(body)
        try:
            answer = provider.web3.provider.make_request(request["method"], request["params"])
        except Exception as error:  # noqa: BLE001 - web3 raises what its transport raises
            text = f"{provider.name} does not answer {request['method']}: {error}"
            raise RpcUnreachableError(text, "check that the node is running") from None
        return json.dumps(dict(answer), default=_to_plain).encode()

    name = getattr(provider, "connection_str", None) or provider.name
    return Rpc(str(name), transport=transport)


def _to_plain(value: Any) -> Any:
    return "0x" + bytes(value).hex() if isinstance(value, bytes) else dict(value)


class ApeSender:
    """Signs with an Ape account.

    Parameters
    ----------
    account : AccountAPI
        who signs and pays
    provider : ProviderAPI
        where it is sent
    rpc : Rpc
        the same node
    """

    def __init__(self, account: Any, provider: Any, rpc: Rpc) -> None:
        self._account = account
        self._provider = provider
        self._rpc = rpc

    @property
    def address(self) -> str:
        """Address of the account."""
        return str(self._account.address)

    def send(self, to: str, data: bytes, value: int = 0) -> Receipt:
        """Sign a transaction and wait until it is mined."""
        from ape.exceptions import ApeException, ContractLogicError

        transaction = self._provider.network.ecosystem.create_transaction(
            sender=self.address,
            receiver=to,
            data=data,
            value=value,
            gas_limit=self._gas(to, data, value),
        )
        try:
            sent = self._account.call(transaction)
        except ContractLogicError as error:
            raise decode_revert(_find_data(error), str(error)) from None
        except ApeException as error:
            raise ChainError(f"{self.address} could not send: {error}") from None
        receipt = fetch_receipt(self._rpc, sent.txn_hash)
        if receipt is None:
            raise ChainError(f"{sent.txn_hash} has no receipt")
        return receipt

    def _gas(self, to: str, data: bytes, value: int) -> int:
        call = {"from": self.address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        estimate = int(self._rpc.request("eth_estimateGas", call), 16)
        # In the second of the last block, checkpoints overwrite each other; a second later each is a new one.
        return estimate * 5 // 4 + _CHECKPOINTS


def _find_data(error: Any) -> bytes:
    for value in (getattr(error, "revert_message", ""), getattr(error, "message", "")):
        try:
            return to_bytes(value)
        except AbiError:
            continue
    return b""


# --- the session -------------------------------------------------------------------------------------


@dataclass
class Session:
    """What a command works with."""

    provider: Any
    network: Any
    rpc: Rpc
    path: Path  # of the deployments file
    account: Any = None
    as_json: bool = False
    is_dry: bool = False
    is_confirmed: bool = False
    _deployment: Deployment | None = None

    @property
    def is_live(self) -> bool:
        """Whether what is done here costs real money or cannot be undone."""
        return not (self.network.is_dev or self.provider.chain_id in DEV_CHAINS)

    @property
    def network_name(self) -> str:
        """Name of the network for people and files."""
        return get_network_name(self.network, self.provider.chain_id)

    @property
    def deployment(self) -> Deployment:
        """The zone, compared with the chain when it is first asked for."""
        if self._deployment is None:
            found = Deployment.load(self.path)
            found.check(self.rpc)
            self._deployment = found
        return self._deployment

    @property
    def sender(self) -> ApeSender:
        """The account that signs."""
        return ApeSender(self.account, self.provider, self.rpc)

    @property
    def address(self) -> str:
        """Address of the account that signs."""
        return str(self.account.address)

    def at(self, name: str) -> Deployed:
        """Return a contract of the zone."""
        return self.deployment.at(self.rpc, name)

    # --- transactions ------------------------------------------------------------------------------

    def confirm(self, action: str, facts: Mapping[str, object]) -> None:
        """Show what is about to be done; ask, where it costs real money."""
        if not self.as_json:
            self.echo(action)
            print_fields(facts, indent="  ")
        if self.is_live and not self.is_confirmed and not self.is_dry:
            if self.as_json or not sys.stdin.isatty():
                raise ScriptError(
                    f"{action} on {self.network_name} needs a confirmation", "give --yes to go on"
                )
            click.confirm(f"go on, on {self.network_name}?", abort=True)

    def transact(
        self,
        action: str,
        contract: Deployed,
        name: str,
        *arguments: Any,
        value: int = 0,
        facts: Mapping[str, object] | None = None,
    ) -> Receipt | None:
        """Simulate, show, confirm and send a transaction; None on a dry run.

        Parameters
        ----------
        action : str
            what it does, for people
        contract, name, arguments, value
            the call
        facts : mapping, optional
            more to show before it is sent
        """
        data = contract.contract.functions[name].encode(*arguments)
        self.check_funds(value)
        contract.simulate(self.address, name, data, value)
        cost = self.estimate(contract.address, data, value)
        shown = dict(facts or {}) | {"from": self.address}
        if value:
            shown["sends"] = format_wei(value)
        shown["costs about"] = format_cost(cost)
        self.confirm(action, shown)
        self.check_funds(value + cost)
        if self.is_dry:
            if not self.as_json:
                self.echo("dry run: it would pass; nothing was sent")
            return None
        return contract.transact(self.sender, name, *arguments, value=value)

    def check_funds(self, need: int) -> None:
        """Make sure that the account has so much coin, wei."""
        have = self.rpc.balance(self.address)
        if have < need:
            raise ScriptError(
                f"{self.address} has {format_wei(have)}, {format_wei(need)} are needed",
                "fund the account, or sign with another one: --account",
            )

    def estimate(self, to: str, data: bytes, value: int = 0) -> int:
        """Return about what a transaction's gas costs, wei."""
        call = {"from": self.address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        gas = int(self.rpc.request("eth_estimateGas", call), 16)
        return gas * int(self.rpc.request("eth_gasPrice"), 16)

    # --- output ------------------------------------------------------------------------------------

    def echo(self, text: str) -> None:
        """Print a line for people; nothing where JSON is asked for."""
        if not self.as_json:
            click.echo(text)

    def result(self, body: Mapping[str, Any], receipt: Receipt | None = None) -> None:
        """Print what came out, as fields or as JSON."""
        shown = dict(body)
        if receipt:
            shown |= {"transaction": receipt.transaction, "gas": receipt.gas_used}
        if self.as_json:
            body = {"dry_run": True} | shown if self.is_dry else shown
            click.echo(json.dumps(_to_json(body), indent=2))
        elif not self.is_dry:
            print_fields(shown)

    def table(self, rows: Sequence[Mapping[str, object]], empty: str) -> None:
        """Print rows, as a table or as JSON."""
        if self.as_json:
            click.echo(json.dumps(_to_json(rows), indent=2))
        elif rows:
            print_table(rows)
        else:
            click.echo(empty)

    # --- assets and owners ---------------------------------------------------------------------------

    def assets(self) -> dict[int, tuple[Asset, dict[str, Any]]]:
        """Return every asset of the zone by id: what a client knows of it, and its terms."""
        registry = self.at("asset_registry")
        found = {}
        for number in range(1, registry.call("count") + 1):
            terms = registry.call("assetOf", number)
            found[number] = (Asset(number, self._symbol(number, terms), terms["decimals"]), terms)
        return found

    def _symbol(self, number: int, terms: Mapping[str, Any]) -> str:
        if terms["kind"] == 1:
            return NATIVE
        if terms["kind"] == ASSET_SIMULATED:
            return str(self.at("asset_registry").call("symbolOf", number))
        try:
            return str(self.rpc.at(ERC20, terms["token"]).call("symbol"))
        except ChainError:
            return str(terms["token"])

    def find_asset(self, text: str) -> tuple[Asset, dict[str, Any]]:
        """Return the asset that a person means by an id, a symbol or a token's address."""
        assets = self.assets()
        found = [
            entry
            for number, entry in assets.items()
            if text in (str(number), f"#{number}")
            or entry[0].symbol.lower() == text.lower()
            or entry[1]["token"].lower() == text.lower()
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"{a.id} (quantum {t['quantum']})" for a, t in found)
            raise ScriptError(f"{text!r} is several assets: {names}", "name one by its id")
        known = ", ".join(f"{a.id} {a.symbol}" for a, _ in assets.values())
        raise ScriptError(
            f"no asset {text!r} in this zone; there are: {known}",
            "register a token first: ape run asset register TOKEN",
        )


def get_network_name(network: Any, chain_id: int) -> str:
    """Return the name under which a network's deployment is kept."""
    if chain_id in DEV_CHAINS:
        return "local"
    if network.is_adhoc or network.name == "custom":
        return f"chain-{chain_id}"
    return f"{network.ecosystem.name}:{network.name}"


def find_deployment(network: Any, chain_id: int, folder: Path | None = None) -> Path:
    """Return the deployments file of a network.

    A fork reads the file of what it forks, unless something was deployed on it. A node that was given by
    its address alone is known by its chain id.
    """
    folder = folder or Path.cwd() / FOLDER
    name = get_network_name(network, chain_id)
    path = folder / to_file_name(name)
    if path.exists():
        return path
    if network.is_fork:
        upstream = folder / to_file_name(name.removesuffix("-fork"))
        if upstream.exists():
            return upstream
    if name.startswith("chain-"):
        same = [p for p in sorted(folder.glob("*.json")) if _chain_of(p) == chain_id]
        if len(same) == 1:
            return same[0]
    return path


def _chain_of(path: Path) -> int | None:
    try:
        return Deployment.load(path).chain_id
    except DeploymentError:
        return None


# --- commands ----------------------------------------------------------------------------------------


class ZoneCommand(ConnectedProviderCommand):
    """A command on a network, without Ape's own reports: they would stand in the output, JSON too."""

    def invoke(self, context: click.Context) -> Any:
        """Connect and run; what Ape reports is shown with ``-v DEBUG``."""
        from ape.logging import LogLevel, logger

        if logger.level >= LogLevel.INFO:
            # For good: Ape also reports when it stops a node, at the very end.
            logger.set_level(LogLevel.WARNING)
        return super().invoke(context)


def zone_command(group: click.Group, name: str, *, signs: bool = False) -> Callable[..., Any]:
    """Make a function the command ``name`` of a group, with the options that all have in common.

    The function is handed a `Session` first, then its own parameters.

    Parameters
    ----------
    group : click.Group
        where it belongs
    name : str
        its name
    signs : bool
        it sends transactions: ``--account``, ``--yes`` and ``--dry-run`` are added
    """

    def decorate(work: Callable[..., None]) -> click.Command:
        def run(provider: Any, network: Any, **options: Any) -> None:
            named = options.pop("deployment_path")
            session = Session(
                provider=provider,
                network=network,
                rpc=connect(provider),
                path=named or find_deployment(network, provider.chain_id),
                account=options.pop("account") if signs else None,
                as_json=options.pop("as_json"),
                is_dry=options.pop("is_dry", False),
                is_confirmed=options.pop("is_confirmed", False),
            )
            run_guarded(lambda: work(session, **options), as_json=session.as_json)

        run.__doc__ = work.__doc__
        # Ape looks at the signature for what to inject; the command's own options come as keywords.
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined] - functions take attributes
            [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in ("provider", "network")]
        )
        command: Any = run
        command.__click_params__ = getattr(work, "__click_params__", [])
        if signs:
            command = click.option(
                "--dry-run",
                "is_dry",
                is_flag=True,
                help="Simulate and show the cost; send nothing.",
            )(command)
            command = click.option(
                "-y", "--yes", "is_confirmed", is_flag=True, help="Do not ask on live networks."
            )(command)
            command = account_option()(command)
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
        command = click.option(
            "--deployment",
            "deployment_path",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="TRADEZONE_DEPLOYMENT",
            help="Deployments file; that of the network if absent.",
        )(command)
        return group.command(name, cls=ZoneCommand)(command)

    return decorate


def run_guarded(work: Callable[[], None], *, as_json: bool = False) -> None:
    """Run, and turn errors that have an explanation into a line and exit status 1."""
    from tradezone.client import ClientError

    try:
        work()
    except ChainError as error:
        text, hint = error.text, error.hint
        if isinstance(error, RevertedError) and error.name:
            text = f"the contract refuses: {error.text.removeprefix('reverted with ')}"
    except (UnitError, ClientError) as error:
        text, hint = str(error), ""
    else:
        return
    if as_json:
        click.echo(json.dumps({"ok": False, "error": text, "hint": hint}))
    else:
        click.echo(click.style("error: ", fg="red", bold=True) + text, err=True)
        if hint:
            click.echo(f"hint:  {hint}", err=True)
    sys.exit(1)


class Address(click.ParamType):
    """An address, or an Ape account's alias."""

    name = "address"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        """Return the address in EIP-55 form."""
        text = str(value)
        if not text.startswith("0x"):
            from ape import accounts

            if text.startswith("TEST::"):
                return str(accounts.test_accounts[int(text.removeprefix("TEST::"))].address)
            if text in accounts.aliases:
                return str(accounts.load(text).address)
        try:
            return to_checksum(to_address_bytes(text))
        except AbiError as error:
            self.fail(f"{error}; or an alias of `ape accounts list`", parameter, context)


def _to_json(value: Any) -> Any:
    """Return plain values; amounts with the whole number that they stand for."""
    if isinstance(value, Quantity):
        return value.to_json()
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


# --- printing ----------------------------------------------------------------------------------------


def print_fields(fields: Mapping[str, object], indent: str = "") -> None:
    """Print names and values in two columns."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        click.echo(f"{indent}{name:<{width}}  {value}")


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows with the same fields under one another, numbers to the right."""
    names = list(rows[0])
    cells = [[str(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    is_number = [all(isinstance(row[name], int) for row in rows) for name in names]
    for row in (names, *cells):
        line = "  ".join(_pad(c, w, r) for c, w, r in zip(row, widths, is_number, strict=True))
        click.echo(line.rstrip())


def _pad(text: str, width: int, to_right: bool) -> str:
    return text.rjust(width) if to_right else text.ljust(width)


def with_options(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Apply several click options, first one first."""

    def decorate(work: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            work = option(work)
        return work

    return decorate
