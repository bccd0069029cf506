"""Statements in pages of Sphinx: answers, their places, and builds that fail."""

from __future__ import annotations

import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")

from sphinx.cmd.build import build_main

from backprove.app.sphinx_extension import style_sheet
from backprove.worksheets import run_worksheet

# Sphinx and its parsers deprecate names of each other; that is for them to settle.
pytestmark = [pytest.mark.docs, pytest.mark.filterwarnings("default")]

CONF = 'extensions = ["myst_parser", "backprove.app.sphinx_extension"]\n'
PAGE = """# Page

```{backprove}
let X: n×d, w: d
derive X @ w wrt w
claim J[i,j] = X[i,j]
claim 2*X expect wrong
```

Prose between, with $x < y$.

```{backprove}
claim n×d
```
"""


def sphinx(folder: Path, *options: str) -> tuple[int, str]:
    """Exit status and warnings of a build."""
    with redirect_stderr(StringIO()) as errors, redirect_stdout(StringIO()):
        status = build_main(["-q", "--no-color", *options, str(folder), str(folder / "out")])
    return status, errors.getvalue()


def build(
    folder: Path, page: str, *options: str, builder: str = "html", conf: str = CONF
) -> tuple[int, str, str]:
    """Exit status, warnings, and the page as built."""
    name = "index.rst" if page.startswith("=") else "index.md"
    (folder / "conf.py").write_text(conf, encoding="utf-8")
    (folder / name).write_text(page, encoding="utf-8")
    out = folder / "out"
    status, warnings = sphinx(folder, "-E", "-b", builder, *options)
    endings = {"html": "index.html", "text": "index.txt", "latex": "*.tex"}
    found = sorted(out.glob(endings.get(builder, "index.*")))
    return status, warnings, found[0].read_text(encoding="utf-8") if found else ""


def test_answers_stand_below_their_statements_and_blocks_of_a_page_share_a_session(
    tmp_path: Path,
) -> None:
    status, warnings, html = build(tmp_path, PAGE, "-W")
    assert (status, warnings) == (0, "")
    said = re.findall(r'<div class="backprove-said"><pre>(.*?)</pre>', html)
    assert [line.split()[0] for line in said] == ["let", "derive", "claim", "claim", "claim"]
    assert html.count("bp-badge bp-right") == 2
    assert "bp-badge bp-wrong" in html
    assert "as expected" in html
    assert "<math" in html


def test_the_style_sheet_is_there_once_and_nothing_is_loaded_from_a_network(
    tmp_path: Path,
) -> None:
    conf = CONF + 'html_math_renderer = "mathml"\nmyst_enable_extensions = ["dollarmath"]\n'
    _, _, html = build(tmp_path, PAGE, conf=conf)
    assert html.count("backprove.css") == 1
    assert (tmp_path / "out/_static/backprove.css").read_text(encoding="utf-8") == style_sheet()
    assert "<mo>&lt;</mo>" in html
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', html)
    assert [address for address in loaded if re.match(r"[a-z]*:?//", address)] == []


def test_the_same_file_runs_as_a_worksheet_with_the_same_verdicts(tmp_path: Path) -> None:
    report = run_worksheet(PAGE)
    assert [outcome.verdict for outcome in report.outcomes] == [
        None, None, "right", "wrong", "right",
    ]  # fmt: skip
    assert report.exit_status == 0


def test_a_statement_that_cannot_be_read_fails_the_build_at_its_place(tmp_path: Path) -> None:
    page = "# Page\n\nProse.\n\n```{backprove}\nlet w: d\nderive sum(w**2)) wrt w\n```\n"
    status, warnings, html = build(tmp_path, page, "-W")
    assert status == 1
    assert re.match(r"\S*/index\.md:7:17: WARNING: '\)' closes nothing", warnings), warnings
    assert "  derive sum(w**2))" in warnings
    assert "^" in warnings.splitlines()[2]
    assert "[backprove.error]" in warnings
    assert "closes nothing" in html


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ("# P\n\n- item\n\n  ```{backprove}\n  let a: n\n\n  derive a +* a wrt a\n  ```\n", "8:13"),
        ("# P\n\n````{note}\n```{backprove}\n\nlet a: n\nderive b wrt b\n```\n````\n", "7:8"),
        ("=\nP\n=\n\nText.\n\n  .. backprove::\n\n     let a: n\n     derive b wrt b\n", "10:13"),
        ("=\nP\n=\n\n.. backprove:: let a: +\n", "5:23"),
    ],
    ids=["in a list", "in another directive", "reStructuredText", "on the line of the directive"],
)
def test_a_place_is_right_in_indented_and_nested_blocks(
    tmp_path: Path, page: str, place: str
) -> None:
    status, warnings, _ = build(tmp_path, page, "-W")
    assert status == 1
    assert re.match(rf"\S*/index\.\w+:{place}: ", warnings), warnings


