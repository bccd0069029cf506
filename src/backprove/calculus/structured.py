"""Jacobians evaluated without filling in their zeros: deltas and factors stay apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backprove.calculus.structure import Monomial, monomials
from backprove.errors import DomainError
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.evaluation import MAX_ENTRIES, Evaluator
from backprove.notation.expressions import Array, Expr, Mul, Num, Tensor


@dataclass(frozen=True)
class StructuredTerm:
    """A product of small arrays over labelled axes; ``pairs`` are equal axes, kept implicit."""

    factors: tuple[tuple[tuple[int, ...], np.ndarray], ...]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class StructuredArray:
    """A sum of structured terms; axis numbers count the axes of the dense array.

    Attributes:
        shape: the shape of the dense array.
        terms: the terms.
    """

    shape: tuple[int, ...]
    terms: tuple[StructuredTerm, ...]

    @property
    def nbytes(self) -> int:
        """Bytes held, against ``8 * prod(shape)`` of the dense array."""
        return sum(values.nbytes for t in self.terms for _, values in t.factors)

    @property
    def dense_nbytes(self) -> int:
        """Bytes of the dense float64 array."""
        return 8 * math.prod(self.shape)

    def to_dense(self) -> np.ndarray:
        """The dense array.

        Raises:
            DomainError: it would have more than 200 million entries.
        """
        if math.prod(self.shape) > MAX_ENTRIES:
            raise DomainError(f"the dense array has {math.prod(self.shape):,} entries")
        total = np.zeros(self.shape)
        for term in self.terms:
            total += self._dense_term(term)
        return total

    def contract(self, upstream: np.ndarray) -> np.ndarray:
        """The vector-Jacobian product: sum over the leading axes against ``upstream``.

        Args:
            upstream: an array of the shape of the first ``upstream.ndim`` axes.

        Returns:
            An array over the remaining axes, computed without the dense Jacobian.
        """
        lead = upstream.ndim
        kept = list(range(lead, len(self.shape)))
        total = np.zeros([self.shape[k] for k in kept])
        for term in self.terms:
            label = _merged(term.pairs, len(self.shape))
            operands: list[object] = [upstream, [label[k] for k in range(lead)]]
            for axes, values in term.factors:
                operands.extend((values, [label[k] for k in axes]))
            missing = [k for k in kept if label[k] not in {x for o in operands[1::2] for x in o}]  # type: ignore[attr-defined]
            for k in missing:
                operands.extend((np.ones(self.shape[k]), [label[k]]))
            out = [label[k] for k in kept]
            if len(set(out)) != len(out):
                return np.einsum("...,...->...", *_dense_contract(self, upstream))
            total += np.einsum(*operands, out, optimize=True)  # type: ignore[call-overload]
        return total

    def _dense_term(self, term: StructuredTerm) -> np.ndarray:
        operands: list[object] = []
        for axes, values in term.factors:
            operands.extend((values, list(axes)))
        for first, second in term.pairs:
            operands.extend((np.eye(self.shape[first]), [first, second]))
        present = {x for o in operands[1::2] for x in o}  # type: ignore[attr-defined]
        for axis, size in enumerate(self.shape):
            if axis not in present:
                operands.extend((np.ones(size), [axis]))
        return np.einsum(*operands, list(range(len(self.shape))), optimize=True)  # type: ignore[call-overload]


def _dense_contract(array: StructuredArray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dense = np.tensordot(upstream, array.to_dense(), axes=upstream.ndim)
    return dense, np.ones(())


def _merged(pairs: tuple[tuple[int, int], ...], count: int) -> list[int]:
    label = list(range(count))
    for first, second in pairs:
        low, high = sorted((label[first], label[second]))
        label = [low if x == high else x for x in label]
    return label


def structured_array(
    tensor: Tensor, arrays: Mapping[Array, np.ndarray], sizes: Mapping[str, int]
) -> StructuredArray:
    """The tensor with its deltas kept implicit and its products kept as factors."""
    terms = monomials(tensor.body)
    if terms is None:
        raise DomainError("the derivative has too many terms for a structured form")
    evaluator = Evaluator(arrays, sizes)
    number = {a: k for k, a in enumerate(tensor.axes)}
    shape = tuple(a.size.at(sizes) for a in tensor.axes)
    return StructuredArray(shape, tuple(_term(t, evaluator, number) for t in terms))


def _term(term: Monomial, evaluator: Evaluator, number: Mapping[Axis, int]) -> StructuredTerm:
    factors: list[tuple[tuple[int, ...], np.ndarray]] = []
    rest = term.rest
    parts: list[Expr] = [*term.conditions]
    if isinstance(rest, Mul):
        parts.append(Num(rest.coefficient))
        parts.extend(b.power(f, e) for f, e in rest.factors)
    else:
        parts.append(rest)
    for part in parts:
        axes = tuple(sorted(part.axes, key=lambda a: number[a]))
        factors.append((tuple(number[a] for a in axes), evaluator.dense(part, axes)))
    pairs = tuple((number[first], number[second]) for first, second in term.pairs)
    return StructuredTerm(tuple(factors), pairs)
