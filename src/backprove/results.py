"""What every result has in common: it describes itself once, as blocks, and views draw them.

A result (a derivation, a verdict, a graph run, a study) returns a list of neutral blocks from
:meth:`Result.blocks`. The views turn blocks into terminal text, HTML, Markdown or LaTeX, so no
result holds any markup and no view knows any mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Level = Literal["proved", "measured", "advisory"]
VerdictKind = Literal["right", "right_under", "wrong", "undecided"]


@dataclass(frozen=True)
class Heading:
    """A heading inside a result."""

    text: str


@dataclass(frozen=True)
class Text:
    """Prose. `backticks` mark code and $dollars$ mark LaTeX."""

    text: str


@dataclass(frozen=True)
class Reference:
    """Prose that leads to another answer of the same page, by its anchor."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Formula:
    """One displayed formula, in LaTeX, as plain text and, where it can be run, as code."""

    latex: str
    text: str
    label: str = ""
    code: str = ""


@dataclass(frozen=True)
class Cell:
    """A table cell that has a typeset form; a plain string or number is a cell as well."""

    text: str
    latex: str = ""


@dataclass(frozen=True)
class Table:
    """A table. Numbers keep their type; the view formats and aligns them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Code:
    """Runnable code."""

    language: str
    text: str
    label: str = ""


@dataclass(frozen=True)
class Judgement:
    """A verdict in words, with the level of its evidence."""

    kind: VerdictKind
    message: str
    level: Level | None = None


@dataclass(frozen=True)
class Evidence:
    """What supports a result: how strongly, and what was done."""

    level: Level
    text: str


@dataclass(frozen=True)
class Details:
    """Blocks that open on demand, such as the steps of a derivation."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Node:
    """A node of a drawing.

    Args:
        key: unique within the drawing.
        title: short label, such as ``h2``.
        lines: further lines, such as the formula and the values.
        latex: the formula of the node, typeset.
        role: ``input``, ``parameter``, ``constant``, ``operation`` or ``output``.
        notes: sentences about trouble at this node (kink, overflow, NaN).
    """

    key: str
    title: str
    lines: Sequence[str] = ()
    latex: str = ""
    role: str = "operation"
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Edge:
    """An arrow of a drawing, with what flows forward and what flows back."""

    source: str
    target: str
    forward: str = ""
    backward: str = ""


@dataclass(frozen=True)
class Drawing:
    """A directed graph; the view lays it out.

    Args:
        nodes: the nodes, sources before targets.
        edges: the arrows.
        caption: one sentence below.
        passes: whether it shows a run: then the last two lines of every node that is no constant
            are its value and its gradient, and a page can show them step by step.
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    caption: str = ""
    passes: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves over a common x-axis.

    ``data`` holds one mapping per point with the keys ``x``, ``y`` and ``series``, and, where
    there is a band, ``low`` and ``high``; ``panel`` splits the chart into small multiples, laid
    out row by row. A line is broken between points of one series whose ``segment`` differs.
    ``mark`` is ``open`` or ``closed`` for a point that ends a line at a jump, ``asymptote`` for
    the points of an auxiliary line; points without it are joined as usual.

    Args:
        columns: number of panels in a row.
        free_y: whether each panel has its own y-scale.
        log_x: whether equal ratios of x are equally far apart.
    """

    title: str
    x: str
    y: str
    data: Sequence[Mapping[str, Any]]
    kind: Literal["line", "point", "bar"] = "line"
    caption: str = ""
    columns: int = 2
    free_y: bool = False
    log_x: bool = False


@dataclass(frozen=True)
class Mark:
    """A point of a plane.

    Args:
        at: its place.
        label: what stands beside it.
        kind: ``closed`` and ``open`` tell two classes apart; a ``cross`` is no data point.
    """

    at: tuple[float, float]
    label: str = ""
    kind: Literal["closed", "open", "cross"] = "closed"


@dataclass(frozen=True)
class Stretch:
    """A straight line between two points of a plane; equal names are one entry of the legend."""

    start: tuple[float, float]
    end: tuple[float, float]
    name: str


@dataclass(frozen=True)
class Plane:
    """A picture of the plane: regions, lines and points, with one scale for both axes.

    Args:
        title: what it shows.
        x: name of the first axis.
        y: name of the second axis.
        marks: the points.
        lines: straight lines between two points.
        regions: convex polygons by their corners, in order around; all are shaded alike.
        region: what the shaded part is; empty where there is none.
        classes: what closed and open points are.
        caption: one sentence below.
    """

    title: str
    x: str
    y: str
    marks: Sequence[Mark]
    lines: Sequence[Stretch] = ()
    regions: Sequence[Sequence[tuple[float, float]]] = ()
    region: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""


Block = (
    Heading
    | Text
    | Reference
    | Formula
    | Table
    | Code
    | Judgement
    | Evidence
    | Details
    | Drawing
    | Chart
    | Plane
)

Renderer = Callable[[Sequence[Block]], str]


@dataclass
class Result:
    """Base class of everything that backprove answers.

    Subclasses implement :meth:`blocks` and :meth:`to_dict`; text, HTML and LaTeX follow.
    """

    renderers: ClassVar[dict[str, Renderer]] = {}
    """Set once by the top-level package, so that results need not import the views."""

    def blocks(self) -> list[Block]:
        """The result as neutral blocks, in reading order."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        raise NotImplementedError

    def text(self) -> str:
        """The result as plain text for a terminal of 80 columns."""
        return self._render("text")

    def html(self) -> str:
        """The result as an HTML fragment with MathML and SVG."""
        return self._render("html")

    def _render(self, form: str) -> str:
        return type(self).renderers[form](self.blocks())

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_latex_(self) -> str | None:
        formulas = [b.latex for b in self.blocks() if isinstance(b, Formula) and b.latex]
        return f"$\\displaystyle {formulas[0]}$" if formulas else None


__all__ = [
    "Block",
    "Cell",
    "Chart",
    "Code",
    "Details",
    "Drawing",
    "Edge",
    "Evidence",
    "Formula",
    "Heading",
    "Judgement",
    "Level",
    "Mark",
    "Node",
    "Plane",
    "Result",
    "Stretch",
    "Table",
    "Text",
    "VerdictKind",
]
