"""Two expressions that are said to be equal: equalities, and VJPs against the derivation's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backprove.calculus import numeric
from backprove.checking.comparison import Comparison, compare_numerically, prove_equal
from backprove.checking.mistakes import Mistake, find_mistake
from backprove.checking.question import Question
from backprove.checking.tidying import tidied_claim, with_left_side
from backprove.checking.verdict import Verdict
from backprove.checking.wording import sentence
from backprove.errors import NotationError
from backprove.notation import building as b
from backprove.notation.axes import shape_text
from backprove.notation.claims import Claim, classify_claim
from backprove.notation.definitions import only
from backprove.notation.expressions import Array, Ref, Tensor
from backprove.notation.lowering import lower
from backprove.notation.operations import Program
from backprove.notation.shapes import ShapeLike, declare

UPSTREAM = ("G", "dY", "dy", "g", "dout", "upstream")
"""Names that the upstream gradient may have in a VJP."""


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


def upstream_of(question: Question, claim: str) -> dict[str, Array]:
    """The upstream gradient under the first of its usual names that a VJP mentions."""
    program = question.derivation.program
    seed = next((n for n in UPSTREAM if _mentions(claim, n, program)), None)
    is_vjp = re.match(rf"\s*d{re.escape(question.wrt)}\s*=", claim.replace("$", "")) is not None
    return {seed: Array(seed, program.output.shape)} if seed and is_vjp else {}


def judge_vjp(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on a VJP such as ``dW = X.T @ G``."""
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
    return equality_verdict(
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
    return equality_verdict(left, claim, truth, tensor)


def equality_verdict(
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
    """The verdict on a tensor that is said to equal the true one."""
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
        message_of(mistake, found, fixed),
        "measured",
        mistake=mistake.name if mistake else None,
        where=mistake.where if mistake else entry_text(found),
        counterexample=found.counterexample,
        fixed=fixed,
        also=list(mistake.also) if mistake else [],
    )


def message_of(mistake: Mistake | None, found: Comparison, fixed: str | None) -> str:
    """What is wrong, with the two numbers of the counterexample."""
    example = found.counterexample
    assert example is not None
    entry = f"entry {list(example.entry)}" if example.entry else "the value"
    numbers = (
        f"At a random point {entry} is {example.expected:.6g}, the claim gives {example.given:.6g}."
    )
    return f"{sentence(mistake, fixed) if mistake else 'Wrong.'} {numbers}"


def entry_text(found: Comparison) -> str | None:
    """The entry at which a claim fails, in words."""
    return f"entry {list(found.counterexample.entry)}" if found.counterexample else None
