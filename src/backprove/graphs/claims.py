"""Claims about a run: values, gradients, local derivatives, and paths of the chain rule.

A right value reached by a wrong path is wrong: each factor of a path has to start where the one
before it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.checking import Verdict
from backprove.errors import BackproveError, NotationError, UnknownName
from backprove.graphs.records import NOT_COMPUTED
from backprove.notation.claims import Claim, classify_claim, number_of
from backprove.notation.definitions import only
from backprove.notation.evaluation import Evaluator
from backprove.notation.lowering import lower

if TYPE_CHECKING:
    from backprove.graphs.run import Run

Quantity = tuple[str, ...]
"""``("h2",)`` for a value, ``("f", "h2")`` for the derivative of f by h2."""


@dataclass(frozen=True)
class Stated:
    """A number that a claim gives to a quantity, and how far rounding may take it."""

    quantity: Quantity
    value: float
    tolerance: float


def check_run(run: Run, text: str, *, earlier: Sequence[str] = ()) -> Verdict:
    """Judge a claim about the numbers of a run.

    Args:
        run: the run.
        text: a value (``h2 = 20.0855``), a derivative (``df/dx = 1``) or a path
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
            value = float(Evaluator({}, {}).tensor(lower(only(claim.text, span), {}).tensor()))
            found.append(Stated(quantity, value, 1e-9 * max(1.0, abs(value))))
            continue
        word = claim.text[span.start : span.end].strip().lower()
        found.append(Stated(quantity, float(literal), _rounding(word, claim.approximate)))
    return found


def stated_number(text: str) -> tuple[float, float]:
    """The number that a text such as ``40.17`` or ``2*e**3`` states, and how far rounding goes.

    Raises:
        NotationError: the text is no number.

    >>> value, tolerance = stated_number("40.17")
    >>> value, round(tolerance, 6)
    (40.17, 0.005)
    """
    claim = classify_claim(f"q = {text}")
    found = _stated(claim, ("q",)) if claim.kind == "value" else []
    if len(found) != 1:
        raise NotationError("expected one number", text=text, hint="Write 40.171 or 2*exp(3).")
    return found[0].value, found[0].tolerance


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
    for stated in _stated(claim, quantity):
        if not bool(np.all(np.abs(right - stated.value) <= stated.tolerance)):
            return _wrong_value(run, claim, stated, right)
    shown = _format(right)
    return Verdict(
        "right",
        claim.text,
        f"Right: {_shown(quantity)} = {shown}.",
        "measured",
        evidence=f"the value of this run, {shown}",
    )


def _format(value: np.ndarray) -> str:
    if value.ndim == 0:
        return f"{float(value):.10g}"
    return np.array2string(value, precision=6, separator=", ")


def _wrong_value(run: Run, claim: Claim, stated: Stated, right: np.ndarray) -> Verdict:
    quantity = stated.quantity
    message = f"Wrong: {_shown(quantity)} is {_format(right)}, not {stated.value:.10g}."
    mistake = "wrong_value"
    other = _whose_value(run, stated)
    if other is not None:
        mistake = "wrong_variable"
        message += f" {stated.value:.10g} is {_shown(other)}."
    elif right.ndim == 0 and np.isclose(float(right), -stated.value):
        mistake = "sign"
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
