"""The maps of any layer, what moves them, and what they move: one forward, read where it is asked.

A `Probe` sets a permanent tap on every module of a network.  A tap acts only in the thread whose question is being
answered, so that one network serves all sessions.  What it reads is copied at once: a later layer that works in
place changes nothing that is shown.

    probe = Probe(recorder, size=224)
    probe.layers                                     # every run of every module that gives a map
    probe.maps(x, ["features.3"])["features.3"]      # (C, h, w)
    probe.logits(x, [Ablation("features.3", (17,))]) # the scores without unit 17
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from explorer.convolution import Pair
from explorer.errors import ClassError, LayerError, ModelError
from explorer.recording import Recorder
from explorer.stages import blank

Layout = Literal["maps", "channels last", "tokens", "vector", "heads"]
"""How a layer's output holds its maps: (N, C, h, w), (N, h, w, C), (N, tokens, C), (N, C), or attention's heads."""

TOGETHER: Final = 4
"""Units tried in one forward: in a batch of 4 each costs half of one alone, in a larger hardly less."""

HEADS: Final = "@heads"
"""Behind the name of an attention: what its heads look at, seen from the class token."""


@dataclass(frozen=True)
class Layer:
    """One run of one module: `channels` maps of `grid` (rows, columns) cells.

    Attributes:
        name: the module's, "layer1.0.relu".
        call: which of its runs, from 1; `calls` is how many there are.
        kind: the module's class, "Conv2d"; "attention" for heads.
        layout: how the module's output holds the maps.
    """

    name: str
    call: int
    calls: int
    kind: str
    channels: int
    grid: Pair
    layout: Layout

    @property
    def key(self) -> str:
        """The layer in a link: its name, with ~2 behind it for a second run, and @heads for attention's heads."""
        return (
            f"{self.name}{HEADS if self.layout == 'heads' else ''}{f'~{self.call}' if self.call > 1 else ''}"
        )

    @property
    def depth(self) -> int:
        """How many modules it is inside of."""
        return self.name.count(".")

    def __post_init__(self) -> None:
        if self.channels < 1 or min(self.grid) < 1 or not 1 <= self.call <= self.calls:
            raise LayerError(f"{self.name} holds no map: {self.channels} channels of {self.grid}.")


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one layer makes of one picture: `values` float32 (C, h, w), read-only."""

    layer: Layer
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = (self.layer.channels, *self.layer.grid)
        if self.values.shape != shape or self.values.dtype != np.float32:
            raise LayerError(f"{self.layer.key} has maps {shape}, not {self.values.shape}.")
        if not np.isfinite(self.values).all():
            broken = int((~np.isfinite(self.values)).sum())
            raise LayerError(f"{self.layer.key} gives {broken:,} values that are no numbers.")
        self.values.flags.writeable = False

    @property
    def peak(self) -> float:
        """The strongest value, whatever its sign."""
        return float(np.abs(self.values).max())


@dataclass(frozen=True)
class Ablation:
    """Units of a layer switched off: `channels` of it (None: all) become zero, or each its own mean over its cells.

    A unit of one cell, as of a dense layer, is its own mean: "mean" leaves it as it is.
    """

    layer: str
    channels: tuple[int, ...] | None
    to: Literal["zero", "mean"] = "zero"

    def __post_init__(self) -> None:
        if self.channels is not None and (not self.channels or len({*self.channels}) < len(self.channels)):
            raise LayerError(f"Units to switch off are some of {self.layer}, each once, not {self.channels}.")


@dataclass(frozen=True)
class Order:
    """An order of maps: its name, and the number (C,) by which they are sorted, largest first."""

    title: str
    measure: Callable[[NDArray[np.float32]], NDArray[np.floating]]


ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {
        "number": Order("number", lambda maps: -np.arange(len(maps), dtype=np.float64)),
        "mean": Order("mean", lambda maps: maps.mean((1, 2), dtype=np.float64)),
        "maximum": Order("maximum", lambda maps: maps.max((1, 2)).astype(np.float64)),
        "variance": Order("variance", lambda maps: maps.var((1, 2), dtype=np.float64)),
        "sparsity": Order("zeros", lambda maps: (maps == 0).mean((1, 2))),
    }
)
"""By their keys in a link."""


def ordered(maps: FeatureMaps, key: str) -> tuple[int, ...]:
    """The numbers of the maps in an order of `ORDERS`; equals by their number.

    >>> layer = Layer("relu", 1, 1, "ReLU", 3, (1, 2), "maps")
    >>> ordered(FeatureMaps(layer, np.array([[[1, 1]], [[0, 4]], [[0, 0]]], np.float32)), "maximum")
    (1, 0, 2)
    """
    return tuple(int(n) for n in np.argsort(-ORDERS[key].measure(maps.values), kind="stable"))


class Probe:
    """A network whose every layer can be read, differentiated and switched off.

    Args:
        recorder: holds the network at rest; it stays usable as before.
        size: side in pixels of the pictures it takes.

    Attributes:
        layers: every run of every module that gives maps, in the order in which they end.

    Build it where nothing else runs the network; after that any thread may ask.
    """

    def __init__(self, recorder: Recorder, size: int = 224):
        self.recorder = recorder
        self.size = size
        self._key = object()
        self._together = TOGETHER
        network = recorder.network
        taps = [
            module.register_forward_hook(partial(_tap, self._key, name), with_kwargs=True)
            for name, module in network.named_modules()
            if name
        ]
        self._remove_taps = weakref.finalize(self, _remove, taps)  # no cycle: see Recorder
        self.layers = self._survey()
        self._known = {layer.key: layer for layer in self.layers}

    def layer(self, key: str) -> Layer:
        """The layer with this key.

        Raises:
            LayerError: there is none.
        """
        try:
            return self._known[key]
        except KeyError:
            name = type(self.recorder.network).__name__
            raise LayerError(f"{name} has no layer “{key}” that gives a map.") from None

    def maps(self, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """The maps (C, h, w) of these layers for one picture (1, 3, H, W), float32 on the CPU.

        The forward stops at the last of them.

        Raises:
            LayerError: a layer that is not there.
        """
        asked = {key: self.layer(key) for key in layers}

        def work() -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}

            def read(run: Layer, output: Tensor) -> None:
                if run.key in asked:
                    found[run.key] = as_maps(output, run.layout)[0].float().cpu().clone()
                    if len(found) == len(asked):
                        raise _Enough

            with torch.no_grad():
                self.run(x, read)
            return found

        return self.recorder.guarded(work)[0]

    def feature_maps(self, x: Tensor, layer: str) -> FeatureMaps:
        """The maps of one layer as numbers.

        Raises:
            LayerError: it is not there, or its values are no numbers.
        """
        return FeatureMaps(self.layer(layer), self.maps(x, [layer])[layer].contiguous().numpy())

    def strengths(self, x: Tensor) -> dict[str, float]:
        """The strongest value, whatever its sign, of every layer for one picture: one forward, nothing kept."""

        def work() -> dict[str, float]:
            found: dict[str, float] = {}

            def read(run: Layer, output: Tensor) -> None:
                low, high = as_maps(output[:1], run.layout).aminmax()
                found[run.key] = max(-float(low), float(high))

            with torch.no_grad():
                self.run(x, read)
            return found

        return self.recorder.guarded(work)[0]

    def logits(self, x: Tensor, ablations: Sequence[Ablation] = ()) -> Tensor:
        """Class scores (N, classes) on the CPU, with units switched off.

        Raises:
            LayerError: a layer or unit that is not there, or heads, which nothing is made of by themselves.
        """
        by_layer: dict[str, list[Ablation]] = {}
        for ablation in ablations:
            layer = self._changeable(ablation.layer)
            for channel in ablation.channels or ():
                self._unit(layer.key, channel)
            by_layer.setdefault(layer.key, []).append(ablation)

        def change(run: Layer, output: Tensor) -> Tensor | None:
            changed = None
            for ablation in by_layer.get(run.key, ()):
                changed = switched_off(output if changed is None else changed, run.layout, ablation)
            return changed

        def work() -> Tensor:
            with torch.no_grad():
                return self.run(x, change).float().cpu()

        return self.recorder.guarded(work)[0]

    def effects(
        self, x: Tensor, layer: str, units: Sequence[int], to: Literal["zero", "mean"] = "zero"
    ) -> Tensor:
        """Class scores (U, classes) of one picture, on the CPU: without the first of these units, the second, …

        Each unit alone; a few share a forward.

        Raises:
            LayerError: a layer or unit that is not there, or heads.
        """
        asked = self._changeable(layer)
        for unit in units:
            self._unit(layer, unit)
        rows = [Ablation(layer, (unit,), to) for unit in units]

        def scores(part: Sequence[Ablation]) -> Tensor:
            def change(run: Layer, output: Tensor) -> Tensor | None:
                if run.key != asked.key:
                    return None
                own = [
                    switched_off(output[row][None], run.layout, ablation) for row, ablation in enumerate(part)
                ]
                return torch.cat(own)

            with torch.no_grad():
                return self.run(x[:1].expand(len(part), -1, -1, -1), change).float().cpu()

        def work() -> Tensor:
            parts = (rows[first : first + self._together] for first in range(0, len(rows), self._together))
            return torch.cat([scores(part) for part in parts])

        return self.recorder.guarded(work)[0]

    def pixel_gradient(self, x: Tensor, layer: str, unit: int, cell: Pair | None = None) -> Tensor:
        """d unit / d pixel, (3, H, W) on the CPU: of one cell (row, column) of a map, or of the map's mean.

        Raises:
            LayerError: a layer, unit or cell that is not there.
        """
        asked = self._unit(layer, unit, cell)

        def work() -> Tensor:
            kept: list[Tensor] = []

            def read(run: Layer, output: Tensor) -> None:
                if run.key == asked.key:
                    kept.append(output.clone())
                    raise _Enough

            with torch.enable_grad():
                pixels = x[:1].detach().clone().to(self.recorder.device).requires_grad_()
                self.run(pixels, read)
                plane = as_maps(kept[0], asked.layout)[0, unit]
                (gradient,) = torch.autograd.grad(plane.mean() if cell is None else plane[cell], pixels)
            return gradient[0].float().cpu()

        return self.recorder.guarded(work)[0]

    def class_gradients(self, x: Tensor, layer: str, classes: Sequence[int]) -> Tensor:
        """d logit / d map of one layer, (K, C, h, w) on the CPU, for K classes of one picture.

        Raises:
            LayerError: a layer that is not there, or heads.
            ClassError: a class that is not there.
        """
        asked = self._changeable(layer)

        def work() -> Tensor:
            _, gradients = self._differentiated(x, asked, classes)
            return torch.stack([as_maps(one, asked.layout)[0] for one in gradients]).float().cpu()

        return self.recorder.guarded(work)[0]

    def support(
        self, x: Tensor, layer: str, classes: Sequence[int], to: Literal["zero", "mean"] = "zero"
    ) -> Tensor:
        """What each unit gives each logit of one picture by the slope, (K, C) on the CPU: Σ gradient · activation.

        By so much the logit of each of K classes would fall if the unit were switched off and the way from the layer
        to the logit were straight.  For "mean", activation − its mean.  All that `logits` switches off is summed
        over, a class token's numbers too.

        Raises:
            LayerError: a layer that is not there, or heads.
            ClassError: a class that is not there.

        Source: Molchanov et al. 2017, Pruning Convolutional Neural Networks for Resource Efficient Inference:
        the criterion by the first term of a Taylor series, here with its sign.
        """
        asked = self._changeable(layer)

        def work() -> Tensor:
            given, gradients = self._differentiated(x, asked, classes)
            removed = given - switched_off(given, asked.layout, Ablation(layer, None, to))
            products = gradients.float() * removed.float()
            axis = 2 if asked.layout in ("maps", "vector") else products.dim() - 1
            return products.sum([n for n in range(1, products.dim()) if n != axis]).cpu()

        return self.recorder.guarded(work)[0]

    def activation(self, x: Tensor, layer: str) -> Tensor:
        """The maps (N, C, h, w) of one layer inside torch's graph, on the network's device.

        For whoever optimises the pictures: gradients reach `x`.  The network's weights stay frozen.

        Raises:
            LayerError: a layer that is not there.
            ModelError: the taps have been taken off meanwhile.
        """
        asked = self.layer(layer)
        kept: list[Tensor] = []

        def read(run: Layer, output: Tensor) -> None:
            if run.key == asked.key:
                kept.append(output.clone())
                raise _Enough

        self.run(x, read)
        if not kept:
            raise ModelError("The network was put away meanwhile, to make room for others: start again.")
        return as_maps(kept[0], asked.layout)

    def close(self) -> None:
        """Take the taps off the network."""
        self._remove_taps()

    def _changeable(self, key: str) -> Layer:
        """The layer with this key, if something is made of what it gives."""
        layer = self.layer(key)
        if layer.layout == "heads":
            raise LayerError(
                f"{layer.key} shows where heads look; what is made of it is {layer.name}’s output."
            )
        return layer

    def _differentiated(self, x: Tensor, asked: Layer, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What a layer gives for one picture (1, …), and d logit / d that (K, 1, …), in the network's own layout."""
        kept: list[Tensor] = []

        def begin(run: Layer, output: Tensor) -> Tensor | None:
            if run.key != asked.key:
                return None
            kept.append(output.detach().clone().requires_grad_())
            return kept[0].clone()  # a later layer may change in place what it is given

        with torch.enable_grad():
            scores = self.run(x[:1], begin)
        outside = [index for index in classes if not 0 <= index < scores.shape[1]]
        if outside or not classes:
            what = f"Class {outside[0]} is outside" if outside else "No class was asked for of"
            raise ClassError(f"{what} 0–{scores.shape[1] - 1}.")
        if not scores.requires_grad:  # nothing goes on from this layer
            return kept[0].detach(), torch.zeros(len(classes), *kept[0].shape, device=scores.device)
        seeds = torch.zeros(len(classes), *scores.shape, dtype=scores.dtype, device=scores.device)
        seeds[range(len(classes)), 0, list(classes)] = 1
        (found,) = torch.autograd.grad(scores, kept[0], seeds, is_grads_batched=True)
        return kept[0].detach(), found

    def _unit(self, layer: str, unit: int, cell: Pair | None = None) -> Layer:
        asked = self.layer(layer)
        if not 0 <= unit < asked.channels:
            raise LayerError(f"{asked.key} has no unit {unit}: they go from 0 to {asked.channels - 1}.")
        if cell is not None and not all(
            0 <= place < size for place, size in zip(cell, asked.grid, strict=True)
        ):
            raise LayerError(f"{asked.key} has no cell {cell}: its maps are {asked.grid[0]}×{asked.grid[1]}.")
        return asked

    def run(self, x: Tensor, visit: Visitor) -> Tensor:
        """One forward in which `visit` sees the output of every layer, and may give another in its place.

        Gives the scores; whoever only looks may end it by raising.
        """
        # a copy: a first layer that works in place must change neither the caller's pictures nor a leaf
        moved = x.to(self.recorder.device, memory_format=torch.channels_last, copy=True)
        with _asking(_Question(self._key, self._known, visit)):
            try:
                scores: Tensor = self.recorder.network(moved)
            except _Enough:
                return moved.new_empty(0)
        return scores

    def _survey(self) -> tuple[Layer, ...]:
        """One forward of blank pictures: which layers there are.

        Two pictures, where the network takes several: what is made of weights alone, as Swin's tables of relative
        positions, is there once.
        """
        picture = blank(self.recorder.network, self.size).to(memory_format=torch.channels_last)
        try:
            runs, pictures = self._runs(torch.cat([picture, picture])), 2
        except RuntimeError:  # written for one picture
            runs, pictures, self._together = self._runs(picture), 1, 1
        grids = _grids(runs)
        calls = {run.name: run.call for run in runs}
        layers = []
        for run in runs:
            layout = "heads" if run.heads else layout_of(run.module, run.given, pictures, grids)
            if layout is not None:
                _, channels, *grid = as_maps(run.given, layout).shape
                kind = "attention" if run.heads else type(run.module).__name__
                size = (grid[0], grid[1])
                layers.append(Layer(run.name, run.call, calls[run.name], kind, channels, size, layout))
        return tuple(layers)

    def _runs(self, x: Tensor) -> list[_Run]:
        runs: list[_Run] = []
        with torch.no_grad(), _asking(_Survey(self._key, len(x), runs)):
            self.recorder.network(x)
        return runs


