"""Change the contracts in small ways, one at a time, and see whether the chain suites notice.

    python tools/mutate.py contracts/custody/CustodyVault.sol --mutants 20 --seed 1
    python tools/mutate.py --list contracts/custody/CustodyVault.sol

A mutant is one change: a guard that never fires, a statement left out, a comparison off by one, a sign turned, a role
dropped. It is compiled alone, its bytecode takes the place of the contract's in Ape's build folder, and the suites that
use the contract run until the first failure. Printed: a line a mutant, killed by which test or SURVIVED, and one JSON
line at the end. A mutant whose bytecode equals the original's is "same" and counts as none.

Works on a copy of the checkout in a temporary folder (--work), so that a run that is broken off leaves nothing behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
# The suites that are to notice, nearest first.
SUITES: Final = {
    "AssetRegistry": ("test_asset_registry", "test_governance_topology"),
    "CustodyVault": (
        "test_custody_vault",
        "test_withdrawals",
        "test_hostile_tokens",
        "test_custody_machine",
    ),
    "Escape": ("test_escape", "test_freeze"),
    "ForcedOperations": ("test_forced",),
    "Inbox": ("test_inbox", "test_custody_vault", "test_headers"),
    "OwnerRegistry": ("test_owner_registry", "test_custody_vault"),
    "Sequencers": ("test_sequencers", "test_registers", "test_sequencers_machine"),
    "Redirects": ("test_redirects", "test_escape"),
    "StateChain": (
        "test_headers",
        "test_claims",
        "test_freeze",
        "test_disputes",
        "test_claims_machine",
    ),
    "Withdrawals": ("test_withdrawals", "test_custody_machine"),
    "Board": ("test_boards", "test_governance_attacks"),
    "AssetQuotas": ("test_charter", "test_governance_attacks", "test_asset_registry"),
    "Charter": ("test_charter", "test_governance_attacks", "test_proposals"),
    "ClassGovernor": ("test_proposals", "test_governance_attacks", "test_governance_machine"),
    "ClassTimelock": ("test_proposals", "test_governance_attacks"),
    "DepositorChamber": ("test_chamber", "test_governance_attacks"),
    "EmergencyCouncil": ("test_boards", "test_governance_attacks"),
    "GuardianBrake": ("test_boards", "test_governance_attacks"),
    "ProtocolLimits": ("test_limits", "test_governance_attacks"),
    "ReleaseRegistry": ("test_treasury", "test_governance_attacks"),
    "Treasury": ("test_treasury", "test_governance_attacks"),
    "StakingVault": (
        "test_staking_vault",
        "test_staking_votes",
        "test_slashing_court",
        "test_staking_machine",
    ),
    "SlashingCourt": ("test_slashing_court", "test_court_attacks", "test_court_machine"),
    "BondedRegister": ("test_registers",),
    "VerifierVoteJudge": ("test_verifier_vote_judge", "test_disputes"),
    "Restitution": ("test_restitution",),
}
SWAPS: Final = {
    "<": ("<=",),
    "<=": ("<",),
    ">": (">=",),
    ">=": (">",),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "/": ("*",),
    "%": ("*",),
    "&&": ("||",),
    "||": ("&&",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
}


@dataclass(frozen=True)
class Mutant:
    """One change of a file: bytes [start, end) become `text`."""

    start: int
    end: int
    text: bytes
    what: str

    def describe(self, source: bytes) -> str:
        """Return line, change and the first line of what is changed."""
        line = source.count(b"\n", 0, self.start) + 1
        old = source[self.start : self.end].decode().split("\n")[0].strip()
        return f"{line}: {self.what}: {old}"


def find_mutants(tree: Any, source: bytes, contract: str) -> list[Mutant]:
    """List every change this tool knows inside a contract's definition, in order of the text."""
    found: list[Mutant] = []
    for node in tree["nodes"]:
        if node["nodeType"] == "ContractDefinition" and node["name"] == contract:
            for inner in _walk(node["nodes"]):
                found += _CHANGES.get(inner["nodeType"], _nothing)(inner, source)
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.text))


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for child in node:
            yield from _walk(child)
    elif isinstance(node, dict):
        if "nodeType" in node:
            yield node
        for key, child in node.items():
            if key != "documentation":
                yield from _walk(child)