def test_a_claim_that_misses_its_expectation_fails_the_build(tmp_path: Path) -> None:
    status, warnings, html = build(tmp_path, PAGE.replace(" expect wrong", ""), "-W")
    assert status == 1
    assert ":7:1: WARNING: the claim is wrong, expected right: claim 2*X" in warnings
    assert "[backprove.claim]" in warnings
    assert "backprove missed" in html


def test_a_block_without_a_statement_fails_the_build(tmp_path: Path) -> None:
    status, warnings, _ = build(tmp_path, "# P\n\n```{backprove}\n# later\n```\n", "-W")
    assert status == 1
    assert "WARNING: the block holds no statement" in warnings


def test_pages_share_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Other\n\n```{backprove}\nclaim n×d\n```\n")
    status, warnings, _ = build(tmp_path, PAGE + "\n```{toctree}\nother\n```\n", "-W")
    assert status == 1
    assert "other.md:4:1: WARNING: there is nothing above" in warnings


def test_an_included_worksheet_is_a_dependency_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "sheets").mkdir()
    sheet = tmp_path / "sheets/squares.md"
    sheet.write_text("```backprove\nlet w: d\nderive sum(w**2) wrt w\nclaim 2*w\n```\n")
    page = "# Page\n\n```{backprove}\ninclude sheets/squares.md\n```\n"
    conf = CONF + 'exclude_patterns = ["sheets"]\n'
    assert build(tmp_path, page, "-W", conf=conf)[0] == 0
    sheet.write_text(sheet.read_text().replace("claim 2*w", "claim 3*w"))
    status, warnings = sphinx(tmp_path, "-W", "-b", "html")
    assert status == 1
    assert "squares.md:4:1: WARNING: the claim is wrong" in warnings


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        ("text", ["claim J[i,j] = X[i,j]", "index form: J[i,j] = X[i,j]", "proved"]),
        ("latex", [r"\begin{verbatim}", r"\checkmark", r"\usepackage{amssymb}"]),
        ("man", []),
        ("texinfo", []),
        ("xml", []),
    ],
)
def test_other_builders_get_text_or_latex(tmp_path: Path, builder: str, words: list[str]) -> None:
    status, warnings, page = build(tmp_path, PAGE, "-W", builder=builder)
    assert (status, warnings) == (0, "")
    for word in words:
        assert word in page


def test_a_plain_block_is_coloured_and_becomes_the_directive_where_the_book_says_so(
    tmp_path: Path,
) -> None:
    plain = PAGE.replace("{backprove}", "backprove")
    status, warnings, html = build(tmp_path, plain, "-W")
    assert (status, warnings) == (0, "")
    assert "bp-badge" not in html
    assert '<span class="k">claim</span>' in html
    conf = CONF + 'myst_fence_as_directive = ["backprove"]\n'
    status, warnings, html = build(tmp_path, plain, "-W", conf=conf)
    assert (status, warnings) == (0, "")
    assert "bp-badge" in html


def test_text_of_statements_is_escaped(tmp_path: Path) -> None:
    page = (
        "# P\n\n```{backprove}\nlet w: d\nderive sum(w**2) wrt w # <script>alert(1)</script>\n```\n"
    )
    _, _, html = build(tmp_path, page)
    assert "<script>alert" not in html


def test_colours_follow_the_switch_of_the_theme_and_are_light_without_one() -> None:
    sheet = style_sheet()
    before, _, dark = sheet.partition("@media (prefers-color-scheme: dark)")
    assert '[data-theme="dark"] .bp' in before
    assert '[data-theme="auto"] .bp' in dark
    assert ":root" not in sheet
