"""The texts of the records (formula and derivatives) against mpmath."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from backprove.functions.typesetting import typeset
from functions.exact import (
    CURVES,
    RECORDS,
    as_float,
    definition,
    exactly,
    in_floats,
    name_of,
)

_INSIDE = (
    *(-25.0, -9.3, -6.1, -4.2, -3.1, -2.9, -2.2, -1.7, -1.2, -0.95, -0.8, -0.45, -0.2, -0.05),
    *(0.04, 0.3, 0.55, 0.9, 1.1, 1.4, 1.9, 2.3, 2.8, 3.2, 3.9, 4.6, 5.7, 6.3, 8.8, 25.0),
)


def _inside(record):
    kinks = [kink.at for kink in record.kinks]
    return [x for x in _INSIDE if x in record.domain and all(abs(x - at) > 0.01 for at in kinks)]


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_the_formula_is_the_function(record):
    with mp.workdps(50):
        for x in (*_inside(record), *(kink.at for kink in record.kinks)):
            want = definition(record)(mp.mpf(x))
            assert mp.almosteq(exactly(record.formula, x), want, mp.mpf("1e-30"), mp.mpf("1e-40"))


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_the_derivative_text_is_the_derivative_of_the_definition(record):
    with mp.workdps(60):
        for x in _inside(record):
            want = mp.diff(definition(record), mp.mpf(x), h=mp.mpf("1e-25"))
            got = exactly(record.derivatives[0], x)
            assert mp.almosteq(got, want, mp.mpf("1e-18"), mp.mpf("1e-22")), x


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_the_second_derivative_text_is_the_derivative_of_the_first(record):
    with mp.workdps(60):
        for x in _inside(record):
            first = record.derivatives[0]
            want = mp.diff(lambda t, text=first: exactly(text, t), mp.mpf(x), h=mp.mpf("1e-25"))
            got = exactly(record.second_derivative, x)
            assert mp.almosteq(got, want, mp.mpf("1e-18"), mp.mpf("1e-22")), x


@pytest.mark.parametrize("record", CURVES, ids=name_of)
def test_derivative_texts_are_stable_in_floats_far_from_zero(record):
    points = (-1e50, -1e3, -745.0, -40.0, -1.5, 1e-3, 0.7, 40.0, 745.0, 1e3, 1e50)
    # The period of sin and cos is lost in mpmath beyond its precision, not in floats.
    points = tuple(x for x in points if abs(x) < 1e10 or record.name not in ("sin", "cos", "tan"))
    with mp.workdps(500), np.errstate(all="raise", under="ignore", over="ignore"):
        for text in (*record.derivatives, record.second_derivative):
            for x in points:
                if x in record.domain and not any(kink.at == x for kink in record.kinks):
                    if abs(x) > 1e3 and record.name in ("exp", "expm1", "sinh", "cosh"):
                        continue
                    want = as_float(exactly(text, x))
                    got = float(in_floats(text, x))
                    assert got == pytest.approx(want, rel=1e-11, abs=1e-13), (text, x)


@pytest.mark.parametrize("record", [r for r in RECORDS if r.arity == 2], ids=name_of)
def test_partial_derivatives_of_functions_of_two_arguments_are_right_off_the_tie(record):
    function = definition(record)
    with mp.workdps(40):
        for x, y in [(1.0, 2.0), (2.0, 1.0), (-3.0, 0.5), (0.0, -1.0)]:
            for at, text in enumerate(record.derivatives):
                order = (1, 0) if at == 0 else (0, 1)
                want = mp.diff(function, (mp.mpf(x), mp.mpf(y)), order)
                assert mp.almosteq(exactly(text, x, y), want, mp.mpf("1e-10"), mp.mpf("1e-10"))


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_every_text_of_a_record_can_be_typeset(record):
    for text in (*record.derivatives, record.second_derivative, record.formula):
        latex = typeset(text)
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")
        assert "None" not in latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("x*(1 - abs(x))", r"x \left(1 - \left|x\right|\right)"),
        ("1 - tanh(x)**2", r"1 - \tanh^{2} x"),
        ("-1/x**2", r"-\frac{1}{x^{2}}"),
        ("x - (1 - x)", r"x - \left(1 - x\right)"),
        ("x - (-x)", r"x - \left(-x\right)"),
        ("-x**2", "-x^{2}"),
        ("(-x)**2", r"\left(-x\right)^{2}"),
        ("x*(-2)", r"x \left(-2\right)"),
        ("2*3", r"2 \cdot 3"),
        ("(x**2)**3", r"\left(x^{2}\right)^{3}"),
        ("exp(-x**2/2)**2", r"\left(e^{-\frac{x^{2}}{2}}\right)^{2}"),
        ("x > 0", r"\left[x > 0\right]"),
        ("tanh(x + 1)", r"\tanh\left(x + 1\right)"),
        ("tanh(x + 1)**2", r"\tanh^{2}\left(x + 1\right)"),
        ("where(x > 0, 1, 0.2)", r"\begin{cases} 1 & x > 0 \\ 0.2 & \text{otherwise} \end{cases}"),
    ],
)  # fmt: skip
def test_precedence_is_kept_in_latex(text, latex):
    assert typeset(text) == latex


@pytest.mark.parametrize("text", ["x % 2", "f.x", "lambda: 1", "x if x else 1", "x < 1 < 2", "'a'"])
def test_only_the_language_of_the_records_is_typeset(text):
    with pytest.raises((SyntaxError, KeyError)):
        typeset(text)
