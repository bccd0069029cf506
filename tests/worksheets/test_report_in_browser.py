"""The report of the shipped worksheet opens in a browser that has no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprove.views.report import page as report_page
from backprove.worksheets import Report, run_worksheet
from worksheets.test_first_steps import PATH

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium is installed; on Debian: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return run_worksheet(PATH)


@pytest.fixture(scope="module")
def page(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The report, opened; ``page.trouble`` lists what went wrong while it opened."""
    from playwright.sync_api import sync_playwright

    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(report), encoding="utf-8")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options)
        context = browser.new_context(offline=True)
        found = context.new_page()
        trouble: list[str] = []
        found.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        found.on("requestfailed", lambda request: trouble.append(f"request: {request.url}"))
        found.on(
            "console",
            lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None,
        )
        requests: list[str] = []
        found.on("request", lambda request: requests.append(request.url))
        found.goto(path.as_uri())
        found.trouble, found.requests = trouble, requests  # type: ignore[attr-defined]
        yield found
        browser.close()


def test_it_opens_without_an_error_and_asks_for_nothing(page) -> None:
    assert page.trouble == []
    asked = [url for url in page.requests if not url.startswith(("file:", "data:"))]
    assert asked == []
    assert len([url for url in page.requests if url.startswith("file:")]) == 1


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
