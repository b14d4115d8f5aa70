"""Every classification network of torchvision, by rule, and the one that is installed with the app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from torch import nn
from torchvision import models

from explorer.families import FAMILIES, Family
from explorer.models import CATALOGUE, DEFAULT_MODEL
from explorer.networks.classics import alexnet, efficient, inception, mobile, residual, transformers, vgg
from explorer.networks.classics.entry import Classic, Shape, SpecOf

SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {
        **alexnet.SPECS,
        **vgg.SPECS,
        **inception.SPECS,
        **residual.SPECS,
        **mobile.SPECS,
        **efficient.SPECS,
        **transformers.SPECS,
    }
)
"""torchvision's networks of parts, by key."""

IDEAS: Final = MappingProxyType(
    {
        "AlexNet": alexnet.IDEA,
        "VGG": vgg.IDEA,
        "GoogLeNet": inception.IDEA,
        "Inception": "Large kernels are factored into small and one-sided ones, and batch norm is everywhere.",
        "ResNet": residual.IDEA,
        "SqueezeNet": "Layers of few 1 × 1 filters squeeze the channels before any 3 × 3 has to read them.",
        "Wide ResNet": "Twice as wide in the middle of each block: width in the place of depth.",
        "DenseNet": "Every layer reads what all before it made, so each needs to add only a few channels.",
        "ResNeXt": "A bottleneck in 32 or more groups: many small paths for the price of a few wide ones.",
        "MobileNetV2": "Blocks widen, filter each channel alone and narrow again; shortcuts join the narrow ends.",
        "ShuffleNet V2": "Half of the channels pass untouched, and a shuffle mixes the halves: fast, not only frugal.",
        "MnasNet": "Found by a search that measured how fast each candidate runs on a telephone.",
        "MobileNetV3": "MobileNetV2’s blocks, searched again, with squeeze and excite and a swish of straight lines.",
        "EfficientNet": "Depth, width and picture grow together, each by a fixed power of one number.",
        "EfficientNet-Lite": "EfficientNet for integer arithmetic: ReLU6, and no squeeze and excite.",
        "RegNet": "No single network was searched but the rule that sets widths and depths of good ones.",
        "ViT": "A picture is a sentence of patches: attention between all of them, and no convolution but the first.",
        "Swin": "Attention within small windows that shift from layer to layer, on maps that shrink as in a ConvNet.",
        "EfficientNetV2": "Early blocks use plain 3 × 3 convolutions again, which accelerators run faster.",
        "Swin V2": "Swin made steadier: cosine attention, norms after the blocks, positions on a log scale.",
        "ConvNeXt": "A ResNet with a transformer’s habits: 7 × 7 depthwise, layer norm, GELU, few activations.",
        "MaxViT": "Convolution, attention within windows, attention across a grid: in every block.",
    }
)
"""What was new, in one sentence, by family."""

_HEADS: Final = MappingProxyType({"googlenet": "two auxiliary heads", "inception_v3": "one auxiliary head"})
"""Networks whose builder adds classifiers that training alone uses."""


def classics() -> Iterator[Classic]:
    """One entry for each builder of torchvision; two for those with auxiliary heads; and EfficientNet-Lite0."""
    for family in FAMILIES:
        for name, title in family.members.items():
            if name in _HEADS:
                heads = _HEADS[name]
                yield _entry(family, name, title, f"without {heads}, as it is used", aux_logits=False)
                yield _entry(family, name, title, f"with {heads}, as it is trained", aux_logits=True)
            else:
                yield _entry(family, name, title)
    card = CATALOGUE[DEFAULT_MODEL]
    yield Classic(
        DEFAULT_MODEL,
        card.name,
        card.family,
        card.year,
        card.paper,
        IDEAS[card.family],
        "timm’s, which pads as TensorFlow does; the network that is installed with this app.",
        (3, card.preprocessing.crop, card.preprocessing.crop),
        spec_of=partial(efficient.lite0, card.name),
        module_of=_embedded,
        line=f'import timm\n\nnetwork = timm.create_model("{card.architecture}")\n',
    )


def _entry(family: Family, name: str, title: str, heads: str = "", aux_logits: bool | None = None) -> Classic:
    key = f"{name}-no-aux" if aux_logits is False else name
    notes = "As torchvision builds it" + (f", {heads}." if heads else "."), family.note
    return Classic(
        key,
        f"{title}, {heads.partition(',')[0]}" if aux_logits else title,
        family.name,
        family.year,
        family.paper,
        IDEAS[family.name],
        " ".join(note for note in notes if note),
        _input_shape(name),
        SPECS[key],
        partial(_torchvision, name, aux_logits),
        line=f'from torchvision import models\n\nnetwork = models.get_model("{name}"{_written(aux_logits)})\n',
    )


def _written(aux_logits: bool | None) -> str:
    return "" if aux_logits is None else f", aux_logits={aux_logits}, init_weights=False"


def _input_shape(name: str) -> Shape:
    """The smallest picture that one of its weights entries was made for: what a ViT's builder counts with, too."""
    side = min(entry.transforms().crop_size[0] for entry in models.get_model_weights(name))
    return 3, side, side


def _torchvision(name: str, aux_logits: bool | None) -> nn.Module:
    # with heads, torchvision warns of a slow initialisation unless it is told whether to
    heads = {} if aux_logits is None else {"aux_logits": aux_logits, "init_weights": False}
    network: nn.Module = models.get_model(name, weights=None, **heads)
    return network


def _embedded() -> nn.Module:
    import timm  # half a second that no other entry needs

    network: nn.Module = timm.create_model(CATALOGUE[DEFAULT_MODEL].architecture)
    return network
