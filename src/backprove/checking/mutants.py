"""What a mutant of a backward function is, whatever form the function has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """A wrong variant of a backward function.

    Attributes:
        name: a few words, unique among the mutants of a reference.
        text: what is wrong, as a clause.
        make: makes the variant; one that keeps something between calls starts afresh.
    """

    name: str
    text: str
    make: Callable[[], Callable[..., Any]]


@dataclass
class Form:
    """The mutants of a reference, and the search for what tells them from it.

    Attributes:
        mutants: the mutants.
        search: gives the smallest case for each mutant that some case tells from the reference,
            and the number of cases that there are.
        cases: how many cases there are; known after the search.
    """

    mutants: list[Mutant]
    search: Callable[[list[Mutant]], tuple[dict[str, str], int]]
    cases: int = field(default=0)

    def smallest(self) -> dict[str, str]:
        """The smallest case for each mutant, by its name."""
        found, self.cases = self.search(self.mutants)
        return found
