"""VGG: nothing but 3 × 3, deeper and deeper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import Classic, SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

IDEA: Final = (
    "Stacks of 3 × 3 convolutions see as far as one large kernel, with fewer weights and more ReLUs between."
)

# columns A, B, D and E of table 1: how many convolutions of each width
_LAYERS: Final = MappingProxyType(
    {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
)
_WIDTHS: Final = (64, 128, 256, 512, 512)


def classics() -> Iterator[Classic]:
    """Two courses' VGGs; torchvision's are those of the paper."""
    entry = partial(Classic, family="VGG", year=2014, paper="simonyan2015", idea=IDEA)
    yield entry(
        "vgg16-nbis",
        "VGG-16, NBIS",
        note="NBIS’s, of blocks: the network of the paper, ReLU before dropout.",
        input_shape=(3, 224, 224),
        spec_of=partial(_of_blocks, "VGG-16, NBIS", 16, (3, 224, 224), 1000),
    )
    yield entry(
        "vgg11-dsci",
        "VGG-11, DSCI",
        note="DSCI’s, after “Dive into Deep Learning”: of blocks, for grey pictures and 10 classes.",
        input_shape=(1, 224, 224),
        spec_of=partial(_of_blocks, "VGG-11, DSCI", 11, (1, 224, 224), 10),
    )


def _of_blocks(name: str, depth: int, input_shape: tuple[int, int, int], classes: int) -> NetworkSpec:
    blocks = tuple(
        part("vgg_block", layers=layers, out_channels=width)
        for layers, width in zip(_LAYERS[depth], _WIDTHS, strict=True)
    )
    dense = (
        part("linear", out_features=4096),
        part("relu"),
        part("dropout"),
        part("linear", out_features=4096),
        part("relu"),
        part("dropout"),
        part("linear", out_features=classes),
    )
    parts = (
        part("sequence", *blocks, name="features"),
        part("flatten"),
        part("sequence", *dense, name="classifier"),
    )
    return NetworkSpec(name, input_shape, parts)


# As torchvision has them -----------------------------------------------------------------------------


def _vgg(depth: int, batch_norm: bool = False) -> NetworkSpec:
    relu = part("relu", inplace=True)
    features: list[Part] = []
    for layers, width in zip(_LAYERS[depth], _WIDTHS, strict=True):
        for _ in range(layers):
            features.append(part("conv", out_channels=width, padding=1))
            features += [part("batch_norm"), relu] if batch_norm else [relu]
        features.append(part("max_pool"))
    dense = (
        part("linear", out_features=4096),
        relu,
        part("dropout"),
        part("linear", out_features=4096),
        relu,
        part("dropout"),
        part("linear", out_features=1000),
    )
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=7, name="avgpool"),
        part("flatten"),
        part("sequence", *dense, name="classifier"),
    )
    return NetworkSpec(f"VGG-{depth}{' BN' if batch_norm else ''}", (3, 224, 224), parts)


SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType(
    {f"vgg{depth}": partial(_vgg, depth) for depth in _LAYERS}
    | {f"vgg{depth}_bn": partial(_vgg, depth, batch_norm=True) for depth in _LAYERS}
)
"""torchvision's networks of parts, by torchvision's names."""
