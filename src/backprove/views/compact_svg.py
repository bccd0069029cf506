"""SVG in fewer letters: what draws nothing goes, and coordinates keep a tenth of a pixel."""

from __future__ import annotations

import re

_NOTHING = re.compile(r'<path class="(?:background|foreground)"[^>]*?(?: d="")?[^>]*/>')
_EMPTY = re.compile(r"<g[^>]*></g>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_COORDINATES = re.compile(r'(?<=\s)(d|transform|x|y|x1|x2|y1|y2|width|height|cx|cy)="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")
_SILENT = re.compile(
    r' (?:aria-hidden="true"|pointer-events="none"|opacity="1"|font-style="normal"'
    r'|font-weight="normal"|stroke-dasharray="1,0"|text-anchor="start")'
)
_LEAVES = re.compile(
    r'(<g class="mark-[^>]*)>'
    r"((?:<(?:line|path|rect|circle)\b[^>]*/>|<text\b[^>]*>[^<]*</text>)+)</g>"
)
_INHERITED = re.compile(r' (?:fill|stroke|stroke-width|font-size|font-weight|text-anchor)="[^"]*"')
_FONT = ' font-family="system-ui, sans-serif"'


def compact_svg(svg: str) -> str:
    """A chart of Vega that looks the same and is about half as long.

    Args:
        svg: one SVG element.

    >>> compact_svg('<svg><text transform="translate(0,166.39999999999998)">a</text></svg>')
    '<svg><text transform="translate(0,166.4)">a</text></svg>'
    """
    svg = _NOTHING.sub(lambda found: "" if _draws_nothing(found.group()) else found.group(), svg)
    while True:  # a group that held nothing but empty groups is empty then
        shorter = _EMPTY.sub("", svg)
        if shorter == svg:
            break
        svg = shorter
    svg = _TAG.sub(lambda found: _short_tag(found.group()), svg)
    svg = _LEAVES.sub(lambda found: _shared(found[1], found[2]), svg)
    if _FONT in svg:
        svg = svg.replace(_FONT, "").replace("<svg", f"<svg{_FONT}", 1)
    return svg


def _draws_nothing(path: str) -> bool:
    """A path that is hidden, or has neither a colour nor a line."""
    if 'display="none"' in path or 'd=""' in path:
        return True
    painted = re.search(r'(?:fill|stroke)="(?!none|transparent)', path)
    # Vega gives a colour to every path that is to be seen; the root has fill="none".
    return painted is None


def _short_tag(tag: str) -> str:
    return _COORDINATES.sub(
        lambda found: f'{found[1]}="{_rounded(found[2])}"', _SILENT.sub("", tag)
    )


def _shared(group: str, leaves: str) -> str:
    """A group that says once what all of its marks have in common."""
    tags = [tag for tag in _TAG.findall(leaves) if not tag.startswith("</")]
    common = [each for each in _INHERITED.findall(tags[0]) if all(each in tag for tag in tags)]
    if len(tags) > 1:
        group += "".join(common)
        for each in common:
            leaves = _TAG.sub(lambda found, each=each: found.group().replace(each, ""), leaves)
    return f"{group}>{leaves}</g>"


def _rounded(numbers: str) -> str:
    return _LONG_NUMBER.sub(lambda found: _short(float(found.group())), numbers)


def _short(value: float) -> str:
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
