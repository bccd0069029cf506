"""Finding functions, describing them, and the conventions of other libraries."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from backprove.errors import InputError, UnknownName
from backprove.functions import (
    ALIASES,
    ALONG_AXIS,
    ELEMENTWISE,
    describe,
    lookup,
    lookup_axis,
)
from backprove.results import Formula, Heading, Table
from functions.exact import RECORDS, in_floats, name_of

_LANGUAGE = (
    "exp log ln log1p sqrt sin cos tan tanh arctan abs sign sigmoid softplus relu leaky_relu elu "
    "gelu silu erf maximum minimum"
)


@pytest.mark.parametrize("name", _LANGUAGE.split())
def test_every_elementwise_function_of_the_language_has_a_record(name):
    assert lookup(name).name == ALIASES.get(name, name)


def test_names_and_aliases_are_unique():
    names = [
        name
        for record in (*ELEMENTWISE.values(), *ALONG_AXIS.values())
        for name in (record.name, *record.aliases)
    ]
    assert len(names) == len(set(names))
    assert set(ALIASES).isdisjoint({*ELEMENTWISE, *ALONG_AXIS})


def test_an_unknown_name_is_answered_with_close_ones():
    with pytest.raises(UnknownName, match=r"no function named 'sigmod'.*sigmoid"):
        lookup("sigmod")
    with pytest.raises(UnknownName, match="Known are"):
        lookup("qqqq")
    with pytest.raises(UnknownName, match="softmax"):
        lookup_axis("sofmax")


def test_parameters_belong_to_families_only():
    with pytest.raises(InputError, match="'alpha'; its parameters are: slope"):
        lookup("leaky_relu", alpha=1.0)
    with pytest.raises(InputError, match="its parameters are: none"):
        lookup("relu", slope=0.1)
    with pytest.raises(InputError, match="finite"):
        lookup("elu", alpha=float("nan"))


def test_a_slope_survives_in_the_texts_to_the_last_digit():
    slope = 0.1 + 0.2
    record = lookup("leaky_relu", slope=slope)
    assert float(in_floats(record.derivatives[0], -1.0)) == slope
    assert record.parameters == {"slope": slope}


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_every_description_has_formulas_facts_and_source(record):
    description = describe(record.name, **record.parameters)
    blocks = description.blocks()
    assert isinstance(blocks[0], Heading)
    assert sum(isinstance(block, Formula) for block in blocks) >= 2
    assert any(isinstance(block, Table) for block in blocks)
    assert record.source in blocks[-1].text
    data = json.loads(json.dumps(description.to_dict(), allow_nan=False))
    assert data["name"] == record.name


@pytest.mark.parametrize("name", ALONG_AXIS)
def test_descriptions_of_axis_functions_state_their_laws(name):
    description = describe(name)
    laws = [block for block in description.blocks() if isinstance(block, Table)][-1]
    assert len(laws.rows) == len(ALONG_AXIS[name].invariants)
    json.dumps(description.to_dict(), allow_nan=False)


def test_typesetting_adds_parentheses_only_where_needed():
    assert lookup("log").typeset("x") == r"\ln x"
    assert lookup("log").typeset(r"\theta") == r"\ln \theta"
    assert lookup("log").typeset("x y") == r"\ln\left(x y\right)"
    assert lookup("square").typeset("x") == "x^2"
    assert lookup("square").typeset("x + 1") == r"\left(x + 1\right)^2"
    assert lookup("maximum").typeset("a", "b") == r"\max\left(a, b\right)"


def _jacobian(name: str, z: np.ndarray) -> np.ndarray:
    """Jacobians of the softmax family by a complex step."""
    value = ALONG_AXIS[name].value
    return np.stack(
        [np.imag(value(z + 1e-200j * unit)) / 1e-200 for unit in np.eye(len(z))], axis=-1
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_jacobian_vjp_and_jvp_texts_of_the_softmax_family_are_right(size):
    random = np.random.default_rng(size)
    z, t = random.normal(size=(2, size))
    s = np.exp(z) / np.exp(z).sum()
    texts = {
        "diag(s) - outer(s, s)": np.diag(s) - np.outer(s, s),
        "eye(K) - outer(ones(K), s)": np.eye(size) - np.outer(np.ones(size), s),
        "s": s,
    }
    for name, record in ALONG_AXIS.items():
        jacobian = _jacobian(name, z)
        assert np.allclose(jacobian, texts[record.jacobian], atol=1e-14)
        g = 1.7 if record.reduces else random.normal(size=size)
        products = {
            "s*(g - sum(s*g))": s * (g - (s * g).sum()),
            "g - s*sum(g)": g - s * np.sum(g),
            "g*s": g * s,
        }
        assert np.allclose(np.dot(g, jacobian), products[record.vjp], atol=1e-14)
        products = {
            "s*(t - sum(s*t))": s * (t - (s * t).sum()),
            "t - sum(s*t)": t - (s * t).sum(),
            "sum(s*t)": (s * t).sum(),
        }
        assert np.allclose(jacobian @ t, products[record.jvp], atol=1e-14)
        norm = np.linalg.norm(jacobian, 2) if jacobian.ndim == 2 else np.linalg.norm(jacobian)
        assert record.lipschitz is None or norm <= record.lipschitz + 1e-12


def test_the_lipschitz_constant_of_softmax_is_attained_at_two_equal_logits():
    assert np.linalg.norm(_jacobian("softmax", np.zeros(2)), 2) == pytest.approx(0.5)


def test_the_laws_of_the_softmax_family_hold():
    z = np.random.default_rng(3).normal(size=6)
    ones = np.ones(6)
    j = _jacobian("softmax", z)
    assert np.allclose(j, j.T)
    assert np.allclose(j @ ones, 0)
    assert np.linalg.eigvalsh(j).min() > -1e-15
    assert np.linalg.matrix_rank(j) == 5
    p = _jacobian("log_softmax", z)
    assert np.allclose(p @ ones, 0)
    assert np.allclose(lookup_axis("softmax").value(z) @ p, 0)
    assert np.allclose(p @ p, p)
    assert np.linalg.matrix_rank(p) == 5
    total = lookup_axis("logsumexp").value(z)
    assert z.max() < total <= z.max() + np.log(6)
    for name in ALONG_AXIS:
        value = lookup_axis(name).value
        assert np.allclose(value(z + 3), value(z) + (3 if name == "logsumexp" else 0))


_AT_KINKS = [
    ("relu", 0.0), ("abs", 0.0), ("sign", 0.0), ("relu6", 0.0), ("relu6", 6.0), ("hardtanh", -1.0),
    ("hardtanh", 1.0), ("hardsigmoid", -3.0), ("hardsigmoid", 3.0), ("selu", 0.0),
    ("leaky_relu", 0.0), ("sqrt", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at"), _AT_KINKS)
def test_the_notes_say_what_jax_takes_at_a_kink(name, at):
    jax = pytest.importorskip("jax")
    function = {
        "abs": jax.numpy.abs, "sign": jax.numpy.sign, "sqrt": jax.numpy.sqrt,
        "hardtanh": jax.nn.hard_tanh, "hardsigmoid": jax.nn.hard_sigmoid,
    }.get(name) or getattr(jax.nn, name)  # fmt: skip
    (kink,) = [kink for kink in lookup(name).kinks if kink.at == at]
    takes = 1.0 if "JAX takes 1" in kink.note else kink.taken
    assert float(jax.grad(function)(at)) == pytest.approx(takes, rel=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "at"), _AT_KINKS)
def test_the_notes_say_what_pytorch_takes_at_a_kink(name, at):
    torch = pytest.importorskip("torch")
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    function(x).backward()
    (kink,) = [kink for kink in lookup(name).kinks if kink.at == at]
    assert float(x.grad) == pytest.approx(kink.taken)


def test_importing_the_package_loads_neither_scipy_nor_jax():
    code = (
        "import sys, backprove.functions; "
        "print(sorted({'scipy', 'jax', 'mpmath', 'altair'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
