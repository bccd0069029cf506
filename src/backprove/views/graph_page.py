"""A run of a graph as one HTML page: step through both passes, open any number, practise."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from backprove.graphs.walk import Opened, Sample, Scene, Walk
from backprove.results import Block
from backprove.views.graph_scene import scene_svg
from backprove.views.html import asset, fragment
from backprove.views.numerals import format_value
from backprove.views.text_layout import clean

_CELL = 20
_MANY = 20
"""With more scenes than this, pictures are laid out in linear time, with straight arrows."""


def graph_page(
    walk: Walk, blocks: Sequence[Block], exercise: Mapping[str, Any] | None = None
) -> str:
    """A walk as one page that opens without a network.

    Args:
        walk: scenes, steps and what each node shows when it is opened.
        blocks: the run as tables and text, for those who read without a picture; claims and their
            verdicts as well.
        exercise: questions as ``Exercise.to_dict`` gives them; without them nothing is asked.

    Returns:
        A whole HTML document whose content security policy forbids every request and every script
        but its own. Without scripts the picture and the tables are complete.

    >>> from backprove.graphs.walk import Scene
    >>> graph_page(Walk("f", [Scene("whole", "f", "")], {}, 0), []).startswith("<!doctype html>")
    True
    """
    script, title = asset("graph.js"), _text(_short(walk.title) or "Graph")
    first, *inner = walk.scenes
    quick = len(walk.scenes) > _MANY
    templates = "".join(
        f'<template class="scene" data-key="{_text(s.key)}">{_scene(s, quick)}</template>'
        for s in inner
    )
    panels = "".join(
        f'<template class="panel" data-key="{_text(name)}">{_panel(opened)}</template>'
        for name, opened in walk.opened.items()
    )
    style = asset("blocks.css") + asset("graph.css")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#numbers">Skip to the numbers as tables</a>\n'
        f"<main>\n<h1><code>{title}</code></h1>\n{_bar()}\n"
        f'<div class="split"><div class="stage bp" id="stage" tabindex="0" role="region" '
        f'aria-label="The graph">{_scene(first, quick)}</div>\n'
        '<section class="opened bp" id="opened" tabindex="-1" aria-label="Opened number" hidden>'
        f"</section></div>\n{_practice(exercise)}"
        '<details id="numbers" class="tables"><summary>All numbers as tables</summary>'
        f"{fragment(blocks)}</details>\n</main>\n{templates}{panels}\n"
        f'<script type="application/json" id="exercise">{_data(exercise)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _text(text: str) -> str:
    return escape(clean(text))


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"


def _data(data: Mapping[str, Any] | None) -> str:
    """Data inside of a page: no text in it can end the element."""
    text = json.dumps(_finite(data), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    broken = isinstance(value, float) and not abs(value) < float("inf")
    return str(value) if broken else value


def _bar() -> str:
    buttons = (
        ("start", "Start", "Home", "go to before the first step"),
        ("back", "Back", "←", "one step back"),
        ("next", "Next", "→", "one step on"),
        ("end", "End", "End", "show all steps"),
    )
    shown = "".join(
        f'<button type="button" id="{key}" aria-keyshortcuts="{_shortcut(sign)}" '
        f'title="{_text(said)}">{label} <kbd aria-hidden="true">{sign}</kbd></button>'
        for key, label, sign, said in buttons
    )
    return (
        f'<div class="bar" role="toolbar" aria-label="Passes">{shown}'
        '<button type="button" id="up" hidden>Up <kbd aria-hidden="true">Esc</kbd></button></div>'
        '<p class="said" id="said" role="status">Forward values (→) and gradients (←). '
        "Every box opens.</p>"
        "<noscript><p>Without scripts everything is shown at once.</p></noscript>"
    )


def _shortcut(sign: str) -> str:
    return {"←": "ArrowLeft", "→": "ArrowRight"}.get(sign, sign)


def _scene(scene: Scene, quick: bool) -> str:
    omitted = (
        f'<p class="bp-caption">{scene.omitted} more arrows lead to other parts; each node names '
        "its operands when it is opened.</p>"
        if scene.omitted
        else ""
    )
    return (
        f'<div class="scene" data-key="{_text(scene.key)}" data-parent="{_text(scene.parent)}" '
        f'data-title="{_text(scene.title)}">{scene_svg(scene, quick=quick)}{omitted}</div>'
    )


def _panel(opened: Opened) -> str:
    lines = "".join(f'<p class="line"><code>{_text(line)}</code></p>' for line in opened.lines)
    pictures = "".join(_sample(sample) for sample in opened.samples)
    return f"<h2>{_text(opened.name)}</h2>{lines}{fragment(opened.blocks)}{pictures}"


def _practice(exercise: Mapping[str, Any] | None) -> str:
    if not exercise:
        return ""
    count = len(exercise["questions"])
    return (
        '<section class="practice" aria-label="Practice">'
        f'<button type="button" id="practise" aria-pressed="false">Practise: hide {count} '
        f"{'number' if count == 1 else 'numbers'}</button>"
        '<form id="asked" hidden><label for="answer" id="question"></label> '
        '<input id="answer" autocomplete="off" inputmode="text" spellcheck="false"> '
        '<button type="submit">Check</button> <button type="button" id="skip">Skip</button>'
        '<p id="verdict" role="status"></p></form></section>'
    )


# --- arrays -------------------------------------------------------------------------------------


def _sample(sample: Sample) -> str:
    """Statistics, and a picture of some entries: the area is the size, hollow is negative."""
    statistics = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
        for name, value in sample.statistics
    )
    return (
        f'<figure class="sample"><figcaption>{_text(sample.title)}</figcaption>'
        f"<dl>{statistics}</dl>{_squares(sample)}"
        f"<details><summary>Entries as numbers</summary>{_entries(sample)}</details></figure>"
    )


def _squares(sample: Sample) -> str:
    finite = [abs(v) for row in sample.entries for v in row if abs(v) < float("inf")]
    greatest = max(finite, default=0.0) or 1.0
    marks = []
    for y, row in enumerate(sample.entries):
        for x, value in enumerate(row):
            marks.append(_square(x, y, value, greatest))
    width = _CELL * len(sample.columns) + 2
    height = _CELL * len(sample.rows) + 2
    cut = "" if len(sample.rows) * len(sample.columns) == _size(sample) else " (a sample)"
    label = f"entries of {sample.title}{cut}: area is size, filled is positive, hollow is negative"
    return (
        f'<svg class="squares" role="img" aria-label="{_text(label)}" '
        f'viewBox="-1 -1 {width} {height}" width="{width}" height="{height}">'
        f"{''.join(marks)}</svg>"
        f'<p class="bp-caption">■ positive, □ negative, area is size{_text(cut)}</p>'
    )


def _size(sample: Sample) -> int:
    count = 1
    for extent in sample.shape:
        count *= extent
    return count


def _square(x: int, y: int, value: float, greatest: float) -> str:
    centre_x, centre_y = _CELL * x + _CELL / 2, _CELL * y + _CELL / 2
    if not abs(value) < float("inf"):
        sign = "∞" if abs(value) == float("inf") else "×"
        return f'<text x="{centre_x:g}" y="{centre_y + 5:g}">{sign}</text>'
    side = (_CELL - 4) * (abs(value) / greatest) ** 0.5
    if side < 1:
        return f'<circle cx="{centre_x:g}" cy="{centre_y:g}" r=".8"/>'
    style = "minus" if value < 0 else "plus"
    return (
        f'<rect class="{style}" x="{centre_x - side / 2:.1f}" y="{centre_y - side / 2:.1f}" '
        f'width="{side:.1f}" height="{side:.1f}"/>'
    )


def _entries(sample: Sample) -> str:
    heads = "".join(f'<th scope="col">{column}</th>' for column in sample.columns)
    rows = "".join(
        f'<tr><th scope="row">{row}</th>'
        + "".join(f"<td>{_text(format_value(value))}</td>" for value in entries)
        + "</tr>"
        for row, entries in zip(sample.rows, sample.entries, strict=True)
    )
    return (
        f'<div class="bp-scroll" tabindex="0" role="group" aria-label="{_text(sample.title)}">'
        f'<table><thead><tr><th scope="col">row, column</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
