"""The prose of a worksheet as HTML."""

from __future__ import annotations

import pytest

from backprove.views.prose import ProseRenderer


def shown(markdown: str) -> str:
    return ProseRenderer().render(markdown)[0]


@pytest.mark.parametrize(
    ("markdown", "part"),
    [
        ("$X^\\top$", "<msup><mi>X</mi><mi>⊤</mi></msup>"),
        ("$$x$$", '<math display="block">'),
        ("```math\nx\n```", '<math display="block">'),
        ("$a_i$ and $b_j$", "</math> and <math>"),
        ("*a* $x*y*z$", "<em>a</em> <math>"),
        ("it costs $5 and $6", "it costs $5 and $6"),
        ("`$x$`", "<code>$x$</code>"),
        ("a \\$x$ b", "a $x$ b"),
        ("| a |\n|---|\n| 1 |", '<table class="prose-table">'),
        ("~~a~~", "<s>a</s>"),
        ("[a](https://example.org)", 'rel="noopener noreferrer"'),
    ],
)
def test_markdown_is_rendered_with_its_mathematics(markdown: str, part: str) -> None:
    assert part in shown(markdown)


def test_a_heading_is_one_level_lower_than_written_and_can_be_linked_to() -> None:
    html, (section,) = ProseRenderer().render("## Softmax & co")
    assert html == '<h3 id="section-softmax-co">Softmax &amp; co</h3>\n'
    assert (section.level, section.text, section.anchor) == (
        3,
        "Softmax & co",
        "section-softmax-co",
    )


def test_two_headings_with_one_text_have_two_anchors() -> None:
    renderer = ProseRenderer()
    first = renderer.render("# Part")[1][0].anchor
    second = renderer.render("# Part")[1][0].anchor
    assert (first, second) == ("section-part", "section-part-2")
