"""The classics: networks that one knows by their names, from LeNet-5 to those of torchvision.

>>> lenet = classic("lenet5")
>>> lenet.title, lenet.year, lenet.reference.citation
('LeNet-5, as it is taught', 1998, 'LeCun et al. 1998')
>>> sum(weight.numel() for weight in lenet.build().parameters())
61706
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from types import MappingProxyType
from typing import Final

from explorer.errors import ModelError
from explorer.networks.classics import alexnet, first, inception, mobile, residual, vgg, zoo
from explorer.networks.classics.entry import Classic
from explorer.networks.classics.look_at import LOOK_AT
from explorer.networks.classics.scoring import Score, scores
from explorer.networks.classics.sights import MEASURES, Sight, general_sights, measured, rows_at

__all__ = [
    "CLASSICS",
    "MEASURES",
    "Classic",
    "Score",
    "Sight",
    "classic",
    "general_sights",
    "measured",
    "rows_at",
    "scores",
]


def _by_family() -> list[Classic]:
    """All entries, families in the order of their years, what we add before what torchvision has."""
    rooms = first, alexnet, inception, vgg, residual, mobile, zoo
    entries = [
        replace(entry, look_at=LOOK_AT.get(entry.key, ()))
        for entry in chain.from_iterable(room.classics() for room in rooms)
    ]
    families = dict.fromkeys(entry.family for entry in sorted(entries, key=lambda entry: entry.year))
    return [entry for family in families for entry in entries if entry.family == family]


CLASSICS: Final[Mapping[str, Classic]] = MappingProxyType({entry.key: entry for entry in _by_family()})
"""Every classic by its key, family by family."""


def classic(key: str) -> Classic:
    """The classic with this key.

    >>> classic("resnet5O")
    Traceback (most recent call last):
    explorer.errors.ModelError: There is no classic network “resnet5O”; near it are “resnet50”, “resnet152”, “resnet34”.

    Raises:
        ModelError: there is none; the sentence names keys that are near.
    """
    if key in CLASSICS:
        return CLASSICS[key]
    words = {entry.title.casefold(): entry.key for entry in CLASSICS.values()} | {
        each: each for each in CLASSICS
    }
    found = dict.fromkeys(
        words[word] for word in get_close_matches(key[:80].casefold(), words, n=5, cutoff=0.5)
    )
    near = ", ".join(f"“{each}”" for each in list(found)[:3])
    shown = key if len(key) <= 40 else f"{key[:39]}…"
    raise ModelError(
        f"There is no classic network “{shown}”; "
        + (
            f"near it {'is' if len(found) == 1 else 'are'} {near}."
            if near
            else f"there are {len(CLASSICS)} others."
        )
    )
