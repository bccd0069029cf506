"""The page of a run in a browser: steps, opened numbers, parts, practice, accessibility."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backprove.graphs import Run, graph
from backprove.graphs.walk import walk
from backprove.results import Text
from backprove.views.graph_page import graph_page
from browser import open_tab

EVIL = "</script><img src=x onerror=alert(1)>\"'&{{}}"


def page_of(run: Run, hide: str = "gradients") -> str:
    return graph_page(walk(run), run.blocks(), run.exercise(hide=hide).to_dict())


def worked() -> Run:
    return graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)


def layers() -> Run:
    """Three layers with batch normalisation on eight examples, by named lines and groups."""
    from backprove.networks import MLP, WithLoss

    g = graph(WithLoss(MLP(4, (5, 6), 3, normalisation="batch")))
    rng = np.random.default_rng(0)
    sizes = {"n": 8}
    values = {n: rng.normal(size=[s.at(sizes) for s in g.by_name[n].shape]) for n in g.inputs}
    values["Y"] = np.eye(3)[rng.integers(3, size=8)]
    return g.run(values)


def test_the_page_asks_for_nothing_outside_and_its_data_cannot_end_a_script() -> None:
    exercise = worked().exercise(hide="all").to_dict() | {"expression": EVIL}
    page = graph_page(walk(worked()), [Text(EVIL)], exercise)
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert EVIL not in page
    assert page.count("</script>") == 2


def test_the_same_run_is_the_same_page() -> None:
    assert page_of(worked()) == page_of(worked())


@pytest.fixture
def opened(context: Any, tmp_path: Any) -> Iterator[Any]:
    """Opens the page that it is given, and closes it after the test."""
    tabs = []

    def open_page(html: str) -> Any:
        path = tmp_path / "graph.html"
        path.write_text(html, encoding="utf-8")
        tabs.append(open_tab(context, path))
        return tabs[-1]

    yield open_page
    for tab in tabs:
        tab.close()


class TestInABrowser:
    pytestmark = pytest.mark.browser

    def test_the_keyboard_steps_forward_and_back_through_both_passes(self, opened: Any) -> None:
        tab = opened(page_of(worked()))
        tab.keyboard.press("Home")
        assert tab.locator(".bp-value:not(.later)").count() == 0
        said = []
        for _ in range(14):
            tab.keyboard.press("ArrowRight")
            said.append(tab.locator("#said").text_content())
        assert said[5] == "Forward 6 of 7: h3 = h2 * z = 20.0855 * 2 = 40.1711"
        assert "Backward 1 of 7: ∂f/∂f" in said[7]
        assert said[-1] == "all 14 steps are shown."
        tab.keyboard.press("ArrowLeft")
        assert tab.locator(".bp-gradient.later").count() == 1
        assert tab.trouble == []

    def test_buttons_do_what_the_keys_do(self, opened: Any) -> None:
        tab = opened(page_of(worked()))
        tab.click("#start")
        tab.click("#next")
        assert "Forward 1 of 7" in tab.locator("#said").text_content()
        tab.click("#back")
        assert tab.locator("#back").is_disabled()
        tab.click("#end")
        assert tab.locator("#next").is_disabled()

    def test_a_number_opens_with_its_formula_and_the_rule_behind_it(self, opened: Any) -> None:
        tab = opened(page_of(worked()))
        tab.locator('[data-node="h3"]').focus()
        tab.keyboard.press("Enter")
        text = tab.locator("#opened").inner_text()
        for part in ("h3 = h2 * z = 20.0855 * 2 = 40.1711", "product rule", "∂h3/∂h2"):
            assert part in text
        assert "∂f/∂h3 = ∂f/∂f·∂f/∂h3 = 1·1 = 1" in text
        tab.keyboard.press("Escape")
        assert not tab.locator("#opened").is_visible()
        assert tab.evaluate("document.activeElement.dataset.node") == "h3"
        assert tab.trouble == []

    def test_layers_open_on_a_click_and_close_with_escape(self, opened: Any) -> None:
        tab = opened(page_of(layers()))
        assert tab.locator(".bp-part").count() == 4
        tab.locator('[data-scene="whole/layer 1"]').click()
        assert tab.locator('[data-node="z1"]').count() == 1
        tab.locator('[data-node="z1"]').click()
        assert "8×5" in tab.locator("#opened").inner_text()
        assert tab.locator("#opened svg.squares rect").count() >= 30
        tab.keyboard.press("Escape")
        tab.keyboard.press("Escape")
        assert tab.locator(".bp-part").count() == 4
        assert tab.trouble == []

    def test_practice_shows_no_hidden_number_in_a_part(self, opened: Any) -> None:
        tab = opened(page_of(layers(), hide="all"))
        tab.click("#practise")
        assert tab.locator(".bp-part .bp-value:not(.later)").count() == 0
        assert tab.trouble == []

    def test_practice_hides_the_numbers_and_says_which_rule_went_wrong(self, opened: Any) -> None:
        tab = opened(page_of(worked()))
        tab.click("#practise")
        assert "40.1711" not in tab.locator('[data-node="y"]').text_content()
        asked = json.loads(tab.locator("#exercise").text_content())["questions"]
        for question in asked:
            symbol = tab.locator("#question").text_content().removesuffix(" =")
            assert symbol == question["symbol"]
            if symbol == "∂f/∂y":
                tab.fill("#answer", "20.0855")
                tab.keyboard.press("Enter")
                assert "upstream gradient of h2" in tab.locator("#verdict").text_content()
            tab.fill("#answer", f"{question['right']:.6g}")
            tab.keyboard.press("Enter")
        assert "All numbers are found" in tab.locator("#verdict").text_content()
        assert "40.1711" in tab.locator('[data-node="y"]').text_content()
        assert tab.trouble == []

    def test_practice_reads_fractions_powers_of_ten_and_infinity(self, opened: Any) -> None:
        run = graph("x/4 + 1/y + 2000*z").run(x=1.0, y=0.0, z=1.0)
        tab = opened(page_of(run, hide=["df/dx", "df/dy", "df/dz"]))
        tab.click("#practise")
        answers = {
            "∂f/∂x": [("1/2", "wrong"), ("1/4", "right")],
            "∂f/∂y": [("5", "wrong"), ("∞", "wrong"), ("-∞", "right")],
            "∂f/∂z": [("2/x", "?"), ("2·10^4", "wrong"), ("2·10^3", "right")],
        }
        while answers:
            symbol = tab.locator("#question").text_content().removesuffix(" =")
            for given, said in answers.pop(symbol):
                tab.fill("#answer", given)
                tab.keyboard.press("Enter")
                assert said in tab.locator("#verdict").text_content(), (symbol, given)
        assert "All numbers are found" in tab.locator("#verdict").text_content()
        assert tab.trouble == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("make", [worked, layers])
    def test_axe_finds_no_violation(self, opened: Any, scheme: str, make: Any) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        tab = opened(page_of(make()))
        tab.emulate_media(color_scheme=scheme)
        tab.locator("[data-node]").first.click()
        tab.evaluate("document.querySelector('#numbers').open = true")
        # axe is put into the page from outside, which its policy does not allow to the page.
        found = axe.Axe().run(tab)
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]] == []

    def test_hostile_text_stays_text(self, opened: Any) -> None:
        exercise = worked().exercise(hide="all").to_dict()
        for question in exercise["questions"]:
            question["symbol"] = EVIL
        tab = opened(graph_page(walk(worked()), [Text(EVIL)], exercise))
        tab.click("#practise")
        assert EVIL in tab.locator("#question").text_content()
        assert tab.locator("img").count() == 0
        assert tab.trouble == []
