"""What a study shows while it trains: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from backprove.app.interrupts import noticed_interrupts

if TYPE_CHECKING:
    from rich.console import Group

    from backprove.studies import Progress

Watch = Callable[["Progress"], None]

_EVERY = 5.0  # seconds between plain lines; the first and the last epoch of a group have theirs
_COMPILING_EVERY = 15.0
_CURVES = 12  # more rows would not fit a small terminal


@contextmanager
def watched(*, quiet: bool = False) -> Iterator[Watch]:
    """A function that shows how far a study is while the block runs.

    Args:
        quiet: whether nothing is shown.
    """
    with noticed_interrupts() as notice, _shown(quiet) as show:

        def watch(step: Progress) -> None:
            notice()
            show(step)

        yield watch


@contextmanager
def _shown(quiet: bool) -> Iterator[Watch]:
    if quiet:
        yield lambda step: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _live() as watch:
            yield watch
    else:
        yield _Lines()


class _Lines:
    """One line now and then."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._group = 0  # the last one that was compiled

    def __call__(self, step: Progress) -> None:
        now = perf_counter()
        if step.compiling is None:
            due = step.epoch in (0, step.epochs) or now - self._last >= _EVERY
        else:
            due = step.group != self._group or now - self._last >= _COMPILING_EVERY
            self._group = step.group
        if due:
            self._last = now
            print(line_of(step), file=sys.stderr, flush=True)


def line_of(step: Progress) -> str:
    """How far a study is, in one line."""
    losses = [loss for loss in step.dev_losses if math.isfinite(loss)]
    told = "no finite dev loss"
    if losses:
        told = f"dev loss {_loss(min(losses))} to {_loss(max(losses))}"
    parts = [
        f"[{step.done}/{step.total} epochs] {_now(step, ': ')}",
        *([told] if step.compiling is None else []),
        f"{step.models_done} of {step.models} models done{_counts(step.outcomes)}",
    ]
    if step.left is not None:
        parts.append(f"about {duration(step.left)} left")
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(42), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if abs(loss) < 10_000 else f"{loss:.3g}"


def _now(step: Progress, mark: str) -> str:
    """What is being done now."""
    if step.compiling is None:
        return f"{step.text}{mark}epoch {step.epoch} of {step.epochs}"
    since = f" for {duration(step.compiling)}" if step.compiling >= 2 else ""
    return f"compiling {step.group} of {step.groups}: {step.text}{since}"


def _counts(outcomes: Mapping[Any, int] | None) -> str:
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in (outcomes or {}).items())
    return f": {told}" if told else ""


@contextmanager
def _live() -> Iterator[Watch]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    curves: dict[str, list[float]] = {}
    current = ""
    with Live(console=console, transient=True, refresh_per_second=4) as live:

        def watch(step: Progress) -> None:
            nonlocal current
            if step.text != current or step.epoch == 0:
                curves.clear()
                current = step.text
            for label, loss in _means(step).items():
                curves.setdefault(label, []).append(loss)
            live.update(view_of(step, curves))

        yield watch


def _means(step: Progress) -> dict[str, float]:
    """The mean dev loss over the seeds of each configuration of the group."""
    together: dict[str, list[float]] = {}
    if step.compiling is not None:
        return {}
    for label, loss in zip(step.labels, step.dev_losses, strict=True):
        together.setdefault(label, []).append(loss)
    return {label: sum(losses) / len(losses) for label, losses in together.items()}


def view_of(step: Progress, curves: Mapping[str, list[float]]) -> Group:
    """What a terminal shows: how far the study is, and a curve of each configuration in training.

    Args:
        step: the last step.
        curves: the mean dev loss of each configuration of the group, epoch by epoch.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from backprove.views.text_figures import sparkline

    share = step.done / step.total if step.total else 1.0
    bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
    left = "" if step.left is None else f", about {duration(step.left)} left"
    # Not the title of the table, which would be broken at the table's width.
    head = Text(
        f"{bar} {share:4.0%}  {step.models_done} of {step.models} models done"
        f"{_counts(step.outcomes)}{left}"
    )
    table = Table(box=None, pad_edge=False, show_header=True)
    table.add_column(_now(step, ", "), overflow="ellipsis")
    table.add_column("dev loss")
    table.add_column("now", justify="right")
    for label, losses in list(curves.items())[:_CURVES]:
        table.add_row(Text(label), sparkline(losses, 24), _loss(losses[-1]))
    if len(curves) > _CURVES:
        table.add_row(Text(f"... and {len(curves) - _CURVES} more"), "", "")
    return Group(head, table)
