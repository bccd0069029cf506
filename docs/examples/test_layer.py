"""A linear layer with a backward pass by hand, and its test."""

import numpy as np


def forward(x, w):
    return x @ w


def backward(g, x, w):
    return g @ w.T, x.T @ g


def test_the_layer(backprove):
    x = np.arange(15.0).reshape(5, 3) / 7
    w = np.cos(np.arange(6.0)).reshape(3, 2)
    backprove.assert_vjp(forward, backward, x, w)


def test_what_the_comment_above_the_kernel_says(backprove):
    backprove.assert_claim("sum(x @ w)", "w", "outer(sum(x, axis=0), ones(k))",
                           {"x": "n d", "w": "d k"})  # fmt: skip
