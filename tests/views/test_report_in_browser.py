"""A page with every kind of block, opened in a browser that has no network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backprove.results import Chart, Code, Evidence, Judgement, Table
from backprove.views.report import page as render_page
from browser import kept_tab, open_tab
from views.samples import SampleOutcome, SampleProse, SampleReport, every_kind, report
from views.test_hostile_text import ATTACKS, everywhere

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample report, with attacks in every place that text of a person can reach."""
    sample = report()
    sample.items.append(SampleOutcome("derive", "everything", 90, every_kind(), "line-90"))
    for at, evil in enumerate(ATTACKS):
        sample.items.append(SampleProse(f"## {evil}\n\n{evil}"))
        anchor = f"line-{100 + at}"
        sample.items.append(SampleOutcome("claim", evil, 100 + at, everywhere(evil), anchor))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(sample), encoding="utf-8")
    return path


@pytest.fixture
def opened(context: Any, path: Path) -> Any:
    return kept_tab(context, path)


def test_no_error_no_request_and_no_attack(opened: Any) -> None:
    assert opened.trouble == []


def test_formulas_drawings_and_charts_are_visible(opened: Any) -> None:
    for selector in ("#line-12 math", "#line-21 svg.bp-graph", "#line-27 svg.bp-chart"):
        box = opened.locator(selector).first.bounding_box()
        assert box["width"] > 20, selector
        assert box["height"] > 8, selector


def test_text_of_a_drawing_stays_inside_of_its_node(opened: Any) -> None:
    outside = opened.evaluate(
        """() => [...document.querySelectorAll('#line-21 .bp-node')].flatMap(node => {
             const box = node.querySelector('rect').getBoundingClientRect();
             return [...node.querySelectorAll('text')].filter(text => {
               const inner = text.getBoundingClientRect();
               return inner.left < box.left || inner.right > box.right
                   || inner.top < box.top || inner.bottom > box.bottom + 1;
             }).map(text => text.textContent);
           })"""
    )
    assert outside == []


def test_labels_of_edges_cover_no_node(opened: Any) -> None:
    hidden = opened.evaluate(
        """() => {
             const svg = document.querySelector('#line-21 svg');
             const nodes = [...svg.querySelectorAll('.bp-node')]
               .map(node => node.getBoundingClientRect());
             return [...svg.querySelectorAll('.bp-forward, .bp-backward')].filter(label => {
               const a = label.getBoundingClientRect();
               return nodes.some(b => a.left < b.right && b.left < a.right
                                   && a.top < b.bottom && b.top < a.bottom);
             }).map(label => label.textContent);
           }"""
    )
    assert hidden == []


def test_code_and_formulas_can_be_copied_with_the_keyboard(context: Any, opened: Any) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    formula = opened.locator("#line-12 .bp-formula").first
    formula.focus()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "LaTeX"
    opened.keyboard.press("Enter")
    opened.wait_for_timeout(100)
    copied = opened.evaluate("navigator.clipboard.readText()")
    assert copied == r"\frac{\partial F_{ij}}{\partial W_{kl}} = X_{il}\,[j = k]"


