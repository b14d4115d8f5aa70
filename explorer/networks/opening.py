"""What is inside a block: the parts that it stands for.

Shapes of blocks follow from these parts, so that there is one rule for each layer; and a visitor can open a block and
change what is inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from explorer.errors import ModelError, ShapeError
from explorer.networks.parts import TOKENS
from explorer.networks.spec import Part, Shape, part

_IDENTITY: Final = part("sequence")


def opened(block: Part, input_shape: Shape) -> Part:
    """The block as a group of parts that computes the same, in the same order of weights where it is a chain.

    >>> [each.kind for each in opened(part("nin_block", out_channels=8), (3, 8, 8)).inside]
    ['conv', 'relu', 'conv', 'relu', 'conv', 'relu']

    Args:
        block: of one of the kinds `BLOCKS`.
        input_shape: what arrives; its channels count.

    Raises:
        ModelError: it is not a block, or what is inside would be beyond the limits of a part.
        ShapeError: it cannot be for so many channels.
    """
    if block.kind not in _INSIDE:
        raise ModelError(f"“{block.about.title}” is not a block: there is nothing to open.")
    channels = input_shape[-1] if block.kind in TOKENS else input_shape[0]
    return Part("sequence", name=block.name, inside=_INSIDE[block.kind](block, channels))


def hidden_channels(block: Part, channels: int) -> int:
    """Channels inside an inverted residual, a plain or a fused one."""
    return round(channels * block.number("expansion"))


def squeezed_channels(block: Part, channels: int) -> int:
    """Channels inside the squeeze-and-excite of a block, or of the part itself; 0 where it has none.

    In MobileNetV3 a quarter of those inside, in eights, and never more than a tenth less.

    Source: https://github.com/tensorflow/models, research/slim/nets/mobilenet, `make_divisible`.
    """
    if block.kind == "regnet":
        ratio = block.number("squeeze_ratio")
        return max(1, round(channels * ratio)) if ratio else 0
    if block.kind == "squeeze_excite":
        return max(1, channels // block.whole("reduction"))
    if block.text("squeeze") == "efficientnet":
        return max(1, channels // 4)
    if block.text("squeeze") == "mobilenet_v3":
        wanted = hidden_channels(block, channels) // 4
        eights = max(8, (wanted + 4) // 8 * 8)
        return eights + 8 if eights < 0.9 * wanted else eights
    return 0


def kept_channels(block: Part, channels: int) -> int:
    """Channels that a transition keeps: at least one."""
    return max(1, int(channels * block.number("compression")))


def _conv(
    out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1, bias: bool = False
) -> Part:
    return part(
        "conv",
        out_channels=out_channels,
        kernel_size=kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=bias,
    )


_NORM: Final = part("batch_norm")
_RELU: Final = part("relu", inplace=True)
Parts = tuple[Part, ...]


def _residual(body: Parts, channels: int, block: Part) -> Parts:
    stride, out_channels = block.whole("stride"), block.whole("out_channels")
    beside = _IDENTITY
    if stride != 1 or channels != out_channels:
        beside = part("sequence", _conv(out_channels, stride=stride), _NORM)
    return part("branches", part("sequence", *body), beside), _RELU


def _basic(block: Part, channels: int) -> Parts:
    out_channels = block.whole("out_channels")
    body = (
        _conv(out_channels, 3, block.whole("stride")),
        _NORM,
        _RELU,
        _conv(out_channels, 3),
        _NORM,
    )
    return _residual(body, channels, block)


def _bottleneck(block: Part, channels: int) -> Parts:
    width, groups, strides = block.whole("width"), 1, (1, block.whole("stride"))
    if block.kind == "resnext_bottleneck":
        groups = block.whole("groups")
        width *= groups
    elif block.text("stride_on") == "1×1":
        strides = strides[::-1]
    body = (
        _conv(width, stride=strides[0]),
        _NORM,
        _RELU,
        _conv(width, 3, strides[1], groups),
        _NORM,
        _RELU,
        _conv(block.whole("out_channels")),
        _NORM,
    )
    return _residual(body, channels, block)


def _squeeze(channels: int, squeezed: int, activation: str, gate: str) -> Part:
    return part(
        "branches",
        _IDENTITY,
        part(
            "sequence",
            part("global_average_pool"),
            _conv(squeezed, bias=True),
            part(activation),
            _conv(channels, bias=True),
            part(gate),
        ),
        join="multiply",
    )


def _squeeze_excite(block: Part, channels: int) -> Parts:
    squeezed = squeezed_channels(block, channels)
    return (_squeeze(channels, squeezed, block.text("activation"), block.text("gate")),)


def _inverted_residual(block: Part, channels: int) -> Parts:
    hidden, out_channels, stride = (
        hidden_channels(block, channels),
        block.whole("out_channels"),
        block.whole("stride"),
    )
    norm, activation = part("batch_norm", eps=block["eps"]), part(block.text("activation"))
    kernel_size, squeezed = block.whole("kernel_size"), squeezed_channels(block, channels)
    body = [_conv(hidden, kernel_size, stride, groups=hidden), norm, activation]
    if hidden != channels:
        body = [_conv(hidden), norm, activation, *body]
    if squeezed:
        inner, gate = ("silu", "sigmoid") if block["squeeze"] == "efficientnet" else ("relu", "hardsigmoid")
        body.append(_squeeze(hidden, squeezed, inner, gate))
    body += [_conv(out_channels), norm]
    if stride == 1 and channels == out_channels:
        return (part("branches", _IDENTITY, part("sequence", *body)),)
    return tuple(body)


def _fused_inverted_residual(block: Part, channels: int) -> Parts:
    hidden, out_channels, stride = (
        hidden_channels(block, channels),
        block.whole("out_channels"),
        block.whole("stride"),
    )
    norm, activation = part("batch_norm", eps=block["eps"]), part(block.text("activation"))
    first = out_channels if hidden == channels else hidden
    body = [_conv(first, block.whole("kernel_size"), stride), norm, activation]
    if hidden != channels:
        body += [_conv(out_channels), norm]
    if stride == 1 and channels == out_channels:
        return (part("branches", _IDENTITY, part("sequence", *body)),)
    return tuple(body)


def regnet_groups(block: Part) -> int:
    """Groups of the 3 × 3 of a RegNet block.

    Raises:
        ShapeError: a group's channels do not divide those that leave.
    """
    width, group = block.whole("out_channels"), block.whole("group_width")
    if width % group:
        raise ShapeError(f"The output channels ({width:,}) must be divisible by `group_width` ({group:,}).")
    return width // group


def _regnet(block: Part, channels: int) -> Parts:
    width, stride, squeezed = (
        block.whole("out_channels"),
        block.whole("stride"),
        squeezed_channels(block, channels),
    )
    beside = _IDENTITY
    if stride != 1 or channels != width:
        beside = part("sequence", _conv(width, stride=stride), _NORM)
    squeeze = (_squeeze(width, squeezed, "relu", "sigmoid"),) if squeezed else ()
    filters = _conv(width, 3, stride, regnet_groups(block))
    body = _conv(width), _NORM, _RELU, filters, _NORM, _RELU, *squeeze, _conv(width), _NORM
    return part("branches", beside, part("sequence", *body)), _RELU


def _shuffle_unit(block: Part, channels: int) -> Parts:
    out_channels, stride = block.whole("out_channels"), block.whole("stride")
    half = out_channels // 2
    if out_channels % 2:
        raise ShapeError(
            f"The output channels ({out_channels:,}) come in two halves: an even number is meant."
        )
    if stride == 1 and channels != out_channels:
        raise ShapeError(
            f"With stride 1 half of the channels pass untouched: {channels:,} arrive, so {channels:,} leave, not "
            f"{out_channels:,}."
        )
    arriving = channels if stride > 1 else half
    body: Parts = (
        _conv(half),
        _NORM,
        _RELU,
        _conv(half, 3, stride, groups=half),
        _NORM,
        _conv(half),
        _NORM,
        _RELU,
    )
    first = part("half")
    if stride > 1:
        first = part(
            "sequence", _conv(arriving, 3, stride, groups=arriving), _NORM, _conv(half), _NORM, _RELU
        )
    else:
        body = (part("half", which="second"), *body)
    return (part("branches", first, part("sequence", *body), join="cat"), part("channel_shuffle"))


def _inception(block: Part, channels: int) -> Parts:
    def step(out_channels: str, kernel_size: int = 1) -> Parts:
        conv = _conv(block.whole(out_channels), kernel_size, bias=not block["batch_norm"])
        return (conv, part("batch_norm", eps=0.001), _RELU) if block["batch_norm"] else (conv, _RELU)

    pool = part("max_pool", kernel_size=3, stride=1, padding=1)
    branches = (
        step("one"),
        step("three_reduce") + step("three", 3),
        step("five_reduce") + step("five", block.whole("five_kernel")),
        (pool, *step("pool")),
    )
    return (part("branches", *(part("sequence", *branch) for branch in branches), join="cat"),)


def _dense_block(block: Part, channels: int) -> Parts:
    growth = block.whole("growth")
    new = part(
        "sequence", _NORM, _RELU, _conv(growth * block.whole("bottleneck")), _NORM, _RELU, _conv(growth, 3)
    )
    return (part("branches", _IDENTITY, new, join="cat"),) * block.whole("layers")


def _transition(block: Part, channels: int) -> Parts:
    return _NORM, _RELU, _conv(kept_channels(block, channels)), part("average_pool")


def _convnext(block: Part, channels: int) -> Parts:
    body = (
        part("depthwise", kernel_size=block.whole("kernel_size"), padding=block.whole("kernel_size") // 2),
        part("layer_norm", eps=1e-6),
        _conv(channels * block.whole("expansion"), bias=True),
        part("gelu"),
        _conv(channels, bias=True),
        part("scale", initial=block["layer_scale"]),
    )
    return (part("branches", _IDENTITY, part("sequence", *body)),)


def _encoder_block(block: Part, width: int) -> Parts:
    dropout = part("dropout", p=block["dropout"])
    norm = part("layer_norm", eps=1e-6)
    dense = (
        part("linear", out_features=width * block.whole("expansion")),
        part("gelu"),
        dropout,
        part("linear", out_features=width),
        dropout,
    )
    return (
        part("branches", _IDENTITY, part("sequence", norm, part("attention", heads=block["heads"]), dropout)),
        part("branches", _IDENTITY, part("sequence", norm, *dense)),
    )


def _swin_block(block: Part, channels: int) -> Parts:
    settings = {name: block[name] for name in ("heads", "window", "shifted", "version")}
    norm = part("layer_norm")
    dense = (
        _conv(channels * block.whole("expansion"), bias=True),
        part("gelu"),
        _conv(channels, bias=True),
    )
    halves = (Part("window_attention", settings),), dense
    return tuple(
        part(
            "branches",
            _IDENTITY,
            part("sequence", *((norm, *half) if block["version"] == "1" else (*half, norm))),
        )
        for half in halves
    )


def _maxvit_conv(block: Part, channels: int) -> Parts:
    out_channels, stride = block.whole("out_channels"), block.whole("stride")
    hidden, norm = out_channels * block.whole("expansion"), part("batch_norm", eps=1e-3)
    pool = (part("average_pool", kernel_size=3, padding=1),) if stride == 2 else ()
    beside = _IDENTITY
    if stride != 1 or channels != out_channels:
        beside = part("sequence", *pool, _conv(out_channels, bias=True))
    body = (
        norm,
        _conv(hidden),
        norm,
        part("gelu"),
        _conv(hidden, 3, stride, groups=hidden),
        norm,
        part("gelu"),
        _squeeze(hidden, max(1, out_channels // 4), "silu", "sigmoid"),
        _conv(out_channels, bias=True),
    )
    return (part("branches", beside, part("sequence", *body)),)


def _maxvit_block(block: Part, channels: int) -> Parts:
    first = Part("maxvit_conv", {name: block[name] for name in ("out_channels", "stride", "expansion")})
    return (
        first,
        *(
            part(
                "partition_attention",
                across=across,
                size=block["window"],
                head_channels=block["head_channels"],
            )
            for across in ("window", "grid")
        ),
    )


def _separable(block: Part, channels: int) -> Parts:
    return (
        _conv(channels, 3, block.whole("stride"), groups=channels),
        _NORM,
        _RELU,
        _conv(block.whole("out_channels")),
        _NORM,
        _RELU,
    )


def _vgg_block(block: Part, channels: int) -> Parts:
    conv = _conv(block.whole("out_channels"), 3, bias=True)
    step = (conv, _NORM, _RELU) if block["batch_norm"] else (conv, _RELU)
    return step * block.whole("layers") + (part("max_pool"),)


def _nin_block(block: Part, channels: int) -> Parts:
    first = Part("conv", {name: block[name] for name in ("out_channels", "kernel_size", "stride", "padding")})
    one = _conv(block.whole("out_channels"), bias=True)
    return first, _RELU, one, _RELU, one, _RELU


_INSIDE: Final[Mapping[str, Callable[[Part, int], Parts]]] = MappingProxyType(
    {
        "vgg_block": _vgg_block,
        "nin_block": _nin_block,
        "residual_basic": _basic,
        "residual_bottleneck": _bottleneck,
        "resnext_bottleneck": _bottleneck,
        "inverted_residual": _inverted_residual,
        "fused_inverted_residual": _fused_inverted_residual,
        "regnet": _regnet,
        "shuffle_unit": _shuffle_unit,
        "inception": _inception,
        "dense_block": _dense_block,
        "transition": _transition,
        "squeeze_excite": _squeeze_excite,
        "convnext": _convnext,
        "separable": _separable,
        "encoder_block": _encoder_block,
        "swin_block": _swin_block,
        "maxvit_conv": _maxvit_conv,
        "maxvit_block": _maxvit_block,
    }
)
