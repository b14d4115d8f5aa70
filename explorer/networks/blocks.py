"""The blocks that networks are known for, in plain torch.

Each class reads alone: `explorer.networks.code` writes them out into the code that a visitor takes home.  Layers are
called as in torchvision where it has the block, so that its weights fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
