"""Random well-typed expressions over the whole language, as text, from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

SHAPES = {
    "X": "n d",
    "Y": "n d",
    "W": "k d",
    "A": "n n",
    "B": "d d",
    "T": "n k d",
    "x": "d",
    "y": "n",
    "z": "k",
    "s": "",
}
Shape = tuple[str, ...]
_TYPES: dict[str, Shape] = {name: tuple(text.split()) for name, text in SHAPES.items()}
_SMOOTH = (
    "tanh({})",
    "sigmoid({})",
    "sin({})",
    "cos({})",
    "exp(0.3*{})",
    "softplus({})",
    "gelu({})",
    "silu({})",
    "erf({})",
    "arctan({})",
    "log1p({}**2)",
    "sqrt(1 + {}**2)",
    "log(2 + {}**2)",
    "{}**2",
    "{}**3/4",
    "1/(2 + {}**2)",
    "tan(0.2*{})",
    "-{}",
    "2*{} - 1",
    "expm1(0.2*{})",
)
_KINKED = ("relu({})", "leaky_relu({})", "elu({})", "abs({})", "clip({}, -0.4, 0.6)")
_SIZES = ("n", "d", "k")


@dataclass
class Generator:
    """Draws expressions; ``depth`` bounds the nesting."""

    rng: random.Random

    def expression(self, depth: int = 3) -> str:
        """An expression of a random shape of rank 0 to 2."""
        shape = self.rng.choice([(), (), ("n",), ("d",), ("n", "d"), ("k", "n"), ("d", "d")])
        return self.of(shape, depth)

    def of(self, shape: Shape, depth: int) -> str:
        """An expression of the given shape."""
        if depth <= 0:
            return self.leaf(shape)
        choices = [self.elementwise, self.elementwise, self.binary, self.binary]
        choices.append((self.scalar, self.vector, self.matrix, self.leaf_of_rank_3)[len(shape)])
        choices.append(choices[-1])
        return self.rng.choice(choices)(shape, depth - 1)

    def leaf(self, shape: Shape) -> str:
        """A symbol of the shape, or the smallest expression that has it."""
        found = [n for n, s in _TYPES.items() if s == shape]
        found += [f"{n}.T" for n, s in _TYPES.items() if len(s) == 2 and s[::-1] == shape]
        if found:
            return self.rng.choice(found)
        if len(shape) == 2:
            return f"outer({self.leaf(shape[:1])}, {self.leaf(shape[1:])})"
        return "T"

    def leaf_of_rank_3(self, shape: Shape, depth: int) -> str:
        del shape
        left, right = self.of(("n", "d"), depth), self.of(("k", "d"), depth)
        return self.rng.choice(["T", f"(({left})[:, None, :]*({right}))", "tanh(T)"])

    def elementwise(self, shape: Shape, depth: int) -> str:
        inner = f"({self.of(shape, depth)})"
        if self.rng.random() < 0.2:
            smooth = f"({self.leaf(shape)} + 0.1*{inner})"
            return self.rng.choice(_KINKED).format(smooth)
        return self.rng.choice(_SMOOTH).format(inner)

    def binary(self, shape: Shape, depth: int) -> str:
        left, right = self.of(shape, depth), self.of(shape, depth - 1)
        if self.rng.random() < 0.3:
            right = self.narrower(shape, depth - 1)
        forms = ["({l}) + ({r})", "({l}) - ({r})", "({l})*({r})", "({l})/(1.5 + ({r})**2)"]
        if self.rng.random() < 0.15:
            forms = [
                "maximum({l}, {r} + 0.3)",
                "minimum({l}, 0.2 + {r})",
                "where({l} > 0.1, {l}, {r})",
                "where({r} <= 0.3, {l}, 2*({r}))",
            ]
        return self.rng.choice(forms).format(l=left, r=right)

    def narrower(self, shape: Shape, depth: int) -> str:
        """Something that broadcasts to the shape."""
        if len(shape) == 2 and self.rng.random() < 0.5:
            return f"({self.of(shape[:1], depth)})[:, None]"
        if len(shape) == 2:
            return self.of(shape[1:], depth)
        return self.of((), depth)

    def scalar(self, shape: Shape, depth: int) -> str:
        del shape
        a, c = self.rng.choice(_SIZES), self.rng.choice(_SIZES)
        vector, matrix = self.of((a,), depth), self.of((a, c), depth)
        square = self.of(("n", "n"), depth - 1)
        regular = f"3*eye(n) + 0.3*tanh({square})"
        return self.rng.choice(
            [
                f"sum({matrix})",
                f"mean({vector})",
                f"({vector}) @ ({self.of((a,), depth - 1)})",
                f"trace({square})",
                f"norm(1 + ({vector})**2)",
                f"logdet({regular})",
                f"0.05*det({regular})",
                f"max({vector})",
                f"prod(1.2 + 0.2*sin({vector}))",
                f"var({matrix})",
                f"logsumexp({matrix})",
                f"({vector})[0]",
                f"({matrix})[-1, 1]",
                f"sum(({vector})[1:]*({vector})[:-1])",
                f"einsum('ij,ij->', {matrix}, {self.of((a, c), depth - 1)})",
                f"dot({vector}, {self.leaf((a,))})",
                f"sum(reshape({matrix}, (-1,))**2)",
            ]
        )

    def vector(self, shape: Shape, depth: int) -> str:
        (a,) = shape
        c = self.rng.choice(_SIZES)
        matrix, vector = self.of((a, c), depth), self.of((a,), depth)
        return self.rng.choice(
            [
                f"({matrix}) @ ({self.of((c,), depth - 1)})",
                f"({self.of((c,), depth - 1)}) @ ({matrix}).T",
                f"sum({matrix}, axis=1)",
                f"mean({self.of((c, a), depth)}, axis=0)",
                f"max({matrix}, axis=1)",
                f"min({matrix}, axis=1)",
                f"norm(2 + ({matrix})**2, axis=1)",
                f"var({matrix}, axis=1)",
                f"logsumexp({matrix}, axis=1)",
                f"prod(1 + 0.3*tanh({matrix}), axis=1)",
                f"diag({self.of((a, a), depth)})",
                f"({self.of((c, a), depth)})[0]",
                f"({vector})[::-1]",
                f"concatenate([({vector})[1:], ({vector})[:1]])",
                f"stack([{vector}, {self.leaf((a,))}])[1]",
                f"softmax({vector})",
                f"log_softmax({vector})",
                f"cumsum({vector})",
                f"einsum('ij,ij->i', {matrix}, {self.of((a, c), depth - 1)})",
                f"({vector}) - mean({vector})",
            ]
        )

    def matrix(self, shape: Shape, depth: int) -> str:
        a, c = shape
        m = self.rng.choice(_SIZES)
        whole = self.of(shape, depth)
        forms = [
            f"({self.of((a, m), depth)}) @ ({self.of((m, c), depth - 1)})",
            f"({self.of((c, a), depth)}).T",
            f"outer({self.of((a,), depth)}, {self.of((c,), depth)})",
            f"softmax({whole})",
            f"softmax({whole}, axis=0)",
            f"log_softmax({whole})",
            f"cumsum({whole}, axis=1)",
            f"tril({whole})",
            f"triu({whole}, k=1)",
            f"reshape({self.of((c, a), depth)}, ({a}, {c}))",
            f"({whole}) - mean({whole}, axis=0)",
            f"({whole})/(1 + sum(({whole})**2, axis=1, keepdims=True))",
            f"({whole})[:, ::-1]",
            f"transpose({self.of((c, a), depth)})",
            f"({whole})*1.5",
        ]
        if a == c:
            forms += [f"diag({self.of((a,), depth)})", f"inv(3*eye({a}) + 0.3*tanh({whole}))"]
        if (a, c) == ("n", "d"):
            forms += ["sum(T, axis=1)", "einsum('ikj,k->ij', T, z)"]
        return self.rng.choice(forms)


def random_expression(seed: int, depth: int = 3) -> tuple[str, str]:
    """An expression and a symbol that it depends on."""
    generator = Generator(random.Random(seed))
    for _ in range(100):
        text = generator.expression(depth)
        used = [n for n in SHAPES if _uses(text, n)]
        if used:
            return text, generator.rng.choice(used)
    raise AssertionError(seed)


def _uses(text: str, name: str) -> bool:
    padded = "".join(c if c.isalnum() or c == "_" else " " for c in text)
    return name in padded.split()
