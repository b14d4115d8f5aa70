"""Random networks, and what torch and torchvision make of the same settings: what ours are held to.

`torch_shape` goes through a network part by part, and makes each layer with torch's own classes for the tensor that
arrives.  It knows nothing of our rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import (
    convnext,
    densenet,
    efficientnet,
    inception,
    maxvit,
    mobilenetv2,
    mobilenetv3,
    regnet,
    resnet,
    shufflenetv2,
    swin_transformer,
    vision_transformer,
)
from torchvision.models.googlenet import BasicConv2d, Inception, InceptionAux
from torchvision.ops.misc import SqueezeExcitation

from explorer.networks.parts import ACTIVATIONS, BLOCKS, GROUPS, PARTS, TOKENS
from explorer.networks.spec import NetworkSpec, Part, part

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)
KINDS = tuple(PARTS)
_SMALL: dict[str, Callable[[random.Random], Any]] = {
    "out_channels": lambda rng: rng.choice([1, 2, 4, 6, 8, 12]),
    "width": lambda rng: rng.choice([1, 2, 4]),
    "multiplier": lambda rng: rng.randint(1, 3),
    "groups": lambda rng: rng.choice([1, 1, 2, 3, 4]),
    "out_features": lambda rng: rng.randint(1, 20),
    "scale_factor": lambda rng: rng.randint(1, 3),
    "layers": lambda rng: rng.randint(1, 3),
    "growth": lambda rng: rng.randint(1, 4),
    "bottleneck": lambda rng: rng.randint(1, 4),
    "reduction": lambda rng: rng.randint(1, 8),
    "expansion": lambda rng: rng.choice([1, 2, 6]),
    "size": lambda rng: rng.choice([1, 1, 2, 3, 5, 7]),
    "dropout": lambda rng: rng.choice([0.0, 0.1]),
    "times": lambda rng: rng.choice([1, 1, 2, 3]),
    "heads": lambda rng: rng.choice([1, 1, 2, 4]),
    "head_channels": lambda rng: rng.choice([1, 1, 2, 4]),
    "group_width": lambda rng: rng.choice([1, 1, 2, 4]),
    "squeeze_ratio": lambda rng: rng.choice([0.0, 0.25]),
    "window": lambda rng: rng.choice([1, 2, 3, 7]),
    "layer_scale": lambda rng: 0.5,
    "initial": lambda rng: rng.choice([1.0, 0.25]),
    "alpha": lambda rng: rng.choice([0.5, 1.0]),
    "eps": lambda rng: rng.choice([1e-5, 1e-3]),
    "negative_slope": lambda rng: rng.choice([0.01, 0.2]),
    "compression": lambda rng: rng.choice([0.25, 0.5, 1.0]),
    **{name: lambda rng: rng.randint(0, 3) for name in ("left", "right", "top", "bottom")},
    **{
        name: lambda rng: rng.randint(1, 6)
        for name in ("one", "three_reduce", "three", "five_reduce", "five", "pool")
    },
}


def draw_part(rng: random.Random, kind: str | None = None, depth: int = 0, fitting: bool = False) -> Part:
    """A part with random settings; where `fitting`, mostly such that go with what may arrive."""
    kinds = [key for key in KINDS if key not in GROUPS] if depth > 1 else KINDS
    kind = kind or rng.choice(kinds)
    settings = {}
    for setting in PARTS[kind].settings:
        name = setting.name
        if rng.random() < 0.4 and name not in ("out_channels", "groups", "width", "growth"):
            continue
        if name in _SMALL:
            settings[name] = _SMALL[name](rng)
        elif setting.type == "switch":
            settings[name] = rng.random() < 0.5
        elif setting.type == "choice":
            settings[name] = rng.choice(setting.choices)
        elif setting.type == "whole":
            settings[name] = rng.choice([1, 3, 5]) if setting.step == 2 else rng.randint(1, 2)
        elif setting.type == "pair":
            settings[name] = _pair(rng, name, setting.choices)
    if fitting and "groups" in settings and kind != "resnext_bottleneck":
        settings["groups"] = 2 if kind == "channel_shuffle" else 1
    elif settings.get("groups") == 1 and kind == "channel_shuffle":
        settings["groups"] = 2
    if fitting:
        settings |= dict.fromkeys(settings.keys() & {"heads", "head_channels", "group_width"}, 1)
        if kind == "shuffle_unit":
            settings |= {"out_channels": 4, "stride": 2}
        if kind == "maxvit_block":
            settings |= {"window": rng.choice([1, 2]), "head_channels": 1}
        if kind == "partition_attention":
            settings |= {"size": rng.choice([1, 3]), "head_channels": 1}
    inside: tuple[Part, ...] = ()
    if kind in GROUPS:
        inside = tuple(
            draw_part(rng, depth=depth + 1, fitting=fitting) for _ in range(rng.randint(0 if depth else 1, 3))
        )
    if kind == "branches" and inside and rng.random() < 0.8:
        # branches of one shape
        inside = (inside[0],) * rng.randint(1, 3)
    return Part(kind, settings, "", inside)


def _pair(rng: random.Random, name: str, words: tuple[str, ...]) -> Any:
    if words and rng.random() < 0.3:
        return rng.choice(words)
    low, high = {
        "padding": (0, 3),
        "output_padding": (0, 1),
        "kernel_size": (1, 5),
        "output_size": (1, 6),
    }.get(name, (1, 3))
    if rng.random() < 0.6:
        return rng.randint(low, high)
    return rng.randint(low, high), rng.randint(low, high)


def draw_spec(rng: random.Random, fitting: bool = False) -> NetworkSpec:
    """A random network of one to six parts, on a small picture."""
    shape = (rng.choice([1, 2, 3, 4, 8]), rng.randint(1, 24), rng.randint(1, 24))
    parts = tuple(draw_part(rng, fitting=fitting) for _ in range(rng.randint(1, 6)))
    if rng.random() < 0.3:
        kinds = ("flatten", "linear", "batch_norm", "relu", "linear", "dropout", "softmax")
        parts += tuple(draw_part(rng, kind) for kind in kinds[: rng.randint(2, len(kinds))])
    elif rng.random() < 0.3:
        kinds = ("encoder_block", "attention", "layer_norm", "class_token", "positions", "linear", "gelu")
        tokens = tuple(draw_part(rng, rng.choice(kinds), fitting=fitting) for _ in range(rng.randint(1, 5)))
        parts += (part("tokens"), *tokens, draw_part(rng, rng.choice(("token_pool", "flatten"))))
    return NetworkSpec("Random", shape, parts)


# What torch makes of it ------------------------------------------------------------------------------


_NEED_MAPS = {"zero_pad", "dropout2d", "global_average_pool", "adaptive_average_pool"} | {
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
_DIMENSIONS = {
    **dict.fromkeys(_NEED_MAPS, (4,)),
    **dict.fromkeys(TOKENS, (3,)),
    **dict.fromkeys(PARTS.keys() - _NEED_MAPS - TOKENS, (2, 4)),
    **dict.fromkeys((*ACTIVATIONS, "layer_norm", "dropout", "flatten"), (2, 3, 4)),
    "linear": (2, 3),
    "distances_to_codes": (2,),
}
"""Dimensions of a batch that a kind reads; where torch is no judge, since it would take tokens for a map."""


def torch_run(spec: NetworkSpec, x: Tensor) -> tuple[Tensor, int]:
    """What comes out for a batch, and how many parameters torch's layers have together."""
    counted = [0]
    for each in spec.parts:
        x = _run(each, x, counted)
    return x, counted[0]


