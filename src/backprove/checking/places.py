"""A written claim as a tree whose every place can be given another value.

The value of the whole claim with one place replaced costs a few array operations; its text is the
claim with one stretch replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.checking.rough_values import NotRead, Reader, letter_sizes, positions
from backprove.errors import BackproveError
from backprove.notation.claims import Claim
from backprove.notation.definitions import only
from backprove.notation.index_syntax import DELTAS, IndexParser
from backprove.notation.index_tree import walk
from backprove.notation.syntax import Node, parse

FAILURES = (
    ValueError, IndexError, TypeError, AttributeError, KeyError, ArithmeticError, NotRead,
    BackproveError, np.linalg.LinAlgError,
)  # fmt: skip
"""What reading an edited formula may raise: then the edit is no candidate."""

MAX_ENTRIES = 200_000


@dataclass
class Place:
    """One node of the claim.

    Attributes:
        node: the node.
        value: its value.
        parent: the position of the node above it in the list of places; -1 at the root.
        slot: which child of the parent it is.
    """

    node: Node
    value: Any
    parent: int
    slot: int


class Written:
    """A claim, its tree, and the value of every node at one point.

    Args:
        claim: the claim as classified.
        names: the values of symbols and named sizes.
        indices: the free letters of an index formula; empty for array text.
        shape: the shape of the derivative at the point.
    """

    def __init__(
        self, claim: Claim, names: Mapping[str, Any], indices: Sequence[str], shape: Sequence[int]
    ) -> None:
        self.text = claim.text
        self.shape = tuple(shape)
        self.indices = tuple(indices)
        self.claim = claim
        self.names = names = with_definitions(claim, names)
        ranks = {n: np.ndim(v) for n, v in names.items()}
        right = only(claim.text, claim.right_span)
        plain = Reader(names, {}, {})
        if indices:
            self.tree = index_tree(right, ranks)
            sizes = letter_sizes(self.tree, dict(zip(indices, shape, strict=True)), plain)
            if np.prod(list(sizes.values())) > MAX_ENTRIES:
                raise NotRead("too many entries")
            self.sizes = sizes
            letters, dims = positions(sizes)
            self.reader = Reader(names, letters, dims)
        else:
            self.tree = parse(right)
            self.sizes = {}
            self.reader = plain
        self.places: list[Place] = []
        self._children: list[list[int]] = []
        self._add(self.tree, -1, 0)

    def _add(self, node: Node, parent: int, slot: int) -> int:
        at = len(self.places)
        self.places.append(Place(node, None, parent, slot))
        self._children.append([])
        below = []
        for k, child in enumerate(node.children):
            # The word "delta" is no value, nor is the letter that a sum binds.
            skip = child.kind == "binder" or (
                node.kind == "subscript" and k == 0 and child.value in DELTAS
            )
            below.append(-1 if skip else self._add(child, at, k))
        self._children[at] = below
        values = [None if b < 0 else self.places[b].value for b in below]
        self.places[at].value = self.reader.combine(node, values)
        return at

    def whole(self, at: int, value: Any) -> np.ndarray | None:
        """The claim's value with another value at one place, or None if it has none."""
        try:
            with np.errstate(all="ignore"):
                while (parent := self.places[at].parent) >= 0:
                    below = self._children[parent]
                    values = [
                        value if b == at else None if b < 0 else self.places[b].value for b in below
                    ]
                    value = self.reader.combine(self.places[parent].node, values)
                    at = parent
                return self.shaped(value)
        except FAILURES:
            return None

    def shaped(self, value: Any) -> np.ndarray | None:
        """A value of the root as an array of the shape of the derivative, or None."""
        array = np.asarray(value, dtype=float)
        if self.indices:
            full = [self.sizes[i] for i in self.indices]
            spare = array.ndim - len(full)
            if array.ndim not in (0, len(self.sizes)):
                return None
            if array.ndim:
                if any(s != 1 for s in array.shape[len(full) :]) and spare:
                    return None
                array = array.reshape(array.shape[: len(full)])
            return np.broadcast_to(array, full)
        return array if array.shape == self.shape else None

    def replaced(self, at: int, by: str) -> str:
        """The claim's text with the text of one place replaced."""
        span = self.places[at].node.span
        return self.text[: span.start] + by + self.text[span.end :]

    def source(self, at: int) -> str:
        """The text of one place."""
        span = self.places[at].node.span
        return self.text[span.start : span.end]

    def read(self, text: str) -> tuple[Node, Any] | None:
        """Another text in the claim's own words, as tree and value; None if it has no value."""
        try:
            tree = (
                index_tree(text, {n: np.ndim(v) for n, v in self.names.items()})
                if self.indices
                else parse(text)
            )
            with np.errstate(all="ignore"):
                return tree, self.reader.value(tree)
        except FAILURES:
            return None


