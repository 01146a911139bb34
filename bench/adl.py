"""Claim: on the accounts of 2025-10-10, water-filling takes less from the hardest hit than a queue by profit times leverage.

Data: every account that was deleveraged on Hyperliquid that day (19,337 with what was closed of each, its profit on it and
its account value; the folder is found as `tradezone.testing.lobster` finds its own; without it nothing is printed but that).
The file says what was closed, not what was open, so the closed notional is taken as the position: the accounts are the other
side of the market, and the question is whom of them a rule closes when only a part of it is needed.

Both rules get the same task: close a share of the notional and raise the same share of the 109 million dollars by which
accounts had gone under, at one price for all that is closed.

* water-filling (docs/spec/adl.md): the group in profit first, each position down to one level of notional to equity; nobody pays
  more than his equity;
* queue: whole positions, highest (mark / entry) * (notional / equity) first, as published; profit counts for short and long alike.

For each share: positions in profit closed (notional), accounts touched, accounts closed whole, largest single payment, largest
payment as a part of its payer's equity, accounts pushed below zero (of the queue: it has no clip), the highest leverage left to
anybody in profit. Amounts are dollars. The same is printed as a table beside the line. `exact` says that the lots of water-filling sum to what was asked, and that its two sums prove the level.
"""

from __future__ import annotations

import csv
import json
import sys
import time

import numpy as np

from bench.state_commit import get_cpu_model
from tradezone.protocol.limits import LEVEL_UNIT, MAX_LEVEL
from tradezone.testing.lobster import get_folder

LOT = 100  # lots of a dollar: one lot is a cent of notional
SHARES = (5, 10, 25, 50, 75, 90)  # percent of the notional


