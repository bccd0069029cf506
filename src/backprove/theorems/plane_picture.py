"""Problems with two inputs as a picture: points, where units change, where the output is high.

Everything is computed with rational numbers; only the corners are rounded at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from backprove.results import Mark, Plane, Stretch

Corner = tuple[Fraction, Fraction]
Affine = tuple[Fraction, Fraction, Fraction]
_ZERO = Fraction(0)
_ROOM = Fraction(1, 2)
_MAX_CELLS = 400


def plane_of(problem: Mapping[str, Any], weights: Mapping[str, Any] | None) -> Plane | None:
    """The points, the lines on which hidden units are 0, and the region of high outputs.

    Args:
        problem: a problem as certificates hold it.
        weights: of its network, as certificates hold them; the points alone without them.

    Returns:
        None if the points do not have two coordinates.

    >>> problem = {"points": [["0", "0"], ["1", "1"]], "targets": ["0", "1"], "by": "exact",
    ...            "network": {"hidden": None, "output": "relu", "bias": True, "skip": False}}
    >>> plane_of(problem, {"output": [["1", "0"], "0"]}).lines[0].name
    'z = x1 = 0'
    """
    points = [(Fraction(p[0]), Fraction(p[1])) for p in problem["points"] if len(p) == 2]
    targets = [Fraction(t) for t in problem["targets"]]
    if len(points) != len(targets):
        return None
    cut = _cut(targets)
    marks, classes = _marks(points, targets, cut)
    if not weights:
        return Plane("The points", "x1", "x2", marks, classes=classes)
    box = _box(points)
    units = weights.get("hidden") or [weights["output"]]
    name = "unit {}: " if weights.get("hidden") else "z = "
    lines = []
    for number, unit in enumerate(units, 1):
        form = _affine(unit)
        ends = _ends(box, form)
        if ends:
            said = name.format(number) + f"{_said(form)} = 0"
            lines.append(Stretch(_float(ends[0]), _float(ends[1]), said))
    regions = _regions(problem, weights, box, cut)
    return Plane(
        "Where units change, and where the output is high" if regions else "Where units change",
        "x1",
        "x2",
        marks,
        lines,
        [[_float(corner) for corner in region] for region in regions],
        f"output above {cut}",
        classes,
    )


def meeting_plane(problem: Mapping[str, Any], multipliers: Mapping[str, str]) -> Plane | None:
    """A proof that no line tells points apart, as two segments or triangles that meet.

    Args:
        problem: a problem of one unit with a bias.
        multipliers: of the lines ``point i`` of its proof.

    Returns:
        None where the proof is of another form. Otherwise the multipliers, scaled to sum 1, give
        the same point as an average of points that have to be high and of points that must not.
    """
    network = problem["network"]
    if network["hidden"] or not network["bias"] or len(problem["points"][0]) != 2:
        return None
    rising = all(name.startswith("rise ") and name.count(" ") == 2 for name in multipliers)
    if not rising and any(not name.startswith("point ") for name in multipliers):
        return None
    if rising and len(set(problem["targets"])) != 2:
        return None
    points = [(Fraction(p[0]), Fraction(p[1])) for p in problem["points"]]
    targets = [Fraction(t) for t in problem["targets"]]
    cut = _cut(targets)
    sides: dict[bool, list[tuple[Corner, Fraction]]] = {True: [], False: []}
    for name, text in multipliers.items():
        for i in map(int, name.split()[1:]):
            sides[targets[i] > cut].append((points[i], abs(Fraction(text))))
    middles = [_mean(side) for side in sides.values() if side]
    if len(middles) != 2 or middles[0] != middles[1]:
        return None
    marks, classes = _marks(points, targets, cut)
    lines = []
    for high, name in ((True, "between high points"), (False, "between low points")):
        corners = [point for point, _ in sides[high]]
        pairs = [(a, b) for k, a in enumerate(corners) for b in corners[k + 1 :]]
        lines += [Stretch(_float(a), _float(b), name) for a, b in pairs]
    at = _float(middles[0])
    return Plane(
        "Why no line tells them apart",
        "x1",
        "x2",
        [*marks, Mark(at, "", "cross")],
        lines,
        classes={**classes, "cross": "here they meet"},
        caption=(
            "On a straight line between points that have to be high the argument of the unit is "
            "high, between points that must be low it is low; where they meet it would be both."
        ),
    )


def _cut(targets: Sequence[Fraction]) -> Fraction:
    low, high = min(targets), max(targets)
    return (low + high) / 2 if low < high else low - Fraction(1, 2)


def _marks(
    points: Sequence[Corner], targets: Sequence[Fraction], cut: Fraction
) -> tuple[list[Mark], dict[str, str]]:
    marks = [
        Mark(_float(p), str(t), "closed" if t > cut else "open")
        for p, t in zip(points, targets, strict=True)
    ]
    if len(set(targets)) > 2:
        return marks, {"closed": f"target above {cut}", "open": f"target up to {cut}"}
    classes = {"closed": f"target {max(targets)}", "open": f"target {min(targets)}"}
    return [Mark(m.at, "", m.kind) for m in marks], classes


def _box(points: Sequence[Corner]) -> list[Corner]:
    low = [min(p[k] for p in points) for k in (0, 1)]
    high = [max(p[k] for p in points) for k in (0, 1)]
    room = max(high[0] - low[0], high[1] - low[1], Fraction(1)) * _ROOM
    (a, b), (c, d) = [v - room for v in low], [v + room for v in high]
    return [(a, b), (c, b), (c, d), (a, d)]


def _affine(unit: Sequence[Any]) -> Affine:
    row, constant = unit
    return Fraction(row[0]), Fraction(row[1]), Fraction(constant)


def _at(form: Affine, corner: Corner) -> Fraction:
    return form[0] * corner[0] + form[1] * corner[1] + form[2]


def _ends(box: Sequence[Corner], form: Affine) -> list[Corner]:
    """Where the line on which a form is 0 enters and leaves the box."""
    if not form[0] and not form[1]:
        return []
    met = []
    for a, b in zip(box, [*box[1:], box[0]], strict=True):
        first, last = _at(form, a), _at(form, b)
        if first * last <= 0 and first != last:
            share = first / (first - last)
            met.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
    found = sorted(set(met))
    return [found[0], found[-1]] if len(found) > 1 else []


def _clipped(polygon: Sequence[Corner], form: Affine) -> list[Corner]:
    """The part of a convex polygon on which a form is at or above 0."""
    kept: list[Corner] = []
    for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        first, last = _at(form, a), _at(form, b)
        if first >= 0:
            kept.append(a)
        if first * last < 0:
            share = first / (first - last)
            kept.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
    return kept if len(kept) > 2 and _area(kept) else []


def _area(polygon: Sequence[Corner]) -> Fraction:
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return abs(sum((a[0] * b[1] - b[0] * a[1] for a, b in pairs), _ZERO))


def _regions(
    problem: Mapping[str, Any], weights: Mapping[str, Any], box: Sequence[Corner], cut: Fraction
) -> list[list[Corner]]:
    """Convex parts of the box on which the output is above the cut; none where it is curved."""
    network = problem["network"]
    hidden = network["hidden"][0] if network["hidden"] else "linear"
    if hidden == "square":
        return []
    units = [_affine(unit) for unit in weights.get("hidden", [])]
    cells: list[tuple[list[Corner], list[bool]]] = [(list(box), [])]
    for form in units if hidden != "linear" else []:
        if not form[0] and not form[1]:
            cells = [(polygon, [*sides, form[2] > 0]) for polygon, sides in cells]
            continue
        minus = (-form[0], -form[1], -form[2])
        parts = []
        for polygon, sides in cells:
            for side, own in ((True, form), (False, minus)):
                piece = _clipped(polygon, own)
                if piece:
                    parts.append((piece, [*sides, side]))
        cells = parts
        if len(cells) > _MAX_CELLS:
            return []
    found = []
    for polygon, sides in cells:
        z = _output(hidden, units, sides, weights)
        for form in _above(network["output"], z, cut):
            piece = _clipped(polygon, form) if form[0] or form[1] or form[2] > 0 else []
            if piece:
                found.append(piece)
    return found


def _output(
    hidden: str, units: Sequence[Affine], sides: Sequence[bool], weights: Mapping[str, Any]
) -> Affine:
    """What the output unit takes on one cell, an affine function of the inputs."""
    last, constant = weights["output"]
    skip = weights.get("skip", [0, 0])
    if not units:
        return _affine(weights["output"])
    total = [Fraction(skip[0]), Fraction(skip[1]), Fraction(constant)]
    for number, (form, factor) in enumerate(zip(units, last, strict=True)):
        on = sides[number] if sides else True
        if hidden == "threshold":
            total[2] += Fraction(factor) * on
            continue
        sign = {"relu": int(on), "abs": 1 if on else -1}.get(hidden, 1)
        for k in range(3):
            total[k] += Fraction(factor) * sign * form[k]
    return total[0], total[1], total[2]


def _above(output: str, z: Affine, cut: Fraction) -> list[Affine]:
    """Forms that are at or above 0 where the output exceeds the cut, in one of them at least."""
    up = (z[0], z[1], z[2] - cut)
    if output in ("linear", "relu"):
        return [up] if output == "linear" or cut >= 0 else []
    if output == "threshold":
        return [z] if 0 <= cut < 1 else []
    if output == "sigmoid":
        return [z] if cut == Fraction(1, 2) else []
    if output == "tanh":
        # artanh(1/2), to more digits than a picture shows
        places = {_ZERO: _ZERO, Fraction(1, 2): Fraction(549306, 10**6)}
        return [(z[0], z[1], z[2] - places[cut])] if cut in places else []
    if output == "abs" and cut >= 0:
        return [up, (-z[0], -z[1], -z[2] - cut)]
    return []


def _mean(side: Sequence[tuple[Corner, Fraction]]) -> Corner:
    total = sum((weight for _, weight in side), _ZERO)
    x, y = (sum((weight * p[k] for p, weight in side), _ZERO) / total for k in (0, 1))
    return x, y


def _said(form: Affine) -> str:
    text = ""
    for value, name in ((form[0], "x1"), (form[1], "x2"), (form[2], "")):
        if value:
            size = "" if abs(value) == 1 and name else str(abs(value))
            sign = (" - " if value < 0 else " + ") if text else ("-" if value < 0 else "")
            text += sign + " ".join(part for part in (size, name) if part)
    return text or "0"


def _float(corner: Corner) -> tuple[float, float]:
    return float(corner[0]), float(corner[1])
