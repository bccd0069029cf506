"""The places of a claim, and what an edit at one of them is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove import functions
from backprove.checking.fillers import Filler
from backprove.checking.places import Written
from backprove.notation.index_syntax import DELTAS
from backprove.notation.index_tree import walk
from backprove.notation.syntax import Node


@dataclass(frozen=True)
class PlaceEdit:
    """An edited claim.

    Attributes:
        value: the rough value of the edited claim.
        text: the edited claim.
        mistake: the name of the mistake that the edit undoes.
        where: the place in words.
        weak: True for an edit that nobody makes by a slip of the pen.
        by_number: True if it multiplies by a number.
    """

    value: np.ndarray | None
    text: str
    mistake: str
    where: str
    weak: bool = False
    by_number: bool = False


class ClaimPlaces:
    """The places of a claim at which it can be edited.

    Args:
        written: the claim.
        pool: the factors and terms to try.
        composed: True if the question composes functions, so that a missing slope is a missing
            link of the chain rule.
        links: factors within the arguments of the question's functions: links as well.
        arrays: what to try within the ``(W @ x + b)`` of an index formula ``(W @ x + b)[i]``.
        rules: slopes by the rule of another function, each with the right one.
    """

    def __init__(
        self,
        written: Written,
        pool: Sequence[Filler],
        composed: bool,
        links: frozenset[str] = frozenset(),
        arrays: Sequence[Filler] = (),
        rules: Sequence[tuple[Filler, Filler]] = (),
    ) -> None:
        self.rules = rules
        self.links = links
        self.arrays = arrays
        self.written = written
        self.pool = pool
        self.composed = composed
        self.formulas = [k for k in range(len(written.places)) if self._is_formula(k)]

    def _is_formula(self, at: int) -> bool:
        """True for a place that stands for a number or an array, not for an index or an option."""
        places = self.written.places
        node = places[at].node
        if node.kind in ("keyword", "string", "slice", "none", "tuple", "list", "binder"):
            return False
        while (parent := places[at].parent) >= 0:
            above, slot = places[parent].node, places[at].slot
            if above.kind in ("keyword", "slice"):
                return False
            if above.kind in ("bracket", "compare") and self._about_letters(above):
                return False
            if above.kind == "subscript" and slot > 0:
                return False
            if above.kind == "call" and above.value in ("eye", "ones", "zeros"):
                return False
            if above.kind == "call" and above.value in ("reshape", "transpose") and slot > 0:
                return False
            at = parent
        return node.value not in DELTAS or node.kind != "name"

    def _about_letters(self, relation: Node) -> bool:
        """True for [i==k], False for [z[i] > 0]: only what is no position can be edited."""
        names = {n.value for n in walk(relation) if n.kind == "name"}
        return bool(self.written.indices) and names <= {*self.written.sizes, *DELTAS}

    def _whole_array(self, at: int) -> bool:
        """True for the W, x and b of (W @ x + b)[i], which have no letters of their own."""
        places = self.written.places
        while self.written.indices and (parent := places[at].parent) >= 0:
            if places[parent].node.kind == "subscript":
                return places[at].slot == 0 and np.ndim(places[at].value) > 0
            at = parent
        return False

    def _fillers_at(self, at: int) -> Sequence[Filler]:
        """What to try at a place: in an index formula, entries or whole arrays."""
        return self.arrays if self._whole_array(at) else self.pool

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

    def _asked(self, value: Any) -> bool:
        """True if the question itself holds a part of this value."""
        return any(
            f.origin == "question"
            and np.shape(f.value) == np.shape(value)
            and np.allclose(f.value, value)
            for f in self.pool
        )

    def _inside_function(self, at: int) -> bool:
        places = self.written.places
        while (at := places[at].parent) >= 0:
            node = places[at].node
            if node.kind == "call" and node.value in functions.ELEMENTWISE:
                return True
        return False

    def _named(self, size: int) -> str:
        names = [n for n, v in self.written.names.items() if isinstance(v, int) and v == size]
        return names[0] if names else ""

    def _size_name(self, letter: str) -> str:
        return self._named(self.written.sizes[letter])
