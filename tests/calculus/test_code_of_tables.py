"""The code printed for every published derivative runs as printed, in every library, and agrees."""

from __future__ import annotations

import os
from collections.abc import Iterator

import jax
import numpy as np
import pytest

from backprove.notation.axes import shape_text
from calculus.test_derive_tables import derived
from oracles.printed_forms import Form, Forms, wrong
from oracles.text_numpy import evaluate
from tables.loader import Case, cases

EVERY = int(os.environ.get("BACKPROVE_TABLE_POINTS", "1")) > 1
"""Each case in each library at night; by day each case in one of them, in turn."""

TARGETS = ("numpy", "jax", "torch")
PAIRS = [
    pytest.param(case, target, marks=[pytest.mark.torch] if target == "torch" else [])
    for k, case in enumerate(cases())
    for j, target in enumerate(TARGETS)
    if EVERY or k % 3 == j
]


def forms_of(case: Case) -> Forms:
    derivation = derived(case)
    values, sizes = case.values(0), case.size_values()
    dense = np.asarray(derivation.evaluate(values))
    return Forms(derivation, values, sizes, dense, evaluate(case.f, {**sizes, **values}))


def code_of(forms: Forms, target: str) -> Iterator[Form]:
    """The printed functions; the symmetric convention has no products."""
    if forms.derivation.note.startswith("Symmetric"):
        source = forms.derivation.code(target)
        yield "jacobian", source, lambda: forms.from_code(source, target), forms.dense
    else:
        yield from forms.code(target)


@pytest.mark.parametrize(("case", "target"), PAIRS, ids=lambda v: getattr(v, "id", v))
def test_the_code_of_a_published_derivative_runs_and_agrees(case: Case, target: str) -> None:
    if target == "torch":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    forms = forms_of(case)
    with jax.enable_x64(True):
        for form in code_of(forms, target):
            assert not (found := wrong(form)), found
            name, source, *_ = form
            if "jacobian" in name:
                returned = source.partition("Returns:\n")[2].split("\n", 1)[0].strip()
                assert returned == shape_text(forms.derivation.shape)


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.id)
def test_products_and_structured_values_of_a_published_derivative_agree(case: Case) -> None:
    forms = forms_of(case)
    if forms.derivation.note.startswith("Symmetric"):
        return
    for form in forms.texts():
        assert not (found := wrong(form)), found
