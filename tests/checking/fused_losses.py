"""Fused losses, poolings and kernels, in the form of :mod:`checking.fused_layers`."""

from __future__ import annotations

import numpy as np

from checking.fused_layers import EPS, Fused, draw, sigmoid, softmax, softmax_back

LABELS = (2, 0, 1, 1)


def hot(z):
    return np.eye(z.shape[1])[np.array(LABELS)]


def focal_loss() -> Fused:
    def forward(z):
        p = (softmax(z) * hot(z)).sum(1)
        return -((1 - p) ** 2 * np.log(p)).mean()

    def backward(g, z, kind=""):
        s, y = softmax(z), hot(z)
        p = (s * y).sum(1, keepdims=True)
        slope = -((1 - p) ** 2) / p + 2 * (1 - p) * np.log(p)
        if kind == "modulation constant":
            slope = -((1 - p) ** 2) / p
        return g * slope * p * (y - s) / (1 if kind == "sum" else len(z))

    return forward, backward, draw((4, 3)), ("modulation constant", "sum")


def label_smoothing() -> Fused:
    def forward(z):
        q = 0.9 * hot(z) + 0.1 / z.shape[1]
        return -(q * np.log(softmax(z))).sum(1).mean()

    def backward(g, z, kind=""):
        q = 0.9 * hot(z) + (0 if kind == "uniform part left out" else 0.1 / z.shape[1])
        d = q - softmax(z) if kind == "sign" else softmax(z) - q
        return g * d / len(z)

    return forward, backward, draw((4, 3)), ("uniform part left out", "sign")


def weighted_binary_cross_entropy() -> Fused:
    def forward(z):
        return (2 * TARGETS * np.log1p(np.exp(-z)) + (1 - TARGETS) * np.log1p(np.exp(z))).mean()

    def backward(g, z, kind=""):
        s = sigmoid(z)
        weight = 1 if kind == "weight left out" else 2
        d = (1 - TARGETS) * s - weight * TARGETS * (1 - s)
        return g * d / (1 if kind == "sum" else z.size)

    return forward, backward, draw((3, 4)), ("weight left out", "sum")


TARGETS = (np.arange(12).reshape(3, 4) % 3 == 0) * 1.0


def huber() -> Fused:
    def forward(x, y):
        d = x - y
        return np.where(np.abs(d) < 1, 0.5 * d**2, np.abs(d) - 0.5).sum()

    def backward(g, x, y, kind=""):
        d = x - y
        r = np.where(np.abs(d) < 1, d, np.ones_like(d) if kind == "sign left out" else np.sign(d))
        return g * r, g * r if kind == "sign of y" else -g * r

    return forward, backward, draw((4, 3), (4, 3)), ("sign left out", "sign of y")


def log_cosh() -> Fused:
    def forward(x, y):
        return np.log(np.cosh(x - y)).mean()

    def backward(g, x, y, kind=""):
        t = (x - y) if kind == "tanh left out" else np.tanh(x - y)
        n = len(x) if kind == "rows only" else x.size
        return g * t / n, -g * t / n

    return forward, backward, draw((4, 3), (4, 3)), ("tanh left out", "rows only")


def squared_hinge() -> Fused:
    def forward(s):
        return np.maximum(0, 1 - SIGNS * s) ** 2

    def backward(g, s, kind=""):
        m = np.maximum(0, 1 - SIGNS * s)
        return (
            -2
            * g
            * m
            * (1 if kind == "label left out" else SIGNS)
            * (m if kind == "margin squared" else 1)
        )

    return forward, backward, draw((6,)), ("label left out", "margin squared")


SIGNS = 1.0 - 2.0 * (np.arange(6) % 2)


def poisson_nll() -> Fused:
    def forward(z, y):
        return (np.exp(z) - y * z).mean()

    def backward(g, z, y, kind=""):
        d = np.exp(z) - (0 if kind == "counts left out" else y)
        return g * d / z.size, (g if kind == "sign" else -g) * z / z.size

    return forward, backward, draw((3, 4), (3, 4)), ("counts left out", "sign")


def gaussian_nll() -> Fused:
    def forward(m, v, y):
        return 0.5 * (v + (y - m) ** 2 * np.exp(-v)).sum(1)

    def backward(g, m, v, y, kind=""):
        r, g = (y - m), g[:, None]
        dm = -g * r * np.exp(-v)
        dv = 0.5 * g * ((0 if kind == "one left out" else 1) - r**2 * np.exp(-v))
        return dm / 2 if kind == "half too many" else dm, dv, -dm

    return forward, backward, draw((4, 3), (4, 3), (4, 3)), ("one left out", "half too many")


def vae_divergence() -> Fused:
    def forward(m, v):
        return -0.5 * (1 + v - m**2 - np.exp(v)).sum()

    def backward(g, m, v, kind=""):
        dv = 0.5 * g * (np.exp(v) - (0 if kind == "one left out" else 1))
        return g * m * (0.5 if kind == "half" else 1), dv

    return forward, backward, draw((4, 3), (4, 3)), ("one left out", "half")


