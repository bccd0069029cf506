r"""The prose of a worksheet: Markdown with $math$, as the body of a LaTeX document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.token import Token

from backprove.views.latex import escape, inline_math
from backprove.views.prose import ProseRenderer

_HEADINGS = {1: "section", 2: "section", 3: "subsection", 4: "subsubsection"}
_OPEN = {
    "em_open": r"\emph{",
    "strong_open": r"\textbf{",
    "s_open": "{",
    "bullet_list_open": "\\begin{itemize}\n",
    "ordered_list_open": "\\begin{enumerate}\n",
    "list_item_open": r"\item ",
    "blockquote_open": "\\begin{quote}\n",
}
_CLOSE = {
    "em_close": "}",
    "strong_close": "}",
    "s_close": "}",
    "bullet_list_close": "\\end{itemize}\n",
    "ordered_list_close": "\\end{enumerate}\n",
    "list_item_close": "\n",
    "blockquote_close": "\\end{quote}\n",
    "paragraph_close": "\n\n",
    "tr_close": " \\\\\n",
    "thead_close": "\\midrule\n",
    "table_close": "\\bottomrule\n\\end{tabular}\n\\end{center}\n\n",
}


def prose_latex(markdown: str) -> str:
    r"""Markdown as LaTeX that prints, and does nothing else.

    Args:
        markdown: CommonMark with tables and ``$math$``; raw HTML is shown as text.

    Returns:
        The body of a document. Addresses of links stand in parentheses.

    >>> print(prose_latex("## Shapes\n\nA **row** of `W_1` is $x^2$ & 5%."))
    \section*{Shapes}
    <BLANKLINE>
    A \textbf{row} of \texttt{W\_1} is $x^2$ \& 5\%.
    """
    return _body(ProseRenderer().tokens(markdown)).strip()


def _body(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    for at, token in enumerate(tokens):
        kind = token.type
        if kind == "inline":
            parts.append("".join(map(_inline, token.children or [])))
        elif kind == "heading_open":
            parts.append(rf"\{_HEADINGS.get(int(token.tag[1]), 'paragraph')}*{{")
        elif kind == "heading_close":
            parts.append("}\n\n")
        elif kind == "table_open":
            parts.append(_table_head(tokens[at:]))
        elif kind in ("th_close", "td_close") and not tokens[at + 1].type.endswith("tr_close"):
            parts.append(" & ")
        elif kind in ("fence", "code_block"):
            parts.append(_code(token.content))
        elif kind == "hr":
            parts.append("\\medskip\\hrule\\medskip\n\n")
        else:
            parts.append(_OPEN.get(kind, _CLOSE.get(kind, "")))
    return "".join(parts)


def _table_head(tokens: Sequence[Token]) -> str:
    row = next(at for at, token in enumerate(tokens) if token.type == "tr_close")
    columns = sum(token.type == "th_open" for token in tokens[:row])
    return f"\\begin{{center}}\n\\begin{{tabular}}{{{'l' * columns}}}\n\\toprule\n"


def _inline(token: Token) -> str:
    if token.type == "math":
        return inline_math(token.content)
    if token.type == "code_inline":
        return rf"\texttt{{{escape(token.content)}}}"
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.type == "image":
        return rf"\emph{{{escape(token.content or 'picture')}}}"
    if token.type in _OPEN or token.type in _CLOSE:
        return _OPEN.get(token.type) or _CLOSE[token.type]
    return escape(token.content)


def _code(text: str) -> str:
    rows = (
        rf"\texttt{{{re.sub(' ', '~', escape(line)) or '~'}}}\\"
        for line in text.expandtabs(4).rstrip().splitlines()
    )
    return "\\begin{flushleft}\n" + "\n".join(rows) + "\n\\end{flushleft}\n\n"
