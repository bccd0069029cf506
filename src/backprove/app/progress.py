"""Progress of long commands on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backprove.app.interrupts import noticed_interrupts

if TYPE_CHECKING:
    from backprove.worksheets.session import Progress

_WIDTH = 60


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """A function that shows progress while the block runs, or nothing where that is wanted."""
    with noticed_interrupts() as notice, _shown(quiet) as show:

        def progress(text: str, done: int, total: int) -> None:
            notice()
            show(text, done, total)

        yield progress


@contextmanager
def _shown(quiet: bool) -> Iterator[Progress]:
    if quiet:
        yield lambda text, done, total: None
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _plain_line


def _plain_line(text: str, done: int, total: int) -> None:
    print(f"[{done}/{total}] {_shortened(text)}", file=sys.stderr, flush=True)


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, text="")

        def progress(text: str, done: int, total: int) -> None:
            bars.update(
                task, completed=done, total=total, text=_shortened(text).replace("[", r"\[")
            )

        yield progress


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
