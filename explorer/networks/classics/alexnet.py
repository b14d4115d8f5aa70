"""AlexNet: as it was trained on two cards, as it is drawn on slides, and as courses type it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from explorer.networks.classics.entry import Classic, SpecOf
from explorer.networks.spec import NetworkSpec, Part, part

IDEA: Final = (
    "Deep convolutions on a million photographs: ReLU, dropout and graphics cards made them trainable."
)

# torch divides alpha by the size of the neighbourhood, the paper does not
_LRN: Final = part("local_response_norm", size=5, alpha=5e-4, beta=0.75, k=2.0)


def classics() -> Iterator[Classic]:
    """Four AlexNets; torchvision's is the fifth."""
    entry = partial(Classic, family="AlexNet", year=2012, paper="krizhevsky2012", idea=IDEA)
    yield entry(
        "alexnet-2012",
        "AlexNet, two towers",
        note="As published: layers 2, 4 and 5 read only the half of the maps on their own card (groups of 2), with "
        "local response normalisation.  The paper prints 224 pixels; its sizes need 227.",
        input_shape=(3, 227, 227),
        spec_of=partial(_alexnet, "AlexNet, two towers", 2, normalised=True),
    )
    yield entry(
        "alexnet-one-tower",
        "AlexNet, one tower",
        note="As slides draw it: every layer reads all maps, and nothing is normalised.",
        input_shape=(3, 227, 227),
        spec_of=partial(_alexnet, "AlexNet, one tower", 1),
    )
    yield entry(
        "alexnet-dsci",
        "AlexNet, DSCI",
        note="DSCI’s, after “Dive into Deep Learning”: grey pictures, padding of 1 in the first layer, 10 classes.",
        input_shape=(1, 224, 224),
        spec_of=_dsci,
    )
    yield entry(
        "alexnet-tutorial",
        "AlexNet, a Keras tutorial",
        note="A variant that many tutorials copy, and where a count of 28 million comes from: 11 × 11 in the second "
        "layer too, and no padding, so that one pixel is left.",
        input_shape=(3, 224, 224),
        spec_of=_tutorial,
    )


def _alexnet(name: str, groups: int, normalised: bool = False) -> NetworkSpec:
    norm = (_LRN,) if normalised else ()
    pool = part("max_pool", kernel_size=3)

    def conv(filters: int, kernel_size: int, groups: int = 1) -> tuple[Part, Part]:
        window = {"kernel_size": kernel_size, "padding": kernel_size // 2}
        return Part("conv", {"out_channels": filters, "groups": groups, **window}), part("relu")

    features = (
        part("conv", out_channels=96, kernel_size=11, stride=4),
        part("relu"),
        *norm,
        pool,
        *conv(256, 5, groups),
        *norm,
        pool,
        *conv(384, 3),
        *conv(384, 3, groups),
        *conv(256, 3, groups),
        pool,
    )
    return NetworkSpec(name, (3, 227, 227), (part("sequence", *features, name="features"), *_head(1000)))


def _dsci() -> NetworkSpec:
    pool = part("max_pool", kernel_size=3)
    features = (
        part("conv", out_channels=96, kernel_size=11, stride=4, padding=1),
        part("relu"),
        pool,
        part("conv", out_channels=256, kernel_size=5, padding=2),
        part("relu"),
        pool,
        part("conv", out_channels=384, padding=1),
        part("relu"),
        part("conv", out_channels=384, padding=1),
        part("relu"),
        part("conv", out_channels=256, padding=1),
        part("relu"),
        pool,
    )
    return NetworkSpec(
        "AlexNet, DSCI", (1, 224, 224), (part("sequence", *features, name="features"), *_head(10))
    )


def _tutorial() -> NetworkSpec:
    features = (
        part("conv", out_channels=96, kernel_size=11, stride=4),
        part("relu"),
        part("max_pool"),
        part("conv", out_channels=256, kernel_size=11),
        part("relu"),
        part("max_pool"),
        part("conv", out_channels=384),
        part("relu"),
        part("conv", out_channels=384),
        part("relu"),
        part("conv", out_channels=256),
        part("relu"),
        part("max_pool"),
    )
    parts = part("sequence", *features, name="features"), *_head(1000)
    return NetworkSpec("AlexNet, a Keras tutorial", (3, 224, 224), parts)


def _head(classes: int) -> tuple[Part, Part]:
    dense = (
        part("linear", out_features=4096),
        part("relu"),
        part("dropout"),
        part("linear", out_features=4096),
        part("relu"),
        part("dropout"),
        part("linear", out_features=classes),
    )
    return part("flatten"), part("sequence", *dense, name="classifier")


# As torchvision has it -------------------------------------------------------------------------------


def _torchvision() -> NetworkSpec:
    pool, relu = part("max_pool", kernel_size=3), part("relu", inplace=True)
    features = (
        part("conv", out_channels=64, kernel_size=11, stride=4, padding=2),
        relu,
        pool,
        part("conv", out_channels=192, kernel_size=5, padding=2),
        relu,
        pool,
        part("conv", out_channels=384, padding=1),
        relu,
        part("conv", out_channels=256, padding=1),
        relu,
        part("conv", out_channels=256, padding=1),
        relu,
        pool,
    )
    dense = (
        part("dropout"),
        part("linear", out_features=4096),
        relu,
        part("dropout"),
        part("linear", out_features=4096),
        relu,
        part("linear", out_features=1000),
    )
    parts = (
        part("sequence", *features, name="features"),
        part("adaptive_average_pool", output_size=6, name="avgpool"),
        part("flatten"),
        part("sequence", *dense, name="classifier"),
    )
    return NetworkSpec("AlexNet", (3, 224, 224), parts)


SPECS: Final[Mapping[str, SpecOf]] = MappingProxyType({"alexnet": _torchvision})
"""torchvision's networks of parts, by torchvision's names."""
