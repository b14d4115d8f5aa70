"""What excites a unit or a class most: a picture that is searched for, not one that was taken.

From grey noise a picture is moved uphill: a map's mean, one cell, a class's score or a direction among a layer's
features rises as far as it goes.  The picture is moved, turned and scaled a little before each look, so that only what
survives this counts; without that, and with plain pixels, the same search ends in noise that excites just as well.

    search = Visualisation(Unit("features.3", 17), card.preprocessing, Settings(side=224))
    for found in search.run(probe, 256):
        found.pixels, found.value

Source: Olah et al. 2017, Feature Visualization, https://distill.pub/2017/feature-visualization.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explorer.activations import Probe
from explorer.canvas import Canvas, Holding, normalised
from explorer.errors import ClassError, LayerError, ModelError
from explorer.preprocessing import Preprocessing

SLICE: Final = 0.2
"""Seconds after which a step ends: others wait for it."""

CHUNK: Final = 8
LOOK: Final = 2.0
"""Iterations or seconds of computing after which the picture is looked at again: a look takes a third of an iteration's
time."""

LIMIT: Final = 180.0
"""Seconds of computing after which a run ends, wherever it is."""

MOST_ITERATIONS: Final = 4096
"""Of one search, with all that it went on."""

RATE: Final = 0.05
"""Adam's step."""

FLAT: Final = 16
"""Iterations in a row without any slope after which a search ends."""

# of Olah et al., for pictures of 224 pixels
_PAD, _FIRST_JITTER, _SECOND_JITTER, _SCALE, _TURN = 12, 8, 4, 0.1, 10.0

Robustness = Literal["full", "jitter", "none"]


@dataclass(frozen=True)
class Unit:
    """A map of a layer: its mean over all cells, or the cell in its middle.

    Attributes:
        layer: the layer's key.
        channel: the map's number, from 0.
        cell: "all", or "centre".
    """

    layer: str
    channel: int
    cell: Literal["all", "centre"] = "all"


@dataclass(frozen=True)
class Class:
    """A class's score before softmax."""

    index: int


@dataclass(frozen=True)
class Direction:
    """A mixture of a layer's maps: how far, and how purely, features point along `weights`.

    The mean over cells of a·w · max(0.1, cos(a, w)), where a are the features of a cell.

    Attributes:
        layer: the layer's key.
        weights: one for each map; only their direction counts.

    Source: Olah et al. 2018, The Building Blocks of Interpretability, https://distill.pub/2018/building-blocks.
    """

    layer: str
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        length = math.hypot(*self.weights)
        if not math.isfinite(length) or length == 0:
            what = "only zeros" if length == 0 else "values that are no numbers"
            raise LayerError(f"A direction among the {len(self.weights)} maps of {self.layer} has {what}.")


Target = Unit | Class | Direction


@dataclass(frozen=True)
class Settings:
    """How a picture is searched for.

    Attributes:
        side: of the picture, in pixels; the network's own, or a smaller one that it takes.
        seed: of what it begins with and of all transformations.
        sign: 1 for what excites, −1 for what inhibits.
        holding: the picture as "frequencies", or as "pixels", for comparison.
        robustness: moved, scaled and turned before each look ("full"), moved alone ("jitter"), or not ("none").
        one_by_one: red, green and blue each for itself, instead of along the axes of photographs' colours.
    """

    side: int
    seed: int = 0
    sign: Literal[1, -1] = 1
    holding: Holding = "frequencies"
    robustness: Robustness = "full"
    one_by_one: bool = False

    def __post_init__(self) -> None:
        if self.side < 2:
            raise ModelError(f"A picture of {self.side} pixels a side cannot be searched for.")
        if self.sign not in (1, -1):
            raise ModelError(f"The sign is 1 or −1, not {self.sign}.")


@dataclass(frozen=True, eq=False)
class Vision:
    """How far a search is.

    Attributes:
        pixels: the picture, uint8 (side, side, 3).
        value: what is sought, on this picture as it is, neither moved nor turned.
        start: the same on the noise that it began with.
        done: iterations, of all runs.
        of: where this run ends.
        seconds: of computing, of all runs.
        ended: why this run ended: "done", its "time" is up, or there is no slope ("flat"); "" where it goes on.
    """

    pixels: NDArray[np.uint8]
    value: float
    start: float
    done: int
    of: int
    seconds: float
    ended: Literal["", "done", "time", "flat"] = ""


