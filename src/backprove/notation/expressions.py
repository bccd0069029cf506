"""Tensor expressions in index notation: interned nodes, each a scalar function of its free axes.

A whole tensor is a :class:`Tensor`: an ordered tuple of axes and a body. Matrix products, traces,
transposes, broadcasting and slices are all index patterns of a few node types, so one rule for
each node type differentiates everything, and a claim ``X[i,l]*[j==k]`` has the same form as an
answer. Nodes are interned: equal nodes are one object, and bound axes are canonical, so that
renaming a bound index changes nothing.

Build nodes with the functions of :mod:`backprove.notation.building`, which simplify as they go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from backprove.notation.axes import Axis, Index, Size, joined_hash, stable_hash, text_hash

DOMAINS = (
    "real",
    "positive",
    "unit",
    "nonsingular",
    "symmetric",
    "spd",
    "prob",
    "sum1",
    "onehot",
    "pm1",
    "binary",
)
"""Where the entries of a symbol live; see ``docs`` for what each one means."""


@dataclass(frozen=True, eq=False)
class Array:
    """A named tensor: an input that a person declared, or an intermediate value.

    Args:
        name: how it is written.
        shape: one size per axis.
        domain: one of :data:`DOMAINS`.
        order: position in the written text, for printing in the order of the author.
        sampled: the domain to draw sample values from, if it is not ``domain``.
    """

    name: str
    shape: tuple[Size, ...]
    domain: str = "real"
    order: int = 0
    sampled: str = ""

    @cached_property
    def key(self) -> int:
        """A hash that is the same in every process."""
        return stable_hash("array", self.name, self.domain, *map(hash, self.shape))

    def __repr__(self) -> str:
        return self.name


class Expr:
    """Base of all nodes. Equality is identity, because nodes are interned.

    Attributes:
        axes: the free axes.
        level: the highest nesting level of a binder inside; 0 if there is none.
        key: a structural hash that is the same in every process; it orders factors and terms.
        weight: how many nodes it has when written out, shared ones counted each time.
    """

    __slots__ = ("__weakref__", "axes", "key", "level", "weight")
    axes: frozenset[Axis]
    level: int
    key: int
    weight: int

    def children(self) -> tuple[Expr, ...]:
        """The expressions directly below this one."""
        return ()

    def __repr__(self) -> str:
        return describe(self)


_interned: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_NO_AXES: frozenset[Axis] = frozenset()
_REF, _BRACKET = text_hash("ref"), text_hash("bracket")
UNIT = Fraction(1)
"""The usual coefficient and exponent; to be known by identity spares most of the arithmetic."""


def _exact(value: Fraction) -> Fraction | int:
    """A number that is equal and has the same hash, which is dear for a fraction."""
    if value is UNIT:
        return 1
    return value.numerator if value.denominator == 1 else value


def _ratio(value: Fraction) -> tuple[int, int]:
    return (1, 1) if value is UNIT else value.as_integer_ratio()


def _join(children: Iterable[Expr]) -> tuple[frozenset[Axis], int, int]:
    """The free axes, the level and the weight of a node over these children."""
    axes: frozenset[Axis] = _NO_AXES
    level, weight = 0, 1
    for child in children:
        if child.axes and not child.axes <= axes:
            axes = axes | child.axes
        level = max(level, child.level)
        weight += child.weight
    return axes, level, weight


class Num(Expr):
    """An exact rational number."""

    __slots__ = ("value",)
    value: Fraction

    def __new__(cls, value: Fraction) -> Num:
        found = _interned.get((cls, _exact(value)))
        if found is None:
            found = object.__new__(cls)
            found.value = value
            found.axes, found.level, found.weight = _NO_AXES, 0, 1
            found.key = stable_hash("num", value.numerator, value.denominator)
            _interned[cls, value] = found
        return found


class Named(Expr):
    """A named scalar: a mathematical constant (``pi``) or the value of a named size."""

    __slots__ = ("kind", "name")
    kind: str
    name: str

    def __new__(cls, kind: str, name: str) -> Named:
        found = _interned.get((cls, kind, name))
        if found is None:
            found = object.__new__(cls)
            found.kind, found.name = kind, name
            found.axes, found.level, found.weight = _NO_AXES, 0, 1
            found.key = stable_hash("named", kind, name)
            _interned[cls, kind, name] = found
        return found


class Ref(Expr):
    """One entry of a named tensor: ``X[i, l]``."""

    __slots__ = ("array", "at")
    array: Array
    at: tuple[Index, ...]

    def __new__(cls, array: Array, at: tuple[Index, ...]) -> Ref:
        found = _interned.get((cls, array, at))
        if found is None:
            found = object.__new__(cls)
            found.array, found.at = array, at
            found.axes = frozenset().union(*[i.axes for i in at]) if at else _NO_AXES
            found.level, found.weight = 0, 1 + sum([i.weight for i in at])
            found.key = joined_hash(_REF, array.key, *[i.key for i in at])
            _interned[cls, array, at] = found
        return found


class Bracket(Expr):
    """An Iverson bracket on indices: 1 where ``index == 0`` (or ``index <= 0``), else 0."""

    __slots__ = ("index", "relation")
    relation: str
    index: Index

    def __new__(cls, relation: str, index: Index) -> Bracket:
        found = _interned.get((cls, relation, index))
        if found is None:
            found = object.__new__(cls)
            found.relation, found.index = relation, index
            found.axes, found.level, found.weight = index.axes, 0, 1 + index.weight
            found.key = joined_hash(_BRACKET, text_hash(relation), index.key)
            _interned[cls, relation, index] = found
        return found


class Test(Expr):
    """An indicator on values: 1 where ``value > 0`` (or ``>= 0``, ``== 0``), else 0."""

    __slots__ = ("relation", "value")
    __test__ = False
    relation: str
    value: Expr

    def __new__(cls, relation: str, value: Expr) -> Test:
        found = _interned.get((cls, relation, value))
        if found is None:
            found = object.__new__(cls)
            found.relation, found.value = relation, value
            found.axes, found.level, found.weight = value.axes, value.level, value.weight + 1
            found.key = stable_hash("test", relation, value.key)
            _interned[cls, relation, value] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return (self.value,)


class Mul(Expr):
    """A product ``coefficient * base1**exponent1 * ...`` with rational exponents."""

    __slots__ = ("coefficient", "factors")
    coefficient: Fraction
    factors: tuple[tuple[Expr, Fraction], ...]

    def __new__(cls, coefficient: Fraction, factors: tuple[tuple[Expr, Fraction], ...]) -> Mul:
        key = cls, _exact(coefficient), tuple([(b, _exact(e)) for b, e in factors])
        found = _interned.get(key)
        if found is None:
            found = object.__new__(cls)
            found.coefficient, found.factors = coefficient, factors
            found.axes, found.level, found.weight = _join(b for b, _ in factors)
            parts = [x for b, e in factors for x in (b.key, *_ratio(e))]
            found.key = stable_hash("mul", coefficient.numerator, coefficient.denominator, *parts)
            _interned[key] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return tuple(b for b, _ in self.factors)


class Add(Expr):
    """A sum ``constant + coefficient1 * term1 + ...``; no term carries a coefficient itself."""

    __slots__ = ("constant", "terms")
    constant: Fraction
    terms: tuple[tuple[Expr, Fraction], ...]

    def __new__(cls, constant: Fraction, terms: tuple[tuple[Expr, Fraction], ...]) -> Add:
        key = cls, _exact(constant), tuple([(t, _exact(c)) for t, c in terms])
        found = _interned.get(key)
        if found is None:
            found = object.__new__(cls)
            found.constant, found.terms = constant, terms
            found.axes, found.level, found.weight = _join(t for t, _ in terms)
            parts = [x for t, c in terms for x in (t.key, *_ratio(c))]
            found.key = stable_hash("add", constant.numerator, constant.denominator, *parts)
            _interned[key] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return tuple(t for t, _ in self.terms)


class Sum(Expr):
    """The sum of ``body`` over the bound axes."""

    __slots__ = ("body", "bound")
    bound: tuple[Axis, ...]
    body: Expr

    def __new__(cls, bound: tuple[Axis, ...], body: Expr) -> Sum:
        found = _interned.get((cls, bound, body))
        if found is None:
            found = object.__new__(cls)
            found.bound, found.body = bound, body
            found.axes = body.axes.difference(bound)
            found.level = max(body.level, *(a.level for a in bound))
            found.weight = body.weight + 1
            found.key = stable_hash("sum", body.key, *(a.key for a in bound))
            _interned[cls, bound, body] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return (self.body,)


class Fn(Expr):
    """An elementwise function from the table of :mod:`backprove.functions`, or ``pow``."""

    __slots__ = ("args", "name")
    name: str
    args: tuple[Expr, ...]

    def __new__(cls, name: str, args: tuple[Expr, ...]) -> Fn:
        found = _interned.get((cls, name, args))
        if found is None:
            found = object.__new__(cls)
            found.name, found.args = name, args
            found.axes, found.level, found.weight = _join(args)
            found.key = stable_hash("fn", name, *(a.key for a in args))
            _interned[cls, name, args] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return self.args


class Where(Expr):
    """``yes`` where ``condition`` is not 0, else ``no``; the other branch is not evaluated."""

    __slots__ = ("condition", "no", "yes")
    condition: Expr
    yes: Expr
    no: Expr

    def __new__(cls, condition: Expr, yes: Expr, no: Expr) -> Where:
        found = _interned.get((cls, condition, yes, no))
        if found is None:
            found = object.__new__(cls)
            found.condition, found.yes, found.no = condition, yes, no
            found.axes, found.level, found.weight = _join((condition, yes, no))
            found.key = stable_hash("where", condition.key, yes.key, no.key)
            _interned[cls, condition, yes, no] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return (self.condition, self.yes, self.no)


class Bind(Expr):
    """A function of a whole slice: ``softmax``, ``inv``, ``det``, ``max``, ``prod``, ...

    ``bound`` are the axes of the slice ``body``; ``at`` is the entry of the outcome that is meant
    (one index for ``softmax``, two for ``inv``, none for ``det`` and ``max``).
    """

    __slots__ = ("at", "body", "bound", "kind")
    kind: str
    bound: tuple[Axis, ...]
    body: Expr
    at: tuple[Index, ...]

    def __new__(cls, kind: str, bound: tuple[Axis, ...], body: Expr, at: tuple[Index, ...]) -> Bind:
        found = _interned.get((cls, kind, bound, body, at))
        if found is None:
            found = object.__new__(cls)
            found.kind, found.bound, found.body, found.at = kind, bound, body, at
            found.axes = body.axes.difference(bound).union(*(i.axes for i in at))
            found.level = max(body.level, *(a.level for a in bound))
            found.weight = body.weight + 1
            found.key = stable_hash(
                "bind", kind, body.key, *(a.key for a in bound), *(i.key for i in at)
            )
            _interned[cls, kind, bound, body, at] = found
        return found

    def children(self) -> tuple[Expr, ...]:
        return (self.body,)


BINDERS = {
    "softmax": 1,
    "argmax": -1,
    "max": 0,
    "min": 0,
    "prod": 0,
    "logsumexp": 0,
    "inv": 2,
    "det": 0,
    "logdet": 0,
}
"""Kinds of :class:`Bind` and how many indices ``at`` has (-1: as many as bound axes).