def read_accounts(folder):
    """Notional, profit and equity of each account in cents, as integers, and the sum of negative equities."""
    with (folder / "adl_by_user_REALTIME.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def column(name):
        return np.array([round(float(row[name]) * LOT) for row in rows], dtype=np.int64)

    notional, profit = column("adl_notional"), column("closed_pnl")
    equity = np.maximum(column("account_value_realtime") + profit, 0)
    summary = json.loads((folder / "realtime_analysis_summary.json").read_text(encoding="utf-8"))
    loss = -round(summary["key_findings"]["negative_equity_total"] * LOT)
    used = notional > 0
    return notional[used], profit[used], equity[used], loss


def get_gives(notional, equity, level):
    """l_i(L) for all positions: lots that each gives at a level."""
    if level > MAX_LEVEL:
        return np.zeros_like(notional)
    # In pieces: level * equity may pass 63 bits.
    keeps = equity // LEVEL_UNIT * level + equity % LEVEL_UNIT * level // LEVEL_UNIT
    return np.clip(notional - keeps, 0, notional)


def fill_level(notional, equity, target):
    """Find the lowest level whose sum is at most the target, and lots that sum to it exactly."""
    low, high = 0, MAX_LEVEL + 1
    while low < high:
        middle = (low + high) // 2
        if int(get_gives(notional, equity, middle).sum()) <= target:
            high = middle
        else:
            low = middle + 1
    gives = get_gives(notional, equity, low)
    total = below = int(gives.sum())
    if low:
        more = get_gives(notional, equity, low - 1) - gives
        below += int(more.sum())
        before = np.cumsum(more) - more
        gives = gives + np.clip(target - total - before, 0, more)
    is_proved = total <= target and (low == 0 or below > target)
    return low, gives, is_proved


def water_fill(notional, profit, equity, needed):
    """Apply docs/spec/adl.md; return (level, lots, whether the sums prove it)."""
    gives = np.zeros_like(notional)
    group, target = profit > 0, needed
    if int(notional[group].sum()) < needed:
        gives[group] = notional[group]
        target -= int(notional[group].sum())
        group = ~group
    level, part, is_proved = fill_level(notional[group], equity[group], target)
    gives[group] = part
    return level, gives, is_proved and int(gives.sum()) == needed


def queue(notional, profit, equity, needed):
    """Close whole positions by profit times leverage, the last one in part."""
    index = (1 + profit / notional) * (notional / np.maximum(equity, 1))
    order = np.argsort(-index, kind="stable")
    before = np.cumsum(notional[order]) - notional[order]
    gives = np.zeros_like(notional)
    gives[order] = np.clip(needed - before, 0, notional[order])
    return gives


def get_dues(gives, loss):
    """Share a loss by lots, one price for all: differences of floors of the running sum."""
    total = int(gives.sum())
    upto = [0, *(int(loss) * run // total for run in np.cumsum(gives).tolist())]
    return np.diff(np.array(upto, dtype=np.int64))


def describe(notional, profit, equity, gives, paid, dues):
    touched = gives > 0
    left = notional - gives
    rates = np.where(equity > 0, left / np.maximum(equity, 1), 0)
    parts = np.where(equity > 0, paid / np.maximum(equity, 1), 0)
    return {
        "closed": round(int(gives.sum()) / LOT),
        "closed_in_profit": round(int(gives[profit > 0].sum()) / LOT),
        "accounts_touched": int(touched.sum()),
        "accounts_closed_whole": int((touched & (left == 0)).sum()),
        "largest_single_payment": round(int(paid.max()) / LOT),
        "largest_payment_of_equity": round(float(parts.max()), 4),
        "accounts_pushed_below_zero": int((paid > equity).sum()),
        "not_raised": round(int((dues - paid).sum()) / LOT),
        "highest_leverage_left_in_profit": round(float(rates[profit > 0].max()), 2),
    }


def compare(notional, profit, equity, loss):
    rows = []
    for share in SHARES:
        needed, charge = int(notional.sum()) * share // 100, loss * share // 100
        level, gives, is_proved = water_fill(notional, profit, equity, needed)
        dues = get_dues(gives, charge)
        paid = np.minimum(dues, equity)
        queued = queue(notional, profit, equity, needed)
        asked = get_dues(queued, charge)
        rows.append(
            {
                "percent": share,
                "level": round(level / LEVEL_UNIT, 4),
                "exact": is_proved,
                "water_filling": describe(notional, profit, equity, gives, paid, dues),
                "queue": describe(notional, profit, equity, queued, asked, asked),
            }
        )
    return rows


COLUMNS = (
    ("profitable closed $", "closed_in_profit"),
    ("accounts", "accounts_touched"),
    ("closed whole", "accounts_closed_whole"),
    ("largest loss $", "largest_single_payment"),
    ("of its equity", "largest_payment_of_equity"),
    ("below zero", "accounts_pushed_below_zero"),
    ("leverage left", "highest_leverage_left_in_profit"),
)


def build_table(rows):
    """Lines of text: for each share both rules, one under the other."""
    lines = ["share  rule           " + "".join(f"{title:>20}" for title, _ in COLUMNS)]
    for row in rows:
        for rule in ("water_filling", "queue"):
            cells = "".join(f"{row[rule][key]:>20,}" for _, key in COLUMNS)
            lines.append(f"{row['percent']:>4} %  {rule.replace('_', '-'):<15}{cells}")
    return lines


def main():
    folder = get_folder() / "hyperliquid_adl"
    if not folder.is_dir():
        print(json.dumps({"claim": "adl", "skipped": "no data of 2025-10-10 (TRADEZONE_DATA)"}))
        return
    notional, profit, equity, loss = read_accounts(folder)
    started = time.perf_counter()
    rows = compare(notional, profit, equity, loss)
    print(*build_table(rows), sep="\n", file=sys.stderr)
    print(
        json.dumps(
            {
                "claim": "adl",
                "cpu": get_cpu_model(),
                "accounts": len(notional),
                "notional": round(int(notional.sum()) / LOT),
                "went_under": round(loss / LOT),
                "seconds": round(time.perf_counter() - started, 3),
                "shares": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
