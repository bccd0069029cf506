"""The question that a claim answers: an expression, a symbol, shapes and conventions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from backprove.calculus import Derivation, derive, numeric
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, floor_divide
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Tensor
from backprove.notation.shapes import ShapeLike


@dataclass(frozen=True)
class Arrangement:
    """The truth with its axes arranged as a convention has them.

    ``convention`` is empty for the default layout.
    """

    tensor: Tensor
    convention: str


@dataclass(frozen=True)
class Question:
    """What is asked: the derivative of ``f`` by ``wrt``."""

    f: Any
    wrt: str
    shapes: Mapping[str, ShapeLike]
    order: int = 1
    layout: str | None = None
    domain: Mapping[str, str] | None = None
    structured: bool = False

    @cached_property
    def derivation(self) -> Derivation:
        """The right answer, in numerator layout."""
        answer = derive(
            self.f,
            self.wrt,
            self.shapes,
            order=self.order,
            domain=self.domain,
            structured=self.structured,
        )
        assert isinstance(answer, Derivation)
        return answer

    @property
    def symbols(self) -> dict[str, Array]:
        """The declared symbols, as the derivation sees them."""
        return self.derivation.program.symbols

    @property
    def truth(self) -> Tensor:
        """The right derivative, with intermediate values written out."""
        tensor = self.derivation.tensor
        if self.derivation.definitions:
            return Tensor(tensor.axes, b.inline(tensor.body, self.derivation.definitions))
        return tensor

    def with_facts(self, tensor: Tensor) -> Tensor:
        """The tensor in the symbol that carries the facts of its domain, for proofs."""
        array = self.symbols[self.wrt]
        if self._factual is None:
            return tensor
        return Tensor(tensor.axes, b.inline(tensor.body, {array: b.entire(self._factual)}))

    @cached_property
    def _factual(self) -> Array | None:
        array = self.symbols[self.wrt]
        if not array.sampled or array.sampled == array.domain:
            return None
        return Array(array.name, array.shape, array.sampled, array.order)

    def arrangements(self) -> list[Arrangement]:
        """The truth in every layout that the question admits, the default first."""
        tensor, count = self.truth, len(self.derivation.outputs)
        outputs, inputs = tensor.axes[:count], tensor.axes[count:]
        default = Arrangement(tensor, "")
        if self.order != 1:
            return [default]
        other = Arrangement(Tensor((*inputs, *outputs), tensor.body), "denominator layout")
        if self.layout == "denominator":
            return [replace(other, convention="")]
        found = [default]
        if self.layout is None and outputs and inputs:
            found.append(other)
        if self.layout is None and not outputs and len(inputs) == 2:
            flipped = Tensor(inputs[::-1], tensor.body)
            found.append(
                Arrangement(flipped, "numerator layout of a scalar by a matrix (the transpose)")
            )
        if not outputs and len(inputs) == 1:
            one = Axis(Size.of(1))
            found.append(Arrangement(Tensor((one, inputs[0]), tensor.body), "row vector"))
            found.append(Arrangement(Tensor((inputs[0], one), tensor.body), "column vector"))
        if len(outputs) == 2 and len(inputs) == 2:
            found.extend(_flattened(tensor, outputs, inputs))
        return found

    def other_layout(self) -> Arrangement | None:
        """The layout that the question rules out, to recognise mixed layouts."""
        if self.layout is None or self.order != 1:
            return None
        tensor, count = self.truth, len(self.derivation.outputs)
        outputs, inputs = tensor.axes[:count], tensor.axes[count:]
        if not outputs or not inputs:
            return None
        if self.layout == "denominator":
            return Arrangement(tensor, "numerator layout")
        return Arrangement(Tensor((*inputs, *outputs), tensor.body), "denominator layout")

    def assumptions(self, *, declared: bool = False) -> Iterator[tuple[str, str, Question]]:
        """The same question under one more assumption, with its name and the name of the slip.

        Args:
            declared: also vary symbols whose domain is declared, to recognise that a claim used a
                fact that does not hold.
        """
        known = dict(self.domain or {})
        used = {value.name for value in self.derivation.program.values}
        for name, array in self.symbols.items():
            if name not in used:
                continue  # a fact about what does not occur explains nothing
            if (name in known) != declared and not (declared and known.get(name) == "real"):
                continue
            if name != self.wrt and array.shape:
                yield f"sum({name}) = 1", "assumed_normalised", self._assuming(known, name, "sum1")
            if len(array.shape) == 2 and array.shape[0] == array.shape[1]:
                changed = self._assuming(known, name, "symmetric")
                yield f"{name} symmetric", "assumed_symmetric", changed
        yield from self._symmetric_convention(known, declared)

    def _symmetric_convention(
        self, known: dict[str, str], declared: bool
    ) -> Iterator[tuple[str, str, Question]]:
        wrt = self.symbols[self.wrt]
        square = len(wrt.shape) == 2 and wrt.shape[0] == wrt.shape[1]
        if not square or self.order != 1 or self.structured:
            return
        domain = known.get(self.wrt, "real")
        if (domain in ("symmetric", "spd")) == declared:
            return
        domain = domain if domain in ("symmetric", "spd") else "symmetric"
        changed = replace(self, domain={**known, self.wrt: domain}, structured=True)
        name = f"the symmetric-matrix convention for {self.wrt}"
        yield name, "symmetric_convention", changed

    def _assuming(self, known: dict[str, str], name: str, domain: str) -> Question:
        return replace(self, domain={**known, name: domain})

    def may_agree(self, claim: Tensor, changed: Question) -> bool:
        """False if a claim differs from the truth where a further assumption holds.

        One point costs much less than deriving again under the assumption. In the symmetric-matrix
        convention the derivative of a scalar is G + Gᵀ - diag(G) (Matrix Cookbook, eq. 138).

        Args:
            claim: the claim, in the default layout.
            changed: this question under the assumption.
        """
        structured = changed.structured != self.structured
        if claim.shape != self.truth.shape or (structured and len(claim.shape) != 2):
            return True
        program = self.derivation.program
        rng = np.random.default_rng(23)
        try:
            (point,) = numeric.points(program, count=1, seed=23)
            values = dict(point.inputs)
            for name, domain in (changed.domain or {}).items():
                array = self.symbols[name]
                if (self.domain or {}).get(name) != domain:
                    assumed = Array(name, array.shape, domain)
                    values[array] = numeric.sample(assumed, point.sizes, rng)
            evaluator = Evaluator(run_program(program, values, point.sizes), point.sizes)
            expected, given = evaluator.tensor(self.truth), evaluator.tensor(claim)
        except BackproveError:
            return True
        if structured:
            expected = expected + expected.T - np.diag(np.diag(expected))
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-9)
        return not np.abs(given - expected).max(initial=0.0) > 1e-4 * scale

    def answerable(self) -> bool:
        """True if the derivative exists under this question's assumptions."""
        try:
            self.derivation  # noqa: B018
        except BackproveError:
            return False
        return True


def _flattened(
    tensor: Tensor, outputs: tuple[Axis, ...], inputs: tuple[Axis, ...]
) -> Iterator[Arrangement]:
    """The rank-4 Jacobian as a matrix between vec(output) and vec(input), in each order."""
    names = {False: "row-major", True: "column-major"}
    for output_columns in (False, True):
        for input_columns in (False, True):
            row, row_at = _vec(outputs, output_columns)
            column, column_at = _vec(inputs, input_columns)
            body = b.substitute(tensor.body, {**row_at, **column_at})
            yield Arrangement(
                Tensor((row, column), body),
                f"vec(output) {names[output_columns]}, vec(input) {names[input_columns]}",
            )


def _vec(axes: tuple[Axis, ...], columns: bool) -> tuple[Axis, dict[Axis, Index]]:
    slow, fast = axes[::-1] if columns else axes
    flat = Axis(slow.size * fast.size)
    quotient = floor_divide(Index.of(flat), fast.size)
    return flat, {slow: quotient, fast: Index.of(flat) - quotient * fast.size}
