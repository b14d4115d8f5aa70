"""The first networks: dense ones, and the convolutional ones that read digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn

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
        module_of=LeNet5,
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

# 5 × 7 pixels a digit, a row in each pair of hexadecimal digits
_DIGITS: Final = (
    "0E11131519110E",
    "040C040404040E",
    "0E11010204081F",
    "1F02040201110E",
    "02060A121F0202",
    "1F101E0101110E",
    "0608101E11110E",
    "1F010204080808",
    "0E11110E11110E",
    "0E11110F01020C",
)


class LeNet5(nn.Module):
    """LeNet-5: (batch, 1, 32, 32) to ten squared distances, of which the smallest is the answer.

    Source: LeCun et al. 1998, section II.B, figure 2 and table I.
    """

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c1_squash = ScaledTanh()
        self.s2 = Subsampling(6)
        self.s2_squash = ScaledTanh()
        self.c3 = PartlyConnected()
        self.c3_squash = ScaledTanh()
        self.s4 = Subsampling(16)
        self.s4_squash = ScaledTanh()
        self.c5 = nn.Conv2d(16, 120, 5)
        self.c5_squash = ScaledTanh()
        self.flatten = nn.Flatten()
        self.f6 = nn.Linear(120, 84)
        self.f6_squash = ScaledTanh()
        self.output = DistanceToCodes()

    def forward(self, picture: Tensor) -> Tensor:
        maps = self.s2_squash(self.s2(self.c1_squash(self.c1(picture))))
        maps = self.s4_squash(self.s4(self.c3_squash(self.c3(maps))))
        features = self.flatten(self.c5_squash(self.c5(maps)))
        distances: Tensor = self.output(self.f6_squash(self.f6(features)))
        return distances


class ScaledTanh(nn.Module):
    """1.7159 · tanh(2x/3), which is ±1 at ±1.  Source: LeCun et al. 1998, equation 6 and appendix A."""

    def forward(self, values: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * values)


class Subsampling(nn.Module):
    """The sum of each 2 × 2, times a learned coefficient, plus a learned bias: one pair for each map."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.sum = nn.AvgPool2d(2, divisor_override=1)
        self.coefficient = nn.Parameter(torch.full((maps, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        sums: Tensor = self.sum(maps)
        return sums * self.coefficient + self.bias


class PartlyConnected(nn.Module):
    """C3: six maps read three of S2's six, nine read four, the last reads all.

    A convolution with a group for each map, after the channels are laid side by side.
    """

    TABLE: Final = (
        *((first, (first + 1) % 6, (first + 2) % 6) for first in range(6)),
        *((first, (first + 1) % 6, (first + 2) % 6, (first + 3) % 6) for first in range(6)),
        *((first, first + 1, first + 3, (first + 4) % 6) for first in range(3)),
        (0, 1, 2, 3, 4, 5),
    )
    """Which maps of S2 each map of C3 reads: table I of the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.reading_three = nn.Conv2d(6 * 3, 6, 5, groups=6)
        self.reading_four = nn.Conv2d(9 * 4, 9, 5, groups=9)
        self.reading_six = nn.Conv2d(6, 1, 5)

    def forward(self, maps: Tensor) -> Tensor:
        single = torch.split(maps, 1, dim=1)
        three, four = (
            torch.cat([single[each] for row in rows for each in row], 1)
            for rows in (self.TABLE[:6], self.TABLE[6:15])
        )
        return torch.cat((self.reading_three(three), self.reading_four(four), self.reading_six(maps)), 1)


class DistanceToCodes(nn.Module):
    """Squared distances of 84 features to ten codes: digits of 7 × 12 pixels, ink 1 and paper −1, never learned."""

    codes: Tensor

    def __init__(self) -> None:
        super().__init__()
        codes = torch.tensor([_code(digit) for digit in _DIGITS])
        self.register_buffer("codes", codes)

    def forward(self, features: Tensor) -> Tensor:
        return (features.unsqueeze(1) - self.codes).square().sum(-1)


def _code(digit: str) -> list[float]:
    """The digit in the middle of 12 rows of 7 pixels, row by row."""
    rows = (
        ["0" * 7] * 2 + [f"{row:07b}" for row in (2 * byte for byte in bytes.fromhex(digit))] + ["0" * 7] * 3
    )
    return [1.0 if pixel == "1" else -1.0 for row in rows for pixel in row]
