r"""Results as LaTeX, for a paper or a problem sheet.

What comes out needs ``amsmath``, ``amssymb`` and ``booktabs``. The usual mathematical characters of
plain text are written as commands, so pdfLaTeX sets them; rarer ones need LuaLaTeX or XeLaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch

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
)
from backprove.views.arrange import arranged
from backprove.views.inline import pieces
from backprove.views.numerals import Value, format_value, is_number
from backprove.views.plane import plane_rows
from backprove.views.text_figures import curves, in_order, number
from backprove.views.text_layout import clean
from backprove.views.words import LEVELS, VERDICTS

_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"{\char34}",
    "`": r"\textasciigrave{}", "∂": r"$\partial$", "·": r"$\cdot$", "×": r"$\times$",
    "⊗": r"$\otimes$", "⊙": r"$\odot$", "ᵀ": r"$^{\top}$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≠": r"$\neq$", "≈": r"$\approx$", "→": r"$\rightarrow$", "←": r"$\leftarrow$",
    "±": r"$\pm$", "∞": r"$\infty$", "−": r"$-$", "Σ": r"$\Sigma$", "σ": r"$\sigma$",
    "δ": r"$\delta$", "λ": r"$\lambda$", "ε": r"$\varepsilon$", "²": r"$^{2}$", "…": r"\dots{}",
    "✔": r"$\checkmark$", "✘": r"$\times$", "⚠": "!", "∈": r"$\in$", "∀": r"$\forall$",
}  # fmt: skip
_MARKS = {"right": r"$\checkmark$", "right_under": r"$\sim$", "wrong": r"$\times$",
          "undecided": "?"}  # fmt: skip
# Commands that read or write files or start programs have no place in a formula; a document that
# is compiled elsewhere must not gain them from a hostile worksheet.
_DANGEROUS = re.compile(
    r"\\(?:input|include|openin|openout|read|write|immediate|catcode|csname|special|usepackage"
    r"|documentclass|def|edef|gdef|xdef|let|newcommand|renewcommand|loop|verbatiminput|directlua"
    r"|lstinputlisting|includegraphics|begin\s*\{document\}|end\s*\{document\})(?![A-Za-z])"
)


def render(blocks: Sequence[Block]) -> str:
    r"""Blocks as LaTeX.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        The body of a document. Charts and drawings become tables of their numbers.

    >>> print(render([Formula(r"X^\top", "X.T"), Text("50% of `a_b`, $x^2$")]))
    \[
    X^\top
    \]
    <BLANKLINE>
    50\% of \texttt{a\_b}, $x^2$
    """
    return "\n\n".join(text for block in arranged(blocks) if (text := _latex(block)))


def escape(text: str) -> str:
    r"""Text so that LaTeX prints it as it is.

    >>> escape("X_1 & 50%")
    'X\\_1 \\& 50\\%'
    """
    return "".join(_ESCAPES.get(char, char) for char in clean(text))


@singledispatch
def _latex(block: object) -> str:
    raise TypeError(f"the LaTeX view has no renderer for a block of type {type(block).__name__}")


def _math(latex: str) -> str | None:
    """A formula on non-empty lines, or None if it would do more than print."""
    unsafe = _DANGEROUS.search(latex) or re.search(r"(?<!\\)[$%]|\^\^|\\[\[\]()]", latex)
    return None if unsafe else "\n".join(row for row in latex.splitlines() if row.strip())


def inline_math(latex: str) -> str:
    r"""A formula in a line; one that would do more than print is shown as text.

    >>> print(inline_math("x^2"), inline_math(r"\input{a}"))
    $x^2$ \texttt{\textbackslash{}input\{a\}}
    """
    safe = _math(latex)
    return rf"\texttt{{{escape(latex)}}}" if safe is None else f"${safe}$"


def _prose(text: str) -> str:
    parts = []
    for piece in pieces(text):
        if piece.kind == "math":
            parts.append(inline_math(piece.text))
        else:
            words = escape(piece.text)
            parts.append(rf"\texttt{{{words}}}" if piece.kind == "code" else words)
    return "".join(parts)


@_latex.register
def _(block: Heading) -> str:
    return rf"\paragraph{{{_prose(block.text)}}}"


@_latex.register
def _(block: Text) -> str:
    return "\n\n".join(_prose(part.strip()) for part in block.text.split("\n\n") if part.strip())


@_latex.register
def _(block: Reference) -> str:
    return _prose(block.text)


@_latex.register
def _(block: Formula) -> str:
    label = f"{_prose(block.label)}:\n" if block.label else ""
    body = _math(block.latex) if block.latex else None
    if not body:
        return label + _verbatim(block.text or block.latex)
    return f"{label}\\[\n{body}\n\\]"


@_latex.register
def _(block: Table) -> str:
    return _table(block.columns, block.rows, block.caption)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Value]], caption: str = "") -> str:
    kinds = "".join(
        "r" if rows and all(at < len(row) and is_number(row[at]) for row in rows) else "l"
        for at in range(len(columns))
    )
    lines = [r"\begin{center}"]
    lines += [rf"{_prose(caption)}\\[.5ex]"] if caption else []
    lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"]
    lines += [" & ".join(_prose(name) for name in columns) + r" \\", r"\midrule"]
    lines += [" & ".join(_cell(value) for value in row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{center}"])


def _cell(value: Value) -> str:
    if isinstance(value, Cell):
        return inline_math(value.latex) if value.latex else escape(value.text)
    if isinstance(value, str):
        return _prose(value)
    return f"${escape(format_value(value))}$" if _is_plain(value) else escape(format_value(value))


def _is_plain(value: Value) -> bool:
    return re.fullmatch(r"-?[\d.]+", format_value(value)) is not None


@_latex.register
def _(block: Code) -> str:
    return (f"{_prose(block.label)}:\n" if block.label else "") + _verbatim(block.text)


def _verbatim(text: str) -> str:
    lines = clean(text.expandtabs(4), keep_lines=True).rstrip().splitlines()
    # The verbatim environment cannot hold its own end; typewriter lines can hold anything.
    if any(r"\end{verbatim}" in line for line in lines) or not text.isascii():
        rows = (rf"\texttt{{{escape(line).replace(' ', '~')}}}\\" for line in lines)
        return "\\begin{flushleft}\n" + "\n".join(rows) + "\n\\end{flushleft}"
    return "\\begin{verbatim}\n" + "\n".join(lines) + "\n\\end{verbatim}"


@_latex.register
def _(block: Judgement) -> str:
    level = f" ({LEVELS[block.level].word})" if block.level else ""
    word = VERDICTS[block.kind].word
    message = f": {_prose(block.message)}" if block.message else ""
    return rf"\noindent\textbf{{{_MARKS[block.kind]} {word}}}{level}{message}"


@_latex.register
def _(block: Evidence) -> str:
    return rf"\noindent\emph{{{LEVELS[block.level].word}}}: {_prose(block.text)}"


@_latex.register
def _(block: Details) -> str:
    return rf"\paragraph{{{_prose(block.summary)}}}" + "\n" + render(block.blocks)


@_latex.register
def _(block: Drawing) -> str:
    titles = {node.key: node.title for node in block.nodes}
    rows: list[list[Value]] = []
    for node in in_order(block):
        sources = [titles.get(e.source, e.source) for e in block.edges if e.target == node.key]
        formula = Cell(node.title, node.latex)
        values = Cell("; ".join([*node.lines, *node.notes]))
        rows.append([formula, Cell(node.role), values, Cell(", ".join(sources))])
    return _table(["node", "role", "values", "computed from"], rows, block.caption)


@_latex.register
def _(block: Chart) -> str:
    rows: list[list[Value]] = []
    for (panel, series), points in curves(block).items():
        name = Cell(", ".join(part for part in (panel, series) if part))
        first, last = number(points[0].get("y")), number(points[-1].get("y"))
        rows.append([name, len(points), first, last])
    title = f"{block.title}: {block.y} over {block.x}"
    table = _table(["curve", "points", "first", "last"], rows, title)
    return table + (f"\n{_prose(block.caption)}" if block.caption else "")


@_latex.register
def _(block: Plane) -> str:
    rows: list[list[Value]] = [[Cell(str(name)), *numbers] for name, *numbers in plane_rows(block)]
    table = _table(["what", block.x, block.y], rows, block.title)
    return table + (f"\n{_prose(block.caption)}" if block.caption else "")
