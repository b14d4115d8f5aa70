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
"""Units that a link lists; more are switched off as the strongest of a class, or with the whole layer."""


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
        if list(self.units) != sorted({*self.units}) or len(self.units) > MOST_LISTED:
            raise LayerError(f"A list names up to {MOST_LISTED} units, each once and ascending.")

    @property
    def text(self) -> str:
        """As it stands in a link.

        >>> Off("list", (3, 17)).text, Off("strongest", strongest=8).text, Off("list").text, Off().text
        ('3-17', 'top8', 'list', '')
        """
        if self.which == "list":
            return "-".join(map(str, self.units)) or "list"
        return {"none": "", "strongest": f"top{self.strongest}"}.get(self.which, self.which)

    def toggled(self, unit: int, now: tuple[int, ...]) -> Off:
        """The list in which this unit has changed sides; `now` are the units that are off.

        >>> Off("strongest", strongest=2).toggled(5, (2, 5)).text
        '2'

        Raises:
            LayerError: the list is full.
        """
        units = tuple(sorted({*now} ^ {unit}))
        if len(units) > MOST_LISTED:
            raise LayerError(f"A list of units to switch off holds {MOST_LISTED}.")
        return replace(self, which="list", units=units, strongest=0)


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
    if not re.fullmatch(r"\d{1,6}(-\d{1,6})*", text, re.ASCII):
        raise LayerError(f"“{text[:60]}” names no units that could be off.")
    units = tuple(sorted({int(one) for one in text.split("-")}))
    if units[-1] >= layer.channels:
        raise LayerError(f"{layer.key} has no unit {units[-1]}: they go from 0 to {layer.channels - 1}.")
    return Off("list", units)


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
