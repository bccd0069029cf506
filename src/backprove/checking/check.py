"""``check``: judge a claim about a derivative.

The claim is compared with the truth in the default layout, then in the layouts that the question
admits, then under one assumption more (a vector that sums to 1, a symmetric matrix). Only then is
it wrong, and the smallest edit that repairs it names the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from backprove.calculus import numeric
from backprove.calculus.derivation import allowed_effort
from backprove.checking.comparison import (
    Comparison,
    compare_numerically,
    kink_values_differ,
    level_of,
    prove_equal,
)
from backprove.checking.counting import with_other_count
from backprove.checking.equalities import (
    check_equality,
    entry_text,
    message_of,
    read_matrix_claim,
)
from backprove.checking.left_sides import refuse_single_entry, with_usual_left, with_usual_names
from backprove.checking.misfits import is_misfit, judge_misfit
from backprove.checking.mistakes import Mistake, find_mistake
from backprove.checking.question import Arrangement, Question
from backprove.checking.several_lines import judge_lines, split_lines
from backprove.checking.structure_claims import judge_shape, judge_structure
from backprove.checking.tidying import tidied_claim, with_left_side, without_modules
from backprove.checking.trial import printed
from backprove.checking.verdict import Verdict
from backprove.checking.vjp_claims import is_vjp, judge_vjp, read_vjp, upstream_in, upstream_of
from backprove.errors import InputError, NotationError, ShapeError, Span, Unsupported
from backprove.notation.axes import Size, shape_text
from backprove.notation.claims import Claim, classify_claim
from backprove.notation.effort import TooMuchEffort, bounded
from backprove.notation.expressions import Tensor
from backprove.notation.index_reader import read_index_formula
from backprove.notation.operations import Program
from backprove.notation.reading import through_latex
from backprove.notation.shapes import ShapeLike
from backprove.notation.syntax import deep_recursion

MAX_LENGTH = 6_000
"""Claims are written by hand; longer ones are no claims."""
MAX_EFFORT = 100_000
"""What judging may cost besides what the derivative may: published claims need at most 50,000."""


def check(
    f: Any,
    wrt: str,
    claim: str,
    shapes: Mapping[str, ShapeLike],
    *,
    order: int = 1,
    layout: str | None = None,
    domain: Mapping[str, str] | str | None = None,
    structured: bool = False,
) -> Verdict:
    """Judge a claim about the derivative of ``f`` by ``wrt``.

    Args:
        f: the expression, as :func:`backprove.derive` reads it.
        wrt: the symbol to differentiate by.
        claim: an index formula (``J[i,j] = ...``), a numpy-like or LaTeX expression for the
            Jacobian or the gradient, a shape (``n×d``), a VJP (``dW = G.T @ X``), an equality
            (``tanh(z) == 2*sigmoid(2*z) - 1``) or a structure (``diagonal``).
        shapes: the shape of each symbol.
        order: 1 for the Jacobian, 2 for the Hessian.
        layout: ``numerator`` or ``denominator``; without it either is accepted and named.
        domain: where symbols live.
        structured: judge by the symmetric-matrix convention.

    Returns:
        The verdict. ``proved`` is only said of a canonical-form or exact finite-field proof.

    Raises:
        NotationError, UnknownName, ShapeError: the claim or the expression cannot be read.

    >>> shapes = {"X": "n d", "W": "k d"}
    >>> check("X @ W.T", "W", "J[i,j,k,l] = X[i,l]*[j==k]", shapes).kind
    'right'
    >>> check("X @ W.T", "W", "J[i,j,k,l] = X[i,l]*[i==k]", shapes).mistake
    'wrong_delta'
    """
    if layout not in (None, "numerator", "denominator"):
        raise NotationError(f"layout is {layout!r}; expected numerator or denominator")
    for name, given in (("wrt", wrt), ("claim", claim)):
        if not isinstance(given, str):
            raise NotationError(f"{name} is {type(given).__name__}; expected text")
    if isinstance(domain, str):
        domain = dict.fromkeys(shapes, domain)
    if len(claim) > MAX_LENGTH:
        raise NotationError(
            f"the claim has {len(claim):,} characters; at most {MAX_LENGTH:,} are read",
            text=claim,
            span=Span(0, 1),
        )
    question = Question(f, wrt, shapes, order, layout, domain, structured)
    with deep_recursion():
        question.derivation  # noqa: B018 (it has a bound of its own)
        with _within_reason(claim, question.derivation.program):
            return _checked(question, claim)


@contextmanager
def _within_reason(claim: str, program: Program) -> Iterator[None]:
    """Bound the work of judging one claim.

    Raises:
        Unsupported: more work is needed, or the claim is nested too deep.
    """
    try:
        with bounded(MAX_EFFORT + allowed_effort(program)):
            yield
    except (TooMuchEffort, RecursionError):
        raise Unsupported(
            "the claim is too long or nested too deep to be judged",
            text=claim,
            span=Span(0, max(1, len(claim))),
            hint="Give inner parts a symbol of their own, or claim them apart.",
        ) from None


def _checked(question: Question, claim: str) -> Verdict:
    written, claim = claim, without_modules(claim, question.symbols)
    answer = split_lines(claim, question.symbols)
    if answer is not None:
        verdict = judge_lines(
            claim,
            answer,
            question.wrt,
            lambda symbol, line: _judged(replace(question, wrt=symbol), line),
        )
        verdict.claim = written
        return verdict
    refuse_single_entry(claim, question.wrt, question.symbols)
    claim = with_usual_left(claim, question.order)
    claim = with_usual_names(
        claim, question.wrt, question.symbols, lambda right: upstream_in(question, right)
    )
    read = classify_claim(claim, question.symbols)
    symbols = question.symbols

    def judge(plain: str) -> Verdict:
        return _judged(question, plain)

    if read.kind == "latex":
        symbols = {**question.symbols, **upstream_of(question, claim)}
        verdict = through_latex(claim, symbols, judge)
    else:
        verdict = judge(claim)
    verdict = with_other_count(claim, verdict, symbols, judge, read.kind == "latex")
    verdict.claim = written
    return verdict


def _judged(question: Question, claim: str) -> Verdict:
    """The verdict; a claim whose own sizes do not meet is wrong, not unreadable."""
    question.derivation  # noqa: B018 (what is wrong with the question is no fault of the claim)
    try:
        return _judge(question, claim)
    except ShapeError as error:
        if not is_misfit(error, claim):
            raise
        return judge_misfit(
            claim,
            error,
            lambda edited: _holds(question, edited),
            names=list(question.symbols),
            right=_right_form(question, claim),
        )


def _holds(question: Question, claim: str) -> bool:
    """Whether a claim about the derivative is right in the default layout."""
    read = classify_claim(claim, question.symbols)
    program = question.derivation.program
    if is_vjp(question, read):
        pulled = read_vjp(question, read)
        truth, tensor, extra = pulled.truth, pulled.tensor, (pulled.upstream,)
        if truth.shape != tensor.shape:
            return False
        return compare_numerically(program, truth, tensor, extra=extra).status == "equal"
    if read.kind not in ("index", "matrix", "expression"):
        return False
    default = question.arrangements()[:1]
    return any(_equal_in(program, a, t) for a, t in _readings(question, claim, read, default))


def _right_form(question: Question, claim: str) -> str | None:
    """The right derivative as a claim of the same kind, for claims that say nothing readable."""
    try:
        read = classify_claim(claim, question.symbols)
    except InputError:
        return None
    if is_vjp(question, read):
        return question.derivation.vjp
    if read.kind not in ("index", "matrix", "expression"):
        return None
    truth = question.arrangements()[0].tensor
    letters = re.findall(r"[^\W\d_]", read.left[read.left.find("[") :]) if "[" in read.left else []
    if read.kind == "index" and len(letters) == len(truth.axes):
        return with_left_side(printed(truth, letters), read.left)
    text = printed(truth, ())
    return with_left_side(text, (read.left.strip() or "J") if read.kind != "index" else "")


def _judge(question: Question, claim: str) -> Verdict:
    read = classify_claim(claim, question.symbols)
    if read.kind in ("path", "value"):
        raise NotationError(
            "a path or a value is a claim about a graph at given inputs",
            text=claim,
            span=read.right_span,
            hint="Claim it of a run: graph(f).run(x=1, ...).check(claim).",
        )
    if read.kind == "shape":
        return judge_shape(question, claim, read)
    if read.kind == "structure":
        return judge_structure(question, claim, read)
    if read.kind == "equality":
        return check_equality(claim, question.shapes, domain=question.domain)
    if is_vjp(question, read):
        return judge_vjp(question, claim, read)
    return _judge_formula(question, claim, read)


def _judge_formula(question: Question, claim: str, read: Claim) -> Verdict:
    arrangements = question.arrangements()
    named = read.left.strip() in ("grad", "gradient") and read.kind == "matrix"
    if named or (read.kind == "index" and not question.derivation.outputs):
        # A gradient has the shape of the input; only a Jacobian can stand in another layout.
        arrangements = [a for a in arrangements if not a.convention or "vector" in a.convention]
    fitting = _readings(question, claim, read, arrangements)
    program = question.derivation.program
    if not fitting:
        return _wrong_shape(question, claim, read)
    first: tuple[Arrangement, Tensor, Comparison] | None = None
    for arrangement, tensor in fitting:
        found = compare_numerically(program, arrangement.tensor, tensor)
        if first is None:
            first = (arrangement, tensor, found)
        if found.status == "equal":
            return _right(question, claim, arrangement, tensor, found)
    assert first is not None
    arrangement, tensor, found = first
    if found.status == "unknown":
        return Verdict("undecided", claim, f"Undecided: {found.reason}.", evidence=found.reason)
    mixed = question.other_layout()
    if mixed is not None and _equal_in(program, mixed, tensor):
        message = (
            f"The claim is written in {mixed.convention}, "
            f"but {question.layout} layout was asked for."
        )
        return Verdict(
            "wrong",
            claim,
            message,
            "measured",
            mistake="layout_mixed",
            counterexample=found.counterexample,
            fixed=_repaired(
                question,
                read,
                arrangement,
                None,
                _indices(question, claim, read, arrangement.tensor.shape),
            ),
        )
    assumed = _under_assumption(question, claim, read, tensor)
    if assumed is not None:
        return assumed
    return _wrong(question, claim, read, arrangement, tensor, found)


def _readings(
    question: Question, claim: str, read: Claim, arrangements: Sequence[Arrangement]
) -> list[tuple[Arrangement, Tensor]]:
    """The claim as a tensor in each arrangement in which it can be read and whose shape it has."""
    found: list[tuple[Arrangement, Tensor]] = []
    refused: InputError | None = None
    for arrangement in arrangements:
        if read.kind == "index" and len(arrangement.tensor.axes) > 2 and found:
            break  # with three indices or more the default reading stands, if it is possible
        try:
            tensor = _read(question, claim, read, arrangement.tensor.shape)
        except InputError as error:
            refused = refused or error
            continue
        if tensor.shape == arrangement.tensor.shape:
            found.append((arrangement, tensor))
    if not found and refused is not None:
        raise refused
    return found


def _read(question: Question, claim: str, read: Claim, expected: tuple[Size, ...] | None) -> Tensor:
    sizes = set(numeric.size_names(question.symbols))
    if read.kind == "index":
        formula = read_index_formula(claim, question.symbols, sizes=sizes, expected_axes=expected)
        return formula.tensor
    return read_matrix_claim(read, question.symbols, sizes)


def _indices(
    question: Question, claim: str, read: Claim, shape: tuple[Size, ...]
) -> tuple[str, ...]:
    """The names of the free indices of an index formula; none for array text."""
    if read.kind != "index":
        return ()
    return read_index_formula(claim, question.symbols, expected_axes=shape).indices


def _equal_in(program: Program, arrangement: Arrangement, tensor: Tensor) -> bool:
    if arrangement.tensor.shape != tensor.shape:
        return False
    return compare_numerically(program, arrangement.tensor, tensor).status == "equal"


def _right(
    question: Question, claim: str, arrangement: Arrangement, tensor: Tensor, found: Comparison
) -> Verdict:
    under = [arrangement.convention] if arrangement.convention else []
    proof = prove_equal(question.with_facts(arrangement.tensor), question.with_facts(tensor))
    program = question.derivation.program
    if found.undefined:
        under.append("the claim is only defined on a part of the domain")
    level, evidence = level_of(proof, found.points)
    if under:
        message = f"Right under: {'; '.join(under)}."
        return Verdict("right_under", claim, message, level, under, evidence=evidence)
    message = "Right."
    if kink_values_differ(program, arrangement.tensor, tensor):
        message = (
            "Right; at the kink, where no derivative exists, it takes another value than here."
        )
    return Verdict("right", claim, message, level, evidence=evidence)


def _under_assumption(
    question: Question, claim: str, read: Claim, tensor: Tensor
) -> Verdict | None:
    for name, _, changed in question.assumptions():
        if not question.may_agree(tensor, changed):
            continue
        held = _holds_under(changed, claim, read)
        if held is not None:
            verdict = _right(changed, claim, *held)
            verdict.kind, verdict.under = "right_under", [name, *verdict.under]
            verdict.message = f"Right under: {'; '.join(verdict.under)}."
            return verdict
    return None


def _holds_under(
    changed: Question, claim: str, read: Claim
) -> tuple[Arrangement, Tensor, Comparison] | None:
    if not changed.answerable():
        return None
    default = changed.arrangements()[0]
    for arrangement, tensor in _readings(changed, claim, read, [default]):
        found = compare_numerically(changed.derivation.program, arrangement.tensor, tensor)
        if found.status == "equal" and found.points > 1:
            return arrangement, tensor, found
    return None


def _assumed(question: Question, claim: str, read: Claim, tensor: Tensor) -> Mistake | None:
    """A fact that the claim used although it does not hold."""
    for name, mistake, changed in question.assumptions(declared=True):
        if question.may_agree(tensor, changed) and _holds_under(changed, claim, read) is not None:
            return Mistake(mistake, f"right only under: {name}", None)
    return None


def _wrong(
    question: Question,
    claim: str,
    read: Claim,
    arrangement: Arrangement,
    tensor: Tensor,
    found: Comparison,
) -> Verdict:
    shape = arrangement.tensor.shape
    indices = _indices(question, claim, read, shape)
    assumed = _assumed(question, claim, read, tensor)
    mistake = find_mistake(
        question.derivation.program,
        arrangement.tensor,
        tensor,
        text=claim,
        read=lambda text: _read(question, text, classify_claim(text, question.symbols), shape),
        indices=indices,
    )
    if assumed is not None and (mistake is None or mistake.name != "transposed"):
        # One transpose that repairs the claim is a smaller mistake than an assumption.
        mistake = replace(assumed, fixed=mistake.fixed if mistake else None)
    fixed = _repaired(question, read, arrangement, mistake, indices)
    return Verdict(
        "wrong",
        claim,
        message_of(mistake, found, fixed),
        "measured",
        mistake=mistake.name if mistake else None,
        where=mistake.where if mistake else entry_text(found),
        counterexample=found.counterexample,
        fixed=fixed,
        also=list(mistake.also) if mistake else [],
        evidence="The counterexample is one evaluation; anyone can repeat it.",
    )


def _repaired(
    question: Question,
    read: Claim,
    arrangement: Arrangement,
    mistake: Mistake | None,
    indices: Sequence[str],
) -> str | None:
    """The claim with the smallest change that makes it right, read again to be sure of it."""
    right = printed(arrangement.tensor, indices)
    for text in (mistake.fixed if mistake else None, right):
        if text is None:
            continue
        text = with_left_side(text, read.left)
        try:
            known = classify_claim(text, question.symbols)
            tensor = _read(question, text, known, arrangement.tensor.shape)
        except InputError:
            continue
        if _equal_in(question.derivation.program, arrangement, tensor):
            return tidied_claim(text, known, question.symbols)
    return right


def _wrong_shape(question: Question, claim: str, read: Claim) -> Verdict:
    truth = question.truth
    if read.kind == "index":
        needed = f"{len(truth.axes)} indices ({question.derivation.shape_statement})"
        message = f"Wrong: the derivative needs {needed}; '{read.left.strip()}' has another number."
    else:
        tensor = _read(question, claim, read, None)
        message = (
            f"Wrong: the claim has shape {shape_text(tensor.shape)}, "
            f"the derivative {question.derivation.shape_statement}."
        )
    fixed = printed(truth, ())
    if read.kind != "index":
        fixed = with_left_side(fixed, read.left.strip() or "J")
    return Verdict(
        "wrong", claim, message, "proved", mistake="wrong_shape", where="shape", fixed=fixed
    )
