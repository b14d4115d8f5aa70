"""Equivariance, measured: the picture is shifted, turned or scaled; do a layer's maps move along, change, or stay?

For each layer three sets of maps: of the picture, of the moved picture, and those of the picture moved afterwards.
Where the layer is equivariant the second equals the third; where it is invariant the second equals the first.

Sources: Lenc & Vedaldi 2015, arXiv:1411.5908; Zhang 2019, arXiv:1904.11486.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from explorer.activations import Layer, Probe
from explorer.errors import ShapeError

ABOUT: Final = 24
"""Points of the curve along depth that are aimed at: layers at one depth of the modules' tree."""

_INSIDE: Final = 0.999
"""Of a cell's neighbours that it is blended from, the share that must come from inside the picture."""


@dataclass(frozen=True)
class Motion:
    """What is done to the picture, about its middle.

    Attributes:
        down, right: shift in pixels of the network's input.
        degrees: turned clockwise.
        factor: enlarged by.
    """

    down: float = 0
    right: float = 0
    degrees: float = 0
    factor: float = 1

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.down, self.right, self.degrees))) or not 0.1 <= self.factor <= 10:
            raise ShapeError(f"A picture cannot be moved by {self}.")

    def applied(self, maps: Tensor, size: int, padding: str = "border") -> Tensor:
        """Maps (N, C, h, w) of a picture of `size` pixels a side, moved; bilinear between cells.

        Args:
            padding: what comes in from outside: "border" repeats the edge, "zeros" is 0.

        >>> Motion(right=1).applied(torch.arange(4.0).reshape(1, 1, 1, 4), size=4).round().tolist()
        [[[[0.0, 0.0, 1.0, 2.0]]]]
        """
        turn = math.radians(self.degrees)
        cosine, sine = math.cos(turn) / self.factor, math.sin(turn) / self.factor
        # torch asks the other way round: where in the old picture, from -1 to 1, does each new place come from?
        right, down = 2 * self.right / size, 2 * self.down / size
        backwards = torch.tensor(
            [
                [cosine, sine, -cosine * right - sine * down],
                [-sine, cosine, sine * right - cosine * down],
            ],
            dtype=maps.dtype,
            device=maps.device,
        )
        places = functional.affine_grid(
            backwards.expand(len(maps), 2, 3), list(maps.shape), align_corners=False
        )
        return functional.grid_sample(maps, places, padding_mode=padding, align_corners=False)

    def inside(self, grid: tuple[int, int], size: int) -> Tensor:
        """The cells (h, w), bool, that hold after the motion what was inside the picture before."""
        return self.applied(torch.ones(1, 1, *grid), size, "zeros")[0, 0] >= _INSIDE


@dataclass(frozen=True)
class Moved:
    """How one layer's maps answer a motion.

    Attributes:
        equivariance: correlation of the moved picture's maps with the maps moved afterwards; 1: they move along.
        invariance: correlation with the maps as they were; 1: nothing changes.
        error: |moved picture's maps − maps moved afterwards|, as a share of the latter's spread (root mean squares).
        cells: how many places were compared.

    Correlations are over all channels and the places inside, each channel about its own mean; None where nothing
    varies.
    """

    layer: Layer
    equivariance: float | None
    invariance: float | None
    error: float | None
    cells: int


@dataclass(frozen=True, eq=False)
class Triple:
    """One unit's maps (h, w): of the picture, of the moved picture, of the picture and moved afterwards."""

    before: Tensor
    of_moved: Tensor
    moved_after: Tensor
    inside: Tensor


def along_depth(layers: Sequence[Layer], about: int = ABOUT) -> tuple[Layer, ...]:
    """Layers with a map that stand at one depth of the modules' tree: the depth at which there are about so many.

    Of modules further inside, those that hold them stand for them.
    """
    placed = [layer for layer in layers if min(layer.grid) > 1 and layer.layout != "heads"]
    if not placed:
        return ()
    holders = {layer.name.rpartition(".")[0] for layer in layers}
    best: tuple[Layer, ...] = ()
    for depth in range(max(layer.depth for layer in placed) + 1):
        cut = tuple(
            layer
            for layer in placed
            if layer.depth == depth or (layer.depth < depth and layer.name not in holders)
        )
        if cut and (not best or _far(len(cut), about) < _far(len(best), about)):
            best = cut
    return best


def _far(count: int, about: int) -> float:
    return abs(math.log(count / about))


def compare(probe: Probe, x: Tensor, motion: Motion, layers: Sequence[str]) -> tuple[Moved, ...]:
    """How each of these layers answers a motion of the picture (1, 3, H, W): two forwards.

    Raises:
        LayerError: a layer that is not there.
        ShapeError: nothing of the picture is left inside.
    """
    before, after = probe.maps(x, layers), probe.maps(motion.applied(x, x.shape[-1]), layers)
    return tuple(
        answer(probe.layer(key), before[key], after[key], motion, x.shape[-1])
        for key in before
        if key in after
    )


def answer(layer: Layer, before: Tensor, after: Tensor, motion: Motion, size: int) -> Moved:
    """The same of one layer's maps (C, h, w) of the picture, and of the moved picture.

    Raises:
        ShapeError: nothing of the picture is left inside.
    """
    inside = motion.inside((before.shape[1], before.shape[2]), size)
    if not inside.any():
        raise ShapeError("Moved so far, nothing of the picture is left inside.")
    expected = motion.applied(before[None], size)[0]
    was, now, then = (maps[:, inside].double() for maps in (before, after, expected))
    spread = float((then - then.mean(1, keepdim=True)).square().mean().sqrt())
    error = float((now - then).square().mean().sqrt()) / spread if spread > 0 else None
    return Moved(layer, correlation(now, then), correlation(now, was), error, int(inside.sum()))


def correlation(one: Tensor, other: Tensor) -> float | None:
    """Of two sets of maps (C, places), each channel about its own mean; None where one of them is constant.

    >>> maps = torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 8.0]])
    >>> round(correlation(maps, 10 * maps - 3), 6)
    1.0
    """
    first, second = (maps - maps.mean(1, keepdim=True) for maps in (one, other))
    # what lies six digits under the values is float32's rounding, not a pattern
    flat = any(
        float(varying.norm()) <= 1e-6 * float(maps.norm())
        for varying, maps in ((first, one), (second, other))
    )
    return None if flat else float((first * second).sum() / (first.norm() * second.norm()))


def unit_maps(probe: Probe, x: Tensor, motion: Motion, layer: str, unit: int) -> Triple:
    """One unit before and after the motion: what the page shows side by side.

    Raises:
        LayerError: a layer that is not there.
    """
    before = probe.maps(x, [layer])[layer][unit]
    after = probe.maps(motion.applied(x, x.shape[-1]), [layer])[layer][unit]
    expected = motion.applied(before[None, None], x.shape[-1])[0, 0]
    return Triple(before, after, expected, motion.inside((before.shape[0], before.shape[1]), x.shape[-1]))
