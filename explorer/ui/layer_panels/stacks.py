"""Stacks of layers whose fields are shown: as short text, as a classic, or traced through a network's branches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision import models as zoo

from explorer.convolution import Pair
from explorer.effective_field import EffectiveField, effective, unit_gradient
from explorer.errors import LayerError, ShapeError
from explorer.field_tracing import from_module
from explorer.figures.pictures import square_thumbnail
from explorer.models import DEFAULT_MODEL, card
from explorer.profiling import LayerProfile, NetworkProfile
from explorer.receptive_field import (
    CLASSICS,
    ReceptiveField,
    Row,
    Step,
    receptive_field,
    regions,
    stack_of,
    table,
)
from explorer.stages import survey

MOST: Final = 20
"""Layers in a stack."""
EMPTY: Final = "none"
CHANNELS: Final = 16
"""Filters of each convolution with random weights."""

_LARGEST: Final = {"kernel": 64, "stride": 16, "padding": 64, "dilation": 64}
_FARTHEST: Final = 100_000
_LONGEST: Final = 500
_MOST_PRODUCTS: Final = 4e9

# Text ------------------------------------------------------------------------------------------------

_KINDS: Final[Mapping[str, str]] = MappingProxyType({"c": "conv", "p": "max", "a": "mean"})
_LETTERS: Final = {kind: letter for letter, kind in _KINDS.items()}
_PIECE: Final = re.compile(r"([cpa]?)(\d{1,4}(?:x\d{1,4})?)((?:[spd](?:same|\d{1,4}(?:x\d{1,4})?))*)")
_SETTING: Final = re.compile(r"([spd])(same|[\dx]+)")


def read_stack(text: str) -> tuple[Step, ...]:
    """The layers of a text: c convolution, p max pooling, a average pooling, each with its kernel; then s stride
    (else 1; of a pooling its kernel), p padding (else none), d dilation (else 1).  "none" has no layer.

    >>> [(step.name, step.kernel_size, step.stride) for step in read_stack("c7s2p3-p3x2")]
    [('conv1', (7, 7), (2, 2)), ('pool1', (3, 2), (3, 2))]

    Raises:
        LayerError: it is no such text, or too much of it.
        ShapeError: a layer that torch refuses.
    """
    if text.strip().lower() == EMPTY:
        return ()
    if len(text) > _LONGEST:
        raise LayerError(f"A stack of {len(text)} characters is longer than the {_LONGEST} that are read.")
    pieces = re.split(r"[\s,;→-]+", text.lower().strip(" ,;→-\t\n"))
    if len(pieces) > MOST:
        raise LayerError(f"A stack has at most {MOST} layers, not {len(pieces)}.")
    steps: list[Step] = []
    for piece in pieces:
        steps.append(_step(piece, steps))
    farthest = max(receptive_field(steps).size)
    if farthest > _FARTHEST:
        raise LayerError(f"A unit of this stack would see more than {_FARTHEST:,} pixels.")
    return tuple(steps)


def _step(piece: str, before: Sequence[Step]) -> Step:
    match = _PIECE.fullmatch(piece.replace("×", "x"))
    # "3x3" alone is a convolution, as it is said aloud; "3" could be anything
    if not match or not (match[1] or "x" in match[2]):
        raise LayerError(f"“{piece[:40]}” is not a layer such as c3s1p1 or p2.")
    kind, kernel = _KINDS[match[1] or "c"], _numbers(match[2])
    settings = _SETTING.findall(match[3])
    given = dict(settings)
    if len(given) < len(settings):
        raise LayerError(f"“{piece[:40]}” says the same thing twice.")
    if "same" in (given.get("s"), given.get("d")):
        raise LayerError(f"“{piece[:40]}”: only padding can be “same”.")
    stride = _numbers(given["s"]) if "s" in given else (kernel if kind != "conv" else (1, 1))
    dilation = _numbers(given.get("d", "1"))
    same = given.get("p") == "same"
    padding = (0, 0) if same else _numbers(given.get("p", "0"))
    for name, values in (
        ("kernel", kernel),
        ("stride", stride),
        ("padding", padding),
        ("dilation", dilation),
    ):
        if max(values) > _LARGEST[name]:
            raise LayerError(f"“{piece[:40]}”: a {name} goes to {_LARGEST[name]} here, not to {max(values)}.")
    if same and (stride != (1, 1) or kind != "conv"):
        raise ShapeError(f"“{piece[:40]}”: the padding “same” goes with a convolution of stride 1.")
    if kind != "conv" and any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise ShapeError(f"“{piece[:40]}”: a pooling pads at most half of its window.")
    noun = "conv" if kind == "conv" else "pool"
    number = 1 + sum(step.name.startswith(noun) for step in before)
    return Step(f"{noun}{number}", kernel, stride, "same" if same else padding, dilation, kind)


def _numbers(text: str) -> Pair:
    rows, _, columns = text.partition("x")
    return int(rows), int(columns or rows)


def write_stack(steps: Sequence[Step]) -> str:
    """The shortest text of some layers; `read_stack` reads it back, with names of its own.

    >>> write_stack(stack_of("alexnet")[:3])
    'c11s4-p3s2-c5p2'
    """
    return "-".join(map(_written, steps)) or EMPTY


def _written(step: Step) -> str:
    usual = step.kernel_size if step.kind != "conv" else (1, 1)
    parts = [_LETTERS[step.kind] + pair(step.kernel_size)]
    parts += ["s" + pair(step.stride)] * (step.stride != usual)
    if isinstance(step.padding, str):
        parts.append("psame")
    else:
        parts += ["p" + pair(step.padding)] * any(step.padding)
    parts += ["d" + pair(step.dilation)] * (step.dilation != (1, 1))
    return "".join(parts)


def pair(sizes: Pair, between: str = "x") -> str:
    """One number for two that are equal.

    >>> pair((3, 3)), pair((3, 5), "×")
    ('3', '3×5')
    """
    return str(sizes[0]) if sizes[0] == sizes[1] else f"{sizes[0]}{between}{sizes[1]}"


# Where a stack comes from ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Traced:
    """A network whose fields are traced through all of its branches: its title, builder, and picture's side."""

    title: str
    builder: str
    side: int = 224


