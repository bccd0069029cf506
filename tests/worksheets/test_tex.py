"""Statements in LaTeX documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprove.errors import WorksheetError
from backprove.worksheets import run_worksheet
from backprove.worksheets.report import Prose

PAPER = r"""\documentclass{article}
\title{On \emph{squares}}
\begin{document}
\section{Squares}  % \begin{backprove}
Words $x^2$.
\begin{backprove}
let x: n
derive x**2 wrt x
claim J_{ij} = 2 x_i \delta_{ij}
\end{backprove} % checked
\begin{verbatim}
\begin{backprove}
this is shown, not run
\end{backprove}
\end{verbatim}
\subsection*{More}
  \begin{backprove}
  claim diag(x) expect wrong
  \end{backprove}
\end{document}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "paper.tex"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environments_are_run_in_order(tmp_path: Path) -> None:
    report = run_worksheet(write(tmp_path, PAPER))
    assert report.title == "On squares"
    assert [o.verdict for o in report.outcomes] == [None, None, "right", "wrong"]
    assert [o.line for o in report.outcomes] == [7, 8, 9, 18]
    titles = [item.markdown for item in report.items if isinstance(item, Prose)]
    assert titles == ["## Squares", "### More"]


def test_an_error_has_its_line_in_the_document(tmp_path: Path) -> None:
    with pytest.raises(WorksheetError) as caught:
        run_worksheet(write(tmp_path, PAPER.replace("derive x", "devire x")))
    assert caught.value.line == 8 and caught.value.file.endswith("paper.tex")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\\begin{backprove}\nlet x: n\n", "never closed"),
        ("let x: n\n\\end{backprove}\n", "never begun"),
        ("\\begin{backprove} let x: n\n\\end{backprove}\n", "lines of its own"),
        ("\\begin{backprove}\n\\begin{backprove}\n\\end{backprove}\n", "inside of another"),
        ("Words.\n", "holds no statement"),
        ("% \\begin{backprove}\n% let x: n\n% \\end{backprove}\n", "holds no statement"),
    ],
)
def test_what_would_be_passed_over_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WorksheetError, match=message):
        run_worksheet(write(tmp_path, text))
