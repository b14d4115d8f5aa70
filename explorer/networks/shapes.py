"""What comes out of each part, for what arrives: held to torch, and nothing computed.

Windows follow `explorer.layers`, the one place where their arithmetic stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from explorer.errors import ShapeError
from explorer.layers import LayerSpec, output_shape
from explorer.networks.parts import ACTIVATIONS, BLOCKS, MAX_CHANNELS, MAX_SIZE, TOKENS
from explorer.networks.spec import Part, Shape

MAX_NUMBERS: Final = 10**12
"""Most numbers of one output."""

_WINDOWED: Final = {
    "conv": "grouped",
    "depthwise": "depthwise",
    "depthwise_separable": "separable",
    "transposed": "transposed",
    "max_pool": "max_pool",
    "average_pool": "average_pool",
    "global_average_pool": "global_pool",
    "adaptive_average_pool": "adaptive_pool",
}
"""Our kinds of which `explorer.layers` knows the arithmetic, and what they are called there."""

_MAPS_ALONE: Final = frozenset(
    {
        *_WINDOWED,
        "global_max_pool",
        "adaptive_max_pool",
        "upsample",
        "zero_pad",
        "instance_norm",
        "local_response_norm",
        "dropout2d",
        "lenet_c3",
        "subsampling",
        "half",
        "channel_shuffle",
        "auxiliary_head",
        "tokens",
        "window_attention",
        "patch_merging",
        "partition_attention",
        *(BLOCKS - TOKENS),
    }
)
_MAPS_AND_ROWS: Final = frozenset({"batch_norm", "group_norm", "scale"})
_KEEPING: Final = frozenset(
    {
        *ACTIVATIONS,
        "batch_norm",
        "layer_norm",
        "local_response_norm",
        "scale",
        "dropout",
        "dropout2d",
        "positions",
    }
)


def by(shape: Sequence[int]) -> str:
    """A shape as it is read: 64 × 56 × 56."""
    return " × ".join(f"{size:,}" for size in shape)


def arriving(shape: Sequence[int]) -> str:
    """What arrives, for a sentence.

    >>> arriving((400,)), arriving((197, 768)), arriving((3, 32, 32))
    ('a row of 400 numbers arrives', '197 tokens of 768 numbers arrive', 'a map of 3 × 32 × 32 arrives')
    """
    if len(shape) == 1:
        return f"a row of {shape[0]:,} numbers arrives"
    if len(shape) == 2:
        return f"{shape[0]:,} {'token' if shape[0] == 1 else 'tokens'} of {shape[1]:,} numbers arrive"
    return f"a map of {by(shape)} arrives"


def refuse_other_forms(part: Part, shape: Shape) -> None:
    """Nothing, where the part reads maps (channels, rows, columns), tokens (tokens, features) or rows as they come.

    Raises:
        ShapeError: it reads another form than what arrives.
    """
    wrong = ""
    if part.kind in _MAPS_ALONE and len(shape) != 3:
        wrong = "a map"
    elif part.kind in TOKENS and len(shape) != 2:
        wrong = "tokens"
    elif part.kind in _MAPS_AND_ROWS and len(shape) == 2:
        wrong = "a map or a row of numbers"
    elif (part.kind == "linear" and len(shape) == 3) or (
        part.kind == "distances_to_codes" and len(shape) != 1
    ):
        wrong = "a row of numbers"
    if wrong:
        raise ShapeError(f"It reads {wrong}, but {arriving(shape)}.")


def layer_spec(part: Part, input_shape: Shape) -> LayerSpec | None:
    """The layer of `explorer.layers` that the part is, for these channels; None for any other part.

    Raises:
        ShapeError: no input of so many channels would fit.
    """
    if part.kind not in _WINDOWED:
        return None
    channels = input_shape[0]
    fields: dict[str, Any] = {
        setting.name: part[setting.name] for setting in part.about.settings if setting.name != "multiplier"
    }
    if part.kind == "depthwise":
        fields["out_channels"] = channels * part.whole("multiplier")
    return LayerSpec(_WINDOWED[part.kind], in_channels=channels, **fields)


def layer_shape(part: Part, input_shape: Shape) -> Shape:
    """Shape of what one layer makes: any part but blocks and groups.

    >>> layer_shape(Part("conv", {"out_channels": 96, "kernel_size": 11, "stride": 4}), (3, 227, 227))
    (96, 55, 55)
    >>> layer_shape(Part("flatten"), (16, 5, 5))
    (400,)

    Raises:
        ShapeError: it cannot read this input, or what it makes is beyond what is counted here.
    """
    refuse_other_forms(part, input_shape)
    return within_limits(_shape(part, input_shape))


def within_limits(shape: Shape) -> Shape:
    """The shape itself.

    Raises:
        ShapeError: it is larger than what is counted here.
    """
    channels, *sizes = shape
    is_map = len(shape) == 3
    if is_map and channels > MAX_CHANNELS:
        raise ShapeError(f"The map would have {channels:,} channels; {MAX_CHANNELS:,} are the most here.")
    if is_map and max(sizes) > MAX_SIZE:
        raise ShapeError(f"The map would be {by(sizes)} pixels; {MAX_SIZE:,} a side are the most here.")
    if math.prod(shape) > MAX_NUMBERS:
        raise ShapeError(f"{by(shape)} are {math.prod(shape):,} numbers; {MAX_NUMBERS:,} are the most here.")
    return shape


def _shape(part: Part, shape: Shape) -> Shape:
    channels, *sizes = shape
    if part.kind in _KEEPING:
        return shape
    if spec := layer_spec(part, shape):
        return output_shape(spec, shape)
    match part.kind:
        case "global_max_pool":
            return channels, 1, 1
        case "adaptive_max_pool":
            wanted = part["output_size"]
            rows, columns = wanted if isinstance(wanted, tuple) else (part.whole("output_size"),) * 2
            return channels, rows, columns
        case "upsample":
            return channels, *(size * part.whole("scale_factor") for size in sizes)
        case "zero_pad":
            added = [
                part.whole(one) + part.whole(other) for one, other in (("top", "bottom"), ("left", "right"))
            ]
            return channels, *(size + more for size, more in zip(sizes, added, strict=True))
        case "flatten":
            return (math.prod(shape),)
        case "linear":
            return *shape[:-1], part.whole("out_features")
        case "lenet_c3":
            return _lenet_c3(part, shape)
        case "subsampling":
            window = part.whole("kernel_size")
            if window > min(sizes):
                raise ShapeError(f"A window of {window} × {window} does not fit into {by(sizes)}.")
            return channels, *(size // window for size in sizes)
        case "half":
            if channels % 2:
                raise ShapeError(f"{channels:,} channels have no half.")
            return channels // 2, *sizes
        case "channel_shuffle":
            _refuse_groups(channels, part.whole("groups"))
            return shape
        case "distances_to_codes":
            if channels != 84:
                raise ShapeError(f"Its digits have 84 pixels, but a row of {channels:,} numbers arrives.")
            return (10,)
        case "auxiliary_head":
            if part["style"] == "inception_v3" and min(sizes) < 17:
                raise ShapeError(
                    f"Pooling by 5 with stride 3, then a window of 5, need 17 rows and columns, not {by(sizes)}."
                )
            return shape
        case "tokens":
            return math.prod(sizes), channels
        case "class_token":
            return channels + 1, *sizes
        case "token_pool":
            return (shape[-1],)
        case "attention" | "window_attention":
            heads = part.whole("heads")
            width = shape[0] if sizes[1:] else shape[-1]
            if width % heads:
                raise ShapeError(f"The channels ({width:,}) must be divisible by `heads` ({heads:,}).")
            return shape
        case "patch_merging":
            return 2 * channels, *(-(-size // 2) for size in sizes)
        case "partition_attention":
            return _partitioned(part, shape)
        case "group_norm":
            groups = part.whole("groups")
            _refuse_groups(channels, groups)
            if math.prod(shape) == groups:
                raise ShapeError(f"Each of {groups:,} groups has one number: nothing deviates from its mean.")
            return shape
        case "instance_norm":
            if math.prod(sizes) == 1:
                raise ShapeError("Each channel has one number: nothing deviates from its mean.")
            return shape
    raise ShapeError(f"“{part.about.title}” is not one layer.")


def _refuse_groups(channels: int, groups: int) -> None:
    if channels % groups:
        raise ShapeError(f"The channels ({channels:,}) must be divisible by `groups` ({groups:,}).")


def _lenet_c3(part: Part, shape: Shape) -> Shape:
    channels, *sizes = shape
    window = part.whole("kernel_size")
    if channels != 6:
        raise ShapeError(f"Its table is for 6 maps, but {channels:,} arrive.")
    if window > min(sizes):
        raise ShapeError(f"A window of {window} × {window} does not fit into {by(sizes)}.")
    return 16, *(size - window + 1 for size in sizes)


def _partitioned(part: Part, shape: Shape) -> Shape:
    channels, *sizes = shape
    size, head = part.whole("size"), part.whole("head_channels")
    if channels % head:
        raise ShapeError(f"The channels ({channels:,}) must be divisible by `head_channels` ({head:,}).")
    if any(each % size for each in sizes):
        raise ShapeError(
            f"{'Windows' if part['across'] == 'window' else 'A grid'} of {size} × {size} must divide the map, "
            f"which has {by(sizes)} pixels."
        )
    if part["across"] == "grid" and sizes[0] != sizes[1]:
        raise ShapeError(f"A grid needs as many rows as columns, not {by(sizes)}.")
    return shape


def joined(shapes: Sequence[Shape], join: str) -> Shape:
    """Shape of what branches make together.

    >>> joined([(64, 7, 7), (32, 7, 7)], "cat")
    (96, 7, 7)
    >>> joined([(64, 7, 7), (64, 1, 1)], "multiply")
    (64, 7, 7)

    Args:
        shapes: what comes out of each branch.
        join: "add": shapes must be equal; "cat": all but the channels; "multiply": equal, or 1 along an axis.

    Raises:
        ShapeError: there is no branch, or they do not fit together.
    """
    if not shapes:
        raise ShapeError("It has no branch: a group inside is one.")
    listed = ", ".join(map(by, shapes))
    if len({len(shape) for shape in shapes}) > 1:
        forms = (
            "Maps and rows of numbers" if all(len(shape) != 2 for shape in shapes) else "Tokens and others"
        )
        raise ShapeError(f"{forms} meet: {listed}.")
    if join == "cat":
        if len(shapes[0]) == 2:
            raise ShapeError(f"Tokens have no channels to be put side by side, but these arrive: {listed}.")
        if len({shape[1:] for shape in shapes}) > 1:
            raise ShapeError(f"Side by side, maps need one size, but these arrive: {listed}.")
        return within_limits((sum(shape[0] for shape in shapes), *shapes[0][1:]))
    if join == "add":
        if len(set(shapes)) > 1:
            raise ShapeError(f"What is added must have one shape, but these arrive: {listed}.")
        return shapes[0]
    for sizes in zip(*shapes, strict=True):
        if len(set(sizes) - {1}) > 1:
            raise ShapeError(
                f"What is multiplied must have one shape, or 1 along an axis; these arrive: {listed}."
            )
    return within_limits(tuple(max(sizes) for sizes in zip(*shapes, strict=True)))
