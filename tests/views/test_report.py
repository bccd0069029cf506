"""The page of a worksheet: what it counts, what it links to, what it says about each claim."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from backprove.results import Evidence, Judgement, VerdictKind
from backprove.views.report import page
from views.samples import SampleOutcome, SampleProse, SampleReport, report


def badges(html: str) -> list[str]:
    return re.findall(r'<span class="bp-badge bp-([\w-]+)">', html)


def section(html: str, anchor: str) -> str:
    found = re.search(
        rf'<section class="outcome[^"]*" id="{anchor}"[^>]*>.*?</section>', html, re.DOTALL
    )
    assert found
    return found.group(0)


def claims(*held: bool) -> SampleReport:
    return SampleReport(
        "t",
        [
            SampleOutcome("claim", f"claim {at}", at, [], f"line-{at}",
                          "right" if each else "wrong", None, each)
            for at, each in enumerate(held, 1)
        ],
    )  # fmt: skip


def test_the_summary_counts_the_verdicts_and_names_what_was_missed() -> None:
    html = page(report())
    top = html.split("</header>")[0]
    assert "1 claim of 4 does not meet the expectation." in top
    assert badges(top) == ["right", "right-under", "wrong", "undecided"]
    assert "claim gradient = X.T @ G" in top


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        ((True,), "The one claim meets its expectation."),
        ((True, True), "All 2 claims meet their expectation."),
        ((True, False), "1 claim of 2 does not meet the expectation."),
        ((False, False), "2 claims of 2 do not meet the expectation."),
        ((), "0 statements, no claim."),
    ],
)
def test_the_first_sentence_tells_whether_the_claims_hold(held, sentence: str) -> None:
    assert f'<p class="lead">{sentence}</p>' in page(claims(*held))


def test_every_link_of_the_page_leads_to_something_on_it() -> None:
    html = page(report())
    anchors = re.findall(r'\sid="([^"]*)"', html)
    assert len(anchors) == len(set(anchors))
    links = re.findall(r'href="#([^"]*)"', html)
    assert len(links) > 10
    assert set(links) <= set(anchors)


def test_every_claim_has_its_badge_its_line_and_its_source() -> None:
    html = page(report())
    for item in report().items:
        if isinstance(item, SampleOutcome):
            shown = section(html, item.anchor)
            head = shown.split("</h3>")[0]
            assert f">{item.line}</a>" in head
            assert item.source in head
            assert badges(head) == ([item.verdict.replace("_", "-")] if item.verdict else [])


def test_a_known_slip_is_shown_as_expected_and_a_missed_claim_with_what_was_expected() -> None:
    html = page(report())
    assert "as expected" in section(html, "line-13")
    assert "expected: right" in section(html, "line-15")
    assert 'class="outcome missed"' in section(html, "line-15")
    assert "expected" not in section(html, "line-14")


def test_the_page_forbids_everything_but_its_own_script() -> None:
    html = page(report())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    bodies = re.sub(r'xmlns(:xlink)?="[^"]*"', "", html)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", bodies)


def test_the_same_report_is_the_same_page() -> None:
    assert page(report()) == page(report())


def test_what_is_neither_prose_nor_outcome_is_refused() -> None:
    with pytest.raises(TypeError, match="not SimpleNamespace"):
        page(SampleReport("t", [SimpleNamespace(a=1)]))


def test_headings_of_the_prose_are_in_the_table_of_contents() -> None:
    html = page(SampleReport("t", [SampleProse("# One\n\n## Two\n\n##### Far below")]))
    contents = html.split("</nav>")[0]
    assert '<li class="level-2"><a href="#section-one">One</a></li>' in contents
    assert '<li class="level-3"><a href="#section-two">Two</a></li>' in contents
    assert "Far below" not in contents.split("<nav")[1]


def test_a_verdict_is_not_repeated_below_its_own_badge() -> None:
    def shown(message: str, kind: VerdictKind) -> list[str]:
        blocks = [Judgement(kind, message, "proved"), Evidence("proved", "canonical form")]
        item = SampleOutcome("claim", "claim 1", 1, blocks, "line-1", "right", None, True)
        return badges(section(page(SampleReport("t", [item])), "line-1"))

    assert shown("Right.", "right") == ["right"]
    assert shown("canonical form", "right") == ["right"]
    assert shown("Right: because", "right") == ["right", "right"]
    assert shown("Wrong.", "wrong") == ["right", "wrong"], "a contradiction must stay visible"


def test_a_question_is_a_heading_with_an_anchor_and_stands_in_the_contents() -> None:
    asked = SampleOutcome("question", "question S28", 3, [], "line-3", question="S28")
    html = page(SampleReport("t", [asked]))
    assert '<h3 class="question" id="question-S28">' in html
    assert '<a href="#question-S28">' in html.split("</nav>")[0]
    assert 'class="outcome' not in html


def test_every_statement_with_a_command_tells_how_to_reproduce_it() -> None:
    item = SampleOutcome("derive", "derive x wrt x", 3, [], "line-3", command="a < b", python="p()")
    shown = section(page(SampleReport("t", [item])), "line-3")
    assert "Reproduce" in shown
    assert "a &lt; b</code>" in shown
    assert "p()</code>" in shown
    silent = SampleOutcome("let", "let x: n", 3, [], "line-3")
    assert "Reproduce" not in section(page(SampleReport("t", [silent])), "line-3")
