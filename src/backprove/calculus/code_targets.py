"""The libraries that code is printed for: their names for functions, and what they lack.

A function that a library lacks is a *helper*: a few lines that are printed with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """How one library spells things.

    Attributes:
        name: ``numpy``, ``jax`` or ``torch``.
        alias: the name of its array module in the printed code.
        imports: the lines that every printed code starts with.
        functions: elementwise functions, as templates of the printed call.
        slices: functions of the last axes ``{1}`` (a tuple) of an array ``{0}``, as templates.
        needs: the helper or import line that the name of a function needs.
        helpers: the source of each helper.
    """

    name: str
    alias: str
    imports: tuple[str, ...]
    functions: Mapping[str, str]
    slices: Mapping[str, str]
    needs: Mapping[str, str] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)

    @property
    def torch(self) -> bool:
        """PyTorch takes dtypes and devices explicitly and no Python numbers in functions."""
        return self.name == "torch"


_SHARED = (
    "exp expm1 log log1p sinh cosh sqrt square sin cos tan tanh arctan abs sign maximum minimum"
).split()
_OWN_HELPERS = (
    "sigmoid logsigmoid softplus gelu gelu_tanh silu mish softsign relu relu6 hardtanh "
    "hardsigmoid selu leaky_relu elu"
).split()
_LINALG = {
    "inv": "{m}.linalg.inv({{0}})",
    "det": "{m}.linalg.det({{0}})",
    "logdet": "{m}.linalg.slogdet({{0}})[1]",
}
_REDUCTIONS = {
    "max": "{m}.max({{0}}, axis={{1}})",
    "min": "{m}.min({{0}}, axis={{1}})",
    "prod": "{m}.prod({{0}}, axis={{1}})",
}


def _with_module(templates: Mapping[str, str], alias: str) -> dict[str, str]:
    return {name: text.format(m=alias) for name, text in templates.items()}


_ARGMAX = '''def argmax_shares(x, axis):
    """1 at the greatest entry along the axes, shared equally among ties; else 0."""
    hits = {m}.where(x == {m}.max(x, axis=axis, keepdims=True), 1.0, 0.0)
    return hits / hits.sum(axis=axis, keepdims=True)'''

_NUMPY_HELPERS = {
    "erf": "from scipy.special import erf",
    "sigmoid": '''def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x > 0, 1.0, small) / (1 + small)''',
    "logsigmoid": '''def logsigmoid(x):
    """log(sigmoid(x))."""
    return -np.logaddexp(-x, 0.0)''',
    "softplus": '''def softplus(x):
    """log(1 + exp(x)) without overflow."""
    return np.logaddexp(x, 0.0)''',
    "gelu": '''def gelu(x):
    """x times the distribution function of the standard normal."""
    return x * 0.5 * erfc(-x / np.sqrt(2.0))''',
    "erfc": "from scipy.special import erfc",
    "gelu_tanh": '''def gelu_tanh(x):
    """The tanh approximation of gelu."""
    return x * sigmoid(2 * np.sqrt(2 / np.pi) * x * (1 + 0.044715 * x**2))''',
    "silu": '''def silu(x):
    """x * sigmoid(x)."""
    return x * sigmoid(x)''',
    "mish": '''def mish(x):
    """x * tanh(softplus(x))."""
    return x * np.tanh(np.logaddexp(x, 0.0))''',
    "softsign": '''def softsign(x):
    """x / (1 + |x|)."""
    return x / (1 + np.abs(x))''',
    "relu": '''def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0.0)''',
    "relu6": '''def relu6(x):
    """min(max(x, 0), 6)."""
    return np.clip(x, 0.0, 6.0)''',
    "hardtanh": '''def hardtanh(x):
    """min(max(x, -1), 1)."""
    return np.clip(x, -1.0, 1.0)''',
    "hardsigmoid": '''def hardsigmoid(x):
    """min(max(x + 3, 0), 6) / 6."""
    return np.clip(x + 3.0, 0.0, 6.0) / 6''',
    "selu": '''def selu(x):
    """The self-normalising linear unit (Klambauer et al. 2017)."""
    below = 1.6732632423543772 * np.expm1(np.minimum(x, 0.0))
    return 1.0507009873554805 * np.where(x > 0, x, below)''',
    "leaky_relu": '''def leaky_relu(x):
    """x above 0 and 0.01 * x below."""
    return np.where(x > 0, x, 0.01 * x)''',
    "elu": '''def elu(x):
    """x above 0 and exp(x) - 1 below."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))''',
    "softmax": '''def softmax(x, axis):
    """exp(x) / sum(exp(x)) along the axes, without overflow."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)''',
    "logsumexp": '''def logsumexp(x, axis):
    """log(sum(exp(x))) along the axes, without overflow."""
    top = np.max(x, axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis=axis)''',
    "argmax_shares": _ARGMAX.format(m="np"),
}