NETWORKS: Final[Mapping[str, Traced]] = MappingProxyType(
    {
        "net.lite0": Traced("EfficientNet-Lite0, with its weights", DEFAULT_MODEL),
        "net.vgg16": Traced("VGG-16", "vgg16"),
        "net.googlenet": Traced("GoogLeNet", "googlenet"),
        "net.inception_v3": Traced("Inception v3", "inception_v3", 299),
        "net.resnet18": Traced("ResNet-18", "resnet18"),
        "net.resnet50": Traced("ResNet-50", "resnet50"),
        "net.squeezenet1_1": Traced("SqueezeNet 1.1", "squeezenet1_1"),
        "net.densenet121": Traced("DenseNet-121", "densenet121"),
        "net.mobilenet_v2": Traced("MobileNet v2", "mobilenet_v2"),
        "net.efficientnet_b0": Traced("EfficientNet-B0", "efficientnet_b0"),
        "net.convnext_tiny": Traced("ConvNeXt-Tiny", "convnext_tiny"),
    }
)
"""Networks by their key in the link."""

ANY: Final = "net~"
"""With this begin texts of networks that are in no list: behind it they are written as `untrained.write_key` does."""

LARGEST_SIDE: Final = 1024
"""Of the picture of such a network, in pixels: it is drawn pixel by pixel."""


@dataclass(frozen=True)
class Fields:
    """The fields of any network: its title, the side of its picture, and the layers at which they change."""

    title: str
    side: int
    rows: tuple[Row, ...]


TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {key: f"{classic.title} · one path" for key, classic in CLASSICS.items()}
    | {key: f"{network.title} · whole network" for key, network in NETWORKS.items()}
)
"""Everything to start from, by its key in the link."""


def steps_of(key: str) -> tuple[Step, ...]:
    """The layers that a link's text means: a classic's, or those it spells.

    Raises:
        LayerError, ShapeError: as `read_stack`.
    """
    return stack_of(key) if key in CLASSICS else read_stack(key)


def traced_rows(key: str) -> tuple[Row, ...]:
    """The layers of a network at which the field changes, by their names, in the order of their run.

    The network is built without weights: nothing is computed.  Layers behind which units have no place
    any more are left out.
    """
    network, side = _bare(NETWORKS[key].builder), NETWORKS[key].side
    fields = from_module(network, side)
    rows: list[Row] = []
    for visit in survey(network, side):
        field = fields.get(visit.name)
        if not isinstance(field, ReceptiveField) or len(visit.shape) != 4:
            continue
        # ConvNeXt normalises with channels last
        height, width = visit.shape[2:] if visit.shape[2] == visit.shape[3] else visit.shape[1:3]
        if not rows or (rows[-1].field, rows[-1].output) != (field, (height, width)):
            rows.append(Row(visit.name, (height, width), field, ""))
    return tuple(rows)


