"""Derivatives of random expressions over the whole language, and all that is printed of them.

Each case is compared with ``jax.jacobian`` (or ``jax.hessian``), entry by entry; then every printed
form is read back and computed. Sizes are all different in three cases of four, and all equal in the
fourth. A failure prints its seed and its expression.
"""

from __future__ import annotations

import os

import jax
import numpy as np
import pytest

from backprove.calculus import derive
from backprove.calculus.derivation import Derivation
from backprove.calculus.numeric import compare
from backprove.notation import supported_functions
from oracles.jax_by_numpy import traced
from oracles.printed_forms import Forms, close, wrong
from oracles.random_expressions import DOMAINS, SHAPES, random_expression, words
from oracles.text_jax import function_of
from tables.loader import draw

CASES = int(os.environ.get("BACKPROVE_PROPERTY_CASES", "80"))
"""How many expressions: 80 by default, 1,000 in CI, 10,000 at night."""

START = int(os.environ.get("BACKPROVE_PROPERTY_SEED", "0"))
"""The first seed."""

LONGEST_LATEX = 12_000
"""Characters; a formula of more than 6,000 words is not read."""

BATCHES = 20
DIFFERENT = {"n": 4, "d": 3, "k": 2}
EQUAL = {"n": 3, "d": 3, "k": 3}
TARGETS = ("numpy", "jax", "torch")


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def sizes_of(seed: int) -> dict[str, int]:
    return EQUAL if seed % 4 == 0 else DIFFERENT


