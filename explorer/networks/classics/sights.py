"""What is worth pointing at in a network's table: sentences whose one number follows from the profile."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from types import MappingProxyType
from typing import Final

from explorer.errors import LayerError
from explorer.profiling import LayerProfile, NetworkProfile
from explorer.receptive_field import ReceptiveField

_NUMBER: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Sight:
    """One thing to look at.

    Attributes:
        sentence: with its number in braces, as it is written: "The first dense layer holds {74 %} of …".
        measure: key of `MEASURES`: what the number is.
        paths: the rows that it is about, as the profile names them; * and ? stand for any characters, [02] for one
            of two.  "" is the whole network.

    >>> sight = Sight("The first dense layer holds {74 %} of all parameters.", "share of parameters", ("31",))
    >>> sight.text, sight.number
    ('The first dense layer holds 74 % of all parameters.', '74 %')
    """

    sentence: str
    measure: str
    paths: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(_NUMBER.findall(self.sentence)) != 1:
            raise ValueError(f"One number stands in braces, not as in “{self.sentence}”.")
        if self.measure not in MEASURES:
            raise ValueError(f"There is no measure “{self.measure}”; there are {', '.join(MEASURES)}.")
        if not self.paths:
            raise ValueError(f"“{self.text}” is about no row.")

    @property
    def text(self) -> str:
        """The sentence as it is read."""
        return _NUMBER.sub(r"\1", self.sentence)

    @property
    def number(self) -> str:
        """Its number, as it is written."""
        return str(_NUMBER.findall(self.sentence)[0])


def measured(sight: Sight, profile: NetworkProfile) -> float:
    """The number of a sight, counted: shares in per cent, a receptive field in pixels along a row.

    Raises:
        LayerError: the profile has no such row.
    """
    return MEASURES[sight.measure](profile, rows_at(profile, sight.paths))


def rows_at(profile: NetworkProfile, paths: Sequence[str]) -> list[LayerProfile]:
    """The rows that these paths mean, each at its first call; what stands in one of them is not named again.

    Raises:
        LayerError: a path means none.
    """
    found: list[LayerProfile] = []
    for path in paths:
        meant = [row for row in profile.rows if row.call == 0 and fnmatchcase(row.path, path)]
        if not meant:
            raise LayerError(f"{profile.name} has no layer “{path}”.")
        for row in meant:
            if not any(_stands_in(row, outer) for outer in found):
                found.append(row)
    return found


def _stands_in(row: LayerProfile, outer: LayerProfile) -> bool:
    return row.path == outer.path or not outer.path or row.path.startswith(f"{outer.path}.")


def general_sights(profile: NetworkProfile) -> tuple[Sight, ...]:
    """What can be said of any network: where its weights are, where its work is, from where on it sees all.

    Of several layers that are equal, the first.  Nothing is said of what a network does not have.
    """
    layers = [row for row in profile.rows if row.role != "container" and row.call == 0]
    sights = []
    for name, says, total in (
        ("parameters", "holds {{{}}} of all parameters", profile.parameters),
        ("macs", "makes {{{}}} of all MACs", profile.macs),
    ):
        if total and layers:
            most = max(layers, key=lambda row: int(getattr(row, name)))
            share = 100 * int(getattr(most, name)) / total
            sentence = f"{_called(most)} {says.format(_percent(share))}."
            sights.append(Sight(sentence, f"share of {name}", (escape(most.path),)))
    for row in layers:
        field = row.field
        if isinstance(field, ReceptiveField) and field.size[-1] >= profile.input_shape[-1]:
            seen = f"{{{field.size[-1]:,}}} pixels"
            sentence = f"From {_called(row)} on a unit’s receptive field, {seen}, is as wide as the picture."
            sights.append(Sight(sentence, "field", (escape(row.path),)))
            break
    return tuple(sights)


def _called(row: LayerProfile) -> str:
    """Path and kind, without the braces that somebody's name of a layer may have."""
    path = row.path.replace("{", "").replace("}", "")
    return f"{path} ({row.kind})" if path else row.kind


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"


# What numbers there are ------------------------------------------------------------------------------

Rows = Sequence[LayerProfile]
Measure = Callable[[NetworkProfile, Rows], float]


def _sum(name: str) -> Measure:
    return lambda _, rows: sum(int(getattr(row, name)) for row in rows)


def _share(name: str) -> Measure:
    return lambda profile, rows: (
        100 * sum(int(getattr(row, name)) for row in rows) / int(getattr(profile, name))
    )


def _field(_: NetworkProfile, rows: Rows) -> float:
    field = rows[0].field
    if not isinstance(field, ReceptiveField):
        raise LayerError(f"A unit of {rows[0].path} has no receptive field that is a window.")
    return field.size[-1]


MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        **{name: _sum(name) for name in ("parameters", "macs", "activations")},
        **{f"share of {name}": _share(name) for name in ("parameters", "macs", "activations")},
        "field": _field,
        "channels": lambda _, rows: rows[0].outputs[0][0],
        "side": lambda _, rows: rows[0].outputs[0][-1],
    }
)
"""What a sight's number can be, counted from a profile and its rows."""
