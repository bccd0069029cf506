"""Results as HTML: formulas as MathML, drawings and charts as SVG, nothing that needs a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from html import escape
from importlib import resources

from backprove.results import (
    Block,
    Cell,
    Chart,
    Code,
    Details,
    Drawing,
    Evidence,
    Formula,
    Heading,
    Judgement,
    Plane,
    Reference,
    Table,
    Text,
    VerdictKind,
)
from backprove.views.arrange import arranged
from backprove.views.chart_numbers import chart_numbers
from backprove.views.charts import chart_svg
from backprove.views.inline import pieces
from backprove.views.mathml import mathml
from backprove.views.numerals import (
    FIGURE_SPACE,
    PUNCTUATION_SPACE,
    Value,
    align_decimals,
    format_value,
    is_number,
)
from backprove.views.plane import plane_rows, plane_svg
from backprove.views.svg import MAX_NODES, drawing_svg
from backprove.views.text_figures import in_order
from backprove.views.text_layout import clean
from backprove.views.words import LEVELS, VERDICTS

MAX_ROWS = 2000
"""Longer tables are cut, and say so: a page has to stay usable."""


def fragment(blocks: Sequence[Block]) -> str:
    """Blocks as HTML, to be placed in a page that has the style sheet of the blocks.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        HTML in which every text of the blocks is escaped, without scripts, without element ids,
        and without a reference to anything outside of it.

    >>> fragment([Text("a < b")])
    '<div class="bp"><p>a &lt; b</p></div>'
    """
    return '<div class="bp">' + _joined(blocks) + "</div>"


def notebook(blocks: Sequence[Block]) -> str:
    """The same as :func:`fragment` with its style sheet, for places that have none.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        A style element and the fragment.

    >>> notebook([]).startswith("<style>")
    True
    """
    return f"<style>{asset('blocks.css')}</style>{fragment(blocks)}"


def asset(name: str) -> str:
    """The text of a style sheet or script that ships with the package.

    >>> ".bp" in asset("blocks.css")
    True
    """
    return resources.files("backprove.views").joinpath("assets", name).read_text(encoding="utf-8")


def badge(kind: VerdictKind) -> str:
    """A verdict as a symbol and a word; the style sheet adds the colour.

    >>> badge("wrong")
    '<span class="bp-badge bp-wrong"><span aria-hidden="true">✘</span> wrong</span>'
    """
    wording = VERDICTS[kind]
    name = kind.replace("_", "-")
    return (
        f'<span class="bp-badge bp-{name}"><span aria-hidden="true">{wording.mark}</span> '
        f"{wording.word}</span>"
    )


def prose(text: str) -> str:
    """One line of prose with its `code` and $mathematics$ as HTML.

    >>> prose("a < b by `f(x)`")
    'a &lt; b by <code>f(x)</code>'
    """
    parts = []
    for piece in pieces(text):
        if piece.kind == "math":
            parts.append(mathml(piece.text))
        elif piece.kind == "code":
            parts.append(f"<code>{_safe(piece.text)}</code>")
        else:
            parts.append(_safe(piece.text))
    return "".join(parts)


def _safe(text: str) -> str:
    return escape(clean(text, keep_lines=True))


def _joined(blocks: Sequence[Block]) -> str:
    return "".join(_html(block) for block in arranged(blocks))


@singledispatch
def _html(block: object) -> str:
    raise TypeError(f"the HTML view has no renderer for a block of type {type(block).__name__}")


@_html.register
def _(block: Heading) -> str:
    return f"<h4>{prose(block.text)}</h4>"


@_html.register
def _(block: Text) -> str:
    paragraphs = (part for part in block.text.split("\n\n") if part.strip())
    return "".join(f"<p>{prose(part)}</p>" for part in paragraphs)


@_html.register
def _(block: Reference) -> str:
    return f'<p><a href="#{_safe(block.anchor)}">{prose(block.text)}</a></p>'


@_html.register
def _(block: Formula) -> str:
    label = f'<span class="bp-label">{_formula_label(block.label)}</span>' if block.label else ""
    body = mathml(block.latex, display=True) if block.latex else ""
    if not body:
        body = f"<code>{_safe(block.text)}</code>"
    copies = "".join(
        f' data-copy-{name}="{_safe(text)}"'
        for name, text in (("latex", block.latex), ("code", block.code or block.text))
        if text
    )
    return f'<div class="bp-formula"{copies} tabindex="0">{label}<div>{body}</div></div>'


def _formula_label(label: str) -> str:
    return prose(label) if "$" in label or "`" in label else _safe(label)


@_html.register
def _(block: Code) -> str:
    label = f'<p class="bp-caption">{prose(block.label)}</p>' if block.label else ""
    language = _safe(block.language)
    return (
        f'<div class="bp-code">{label}<pre data-copy tabindex="0"><code data-language="{language}">'
        f"{_safe(block.text.rstrip())}</code></pre></div>"
    )


@_html.register
def _(block: Table) -> str:
    return _table(block.columns, block.rows, block.caption)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Value]], caption: str = "") -> str:
    shown = rows[:MAX_ROWS]
    numeric = [_is_numeric(shown, at) for at in range(len(columns))]
    aligned = {
        at: align_decimals(
            [format_value(row[at]) if at < len(row) else "" for row in shown],
            digit=FIGURE_SPACE,
            point=PUNCTUATION_SPACE,
        )
        for at, each in enumerate(numeric)
        if each
    }
    heads = "".join(
        f'<th scope="col"{_number_class(right)}>{prose(name)}</th>'
        for name, right in zip(columns, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_number_class(right)}>"
            + (_safe_number(aligned[at][number]) if right else _cell(row, at))
            + "</td>"
            for at, right in enumerate(numeric)
        )
        + "</tr>"
        for number, row in enumerate(shown)
    )
    named = f"<caption>{prose(caption)}</caption>" if caption else ""
    cut = len(rows) - len(shown)
    note = f'<p class="bp-caption">{cut} more rows are not shown.</p>' if cut else ""
    label = _safe(caption or "table")
    return (
        f'<div class="bp-scroll" tabindex="0" role="group" aria-label="{label}">'
        f"<table>{named}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{note}"
    )


def _is_numeric(rows: Sequence[Sequence[Value]], at: int) -> bool:
    values = [row[at] for row in rows if at < len(row) and row[at] != ""]
    return bool(values) and all(is_number(value) for value in values)


def _number_class(right: bool) -> str:
    return ' class="bp-number"' if right else ""


def _safe_number(text: str) -> str:
    return escape(text.replace("-", "\N{MINUS SIGN}"))


def _cell(row: Sequence[Value], at: int) -> str:
    if at >= len(row):
        return ""
    value = row[at]
    if isinstance(value, Cell):
        return mathml(value.latex) if value.latex else _safe(value.text)
    return prose(value) if isinstance(value, str) else _safe_number(format_value(value))


@_html.register
def _(block: Judgement) -> str:
    name = block.kind.replace("_", "-")
    level = f" {_level_chip(block.level)}" if block.level else ""
    message = f' <span class="bp-message">{prose(block.message)}</span>' if block.message else ""
    return f'<p class="bp-judgement bp-{name}">{badge(block.kind)}{message}{level}</p>'


def _level_chip(level: str) -> str:
    wording = LEVELS[level]  # type: ignore[index]
    return (
        f'<span class="bp-level" title="{wording.meaning}"><span aria-hidden="true">{wording.mark}'
        f"</span> {wording.word}</span>"
    )


@_html.register
def _(block: Evidence) -> str:
    return f'<p class="bp-evidence">{_level_chip(block.level)} {prose(block.text)}</p>'


@_html.register
def _(block: Details) -> str:
    return (
        f"<details><summary>{prose(block.summary)}</summary>"
        f"<div>{_joined(block.blocks)}</div></details>"
    )


@_html.register
def _(block: Drawing) -> str:
    svg = drawing_svg(block)
    picture = (
        f'<div class="bp-scroll" tabindex="0" role="group" aria-label="drawing">{svg}</div>'
        if svg
        else f"<p>The graph has {len(block.nodes)} nodes; pictures end at {MAX_NODES}.</p>"
    )
    legend = _legend(block) if svg else ""
    caption = prose(block.caption) if block.caption else ""
    table = f"<details><summary>The graph as a table</summary>{_drawing_table(block)}</details>"
    return (
        f"<figure>{picture}<figcaption><span>{caption}</span>{legend}</figcaption>{table}</figure>"
        if caption or legend
        else f"<figure>{picture}{table}</figure>"
    )


def _legend(drawing: Drawing) -> str:
    keys = []
    if any(edge.forward for edge in drawing.edges):
        keys.append('<span class="bp-key bp-forward">→ forward</span>')
    if any(edge.backward for edge in drawing.edges):
        keys.append('<span class="bp-key bp-backward">← backward</span>')
    return f'<span class="bp-keys">{" ".join(keys)}</span>' if keys else ""


def _drawing_table(drawing: Drawing) -> str:
    titles = {node.key: node.title for node in drawing.nodes}
    incoming: dict[str, list[str]] = {}
    for edge in drawing.edges:
        flows = [f"forward {edge.forward}"] * bool(edge.forward)
        flows += [f"backward {edge.backward}"] * bool(edge.backward)
        said = titles.get(edge.source, edge.source) + (f": {', '.join(flows)}" if flows else "")
        incoming.setdefault(edge.target, []).append(said)
    typeset = any(node.latex for node in drawing.nodes)
    rows: list[list[Value]] = []
    for node in in_order(drawing):
        said = "; ".join([*node.lines, *(f"⚠ {note}" for note in node.notes)])
        sources = "; ".join(incoming.get(node.key, []))
        row: list[Value] = [Cell(node.title), Cell(node.role), Cell(said), Cell(sources)]
        if typeset:
            row.insert(1, Cell(node.title, node.latex) if node.latex else "")
        rows.append(row)
    columns = ["node", "role", "values", "computed from"]
    if typeset:
        columns.insert(1, "formula")
    return _table(columns, rows)


@_html.register
def _(block: Chart) -> str:
    svg = chart_svg(block) or "<p>No point of this chart has a finite value.</p>"
    caption = f" {prose(block.caption)}" if block.caption else ""
    return (
        f'<figure><p class="bp-chart-title">{prose(block.title)}</p>'
        f'<div class="bp-scroll" tabindex="0" role="group" aria-label="chart">{svg}</div>'
        + (f"<figcaption>{caption}</figcaption>" if caption else "")
        + f"<details><summary>The numbers behind the chart</summary>{_chart_tables(block)}"
        "</details></figure>"
    )


@_html.register
def _(block: Plane) -> str:
    caption = f"<figcaption>{prose(block.caption)}</figcaption>" if block.caption else ""
    rows = [[Cell(str(name)), *numbers] for name, *numbers in plane_rows(block)]
    return (
        f'<figure><p class="bp-chart-title">{prose(block.title)}</p>'
        f'<div class="bp-scroll" tabindex="0" role="group" aria-label="picture">'
        f"{plane_svg(block)}</div>{caption}"
        f"<details><summary>The numbers behind the picture</summary>"
        f"{_table(['what', block.x, block.y], rows)}</details></figure>"
    )


def _chart_tables(chart: Chart) -> str:
    return "".join(_table(each.columns, each.rows, each.caption) for each in chart_numbers(chart))
