"""Times ``derive`` and prints tables: ``python benchmarks/derive.py`` in the repository.

Extra ``bench`` for the comparison with SymPy. Times are processor time, which a busy machine does
not stretch as much as wall-clock time: the best of a few runs for single forms, once per expression
for the table (warm: after one pass).
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from backprove.calculus import derive
from oracles import finite_differences
from oracles.text_numpy import evaluate
from tables.loader import cases

SIZES = {"n": 3, "d": 4, "k": 2, "m": 5}

FORMS: list[tuple[str, str, dict[str, str]]] = [
    ("trace(A @ X @ B)", "X", {"A": "n n", "X": "n n", "B": "n n"}),
    ("trace(X.T @ A @ X)", "X", {"A": "n n", "X": "n d"}),
    ("x.T @ A @ x", "x", {"A": "n n", "x": "n 1"}),
    ("A @ x", "x", {"A": "n d", "x": "d 1"}),
    ("X @ W.T", "W", {"X": "n d", "W": "k d"}),
    ("A @ X @ B", "X", {"A": "n n", "X": "n d", "B": "d d"}),
    ("inv(X)", "X", {"X": "n n"}),
    ("det(X)", "X", {"X": "n n"}),
    ("log(det(X))", "X", {"X": "n n"}),
    ("x*y", "x", {"x": "n 1", "y": "n 1"}),
    ("exp(x)", "x", {"x": "n 1"}),
    ("sum(exp(x))", "x", {"x": "n 1"}),
    ("trace(X)", "X", {"X": "n n"}),
    ("trace(X @ X)", "X", {"X": "n n"}),
    ("trace(A @ X.T @ B @ X)", "X", {"A": "d d", "X": "n d", "B": "n n"}),
    ("trace(inv(X) @ A)", "X", {"X": "n n", "A": "n n"}),
    ("inv(X) @ A", "X", {"X": "n n", "A": "n d"}),
    ("det(A @ X)", "X", {"A": "n n", "X": "n n"}),
    ("a.T @ X @ b", "X", {"a": "n 1", "X": "n d", "b": "d 1"}),
    ("x @ x.T", "x", {"x": "n 1"}),
    ("X.T @ X", "X", {"X": "n d"}),
    ("(A @ x - y).T @ (A @ x - y)", "x", {"A": "n d", "x": "d 1", "y": "n 1"}),
    ("(A @ x)*y", "x", {"A": "n d", "x": "d 1", "y": "n 1"}),
    ("sin(X)", "X", {"X": "n d"}),
    ("sin(A @ x)", "x", {"A": "n d", "x": "d 1"}),
    ("A*X", "X", {"A": "n d", "X": "n d"}),
    ("kron(A, X)", "X", {"A": "n d", "X": "n d"}),
]
"""What SymPy's matrix expressions can write; vectors are columns, as SymPy has them."""


