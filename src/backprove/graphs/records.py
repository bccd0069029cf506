"""What a run says about one derivative: local derivatives, upstream gradients, kept values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

import numpy as np

from backprove.errors import UnknownName
from backprove.graphs.local import LocalForm
from backprove.graphs.numerals import number, plain_data, shown

T = TypeVar("T")


class NotComputed:
    """Stands where a gradient was not computed; it is no number and never reads as 0."""

    def __repr__(self) -> str:
        return "not computed"

    def __bool__(self) -> bool:
        return False


NOT_COMPUTED = NotComputed()


class Named(Mapping[str, T], Generic[T]):
    """Something for each name, looked up when it is asked for.

    Args:
        what: what is looked up, for the message about an unknown name.
        keys: the names in order.
        get: gives the thing of a name.
        resolve: turns other ways to write a name into the name itself.
    """

    def __init__(
        self,
        what: str,
        keys: Iterable[str],
        get: Callable[[str], T],
        resolve: Callable[[str], str] = lambda name: name,
    ) -> None:
        self._what, self._get, self._resolve = what, get, resolve
        self._keys = dict.fromkeys(keys)

    def __getitem__(self, name: str) -> T:
        key = self._resolve(name)
        if key not in self._keys:
            close = get_close_matches(str(name), list(self._keys)[:1000], 1)
            hint = f"Did you mean '{close[0]}'? " if close else ""
            listed = ", ".join(list(self._keys)[:20])
            raise UnknownName(
                f"'{name}' is not {self._what} of this graph", hint=f"{hint}There are: {listed}."
            )
        return self._get(key)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._resolve(name) in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return repr(dict(self)) if len(self) <= 50 else f"<{len(self)} entries>"


@dataclass(frozen=True)
class Local:
    """A local derivative at the values of a run.

    Attributes:
        form: the formula, for all values.
        value: the number, or the array over the axes of the operation, then of the operand; None
            where that array would have too many entries.
        numbers: the formula with numbers plugged in; empty for arrays.
    """

    form: LocalForm
    value: Any
    numbers: str

    @property
    def child(self) -> str:
        """The operation."""
        return self.form.child.name

    @property
    def parent(self) -> str:
        """The operand."""
        return self.form.parent.name

    @property
    def symbol(self) -> str:
        """The left-hand side, such as ``∂h3/∂z``."""
        return self.form.symbol

    @property
    def formula(self) -> str:
        """The derivative in terms of the operands."""
        return self.form.formula

    @property
    def structure(self) -> str:
        """Zero, identity, diagonal, ... for arrays; empty for numbers."""
        return str(self.form.structure) if self.form.structure else ""

    @property
    def shown(self) -> str:
        """The value in short."""
        return "too large to show" if self.value is None else shown(self.value)

    @property
    def text(self) -> str:
        """One line: symbol, formula, numbers, value."""
        if self.structure:
            return f"{self.symbol} = {self.formula} ({self.structure})"
        return " = ".join(dict.fromkeys([self.symbol, self.formula, self.numbers, self.shown]))

    @property
    def latex(self) -> str:
        """The same in LaTeX."""
        if self.structure:
            return self.form.latex
        return self.form.latex_with_value(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.value, dtype=dtype)

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The derivative as JSON-ready data."""
        return {
            "child": self.child,
            "parent": self.parent,
            "symbol": self.symbol,
            "formula": self.formula,
            "latex": self.form.latex,
            "numbers": self.numbers,
            "structure": self.structure,
            "value": None if self.value is None else plain_data(self.value, 1000),
        }


@dataclass(frozen=True)
class Flow:
    """What one consumer sends back: its own upstream gradient times its local derivative.

    Attributes:
        consumer: the operation that uses the node.
        symbols: the product in symbols.
        numbers: the same with numbers; empty for arrays.
        value: the product.
    """

    consumer: str
    symbols: str
    numbers: str
    value: Any


@dataclass(frozen=True)
class Upstream:
    """The gradient with respect to a node, as the sum over its consumers.

    Attributes:
        node: the node.
        root: what is differentiated.
        flows: one summand for each consumer; none for the output.
        value: the gradient, of the shape of the node.
    """

    node: str
    root: str
    flows: tuple[Flow, ...]
    value: Any

    @property
    def symbol(self) -> str:
        """The gradient in symbols, such as ``∂f/∂h2``."""
        return f"∂{self.root}/∂{self.node}"

    @property
    def sum_text(self) -> str:
        """The sum over the consumers, in symbols."""
        return " + ".join(flow.symbols for flow in self.flows)

    @property
    def numbers(self) -> str:
        """The sum with numbers; empty for arrays."""
        if not all(flow.numbers for flow in self.flows):
            return ""
        return " + ".join(flow.numbers for flow in self.flows)

    @property
    def text(self) -> str:
        """One line: the gradient, the sum in symbols and in numbers, the value."""
        parts = [self.symbol, self.sum_text, self.numbers, shown(self.value)]
        return " = ".join(dict.fromkeys(p for p in parts if p))

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.value, dtype=dtype)

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The gradient as JSON-ready data."""
        return {
            "node": self.node,
            "symbol": self.symbol,
            "sum": self.sum_text,
            "numbers": self.numbers,
            "flows": [
                {"consumer": f.consumer, "symbols": f.symbols, "value": plain_data(f.value)}
                for f in self.flows
            ],
            "value": plain_data(self.value),
        }


@dataclass(frozen=True)
class Kept:
    """A value that the forward pass keeps because the backward pass needs it.

    Attributes:
        name: the node.
        role: ``input``, ``parameter``, ``operation`` or ``output``.
        shape: its shape.
        bytes: its size as float64.
        needed_for: the local derivatives that refer to it.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    bytes: int
    needed_for: tuple[str, ...]


@dataclass(frozen=True)
class Cache:
    """What is kept from the forward pass for the backward pass.

    Attributes:
        entries: the kept values in the order of the nodes.
        never_needed: the computed values that can be dropped at once.
    """

    entries: tuple[Kept, ...]
    never_needed: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """All bytes that are kept."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def recomputable_bytes(self) -> int:
        """The bytes that keeping the inputs only, and computing forward again, would save."""
        return sum(e.bytes for e in self.entries if e.role not in ("input", "parameter"))

    def __iter__(self) -> Iterator[Kept]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> Kept:
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise UnknownName(f"'{name}' is not kept for the backward pass of this graph")

    def to_dict(self) -> dict[str, Any]:
        """The cache as JSON-ready data."""
        return {
            "entries": [
                {
                    "name": e.name,
                    "role": e.role,
                    "shape": list(e.shape),
                    "bytes": e.bytes,
                    "needed_for": list(e.needed_for),
                }
                for e in self.entries
            ],
            "never_needed": list(self.never_needed),
            "bytes": self.bytes,
            "saved_by_recomputing": self.recomputable_bytes,
        }


def bracketed(value: Any) -> str:
    """A number as a factor of a product."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text
