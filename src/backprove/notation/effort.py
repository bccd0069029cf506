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
