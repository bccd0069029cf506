"""Domain, range, kinks, asymptotes, monotonicity and Lipschitz constants are true."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import inf, isinf, isnan

import mpmath as mp
import numpy as np
import pytest

from backprove.functions import Asymptote, Interval, lookup
from functions.exact import CURVES, definition, exactly, in_floats, name_of

_LATTICE = [mp.mpf(at) / 16 for at in range(-16 * 12, 16 * 12 + 1)]
_FAR = [mp.mpf(sign * size) for sign in (-1, 1) for size in (50, 300, 1000)]


def _samples(record):
    near_ends = [record.domain.low + mp.mpf(10) ** -power for power in (2, 6, 12, 40)]
    points = [x for x in (*_LATTICE, *_FAR, *near_ends) if mp.isfinite(x)]
    if record.name == "tan":
        points = [x for x in points if abs(mp.cos(x)) > 1e-9]
    return sorted(x for x in points if x in record.domain)


@cache
def _near_and_far(name):  # by name: records cannot be hashed
    """Points and values with digits enough to tell the values apart.

    1 - tanh(1000) is about 1e-868; within 12 of zero no value is nearer than 1e-64 to a limit.
    """
    record = next(r for r in CURVES if name_of(r) == name)
    with mp.workdps(900):
        points = _samples(record)
        function = definition(record)
        values = []
        for x in points:
            with mp.workdps(900 if abs(x) > 12 else 150):
                values.append(function(x))
    return points, values


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_values_lie_in_the_range_and_come_near_both_ends(record):
    with mp.workdps(30):
        values = [definition(record)(x) for x in _samples(record)]
        slack = mp.mpf("1e-15")  # ends such as -0.27846... are rounded to a float
        assert min(values) >= record.range.low - slack
        assert max(values) <= record.range.high + slack
        low, high = record.range.low, record.range.high
        assert min(values) < -5 if isinf(low) else min(values) - low < 2e-3
        assert max(values) > 5 if isinf(high) else high - max(values) < 2e-3


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_closed_ends_of_the_range_are_attained_and_open_ends_are_not(record):
    with mp.workdps(900):
        _, values = _near_and_far(name_of(record))
        for end, closed, extreme in (
            (record.range.low, record.range.low_closed, min(values)),
            (record.range.high, record.range.high_closed, max(values)),
        ):
            if isinf(end):
                continue
            if not closed:
                assert extreme != end or record.name in ("gelu", "gelu_tanh", "erf")
            elif record.name in ("sin", "cos"):
                assert abs(end) == 1
            elif record.name in ("gelu", "gelu_tanh", "silu", "mish"):
                assert abs(extreme - end) < 1e-3
            else:
                assert extreme == end


@pytest.mark.parametrize(
    ("name", "near"), [("gelu", -0.75), ("gelu_tanh", -0.75), ("silu", -1.28), ("mish", -1.19)]
)
def test_the_lowest_value_of_functions_with_a_dip_is_exact(name, near):
    record = lookup(name)
    with mp.workdps(40):
        lowest_at = mp.findroot(lambda x: exactly(record.derivatives[0], x), near)
        assert float(definition(record)(lowest_at)) == pytest.approx(
            record.range.low, rel=1e-15, abs=0
        )


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_monotonicity_is_as_stated(record):
    found = zip(*_near_and_far(name_of(record)), strict=True)
    values = [value for x, value in found if not (record.name == "erf" and abs(x) > 30)]
    rises = [b > a for a, b in pairwise(values)]
    falls = [b < a for a, b in pairwise(values)]
    assert record.monotone in ("increasing", "neither")
    assert any(falls) == (record.monotone == "neither")
    assert any(rises)
    assert record.strict == all(rises)


@pytest.mark.parametrize("record", [r for r in CURVES if r.lipschitz is not None], ids=name_of)
def test_the_lipschitz_constant_is_the_largest_slope(record):
    x = np.linspace(-12, 12, 240_001)
    x = x[~np.isin(np.round(x, 9), [kink.at for kink in record.kinks])]
    slopes = np.abs(np.broadcast_to(in_floats(record.derivatives[0], x), x.shape))
    assert slopes.max() <= record.lipschitz * (1 + 1e-14)
    assert slopes.max() >= record.lipschitz * (1 - 2e-4)


@pytest.mark.parametrize(
    ("name", "steep"),
    [
        ("gelu", 1.41), ("gelu_tanh", 1.42), ("silu", 2.4), ("mish", 1.5),
    ],
)  # fmt: skip
def test_the_lipschitz_constant_of_functions_with_a_hump_is_exact(name, steep):
    record = lookup(name)
    with mp.workdps(40):
        at = mp.findroot(lambda x: exactly(record.second_derivative, x), steep)
        assert float(exactly(record.derivatives[0], at)) == pytest.approx(
            record.lipschitz, rel=1e-15, abs=0
        )


@pytest.mark.parametrize("record", [r for r in CURVES if r.lipschitz is None], ids=name_of)
def test_functions_without_lipschitz_constant_have_arbitrarily_steep_chords(record):
    with mp.workdps(60):
        function = definition(record)
        starts = [mp.mpf(20), mp.mpf(10) ** 5, record.domain.low + mp.mpf("1e-20"), mp.pi / 2]
        tiny = mp.mpf("1e-30")
        starts = [*starts, mp.pi / 2 - mp.mpf("1e-10"), -tiny, mp.mpf(0)]
        chords = [
            abs((function(x + tiny) - function(x)) / tiny)
            for x in starts
            if mp.isfinite(x) and x in record.domain and x + tiny in record.domain
        ]
        assert max(chords) > 1e4


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_kinks_have_the_one_sided_slopes_and_the_taken_value_that_are_stated(record):
    with mp.workdps(60):
        function = definition(record)
        step = mp.mpf("1e-30")
        for kink in record.kinks:
            at = mp.mpf(kink.at)
            for side, given in ((-1, kink.left), (1, kink.right)):
                if isnan(given):
                    assert at + side * step not in record.domain
                    continue
                found = (function(at + side * step) - function(at)) / (side * step)
                assert found > 1e10 if isinf(given) else abs(found - given) < 1e-14
            assert isnan(kink.left) or kink.left != kink.right or isinf(kink.left)
            if isinf(kink.taken):
                with np.errstate(divide="ignore"):
                    assert in_floats(record.derivatives[0], kink.at) == kink.taken
            else:
                assert exactly(record.derivatives[0], kink.at) == pytest.approx(kink.taken)


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_there_is_no_kink_that_is_not_stated(record):
    with mp.workdps(60):
        function = definition(record)
        step = mp.mpf("1e-20")
        stated = [kink.at for kink in record.kinks]
        for x in range(-12, 13):
            if x in stated or x - step not in record.domain:
                continue
            left = (function(mp.mpf(x)) - function(x - step)) / step
            right = (function(x + step) - function(mp.mpf(x))) / step
            assert abs(left - right) <= 1e-12 * (1 + abs(left)), x


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_at_a_tie_both_arguments_get_one_half(name):
    record = lookup(name)
    assert [float(exactly(text, 2, 2)) for text in record.derivatives] == [0.5, 0.5]
    (kink,) = record.kinks
    with mp.workdps(40):
        function, two, step = definition(record), mp.mpf(2), mp.mpf(2) ** -40
        assert (function(two, two) - function(two - step, two)) / step == kink.left
        assert (function(two + step, two) - function(two, two)) / step == kink.right


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_functions_approach_their_asymptotes(record):
    with mp.workdps(60):
        function = definition(record)
        for line in record.asymptotes:
            if line.vertical:
                near = mp.mpf("1e-30") * (-1 if line.side == "left" else 1)
                at = mp.pi / 2 if record.name == "tan" else mp.mpf(line.towards)
                assert mp.sign(function(at + near)) == np.sign(line.intercept)
                assert abs(function(at + near)) > 50
                shifted = at + near + 3 * mp.pi if line.period else at + near
                assert abs(function(shifted)) > 50
            else:
                x = mp.mpf(10) ** 7 * (1 if line.towards > 0 else -1)
                gap = abs(function(x) - line.slope * x - line.intercept)
                assert gap < 1e-6


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_there_is_no_straight_asymptote_that_is_not_stated(record):
    stated = {line.towards for line in record.asymptotes}
    with mp.workdps(60):
        function = definition(record)
        for side in (-1, 1):
            if side * inf in stated or side * 1e6 not in record.domain:
                continue
            intercepts = [
                function(x) - x * mp.diff(function, x)
                for x in (mp.mpf(side * 1000), mp.mpf(side * 300_000))
            ]
            assert abs(intercepts[0] - intercepts[1]) > 1


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_symmetry_is_as_stated(record):
    with mp.workdps(40):
        function = definition(record)
        x = [x for x in _LATTICE if x in record.domain and -x in record.domain]
        odd = len(x) > 1 and all(mp.almosteq(function(-a), -function(a)) for a in x)
        even = len(x) > 1 and all(mp.almosteq(function(-a), function(a)) for a in x)
        assert record.symmetry == ("odd" if odd else "even" if even else "none")
        assert record.zero_centred == odd


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("log", [1e-300, 1e300], [0.0, -1.0]),
        ("log1p", [-0.999, 0.0], [-1.0, -2.0]),
        ("sqrt", [0.0, 1e300], [-1e-300]),
        ("sigmoid", [-1e300, 0.0], [inf, -inf]),
    ],
)
def test_domains_hold_the_right_points(name, inside, outside):
    record = lookup(name)
    assert all(x in record.domain for x in inside)
    assert not any(x in record.domain for x in outside)


def test_intervals_and_asymptotes_read_well():
    assert str(Interval(-np.pi / 2, np.pi / 2)) == "(-π/2, π/2)"
    assert str(Interval(-1, 1, low_closed=True, high_closed=True)) == "[-1, 1]"
    assert Asymptote(-inf, -1.0, 0.0).line == "y = -x"
    assert Asymptote(inf, 0.5, -2.0).line == "y = 0.5*x - 2"
    assert [line.line for line in lookup("tan").asymptotes] == ["x = π/2 + k*π"] * 2
