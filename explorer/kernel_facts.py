"""Facts of a kernel: is it separable, what does it cost, which frequencies pass, what do several in a row do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.errors import KernelError
from explorer.kernels import Weights

RANK_TOLERANCE: Final = 1e-10
"""Singular values below this share of the largest count as zero: far above what rounding leaves in products of
float64 (some 1e-16), far below what is left where weights were typed with nine digits."""


@dataclass(frozen=True, eq=False)
class Separation:
    """The best product of a column (h,) and a row (w,): weights[i, j] ≈ column[i] · row[j].

    `residual` is the norm of what is left, as a share of the kernel's norm: 0 if it is separable, else below 1.
    """

    column: Weights
    row: Weights
    residual: float


def separate(weights: Weights) -> Separation:
    """The rank-1 kernel that is nearest to weights (h, w) in the sum of squares.

    Column and row have the same norm, unless the kernel is separable and its weights are whole: then both are
    whole, the row without a common factor.  Of the two signs, the one whose numbers sum to more.

    >>> sobel = separate(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> sobel.column.tolist(), sobel.row.tolist(), sobel.residual
    ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0], 0.0)

    Raises:
        KernelError: the weights are not one grid of finite numbers.

    Source: Eckart & Young 1936, "The approximation of one matrix by another of lower rank".
    """
    weights = _grid(weights)
    left, singular, right = np.linalg.svd(weights, full_matrices=False)
    column, row = left[:, 0] * math.sqrt(singular[0]), right[0] * math.sqrt(singular[0])
    if rank(weights) == 1 and (weights == np.round(weights)).all():
        column, row = _whole_factors(weights)
    if column.sum() + row.sum() < 0:
        column, row = -column, -row
    norm = np.linalg.norm(weights)
    residual = np.linalg.norm(weights - np.outer(column, row)) / norm if norm else 0.0
    # + 0 turns -0 into 0, which reads better.
    return Separation(column + 0, row + 0, float(residual))


def rank(weights: Weights) -> int:
    """How many products of a column and a row the weights (h, w) are the sum of; 1: separable, 0: all zero.

    Counted are the singular values above `RANK_TOLERANCE` of the largest.

    Raises:
        KernelError: the weights are not one grid of finite numbers.
    """
    singular = np.linalg.svd(_grid(weights), compute_uv=False)
    return int((singular > RANK_TOLERANCE * singular[0]).sum())


def costs(height: int, width: int) -> tuple[int, int]:
    """Products per pixel: with the kernel as it is, and as a column and then a row, if it is separable.

    >>> costs(7, 7)
    (49, 14)
    """
    return height * width, height + width


def frequency_response(weights: Weights, side: int = 65) -> NDArray[np.float32]:
    """How much each wave is amplified by weights (h, w): |Fourier transform|, float32 (side, side).

    Frequencies are (index − side // 2) / side cycles per pixel, so zero is in the middle, horizontal ones grow
    to the right and vertical ones downwards.  Each is its own exact sum over the weights: no window is
    wrapped or interpolated, however small `side` is.

    >>> frequency_response(np.full((3, 3), 1 / 9))[32, 32]
    np.float32(1.0)

    Raises:
        KernelError: the weights are not one grid of finite numbers, or there is no side.
    """
    weights = _grid(weights)
    if side < 1:
        raise KernelError(f"A frequency response has at least one sample a side, not {side}.")
    frequencies = (np.arange(side) - side // 2) / side
    down, across = (np.exp(-2j * np.pi * np.outer(frequencies, np.arange(n))) for n in weights.shape)
    response: NDArray[np.float32] = np.abs(down @ weights @ across.T).astype(np.float32)
    return response


def dilated(weights: Weights, dilation: tuple[int, int]) -> Weights:
    """Weights (h, w) with the holes of a dilation written out as zeros: (d·(h - 1) + 1, d·(w - 1) + 1).

    >>> dilated(np.array([[1.0, 2.0]]), (1, 3)).tolist()
    [[1.0, 0.0, 0.0, 2.0]]
    """
    rows, columns = (d * (size - 1) + 1 for d, size in zip(dilation, weights.shape, strict=True))
    spread = np.zeros((rows, columns))
    spread[:: dilation[0], :: dilation[1]] = weights
    return spread


def compose(first: Weights, second: Weights) -> Weights:
    """The kernel (h1 + h2 − 1, w1 + w2 − 1) that does in one cross-correlation what two do in sequence.

    It is their full convolution: each weight of the second places a copy of the first.

    >>> compose(np.array([[1, 1]]), np.array([[-1, 1]])).tolist()
    [[-1.0, 0.0, 1.0]]

    Raises:
        KernelError: one is not a grid of finite numbers.
    """
    first, second = _grid(first), _grid(second)
    height, width = first.shape
    composed = np.zeros((height + second.shape[0] - 1, width + second.shape[1] - 1))
    for (y, x), weight in np.ndenumerate(second):
        composed[y : y + height, x : x + width] += weight * first
    return composed


def compose_all(kernels: Sequence[Weights]) -> Weights:
    """The single kernel that does what all of them do in sequence; of none, the 1×1 kernel that does nothing.

    Raises:
        KernelError: one is not a grid of finite numbers.
    """
    return reduce(compose, kernels, np.ones((1, 1)))


def _whole_factors(weights: Weights) -> tuple[Weights, Weights]:
    """Column and row of a kernel of rank 1 with whole weights, both whole, the row without a common factor."""
    largest = weights[np.abs(weights).sum(axis=1).argmax()]
    row = largest / math.gcd(*map(int, largest))
    place = np.abs(row).argmax()
    return weights[:, place] / row[place], row


def _grid(weights: Weights) -> Weights:
    """The weights as float64 (h, w)."""
    grid = np.asarray(weights, dtype=np.float64)
    if grid.ndim != 2 or not grid.size or not np.isfinite(grid).all():
        shape = "×".join(map(str, grid.shape))
        raise KernelError(f"A grid of finite weights (h, w) is needed, not one of {shape or 'no'} sides.")
    return grid
