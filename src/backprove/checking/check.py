"""``check``: judge a claim about a derivative.

The claim is compared with the truth in the default layout, then in the layouts that the question
admits, then under one assumption more (a vector that sums to 1, a symmetric matrix). Only then is
it wrong, and the smallest edit that repairs it names the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backprove.calculus import numeric
from backprove.checking.comparison import (
    Comparison,
    compare_numerically,
    kink_values_differ,
    prove_equal,
)
from backprove.checking.misfits import is_misfit, judge_misfit
from backprove.checking.mistakes import Mistake, find_mistake
from backprove.checking.question import Arrangement, Question
from backprove.checking.structures import IMPLIED_BY
from backprove.checking.tidying import tidied_claim, with_left_side
from backprove.checking.trial import printed
from backprove.checking.verdict import Verdict
from backprove.checking.wording import sentence
from backprove.errors import InputError, NotationError, ShapeError
from backprove.notation import building as b
from backprove.notation.axes import Size, shape_text
from backprove.notation.claims import Claim, classify_claim
from backprove.notation.definitions import only
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array, Ref, Tensor
from backprove.notation.index_reader import read_index_formula
from backprove.notation.lowering import lower
from backprove.notation.operations import Program
from backprove.notation.reading import through_latex
from backprove.notation.shapes import ShapeLike, declare


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
    if isinstance(domain, str):
        domain = dict.fromkeys(shapes, domain)
    question = Question(f, wrt, shapes, order, layout, domain, structured)
    read = classify_claim(claim, question.symbols)
    if read.kind == "latex":
        symbols = {**question.symbols, **_upstream(question, claim)}
        verdict = through_latex(claim, symbols, lambda plain: _judged(question, plain))
        verdict.claim = claim
        return verdict
    return _judged(question, claim)


def _judged(question: Question, claim: str) -> Verdict:
    """The verdict; a claim whose own sizes do not meet is wrong, not unreadable."""
    question.derivation  # noqa: B018 (what is wrong with the question is no fault of the claim)
    try:
        return _judge(question, claim)
    except ShapeError as error:
        if not is_misfit(error, claim):
            raise
        return judge_misfit(claim, error, lambda edited: _judge(question, edited))


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
        return _judge_shape(question, claim, read)
    if read.kind == "structure":
        return _judge_structure(question, claim, read)
    if read.kind == "equality":
        return check_equality(claim, question.shapes, domain=question.domain)
    if read.kind == "vjp":
        return _judge_vjp(question, claim, read)
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


def read_matrix_claim(read: Claim, symbols: Mapping[str, Array], sizes: set[str]) -> Tensor:
    """The right side of a numpy-like claim as a tensor, its definitions written out.

    Raises:
        NotationError, UnknownName, ShapeError: with the position in the claim.
    """
    return _lowered(read.right, read, symbols, sizes)


def _lowered(text: str, read: Claim, symbols: Mapping[str, Array], sizes: set[str]) -> Tensor:
    known, stands_for = dict(symbols), {}
    for name, span in read.definitions:
        tensor = lower(only(read.text, span), known, sizes=sizes).tensor()
        known[name] = Array(name, tensor.shape)
        stands_for[known[name]] = Tensor(tensor.axes, b.inline(tensor.body, stands_for))
    tensor = lower(text, known, sizes=sizes).tensor()
    return Tensor(tensor.axes, b.inline(tensor.body, stands_for))


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
    evidence = (
        f"{proof.method}, {proof.scope}" if proof else f"agreement at {found.points} random points"
    )
    level = "proved" if proof else "measured"
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
        _message(mistake, found, fixed),
        "measured",
        mistake=mistake.name if mistake else None,
        where=mistake.where if mistake else _entry_text(found),
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


def _message(mistake: Mistake | None, found: Comparison, fixed: str | None) -> str:
    example = found.counterexample
    assert example is not None
    entry = f"entry {list(example.entry)}" if example.entry else "the value"
    numbers = (
        f"At a random point {entry} is {example.expected:.6g}, the claim gives {example.given:.6g}."
    )
    return f"{sentence(mistake, fixed) if mistake else 'Wrong.'} {numbers}"


def _entry_text(found: Comparison) -> str | None:
    return f"entry {list(found.counterexample.entry)}" if found.counterexample else None


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


def _judge_shape(question: Question, claim: str, read: Claim) -> Verdict:
    given = read.shape or ()
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
        "wrong", claim, message, "proved", mistake="wrong_shape", fixed=shape_text(shape)
    )


def _judge_structure(question: Question, claim: str, read: Claim) -> Verdict:
    found = question.derivation.structure
    wanted = read.word
    if read.negated:
        return _judge_not(question, claim, read)
    kinds = IMPLIED_BY.get(wanted)
    if wanted == "symmetric":
        return _judge_symmetric(question, claim)
    if (kinds is not None and found.kind in kinds) or found.kind.lower() == wanted:
        return Verdict("right", claim, f"Right. {found.reason}", "proved", evidence=found.reason)
    if kinds is None or found.kind == "dense" or found.kind == "sparse":
        if wanted == "diagonal":
            counter = _off_diagonal(question)
            if counter is not None:
                return Verdict("wrong", claim, counter, "measured", mistake="wrong_structure")
        return Verdict(
            "undecided", claim, f"Undecided: the structure found is {found.kind}; {found.reason}"
        )
    message = f"Wrong: the derivative is {found.kind}. {found.reason}"
    return Verdict("wrong", claim, message, "proved", mistake="wrong_structure", fixed=found.kind)


def _judge_not(question: Question, claim: str, read: Claim) -> Verdict:
    """A claim such as ``not diagonal``: right where the plain claim is wrong, and the reverse."""
    plain = _judge_structure(question, claim, replace(read, negated=False))
    if plain.kind == "undecided":
        return plain
    if plain.kind == "right":
        message = f"Wrong: the derivative is {read.word}."
        return Verdict("wrong", claim, message, plain.level, mistake="wrong_structure")
    return Verdict("right", claim, "Right.", plain.level, evidence=plain.message)


def _off_diagonal(question: Question) -> str | None:
    truth = question.truth
    if len(truth.axes) != 2:
        return None
    (point,) = numeric.points(question.derivation.program, count=1, seed=3)
    value = Evaluator(point.values, point.sizes).tensor(truth)
    off = value - np.diag(np.diag(value)) if value.shape[0] == value.shape[1] else value
    if np.abs(off).max() > 1e-6:
        i, j = np.unravel_index(int(np.abs(off).argmax()), off.shape)
        return f"Wrong: at a random point entry [{i}, {j}] off the diagonal is {off[i, j]:.4g}."
    return None


def _judge_symmetric(question: Question, claim: str) -> Verdict:
    truth = question.truth
    if len(truth.axes) != 2 or truth.shape[0] != truth.shape[1]:
        return Verdict(
            "wrong", claim, "Wrong: the derivative is not square.", "proved", mistake="wrong_shape"
        )
    flipped = Tensor(truth.axes[::-1], truth.body)
    return _equality_verdict(question.derivation.program, claim, truth, flipped)


UPSTREAM = ("G", "dY", "dy", "g", "dout", "upstream")
"""Names that the upstream gradient may have in a VJP."""


def _upstream(question: Question, claim: str) -> dict[str, Array]:
    """The upstream gradient under the first of its usual names that a VJP mentions."""
    program = question.derivation.program
    seed = next((n for n in UPSTREAM if _mentions(claim, n, program)), None)
    is_vjp = re.match(rf"\s*d{re.escape(question.wrt)}\s*=", claim.replace("$", "")) is not None
    return {seed: Array(seed, program.output.shape)} if seed and is_vjp else {}


def _judge_vjp(question: Question, claim: str, read: Claim) -> Verdict:
    derivation = question.derivation
    seed = next((n for n in UPSTREAM if _mentions(read.right, n, derivation.program)), "G")
    if seed in derivation.program.symbols:
        raise NotationError(
            f"the upstream gradient '{seed}' has the name of a symbol", hint="Call it G."
        )
    array = Array(seed, derivation.program.output.shape)
    symbols = {**derivation.program.symbols, seed: array}
    sizes = set(numeric.size_names(symbols))
    truth = derivation._vjp_tensor
    placed = next(
        iter([a for a in _arrays(truth) if a.name.startswith("G") and a.shape == array.shape]), None
    )
    if placed is not None:
        truth = Tensor(truth.axes, b.inline(truth.body, {placed: b.entire(array)}))
    tensor = read_matrix_claim(read, symbols, sizes)
    if tensor.shape != truth.shape:
        shapes = f"{shape_text(truth.shape)}, the claim {shape_text(tensor.shape)}"
        message = f"Wrong: the VJP has shape {shapes}."
        return Verdict(
            "wrong", claim, message, "proved", mistake="wrong_shape", fixed=derivation.vjp
        )
    return _equality_verdict(
        derivation.program,
        claim,
        truth,
        tensor,
        extra=(array,),
        question=question,
        fixed=derivation.vjp,
        right=claim,
    )


def _mentions(text: str, name: str, program: Program) -> bool:
    return name not in program.symbols and re.search(rf"\b{name}\b", text) is not None


def _arrays(tensor: Tensor) -> list[Array]:
    found: list[Array] = []
    stack, seen = [tensor.body], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Ref):
            found.append(node.array)
        stack.extend(node.children())
    return found


def check_equality(
    claim: str, shapes: Mapping[str, ShapeLike], *, domain: Mapping[str, str] | None = None
) -> Verdict:
    """Judge an equality of two expressions, such as ``tanh(z) == 2*sigmoid(2*z) - 1``.

    >>> check_equality("tanh(z) == 2*sigmoid(2*z) - 1", {"z": "n"}).kind
    'right'
    """
    read = classify_claim(claim)
    if read.kind != "equality":
        raise NotationError("an equality has two sides with '==' between them", text=claim)
    symbols = declare(shapes, domain)
    sizes = set(numeric.size_names(symbols))
    left_text = only(claim, read.left_span)
    left = lower(left_text, symbols, sizes=sizes)
    truth = _lowered(left_text, read, symbols, sizes)
    tensor = _lowered(read.right, read, symbols, sizes)
    if truth.shape != tensor.shape:
        shown = f"{shape_text(truth.shape)}, the right {shape_text(tensor.shape)}"
        message = f"Wrong: the left side has shape {shown}."
        return Verdict("wrong", claim, message, "proved", mistake="wrong_shape")
    return _equality_verdict(left, claim, truth, tensor)


def _equality_verdict(
    program: Program,
    claim: str,
    truth: Tensor,
    tensor: Tensor,
    *,
    extra: Sequence[Array] = (),
    question: Question | None = None,
    fixed: str | None = None,
    right: str = "",
) -> Verdict:
    found = compare_numerically(program, truth, tensor, extra=extra)
    if found.status == "unknown":
        return Verdict("undecided", claim, f"Undecided: {found.reason}.", evidence=found.reason)
    if found.status == "equal":
        proof = prove_equal(truth, tensor)
        evidence = (
            f"{proof.method}, {proof.scope}"
            if proof
            else f"agreement at {found.points} random points"
        )
        return Verdict(
            "right", claim, "Right.", "proved" if proof else "measured", evidence=evidence
        )
    symbols = {**program.symbols, **{a.name: a for a in extra}}
    sizes = set(numeric.size_names(symbols))
    mistake = None
    if question is not None:
        mistake = find_mistake(
            program,
            truth,
            tensor,
            text=right,
            read=lambda text: read_matrix_claim(classify_claim(text, symbols), symbols, sizes),
            extra=extra,
        )
    fixed = (mistake.fixed if mistake else None) or fixed
    if fixed and right:
        fixed = with_left_side(fixed, right.partition("=")[0])
        fixed = tidied_claim(fixed, classify_claim(fixed, symbols), symbols)
    return Verdict(
        "wrong",
        claim,
        _message(mistake, found, fixed),
        "measured",
        mistake=mistake.name if mistake else None,
        where=mistake.where if mistake else _entry_text(found),
        counterexample=found.counterexample,
        fixed=fixed,
        also=list(mistake.also) if mistake else [],
    )
