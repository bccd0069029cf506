"""Edits of a claim by a factor or a term: one more, one less, or another number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from backprove import functions
from backprove.checking.claim_places import ClaimPlaces, PlaceEdit
from backprove.checking.fillers import Filler
from backprove.notation.syntax import Node

SUMMING = re.compile(r"\b(sum|norm|mean|var|sqrt|det|prod|logsumexp|abs)\(")


class FactorEdits(ClaimPlaces):
    """Edits of one factor, number or term."""

    def _numbers(self) -> Iterator[PlaceEdit]:
        values = {at: self.written.places[at].value for at in self.formulas}
        for at, value in values.items():
            if self._node(at).kind == "number":
                yield from self._near_numbers(at, np.asarray(value, dtype=float))
        for at, value in values.items():
            if isinstance(value, (tuple, str)) or value is None:
                continue
            if self._node(at).kind == "number":
                continue
            text = self.written.source(at)
            value = np.asarray(value, dtype=float)
            for number, by, name in (
                (2.0, f"(2*({text}))", "missing_factor"),
                (0.5, f"(({text})/2)", "missing_factor"),
                (3.0, f"(3*({text}))", "missing_factor"),
                (4.0, f"(4*({text}))", "missing_factor"),
            ):
                edit = self._edit(at, number * value, by, name, text)
                yield replace(edit, by_number=True)
            if self._node(at).value == "exp":  # exp(2*x) for exp(x)**2: the argument is at fault
                continue
            for power in (2, 3, -1):
                by = f"(({text})**{power})"
                # A value and its inverse differ by the function, not by a factor.
                name = "missing_factor" if power > 0 else "wrong_function"
                yield self._edit(at, _power(value, power), by, name, text)
            if value.size and np.all(value > 0):
                yield self._edit(at, np.sqrt(value), f"sqrt({text})", "extra_factor", text)

    def _near_numbers(self, at: int, value: np.ndarray) -> Iterator[PlaceEdit]:
        number = float(value)
        place = self.written.places[at]
        above = self._node(place.parent) if place.parent >= 0 else None
        exponent = above is not None and above.value == "**" and place.slot == 1
        divisor = above is not None and above.value == "/" and place.slot == 1
        if exponent and number == 2:  # x² for x: the whole power, not its exponent, is put right
            base = self.written.places[place.parent].node.children[0]
            by = self.written.text[base.span.start : base.span.end]
            yield from self._changed(place.parent, f"({by})", "extra_factor", by)
        for other in (number - 1, number + 1, 2 * number, number / 2):
            grows = other > number if exponent else (abs(other) > abs(number)) != divisor
            name = "missing_factor" if grows else "extra_factor"
            by = f"{other:g}" if other >= 0 else f"({other:g})"
            yield self._edit(at, other if other % 1 else int(other), by, name)

    def _factors(self) -> Iterator[PlaceEdit]:
        """A factor more: times, over, or as a matrix product."""
        written = self.written
        for at in self.formulas:
            value = written.places[at].value
            if isinstance(value, (tuple, str)) or value is None:
                continue
            if self._node(at).kind == "number" and at:
                continue  # a number times something is another term, not a factor more
            value, text = np.asarray(value, dtype=float), written.source(at)
            inside = self._inside_function(at)
            for filler in self.pool:
                factor = np.asarray(filler.value, dtype=float)
                with np.errstate(all="ignore"):
                    product = _same(value, factor, np.multiply, bool(written.indices))
                if product is not None:
                    by, name = f"(({text})*{filler.text})", self._missing(filler, inside)
                    yield self._edit(at, product, by, name, filler.text)
                if not written.indices and value.ndim and factor.ndim:
                    yield from self._matrix_factors(at, value, text, filler, factor)
            for filler in self.pool:
                factor = np.asarray(filler.value, dtype=float)
                with np.errstate(all="ignore"):
                    quotient = _same(value, factor, np.true_divide, bool(written.indices))
                if quotient is not None:
                    by, name = f"(({text})/{filler.text})", self._missing_divisor(filler, inside)
                    yield self._edit(at, quotient, by, name, filler.text)

    def _matrix_factors(
        self, at: int, value: np.ndarray, text: str, filler: Filler, factor: np.ndarray
    ) -> Iterator[PlaceEdit]:
        name = self._missing(filler)
        products = [(value, factor, f"(({text}) @ {filler.text})"),
                    (factor, value, f"({filler.text} @ ({text}))")]  # fmt: skip
        if factor.ndim == 1 and value.ndim == 2:
            shown = f"diag({filler.text})"
            products += [(value, np.diag(factor), f"(({text}) @ {shown})"),
                         (np.diag(factor), value, f"({shown} @ ({text}))")]  # fmt: skip
        for left, right, by in products:
            if max(left.ndim, right.ndim) <= 2 and left.shape[-1] == right.shape[0]:
                yield self._edit(at, left @ right, by, name, filler.text)

    def _missing(self, filler: Filler, inside: bool = False) -> str:
        """The name of a factor that is missing; inside an argument it is no link of the chain."""
        if filler.origin == "delta":
            return "missing_delta"
        if self._is_share(filler):
            return "missing_normalizer"
        if inside:
            return "missing_factor"
        if filler.origin == "link" or filler.text.removesuffix(".T") in self.links:
            return "missing_chain"
        if (
            filler.origin == "slope"
            and filler.text.startswith("(1/")
            and SUMMING.search(filler.text)
        ):
            return "missing_normalizer"
        if filler.origin == "slope":
            return "missing_chain" if self.composed else "missing_factor"
        return "missing_factor"

    def _is_share(self, filler: Filler) -> bool:
        """True for ``1/n`` of a size."""
        found = re.fullmatch(r"\(?1/\(?(\w+)\)*", filler.text)
        return found is not None and isinstance(self.written.names.get(found[1]), int)

    def _missing_divisor(self, filler: Filler, inside: bool) -> str:
        if filler.origin in ("number",):
            return "missing_factor"
        if filler.origin == "link":
            return "missing_chain"
        if filler.origin == "size" or SUMMING.search(filler.text):
            return "missing_normalizer"
        if inside:
            return "missing_factor"
        if filler.origin == "slope":
            return "extra_factor"
        if filler.origin == "spread":
            return "missing_normalizer"
        return "missing_chain" if self.composed else "missing_factor"

    def _terms(self) -> Iterator[PlaceEdit]:
        written = self.written
        one = Filler("1", 1, "number")
        for at in self.formulas:
            value = written.places[at].value
            if isinstance(value, (tuple, str)) or value is None:
                continue
            value, text = np.asarray(value, dtype=float), written.source(at)
            entries = bool(written.indices) and not self._whole_array(at)
            for filler in (one, *self._fillers_at(at)):
                term = np.asarray(filler.value, dtype=float)
                # X @ W + b is larger than the b that is left where X @ W is missing.
                total = _same(value, term, np.add, entries or filler.origin == "question")
                if total is None:
                    continue
                for sign, factor, shown in ((1, 1, ""), (-1, 1, ""), (1, 2, "2*"), (-1, 2, "2*")):
                    operator = "+" if sign > 0 else "-"
                    by = f"(({text}) {operator} {shown}{filler.text})"
                    edited = value + sign * factor * term
                    yield self._edit(at, edited, by, "missing_term", f"{shown}{filler.text}")

    def _inner_products(self) -> Iterator[PlaceEdit]:
        """A product within a chain A @ B @ x, such as B @ x, that lacks a term or is another."""
        written = self.written
        for at in self.formulas:
            parent = written.places[at].parent
            factors = chain(self._node(at))
            above = self._node(parent) if parent >= 0 else None
            if len(factors) < 3 or (above is not None and above.value == "@"):
                continue
            texts = [written.text[n.span.start : n.span.end] for n in factors]
            values = [np.asarray(written.reader.value(n), dtype=float) for n in factors]
            for first in range(1, len(factors) - 1):
                for last in range(first + 2, len(factors) + 1):
                    yield from self._inner_product(at, texts, values, first, last)

    def _inner_product(
        self, at: int, texts: list[str], values: list[np.ndarray], first: int, last: int
    ) -> Iterator[PlaceEdit]:
        inner, shown = reduce(np.matmul, values[first:last]), " @ ".join(texts[first:last])
        for filler in self.pool:
            other = np.asarray(filler.value, dtype=float)
            if other.shape != inner.shape or not other.ndim:
                continue
            replacing = "wrong_variable" if filler.origin == "symbol" else "wrong_function"
            for middle, by, name in (
                (inner - other, f"({shown} - {filler.text})", "missing_term"),
                (inner + other, f"({shown} + {filler.text})", "missing_term"),
                (other, filler.text, replacing),
            ):
                whole = reduce(np.matmul, [*values[:first], middle, *values[last:]])
                text = " @ ".join([*texts[:first], by, *texts[last:]])
                yield self._edit(at, whole, text, name, filler.text)

    def _products_added(self) -> Iterator[PlaceEdit]:
        """A product of two symbols added to the whole claim."""
        written = self.written
        value = np.asarray(written.places[0].value, dtype=float)
        if written.indices or value.ndim == 0:
            return
        text = written.source(0)
        arrays = [f for f in self.pool if f.origin == "symbol" and np.ndim(f.value) in (1, 2)]
        for one in arrays:
            for two in arrays:
                if one.value.shape[-1] != two.value.shape[0]:
                    continue
                term = one.value @ two.value
                if term.shape != value.shape:
                    continue
                for factor in (1, -1, 2, -2):
                    shown = f"(({text}) + ({factor})*({one.text} @ {two.text}))"
                    where = f"{one.text} @ {two.text}"
                    yield self._edit(0, value + factor * term, shown, "missing_term", where)

    def _dropped(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "binary" and node.value != "**":
                additive = node.value in ("+", "-")
                name = "extra_term" if additive else "extra_factor"
                for keep, drop in ((0, 1), (1, 0)):
                    child, gone = node.children[keep], node.children[drop]
                    text = written.text[child.span.start : child.span.end]
                    lost = written.text[gone.span.start : gone.span.end]
                    by = f"({text})"
                    if keep == 1 and node.value == "-":
                        by = f"(-({text}))"
                    elif keep == 1 and node.value == "/":
                        by = f"(1/({text}))"
                    for edit in self._changed(at, by, name, lost):
                        yield replace(edit, by_number=gone.kind == "number")
            elif node.kind == "call" and node.value in functions.ELEMENTWISE:
                inner = written.text[node.children[0].span.start : node.children[0].span.end]
                yield from self._changed(at, f"({inner})", "wrong_function")


def _power(value: np.ndarray, power: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return value ** float(power)


def _same(value: np.ndarray, other: np.ndarray, operation: Any, wide: bool) -> np.ndarray | None:
    """The result if it has the shape of ``value`` (index formulas may grow along letters)."""
    try:
        result = operation(value, other)
    except ValueError:
        return None
    return result if wide or result.shape == value.shape else None


def chain(node: Node) -> list[Node]:
    if node.kind == "binary" and node.value == "@":
        return [n for child in node.children for n in chain(child)]
    return [node]
