"""What makes the engine fast changes nothing: where a run stops, what is computed ahead, what is kept beside the state."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.stepped import record_stream
from tradezone.engine import Engine
from tradezone.engine import engine as engine_module
from tradezone.engine.memory import EVENT_LIMIT
from tradezone.protocol import actions
from tradezone.protocol.enums import FREE
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import ORDER_BUCKETS
from tradezone.protocol.records import ORDER

SEEDS = (2, 31, 73)
BLOCKS = 25


def build_run(leaves, signers):
    offsets = np.cumsum([0] + [len(leaf) for leaf in leaves])
    rows = np.frombuffer(b"".join(s or bytes(20) for s in signers), np.uint8)
    return np.frombuffer(b"".join(leaves), np.uint8), offsets, rows.reshape(-1, 20)


def run_stream(seed):
    engine = Engine()
    told = []
    for leaves, signers, messages in record_stream(seed, BLOCKS):
        result = engine.execute_run(*build_run(leaves, signers), messages)
        machine = engine.machine.tobytes()
        told.append((result.results.tolist(), result.events.tobytes(), result.steps, machine))
    return engine, told


@pytest.fixture(scope="module", params=SEEDS)
def whole(request):
    engine, told = run_stream(request.param)
    return request.param, engine, told


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_a_run_left_after_any_number_of_steps_ends_in_the_same_state(whole, monkeypatch, most):
    seed, engine, told = whole
    monkeypatch.setattr(engine_module, "_STEPS_PER_CALL", most)
    other, others = run_stream(seed)
    assert others == told
    assert other.rebuild_root() == engine.rebuild_root()


def test_a_run_left_at_every_event_ends_in_the_same_state(whole, monkeypatch):
    seed, engine, told = whole
    run = engine_module.run

    def run_at_the_brim(state, derived, inputs, most):
        """Run with one place left in the event buffer; say "not done" as long as that fills."""
        io = inputs[0]
        first = EVENT_LIMIT - 1
        io["event_count"] = first
        steps = run(state, derived, inputs, most)
        count = int(io["event_count"]) - first
        io["event"][:count] = io["event"][first : first + count]
        io["event_count"] = count
        return steps if count == 0 else most

    monkeypatch.setattr(engine_module, "run", run_at_the_brim)
    other, others = run_stream(seed)
    without_steps = [(results, events, machine) for results, events, _, machine in told]
    assert [(r, e, m) for r, e, _, m in others] == without_steps
    assert other.rebuild_root() == engine.rebuild_root()


def test_classes_and_buckets_computed_ahead_are_those_of_the_leaves():
    engine = Engine()
    seen = set()
    for leaves, signers, messages in record_stream(SEEDS[0], BLOCKS):
        engine.execute_run(*build_run(leaves, signers), messages)
        io = engine._io[0]
        for n, leaf in enumerate(leaves):
            assert io["leaf_class"][n] == actions.leaf_class(leaf)
            envelope = actions.Envelope.from_leaf(leaf)
            if envelope is None or envelope.action not in actions.ITEM_LAYOUTS:
                continue
            for i, item in enumerate(actions.unpack_items(envelope)):
                name = item["client_id"]
                is_named = any(name) and item.get("order", 0) == 0
                hashed = keccak(envelope.account.to_bytes(4, "big") + name)
                bucket = int.from_bytes(hashed, "big") % ORDER_BUCKETS if is_named else -1
                assert io["bucket"][n, i] == bucket
                seen.add((envelope.action, is_named))
    assert {(actions.PLACE, True), (actions.PLACE, False), (actions.CANCEL, True)} <= seen


def get_free_list(engine):
    slots, slot = [], int(engine.tables["head"][ORDER.number]["first_free"])
    while slot:
        slots.append(slot)
        slot = int(engine.tables["order"][slot]["next"])
    return slots


def check_derived(engine):
    derived, orders = engine._derived[0], engine.tables["order"]
    mirror = derived["free_order"][: derived["free_orders"]].tolist()
    assert mirror[::-1] == get_free_list(engine)
    used = int(engine.tables["head"][ORDER.number]["high_water"])
    named = 0
    for slot in range(1, used):
        row = orders[slot]
        high, low = int(row["client_id1"]), int(row["client_id0"])
        if row["state"] != FREE and high | low:
            name = (high << 64 | low).to_bytes(16, "big")
            hashed = keccak(int(row["account"]).to_bytes(4, "big") + name)
            bucket = int.from_bytes(hashed, "big") % ORDER_BUCKETS
            assert row["bucket"] == bucket
            named += 1
    return named


def test_what_is_kept_beside_the_state_follows_from_it(whole, tmp_path):
    _, engine, _ = whole
    named = check_derived(engine)
    engine.save_snapshot(tmp_path / "snapshot")
    again = Engine.from_snapshot(tmp_path / "snapshot")
    assert check_derived(again) == named
    assert again.commit_root() == engine.rebuild_root()


def test_looking_ahead_at_nonsense_does_no_harm():
    engine = Engine()
    (leaves, signers, messages), *_ = record_stream(SEEDS[0], 1)
    engine.execute_run(*build_run(leaves, signers), messages)
    number, time = int(engine.machine["block"]) + 1, int(engine.machine["time"])
    nonsense, items = [], []
    for action in actions.ITEM_LAYOUTS:
        size = actions.layout_bytes(actions.ITEM_LAYOUTS[action])
        for filling in (b"\xff", b"\x7f", b"\x01"):
            body = filling * (size * actions.MAX_ITEMS)
            for account in (0, 2, (1 << 31) - 1, (1 << 32) - 1):
                envelope = actions.Envelope(account, (1 << 64) - 1, 1, 1, action, body, bytes(65))
                nonsense.append(envelope.to_leaf())
                # thirty items where one is the rule are malformed: one leaf that failed
                items.append(1 if action in actions.SINGLE_ITEM else actions.MAX_ITEMS)
    run = build_run([actions.block_mark(number, time), *nonsense], [None] * (len(nonsense) + 1))
    result = engine.execute_run(*run)
    assert (result.results[1:] >> 16).tolist() == items


def test_events_of_a_run_stay_when_the_next_one_is_executed():
    engine = Engine()
    results = []
    for leaves, signers, messages in record_stream(SEEDS[0], 8):
        result = engine.execute_run(*build_run(leaves, signers), messages)
        results.append((result.events, result.events.copy()))
    assert all(np.array_equal(events, copy) for events, copy in results)