def _run(each: Part, x: Tensor, counted: list[int]) -> Tensor:
    if each.kind == "sequence":
        for _ in range(each["times"]):
            for inner in each.inside:
                x = _run(inner, x, counted)
        return x
    if each.kind == "branches":
        if not each.inside:
            raise ValueError("no branch")
        version = x._version
        outs = [_run(inner, x, counted) for inner in each.inside]
        if x._version != version and len(outs) > 1:
            raise ValueError("torch would let one branch write over what the others read")
        if len({out.dim() for out in outs}) > 1:
            raise ValueError("torch would stretch a row of numbers over a map")
        if each["join"] == "cat" and outs[0].dim() == 3:
            raise ValueError("torch would put tokens behind each other")
        if each["join"] == "cat":
            return torch.cat(outs, 1)
        total = outs[0]
        for out in outs[1:]:
            if each["join"] == "add" and out.shape != total.shape:
                raise ValueError("torch would repeat one of them; a sum of unlike shapes is refused here")
            total = total + out if each["join"] == "add" else total * out
        return total
    if x.dim() not in _DIMENSIONS[each.kind]:
        raise ValueError("torch would take a row of numbers for a map, or rows of a map for batches")
    layer = torch_layer(each, x)
    counted[0] += sum(parameter.numel() for parameter in layer.parameters())
    return layer.eval()(x)