NUMPY = Target(
    "numpy",
    "np",
    ("import numpy as np",),
    {name: f"np.{name}({{0}})" for name in _SHARED}
    | {name: f"np.{name}({{0}}, {{1}})" for name in ("maximum", "minimum")}
    | {name: f"{name}({{0}})" for name in [*_OWN_HELPERS, "erf"]},
    _with_module(_LINALG | _REDUCTIONS, "np")
    | {
        "softmax": "softmax({0}, axis={1})",
        "logsumexp": "logsumexp({0}, axis={1})",
        "argmax": "argmax_shares({0}, axis={1})",
    },
    {name: name for name in [*_OWN_HELPERS, "erf", "softmax", "logsumexp"]}
    | {"argmax": "argmax_shares"},
    _NUMPY_HELPERS,
)
"""NumPy; ``erf`` and ``gelu`` need SciPy."""

_JAX_NN = {
    "sigmoid": "sigmoid",
    "logsigmoid": "log_sigmoid",
    "softplus": "softplus",
    "silu": "silu",
    "mish": "mish",
    "softsign": "soft_sign",
    "relu": "relu",
    "relu6": "relu6",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "selu": "selu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
}

JAX = Target(
    "jax",
    "jnp",
    ("import jax", "import jax.numpy as jnp"),
    {name: f"jnp.{name}({{0}})" for name in _SHARED}
    | {name: f"jnp.{name}({{0}}, {{1}})" for name in ("maximum", "minimum")}
    | {name: f"jax.nn.{own}({{0}})" for name, own in _JAX_NN.items()}
    | {
        "erf": "jax.scipy.special.erf({0})",
        "gelu": "jax.nn.gelu({0}, approximate=False)",
        "gelu_tanh": "jax.nn.gelu({0}, approximate=True)",
    },
    _with_module(_LINALG | _REDUCTIONS, "jnp")
    | {
        "softmax": "jax.nn.softmax({0}, axis={1})",
        "logsumexp": "jax.scipy.special.logsumexp({0}, axis={1})",
        "argmax": "argmax_shares({0}, axis={1})",
    },
    {"argmax": "argmax_shares"},
    {"argmax_shares": _ARGMAX.format(m="jnp")},
)
"""JAX."""

_TORCH_NN = {
    "gelu": "gelu({0})",
    "gelu_tanh": 'gelu({0}, approximate="tanh")',
    "logsigmoid": "logsigmoid({0})",
    "silu": "silu({0})",
    "mish": "mish({0})",
    "softsign": "softsign({0})",
    "relu": "relu({0})",
    "relu6": "relu6({0})",
    "hardtanh": "hardtanh({0})",
    "hardsigmoid": "hardsigmoid({0})",
    "selu": "selu({0})",
    "leaky_relu": "leaky_relu({0})",
    "elu": "elu({0})",
}

TORCH = Target(
    "torch",
    "torch",
    ("import torch",),
    {name: f"torch.{name}({{0}})" for name in [*_SHARED, "sigmoid", "erf"]}
    | {name: f"torch.{name}({{0}}, {{1}})" for name in ("maximum", "minimum")}
    | {name: f"functional.{call}" for name, call in _TORCH_NN.items()}
    | {"softplus": "softplus({0})", "kron": "kron({0}, {1})"},
    _with_module(_LINALG, "torch")
    | {
        "max": "torch.amax({0}, dim={1})",
        "min": "torch.amin({0}, dim={1})",
        "prod": "product({0}, {1})",
        "softmax": "softmax({0}, {1})",
        "logsumexp": "torch.logsumexp({0}, dim={1})",
        "argmax": "argmax_shares({0}, {1})",
    },
    dict.fromkeys(_TORCH_NN, "functional")
    | {
        "softplus": "softplus",
        "kron": "kron",
        "prod": "product",
        "softmax": "softmax",
        "argmax": "argmax_shares",
    },
    {
        "functional": "from torch.nn import functional",
        "softplus": '''def softplus(x):
    """log(1 + exp(x)); torch's own turns linear above 20."""
    return torch.logaddexp(x, torch.zeros_like(x))''',
        "kron": '''def kron(a, b):
    """The Kronecker product; torch.kron fails on some memory layouts."""
    sizes = list(zip(a.shape, b.shape))
    left = [size for m, _ in sizes for size in (m, 1)]
    right = [size for _, n in sizes for size in (1, n)]
    return (a.reshape(left) * b.reshape(right)).reshape([m * n for m, n in sizes])''',
        "product": '''def product(x, dim):
    """The product over several axes."""
    for d in sorted(d % x.ndim for d in dim)[::-1]:
        x = x.prod(dim=d)
    return x''',
        "softmax": '''def softmax(x, dim):
    """exp(x) / sum(exp(x)) along the axes, without overflow."""
    powers = torch.exp(x - torch.amax(x, dim=dim, keepdim=True))
    return powers / powers.sum(dim=dim, keepdim=True)''',
        "argmax_shares": '''def argmax_shares(x, dim):
    """1 at the greatest entry along the axes, shared equally among ties; else 0."""
    hits = (x == torch.amax(x, dim=dim, keepdim=True)).to(x.dtype)
    return hits / hits.sum(dim=dim, keepdim=True)''',
    },
)
"""PyTorch."""

HELPER_NEEDS: Mapping[str, tuple[str, ...]] = {
    "gelu": ("erfc",),
    "gelu_tanh": ("sigmoid",),
    "silu": ("sigmoid",),
}
"""Helpers that NumPy helpers use themselves."""

TARGETS: Mapping[str, Target] = {t.name: t for t in (NUMPY, JAX, TORCH)}
"""Every library by its name."""
