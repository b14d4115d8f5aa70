"""A layer in torch: the module itself, and the line that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from explorer.layers import ADAPTIVE, MASKED, POOLS, LayerSpec, live_weights, parts

if TYPE_CHECKING:
    from torch import nn

_Call = tuple[str, tuple[int, ...], dict[str, Any]]  # a class of torch.nn, its positions, its keywords

# what torch.nn's layers do where a field is not named
_DEFAULTS: Final[Mapping[str, Any]] = {
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
    "padding_mode": "zeros",
    "output_padding": 0,
    "ceil_mode": False,
    "count_include_pad": True,
}


def module(spec: LayerSpec) -> nn.Module:
    """The layer as torch makes it, on its default device and with its random weights.

    A masked convolution is torch's own, pruned: `weight_orig` are the weights, `weight_mask` lets through those that
    count, at every forward.

    >>> module(LayerSpec(kernel_size=(3, 1)))
    Conv2d(3, 10, kernel_size=(3, 1), stride=(1, 1))
    """
    import torch
    from torch import nn
    from torch.nn.utils import prune

    layers = [
        getattr(nn, name)(*positions, **keywords) for name, positions, keywords in map(_call, parts(spec))
    ]
    if spec.kind in MASKED:
        mask = torch.as_tensor(live_weights(spec), device=layers[0].weight.device)
        prune.custom_from_mask(layers[0], "weight", mask.expand_as(layers[0].weight))  # type: ignore[no-untyped-call]
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def code(spec: LayerSpec) -> str:
    """The expression that makes the layer with `torch` and `torch.nn as nn`, what is torch's default left out.

    A masked layer needs one more import, in the lines before the expression.

    >>> code(LayerSpec(kernel_size=5, padding=2))
    'nn.Conv2d(3, 10, kernel_size=5, padding=2)'
    >>> print(code(LayerSpec("masked_a", in_channels=1, out_channels=16, kernel_size=7, padding=3)))
    from torch.nn.utils import prune
    <BLANKLINE>
    prune.custom_from_mask(
        nn.Conv2d(1, 16, kernel_size=7, padding=3),
        "weight",
        (torch.arange(49) < 24).reshape(7, 7).expand(16, 1, 7, 7),
    )
    """
    layers = []
    for name, positions, keywords in map(_call, parts(spec)):
        named = (f"{key}={_text(value)}" for key, value in keywords.items())
        layers.append(f"nn.{name}({', '.join([*map(str, positions), *named])})")
    if spec.kind in MASKED:
        live = live_weights(spec)
        weights = (spec.out_channels, spec.in_channels, *spec.kernel_size)
        return (
            "from torch.nn.utils import prune\n\n"
            f'prune.custom_from_mask(\n    {layers[0]},\n    "weight",\n'
            # in reading order, weights that count come first
            f"    (torch.arange({live.size}) < {live.sum()}).reshape{spec.kernel_size}.expand{weights},\n)"
        )
    if len(layers) == 1:
        return layers[0]
    return "nn.Sequential(\n" + "".join(f"    {layer},\n" for layer in layers) + ")"


def _call(spec: LayerSpec) -> _Call:
    channels = (spec.in_channels, spec.out_channels)
    window = ("kernel_size", "stride", "padding", "dilation")
    rank = f"{spec.dimensions}d"
    if spec.kind in ADAPTIVE:
        return (f"AdaptiveAvgPool{rank}", (), _keywords(spec, "output_size"))
    if spec.kind == "max_pool":
        return (f"MaxPool{rank}", (), _keywords(spec, *window, "ceil_mode"))
    if spec.kind == "average_pool":
        return (f"AvgPool{rank}", (), _keywords(spec, *window[:3], "ceil_mode", "count_include_pad"))
    if spec.kind == "transposed":
        return (
            f"ConvTranspose{rank}",
            channels,
            _keywords(spec, *window, "output_padding", "groups", "bias"),
        )
    return (f"Conv{rank}", channels, _keywords(spec, *window, "groups", "bias", "padding_mode"))


def _keywords(spec: LayerSpec, *names: str) -> dict[str, Any]:
    """These fields as keywords, one number where all axes have the same, torch's defaults left out."""
    # the stride of a pooling is its window, if it is not named
    default = {**_DEFAULTS, "stride": _short(spec.kernel_size) if spec.kind in POOLS else 1}
    values = {name: _short(getattr(spec, name)) for name in names}
    return {name: value for name, value in values.items() if name not in default or value != default[name]}


def _short(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
