"""Simplification is confluent: one expression, rewritten in any order, has one canonical form."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from backprove.calculus import Derivation, derive
from backprove.calculus.accumulation import adjoint_of, backward, tangent
from backprove.calculus.numeric import points
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Add, Array, Bind, Expr, Mul, Num, Sum, Tensor
from backprove.notation.normal_form import normal_form
from backprove.notation.traversal import arrays_in
from oracles.printed_forms import close
from oracles.random_expressions import DOMAINS, SHAPES, random_expression

CASES = 240
BUDGET = 4_000


class Shuffled:
    """Builds expressions again: operands in random order, associated at random, sums too."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.memo: dict[Expr, Expr] = {}

    def built(self, expr: Expr) -> Expr:
        """The expression, rebuilt from its leaves."""
        if expr not in self.memo:
            self.memo[expr] = self._built(expr)
        return self.memo[expr]

    def _built(self, expr: Expr) -> Expr:
        if isinstance(expr, Add):
            parts = [b.mul(Num(c), self.built(t)) for t, c in expr.terms]
            return self._joined(b.add, [*parts, Num(expr.constant)])
        if isinstance(expr, Mul):
            factors = [b.power(self.built(f), e) for f, e in expr.factors]
            return self._joined(b.mul, [*factors, Num(expr.coefficient)])
        if isinstance(expr, Sum):
            fresh, body = b.opened(expr)
            body = self.built(body)
            # One sum after the other, the inner ones at random.
            for axis in self.rng.sample(fresh, len(fresh)):
                body = b.total([axis], body)
            return body
        if isinstance(expr, Bind):
            fresh, body = b.opened(expr)
            return b.bind(expr.kind, fresh, self.built(body), expr.at)
        return b.rebuild(expr, self.built, lambda index: index)

    def _joined(self, join: Callable[..., Expr], parts: list[Expr]) -> Expr:
        parts = self.rng.sample(parts, len(parts))
        while len(parts) > 1:
            count = self.rng.randint(2, min(3, len(parts)))
            chosen = [parts.pop(self.rng.randrange(len(parts))) for _ in range(count)]
            parts.insert(self.rng.randint(0, len(parts)), join(*chosen))
        return parts[0]


def derived(seed: int) -> tuple[Derivation, str]:
    text, wrt = random_expression(seed, depth=2)
    found = derive(text, wrt, SHAPES, domain=DOMAINS)
    assert isinstance(found, Derivation)
    return found, f"seed {seed}: d({text})/d{wrt}"


def same(first: Expr, second: Expr) -> bool | None:
    """Whether the canonical forms are one object; None if one is too large to be written."""
    if first is second:
        return True
    one, two = normal_form(first, BUDGET), normal_form(second, BUDGET)
    if one is None or two is None:
        return None
    return one is two


def over(tensor: Tensor, axes: tuple[Axis, ...]) -> Expr:
    """The body of a tensor over other axes of the same sizes."""
    return b.substitute(
        tensor.body, {a: Index.of(c) for a, c in zip(tensor.axes, axes, strict=True)}
    )


@pytest.mark.parametrize("start", range(0, CASES, 40))
def test_operands_in_any_order_and_association_give_one_canonical_form(start: int) -> None:
    at_once = compared = 0
    for seed in range(9_000_000 + start, 9_000_040 + start):
        derivation, where = derived(seed)
        body = derivation.tensor.body
        for order in range(3):
            again = Shuffled(order).built(body)
            at_once += again is body
            compared += 1
            assert same(again, body) is not False, f"{where}, order {order}:\n{body}\n{again}"
    assert at_once >= 0.9 * compared


@pytest.mark.parametrize("start", range(0, CASES, 40))
def test_inlining_in_any_order_gives_one_canonical_form(start: int) -> None:
    for seed in range(9_000_000 + start, 9_000_040 + start):
        derivation, where = derived(seed)
        program, passes = derivation.program, derivation.passes
        assert passes is not None
        tensor = adjoint_of(passes, program, derivation.array)
        whole = b.inline(tensor.body, program.definitions)
        for order in range(2):
            rng = random.Random(order)
            body = tensor.body
            # Each definition is put in again if another one has brought it back.
            while waiting := sorted(arrays_in(body) & set(program.definitions), key=str):
                array = rng.choice(waiting)
                body = b.inline(body, {array: program.definitions[array]})
            assert same(body, whole) is not False, f"{where}, order {order}:\n{whole}\n{body}"


@pytest.mark.parametrize("start", range(0, CASES, 40))
def test_forward_and_reverse_accumulation_give_one_canonical_form(start: int) -> None:
    decided = 0
    for seed in range(9_000_000 + start, 9_000_040 + start):
        derivation, where = derived(seed)
        program, array = derivation.program, derivation.array
        direction = Array("V", array.shape)
        forward = tangent(program, {array: direction})
        jacobian = adjoint_of(backward(program, [array]), program, array)
        outputs = jacobian.axes[: len(forward.axes)]
        inner = jacobian.axes[len(forward.axes) :]
        along = b.total(inner, b.mul(jacobian.body, b.ref(direction, *inner)))
        along = b.inline(along, program.definitions)
        flow = b.inline(over(forward, outputs), program.definitions)
        decided += same(flow, along) is True
        # The normal form may leave some nested sums apart; then the numbers must agree.
        point = next(points(program, count=1, extra=[direction]))
        work = Evaluator({**point.values, **point.inputs}, point.sizes)
        first, second = (work.dense(body, outputs) for body in (flow, along))
        assert close(first, second, 1e-8), f"{where}:\n{flow}\n{along}"
    assert decided >= 38