def divergence_of_softmaxes() -> Fused:
    def forward(a, b):
        p, q = softmax(a), softmax(b)
        return (p * (np.log(p) - np.log(q))).sum(-1)

    def backward(g, a, b, kind=""):
        p, q, g = softmax(a), softmax(b), g[:, None]
        r = np.log(p) - np.log(q)
        da = p * r if kind == "mean left out" else softmax_back(p, r)
        return g * da, g * (p - q if kind == "sign" else q - p)

    return forward, backward, draw((4, 3), (4, 3)), ("mean left out", "sign")


def distillation() -> Fused:
    t = 3.0

    def forward(z, u):
        return -(softmax(u / t) * np.log(softmax(z / t))).sum(-1).mean() * t**2

    def backward(g, z, u, kind=""):
        p, q = softmax(u / t), softmax(z / t)
        scale = g * t / len(z)
        if kind == "temperature left out":
            scale = g / len(z)
        du = softmax_back(p, -np.log(q))
        return scale * (q - p), g * t / len(z) * (0 * du if kind == "teacher constant" else du)

    return forward, backward, draw((4, 3), (4, 3)), ("temperature left out", "teacher constant")


def info_nce() -> Fused:
    def forward(a, b):
        s = a @ b.T / 0.5
        return -np.log((softmax(s) * np.eye(4)).sum(1)).mean()

    def backward(g, a, b, kind=""):
        d = g * (softmax(a @ b.T / 0.5) - np.eye(4)) / 4
        d = d if kind == "temperature left out" else d / 0.5
        return d @ b, (d if kind == "not transposed" else d.T) @ a

    return forward, backward, draw((4, 3), (4, 3)), ("temperature left out", "not transposed")


def triplet() -> Fused:
    def forward(a, p, n):
        near, far = ((a - p) ** 2).sum(1), ((a - n) ** 2).sum(1)
        return np.maximum(0, near - far + 1)

    def backward(g, a, p, n, kind=""):
        near, far = ((a - p) ** 2).sum(1), ((a - n) ** 2).sum(1)
        m = (g * (1 if kind == "margin left out" else (near - far + 1 > 0)))[:, None]
        da = 2 * m * (n - p)
        return da, -2 * m * (a - p), (-2 if kind == "sign" else 2) * m * (a - n)

    return forward, backward, draw((6, 3), (6, 3), (6, 3)), ("margin left out", "sign")


def cosine_similarity() -> Fused:
    def forward(a, b):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))

    def backward(g, a, b, kind=""):
        na, nb = (np.sqrt((v**2).sum(1, keepdims=True)) for v in (a, b))
        c = (a * b).sum(1, keepdims=True) / (na * nb)
        own = 0 if kind == "projection left out" else c * a / na**2
        db = a / (na * nb) - c * b / (nb if kind == "norm not squared" else nb**2)
        return g[:, None] * (b / (na * nb) - own), g[:, None] * db

    return forward, backward, draw((4, 3), (4, 3)), ("projection left out", "norm not squared")


def log_sum_exp_pooling() -> Fused:
    def forward(x, t):
        return np.log(np.exp(t * x).mean(1)) / t

    def backward(g, x, t, kind=""):
        p = softmax(np.swapaxes(t * x, 1, 2))
        p = np.swapaxes(p, 1, 2)
        y = np.log(np.exp(t * x).mean(1)) / t
        dt = (g * ((p * x).sum(1) - (0 if kind == "second term left out" else y)) / t).sum()
        return g[:, None] * p * (t if kind == "temperature" else 1), dt

    x, _ = draw((2, 4, 3), ())
    return forward, backward, (x, np.array(1.7)), ("second term left out", "temperature")


def attention_pooling() -> Fused:
    def forward(x, w):
        return np.einsum("bn,bnd->bd", softmax(x @ w), x)

    def backward(g, x, w, kind=""):
        p = softmax(x @ w)
        ds = softmax_back(p, np.einsum("bd,bnd->bn", g, x))
        dx = p[..., None] * g[:, None]
        dx = dx if kind == "scores left out" else dx + ds[..., None] * w
        dw = np.einsum("bn,bnd->bd", ds, x)
        return dx, dw.mean(0) if kind == "mean" else dw.sum(0)

    return forward, backward, draw((3, 4, 2), (2,)), ("scores left out", "mean")


def max_pooling() -> Fused:
    def forward(x):
        return x.reshape(x.shape[0], -1, 2).max(-1)

    def backward(g, x, kind=""):
        u = x.reshape(x.shape[0], -1, 2)
        chosen = (
            (u < u.max(-1, keepdims=True))
            if kind == "the others"
            else (u == u.max(-1, keepdims=True))
        )
        if kind == "as mean":
            chosen = 0.5 * np.ones_like(u)
        return (g[..., None] * chosen).reshape(x.shape)

    return forward, backward, draw((3, 6)), ("the others", "as mean")


