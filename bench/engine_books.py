"""Claim: the engine executes at least 2 million order operations a second over 64 books and 100,000 accounts, on one core.

The mix of ``engine_one_book``, spread at random: each account trades on 8 of the 64 markets and holds 9 assets, and
500,000 orders are open. An envelope is one random account's, and each of its 30 orders goes to a random one of its
markets, so accounts, keys, nonces, balances, levels and orders are rarely in a cache. Included and not included:
as in ``engine_one_book``; rates as well.
"""

from __future__ import annotations

import json

from bench._zone import Driver, get_machine, measure_rates

OPERATIONS = 6_000
OPEN = 500_000
ACCOUNTS, MARKETS, FAVOURITES = 100_000, 64, 8
CLAIM = 2_000_000  # operations a second


def measure(with_ids):
    driver = Driver(ACCOUNTS, MARKETS, FAVOURITES)
    driver.fill_up(OPEN, with_ids)
    return measure_rates(driver, lambda: driver.build_mixed(OPERATIONS, OPEN, with_ids))


def main():
    plain, named = measure(False), measure(True)
    print(
        json.dumps(
            {
                "claim": "engine_books",
                **get_machine(),
                "is_met": plain["operations_per_second"]["median"] >= CLAIM,
                "without_client_ids": plain,
                "with_client_ids": named,
            }
        )
    )


if __name__ == "__main__":
    main()
