"""A witness of a step is enough, and nothing less or else is.

That compiled engine and step executor agree is for tests/engine/test_steps_random.py and its neighbours.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.model.streams import build_stream
from tradezone.engine import Engine
from tradezone.protocol import actions
from tradezone.protocol.limits import RECORD_TREE_DEPTH
from tradezone.protocol.records import TABLE_BY_NAME, TABLES
from tradezone.protocol.steps import IDLE, STEP_RECORDS
from tradezone.state.tree import RecordTree, verify_proof
from tradezone.verifier.stepper import Record, Stepper, WitnessError, check_step

BUSY = 31  # seed of a stream with many orders
FULLEST = 9  # records that the step in `witness` shows, at least


@dataclasses.dataclass
class Scene:
    """An executor in front of a step, and the inputs of its run."""

    stepper: Stepper
    source: dict[int, tuple[bytes, bytes]]
    messages: dict[int, bytes]
    end: int
    span: tuple[int, int]

    def build(self):
        return self.stepper.build_witness(self.source, self.messages, self.end, self.span)

    def step(self):
        return self.stepper._step(self.source, self.messages, self.end, self.span)

    def is_halted(self):
        return self.stepper._is_halted(self.end)


def build_scene(runs: int = 1, seed: int = 0) -> Scene:
    """The last of the first runs of a stream, not begun yet."""
    *before, last = build_stream(seed, blocks=runs)[:runs]
    stepper = Stepper(Engine().tables)
    for leaves, signers, messages in before:
        stepper.run(leaves, signers, messages)
    leaves, signers, messages = last
    machine = stepper._tables["machine"][0]
    first, inbox = int(machine["seq"]), int(machine["inbox"])
    source = {first + n: (leaf, signers[n] or bytes(20)) for n, leaf in enumerate(leaves)}
    known = {inbox + n: message for n, message in enumerate(messages)}
    return Scene(stepper, source, known, first + len(leaves), (inbox, inbox + len(messages)))


@pytest.fixture(scope="module")
def witness():
    """One step with a message and several records, and the root it starts from."""
    scene = build_scene()
    for _ in range(200):
        found = scene.build()
        if len(found.records) >= FULLEST:
            return scene.stepper.root, found
        scene.step()
    raise AssertionError("no such step")


def test_a_witness_alone_is_enough(witness):
    root, found = witness
    after, effects = check_step(root, found)
    assert after != root
    assert effects.events != []


def test_building_a_witness_changes_nothing(witness):
    scene = build_scene()
    while len(scene.build().records) < FULLEST:
        scene.step()
    before = scene.stepper.root
    first, second = scene.build(), scene.build()
    assert first == second == witness[1]
    assert scene.stepper.root == before == scene.stepper._tree.root
    scene.step()
    assert scene.stepper.root == check_step(before, first)[0]


@pytest.mark.parametrize("place", range(FULLEST))
def test_a_missing_record_is_named(witness, place):
    root, found = witness
    records = found.records[:place] + found.records[place + 1 :]
    with pytest.raises(WitnessError, match="not in the witness"):
        check_step(root, dataclasses.replace(found, records=records))


@pytest.mark.parametrize("place", range(FULLEST))
def test_a_forged_record_does_not_lead_to_the_root(witness, place):
    root, found = witness
    forged = found.records[place]
    raw = bytearray(forged.raw)
    raw[-1] ^= 1  # a byte that no step of this kind branches on
    records = list(found.records)
    records[place] = dataclasses.replace(forged, raw=bytes(raw))
    with pytest.raises(WitnessError):
        check_step(root, dataclasses.replace(found, records=tuple(records)))


@pytest.mark.parametrize("place", range(FULLEST))
def test_a_record_that_is_said_to_stand_elsewhere_is_refused(witness, place):
    root, found = witness
    records = list(found.records)
    moved = records[place]
    records[place] = dataclasses.replace(moved, slot=moved.slot ^ 1)
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


def test_records_in_another_order_are_refused(witness):
    """Each proof is against the root that the records before it leave."""
    root, found = witness
    changed = dataclasses.replace(found, records=found.records[::-1])
    with pytest.raises(WitnessError, match="does not lead to the root"):
        check_step(root, changed)


def test_more_records_than_a_step_may_have_are_refused(witness):
    root, found = witness
    many = (found.records * 3)[: STEP_RECORDS + 1]
    with pytest.raises(WitnessError, match=f"{STEP_RECORDS + 1} records"):
        check_step(root, dataclasses.replace(found, records=many))


def test_a_missing_message_and_another_one_are_refused(witness):
    root, found = witness
    assert found.message is not None
    with pytest.raises(WitnessError, match="message"):
        check_step(root, dataclasses.replace(found, message=None))
    index, message = found.message
    other = dataclasses.replace(found, message=(index + 1, message))
    with pytest.raises(WitnessError, match="message"):
        check_step(root, other)


def build_busy_scene() -> Scene:
    """In front of a run with many orders."""
    runs = build_stream(BUSY, blocks=20)
    longest = max(range(1, len(runs)), key=lambda n: sum(map(len, runs[n][0])))
    return build_scene(longest + 1, BUSY)


def test_a_leaf_and_hints_that_a_step_needs_are_asked_for():
    scene = build_busy_scene()
    missing = {"leaf": 0, "hint": 0}
    while not scene.is_halted():
        found, root = scene.build(), scene.stepper.root
        if found.leaf is not None:
            with pytest.raises(WitnessError, match="leaf"):
                check_step(root, dataclasses.replace(found, leaf=None))
            missing["leaf"] += 1
        if found.hints:
            with pytest.raises(WitnessError, match="hint"):
                check_step(root, dataclasses.replace(found, hints=found.hints[:-1]))
            missing["hint"] += 1
        scene.step()
    assert min(missing.values()) > 0, missing


def test_a_wrong_hint_is_an_error_and_never_an_outcome():
    """Whatever slot a hint names: the step ends like with the right one, or the witness is refused."""
    scene = build_busy_scene()
    tried = 0
    while not scene.is_halted():
        found, root = scene.build(), scene.stepper.root
        expected = check_step(root, found)[0]
        for place, right in enumerate(found.hints):
            shown = {record.slot for record in found.records}
            for wrong in {0, 1, right + 1, max(right - 1, 0), 10**6} | shown:
                hints = (*found.hints[:place], wrong, *found.hints[place + 1 :])
                try:
                    after, _ = check_step(root, dataclasses.replace(found, hints=hints))
                except WitnessError:
                    continue
                finally:
                    tried += 1
                assert after == expected
        scene.step()
    assert tried > 20


def test_a_record_of_an_executor_is_that_of_numpy():
    """Reading and writing of fields, all tables, at the bounds of their columns."""
    for table in TABLES:
        row = np.zeros(1, table.dtype)
        record = Record(table, row.tobytes())
        for n, name in enumerate(table.dtype.names):
            column = np.iinfo(table.dtype[name])
            for value in (column.max, column.min, n):
                row[name], record_value = value, value
                setattr(record, name, record_value)
                assert getattr(record, name) == int(row[name][0]) == value
        assert record.to_bytes() == row.tobytes()
        with pytest.raises(AttributeError):
            _ = record.no_such_field
        with pytest.raises(AttributeError):
            record.no_such_field = 1


def test_the_executors_proofs_are_those_of_the_record_tree():
    scene = build_scene(runs=3)
    while not scene.is_halted():
        scene.step()
    tree = RecordTree()
    root = tree.rebuild(scene.stepper._by_number)
    assert root == scene.stepper.root
    for name, slot in (("machine", 0), ("account", 3), ("balance", 1), ("order", 1), ("owner", 99)):
        table = TABLE_BY_NAME[name]
        proof = scene.stepper._tree.prove(table.number << 32 | slot)
        assert list(proof) == tree.prove(table.number, slot)
        raw = scene.stepper._tables[name][slot].tobytes()
        words = b"".join(raw[at : at + 32][::-1] for at in range(0, len(raw), 32))
        assert verify_proof(root, table.number, slot, words, proof)


def test_a_run_that_has_nothing_to_do_takes_no_step():
    scene = build_scene(runs=2)
    while not scene.is_halted():
        scene.step()
    stepper = scene.stepper
    steps, root = stepper.steps, stepper.root
    assert stepper.run([], []) == ([], [])
    assert (stepper.pc, stepper.steps, stepper.root) == (IDLE, steps, root)
    results, events = stepper.run([actions.block_mark(7, 0)], [None])  # not the next block's number
    assert len(results) == len(events) == 1
