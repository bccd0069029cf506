"""``derive``: the derivative of any expression, with its forms, its steps and its verification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backprove.calculus.accumulation import (
    BASE_EFFORT,
    EFFORT_PER_OPERAND,
    Backward,
    adjoint_of,
    backward,
    inlined,
    tangent,
    with_named,
)
from backprove.calculus.assumed import assumed
from backprove.calculus.code import generate
from backprove.calculus.kronecker import kronecker_forms
from backprove.calculus.numeric import Point
from backprove.calculus.steps import Step, derivation_steps
from backprove.calculus.structure import Structure, classify
from backprove.calculus.structured import StructuredArray, structured_array
from backprove.calculus.values import bind_values, check_finite, no_derivative
from backprove.calculus.verification import (
    Verification,
    first_point,
    read_back,
    readable_latex,
    verify,
)
from backprove.errors import DomainError, Span, Unsupported
from backprove.notation.axes import Axis, Size, shape_text
from backprove.notation.building import inline
from backprove.notation.cancelling import cancelled
from backprove.notation.effort import TooMuchEffort, bounded
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Tensor
from backprove.notation.index_text import index_latex, index_text
from backprove.notation.matrix_form import matrix_form
from backprove.notation.matrix_terms import Term
from backprove.notation.operations import Program
from backprove.results import (
    Block,
    Details,
    Evidence,
    Formula,
    Result,
    Table,
    Text,
)


def allowed_effort(program: Program) -> int:
    """What the derivation of a program, or one formula of it, may cost."""
    operands = sum(len(v.inputs) for v in program.operations)
    return 2 * BASE_EFFORT + EFFORT_PER_OPERAND * operands


@dataclass
class Derivation(Result):
    """A derivative: its shape, its forms, how it came about, and how it was verified.

    Attributes:
        f: the expression.
        wrt: the symbol that it is differentiated by.
        program: the operations of the expression.
        array: the symbol as an array.
        order: 1 for the Jacobian, 2 for the Hessian.
        layout: ``numerator`` (output shape, then input shape) or ``denominator``.
        tensor: the derivative in index notation, axes in the order of ``shape``.
        outputs: the axes of ``tensor`` that belong to the output.
        definitions: intermediate values that ``tensor`` refers to; empty if all are written out.
        note: a convention that the answer follows, such as the unstructured derivative.
    """

    f: str
    wrt: str
    program: Program
    array: Array
    order: int
    layout: str
    tensor: Tensor
    outputs: tuple[Axis, ...]
    definitions: dict[Array, Tensor] = field(default_factory=dict)
    passes: Backward | None = None
    note: str = ""

    # --- forms ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Size, ...]:
        """The shape of the derivative: output shape x input shape in numerator layout."""
        return self.tensor.shape

    @property
    def letter(self) -> str:
        """``J`` for a Jacobian, ``H`` for a Hessian."""
        return "J" if self.order == 1 else "H"

    @cached_property
    def index_form(self) -> str:
        """The derivative in index notation, such as ``J[i,j,k,l] = X[i,l]·[j=k]``."""
        return index_text(self.tensor, self.letter, self.program.symbols)

    @cached_property
    def point(self) -> Point | None:
        """The point at which printed forms are compared with the internal one."""
        return first_point(self.program)

    @cached_property
    def _matrix(self) -> tuple[Term | None, str]:
        if self.definitions:
            return None, "the expression is too long to write without intermediate names"
        return self._verified_form(self.tensor)

    def _verified_form(self, tensor: Tensor, *extra: Array) -> tuple[Term | None, str]:
        """The matrix form of a tensor, read back before anyone sees it."""
        term, reason = matrix_form(tensor)
        if term is None:
            return None, reason
        if read_back(term.text, tensor, self, {a.name: a for a in extra}) is None:
            return None, "the matrix form could not be verified against the index form"
        return term, ""

    @property
    def matrix_form(self) -> str | None:
        """The derivative as a matrix expression, or None (:attr:`matrix_form_reason` says why)."""
        term = self._matrix[0]
        return term.text if term else None

    @property
    def matrix_form_reason(self) -> str:
        """Why there is no matrix form; empty if there is one."""
        return self._matrix[1]

    @cached_property
    def latex(self) -> str:
        """The derivative in LaTeX: matrix form where there is one, else index form."""
        term = self._matrix[0]
        if term is None or not self._matrix_latex:
            return index_latex(self.tensor, self.letter, self.program.symbols)
        return f"{self._symbol_latex} = {self._matrix_latex}"

    @cached_property
    def _matrix_latex(self) -> str:
        """The matrix form in LaTeX; empty where mathematics has no notation for a part of it."""
        term = self._matrix[0]
        return self._readable(term, self.tensor) if term is not None else ""

    def _readable(self, term: Term, tensor: Tensor, *extra: Array) -> str:
        """The LaTeX of a form, if it states the tensor when it is read back."""
        return readable_latex(term.latex, tensor, self, {a.name: a for a in extra})

    @property
    def _symbol_latex(self) -> str:
        if self.order == 2:
            return "H"
        return "J" if self.outputs else r"\nabla f"

    @cached_property
    def structure(self) -> Structure:
        """What kind of tensor the derivative is, with the number of structural nonzeros."""
        if self.order == 1:
            return classify(self.tensor, self.outputs)
        return classify(self.tensor, self.tensor.axes[: -len(self.array.shape) or None])

    @cached_property
    def gradient(self) -> str | None:
        """For a scalar output, the gradient: the matrix form in the shape of the input."""
        if self.program.output.shape or self.order != 1:
            return None
        return self.matrix_form or self.index_form.partition(" = ")[2]

    @cached_property
    def kronecker(self) -> list[tuple[str, str]]:
        """For rank 4, the flattened Jacobian as a Kronecker product, with the vec orders named."""
        return kronecker_forms(self.tensor, self.outputs)

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Bound the work of a product that is written as one formula."""
        operations = len(self.program.operations)
        try:
            with bounded(allowed_effort(self.program)):
                yield
        except TooMuchEffort:
            raise Unsupported(
                f"the {what} of {operations} operations is too long for one formula",
                text=self.f,
                span=Span(0, max(1, len(self.f))),
                hint="Give inner parts a symbol of their own and derive them apart.",
            ) from None

    @cached_property
    def _upstream(self) -> Array:
        return Array(_free_name("G", self.program), self.program.output.shape)

    @cached_property
    def _tangent(self) -> Array:
        return Array(_free_name("V", self.program), self.array.shape)

    @cached_property
    def _vjp_tensor(self) -> Tensor:
        with self._writing("vector-Jacobian product"):
            passes = backward(self.program, [self.array], self._upstream)
            tensor = adjoint_of(passes, self.program, self.array)
            written = inline(tensor.body, passes.named)
            return self._written_out(Tensor(tensor.axes, written))

    @cached_property
    def vjp(self) -> str:
        """The vector-Jacobian product for an upstream gradient ``G`` of the output's shape."""
        name = f"d{self.wrt}"
        if self._vjp_term is not None:
            return f"{name} = {self._vjp_term.text}"
        return index_text(self._vjp_tensor, name, self.program.symbols)

    @cached_property
    def _vjp_term(self) -> Term | None:
        return self._verified_form(self._vjp_tensor, self._upstream)[0]

    @cached_property
    def _jvp_tensor(self) -> Tensor:
        with self._writing("Jacobian-vector product"):
            flow = tangent(self.program, {self.array: self._tangent})
            return self._written_out(flow)

    def _written_out(self, tensor: Tensor) -> Tensor:
        """A product in the inputs alone, without conditions that the expression assumes."""
        body, _ = inlined(tensor.body, self.program, {})
        return Tensor(tensor.axes, cancelled(assumed(body, self.program.assumptions)))

    @cached_property
    def jvp(self) -> str:
        """The Jacobian-vector product for a tangent ``V`` of the input's shape."""
        term, _ = self._verified_form(self._jvp_tensor, self._tangent)
        if term is not None:
            return f"df = {term.text}"
        return index_text(self._jvp_tensor, "df", self.program.symbols)

    @cached_property
    def steps(self) -> list[Step]:
        """The steps that computed the derivative, each with its numerical error."""
        steps = derivation_steps(self.program, self.array, self.passes)
        for rule, tensor in self._closing():
            text = index_text(tensor, self.letter, self.program.symbols)
            if steps and text != steps[-1].after:
                latex = index_latex(tensor, self.letter, self.program.symbols)
                steps.append(Step(rule, steps[-1].after, text, latex, self._error))
        return steps

    @property
    def _error(self) -> float | None:
        return self.verification.error if self.verification.points else None

    def _closing(self) -> Iterator[tuple[str, Tensor]]:
        """What follows the first derivative in numerator layout, as rules and their results."""
        inputs = (axis for axis in self.tensor.axes if axis not in self.outputs)
        rule = "write the values out" if self.order == 1 else f"differentiate by {self.wrt} again"
        if self.note.startswith("Symmetric-matrix"):
            rule = "symmetric-matrix convention"
        yield rule, Tensor((*self.outputs, *inputs), self.tensor.body)
        yield "denominator layout", self.tensor

    # --- numbers ----------------------------------------------------------------------------

    def evaluate(
        self, values: Mapping[str, Any], form: str = "dense"
    ) -> np.ndarray | StructuredArray:
        """The derivative at given inputs.

        Args:
            values: an array for each symbol of the expression.
            form: ``dense`` for an array of :attr:`shape`, ``structured`` for deltas and factors
                kept apart.

        Raises:
            DomainError: a symbol has no value, an operation leaves its domain, or it has no finite
                derivative at its operands (``sqrt(s)`` at 0); the operation is named.
            ShapeError: a value does not have the declared shape.
        """
        if form not in ("dense", "structured"):
            raise DomainError(f"form is {form!r}; expected 'dense' or 'structured'")
        inputs, sizes = bind_values(self.program, values)
        arrays = run_program(self.program, inputs, sizes)
        check_finite(self.program, arrays)
        full = self.with_adjoints(arrays, sizes)
        if form == "structured":
            structured = structured_array(self.tensor, full, sizes)
            parts = [values for term in structured.terms for _, values in term.factors]
            if all(np.all(np.isfinite(values)) for values in parts):
                return structured
        else:
            dense = Evaluator(full, sizes).tensor(self.tensor)
            if np.all(np.isfinite(dense)):
                return dense
        raise no_derivative(self.program, arrays, sizes, self.array, self.order)

    def with_adjoints(
        self, arrays: Mapping[Array, np.ndarray], sizes: Mapping[str, int]
    ) -> Mapping[Array, np.ndarray]:
        """The values of the program, with those of the adjoints that ``tensor`` refers to."""
        if self.passes is None or not self.passes.named:
            return arrays
        return with_named(arrays, sizes, self.passes.named)

    @cached_property
    def verification(self) -> Verification:
        """The numerical check at 3 points; computed once."""
        return self.verify()

    def verify(self, points: int = 3, seed: int = 0) -> Verification:
        """Compare every entry with finite differences at random points of the domain.

        Args:
            points: how many points.
            seed: the seed of the random numbers.
        """
        return verify(self, points, seed)

    def code(self, target: str = "numpy", what: str = "jacobian") -> str:
        """Runnable source for ``numpy``, ``jax`` or ``torch``.

        Args:
            target: the library.
            what: ``value``, ``jacobian``, ``vjp`` (takes the upstream gradient ``g``) or ``jvp``
                (takes the tangent ``v``).
        """
        return generate(self, target, what)

    # --- as a result ------------------------------------------------------------------------

    @property
    def shape_statement(self) -> str:
        """The shape in words: output shape x input shape, with the row vector of a scalar."""
        own = shape_text(self.shape)
        if not self.outputs and self.order == 1 and len(self.array.shape) == 1:
            return f"1×{self.array.shape[0]} (as an array: ({self.array.shape[0]},))"
        return own

    def blocks(self) -> list[Block]:
        found: list[Block] = [
            Text(
                f"`f = {self.f}`, differentiated by `{self.wrt}`"
                + (" twice" if self.order == 2 else "")
                + f". Shape {self.shape_statement} ({self.layout} layout: "
                + ("output × input" if self.layout == "numerator" else "input × output")
                + f"). Structure: {self.structure.kind}, at most {self.structure.nonzeros} of "
                + f"{self.structure.entries} entries differ from zero. {self.structure.reason}"
            )
        ]
        found.append(
            Formula(
                index_latex(self.tensor, self.letter, self.program.symbols),
                self.index_form,
                "index form",
                self.index_form,
            )
        )
        term, reason = self._matrix
        if term is not None:
            label = "gradient" if not self.outputs and self.order == 1 else "matrix form"
            latex = f"{self._symbol_latex} = {self._matrix_latex}" if self._matrix_latex else ""
            found.append(Formula(latex, term.text, label, term.text))
        elif len(self.shape) <= 2:
            found.append(Text(f"No matrix form: {reason}."))
        for order, form in self.kronecker:
            found.append(Formula("", form, order))
        if self.order == 1:
            found.append(self._vjp_block())
        if self.definitions:
            found.append(self._definitions_table())
        if self.note:
            found.append(Text(self.note))
        found.append(Evidence("measured", f"The derivative {self.verification}."))
        found.append(Details("Steps", [self._steps_table()]))
        return found

    def _vjp_block(self) -> Block:
        try:
            vjp_term = self._vjp_term
        except Unsupported as reason:
            return Text(f"No VJP formula: {reason.message}.")
        if vjp_term is None:
            return Formula(index_latex(self._vjp_tensor, f"d{self.wrt}"), self.vjp, "VJP")
        shown = self._readable(vjp_term, self._vjp_tensor, self._upstream)
        latex = rf"\overline{{{self.wrt}}} = {shown}" if shown else ""
        return Formula(latex, self.vjp, "VJP", self.vjp)

    def _written(self, product: str) -> str | None:
        """``vjp`` or ``jvp``, or None if there is none or it is too long to write."""
        try:
            return getattr(self, product) if self.order == 1 else None
        except Unsupported:
            return None

    def _steps_table(self) -> Table:
        rows = [
            (s.rule, s.before, s.after, "" if s.error is None else f"{s.error:.0e}")
            for s in self.steps
        ]
        return Table(("rule", "before", "after", "error"), rows, "each step, checked numerically")

    def _definitions_table(self) -> Table:
        used = [
            (v.name, v.template.format(*(i.name for i in v.inputs)))
            for v in self.program.operations
        ]
        for array, tensor in (self.passes.named if self.passes else {}).items():
            used.append((array.name, index_text(tensor, array.name).partition(" = ")[2]))
        return Table(("name", "value"), used, "where")

    def to_dict(self) -> dict[str, Any]:
        check = self.verification
        return {
            "f": self.f,
            "wrt": self.wrt,
            "order": self.order,
            "layout": self.layout,
            "shape": [str(s) for s in self.shape],
            "index_form": self.index_form,
            "matrix_form": self.matrix_form,
            "matrix_form_reason": self.matrix_form_reason or None,
            "latex": self.latex,
            "structure": {
                "kind": self.structure.kind,
                "nonzeros": self.structure.nonzeros,
                "entries": self.structure.entries,
                "reason": self.structure.reason,
            },
            "gradient": self.gradient,
            "vjp": self._written("vjp"),
            "jvp": self._written("jvp"),
            "kronecker": [{"vec": o, "form": f} for o, f in self.kronecker],
            "note": self.note or None,
            "steps": [s.to_dict() for s in self.steps],
            "verification": {
                "passed": check.passed,
                "error": check.error if check.points else None,
                "points": check.points,
                "sizes": check.sizes,
                "skipped": check.skipped,
                "reason": check.reason or None,
                "level": "measured",
            },
        }


@dataclass
class Derivations(Result):
    """The derivatives of one expression by several symbols, by name."""

    parts: dict[str, Derivation]

    def __getitem__(self, name: str) -> Derivation:
        return self.parts[name]

    def __iter__(self) -> Iterator[Derivation]:
        return iter(self.parts.values())

    def __len__(self) -> int:
        return len(self.parts)

    def blocks(self) -> list[Block]:
        return [block for part in self.parts.values() for block in part.blocks()]

    def to_dict(self) -> dict[str, Any]:
        return {name: part.to_dict() for name, part in self.parts.items()}


def _free_name(name: str, program: Program) -> str:
    while name in program.symbols:
        name += "_"
    return name
