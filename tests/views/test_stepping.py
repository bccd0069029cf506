"""A report steps through the passes of a drawing by button and by key; print shows all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backprove.graphs import graph
from backprove.results import Drawing, Edge, Node
from backprove.views.report import page as render_page
from backprove.views.svg import drawing_svg
from browser import open_tab
from views.samples import SampleOutcome, report

SHOWN = """() => [...document.querySelectorAll('#line-70 svg[data-passes] text')]
    .filter(each => getComputedStyle(each).visibility === 'visible'
        && /bp-re(ached|turned)/.test(each.getAttribute('class'))).length"""


def run_blocks() -> Any:
    return graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2).blocks()


def test_only_the_drawing_of_a_run_has_steps() -> None:
    plain = Drawing([Node("x", "x", ["1", "2"]), Node("f", "f")], [Edge("x", "f", "1")])
    assert "data-passes" not in drawing_svg(plain) and "data-order" not in drawing_svg(plain)
    run = next(block for block in run_blocks() if isinstance(block, Drawing))
    assert drawing_svg(run).count("data-order") == 7


def test_constants_have_no_step() -> None:
    run = graph("x**2 + 3").run(x=2)
    drawing = next(block for block in run.blocks() if isinstance(block, Drawing))
    constants = sum(node.role == "constant" for node in drawing.nodes)
    assert constants and drawing_svg(drawing).count("data-order") == len(drawing.nodes) - constants


@pytest.fixture
def opened(context: Any, tmp_path: Any) -> Iterator[Any]:
    sample = report()
    sample.items.append(SampleOutcome("graph", "graph f", 70, run_blocks(), "line-70"))
    path = tmp_path / "report.html"
    path.write_text(render_page(sample), encoding="utf-8")
    tab = open_tab(context, path)
    yield tab
    tab.close()


def said(tab: Any) -> str:
    return tab.locator("#line-70 .stepped").text_content()


@pytest.mark.browser
def test_keys_step_forward_and_backward_and_keep_the_keyboard(opened: Any) -> None:
    assert opened.trouble == []
    assert opened.evaluate(SHOWN) == 14 and said(opened) == "All 14 steps are shown."
    opened.locator("#line-70 .stepping button", has_text="Start").focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate(SHOWN) == 0
    opened.locator("#line-70 .stepping button", has_text="Next").focus()
    for _ in range(4):
        opened.keyboard.press("ArrowRight")
    assert opened.evaluate(SHOWN) == 4 and said(opened).startswith("Forward 4 of 7: ")
    for _ in range(4):
        opened.keyboard.press("ArrowRight")
    assert said(opened) == "Backward 1 of 7: ∂f/∂f = 1"
    opened.keyboard.press("End")
    assert opened.evaluate(SHOWN) == 14
    assert opened.evaluate("document.activeElement.textContent") == "Back"
    opened.keyboard.press("Home")
    assert said(opened) == "Before the first of 14 steps."
    assert opened.evaluate("document.activeElement.textContent") == "Next"


@pytest.mark.browser
def test_print_shows_every_number_and_no_buttons(opened: Any) -> None:
    opened.locator("#line-70 .stepping button", has_text="Start").click()
    opened.emulate_media(media="print")
    assert opened.evaluate(SHOWN) == 14
    assert not opened.locator("#line-70 .stepping").is_visible()
    opened.emulate_media(media="screen")
