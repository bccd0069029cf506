"""The cell magic, in a running IPython."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell() -> Iterator[Any]:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "backprove")
    yield shell
    shell.history_manager.end_session()


def test_cells_share_what_they_declare(shell: Any) -> None:
    shell.run_cell_magic("backprove", "", "let x: n, f = x**2")
    answer = shell.run_cell_magic("backprove", "", "derive f wrt x\nclaim diag(2*x)")
    assert [outcome.verdict for outcome in answer.outcomes] == [None, "right"]
    assert "<math" in answer._repr_html_() and "right" in str(answer)


def test_a_claim_in_a_later_cell_is_about_the_cell_above(shell: Any) -> None:
    shell.run_cell_magic("backprove", "", "let x: n\nderive x**2 wrt x")
    answer = shell.run_cell_magic("backprove", "", "claim diag(x)")
    assert "Expected: right." in str(answer)


def test_an_error_is_printed_with_its_place(shell: Any, capsys: Any) -> None:
    assert shell.run_cell_magic("backprove", "", "let x: n\nderive x + wrt x") is None
    assert "line 2, column" in capsys.readouterr().err


def test_fresh_forgets(shell: Any, capsys: Any) -> None:
    shell.run_cell_magic("backprove", "", "let x: n")
    assert shell.run_cell_magic("backprove", "fresh", "let x: m") is not None
    assert shell.run_cell_magic("backprove", "stale", "let x: m") is None
    assert "takes no 'stale'" in capsys.readouterr().err


def test_an_empty_cell_says_what_a_cell_holds(shell: Any, capsys: Any) -> None:
    assert shell.run_cell_magic("backprove", "", "  \n") is None
    assert "holds no statement" in capsys.readouterr().err
