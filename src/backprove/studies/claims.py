"""What people say about a study, read into the comparisons that it is about.

The grammar is that of :data:`GRAMMAR`; a claim ends with ``on dev|test`` and
``at FACTOR=LEVEL, ...``, both of which may be left out, and may begin with the name of a study in
brackets and with ``not``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast

from backprove.errors import InputError, SetupError, Span
from backprove.studies.comparisons import Part
from backprove.studies.factors import FACTORS
from backprove.studies.outcomes import SEVERITY, Outcome

Kind = Literal["better", "equivalent", "ordered", "gap", "outcome", "confounded", "compare"]

GRAMMAR = (
    "FACTOR LEVEL better than LEVEL",
    "FACTOR LEVEL worse than LEVEL",
    "FACTOR LEVEL equivalent to LEVEL",
    "FACTOR ranked LEVEL > LEVEL > LEVEL",
    "FACTOR all equivalent",
    "FACTOR smaller|larger better",
    "FACTOR LEVEL overfits less|more than LEVEL",
    f"FACTOR LEVEL [some] {'|'.join(SEVERITY)}",
    "FACTOR confounded with FACTOR",
)
"""The forms of a claim about a study."""


@dataclass(frozen=True)
class Level:
    """A value of a factor, with its place in the claim."""

    value: Any
    span: Span


@dataclass(frozen=True)
class Claim:
    """A claim about a study.

    Args:
        text: as it was written.
        kind: what is claimed.
        factor: the factor that it is about.
        factor_span: where the factor stands.
        levels: its values; the first is claimed to be better than the second, and so on. Of
            ``gap`` the first overfits less.
        study: name of the study; empty if none is named.
        study_span: where the name stands.
        negated: whether ``not`` stands before it.
        part: the examples of the comparison.
        part_span: where the part stands, if it is written.
        at: values that other factors must have.
        ascending: of ``ordered`` claims, whether larger values are claimed to be better.
        outcome: of ``outcome`` claims, how the runs are said to end.
        some: of ``outcome`` claims, whether one run is enough.
        other: of ``confounded`` claims, the other factor.
    """

    text: str
    kind: Kind
    factor: str
    factor_span: Span
    levels: tuple[Level, ...] = ()
    study: str = ""
    study_span: Span | None = None
    negated: bool = False
    part: Part = "dev"
    part_span: Span | None = None
    at: tuple[tuple[str, Level], ...] = ()
    ascending: bool = False
    outcome: Outcome = "learned"
    some: bool = False
    other: str = ""

    def error(self, message: str, span: Span | None = None, hint: str = "") -> InputError:
        """An error that points into the claim."""
        whole = Span(0, max(1, len(self.text)))
        return InputError(message, text=self.text, span=span or whole, hint=hint)


def read_claim(text: str) -> Claim:
    """Read a claim about a study.

    Args:
        text: in one of the forms of :data:`GRAMMAR`.

    Returns:
        The claim.

    Raises:
        InputError: it has none of the forms, or names no factor, level or outcome.

    >>> read_claim("hidden 512x3 better than none at lr=0.01").at[0][1].value
    0.01
    """
    return _Reader(text).claim()


def read_comparison(text: str) -> Claim:
    """Read what is to be compared: ``FACTOR LEVEL with LEVEL [on dev|test] [at ...]``.

    Raises:
        InputError: it has another form.

    >>> [level.value for level in read_comparison("hidden none with 512x3").levels]
    ['none', '512x3']
    """
    return _Reader(text).comparison()


@dataclass(frozen=True)
class _Token:
    text: str
    span: Span


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            _Token(found.group(), Span(found.start(), found.end()))
            for found in re.finditer(r"\[[^\]]*\]|[,>=]|[^\s,>=]+", text)
        ]
        self.next = 0

    def claim(self) -> Claim:
        head = self._head()
        negated = self._accept("not") is not None
        factor, at = self._factor()
        said = self._said(factor)
        return Claim(
            self.text,
            factor=factor,
            factor_span=at,
            negated=negated,
            **head,
            **said,
            **self._tail(),
        )

    def comparison(self) -> Claim:
        head = self._head()
        factor, at = self._factor()
        first = self._level(factor)
        self._expect("with")
        levels = (first, self._other_level(factor, first))
        return Claim(
            self.text, "compare", factor, at, levels, **head, **self._tail()
        )  # fmt: skip

    def _said(self, factor: str) -> dict[str, Any]:
        if self._accept("ranked"):
            return {"kind": "better", "levels": self._ranking(factor)}
        if self._accept("all"):
            self._expect("equivalent")
            return {"kind": "equivalent"}
        if word := self._accept("smaller", "larger"):
            self._expect("better")
            self._refuse_words(factor, word)
            return {"kind": "ordered", "ascending": word.text == "larger"}
        if self._accept("confounded"):
            self._expect("with")
            return {"kind": "confounded", "other": self._factor()[0]}
        level = self._level(factor)
        return self._said_of(factor, level)

    def _said_of(self, factor: str, level: Level) -> dict[str, Any]:
        some = self._accept("some") is not None
        word = self._expect(*SEVERITY, *(() if some else ("better", "worse", "equivalent",
                                                          "overfits", "some")))  # fmt: skip
        if word.text in SEVERITY:
            outcome = cast(Outcome, word.text)
            return {"kind": "outcome", "levels": (level,), "outcome": outcome, "some": some}
        if word.text == "equivalent":
            self._expect("to")
            return {"kind": "equivalent", "levels": (level, self._other_level(factor, level))}
        forward = word.text == "better"
        if word.text == "overfits":
            forward = self._expect("less", "more").text == "less"
        self._expect("than")
        other = self._other_level(factor, level)
        levels = (level, other) if forward else (other, level)
        return {"kind": "gap" if word.text == "overfits" else "better", "levels": levels}

    def _ranking(self, factor: str) -> tuple[Level, ...]:
        levels = [self._level(factor)]
        while self._accept(">"):
            level = self._level(factor)
            if any(level.value == earlier.value for earlier in levels):
                raise self._error("the ranking names this level twice", level.span)
            levels.append(level)
        if len(levels) < 2:
            raise self._error("a ranking needs at least two levels", hint="ranked A > B > C")
        return tuple(levels)

    def _head(self) -> dict[str, Any]:
        token = self._peek()
        if token is None or not token.text.startswith("["):
            return {}
        self.next += 1
        return {"study": token.text.strip("[] "), "study_span": token.span}

    def _tail(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while word := self._accept("on", "at"):
            if word.text == "on":
                part = self._expect("dev", "test")
                twice, found["part"], found["part_span"] = "part" in found, part.text, part.span
            else:
                twice, found["at"] = "at" in found, self._fixed()
            if twice:
                raise self._error(f"'{word.text}' is given twice", word.span, "Keep one of them.")
        if token := self._peek():
            hint = f"What is expected here: on dev|test, at FACTOR=LEVEL. {_forms()}"
            raise self._error(f"'{token.text}' is not expected here", token.span, hint)
        return found

    def _fixed(self) -> tuple[tuple[str, Level], ...]:
        found: list[tuple[str, Level]] = []
        while True:
            factor, span = self._factor()
            if factor in dict(found):
                raise self._error(f"'{factor}' is fixed twice", span, "Keep one of them.")
            self._expect("=")
            found.append((factor, self._level(factor)))
            if not self._accept(","):
                return tuple(found)

    def _factor(self) -> tuple[str, Span]:
        token = self._take("the name of a factor")
        name = token.text.replace("-", "_")
        if name not in FACTORS:
            close = get_close_matches(name, list(FACTORS), n=1)
            meant = f"Is '{close[0]}' meant? " if close else ""
            hint = f"{meant}Factors: {', '.join(FACTORS)}."
            raise self._error(f"'{token.text[:40]}' is no factor of a study", token.span, hint)
        return name, token.span

    def _level(self, factor: str) -> Level:
        token = self._take(f"a level of {factor}")
        try:
            return Level(FACTORS[factor].read(token.text), token.span)
        except SetupError as error:
            raise self._error(error.message, token.span, error.hint) from None

    def _other_level(self, factor: str, first: Level) -> Level:
        second = self._level(factor)
        if second.value == first.value:
            raise self._error(f"{factor} is compared with itself", second.span)
        return second

    def _refuse_words(self, factor: str, word: _Token) -> None:
        default = FACTORS[factor].read(FACTORS[factor].default.split(",")[0])
        if isinstance(default, bool) or not isinstance(default, int | float):
            hint = f"Rank the levels: {factor} ranked LEVEL > LEVEL."
            raise self._error(f"the levels of {factor} are no numbers", word.span, hint)

    def _peek(self) -> _Token | None:
        return self.tokens[self.next] if self.next < len(self.tokens) else None

    def _take(self, what: str) -> _Token:
        token = self._peek()
        if token is None:
            raise self._error(f"{what} is missing", self._end(), _forms())
        self.next += 1
        return token

    def _accept(self, *words: str) -> _Token | None:
        token = self._peek()
        if token is None or token.text not in words:
            return None
        self.next += 1
        return token

    def _expect(self, *words: str) -> _Token:
        token = self._take(f"'{words[0]}'" if len(words) == 1 else f"one of {', '.join(words)}")
        if token.text not in words:
            close = get_close_matches(token.text.replace("-", "_"), words, n=1)
            meant = f"Is '{close[0]}' meant? " if close else ""
            expected = f"'{words[0]}'" if len(words) == 1 else f"one of {', '.join(words)}"
            raise self._error(
                f"expected {expected}, found '{token.text[:40]}'", token.span, meant + _forms()
            )
        return token

    def _end(self) -> Span:
        end = len(self.text.rstrip())
        return Span(max(0, end - 1), max(1, end))

    def _error(self, message: str, span: Span | None = None, hint: str = "") -> InputError:
        return InputError(message, text=self.text, span=span or self._end(), hint=hint)


def _forms() -> str:
    return f"Forms: {'; '.join(GRAMMAR)}."