def test_what_has_the_keyboard_can_be_seen(opened: Any) -> None:
    opened.keyboard.press("Tab")
    style = opened.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_runs_over_the_side(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    opened.wait_for_timeout(50)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(opened: Any, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for every colour that carries words."""
    opened.emulate_media(color_scheme=scheme)
    poor = opened.evaluate(
        """() => {
             const style = getComputedStyle(document.documentElement);
             const channel = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
             const light = name => {
               const hex = style.getPropertyValue(name).trim();
               const [r, g, b] = [1, 3, 5].map(
                 at => channel(parseInt(hex.slice(at, at + 2), 16) / 255));
               return 0.2126 * r + 0.7152 * g + 0.0722 * b;
             };
             const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
             const pairs = ['right', 'under', 'wrong', 'open'].flatMap(
               each => [[`--bp-${each}`, `--bp-${each}-paper`], [`--bp-${each}`, '--bp-paper'],
                        ['--bp-ink', `--bp-${each}-paper`], ['--bp-quiet', `--bp-${each}-paper`]]);
             for (const ink of ['ink', 'quiet', 'link', 'series-1', 'series-2'])
               for (const paper of ['paper', 'panel']) pairs.push([`--bp-${ink}`, `--bp-${paper}`]);
             return pairs.filter(([a, b]) => !(ratio(light(a), light(b)) >= 4.5)).map(String);
           }"""
    )
    assert poor == []


def test_printing_opens_the_steps_and_hides_the_buttons(opened: Any) -> None:
    opened.emulate_media(media="print")
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.evaluate("[...document.querySelectorAll('main details')].every(d => d.open)")
    assert opened.evaluate("getComputedStyle(document.querySelector('.copies')).display") == "none"
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    opened.emulate_media(media="screen")
    assert not opened.evaluate("document.querySelector('main details').open")


# --- search, filters and keys ----------------------------------------------------------------


@pytest.fixture
def fresh(context: Any, tmp_path: Any) -> Iterator[Any]:
    """A page of two sections, opened anew for each test."""
    claimed = [Judgement("right", "", "proved")]
    sample = SampleReport(
        "Two sections",
        [
            SampleProse("# Top\n\n## Sums\n\nAbout apples."),
            SampleOutcome("question", "question S1", 3, [], "line-3", question="S1"),
            SampleOutcome("claim", "claim 2*x", 4, claimed, "line-4", "right", None, True, "S1",
                          "backprove check 'x**2' '2*x' --wrt x", "bp.check('x**2', 'x', '2*x')"),
            SampleProse("## Products\n\nAbout pears."),
            SampleOutcome("claim", "claim 3*x", 9, [Evidence("measured", "seen")], "line-9",
                          "wrong", None, False),
            SampleOutcome("derive", "derive x**2 wrt x", 10, [Table(["a", "b"], [["p,q", -1.5]])],
                          "line-10"),
            SampleOutcome("claim", "claim 4*x", 11, [], "line-11", "undecided", "undecided", True),
        ],
    )  # fmt: skip
    path = tmp_path / "two.html"
    path.write_text(render_page(sample), encoding="utf-8")
    tab = open_tab(context, path)
    tab.set_default_timeout(5000)
    yield tab
    tab.close()


def seen(tab: Any) -> list[str]:
    return tab.evaluate(
        """() => [...document.querySelectorAll('.prose > *, .question, .outcome')]
             .filter(each => each.checkVisibility())
             .map(each => each.id.startsWith('line') ? each.id : each.textContent)"""
    )


def test_the_slash_searches_and_escape_shows_everything_again(fresh: Any) -> None:
    everything = seen(fresh)
    fresh.keyboard.press("/")
    fresh.keyboard.type("APPLES")
    assert seen(fresh) == ["Top", "Sums", "About apples."]
    assert fresh.locator(".finder output").text_content().startswith("1 match")
    fresh.keyboard.press("Escape")
    assert seen(fresh) == everything
    assert fresh.locator(".finder output").text_content() == ""


def test_the_search_finds_statements_below_their_headings(fresh: Any) -> None:
    fresh.locator(".finder input").fill("claim 2*x")
    assert seen(fresh) == ["Top", "Sums", "Question S1", "line-4"]


@pytest.mark.parametrize(
    ("filtered", "value", "left"),
    [
        ("verdict", "right", ["line-4"]),
        ("verdict", "missed", ["line-9"]),
        ("verdict", "undecided", ["line-11"]),
        ("evidence", "measured", ["line-9"]),
        ("evidence", "proved", ["line-4"]),
    ],
)
def test_filters_leave_what_they_name(fresh: Any, filtered: str, value: str, left: Any) -> None:
    fresh.locator(f"select[data-filter={filtered}]").select_option(value)
    assert [each for each in seen(fresh) if each.startswith("line")] == left


def test_j_and_k_walk_through_the_claims_that_are_shown(fresh: Any) -> None:
    walked = []
    for key in "jjjjkk":
        fresh.keyboard.press(key)
        walked.append(fresh.evaluate("document.activeElement.id"))
    assert walked == ["line-4", "line-9", "line-11", "line-11", "line-9", "line-4"]


def test_letters_typed_into_the_search_do_not_move_the_page(fresh: Any) -> None:
    fresh.keyboard.press("/")
    fresh.keyboard.type("jk/")
    assert fresh.locator(".finder input").input_value() == "jk/"


def test_a_link_to_what_is_filtered_out_shows_it(fresh: Any) -> None:
    fresh.locator("select[data-filter=verdict]").select_option("right")
    fresh.evaluate("location.hash = '#line-9'")
    fresh.wait_for_function("document.getElementById('line-9').checkVisibility()")


def test_reproduce_opens_to_a_command_and_python(fresh: Any) -> None:
    fresh.locator("#line-4 .reproduce summary").click()
    assert fresh.locator("#line-4 .reproduce pre").all_text_contents() == [
        "backprove check 'x**2' '2*x' --wrt x",
        "bp.check('x**2', 'x', '2*x')",
    ]
    assert fresh.locator("#line-4 .reproduce .copy").count() == 2
    assert fresh.locator("#line-9 .reproduce").count() == 0


def test_a_table_is_copied_as_csv(fresh: Any) -> None:
    fresh.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    fresh.locator("#line-10 .copy", has_text="CSV").click()
    assert fresh.evaluate("window.copied") == 'a,b\n"p,q",-1.5\n'


def test_labels_of_a_legend_do_not_run_into_each_other(context: Any, tmp_path: Any) -> None:
    """Whatever faces the system has: a legend is laid out by widths that are measured elsewhere."""
    ends = ("evaluation", "mean over masks", "the widest MMMM of all WWWW")
    names = [f"{what}: {how}" for what in ("behind a tanh", "linear output") for how in ends]
    points = [{"x": x, "y": y + x, "series": name} for y, name in enumerate(names) for x in (1, 2)]
    sample = SampleReport(
        "Legends",
        [SampleOutcome("plot", "plot", 1, [Chart("Masks", "masks", "output", points)], "line-1")],
    )
    path = tmp_path / "legend.html"
    path.write_text(render_page(sample), encoding="utf-8")
    tab = open_tab(context, path)
    drawn, over = tab.evaluate(
        """() => {
             const texts = [...document.querySelectorAll('.bp-chart text')];
             const boxes = texts.map(each => each.getBoundingClientRect());
             const over = texts.filter((each, at) => boxes.some((b, other) => other !== at
               && Math.min(b.right, boxes[at].right) - Math.max(b.left, boxes[at].left) > 1
               && Math.min(b.bottom, boxes[at].bottom) - Math.max(b.top, boxes[at].top) > 3));
             return [texts.map(each => each.textContent), over.map(each => each.textContent)];
           }"""
    )
    tab.close()
    assert set(names) <= set(drawn) and over == []


@pytest.mark.parametrize("prose", ["# Top\n\n## Sums", "## Sums\n\n### Products", "#### Sums"])
def test_headings_go_down_one_level_at_a_time(context: Any, tmp_path: Any, prose: str) -> None:
    claimed = [Judgement("right", "", "proved")]
    sample = SampleReport(
        "Title",
        [SampleProse(prose), SampleOutcome("claim", "claim x", 4, claimed, "line-4", "right")],
    )
    path = tmp_path / "levels.html"
    path.write_text(render_page(sample), encoding="utf-8")
    tab = open_tab(context, path)
    levels = tab.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])"
    )
    tab.close()
    assert levels[:2] == [1, 2]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_narrow_summary_gives_its_links_the_whole_width(fresh: Any) -> None:
    fresh.set_viewport_size({"width": 360, "height": 800})
    of = "document.querySelector('.counts .links').getBoundingClientRect().width"
    assert fresh.evaluate(of) > 300


def test_paper_cuts_neither_code_nor_tables(context: Any, tmp_path: Any) -> None:
    columns = [f"a longer name of column {at}" for at in range(9)]
    blocks = [Code("python", "bp.check(" + "'x', " * 60 + ")"), Table(columns, [["words"] * 9])]
    sample = SampleReport("Wide", [SampleOutcome("claim", "claim x", 4, blocks, "line-4")])
    path = tmp_path / "wide.html"
    path.write_text(render_page(sample), encoding="utf-8")
    tab = context.new_page()
    tab.set_viewport_size({"width": 672, "height": 950})  # A4 between its margins
    tab.emulate_media(media="print")
    tab.goto(path.as_uri())
    cut = tab.evaluate(
        """() => [...document.querySelectorAll('pre, table')].filter(each =>
             each.scrollWidth > each.clientWidth + 1
             || each.getBoundingClientRect().right > innerWidth).map(each => each.tagName)"""
    )
    tab.close()
    assert cut == []
