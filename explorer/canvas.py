"""Pictures that are searched for: a canvas whose every number can be differentiated.

A canvas holds its picture as pixels, or as frequencies (Olah et al. 2017, Feature Visualization).  Frequencies fall
off as in photographs, so that a step of an optimiser moves large shapes and fine detail alike, and not each pixel for
itself; colours vary along the three axes in which those of photographs are independent of each other.

>>> canvas = Canvas(side=32, seed=7)
>>> canvas.picture().shape, canvas.pixels().dtype
(torch.Size([1, 3, 32, 32]), dtype('uint8'))
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.activations import Probe
from explorer.errors import ModelError
from explorer.preprocessing import Preprocessing

Holding = Literal["frequencies", "pixels"]

COLOURS: Final = (
    (0.26, 0.09, 0.02),
    (0.27, 0.00, -0.05),
    (0.27, -0.09, 0.03),
)
"""A square root of how red, green and blue vary together in ImageNet: its columns are brightness, orange against
blue, and green against purple.

Source: the constants of Lucid, the code of Olah et al. 2017.
"""

START: Final = 0.01
"""Standard deviation of the frequencies to begin with: nearly grey."""

MOST_PIXELS: Final = 1024
"""Side of the largest canvas: each step of an optimiser takes time and memory with its area."""


class Canvas:
    """A square picture with values in 0..1, held as numbers that an optimiser moves.

    Args:
        side: in pixels.
        channels: 3, or 1 for grey.
        holding: "frequencies", or "pixels" themselves.
        seed: of what it begins with, nearly grey.
        steepness: how fast frequencies fall off, as 1/f to this power; photographs have about 1.
        one_by_one: red, green and blue for themselves, instead of along the axes of `COLOURS`.

    Attributes:
        numbers: what is moved: (1, channels, side, side // 2 + 1, 2) of frequencies, else the picture.

    Raises:
        ModelError: a side outside 2–1024, or channels that are neither 1 nor 3.
    """

    def __init__(
        self,
        side: int,
        channels: int = 3,
        holding: Holding = "frequencies",
        seed: int = 0,
        steepness: float = 1.0,
        one_by_one: bool = False,
    ):
        if not 2 <= side <= MOST_PIXELS:
            raise ModelError(
                f"A picture of {side} pixels a side cannot be searched for: 2–{MOST_PIXELS} can."
            )
        if channels not in (1, 3):
            raise ModelError(f"A picture has 3 channels (colours) or 1 (grey), not {channels}.")
        self.side = side
        self.holding: Holding = holding
        self._axes = None if one_by_one or channels == 1 else colour_axes()
        random = torch.Generator().manual_seed(seed)
        if holding == "frequencies":
            self._fall = fall_off(side, steepness)
            self.numbers = torch.randn((1, channels, side, side // 2 + 1, 2), generator=random) * START
        else:
            self.numbers = 0.5 + torch.randn((1, channels, side, side), generator=random) * START
        self.numbers.requires_grad_()

    def picture(self) -> Tensor:
        """The picture (1, channels, side, side) in 0..1, inside torch's graph, on the CPU."""
        if self.holding == "pixels":
            return self.numbers
        spectrum = torch.view_as_complex(self.numbers) * self._fall
        planes = torch.fft.irfft2(spectrum, s=(self.side, self.side)) / 4
        if self._axes is not None:
            planes = torch.einsum("rc,nchw->nrhw", self._axes, planes)
        return torch.sigmoid(planes)

    def settle(self) -> None:
        """After a step: pixels that left 0..1 come back to its edge."""
        if self.holding == "pixels":
            with torch.no_grad():
                self.numbers.clamp_(0, 1)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture as it is shown, (side, side, 3); a grey one has three equal channels."""
        with torch.no_grad():
            planes = self.picture()[0].mul(255).round().clamp(0, 255).byte()
        return planes.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def colour_axes() -> Tensor:
    """`COLOURS` so that its longest column has length 1, (3, 3): rows are red, green and blue."""
    axes = torch.tensor(COLOURS)
    scaled: Tensor = axes / axes.norm(dim=0).max()
    return scaled


def fall_off(side: int, steepness: float = 1.0) -> Tensor:
    """How strong each frequency of `rfft2` is, (side, side // 2 + 1): 1/f, that of the mean as the lowest other.

    The inverse transform divides by side²; the factor `side` keeps the picture's variation the same for every size.
    """
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None])
    return side / frequency.clamp(min=1 / side) ** steepness


def normalised(picture: Tensor, preprocessing: Preprocessing) -> Tensor:
    """A picture (N, C, H, W) in 0..1 as the network is fed it."""
    mean, std = (
        torch.tensor(values, dtype=picture.dtype).view(1, -1, 1, 1)
        for values in (preprocessing.mean, preprocessing.std)
    )
    return (picture - mean) / std


def sides(probe: Probe, channels: int = 3) -> tuple[int, ...]:
    """The sides that pictures may have for this network, its own first; others where it takes them, to be quicker.

    Some three quarters and half of its own, in steps of 32.  Tried on blank pictures: call it where nothing else runs
    the network.
    """
    own = probe.size
    smaller = {32 * round(own * share / 32) for share in (0.72, 0.5)}
    return (
        own,
        *(
            side
            for side in sorted(smaller, reverse=True)
            if 64 <= side < own and _takes(probe, side, channels)
        ),
    )


def _takes(probe: Probe, side: int, channels: int) -> bool:
    recorder = probe.recorder
    blank = torch.zeros((1, channels, side, side)).to(recorder.device, memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            recorder.network(blank)
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return False
    return True
