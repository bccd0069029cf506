"""Seconds per check over the tables of published derivatives.

Run with ``python benchmarks/check.py [topic]`` from the root of the repository; prints the median
and the 99th percentile of right and of wrong claims.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from backprove.checking.check import check
from backprove.errors import ShapeError
from tables.loader import Case, cases

BUDGET_MEDIAN = 0.050
BUDGET_P99 = 2.0


def seconds(case: Case, claim: str) -> float:
    """The time of one check."""
    start = time.perf_counter()
    with suppress(ShapeError):  # a refused claim takes its time as well
        check(
            case.f,
            case.wrt,
            claim,
            case.shapes,
            order=case.order,
            domain=case.domain or None,
            structured=bool(case.structured),
        )
    return time.perf_counter() - start


def main(topic: str | None) -> int:
    """Time every claim of the tables and compare with the budget."""
    right = [seconds(c, claim) for c in cases(topic) for claim in c.claims]
    wrong = [seconds(c, w.claim) for c in cases(topic) for w in c.wrong]
    for name, times in (("right", right), ("wrong", wrong), ("all", right + wrong)):
        median, last = np.median(times), np.percentile(times, 99)
        print(f"{name:6} {len(times):5} checks  median {1e3 * median:7.1f} ms", end="")
        print(f"  p99 {1e3 * last:7.1f} ms  max {1e3 * max(times):7.1f} ms")
    both = right + wrong
    return int(np.median(both) > BUDGET_MEDIAN or np.percentile(both, 99) > BUDGET_P99)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
