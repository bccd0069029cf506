"""The report of the shipped worksheet opens in a browser that has no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backprove.views.report import page as report_page
from backprove.worksheets import Report, run_worksheet
from browser import kept_tab
from worksheets.test_first_steps import PATH

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report() -> Report:
    return run_worksheet(PATH)


@pytest.fixture(scope="module")
def path(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(report), encoding="utf-8")
    return path


@pytest.fixture
def page(context: Any, path: Path) -> Any:
    return kept_tab(context, path)


def test_it_opens_without_an_error_and_asks_for_nothing(page) -> None:
    assert page.trouble == []


def test_formulas_the_graph_and_the_curves_have_a_size(page) -> None:
    for selector, least in (("math", 20), ("svg", 3)):
        boxes = [element.bounding_box() for element in page.query_selector_all(selector)]
        drawn = [box for box in boxes if box and box["width"] > 4 and box["height"] > 4]
        assert len(drawn) >= least, selector


def test_every_claim_has_its_verdict_beside_it(page, report: Report) -> None:
    for outcome in report.outcomes:
        if outcome.verdict is not None:
            heading = page.query_selector(f"#{outcome.anchor} h3")
            assert outcome.verdict.replace("_", " ") in heading.inner_text().lower()


def test_nothing_runs_over_the_side_of_a_narrow_window(page) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
