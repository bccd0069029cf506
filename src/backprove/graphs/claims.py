"""Claims about a run: values, gradients, local derivatives, and paths of the chain rule.

A right value reached by a wrong path is wrong: each factor of a path has to start where the one
before it ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.checking import Verdict
from backprove.errors import BackproveError, NotationError, Span, UnknownName
from backprove.graphs.numerals import number
from backprove.graphs.presentation import MAX_ROWS
from backprove.graphs.records import NOT_COMPUTED
from backprove.notation.claims import Claim, classify_claim, number_of
from backprove.notation.definitions import only
from backprove.notation.evaluation import Evaluator
from backprove.notation.lowering import lower

if TYPE_CHECKING:
    from backprove.graphs.run import Run

ROUNDED = 0.001
"""A product of rounded factors may be off by this share of its value and be right."""
_EXACT = 1e-9
_DECIMAL = re.compile(r"(?<![\w.])[0-9]*\.[0-9]+")
_ENTRY = re.compile(r"(\s*[d∂]?\w+(?:\s*/\s*[d∂]?\w+)?)(\s*\[\s*\d+(?:\s*,\s*\d+)*\s*\])\s*[=≈]")
_NOT_FINITE = re.compile(r"[=≈]\s*([-+]?)\s*(inf|infinity|∞|nan)\s*$", re.IGNORECASE)

Quantity = tuple[str, ...]
"""``("h2",)`` for a value, ``("f", "h2")`` for the derivative of f by h2."""


@dataclass(frozen=True)
class Stated:
    """A number that a claim gives to a quantity, and how far rounding may take it.

    Attributes:
        quantity: what it is said of.
        value: the number.
        tolerance: within it the number is right.
        coarse: within it nothing is decided: factors that are rounded too far may lead there.
    """

    quantity: Quantity
    value: float
    tolerance: float
    coarse: float


def check_run(run: Run, text: str, *, earlier: Sequence[str] = ()) -> Verdict:
    """Judge a claim about the numbers of a run.

    Args:
        run: the run.
        text: a value (``h2 = 20.0855``), a derivative (``df/dx = 1``), an entry of an array
            (``df/dW[0,1] = 2``) or a path
            (``df/dz = df/dh3 * dh3/dz``, possibly with ``= 20.0855`` after it) or a sum of paths.
            A number counts as
            right if it is the value rounded to the decimals that are written.
        earlier: claims of the same answer, for contradictions between two of them.

    Raises:
        NotationError: the claim is none of these.
        UnknownName: a name is no node of the graph.

    >>> from backprove.graphs import graph
    >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
    >>> check_run(run, "df/dz = df/dh3 * dh3/dz = 20.0855").kind
    'right'
    >>> check_run(run, "df/dz = df/dh2 * dh3/dz = 20.0855").mistake
    'wrong_path'
    """
    text = text.replace("−", "-")
    found = _NOT_FINITE.search(text)
    if found is not None:
        return _judge_not_finite(run, text, found)
    found = _ENTRY.match(text)
    if found is not None:
        return _judge_entry(run, text, found)
    claim = classify_claim(text)
    quantity = _quantity(run, claim)
    if claim.kind == "path":
        verdict = _judge_path(run, claim, quantity)
    elif claim.kind == "value":
        verdict = _judge_values(run, claim, quantity)
    else:
        raise NotationError(
            "a claim about a graph gives a value, a derivative or a path",
            text=text,
            span=claim.right_span,
            hint="Write h2 = 20.0855, df/dx = 1, or df/dz = df/dh3 * dh3/dz.",
        )
    _look_for_contradiction(run, claim, quantity, earlier, verdict)
    return verdict


def _quantity(run: Run, claim: Claim) -> Quantity:
    if claim.quotient is not None:
        output, variable = claim.quotient
        return _node(run, claim, output), _node(run, claim, variable)
    return (_node(run, claim, claim.left.strip()),)


def _node(run: Run, claim: Claim, name: str) -> str:
    try:
        return run.graph.resolve(name)
    except UnknownName as error:
        raise UnknownName(
            error.message, text=claim.text, span=claim.left_span, hint=error.hint
        ) from None


def _number(run: Run, quantity: Quantity) -> np.ndarray | None:
    """The right value of a quantity; None if its gradient was not computed."""
    if len(quantity) == 1:
        return np.asarray(run.values[quantity[0]], dtype=float)
    if quantity[0] == run.graph.output == run.root:
        value = run.upstream_of(quantity[1])
        return None if value is NOT_COMPUTED else np.asarray(value, dtype=float)
    return np.asarray(run.derivative(*quantity), dtype=float)


def _shown(quantity: Quantity) -> str:
    return quantity[0] if len(quantity) == 1 else f"∂{quantity[0]}/∂{quantity[1]}"


def _stated(claim: Claim, quantity: Quantity) -> list[Stated]:
    found = []
    for span in claim.values:
        literal = number_of(claim, span)
        if literal is None:
            value = _computed(only(claim.text, span))
            exact, spread = 1e-9 * max(1.0, abs(value)), _spread(claim.text, span, value)
            near = max(exact, min(spread, ROUNDED * abs(value)))
            found.append(Stated(quantity, value, near, max(exact, spread)))
            continue
        word = claim.text[span.start : span.end].strip().lower()
        tolerance = _rounding(word, claim.approximate)
        found.append(Stated(quantity, float(literal), tolerance, tolerance))
    return found


def _computed(text: str) -> float:
    return float(Evaluator({}, {}).tensor(lower(text, {}).tensor()))


def _spread(text: str, span: Span, value: float) -> float:
    """How far ``1*2*20.0855`` may be off by its rounded decimals; whole numbers are exact."""
    total = 0.0
    for decimal in _DECIMAL.finditer(text, span.start, span.end):
        # One more digit 5 is half a unit of the last digit that is written.
        moved = only(
            text[: decimal.end()] + "5" + text[decimal.end() :], Span(span.start, span.end + 1)
        )
        total += abs(_computed(moved) - value)
    return total


def stated_number(text: str) -> Stated:
    """The number that a text such as ``40.17`` or ``2*e**3`` states, and how far rounding goes.

    Raises:
        NotationError: the text is no number.

    >>> stated = stated_number("40.17")
    >>> stated.value, round(stated.tolerance, 6)
    (40.17, 0.005)
    """
    plain = text.replace("−", "-").strip().lstrip("=≈~").strip()
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+", plain):
        raise NotationError(
            "a comma stands in the number", text=text, hint="Write a decimal point: 40.171."
        )
    special = _NOT_FINITE.fullmatch(f"={plain}")
    if special is not None:
        return Stated(("q",), _not_finite(special), 0.0, 0.0)
    claim = classify_claim(f"q = {plain}")
    found = _stated(claim, ("q",)) if claim.kind == "value" else []
    if len(found) != 1:
        raise NotationError("expected one number", text=text, hint="Write 40.171 or 2*exp(3).")
    return found[0]


def _not_finite(found: re.Match[str]) -> float:
    """The infinity or NaN that a text ends with."""
    return float(found[1] + ("nan" if found[2].lower() == "nan" else "inf"))


def _judge_not_finite(run: Run, text: str, found: re.Match[str]) -> Verdict:
    """The verdict on ``f = ∞`` and ``f = NaN``, which no formula states."""
    claim = classify_claim(f"{text[: found.start()]}= 0")
    if claim.kind != "value":
        raise NotationError(
            "infinity and NaN are claimed of a value or a derivative alone",
            text=text,
            span=Span(found.start(2), found.end(2)),
        )
    quantity, value = _quantity(run, claim), _not_finite(found)
    right = _number(run, quantity)
    if right is None:
        return Verdict("undecided", text, f"{_shown(quantity)} was not computed in this run.")
    if not np.array_equal(right, np.full(right.shape, value), equal_nan=True):
        stated = Stated(quantity, value, 0, 0)
        return _wrong_value(run, replace(claim, text=text), stated, right, _shown(quantity))
    said = f"Right: {_shown(quantity)} = {_format(right)}."
    return Verdict("right", text, said, "measured", evidence="the value of this run")


def _rounding(word: str, approximate: bool) -> float:
    """Half a unit of the last decimal that is written; an integer after '=' is meant exactly."""
    mantissa, _, exponent = word.partition("e")
    _, point, decimals = mantissa.partition(".")
    scale = 10.0 ** (int(exponent) if exponent else 0)
    if not point and not approximate:
        return 1e-9 * scale
    return 0.5000001 * scale * 10.0 ** -len(decimals)


def _judge_values(run: Run, claim: Claim, quantity: Quantity) -> Verdict:
    right = _number(run, quantity)
    if right is None:
        return Verdict("undecided", claim.text, f"{_shown(quantity)} was not computed in this run.")
    return _judge_numbers(run, claim, quantity, right, _shown(quantity))


def _judge_numbers(
    run: Run, claim: Claim, quantity: Quantity, right: np.ndarray, shown: str
) -> Verdict:
    """The verdict on the numbers that a claim gives to something that is shown so."""
    for stated in _stated(claim, quantity):
        gap = np.abs(right - stated.value)
        if not bool(np.all(gap <= stated.coarse)):
            return _wrong_value(run, claim, stated, right, shown)
        lost = stated.value == 0 and bool(np.any(gap > _EXACT))
        if lost or not bool(np.all(gap <= stated.tolerance)):
            said = "Rounded to 0" if lost else "Rounded too far to tell"
            return Verdict("undecided", claim.text, f"{said}: {shown} needs more digits.")
    value = _format(right)
    return Verdict(
        "right",
        claim.text,
        f"Right: {shown} = {value}.",
        "measured",
        evidence=f"the value of this run, {value}",
    )


def _judge_entry(run: Run, text: str, found: re.Match[str]) -> Verdict:
    """The verdict on a number of an array, such as ``df/dx[0] = 2``."""
    blank = " " * (found.end(2) - found.start(2))
    claim = classify_claim(text[: found.start(2)] + blank + text[found.end(2) :])
    if claim.kind != "value":
        raise NotationError(
            "an entry of an array is claimed by its number alone",
            text=text,
            hint="Write df/dx[0] = 2.",
        )
    quantity = _quantity(run, claim)
    right, shown = _number(run, quantity), _shown(quantity)
    if right is None:
        return Verdict("undecided", text, f"{shown} was not computed in this run.")
    at = tuple(int(k) for k in found[2].strip(" []").split(","))
    if len(at) != right.ndim or any(k >= n for k, n in zip(at, right.shape, strict=True)):
        raise NotationError(
            f"{shown} has no such entry: its shape is {right.shape}",
            text=text,
            span=Span(found.start(2), found.end(2)),
            hint="Entries are counted from 0, one number for each axis.",
        )
    named = f"{claim.left.strip()}{found[2].replace(' ', '')}"
    whole = replace(claim, text=text, left=named)
    # The numbers stand at the same places in the text with the entry and in that without.
    return _judge_numbers(run, whole, quantity, right[at], f"{shown}{found[2].replace(' ', '')}")


def _format(value: np.ndarray) -> str:
    if value.ndim == 0:
        return f"{float(value):.10g}" if np.isfinite(value) else number(value)
    return np.array2string(value, precision=6, separator=", ")


def _wrong_value(run: Run, claim: Claim, stated: Stated, right: np.ndarray, shown: str) -> Verdict:
    quantity = stated.quantity
    given = _format(np.asarray(stated.value))
    message = f"Wrong: {shown} is {_format(right)}, not {given}."
    mistake = "wrong_value"
    other = _whose_value(run, stated)
    if other is not None:
        mistake = "wrong_variable"
        message += f" {given} is {_shown(other)}."
    elif right.ndim == 0 and np.isclose(float(right), -stated.value):
        mistake = "sign"
    message += "".join(f" {note}" for note in _conventions(run, quantity)[:1])
    fixed = f"{claim.left.strip()} = {_format(right)}"
    return Verdict(
        "wrong",
        claim.text,
        message,
        "measured",
        mistake=mistake,
        where=claim.left.strip(),
        fixed=fixed,
    )


def _conventions(run: Run, quantity: Quantity) -> list[str]:
    """The kinks on the way of a derivative, where its value is taken by convention."""
    if len(quantity) == 1 or len(run.graph.nodes) > MAX_ROWS:
        return []
    above, below = quantity
    return [
        f"{node.name}: {note}"
        for node in run.graph.nodes
        if run.graph.descends(above, node.name) and run.graph.descends(node.name, below)
        for note in run.notes[node.name]
        if note.startswith(("At a kink", "At a jump"))
    ]


def _whose_value(run: Run, stated: Stated) -> Quantity | None:
    """Another derivative of the same output that has the stated value."""
    if len(stated.quantity) == 1:
        return None
    output, variable = stated.quantity
    near = {p for edge in run.graph.edges if variable in edge for p in edge}
    for node in sorted(run.graph.nodes, key=lambda n: n.name not in near):
        if node.name in (variable, output) or node.value.kind == "constant":
            continue
        value = _number(run, (output, node.name)) if output == run.graph.output else None
        if value is None or value.ndim:
            continue
        if abs(float(value) - stated.value) <= stated.tolerance:
            return output, node.name
    return None


def _judge_path(run: Run, claim: Claim, quantity: Quantity) -> Verdict:
    chains: list[list[tuple[str, str]]] = []
    for path in claim.paths or (claim.steps,):
        steps = [(_node(run, claim, s.output), _node(run, claim, s.input)) for s in path]
        chain = _chained(steps, quantity)
        if chain is None:
            return _broken_chain(run, claim, steps, quantity)
        missing = [s for s in chain if not _connected(run, *s)]
        if missing:
            child, parent = missing[0]
            message = f"Wrong path: {child} does not depend on {parent}."
            return _wrong_path(run, claim, message, f"∂{child}/∂{parent}", quantity)
        chains.append(chain)
    if _number(run, quantity) is None:
        return Verdict("undecided", claim.text, f"{_shown(quantity)} was not computed in this run.")
    repeated = next((c for k, c in enumerate(chains) if c in chains[:k]), None)
    if repeated is not None:
        shown = "·".join(f"∂{child}/∂{parent}" for child, parent in repeated)
        message = f"Wrong path: {shown} stands twice in the sum."
        return _wrong_path(run, claim, message, shown, quantity)
    lost = _lost_paths(run, claim, quantity, chains)
    if lost is not None:
        return lost
    verdict = _judge_values(run, claim, quantity)
    if verdict.kind == "right" and chains == [[quantity]]:
        verdict.message += " Both sides are the same derivative, so the path says nothing."
    return verdict


def _lost_paths(
    run: Run, claim: Claim, quantity: Quantity, chains: Sequence[Sequence[tuple[str, str]]]
) -> Verdict | None:
    """The verdict on paths that do not add up to the derivative, here or at other inputs."""
    for point in (run, *_runs_nearby(run)):
        if any(_adds_up(point, quantity, chains, reading) for reading in READINGS):
            continue
        given, right = _sum_of(point, chains, "whole"), _number(point, quantity)
        if given is None or right is None:
            return None
        what = "these paths give" if len(chains) > 1 else "this path gives"
        where = "" if point is run else " At inputs nearby"
        message = (
            f"Wrong:{where} {what} {_format(given)}, but {_shown(quantity)} = {_format(right)} "
            "is the sum over all paths."
        )
        return Verdict(
            "wrong",
            claim.text,
            message,
            "measured",
            mistake="missing_path",
            where=_shown(quantity),
            fixed=_all_paths(run, quantity),
        )
    return None


READINGS = ("whole", "edges", "first")
"""What the factors of a sum may mean: derivatives along all paths, along single edges, or, as in
the chain rule of several variables, along an edge first and along all paths then."""


def _adds_up(
    run: Run, quantity: Quantity, chains: Sequence[Sequence[tuple[str, str]]], reading: str
) -> bool:
    if reading != "whole" and len(chains) < 2:
        return False  # one product of single edges is the derivative only if it is the whole one
    given, right = _sum_of(run, chains, reading), _number(run, quantity)
    if given is None or right is None:
        return reading == "whole" and given is None and len(chains) == 1
    return bool(np.allclose(given, right, rtol=1e-9, atol=1e-12))


def _sum_of(
    run: Run, chains: Sequence[Sequence[tuple[str, str]]], reading: str
) -> np.ndarray | None:
    """The sum of the products, for scalar nodes."""
    products = [_product(run, chain, reading) for chain in chains]
    known = [p for p in products if p is not None]
    return sum(known, np.asarray(0.0)) if len(known) == len(products) else None


def _runs_nearby(run: Run) -> Iterator[Run]:
    """The same graph at inputs a little away: what agrees by chance does not agree there."""
    for factor in (1.003, 0.995):
        values: dict[str, Any] = {}
        for k, (name, value) in enumerate(run.inputs.items()):
            array = np.asarray(value, dtype=float)
            values[name] = array * (factor + 0.0007 * k) + 0.0003 * (k + 1)
        with suppress(BackproveError):
            yield run.graph.run(values)


def _chained(steps: Sequence[tuple[str, str]], quantity: Quantity) -> list[tuple[str, str]] | None:
    """The factors in the order of a chain from the output to the variable, or None."""
    remaining = list(steps)
    at = quantity[0]
    chain: list[tuple[str, str]] = []
    while remaining:
        following = next((s for s in remaining if s[0] == at), None)
        if following is None:
            return None
        remaining.remove(following)
        chain.append(following)
        at = following[1]
    return chain if at == quantity[-1] else None


def _connected(run: Run, child: str, parent: str) -> bool:
    return child == parent or bool(run.graph.descends(child, parent))


def _product(
    run: Run, chain: Sequence[tuple[str, str]], reading: str = "whole"
) -> np.ndarray | None:
    """The product of the factors, for scalar nodes."""
    total = np.asarray(1.0)
    for k, (child, parent) in enumerate(chain):
        single = reading == "edges" or (reading == "first" and k == 0)
        value = run.partial(child, parent) if single else run.derivative(child, parent)
        if value is None:
            return None
        factor = np.asarray(value, dtype=float)
        if factor.ndim:
            return None
        total = total * factor
    return total


def _broken_chain(
    run: Run, claim: Claim, steps: Sequence[tuple[str, str]], quantity: Quantity
) -> Verdict:
    message = "Wrong path: the factors do not connect."
    where = " * ".join(f"∂{c}/∂{p}" for c, p in steps)
    for (child, parent), (after, _) in pairwise(steps):
        if parent != after:
            message = (
                f"Wrong path: ∂{child}/∂{parent} ends at {parent}, "
                f"but the next factor starts at {after}."
            )
            where = f"∂{child}/∂{parent}"
            break
    return _wrong_path(run, claim, message, where, quantity, steps)


def _wrong_path(
    run: Run,
    claim: Claim,
    message: str,
    where: str,
    quantity: Quantity,
    steps: Sequence[tuple[str, str]] = (),
) -> Verdict:
    right = _number(run, quantity)
    stated = _stated(claim, quantity)
    if (
        right is not None
        and stated
        and np.all(np.abs(right - stated[0].value) <= stated[0].tolerance)
    ):
        message += f" The value {stated[0].value:.10g} is right, the way to it is not."
    product = _product(run, steps) if steps and all(_connected(run, *s) for s in steps) else None
    if product is not None and right is not None and not np.allclose(product, right):
        message += f" As written the product is {_format(product)}."
    return Verdict(
        "wrong",
        claim.text,
        message,
        "proved",
        mistake="wrong_path",
        where=where,
        fixed=_all_paths(run, quantity),
        evidence="the edges of the graph",
    )


def _all_paths(run: Run, quantity: Quantity) -> str | None:
    if quantity[0] != run.graph.output:
        return None
    paths = run.paths(quantity[1])
    if not paths.listed or not len(paths):
        return None
    return f"{_shown(quantity)} = " + " + ".join(p.symbols for p in paths)


def _look_for_contradiction(
    run: Run, claim: Claim, quantity: Quantity, earlier: Sequence[str], verdict: Verdict
) -> None:
    """Name an earlier line of the same answer that gives the same quantity another number."""
    for line in earlier:
        try:
            before = classify_claim(line)
            if _quantity(run, before) != quantity:
                continue
            pairs = [(a, c) for a in _stated(before, quantity) for c in _stated(claim, quantity)]
        except (NotationError, UnknownName):
            continue
        for first, second in pairs:
            if abs(first.value - second.value) > first.tolerance + second.tolerance:
                verdict.message += f" It contradicts the earlier line '{line.strip()}'."
                if verdict.kind == "wrong":
                    verdict.mistake = "contradiction"
                return
