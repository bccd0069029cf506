"""SVG in fewer letters: what draws nothing goes, and coordinates keep a tenth of a pixel.

The picture as a whole has one role and one name for those who hear it; the roles of its groups go.
"""

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
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
"""What charts are written in: faces of equal widths. Vega lays a legend out by the widths that it
measures here, and where a page took a wider face its labels would run into each other."""

_FAMILY = f' font-family="{FONT}"'


_GROUP = re.compile(r"<g\b[^>]*>|</g>")
_NAMES = re.compile(r' (?:role|aria-roledescription|aria-label|class)="[^"]*"')
_MARK = re.compile(r' class="(mark-\w+) role-mark\b')
_NOWHERE = ' transform="translate(0,0)"'
_LINE = re.compile(
    r'<line transform="translate\(([^,()]+),([^,()]+)\)" x2="([^"]+)" y2="([^"]+)"/>'
)
_LINES = re.compile(rf">((?:{_LINE.pattern}){{1,}})</g>")
_PLACED = re.compile(r'(<text\b[^>]*?) transform="translate\(([^,()]+),([^,()]+)\)"')
_ROOT = re.compile(r' (?:xmlns:xlink|version)="[^"]*"')


def compact_svg(svg: str) -> str:
    """A chart of Vega that looks the same and is about a third as long.

    Args:
        svg: one SVG element.

    >>> compact_svg('<svg><text transform="translate(0,166.39999999999998)">a</text></svg>')
    '<svg><text x="0" y="166.4">a</text></svg>'
    """
    svg = _NOTHING.sub(lambda found: "" if _draws_nothing(found.group()) else found.group(), svg)
    while True:  # a group that held nothing but empty groups is empty then
        shorter = _EMPTY.sub("", svg)
        if shorter == svg:
            break
        svg = shorter
    svg = _TAG.sub(lambda found: _short_tag(found.group()), svg)
    svg = _LEAVES.sub(lambda found: _shared(found[1], found[2]), svg)
    svg = _LINES.sub(lambda found: f'><path d="{_LINE.sub(_drawn, found[1])}"/></g>', svg)
    svg = _PLACED.sub(r'\1 x="\2" y="\3"', svg)
    svg = _ROOT.sub("", _unwrapped(svg), count=2)
    if _FAMILY in svg:
        svg = svg.replace(_FAMILY, "").replace("<svg", f"<svg{_FAMILY}", 1)
    return svg


def _drawn(line: re.Match[str]) -> str:
    """A line as a piece of a path."""
    x, y, right, down = line.groups()
    turn = f"v{down}" if right == "0" else f"h{right}" if down == "0" else f"l{right},{down}"
    return f"M{x},{y}{turn}"


def _unwrapped(svg: str) -> str:
    """Without the groups that only hold others, and without the names of the rest."""
    kept: list[str] = []

    def short(found: re.Match[str]) -> str:
        if found[0] == "</g>":
            return kept.pop()
        mark = _MARK.search(found[0])
        tag = _NAMES.sub("", found[0]).replace(_NOWHERE, "")
        if mark:  # what a reader of the page may want to style, and a test to find
            tag = f'<g class="{mark[1]}"{tag.removeprefix("<g")}'
        kept.append("" if tag == "<g>" else "</g>")
        return "" if tag == "<g>" else tag

    return _GROUP.sub(short, svg)


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
