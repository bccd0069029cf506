"""The verdict on a backward function, from its comparisons with measured derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.checking.backward_explanation import (
    explanation_of,
    overall_size,
    resolved_entries,
    rows_of,
    scene_of,
    smooth_entries,
    tolerance_of,
    wrong_part,
)
from backprove.checking.invariants import invariants
from backprove.checking.measured_jacobian import measure
from backprove.checking.observations import (
    Comparison,
    Point,
    Setup,
    WrongShape,
    attempt_point,
    claimed_gradients,
)
from backprove.checking.sample_inputs import kinds, without
from backprove.checking.subjects import Fault, is_real
from backprove.checking.verdict import Counterexample, Verdict
from backprove.checking.wrong_terms import Explanation

_GENERAL = (
    "A factor that is infinite there meets one that is zero, or an intermediate value overflows."
)
"""What is said where the node is not known."""
MOST_TAKEN_APART = 2
"""For how many inputs the forward function is taken apart: it has to be compiled for each."""


@dataclass
class Finding:
    """What the comparisons say about one input (or about the tangent of the output).

    Attributes:
        which: the position of the input; -1 for the tangent of the output.
        wrong: the comparisons that differ beyond all doubt, with the worst position in each.
        open: whether entries are left that could not be measured, or that differ within doubt.
        deviation: the largest deviation, relative to the size of the derivative.
        rounding: the largest bound on rounding, relative.
        truncation: the largest bound on truncation, relative.
        at_given: whether the given inputs alone show that it is wrong.
    """

    which: int
    wrong: list[tuple[Point, int, int]]
    open: bool
    deviation: float
    rounding: float
    truncation: float
    at_given: bool


def judge(setup: Setup, points: list[Point]) -> Verdict:
    """Right, right under an assumption, wrong and why, or undecided at this precision."""
    findings = [_finding(setup, points, which) for which in _compared(points)]
    wrong = [f for f in findings if f.wrong]
    if wrong:
        return _wrong(setup, points, wrong)
    if not findings:
        return Verdict(
            "undecided", _claim(setup), "No gradient was returned, so there is nothing to judge."
        )
    unclear = [f for f in findings if f.open]
    if unclear:
        return _undecided(setup, points, unclear)
    if trouble := _nan_at_kinks(setup, points) or _native_trouble(setup, points):
        return Verdict("undecided", _claim(setup), trouble)
    return _right(setup, points, findings)


def _compared(points: Sequence[Point]) -> list[int]:
    found: dict[int, None] = {}
    for point in points:
        for row in point.comparisons:
            found.update(dict.fromkeys(c.which for c in row))
    return list(found)


def _claim(setup: Setup) -> str:
    kind = {"vjp": "vector-Jacobian product", "jvp": "Jacobian-vector product", "grad": "gradient"}
    return f"the {kind[setup.mode]} of {setup.subject.title}"


def _finding(setup: Setup, points: Sequence[Point], which: int) -> Finding:
    finding = Finding(which, [], False, 0.0, 0.0, 0.0, False)
    covered: np.ndarray | None = None
    doubtful = False
    for point in points:
        for row_number, row in enumerate(point.comparisons):
            for c in row:
                if c.which != which or not c.expected.size:
                    continue
                scale = max(c.scale, overall_size(point, c))
                smooth = smooth_entries(c)
                with np.errstate(invalid="ignore"):
                    deviation = np.where(smooth, np.abs(c.given - c.expected), 0.0)
                deviation = np.where(np.isnan(deviation), np.inf, deviation)
                tolerance = np.where(smooth, tolerance_of(setup, c), 0.0)
                resolved = resolved_entries(point, c)
                bad = smooth & (deviation > tolerance)
                if setup.coarse and bad.any():
                    sure = bad & _beyond_doubt(setup, point, row_number, c, deviation)
                    doubtful |= bool((bad & ~sure).any())
                    bad = sure
                if bad.any():
                    worst = int(np.argmax(np.where(bad, deviation, -1.0)))
                    finding.wrong.append((point, row_number, worst))
                    finding.at_given |= point.given_by_user
                good = resolved & ~bad
                covered = good if covered is None else covered | good
                _record(finding, c, deviation, smooth, scale)
    finding.open = doubtful or covered is None or not covered.all()
    if covered is None:
        finding.open = False
    return finding


def _record(
    finding: Finding, c: Comparison, deviation: np.ndarray, smooth: np.ndarray, scale: float
) -> None:
    def top(values: np.ndarray) -> float:
        return float(np.max(np.where(smooth, values, 0.0), initial=0.0)) / scale

    finding.deviation = max(finding.deviation, top(deviation))
    finding.rounding = max(finding.rounding, top(c.rounding))
    finding.truncation = max(finding.truncation, top(c.error - c.rounding))


def _beyond_doubt(
    setup: Setup, point: Point, row: int, c: Comparison, deviation: np.ndarray
) -> np.ndarray:
    """Where single precision cannot explain a deviation.

    It must be a sizable part of the derivative, far above the error of the differences, and far
    above what the claim itself moves by when the inputs move by a unit of rounding.
    """
    finite = np.isfinite(c.given)
    if setup.mode == "jvp":
        return finite & (deviation > 0.1 * c.scale) & (deviation > 100 * c.error)
    unit = max(setup.unit, setup.rule_unit)
    moved = list(point.inputs)
    for k in setup.subject.judged:
        noise = 1 + 2 * unit * setup.rng.choice([-1.0, 1.0], moved[k].shape)
        moved[k] = (np.asarray(moved[k], dtype=float) * noise).astype(moved[k].dtype)
    g = point.seeds[row][0]
    dtype = np.asarray(setup.subject.forward(point.inputs)).dtype
    try:
        again = claimed_gradients(setup.subject, g.astype(dtype), moved)
    except Fault:
        return np.zeros(deviation.shape, dtype=bool)
    gradient = again[setup.subject.judged.index(c.which)]
    spread = 0.0
    if gradient is not None:
        spread = np.abs(setup.moved[c.which].of(gradient) - c.given)
    large = (deviation > 0.1 * c.scale) & (deviation > 100 * c.error)
    return finite & large & (deviation > 100 * spread)


def _wrong(setup: Setup, points: list[Point], findings: list[Finding]) -> Verdict:
    explained = [(f, *explanation_of(setup, points, f.which)) for f in findings]
    for n, (finding, found, laws) in enumerate(explained[:MOST_TAKEN_APART]):
        if any(e is not None and e.mistake != "wrong_value" for _, e, _ in explained):
            break
        explained[n] = finding, wrong_part(setup, points, finding.which) or found, laws
    explained.sort(key=lambda item: item[1] is None or item[1].mistake == "wrong_value")
    sentences: list[str] = []
    for finding, explanation, _ in explained[:3]:
        sentences.append(_sentence(setup, finding, explanation))
    for _, _, laws in explained[:1]:
        broken = [law for law in laws if law.violation > 0]
        sentences += [
            f"{law.law[0].upper()}{law.law[1:]}, because {law.reason}; "
            f"the given one misses that by up to {law.violation:.3g}."
            for law in broken[:2]
        ]
    if len(explained) > 3:
        rest = ", ".join(_called(setup, f.which) for f, _, _ in explained[3:])
        sentences.append(f"Also wrong: {rest}.")
    finding, explanation, _ = explained[0]
    if not finding.at_given:
        sentences.append("At the given inputs it is right; at the counterexample it is not.")
    example, place = _counterexample(setup, finding)
    return Verdict(
        "wrong",
        _claim(setup),
        " ".join(sentences),
        level="measured",
        mistake=explanation.mistake if explanation else "wrong_value",
        where=explanation.where if explanation else place,
        counterexample=example,
        evidence=_evidence(setup, points, findings),
    )


def _called(setup: Setup, which: int) -> str:
    if which < 0:
        return "the tangent of the output"
    return f"the gradient of {setup.subject.names[which]}"


def _sentence(setup: Setup, finding: Finding, explanation: Explanation | None) -> str:
    called = _called(setup, finding.which)
    called = called[0].upper() + called[1:]
    point, row, worst = finding.wrong[0]
    c = next(c for c in point.comparisons[row] if c.which == finding.which)
    bad = ~np.isfinite(c.full)
    if bad.any():
        first = [int(k) for k in np.argwhere(bad)[0]]
        return (
            f"{called} is {c.full[tuple(first)]} at entry {first} ({int(bad.sum())} of {bad.size} "
            f"entries are not finite), but the function is smooth there: its slope is "
            f"{c.expected[worst]:.6g}. "
            + (setup.subject.origin(point.inputs, point.seeds[row][0]) or _GENERAL)
        )
    if explanation is not None:
        return f"{called} is wrong: {explanation.text}."
    return (
        f"{called} is wrong: it differs from central differences by up to "
        f"{finding.deviation:.3g} of its size."
    )


def _counterexample(setup: Setup, finding: Finding) -> tuple[Counterexample, str]:
    wrong = [w for w in finding.wrong if w[0].given_by_user] or finding.wrong
    point, row, worst = wrong[0]
    c = next(c for c in point.comparisons[row] if c.which == finding.which)
    if finding.which < 0:
        entry = tuple(int(k) for k in np.unravel_index(worst, point.output.shape))
    else:
        entry = setup.moved[finding.which].index(worst)
    names = setup.subject.names
    inputs = {names[k]: np.asarray(v) for k, v in enumerate(point.inputs)}
    if setup.mode == "vjp":
        inputs["upstream"] = point.seeds[row][0]
    if setup.mode == "jvp":
        for k, tangent in zip(setup.subject.judged, point.seeds[row], strict=True):
            inputs[f"tangent of {names[k]}"] = tangent
    example = Counterexample(inputs, entry, float(c.expected[worst]), float(c.given[worst]))
    return example, f"entry {list(entry)}" if entry else "along a direction"


def _undecided(setup: Setup, points: list[Point], findings: list[Finding]) -> Verdict:
    worst = max(findings, key=lambda f: f.rounding + f.truncation)
    called = " and ".join(_called(setup, f.which) for f in findings)
    if setup.coarse or setup.step is not None:
        reason = (
            f"undecided: at this precision nothing certain can be said about {called}. Relative to "
            f"its size, the differences carry a rounding error of up to {worst.rounding:.2g} and a "
            f"truncation error of up to {worst.truncation:.2g}; the given one differs by "
            f"{worst.deviation:.2g}. A function that accepts float64, or a larger step, decides it."
        )
    elif kinks := kink_text(setup, points):
        reason = (
            f"undecided: {kinks} Entries of {called} could not be judged at any point; give "
            "inputs away from the kinks."
        )
    else:
        reason = (
            f"undecided: central differences of {setup.subject.title} do not settle at all "
            f"entries of {called} (rounding up to {worst.rounding:.2g}, truncation up to "
            f"{worst.truncation:.2g}, relative). Give inputs of moderate size."
        )
    return Verdict("undecided", _claim(setup), reason, evidence=_evidence(setup, points, findings))


def _nan_at_kinks(setup: Setup, points: list[Point]) -> str:
    """Where there is no derivative any slope will do, but NaN is none and spoils all that follows.

    Only the given inputs count: those of our own choice meet kinks by accident.
    """
    for row, comparisons in enumerate(points[0].comparisons):
        for c in comparisons:
            bad = np.isnan(c.full)
            if bad.any():
                at = [int(i) for i in np.argwhere(bad)[0]]
                origin = setup.subject.origin(points[0].inputs, points[0].seeds[row][0])
                return (
                    f"undecided: {_called(setup, c.which)} is nan at entry {at}, where "
                    f"{setup.subject.title} has no derivative; elsewhere it is right. {origin}"
                ).strip()
    return ""


def _native_trouble(setup: Setup, points: list[Point]) -> str:
    """What goes wrong in the dtype of the inputs though it is right in double precision."""
    subject = setup.subject
    if setup.mode == "jvp" or setup.coarse:
        return ""
    if all(a.dtype == b.dtype for a, b in zip(setup.inputs, subject.inputs, strict=True)):
        return ""
    point = points[0]
    dtype = subject.inputs[subject.judged[0]].dtype
    output = subject.forward(subject.inputs)
    gradients = claimed_gradients(subject, point.seeds[0][0].astype(output.dtype), subject.inputs)
    for c in point.comparisons[0]:
        gradient = gradients[subject.judged.index(c.which)]
        if gradient is None:
            continue
        wide = np.asarray(gradient, dtype=float)
        called = _called(setup, c.which)
        bad = ~np.isfinite(wide) & np.isfinite(c.full)
        if bad.any():
            first = [int(i) for i in np.argwhere(bad)[0]]
            return (
                f"undecided: at this precision {called} is {wide[tuple(first)]} at entry {first}, "
                f"because {dtype} overflows; in float64 it is right there and elsewhere. "
                + subject.origin(subject.inputs, point.seeds[0][0])
            ).strip()
        gap = float(np.max(np.abs(wide - c.full), initial=0.0))
        if gap > 1e-2 * max(c.scale, 1e-300):
            return (
                f"undecided: at this precision. In float64 {called} is right, but in {dtype} it "
                f"is off by {gap:.2g} (its size is {c.scale:.2g}): rounding takes over."
            )
    return ""


def _right(setup: Setup, points: list[Point], findings: list[Finding]) -> Verdict:
    called = [_called(setup, f.which) for f in findings]
    verb = "is" if len(called) == 1 else "are"
    listed = called[0] if len(called) == 1 else ", ".join(called[:-1]) + " and " + called[-1]
    message = [f"{listed[0].upper()}{listed[1:]} {verb} right."]
    missing = [k for k in setup.subject.judged if k not in _compared(points)]
    if missing and setup.mode != "jvp":
        names = ", ".join(setup.subject.names[k] for k in missing)
        message.append(f"No gradient was given for {names}, so none was judged.")
    if kinks := kink_text(setup, points):
        message.append(kinks)
    under = _assumptions(setup) if setup.mode != "jvp" else []
    if under:
        message.insert(1, f"It relies on {' and '.join(under)}: at other inputs it is wrong.")
    return Verdict(
        "right_under" if under else "right",
        _claim(setup),
        " ".join(message),
        level="measured",
        under=under,
        evidence=_evidence(setup, points, findings),
    )


def _assumptions(setup: Setup) -> list[str]:
    """Which special properties of the given inputs the claim relies on."""
    found = []
    for k in range(len(setup.inputs)):
        if not is_real(setup.inputs[k]):
            continue
        for kind in kinds(np.asarray(setup.inputs[k], dtype=float)):
            inputs = without(kind, setup.inputs, k, setup.rng)
            if setup.native:
                inputs = [v.astype(a.dtype) for v, a in zip(inputs, setup.inputs, strict=True)]
            point = attempt_point(setup, inputs)
            if point is None:
                continue
            if any(_finding(setup, [point], which).wrong for which in _compared([point])):
                name = setup.subject.names[k]
                found.append(f"{kind} in {name}" if kind.startswith("rows") else f"{name} {kind}")
    return found


def kink_text(setup: Setup, points: Sequence[Point]) -> str:
    """The entries at the given inputs where there is no derivative, with both slopes."""
    shown, count = [], 0
    for k, measured in points[0].jacobians.items():
        for column in np.flatnonzero(measured.kinks.any(axis=0)):
            count += 1
            if len(shown) >= 4:
                continue
            jumps = np.where(
                measured.kinks[:, column],
                np.abs(
                    np.nan_to_num(measured.right[:, column] - measured.left[:, column], nan=np.inf)
                ),
                -1.0,
            )
            output = int(np.argmax(jumps))
            index = setup.moved[k].index(int(column))
            place = "[" + ", ".join(map(str, index)) + "]" if index else ""
            left, right = measured.left[output, column], measured.right[output, column]
            shown.append(
                f"{setup.subject.names[k]}{place} (slopes {_slope(left)} from below and "
                f"{_slope(right)} from above)"
            )
    if not shown:
        return ""
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"The function is non-differentiable at these entries: {', '.join(shown)}{more}."


def _slope(value: float) -> str:
    if np.isfinite(value) and abs(value - round(value)) < 1e-4:
        return str(round(value))
    return f"{value:.4g}"


def _evidence(setup: Setup, points: list[Point], findings: Sequence[Finding]) -> str:
    worst = max((f.deviation for f in findings), default=0.0)
    bound = max((f.rounding + f.truncation for f in findings), default=0.0)
    sampled = [k for k, moved in setup.moved.items() if not moved.complete]
    parts = [
        f"Compared entry by entry with central differences at {len(points)} points, "
        f"{sum(len(p.comparisons) for p in points)} comparisons; largest relative deviation "
        f"{worst:.1e}, relative error of the differences up to {bound:.1e}."
    ]
    if sampled:
        names = ", ".join(setup.subject.names[k] for k in sampled)
        parts.append(f"Of {names} a sample of entries and some random directions were moved.")
    parts += [rows for k in setup.moved if (rows := _row_text(setup, points[0], k))]
    if setup.mode != "jvp" and not setup.coarse:
        parts += _law_texts(setup, points)
    return " ".join(parts)


def _row_text(setup: Setup, point: Point, k: int) -> str:
    """Whether rows of a batch interact, read off the blocks of the Jacobian."""
    moved, values = setup.moved[k], point.jacobians[k].values
    shape, out = moved.shape, point.output.shape
    if not moved.complete or len(shape) < 2 or not out or out[0] != shape[0] or shape[0] < 2:
        return ""
    rows, name = shape[0], setup.subject.names[k]
    blocks = np.abs(np.nan_to_num(values)).reshape(rows, -1, rows, int(np.prod(shape[1:])))
    between = blocks.copy()
    between[np.arange(rows), :, np.arange(rows), :] = 0
    if np.max(between, initial=0.0) <= 1e-8 * np.max(blocks, initial=0.0):
        return (
            f"The rows of {name} do not interact: the Jacobian is {rows} blocks of "
            f"{blocks.shape[1]}×{blocks.shape[3]}."
        )
    return f"The rows of {name} interact, as in batch normalisation."


def _law_texts(setup: Setup, points: list[Point]) -> list[str]:
    texts = []
    for k in setup.subject.judged:
        rows = rows_of(points, k)
        if not rows or not setup.moved[k].complete or any(c.kinks.any() for _, _, c in rows):
            continue
        scenes = [scene_of(setup, p, r, c) for p, r, c in rows[:6]]
        for law in invariants(scenes, setup.subject.names[k])[:2]:
            state = "broken" if law.violation else "holds"
            texts.append(f"Invariant ({state}): {law.law}, because {law.reason}.")
    return texts


def of_fault(setup_claim: str, fault: Fault) -> Verdict:
    """The verdict on code that does not even return a gradient of the right form."""
    return Verdict(
        "wrong",
        setup_claim,
        fault.message,
        level="measured",
        mistake=fault.mistake,
        where=fault.where,
        evidence="Seen when it was called.",
    )


def of_wrong_shape(
    claim: str, fault: WrongShape, right: Callable[[], np.ndarray | None]
) -> Verdict:
    """A wrong shape, and whether a transpose or a missing sum explains it."""
    gradient = np.asarray(fault.gradient, dtype=float)
    verdict = of_fault(claim, fault)
    expected = right()
    if expected is None:
        return verdict

    def same(value: np.ndarray) -> bool:
        top = float(np.max(np.abs(expected), initial=0.0))
        return value.shape == expected.shape and bool(
            np.allclose(value, expected, rtol=1e-4, atol=1e-5 * top)
        )

    if gradient.ndim >= 2 and same(gradient.T):
        verdict.message += " Its transpose is right."
        verdict.mistake = "transposed"
    for axis in range(gradient.ndim):
        for keep in (False, True):
            if same(gradient.sum(axis=axis, keepdims=keep)):
                verdict.message += f" The sum over axis {axis} is missing: summed, it is right."
                verdict.mistake = "missing_sum"
                return verdict
    for axes in (tuple(range(gradient.ndim - 1)), tuple(range(gradient.ndim))):
        if gradient.ndim > 1 and same(gradient.sum(axis=axes)):
            verdict.message += f" The sum over the axes {axes} is missing: summed, it is right."
            verdict.mistake = "missing_sum"
            return verdict
    return verdict


def gradient_at_given(setup: Setup, which: int, seed: np.ndarray) -> np.ndarray | None:
    """The measured gradient of one input at the given inputs, if all its entries are moved."""
    moved = setup.moved[which]
    if not moved.complete:
        return None
    measured = measure(setup.subject.forward, setup.inputs, which, moved, setup.unit)
    return (np.asarray(seed, dtype=float).reshape(-1) @ measured.values).reshape(moved.shape)
