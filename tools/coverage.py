"""Statements and branches of the contracts that the chain suites execute.

    python tools/coverage.py [FOLDER]        after runs with tools/coverage_plugin.py; `make coverage` does both

Prints a line a contract and, with --missing, each statement and branch that never ran; --json for machines. A statement
is a node of the compiler's syntax tree; it ran if an instruction that stems from it ran. A branch is one direction of an
`if`, a `?:`, a `require`, or the short cut of `&&` and `||`. What the compiler adds by itself (checks of overflow,
of calldata, of value) is no branch here. Statements without an instruction of their own, the optimiser having merged or
removed them, are left out and counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = ("custody", "dispute", "governance", "oracles", "venues", "libraries")
STATEMENTS: Final = {
    "ExpressionStatement",
    "Return",
    "EmitStatement",
    "RevertStatement",
    "VariableDeclarationStatement",
    "Break",
    "Continue",
    "InlineAssembly",
}
JUMPI: Final = 0x57
PUSH0: Final = 0x5F
PUSH32: Final = 0x7F
TAIL: Final = 64  # bytes at each end by which the plugin knows a code
IMMUTABLES: Final = 1_024  # more than any contract has
VYPER_STATEMENTS: Final = {
    "AnnAssign",
    "Assign",
    "AugAssign",
    "Expr",
    "Log",
    "Return",
    "Raise",
    "Break",
    "Continue",
    "Assert",
}

Run = tuple[set[int], set[tuple[int, int]]]  # counters that ran, and jumps from one to another


@dataclass
class Code:
    """One bytecode: where each counter stems from."""

    contract: str
    starts: dict[int, tuple[int, int, int]]  # pc -> file, start, length
    jumps: set[int]  # conditional ones


@dataclass
class Source:
    """One file's statements and conditions, as byte ranges, and what of them ran."""

    path: str
    text: bytes
    statements: dict[tuple[int, int], bool] = field(default_factory=dict)
    known: set[tuple[int, int]] = field(default_factory=set)  # that have an instruction
    conditions: dict[tuple[int, int], str] = field(default_factory=dict)
    ways: dict[tuple[int, int], set[bool]] = field(default_factory=lambda: defaultdict(set))
    jumped: set[tuple[int, int]] = field(default_factory=set)  # conditions with a jump
    owner: dict[tuple[int, int], str] = field(default_factory=dict)  # node -> contract

    def line(self, start: int) -> int:
        """Return the line of a byte, counted from 1."""
        return self.text.count(b"\n", 0, start) + 1


