"""A bound on the work of one answer, counted in nodes built, so it is the same on every machine.

Some short texts stand for expressions of astronomic size (a variance of variances of variances).
Length and nesting do not tell them from honest ones; the work itself does. Code that builds or
prints expressions spends effort as it goes; whoever answers a person sets the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class TooMuchEffort(Exception):
    """The bound is used up; whoever set it says so in words, or takes another way."""


_left: ContextVar[list[int] | None] = ContextVar("effort left", default=None)


def spend(amount: int = 1) -> None:
    """Count ``amount`` units of work.

    Raises:
        TooMuchEffort: more was spent than the bound allows.
    """
    left = _left.get()
    if left is not None:
        left[0] -= amount
        if left[0] < 0:
            raise TooMuchEffort


class Pace:
    """A bound on a loop that grows with its steps, so that work beyond proportion ends early.

    Args:
        base: what may be spent in all before any step is over.
        each: what every step may cost on top.
    """

    def __init__(self, base: int, each: int) -> None:
        self._allowed = base
        self._each = each
        self._start = _left.get()
        self._before = self._start[0] if self._start is not None else 0

    def step(self) -> None:
        """Count a step.

        Raises:
            TooMuchEffort: more was spent since the beginning than the steps so far allow.
        """
        self._allowed += self._each
        if self._start is not None and self._before - self._start[0] > self._allowed:
            raise TooMuchEffort


@contextmanager
def bounded(limit: int) -> Iterator[None]:
    """Allow ``limit`` units inside; an outer bound that is stricter holds as well.

    >>> try:
    ...     with bounded(10):
    ...         spend(11)
    ... except TooMuchEffort:
    ...     print("too much")
    too much
    """
    outer = _left.get()
    allowed = limit if outer is None else min(limit, outer[0])
    own = [allowed]
    token = _left.set(own)
    try:
        yield
    finally:
        _left.reset(token)
        if outer is not None:
            outer[0] -= allowed - max(own[0], 0)