``argmax`` is the one-hot indicator of the greatest entry, shared equally among ties.
"""


@dataclass(frozen=True)
class Tensor:
    """A tensor-valued expression: ``body`` as a function of the ordered ``axes``."""

    axes: tuple[Axis, ...]
    body: Expr

    @property
    def shape(self) -> tuple[Size, ...]:
        """One size per axis."""
        return tuple(a.size for a in self.axes)


ZERO = Num(Fraction(0))
ONE = Num(UNIT)


def describe(expr: Expr) -> str:
    """A terse text for debugging; :mod:`backprove.notation.index_text` prints for people."""
    match expr:
        case Num():
            return str(expr.value)
        case Named():
            return expr.name
        case Ref():
            return f"{expr.array.name}{list(expr.at)}" if expr.at else expr.array.name
        case Bracket():
            return f"[{expr.index} {expr.relation} 0]"
        case Test():
            return f"[{expr.value!r} {expr.relation} 0]"
        case Mul():
            parts = [repr(b) if e == 1 else f"({b!r})^({e})" for b, e in expr.factors]
            lead = [] if expr.coefficient == 1 else [str(expr.coefficient)]
            return "(" + "·".join(lead + parts) + ")"
        case Add():
            parts = [f"{c}·{t!r}" for t, c in expr.terms]
            return "(" + " + ".join(parts + [str(expr.constant)] * bool(expr.constant)) + ")"
        case Sum():
            return f"Σ{list(expr.bound)} {expr.body!r}"
        case Fn():
            return f"{expr.name}({', '.join(map(repr, expr.args))})"
        case Where():
            return f"where({expr.condition!r}, {expr.yes!r}, {expr.no!r})"
        case Bind():
            return f"{expr.kind}{list(expr.bound)}({expr.body!r}){list(expr.at)}"
    return object.__repr__(expr)
