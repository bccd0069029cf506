"""Theorems in worksheets, and claims about their facts."""

from __future__ import annotations

import pytest

from backprove.errors import InputError
from backprove.worksheets import run_worksheet
from worksheets.fakes import block

XOR = "represent xor by relu(2)+linear(1)"
GIVEN = f"{XOR} weights W1=[[1,1],[1,1]], b1=[0,-1], W2=[1,-2], b2=0"


def verdicts(*lines: str) -> list[str | None]:
    return [o.verdict for o in run_worksheet(block(*lines)).outcomes if o.kind == "claim"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["represent xor by relu(1)", "claim impossible", "claim possible"], "right wrong"),
        (
            ["represent xor by relu(1)", "claim mean_squared_error = 1/4", "claim accuracy = 0.75",
             "claim accuracy = 0.8", "claim accuracy = 3/4"],
            "right right wrong right",
        ),
        ([GIVEN, "claim fits", "claim h = [[0,0],[1,0],[1,0],[2,1]]", "claim y = [0,1,1,0]",
          "claim y = [0,1,1,1]"], "right right right wrong"),
        ([f"{XOR} minimal", "claim units = 2", "claim units = 3"], "right wrong"),
        (["represent and by threshold(1)", "claim possible"], "right"),
        (["symmetry tanh(3)+tanh(2)+linear(1) init=constant:0.5 steps=5", "claim stays_equal",
          "claim not stays_equal", "claim effective_width = [1, 1]",
          "claim effective_width = [2, 2]", "claim broken_after_first_step",
          "claim layers_break_it = false"], "right wrong right wrong wrong right"),
        (["prove dropout p=0.3 masks=0", "claim test_scale = p", "claim test_scale = 1-p",
          "claim variance = p*h**2/(1-p)", "claim variance = p*h**2"],
         "wrong right right wrong"),
        (["prove zero_gradient network=relu(2)+linear(1) steps=5", "claim only_output_bias",
          "claim limit = 1/2", "claim limit = 0", "claim stays_at_zero"],
         "right right wrong wrong"),
        (["prove saturation", "claim slope_at_5 = 6.65e-3", "claim slope_at_10 = 4.54e-5",
          "claim slope_at_5 = 6.7e-3", "claim slope_at_0 = 1/4"], "right right wrong right"),
        (["prove features", "claim typical", "claim follows_from_graph"], "undecided undecided"),
        (["prove output_range network=relu(4)+sigmoid(1) targets=0,1,3", "claim reachable",
          "claim outside = 3"], "wrong right"),
        (["prove collapse", "claim affine", "claim universal"], "right wrong"),
        (["experiment batching", "claim batch_equals_loop"], "right"),
    ],
)  # fmt: skip
def test_claims_about_theorems(lines: list[str], expected: str) -> None:
    assert verdicts(*lines) == expected.split()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["prove droput"], "Is 'dropout' meant"),
        (["prove dropout q=1"], "no setting of 'dropout'"),
        (["prove dropout p=many"], "expected a number"),
        (["prove dropout p=2"], "between 0 and 1"),
        (["prove symmetry"], "needs a network"),
        (["prove dropout masks=0", "claim tset_scale = p"], "Is 'test_scale' meant"),
        (["prove dropout masks=0", "claim test_scale"], "no statement that is true or false"),
        (["prove dropout masks=0", "claim linear_average_exact = 3"], "true or false"),
        (["prove saturation", "claim slope_at_0 = h"], "expected a number"),
        ([GIVEN, "claim h = [[0,0],[1,0]"], "brackets"),
        (["represent xor"], "network is missing"),
        (["represent xro by relu(1)"], "xro"),
        ([f"{XOR} weights W1=[1,1]"], "W1 has to be"),
        (["represent xor by relu(2)+linear(1) weights W3=1, W1=[[1,1],[1,1]], W2=[1,1]"], "W3"),
    ],
)
def test_what_is_not_understood_is_an_error_with_its_place(lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        run_worksheet(block(*lines))
    assert caught.value.line == len(lines) + 1


def test_a_run_without_its_theorem_has_no_proof() -> None:
    proved, seen = run_worksheet(
        block("prove zero_gradient network=tanh(2)+linear(1) steps=5",
              "experiment zero_gradient network=tanh(2)+linear(1) steps=5")
    ).outcomes  # fmt: skip
    assert "By induction" in str(proved.blocks) and "By induction" not in str(seen.blocks)
