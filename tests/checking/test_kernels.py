"""Fused kernels: right ones are never refused, and every planted error is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backprove as bp
from backprove.checking import MISTAKES
from checking.kernels import KERNELS

SLIPS = [(kernel, slip) for kernel, make in KERNELS.items() for slip in make().slips]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_right_kernel_is_right(kernel: str) -> None:
    made = KERNELS[kernel]()
    verdict = bp.check_vjp(made.forward, made.backward, *made.inputs)
    assert verdict.kind == "right", verdict.message


def single(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with all its real arguments and results in single precision."""

    def cast(value: Any) -> Any:
        array = np.asarray(value)
        return array.astype(np.float32) if array.dtype.kind == "f" else array

    def narrow(*arguments: Any) -> Any:
        given = function(*map(cast, arguments))
        return tuple(map(cast, given)) if isinstance(given, tuple) else cast(given)

    return narrow


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_right_kernel_in_single_precision_is_never_wrong(kernel: str) -> None:
    made = KERNELS[kernel]()
    inputs = [v.astype(np.float32) if v.dtype.kind == "f" else v for v in made.inputs]
    verdict = bp.check_vjp(single(made.forward), single(made.backward), *inputs)
    assert verdict.kind in ("right", "undecided"), verdict.message


@pytest.mark.parametrize(("kernel", "slip"), SLIPS)
def test_every_planted_error_is_found(kernel: str, slip: str) -> None:
    made = KERNELS[kernel]()
    backward, _, _ = made.slips[slip]
    verdict = bp.check_vjp(made.forward, backward, *made.inputs)
    assert verdict.kind == "wrong" and verdict.mistake in MISTAKES, verdict.message
    assert verdict.counterexample is not None