class Visualisation:
    """A search that can be stopped after any iteration, and gone on with; it keeps no network alive.

    Args:
        target: what to excite.
        preprocessing: the network's own.
        settings: of the search.

    Attributes:
        done: iterations so far.
    """

    def __init__(self, target: Target, preprocessing: Preprocessing, settings: Settings) -> None:
        self.target, self.preprocessing, self.settings = target, preprocessing, settings
        self.done = 0
        self._start: float | None = None
        self._seconds = 0.0
        self._flat = 0
        self._canvas = Canvas(
            settings.side,
            preprocessing.channels,
            settings.holding,
            settings.seed,
            one_by_one=settings.one_by_one,
        )
        self._optimiser = torch.optim.Adam([self._canvas.numbers], lr=RATE)
        self._random = torch.Generator().manual_seed(settings.seed)

    def run(
        self, probe: Probe, iterations: int, clock: Callable[[], float] = time.perf_counter
    ) -> Iterator[Vision]:
        """So many iterations more with this network; yields how far it is.

        A job for `desk.stream`: a step takes 0.2 seconds, or one iteration; whoever stops asking stops it.  It ends
        after `LIMIT` seconds of computing.  Two runs of 100 find what one of 200 does.

        Raises:
            LayerError: a layer or unit that is not there, or a direction among another number of maps.
            ClassError: a class that is not there.
            ModelError: too many iterations, or the network cannot be run on such a picture.
        """
        of = self.done + iterations
        if iterations < 1 or of > MOST_ITERATIONS:
            raise ModelError(f"{of:,} iterations are outside 1–{MOST_ITERATIONS:,}.")
        check(probe, self.target)
        before = self._seconds
        if self._start is None:
            self._start = self._value(probe)
        found, unseen = self._found(probe, of), 0.0
        yield found
        while self.done < of and self._seconds - before < LIMIT and self._flat < FLAT:
            start = clock()
            while self.done < of and self._flat < FLAT:
                self.advance(probe)
                if clock() - start >= SLICE:
                    break
            unseen += clock() - start
            if self.done - found.done >= CHUNK or unseen >= LOOK:
                found, unseen = self._found(probe, of), 0.0
            self._seconds += clock() - start
            yield found
        yield self._found(probe, of, "done" if self.done == of else "flat" if self._flat >= FLAT else "time")

    def advance(self, probe: Probe) -> None:
        """One iteration."""
        way = transformation(self.settings.side, self.settings.robustness, self._random)
        slope = self._slope(probe, way, redirected=False)
        if not slope:
            slope = self._slope(probe, way, redirected=True)
        self._flat = 0 if slope else self._flat + 1
        self.done += 1
        if slope:
            self._optimiser.step()
            self._canvas.settle()

    def objective(self, probe: Probe, picture: Tensor) -> Tensor:
        """What is sought of a picture (1, C, H, W) in 0..1, one number inside torch's graph."""
        fed = normalised(picture, self.preprocessing)
        target = self.target
        if isinstance(target, Class):
            recorder = probe.recorder
            scores: Tensor = recorder.network(fed.to(recorder.device, memory_format=torch.channels_last))
            if not 0 <= target.index < scores.shape[1]:
                raise ClassError(f"Class {target.index} is outside 0–{scores.shape[1] - 1}.")
            score: Tensor = scores[0, target.index]
            return score
        maps = probe.activation(fed, target.layer)[0]
        if isinstance(target, Unit):
            plane = maps[target.channel]
            return plane.mean() if target.cell == "all" else plane[plane.shape[0] // 2, plane.shape[1] // 2]
        weights = torch.tensor(target.weights, dtype=maps.dtype, device=maps.device)
        cells = maps.flatten(1)
        along = (weights / weights.norm()) @ cells
        purity = along / cells.norm(dim=0).clamp(min=1e-6)
        mean: Tensor = (along * purity.clamp(min=0.1)).mean()
        return mean

    def _slope(self, probe: Probe, way: Tensor | None, redirected: bool) -> bool:
        """Fill the gradient; whether there is any."""

        def work() -> float:
            self._optimiser.zero_grad()
            with torch.enable_grad():
                picture = seen(self._canvas.picture(), way)
                if redirected:
                    with _Redirected():
                        value = self.objective(probe, picture)
                else:
                    value = self.objective(probe, picture)
                (-self.settings.sign * value).backward()  # type: ignore[no-untyped-call]
            gradient = self._canvas.numbers.grad
            return 0.0 if gradient is None else float(gradient.abs().max())

        steepest = probe.recorder.guarded(work)[0]
        if not math.isfinite(steepest):
            raise ModelError(f"The search left all bounds after {self.done} iterations.")
        return steepest > 0

    def _value(self, probe: Probe) -> float:
        def work() -> float:
            with torch.no_grad():
                return float(self.objective(probe, self._canvas.picture()))

        try:
            return probe.recorder.guarded(work)[0]
        except (RuntimeError, ValueError, AssertionError) as error:
            side = self.settings.side
            raise ModelError(
                f"The network does not take pictures of {side} × {side}; its own are {probe.size} × "
                f"{probe.size}."
            ) from error

    def _found(self, probe: Probe, of: int, ended: Literal["", "done", "time", "flat"] = "") -> Vision:
        start = self._start or 0.0
        return Vision(self._canvas.pixels(), self._value(probe), start, self.done, of, self._seconds, ended)


def check(probe: Probe, target: Target) -> None:
    """Whether a network has what is sought.

    Raises:
        LayerError: a layer or unit that is not there, or a direction among another number of maps.
    """
    if isinstance(target, Class):
        return
    layer = probe.layer(target.layer)
    if isinstance(target, Unit) and not 0 <= target.channel < layer.channels:
        raise LayerError(f"{layer.key} has no unit {target.channel}: they go from 0 to {layer.channels - 1}.")
    if isinstance(target, Direction) and len(target.weights) != layer.channels:
        raise LayerError(
            f"{len(target.weights)} numbers are no direction among the {layer.channels} maps of {layer.key}."
        )


def transformation(side: int, robustness: Robustness, random: torch.Generator) -> Tensor | None:
    """A small random move, scaling and turn, as the matrix (2, 3) that `affine_grid` takes; None for none.

    For 224 pixels: moved by up to 4, scaled by 0.9–1.1, turned by up to 10°, moved by up to 2; for other sides in
    proportion.  The picture stands in a frame of grey, 12 pixels wide.
    """
    if robustness == "none":
        return None
    drawn = torch.rand(6, generator=random) * 2 - 1
    first, second, scale, turn = drawn[:2], drawn[2:4], drawn[4], drawn[5]
    pad = _padding(side)
    inner = side / (side + 2 * pad)  # of the frame's side
    shift = first * _FIRST_JITTER / 224
    if robustness == "jitter":
        return torch.cat([torch.eye(2) * inner, (shift * inner)[:, None]], 1)
    angle = math.radians(_TURN * float(turn))
    turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = turned / (1 + _SCALE * float(scale))
    moved = turned @ (second * _SECOND_JITTER / 224) + shift
    return torch.cat([turned * inner, (moved * inner)[:, None]], 1)


def seen(picture: Tensor, way: Tensor | None) -> Tensor:
    """The picture (1, C, side, side) after a transformation, at the same size."""
    if way is None:
        return picture
    side = picture.shape[-1]
    framed = functional.pad(picture, (_padding(side),) * 4, value=0.5)
    grid = functional.affine_grid(way[None], list(picture.shape), align_corners=False)
    return functional.grid_sample(framed, grid, padding_mode="border", align_corners=False)


def _padding(side: int) -> int:
    return max(1, round(_PAD * side / 224))


class _Upward(torch.autograd.Function):
    """A clamp whose slope passes where it pushes a value back towards its range, as well as inside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, lowest: float, highest: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = lowest, highest
        return x.clamp(lowest, highest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,), (x,), (lowest, highest) = gradients, ctx.saved_tensors, ctx.limits
        # what is made smaller is −value: a negative slope raises x
        blocked = ((x < lowest) & (gradient > 0)) | ((x > highest) & (gradient < 0))
        return gradient.masked_fill(blocked, 0), None, None


class _Redirected(TorchFunctionMode):
    """In this thread, ReLUs that are silent everywhere can be woken: a unit that nothing excites yet has no slope.

    Source: Olah et al. 2017, whose code redirects the gradient of ReLUs for the first steps.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        x = args[0] if args else kwargs.get("input")
        if func in (functional.relu, torch.relu, Tensor.relu):
            return _Upward.apply(x, 0.0, math.inf)
        if func is functional.relu6:
            return _Upward.apply(x, 0.0, 6.0)
        if func is functional.hardtanh:
            low = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
            high = args[2] if len(args) > 2 else kwargs.get("max_val", 1.0)
            return _Upward.apply(x, low, high)
        return func(*args, **kwargs)
