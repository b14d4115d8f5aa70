"""What a layer still knows of a picture: the picture that is found again from the layer's features alone.

From grey noise a picture is moved until the layer answers with the features that the photograph had.  Early layers
give it back nearly as it was; deep ones keep what is in it, and forget where and how.

    for found in invert(probe, photo.pixels, card.preprocessing, ["features.3"], Settings(side=224)):
        found.parts[0].pixels, found.parts[0].psnr

Source: Mahendran & Vedaldi 2015, Understanding Deep Image Representations by Inverting Them, arXiv:1412.0035.  The
picture is held as frequencies instead of pixels (Olah et al. 2017), which finds better ones in less time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.activations import Layer, Probe
from explorer.canvas import Canvas, normalised
from explorer.convolution import Pair
from explorer.errors import LayerError, ModelError
from explorer.preprocessing import Preprocessing

SLICE: Final = 0.2
"""Seconds after which a step ends: others wait for it."""

CHUNK: Final = 8
"""Iterations of one layer, after which its picture is looked at, and another gets its turn."""

LIMIT: Final = 180.0
"""Seconds of computing after which a search ends, wherever it is."""

LOOK: Final = 2.0
"""Seconds of computing after which a layer's picture is looked at before its turn is over: a look takes a third of an
iteration's time."""

MOST_LAYERS: Final = 12
MOST_ITERATIONS: Final = 2000

FINE: Final = 8
"""Layers whose cells are closer than so many pixels say so much that the search may take twice as large steps."""

COARSE: Final = 16
"""From layers whose cells are so many pixels apart, the search first asks for features of the right kind (their
cosine), and then more and more for their size too.  Asked for size from the start, it would silence a layer of ReLUs,
where most features are zero, and never wake it again."""

RATE: Final = 0.02
"""Adam's step to begin with; it falls to nothing along a cosine."""

WEIGHT: Final = 3.0
"""Of smoothness and of greyness, for a layer whose cells are 32 pixels apart; for others with the square of it: the
less a layer says of single pixels, the more has to be assumed."""


