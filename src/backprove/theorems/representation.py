"""The answer to whether a network can represent a function, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backprove.results import Block, Details, Evidence, Heading, Plane, Result, Table, Text
from backprove.theorems.best_fit import BestFit
from backprove.theorems.certificates import Line, lines_of
from backprove.theorems.plane_picture import meeting_plane, plane_of
from backprove.theorems.theorem import Fact

_SHOWN_POINTS = 64


@dataclass
class Representation(Result):
    """Whether some weights of a network give all targets.

    Args:
        subject: what was asked, such as ``xor``.
        problem: the points, targets and network, as in a certificate.
        possible: True, False, or None where it was not decided.
        certificate: what :mod:`backprove.theorems.certificates` re-checks; None without one.
        best_fit: how close one unit comes where it is impossible.
        known: what is known where there is no certificate.
        narrower: the answers for smaller hidden layers.
    """

    subject: str
    problem: dict[str, Any]
    possible: bool | None
    certificate: dict[str, Any] | None
    best_fit: BestFit | None = None
    known: str = ""
    narrower: tuple[Representation, ...] = ()

    @property
    def weights(self) -> dict[str, Any] | None:
        """Hidden units, output unit and skip weights, exact; None without them."""
        found = (self.certificate or {}).get("weights")
        return _plain(found) if found else None

    @property
    def facts(self) -> dict[str, Fact]:
        """What was decided, by the names that claims use."""
        found: dict[str, Fact] = {}
        if self.possible is not None:
            said = f"weights of the network give {self.subject}"
            found["possible"] = Fact(self.possible, "proved", f"some {said}")
            found["impossible"] = Fact(not self.possible, "proved", f"no {said}")
        fit = self.best_fit
        if fit is not None and fit.mean_squared_error is not None:
            error = "the smallest mean squared error"
            found["mean_squared_error"] = Fact(fit.mean_squared_error, "proved", error)
        if fit is not None and fit.accuracy is not None:
            found["accuracy"] = Fact(fit.accuracy, "proved", "the best accuracy of a cut")
        hidden = self.problem["network"]["hidden"]
        if self.possible and hidden:
            found["units"] = Fact(hidden[1], "proved", "units of the hidden layer")
        return found

    @property
    def picture(self) -> Plane | None:
        """For two inputs the points, where units change, and where the output is high."""
        cases = (self.certificate or {}).get("cases", [])
        if len(cases) == 1 and "multipliers" in cases[0]:
            met = meeting_plane(self.problem, cases[0]["multipliers"])
            if met is not None:
                return met
        return plane_of(self.problem, (self.certificate or {}).get("weights"))

    def blocks(self) -> list[Block]:
        network = _network_text(self.problem)
        heading: Block = Heading(f"{self.subject} with {network}")
        if self.possible is None:
            return [heading, Evidence("advisory", f"Undecided. {self.known}")]
        how = "exactly" if self.problem["by"] == "exact" else "by a cut at 1/2"
        if not self.possible:
            said = f"Impossible: no weights of {network} give all targets {how}."
            blocks = [heading, Evidence("proved", said), *self._argument()]
            blocks += self._fit()
        else:
            said = f"Possible: {network} gives all targets {how}."
            blocks = [heading, Evidence("proved", said)]
            blocks += self._layers() if self.weights else [Text(self.known)]
        for answer in self.narrower:
            blocks.append(Details(f"Fewer units: {_network_text(answer.problem)}", answer.blocks()))
        picture = self.picture
        return [*blocks, picture] if picture else blocks

    def to_dict(self) -> dict[str, Any]:
        fit = self.best_fit
        return {
            "kind": "representation",
            "subject": self.subject,
            "problem": self.problem,
            "possible": self.possible,
            "certificate": self.certificate,
            "weights": (self.certificate or {}).get("weights"),
            "best_fit": fit
            and {
                "squared_error": _text(fit.squared_error),
                "mean_squared_error": _text(fit.mean_squared_error),
                "accuracy": _text(fit.accuracy),
                "weights": [str(value) for value in fit.weights],
            },
            "known": self.known,
            "narrower": [answer.to_dict() for answer in self.narrower],
        }

    def _argument(self) -> list[Block]:
        cases = (self.certificate or {})["cases"]
        leaves = sum(_leaves(tree) for tree in cases)
        if len(cases) == 1 and "multipliers" in cases[0]:
            return [Text(step) for step in _steps(self.problem, cases[0]["multipliers"])]
        signs = f"{len(cases)} choices of the signs of the output weights, "
        return [
            Text(
                ("The scale of an output weight can be moved into its unit. There remain " + signs)
                * (len(cases) > 1)
                + f"{'and ' if len(cases) > 1 else 'There are '}{leaves} cases of which units are "
                "above zero at which points. They leave nothing out, and in each of them the "
                "inequalities, multiplied by the numbers of the certificate and added, give a "
                "contradiction."
            ),
            Text("Every case was re-checked in exact arithmetic."),
        ]

    def _fit(self) -> list[Block]:
        fit, parts = self.best_fit, []
        if fit is None:
            return []
        if fit.squared_error is not None:
            parts.append(
                f"the smallest squared error is {fit.squared_error} "
                f"(mean {fit.mean_squared_error}), with weights "
                f"({', '.join(str(value) for value in fit.weights)})"
                + (", bias last" if self.problem["network"]["bias"] else "")
            )
        if fit.accuracy is not None:
            parts.append(f"the best accuracy of a cut at 1/2 is {fit.accuracy}")
        exact = "Both are exact." if len(parts) == 2 else "This is exact."
        return [Text(f"Best possible: {'; '.join(parts)}. {exact}")]

    def _layers(self) -> list[Block]:
        weights = self.weights or {}
        hidden, (last, constant) = weights.get("hidden", []), weights["output"]
        parts = []
        if hidden:
            rows = ", ".join(f"[{', '.join(map(str, unit[0]))}]" for unit in hidden)
            parts.append(f"W1 = [{rows}], b1 = ({', '.join(str(unit[1]) for unit in hidden)})")
        number = "2" if hidden else "1"
        parts.append(f"W{number} = ({', '.join(map(str, last))}), b{number} = {constant}")
        if "skip" in weights:
            parts.append(f"skip weights ({', '.join(map(str, weights['skip']))})")
        activation = self.problem["network"]["hidden"] or ["linear"]
        rows = []
        for point, target in zip(self.problem["points"], self.problem["targets"], strict=True):
            x = [Fraction(value) for value in point]
            z = [_dot(unit[0], x) + unit[1] for unit in hidden]
            h = [_applied(activation[0], value) for value in z]
            y = _dot(last, h or x) + constant + _dot(weights.get("skip", []), x)
            cells = [_tuple(x), *([_tuple(z), _tuple(h)] if hidden else []), str(y)]
            output = self.problem["network"]["output"]
            if output in ("sigmoid", "tanh"):
                cells.append("above the cut" if Fraction(target) else "not above the cut")
            else:
                cells.append(str(_applied(output, y)))
            rows.append([*cells, target])
        columns = ["x", *(["z1", "h"] if hidden else []), f"z{number}", "yhat", "target"]
        return [
            Text("; ".join(parts) + "."),
            Table(columns, rows[:_SHOWN_POINTS], caption="Layer by layer, exact."),
        ]


def _steps(problem: dict[str, Any], multipliers: Mapping[str, str]) -> list[str]:
    """The one sum of a proof, as an argument in two halves."""
    lines = lines_of(problem, 0, {})
    if all(name.startswith("rise ") and name.count(" ") == 2 for name in multipliers):
        return _rising_steps(problem, multipliers, lines)
    if any(not lines[name].form for name in multipliers):
        name = next(name for name in multipliers if not lines[name].form)
        i = int(name.split()[1])
        target = problem["targets"][i]
        output = problem["network"]["output"]
        if not problem["network"]["bias"] and not any(Fraction(x) for x in problem["points"][i]):
            at = ", ".join(problem["points"][i])
            return [
                f"1. At ({at}) the argument is 0 for all weights, as there is no bias; the target "
                f"{target} needs another."
            ]
        return [f"1. The target {target} of point {i + 1} is outside the range of {output}."]
    steps = [f"{n}. {_reason(problem, name, lines[name])}" for n, name in enumerate(multipliers, 1)]
    halves: list[tuple[dict[Any, Fraction], Fraction, list[str], bool]] = []
    for lower in (True, False):
        total: dict[Any, Fraction] = {}
        right, names, strict = Fraction(0), [], False
        for number, (name, text) in enumerate(multipliers.items(), 1):
            factor, line = Fraction(text), lines[name]
            up = factor > 0 and _leading(line) > 0
            if up != lower:
                continue
            strict |= line.relation == ">"
            names.append(f"({number})" + (f" times {abs(factor)}" if abs(factor) != 1 else ""))
            sign = 1 if lower else -1
            right += sign * factor * line.right
            for key, value in line.form.items():
                total[key] = total.get(key, Fraction(0)) + sign * factor * value
        halves.append((total, right, names, strict))
    (above, low, first, over), (_, high, second, under) = halves
    side = _form(above)
    steps.append(
        f"{len(multipliers) + 1}. Add {', '.join(first) or 'nothing'}: "
        f"{side} {'>' if over else '>='} {low}."
    )
    steps.append(
        f"{len(multipliers) + 2}. Add {', '.join(second) or 'nothing'}: "
        f"{side} {'<' if under else '<='} {high}."
    )
    relation = "less than" if under or over else "at most"
    steps.append(
        f"{len(multipliers) + 3}. The left sides are the same for all weights, but then "
        f"{low} would be {relation} {high}: a contradiction."
    )
    return steps


def _rising_steps(
    problem: dict[str, Any], multipliers: Mapping[str, str], lines: Mapping[str, Line]
) -> list[str]:
    """The sum of a proof for an activation of which only is known that it never falls."""
    output, steps, added = problem["network"]["output"], [], []
    for number, (name, factor) in enumerate(multipliers.items(), 1):
        above, below = (", ".join(problem["points"][int(i)]) for i in name.split()[1:])
        steps.append(
            f"{number}. The target of ({above}) is above that of ({below}), and {output} never "
            f"falls, so the argument is larger as well: {_form(lines[name].form)} > 0."
        )
        added.append(f"({number})" + (f" times {factor}" if factor != "1" else ""))
    said = "all weights cancel, and 0 > 0 is left: a contradiction."
    return [*steps, f"{len(steps) + 1}. Add {', '.join(added)}: {said}"]


def _reason(problem: dict[str, Any], name: str, line: Line) -> str:
    kind, i = name.split()[0], int(name.split()[1])
    point, target = ", ".join(problem["points"][i]), problem["targets"][i]
    flip = _leading(line) < 0
    form = {key: -value if flip else value for key, value in line.form.items()}
    relation = {">=": "<=", ">": "<", "=": "="}[line.relation] if flip else line.relation
    said = f"{_form(form)} {relation} {-line.right if flip else line.right}"
    if kind == "point":
        return f"At ({point}) the target is {target}, so {said}."
    if kind == "level":
        return f"At ({point}) the target {target} occurs again, so {said}."
    return f"At ({point}) the target {target} is above the next smaller one, so {said}."


def _leading(line: Line) -> Fraction:
    """Positive for a line that bounds its argument from below."""
    return line.form.get("c") or next(iter(line.form.values()))


def _form(form: Mapping[Any, Fraction]) -> str:
    text = ""
    for key, value in sorted(form.items(), key=lambda item: (item[0] == "c", str(item[0]))):
        if value:
            name = "b" if key == "c" else f"w{key[1] + 1}"
            size = "" if abs(value) == 1 else f"{abs(value)} "
            sign = (" - " if value < 0 else " + ") if text else ("-" if value < 0 else "")
            text += f"{sign}{size}{name}"
    return text or "0"


def _leaves(tree: dict[str, Any]) -> int:
    return 1 if "multipliers" in tree else _leaves(tree["active"]) + _leaves(tree["inactive"])


def _applied(activation: str, z: Fraction) -> Fraction:
    shapes = {"relu": max(z, Fraction(0)), "abs": abs(z), "square": z * z}
    return shapes.get(activation, Fraction(z > 0) if activation == "threshold" else z)


def _network_text(problem: dict[str, Any]) -> str:
    network = problem["network"]
    hidden = "{}({})+".format(*network["hidden"]) if network["hidden"] else ""
    extras = [] if network["bias"] else ["without biases"]
    extras += ["with a skip connection"] if network["skip"] else []
    return " ".join([f"{hidden}{network['output']}(1)", " and ".join(extras)]).strip()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else exact


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)


def _tuple(values: list[Fraction]) -> str:
    return f"({', '.join(str(value) for value in values)})"


def _dot(left: list[Any], right: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=False)), Fraction(0))
