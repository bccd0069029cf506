"""Which configurations a study has: products, zips and explicit lists of values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from backprove.errors import SetupError
from backprove.studies.factors import FACTORS, Configuration, levels


@dataclass(frozen=True)
class Grid(Sequence[Configuration]):
    """Every combination of the values of some factors, made when it is asked for.

    Args:
        axes: the factors that change together, and the values that they take together.

    >>> cells = Grid(((("hidden",), (("none",), ("64",))), (("lr",), ((0.1,), (0.2,)))))
    >>> len(cells), cells[2].text(["hidden", "lr"])
    (4, 'hidden 64, lr 0.1')
    """

    axes: tuple[tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]], ...]

    def __len__(self) -> int:
        return prod(len(values) for _, values in self.axes)

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return tuple(self[i] for i in range(*position.indices(len(self))))
        if not 0 <= position < len(self):
            raise IndexError(position)
        chosen: dict[str, Any] = {}
        for names, values in reversed(self.axes):
            position, at = divmod(position, len(values))
            chosen |= zip(names, values[at], strict=True)
        return Configuration(**chosen)

    def of(self, names: Collection[str]) -> Grid:
        """The grid of some of the factors; the others take their defaults.

        >>> cells = Grid(((("hidden",), (("none",), ("64",))), (("lr",), ((0.1,), (0.2,)))))
        >>> len(cells.of(["hidden"]))
        2
        """
        axes = []
        for together, values in self.axes:
            kept = [at for at, name in enumerate(together) if name in names]
            own = dict.fromkeys(tuple(one[at] for at in kept) for one in values)
            if kept:
                axes.append((tuple(together[at] for at in kept), tuple(own)))
        return Grid(tuple(axes))


def grid(written: Mapping[str, Any], *, zipped: Any = ()) -> Grid:
    """Every combination of the values of the factors.

    Args:
        written: values of factors, as :func:`levels` takes them; the rest take their defaults.
        zipped: factors that change together, at least two with equally many values: the first
            value of each belongs to the first of the others, and so on. Several such groups are
            separated by semicolons, or are a list of texts with commas or of lists.

    Returns:
        The configurations; the last factor varies fastest.

    Raises:
        SetupError: an unknown factor or value, or zipped factors of different lengths.

    >>> [c.hidden for c in grid({"hidden": "none,64"})]
    ['none', '64']
    >>> both = {"hidden": "none,64", "lr": "0.1,0.2", "dropout": "0,0.5", "epochs": "5,9"}
    >>> cells = grid(both, zipped="hidden,lr;dropout,epochs")
    >>> [(c.hidden, c.lr, c.dropout, c.epochs) for c in cells]
    [('none', 0.1, 0.0, 5), ('none', 0.1, 0.5, 9), ('64', 0.2, 0.0, 5), ('64', 0.2, 0.5, 9)]
    """
    for name in written:
        if name not in FACTORS:
            raise SetupError(f"'{name}' is no factor; expected one of {', '.join(FACTORS)}.")
    groups = _groups(zipped)
    named = [name for names in groups for name in names]
    chosen = {
        name: levels(name, written.get(name, factor.default), repeats=name in named)
        for name, factor in FACTORS.items()
    }
    zips = {together[0]: together for names in groups if (together := _together(names, chosen))}
    inner = {name for together in zips.values() for name in together[1:]}
    axes = []
    for name in chosen:
        together = zips.get(name, (name,))
        if name not in inner:
            axes.append((together, tuple(zip(*(chosen[n] for n in together), strict=True))))
    return Grid(tuple(axes))


def listed(
    entries: Sequence[Mapping[str, Any]], written: Mapping[str, Any]
) -> tuple[Configuration, ...]:
    """Configurations that are named one by one.

    Args:
        entries: the factors of each; several values of one factor stand for one configuration
            each.
        written: values of the factors that an entry does not name.

    Returns:
        The configurations in the order given.

    Raises:
        SetupError: an entry is not understood, or a configuration is named twice.

    >>> entries = [{"hidden": "none", "lr": 0.1}, {"hidden": "8", "lr": 0.01}]
    >>> [c.lr for c in listed(entries, {"epochs": 3})]
    [0.1, 0.01]
    """
    if not isinstance(entries, list | tuple) or not entries:
        raise SetupError(f"configurations={entries!r}; expected a list of configurations.")
    found: list[Configuration] = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise SetupError(f"configurations: number {number} is {entry!r}; expected factors.")
        one = {"hidden": Configuration.hidden, **written, **entry}
        for configuration in grid(one):
            if configuration in found:
                text = configuration.text(sorted(entry, key=list(FACTORS).index))
                raise SetupError(f"configurations: number {number} names {text} again.")
            found.append(configuration)
    return tuple(found)


def _groups(zipped: Any) -> list[list[str]]:
    """The names of the factors of each zip."""
    given = zipped.split(";") if isinstance(zipped, str) else zipped
    expected = f"zipped={zipped!r}; expected names of factors, such as 'hidden,lr'."
    if not isinstance(given, list | tuple):
        raise SetupError(expected)
    if given and all(isinstance(name, str) and "," not in name for name in given):
        given = [given]  # a list of names is one group
    groups = []
    for group in given:
        names = group.split(",") if isinstance(group, str) else group
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise SetupError(expected)
        groups.append([name.strip() for name in names if name.strip()])
    every = [name for names in groups for name in names]
    for name in every:
        if name not in FACTORS:
            raise SetupError(f"zipped={zipped!r}: '{name}' is none of {', '.join(FACTORS)}.")
    twice = [name for at, name in enumerate(every) if name in every[:at]]
    if twice:
        raise SetupError(f"zipped={zipped!r} names {twice[0]} twice; name each factor once.")
    return [names for names in groups if names]


def _together(names: Sequence[str], chosen: Mapping[str, tuple[Any, ...]]) -> tuple[str, ...]:
    """The zipped factors in the order of the table, if they can be zipped."""
    lengths = {name: len(chosen[name]) for name in names}
    if names and (len(lengths) < 2 or len(set(lengths.values())) > 1):
        counts = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise SetupError(
            f"zipped={','.join(names)!r}; expected at least two factors with equally many values: "
            f"{counts}."
        )
    cells = list(zip(*(chosen[name] for name in names), strict=True))
    twice = [cell for i, cell in enumerate(cells) if cell in cells[:i]]
    if twice:
        raise SetupError(f"zipped={','.join(names)!r} gives {twice[0]} twice; name each once.")
    return tuple(name for name in chosen if name in lengths)


def varying(configurations: Sequence[Configuration]) -> tuple[str, ...]:
    """The factors that take more than one value."""
    return tuple(name for name in FACTORS if len({getattr(c, name) for c in configurations}) > 1)


def entangled(
    configurations: Sequence[Configuration], factors: Sequence[str] | None = None
) -> tuple[tuple[str, ...], ...]:
    """The varied factors, grouped where not every combination of their values occurs.

    Args:
        configurations: those of a study.
        factors: the factors to look at; by default all that vary.

    Returns:
        Groups of names; a group of one factor is crossed with all others.

    >>> zipped = {"hidden": "none,8", "lr": "0.1,0.2", "activation": "relu,tanh"}
    >>> entangled(grid(zipped, zipped="hidden,lr"))
    (('hidden', 'lr'), ('activation',))
    """
    groups: list[tuple[str, ...]] = []
    for name in varying(configurations) if factors is None else factors:
        with_name = [
            group for group in groups if not all(_crossed(configurations, name, g) for g in group)
        ]
        joined = (*(other for group in with_name for other in group), name)
        groups = [group for group in groups if group not in with_name]
        groups.append(tuple(factor for factor in FACTORS if factor in joined))
    return tuple(sorted(groups, key=lambda group: list(FACTORS).index(group[0])))


def _crossed(configurations: Sequence[Configuration], f: str, g: str) -> bool:
    pairs = {(getattr(c, f), getattr(c, g)) for c in configurations}
    return len(pairs) == len({a for a, _ in pairs}) * len({b for _, b in pairs})
