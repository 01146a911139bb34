"""Claim: the engine executes at least 5 million order operations a second on one book, on one core.

The mix is 70 % post-only orders, 25 % cancels by order id, 5 % IOC orders that trade: each IOC order fills nine resting
orders on average, which keeps 20,000 orders open over 200 prices a side. Envelopes carry 30 items (IOC orders 5), 100
accounts take turns, a block holds 6,000 operations and is one call of ``Engine.execute_run``; the market has the
default taker delay. One operation is one item; the fills come on top and are told apart.

Included: classes and class order, envelope checks, nonces, all checks of orders, locks, levels, waiting and release,
matching, fees to three accounts, client id buckets (second figure), events and their copy to the caller, dirty
marks, bounds checks, the call from Python. Not included: signature recovery, journal, receipts, roots, and building
the leaves. Rates are per second of processor time; ``wall`` is by the clock.
"""

from __future__ import annotations

import json

from bench._zone import Driver, get_machine, measure_rates

OPERATIONS = 6_000
OPEN = 20_000
ACCOUNTS = 100
CLAIM = 5_000_000  # operations a second


def measure(with_ids):
    driver = Driver(ACCOUNTS)
    driver.fill_up(OPEN, with_ids)
    return measure_rates(driver, lambda: driver.build_mixed(OPERATIONS, OPEN, with_ids))


def main():
    plain, named = measure(False), measure(True)
    print(
        json.dumps(
            {
                "claim": "engine_one_book",
                **get_machine(),
                "is_met": plain["operations_per_second"]["median"] >= CLAIM,
                "without_client_ids": plain,
                "with_client_ids": named,
            }
        )
    )


if __name__ == "__main__":
    main()
