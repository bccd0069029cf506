"""Fused kernels with their backward functions, right and with planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from checking.layers import Layer, _erf, softmax

EPS = 1e-5


def _rng() -> np.random.Generator:
    return np.random.default_rng(23)


def _layer(
    forward: Callable[..., Any],
    inputs: tuple[Any, ...],
    rule: Callable[[str], Callable[..., Any]],
    slips: dict[str, set[str]],
) -> Layer:
    return Layer(
        forward, inputs, rule("right"), {s: (rule(s), named, "") for s, named in slips.items()}
    )


def _unnamed(*slips: str) -> dict[str, set[str]]:
    """Slips that must be found; no name is asked for."""
    return {slip: set() for slip in slips}


def bias_gelu_dropout() -> Layer:
    def cdf(u):
        return 0.5 * (1 + _erf(u / math.sqrt(2)))

    def pdf(u):
        return np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)

    def rule(kind):
        def backward(g, x, b, mask):
            u = x + b
            slope = cdf(u) + (0 if kind == "density left out" else u * pdf(u))
            if kind == "bias left out":
                slope = cdf(x) + x * pdf(x)
            scale = 1.0 if kind == "no 1/keep" else 1 / 0.8
            dx = g * slope * scale * (1 if kind == "mask left out" else mask)
            return dx, dx.mean(0) if kind == "mean for sum" else dx.sum(0)

        return backward

    r = _rng()
    mask = (r.random((5, 4)) < 0.7).astype(int)
    return _layer(
        lambda x, b, mask: (x + b) * cdf(x + b) * mask / 0.8,
        (r.normal(size=(5, 4)), r.normal(size=4), mask),
        rule,
        {
            "density left out": {"missing_term"},
            "bias left out": {"wrong_variable"},
            "no 1/keep": {"missing_normalizer", "missing_factor", "extra_factor"},
            "mask left out": {"missing_factor"},
            "mean for sum": {"extra_factor"},
        },
    )


def fused_cross_entropy() -> Layer:
    def forward(x, labels):
        m = x.max(1, keepdims=True)
        lse = np.log(np.exp(x - m).sum(1)) + m[:, 0]
        return lse - x[np.arange(len(x)), labels]

    def rule(kind):
        def backward(g, x, labels):
            hot = np.eye(x.shape[1])[labels]
            p = softmax(x)
            return {
                "right": lambda: g[:, None] * (p - hot),
                "sign": lambda: g[:, None] * (hot - p),
                "labels left out": lambda: g[:, None] * p,
                "upstream left out": lambda: p - hot,
                "mean": lambda: g[:, None] * (p - hot) / len(x),
                "upstream on one part": lambda: g[:, None] * p - hot,
            }[kind]()

        return backward

    return _layer(
        forward,
        (_rng().normal(size=(4, 3)), np.array([2, 0, 1, 1])),
        rule,
        {
            "sign": {"sign"},
            "labels left out": {"missing_term"},
            "upstream left out": {"missing_factor"},
            "mean": {"extra_factor"},
            "upstream on one part": {"missing_factor"},
        },
    )


def rms_norm_scale() -> Layer:
    def forward(x, w):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPS) * w

    def rule(kind):
        def backward(g, x, w):
            rstd = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + EPS)
            h = x * rstd
            d = g if kind == "w left out" else g * w
            inner = (d * h).mean(-1, keepdims=True)
            if kind == "sum":
                inner = (d * h).sum(-1, keepdims=True)
            dx = rstd * (d - (x if kind == "x for x̂" else h) * inner)
            if kind == "inner left out":
                dx = rstd * d
            if kind == "no rstd":
                dx = d - h * inner
            return dx, (g * h).sum((0, 1))

        return backward

    r = _rng()
    return _layer(
        forward,
        (r.normal(size=(2, 3, 4)), r.normal(size=4)),
        rule,
        {
            "w left out": {"missing_factor"},
            "sum": {"missing_normalizer", "missing_factor", "extra_factor"},
            "x for x̂": {"wrong_variable", "missing_factor"},
            "inner left out": {"missing_term"},
            "no rstd": {"missing_factor"},
        },
    )


def swiglu() -> Layer:
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def rule(kind):
        def backward(g, a, b):
            s = sigmoid(a)
            slope = {
                "second term left out": s,
                "a left out": s + s * (1 - s),
                "sign": s - a * s * (1 - s),
            }.get(kind, s + a * s * (1 - s))
            da = g * slope * (1 if kind == "gate left out" else b)
            db = g * (s if kind == "sigmoid for silu" else a * s)
            return da, db

        return backward

    r = _rng()
    return _layer(
        lambda a, b: a * sigmoid(a) * b,
        (r.normal(size=(3, 4)), r.normal(size=(3, 4))),
        rule,
        {
            "second term left out": {"missing_term"},
            "a left out": {"missing_factor"},
            "sign": {"sign"},
            "gate left out": {"missing_factor"},
            "sigmoid for silu": {"missing_factor", "wrong_function"},
        },
    )


def rotary() -> Layer:
    angles = np.arange(5)[:, None] * (1 / 10.0 ** (np.arange(3) / 3))
    c, s = np.cos(angles), np.sin(angles)

    def turn(x, sign):
        a, b = x[:, :3], x[:, 3:]
        return np.concatenate([a * c - sign * b * s, b * c + sign * a * s], axis=1)

    def rule(kind):
        def backward(g, x):
            a, b = g[:, :3], g[:, 3:]
            return {
                "right": lambda: turn(g, -1),
                "not turned back": lambda: turn(g, 1),
                "cosine alone": lambda: np.concatenate([a * c, b * c], axis=1),
                "sine for cosine": lambda: np.concatenate([a * s + b * s, b * s - a * s], axis=1),
                "halves swapped": lambda: np.roll(turn(g, -1), 3, axis=1),
                "sign of one half": lambda: np.concatenate([a * c + b * s, b * c + a * s], axis=1),
            }[kind]()

        return backward

    return _layer(
        lambda x: turn(x, 1),
        (_rng().normal(size=(5, 6)),),
        rule,
        {
            k: {"sign", "missing_term", "transposed", "wrong_axis", "wrong_function"}
            for k in (
                "not turned back",
                "cosine alone",
                "sine for cosine",
                "halves swapped",
                "sign of one half",
            )
        },
    )


def log_sum_exp() -> Layer:
    def forward(x):
        m = x.max(1, keepdims=True)
        return np.log(np.exp(x - m).sum(1)) + m[:, 0]

    def rule(kind):
        def backward(g, x):
            return {
                "right": lambda: g[:, None] * softmax(x),
                "not normalised": lambda: g[:, None] * np.exp(x),
                "wrong axis": lambda: g[:, None] * softmax(x.T).T,
                "upstream left out": lambda: softmax(x),
                "sign": lambda: -g[:, None] * softmax(x),
                "mean": lambda: g[:, None] * softmax(x) / x.shape[1],
            }[kind]()

        return backward

    return _layer(
        forward,
        (_rng().normal(size=(3, 4)),),
        rule,
        {
            "not normalised": {"missing_normalizer", "missing_factor", "wrong_function"},
            "wrong axis": {"wrong_axis"},
            "upstream left out": {"missing_factor"},
            "sign": {"sign"},
            "mean": {"extra_factor"},
        },
    )


def l2_normalise() -> Layer:
    def rule(kind):
        def backward(g, x):
            n = np.sqrt((x**2).sum(1, keepdims=True))
            y = x / n
            inner = (g * y).sum(1, keepdims=True)
            return {
                "right": lambda: (g - y * inner) / n,
                "projection left out": lambda: g / n,
                "no norm": lambda: g - y * inner,
                "sign": lambda: (g + y * inner) / n,
                "x for y": lambda: (g - x * inner) / n,
                "squared norm": lambda: (g - y * inner) / n**2,
            }[kind]()

        return backward

    return _layer(
        lambda x: x / np.sqrt((x**2).sum(1, keepdims=True)),
        (_rng().normal(size=(3, 4)),),
        rule,
        {
            "projection left out": {"missing_term"},
            "no norm": {"missing_factor", "missing_normalizer"},
            "sign": {"sign"},
            "x for y": {"wrong_variable", "missing_factor", "extra_factor"},
            "squared norm": {"extra_factor"},
        },
    )


def conv1d() -> Layer:
    def forward(x, w):
        windows = np.stack([x[:, k : k + x.shape[1] - 2] for k in range(3)], axis=-1)
        return windows @ w

    def rule(kind):
        def backward(g, x, w):
            kernel = w[::-1] if kind == "flipped" else w
            dx = np.zeros_like(x)
            for k in range(3):
                if kind == "overwrite":
                    dx[:, k : k + g.shape[1]] = g * kernel[k]
                else:
                    dx[:, k : k + g.shape[1]] += g * kernel[k]
            dw = np.array([(g * x[:, k : k + g.shape[1]]).sum() for k in range(3)])
            if kind == "dw flipped":
                dw = dw[::-1]
            if kind == "last example":
                dw = np.array([(g * x[:, k : k + g.shape[1]])[-1].sum() for k in range(3)])
            if kind == "shifted":
                dx = np.roll(dx, 1, axis=1)
            return dx, dw

        return backward

    r = _rng()
    return _layer(
        forward,
        (r.normal(size=(2, 7)), r.normal(size=3)),
        rule,
        _unnamed("flipped", "overwrite", "dw flipped", "last example", "shifted"),
    )


def embedding() -> Layer:
    def rule(kind):
        def backward(g, table, ids):
            d = np.zeros_like(table)
            if kind == "overwrite":
                d[ids] = g
            elif kind == "buffered":
                d[ids] += g
            elif kind == "shifted ids":
                np.add.at(d, (ids + 1) % len(table), g)
            elif kind == "mean over uses":
                np.add.at(d, ids, g)
                d /= np.maximum(np.bincount(ids, minlength=len(table)), 1)[:, None]
            elif kind == "one row":
                np.add.at(d, ids[:1], g[:1])
            else:
                np.add.at(d, ids, g)
            return d

        return backward

    return _layer(
        lambda table, ids: table[ids],
        (_rng().normal(size=(6, 3)), np.array([1, 4, 1, 0])),
        rule,
        _unnamed("overwrite", "buffered", "shifted ids", "mean over uses", "one row"),
    )


def group_norm() -> Layer:
    def pieces(x):
        u = x.reshape(len(x), 2, 3)
        m = u.mean(-1, keepdims=True)
        r = 1 / np.sqrt(((u - m) ** 2).mean(-1, keepdims=True) + EPS)
        return (u - m) * r, r

    def rule(kind):
        def backward(g, x, w):
            h, r = pieces(x)
            d = (g if kind == "w left out" else g * w).reshape(h.shape)
            first, second = d.mean(-1, keepdims=True), (d * h).mean(-1, keepdims=True)
            dx = {
                "mean left out": lambda: r * (d - h * second),
                "variance left out": lambda: r * (d - first),
                "no rstd": lambda: d - first - h * second,
                "all channels": lambda: (
                    r
                    * (d - d.mean((1, 2), keepdims=True) - h * (d * h).mean((1, 2), keepdims=True))
                ),
            }.get(kind, lambda: r * (d - first - h * second))()
            return dx.reshape(x.shape), (g * h.reshape(x.shape)).sum(0)

        return backward

    r = _rng()
    return _layer(
        lambda x, w: pieces(x)[0].reshape(x.shape) * w,
        (r.normal(size=(4, 6)), r.normal(size=6)),
        rule,
        _unnamed("w left out", "mean left out", "variance left out", "no rstd", "all channels"),
    )


KERNELS = {
    f.__name__: f
    for f in (
        bias_gelu_dropout,
        fused_cross_entropy,
        rms_norm_scale,
        swiglu,
        rotary,
        log_sum_exp,
        l2_normalise,
        conv1d,
        embedding,
        group_norm,
    )
}
