"""Backward functions as people write them, right and with planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_erf = np.vectorize(math.erf, otypes=[float])
EPS = 1e-5


@dataclass(frozen=True)
class Layer:
    """A forward function, its backward function and slips of it.

    ``slips`` maps a name to (the backward with the slip, acceptable mistakes, a piece of text that
    the message must hold).
    """

    forward: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    backward: Callable[..., Any]
    slips: dict[str, tuple[Callable[..., Any], set[str], str]]


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def linear() -> Layer:
    r = _rng()

    def forward(x, w, b):
        return x @ w + b

    def right(g, x, w, b):
        return g @ w.T, x.T @ g, g.sum(0)

    return Layer(
        forward,
        (r.normal(size=(5, 3)), r.normal(size=(3, 3)), r.normal(size=3)),
        right,
        {
            "weight not transposed": (
                lambda g, x, w, b: (g @ w, x.T @ g, g.sum(0)),
                {"transposed"},
                "transpose",
            ),
            "no sum over the batch": (
                lambda g, x, w, b: (g @ w.T, x.T @ g, g),
                {"missing_sum"},
                "axis 0",
            ),
            "mean over the batch": (
                lambda g, x, w, b: (g @ w.T, x.T @ g / len(x), g.sum(0)),
                {"extra_factor"},
                "1/5",
            ),
            "gradient of w transposed": (
                lambda g, x, w, b: (g @ w.T, g.T @ x, g.sum(0)),
                {"transposed"},
                "transposed",
            ),
            "output in the place of the input": (
                lambda g, x, w, b: (g @ w.T, (x @ w + b).T @ g, g.sum(0)),
                {"wrong_variable"},
                "y.T@dy",
            ),
        },
    )


def softmax_layer() -> Layer:
    def rule(kind):
        def backward(g, x):
            y = softmax(x)
            inner = (g * y).sum(-1, keepdims=True)
            return {
                "right": y * (g - inner),
                "diagonal only": y * (1 - y) * g,
                "sum left out": y * g,
                "sign": y * (g + inner),
                "mean": y * (g - inner / x.shape[-1]),
                "sum without y": y * (g - g.sum(-1, keepdims=True)),
            }[kind]

        return backward

    return Layer(
        softmax,
        (_rng().normal(size=(4, 5)),),
        rule("right"),
        {
            "diagonal only": (rule("diagonal only"), {"missing_term"}, "diagonal"),
            "sum left out": (rule("sum left out"), {"missing_term"}, "y·sum(dy·y"),
            "sign": (rule("sign"), {"sign"}, "y·sum(dy·y"),
            "mean": (rule("mean"), {"extra_factor"}, "1/5"),
            "sum without y": (rule("sum without y"), {"missing_factor"}, "factor y"),
        },
    )


def log_softmax() -> Layer:
    def forward(x):
        z = x - x.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))

    def rule(kind):
        def backward(g, x):
            p, total = softmax(x), g.sum(-1, keepdims=True)
            return {
                "right": g - p * total,
                "no sum": g - p * g,
                "sign": g + p * total,
                "term left out": g,
                "mean": g - p * g.mean(-1, keepdims=True),
                "softmax's rule": p * (g - (g * p).sum(-1, keepdims=True)),
            }[kind]

        return backward

    return Layer(
        forward,
        (_rng().normal(size=(3, 4)),),
        rule("right"),
        {
            "no sum": (rule("no sum"), {"missing_sum", "missing_term"}, ""),
            "sign": (rule("sign"), {"sign"}, "softmax(x)·sum(dy"),
            "term left out": (rule("term left out"), {"missing_term"}, "softmax(x)·sum(dy"),
            "mean": (rule("mean"), {"extra_factor"}, "1/4"),
            "softmax's rule": (rule("softmax's rule"), {"wrong_function", "missing_factor"}, ""),
        },
    )


def cross_entropy() -> Layer:
    def forward(x, labels):
        z = x - x.max(-1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(-1, keepdims=True))
        return -logp[np.arange(len(x)), labels].mean()

    def rule(kind):
        def backward(g, x, labels):
            p, hot, n = softmax(x), np.eye(x.shape[1])[labels], len(x)
            return {
                "right": g * (p - hot) / n,
                "no 1/n": g * (p - hot),
                "sign": g * (hot - p) / n,
                "upstream left out": (p - hot) / n,
                "labels left out": g * p / n,
                "labels twice": g * (p - 2 * hot) / n,
            }[kind]

        return backward

    return Layer(
        forward,
        (_rng().normal(size=(4, 3)), np.array([2, 0, 1, 1])),
        rule("right"),
        {
            "no 1/n": (rule("no 1/n"), {"missing_normalizer"}, "1/4"),
            "sign": (rule("sign"), {"sign"}, "sign"),
            "upstream left out": (rule("upstream left out"), {"missing_factor"}, "upstream"),
            "labels left out": (rule("labels left out"), {"missing_term"}, "onehot(labels)"),
            "labels twice": (rule("labels twice"), {"extra_term"}, "twice"),
        },
    )


def _normalisation(axis: int, centred: bool, shift: bool) -> Layer:
    def pieces(x):
        m = x.mean(axis, keepdims=True) if centred else 0.0
        rstd = 1 / np.sqrt(((x - m) ** 2).mean(axis, keepdims=True) + EPS)
        return (x - m) * rstd, rstd

    def forward(x, gamma, *beta):
        y = pieces(x)[0] * gamma
        return y + beta[0] if beta else y

    def rule(kind):
        def backward(g, x, gamma, *beta):
            h, r = pieces(x)
            d = g * gamma

            def mean(v):
                return v.mean(axis, keepdims=True)

            first = mean(d) if centred else 0.0
            second = h * mean(d * h)
            dx = {
                "mean twice": lambda: r * (d - 2 * first - second),
                "mean left out": lambda: r * (d - second),
                "gamma left out": lambda: r * (d - first - h * mean(g * h)),
                "variance left out": lambda: r * (d - first),
                "no rstd": lambda: d - first - second,
                "sum for mean": lambda: r * (d - first - h * (d * h).sum(axis, keepdims=True)),
                "sign": lambda: r * (d - first + second),
                "second twice": lambda: r * (d - first - 2 * second),
            }.get(kind, lambda: r * (d - first - second))()
            dgamma = (g * x).sum(0) if kind == "x for x̂" else (g * h).sum(0)
            return (dx, dgamma, g.sum(0)) if beta else (dx, dgamma)

        return backward

    r = _rng()
    inputs = (r.normal(size=(5, 4)) + 0.3, r.normal(size=4), r.normal(size=4))
    slips: dict[str, tuple[Callable[..., Any], set[str], str]] = {
        "variance left out": (rule("variance left out"), {"missing_term"}, "mean(dy"),
        "no rstd": (rule("no rstd"), {"missing_factor"}, "rstd"),
        "x for x̂": (rule("x for x̂"), {"wrong_variable"}, "x̂"),
    }
    if centred:
        slips["mean twice"] = (rule("mean twice"), {"extra_term"}, "twice")
        slips["mean left out"] = (rule("mean left out"), {"missing_term"}, "mean(dy")
        if axis == 1:
            slips["gamma left out"] = (rule("gamma left out"), {"missing_factor"}, "factor gamma")
    else:
        slips["sum for mean"] = (rule("sum for mean"), {"missing_normalizer"}, "1/4")
        slips["sign"] = (rule("sign"), {"sign"}, "x̂·mean")
    return Layer(forward, inputs if shift else inputs[:2], rule("right"), slips)


def layer_norm() -> Layer:
    return _normalisation(1, True, True)


def batch_norm() -> Layer:
    return _normalisation(0, True, True)


def rms_norm() -> Layer:
    return _normalisation(1, False, False)


def attention() -> Layer:
    def forward(q, k, v):
        return softmax(q @ k.T / np.sqrt(q.shape[1])) @ v

    def rule(kind):
        def backward(g, q, k, v):
            c = 1.0 if kind == "no scale" else 1 / np.sqrt(q.shape[1])
            p = softmax(q @ k.T / np.sqrt(q.shape[1]))
            dp = g @ v.T
            inner = (p * dp).sum(1, keepdims=True)
            ds = p * dp if kind == "softmax sum left out" else p * (dp - inner)
            if kind == "sign in softmax":
                ds = p * (dp + inner)
            dq, dk, dv = ds @ k * c, ds.T @ q * c, p.T @ g
            if kind == "scores not transposed":
                dk = ds @ q * c
            if kind == "weights not transposed":
                dv = p @ g
            return dq, dk, dv

        return backward

    r = _rng()
    return Layer(
        forward,
        (r.normal(size=(4, 3)), r.normal(size=(4, 3)), r.normal(size=(4, 2))),
        rule("right"),
        {
            "no scale": (rule("no scale"), {"missing_normalizer"}, "1/sqrt(3)"),
            "softmax sum left out": (rule("softmax sum left out"), {"missing_term"}, "p·sum"),
            "sign in softmax": (rule("sign in softmax"), {"sign"}, "p·sum"),
            "scores not transposed": (rule("scores not transposed"), {"transposed"}, "@q"),
            "weights not transposed": (rule("weights not transposed"), {"transposed"}, "transpose"),
        },
    )


def gelu() -> Layer:
    def cdf(x):
        return 0.5 * (1 + _erf(x / math.sqrt(2)))

    def pdf(x):
        return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

    def slip(slope, mistakes, text):
        return (lambda g, x: g * slope(x), mistakes, text)

    return Layer(
        lambda x: x * cdf(x),
        (_rng().normal(size=(3, 4)) * 1.5,),
        lambda g, x: g * (cdf(x) + x * pdf(x)),
        {
            "second term left out": slip(cdf, {"missing_term"}, "x·φ(x)"),
            "x left out": slip(lambda x: cdf(x) + pdf(x), {"missing_factor"}, "factor x"),
            "sign": slip(lambda x: cdf(x) - x * pdf(x), {"sign"}, "x·φ(x)"),
            "density twice": slip(lambda x: cdf(x) + 2 * x * pdf(x), {"extra_term"}, "twice"),
            "upstream left out": (lambda g, x: cdf(x) + x * pdf(x), {"missing_factor"}, "upstream"),
        },
    )


def gelu_tanh() -> Layer:
    c = math.sqrt(2 / math.pi)

    def parts(x):
        t = np.tanh(c * (x + 0.044715 * x**3))
        return t, c * (1 + 3 * 0.044715 * x**2)

    def rule(kind):
        def backward(g, x):
            t, inner = parts(x)
            return (
                g
                * {
                    "right": 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner,
                    "no inner derivative": 0.5 * (1 + t) + 0.5 * x * (1 - t**2),
                    "second term left out": 0.5 * (1 + t),
                    "half left out": 0.5 * (1 + t) + x * (1 - t**2) * inner,
                    "sign": 0.5 * (1 + t) - 0.5 * x * (1 - t**2) * inner,
                    "square left out": 0.5 * (1 + t) + 0.5 * x * (1 - t) * inner,
                }[kind]
            )

        return backward

    return Layer(
        lambda x: 0.5 * x * (1 + parts(x)[0]),
        (_rng().normal(size=(3, 4)) * 1.5,),
        rule("right"),
        {
            "no inner derivative": (
                rule("no inner derivative"),
                {"missing_factor", "missing_chain"},
                "u'",
            ),
            "second term left out": (rule("second term left out"), {"missing_term"}, "(1 - t²)"),
            "half left out": (rule("half left out"), {"extra_term", "missing_factor"}, "(1 - t²)"),
            "sign": (rule("sign"), {"sign"}, "(1 - t²)"),
            "square left out": (
                rule("square left out"),
                {"wrong_variable", "wrong_function"},
                "(1 - t²)",
            ),
        },
    )


LAYERS = {
    f.__name__: f
    for f in (
        linear,
        softmax_layer,
        log_softmax,
        cross_entropy,
        batch_norm,
        layer_norm,
        rms_norm,
        attention,
        gelu,
        gelu_tanh,
    )
}