def best(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of processor time of the fastest run."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def table_times() -> None:
    """One derivation of each published case, after a first pass over all of them."""
    entries = cases()

    def one(case):  # type: ignore[no-untyped-def]
        d = derive(case.f, case.wrt, case.shapes, order=case.order, domain=case.domain)
        start = time.process_time()
        _ = d.index_form
        after_index = time.process_time()
        _ = d.matrix_form
        return after_index - start, time.process_time() - after_index

    for case in entries:
        one(case)
    rows = []
    for case in entries:
        start = time.process_time()
        index, matrix = one(case)
        whole = time.process_time() - start
        rows.append((whole - index - matrix, index, matrix, whole, case.id))
    print(f"derivations over the table: {len(rows)} cases, warm, milliseconds")
    print(f"{'part':34}{'median':>9}{'p99':>9}{'largest':>9}")
    names = ("derive", "index form", "matrix form, verified", "all three")
    for column, name in enumerate(names):
        values = 1e3 * np.array([r[column] for r in rows])
        print(
            f"{name:34}{np.median(values):9.2f}{np.percentile(values, 99):9.1f}{values.max():9.1f}"
        )
    print("slowest:", ", ".join(r[4] for r in sorted(rows, reverse=True)[:5]))


def _point(shapes: dict[str, str]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    values = {}
    for name, shape in shapes.items():
        sizes = [int(w) if w.isdigit() else SIZES[w] for w in shape.split()]
        values[name] = rng.normal(size=sizes)
    if "X" in values and values["X"].shape == (3, 3):  # a positive determinant, for its logarithm
        values["X"] = values["X"] @ values["X"].T + np.eye(3)
    return values


def _sympy_jacobian(text, wrt, shapes, values):  # type: ignore[no-untyped-def]
    """SymPy's derivative of its own matrix expression, with numbers put in; output x input."""
    import sympy as sp

    symbols = {}
    for name, shape in shapes.items():
        rows, columns = (
            int(w) if w.isdigit() else sp.Symbol(w, integer=True) for w in shape.split()
        )
        symbols[name] = sp.MatrixSymbol(name, rows, columns)
    s = symbols
    written = {
        "trace(A @ X @ B)": lambda: sp.Trace(s["A"] * s["X"] * s["B"]),
        "trace(X.T @ A @ X)": lambda: sp.Trace(s["X"].T * s["A"] * s["X"]),
        "x.T @ A @ x": lambda: s["x"].T * s["A"] * s["x"],
        "A @ x": lambda: s["A"] * s["x"],
        "X @ W.T": lambda: s["X"] * s["W"].T,
        "A @ X @ B": lambda: s["A"] * s["X"] * s["B"],
        "inv(X)": lambda: s["X"].inv(),
        "det(X)": lambda: sp.Determinant(s["X"]),
        "log(det(X))": lambda: sp.log(sp.Determinant(s["X"])),
        "x*y": lambda: sp.HadamardProduct(s["x"], s["y"]),
        "exp(x)": lambda: s["x"].applyfunc(sp.exp),
        "sum(exp(x))": lambda: sp.OneMatrix(1, s["x"].rows) * s["x"].applyfunc(sp.exp),
        "trace(X)": lambda: sp.Trace(s["X"]),
        "trace(X @ X)": lambda: sp.Trace(s["X"] * s["X"]),
        "trace(A @ X.T @ B @ X)": lambda: sp.Trace(s["A"] * s["X"].T * s["B"] * s["X"]),
        "trace(inv(X) @ A)": lambda: sp.Trace(s["X"].inv() * s["A"]),
        "inv(X) @ A": lambda: s["X"].inv() * s["A"],
        "det(A @ X)": lambda: sp.Determinant(s["A"] * s["X"]),
        "a.T @ X @ b": lambda: s["a"].T * s["X"] * s["b"],
        "x @ x.T": lambda: s["x"] * s["x"].T,
        "X.T @ X": lambda: s["X"].T * s["X"],
        "(A @ x - y).T @ (A @ x - y)": lambda: (
            (s["A"] * s["x"] - s["y"]).T * (s["A"] * s["x"] - s["y"])
        ),
        "(A @ x)*y": lambda: sp.HadamardProduct(s["A"] * s["x"], s["y"]),
        "sin(X)": lambda: s["X"].applyfunc(sp.sin),
        "sin(A @ x)": lambda: (s["A"] * s["x"]).applyfunc(sp.sin),
        "A*X": lambda: sp.HadamardProduct(s["A"], s["X"]),
        "kron(A, X)": lambda: sp.KroneckerProduct(s["A"], s["X"]),
    }[text]()
    start = time.process_time()
    answer = written.diff(s[wrt])
    took = time.process_time() - start
    if answer.has(sp.Derivative):
        return took, "unevaluated"
    fixed = {sp.Symbol(n, integer=True): v for n, v in SIZES.items()}
    answer = answer.subs(fixed)
    numbers = {
        sp.MatrixSymbol(n, *v.shape): sp.ImmutableDenseMatrix(v.tolist()) for n, v in values.items()
    }
    explicit = answer.subs(numbers).doit()
    if hasattr(explicit, "as_explicit"):
        explicit = explicit.as_explicit()
    return took, np.array(explicit.tolist(), dtype=float)


def _right(given: np.ndarray, truth: np.ndarray) -> bool:
    """Whether the entries agree in some order of output and input axes (any layout counts)."""
    if given.size != truth.size:
        return False
    flat = np.sort(np.abs(given).ravel()), np.sort(np.abs(truth).ravel())
    if not np.allclose(*flat, atol=1e-6):
        return False
    rank = truth.ndim
    for order in _orders(rank):
        if np.allclose(given.ravel(), truth.transpose(order).ravel(), atol=1e-6):
            return True
    return False


def _orders(rank: int):  # type: ignore[no-untyped-def]
    from itertools import permutations

    return permutations(range(rank))


def against_sympy() -> None:
    """The same forms in both; right means equal to finite differences, in any layout."""
    try:
        import sympy
    except ImportError:
        print("SymPy is not installed (extra `bench`); no comparison")
        return
    print(f"the same forms in SymPy {sympy.__version__} (milliseconds; first call of each form)")
    print(f"{'f':30}{'backprove':>12}{'':14}{'SymPy':>10}")
    counts: dict[str, Counter[str]] = {"backprove": Counter(), "SymPy": Counter()}
    for text, wrt, shapes in FORMS:
        values = _point(shapes)
        start = time.process_time()
        d = derive(text, wrt, shapes)
        ours = time.process_time() - start
        fixed = {k: v for k, v in values.items() if k != wrt}
        truth = finite_differences.jacobian(
            lambda x, text=text, wrt=wrt, fixed=fixed: evaluate(text, {**fixed, wrt: x}),
            {"x": values[wrt]},
            "x",
        )
        verdict = "right" if truth.agrees(d.evaluate(values), rtol=1e-6) else "wrong"
        counts["backprove"][verdict] += 1
        try:
            theirs, answer = _sympy_jacobian(text, wrt, shapes, values)
            if isinstance(answer, str):
                other = answer
            else:
                other = "right" if _right(answer, truth.value) else "wrong"
            shown = f"{1e3 * theirs:10.1f} {other}"
            counts["SymPy"][other] += 1
        except Exception as error:  # SymPy fails in many ways; each one is its answer
            shown = f"{'-':>10} fails: {type(error).__name__}"
            counts["SymPy"]["fails"] += 1
        print(f"{text:30}{1e3 * ours:12.1f} {verdict:12}{shown}", flush=True)
    for name, found in counts.items():
        print(f"{name}:", ", ".join(f"{n} {what}" for what, n in found.most_common()))


def whole_process() -> None:
    """The command line, from start to end of the process."""
    command = [sys.executable, "-m", "backprove", "derive", "X @ W.T", "--wrt", "W"]
    command += ["--shape", "X=n,d", "--shape", "W=k,d"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr or done.stdout).strip().splitlines()[:2]
        print("whole process: the command is refused:", *message)
        return
    walls, worked = [], []
    for _ in range(7):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        worked.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    print(
        f"whole process of backprove derive 'X @ W.T': {min(worked):.2f} s of processor time, "
        f"{min(walls):.2f} s on the clock (goal: 0.6; best of 7)"
    )


def structured_softmax(dense_rows: int) -> None:
    """Softmax over 1,000 rows of 100: structured against ``jax.jacobian``'s dense array.

    The dense Jacobian of all rows holds 80 GB in float64 (40 GB in float32), so JAX computes fewer
    rows, and its time and size are scaled up with the square of the number of rows.
    """
    import jax
    import jax.numpy as jnp

    x = np.random.default_rng(0).normal(size=(1000, 100))
    d = derive("softmax(X)", "X", {"X": "n k"})
    d.evaluate({"X": x[:5]}, form="structured")
    array = d.evaluate({"X": x}, form="structured")
    ours = best(lambda: d.evaluate({"X": x}, form="structured"))
    small = jnp.asarray(x[:dense_rows], dtype=jnp.float32)
    dense = jax.jit(jax.jacobian(lambda v: jax.nn.softmax(v, axis=-1)))
    jacobian = np.asarray(dense(small))
    check = np.asarray(d.evaluate({"X": x[:dense_rows]}, form="structured").to_dense())
    assert np.abs(check - jacobian).max() < 1e-5
    theirs = best(lambda: dense(small).block_until_ready())
    scale = (1000 / dense_rows) ** 2
    print("Jacobian of softmax over 1,000 rows of 100")
    print(f"{'':34}{'seconds':>12}{'bytes':>18}")
    print(f"{'structured, 1,000 rows':34}{ours:12.5f}{array.nbytes:18,}")
    print(f"{f'jax.jacobian, {dense_rows} rows (float32)':34}{theirs:12.5f}{jacobian.nbytes:18,}")
    print(
        f"{'jax.jacobian, 1,000 rows, scaled':34}{theirs * scale:12.3f}"
        f"{int(jacobian.nbytes * scale):18,}"
    )
    print(
        f"ratio (scaled): time {theirs * scale / ours:,.0f}, "
        f"bytes {jacobian.nbytes * scale / array.nbytes:,.0f} (goal: 100 each)"
    )


def _wide(count: int) -> str:
    return " + ".join(f"sin({i + 2}*w)" for i in range(max(1, count // 3)))


def _deep(count: int) -> str:
    text = "w"
    for _ in range(max(1, count // 2)):
        text = f"tanh({text} + w)"
    return text


def _layers(count: int) -> str:
    text = "w"
    for _ in range(max(1, count // 3)):
        text = f"tanh(A @ {text} + b)"
    return f"sum({text})"


def _stop(*_: object) -> None:
    raise TimeoutError


def growth(limit: int, seconds: int) -> None:
    """Time against the number of operations, for three kinds of expressions."""
    signal.signal(signal.SIGALRM, _stop)
    shapes = {"w": "d", "A": "d d", "b": "d"}
    print("time against the number of operations (seconds; ms per operation)")
    print(f"{'operations':>10}" + "".join(f"{n:>30}" for n in ("wide sum", "deep chain", "layers")))
    for count in (125, 250, 500, 1000, 2000):
        if count > limit:
            break
        cells = []
        for write in (_wide, _deep, _layers):
            text = write(count)
            gc.collect()
            signal.alarm(seconds)
            try:
                start = time.process_time()
                d = derive(text, "w", shapes)
                derived = time.process_time() - start
                _ = d.index_form
                printed = time.process_time() - start - derived
            except TimeoutError:
                cells.append(f"stopped after {seconds} s")
                continue
            finally:
                signal.alarm(0)
            each = 1e3 * (derived + printed) / len(d.program.operations)
            cells.append(f"{derived:9.2f} +{printed:6.2f} ({each:5.2f} ms)")
        print(f"{count:>10}" + "".join(f"{c:>30}" for c in cells), flush=True)
    print("(first number: derive; second: printing the index form)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dense-rows", type=int, default=50, help="rows for the dense Jacobian")
    parser.add_argument("--operations", type=int, default=2000, help="largest expression")
    parser.add_argument("--seconds", type=int, default=60, help="limit for each expression")
    arguments = parser.parse_args()
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(f"processor time; the machine has {load:.1f} jobs for each of its cores\n")
    table_times()
    print()
    against_sympy()
    print()
    whole_process()
    print()
    structured_softmax(arguments.dense_rows)
    print()
    growth(arguments.operations, arguments.seconds)


if __name__ == "__main__":
    main()
