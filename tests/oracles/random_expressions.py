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
    "U": "k n d k",
    "x": "d",
    "y": "n",
    "z": "k",
    "s": "",
    "p": "d",
    "u": "k",
    "Q": "n k",
    "R": "d n",
    "O": "n k",
    "m": "n",
    "c": "d",
    "S": "k k",
    "P": "d d",
    "N": "n n",
}
DOMAINS = {
    "p": "positive",
    "u": "unit",
    "Q": "prob",
    "R": "sum1",
    "O": "onehot",
    "m": "pm1",
    "c": "binary",
    "S": "symmetric",
    "P": "spd",
    "N": "nonsingular",
}
Shape = tuple[str, ...]
_TYPES: dict[str, Shape] = {name: tuple(text.split()) for name, text in SHAPES.items()}
_SIZES = ("n", "d", "k")
_SMOOTH = (
    "tanh({})", "sigmoid({})", "sin({})", "cos({})", "exp(0.3*{})", "softplus({})", "gelu({})",
    "silu({})", "erf({})", "arctan({})", "log1p({}**2)", "sqrt(1 + {}**2)", "log(2 + {}**2)",
    "{}**2", "{}**3/4", "1/(2 + {}**2)", "tan(0.2*{})", "-{}", "2*{} - 1", "expm1(0.2*{})",
    "sinh(0.3*{})", "cosh(0.3*{})", "square({})", "gelu_tanh({})", "mish({})", "logsigmoid({})",
    "ln(1.5 + {}**2)", "(1 + {}^2)**(1/3)", "{}/n", "pi*{}", "{}*e/2", "(1.1 + {}**2)**-0.5",
    "{} + d/k", "2**(0.2*{})",
)  # fmt: skip
_KINKED = (
    "relu({})", "leaky_relu({})", "leaky_relu({}, 0.2)", "elu({})", "elu({}, 1.3)", "selu({})",
    "abs({})", "clip({}, -0.4, 0.6)", "hardtanh({})", "hardsigmoid(4*{})", "relu6(5*{})",
    "softsign({})", "sign({})",
)  # fmt: skip
_SHAPES_OF_OUTPUTS: tuple[Shape, ...] = (
    (), (), (), ("n",), ("d",), ("k",), ("n", "d"), ("k", "n"), ("d", "d"), ("n", "k"),
    ("n", "k", "d"), ("d", "n", "n"), ("k", "n", "d", "k"),
)  # fmt: skip


