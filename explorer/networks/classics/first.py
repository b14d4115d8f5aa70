"""The first networks: dense ones, and the convolutional ones that read digits."""

from __future__ import annotations

from collections.abc import Iterator

from explorer.networks.classics.entry import Classic
from explorer.networks.spec import NetworkSpec, Part, part

_DENSE = "Every output reads every pixel: what it costs grows with the picture, and neighbours mean nothing."
_LENET = (
    "Small windows whose weights are shared by all places, with subsampling between them, learned end to end."
)


def classics() -> Iterator[Classic]:
    """The dense networks of a course, LeNet-5 in two forms, and a course's small ConvNet."""
    yield Classic(
        "mlp",
        "MLP 784-256-10",
        "Dense networks",
        1986,
        "rumelhart1986",
        _DENSE,
        "NBIS’s: one hidden layer, for MNIST.",
        (1, 28, 28),
        _mlp,
    )
    yield Classic(
        "dense-480x640",
        "One dense layer, 480 × 640",
        "Dense networks",
        1986,
        "rumelhart1986",
        _DENSE,
        "NBIS’s argument for convolutions: a colour photograph straight into 1,000 numbers.",
        (3, 480, 640),
        _dense_480x640,
    )
    yield Classic(
        "lenet5-1998",
        "LeNet-5, as published",
        "LeNet",
        1998,
        "lecun1998",
        _LENET,
        "With the table of which maps C3 reads, learned subsampling, the scaled tanh, and outputs that are squared "
        "distances to ten fixed codes.  The codes are pictures of digits as in the paper, but drawn by us; how it "
        "was trained is not modelled.",
        (1, 32, 32),
        spec_of=_lenet5_1998,
    )
    yield Classic(
        "lenet5",
        "LeNet-5, as it is taught",
        "LeNet",
        1998,
        "lecun1998",
        _LENET,
        "C3 reads all maps, pooling is a plain mean without weights, and the last layer is dense.",
        (1, 32, 32),
        _lenet5,
    )
    yield Classic(
        "convnet",
        "ConvNet for MNIST",
        "LeNet",
        1998,
        "lecun1998",
        _LENET,
        "NBIS’s: two convolutions with ReLU and max pooling, two dense layers.",
        (1, 28, 28),
        _convnet,
    )


# Of parts --------------------------------------------------------------------------------------------


def _mlp() -> NetworkSpec:
    return NetworkSpec(
        "MLP 784-256-10",
        (1, 28, 28),
        (
            part("flatten"),
            part("linear", name="hidden", out_features=256),
            part("relu"),
            part("linear", name="output", out_features=10),
        ),
    )


def _dense_480x640() -> NetworkSpec:
    parts = part("flatten"), part("linear", name="output", out_features=1000)
    return NetworkSpec("One dense layer, 480 × 640", (3, 480, 640), parts)


def _lenet5() -> NetworkSpec:
    def dense(name: str, features: int) -> Part:
        return part("linear", name=name, out_features=features)

    return NetworkSpec(
        "LeNet-5",
        (1, 32, 32),
        (
            part("conv", name="c1", out_channels=6, kernel_size=5),
            part("tanh"),
            part("average_pool", name="s2"),
            part("conv", name="c3", out_channels=16, kernel_size=5),
            part("tanh"),
            part("average_pool", name="s4"),
            part("flatten"),
            dense("c5", 120),
            part("tanh"),
            dense("f6", 84),
            part("tanh"),
            dense("output", 10),
        ),
    )


def _convnet() -> NetworkSpec:
    return NetworkSpec(
        "ConvNet for MNIST",
        (1, 28, 28),
        (
            part("conv", out_channels=32, kernel_size=5, padding=2),
            part("relu"),
            part("max_pool"),
            part("conv", out_channels=64, padding=1),
            part("relu"),
            part("max_pool"),
            part("flatten"),
            part("linear", name="hidden", out_features=256),
            part("relu"),
            part("linear", name="output", out_features=10),
        ),
    )


# LeNet-5 as published --------------------------------------------------------------------------------


def _lenet5_1998() -> NetworkSpec:
    """Section II.B, figure 2 and table I of the paper."""

    def squash(after: str) -> Part:
        return part("scaled_tanh", name=f"{after}_squash")

    return NetworkSpec(
        "LeNet-5, as published",
        (1, 32, 32),
        (
            part("conv", name="c1", out_channels=6, kernel_size=5),
            squash("c1"),
            part("subsampling", name="s2"),
            squash("s2"),
            part("lenet_c3", name="c3"),
            squash("c3"),
            part("subsampling", name="s4"),
            squash("s4"),
            part("conv", name="c5", out_channels=120, kernel_size=5),
            squash("c5"),
            part("flatten", name="flatten"),
            part("linear", name="f6", out_features=84),
            squash("f6"),
            part("distances_to_codes", name="output"),
        ),
    )
