"""Which layers of a network are worth looking at: its stages, found by running it once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explorer.devices import is_out_of_memory
from explorer.errors import LayerError, ModelError

MOST_STAGES = 12
"""A filmstrip of more pictures than this is no longer read."""


@dataclass(frozen=True)
class Stage:
    """A layer whose output is a map worth looking at: `channels` maps of `grid` (height, width) cells."""

    name: str
    channels: int
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        if self.channels < 1 or min(self.grid) < 1:
            raise LayerError(f"{self.name} holds no map: {self.channels} channels of {self.grid}.")


def find_stages(network: nn.Module, size: int = 224) -> tuple[Stage, ...]:
    """The layers to look at, shallow to deep; the last is the usual target of Grad-CAM.

    Convolutional networks: the last layer at each resolution that is not an average pool, not inside a block
    which changes the resolution, and not a map of class scores.  Transformers of one resolution (ViT): the
    first normalisation of each block, evenly thinned to at most `MOST_STAGES`; of several (Swin): the last
    at each.

    The network runs once, in eval mode, on a blank picture of `size` pixels; on the meta device this
    allocates nothing.  Call it before the network is shared between threads: its hooks are there while it
    runs.

    >>> block = lambda before, after: nn.Sequential(nn.Conv2d(before, after, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> network = nn.Sequential(block(3, 8), block(8, 16), nn.Flatten(), nn.Linear(16 * 6 * 6, 10))
    >>> [(stage.name, stage.grid) for stage in find_stages(network, size=30)]
    [('0.1', (28, 28)), ('0.2', (14, 14)), ('1.1', (12, 12)), ('1.2', (6, 6))]

    Raises:
        ModelError: the network cannot run on such a picture, or does not give one row of class scores.

    Source: the target layers in the README of pytorch-grad-cam, which the last stage agrees with.
    """
    return stages_of(survey(network, size))


def default_stage(stages: Sequence[Stage]) -> Stage:
    """The usual Grad-CAM layer: the deepest, where maps are closest to classes (Selvaraju 2017, section 3).

    Raises:
        LayerError: there is none.
    """
    if not stages:
        raise LayerError("This network has no layer that holds a map.")
    return stages[-1]


# ------------------------------------------------------------------------------------------- one blank run


@dataclass(frozen=True, eq=False)
class Visit:
    """The last run of one module: its name, the module, the shape of what it gave out."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]

    @property
    def weighted(self) -> bool:
        """Whether the module itself holds a matrix of weights, not only scales and offsets."""
        return any(p is not None and p.dim() > 1 for p in self.module._parameters.values())

    @property
    def opens_block(self) -> bool:
        """Whether this is the first normalisation of a transformer block.

        From a ViT's last block only the class token goes on, so of all that the block computes this is the
        last map through which evidence from the patches flows; Swin's blocks begin in the same way.
        """
        first = self.name.rpartition(".")[2] in ("ln_1", "norm1")
        return first and isinstance(self.module, nn.LayerNorm) and len(self.shape) in (3, 4)

    @property
    def layout(self) -> Callable[[Tensor], Tensor]:
        """How its output, or its gradient, becomes maps (..., C, h, w)."""
        if not self.opens_block:
            return _as_it_is
        return _tokens_to_maps if len(self.shape) == 3 else _channels_first

    @property
    def stage(self) -> Stage:
        """The layer as a stage.

        Raises:
            LayerError: it holds no map.
        """
        if not self.opens_block and len(self.shape) != 4:
            raise LayerError(f"{self.name} holds no map but {'×'.join(map(str, self.shape))} numbers.")
        _, channels, height, width = self.layout(torch.empty(self.shape, device="meta")).shape
        return Stage(self.name, channels, (height, width))


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _channels_first(tensor: Tensor) -> Tensor:
    return tensor.movedim(-1, -3)


def _tokens_to_maps(tensor: Tensor) -> Tensor:
    """(..., tokens, C) -> (..., C, side, side): the square of patches, without the class token before it."""
    side = math.isqrt(tensor.shape[-2])
    patches = tensor[..., -side * side :, :]
    return patches.reshape(*tensor.shape[:-2], side, side, -1).movedim(-1, -3)


def blank(network: nn.Module, size: int) -> Tensor:
    """A picture of zeros (1, channels, size, size), of the network's type and on its device.

    As many channels as the network's own `input_channels` says, else as its first convolution reads, else 3.
    """
    first = next((m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)), 3)
    channels = vars(network).get("input_channels", first)
    parameter = next(network.parameters(), torch.empty(0))
    return torch.zeros(1, channels, size, size, device=parameter.device, dtype=parameter.dtype)


def survey(network: nn.Module, size: int) -> tuple[Visit, ...]:
    """The modules of one forward pass, in the order of their last run.

    Raises:
        ModelError: the network cannot run on such a picture, or does not give one row of class scores.
    """
    visits: dict[str, Visit] = {}

    def note(name: str, module: nn.Module, args: Any, output: Any) -> None:
        visits.pop(name, None)
        if isinstance(output, Tensor):
            visits[name] = Visit(name, module, tuple(output.shape))

    modes = [(module, module.training) for module in network.modules()]
    hooks = [
        layer.register_forward_hook(partial(note, name)) for name, layer in network.named_modules() if name
    ]
    try:
        with torch.no_grad():
            scores = network.eval()(blank(network, size))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        cause = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"This network cannot run on a picture of {size}×{size} pixels: {cause}") from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    if not isinstance(scores, Tensor) or scores.dim() != 2:
        given = "×".join(map(str, scores.shape)) if isinstance(scores, Tensor) else type(scores).__name__
        raise ModelError(f"This network gives {given} where one row of class scores is needed.")
    return tuple(visits.values())


# ----------------------------------------------------------------------------------------- choosing stages


def stages_of(visits: Sequence[Visit]) -> tuple[Stage, ...]:
    """The stages among the modules of one forward pass."""
    tokens = [visit.stage for visit in visits if visit.opens_block]
    if tokens and len({stage.grid for stage in tokens}) == 1:
        step = math.ceil(len(tokens) / MOST_STAGES)
        return tuple(tokens[::-1][::step][::-1])
    return _last_at_each_grid(tokens or [visit.stage for visit in _whole_maps(visits)])


def _last_at_each_grid(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    last: dict[tuple[int, int], Stage] = {}
    for stage in stages:
        last.pop(stage.grid, None)
        last[stage.grid] = stage
    return tuple(last.values())


# What a Sequential, a dropout or an identity gives out has a layer's own name already; an average has lost
# the places.
_NO_STAGE = (nn.Dropout, nn.Identity, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def _whole_maps(visits: Sequence[Visit]) -> Iterator[Visit]:
    """Layers with a map, before the class scores, none from inside a block that changes the resolution."""
    by_name = {visit.name: visit for visit in visits}
    scores = max((n for n, visit in enumerate(visits) if visit.weighted), default=0)
    for visit in visits[:scores]:
        is_map = len(visit.shape) == 4 and min(visit.shape[2:]) > 1
        if is_map and not isinstance(visit.module, _NO_STAGE) and type(visit.module) is not nn.Sequential:
            blocks = [by_name[block] for block in _enclosing(visit.name) if block in by_name]
            if all(_is_row(block) or block.shape[2:] == visit.shape[2:] for block in blocks):
                yield visit


def _enclosing(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts)))


def _is_row(block: Visit) -> bool:
    """Whether it is a mere row of layers: a plain Sequential of the network itself, as `features`."""
    return type(block.module) is nn.Sequential and "." not in block.name
