"""The colours of the families of layers, in tables, lists and diagrams alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HUES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "convolution": "#0a8fd1",
        "normalisation": "#009a9b",
        "activation": "#d8662a",
        "pooling": "#419547",
        "dense": "#8e57d8",
        "attention": "#d43b86",
        "operation": "#ac8b26",
        "other": "#76828b",
    }
)
"""By family, in sRGB: nearly one lightness for all (0.58 to 0.65 in OKLCh), so that none is louder, and each can be
seen on white and on black."""
