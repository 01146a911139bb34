"""Claim: an order operation costs at most twice as much with 1,000,000 orders open as with 10,000, and a full zone fits 2 GB.

Time: the mix of ``engine_one_book`` on one book of 1,000 prices a side, 20,000 accounts, with 1 k, 10 k, 100 k and 1 M
open orders (an account may have 1,000 open, the zone 2^21).

Memory: resident size of the process, less what it was before the engine, of a zone with 520,000 owners (it takes
2^19 - 1) who hold two assets each, 432,000 further accounts (it takes 2^20 less those kept for owners and venues),
then 1 M open orders, then its first root (the record tree). Included and not included: as in ``engine_one_book``.
"""

from __future__ import annotations

import json
from pathlib import Path

from bench._zone import Driver, get_machine, measure_rates
from tradezone.protocol.records import ACCOUNT

OPERATIONS = 6_000
ACCOUNTS = 20_000
OPEN = (1_000, 10_000, 100_000, 1_000_000)
FURTHER = (8_000, 54)  # owners, further accounts of each
OWNERS = 500_000  # besides those who trade
MAX_TIMES = 2.0
MAX_BYTES = 2 << 30


def get_resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def measure_growth():
    driver = Driver(ACCOUNTS, depth=1_000)
    found = {}
    for orders in OPEN:
        driver.fill_up(orders)
        size = min(OPERATIONS, orders // 2)  # of a block
        found[str(orders)] = measure_rates(
            driver,
            lambda orders=orders, size=size: driver.build_mixed(size, orders),
            blocks=10 * OPERATIONS // size,
        )
    return found


def measure_memory():
    before = get_resident()
    driver = Driver(ACCOUNTS)
    driver.add_accounts(*FURTHER)
    driver.add_owners(OWNERS)
    sizes = {"accounts": get_resident() - before}
    driver.fill_up(OPEN[-1])
    sizes["and_open_orders"] = get_resident() - before
    driver.engine.commit_root()
    sizes["and_record_tree"] = get_resident() - before
    accounts = int(driver.engine.tables["head"]["in_use"][ACCOUNT.number])
    return {"accounts": accounts, "open_orders": driver.open}, sizes


def main():
    counts, sizes = measure_memory()
    growth = measure_growth()
    ns = {orders: found["ns_an_operation"]["median"] for orders, found in growth.items()}
    print(
        json.dumps(
            {
                "claim": "engine_growth",
                **get_machine(),
                "is_met": ns["1000000"] <= MAX_TIMES * ns["10000"]
                and sizes["and_open_orders"] <= MAX_BYTES,
                "open_orders": growth,
                "zone": counts,
                "resident_mb": {name: size >> 20 for name, size in sizes.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