@dataclass
class Generator:
    """Draws expressions; the depth that each method takes bounds the nesting."""

    rng: random.Random

    def expression(self, depth: int = 3) -> str:
        """An expression of a random shape of rank 0 to 4, some of them with sizes like n - 1."""
        if self.rng.random() < 0.15:
            return self.of_another_size(depth - 1)
        shape = self.rng.choice(_SHAPES_OF_OUTPUTS)
        return self.of(shape, depth if len(shape) < 3 else depth - 1)

    def of(self, shape: Shape, depth: int) -> str:
        """An expression of the given shape."""
        if depth <= 0:
            return self.leaf(shape)
        own = (self.scalar, self.vector, self.matrix)[len(shape)] if len(shape) < 3 else self.array
        choices = [self.elementwise, self.binary, self.binary, own, own, self.any_rank]
        return self.rng.choice(choices)(shape, depth - 1)

    def leaf(self, shape: Shape) -> str:
        """A symbol of the shape, or the smallest expression that has it."""
        found = [n for n, s in _TYPES.items() if s == shape]
        found += [f"{n}.T" for n, s in _TYPES.items() if len(s) > 1 and s[::-1] == shape]
        if found:
            return self.rng.choice(found)
        if len(shape) == 2:
            return f"outer({self.leaf(shape[:1])}, {self.leaf(shape[1:])})"
        kept = ", ".join(":" * (k < len(shape) - 1) or "None" for k in range(len(shape)))
        return f"(({self.leaf(shape[:-1])})[{kept}]*({self.leaf(shape[1:])}))"

    # --- entries ----------------------------------------------------------------------------

    def elementwise(self, shape: Shape, depth: int) -> str:
        inner = f"({self.of(shape, depth)})"
        if self.rng.random() < 0.2:
            smooth = f"({self.leaf(shape)} + 0.1*{inner} + 0.05)"
            return self.rng.choice(_KINKED).format(smooth)
        return self.rng.choice(_SMOOTH).format(inner)

    def binary(self, shape: Shape, depth: int) -> str:
        left, right = self.of(shape, depth), self.of(shape, depth - 1)
        if self.rng.random() < 0.3:
            right = self.narrower(shape, depth - 1)
        forms = ["({l}) + ({r})", "({l}) - ({r})", "({l})*({r})", "({l})/(1.5 + ({r})**2)"]
        draw = self.rng.random()
        if draw < 0.2:
            forms = [
                "maximum({l}, {r} + 0.3)",
                "minimum({l}, 0.2 + {r})",
                "where({l} > 0.1, {l}, {r})",
                "where({r} <= 0.3, {l}, 2*({r}))",
                "where(({l})*({r}) < -0.2, 1, {l})",
                "(({l}) >= 0.15)*({r})",
                "(({l}) != ({r}) + 0.1)*({l})",
                "({l})*(({r}) == 0.7)",
                "clip({l}, ({r}) - 0.5, ({r}) + 0.4)",
            ]
        elif draw < 0.3:
            forms = ["(1.2 + ({l})**2)**tanh({r})", "exp(tanh({l}))**(0.5*({r}))"]
        return self.rng.choice(forms).format(l=left, r=right)

    def narrower(self, shape: Shape, depth: int) -> str:
        """Something that broadcasts to the shape."""
        if not shape:
            return self.rng.choice(["0.7", "pi", "n/k"])
        draw = self.rng.random()
        if draw < 0.2:
            return self.of((), depth)
        if draw < 0.5 or len(shape) == 1:
            return self.of(shape[1:], depth)
        axis = self.rng.randrange(len(shape))
        rest = (*shape[:axis], *shape[axis + 1 :])
        kept = ", ".join("None" if k == axis else ":" for k in range(len(shape)))
        return f"({self.of(rest, depth)})[{kept}]"

    # --- any rank ---------------------------------------------------------------------------

    def any_rank(self, shape: Shape, depth: int) -> str:
        forms = [self.reduction, self.reduction, self.einsum, self.entry_of_more]
        if shape:
            forms += [self.along, self.kept, self.rearranged, self.sliced]
        return self.rng.choice(forms)(shape, depth)

    def reduction(self, shape: Shape, depth: int) -> str:
        """A reduction of one axis or two more than the shape has."""
        axes = list(shape)
        count = 1 if len(shape) > 1 or self.rng.random() < 0.7 else 2
        places = sorted(self.rng.sample(range(len(shape) + count), count))
        for place in places:
            axes.insert(place, self.rng.choice(_SIZES))
        inner = f"({self.of(tuple(axes), depth)})"
        if count == 1:
            axis = str(self.rng.choice([places[0], places[0] - len(axes)]))
        else:
            axis = f"({places[0]}, {places[1]})"
        return self._reduced(inner, f", axis={axis}")

    def _reduced(self, inner: str, options: str) -> str:
        forms = [
            "sum({i}{o})",
            "mean({i}{o})",
            "var({i}{o})",
            "max({i}{o})",
            "min({i}{o})",
            "amax({i}{o})",
            "amin({i}{o})",
            "prod(1 + 0.3*tanh({i}){o})",
            "norm(2 + {i}**2{o})",
            "logsumexp({i}{o})",
        ]
        return self.rng.choice(forms).format(i=inner, o=options)

    def kept(self, shape: Shape, depth: int) -> str:
        """A reduction that keeps its axis, against the array itself."""
        inner, axis = f"({self.of(shape, depth)})", self.rng.randrange(len(shape))
        reduced = self._reduced(inner, f", axis={axis}, keepdims=True")
        return self.rng.choice(["{i} - {r}", "{i}*{r}", "{i}/(1.3 + {r}**2)"]).format(
            i=inner, r=reduced
        )

    def along(self, shape: Shape, depth: int) -> str:
        axis = self.rng.choice([-1, *range(len(shape))])
        name = self.rng.choice(["softmax", "log_softmax", "cumsum"])
        return f"{name}({self.of(shape, depth)}, axis={axis})"

    def einsum(self, shape: Shape, depth: int) -> str:
        """A contraction of one to three operands over random indices."""
        letters = dict(zip("ijkl", shape, strict=False))
        for letter in "abc"[: self.rng.choice([0, 1, 1, 2])]:
            letters[letter] = self.rng.choice(_SIZES)
        names = list(letters)
        if not names:
            names, letters = ["a"], {"a": "n"}
        terms: list[list[str]] = []
        for _ in range(self.rng.choice([1, 2, 2, 3])):
            terms.append(self.rng.sample(names, self.rng.randint(1, min(3, len(names)))))
        missing = [n for n in names if not any(n in t for t in terms)]
        terms += [[n] for n in missing]
        used = [self.of(tuple(letters[c] for c in t), depth - (len(terms) > 1)) for t in terms]
        out = "".join("ijkl"[: len(shape)])
        return f"einsum('{','.join(map(''.join, terms))}->{out}', {', '.join(used)})"

    def entry_of_more(self, shape: Shape, depth: int) -> str:
        """One entry along a further axis."""
        axis = self.rng.randint(0, len(shape))
        more = (*shape[:axis], self.rng.choice(_SIZES), *shape[axis:])
        shown = [":"] * len(more)
        shown[axis] = self.rng.choice(["0", "1", "-1", "-2"])
        if self.rng.random() < 0.3 or len(shape) > 2:
            parts = f"[{self.of(shape, depth)}, {self.leaf(shape)}]"
            shown[axis] = self.rng.choice(["0", "1", "-1"])
            return f"stack({parts}, axis={axis})[{', '.join(shown)}]"
        return f"({self.of(more, depth)})[{', '.join(shown)}]"

    def rearranged(self, shape: Shape, depth: int) -> str:
        """The same entries in another order."""
        order = list(range(len(shape)))
        self.rng.shuffle(order)
        before = tuple(shape[order.index(k)] for k in range(len(shape)))
        mixed = tuple(self.rng.sample(shape, len(shape)))
        target = ", ".join(shape) + "," * (len(shape) == 1)
        forms = [
            f"transpose({self.of(before, depth)}, ({', '.join(map(str, order))},))",
            f"({self.of(shape[::-1], depth)}).T",
            f"reshape({self.of(mixed, depth)}, ({target}))",
        ]
        return self.rng.choice(forms)

    def sliced(self, shape: Shape, depth: int) -> str:
        """Slices that are put together to the same size again."""
        inner, axis = f"({self.of(shape, depth)})", self.rng.randrange(len(shape))

        def at(part: str) -> str:
            return ", ".join(part if k == axis else ":" for k in range(len(shape)))

        forms = [
            f"{inner}[{at('::-1')}]",
            f"concatenate([{inner}[{at('1:')}], {inner}[{at(':1')}]], axis={axis})",
            f"concat(({inner}[{at('-1:')}], {inner}[{at(':-1')}]), {axis})",
            f"concatenate([{inner}, {inner}], {axis})[{at(f'1:{shape[axis]} + 1')}]",
        ]
        return self.rng.choice(forms)

    # --- by rank ----------------------------------------------------------------------------

    def scalar(self, shape: Shape, depth: int) -> str:
        del shape
        a, c = self.rng.choice(_SIZES), self.rng.choice(_SIZES)
        vector, matrix = self.of((a,), depth), self.of((a, c), depth)
        square = self.of((a, a), depth - 1)
        regular = f"3*eye({a}) + 0.3*tanh({square})"
        forms = [
            self._reduced(f"({matrix})", ""),
            self._reduced(f"({vector})", ""),
            f"({vector}) @ ({self.of((a,), depth - 1)})",
            f"trace({square})",
            f"logdet({regular})",
            f"0.05*det({regular})",
            f"({vector})[0]",
            f"({matrix})[-1, 1]",
            f"sum(({vector})[1:]*({vector})[:-1])",
            f"sum(({vector})[::2]**2)",
            f"mean(({matrix})[:, 1::2])",
            f"dot({vector}, {self.leaf((a,))})",
            f"sum(reshape({matrix}, (-1,))**2)",
            f"sum(kron({vector}, {self.leaf((c,))})[1:])",
            f"norm(1.5 + ({matrix})[::-1, :-1])",
            f"sum(cumsum(ravel({matrix}))**2)",
        ]
        return self.rng.choice(forms)

    def vector(self, shape: Shape, depth: int) -> str:
        (a,) = shape
        c = self.rng.choice(_SIZES)
        matrix, vector = self.of((a, c), depth), self.of((a,), depth)
        forms = [
            f"({matrix}) @ ({self.of((c,), depth - 1)})",
            f"({self.of((c,), depth - 1)}) @ ({matrix}).T",
            f"dot({matrix}, {self.leaf((c,))})",
            f"diag({self.of((a, a), depth)})",
            f"softmax({vector})",
            f"cumsum({vector})",
            f"({vector}) - mean({vector})",
            f"inv(3*eye({a}) + 0.3*tanh({self.of((a, a), depth - 1)})) @ ({vector})",
            f"trace(({matrix})[:, :, None]*({self.leaf((c,))}))",
            f"logdet(2*eye({c}) + 0.2*tanh({self.of((a, c, c), depth - 1)}))",
            f"det(eye({c}) + 0.2*tanh({self.of((a, c, c), depth - 1)}))",
            f"({vector}) + zeros({a}) + ones(({a},))",
        ]
        return self.rng.choice(forms)

    def matrix(self, shape: Shape, depth: int) -> str:
        a, c = shape
        m = self.rng.choice(_SIZES)
        whole = self.of(shape, depth)
        shift = self.rng.choice(["", ", k=1", ", k=-1"])
        forms = [
            f"({self.of((a, m), depth)}) @ ({self.of((m, c), depth - 1)})",
            f"matmul({self.of((a, m), depth)}, {self.leaf((m, c))})",
            f"({self.of((a, m, c), depth - 1)}).T[:, 0, :].T",
            f"outer({self.of((a,), depth)}, {self.of((c,), depth)})",
            f"softmax({whole})",
            f"tril({whole}{shift})",
            f"triu({whole}{shift})",
            f"({whole})/(1 + sum(({whole})**2, axis=1, keepdims=True))",
            f"({whole}) + ones(({a}, {c}))*s - zeros(({a}, {c}))",
            f"dot({self.of((a, m), depth - 1)}, {self.leaf((m, c))})",
            f"({whole}) + eye({a}, {c})",
        ]
        if a == c:
            regular = f"inv(3*eye({a}) + 0.3*tanh({whole}))"
            forms += [f"diag({self.of((a,), depth)})", regular, f"{regular} @ {self.leaf(shape)}"]
        return self.rng.choice(forms)

    def array(self, shape: Shape, depth: int) -> str:
        """Rank 3 and more: batches of matrices, broadcasting, einsum, transposes."""
        *batch, a, c = shape
        m = self.rng.choice(_SIZES)
        forms = [
            f"({self.of((*batch, a, m), depth - 1)}) @ ({self.leaf((m, c))})",
            f"({self.leaf((*batch, a, m))}) @ ({self.leaf((*batch, m, c))})",
            self.leaf(shape),
            self.einsum(shape, depth - 1),
            f"tanh({self.leaf(shape)})*({self.narrower(shape, depth - 1)})",
            f"tril({self.leaf(shape)})",
            f"stack([{', '.join(['tanh(' + self.leaf(shape) + ')'] * 2)}])[1]",
        ]
        if a == c:
            forms.append(f"inv(3*eye({a}) + 0.2*tanh({self.leaf(shape)}))")
        return self.rng.choice(forms)

    def of_another_size(self, depth: int) -> str:
        """A shape that no symbol has: slices, concatenations, Kronecker products, reshapes."""
        a, c = self.rng.choice(_SIZES), self.rng.choice(_SIZES)
        vector, matrix = self.of((a,), depth), self.of((a, c), depth)
        forms = [
            f"({vector})[1:]",
            f"({vector})[::2]",
            f"({vector})[:-1]*({vector})[1:]",
            f"({matrix})[:, ::-1][1:]",
            f"({matrix})[::2, None, :-1]",
            f"({matrix})[-1:, 1:]",
            f"kron({vector}, {self.of((c,), depth)})",
            f"kron({matrix}, {self.leaf((c, a))})",
            f"concatenate([{vector}, {self.of((c,), depth)}])",
            f"concatenate([{matrix}, ({self.of((a,), depth)})[:, None]], axis=1)",
            f"stack([{vector}, {self.leaf((a,))}, 2*({self.leaf((a,))})], axis=1)",
            f"reshape({matrix}, (-1,))",
            f"flatten({matrix})",
            f"ravel({self.of((a, c), depth)})",
            f"sum({matrix}, axis=0, keepdims=True)",
            f"mean({self.of((a, c), depth)}, axis=(0, 1), keepdims=True)",
            f"max({matrix}, axis=1, keepdims=True)",
            f"({vector})[None, :, None]",
            f"reshape({self.leaf((a, c))}, ({c}, 1, {a}))",
        ]
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
    return name in words(text)


def words(text: str) -> list[str]:
    """The names in an expression; those inside of quotes do not count, nor does a transpose."""
    outside = "".join(text.split("'")[::2]).replace(".T", "")
    return "".join(c if c.isalnum() or c == "_" else " " for c in outside).split()