def values_of(seed: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """A value in its domain for each symbol of the random expressions."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in SHAPES.items():
        domain = DOMAINS.get(name, "real")
        value = draw(rng, tuple(sizes[s] for s in shape.split()), domain)
        found[name] = np.asarray(value if name in DOMAINS else 0.7 * value, float)
    return found


def differs(given: np.ndarray, expected: np.ndarray, function, at: np.ndarray) -> str:  # type: ignore[no-untyped-def]
    """What is wrong about a derivative; ``kink`` where the two may take different sides."""
    if close(given, expected, 1e-8):
        return ""
    if given.shape != expected.shape:
        return f"shape {given.shape}, not {expected.shape}"
    found = compare(given, lambda v: np.asarray(traced(function, v)), at)
    kink = found.skipped and found.error < 1e-6
    return "kink" if kink else f"wrong by {np.abs(given - expected).max():.1e}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_derivatives_equal_those_of_jax_and_so_does_every_printed_form(batch: int) -> None:
    at_kinks = 0
    torch = _has_torch()
    for seed in range(START + batch, START + CASES, BATCHES):
        text, wrt = random_expression(seed)
        where = f"seed {seed}: d({text})/d{wrt}"
        sizes = sizes_of(seed)
        values = values_of(seed, sizes)
        derivation = derive(text, wrt, SHAPES, domain=DOMAINS)
        assert isinstance(derivation, Derivation)
        given = np.asarray(derivation.evaluate(values))
        function = function_of(text, {**values, **sizes}, wrt)
        expected = np.asarray(traced(jax.jacobian(function), values[wrt]))
        trouble = differs(given, expected, function, values[wrt])
        assert trouble in ("", "kink"), f"{where} is {trouble}"
        at_kinks += trouble == "kink"
        output = np.asarray(traced(function, values[wrt]))
        forms = Forms(derivation, values, sizes, given, output)
        for form in forms.texts():
            assert not (found := wrong(form)), f"{where}: {found}"
        target = TARGETS[seed // BATCHES % 3]  # each expression in one library, all in turn
        if target != "torch" or torch:
            for form in forms.code(target):
                assert not (found := wrong(form)), f"{where}: {found}"
    assert at_kinks <= 1 + CASES // (50 * BATCHES)


def _has_torch() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return bool(torch)


@pytest.mark.parametrize("batch", range(4))
def test_random_hessians_equal_those_of_jax_and_so_do_their_printed_forms(batch: int) -> None:
    for seed in range(START + 5_000_000 + batch, START + 5_000_000 + CASES // 10, 4):
        text, wrt = random_expression(seed, depth=2)
        where = f"seed {seed}: d²({text})/d{wrt}²"
        sizes = sizes_of(seed)
        values = values_of(seed, sizes)
        function = function_of(text, {**values, **sizes}, wrt)
        output = np.asarray(traced(function, values[wrt]))
        if output.size * values[wrt].size ** 2 > 20_000:
            continue
        derivation = derive(text, wrt, SHAPES, order=2, domain=DOMAINS)
        assert isinstance(derivation, Derivation)
        given = np.asarray(derivation.evaluate(values))
        expected = np.asarray(traced(jax.hessian(function), values[wrt]))
        assert close(given, expected, 1e-7), where
        forms = Forms(derivation, values, sizes, given, output)
        for form in [*forms.texts(), *forms.code("numpy")]:
            assert not (found := wrong(form, 1e-7)), f"{where}: {found}"


def test_denominator_layout_puts_the_input_axes_first_in_every_printed_form() -> None:
    for seed in range(START + 6_000_000, START + 6_000_000 + CASES // 10):
        text, wrt = random_expression(seed)
        where = f"seed {seed}: d({text})/d{wrt}"
        sizes = sizes_of(seed)
        values = values_of(seed, sizes)
        plain = derive(text, wrt, SHAPES, domain=DOMAINS)
        turned = derive(text, wrt, SHAPES, domain=DOMAINS, layout="denominator")
        assert isinstance(plain, Derivation)
        assert isinstance(turned, Derivation)
        dense = np.asarray(plain.evaluate(values))
        rank = dense.ndim - values[wrt].ndim
        expected = np.moveaxis(dense, range(rank), range(-rank, 0)) if rank else dense
        assert close(np.asarray(turned.evaluate(values)), expected), where
        output = np.asarray(traced(function_of(text, {**values, **sizes}, wrt), values[wrt]))
        forms = Forms(turned, values, sizes, expected, output)
        for form in [*forms.texts(), *forms.code("numpy")]:
            assert not (found := wrong(form)), f"{where}: {found}"


def test_latex_of_random_derivatives_states_the_same_array_when_it_is_read_back() -> None:
    for seed in range(START + 7_000_000, START + 7_000_000 + CASES // 2):
        order = 1 + (seed % 5 == 0)
        text, wrt = random_expression(seed, depth=2)
        sizes = sizes_of(seed)
        values = values_of(seed, sizes)
        derivation = derive(text, wrt, SHAPES, order=order, domain=DOMAINS)
        assert isinstance(derivation, Derivation)
        entries = np.prod([s.at(sizes) for s in derivation.shape], dtype=int)
        if entries > 20_000:
            continue
        dense = np.asarray(derivation.evaluate(values))
        for form in Forms(derivation, values, sizes, dense, np.zeros(())).latex():
            if len(form[1]) > LONGEST_LATEX:
                continue
            assert not (found := wrong(form)), f"seed {seed}: order {order} of {text}: {found}"


def test_the_random_expressions_use_the_whole_language() -> None:
    texts = [random_expression(seed)[0] for seed in range(2500)]
    used = {word for text in texts for word in words(text)}
    assert not set(supported_functions()) - used
    for piece in (
        *("+", "-", "*", "/", "**", "^", "@", ".T", "==", "!=", "<", "<=", ">", ">="),
        *("axis=", "axis=-1", "axis=(", "keepdims=True", "None", "::-1", "::2", "1:", ":-1"),
        *("[-1", "pi", "*e", "/n", "k=1", "k=-1", "->", "transpose("),
    ):
        assert any(piece in text for text in texts), piece
    assert {wrt for _, wrt in map(random_expression, range(1500))} == set(SHAPES)
