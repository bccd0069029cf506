"""Expression text to JAX: the oracle's reader with JAX functions, for ``jax.jacobian``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from oracles.text_numpy import BINARY, COMPARE, FUNCTIONS, Reader, tree

_SAME_NAME = [
    "exp",
    "log",
    "log1p",
    "expm1",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "tanh",
    "arctan",
    "sinh",
    "cosh",
    "square",
    "abs",
    "sign",
    "sum",
    "mean",
    "var",
    "prod",
    "max",
    "min",
    "maximum",
    "minimum",
    "where",
    "clip",
    "dot",
    "matmul",
    "outer",
    "kron",
    "einsum",
    "diag",
    "eye",
    "ones",
    "zeros",
    "concatenate",
    "stack",
    "cumsum",
    "tril",
    "triu",
    "reshape",
    "transpose",
]

JAX_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(jnp, name) for name in _SAME_NAME},
    "ln": jnp.log,
    "amax": jnp.max,
    "amin": jnp.min,
    "concat": jnp.concatenate,
    "ravel": jnp.ravel,
    "flatten": jnp.ravel,
    "trace": lambda x: jnp.trace(x, axis1=-2, axis2=-1),
    "det": jnp.linalg.det,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "inv": jnp.linalg.inv,
    "norm": lambda x, axis=None, keepdims=False: jnp.sqrt(
        jnp.sum(x * x, axis=axis, keepdims=keepdims)
    ),
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "logsumexp": jax.scipy.special.logsumexp,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "leaky_relu": lambda x, slope=0.01: jnp.where(x > 0, x, slope * x),
    "elu": jax.nn.elu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "logsigmoid": jax.nn.log_sigmoid,
    "softsign": jax.nn.soft_sign,
    "selu": jax.nn.selu,
    "relu6": jax.nn.relu6,
    "hardtanh": jax.nn.hard_tanh,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "erf": jax.scipy.special.erf,
}


class JaxReader(Reader):
    """The same walk over the tree, with JAX functions and without leaving JAX arrays."""

    def Compare(self, node: ast.Compare) -> Any:
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return jnp.asarray(COMPARE[type(node.ops[0])](left, right), dtype=float)

    def BinOp(self, node: ast.BinOp) -> Any:
        return BINARY[type(node.op)](self.visit(node.left), self.visit(node.right))

    def Subscript(self, node: ast.Subscript) -> Any:
        return jnp.asarray(self.visit(node.value))[self.visit(node.slice)]

    def Attribute(self, node: ast.Attribute) -> Any:
        assert node.attr == "T"
        return jnp.transpose(self.visit(node.value))

    def Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        assert node.func.id in FUNCTIONS
        given = [self.visit(argument) for argument in node.args]
        options = {str(k.arg): self.visit(k.value) for k in node.keywords}
        if node.func.id == "where":
            given[0] = jnp.asarray(given[0], dtype=bool)
        return JAX_FUNCTIONS[node.func.id](*given, **options)


def function_of(text: str, values: Mapping[str, Any], wrt: str) -> Callable[[Any], Any]:
    """The expression as a JAX function of one symbol; the other values stay fixed."""
    parsed = tree(text)
    return lambda x: jnp.asarray(JaxReader({**values, wrt: x}).visit(parsed), dtype=float)
