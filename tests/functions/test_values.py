"""Values of the records against mpmath, and their behaviour at the ends of the number range."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from backprove.functions import lookup, lookup_axis
from backprove.functions.figure import slope
from functions.exact import CURVES, RECORDS, as_float, definition, name_of

_MAGNITUDES = (
    *(5e-324, 1e-300, 1e-16, 1e-8, 1e-3, 0.1, 0.25, 0.5, 0.7, 0.9, 1.0, 1.3, 2.0, 3.0, 5.0, 6.0),
    *(8.0, 10.0, 20.0, 37.0, 40.0, 100.0, 709.0, 710.0, 745.0, 1000.0, 1e5),
)
POINTS = (0.0, *_MAGNITUDES, *(-point for point in _MAGNITUDES))
_SMALLEST = 5e-324


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_values_agree_with_mpmath_at_ordinary_and_extreme_points(record):
    function = definition(record)
    with mp.workdps(500):
        for x in POINTS:
            if x not in record.domain:
                continue
            want = as_float(function(mp.mpf(x)))
            got = float(record.value(x))
            # An error of one unit in x/sqrt(2) grows with x**2 in the tail of erfc.
            tail = 1 + (x * x if record.name.startswith("gelu") else 0)
            if np.isinf(want):
                assert got == want, x
            else:
                assert abs(got - want) <= 1e-15 * tail * abs(want) + (4 + abs(x)) * _SMALLEST, x


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex128])
def test_values_keep_the_floating_point_type_and_the_shape(record, dtype):
    for shape in [(), (3,), (2, 0), (2, 3)]:
        x = np.full(shape, 0.5, dtype)
        got = record.value(*[x] * record.arity)
        assert got.dtype == dtype
        assert got.shape == shape


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_integers_and_truth_values_become_float64(record):
    for x in (1, True, np.array([1, 2], dtype=np.int8)):
        assert record.value(*[x] * record.arity).dtype == np.float64


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_and_tiny_arguments_of_the_domain_give_numbers_without_a_warning(record, dtype):
    limits = np.finfo(dtype)
    points = [limits.max, limits.min, limits.tiny, -limits.tiny, 0.0, 745.0, -745.0]
    with np.errstate(all="raise", under="ignore", over="ignore"):
        for x in points:
            if x in record.domain:
                assert not np.isnan(record.value(*[dtype(x)] * record.arity)), x


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_values_at_infinity_are_the_limits_that_the_asymptotes_name(record):
    for line in record.asymptotes:
        if not line.vertical:
            limit = line.slope * line.towards + line.intercept if line.slope else line.intercept
            if record.name == "leaky_relu" and line.slope == 0:
                continue  # the factor 0 times infinity has no value
            assert float(record.value(line.towards)) == pytest.approx(limit)


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_nan_stays_nan(record):
    assert np.isnan(record.value(*[np.nan] * record.arity))


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_complex_steps_give_the_derivative_to_rounding(record):
    function = definition(record)
    kinks = [kink.at for kink in record.kinks]
    with mp.workdps(60):
        for x in (-30.0, -7.5, -2.5, -1 + 1e-9, -0.7, -0.01, 1e-9, 0.02, 0.6, 1.9, 4.4, 8.0, 30.0):
            if x in record.domain and all(abs(x - at) > 1e-10 for at in kinks):
                want = float(mp.diff(function, mp.mpf(x), h=mp.mpf("1e-25")))
                got = float(slope(record, np.array(x)))
                assert got == pytest.approx(want, rel=1e-12, abs=1e-20), x


@pytest.mark.parametrize(("name", "tie"), [("maximum", 2.0), ("minimum", 2.0)])
def test_larger_and_smaller_of_two_broadcast(name, tie):
    value = lookup(name).value
    x, y = np.array([[1.0], [3.0]]), np.array([2.0, 2.0, 4.0])
    want = np.maximum(x, y) if name == "maximum" else np.minimum(x, y)
    assert np.array_equal(value(x, y), want)
    assert np.array_equal(value(x + 0j, y).real, want)
    assert value(tie, tie) == tie


def _logits() -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [
        random.normal(size=(2, 3, 4)),
        np.array([1000.0, -1000.0, 0.0, 999.0]),
        np.array([-1000.0, -1001.0]),
        np.array([3.0]),
        1e308 * np.array([1.0, -1.0, 0.5]) / 2,
    ]


@pytest.mark.parametrize("z", _logits(), ids=["random", "±1000", "-1000", "one", "1e308"])
def test_the_softmax_family_agrees_with_mpmath_along_every_axis(z):
    for axis in range(-z.ndim, z.ndim):
        vectors = np.moveaxis(z, axis, -1).reshape(-1, z.shape[axis])
        got = {
            "softmax": np.moveaxis(lookup_axis("softmax").value(z, axis=axis), axis, -1),
            "log_softmax": np.moveaxis(lookup_axis("log_softmax").value(z, axis=axis), axis, -1),
            "logsumexp": lookup_axis("logsumexp").value(z, axis=axis),
        }
        with mp.workdps(40):
            for at, vector in enumerate(vectors):
                top = mp.mpf(max(vector))
                weights = [mp.exp(mp.mpf(v) - top) for v in vector]
                total = mp.log(mp.fsum(weights))
                for k, v in enumerate(vector):
                    share = got["softmax"].reshape(-1, len(vector))[at, k]
                    assert share == pytest.approx(
                        float(weights[k] / mp.exp(total)), rel=1e-13, abs=0
                    )
                    log_share = got["log_softmax"].reshape(-1, len(vector))[at, k]
                    want = float(mp.mpf(v) - top - total)
                    assert log_share == pytest.approx(want, rel=1e-13, abs=1e-15)
                assert got["logsumexp"].ravel()[at] == pytest.approx(
                    float(top + total), rel=1e-13, abs=1e-15
                )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_softmax_family_keeps_the_type(dtype):
    z = np.array([0.5, 2.0, -1.0], dtype)
    for name in ("softmax", "log_softmax", "logsumexp"):
        assert lookup_axis(name).value(z).dtype == dtype


def test_entries_at_minus_infinity_have_no_share():
    z = np.array([0.0, -np.inf, 1.0])
    assert lookup_axis("softmax").value(z)[1] == 0
    assert lookup_axis("logsumexp").value(np.array([-np.inf, -np.inf])) == -np.inf