def fields_of(title: str, found: NetworkProfile) -> Fields:
    """The layers of any network at which the field changes, from its table: in the order in which they end.

    Where the network fails they end with it; layers behind which units have no place any more are left out.

    Raises:
        ShapeError: its picture is no square, or too large to be drawn.
        LayerError: no layer of it has units with a place.
    """
    side, across = found.input_shape[-2:]
    if side != across or side > LARGEST_SIDE:
        raise ShapeError(
            f"{title} is given {side:,} × {across:,} pixels; squares of at most {LARGEST_SIDE:,} are drawn here."
        )
    last = {row.path: at for at, row in enumerate(found.rows)}
    ends: list[tuple[int, int, LayerProfile]] = []
    for at, row in enumerate(found.rows):
        # an operation has no name to be found by: what it gives is what the block around it gives
        if row.path and row.role != "operation" and last[row.path] == at:
            after = next(
                (end for end in range(at + 1, len(found.rows)) if found.rows[end].depth <= row.depth),
                len(found.rows),
            )
            ends.append((after, -row.depth, row))
    rows: list[Row] = []
    for _, _, row in sorted(ends, key=lambda end: end[:2]):
        if len(row.outputs) != 1 or len(row.outputs[0]) != 3 or not isinstance(row.field, ReceptiveField):
            continue
        channels, height, width = row.outputs[0]
        # ConvNeXt normalises with channels last
        size = (channels, height) if channels == height != width else (height, width)
        if not rows or (rows[-1].field, rows[-1].output) != (row.field, size):
            rows.append(Row(row.path, size, row.field, ""))
    if not rows:
        raise LayerError(f"No layer of {title} has units with a place in the picture.")
    return Fields(title, side, tuple(rows))


def _bare(builder: str) -> nn.Module:
    """A network on the meta device."""
    with torch.device("meta"):
        if builder == DEFAULT_MODEL:
            import timm  # half a second that only the first build needs

            made: nn.Module = timm.create_model(card(DEFAULT_MODEL).architecture)
        else:
            # these two would draw weights, which takes seconds, and warn of it
            options: dict[str, Any] = (
                {"init_weights": False} if builder in ("googlenet", "inception_v3") else {}
            )
            made = zoo.get_model(builder, **options)
    return made.eval()


# What counts of a field ------------------------------------------------------------------------------


def exact_square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The middle square of a picture (H, W, 3), so many pixels wide, enlarged if need be."""
    square = square_thumbnail(pixels, side)
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))


def stack_effect(steps: tuple[Step, ...], pixels: NDArray[np.uint8], unit: Pair) -> EffectiveField:
    """What a unit (row, column) of a stack with random weights uses of a picture (height, width, 3).

    Only the part of the picture that the unit sees is computed.

    Raises:
        ShapeError: the unit sees no pixel, or none changes it, or it would take too long.
    """
    shape = (pixels.shape[0], pixels.shape[1])
    seen = regions(steps, shape, unit)[-1]
    if seen.inside is None:
        raise ShapeError("The unit sees padding alone: no pixel changes it.")
    jump = receptive_field(steps).jump
    # cut where a step of the whole stack begins: every map below is then cut at a whole unit
    first = [max(start, 0) // step * step for (start, _), step in zip(seen.inside, jump, strict=True)]
    cut = pixels[first[0] : seen.inside[0][1] + 1, first[1] : seen.inside[1][1] + 1]
    shifted = (unit[0] - first[0] // jump[0], unit[1] - first[1] // jump[1])
    products = _products(steps, (cut.shape[0], cut.shape[1]))
    if products > _MOST_PRODUCTS:
        raise ShapeError(
            f"Its gradient would take {products / 1e9:,.0f} G multiply-adds, more than the "
            f"{_MOST_PRODUCTS / 1e9:,.0f} G that are made here: a smaller picture or stack takes less."
        )
    gradient = np.zeros(shape, np.float32)
    gradient[first[0] : first[0] + cut.shape[0], first[1] : first[1] + cut.shape[1]] = unit_gradient(
        steps, cut, shifted, CHANNELS
    )
    return effective(gradient, seen.inside)


def _products(steps: Sequence[Step], shape: Pair) -> float:
    """Multiply-adds of a forward pass."""
    total, channels = 0.0, 3
    for row, step in zip(table(steps, shape), steps, strict=True):
        weights = step.kernel_size[0] * step.kernel_size[1] * channels
        if step.kind == "conv":
            weights, channels = weights * CHANNELS, CHANNELS
        total += row.output[0] * row.output[1] * weights
    return total


def network_effect(
    network: nn.Module, layer: str, picture: Tensor, unit: Pair, field: ReceptiveField
) -> EffectiveField:
    """What a unit (row, column) of a network's layer, the sum of its channels, uses of a picture (1, 3, H, W).

    Raises:
        ShapeError: the unit sees padding alone, or no pixel changes it.
    """
    box = field.clipped(unit, (picture.shape[2], picture.shape[3]))
    if box is None:
        raise ShapeError("The unit sees padding alone: no pixel changes it.")
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        kept.append(output.clone())  # what follows may change it in place

    hook = network.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            x = picture.detach().clone().requires_grad_()
            network(x)
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(kept[-1][0, :, unit[0], unit[1]].sum(), x)
    strength: NDArray[np.float32] = gradient[0].abs().sum(0).float().cpu().numpy()
    return effective(strength, box)
