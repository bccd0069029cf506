"""What people write from habit: read where it means one thing, answered with what to write else."""

from __future__ import annotations

import pytest

from backprove.errors import NotationError, UnknownName, Unsupported
from backprove.notation.index_text import index_text
from backprove.notation.reading import read_expression
from backprove.notation.shapes import declare

SYMBOLS = declare({"X": "n d", "w": "d", "y": "n"})


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("np.log(y)", "log(y)"),
        ("np.mean((np.dot(X, w) - y)**2)", "mean((X @ w - y)**2)"),
        ("np.linalg.norm(w)**2 + numpy.pi", "norm(w)**2 + pi"),
        ("jax.nn.relu(jnp.dot(X, w))", "relu(X @ w)"),
        ("jax.numpy.linalg.det(X.T @ X)", "det(X.T @ X)"),
    ],
)
def test_names_of_libraries_are_read_over(text: str, plain: str):
    a, b = (index_text(read_expression(one, SYMBOLS).tensor()) for one in (text, plain))
    assert a == b


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("torch.log(w)", "NumPy's, as in log(x)"),
        ("ReLU(X @ w)", "Did you mean relu"),
        ("log softmax(y)", "log(...) for a function"),
        ("Xw", "X @ w of matrices"),
        ("y_1", "y[0] is the first"),
        ("ys", "Did you mean 'y'?"),
        ("w'", "x.T"),
        ("|w|", "norm(x)"),
        ("√w", "sqrt(x)"),
        ("X.t()", "X.T"),
        ("mse(y, X @ w)", "mean((a - b)**2)"),
        ("std(y)", "sqrt(var(x))"),
        ("np.linalg.solve(X.T @ X, w)", "inv(A) @ b"),
        ("logaddexp(y, y)", "logsumexp(stack([x, y]), axis=0)"),
        ("flip(y)", "x[::-1]"),
        ("w.T w", "'@' (of matrices)"),
        (r"\sigma(w^\top X_i)", "one for each axis"),
    ],
)
def test_what_to_write_instead_is_said(text: str, hint: str):
    with pytest.raises((NotationError, UnknownName, Unsupported)) as caught:
        read_expression(text, SYMBOLS)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["F", "K", "math", "tf"])
def test_a_symbol_may_have_the_name_of_a_library(name: str):
    assert read_expression(f"{name}.sum()", declare({name: "n"})).output.shape == ()
    assert len(read_expression(f"eye({name}) @ x", declare({"x": name})).output.shape) == 1