def average_pooling() -> Fused:
    def forward(x):
        return x.reshape(2, 2, 2, 3, 2).mean((2, 4))

    def backward(g, x, kind=""):
        share = 1 if kind == "share left out" else 2 if kind == "half" else 4
        return np.repeat(np.repeat(g / share, 2, 1), 2, 2)

    return forward, backward, draw((2, 4, 6)), ("share left out", "half")


def rbf_kernel() -> Fused:
    def distances(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(-1)

    def forward(x, y, c):
        return np.exp(-c * distances(x, y))

    def backward(g, x, y, c, kind=""):
        k = g * np.exp(-c * distances(x, y))
        d = 2 * c * k[..., None] * (x[:, None] - y[None])
        dx = d.sum(1) if kind == "sign" else -d.sum(1)
        dc = -k.sum() if kind == "distance left out" else -(k * distances(x, y)).sum()
        return dx, d.sum(0), dc

    x, y = draw((4, 3), (2, 3))
    return forward, backward, (x, y, np.array(0.4)), ("sign", "distance left out")


def fourier_features() -> Fused:
    def forward(x, w):
        return np.concatenate([np.cos(x @ w), np.sin(x @ w)], 1)

    def backward(g, x, w, kind=""):
        u = x @ w
        a, b = g[:, : u.shape[1]], g[:, u.shape[1] :]
        du = (a if kind == "sign" else -a) * np.sin(u) + b * np.cos(u)
        du = b * np.cos(u) if kind == "one half" else du
        return du @ w.T, x.T @ du

    return forward, backward, draw((4, 3), (3, 2)), ("sign", "one half")


def solve() -> Fused:
    def forward(a, b):
        return np.linalg.solve(a, b)

    def backward(g, a, b, kind=""):
        y = np.linalg.solve(a, b)
        db = np.linalg.solve(a if kind == "not transposed" else a.T, g)
        return db @ y.T if kind == "sign" else -db @ y.T, db

    a, b = draw((3, 3), (3, 2))
    return forward, backward, (a + 3 * np.eye(3), b), ("not transposed", "sign")


def log_determinant() -> Fused:
    def forward(a):
        return np.linalg.slogdet(a @ a.T + np.eye(3))[1]

    def backward(g, a, kind=""):
        inner = np.linalg.inv(a @ a.T + np.eye(3))
        return (
            (1 if kind == "two left out" else 2)
            * g
            * (np.linalg.inv(a @ a.T) @ a if kind == "ridge left out" else inner @ a)
        )

    return forward, backward, draw((3, 4)), ("two left out", "ridge left out")


def bilinear() -> Fused:
    def forward(x, w, y):
        return np.einsum("bi,oij,bj->bo", x, w, y)

    def backward(g, x, w, y, kind=""):
        if kind == "transposed":
            w = np.swapaxes(w, 1, 2)
        dw = np.einsum("bo,bi,bj->oij", g, x, y)
        dx, dy = np.einsum("bo,oij,bj->bi", g, w, y), np.einsum("bo,oij,bi->bj", g, w, x)
        return dx, dw / len(x) if kind == "mean" else dw, dy

    return forward, backward, draw((4, 3), (2, 3, 3), (4, 3)), ("transposed", "mean")


def normalised_weights() -> Fused:
    def forward(x):
        w = np.log1p(np.exp(x))
        return w / (w.sum(-1, keepdims=True) + EPS)

    def backward(g, x, kind=""):
        w = np.log1p(np.exp(x))
        n = w.sum(-1, keepdims=True) + EPS
        inner = 0 if kind == "denominator constant" else (g * w).sum(-1, keepdims=True) / n
        d = (g - inner) / n
        return d if kind == "slope left out" else d * sigmoid(x)

    return forward, backward, draw((4, 3)), ("denominator constant", "slope left out")


def stick_breaking() -> Fused:
    def forward(x):
        return np.cumsum(softmax(x), -1)

    def backward(g, x, kind=""):
        p = softmax(x)
        back = np.cumsum(g, -1) if kind == "not reversed" else np.cumsum(g[:, ::-1], -1)[:, ::-1]
        return p * back if kind == "row sum left out" else softmax_back(p, back)

    return forward, backward, draw((3, 4)), ("not reversed", "row sum left out")


FUSED_LOSSES = {
    f.__name__: f
    for f in (
        focal_loss,
        label_smoothing,
        weighted_binary_cross_entropy,
        huber,
        log_cosh,
        squared_hinge,
        poisson_nll,
        gaussian_nll,
        vae_divergence,
        divergence_of_softmaxes,
        distillation,
        info_nce,
        triplet,
        cosine_similarity,
        log_sum_exp_pooling,
        attention_pooling,
        max_pooling,
        average_pooling,
        rbf_kernel,
        fourier_features,
        solve,
        log_determinant,
        bilinear,
        normalised_weights,
        stick_breaking,
    )
}