def _span(node: Any) -> tuple[int, int]:
    start, length, _ = (int(part) for part in node["src"].split(":"))
    return start, start + length


def _nothing(_node: Any, _source: bytes) -> list[Mutant]:
    return []


def _of_condition(node: Any, _source: bytes) -> list[Mutant]:
    start, end = _span(node["condition"])
    never = Mutant(start, end, b"false", "condition is false")
    # A guard that always fires is noticed by whatever calls the function.
    if node["nodeType"] == "IfStatement" and node["trueBody"]["nodeType"] == "RevertStatement":
        return [never]
    return [never, Mutant(start, end, b"true", "condition is true")]


def _of_statement(node: Any, _source: bytes) -> list[Mutant]:
    start, end = _span(node)
    return [Mutant(start, end + 1, b"{}", "left out")]


def _of_modifier(node: Any, _source: bytes) -> list[Mutant]:
    return [Mutant(*_span(node), b"", "modifier left out")]


def _of_operator(node: Any, source: bytes) -> list[Mutant]:
    operator = node["operator"]
    left = node.get("leftExpression") or node["leftHandSide"]
    right = node.get("rightExpression") or node["rightHandSide"]
    start, end = _span(left)[1], _span(right)[0]
    return [
        Mutant(
            start,
            end,
            source[start:end].replace(operator.encode(), other.encode(), 1),
            f"{operator} becomes {other}",
        )
        for other in SWAPS.get(operator, ())
    ]


_CHANGES: Final = {
    "IfStatement": _of_condition,
    "Conditional": _of_condition,
    "ExpressionStatement": _of_statement,
    "EmitStatement": _of_statement,
    "ModifierInvocation": _of_modifier,
    "BinaryOperation": _of_operator,
    "Assignment": _of_operator,
}


