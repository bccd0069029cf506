"""Fused layers as engineers write them, each with a backward function that can be made wrong.

Every function gives ``forward``, ``backward(g, *inputs, kind="")`` with the names of its slips as
kinds, and the inputs. Nothing is assigned in place, so that the module runs with any array library
in the place of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Fused = tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...], tuple[str, ...]]
EPS = 1e-5


def draw(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
    rng = np.random.default_rng(41)
    return tuple(rng.normal(size=shape) for shape in shapes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_back(p, g):
    return p * (g - (g * p).sum(-1, keepdims=True))


def swiglu_projected() -> Fused:
    def forward(x, w, v):
        a = x @ w
        return a * sigmoid(a) * (x @ v)

    def backward(g, x, w, v, kind=""):
        a, b = x @ w, x @ v
        s = sigmoid(a)
        slope = s if kind == "slope of silu" else s + a * s * (1 - s)
        da, db = g * b * slope, g * a * s
        dx = da @ w.T + (0 if kind == "one path" else db @ v.T)
        return dx, x.T @ (da if kind != "swapped" else db), x.T @ db

    return forward, backward, draw((4, 3), (3, 5), (3, 5)), ("slope of silu", "one path", "swapped")


def geglu() -> Fused:
    c = 0.7978845608028654

    def gelu(a):
        return 0.5 * a * (1 + np.tanh(c * (a + 0.044715 * a**3)))

    def forward(a, b):
        return gelu(a) * b

    def backward(g, a, b, kind=""):
        t = np.tanh(c * (a + 0.044715 * a**3))
        inner = c * (1 + (1 if kind == "one for three" else 3) * 0.044715 * a**2)
        slope = 0.5 * (1 + t) + 0.5 * a * (1 - t**2) * inner
        return g * slope * (1 if kind == "gate left out" else b), g * gelu(a)

    return forward, backward, draw((3, 4), (3, 4)), ("one for three", "gate left out")


def rotary_interleaved() -> Fused:
    angle = np.arange(4)[:, None] * 0.3 ** np.arange(3)[None, :]

    def forward(x):
        a, b = x[:, 0::2], x[:, 1::2]
        c, s = np.cos(angle), np.sin(angle)
        return np.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)

    def backward(g, x, kind=""):
        a, b = g[:, 0::2], g[:, 1::2]
        c, s = np.cos(angle), np.sin(angle) * (-1 if kind == "not turned back" else 1)
        second = b * c if kind == "one sine" else b * c - a * s
        return np.stack([a * c + b * s, second], -1).reshape(x.shape)

    return forward, backward, draw((4, 6)), ("not turned back", "one sine")


def conv1d_windows() -> Fused:
    def windows(x):
        return np.stack([x[:, k : k + 4] for k in range(3)], 1)  # batch, tap, place, channel

    def forward(x, w):
        return np.einsum("bklc,kco->blo", windows(x), w)

    def backward(g, x, w, kind=""):
        taps = w[::-1] if kind == "flipped" else w
        parts = np.einsum("blo,kco->bklc", g, taps)
        pad = np.zeros_like(x[:, :1])
        rows = [
            np.concatenate([*[pad] * k, parts[:, k], *[pad] * (2 - k)], 1)
            for k in range(2 if kind == "last tap left out" else 3)
        ]
        dw = np.einsum("blo,bklc->kco", g, windows(x))
        return sum(rows), dw / len(x) if kind == "mean over the batch" else dw

    shapes = draw((2, 6, 2), (3, 2, 4))
    return forward, backward, shapes, ("flipped", "last tap left out", "mean over the batch")


def depthwise_conv() -> Fused:
    def forward(x, w):
        return x[:, :-1] * w[0] + x[:, 1:] * w[1]

    def backward(g, x, w, kind=""):
        pad = np.zeros_like(x[:, :1])
        first = np.concatenate([g * w[0], pad], 1)
        second = np.concatenate([pad, g * w[1]], 1)
        dx = np.concatenate([g * (w[0] + w[1]), pad], 1) if kind == "shift" else first + second
        dw = np.stack([(g * x[:, :-1]).sum((0, 1)), (g * x[:, 1:]).sum((0, 1))])
        return dx, dw[::-1] if kind == "taps swapped" else dw

    return forward, backward, draw((2, 5, 3), (2, 3)), ("shift", "taps swapped")


def group_norm_affine() -> Fused:
    def normal(x):
        u = x.reshape(x.shape[0], 2, -1)
        m = u.mean(-1, keepdims=True)
        r = 1 / np.sqrt(((u - m) ** 2).mean(-1, keepdims=True) + EPS)
        return ((u - m) * r).reshape(x.shape), r

    def forward(x, w, b):
        return normal(x)[0] * w[:, None] + b[:, None]

    def backward(g, x, w, b, kind=""):
        h, r = normal(x)
        d = (g if kind == "weight left out" else g * w[:, None]).reshape(x.shape[0], 2, -1)
        u = h.reshape(d.shape)
        second = u * (d * u).mean(-1, keepdims=True)
        mean = d.mean(-1, keepdims=True)
        dx = r * (d - mean - (0 if kind == "variance left out" else second))
        if kind == "mean left out":
            dx = r * (d - second)
        axes = (0,) if kind == "one sum" else (0, 2)
        return dx.reshape(x.shape), (g * h).sum((0, 2)), g.sum(axes)

    shapes = draw((3, 4, 2), (4,), (4,))
    return forward, backward, shapes, ("weight left out", "variance left out", "mean left out")


def instance_norm() -> Fused:
    def forward(x):
        m = x.mean((2, 3), keepdims=True)
        return (x - m) / np.sqrt(((x - m) ** 2).mean((2, 3), keepdims=True) + EPS)

    def backward(g, x, kind=""):
        m = x.mean((2, 3), keepdims=True)
        r = 1 / np.sqrt(((x - m) ** 2).mean((2, 3), keepdims=True) + EPS)
        h = (x - m) * r
        axis = 3 if kind == "one axis" else (2, 3)
        inner = (g * h).mean(axis, keepdims=True)
        d = g - g.mean((2, 3), keepdims=True) - h * inner
        return d if kind == "no rstd" else r * d

    return forward, backward, draw((2, 2, 3, 2)), ("one axis", "no rstd")


def rms_norm_weight() -> Fused:
    def forward(x, w):
        return x * w / np.sqrt((x**2).mean(-1, keepdims=True) + EPS)

    def backward(g, x, w, kind=""):
        r = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + EPS)
        d = g * w
        power = r if kind == "power of r" else r**3
        inner = (d * x).sum(-1, keepdims=True) if kind == "sum" else (d * x).mean(-1, keepdims=True)
        return r * d - x * power * inner, (g * x * r).sum(0)

    return forward, backward, draw((4, 5), (5,)), ("power of r", "sum")


def weight_norm() -> Fused:
    def forward(x, v, s):
        return x @ (s[:, None] * v / np.sqrt((v**2).sum(1, keepdims=True))).T

    def backward(g, x, v, s, kind=""):
        n = np.sqrt((v**2).sum(1, keepdims=True))
        u = v / n
        dw = g.T @ x
        ds = (dw * u).sum(1)
        dv = s[:, None] / n * (dw - (0 if kind == "projection left out" else u * ds[:, None]))
        if kind == "no scale":
            dv = (dw - u * ds[:, None]) / n
        return g @ (s[:, None] * u), dv, ds

    return forward, backward, draw((4, 3), (2, 3), (2,)), ("projection left out", "no scale")


def qk_norm_attention() -> Fused:
    def unit(x):
        return x / np.sqrt((x**2).sum(-1, keepdims=True))

    def unit_back(x, g, kind):
        n = np.sqrt((x**2).sum(-1, keepdims=True))
        y = x / n
        return (g - (0 if kind else y * (g * y).sum(-1, keepdims=True))) / n

    def forward(q, k, v):
        return softmax(5.0 * unit(q) @ unit(k).T) @ v

    def backward(g, q, k, v, kind=""):
        a, b = unit(q), unit(k)
        p = softmax(5.0 * a @ b.T)
        ds = softmax_back(p, g @ v.T) * (1 if kind == "no scale" else 5.0)
        return (
            unit_back(q, ds @ b, kind == "no projection"),
            unit_back(k, ds.T @ a, False),
            p.T @ g,
        )

    return forward, backward, draw((4, 3), (5, 3), (5, 2)), ("no scale", "no projection")


def causal_attention() -> Fused:
    def forward(q, k, v):
        mask = np.tril(np.ones((4, 4)))
        return softmax(np.where(mask > 0, q @ k.T / 3**0.5, -1e9)) @ v

    def backward(g, q, k, v, kind=""):
        mask = np.tril(np.ones((4, 4)))
        s = q @ k.T / 3**0.5
        p = softmax(s if kind == "no mask" else np.where(mask > 0, s, -1e9))
        dp = g @ v.T
        ds = (p * dp if kind == "no row sum" else softmax_back(p, dp)) / 3**0.5
        return ds @ k, (ds if kind == "not transposed" else ds.T) @ q, p.T @ g

    shapes = draw((4, 3), (4, 3), (4, 2))
    return forward, backward, shapes, ("no mask", "no row sum", "not transposed")


def batched_attention() -> Fused:
    def forward(q, k, v):
        return np.einsum("bhij,bhjd->bhid", softmax(np.einsum("bhid,bhjd->bhij", q, k) / 2), v)

    def backward(g, q, k, v, kind=""):
        p = softmax(np.einsum("bhid,bhjd->bhij", q, k) / 2)
        ds = softmax_back(p, np.einsum("bhid,bhjd->bhij", g, v)) / 2
        if kind == "scale twice":
            ds = ds / 2
        dk = np.einsum("bhij,bhid->bhjd", ds, q)
        dv = np.einsum("bhij,bhid->bhjd", p, g)
        return np.einsum("bhij,bhjd->bhid", ds, k), dv if kind == "dv for dk" else dk, dv

    shapes = draw((2, 2, 3, 2), (2, 2, 3, 2), (2, 2, 3, 2))
    return forward, backward, shapes, ("scale twice", "dv for dk")


def additive_attention() -> Fused:
    def forward(q, k, v):
        return softmax((np.tanh(q[:, None] + k[None]) * v).sum(-1))

    def backward(g, q, k, v, kind=""):
        t = np.tanh(q[:, None] + k[None])
        ds = softmax_back(softmax((t * v).sum(-1)), g)[..., None]
        du = ds * v * (1 if kind == "slope left out" else 1 - t**2)
        return du.sum(0 if kind == "wrong sum" else 1), du.sum(0), (ds * t).sum((0, 1))

    return forward, backward, draw((4, 3), (4, 3), (3,)), ("slope left out", "wrong sum")


def linear_attention() -> Fused:
    def phi(x):
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    def forward(q, k, v):
        a, b = phi(q), phi(k)
        return (a @ (b.T @ v)) / (a @ b.sum(0))[:, None]

    def backward(g, q, k, v, kind=""):
        a, b = phi(q), phi(k)
        n = (a @ b.sum(0))[:, None]
        y = (a @ (b.T @ v)) / n
        d = g / n
        dn = -(d * y).sum(1, keepdims=True) * (0 if kind == "denominator left out" else 1)
        da = d @ (b.T @ v).T + dn * b.sum(0)
        db = v @ d.T @ a + (dn * a).sum(0)
        slope = np.where(q > 0, 1.0, a)
        dv = b @ (a.T @ d)
        return da * slope, db * (1 if kind == "slope left out" else np.where(k > 0, 1.0, b)), dv

    shapes = draw((4, 3), (5, 3), (5, 2))
    return forward, backward, shapes, ("denominator left out", "slope left out")


def mixture_of_experts() -> Fused:
    def forward(x, gate, w):
        return np.einsum("be,bi,eio->bo", softmax(x @ gate), x, w)

    def backward(g, x, gate, w, kind=""):
        p = softmax(x @ gate)
        dp = np.einsum("bo,bi,eio->be", g, x, w)
        dz = p * dp if kind == "row sum left out" else softmax_back(p, dp)
        dx = np.einsum("bo,be,eio->bi", g, p, w)
        dx = dx if kind == "gate path left out" else dx + dz @ gate.T
        return dx, x.T @ dz, np.einsum("be,bi,bo->eio", p, x, g)

    shapes = draw((4, 3), (3, 2), (2, 3, 2))
    return forward, backward, shapes, ("row sum left out", "gate path left out")


def lora() -> Fused:
    def forward(x, w, a, b):
        return x @ w + 0.5 * (x @ a) @ b

    def backward(g, x, w, a, b, kind=""):
        s = 1.0 if kind == "scale left out" else 0.5
        dx = g @ w.T + (0 if kind == "adapter left out" else 0.5 * g @ b.T @ a.T)
        return dx, x.T @ g, s * x.T @ (g @ b.T), 0.5 * (x @ a).T @ g

    shapes = draw((4, 3), (3, 3), (3, 2), (2, 3))
    return forward, backward, shapes, ("scale left out", "adapter left out")


def gated_residual() -> Fused:
    def forward(x, w, u):
        return x + sigmoid(x @ u) * np.tanh(x @ w)

    def backward(g, x, w, u, kind=""):
        s, t = sigmoid(x @ u), np.tanh(x @ w)
        dt = g * s * ((1 - t) if kind == "square left out" else (1 - t**2))
        ds = g * t * s * (1 - s)
        dx = (0 if kind == "skip left out" else g) + dt @ w.T + ds @ u.T
        return dx, x.T @ dt, x.T @ ds

    return forward, backward, draw((4, 3), (3, 3), (3, 3)), ("square left out", "skip left out")


def film() -> Fused:
    def forward(x, c, w, u):
        return (1 + c @ w)[:, None] * x + (c @ u)[:, None]

    def backward(g, x, c, w, u, kind=""):
        dx = g * ((c @ w) if kind == "one left out" else (1 + c @ w))[:, None]
        ds, db = (g * x).sum(1), g.sum(1)
        dc = ds @ w.T if kind == "shift left out" else ds @ w.T + db @ u.T
        return dx, dc, c.T @ ds, c.T @ db

    shapes = draw((2, 4, 3), (2, 5), (5, 3), (5, 3))
    return forward, backward, shapes, ("one left out", "shift left out")


def gru_step() -> Fused:
    def forward(x, h, w, u):
        z, n = sigmoid(x @ w + h), np.tanh(x @ u)
        return (1 - z) * n + z * h

    def backward(g, x, h, w, u, kind=""):
        z, n = sigmoid(x @ w + h), np.tanh(x @ u)
        dz = g * (h if kind == "candidate left out" else h - n) * z * (1 - z)
        dn = g * (1 - z) * (1 - n**2)
        dh = g * z if kind == "gate path left out" else g * z + dz
        return dz @ w.T + dn @ u.T, dh, x.T @ dz, x.T @ dn

    shapes = draw((4, 3), (4, 2), (3, 2), (3, 2))
    return forward, backward, shapes, ("candidate left out", "gate path left out")


def lstm_step() -> Fused:
    def gates(z):
        i, f, o = (sigmoid(z[:, k : k + 2]) for k in (0, 2, 4))
        return i, f, o, np.tanh(z[:, 6:])

    def forward(z, c):
        i, f, o, a = gates(z)
        return o * np.tanh(f * c + i * a)

    def backward(g, z, c, kind=""):
        i, f, o, a = gates(z)
        t = np.tanh(f * c + i * a)
        d = g * o * (1 if kind == "slope of tanh" else 1 - t**2)
        di, df = d * a * i * (1 - i), d * c * f * (1 - f)
        do, da = g * t * o * (1 - o), d * i * (1 - a**2)
        parts = [df, di, do, da] if kind == "gates swapped" else [di, df, do, da]
        return np.concatenate(parts, 1), d * f

    return forward, backward, draw((3, 8), (3, 2)), ("slope of tanh", "gates swapped")


def prelu() -> Fused:
    def forward(x, a):
        return np.where(x > 0, x, a * x)

    def backward(g, x, a, kind=""):
        slope = np.where(x > 0, 1.0, 0.0 if kind == "as relu" else a)
        da = g * x * (x > 0 if kind == "wrong side" else x <= 0)
        return g * slope, da.sum(0)

    return forward, backward, draw((5, 3), (3,)), ("as relu", "wrong side")


def squared_relu() -> Fused:
    def forward(x):
        return np.maximum(x, 0) ** 2

    def backward(g, x, kind=""):
        if kind == "mask left out":
            return 2 * g * x
        return (1 if kind == "two left out" else 2) * g * np.maximum(x, 0)

    return forward, backward, draw((4, 3)), ("mask left out", "two left out")


def dropout_fixed_mask() -> Fused:
    keep = np.arange(12).reshape(4, 3) % 4 != 1

    def forward(x, w):
        return (x @ w) * keep / 0.75

    def backward(g, x, w, kind=""):
        d = g / 0.75 if kind == "mask left out" else g * keep
        d = d if kind in ("mask left out", "scale left out") else d / 0.75
        return d @ w.T, x.T @ d

    return forward, backward, draw((4, 2), (2, 3)), ("mask left out", "scale left out")


FUSED_LAYERS = {
    f.__name__: f
    for f in (
        swiglu_projected,
        geglu,
        rotary_interleaved,
        conv1d_windows,
        depthwise_conv,
        group_norm_affine,
        instance_norm,
        rms_norm_weight,
        weight_norm,
        qk_norm_attention,
        causal_attention,
        batched_attention,
        additive_attention,
        linear_attention,
        mixture_of_experts,
        lora,
        gated_residual,
        film,
        gru_step,
        lstm_step,
        prelu,
        squared_relu,
        dropout_fixed_mask,
    )
}