class WrittenDefinition(Written):
    """One definition of a claim, ``s = softmax(z)``, with its places; an edit changes the claim.

    Args:
        whole: the claim that the definition belongs to.
        names: the values of symbols and named sizes.
        which: the number of the definition.
    """

    def __init__(self, whole: Written, names: Mapping[str, Any], which: int) -> None:
        self.main = whole
        self.text, self.shape, self.claim = whole.text, whole.shape, whole.claim
        self.indices, self.sizes = (), {}
        self.given = names
        self.which = which
        definition = whole.claim.definitions[which]
        self.names = with_definitions(whole.claim, names, until=which)
        self.reader = Reader(self.names, {}, {})
        self.tree = parse(only(whole.text, definition[1]))
        self.places = []
        self._children = []
        self._add(self.tree, -1, 0)

    def shaped(self, value: Any) -> np.ndarray | None:
        """The value of the claim for another value of the definition."""
        name = self.claim.definitions[self.which][0]
        names = {**self.names, name: value}
        names = with_definitions(self.claim, names, begin=self.which + 1)
        main = self.main
        reader = Reader(names, main.reader.letters, main.reader.dims)
        return main.shaped(reader.value(main.tree))


class WrittenRepeat(Written):
    """A part that a claim writes several times, with its places; an edit changes all of them.

    Args:
        whole: the claim.
        nodes: where the part stands in it.
    """

    def __init__(self, whole: Written, nodes: Sequence[Node]) -> None:
        self.main = whole
        self.text, self.shape, self.claim = whole.text, whole.shape, whole.claim
        self.names = whole.names
        self.indices, self.sizes = (), {}
        self.reader = Reader(self.names, {}, {})
        self.nodes = sorted(nodes, key=lambda n: n.span.start)
        self.tree = self.nodes[0]
        self.places = []
        self._children = []
        self._add(self.tree, -1, 0)

    def shaped(self, value: Any) -> np.ndarray | None:
        """The value of the claim with another value of the part wherever it stands."""
        spans = {n.span for n in self.nodes}
        reader = self.main.reader

        def visit(node: Node) -> Any:
            if node.span in spans and node.kind == self.tree.kind:
                return value
            if node.kind == "binder":
                return None
            skip = node.kind == "subscript" and node.children[0].value in DELTAS
            below = [
                None if skip and k == 0 else visit(child) for k, child in enumerate(node.children)
            ]
            return reader.combine(node, below)

        return self.main.shaped(visit(self.main.tree))

    def replaced(self, at: int, by: str) -> str:
        """The claim's text with the edited part in every place of it."""
        span, whole = self.places[at].node.span, self.tree.span
        part = self.text[whole.start : span.start] + by + self.text[span.end : whole.end]
        part = part if at else f"({part})"
        text = self.text
        for node in reversed(self.nodes):
            text = text[: node.span.start] + part + text[node.span.end :]
        return text


def repeats(written: Written) -> list[list[Node]]:
    """Calls without index letters that a claim writes more than once, the longest first."""
    found: dict[str, list[Node]] = {}
    for place in written.places:
        node = place.node
        if node.kind != "call" or node.value in ("eye", "ones", "zeros"):
            continue
        if not any(n.kind == "name" and n.value in written.sizes for n in walk(node)):
            text = written.text[node.span.start : node.span.end]
            found.setdefault(re.sub(r"\s+", "", text), []).append(node)
    several = [(text, nodes) for text, nodes in found.items() if len(nodes) > 1]
    return [nodes for _, nodes in sorted(several, key=lambda item: -len(item[0]))]


def with_definitions(
    claim: Claim, names: Mapping[str, Any], *, begin: int = 0, until: int | None = None
) -> dict[str, Any]:
    """The values of symbols and sizes, and of what the claim defines after ``with``."""
    found = dict(names)
    for name, span in claim.definitions[begin:until]:
        found[name] = Reader(found, {}, {}).value(parse(only(claim.text, span)))
    return found


def index_tree(text: str, ranks: Mapping[str, int]) -> Node:
    """The right side of an index formula as a tree; ``ranks`` says how many indices a name has."""
    parser = IndexParser(text, ranks)
    tree = parser.expression()
    parser.expect_end()
    return tree
