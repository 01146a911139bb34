"""The arrows of the design point one way, and consensus code is a pure function of its inputs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "tradezone"
SCRIPTS = Path(__file__).parent.parent / "scripts"

# package -> packages of tradezone it may import
ARROWS = {
    "protocol": set(),
    "state": {"protocol"},
    "engine": {"protocol", "state"},
    "sequencer": {
        "protocol",
        "state",
        "engine",
        "verifier",
    },  # it writes the files that verifiers read
    "service": {
        "protocol",
        "state",
        "engine",
        "sequencer",
        "verifier",
        "views",
        "client",  # names of order states, and keys
        "chain",
    },
    "gateway": {
        "protocol",
        "state",
        "engine",
        "sequencer",
        "verifier",
        "views",
        "client",
        "service",
    },
    "chain": {"protocol", "state", "engine", "sequencer", "verifier"},
    "client": {"protocol", "views"},
    "verifier": {"protocol", "state", "engine"},
    "views": {"protocol"},
    "testing": {"protocol", "state", "engine", "client", "views"},
    "cli": {
        "protocol",
        "state",
        "engine",
        "sequencer",
        "service",
        "gateway",
        "chain",
        "client",
        "verifier",
        "testing",  # the stories that it tells
    },
}
# what the core must never need: Ape, web servers, EVM tooling
HEAVY = {"ape", "web3", "eth_abi", "eth_account", "litestar", "uvicorn", "vyper", "solcx"}
LIGHT = ("protocol", "state", "engine", "sequencer", "client", "verifier", "views", "testing")
CONSENSUS = ("protocol", "state", "engine")
# the compiler of the record layouts runs on a developer's machine, never in a zone
TOOLS = {"generate.py"}
BANNED_CALLS = {"time", "random", "secrets", "uuid", "datetime", "os", "socket", "threading"}


def get_files(package):
    return sorted((ROOT / package).rglob("*.py"))


def get_imports(path):
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                yield ".".join([*base, node.module or ""]).rstrip(".")
            else:
                yield node.module or ""
                if node.module == "tradezone":
                    names = (alias.name for alias in node.names)
                    yield from (f"tradezone.{name}" for name in names if (ROOT / name).is_dir())
                elif node.module == "scripts":
                    yield from (f"scripts.{alias.name}" for alias in node.names)


def test_every_package_is_on_the_map():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= set(ARROWS), packages - set(ARROWS)


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_imports_follow_the_arrows(package):
    allowed = {package} | ARROWS[package]
    for path in get_files(package):
        for name in get_imports(path):
            parts = name.split(".")
            if parts[0] == "tradezone" and len(parts) > 1:
                assert parts[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", LIGHT)
def test_the_core_needs_no_server_and_no_evm_tooling(package):
    for path in get_files(package):
        found = {name.split(".")[0] for name in get_imports(path)} & HEAVY
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("package", CONSENSUS)
def test_consensus_code_reads_no_clock_chance_or_environment(package):
    for path in get_files(package):
        if path.name not in TOOLS:
            found = {name.split(".")[0] for name in get_imports(path)} & BANNED_CALLS
            assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("package", CONSENSUS)
def test_consensus_code_has_no_floats(package):
    for path in get_files(package):
        if path.name in TOOLS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            is_path = isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant)
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            assert not is_float, f"{where} has a float"
            assert not (is_division and not is_path), f"{where} divides with /"


COMMANDS = sorted(path.stem for path in SCRIPTS.glob("[!_]*.py"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_imports_no_other_command(command):
    """Ape runs each in turn by its name, and Python warns of one that another has imported before."""
    found = set(get_imports(SCRIPTS / f"{command}.py"))
    assert not found & {f"scripts.{other}" for other in COMMANDS}
