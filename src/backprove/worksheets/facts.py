"""Claims about the facts that a theorem names: ``stays_equal``, ``not learns_xor``, ``p = 1/2``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Protocol

from backprove.checking import Verdict, check_equality
from backprove.results import Level
from backprove.worksheets.session import Reproduction, Session, Subject
from backprove.worksheets.session import Verdict as AnyVerdict
from backprove.worksheets.source import Piece

Value = bool | float | str | Fraction | list

_CLAIM = re.compile(r"(?P<not>not\s+)?(?P<name>[A-Za-z]\w*)\s*(?:==?|≈)?\s*(?P<value>.*)", re.S)
_NUMBER = re.compile(r"[-+−]?\d+(?:\.(?P<decimals>\d*))?(?:[eE][-+]?\d+)?(?:\s*/\s*\d+)?")


class FactLike(Protocol):
    """What a claim needs to know of a fact."""

    @property
    def value(self) -> Any: ...
    @property
    def level(self) -> Level: ...
    @property
    def text(self) -> str: ...
    @property
    def shapes(self) -> Mapping[str, str]: ...


class HasFacts(Protocol):
    """A theorem, a representation, or the run of given weights."""

    @property
    def facts(self) -> Mapping[str, Any]: ...


def check_fact(result: HasFacts, claim: str) -> Verdict:
    """The verdict on a claim about the facts that a result names.

    Args:
        result: what ``bp.prove``, ``bp.experiment`` or ``bp.represent`` gave.
        claim: the name of a fact, with its value where it is not just true or false.

    Raises:
        WorksheetError: the result has no such fact, or the value cannot be read.

    >>> import backprove as bp
    >>> check_fact(bp.represent("xor", network="relu(1)"), "accuracy = 3/4").kind
    'right'
    """
    return _judged(Piece.of(claim), result.facts)


@dataclass
class FactsSubject(Subject):
    """Claims about named facts.

    Args:
        asked: all that the facts depend on, as JSON-ready data.
        find: gives the facts when they are first needed.
        reproduce: how to get them, with claims about them.
    """

    asked: Any
    find: Callable[[], Mapping[str, FactLike]]
    reproduce: Callable[[Sequence[str]], Reproduction]
    _facts: Mapping[str, FactLike] | None = None

    @property
    def facts(self) -> Mapping[str, FactLike]:
        """The facts by name."""
        if self._facts is None:
            self._facts = self.find()
        return self._facts

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> AnyVerdict:
        for name, piece in options.items():
            raise piece.error(f"'{name}' does not apply to a claim about a theorem")
        with session.locating(claim):
            return _judged(claim, self.facts)

    def key(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Any:
        return ["fact", self.asked, claim.text]

    def reproduction(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> Reproduction:
        return self.reproduce([claim.text])


def _judged(claim: Piece, facts: Mapping[str, FactLike]) -> Verdict:
    found = _CLAIM.fullmatch(claim.text.strip())
    name = found["name"] if found else claim.text
    fact = facts.get(name)
    if found is None or fact is None:
        close = get_close_matches(name, list(facts), n=1)
        meant = f"Is '{close[0]}' meant? " if close else ""
        raise claim.error(
            f"the answer above has no fact '{name[:40]}'",
            f"{meant}Its facts: {', '.join(facts)}."
            if facts
            else "It names none; a claim stands below 'prove', 'symmetry' or 'represent'.",
        )
    if isinstance(fact.value, bool):
        return _judged_truth(claim, fact, found["not"] is None, found["value"])
    if not found["value"] or found["not"]:
        raise claim.error(f"'{name}' is no statement that is true or false", f"Write {name} = ...")
    if isinstance(fact.value, str):
        return _judged_formula(claim, fact, found["value"])
    return _judged_number(claim, fact, found["value"])


def _judged_truth(claim: Piece, fact: FactLike, positive: bool, value: str) -> Verdict:
    word = value.strip().lower()
    if word not in ("", "true", "false"):
        raise claim.error("the fact is true or false", "Write its name, or 'not' before it.")
    said = positive == (word != "false")
    if fact.level == "advisory":
        return Verdict(
            "undecided",
            claim.text,
            f"This is no theorem and no measurement, but a rule of thumb: {fact.text} "
            f"({'yes' if fact.value else 'no'}).",
        )
    right = said == fact.value
    truth = "holds" if fact.value else "does not hold"
    return _verdict(claim, right, f"it {truth} that {fact.text}", fact.level)


def _judged_formula(claim: Piece, fact: FactLike, value: str) -> Verdict:
    judged = check_equality(f"{fact.value} == {value}", dict(fact.shapes))
    if judged.kind == "undecided":
        return judged
    return _verdict(
        claim, judged.kind == "right", f"{fact.text}: {fact.value}", judged.level, fact.value
    )


def _judged_number(claim: Piece, fact: FactLike, value: str) -> Verdict:
    if isinstance(fact.value, list):
        given = exact_numbers(claim, value)
        return _verdict(claim, given == fact.value, f"{fact.text}: {fact.value}", fact.level)
    found = _NUMBER.fullmatch(value.strip())
    if found is None:
        raise claim.error("expected a number", "Numbers look like 3, 0.25, 1/4 or 6.65e-3.")
    text = value.replace("−", "-").replace(" ", "")
    exact = Fraction(text)
    truth = Fraction(fact.value)
    right = exact == truth
    if not right and "/" not in text:
        mantissa, _, power = text.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        unit = Fraction(10) ** (int(power or 0) - decimals)
        # Whole numbers are meant exactly; decimals are rounded to those that are written.
        right = bool(decimals or power) and abs(exact - truth) < unit / 2
    return _verdict(claim, right, f"{fact.text}: {_shown(fact.value)}", fact.level)


def exact_numbers(claim: Piece, text: str) -> Any:
    """A number or nested lists of numbers, exactly.

    Raises:
        WorksheetError: it is neither.

    >>> exact_numbers(Piece.of("[[1, 1/2]]"), "[[1, 1/2]]")
    [[Fraction(1, 1), Fraction(1, 2)]]
    """
    parts = re.findall(r"[\[\]()]|[-+−]?\d+(?:\.\d+)?(?:/\d+)?|\S", text.replace(",", " "))
    stack: list[list[Any]] = [[]]
    for part in parts:
        if part in "[(":
            stack.append([])
        elif part in "])" and len(stack) > 1:
            last = stack.pop()
            stack[-1].append(last)
        elif re.match(r"[-+−]?\d", part):
            stack[-1].append(Fraction(part.replace("−", "-")))
        else:
            raise claim.error(f"'{part}' stands in no list of numbers")
    if len(stack) != 1 or len(stack[0]) != 1:
        raise claim.error("the brackets of the list do not match", "For example [[0, 0], [1, 0]].")
    return stack[0][0]


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Fraction) else f"{value:.6g}"


def _verdict(
    claim: Piece, right: bool, said: str, level: Level | None, fixed: str | None = None
) -> Verdict:
    message = f"{'Right' if right else 'Wrong'}: {said}."
    return Verdict(
        "right" if right else "wrong",
        claim.text,
        message,
        level,
        mistake=None if right else "wrong_value",
        fixed=None if right else fixed,
    )
