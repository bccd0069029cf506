"""Wrong variants of a backward function, and which of them a test suite lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprove.checking.engine_mutants import node_form, tape_form
from backprove.checking.layer_mutants import layer_form
from backprove.checking.mutants import Form
from backprove.errors import InputError
from backprove.results import Block, Evidence, Result, Table, Text

Suite = Callable[[Callable[..., Any]], Any]


@dataclass(frozen=True)
class Tried:
    """A mutant after the suite has seen it.

    Attributes:
        name: a word for what is wrong, such as ``overwrite``.
        text: what is wrong, in a sentence.
        caught: whether the suite refused it.
        by: the test that refused it and what it said.
        smallest: the smallest case found at which it differs from the reference; empty if none of
            those that were tried shows a difference.
    """

    name: str
    text: str
    caught: bool
    by: str
    smallest: str

    def to_dict(self) -> dict[str, Any]:
        """The mutant as JSON-ready data."""
        return {
            "name": self.name,
            "text": self.text,
            "caught": self.caught,
            "by": self.by,
            "smallest": self.smallest,
        }


@dataclass
class MutationReport(Result):
    """Which wrong backward rules a test suite lets through.

    Attributes:
        reference: what the reference is called.
        tried: all mutants, those that no case tells from the reference included.
        cases: how many small cases were searched for each.
    """

    reference: str
    tried: list[Tried] = field(default_factory=list)
    cases: int = 0

    @property
    def survivors(self) -> list[Tried]:
        """The wrong rules that the suite lets through."""
        return [t for t in self.tried if not t.caught and t.smallest]

    @property
    def killed(self) -> list[Tried]:
        """The wrong rules that the suite refuses."""
        return [t for t in self.tried if t.caught]

    @property
    def equivalent(self) -> list[Tried]:
        """The rules that neither the suite nor any small case tells from the reference."""
        return [t for t in self.tried if not t.caught and not t.smallest]

    def blocks(self) -> list[Block]:
        total = len(self.survivors) + len(self.killed)
        found: list[Block] = []
        if self.survivors:
            found.append(
                Text(
                    f"The suite lets {len(self.survivors)} of {total} wrong variants of "
                    f"{self.reference} through."
                )
            )
            for each in self.survivors:
                found.append(Text(f"`{each.name}`: {each.text}. It is caught by {each.smallest}"))
        else:
            found.append(Text(f"The suite refuses all {total} wrong variants of {self.reference}."))
        if self.killed:
            rows = [(t.name, t.by) for t in self.killed]
            found.append(Table(("refused", "by"), rows, "wrong variants that are caught"))
        if self.equivalent:
            names = ", ".join(f"`{t.name}`" for t in self.equivalent)
            found.append(Text(f"No small case tells these from the reference: {names}."))
        evidence = (
            f"Each variant was run by the suite, and beside the reference on up to {self.cases:,} "
            "cases of growing size; the case named is the first that differs."
        )
        return [*found, Evidence("measured", evidence)]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "mutation",
            "reference": self.reference,
            "survivors": [t.to_dict() for t in self.survivors],
            "killed": [t.to_dict() for t in self.killed],
            "equivalent": [t.to_dict() for t in self.equivalent],
            "cases": self.cases,
        }


def mutate(
    reference: Callable[..., Any],
    suite: Suite | Iterable[Suite],
    *example: Any,
    leaf: Callable[[float], Any] | None = None,
    seed: int = 0,
) -> MutationReport:
    """Try the usual wrong backward rules, and list those that a test suite lets through.

    There are three forms of a reference:

    - ``backward(g, *inputs)`` of a layer, with ``example``, one call that works: ``g`` first.
      Choose sizes that are all different, so that it is seen which ones belong together.
    - ``backward(root)`` of an engine with node objects, with ``leaf``, which makes a node from a
      number. Nodes have ``grad``, their operands as ``_prev`` (or ``parents``, ``inputs``) and
      ``_backward``, a function that adds to the gradients of the operands; ``+``, ``*`` and, if
      there is one, the method ``tanh`` make new nodes.
    - ``backward(tape)``, with neither: a tape is a tuple of :class:`Step`, operands before what
      uses them and the output last; one gradient per step is returned.

    Args:
        reference: a right backward function.
        suite: a function that is given a backward function and tests it: it raises or returns
            False if a test fails. A verdict, such as that of ``check_vjp``, is understood. Or
            several such functions.
        example: arguments of one call, for a layer.
        leaf: makes a node from a number, for an engine.
        seed: the seed of the small cases for layers.

    Returns:
        The survivors, each with the smallest case that would catch it, and the others.

    Raises:
        InputError: the suite refuses the reference itself, or the reference does not have one of
            the forms above.

    The idea is that of mutation testing (DeMillo, Lipton and Sayward, Hints on test data
    selection, 1978), with mistakes in backward rules as the mutations.

    >>> import numpy as np
    >>> def backward(g, x, w):
    ...     return g @ w.T, x.T @ g
    >>> def suite(backward):  # a square and symmetric w, and a batch of one
    ...     dx, dw = backward(np.ones((1, 2)), np.ones((1, 2)), np.eye(2))
    ...     assert np.allclose(dx, 1) and np.allclose(dw, 1)
    >>> report = mutate(backward, suite, np.ones((5, 2)), np.ones((5, 3)), np.ones((3, 2)))
    >>> [t.name for t in report.survivors][:2]
    ['transposed w', 'gradient of x transposed']
    """
    if not callable(reference):
        raise InputError(
            f"A backward function was expected, and {type(reference).__name__} was given."
        )
    suites = [suite] if callable(suite) else list(suite)
    if not suites or not all(callable(each) for each in suites):
        raise InputError(
            "The suite is no function.",
            hint="Write def suite(backward): ... with assertions on what backward returns.",
        )
    if example and leaf is not None:
        raise InputError(
            "Both an example call and leaf were given.",
            hint="Give the example for a layer, leaf for an engine of node objects.",
        )
    form = _form(reference, example, leaf, seed)
    refused = _refusal(suites, reference)
    if refused:
        raise InputError(
            f"The suite refuses the reference itself: {refused}",
            hint="Give a reference that passes, then its wrong variants are tried.",
        )
    smallest = form.smallest()
    tried = []
    for mutant in form.mutants:
        said = _refusal(suites, mutant.make())
        tried.append(
            Tried(mutant.name, mutant.text, bool(said), said, smallest.get(mutant.name, ""))
        )
    title = getattr(reference, "__name__", type(reference).__name__)
    return MutationReport(title, tried, form.cases)


def _form(
    reference: Callable[..., Any],
    example: Sequence[Any],
    leaf: Callable[[float], Any] | None,
    seed: int,
) -> Form:
    if example:
        return layer_form(reference, example, seed)
    return tape_form(reference) if leaf is None else node_form(reference, leaf)


def _refusal(suites: Sequence[Suite], backward: Callable[..., Any]) -> str:
    """The first test that fails and what it says; empty if all pass."""
    for suite in suites:
        name = getattr(suite, "__name__", type(suite).__name__)
        try:
            with np.errstate(all="ignore"):
                answer = suite(backward)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # pytest's own failures are no Exception
            if type(error).__name__ == "Skipped":
                continue
            said = str(error).strip().splitlines()
            return f"{name}: {type(error).__name__}{': ' + said[0][:80] if said else ''}"
        accepted = getattr(answer, "accepted", answer)
        if accepted is not None and not accepted:
            said = str(getattr(answer, "message", "returns False"))
            return f"{name}: {said[:120]}"
    return ""
