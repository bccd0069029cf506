"""The paths of the chain rule: every way from a node to the output, one product for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.graphs.nodes import symbol_latex
from backprove.graphs.numerals import count_text, number, number_latex, plain_data, shown

MAX_PATHS = 64
"""More paths than this are counted and summed by their first step, not listed."""


@dataclass(frozen=True)
class Path:
    """One path, as the chain rule writes it: from the output down to the input.

    Attributes:
        nodes: names from the output to the input.
        factors: the symbol of each local derivative on the way.
        locals: their values (None for arrays, which are multiplied as arrays).
        seed: the upstream gradient of the output.
        value: the product: what this path adds to the gradient.
    """

    nodes: tuple[str, ...]
    factors: tuple[str, ...]
    locals: tuple[float | None, ...]
    seed: Any
    value: Any

    @property
    def symbols(self) -> str:
        """The product in symbols: ``∂f/∂h3·∂h3/∂z``."""
        return "·".join(self.factors) or "1"

    @property
    def numbers(self) -> str:
        """The same with numbers; empty where arrays are multiplied."""
        if any(v is None for v in self.locals):
            return ""
        shown_factors = [_factor(v) for v in self.locals]
        if np.asarray(self.seed).ndim == 0 and float(self.seed) != 1:
            shown_factors.insert(0, _factor(float(self.seed)))
        return "·".join(shown_factors)

    @property
    def text(self) -> str:
        """One line: symbols, numbers and product."""
        parts = [self.symbols, self.numbers, shown(self.value)]
        return " = ".join(dict.fromkeys(p for p in parts if p))

    @property
    def latex(self) -> str:
        """The product in symbols and its value, in LaTeX."""
        pairs = zip(self.nodes, self.nodes[1:], strict=False)
        fractions = [
            rf"\frac{{\partial {symbol_latex(a)}}}{{\partial {symbol_latex(c)}}}" for a, c in pairs
        ]
        left = r" \cdot ".join(fractions) or "1"
        if np.asarray(self.value).ndim:
            return left
        return f"{left} = {number_latex(self.value)}"

    def to_dict(self) -> dict[str, Any]:
        """The path as JSON-ready data."""
        return {
            "nodes": list(self.nodes),
            "symbols": self.symbols,
            "numbers": self.numbers,
            "value": plain_data(self.value),
        }


def _factor(value: float | None) -> str:
    text = number(value)
    return f"({text})" if text.startswith("-") else text


@dataclass(frozen=True)
class Bundle:
    """All paths from a node that leave it through the same consumer.

    Attributes:
        through: the consumer.
        count: how many paths there are.
        value: the sum of their products.
    """

    through: str
    count: int
    value: Any


@dataclass(frozen=True)
class Paths:
    """All paths from the output to one node.

    Attributes:
        start: the node.
        output: the output.
        count: the exact number of paths.
        paths: every path, or nothing if there are more than the limit.
        bundles: the paths by the consumer through which they leave ``start``.
        value: the sum of all products, which is the gradient with respect to ``start``.
    """

    start: str
    output: str
    count: int
    paths: tuple[Path, ...]
    bundles: tuple[Bundle, ...]
    value: Any

    @property
    def listed(self) -> bool:
        """Whether every path is listed."""
        return len(self.paths) == self.count

    @property
    def text(self) -> str:
        """The chain rule for this node: symbols, numbers, sum."""
        if not self.count:
            return f"{self.output} does not depend on {self.start}: 0"
        if not self.listed:
            parts = [f"{count_text(p.count)} through {p.through}" for p in self.bundles]
            return f"{count_text(self.count)} paths ({', '.join(parts)}), sum {shown(self.value)}"
        parts = [" + ".join(p.symbols for p in self.paths)]
        if all(p.numbers for p in self.paths):
            parts.append(" + ".join(p.numbers for p in self.paths))
        parts.append(shown(self.value))
        return " = ".join(dict.fromkeys(parts))

    def __len__(self) -> int:
        return min(self.count, 2**62)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.paths)

    def __getitem__(self, position: int) -> Path:
        return self.paths[position]

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The paths as JSON-ready data."""
        return {
            "start": self.start,
            "output": self.output,
            "count": exact(self.count),
            "listed": self.listed,
            "paths": [p.to_dict() for p in self.paths],
            "bundles": [
                {
                    "through": p.through,
                    "count": exact(p.count),
                    "value": plain_data(p.value),
                }
                for p in self.bundles
            ],
            "value": plain_data(self.value),
        }


def exact(count: int) -> int | str:
    """A count for JSON: a number that every reader keeps exact, or its digits as text."""
    if count < 2**53:
        return count
    return str(count) if count < 10**4000 else count_text(count)


def count_paths(consumers: Sequence[Sequence[int]], output: int) -> list[int]:
    """For each node the number of paths to the output.

    Args:
        consumers: for each node the operations that use it, in the order of the nodes.
        output: the number of the output.
    """
    counts = [0] * len(consumers)
    counts[output] = 1
    for node in range(len(consumers) - 1, -1, -1):
        if node != output:
            counts[node] = sum(counts[c] for c in consumers[node])
    return counts


def chains(
    consumers: Sequence[Sequence[int]], counts: Sequence[int], start: int, output: int
) -> list[tuple[int, ...]]:
    """Every path from the output down to ``start``, in the order of the consumers."""
    found: list[tuple[int, ...]] = []
    stack: list[tuple[int, ...]] = [(start,)]
    while stack:
        chain = stack.pop()
        if chain[-1] == output:
            found.append(chain[::-1])
            continue
        stack.extend((*chain, c) for c in reversed(consumers[chain[-1]]) if counts[c])
    return found