def as_maps(output: Tensor, layout: Layout) -> Tensor:
    """A layer's output as maps (N, C, h, w)."""
    if layout == "channels last":
        return output.movedim(-1, 1)
    if layout == "tokens":
        side = math.isqrt(output.shape[1])
        return output[:, -side * side :].reshape(len(output), side, side, -1).movedim(-1, 1)
    return output[:, :, None, None] if layout == "vector" else output


def switched_off(output: Tensor, layout: Layout, ablation: Ablation) -> Tensor:
    """A copy of a layer's output without some units; a class token's numbers go with them, and count in means."""
    changed = output.clone()
    channels_first = changed if layout in ("maps", "vector") else changed.movedim(-1, 1)
    which: Any = slice(None) if ablation.channels is None else list(ablation.channels)
    chosen = channels_first[:, which]
    if ablation.to == "zero":
        channels_first[:, which] = 0
    elif chosen.dim() > 2:
        channels_first[:, which] = chosen.mean(tuple(range(2, chosen.dim())), keepdim=True).expand_as(chosen)
    return changed


# ------------------------------------------------------------------------------------------- what is asked


class _Enough(Exception):
    """The rest of the forward is not needed."""


class Visitor(Protocol):
    """Who looks on: told each layer and its output in order; what it gives, but None, goes on in the output's place."""

    def __call__(self, run: Layer, output: Tensor, /) -> Tensor | None: ...


