"""The tools that say what the chain suites execute and notice of the contracts: their reading of code and source."""

from __future__ import annotations

import pytest

from tools.coverage import ROOT, Code, Source, instructions, mark, name_codes, read_map, read_tree
from tools.mutate import compile_one, find_mutants, without_metadata

PATH = "contracts/custody/Redirects.sol"
# PUSH1 1 PUSH1 6 JUMPI STOP JUMPDEST STOP
CODE = bytes.fromhex("60016006570050005b00")


@pytest.fixture(scope="module")
def redirects():
    """Redirects.sol as solc sees it."""
    source = (ROOT / PATH).read_bytes()
    answer, tree = compile_one(PATH, "Redirects", tree=True)
    return source, answer, tree


def test_instructions_step_over_what_is_pushed():
    assert [pc for pc, _ in instructions(CODE)] == [0, 2, 4, 5, 6, 7, 8, 9]
    assert list(instructions(bytes.fromhex("7f" + "5b" * 32 + "00"))) == [(0, 0x7F), (33, 0)]


def test_a_source_map_repeats_what_it_leaves_out():
    code = read_map(CODE, "10:5:0;;20:3;:4;30:1:1;;;", "Name")
    assert code.starts[0] == code.starts[2] == (0, 10, 5)
    assert code.starts[4] == (0, 20, 3)
    assert code.starts[5] == (0, 20, 4)
    assert code.starts[9] == (1, 30, 1)
    assert code.jumps == {4}


def make_source():
    """Return `if (a) b;` with a condition at 4 and a statement at 7."""
    source = Source("x.sol", b"if (a) b;")
    source.statements[7, 1] = False
    source.conditions[4, 1] = "if"
    return source


def run(pcs, jumps):
    source = make_source()
    code = Code("X", {0: (0, 4, 1), 4: (0, 4, 1), 5: (0, 7, 1)}, {4})
    mark(code, (pcs, jumps), {0: source})
    return source


def test_a_statement_runs_with_an_instruction_of_its_own():
    assert run({0, 4}, {(4, 6)}).statements == {(7, 1): False}
    assert run({0, 4, 5}, {(4, 5)}).statements == {(7, 1): True}


def test_a_condition_has_two_ways():
    assert run({0, 4}, {(4, 6)}).ways[4, 1] == {False}
    assert run({0, 4, 5}, {(4, 6), (4, 5)}).ways[4, 1] == {True, False}
    assert run(set(), set()).jumped == {(4, 1)}


def test_codes_are_known_by_their_ends_and_vyper_by_its_beginning():
    head, tail = "aa" * 64, "bb" * 64
    built = {
        "contractTypes": {
            "Sol": {
                "sourceId": "Sol.sol",
                "runtimeBytecode": {"bytecode": "0x00" + tail},
                "deploymentBytecode": {"bytecode": "0x" + "cc" * 64 + "00"},
            },
            "Vy": {"sourceId": "Vy.vy", "runtimeBytecode": {"bytecode": "0x" + head + "00"}},
        }
    }
    runs = {
        f"65:{'00' * 64}:{tail}": ({1}, set()),
        f"97:{head}:{'dd' * 64}": ({2}, {(2, 3)}),
        f"9000:{head}:{'dd' * 64}": ({9}, set()),  # too long for Vy and its immutables
        "creation:" + "cc" * 64: ({3}, set()),
    }
    named = name_codes(runs, built)
    assert named == {
        "Sol": ({1}, set()),
        "Vy": ({2}, {(2, 3)}),
        "creation Sol": ({3}, set()),
    }


def test_the_tree_of_a_real_contract_is_read(redirects):
    text, _, tree = redirects
    source = Source(PATH, text)
    read_tree(tree, source)
    shown = [text[start : start + length] for start, length in source.statements]
    assert any(statement.startswith(b"emit ") for statement in shown)
    assert any(statement.startswith(b"revert ") for statement in shown)
    assert set(source.conditions.values()) <= {"if", "?:", "&&", "||", "require"}


def test_mutants_are_single_changes_that_compile_or_are_counted(redirects):
    text, answer, tree = redirects
    mutants = find_mutants(tree, text, "Redirects")
    assert len({(m.start, m.end, m.text) for m in mutants}) == len(mutants) > 5
    assert any(m.what == "condition is false" for m in mutants)
    changed = text[: mutants[0].start] + mutants[0].text + text[mutants[0].end :]
    assert changed != text
    plain = without_metadata(answer["deployedBytecode"]["object"])
    again = compile_one(PATH, "Redirects", text + b"\n// a comment\n")
    assert without_metadata(again["deployedBytecode"]["object"]) == plain
    assert again["deployedBytecode"]["object"] != answer["deployedBytecode"]["object"]
    assert compile_one(PATH, "Redirects", text + b"contract {") is None
