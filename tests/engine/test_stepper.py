"""The slow step executor equals the fast engine, from witnesses alone, at every block end."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from tests.model.streams import build_stream
from tradezone.engine import Engine
from tradezone.protocol.limits import RECORD_TREE_DEPTH
from tradezone.protocol.records import TABLE_BY_NUMBER
from tradezone.protocol.steps import NAMES, PRICE_LEAF, STEP_RECORDS
from tradezone.verifier.stepper import Stepper, WitnessError, check_step, to_event_rows

SEEDS = (2, 5)  # together they reach every step
SPEC = Path(__file__).parents[2] / "docs" / "spec" / "steps.md"


def get_documented_steps():
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d+) \| ([a-z_ ]+) \|", SPEC.read_text(), re.MULTILINE)
    return {name: (int(most), set(tables.split())) for name, most, tables in rows}


@pytest.fixture(scope="module")
def observed():
    """Run streams through both; yields what each step touched over all of them."""
    most, tables = {}, {}
    for seed in SEEDS:
        engine = Engine()
        engine.commit_root()
        stepper = Stepper(engine.tables)
        for leaves, signers, messages in build_stream(seed, blocks=25):
            results, events = engine.execute(leaves, signers, messages)
            slow_results, slow_events = stepper.run(leaves, signers, messages)
            assert slow_results == results
            assert np.array_equal(to_event_rows(slow_events), events)
            assert stepper.root == engine.commit_root()
        for pc, count in stepper.most_records.items():
            most[pc] = max(count, most.get(pc, 0))
            tables.setdefault(pc, set()).update(stepper.tables_of[pc])
    return most, tables


def test_steps_stay_within_what_the_specification_says(observed):
    most, tables = observed
    documented = get_documented_steps()
    for pc, count in most.items():
        limit, names = documented[NAMES[pc]]
        assert count <= limit <= STEP_RECORDS, f"{NAMES[pc]} touched {count} records"
        assert {TABLE_BY_NUMBER[kind].name for kind in tables[pc]} <= names, NAMES[pc]


def test_every_step_is_documented_and_exercised(observed):
    most, _ = observed
    documented = set(get_documented_steps())
    numbered = {NAMES[pc] for pc in NAMES if NAMES[pc] != "STEP_RECORDS"}
    assert documented == numbered - {"NAMES"}
    # The steps of perpetuals begin at PRICE_LEAF; the suites of perpetuals reach them.
    later = {NAMES[pc] for pc in NAMES if isinstance(pc, int) and pc >= PRICE_LEAF}
    missing = documented - later - {NAMES[pc] for pc in most}
    assert not missing, f"no stream reaches {missing}"


@pytest.fixture(scope="module")
def witness():
    """One step with a leaf and several records, and the root it starts from."""
    engine = Engine()
    engine.commit_root()
    stepper = Stepper(engine.tables)
    (leaves, signers, messages), *_ = build_stream(0, blocks=1)
    source = {1 + n: (leaf, signers[n] or bytes(20)) for n, leaf in enumerate(leaves)}
    known = dict(enumerate(messages))
    span = (0, len(messages))
    for _ in range(200):
        found = stepper.build_witness(source, known, 1 + len(leaves), span)
        if len(found.records) >= 9:
            return stepper.root, found
        stepper._step(source, known, 1 + len(leaves), span)
    raise AssertionError("no such step")


def test_a_witness_alone_is_enough(witness):
    root, found = witness
    after, _ = check_step(root, found)
    assert after != root


@pytest.mark.parametrize("place", range(9))
def test_a_missing_record_is_named(witness, place):
    root, found = witness
    records = found.records[:place] + found.records[place + 1 :]
    with pytest.raises(WitnessError, match="not in the witness"):
        check_step(root, dataclasses.replace(found, records=records))


@pytest.mark.parametrize("place", range(9))
def test_a_forged_record_does_not_lead_to_the_root(witness, place):
    root, found = witness
    forged = found.records[place]
    raw = bytearray(forged.raw)
    raw[-1] ^= 1  # a byte that no step of this kind branches on
    records = list(found.records)
    records[place] = dataclasses.replace(forged, raw=bytes(raw))
    with pytest.raises(WitnessError):
        check_step(root, dataclasses.replace(found, records=tuple(records)))


@pytest.mark.parametrize("length", [0, RECORD_TREE_DEPTH - 1, RECORD_TREE_DEPTH + 1])
def test_a_proof_of_another_length_is_refused(witness, length):
    root, found = witness
    first = found.records[0]
    proof = (first.proof * 2)[:length]
    records = (dataclasses.replace(first, proof=proof), *found.records[1:])
    with pytest.raises(WitnessError, match="siblings"):
        check_step(root, dataclasses.replace(found, records=records))


def test_a_witness_against_another_root_is_refused(witness):
    _, found = witness
    with pytest.raises(WitnessError, match="does not lead to the root"):
        check_step(b"\x01" * 32, found)