def compile_one(
    path: str, contract: str, content: bytes | None = None, *, tree: bool = False
) -> Any:
    """Compile one contract, perhaps with another text; return solc's answer for it, or None if it does not compile."""
    sources = {
        str(file.relative_to(ROOT)): {"content": file.read_text()}
        for file in sorted((ROOT / "contracts").rglob("*.sol"))
        if "test" not in file.parts
    }
    if content is not None:
        sources[path] = {"content": content.decode()}
    modules = ROOT / "node_modules"
    wanted: dict[str, Any] = {contract: ["evm.bytecode.object", "evm.deployedBytecode.object"]}
    if tree:
        wanted[""] = ["ast"]
    request = {
        "language": "Solidity",
        "sources": {path: sources.pop(path), **sources},
        "settings": {
            "optimizer": {"enabled": True, "runs": 1000},
            "evmVersion": "cancun",
            "remappings": [
                f"@openzeppelin/contracts={modules}/@openzeppelin/contracts",
                f"solady={modules}/solady/src",
            ],
            "outputSelection": {path: wanted},
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
    told = json.loads(done.stdout)
    if any(error["severity"] == "error" for error in told.get("errors", ())):
        return None
    answer = told["contracts"][path][contract]["evm"]
    return (answer, told["sources"][path]["ast"]) if tree else answer


def without_metadata(code: str) -> str:
    """Cut what changes with every letter of the source."""
    size = int(code[-4:], 16) if len(code) > 4 else 0
    return code[: -2 * (size + 2)] if 0 < size < 100 else code


def copy_checkout(target: Path) -> None:
    """Copy what the suites need; tools and modules are linked."""
    ignored = shutil.ignore_patterns(
        ".git",
        ".venv",
        "node_modules",
        ".solcx",
        "__pycache__",
        ".demo",
        ".drill",
        "out",
        "cache",
        ".coverage-chain",
    )
    shutil.copytree(ROOT, target, ignore=ignored, dirs_exist_ok=True)
    for name in (".venv", "node_modules", ".solcx"):
        link = target / name
        if not link.exists():
            link.symlink_to((ROOT / name).resolve())


def run_suites(work: Path, suites: tuple[str, ...]) -> tuple[bool, str]:
    """Run suites until one fails; return whether one did and which test."""
    for suite in suites:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from ape._cli import cli; cli()",
                "test",
                f"tests/contracts/{suite}.py",
                "-x",
                "-q",
                "--no-header",
            ],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = [
                line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
            ]
            return True, lines[0].split(" - ")[
                0
            ] if lines else f"{suite}: exit status {done.returncode}"
    return False, ""


def try_mutant(
    path: str, mutant: Mutant, source: bytes, plain: tuple[str, str], work: Path
) -> tuple[str, str]:
    """Put one mutant into the copy and run its suites; return the outcome and the test that noticed."""
    contract = Path(path).stem
    changed = compile_one(
        path, contract, source[: mutant.start] + mutant.text + source[mutant.end :]
    )
    if changed is None:
        return "not compiled", ""
    if _codes(changed) == plain:
        return "same", ""
    built_path = work / ".build" / "__local__.json"
    original = built_path.read_text()
    built = json.loads(original)
    kind = built["contractTypes"][contract]
    kind["deploymentBytecode"]["bytecode"] = "0x" + changed["bytecode"]["object"]
    kind["runtimeBytecode"]["bytecode"] = "0x" + changed["deployedBytecode"]["object"]
    built_path.write_text(json.dumps(built))
    try:
        failed, by = run_suites(work, SUITES[contract])
    finally:
        built_path.write_text(original)
    return ("killed", by) if failed else ("survived", "")


def _codes(answer: Any) -> tuple[str, str]:
    return (
        without_metadata(answer["deployedBytecode"]["object"]),
        without_metadata(answer["bytecode"]["object"]),
    )


def choose(mutants: list[Mutant], count: int, seed: int, contract: str) -> list[Mutant]:
    """Return all (count 0), or so many by lot, in order of the text."""
    if not count or count >= len(mutants):
        return mutants
    lot = random.Random(f"{seed} {contract}")  # noqa: S311 - a sample that can be repeated
    return sorted(lot.sample(mutants, count), key=lambda m: (m.start, m.end, m.text))


def _all_paths() -> list[str]:
    files = sorted((ROOT / "contracts").rglob("*.sol"))
    return [str(file.relative_to(ROOT)) for file in files if file.stem in SUITES]


def main() -> int:
    """Try the mutants of each contract that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="*", help="contracts/.../Name.sol (all it knows if none)")
    parser.add_argument(
        "--mutants", type=int, default=10, help="how many of each contract, by lot (0: all)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="list the changes, run nothing")
    parser.add_argument("--work", type=Path, help="folder for the copy")
    options = parser.parse_args()
    paths = options.path or _all_paths()
    unknown = [path for path in paths if Path(path).stem not in SUITES]
    if unknown:
        parser.error(f"no suites are named for {unknown[0]}; expected one of {', '.join(SUITES)}")
    work = options.work or Path(tempfile.mkdtemp(prefix="mutants-"))
    if not options.list and not (work / "contracts").exists():
        copy_checkout(work)
    totals = Counter[str]()
    survivors = []
    for path in paths:
        contract = Path(path).stem
        source = (ROOT / path).read_bytes()
        answer, tree = compile_one(path, contract, tree=True)
        mutants = find_mutants(tree, source, contract)
        if not options.list:
            failed, by = run_suites(work, SUITES[contract])
            if failed:
                sys.exit(f"{by} fails without any change: nothing can be learned from mutants")
        for mutant in choose(mutants, options.mutants, options.seed, contract):
            title = f"{path}:{mutant.describe(source)}"
            if options.list:
                print(title)
                continue
            began = time.monotonic()
            outcome, by = try_mutant(path, mutant, source, _codes(answer), work)
            totals[outcome] += 1
            if outcome == "survived":
                survivors.append(title)
            shown = outcome.upper() if outcome == "survived" else outcome
            print(f"{shown:<13}{time.monotonic() - began:5.0f} s  {title}  {by}", flush=True)
    if not options.list:
        print(json.dumps({**totals, "seed": options.seed, "survivors": survivors}))
    if options.work is None:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
