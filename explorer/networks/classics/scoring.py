"""How well each of torchvision's weights classifies, and what that costs: for a scatter plot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from explorer.models import CATALOGUE


@dataclass(frozen=True)
class Score:
    """One set of weights.

    Attributes:
        key: of the network in `CLASSICS`: torchvision's name.
        title: the network's, for reading.
        family: networks of one idea.
        weights: the entry's name: "IMAGENET1K_V2".
        side: of the square picture that it was measured with, in pixels.
        top1: per cent of ImageNet's validation pictures named right; None where nobody says.
        parameters: learned numbers.
        gmacs: 10^9 multiply-accumulates for one picture of that side.
        best: whether no other weights of the network have a higher top-1.
    """

    key: str
    title: str
    family: str
    weights: str
    side: int
    top1: float | None
    parameters: int
    gmacs: float
    best: bool


@cache
def scores() -> tuple[Score, ...]:
    """All weights entries of torchvision's classification networks, in the order of the catalogue.

    Source: torchvision's own metadata of its weights.
    """
    cards = [card for card in CATALOGUE.values() if card.source == "torchvision"]
    highest: dict[str, float] = {}
    for card in cards:
        if card.top1 is not None:
            highest[card.architecture] = max(card.top1, highest.get(card.architecture, 0))
    return tuple(
        Score(
            card.architecture,
            card.name,
            card.family,
            card.weights,
            card.preprocessing.crop,
            card.top1,
            card.parameters,
            card.gmacs,
            best=card.top1 is not None and card.top1 == highest[card.architecture],
        )
        for card in cards
    )
