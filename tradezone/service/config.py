"""``zone.yaml``: what an operator says about a zone, checked before anything is opened.

The types below are the schema. A value that does not fit is named by file, line and key, with what was expected
and what was there; an unknown key is an error, because a misspelt limit is a limit that does not hold.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec import UNSET, Struct, UnsetType, field

from tradezone.client import ClientError, PrivateKey
from tradezone.protocol.actions import domain_separator
from tradezone.protocol.limits import MAX_BLOCK_LEAVES, RESTART_GAP

from .errors import ConfigError

MAX_IDLE_MS: Final = (
    RESTART_GAP - 5_000
)  # an empty block comes well before a gap would be a restart

_SECRET: Final = re.compile(r"^(0x)?[0-9a-fA-F]{64}$")


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: unknown keys are errors."""


class Domain(_Section, frozen=True):
    """Which zone it is: the EIP-712 domain of everything that is signed."""

    chain_id: int
    contract: str  # StateChain on L1, 0x and 40 hex digits

    @property
    def separator(self) -> bytes:
        """EIP-712 domain separator, 32 bytes."""
        return domain_separator(self.chain_id, bytes.fromhex(self.contract[2:]))


class SequencerSection(_Section, frozen=True):
    """Who signs block heads, and how blocks are made."""

    key_file: str  # 64 hex digits; readable by its owner alone
    epoch: int = 1
    block_ms: int = 1  # between two blocks while there is work
    idle_block_ms: int = 10_000  # between two blocks while there is none
    max_block_leaves: int = MAX_BLOCK_LEAVES
    verifier_threads: int = 2


class QueueSection(_Section, frozen=True):
    """How much may be under way before the gateway says "busy"."""

    leaves: int = 32_768  # between the gateway and their block
    screen_leaves: int = 512  # checked together: more is better for throughput, fewer for latency
    blocks: int = 4_096  # on disk, between the writer and who tells listeners


class BatchSection(_Section, frozen=True):
    """When a batch ends (`tradezone.sequencer.BatchLimits`), and how often the state is saved."""

    blocks: int = 60_000
    bytes: int = 8 << 20
    milliseconds: int = 60_000
    snapshot_batches: int = 60  # a snapshot every so many batches, 0 = never
    keep_snapshots: int = 2


class GatewaySection(_Section, frozen=True):
    """Where clients come in, and what one of them may take."""

    host: str = "127.0.0.1"
    port: int = 8_420
    max_connections: int = 20_000
    max_connections_per_ip: int = 256
    requests_per_minute: int = 6_000  # weight an IP address has; bursts up to a sixth of it
    messages_per_minute: int = 1_200  # a stream's connection may send, orders apart
    max_body_bytes: int = 1 << 20
    max_subscriptions: int = 1_000  # per connection
    send_queue_bytes: int = 4 << 20  # a consumer further behind is dropped
    idle_seconds: int = 60  # silence after which a connection is asked, then closed
    session_hours: int = 24


class L1Section(_Section, frozen=True):
    """Where the inbox is read. Without it the zone is local: it has no L1 and holds no real money."""

    rpc: str
    inbox: str
    poll_ms: int = 2_000
    confirmations: int | None = None  # for chains whose nodes know no safe block


class HistorySection(_Section, frozen=True):
    """The store of fills, trades, candles and receipts."""

    flush_ms: int = 50


class ViewsSection(_Section, frozen=True):
    """The process that makes market data and history."""

    queue_bytes: int = (
        64 << 20
    )  # of blocks that wait for it; what does not fit it takes from the journal
    nice: int = 10  # how much it stands back behind the zone's process
    start_seconds: int = 30  # that a start waits for it; then trading begins without market data


class LogSection(_Section, frozen=True):
    """What is written, and how."""

    level: str = "info"
    format: str = "text"  # or json


class ZoneConfig(_Section, frozen=True):
    """A whole ``zone.yaml``. Paths are relative to the file."""

    name: str
    data: str
    domain: Domain
    sequencer: SequencerSection
    queues: QueueSection = field(default_factory=QueueSection)
    batches: BatchSection = field(default_factory=BatchSection)
    gateway: GatewaySection = field(default_factory=GatewaySection)
    history: HistorySection = field(default_factory=HistorySection)
    views: ViewsSection = field(default_factory=ViewsSection)
    log: LogSection = field(default_factory=LogSection)
    l1: L1Section | UnsetType = UNSET
    base: Path = Path()  # folder that relative paths start at; not a key of the file

    @property
    def directory(self) -> Path:
        """Data folder of the zone."""
        return self.base / self.data

    def read_key(self) -> PrivateKey:
        """Return the key that signs block heads. ConfigError if the file is absent, open to others or no key."""
        path = self.base / self.sequencer.key_file
        try:
            mode, text = path.stat().st_mode & 0o077, path.read_text().strip()
        except OSError as error:
            raise ConfigError(
                f"sequencer.key_file {path}: {error.strerror}",
                "make one: openssl rand -hex 32 > key && chmod 600 key",
            ) from None
        if mode:
            raise ConfigError(
                f"sequencer.key_file {path} may be read by others (mode {mode:03o})",
                f"chmod 600 {path}",
            )
        if not _SECRET.match(text):
            raise ConfigError(f"sequencer.key_file {path} is not 64 hex digits")
        try:
            return PrivateKey.from_hex(text)
        except ClientError:
            raise ConfigError(f"sequencer.key_file {path} is not a key of the curve") from None


