"""From a photo to a network's input, and back: which part of the photo did it see?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from explorer.errors import ImageError, ModelError

EXTREME_ASPECT = 16
"""From this ratio of the sides on, only what the network will see is resized: a photo of 5000×1 pixels,
resized to a short side of 256 as the papers do, would have 1,280,000 rows."""


@dataclass(frozen=True)
class CropBox:
    """A rectangle of a photo, in its pixels; fractions of pixels are meant."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True)
class Preprocessing:
    """From a photo to a network's input: resize the short side, crop the centre, normalise.

    With `whole` the photo is squeezed into the square instead: nothing is cut off, but its proportions change.

    Attributes:
        resize: the short side after resizing, in pixels.
        crop: side of the square that is cut from the middle, in pixels.
        mean, std: of each channel in 0..1, subtracted and divided by.
        interpolation: "bilinear" or "bicubic", with antialiasing, as Pillow does it.
        whole: feed the whole photo, squeezed, instead of its middle.
        channels: 3 for red, green and blue; 1 for luminance, as Pillow's "L" has it, taken before resizing.
    """

    resize: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    whole: bool = False
    channels: int = 3

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ModelError(
                f"A photo gives 3 channels (colours) or 1 (grey), and this network takes {self.channels}."
            )
        if not len(self.mean) == len(self.std) == self.channels:
            raise ModelError(
                f"{self.channels} channels have {len(self.mean)} means and {len(self.std)} standard deviations."
            )
        if not 1 <= self.crop <= self.resize:
            raise ModelError(f"A crop of {self.crop} pixels does not fit into a short side of {self.resize}.")
        if min(self.std) <= 0:
            raise ModelError(f"A standard deviation of {min(self.std)} cannot be divided by.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ModelError(
                f"The interpolation is “{self.interpolation}”, but bilinear or bicubic is meant."
            )

    def tensor(self, pixels: NDArray[np.uint8]) -> Tensor:
        """The network's input, (1, channels, crop, crop) float32, of a photo (H, W, 3) uint8.

        The same numbers, bit by bit, as the `transforms()` of torchvision's weights; for a photo more
        extreme than 16:1 within a level or two of 255, ten at worst.

        Raises:
            ImageError: no (H, W, 3) array of uint8, or an empty one.
        """
        # of a grey picture all three are alike
        fed = self.image(pixels)[:, :, : self.channels]
        scaled = torch.from_numpy(fed).permute(2, 0, 1).float().div(255)
        normalised: Tensor = transforms.normalize(scaled.contiguous(), list(self.mean), list(self.std))
        return normalised.unsqueeze(0)

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture that the network is fed, (crop, crop, 3) uint8, before normalising; grey for one channel.

        Raises:
            ImageError: no (H, W, 3) array of uint8, or an empty one.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ImageError(f"A photo is (height, width, 3) of uint8, not {pixels.shape} of {pixels.dtype}.")
        photo = Image.fromarray(pixels)
        if self.channels == 1:
            photo = photo.convert("L")
        return np.array(self._square(photo).convert("RGB"))

    def _square(self, photo: Image.Image) -> Image.Image:
        """The part that is fed, (crop, crop), in the photo's own mode."""
        mode = InterpolationMode(self.interpolation)
        if not self.whole and max(photo.size) < EXTREME_ASPECT * min(photo.size):
            resized = transforms.resize(photo, [self.resize], interpolation=mode, antialias=True)
            square: Image.Image = transforms.center_crop(resized, [self.crop])
            return square
        box = self.view(photo.height, photo.width)
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        filter_ = Image.Resampling[self.interpolation.upper()]
        return photo.resize((self.crop, self.crop), filter_, box=corners)

    def view(self, height: int, width: int) -> CropBox:
        """The rectangle of a photo that the network sees, in the photo's pixels.

        >>> lite0 = Preprocessing(256, 224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic")
        >>> lite0.view(256, 512)
        CropBox(top=16.0, left=144.0, height=224.0, width=224.0)
        """
        if self.whole:
            return CropBox(0.0, 0.0, float(height), float(width))
        short = min(height, width)
        # As torchvision does: the long side is rounded down, so the two scales differ by a hair, and
        # the middle is rounded to a whole pixel, halves to the even one.
        rows, columns = self.resize * height // short, self.resize * width // short
        return CropBox(
            top=round((rows - self.crop) / 2) * height / rows,
            left=round((columns - self.crop) / 2) * width / columns,
            height=self.crop * height / rows,
            width=self.crop * width / columns,
        )
