"""Seconds per check over the tables of published derivatives.

Run with ``python benchmarks/check.py [topic]`` from the root of the repository; prints the median
and the 99th percentile of right and of wrong claims, how many are accepted, refused and proved, and
for every kind of slip the names that it was given.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from backprove.checking.check import check
from backprove.checking.verdict import Verdict
from backprove.errors import ShapeError
from tables.loader import Case, cases

BUDGET_MEDIAN = 0.050
BUDGET_P99 = 2.0


@dataclass
class Judged:
    """One check: the verdict (None where the claim was refused at its place) and its time."""

    verdict: Verdict | None
    seconds: float


def judged(case: Case, claim: str) -> Judged:
    """Check one claim."""
    start = time.perf_counter()
    verdict = None
    with suppress(ShapeError):  # a refused claim takes its time as well
        verdict = check(
            case.f,
            case.wrt,
            claim,
            case.shapes,
            order=case.order,
            domain=case.domain or None,
            structured=bool(case.structured),
        )
    return Judged(verdict, time.perf_counter() - start)


def print_times(right: list[Judged], wrong: list[Judged]) -> bool:
    """The median and the 99th percentile; True if the budget is kept."""
    for name, group in (("right", right), ("wrong", wrong), ("all", right + wrong)):
        times = [j.seconds for j in group]
        median, last = np.median(times), np.percentile(times, 99)
        print(f"{name:6} {len(times):5} checks  median {1e3 * median:7.1f} ms", end="")
        print(f"  p99 {1e3 * last:7.1f} ms  max {1e3 * max(times):7.1f} ms")
    both = [j.seconds for j in right + wrong]
    return bool(np.median(both) <= BUDGET_MEDIAN and np.percentile(both, 99) <= BUDGET_P99)


def print_right(right: list[Judged]) -> None:
    """How many of the right claims are accepted, and how many of them are proved."""
    accepted = [j.verdict for j in right if j.verdict is not None and j.verdict.accepted]
    proved = sum(v.level == "proved" for v in accepted)
    print(f"right claims: {len(accepted)} of {len(right)} accepted, {proved} of them proved")


def print_wrong(made: list[str], wrong: list[Judged]) -> None:
    """How many of the wrong claims are refused and named as made; made against named."""
    kinds = Counter(j.verdict.kind if j.verdict else "error" for j in wrong)
    print(f"wrong claims: {len(wrong)}: {dict(kinds)}")
    pairs = Counter(
        (name, j.verdict.mistake)
        for name, j in zip(made, wrong, strict=True)
        if j.verdict is not None and j.verdict.kind == "wrong"
    )
    same = sum(count for (name, named), count in pairs.items() if name == named)
    also = sum(
        name != j.verdict.mistake and name in j.verdict.also
        for name, j in zip(made, wrong, strict=True)
        if j.verdict is not None and j.verdict.kind == "wrong"
    )
    total = sum(pairs.values())
    print(f"named as made: {same} of {total} ({100 * same / max(total, 1):.1f} %)", end="")
    print(f"; {also} more have the name made as a further name")
    print("\nmade                  refused  as made  named otherwise")
    for name in sorted({made for made, _ in pairs}):
        row = {named: count for (of, named), count in pairs.items() if of == name}
        others = [(n or "without a name", c) for n, c in row.items() if n != name]
        shown = ", ".join(f"{n} {c}" for n, c in sorted(others, key=lambda o: -o[1]))
        print(f"{name:20} {sum(row.values()):8} {row.get(name, 0):8}  {shown}")


def main(topic: str | None) -> int:
    """Judge every claim of the tables; print what became of it and compare with the budget."""
    right = [judged(c, claim) for c in cases(topic) for claim in c.claims]
    made = [w.mistake for c in cases(topic) for w in c.wrong]
    wrong = [judged(c, w.claim) for c in cases(topic) for w in c.wrong]
    kept = print_times(right, wrong)
    print_right(right)
    print_wrong(made, wrong)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