# (path of keys, least, most): what a type cannot say
_BOUNDS: Final = (
    ("domain.chain_id", 1, (1 << 53) - 1),
    ("sequencer.epoch", 1, (1 << 53) - 1),
    ("sequencer.block_ms", 1, 1_000),
    ("sequencer.idle_block_ms", 100, MAX_IDLE_MS),
    ("sequencer.max_block_leaves", 2, MAX_BLOCK_LEAVES),
    ("sequencer.verifier_threads", 1, 64),
    ("queues.leaves", 64, 1 << 20),
    ("queues.screen_leaves", 1, 1 << 14),
    ("queues.blocks", 16, 1 << 20),
    ("batches.blocks", 1, 1 << 24),
    ("batches.bytes", 1 << 10, 1 << 30),
    ("batches.milliseconds", 100, 86_400_000),
    ("batches.snapshot_batches", 0, 1 << 20),
    ("batches.keep_snapshots", 1, 1_000),
    ("gateway.port", 0, 65_535),
    ("gateway.max_connections", 1, 1 << 20),
    ("gateway.max_connections_per_ip", 1, 1 << 20),
    ("gateway.requests_per_minute", 6, 1 << 31),
    ("gateway.messages_per_minute", 6, 1 << 31),
    ("gateway.max_body_bytes", 4_096, 1 << 28),
    ("gateway.max_subscriptions", 1, 1 << 16),
    ("gateway.send_queue_bytes", 1 << 16, 1 << 30),
    ("gateway.idle_seconds", 2, 3_600),
    ("gateway.session_hours", 1, 24),
    ("history.flush_ms", 1, 60_000),
    ("views.queue_bytes", 1 << 20, 1 << 32),
    ("views.nice", 0, 19),
    ("views.start_seconds", 0, 3_600),
    ("l1.poll_ms", 100, 600_000),
    ("l1.confirmations", 0, 10_000),
)
_CHOICES: Final = (
    ("log.level", ("debug", "info", "warning", "error")),
    ("log.format", ("text", "json")),
)
_ADDRESSES: Final = ("domain.contract", "l1.inbox")
_ADDRESS: Final = re.compile(r"^0x[0-9a-fA-F]{40}$")


def load_config(path: Path) -> ZoneConfig:
    """Read a configuration. ConfigError names file, line, key, what was expected and what was there."""
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", "give the file with --config zone.yaml"
        ) from None
    return read_config(text, path.name, path.parent)


def read_config(text: str, name: str = "zone.yaml", base: Path | None = None) -> ZoneConfig:
    """Read a configuration from text; ``base`` is the folder that its paths start at."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or "it does not parse"
        raise ConfigError(f"{where}: not YAML: {problem}") from None
    lines = _find_lines(node)
    repeated = [key for key, line in lines.items() if line < 0]
    if repeated:
        raise ConfigError(f"{name}, line {-lines[repeated[0]]}: {repeated[0]} is there twice")
    if not isinstance(body, dict):
        raise ConfigError(f"{name}: expected keys and values, was {type(body).__name__}")
    if "base" in body:
        raise ConfigError(f"{name}, line {lines['base']}: base: no such key")
    try:
        config = msgspec.convert(body, ZoneConfig)
    except msgspec.ValidationError as error:
        raise _explain(name, lines, body, str(error)) from None
    _check_values(name, lines, config)
    return msgspec.structs.replace(config, base=base or Path())


def _find_lines(node: Any, prefix: str = "") -> dict[str, int]:
    """Line of each key, from 1; negative for one that stands there twice."""
    lines: dict[str, int] = {}
    if not isinstance(node, yaml.MappingNode):
        return lines
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        line = key.start_mark.line + 1
        lines[name] = -line if name in lines else line
        lines.update(_find_lines(value, f"{name}."))
    return lines


def _explain(name: str, lines: dict[str, int], body: Any, message: str) -> ConfigError:
    """Turn a message of msgspec ("... - at `$.a.b`") into ours."""
    text, _, where = message.partition(" - at ")
    key = where.strip("`").removeprefix("$").lstrip(".")
    unknown = re.search(r"unknown field `(.+)`", text)
    missing = re.search(r"missing required field `(.+)`", text)
    if unknown:
        key = f"{key}.{unknown[1]}".lstrip(".")
        return ConfigError(
            f"{_place(name, lines, key)}: {key}: no such key", "see docs/reference/zone_yaml.md"
        )
    if missing:
        lost = f"{key}.{missing[1]}".lstrip(".")
        return ConfigError(f"{_place(name, lines, key)}: {lost} is missing")
    value: Any = body
    for part in key.split(".") if key else ():
        value = value.get(part) if isinstance(value, dict) else None
    return ConfigError(
        f"{_place(name, lines, key)}: {key}: {text[:1].lower()}{text[1:]}, was {value!r}"
    )


def _place(name: str, lines: dict[str, int], key: str) -> str:
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return f"{name}, line {lines[key]}" if key else name


def _get(config: ZoneConfig, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
        if value is UNSET:
            return None
    return value


def _check_values(name: str, lines: dict[str, int], config: ZoneConfig) -> None:
    def fail(key: str, expected: str, value: Any) -> None:
        raise ConfigError(f"{_place(name, lines, key)}: {key}: expected {expected}, was {value!r}")

    for key, least, most in _BOUNDS:
        value = _get(config, key)
        if value is not None and not least <= value <= most:
            fail(key, f"{least} .. {most}", value)
    for key, choices in _CHOICES:
        value = _get(config, key)
        if value not in choices:
            fail(key, " or ".join(choices), value)
    for key in _ADDRESSES:
        value = _get(config, key)
        if value is not None and not _ADDRESS.match(value):
            fail(key, "0x and 40 hex digits", value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", config.name):
        fail("name", "1 to 32 of a-z, 0-9, - and _", config.name)
    if config.l1 is not UNSET and not config.l1.rpc.startswith(("http://", "https://")):
        fail("l1.rpc", "an address like http://127.0.0.1:8545", config.l1.rpc)
