"""One edit at one place of a claim, and the name of the mistake that it undoes.

The edits come in the order of their size: a sign, a letter or a transpose before a factor, a
factor before a term, a term before another expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove import functions
from backprove.checking.fillers import Filler
from backprove.checking.places import Written
from backprove.checking.rough_values import ARRAY_FUNCTIONS
from backprove.notation.index_syntax import DELTAS
from backprove.notation.syntax import Node

CONFUSED = {
    "softmax": ("sigmoid", "exp", "log_softmax"),
    "log_softmax": ("softmax",),
    "sum": ("mean",),
    "mean": ("sum",),
    "max": ("min",),
    "min": ("max",),
    "inv": ("det",),
    "tril": ("triu",),
    "triu": ("tril",),
    "sqrt": ("norm",),
    "logsumexp": ("softmax",),
}
SUMMING = re.compile(r"\b(sum|norm|mean|var|sqrt|det|prod|logsumexp|abs)\(")


@dataclass(frozen=True)
class PlaceEdit:
    """An edited claim.

    Attributes:
        value: the rough value of the edited claim.
        text: the edited claim.
        mistake: the name of the mistake that the edit undoes.
        where: the place in words.
    """

    value: np.ndarray | None
    text: str
    mistake: str
    where: str


class PlaceEdits:
    """Edits of a claim.

    Args:
        written: the claim.
        pool: the factors and terms to try.
        composed: True if the question composes functions, so that a missing slope is a missing
            link of the chain rule.
    """

    def __init__(self, written: Written, pool: Sequence[Filler], composed: bool) -> None:
        self.written = written
        self.pool = pool
        self.composed = composed
        self.formulas = [k for k in range(len(written.places)) if self._is_formula(k)]

    def small(self) -> Iterator[PlaceEdit]:
        """Edits of one sign, letter, transpose, option, order, factor, term or symbol."""
        yield from self._signs()
        yield from self._letters()
        yield from self._transposes()
        yield from self._options()
        yield from self._orders()
        yield from self._dropped()
        yield from self._numbers()
        yield from self._factors()
        yield from self._comparisons()
        yield from self._functions()
        yield from self._terms()
        yield from self._products_added()
        yield from self._replaced(symbols=True)
        yield from self._operators()

    def large(self) -> Iterator[PlaceEdit]:
        """Edits that put another expression in the place of one."""
        yield from self._replaced(symbols=False)

    # --- places -----------------------------------------------------------------------------

    def _is_formula(self, at: int) -> bool:
        """True for a place that stands for a number or an array, not for an index or an option."""
        places = self.written.places
        node = places[at].node
        if node.kind in ("keyword", "string", "slice", "none", "tuple", "list", "binder"):
            return False
        while (parent := places[at].parent) >= 0:
            above, slot = places[parent].node, places[at].slot
            if above.kind in ("keyword", "slice", "bracket", "compare"):
                return False
            if above.kind == "subscript" and slot > 0:
                return False
            if above.kind == "call" and above.value in ("eye", "ones", "zeros"):
                return False
            if above.kind == "call" and above.value in ("reshape", "transpose") and slot > 0:
                return False
            at = parent
        return node.value not in DELTAS or node.kind != "name"

    def _edit(self, at: int, value: Any, by: str, mistake: str, where: str = "") -> PlaceEdit:
        written = self.written
        where = where or written.source(at)
        return PlaceEdit(written.whole(at, value), written.replaced(at, by), mistake, where)

    def _changed(self, at: int, by: str, mistake: str, where: str = "") -> Iterator[PlaceEdit]:
        """An edit whose new text has to be read."""
        read = self.written.read(by)
        if read is not None:
            yield self._edit(at, read[1], by, mistake, where)

    def _node(self, at: int) -> Node:
        return self.written.places[at].node

    # --- edits ------------------------------------------------------------------------------

    def _signs(self) -> Iterator[PlaceEdit]:
        for at in self.formulas:
            place = self.written.places[at]
            if place.node.kind == "unary":
                inner = self.written.text[place.node.children[0].span.start : place.node.span.end]
                yield self._edit(at, -np.asarray(place.value), inner, "sign")
            elif not isinstance(place.value, (tuple, str)) and place.value is not None:
                by = f"(-({self.written.source(at)}))"
                yield self._edit(at, -np.asarray(place.value), by, "sign")

    def _letters(self) -> Iterator[PlaceEdit]:
        written = self.written
        if not written.sizes:
            return
        letters = list(written.sizes)
        for at, place in enumerate(written.places):
            node = place.node
            if node.kind != "name" or node.value not in written.sizes or at in self.formulas:
                continue
            delta = self._in_delta(at)
            for other in letters:
                if other != node.value:
                    name = "wrong_delta" if delta else "wrong_axis"
                    value = written.reader.letters[other]
                    yield self._edit(at, value, other, name, f"the index {node.value}")
            if delta:
                own = str(node.value)
                size = self._size_name(own)
                moved = [f"({own}+1)", f"({own}-1)", f"({own}+2)", f"(2*{own})", f"(2*{own}+1)"]
                moved += [f"({size}-1-{own})"] if size else []
                for text in moved:
                    yield from self._changed(at, text, "wrong_delta", f"the index {own}")
        yield from self._swapped_letters()
        yield from self._swapped_pairs()
        yield from self._swapped_subscripts()

    def _in_delta(self, at: int) -> bool:
        places = self.written.places
        while (at := places[at].parent) >= 0:
            node = places[at].node
            if node.kind == "bracket":
                return True
            if node.kind == "subscript":
                return node.children[0].value in DELTAS
        return False

    def _size_name(self, letter: str) -> str:
        size = self.written.sizes[letter]
        names = [n for n, v in self.written.names.items() if isinstance(v, int) and v == size]
        return names[0] if names else ""

    def _swapped_letters(self) -> Iterator[PlaceEdit]:
        """Two letters exchanged everywhere, or within one term."""
        written = self.written
        letters = list(written.sizes)
        for k, first in enumerate(letters):
            for second in letters[k + 1 :]:
                if written.sizes[first] != written.sizes[second]:
                    continue
                for at in self.formulas:
                    text = written.source(at)
                    swapped = re.sub(
                        rf"(?<![\w.])({first}|{second})(?!\w)",
                        lambda m, a=first, c=second: c if m[1] == a else a,
                        text,
                    )
                    if swapped != text:
                        where = f"the indices {first},{second}"
                        yield from self._changed(at, swapped, "transposed", where)

    def _swapped_pairs(self) -> Iterator[PlaceEdit]:
        """The axes of output and input exchanged together: a sum along the other axis."""
        written = self.written
        if len(written.indices) != 4:
            return
        i, j, a, b = written.indices
        turn = {i: j, j: i, a: b, b: a}
        pattern = rf"(?<![\w.])({'|'.join(turn)})(?!\w)"
        swapped = re.sub(pattern, lambda m: turn[m[1]], written.source(0))
        yield from self._changed(0, swapped, "wrong_axis", "all indices")

    def _swapped_subscripts(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind != "subscript" or len(node.children) != 3:
                continue
            if node.children[0].value in DELTAS:
                continue
            base, first, second = (written.text[c.span.start : c.span.end] for c in node.children)
            where = f"the indices {first},{second}"
            yield from self._changed(at, f"{base}[{second},{first}]", "transposed", where)

    def _transposes(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            place = written.places[at]
            text = written.source(at)
            if place.node.kind == "transpose":
                inner = written.text[
                    place.node.children[0].span.start : place.node.children[0].span.end
                ]
                yield self._edit(at, np.asarray(place.value).T, inner, "transposed", text)
            elif np.ndim(place.value) == 2 and not written.indices:
                by = f"{text}.T" if place.node.kind in ("name", "call") else f"({text}).T"
                yield self._edit(at, np.asarray(place.value).T, by, "transposed", text)
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "binary" and node.value == "@":
                yield from self._products(at, node)

    def _products(self, at: int, node: Node) -> Iterator[PlaceEdit]:
        left, right = (self.written.text[c.span.start : c.span.end] for c in node.children)
        for one in (left, f"({left}).T"):
            for two in (right, f"({right}).T"):
                if (one, two) != (left, right):
                    yield from self._changed(
                        at, f"({one} @ {two})", "transposed", f"{left} @ {right}"
                    )

    def _options(self) -> Iterator[PlaceEdit]:
        """Another axis; a sum over an axis in place of one slice of it; a slice moved."""
        written = self.written
        for at in range(len(written.places)):
            node = self._node(at)
            if node.kind == "keyword" and node.value == "axis":
                text = written.text[node.children[0].span.start : node.span.end]
                for other in {"0": ("1",), "1": ("0", "2"), "2": ("1",)}.get(text, ()):
                    yield self._edit(at, int(other), f"axis={other}", "wrong_axis", f"axis={text}")
        for at in self.formulas:
            node = self._node(at)
            text = written.source(at)
            if node.kind == "name" and isinstance(written.names.get(text), int):
                for other, size in written.names.items():
                    if isinstance(size, int) and other != text:
                        yield self._edit(at, size, other, "wrong_axis", f"the size {text}")
            if node.kind == "call" and node.value in ARRAY_FUNCTIONS and len(node.children) == 1:
                inner = written.text[node.children[0].span.start : node.children[0].span.end]
                for axis in ("0", "1"):
                    for keep in ("", ", keepdims=True"):
                        by = f"{node.value}({inner}, axis={axis}{keep})"
                        yield from self._changed(at, by, "wrong_axis")
            if node.kind == "subscript" and not written.indices:
                base = written.text[node.children[0].span.start : node.children[0].span.end]
                for axis in ("0", "1"):
                    yield from self._changed(at, f"sum({base}, axis={axis})", "missing_sum", text)
            if at == 0 and text.count("[0]") > 1 and not written.indices:
                by = f"sum({text.replace('[0]', '')}, axis=0)"
                yield from self._changed(at, by, "missing_sum", text)
            elif np.ndim(written.places[at].value) and not written.indices:
                for option in ("", ", axis=0", ", axis=1", ", axis=1, keepdims=True"):
                    by = f"sum({text}{option})"
                    yield from self._changed(at, by, "missing_sum", text)

    def _orders(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "binary" and node.value in ("@", "-", "/"):
                left, right = (written.text[c.span.start : c.span.end] for c in node.children)
                name = {"@": "wrong_order", "-": "sign", "/": "wrong_order"}[str(node.value)]
                by = f"(({right}) {node.value} ({left}))"
                yield from self._changed(at, by, name, f"{left} {node.value} {right}")
                yield from self._reordered_chain(at, node)
            elif node.kind == "call" and node.value in ("outer", "kron", "concatenate", "stack"):
                parts = tuple(c for c in node.children if c.kind != "keyword")
                if len(parts) == 1 and parts[0].kind == "list":
                    parts = parts[0].children
                texts = [
                    written.text[c.span.start : c.span.end] for c in parts if c.kind != "keyword"
                ]
                options = [
                    written.text[c.span.start : c.span.end]
                    for c in node.children
                    if c.kind == "keyword"
                ]
                turned = ", ".join(reversed(texts))
                inner = f"[{turned}]" if node.value in ("concatenate", "stack") else turned
                by = f"{node.value}({', '.join([inner, *options])})"
                yield from self._changed(at, by, "wrong_order")

    def _reordered_chain(self, at: int, node: Node) -> Iterator[PlaceEdit]:
        """Neighbours of a product of three or more exchanged."""
        factors = [f"({self.written.text[n.span.start : n.span.end]})" for n in _chain(node)]
        if node.value != "@" or len(factors) < 3:
            return
        for k in range(len(factors) - 1):
            order = [*factors[:k], factors[k + 1], factors[k], *factors[k + 2 :]]
            yield from self._changed(at, f"({' @ '.join(order)})", "wrong_order")

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
                    yield from self._changed(at, by, name, lost)
            elif node.kind == "call" and node.value in functions.ELEMENTWISE:
                inner = written.text[node.children[0].span.start : node.children[0].span.end]
                yield from self._changed(at, f"({inner})", "wrong_function")

    def _numbers(self) -> Iterator[PlaceEdit]:
        for at in self.formulas:
            place = self.written.places[at]
            if isinstance(place.value, (tuple, str)) or place.value is None:
                continue
            text = self.written.source(at)
            value = np.asarray(place.value, dtype=float)
            if place.node.kind == "number":
                yield from self._near_numbers(at, value)
                continue
            for number, by, name in (
                (2.0, f"(2*({text}))", "missing_factor"),
                (0.5, f"(({text})/2)", self._half(text)),
                (3.0, f"(3*({text}))", "missing_factor"),
                (4.0, f"(4*({text}))", "missing_factor"),
            ):
                yield self._edit(at, number * value, by, name, text)
            for power in (2, 3, -1):
                by = f"(({text})**{power})"
                yield self._edit(at, _power(value, power), by, self._power_name(at), text)
            if value.size and np.all(value > 0):
                yield self._edit(at, np.sqrt(value), f"sqrt({text})", "missing_factor", text)

    @staticmethod
    def _half(text: str) -> str:
        return "extra_factor" if re.search(r"(?<![\w.*])[248]\b", text) else "missing_factor"

    def _power_name(self, at: int) -> str:
        return "missing_factor"

    def _near_numbers(self, at: int, value: np.ndarray) -> Iterator[PlaceEdit]:
        number = float(value)
        place = self.written.places[at]
        above = self._node(place.parent) if place.parent >= 0 else None
        exponent = above is not None and above.value == "**" and place.slot == 1
        divisor = above is not None and above.value == "/" and place.slot == 1
        for other in (number - 1, number + 1, 2 * number, number / 2):
            grows = (abs(other) > abs(number)) != divisor
            name = "missing_factor" if grows else "extra_factor"
            if (exponent and self._of_function(place.parent)) or self._inside_function(at):
                name = "wrong_function"
            by = f"{other:g}" if other >= 0 else f"({other:g})"
            yield self._edit(at, other if other % 1 else int(other), by, name)

    def _inside_function(self, at: int) -> bool:
        places = self.written.places
        while (at := places[at].parent) >= 0:
            node = places[at].node
            if node.kind == "call" and node.value in functions.ELEMENTWISE:
                return True
        return False

    def _of_function(self, power: int) -> bool:
        return self._node(power).children[0].kind == "call"

    def _factors(self) -> Iterator[PlaceEdit]:
        """A factor more: times, over, or as a matrix product."""
        written = self.written
        for at in self.formulas:
            value = written.places[at].value
            if isinstance(value, (tuple, str)) or value is None:
                continue
            value, text = np.asarray(value, dtype=float), written.source(at)
            for filler in self.pool:
                factor = np.asarray(filler.value, dtype=float)
                where = filler.text
                with np.errstate(all="ignore"):
                    product = _same(value, factor, np.multiply, bool(written.indices))
                    if product is not None:
                        name = self._missing(filler)
                        yield self._edit(at, product, f"(({text})*{filler.text})", name, where)
                        quotient = value / factor
                        name = self._missing_divisor(filler)
                        yield self._edit(at, quotient, f"(({text})/{filler.text})", name, where)
                if not written.indices and value.ndim and factor.ndim:
                    yield from self._matrix_factors(at, value, text, filler, factor)

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

    def _missing(self, filler: Filler) -> str:
        if filler.origin == "delta":
            return "missing_delta"
        if (
            filler.origin == "slope"
            and filler.text.startswith("(1/")
            and SUMMING.search(filler.text)
        ):
            return "missing_normalizer"
        if filler.origin == "slope":
            return "missing_chain" if self.composed else "missing_factor"
        return "missing_factor"

    def _missing_divisor(self, filler: Filler) -> str:
        if filler.origin in ("number",):
            return "missing_factor"
        if filler.origin == "size" or SUMMING.search(filler.text):
            return "missing_normalizer"
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
            for filler in (one, *self.pool):
                term = np.asarray(filler.value, dtype=float)
                total = _same(value, term, np.add, bool(written.indices))
                if total is None:
                    continue
                for sign, factor, shown in ((1, 1, ""), (-1, 1, ""), (1, 2, "2*"), (-1, 2, "2*")):
                    operator = "+" if sign > 0 else "-"
                    by = f"(({text}) {operator} {shown}{filler.text})"
                    edited = value + sign * factor * term
                    yield self._edit(at, edited, by, "missing_term", f"{shown}{filler.text}")

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

    def _functions(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "call":
                inner = written.text[node.span.start : node.span.end]
                inner = inner[inner.index("(") :]
                for other in _alternatives(str(node.value)):
                    name = "transposed" if other in ("tril", "triu") else "wrong_function"
                    yield from self._changed(at, f"{other}{inner}", name, str(node.value))

    def _replaced(self, *, symbols: bool) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node, value = self._node(at), written.places[at].value
            if isinstance(value, (tuple, str)) or value is None:
                continue
            delta = node.kind == "bracket" or (
                node.kind == "subscript" and node.children[0].value in DELTAS
            )
            symbol = node.kind == "name" or (
                node.kind == "subscript" and node.children[0].kind == "name"
            )
            if (symbol or delta) != symbols:
                continue
            mistake = "wrong_delta" if delta else "wrong_variable" if symbol else "wrong_function"
            for filler in self.pool:
                if np.shape(filler.value) == np.shape(value) or written.indices:
                    yield self._edit(at, filler.value, filler.text, mistake)

    def _comparisons(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in range(len(written.places)):
            node = self._node(at)
            if node.kind != "compare":
                continue
            left, right = (written.text[c.span.start : c.span.end] for c in node.children)
            for other in ("<=", "<", ">=", ">", "=="):
                if other != node.value:
                    turned = {other[0], str(node.value)[0]} == {"<", ">"}
                    name = "sign" if turned and not written.indices else "wrong_delta"
                    yield from self._changed(at, f"{left}{other}{right}", name)

    def _operators(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "binary" and node.value in ("*", "@"):
                left, right = (written.text[c.span.start : c.span.end] for c in node.children)
                other = "@" if node.value == "*" else "*"
                yield from self._changed(at, f"({left} {other} {right})", "scalar_rule")


def _power(value: np.ndarray, power: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return value ** float(power)


def _chain(node: Node) -> list[Node]:
    if node.kind == "binary" and node.value == "@":
        return [n for child in node.children for n in _chain(child)]
    return [node]


def _same(value: np.ndarray, other: np.ndarray, operation: Any, wide: bool) -> np.ndarray | None:
    """The result if it has the shape of ``value`` (index formulas may grow along letters)."""
    try:
        result = operation(value, other)
    except ValueError:
        return None
    return result if wide or result.shape == value.shape else None


def _alternatives(name: str) -> list[str]:
    likely = list(CONFUSED.get(name, ()))
    if name in functions.ELEMENTWISE:
        likely += [n for n, r in functions.ELEMENTWISE.items() if r.arity == 1 and n != name]
        likely += ["softmax"]
    return likely
