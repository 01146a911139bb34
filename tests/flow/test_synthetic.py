"""The made-up flow: always the same, never refused, of the right shape."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from tradezone.testing import FifoBook, FlowDataError, Take, synthetic


def digest_of(flow) -> str:
    return hashlib.sha256(
        repr((flow.intentions, flow.times, flow.checkpoints)).encode()
    ).hexdigest()


def test_equal_seeds_give_equal_flows():
    flow = synthetic.build_flow(messages=500, seed=3)
    assert digest_of(flow) == digest_of(synthetic.build_flow(messages=500, seed=3))
    assert digest_of(flow) != digest_of(synthetic.build_flow(messages=500, seed=4))


def test_the_flow_does_not_depend_on_the_machine():
    assert synthetic.SplitMix(1234567).next() == 6457827717110365317  # published test vector
    flow = synthetic.build_flow(messages=500, seed=3)
    assert digest_of(flow)[:16] == "f33260c755ea98a4"


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_refused_and_makers_are_as_said(seed):
    flow, book = synthetic.build_flow(messages=3_000, seed=seed), FifoBook()
    for intention in flow.intentions:
        makers = book.apply(intention)
        assert not isinstance(intention, Take) or tuple(makers) == intention.makers
    assert book.rejected == []
    assert flow.messages >= 3_000


def test_the_mix_is_close_to_a_real_hour(made_up):
    kinds = Counter(type(intention).__name__ for intention in made_up.intentions)
    shares = {name: count * 100 // len(made_up.intentions) for name, count in kinds.items()}
    assert 40 <= shares["PlacePostOnly"] <= 60
    assert 35 <= shares["Cancel"] <= 55
    assert 2 <= shares["Take"] <= 6
    assert kinds["Shrink"] > 0
    assert any(len(i.makers) > 1 for i in made_up.intentions if isinstance(i, Take))
    assert max(made_up.times) <= synthetic.DEFAULT_DURATION
    assert list(made_up.times) == sorted(made_up.times)


@pytest.mark.parametrize("arguments", [{"messages": 0}, {"price": 999}, {"duration": 100}])
def test_senseless_numbers_are_refused(arguments):
    with pytest.raises(FlowDataError, match="Expected"):
        synthetic.build_flow(**arguments)
