"""Two expressions that are said to be equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backprove.calculus import numeric
from backprove.checking.comparison import Comparison, compare_numerically, level_of, prove_equal
from backprove.checking.mistakes import Mistake, find_mistake
from backprove.checking.tidying import tidied_claim, with_left_side
from backprove.checking.verdict import Verdict
from backprove.checking.wording import sentence
from backprove.errors import NotationError
from backprove.notation import building as b
from backprove.notation.axes import shape_text
from backprove.notation.claims import Claim, classify_claim
from backprove.notation.definitions import only
from backprove.notation.expressions import Array, Tensor
from backprove.notation.lowering import lower
from backprove.notation.operations import Program
from backprove.notation.shapes import ShapeLike, declare


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
    # An identity such as sin² + cos² = 1 has one number on one of its sides.
    if not tensor.shape:
        tensor = Tensor(truth.axes, tensor.body)
    elif not truth.shape:
        truth = Tensor(tensor.axes, truth.body)
    if truth.shape != tensor.shape:
        shown = f"{shape_text(truth.shape)}, the right {shape_text(tensor.shape)}"
        message = f"Wrong: the left side has shape {shown}."
        return Verdict("wrong", claim, message, "proved", mistake="wrong_shape")
    return equality_verdict(
        left,
        claim,
        truth,
        tensor,
        left=f"{left_text.strip()} ==",
        right=claim[read.right_span.start :],
    )


def equality_verdict(
    program: Program,
    claim: str,
    truth: Tensor,
    tensor: Tensor,
    *,
    extra: Sequence[Array] = (),
    fixed: str | None = None,
    left: str = "",
    right: str = "",
    read: Callable[[str], Tensor] | None = None,
    indices: Sequence[str] = (),
) -> Verdict:
    """The verdict on a tensor that is said to equal the true one.

    Args:
        program: what the tensors refer to.
        claim: the claim as written.
        truth: the right tensor.
        tensor: the claimed one.
        extra: further arrays that both may refer to.
        fixed: a right form, for claims that no small edit repairs.
        left: the left side, with its sign for an equality.
        right: the text in which a mistake is looked for.
        read: reads an edited text; array text if left out.
        indices: the free letters of an index formula.
    """
    found = compare_numerically(program, truth, tensor, extra=extra)
    if found.status == "unknown":
        return Verdict("undecided", claim, f"Undecided: {found.reason}.", evidence=found.reason)
    if found.status == "equal":
        proof = prove_equal(truth, tensor)
        level, evidence = level_of(proof, found.points)
        return Verdict("right", claim, "Right.", level, evidence=evidence)
    symbols = {**program.symbols, **{a.name: a for a in extra}}
    sizes = set(numeric.size_names(symbols))
    mistake = None
    if right:
        mistake = find_mistake(
            program,
            truth,
            tensor,
            text=right,
            read=read or (lambda text: _read_other(text, left, symbols, sizes)),
            indices=indices,
            extra=extra,
        )
    fixed = (mistake.fixed if mistake else None) or fixed
    if fixed and right:
        fixed = f"{left} {fixed}" if left.endswith("==") else with_left_side(fixed, left)
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


def _read_other(text: str, left: str, symbols: Mapping[str, Array], sizes: set[str]) -> Tensor:
    """A repaired side; that both sides are one text says nothing."""
    bare, other = text.replace(" ", ""), left.removesuffix("==").replace(" ", "")
    if left.endswith("==") and bare in (other, f"({other})"):
        raise NotationError("the two sides are the same text", text=text)
    return read_matrix_claim(classify_claim(text, symbols), symbols, sizes)


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