def compile_all() -> dict[str, Any]:
    """Compile as the project does, and ask for source maps and syntax trees."""
    sources = {
        str(path.relative_to(ROOT)): {"content": path.read_text()}
        for path in sorted((ROOT / "contracts").rglob("*.sol"))
    }
    modules = ROOT / "node_modules"
    request = {
        "language": "Solidity",
        "sources": sources,
        "settings": {
            "optimizer": {"enabled": True, "runs": 1000},
            "evmVersion": "cancun",
            "remappings": [
                f"@openzeppelin/contracts={modules}/@openzeppelin/contracts",
                f"solady={modules}/solady/src",
            ],
            "outputSelection": {
                "*": {
                    "": ["ast"],
                    "*": [
                        "evm.bytecode.object",
                        "evm.bytecode.sourceMap",
                        "evm.deployedBytecode.object",
                        "evm.deployedBytecode.sourceMap",
                    ],
                }
            },
        },
    }
    compiler = Path(os.environ.get("SOLCX_BINARY_PATH", ROOT / ".solcx")) / "solc-v0.8.30"
    done = subprocess.run(
        [compiler, "--standard-json", "--allow-paths", str(modules.resolve())],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    faults = [error for error in told.get("errors", ()) if error["severity"] == "error"]
    if faults:
        sys.exit(faults[0]["formattedMessage"])
    return told


def instructions(code: bytes) -> Iterator[tuple[int, int]]:
    """Yield (pc, opcode); what follows the last instruction is metadata and does no harm."""
    pc = 0
    while pc < len(code):
        op = code[pc]
        yield pc, op
        pc += 1 + (op - PUSH0 if PUSH0 < op <= PUSH32 else 0)


def read_map(code: bytes, text: str, contract: str) -> Code:
    """Spread solc's compressed source map over the counters."""
    starts: dict[int, tuple[int, int, int]] = {}
    jumps: set[int] = set()
    entries = text.split(";")
    start, length, file = 0, 0, -1
    for number, (pc, op) in enumerate(instructions(code)):
        if number >= len(entries):
            break
        parts = entries[number].split(":")
        start = int(parts[0]) if parts[0] else start
        length = int(parts[1]) if len(parts) > 1 and parts[1] else length
        file = int(parts[2]) if len(parts) > 2 and parts[2] else file
        starts[pc] = file, start, length
        if op == JUMPI:
            jumps.add(pc)
    return Code(contract, starts, jumps)


def read_tree(node: Any, source: Source, contract: str = "") -> None:
    """Collect the statements and conditions below a node."""
    if isinstance(node, list):
        for child in node:
            read_tree(child, source, contract)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("nodeType")
    if kind == "ContractDefinition":
        contract = node["name"]
    if kind in STATEMENTS:
        _note(source.statements, source, node, contract, value=False)
    if kind == "IfStatement":
        _note(source.conditions, source, node["condition"], contract, value="if")
    elif kind == "Conditional":
        _note(source.conditions, source, node["condition"], contract, value="?:")
    elif kind == "BinaryOperation" and node["operator"] in ("&&", "||"):
        _note(source.conditions, source, node["leftExpression"], contract, value=node["operator"])
    elif kind == "FunctionCall" and node["expression"].get("name") == "require":
        _note(source.conditions, source, node["arguments"][0], contract, value="require")
    for key, child in node.items():
        if key != "documentation" and isinstance(child, (dict, list)):
            read_tree(child, source, contract)


def _note(into: dict[Any, Any], source: Source, node: Any, contract: str, *, value: Any) -> None:
    start, length, _ = (int(part) for part in node["src"].split(":"))
    into[start, length] = value
    source.owner[start, length] = contract


def read_runs(folder: Path) -> dict[str, Run]:
    """Add up what the runs left in a folder."""
    codes: dict[str, Run] = {}
    for path in sorted(folder.glob("*.json")):
        for key, ran in json.loads(path.read_text())["codes"].items():
            pcs, jumps = codes.setdefault(key, (set(), set()))
            pcs.update(ran["pcs"])
            jumps.update((origin, target) for origin, target in ran["jumps"])
    return codes


def name_codes(runs: dict[str, Run], built: dict[str, Any]) -> dict[str, Run]:
    """Return what ran by name: a contract's, or "creation " and a contract's."""
    by_tail, by_head, creations = {}, {}, {}
    for name, kind in built["contractTypes"].items():
        runtime = bytes.fromhex((kind.get("runtimeBytecode") or {}).get("bytecode", "0x")[2:])
        creation = (kind.get("deploymentBytecode") or {}).get("bytecode") or "0x"
        if runtime and kind["sourceId"].endswith(".vy"):
            by_head[runtime[:TAIL].hex()] = name, len(runtime)
        elif runtime:
            by_tail[runtime[-TAIL:].hex()] = name
        if len(creation) > 2:
            creations[creation[2 : 2 + 2 * TAIL]] = "creation " + name
    named: dict[str, Run] = {}
    for key, ran in runs.items():
        size, *ends = key.split(":")
        if size == "creation":
            found = creations.get(ends[0])
        else:
            found = by_tail.get(ends[1])
            name, least = by_head.get(ends[0], ("", 0))
            # Vyper puts immutables behind the code.
            if name and least <= int(size) < least + IMMUTABLES:
                found = name
        if found:
            pcs, jumps = named.setdefault(found, (set(), set()))
            pcs.update(ran[0])
            jumps.update(ran[1])
    return named


class Intervals:
    """Which of many nested ranges hold a given one."""

    def __init__(self, ranges: Any) -> None:
        self.ranges = sorted(ranges)
        self.starts = [start for start, _ in self.ranges]

    def innermost(self, start: int, length: int) -> tuple[int, int] | None:
        """Return the shortest range around [start, start + length)."""
        best = None
        for index in range(bisect_right(self.starts, start) - 1, -1, -1):
            low, size = self.ranges[index]
            if start + length <= low + size and (best is None or size < best[1]):
                best = low, size
            if start - low > 20_000:
                break
        return best


def mark(code: Code, ran: Run, sources: dict[int, Source]) -> None:
    """Enter what ran of one code into its sources."""
    pcs, jumps = ran
    taken: dict[int, set[int]] = defaultdict(set)
    for origin, target in jumps:
        taken[origin].add(target)
    finders: dict[int, tuple[Intervals, Intervals]] = {}
    for pc, (file, start, length) in code.starts.items():
        source = sources.get(file)
        if source is None:
            continue
        if file not in finders:
            finders[file] = Intervals(source.statements), Intervals(source.conditions)
        statements, conditions = finders[file]
        statement = statements.innermost(start, length)
        if statement is not None:
            source.known.add(statement)
            if pc in pcs:
                source.statements[statement] = True
        if pc in code.jumps:
            condition = condition_of(source, conditions, start, length)
            if condition is not None:
                source.jumped.add(condition)
                source.ways[condition].update(target == pc + 1 for target in taken[pc])


def condition_of(
    source: Source, conditions: Intervals, start: int, length: int
) -> tuple[int, int] | None:
    """Return the condition that a jump decides: it stems from the condition, or from what the condition heads."""
    if (start, length) in source.conditions:
        return start, length
    inner = [
        (low, size)
        for low, size in conditions.ranges
        if start <= low and low + size <= start + length
    ]
    text = source.text[start : start + length]
    if inner and text.startswith((b"if", b"require")):
        return inner[0]
    if inner and source.conditions[inner[0]] in ("?:", "&&", "||") and inner[0][0] == start:
        return inner[0]
    return None


def main() -> int:
    """Read the runs, compile, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=ROOT / ".coverage-chain", type=Path)
    parser.add_argument(
        "--missing", action="store_true", help="each statement and branch that never ran"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    runs = read_runs(options.folder)
    if not runs:
        sys.exit(f"{options.folder} holds no runs; expected files of `make coverage`")
    built = json.loads((ROOT / ".build" / "__local__.json").read_text())
    compiled = compile_all()
    sources: dict[int, Source] = {}
    for path, told in compiled["sources"].items():
        if path.startswith("contracts/") and path.split("/")[1] in FOLDERS:
            source = Source(path, (ROOT / path).read_bytes())
            read_tree(told["ast"], source)
            sources[told["id"]] = source
    kinds = {
        name: kind["evm"]
        for contracts in compiled["contracts"].values()
        for name, kind in contracts.items()
    }
    named = name_codes(runs, built)
    merge(named, kinds, sources)
    for number, path in enumerate(sorted((ROOT / "contracts" / "venues").glob("*.vy")), 1):
        merge_vyper(path.relative_to(ROOT), -number, named, sources)
    return report(sources, options)


def merge(named: dict[str, Run], kinds: dict[str, Any], sources: dict[int, Source]) -> None:
    """Lay every code's run over the sources; codes that never ran count too."""
    for plain, evm in kinds.items():
        for name, part in ((plain, "deployedBytecode"), ("creation " + plain, "bytecode")):
            code = bytes.fromhex(evm[part]["object"].replace("_", "0").replace("$", "0"))
            if code:
                ran = named.get(name, (set(), set()))
                mark(read_map(code, evm[part]["sourceMap"], name), ran, sources)


def merge_vyper(path: Path, number: int, named: dict[str, Run], sources: dict[int, Source]) -> None:
    """Add a Vyper contract: its source map names nodes of the syntax tree."""
    compiler = ROOT / ".venv" / "bin" / "vyper"
    shapes = "ast,bytecode,bytecode_runtime,source_map,source_map_runtime"
    done = subprocess.run(
        [compiler, "-p", ".", "-f", shapes, "--evm-version", "cancun", str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    tree, creation, runtime, creation_map, runtime_map = done.stdout.strip().split("\n")
    source = Source(str(path), (ROOT / path).read_bytes())
    sources[number] = source
    places: dict[int, tuple[int, int]] = {}
    own = json.loads(tree)["ast"]
    for node in walk(own):
        start, length, _ = (int(part) for part in node["src"].split(":"))
        places[node["node_id"]] = start, length
        if node["ast_type"] in VYPER_STATEMENTS and node["ast_type"] != "VariableDecl":
            source.statements[start, length] = False
        if node["ast_type"] in ("If", "IfExp", "Assert"):
            test = node["test"]["src"].split(":")
            source.conditions[int(test[0]), int(test[1])] = node["ast_type"].lower()
    name = path.stem
    for part, code_hex, text in (
        (name, runtime, runtime_map),
        ("creation " + name, creation, creation_map),
    ):
        code = bytes.fromhex(code_hex.removeprefix("0x"))
        jumps = {pc for pc, op in instructions(code) if op == JUMPI}
        starts = {
            int(pc): (number, *places[node])
            for pc, (module, node) in json.loads(text)["pc_ast_map"].items()
            if module == own["source_id"] and node in places
        }
        mark(Code(part, starts, jumps & set(starts)), named.get(part, (set(), set())), sources)


def walk(node: Any) -> Iterator[Any]:
    """Yield the nodes of a Vyper tree."""
    if isinstance(node, dict):
        if "ast_type" in node:
            yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


def report(sources: dict[int, Source], options: argparse.Namespace) -> int:
    """Print a line a file, and what is missing."""
    rows, missing = [], []
    for source in sorted(sources.values(), key=lambda s: s.path):
        statements = source.known & set(source.statements)
        ran = sum(source.statements[key] for key in statements)
        ways = sum(len(source.ways[key]) for key in source.jumped)
        lines = {source.line(start) for start, _ in statements}
        missed = [key for key in statements if not source.statements[key]]
        missed_lines = {source.line(start) for start, _ in missed}
        if statements:
            rows.append(
                {
                    "file": source.path,
                    "lines": [len(lines) - len(missed_lines), len(lines)],
                    "statements": [ran, len(statements)],
                    "branches": [ways, 2 * len(source.jumped)],
                    "without_code": len(source.statements) - len(statements),
                }
            )
        for start, length in sorted(missed):
            text = source.text[start : start + length].decode().split("\n")[0]
            missing.append(f"{source.path}:{source.line(start)}: never ran: {text}")
        for start, length in sorted(source.jumped):
            for way in {True, False} - source.ways[start, length]:
                text = source.text[start : start + length].decode().split("\n")[0]
                kind = source.conditions[start, length]
                what = "falls through" if way else "jumps"
                missing.append(f"{source.path}:{source.line(start)}: {kind} never {what}: {text}")
    if options.json:
        print(json.dumps({"files": rows, "missing": missing}, indent=1))
        return 0
    for row in rows:
        print(
            f"{row['file']:<46}{_share(row['lines'])}{_share(row['statements'])}{_share(row['branches'])}"
        )
    if options.missing:
        print("\n".join(missing))
    return 0


def _share(part: list[int]) -> str:
    ran, whole = part
    return f"{ran:>6}/{whole:<5}{100 * ran / whole if whole else 100:6.1f} %"


if __name__ == "__main__":
    raise SystemExit(main())
