"""One edit at one place of a claim, and the name of the mistake that it undoes.

The edits come in the order of their size: a sign, a letter or a transpose before a factor, a
factor before a term, a term before another expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from backprove import functions
from backprove.checking.claim_places import PlaceEdit
from backprove.checking.edits import name_of_function
from backprove.checking.factor_edits import FactorEdits, chain
from backprove.checking.fillers import ARGUMENT, Filler
from backprove.checking.rough_values import ARRAY_FUNCTIONS
from backprove.notation.index_syntax import DELTAS
from backprove.notation.syntax import Node

CONFUSED = {
    "softmax": ("sigmoid", "exp", "log_softmax"),
    "log_softmax": ("softmax",),
    "sum": ("mean", "trace"),
    "mean": ("sum",),
    "trace": ("sum",),
    "max": ("min",),
    "min": ("max",),
    "inv": ("det",),
    "tril": ("triu",),
    "triu": ("tril",),
    "sqrt": ("norm",),
    "logsumexp": ("softmax",),
}


class PlaceEdits(FactorEdits):
    """Edits of a claim, the smallest first."""

    def small(self) -> Iterator[PlaceEdit]:
        """Edits of one sign, letter, transpose, option, order, factor, term or symbol."""
        yield from self._signs()
        yield from self._letters()
        yield from self._transposes()
        yield from self._orders()
        yield from self._turned_products()
        yield from self._replaced(symbols=True, by_symbols=True)
        yield from self._operators()
        yield from self._options()
        yield from self._summed_entries()
        yield from self._dropped()
        yield from self._functions()
        yield from self._other_rules()
        yield from self._numbers()
        yield from self._factors()
        yield from self._comparisons()
        yield from self._terms()
        yield from self._inner_products()
        yield from self._products_added()
        yield from self._replaced(symbols=True)

    def large(self) -> Iterator[PlaceEdit]:
        """Edits that put another expression in the place of one."""
        yield from self._replaced(symbols=False)

    def _signs(self) -> Iterator[PlaceEdit]:
        for at in self.formulas:
            place = self.written.places[at]
            if place.node.kind == "unary":
                inner = self.written.text[place.node.children[0].span.start : place.node.span.end]
                yield self._edit(at, -np.asarray(place.value), inner, "sign")
            elif not isinstance(place.value, (tuple, str)) and place.value is not None:
                weak = self._inside_function(at) and not self._asked(-place.value)
                yield replace(self._negated(at), weak=weak)

    def _negated(self, at: int) -> PlaceEdit:
        """One place with the other sign: a - b for a + b."""
        place = self.written.places[at]
        value = -np.asarray(place.value)
        above = self._node(place.parent) if place.parent >= 0 else None
        if above is None or above.value not in ("+", "-") or place.slot != 1:
            return self._edit(at, value, f"(-({self.written.source(at)}))", "sign")
        left, right = (self.written.text[c.span.start : c.span.end] for c in above.children)
        by = f"(({left}) {'-' if above.value == '+' else '+'} ({right}))"
        whole = self.written.whole(at, value)
        text = self.written.replaced(place.parent, by)
        return PlaceEdit(whole, text, "sign", self.written.source(at))

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
        text = written.source(0)
        n, d = self._size_name(i), self._size_name(j)
        for more in ({}, {n: d, d: n} if n and d else {}):
            pairs = {**turn, **more}
            pattern = rf"(?<![\w.])({'|'.join(pairs)})(?!\w)"
            swapped = re.sub(pattern, lambda m, p=pairs: p[m[1]], text)
            yield from self._changed(0, swapped, "wrong_axis", "all of the indices")
            # Entries of arrays stay where they are; functions along an axis take the other one.
            entries = re.sub(r"(?<=[\w)])\[(\w+),\s*(\w+)\]", r"[\2,\1]", swapped)
            entries = re.sub(r"(softmax|sum|mean|var)\((\w+)\)", r"\1(\2, axis=0)", entries)
            yield from self._changed(0, entries, "wrong_axis", "all of the indices")

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
            elif np.ndim(place.value) == 2 and not written.indices and not self._product(at):
                by = f"{text}.T" if place.node.kind in ("name", "call") else f"({text}).T"
                yield self._edit(at, np.asarray(place.value).T, by, "transposed", text)

    def _product(self, at: int) -> bool:
        """True for a product whose transpose is, more simply, its factors in another order."""
        node = self._node(at)
        if node.kind == "call":
            return node.value == "outer"
        return node.kind == "binary" and node.value == "@"

    def _turned_products(self) -> Iterator[PlaceEdit]:
        for at in self.formulas:
            node = self._node(at)
            if self._product(at) and np.ndim(self.written.places[at].value) == 2:
                by = f"({self.written.source(at)}).T"
                value = np.asarray(self.written.places[at].value).T
                yield self._edit(at, value, by, "transposed")
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
                names = [self._named(k) for k in np.shape(written.places[at].value)]
                if at and all(names):
                    by = f"(sum({text})*ones(({', '.join(names)},)))"
                    yield from self._changed(at, by, "missing_sum", text)
                for option in ("", ", axis=0", ", axis=1", ", axis=1, keepdims=True"):
                    by = f"sum({text}{option})"
                    yield from self._changed(at, by, "missing_sum", text)

    def _summed_entries(self) -> Iterator[PlaceEdit]:
        """A sum over an axis of which an index formula has the first entries only."""
        written = self.written
        text = written.source(0) if written.indices else ""
        pattern = r"(?<=[\[,])\s*0\s*(?=[,\]])"
        if not re.search(pattern, text):
            return
        letter = next(w for w in "mpqrstuvw" if not re.search(rf"(?<!\w){w}(?!\w)", written.text))
        for size in sorted({v for v in written.names.values() if isinstance(v, int)}):
            values = [written.read(re.sub(pattern, str(k), text)) for k in range(size)]
            if all(v is not None for v in values):
                total = sum(np.asarray(v[1], dtype=float) for v in values if v is not None)
                by = f"sum({letter}, {re.sub(pattern, letter, text)})"
                yield self._edit(0, total, by, "missing_sum", text)

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
        factors = [f"({self.written.text[n.span.start : n.span.end]})" for n in chain(node)]
        if node.value != "@" or len(factors) < 3:
            return
        for k in range(len(factors) - 1):
            order = [*factors[:k], factors[k + 1], factors[k], *factors[k + 2 :]]
            yield from self._changed(at, f"({' @ '.join(order)})", "wrong_order")

    def _functions(self) -> Iterator[PlaceEdit]:
        written = self.written
        for at in self.formulas:
            node = self._node(at)
            if node.kind == "call":
                inner = written.text[node.span.start : node.span.end]
                inner = inner[inner.index("(") :]
                for other in _alternatives(str(node.value)):
                    turned = other in ("tril", "triu")
                    name = "transposed" if turned else name_of_function(str(node.value), other)
                    if (node.value, other) == ("exp", "softmax"):
                        name = "missing_normalizer"
                    yield from self._changed(at, f"{other}{inner}", name, str(node.value))
                record = functions.ELEMENTWISE.get(str(node.value))
                # Where the slope is the function times something, a factor is missing instead.
                if (
                    record is not None
                    and record.arity == 1
                    and not record.derivatives[0].startswith(f"{node.value}(x)")
                ):
                    slope = ARGUMENT.sub(inner, record.derivatives[0])
                    yield from self._changed(at, f"({slope})", "wrong_function", str(node.value))
            value = written.places[at].value
            if np.ndim(value) == 2 and np.shape(value)[0] == np.shape(value)[1]:
                text = written.source(at)
                yield from self._changed(at, f"inv({text})", "wrong_function", text)

    def _other_rules(self) -> Iterator[PlaceEdit]:
        """The slope of the right function in the place of that of another one: 1 - s² of σ."""
        places = self.written.places
        for at in self.formulas:
            value = places[at].value
            if isinstance(value, (tuple, str)) or value is None or not np.ndim(value):
                continue
            for wrong, right in self.rules:
                if np.shape(wrong.value) == np.shape(value) and np.allclose(wrong.value, value):
                    yield self._edit(at, right.value, right.text, "wrong_function")

    def _replaced(self, *, symbols: bool, by_symbols: bool = False) -> Iterator[PlaceEdit]:
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
            entries = bool(written.indices) and not self._whole_array(at)
            for filler in self._fillers_at(at):
                if by_symbols and (delta or filler.origin != "symbol"):
                    continue
                if filler.origin == "claim" and written.source(at) in filler.text:
                    continue  # a part of the claim within itself is no repair
                if np.shape(filler.value) == np.shape(value) or entries:
                    mistake = self._misplaced(filler, delta, symbol, written.source(at))
                    yield self._edit(at, filler.value, filler.text, mistake)

    @staticmethod
    def _misplaced(filler: Filler, delta: bool, symbol: bool, text: str) -> str:
        """The name of putting one thing in the place of another: what stands, what is meant."""
        if delta:
            return "wrong_delta" if filler.origin in ("delta", "mask") else "missing_factor"
        if symbol and filler.origin == "slope" and text in filler.text:
            return "wrong_function"
        return "wrong_variable" if symbol or filler.origin == "symbol" else "wrong_function"

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
            elif (
                node.kind == "binary"
                and node.value == "**"
                and np.ndim(written.places[at].value) == 2
            ):
                base, power = (written.text[c.span.start : c.span.end] for c in node.children)
                if power in ("2", "3", "4"):
                    product = " @ ".join([f"({base})"] * int(power))
                    for by in (f"({product})", f"({product}).T"):
                        yield from self._changed(at, by, "scalar_rule")


def _alternatives(name: str) -> list[str]:
    likely = list(CONFUSED.get(name, ()))
    if name in functions.ELEMENTWISE:
        likely += [n for n, r in functions.ELEMENTWISE.items() if r.arity == 1 and n != name]
        likely += ["softmax"]
    return likely
