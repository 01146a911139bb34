"""Flows for the tests of this folder. The real one is skipped, loudly, where its data is absent."""

from __future__ import annotations

import warnings

import pytest

from tests.flow.venue import FifoVenue
from tradezone.testing import bitstamp, lobster, run_flow, synthetic


@pytest.fixture(scope="session")
def aapl():
    """The real hour."""
    reason = lobster.get_missing_reason()
    if reason is not None:
        warnings.warn(f"tests with real order flow are SKIPPED: {reason}", stacklevel=1)
        pytest.skip(reason)
    return lobster.fetch_flow()


@pytest.fixture(scope="session")
def bitstamp_day():
    """The real five hours."""
    reason = bitstamp.get_missing_reason()
    if reason is not None:
        warnings.warn(f"tests with real order flow are SKIPPED: {reason}", stacklevel=1)
        pytest.skip(reason)
    return bitstamp.fetch_day()


@pytest.fixture(scope="session")
def made_up():
    """A made-up flow, enough of it for every kind of message."""
    return synthetic.build_flow(messages=4_000, seed=7)


@pytest.fixture(scope="session")
def made_up_run(made_up):
    """What the plain venue made of the made-up flow."""
    return run_flow(FifoVenue(), made_up, makers=20, takers=4)
