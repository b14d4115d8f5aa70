"""The blocks that networks are known for, in plain torch.

Each class reads alone: `explorer.networks.code` writes them out into the code that a visitor takes home.  Layers are
called as in torchvision where it has the block, so that its weights fit.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.maxvit import PartitionAttentionLayer
from torchvision.models.swin_transformer import (
    PatchMerging,
    PatchMergingV2,
    ShiftedWindowAttention,
    ShiftedWindowAttentionV2,
)


class Add(nn.Sequential):
    """The sum of what all branches make of the same input."""

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        return total


class Concatenate(nn.Sequential):
    """The channels of all branches, which read the same input, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)


class Multiply(nn.Sequential):
    """The product, value by value, of what all branches make of the same input."""

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self
        product: Tensor = first(x)
        for branch in others:
            product = product * branch(x)
        return product


class Scale(nn.Module):
    """A learned factor for each channel of a map (N, C, H, W), or of numbers (N, C)."""

    def __init__(self, shape: tuple[int, ...], initial: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full(shape, initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of a map (N, C, H, W), pixel by pixel."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class ConvReLU(nn.Module):
    """A convolution that keeps the size, with ReLU; with batch norm it has no bias of its own."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=not batch_norm
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001) if batch_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.bn(self.conv(x)))
        return out


class ScaledTanh(nn.Module):
    """1.7159 · tanh(2x/3), which is ±1 at ±1 (LeCun et al. 1998, equation 6 and appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """The sum of each window, times a learned coefficient, plus a learned bias: one pair a map (LeCun et al. 1998)."""

    def __init__(self, channels: int, kernel_size: int = 2) -> None:
        super().__init__()
        self.sum = nn.AvgPool2d(kernel_size, divisor_override=1)
        self.coefficient = nn.Parameter(torch.full((channels, 1, 1), 1 / kernel_size**2))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        sums: Tensor = self.sum(x)
        return sums * self.coefficient + self.bias


class PartlyConnected(nn.Module):
    """C3 of LeNet-5: of sixteen maps six read three of S2's six, nine read four, the last reads all.

    A convolution with a group for each map, after the channels are laid side by side (LeCun et al. 1998, table I).
    """

    TABLE: ClassVar = (
        *((first, (first + 1) % 6, (first + 2) % 6) for first in range(6)),
        *((first, (first + 1) % 6, (first + 2) % 6, (first + 3) % 6) for first in range(6)),
        *((first, first + 1, first + 3, (first + 4) % 6) for first in range(3)),
        (0, 1, 2, 3, 4, 5),
    )

    def __init__(self, kernel_size: int = 5) -> None:
        super().__init__()
        self.reading_three = nn.Conv2d(6 * 3, 6, kernel_size, groups=6)
        self.reading_four = nn.Conv2d(9 * 4, 9, kernel_size, groups=9)
        self.reading_six = nn.Conv2d(6, 1, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        single = torch.split(x, 1, dim=1)
        three, four = (
            torch.cat([single[each] for row in rows for each in row], 1)
            for rows in (self.TABLE[:6], self.TABLE[6:15])
        )
        return torch.cat((self.reading_three(three), self.reading_four(four), self.reading_six(x)), 1)


class DistanceToCodes(nn.Module):
    """Squared distances of 84 numbers to ten codes: digits of 7 × 12 pixels, ink 1 and paper −1, never learned.

    As in LeCun et al. 1998; the digits are drawn anew.
    """

    # 5 × 7 pixels a digit, a row in each pair of hexadecimal digits
    DIGITS: ClassVar = (
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
    codes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", torch.tensor([self.code(digit) for digit in self.DIGITS]))

    @staticmethod
    def code(digit: str) -> list[float]:
        """The digit in the middle of 12 rows of 7 pixels, row by row."""
        drawn = [f"{2 * byte:07b}" for byte in bytes.fromhex(digit)]
        rows = ["0" * 7] * 2 + drawn + ["0" * 7] * 3
        return [1.0 if pixel == "1" else -1.0 for row in rows for pixel in row]

    def forward(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(1) - self.codes).square().sum(-1)


class AuxiliaryHead(nn.Sequential):
    """A second classifier on the way: while training its `answer` is kept for the loss; what arrives passes on.

    GoogLeNet's as torchvision has it (Szegedy et al. 2015), Inception v3's with `five` (Szegedy et al. 2016).
    """

    answer: Tensor | None = None

    def __init__(self, in_channels: int, classes: int = 1000, five: bool = False) -> None:
        super().__init__()
        steps: list[nn.Module] = [nn.AdaptiveAvgPool2d(4), ConvReLU(in_channels, 128, 1, batch_norm=True)]
        steps += [nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(inplace=True), nn.Dropout(0.7)]
        steps.append(nn.Linear(1024, classes))
        if five:
            steps = [nn.AvgPool2d(kernel_size=5, stride=3), ConvReLU(in_channels, 128, 1, batch_norm=True)]
            steps += [nn.Conv2d(128, 768, kernel_size=5, bias=False), nn.BatchNorm2d(768, eps=0.001)]
            steps += [nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(768, classes)]
        self.extend(steps)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor | None = nn.Sequential.forward(self, x) if self.training else None  # type: ignore[no-untyped-call]
        self.answer = answer
        return x


class Half(nn.Module):
    """The first or the second half of the channels."""

    def __init__(self, which: str = "first") -> None:
        super().__init__()
        self.which = which

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return first if self.which == "first" else second


class ChannelShuffle(nn.Module):
    """The first channel of each group, then the second of each, and so on (Zhang et al. 2018)."""

    def __init__(self, groups: int = 2) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(x.chunk(self.groups, dim=1), dim=2).flatten(1, 2)


class VGGBlock(nn.Sequential):
    """3 × 3 convolutions, then half the size (Simonyan & Zisserman 2015)."""

    def __init__(
        self, in_channels: int, out_channels: int, layers: int = 2, batch_norm: bool = False
    ) -> None:
        steps: list[nn.Module] = []
        for _ in range(layers):
            steps.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1))
            if batch_norm:
                steps.append(nn.BatchNorm2d(out_channels))
            steps.append(nn.ReLU(inplace=True))
            in_channels = out_channels
        steps.append(nn.MaxPool2d(kernel_size=2, stride=2))
        super().__init__(*steps)


class NiNBlock(nn.Sequential):
    """A convolution, then two of 1 × 1, each with ReLU (Lin et al. 2014)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=1),
            nn.ReLU(inplace=True),
        )


class SeparableBlock(nn.Sequential):
    """Depthwise 3 × 3, then 1 × 1, each with batch norm and ReLU (Howard et al. 2017)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """What is added of the input: itself, or a 1 × 1 projection where the shape changes."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions and the input beside them (He et al. 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out = self.relu(out + self.downsample(x))
        return out  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1 × 1 to `width` channels, 3 × 3 among these, 1 × 1 to `out_channels`, and the input beside them.

    With groups it is ResNeXt's (Xie et al. 2017).  He et al. 2016 stride in the first 1 × 1, torchvision in the 3 × 3.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        stride: int = 1,
        groups: int = 1,
        stride_first: bool = False,
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_first else (1, stride)
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out = self.relu(out + self.downsample(x))
        return out  # type: ignore[no-any-return]


class SqueezeExcitation(nn.Module):
    """Each channel is weighted by a number that is computed of the means of all (Hu et al. 2018)."""

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: type[nn.Module] = nn.ReLU,
        gate: type[nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.activation = activation()
        self.fc2 = nn.Conv2d(squeezed, channels, kernel_size=1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        weights = self.activation(self.fc1(self.avgpool(x)))
        weights = self.gate(self.fc2(weights))
        return x * weights  # type: ignore[no-any-return]


class InvertedResidual(nn.Module):
    """1 × 1 to `hidden` channels, a depthwise convolution, 1 × 1 to `out_channels`; the input is added where it fits.

    MobileNetV2 (Sandler et al. 2018); squeezed and excited in MobileNetV3 (Howard et al. 2019) and EfficientNet
    (Tan & Le 2019).
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        activation: type[nn.Module] = nn.ReLU6,
        squeezed: int = 0,
        squeeze_activation: type[nn.Module] = nn.ReLU,
        gate: type[nn.Module] = nn.Sigmoid,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if hidden != in_channels:
            layers += [
                nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False),
                nn.BatchNorm2d(hidden, eps),
                activation(),
            ]
        layers += [
            nn.Conv2d(hidden, hidden, kernel_size, stride, kernel_size // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden, eps),
            activation(),
        ]
        if squeezed:
            layers.append(SqueezeExcitation(hidden, squeezed, squeeze_activation, gate))
        layers += [
            nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, eps),
        ]
        self.block = nn.Sequential(*layers)
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return x + out if self.adds_input else out


class FusedInvertedResidual(nn.Module):
    """A convolution to `hidden` channels, 1 × 1 to `out_channels`; one alone where both are one (Tan & Le 2021)."""

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        stride: int = 1,
        kernel_size: int = 3,
        activation: type[nn.Module] = nn.SiLU,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        first = out_channels if hidden == in_channels else hidden
        layers = [
            nn.Conv2d(in_channels, first, kernel_size, stride, kernel_size // 2, bias=False),
            nn.BatchNorm2d(first, eps),
            activation(),
        ]
        if hidden != in_channels:
            layers += [
                nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False),
                nn.BatchNorm2d(out_channels, eps),
            ]
        self.block = nn.Sequential(*layers)
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return x + out if self.adds_input else out


class RegNetBlock(nn.Module):
    """A bottleneck of one width, its 3 × 3 in groups, and the input beside it (Radosavovic et al. 2020)."""

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, stride: int = 1, squeezed: int = 0
    ) -> None:
        super().__init__()
        self.proj = shortcut(in_channels, out_channels, stride)
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, stride, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
        if squeezed:
            layers.append(SqueezeExcitation(out_channels, squeezed))
        layers += [
            nn.Conv2d(out_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.f = nn.Sequential(*layers)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.proj(x) + self.f(x))
        return out


class ShuffleUnit(nn.Module):
    """Half of the channels passes, the other is filtered, both with a stride; then a shuffle (Ma et al. 2018)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        half = out_channels // 2
        self.stride = stride
        if stride > 1:
            self.branch1 = nn.Sequential(
                nn.Conv2d(in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                nn.Conv2d(in_channels, half, kernel_size=1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(in_channels if stride > 1 else half, half, kernel_size=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, half, 3, stride, padding=1, groups=half, bias=False),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, kernel_size=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            out = torch.cat([self.branch1(x), self.branch2(x)], dim=1)
        else:
            first, second = x.chunk(2, dim=1)
            out = torch.cat([first, self.branch2(second)], dim=1)
        batch, channels, rows, columns = out.shape
        pairs = out.view(batch, 2, channels // 2, rows, columns)
        return pairs.transpose(1, 2).contiguous().view(batch, channels, rows, columns)


class Inception(nn.Module):
    """1 × 1, 3 × 3, 5 × 5 and a pooling read the same map; their channels stand side by side (Szegedy et al. 2015)."""

    def __init__(
        self,
        in_channels: int,
        one: int,
        three_reduce: int,
        three: int,
        five_reduce: int,
        five: int,
        pool: int,
        five_kernel: int = 5,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.branch1 = ConvReLU(in_channels, one, 1, batch_norm)
        self.branch2 = nn.Sequential(
            ConvReLU(in_channels, three_reduce, 1, batch_norm), ConvReLU(three_reduce, three, 3, batch_norm)
        )
        self.branch3 = nn.Sequential(
            ConvReLU(in_channels, five_reduce, 1, batch_norm),
            ConvReLU(five_reduce, five, five_kernel, batch_norm),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1), ConvReLU(in_channels, pool, 1, batch_norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class DenseLayer(nn.Module):
    """A few channels made of all before them, and put beside them (Huang et al. 2017)."""

    def __init__(self, in_channels: int, growth: int, bottleneck: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, bottleneck * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bottleneck * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv1(self.relu1(self.norm1(x)))
        new = self.conv2(self.relu2(self.norm2(new)))
        return torch.cat([x, new], dim=1)


class DenseBlock(nn.Sequential):
    """Layers that read what all before them made (Huang et al. 2017)."""

    def __init__(self, in_channels: int, layers: int, growth: int, bottleneck: int = 4) -> None:
        super().__init__(
            *(DenseLayer(in_channels + index * growth, growth, bottleneck) for index in range(layers))
        )


class Transition(nn.Sequential):
    """Fewer channels, half the size: between dense blocks (Huang et al. 2017)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.AvgPool2d(kernel_size=2, stride=2),
        )


class ConvNeXtBlock(nn.Module):
    """A large depthwise convolution, a dense net at every pixel, and the input beside them (Liu et al. 2022)."""

    def __init__(
        self, channels: int, kernel_size: int = 7, expansion: int = 4, layer_scale: float = 1e-6
    ) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.depthwise = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, expansion * channels)
        self.gelu = nn.GELU()
        self.project = nn.Linear(expansion * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.depthwise(x).permute(0, 2, 3, 1)  # channels last: the dense layers read them
        out = self.project(self.gelu(self.expand(self.norm(out))))
        return x + self.layer_scale * out.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


# Transformers ----------------------------------------------------------------------------------------


class Tokens(nn.Module):
    """A map (N, C, H, W) as H · W tokens (N, H · W, C), row by row."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class ClassToken(nn.Module):
    """One learned token in front of the others: (N, L, C) to (N, 1 + L, C) (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)


class Positions(nn.Module):
    """A learned row is added to each of so many tokens (Dosovitskiy et al. 2021)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(1, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.embedding


class TakeToken(nn.Module):
    """The first of all tokens, or their mean: (N, L, C) to (N, C)."""

    def __init__(self, take: str = "first") -> None:
        super().__init__()
        self.take = take

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] if self.take == "first" else x.mean(dim=1)


class SelfAttention(nn.Module):
    """Every token asks all others (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return out


class EncoderBlock(nn.Module):
    """Self-attention, then a dense net at every token, each with a layer norm before and its input beside it.

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929.
    """

    def __init__(self, width: int, heads: int, expansion: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, expansion * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.dropout(self.self_attention(normed, normed, normed, need_weights=False)[0])
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]


def window_attention(channels: int, heads: int, window: int, shifted: bool, version: int) -> nn.Module:
    """torchvision's attention within windows of maps (N, H, W, C); shifted by half a window, which is rounded down."""
    made: Any = ShiftedWindowAttention if version == 1 else ShiftedWindowAttentionV2
    shift = window // 2 if shifted else 0
    attention: nn.Module = made(channels, [window, window], [shift, shift], heads)
    return attention


class WindowAttention(nn.Module):
    """Self-attention among the pixels of each window of a map (N, C, H, W) (Liu et al. 2021 and 2022)."""

    def __init__(
        self, channels: int, heads: int, window: int = 7, shifted: bool = False, version: int = 1
    ) -> None:
        super().__init__()
        self.attention = window_attention(channels, heads, window, shifted, version)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(x.permute(0, 2, 3, 1))
        return out.permute(0, 3, 1, 2)


class SwinBlock(nn.Module):
    """A transformer block on a map (N, C, H, W) whose attention stays within windows (Liu et al. 2021).

    In version 2 the layer norms come last (Liu et al. 2022).
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: int = 7,
        shifted: bool = False,
        expansion: int = 4,
        version: int = 1,
    ) -> None:
        super().__init__()
        self.version = version
        self.norm1 = nn.LayerNorm(channels)
        self.attn = window_attention(channels, heads, window, shifted, version)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, expansion * channels), nn.GELU(), nn.Linear(expansion * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # channels last: the layers read them
        if self.version == 1:
            x = x + self.attn(self.norm1(x))
            x = x + self.mlp(self.norm2(x))
        else:
            x = x + self.norm1(self.attn(x))
            x = x + self.norm2(self.mlp(x))
        return x.permute(0, 3, 1, 2)


class MergePatches(nn.Module):
    """Half the size and twice the channels of a map (N, C, H, W): each 2 × 2 pixels become one (Liu et al. 2021)."""

    def __init__(self, channels: int, version: int = 1) -> None:
        super().__init__()
        made: Any = PatchMerging if version == 1 else PatchMergingV2
        self.merging = made(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.merging(x.permute(0, 2, 3, 1))
        return out.permute(0, 3, 1, 2)


class PartitionAttention(PartitionAttentionLayer):  # type: ignore[misc]
    """Self-attention among the pixels of each window, or of a grid, then a dense net at every pixel (Tu et al. 2022).

    `grid` are the rows and columns of the map: they fix how many windows there are.
    """

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        size: int = 7,
        across: str = "window",
        head_channels: int = 32,
        expansion: int = 4,
    ) -> None:
        chances = (
            0.0,
            0.0,
            0.0,
        )  # of dropping values of the attention, of the dense net, and a whole picture
        super().__init__(
            channels, head_channels, size, across, grid, expansion, nn.GELU, nn.LayerNorm, *chances
        )


class MaxViTConv(nn.Module):
    """Batch norm, 1 × 1, depthwise and 1 × 1 with squeeze and excite, and the input beside them (Tu et al. 2022)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, expansion: int = 4) -> None:
        super().__init__()
        hidden = expansion * out_channels
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            pool = [nn.AvgPool2d(kernel_size=3, stride=2, padding=1)] if stride == 2 else []
            self.proj = nn.Sequential(*pool, nn.Conv2d(in_channels, out_channels, kernel_size=1))
        self.layers = nn.Sequential(
            nn.BatchNorm2d(in_channels, eps=0.001),
            nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False),
            nn.BatchNorm2d(hidden, eps=0.001),
            nn.GELU(),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden, eps=0.001),
            nn.GELU(),
            SqueezeExcitation(hidden, max(1, out_channels // 4), nn.SiLU),
            nn.Conv2d(hidden, out_channels, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.layers(x)  # type: ignore[no-any-return]


class MaxViTBlock(nn.Sequential):
    """A convolution block, attention within windows, and attention across a grid (Tu et al. 2022)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: tuple[int, int],
        stride: int = 1,
        window: int = 7,
        head_channels: int = 32,
        expansion: int = 4,
    ) -> None:
        super().__init__(
            MaxViTConv(in_channels, out_channels, stride, expansion),
            PartitionAttention(out_channels, grid, window, "window", head_channels),
            PartitionAttention(out_channels, grid, window, "grid", head_channels),
        )
