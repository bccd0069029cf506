"""Arguments of another kind than asked for."""

from __future__ import annotations

import pytest

import backprove as bp


@pytest.mark.parametrize(
    "given",
    [{"wrt": None}, {"wrt": 5}, {"wrt": ["x"]}, {"claim": None}, {"claim": [1.0]}, {"layout": "x"}],
)
def test_a_check_says_which_argument_is_wrong(given):
    asked = {"f": "A @ x", "wrt": "x", "claim": "A", "shapes": {"A": "m n", "x": "n"}}
    with pytest.raises(bp.NotationError, match=next(iter(given))):
        bp.check(**asked | given)


@pytest.mark.parametrize("wrt", [None, 5, [], ()])
def test_so_does_a_derivation(wrt):
    with pytest.raises(bp.NotationError, match="wrt"):
        bp.derive("A @ x", wrt, {"A": "m n", "x": "n"})
