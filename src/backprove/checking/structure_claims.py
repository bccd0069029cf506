"""Claims about the form of a derivative: its shape, and words such as ``diagonal``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backprove.calculus import numeric
from backprove.checking.matrix_samples import Answer, Form
from backprove.checking.question import Question
from backprove.checking.structure_forms import judge_form
from backprove.checking.verdict import Counterexample, Verdict
from backprove.errors import Span, UnknownName
from backprove.notation.axes import Size, shape_text
from backprove.notation.claims import Claim
from backprove.notation.evaluation import Evaluator
from backprove.notation.structure_words import structure_phrase


def judge_shape(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on a shape such as ``n×k×k×d``."""
    given = read.shape or ()
    unknown_size(question, claim, given, read.right_span.start)
    derivation = question.derivation
    shape = derivation.shape
    accepted: list[tuple[tuple[Size, ...], str]] = [(shape, "")]
    accepted += [(a.tensor.shape, a.convention) for a in question.arrangements()]
    accepted = [(s, "" if c == "row vector" else c) for s, c in accepted]
    for candidate, convention in accepted:
        if given == candidate:
            if convention:
                return Verdict(
                    "right_under", claim, f"Right under: {convention}.", "proved", [convention],
                    evidence="The shape follows from the shapes of output and input.",
                )  # fmt: skip
            return Verdict(
                "right", claim, "Right.", "proved",
                evidence="The shape follows from the shapes of output and input.",
            )  # fmt: skip
    message = f"Wrong: the shape is {derivation.shape_statement}, not {shape_text(given)}."
    return Verdict(
        "wrong", claim, message, "proved", mistake="wrong_shape", where="shape",
        fixed=shape_text(shape) if len(shape) != 1 else f"({shape[0]},)",
    )  # fmt: skip


def judge_structure(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on words such as ``diagonal``, ``not diagonal`` or ``identity + rank 1``."""
    assert read.phrase is not None
    form = Form(question)
    _known_sizes(question, claim, read)
    answer = judge_form(form, read.phrase)
    level = "proved" if answer.proved else "measured"
    reason = answer.reason
    if answer.holds is None:
        because = f": {reason}" if reason else ""
        return Verdict("undecided", claim, f"Undecided{because}.")
    if answer.holds and answer.under and not read.negated:
        message = f"Right under: {answer.under}. {_sentence(reason)}"
        return Verdict("right_under", claim, message, level, [answer.under], evidence=reason)
    if answer.holds == (not read.negated):
        if read.negated or not reason:
            reason = form.question.derivation.structure.reason if answer.proved else reason
        message = f"Right. {_sentence(reason)}".strip()
        return Verdict("right", claim, message, level, evidence=reason)
    kind = _kind(form)
    said = f"Wrong: {'the derivative is ' + read.word if read.negated else reason}."
    message = f"{said} The derivative is {kind}." if kind and not read.negated else said
    fixed = read.word if read.negated else kind or f"not {read.word}"
    return Verdict(
        "wrong",
        claim,
        message,
        level,
        mistake="wrong_structure",
        where=read.word,
        fixed=fixed,
        counterexample=_counterexample(form, answer),
    )


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if not text or text.endswith(".") else f"{text}."


def _kind(form: Form) -> str:
    """The structure that the derivation found, if it is one that a claim can state and holds."""
    phrase = structure_phrase(form.kind)
    if phrase is None or not judge_form(form, phrase).holds:
        return ""
    return phrase.word


def _counterexample(form: Form, answer: Answer) -> Counterexample | None:
    if answer.at is None or answer.entry is None:
        return None
    inputs = {a.name: v for a, v in answer.at.inputs.items()}
    value = Evaluator(answer.at.values, answer.at.sizes).tensor(form.truth)
    return Counterexample(inputs, answer.entry, float(value[answer.entry]), answer.given)


def _known_sizes(question: Question, claim: str, read: Claim) -> None:
    phrase = read.phrase
    assert phrase is not None
    stated = [*phrase.rank, *phrase.blocks, *([phrase.count] if phrase.count else [])]
    unknown_size(question, claim, stated, read.right_span.start)


def unknown_size(question: Question, claim: str, stated: Sequence[Size], begin: int) -> None:
    """Refuse a size that no symbol has.

    Raises:
        UnknownName: at the place of the name.
    """
    known = set(numeric.size_names(question.symbols))
    for size in stated:
        for name in sorted(size.names() - known):
            found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", claim[begin:])
            start = begin + found.start() if found else 0
            raise UnknownName(
                f"no symbol has the size '{name}'",
                text=claim,
                span=Span(start, start + len(name)),
                hint=f"The sizes are {', '.join(sorted(known)) or 'numbers'}; "
                "structures are words such as diagonal, symmetric, rank 1.",
            )
