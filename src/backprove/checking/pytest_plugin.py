"""A pytest plugin: the fixture ``backprove`` asserts that derivatives are right.

A failing assertion shows the verdict: what is wrong, where, and a counterexample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backprove.checking.backward_functions import check_grad, check_jvp, check_vjp
from backprove.checking.verdict import Verdict


class DerivativeAssertions:
    """Assertions on derivatives, for tests."""

    def assert_vjp(self, fn: Callable[..., Any], backward: Any = None, *inputs: Any, **how: Any):
        """Fail unless the backward function is right.

        Args:
            fn: as for :func:`check_vjp`.
            backward: as for :func:`check_vjp`.
            inputs: as for :func:`check_vjp`.
            how: ``allow_undecided=True`` accepts a verdict that precision leaves open,
                ``allow_under=False`` refuses one that holds only under an assumption; everything
                else goes to :func:`check_vjp`.

        Returns:
            The verdict.

        >>> import numpy as np
        >>> DerivativeAssertions().assert_vjp(np.exp, lambda g, x: g * np.exp(x), np.ones(3)).kind
        'right'
        """
        __tracebackhide__ = True
        return _judged(check_vjp, fn, backward, inputs, how)

    def assert_jvp(self, fn: Callable[..., Any], jvp: Any = None, *inputs: Any, **how: Any):
        """Fail unless the Jacobian-vector product is right; see :meth:`assert_vjp`."""
        __tracebackhide__ = True
        return _judged(check_jvp, fn, jvp, inputs, how)

    def assert_grad(self, fn: Callable[..., Any], grad: Any = None, *inputs: Any, **how: Any):
        """Fail unless the gradient is right; see :meth:`assert_vjp`."""
        __tracebackhide__ = True
        return _judged(check_grad, fn, grad, inputs, how)


def _judged(
    check: Callable[..., Verdict],
    fn: Callable[..., Any],
    rule: Any,
    inputs: tuple[Any, ...],
    how: dict[str, Any],
) -> Verdict:
    __tracebackhide__ = True
    open_is_fine = how.pop("allow_undecided", False)
    assumed_is_fine = how.pop("allow_under", True)
    verdict = check(fn, rule, *inputs, **how)
    accepted = verdict.kind == "right"
    accepted |= verdict.kind == "right_under" and assumed_is_fine
    accepted |= verdict.kind == "undecided" and open_is_fine
    if not accepted:
        pytest.fail(verdict.text(), pytrace=False)
    return verdict


@pytest.fixture
def backprove() -> DerivativeAssertions:
    """Assertions on derivatives: ``backprove.assert_vjp(f, backward, x)`` and its siblings."""
    return DerivativeAssertions()
