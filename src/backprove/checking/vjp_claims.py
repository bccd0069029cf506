"""VJPs: ``dW = X.T @ G`` or ``dW_ij = Σ_k X_ki G_kj`` against the derivation's own."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from backprove.calculus import numeric
from backprove.checking.equalities import equality_verdict, read_matrix_claim
from backprove.checking.question import Question
from backprove.checking.verdict import Verdict
from backprove.errors import NotationError
from backprove.notation import building as b
from backprove.notation.axes import shape_text
from backprove.notation.claims import Claim, classify_claim
from backprove.notation.expressions import Array, Tensor
from backprove.notation.index_reader import read_index_formula
from backprove.notation.matrix_terms import name_latex
from backprove.notation.operations import Program
from backprove.notation.traversal import arrays_in

UPSTREAM = ("G", "dY", "dy", "g", "dout", "upstream")
"""Names that the upstream gradient may have in a VJP."""

_OTHER = re.compile(r"(?<![\w.])(d[A-Za-z]\w*|[A-Za-z]\w*_bar|grad_\w+|delta)(?![\w(])(?!\s*/)")


@dataclass(frozen=True)
class Pulled:
    """A VJP that was read.

    Attributes:
        upstream: the upstream gradient under the name that the claim gives it.
        truth: the right gradient.
        tensor: the claimed one.
        indices: the free letters of an index formula; empty for array text.
    """

    upstream: Array
    truth: Tensor
    tensor: Tensor
    indices: tuple[str, ...] = ()


def upstream_name(question: Question, text: str, defined: Collection[str] = ()) -> str | None:
    """The first of the usual names of an upstream gradient that a text mentions.

    Args:
        question: what is asked; its symbols are no upstream gradients.
        text: the right side with its definitions.
        defined: names that the claim defines.
    """
    symbols = {*question.symbols, *defined}
    for name in UPSTREAM:
        if name not in symbols and re.search(rf"(?<![\w.]){name}(?![a-zA-Z0-9])", text):
            return name
    for found in _OTHER.finditer(text):
        name = found[1]
        stem = re.sub(r"^d|^grad_|_bar$", "", name)
        if name not in symbols and stem not in symbols:
            return name
    return None


def is_vjp(question: Question, read: Claim) -> bool:
    """Whether a claim is a VJP: it is one by its left side, and names an upstream gradient."""
    if read.kind == "vjp":
        return True
    if read.kind not in ("index", "matrix"):
        return False
    wrt = re.escape(question.wrt)
    heads = rf"d{wrt}|{wrt}_bar|{wrt}_grad|grad_{wrt}|[d∂]\w+\s*/\s*[d∂]\s*{wrt}"
    left = re.fullmatch(rf"\s*(?:{heads})(?:_[a-z]+|_\{{[a-z, ]+\}}|\[[^\]]*\])?\s*", read.left)
    return left is not None and _upstream_of_claim(question, read) is not None


def _upstream_of_claim(question: Question, read: Claim) -> str | None:
    texts = [read.right, *(read.text[span.start : span.end] for _, span in read.definitions)]
    return upstream_name(question, "; ".join(texts), [name for name, _ in read.definitions])


def upstream_of(question: Question, claim: str) -> dict[str, Array]:
    """The upstream gradient under the name that a VJP in LaTeX mentions."""
    left, sign, right = claim.replace("$", "").replace(r"\,", "").partition("=")
    names = {re.escape(question.wrt), re.escape(name_latex(question.wrt))}
    heads = rf"\s*d(?:{'|'.join(names)})\s*(?:_\w|_\{{[^}}]*\}})?\s*"
    if not sign or not re.fullmatch(heads, left):
        return {}
    seed = upstream_in(question, right)
    return {seed: Array(seed, question.derivation.program.output.shape)} if seed else {}


def upstream_in(question: Question, right: str) -> str | None:
    """The name of the upstream gradient in a right side, in text or in LaTeX."""
    barred = re.sub(r"\\(?:bar|overline)\s*\{?\s*(\w)\s*\}?", r"\1_bar", right)
    return upstream_name(question, barred)


def judge_vjp(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on a VJP."""
    derivation = question.derivation
    found = read_vjp(question, read)
    if found.tensor.shape != found.truth.shape:
        shapes = f"{shape_text(found.truth.shape)}, the claim {shape_text(found.tensor.shape)}"
        message = f"Wrong: the VJP has shape {shapes}."
        return Verdict(
            "wrong", claim, message, "proved", mistake="wrong_shape", fixed=derivation.vjp
        )
    known = {**question.symbols, found.upstream.name: found.upstream}

    def again(text: str) -> Tensor:
        return read_vjp(question, classify_claim(text, known), found.upstream).tensor

    return equality_verdict(
        derivation.program,
        claim,
        found.truth,
        found.tensor,
        extra=(found.upstream,),
        fixed=None if found.indices else derivation.vjp,
        left=read.left.strip(),
        right=claim,
        read=again,
        indices=found.indices,
    )


def read_vjp(question: Question, read: Claim, upstream: Array | None = None) -> Pulled:
    """Read a VJP with the gradient that it should be.

    Raises:
        NotationError: the upstream gradient has the name of a symbol.
    """
    derivation = question.derivation
    program = derivation.program
    seed = upstream.name if upstream else _upstream_of_claim(question, read) or "G"
    if seed in program.symbols:
        raise NotationError(
            f"the upstream gradient '{seed}' has the name of a symbol", hint="Call it G."
        )
    array = upstream or Array(seed, program.output.shape)
    symbols = {**program.symbols, seed: array}
    sizes = set(numeric.size_names(symbols))
    truth = _gradient(derivation._vjp_tensor, program, array)
    if read.kind != "index":
        return Pulled(array, truth, read_matrix_claim(read, symbols, sizes))
    expected = truth.shape
    formula = read_index_formula(read.text, symbols, sizes=sizes, expected_axes=expected)
    return Pulled(array, truth, formula.tensor, formula.indices)


def _gradient(truth: Tensor, program: Program, upstream: Array) -> Tensor:
    """The derivation's gradient with the claim's own upstream gradient."""
    declared = set(program.symbols.values())
    for array in arrays_in(truth.body):
        if array not in declared and array.name.startswith("G") and array.shape == upstream.shape:
            return Tensor(truth.axes, b.inline(truth.body, {array: b.entire(upstream)}))
    return truth