def torch_layer(each: Part, x: Tensor) -> nn.Module:
    """torch's or torchvision's layer for one part and what arrives at it."""
    s = {setting.name: each[setting.name] for setting in each.about.settings}
    c = x.shape[1] if x.dim() == 4 else x.shape[-1]
    window = {name: s[name] for name in ("kernel_size", "stride", "padding") if name in s}
    match each.kind:
        case "conv":
            return nn.Conv2d(
                c, s["out_channels"], **window, **_some(s, "dilation", "groups", "bias", "padding_mode")
            )
        case "depthwise":
            rest = _some(s, "dilation", "bias", "padding_mode")
            return nn.Conv2d(c, c * s["multiplier"], groups=c, **window, **rest)
        case "depthwise_separable":
            rest = _some(s, "dilation", "bias", "padding_mode")
            return nn.Sequential(
                nn.Conv2d(c, c, groups=c, **window, **rest),
                nn.Conv2d(c, s["out_channels"], 1, bias=s["bias"]),
            )
        case "transposed":
            rest = _some(s, "dilation", "groups", "bias", "output_padding")
            return nn.ConvTranspose2d(c, s["out_channels"], **window, **rest)
        case "max_pool":
            return nn.MaxPool2d(**window, **_some(s, "dilation", "ceil_mode"))
        case "average_pool":
            return nn.AvgPool2d(**window, **_some(s, "ceil_mode", "count_include_pad"))
        case "global_average_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "global_max_pool":
            return nn.AdaptiveMaxPool2d(1)
        case "adaptive_average_pool":
            return nn.AdaptiveAvgPool2d(s["output_size"])
        case "adaptive_max_pool":
            return nn.AdaptiveMaxPool2d(s["output_size"])
        case "upsample":
            return nn.Upsample(scale_factor=s["scale_factor"], mode=s["mode"])
        case "zero_pad":
            return nn.ZeroPad2d((s["left"], s["right"], s["top"], s["bottom"]))
        case "batch_norm":
            return (nn.BatchNorm2d if x.dim() == 4 else nn.BatchNorm1d)(c, **s)
        case "layer_norm":
            if s["over"] == "everything":
                return nn.LayerNorm(x.shape[1:], eps=s["eps"])
            return convnext.LayerNorm2d(c, eps=s["eps"]) if x.dim() == 4 else nn.LayerNorm(c, eps=s["eps"])
        case "group_norm":
            return nn.GroupNorm(s["groups"], c, s["eps"], s["affine"])
        case "instance_norm":
            return nn.InstanceNorm2d(c, s["eps"], affine=s["affine"])
        case "local_response_norm":
            return nn.LocalResponseNorm(**s)
        case "scale":
            return _Scaled(x)
        case "linear":
            return nn.Linear(c, s["out_features"], s["bias"])
        case "flatten":
            return nn.Flatten()
        case "dropout":
            return nn.Dropout(s["p"])
        case "dropout2d":
            return nn.Dropout2d(s["p"])
        case "softmax":
            return nn.Softmax(2 if x.dim() == 3 else 1)
        case "scaled_tanh":
            return _Pointwise(lambda x: 1.7159 * torch.tanh(x * 2 / 3))
        case "channel_shuffle":
            if c % s["groups"]:
                raise ValueError("groups")
            return _Pointwise(lambda x: shufflenetv2.channel_shuffle(x, s["groups"]).clone())
        case "half":
            if c % 2:
                raise ValueError("no half")
            first = s["which"] == "first"
            return _Pointwise(lambda x: x[:, : c // 2] if first else x[:, c // 2 :])
        case "subsampling":
            return _Subsampled(c, s["kernel_size"])
        case "lenet_c3":
            return _Table(c, s["kernel_size"])
        case "distances_to_codes":
            return _Distances(c)
        case "auxiliary_head":
            return _Aside(c, s, x)
        case "tokens":
            return _Pointwise(lambda x: torch.flatten(x, 2).mT)
        case "class_token":
            return _Token(c, x)
        case "positions":
            return _Added(x)
        case "token_pool":
            return _Pointwise(lambda x: x[:, 0, :] if s["take"] == "first" else torch.mean(x, 1))
        case "attention":
            if c % s["heads"]:
                raise ValueError("heads that do not divide the features")
            return _Asked(nn.MultiheadAttention(c, s["heads"], batch_first=True))
        case "window_attention":
            return _ChannelsLast(_attention(s, c))
        case "patch_merging":
            merging = {"1": swin_transformer.PatchMerging, "2": swin_transformer.PatchMergingV2}
            return _ChannelsLast(merging[s["version"]](c))
        case "partition_attention":
            rows, columns = x.shape[2:]
            if rows % s["size"] or columns % s["size"]:
                raise ValueError("torchvision says that nobody knows what happens")
            if rows != columns and s["across"] == "grid":
                raise ValueError("torchvision counts windows along the rows alone")
            chances = (0.0, 0.0, 0.0)
            return maxvit.PartitionAttentionLayer(
                c,
                s["head_channels"],
                s["size"],
                s["across"],
                (rows, columns),
                s["expansion"],
                nn.GELU,
                nn.LayerNorm,
                *chances,
            )
    if each.kind in ACTIVATIONS:
        function = getattr(F, "hardtanh" if each.kind == "relu6" else each.kind)
        return _Pointwise(partial(function, inplace=True) if s.get("inplace") else function)
    return torchvision_block(each, c, tuple(x.shape[2:]))


def _attention(s: dict[str, Any], c: int) -> nn.Module:
    made = {"1": swin_transformer.ShiftedWindowAttention, "2": swin_transformer.ShiftedWindowAttentionV2}
    if c % s["heads"]:
        raise ValueError("heads that do not divide the channels")
    shift = s["window"] // 2 * s["shifted"]
    return made[s["version"]](c, [s["window"]] * 2, [shift, shift], s["heads"])


class _ChannelsLast(nn.Module):
    """A layer of Swin, which reads channels last, on a map."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.movedim(1, 3)).movedim(3, 1)


class _Subsampled(nn.Module):
    def __init__(self, c: int, kernel: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c, 1, 1)), nn.Parameter(torch.zeros(c, 1, 1))
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.kernel) * self.kernel**2 * self.weight + self.bias


class _Table(nn.Module):
    """A convolution for each map of C3 that reads the maps of S2 marked in table I of LeCun et al. 1998."""

    ROWS = "X...XXX..XXXX.XX XX...XXX..XXXX.X XXX...XXX..X.XXX .XXX..XXXX..X.XX ..XXX..XXXX.XX.X ...XXX..XXXX.XXX"

    def __init__(self, c: int, kernel: int) -> None:
        super().__init__()
        if c != 6:
            raise ValueError("the table has six rows")
        rows = self.ROWS.split()
        self.reads = [[s2 for s2 in range(6) if rows[s2][c3] == "X"] for c3 in range(16)]
        self.layers = nn.ModuleList(nn.Conv2d(len(reads), 1, kernel) for reads in self.reads)

    def forward(self, x: Tensor) -> Tensor:
        # the paper's order of the maps read is left open: that of the table's wheel, on from the first
        outs = []
        for layer, reads in zip(self.layers, self.reads, strict=True):
            outs.append(layer(x[:, reads]))
        return torch.cat(outs, 1)


class _Distances(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        if c != 84:
            raise ValueError("7 × 12 pixels")

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :10] * 0


class _Aside(nn.Module):
    """torchvision's own head, tried as training would, and what arrived."""

    def __init__(self, c: int, s: dict[str, Any], x: Tensor) -> None:
        super().__init__()
        if s["style"] == "inception_v3":
            self.head: nn.Module = inception.InceptionAux(c, s["out_features"])
        else:
            self.head = InceptionAux(c, s["out_features"])
        self.head.to(x.device)(torch.zeros(2, *x.shape[1:], device=x.device))

    def forward(self, x: Tensor) -> Tensor:
        return x


class _Token(nn.Module):
    def __init__(self, c: int, x: Tensor) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(c, device=x.device))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.repeat(len(x), 1, 1), x], 1)


