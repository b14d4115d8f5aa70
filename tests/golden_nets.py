"""The courses' networks, built from their facts: what the profiler's rows are held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def _head(features: int, hidden: int, classes: int, in_place: bool = False) -> list[nn.Module]:
    sizes = [features, hidden, hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(in_place), nn.Dropout()]
    return [*layers, nn.Linear(hidden, classes)]


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def convnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 10)),
    )


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 480 * 640, 1000))


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, *_head(512 * 7 * 7, 4096, 1000, in_place=True))


def _alexnet(
    channels: int,
    *,
    padding: int = 0,
    groups: int = 1,
    second: int = 5,
    pool: int = 3,
    out: int,
    classes: int,
) -> nn.Module:
    inner = 1 if second == 5 else 0
    return nn.Sequential(
        *(nn.Conv2d(channels, 96, 11, stride=4, padding=padding), nn.ReLU(), nn.MaxPool2d(pool, 2)),
        nn.Conv2d(96, 256, second, padding=2 * inner, groups=groups),
        *(nn.ReLU(), nn.MaxPool2d(pool, 2)),
        *(nn.Conv2d(256, 384, 3, padding=inner), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=inner, groups=groups), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=inner, groups=groups), nn.ReLU(), nn.MaxPool2d(pool, 2)),
        *_head(out, 4096, classes),
    )


def _block(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def vgg11() -> nn.Module:
    blocks: list[nn.Module] = []
    channels = 1
    for count, filters in ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)):
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        blocks.append(_block(*layers, nn.MaxPool2d(2)))
    return nn.Sequential(*blocks, *_head(512 * 7 * 7, 4096, 10))


def network_in_network() -> nn.Module:
    def block(before: int, after: int, kernel: int, stride: int, padding: int) -> nn.Module:
        points = [layer for _ in range(2) for layer in (nn.Conv2d(after, after, 1), nn.ReLU())]
        return _block(nn.Conv2d(before, after, kernel, stride, padding), nn.ReLU(), *points)

    return nn.Sequential(
        *(block(1, 96, 11, 4, 0), nn.MaxPool2d(3, 2)),
        *(block(96, 256, 5, 1, 2), nn.MaxPool2d(3, 2)),
        *(block(256, 384, 3, 1, 1), nn.MaxPool2d(3, 2)),
        *(nn.Dropout(), block(384, 10, 3, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


class Inception(nn.Module):
    """Four paths side by side, with `relu` as a function."""

    def __init__(self, channels: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> None:
        super().__init__()
        self.b1_1 = nn.Conv2d(channels, c1, 1)
        self.b2_1 = nn.Conv2d(channels, c2[0], 1)
        self.b2_2 = nn.Conv2d(c2[0], c2[1], 3, padding=1)
        self.b3_1 = nn.Conv2d(channels, c3[0], 1)
        self.b3_2 = nn.Conv2d(c3[0], c3[1], 5, padding=2)
        self.b4_1 = nn.MaxPool2d(3, 1, 1)
        self.b4_2 = nn.Conv2d(channels, c4, 1)

    def forward(self, x: Tensor) -> Tensor:
        b1 = functional.relu(self.b1_1(x))
        b2 = functional.relu(self.b2_2(functional.relu(self.b2_1(x))))
        b3 = functional.relu(self.b3_2(functional.relu(self.b3_1(x))))
        b4 = functional.relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


def googlenet() -> nn.Module:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, 1)

    return nn.Sequential(
        _block(nn.Conv2d(1, 64, 7, 2, 3), nn.ReLU(), pool()),
        _block(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU(), pool()),
        _block(
            Inception(192, 64, (96, 128), (16, 32), 32), Inception(256, 128, (128, 192), (32, 96), 64), pool()
        ),
        _block(
            Inception(480, 192, (96, 208), (16, 48), 64),
            Inception(512, 160, (112, 224), (24, 64), 64),
            Inception(512, 128, (128, 256), (24, 64), 64),
            Inception(512, 112, (144, 288), (32, 64), 64),
            Inception(528, 256, (160, 320), (32, 128), 128),
            pool(),
        ),
        _block(
            Inception(832, 256, (160, 320), (32, 128), 128),
            Inception(832, 384, (192, 384), (48, 128), 128),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        ),
        nn.Linear(1024, 10),
    )


def lenet5() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


NETS: Mapping[str, Callable[[], nn.Module]] = {
    "nbis_mlp": mlp,
    "nbis_convnet": convnet,
    "nbis_dense_480x640": dense,
    "nbis_vgg16": vgg16,
    "alexnet_227": lambda: _alexnet(3, out=9216, classes=1000),
    "alexnet_227_grouped": lambda: _alexnet(3, groups=2, out=9216, classes=1000),
    "alexnet_keras_28m": lambda: _alexnet(3, second=11, pool=2, out=256, classes=1000),
    "dsci_alexnet": lambda: _alexnet(1, padding=1, out=6400, classes=10),
    "dsci_vgg11": vgg11,
    "dsci_nin": network_in_network,
    "dsci_googlenet_96": googlenet,
    "dsci_googlenet_224": googlenet,
    "lenet5_modern": lenet5,
}
"""By the name in the reference."""
