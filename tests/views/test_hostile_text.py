"""Whatever a person writes into a worksheet stays text: nothing of it runs, loads or hides."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser

import pytest

from backprove.results import (
    Block,
    Cell,
    Chart,
    Code,
    Details,
    Drawing,
    Edge,
    Evidence,
    Formula,
    Heading,
    Judgement,
    Node,
    Table,
    Text,
)
from backprove.views import html, latex, markdown, text
from backprove.views.mathml import mathml
from backprove.views.prose import ProseRenderer
from backprove.views.report import page
from views.samples import SampleOutcome, SampleProse, SampleReport

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></style></script><script>alert(1)</script>",
    "]]><!--<iframe src=//evil.example>-->",
    "$\\text{<script>alert(1)</script>}$",
    "$\\href{javascript:alert(1)}{x}$",
    "$</math><script>alert(1)</script>$",
    "`</code><script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "a\u202eb\x1b[2Jc\x00d",
]


class Seen(HTMLParser):
    """Collects the elements and attributes that a browser would see."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))


def assert_tame(source: str, *, scripts: int = 0) -> None:
    seen = Seen(source).elements
    assert [tag for tag, _ in seen].count("script") == scripts
    for tag, attributes in seen:
        assert tag not in {"iframe", "object", "embed", "base", "form", "link", "use"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                assert re.match(r"#|data:image/(png|jpeg|gif|webp);", value), (tag, name, value)
            if name == "style":
                assert "url" not in value.lower()


def everywhere(evil: str) -> list[Block]:
    """The text in every field of every block."""
    return [
        Heading(evil),
        Text(evil),
        Formula(evil, evil, evil, evil),
        Formula("", evil),
        Table([evil, "n"], [[evil, 1.0], [Cell(evil, evil), 2.0], [Cell(evil), 3.0]], evil),
        Code(evil, evil, evil),
        Judgement("wrong", evil, "proved"),
        Evidence("measured", evil),
        Details(evil, [Text(evil)]),
        Drawing([Node(evil, evil, [evil], evil, evil, [evil]), Node("b", "b")],
                [Edge(evil, "b", evil, evil)], evil),
        Chart(evil, evil, evil, [{"x": at, "y": at, "low": 0, "high": 3, "series": evil,
                                  "panel": evil + str(at % 2)} for at in range(4)], "line", evil),
        Chart(evil, evil, evil, [{"x": evil, "y": 1, "series": evil}], "bar", evil),
    ]  # fmt: skip


@pytest.mark.parametrize("evil", ATTACKS)
def test_no_field_of_any_block_becomes_markup(evil: str) -> None:
    assert_tame(html.fragment(everywhere(evil)))


@pytest.mark.parametrize("evil", ATTACKS)
def test_a_page_runs_its_own_script_only(evil: str) -> None:
    report = SampleReport(
        evil,
        [
            SampleProse(f"# {evil}\n\n{evil}\n\n| {evil} |\n|---|\n| {evil} |\n\n    {evil}\n"),
            SampleOutcome(evil, evil, 3, everywhere(evil), evil, "wrong", "right", False),
        ],
        {"about": {evil: evil}},
    )
    assert_tame(page(report), scripts=1)


@pytest.mark.parametrize("evil", ATTACKS)
def test_the_text_view_sends_no_control_characters_to_a_terminal(evil: str) -> None:
    shown = text.render(everywhere(evil))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize("evil", [*ATTACKS, "a | b", "``` x", "# h", "*b* _i_ [l](javascript:x)"])
def test_markdown_text_is_read_back_as_text(evil: str) -> None:
    back, _ = ProseRenderer().render(markdown.render(everywhere(evil)))
    assert_tame(back)
    if not re.search(r"[`$\x00-\x1f\u202e]", evil):
        assert Seen(back).elements.count(("em", {})) == markdown.render(everywhere(evil)).count(
            "*measured*"
        )


@pytest.mark.parametrize(
    "evil",
    [
        r"\input{/etc/passwd}", r"\write18{ls}", r"$\input{/etc/passwd}$", r"$x$ \end{document}",
        r"$\immediate\write18{ls}$", r"\end{verbatim}\input{x}", "$a^^5cinput b$", r"$\csname x$",
    ],
)  # fmt: skip
def test_latex_of_hostile_text_cannot_read_a_file_or_start_a_program(evil: str) -> None:
    active = latex.render(everywhere(evil))
    quiet = re.sub(r"\\begin\{verbatim\}.*?\n\\end\{verbatim\}", "", active, flags=re.DOTALL)
    assert not re.search(r"\\(input|write|immediate|csname|end\{document\})", quiet)
    assert "^^" not in quiet


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#10;script:x", "data:text/html,<b>",
     "vbscript:x", "//evil.example/x", "file:///etc/passwd"],
)  # fmt: skip
def test_a_link_with_a_dangerous_address_is_no_link(address: str) -> None:
    back, _ = ProseRenderer().render(f"[x]({address}) ![y]({address}) <{address}>")
    assert not [tag for tag, _ in Seen(back).elements if tag in ("a", "img")]


def test_a_picture_from_elsewhere_becomes_a_link_and_asks_no_network() -> None:
    back, _ = ProseRenderer().render("![cat](https://example.org/cat.png)")
    assert [tag for tag, _ in Seen(back).elements] == ["p", "a"]


@pytest.mark.parametrize(
    "latex_text",
    ["{" * 50_000 + "x" + "}" * 50_000, "\\sqrt" * 50_000 + "x", "^" * 50_000,
     "\\left(" * 20_000, "\\begin{matrix}" * 5_000, "\\frac" * 30_000, "x'" * 60_000,
     "\\def\\a{\\a\\a}\\a", "\\newcommand{\\a}{\\a\\a}\\a", "\\text{" * 2_000,
     "{" * 9_000, "\\hat " * 3_000 + "x", "_x^" * 5_000, "\\overset{a}" * 1500 + "b",
     "\\sqrt[3]" * 700 + "b", "{\\hat" * 55 + "\\hat " * 190],
)  # fmt: skip
def test_a_formula_made_to_exhaust_the_converter_is_shown_as_code(latex_text: str) -> None:
    assert mathml(latex_text).startswith(("<code", "<math"))


def test_the_converter_survives_its_limits_on_the_small_stack_of_a_thread() -> None:
    worst = [
        "\\sqrt[3]" * 250 + "b",
        "{" * 60 + "}" * 60,
        "{" * 59 + "\\hat " * 250 + "x" + "}" * 59,
    ]
    found: list[str] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.extend(map(mathml, worst)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(found) == len(worst)
