"""How much of its receptive field a unit uses: the gradient of one unit, pixel by pixel.

Most of it is near the middle: many more paths lead there than to the edge.

Source: Luo et al. 2016, Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
arXiv:1701.04128.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from explorer.convolution import Pair
from explorer.errors import ShapeError
from explorer.receptive_field import Box, Step, regions

_SIGNIFICANT: Final = 1 - 0.9545
"""Of the strongest gradient: within two standard deviations of a Gaussian (Luo 2016, section 3)."""


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """How much of its theoretical field a unit uses.

    Attributes:
        heat: strength of each pixel's gradient, float32 (height, width), the strongest 1.
        inside: share of all gradient in the theoretical box; 1 unless a path sees everything.
        core: share of all gradient in the middle half of the box, a quarter of its area: 0.25 if all pixels
            of the box counted alike.
        pixels: number of pixels of at least 4.55 % of the strongest.
        box_pixels: number of pixels in the theoretical box.
    """

    heat: NDArray[np.float32]
    inside: float
    core: float
    pixels: int
    box_pixels: int

    @property
    def side(self) -> float:
        """Side in pixels of a square as large as the effective field."""
        return math.sqrt(self.pixels)

    @property
    def share(self) -> float:
        """Area of the effective field, as a share of the theoretical box."""
        return self.pixels / self.box_pixels


def effective(gradient: NDArray[np.floating], box: Box) -> EffectiveField:
    """What a gradient of one unit (height, width), its signs dropped, says about the unit's box in the picture.

    >>> found = effective(np.array([[0, 1, 4, 1, 0.1]]), ((0, 0), (0, 4)))
    >>> found.pixels, found.box_pixels, found.inside
    (3, 5, 1.0)

    Raises:
        ShapeError: the box is not inside the picture, or no pixel has a gradient.
    """
    if any(not 0 <= first <= last < size for (first, last), size in zip(box, gradient.shape, strict=True)):
        raise ShapeError(f"The box {box} is not inside a picture of {gradient.shape[0]}×{gradient.shape[1]}.")
    strength = np.abs(gradient).astype(np.float64)
    total, strongest = strength.sum(), strength.max()
    if not 0 < total < math.inf:
        raise ShapeError("No pixel changes this unit: its gradient is zero everywhere.")
    (top, bottom), (left, right) = box
    quarter = [(last - first + 1) // 4 for first, last in box]
    return EffectiveField(
        heat=(strength / strongest).astype(np.float32),
        inside=float(strength[top : bottom + 1, left : right + 1].sum() / total),
        core=float(
            strength[
                top + quarter[0] : bottom + 1 - quarter[0], left + quarter[1] : right + 1 - quarter[1]
            ].sum()
            / total
        ),
        pixels=int((strength >= _SIGNIFICANT * strongest).sum()),
        box_pixels=(bottom - top + 1) * (right - left + 1),
    )


def unit_gradient(
    steps: Sequence[Step],
    pixels: NDArray[np.uint8],
    unit: Pair,
    channels: int = 16,
    seed: int = 0,
    draws: int = 1,
) -> NDArray[np.float32]:
    """|d unit / d pixel|, summed over colours, (height, width), of a stack with random weights.

    Convolutions have `channels` filters with He's normal weights, no bias, and ReLU behind each but the
    last; the unit is the sum of its channels.  The mean of `draws` networks is less grainy than one.

    Args:
        pixels: the picture, (height, width, 3).
        unit: (row, column) in the last map.

    Raises:
        ShapeError: a window that does not fit, or a unit outside the last map.
    """
    regions(steps, (pixels.shape[0], pixels.shape[1]), unit)  # raises what is to be raised
    picture = (torch.tensor(pixels).movedim(-1, 0)[None].float() / 255 - 0.5) / 0.25
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(pixels.shape[:2])
    for _ in range(draws):
        x = picture.clone().requires_grad_()
        output = _random_stack(steps, x, channels, generator)
        (gradient,) = torch.autograd.grad(output[0, :, unit[0], unit[1]].sum(), x)
        total += gradient[0].abs().sum(0)
    strength: NDArray[np.float32] = (total / draws).numpy()
    return strength


def _random_stack(steps: Sequence[Step], x: Tensor, channels: int, generator: torch.Generator) -> Tensor:
    """The last map (1, C, h, w) of a stack with new weights."""
    last = max((number for number, step in enumerate(steps) if step.kind == "conv"), default=-1)
    for number, step in enumerate(steps):
        (top, bottom), (left, right) = step.margins((x.shape[2], x.shape[3]))
        # what is padded must never be the maximum
        value = float(x.detach().min()) - 1 if step.kind == "max" else 0.0
        x = functional.pad(x, (left, right, top, bottom), value=value)
        if step.kind == "max":
            x = functional.max_pool2d(x, step.kernel_size, step.stride, dilation=step.dilation)
        elif step.kind == "mean":
            weights = torch.full((x.shape[1], 1, *step.kernel_size), 1 / math.prod(step.kernel_size))
            x = functional.conv2d(x, weights, None, step.stride, 0, step.dilation, groups=x.shape[1])
        else:
            fan_in = x.shape[1] * math.prod(step.kernel_size)
            weights = torch.randn(channels, x.shape[1], *step.kernel_size, generator=generator)
            x = functional.conv2d(x, weights * math.sqrt(2 / fan_in), None, step.stride, 0, step.dilation)
            x = x if number == last else x.relu()
    return x