class _Asker(Protocol):
    key: object

    def hear(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any: ...


class _Question:
    """A forward that is under way: which run of each module it is at, and who looks on."""

    def __init__(self, key: object, known: Mapping[str, Layer], visit: Visitor):
        self.key = key
        self._known = known
        self._visit = visit
        self._calls: Counter[str] = Counter()

    def hear(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        self._calls[name] += 1
        call = self._calls[name]
        suffix = f"~{call}" if call > 1 else ""
        if isinstance(module, nn.MultiheadAttention) and f"{name}{HEADS}{suffix}" in self._known:
            self._visit(self._known[f"{name}{HEADS}{suffix}"], attention(module, args[0]))
        layer = self._known.get(name + suffix)
        if layer is None:
            return None
        changed = self._visit(layer, _tensor(output))
        if changed is None or isinstance(output, Tensor):
            return changed
        return (changed, *output[1:])


@dataclass(frozen=True, eq=False)
class _Run:
    """One run of one module in the survey, and a tensor of the shape of what it gave; or of its heads."""

    name: str
    call: int
    module: nn.Module
    given: Tensor
    heads: bool = False


class _Survey:
    """The first forward, which finds out what layers there are."""

    def __init__(self, key: object, pictures: int, runs: list[_Run]):
        self.key = key
        self._pictures = pictures
        self._runs = runs
        self._calls: Counter[str] = Counter()

    def hear(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._calls[name] += 1
        call = self._calls[name]
        given = _tensor(output)
        if given is None:
            return
        if isinstance(module, nn.MultiheadAttention) and _plain_attention(
            module, args, kwargs, self._pictures
        ):
            heads = attention(module, args[0])
            self._runs.append(_Run(name, call, module, heads.to("meta"), heads=True))
        self._runs.append(_Run(name, call, module, given.to("meta")))


def _tensor(output: Any) -> Any:
    """What a module gave, or the first of several things, as an attention gives."""
    first = output[0] if isinstance(output, tuple) and output else output
    return first if isinstance(first, Tensor) else None


_PLANAR: Final = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
"""What these give has channels first, then rows and columns."""


def _grids(runs: Sequence[_Run]) -> frozenset[Pair] | None:
    """Every (rows, columns) that maps may have; None, any, where no layer works on channels that come last.

    Where some do, four dimensions may also be (N, windows, tokens, C), as inside MaxViT's attention.
    """
    four = [run for run in runs if run.given.dim() == 4 and not run.heads]
    if not any(type(run.module) in (nn.LayerNorm, nn.Linear) for run in four):
        return None
    first = {(run.given.shape[2], run.given.shape[3]) for run in four if isinstance(run.module, _PLANAR)}
    last = {
        (run.given.shape[1], run.given.shape[2]) for run in four if run.given.shape[1] == run.given.shape[2]
    }
    return frozenset(first | last)


def layout_of(
    module: nn.Module, output: Tensor, pictures: int = 1, grids: frozenset[Pair] | None = None
) -> Layout | None:
    """How an output holds its maps; None where it holds none.

    Args:
        module: what gave it.
        output: the tensor.
        pictures: how many the network was given.
        grids: every (rows, columns) that maps of this network may have; None: any, and channels come first.

    Where channels may come last too, the picture is taken for a square one, so that rows and columns are equal in
    number and tell where the channels are; only where channels are as many does the module decide.
    """
    shape = output.shape
    if not shape or shape[0] != pictures or not output.is_floating_point() or not output.numel():
        return None
    if len(shape) == 2:
        return "vector"
    if len(shape) == 3:
        side = math.isqrt(shape[1])
        return "tokens" if side > 1 and shape[1] - side * side in (0, 1) else None
    if len(shape) != 4:
        return None
    if grids is None or isinstance(module, _PLANAR):
        return "maps"
    first, last = (shape[2], shape[3]) in grids, shape[1] == shape[2] and (shape[1], shape[2]) in grids
    if type(module) in (nn.LayerNorm, nn.Linear):
        first = False
    if first:
        return "maps"
    return "channels last" if last else None


def _plain_attention(module: nn.MultiheadAttention, args: Any, kwargs: Any, pictures: int) -> bool:
    """Whether it is of tokens (N, T, C) of a square among themselves, with nothing added to them or hidden."""
    return (
        len(args) == 3
        and args[0] is args[1]
        and module.batch_first
        and module.in_proj_weight is not None
        and module.bias_k is None
        and not module.add_zero_attn
        and not any(kwargs.get(name) is not None for name in ("attn_mask", "key_padding_mask"))
        and args[0].dim() == 3
        and layout_of(module, args[0], pictures) == "tokens"
    )


def attention(module: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """What each head of a self-attention looks at, (N, heads, side, side): softmax(q·k / √d) of tokens (N, T, C).

    Seen from the class token where there is one, else the mean over all tokens that look.

    Source: Vaswani et al. 2017, Attention Is All You Need, section 3.2.
    """
    side = math.isqrt(x.shape[1])
    query, keys = queries_and_keys(module, x)
    looked = (query @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])).softmax(-1)
    patches = looked[..., -side * side :]
    seen = patches[:, :, 0] if x.shape[1] > side * side else patches.mean(2)
    return seen.reshape(len(x), -1, side, side)


def queries_and_keys(module: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """What each head of a self-attention makes of tokens (N, T, C) to compare them: (N, heads, T, d), twice."""
    batch, tokens, width = x.shape
    weight, bias = module.in_proj_weight[: 2 * width], module.in_proj_bias
    projected = functional.linear(x, weight, None if bias is None else bias[: 2 * width])
    query, keys = (
        part.reshape(batch, tokens, module.num_heads, -1).transpose(1, 2)
        for part in projected.chunk(2, dim=-1)
    )
    return query, keys


# --------------------------------------------------------------------------------------------------- taps

_question: ContextVar[_Asker | None] = ContextVar("question", default=None)


@contextmanager
def _asking(question: _Asker) -> Iterator[None]:
    token = _question.set(question)
    try:
        yield
    finally:
        _question.reset(token)


def _tap(key: object, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
    question = _question.get()
    return (
        question.hear(name, module, args, kwargs, output)
        if question is not None and question.key is key
        else None
    )


def _remove(hooks: Sequence[RemovableHandle]) -> None:
    for hook in hooks:
        hook.remove()
