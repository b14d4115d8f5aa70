"""From parts to torch: the module, on whatever device is torch's default, and the expression that makes each layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from explorer import layer_code
from explorer.errors import ModelError
from explorer.layers import LayerSpec
from explorer.networks import blocks
from explorer.networks.opening import hidden_channels, kept_channels, regnet_groups, squeezed_channels
from explorer.networks.parts import ACTIVATIONS
from explorer.networks.planning import Placed, planned
from explorer.networks.shapes import layer_spec
from explorer.networks.spec import NetworkSpec, Part, Shape, layer_names


@dataclass(frozen=True)
class Call:
    """The call that makes a layer: a class of `torch.nn` or of `explorer.networks.blocks`, and what it is given."""

    made: type[nn.Module]
    positions: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def module(self) -> nn.Module:
        """The layer itself, with random weights."""
        return self.made(*self.positions, **self.keywords)

    def text(self) -> str:
        """The call as it is written.

        >>> Call(nn.Linear, (400, 10), {"bias": False}).text()
        'nn.Linear(400, 10, bias=False)'
        """
        named = (f"{key}={_text(value)}" for key, value in self.keywords.items())
        return f"{_text(self.made)}({', '.join([*map(_text, self.positions), *named])})"


def _text(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__ if value.__module__ == blocks.__name__ else f"nn.{value.__name__}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def build(spec: NetworkSpec) -> nn.Module:
    """The network as torch makes it, on torch's default device and with random weights.

    On the meta device it takes no memory, however large it is:

    >>> import torch
    >>> from explorer.networks.spec import part
    >>> spec = NetworkSpec("Wide", (1, 800, 1200), (part("flatten"), part("linear", out_features=960_000)))
    >>> with torch.device("meta"):
    ...     network = build(spec)
    >>> sum(weight.numel() for weight in network.parameters())
    921600960000

    Raises:
        ModelError: a part cannot follow, with the part and the cause.
    """
    plan = planned(spec)
    if plan.trouble:
        raise ModelError(plan.trouble.sentence)
    return _chain(plan.placed, top=True)


def _chain(placed: Sequence[Placed], top: bool = False) -> nn.Sequential:
    return nn.Sequential(_named(placed, top))


def _named(placed: Sequence[Placed], top: bool = False) -> OrderedDict[str, nn.Module]:
    called = layer_names(tuple(each.part for each in placed), top)
    return OrderedDict(zip(called, map(_module, placed), strict=True))


def _module(placed: Placed) -> nn.Module:
    part = placed.part
    if part.kind == "branches":
        return JOINS[part.text("join")](_named(placed.rounds[0]))
    if part.kind == "sequence":
        if not part.inside:
            return nn.Identity()
        if len(placed.rounds) == 1:
            return _chain(placed.rounds[0])
        return nn.Sequential(*map(_round, placed.rounds))
    made = call(part, placed.input_shape)
    return made.module() if isinstance(made, Call) else layer_code.module(made)


def _round(placed: tuple[Placed, ...]) -> nn.Module:
    """One repetition: a single part needs no group of its own, unless it has a name."""
    return _module(placed[0]) if is_bare(placed) else _chain(placed)


def is_bare(placed: tuple[Placed, ...]) -> bool:
    """Whether a repetition is one part without a name, which then stands for itself."""
    return len(placed) == 1 and not placed[0].part.name


JOINS: Final[Mapping[str, type[nn.Sequential]]] = MappingProxyType(
    {"add": blocks.Add, "cat": blocks.Concatenate, "multiply": blocks.Multiply}
)
"""What joins branches."""


# The call of each kind -------------------------------------------------------------------------------


def call(part: Part, input_shape: Shape) -> Call | LayerSpec:
    """How torch makes a layer or a block for what arrives: a call, or the layer that `explorer.layer_code` writes.

    >>> call(Part("batch_norm"), (64, 56, 56)).text()
    'nn.BatchNorm2d(64)'
    """
    return layer_spec(part, input_shape) or _CALLS[part.kind](part, input_shape)


def _settings(part: Part) -> dict[str, Any]:
    """What is not as in torch by default, which is our default too."""
    return dict(part.settings)


def _activation(made: type[nn.Module]) -> Callable[[Part, Shape], Call]:
    return lambda part, shape: Call(made, (), _settings(part))


def _norm(part: Part, shape: Shape) -> Call:
    made = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return Call(made, shape[:1], _settings(part))


def _layer_norm(part: Part, shape: Shape) -> Call:
    rest = {"eps": part["eps"]} if part["eps"] != 1e-5 else {}
    if len(shape) < 3 and part["over"] == "channels":
        return Call(nn.LayerNorm, shape[-1:], rest)
    if len(shape) == 1:
        return Call(nn.LayerNorm, shape, rest)
    if part["over"] == "everything":
        return Call(nn.LayerNorm, (shape,), rest)
    return Call(blocks.LayerNorm2d, shape[:1], rest)


def _group_norm(part: Part, shape: Shape) -> Call:
    rest = {name: value for name, value in part.settings if name != "groups"}
    return Call(nn.GroupNorm, (part["groups"], shape[0]), rest)


def _scale(part: Part, shape: Shape) -> Call:
    ones = (1,) * (len(shape) - 1)
    return Call(blocks.Scale, ((shape[0], *ones),), _settings(part))


def _zero_pad(part: Part, shape: Shape) -> Call:
    sides = tuple(part[side] for side in ("left", "right", "top", "bottom"))
    return Call(nn.ZeroPad2d, (sides[0] if len(set(sides)) == 1 else sides,))


def _upsample(part: Part, shape: Shape) -> Call:
    mode = {"mode": "bilinear"} if part["mode"] == "bilinear" else {}
    return Call(nn.Upsample, (), {"scale_factor": part["scale_factor"], **mode})


def _bottleneck(part: Part, shape: Shape) -> Call:
    width, rest = part.whole("width"), {name: value for name, value in part.settings if name == "stride"}
    if part.kind == "resnext_bottleneck":
        width *= part.whole("groups")
        rest["groups"] = part["groups"]
    elif part["stride_on"] == "1×1" and part["stride"] != 1:
        rest["stride_first"] = True
    return Call(blocks.Bottleneck, (shape[0], width, part["out_channels"]), rest)


def _inverted_residual(part: Part, shape: Shape) -> Call:
    rest: dict[str, Any] = {
        name: value for name, value in part.settings if name in ("kernel_size", "stride", "eps")
    }
    activation = _MODULES[part.text("activation")]
    if activation is not nn.ReLU6:
        rest["activation"] = activation
    if squeezed := squeezed_channels(part, shape[0]):
        rest["squeezed"] = squeezed
        if part["squeeze"] == "efficientnet":
            rest["squeeze_activation"] = nn.SiLU
        else:
            rest["gate"] = nn.Hardsigmoid
    hidden = hidden_channels(part, shape[0])
    return Call(blocks.InvertedResidual, (shape[0], hidden, part["out_channels"]), rest)


def _fused_inverted_residual(part: Part, shape: Shape) -> Call:
    rest: dict[str, Any] = {
        name: value for name, value in part.settings if name in ("kernel_size", "stride", "eps")
    }
    if part["activation"] != "silu":
        rest["activation"] = _MODULES[part.text("activation")]
    hidden = hidden_channels(part, shape[0])
    return Call(blocks.FusedInvertedResidual, (shape[0], hidden, part["out_channels"]), rest)


def _regnet(part: Part, shape: Shape) -> Call:
    rest: dict[str, Any] = {name: value for name, value in part.settings if name == "stride"}
    if squeezed := squeezed_channels(part, shape[0]):
        rest["squeezed"] = squeezed
    return Call(blocks.RegNetBlock, (shape[0], part["out_channels"], regnet_groups(part)), rest)


def _in_windows(made: type[nn.Module], *positions: str) -> Callable[[Part, Shape], Call]:
    """As `_after_channels`, for the versions of Swin, which are numbers there."""

    def make(part: Part, shape: Shape) -> Call:
        rest = {name: value for name, value in part.settings if name not in positions}
        if "version" in rest:
            rest["version"] = 2
        return Call(made, (shape[0], *(part[name] for name in positions)), rest)

    return make


def _maxvit_block(part: Part, shape: Shape) -> Call:
    stride = part.whole("stride")
    grid = tuple(-(-size // stride) for size in shape[1:])
    rest = {name: value for name, value in part.settings if name != "out_channels"}
    return Call(blocks.MaxViTBlock, (shape[0], part["out_channels"], grid), rest)


def _auxiliary_head(part: Part, shape: Shape) -> Call:
    five = {"five": True} if part["style"] == "inception_v3" else {}
    return Call(blocks.AuxiliaryHead, (shape[0], part["out_features"]), five)


def _squeeze_excite(part: Part, shape: Shape) -> Call:
    rest = {name: _MODULES[str(value)] for name, value in part.settings if name in ("activation", "gate")}
    return Call(blocks.SqueezeExcitation, (shape[0], squeezed_channels(part, shape[0])), rest)


def _inception(part: Part, shape: Shape) -> Call:
    widths = [part[name] for name in ("one", "three_reduce", "three", "five_reduce", "five", "pool")]
    rest = {name: value for name, value in part.settings if name in ("five_kernel", "batch_norm")}
    return Call(blocks.Inception, (shape[0], *widths), rest)


def _after(axis: int, made: type[nn.Module], positions: tuple[str, ...]) -> Callable[[Part, Shape], Call]:
    """A call that is given this size of what arrives, these settings, and what else is set as keywords."""

    def make(part: Part, shape: Shape) -> Call:
        rest = {name: value for name, value in part.settings if name not in positions}
        return Call(made, (shape[axis], *(part[name] for name in positions)), rest)

    return make


def _after_channels(made: type[nn.Module], *positions: str) -> Callable[[Part, Shape], Call]:
    return _after(0, made, positions)


def _after_width(made: type[nn.Module], *positions: str) -> Callable[[Part, Shape], Call]:
    """For rows of numbers, and tokens: the features of each count."""
    return _after(-1, made, positions)


_MODULES: Final[Mapping[str, type[nn.Module]]] = MappingProxyType(
    {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky_relu": nn.LeakyReLU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "hardswish": nn.Hardswish,
        "hardsigmoid": nn.Hardsigmoid,
        "elu": nn.ELU,
        "scaled_tanh": blocks.ScaledTanh,
    }
)

_CALLS: Final[Mapping[str, Callable[[Part, Shape], Call]]] = MappingProxyType(
    {
        **{kind: _activation(_MODULES[kind]) for kind in ACTIVATIONS if kind in _MODULES},
        "softmax": lambda part, shape: Call(nn.Softmax, (), {"dim": 1 if len(shape) != 2 else 2}),
        "lenet_c3": lambda part, shape: Call(blocks.PartlyConnected, (), _settings(part)),
        "subsampling": lambda part, shape: Call(blocks.Subsampling, (shape[0],), _settings(part)),
        "half": lambda part, shape: Call(blocks.Half, (part["which"],)),
        "channel_shuffle": lambda part, shape: Call(blocks.ChannelShuffle, (part["groups"],)),
        "distances_to_codes": lambda part, shape: Call(blocks.DistanceToCodes),
        "auxiliary_head": _auxiliary_head,
        "tokens": lambda part, shape: Call(blocks.Tokens),
        "class_token": lambda part, shape: Call(blocks.ClassToken, shape[-1:]),
        "positions": lambda part, shape: Call(blocks.Positions, shape),
        "token_pool": lambda part, shape: Call(blocks.TakeToken, (), _settings(part)),
        "attention": _after_width(blocks.SelfAttention, "heads"),
        "window_attention": _in_windows(blocks.WindowAttention, "heads"),
        "patch_merging": _in_windows(blocks.MergePatches),
        "partition_attention": lambda part, shape: Call(
            blocks.PartitionAttention, (shape[0], shape[1:]), _settings(part)
        ),
        "global_max_pool": lambda part, shape: Call(nn.AdaptiveMaxPool2d, (1,)),
        "adaptive_max_pool": lambda part, shape: Call(nn.AdaptiveMaxPool2d, (part["output_size"],)),
        "upsample": _upsample,
        "zero_pad": _zero_pad,
        "batch_norm": _norm,
        "layer_norm": _layer_norm,
        "group_norm": _group_norm,
        "instance_norm": _after_channels(nn.InstanceNorm2d),
        "local_response_norm": lambda part, shape: Call(
            nn.LocalResponseNorm, (part["size"],), {name: v for name, v in part.settings if name != "size"}
        ),
        "scale": _scale,
        "linear": _after_width(nn.Linear, "out_features"),
        "flatten": lambda part, shape: Call(nn.Flatten),
        "dropout": lambda part, shape: Call(nn.Dropout, (), _settings(part)),
        "dropout2d": lambda part, shape: Call(nn.Dropout2d, (), _settings(part)),
        "vgg_block": _after_channels(blocks.VGGBlock, "out_channels"),
        "nin_block": _after_channels(blocks.NiNBlock, "out_channels"),
        "residual_basic": _after_channels(blocks.BasicBlock, "out_channels"),
        "residual_bottleneck": _bottleneck,
        "resnext_bottleneck": _bottleneck,
        "inverted_residual": _inverted_residual,
        "fused_inverted_residual": _fused_inverted_residual,
        "regnet": _regnet,
        "shuffle_unit": _after_channels(blocks.ShuffleUnit, "out_channels"),
        "inception": _inception,
        "dense_block": _after_channels(blocks.DenseBlock, "layers", "growth"),
        "transition": lambda part, shape: Call(blocks.Transition, (shape[0], kept_channels(part, shape[0]))),
        "squeeze_excite": _squeeze_excite,
        "convnext": _after_channels(blocks.ConvNeXtBlock),
        "separable": _after_channels(blocks.SeparableBlock, "out_channels"),
        "encoder_block": _after_width(blocks.EncoderBlock, "heads"),
        "swin_block": _in_windows(blocks.SwinBlock, "heads"),
        "maxvit_conv": _after_channels(blocks.MaxViTConv, "out_channels"),
        "maxvit_block": _maxvit_block,
    }
)
