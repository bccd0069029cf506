"""backprove: backprop you can check.

>>> import backprove as bp
>>> bp.function("sigmoid").to_dict()["derivative"]
'sigmoid(x)*(1 - sigmoid(x))'

===================  ==============================================================
name                 question
===================  ==============================================================
``derive``           what is the derivative, in index form and matrix form, and why
``check``            is this claim about a derivative right; if not, where is the slip
``check_vjp``        is this backward function the derivative of that function
``check_jvp``        the same for a Jacobian-vector product (forward mode)
``check_grad``       the same for the gradient of a function with one number as its value
``mutate``           which wrong backward rules does this test suite let through
``graph``            what are the values and the gradients at each node
``represent``        can this network give these targets at all: weights, or a proof
``symmetry``         which units of this network stay equal while it is trained
``gradient_support`` which parameters never move, whatever the data
``prove``            a theorem about networks by name, with its proof and its run
``experiment``       that run alone
``study``            what do the curves of these networks support, over several seeds
``function``         what is known about this activation function
``run_worksheet``    which claims of this Markdown file hold
``grade``            how many points do these submissions earn against this key
===================  ==============================================================

All of them are loaded when they are first used, so the import itself stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from backprove.errors import (
    BackproveError,
    DataError,
    DomainError,
    InputError,
    NotationError,
    SetupError,
    ShapeError,
    UnknownName,
    Unsupported,
    WorksheetError,
)
from backprove.results import Block, Result

if TYPE_CHECKING:
    from backprove.calculus import derive
    from backprove.checking import check, check_grad, check_jvp, check_vjp, mutate
    from backprove.functions import describe as function
    from backprove.graphs import graph
    from backprove.studies import study
    from backprove.theorems import experiment, gradient_support, prove, represent, symmetry
    from backprove.worksheets import run_worksheet
    from backprove.worksheets.grading import grade

__version__ = "0.1.0"

_HOMES = {
    "derive": ("backprove.calculus", "derive"),
    "check": ("backprove.checking", "check"),
    "check_vjp": ("backprove.checking", "check_vjp"),
    "check_jvp": ("backprove.checking", "check_jvp"),
    "check_grad": ("backprove.checking", "check_grad"),
    "mutate": ("backprove.checking", "mutate"),
    "graph": ("backprove.graphs", "graph"),
    "represent": ("backprove.theorems", "represent"),
    "symmetry": ("backprove.theorems", "symmetry"),
    "gradient_support": ("backprove.theorems", "gradient_support"),
    "prove": ("backprove.theorems", "prove"),
    "experiment": ("backprove.theorems", "experiment"),
    "study": ("backprove.studies", "study"),
    "function": ("backprove.functions", "describe"),
    "run_worksheet": ("backprove.worksheets", "run_worksheet"),
    "grade": ("backprove.worksheets.grading", "grade"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'backprove' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def _as_text(blocks: Sequence[Block]) -> str:
    return import_module("backprove.views.text").render(blocks)


def _as_html(blocks: Sequence[Block]) -> str:
    return import_module("backprove.views.html").notebook(blocks)


def load_ipython_extension(ipython: Any) -> None:
    """Let ``%load_ext backprove`` give the cells of a notebook the magic ``%%backprove``."""
    import_module("backprove.app.notebook_cells").register(ipython)


# Results know no view: the views are attached here and loaded when a result is first shown.
Result.renderers.update({"text": _as_text, "html": _as_html})

__all__ = [
    "BackproveError",
    "DataError",
    "DomainError",
    "InputError",
    "NotationError",
    "Result",
    "SetupError",
    "ShapeError",
    "UnknownName",
    "Unsupported",
    "WorksheetError",
    "__version__",
    "check",
    "check_grad",
    "check_jvp",
    "check_vjp",
    "derive",
    "experiment",
    "function",
    "grade",
    "gradient_support",
    "graph",
    "mutate",
    "prove",
    "represent",
    "run_worksheet",
    "study",
    "symmetry",
]
