"""Venue files: a venue and its markets in YAML, read with the line of every value.

Values stay the text that was typed, so `0.1` never becomes a binary fraction. Whatever is wrong is said with
file, line and key. ``docs/guides/deployer.md`` shows a file; `SCHEMA` is what may stand in it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Self

import yaml

from scripts._units import UnitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REQUIRED, OPTIONAL = True, False
_FEES: Final = {
    "taker_fee": OPTIONAL,
    "maker_fee": OPTIONAL,
    "protocol_share": OPTIONAL,
    "insurance_share": OPTIONAL,
    "taker_delay": OPTIONAL,
    "start": OPTIONAL,
}
MARKETS: Final = {
    "spot": {
        "base": REQUIRED,
        "quote": REQUIRED,
        "tick": REQUIRED,
        "lot": REQUIRED,
        "highest_price": REQUIRED,
        "largest_order": OPTIONAL,
        "least_value": OPTIONAL,
        **_FEES,
    },
    "event": {
        "question": REQUIRED,
        "outcomes": REQUIRED,
        "void": REQUIRED,
        "asset": REQUIRED,
        "unit": REQUIRED,
        "tick": REQUIRED,
        "largest_order": OPTIONAL,
        "least_value": OPTIONAL,
        "closes": OPTIONAL,
        "provider": OPTIONAL,
        "resolves": OPTIONAL,
        "exposure": OPTIONAL,
        "resolver_data": OPTIONAL,
        "resolver_fee": OPTIONAL,
        **_FEES,
    },
    "perpetual": {
        "quote": REQUIRED,
        "feed": REQUIRED,
        "tick": REQUIRED,
        "lot": REQUIRED,
        "highest_price": REQUIRED,
        "largest_order": OPTIONAL,
        "least_value": OPTIONAL,
        "open_interest": REQUIRED,
        "account_cap": REQUIRED,
        "tiers": REQUIRED,
        "margin_rises_from": OPTIONAL,
        "margin_rises_to": OPTIONAL,
        "impact": REQUIRED,
        "funding_cap": OPTIONAL,
        "interest": OPTIONAL,
        "band": OPTIONAL,
        "band_listing": OPTIONAL,
        "band_basis": OPTIONAL,
        "loss_cap": OPTIONAL,
        "calendar": OPTIONAL,
        "closes": OPTIONAL,
        **_FEES,
    },
    "door": {"home": REQUIRED, "fee": REQUIRED, "start": OPTIONAL},
}
"""Keys of a market of each kind, and whether they are needed."""

SCHEMA: Final[dict[str, dict[str, bool]]] = {
    "": {"venue": OPTIONAL, "assets": OPTIONAL, "feeds": OPTIONAL, "markets": OPTIONAL},
    "venue": {"name": REQUIRED, "access": OPTIONAL, "credentials": OPTIONAL},
    "venue.credentials": {"provider": REQUIRED, "least_class": OPTIONAL, "regions": REQUIRED},
    "assets": {"symbol": REQUIRED, "decimals": REQUIRED, "cap": REQUIRED, "faucet": OPTIONAL},
    "feeds": {"name": REQUIRED, "measures": REQUIRED},
    "markets.tiers": {"from": OPTIONAL, "initial": REQUIRED, "maintenance": REQUIRED},
    "assets.faucet": {"amount": REQUIRED, "every": REQUIRED},
}
"""Keys of each section. Those of a market depend on its ``kind``: `MARKETS`."""

LISTS: Final = ("assets", "feeds", "markets", "markets.tiers")


class Text(str):
    """A value as it was typed, which knows where."""

    __slots__ = ("place",)

    place: str

    def __new__(cls, text: str, place: str) -> Self:
        """Make a value of a place."""
        made = super().__new__(cls, text)
        made.place = place
        return made

    def to(self, convert: Callable[..., Any], *arguments: Any) -> Any:
        """Convert the text; what is wrong with it is said with its place."""
        try:
            return convert(str(self), *arguments)
        except ValueError as error:
            raise UnitError(f"{self.place}: {error}") from None

    def refuse(self, why: str) -> UnitError:
        """Return an error about this value."""
        return UnitError(f"{self.place}: {why}")


class Section:
    """A part of a file: its values by key, and the sections below it."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.values: dict[str, Text] = {}
        self.lists: dict[str, list[Text]] = {}
        self.sections: dict[str, list[Section]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.values or key in self.lists or key in self.sections

    def text(self, key: str, default: str = "") -> Text:
        """Return a value, or the default."""
        return self.values.get(key, Text(default, f"{self.place}.{key}"))

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return a value that is one of several words."""
        given = self.text(key, default)
        if given not in choices:
            raise given.refuse(f"expected one of {', '.join(choices)}, was {str(given)!r}")
        return str(given)

    def below(self, key: str) -> Section | None:
        """Return the one section below a key, if there is one."""
        found = self.sections.get(key, [])
        return found[0] if found else None


def read_venue_file(path: Path) -> Section:
    """Read a file and check it against the schema.

    Raises
    ------
    UnitError
        Naming file, line and key.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnitError(f"{path.name}:{line}: no YAML: {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnitError(f"{path.name}: cannot be read: {error}") from None
    if node is None:
        raise UnitError(f"{path.name}:1: the file is empty")
    return _read_section(path.name, "", "", node)


def _place(file: str, node: Any, key: str) -> str:
    return f"{file}:{node.start_mark.line + 1}: {key or 'file'}"


def _read_section(file: str, schema: str, key: str, node: Any) -> Section:
    place = _place(file, node, key)
    if not isinstance(node, yaml.MappingNode):
        raise UnitError(f"{place}: expected keys with values, was {_describe(node)}")
    section = Section(place)
    nodes = {}
    for name, value in node.value:
        if name.value in nodes:
            raise UnitError(f"{_place(file, name, key)}: {name.value} stands here twice")
        nodes[name.value] = (name, value)
    allowed = SCHEMA.get(schema) or _market_keys(file, place, nodes)
    for name, (key_node, _) in nodes.items():
        if name not in allowed:
            raise UnitError(
                f"{_place(file, key_node, _join(key, name))}: no such key{_guess(name, allowed)}"
            )
    missing = [name for name, is_needed in allowed.items() if is_needed and name not in nodes]
    if missing:
        raise UnitError(f"{place}: {', '.join(missing)} missing")
    for name, (_, value) in nodes.items():
        _read_value(section, file, _join(schema, name), _join(key, name), name, value)
    return section


def _read_value(section: Section, file: str, schema: str, key: str, name: str, node: Any) -> None:
    if schema in LISTS:
        if not isinstance(node, yaml.SequenceNode):
            place = _place(file, node, key)
            raise UnitError(f"{place}: expected a list, each entry after '- '")
        section.sections[name] = [
            _read_section(file, schema, f"{key}[{n}]", item) for n, item in enumerate(node.value)
        ]
    elif schema in SCHEMA:
        section.sections[name] = [_read_section(file, schema, key, node)]
    elif isinstance(node, yaml.SequenceNode):
        section.lists[name] = [
            _read_text(file, f"{key}[{n}]", item) for n, item in enumerate(node.value)
        ]
    else:
        section.values[name] = _read_text(file, key, node)


def _read_text(file: str, key: str, node: Any) -> Text:
    place = _place(file, node, key)
    if not isinstance(node, yaml.ScalarNode):
        raise UnitError(f"{place}: expected a single value, was {_describe(node)}")
    if node.value == "" or (node.tag.endswith(":null") and node.style is None):
        raise UnitError(f"{place}: expected a value, was nothing")
    return Text(node.value, place)


def _market_keys(file: str, place: str, nodes: dict[str, Any]) -> dict[str, bool]:
    if "kind" not in nodes:
        raise UnitError(f"{place}: kind missing; expected {', '.join(MARKETS)}")
    node = nodes["kind"][1]
    kind = getattr(node, "value", "")
    where = f"{file}:{node.start_mark.line + 1}"
    if not isinstance(kind, str) or kind not in MARKETS:
        raise UnitError(f"{where}: kind: expected {', '.join(MARKETS)}, was {kind!r}")
    return {"kind": REQUIRED, **MARKETS[kind]}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _guess(name: str, allowed: dict[str, bool]) -> str:
    near = get_close_matches(name, allowed, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(allowed)}"


def _describe(node: Any) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"{node.value!r}"
