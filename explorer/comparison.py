"""Networks side by side: what each does at each size of its maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from explorer.profiling import LayerProfile, NetworkProfile, Shape

FLAT: Final = "no map"
"""In place of a size: rows of numbers, tokens and the like."""


@dataclass(frozen=True)
class Share:
    """What a network does at one size of its maps.

    Attributes:
        layers: how many layers with weights give maps of this size.
        channels: of its widest map there.
        parameters, macs, activations: sums over what gives such maps.
    """

    layers: int = 0
    channels: int = 0
    parameters: int = 0
    macs: int = 0
    activations: int = 0


def by_size(profile: NetworkProfile) -> dict[str, Share]:
    """The network's layers and operations, put together by the rows × columns of what they give, largest first.

    The shares' sums are the network's totals.
    """
    found: dict[str, list[LayerProfile]] = {}
    for row in profile.rows:
        if row.role != "container":
            found.setdefault(_size(row.outputs), []).append(row)
    return {
        size: Share(
            sum(row.parameters > 0 for row in rows),
            max((row.outputs[0][0] for row in rows if row.outputs and row.outputs[0]), default=0),
            *(sum(getattr(row, what) for row in rows) for what in ("parameters", "macs", "activations")),
        )
        for size, rows in sorted(found.items(), key=lambda item: _order(item[0]))
    }


def aligned(profiles: Sequence[NetworkProfile]) -> list[tuple[str, tuple[Share | None, ...]]]:
    """Every size that one of the networks has, with what each does there; None where it has no such maps."""
    tables = [by_size(profile) for profile in profiles]
    sizes = sorted(set(chain.from_iterable(tables)), key=_order)
    return [(size, tuple(table.get(size) for table in tables)) for size in sizes]


def _size(outputs: Sequence[Shape]) -> str:
    if not outputs or len(outputs[0]) != 3:
        return FLAT
    _, rows, columns = outputs[0]
    return f"{rows} × {columns}"


def _order(size: str) -> tuple[bool, int]:
    """Larger maps first, what is no map last."""
    if size == FLAT:
        return True, 0
    rows, columns = (int(side) for side in size.split(" × "))
    return False, -rows * columns