class _Added(nn.Module):
    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(x.shape[1:], device=x.device))

    def forward(self, x: Tensor) -> Tensor:
        return self.rows + x


class _Asked(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]


class _Scaled(nn.Module):
    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(x.shape[1], device=x.device))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.view(-1, *[1] * (x.dim() - 2))


class _Pointwise(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _some(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: settings[name] for name in names}


def torchvision_block(each: Part, c: int, sizes: tuple[int, ...] = ()) -> nn.Module:
    """torchvision's block for the settings, or one put together of torch's layers where torchvision has none."""
    s = {setting.name: each[setting.name] for setting in each.about.settings}
    out, stride = s.get("out_channels", c), s.get("stride", 1)
    match each.kind:
        case "vgg_block":
            layers: list[nn.Module] = []
            for number in range(s["layers"]):
                layers.append(nn.Conv2d(c if number == 0 else out, out, 3, padding=1))
                layers += [nn.BatchNorm2d(out)] * s["batch_norm"] + [nn.ReLU()]
            return nn.Sequential(*layers, nn.MaxPool2d(2))
        case "nin_block":
            first = nn.Conv2d(c, out, s["kernel_size"], stride, s["padding"])
            ones = [nn.ReLU(), nn.Conv2d(out, out, 1), nn.ReLU(), nn.Conv2d(out, out, 1), nn.ReLU()]
            return nn.Sequential(first, *ones)
        case "residual_basic":
            return resnet.BasicBlock(c, out, stride, _downsample(c, out, stride))
        case "residual_bottleneck" | "resnext_bottleneck":
            groups = s.get("groups", 1)
            block = resnet.Bottleneck(c, 64, stride, _downsample(c, 256, stride), groups, s["width"])
            return _with_outputs(block, c, s["width"] * groups, out, stride, s.get("stride_on"), groups)
        case "inverted_residual":
            return _inverted(s, c, out, stride)
        case "fused_inverted_residual":
            return _fused(s, c, out, stride)
        case "regnet":
            if out % s["group_width"]:
                raise ValueError("torchvision would take another number of groups")
            ratio = max(s["squeeze_ratio"], 1 / c) if s["squeeze_ratio"] else None
            made: list[Any] = [nn.BatchNorm2d, nn.ReLU]
            return regnet.ResBottleneckBlock(c, out, stride, *made, s["group_width"], 1.0, ratio)
        case "shuffle_unit":
            if out % 2:
                raise ValueError("torchvision would drop a channel")
            return shufflenetv2.InvertedResidual(c, out, stride)
        case "encoder_block":
            inside = s["expansion"] * c
            if c % s["heads"]:
                raise ValueError("heads that do not divide the features")
            return vision_transformer.EncoderBlock(s["heads"], c, inside, s["dropout"], 0.0)
        case "swin_block":
            if c % s["heads"]:
                raise ValueError("heads that do not divide the channels")
            block = {
                "1": swin_transformer.SwinTransformerBlock,
                "2": swin_transformer.SwinTransformerBlockV2,
            }[s["version"]]
            shift = s["window"] // 2 * s["shifted"]
            return _ChannelsLast(block(c, s["heads"], [s["window"]] * 2, [shift] * 2, s["expansion"]))
        case "maxvit_conv":
            return _maxvit_conv(s, c, out, stride)
        case "maxvit_block":
            grid = [-(-size // stride) for size in sizes]
            kinds = (
                part("partition_attention", across=across, size=s["window"], head_channels=s["head_channels"])
                for across in ("window", "grid")
            )
            attention = (torch_layer(kind, torch.empty(1, out, *grid, device="meta")) for kind in kinds)
            return nn.Sequential(_maxvit_conv(s, c, out, stride), *attention)
        case "inception":
            if s["batch_norm"]:
                conv: Any = BasicConv2d
            else:
                conv = _PlainConv
            widths = [s[name] for name in ("one", "three_reduce", "three", "five_reduce", "five", "pool")]
            block = Inception(c, *widths, conv_block=conv)
            kernel = s["five_kernel"]
            block.branch3[1] = conv(s["five_reduce"], s["five"], kernel_size=kernel, padding=kernel // 2)
            return block
        case "dense_block":
            return densenet._DenseBlock(s["layers"], c, s["bottleneck"], s["growth"], 0.0)
        case "transition":
            return densenet._Transition(c, max(1, int(c * s["compression"])))
        case "squeeze_excite":
            activation = {"relu": nn.ReLU, "silu": nn.SiLU}[s["activation"]]
            gate = {"sigmoid": nn.Sigmoid, "hardsigmoid": nn.Hardsigmoid}[s["gate"]]
            return SqueezeExcitation(c, max(1, c // s["reduction"]), activation, gate)
        case "convnext":
            block = convnext.CNBlock(c, s["layer_scale"], 0.0)
            inner, kernel = s["expansion"] * c, s["kernel_size"]
            block.block[0] = nn.Conv2d(c, c, kernel, padding=kernel // 2, groups=c)
            block.block[3], block.block[5] = nn.Linear(c, inner), nn.Linear(inner, c)
            return block
        case "separable":
            depthwise = mobilenetv2.Conv2dNormActivation(c, c, stride=stride, groups=c)
            return nn.Sequential(depthwise, mobilenetv2.Conv2dNormActivation(c, out, 1))
    raise AssertionError(f"no oracle for {each.kind}")


def _downsample(c: int, out: int, stride: int) -> nn.Module | None:
    if stride == 1 and c == out:
        return None
    return nn.Sequential(nn.Conv2d(c, out, 1, stride, bias=False), nn.BatchNorm2d(out))


def _with_outputs(
    block: Any, c: int, width: int, out: int, stride: int, stride_on: str | None, groups: int
) -> nn.Module:
    """torchvision's bottleneck with any number of output channels: its own has four times the planes."""
    first, second = (stride, 1) if stride_on == "1×1" else (1, stride)
    block.conv1 = nn.Conv2d(c, width, 1, first, bias=False)
    block.bn1 = nn.BatchNorm2d(width)
    block.conv2 = nn.Conv2d(width, width, 3, second, 1, groups=groups, bias=False)
    block.bn2 = nn.BatchNorm2d(width)
    block.conv3 = nn.Conv2d(width, out, 1, bias=False)
    block.bn3 = nn.BatchNorm2d(out)
    block.downsample = _downsample(c, out, stride)
    return block


class _PlainConv(nn.Module):
    """GoogLeNet's convolution as published: a bias, no batch norm."""

    def __init__(self, in_channels: int, out_channels: int, **window: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, **window)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


def _inverted(s: dict[str, Any], c: int, out: int, stride: int) -> nn.Module:
    hidden = round(c * s["expansion"])
    activation = {"relu6": nn.ReLU6, "relu": nn.ReLU, "hardswish": nn.Hardswish, "silu": nn.SiLU}

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=s["eps"])

    act, kernel = activation[s["activation"]], s["kernel_size"]
    layers: list[nn.Module] = []
    made = mobilenetv3.Conv2dNormActivation
    if hidden != c:
        layers.append(made(c, hidden, 1, norm_layer=norm, activation_layer=act))
    layers.append(made(hidden, hidden, kernel, stride, groups=hidden, norm_layer=norm, activation_layer=act))
    if s["squeeze"] == "mobilenet_v3":
        squeezed = mobilenetv2._make_divisible(hidden // 4, 8)
        layers.append(SqueezeExcitation(hidden, squeezed, nn.ReLU, nn.Hardsigmoid))
    if s["squeeze"] == "efficientnet":
        layers.append(SqueezeExcitation(hidden, max(1, c // 4), nn.SiLU, nn.Sigmoid))
    layers.append(made(hidden, out, 1, norm_layer=norm, activation_layer=None))
    body = nn.Sequential(*layers)
    if stride != 1 or c != out:
        return body
    return _Summed(body)


def _fused(s: dict[str, Any], c: int, out: int, stride: int) -> nn.Module:
    hidden = round(c * s["expansion"])
    act = {"relu6": nn.ReLU6, "relu": nn.ReLU, "hardswish": nn.Hardswish, "silu": nn.SiLU}[s["activation"]]

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=s["eps"])

    made = efficientnet.Conv2dNormActivation
    layers = [
        made(
            c, out if hidden == c else hidden, s["kernel_size"], stride, norm_layer=norm, activation_layer=act
        )
    ]
    if hidden != c:
        layers.append(made(hidden, out, 1, norm_layer=norm, activation_layer=None))
    body = nn.Sequential(*layers)
    return body if stride != 1 or c != out else _Summed(body)


def _maxvit_conv(s: dict[str, Any], c: int, out: int, stride: int) -> nn.Module:
    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3)

    return maxvit.MBConv(c, out, s["expansion"], max(0.25, 1 / out), stride, nn.GELU, norm)


class _Summed(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
