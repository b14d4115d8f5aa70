"""Units switched off: which of a layer's, what it does to the answers, and which units hold up which class."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.activations import Ablation, Layer
from explorer.errors import LayerError

Floats = NDArray[np.float32]
To = Literal["zero", "mean"]

MOST_LISTED: Final = 64
"""Units and ranges of units that a link lists; more are the strongest of a class, or the whole layer."""


@dataclass(frozen=True)
class Off:
    """Which units of a layer are off.

    Attributes:
        which: none; the one that is looked at; those listed; the strongest for a class; the whole layer.
        units: of a list, ascending.
        strongest: how many, of the strongest.
    """

    which: Literal["none", "unit", "list", "strongest", "all"] = "none"
    units: tuple[int, ...] = ()
    strongest: int = 0

    def __post_init__(self) -> None:
        if (self.which == "strongest") != (self.strongest > 0) or (self.units and self.which != "list"):
            raise LayerError(f"{self.which} goes with neither {self.units} nor {self.strongest} units.")
        if list(self.units) != sorted({*self.units}) or len(runs(self.units)) > MOST_LISTED:
            raise LayerError(f"A list names up to {MOST_LISTED} units or ranges, each once and ascending.")

    @property
    def text(self) -> str:
        """As it stands in a link.

        >>> Off("list", (3, 17, 18, 19)).text, Off("strongest", strongest=8).text, Off("list").text, Off().text
        ('3-17..19', 'top8', 'list', '')
        """
        if self.which == "list":
            return "-".join(_written(self.units, "..")) or "list"
        return {"none": "", "strongest": f"top{self.strongest}"}.get(self.which, self.which)

    def toggled(self, unit: int, now: tuple[int, ...]) -> Off:
        """The list in which this unit has changed sides; `now` are the units that are off.

        >>> Off("strongest", strongest=2).toggled(5, (2, 5)).text
        '2'

        Raises:
            LayerError: the list is full.
        """
        units = tuple(sorted({*now} ^ {unit}))
        return replace(self, which="list", units=units, strongest=0)


def runs(units: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Ascending numbers as stretches of neighbours, first and last of each.

    >>> runs((3, 17, 18, 19))
    ((3, 3), (17, 19))
    """
    found: list[tuple[int, int]] = []
    for unit in units:
        if found and found[-1][1] == unit - 1:
            found[-1] = found[-1][0], unit
        else:
            found.append((unit, unit))
    return tuple(found)


def listed(units: tuple[int, ...]) -> str:
    """Ascending numbers for reading, and for typing: three neighbours or more as a range.

    >>> listed((3, 4, 17, 18, 19))
    '3, 4, 17–19'
    """
    return ", ".join(_written(units, "–"))


def _written(units: tuple[int, ...], between: str) -> list[str]:
    return [
        text
        for first, last in runs(units)
        for text in ([f"{first}{between}{last}"] if last - first > 1 else map(str, range(first, last + 1)))
    ]


def read_units(text: str, layer: Layer) -> tuple[int, ...]:
    """What somebody typed: numbers and ranges, with commas or blanks between them.

    >>> read_units("17 - 19, 3", Layer("conv", 1, 1, "Conv2d", 40, (7, 7), "maps"))
    (3, 17, 18, 19)

    Raises:
        LayerError: it cannot be read, or names a unit that the layer does not have.
    """
    joined = re.sub(r"\s*(?:-|–|\.\.|\bto\b)\s*", "-", text.strip())
    units: set[int] = set()
    for part in filter(None, re.split(r"[,;\s]+", joined)):
        found = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part, re.ASCII)
        if not found:
            raise LayerError(f"“{part[:20]}” is neither a unit’s number nor a range such as 20–40.")
        ends = sorted(int(end) for end in (found[1], found[2] or found[1]))
        _there(ends[-1], layer)
        units.update(range(ends[0], ends[-1] + 1))
    return tuple(sorted(units))


def _there(unit: int, layer: Layer) -> None:
    if unit >= layer.channels:
        raise LayerError(f"{layer.key} has no unit {unit:,}: they go from 0 to {layer.channels - 1}.")


def read_off(text: str, layer: Layer) -> Off:
    """What a link says is off.

    Raises:
        LayerError: it cannot be read, or names a unit that the layer does not have.
    """
    if text in ("", "unit", "all", "list"):
        return Off(text or "none")  # type: ignore[arg-type]
    if found := re.fullmatch(r"top([1-9]\d{0,5})", text, re.ASCII):
        if int(found[1]) > layer.channels:
            raise LayerError(
                f"{layer.key} has {layer.channels} units; the {found[1]} strongest are asked for."
            )
        return Off("strongest", strongest=int(found[1]))
    if not re.fullmatch(r"\d{1,6}(\.\.\d{1,6})?(-\d{1,6}(\.\.\d{1,6})?)*", text, re.ASCII):
        raise LayerError(f"“{text[:60]}” names no units that could be off.")
    return Off("list", read_units(text.replace("-", ","), layer))


def units_off(off: Off, layer: Layer, looked_at: int, support: Floats) -> tuple[int, ...]:
    """The numbers of the units that are off, ascending.

    Args:
        off: the choice.
        layer: whose units.
        looked_at: the unit that is looked at.
        support: (C,) what each gives the class whose strongest may be off.
    """
    if off.which == "unit":
        return (looked_at,)
    if off.which == "all":
        return tuple(range(layer.channels))
    if off.which == "strongest":
        return tuple(sorted(int(n) for n in np.argsort(-support, kind="stable")[: off.strongest]))
    return off.units


def ablation_of(units: tuple[int, ...], layer: Layer, to: To) -> tuple[Ablation, ...]:
    """What to ask a probe for: nothing, these units of the layer, or the whole layer where they are all."""
    if not units:
        return ()
    return (Ablation(layer.key, None if len(units) == layer.channels else units, to),)


def ranked(support: Floats, most: int) -> tuple[int, ...]:
    """Units by what they give a class, the largest first: all of them, or those that count most either way.

    A quarter of the places is for what speaks against the class: more where less supports it, fewer where less does.

    >>> ranked(np.array([0.5, -2, 3, 0, 1, -1], np.float32), 4)
    (2, 4, 0, 1)
    """
    order = np.argsort(-support, kind="stable")
    if len(order) <= most:
        return tuple(map(int, order))
    against = min(int((support < 0).sum()), max(most // 4, most - int((support > 0).sum())))
    return tuple(map(int, (*order[: most - against], *order[len(order) - against :])))


@dataclass(frozen=True)
class Move:
    """One class before and after: its probability, 0..1, and its logit."""

    class_index: int
    before: float
    after: float
    logit_before: float
    logit_after: float


def probabilities(logits: Floats) -> NDArray[np.float64]:
    """Softmax of logits (classes,)."""
    raised = np.exp(logits.astype(np.float64) - float(logits.max()))
    shares: NDArray[np.float64] = raised / raised.sum()
    return shares


def moves(before: Floats, after: Floats, most: int, also: tuple[int, ...] = ()) -> tuple[Move, ...]:
    """The classes that are likely before or after, as they stood before.

    Args:
        before, after: logits (classes,).
        most: so many of the most probable of each.
        also: classes that are shown whatever they get.
    """
    shares = probabilities(before), probabilities(after)
    shown = {*also}
    for share in shares:
        shown |= {int(n) for n in np.argsort(-share, kind="stable")[:most]}
    return tuple(
        Move(n, float(shares[0][n]), float(shares[1][n]), float(before[n]), float(after[n]))
        for n in sorted(shown, key=lambda n: (-shares[0][n], n))
    )