@dataclass(frozen=True)
class Settings:
    """How a picture is searched for.

    Attributes:
        side: of the picture, in pixels; the network's own, or a smaller one that it takes.
        iterations: steps of the optimiser, for each layer.
        seed: of the noise that it begins with and of the jitter.
    """

    side: int
    iterations: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side < 2:
            raise ModelError(f"A picture of {self.side} pixels a side cannot be searched for.")
        if not 1 <= self.iterations <= MOST_ITERATIONS:
            raise ModelError(f"{self.iterations:,} iterations are outside 1–{MOST_ITERATIONS:,}.")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What has been found from one layer's features.

    Attributes:
        layer: whose features.
        grid: rows and columns of its maps for a picture of this side.
        done: iterations.
        pixels: the picture, uint8 (side, side, 3).
        psnr: its likeness to what the network was fed, in dB; see `psnr`.
        distance: of its features Φ from those Φ₀ that were asked for, ‖Φ − Φ₀‖ / ‖Φ₀‖: 0 is the same.
    """

    layer: Layer
    grid: Pair
    done: int
    pixels: NDArray[np.uint8]
    psnr: float
    distance: float


@dataclass(frozen=True, eq=False)
class Inversion:
    """How far the search is, for all layers.

    Attributes:
        original: what the network was fed, uint8 (side, side, 3).
        parts: by layer, as asked for.
        settings: of the search.
        seconds: of computing so far.
        ended: why it ended; "" where it has not.
    """

    original: NDArray[np.uint8]
    parts: tuple[Reconstruction, ...]
    settings: Settings
    seconds: float
    ended: Literal["", "done", "time"] = ""

    @property
    def fraction(self) -> float:
        """How much of the search is done, 0..1: of its iterations or of its time, whichever ends first."""
        done = sum(part.done for part in self.parts) / (len(self.parts) * self.settings.iterations)
        return min(1.0, max(done, self.seconds / LIMIT))


def invert(
    probe: Probe,
    pixels: NDArray[np.uint8],
    preprocessing: Preprocessing,
    layers: Sequence[str],
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Inversion]:
    """Searches for pictures that have the same features, of several layers in turn; yields how far it is.

    A job for `desk.stream`: a step takes 0.2 seconds, or one iteration; whoever stops asking stops it.  It ends
    after its iterations, or after `LIMIT` seconds of computing.  The result depends on the settings alone, not on how
    long steps take, unless the time is up.

    Args:
        probe: of the network.
        pixels: the photograph, uint8 (H, W, 3).
        preprocessing: the network's own.
        layers: keys of the layers.
        settings: of the search.
        clock: in seconds.

    Raises:
        LayerError: a layer that is not there, none, too many, or one whose features are all zero.
        ModelError: the network does not take pictures of this side, or was released meanwhile.
    """
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise LayerError(f"{len(layers)} layers were asked for: 1–{MOST_LAYERS} can be inverted at once.")
    start = clock()
    ready = of_side(preprocessing, settings.side)
    original, fed = ready.image(pixels), ready.tensor(pixels)
    searches = [_Search(probe, probe.layer(key), fed, ready, settings) for key in layers]
    parts = [search.found(original) for search in searches]
    seconds = clock() - start
    yield Inversion(original, tuple(parts), settings, seconds)
    unseen = [0.0] * len(searches)  # seconds of computing since the last look
    while seconds < LIMIT and any(search.done < settings.iterations for search in searches):
        start = clock()
        place = min(range(len(searches)), key=lambda number: searches[number].done)
        search = searches[place]
        whole = search.turn(clock)
        unseen[place] += clock() - start
        if whole or unseen[place] >= LOOK:
            parts[place], unseen[place] = search.found(original), 0.0
        seconds += clock() - start
        yield Inversion(original, tuple(parts), settings, seconds)
    parts = [
        part if part.done == search.done else search.found(original)
        for part, search in zip(parts, searches, strict=True)
    ]
    complete = all(search.done == settings.iterations for search in searches)
    yield Inversion(original, tuple(parts), settings, seconds, "done" if complete else "time")


def of_side(preprocessing: Preprocessing, side: int) -> Preprocessing:
    """The same part of a photo, as a picture of another side.

    >>> of_side(Preprocessing(256, 224, (0.5,) * 3, (0.5,) * 3, "bicubic"), 112).resize
    128
    """
    resize = max(side, round(preprocessing.resize * side / preprocessing.crop))
    return replace(preprocessing, resize=resize, crop=side)


def psnr(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """Peak signal to noise ratio in dB: 10·log₁₀(255² / mean squared difference), over all pixels and colours.

    >>> round(psnr(np.full((2, 2, 3), 100, np.uint8), np.full((2, 2, 3), 90, np.uint8)), 2)
    28.13

    Raises:
        ModelError: pictures of different sizes.
    """
    if picture.shape != original.shape:
        raise ModelError(f"A picture of {picture.shape} is not compared with one of {original.shape}.")
    error = float(np.square(picture.astype(np.float64) - original).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


class _Search:
    """One layer's search under way."""

    def __init__(
        self, probe: Probe, layer: Layer, fed: Tensor, preprocessing: Preprocessing, settings: Settings
    ) -> None:
        self.probe, self.layer, self.preprocessing, self.settings = probe, layer, preprocessing, settings
        self.done = 0
        try:
            with torch.no_grad():
                self.wanted = probe.activation(fed, layer.key).cpu().clone()
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ModelError(
                f"The network does not take pictures of {settings.side} × {settings.side}; its own are "
                f"{probe.size} × {probe.size}."
            ) from error
        self.size = float(self.wanted.square().sum())
        if not math.isfinite(self.size) or self.size == 0:
            what = "all zero" if self.size == 0 else "no numbers"
            raise LayerError(
                f"The features of {layer.key} are {what} for this picture: nothing can be searched for."
            )
        apart = min(32.0, settings.side / self.wanted.shape[-2])
        self.jitter = int(apart) // 4
        self.weight = WEIGHT * (apart / 32) ** 2
        self.coarse = apart >= COARSE
        self.rate = 2 * RATE if apart < FINE else RATE
        self.canvas = Canvas(
            settings.side,
            preprocessing.channels,
            seed=settings.seed,
            steepness=1.3 if self.coarse else 1.6,  # tried on five pictures: the likeness is best with these
        )
        self.optimiser = torch.optim.Adam([self.canvas.numbers], lr=self.rate)
        self.random = torch.Generator().manual_seed(settings.seed)

    def turn(self, clock: Callable[[], float]) -> bool:
        """Iterations up to the end of a chunk, or for 0.2 seconds; whether the chunk is at its end."""
        start = clock()
        while True:
            self.advance()
            if self.done % CHUNK == 0 or self.done == self.settings.iterations:
                return True
            if clock() - start >= SLICE:
                return False

    def advance(self) -> None:
        """One iteration."""
        share = self.done / self.settings.iterations
        self.optimiser.param_groups[0]["lr"] = self.rate * (1 + math.cos(math.pi * share)) / 2
        down, right = torch.randint(-self.jitter, self.jitter + 1, (2,), generator=self.random).tolist()

        def work() -> float:
            self.optimiser.zero_grad()
            with torch.enable_grad():
                picture = self.canvas.picture()
                loss = self._unlike(picture.roll((down, right), (2, 3)) if self.jitter else picture, share)
                loss = loss + self.weight * (roughness(picture) + (picture - 0.5).square().mean())
                loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())

        loss = self.probe.recorder.guarded(work)[0]
        if not math.isfinite(loss):
            raise ModelError(f"The search at {self.layer.key} left all bounds after {self.done} iterations.")
        self.optimiser.step()
        self.done += 1

    def found(self, original: NDArray[np.uint8]) -> Reconstruction:
        """The picture as it is now."""

        def work() -> float:
            with torch.no_grad():
                return math.sqrt(float(self._distance(self._features(self.canvas.picture()))))

        distance = self.probe.recorder.guarded(work)[0]
        pixels = self.canvas.pixels()
        grid = (self.wanted.shape[-2], self.wanted.shape[-1])
        return Reconstruction(self.layer, grid, self.done, pixels, psnr(pixels, original), distance)

    def _unlike(self, picture: Tensor, share: float) -> Tensor:
        """How far the features are from those wanted, after this share of the search."""
        now = self._features(picture)
        if not self.coarse:
            return self._distance(now)
        size = min(1.0, 1.5 * share)
        alike = torch.nn.functional.cosine_similarity(now.flatten(), self.wanted.flatten(), 0)
        return size * self._distance(now) + (1 - size) * 2 * (1 - alike)

    def _features(self, picture: Tensor) -> Tensor:
        return self.probe.activation(normalised(picture, self.preprocessing), self.layer.key).cpu()

    def _distance(self, now: Tensor) -> Tensor:
        """‖Φ − Φ₀‖² / ‖Φ₀‖²."""
        return (now - self.wanted).square().sum() / self.size


def roughness(picture: Tensor) -> Tensor:
    """How much neighbours differ, down and right: the total variation of Mahendran & Vedaldi with β = 2, a pixel."""
    here = picture[..., :-1, :-1]
    down, right = picture[..., 1:, :-1] - here, picture[..., :-1, 1:] - here
    return (down.square() + right.square()).mean()
