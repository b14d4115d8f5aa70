"""Kernels laid on photos in Python: what the instrument computes in the browser, for the panels under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.convolution import ConvSpec, chain, convolve, output_shape
from explorer.errors import ShapeError
from explorer.images import Photo
from explorer.kernel_facts import compose_all
from explorer.kernels import Kernel, Weights
from explorer.ui.components.stencil import Laying

SMALL: Final = 256
"""Longest side of the copy that panels work on where the photo itself would take too long."""


def planes(photo: Photo, colour: str) -> NDArray[np.float32]:
    """The photo as what kernels are laid on: "grey" (1, H, W) or "rgb" (3, H, W), 0..255."""
    if colour == "grey":
        return np.asarray(Image.fromarray(photo.pixels).convert("L"), np.float32)[None]
    return np.moveaxis(photo.pixels, -1, 0).astype(np.float32)


def fitted(laying: Laying, kernel: Kernel, shape: tuple[int, int]) -> Laying:
    """The same laying for another kernel, on a picture of this (height, width).

    Three grids are laid on red, green and blue; where the padding does not fit, zeros keep the size.

    >>> wide = Kernel("Wide", np.ones((1, 5)))
    >>> fitted(Laying(ConvSpec(3, padding=1, padding_mode="reflect")), wide, (1, 9)).spec.padding_mode
    'zeros'
    """
    spec = replace(laying.spec, kernel_size=(kernel.height, kernel.width))
    try:
        output_shape(shape, spec)
    except ShapeError:
        spec = replace(spec, padding="same", padding_mode="zeros")
    return replace(laying, spec=spec, colour="rgb" if kernel.channels == 3 else laying.colour)


def turned(kernel: Kernel, laying: Laying) -> Weights:
    """The weights (C, h, w) as they lie on the picture: by half a turn, where convolution proper is asked for."""
    return (kernel.flipped() if laying.flip else kernel).weights


def single_grid(kernel: Kernel) -> Kernel:
    """The kernel for a grey picture: of three grids their sum, which does the same where R = G = B."""
    return kernel if kernel.channels == 1 else Kernel(kernel.name, kernel.weights.sum(axis=0))


def lay(photo: Photo, kernel: Kernel, laying: Laying) -> NDArray[np.float32]:
    """The result (H', W') of the kernel laid on the photo.

    Raises:
        ShapeError: they do not fit together; see `fitted`.
    """
    weights = turned(kernel, laying)
    return convolve(planes(photo, laying.colour), weights, laying.spec, laying.bias, laying.activation)


def inner(result: NDArray[np.float32], spec: ConvSpec, shape: tuple[int, int]) -> NDArray[np.float32]:
    """What reads no padding of a result on a picture of this (height, width); it may be empty.

    >>> inner(np.array([[9, 1, 2, 8]], dtype=np.float32), ConvSpec((1, 3), padding="same"), (1, 4)).tolist()
    [[1.0, 2.0]]
    """
    inside = []
    for axis, (before, _) in enumerate(spec.margins(shape)):
        first = spec.stride[axis] * np.arange(result.shape[axis]) - before
        inside.append((first >= 0) & (first + spec.extent[axis] <= shape[axis]))
    return result[np.ix_(*inside)]


def inner_peak(result: NDArray[np.float32], spec: ConvSpec, shape: tuple[int, int]) -> float:
    """Largest |value| of a result, on a picture of this (height, width), whose window reads no padding.

    Padding makes edges that no picture has, and they would pale all else.  Where every window reads padding,
    and where nothing but the border answers, the largest of all.  The instrument scales its colours by the same rule.

    >>> result = np.array([[9, 1, 2, 8]], dtype=np.float32)
    >>> inner_peak(result, ConvSpec((1, 3), padding="same"), (1, 4))
    2.0
    """
    peak = float(np.abs(inner(result, spec, shape)).max(initial=0))
    return peak or float(np.abs(result).max())


@dataclass(frozen=True, eq=False)
class Chained:
    """Kernels in sequence on a grey picture (H, W).

    Attributes:
        steps: the result (H, W) after each kernel; with ReLU between, after that too, but for the last.
        equivalent: the one kernel (h, w) that does the same where nothing stands between.
        single: its result (H, W).
        peaks: for each of the steps, then for `single`, the largest |value| that reads no padding.
    """

    steps: tuple[NDArray[np.float32], ...]
    equivalent: Weights
    single: NDArray[np.float32]
    peaks: tuple[float, ...]

    @property
    def difference(self) -> NDArray[np.float32]:
        """The chain's result minus the single kernel's (H, W)."""
        return self.steps[-1] - self.single

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest value of the chain's result that read no padding; of all, where each reads some.

        The same part of the result that the last of the steps' `peaks` is taken of.
        """
        shape = self.steps[-1].shape[0], self.steps[-1].shape[1]
        spec = ConvSpec((self.equivalent.shape[0], self.equivalent.shape[1]), padding="same")
        part = inner(self.steps[-1], spec, shape)
        if not part.any():
            part = self.steps[-1]
        return float(part.min()), float(part.max())


def chained(photo: Photo, kernels: Sequence[Kernel], relu: bool) -> Chained:
    """Kernels of one grid in sequence on the grey photo, with or without ReLU between."""
    grey = planes(photo, "grey")
    grids = [kernel.weights[0] for kernel in kernels]
    steps = [chain(grey[0], grids[:count], relu) for count in range(1, len(grids) + 1)]
    if relu:
        steps[:-1] = [np.maximum(step, 0) for step in steps[:-1]]
    equivalent = compose_all(grids)
    spec = ConvSpec((equivalent.shape[0], equivalent.shape[1]), padding="same")
    single = convolve(grey, equivalent[None], spec)
    peaks = tuple(inner_peak(result, spec, (photo.height, photo.width)) for result in (*steps, single))
    return Chained(tuple(steps), equivalent, single, peaks)
