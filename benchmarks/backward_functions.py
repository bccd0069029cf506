"""Checks of backward functions: planted errors found, terms named, false alarms, and the time.

Run with ``python benchmarks/backward_functions.py``. Layers and kernels are those of the tests, in
NumPy; each is checked right, right in single precision, and with every planted error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import backprove as bp
from backprove.checking import Verdict
from checking.kernels import KERNELS
from checking.layers import LAYERS, Layer
from checking.test_kernels import single

TARGET = 0.8
"""The share of planted errors of the usual layers whose term must be named."""


def row(make: Callable[[], Layer]) -> tuple[int, int, int, int, list[float]]:
    """Found, named, planted, false alarms and seconds for one layer."""
    made = make()
    seconds: list[float] = []

    def kind(forward: Callable, backward: Callable, inputs: tuple) -> Verdict:
        started = time.perf_counter()
        verdict = bp.check_vjp(forward, backward, *inputs)
        seconds.append(time.perf_counter() - started)
        return verdict

    alarms = int(kind(made.forward, made.backward, made.inputs).kind != "right")
    narrow = tuple(v.astype(np.float32) if v.dtype.kind == "f" else v for v in made.inputs)
    alarms += kind(single(made.forward), single(made.backward), narrow).kind == "wrong"
    found = named = 0
    for backward, mistakes, text in made.slips.values():
        verdict = kind(made.forward, backward, made.inputs)
        found += verdict.kind == "wrong"
        any_name = verdict.mistake != "wrong_value"
        right_name = verdict.mistake in mistakes if mistakes else any_name
        named += right_name and text in verdict.message
    return found, named, len(made.slips), alarms, seconds


def table(title: str, layers: dict[str, Callable[[], Layer]]) -> tuple[float, int, int]:
    """Print one table; the share of named terms, the errors missed, and the false alarms."""
    print(f"\n{title:22}{'found':>8}{'named':>8}{'alarms':>8}{'median s':>10}{'worst s':>9}")
    total = np.zeros(4, dtype=int)
    times: list[float] = []
    for name, make in layers.items():
        found, named, planted, alarms, seconds = row(make)
        total += (found, named, planted, alarms)
        times += seconds
        shown = f"{found}/{planted}", f"{named}/{planted}", str(alarms)
        print(
            f"{name:22}{shown[0]:>8}{shown[1]:>8}{shown[2]:>8}"
            f"{np.median(seconds):>10.3f}{max(seconds):>9.2f}"
        )
    found, named, planted, alarms = (int(n) for n in total)
    print(
        f"{'all':22}{f'{found}/{planted}':>8}{f'{named}/{planted}':>8}{alarms:>8}"
        f"{np.median(times):>10.3f}{max(times):>9.2f}"
    )
    return named / planted, planted - found, alarms


def main() -> int:
    """Print both tables; 1 if an error is missed, an alarm is false, or too few are named."""
    share, missed, alarms = table("layers", LAYERS)
    _, missed_kernels, alarms_kernels = table("fused kernels", KERNELS)
    print(f"\nterms named for the layers: {share:.0%} (at least {TARGET:.0%} are wanted)")
    return int(share < TARGET or missed + missed_kernels + alarms + alarms_kernels > 0)


if __name__ == "__main__":
    sys.exit(main())
