"""``%%backprove``: statements of a worksheet in the cells of a notebook."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backprove.errors import BackproveError, WorksheetError
from backprove.results import Block, Code, Result, Text
from backprove.worksheets.engine import Engine
from backprove.worksheets.kept_answers import KeptAnswers
from backprove.worksheets.report import Outcome
from backprove.worksheets.running import run_block
from backprove.worksheets.session import Session
from backprove.worksheets.source import Source


@dataclass
class CellAnswers(Result):
    """The answers to the statements of one cell.

    Args:
        outcomes: one for each statement.
    """

    outcomes: list[Outcome] = field(default_factory=list)

    def blocks(self) -> list[Block]:
        blocks: list[Block] = []
        for outcome in self.outcomes:
            if len(self.outcomes) > 1:
                blocks.append(Code("backprove", outcome.source))
            blocks.extend(outcome.blocks)
            if outcome.held is False:
                blocks.append(Text(f"Expected: {outcome.expected or 'right'}."))
        return blocks

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "cell", "items": [outcome.to_dict() for outcome in self.outcomes]}


class Cells:
    """What the cells of one notebook have declared and asked; they share it from top to bottom.

    >>> cells = Cells()
    >>> _ = cells.run("let x: n")
    >>> cells.run("derive x**2 wrt x\\nclaim diag(2*x)").outcomes[-1].verdict
    'right'
    """

    def __init__(self) -> None:
        self.kept = KeptAnswers()
        self.session = Session(Engine(), folder=Path(), studies=self.kept.folder / "studies")

    def run(self, cell: str) -> CellAnswers:
        """Run the statements of a cell.

        Args:
            cell: statements, one a line.

        Raises:
            BackproveError: one of them cannot be read or answered, with its line in the cell.
        """
        source = Source.of(cell)
        outcomes = run_block(source, self.session, self.kept)
        if not outcomes:
            raise WorksheetError("the cell holds no statement", hint="For example: let x: n")
        return CellAnswers(outcomes)


def register(ipython: Any) -> None:
    """Give a running IPython the cell magic ``%%backprove``."""
    cells = Cells()

    def magic(line: str, cell: str) -> CellAnswers | None:
        """Run statements of backprove. ``%%backprove fresh`` forgets all declarations first."""
        if line.strip() == "fresh":
            cells.__init__()
        elif line.strip():
            print(f"error: %%backprove takes no '{line.strip()[:40]}'", file=sys.stderr)
            return None
        try:
            return cells.run(cell)
        except BackproveError as error:
            print(error.render(), file=sys.stderr)
            return None

    ipython.register_magic_function(magic, magic_kind="cell", magic_name="backprove")
