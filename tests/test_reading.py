"""Code of networks is read: what comes out is what Python and torch make of it, and what is refused is told why."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
import textwrap
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from explorer.errors import ExplorerError
from explorer.networks.reading import CodeError, line_of, read_network, refusal, respell, suggest
from explorer.networks.reading.tables import FUNCTIONS, LAYERS, METHODS, MODELS
from tests.hostile_code import CLASS, FORWARDS, HOSTILE, Hostile

LISTINGS: dict[str, tuple[str, tuple[int, ...]]] = {}
"""Code in the styles that people write, and an input: the oracle is torch itself, which the tests let run it."""

LISTINGS["a chain with layers that learn their input size"] = (
    """
import torch
from torch import nn

def stage(width, depth, stride=2):
    layers = []
    for index in range(depth):
        layers += [nn.LazyConv2d(width, 3, stride=stride if index == 0 else 1, padding=1, bias=False),
                   nn.LazyBatchNorm2d(), nn.ReLU(inplace=True)]
    return layers

net = nn.Sequential(*stage(8, 2, stride=1), *stage(16, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))
""",
    (3, 16, 16),
)
LISTINGS["residual blocks with a class attribute and a helper method"] = (
    '''
import torch, torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Callable, List, Optional, Type, Union

def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """3x3 convolution with padding"""
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False)

class Basic(nn.Module):
    expansion: int = 1

    def __init__(self, inplanes, planes, stride=1, downsample: Optional[nn.Module] = None, norm_layer=None):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        if stride > 2 and not downsample:
            raise ValueError("stride")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return F.relu(out)

class Net(nn.Module):
    def __init__(self, block: Type[Basic], layers: List[int], num_classes=10):
        super(Net, self).__init__()
        self.inplanes = 8
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        for i, (planes, blocks) in enumerate(zip((8, 16), layers), start=1):
            setattr(self, f"layer{i}", self._make_layer(block, planes, blocks, stride=1 if i == 1 else 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                m.bias.data.zero_()

    def _make_layer(self, block, planes, blocks, stride):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(nn.Conv2d(self.inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
        layers = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        layers.extend(block(self.inplanes, planes) for _ in range(1, blocks))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))

def small(**kwargs):
    return Net(Basic, [2, 2], **kwargs)

net = small(num_classes=7)
''',
    (3, 64, 64),
)
LISTINGS["attention written out, with parameters, a buffer and chunk"] = (
    """
import math
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        assert dim % heads == 0, f"{dim} is not divisible by {heads}"
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        q, k, v = (t.view(B, N, self.heads, C // self.heads).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        attn = (q @ k.transpose(-2, -1)) * self.scale
        attn = attn.softmax(dim=-1)
        return self.out(torch.matmul(attn, v).transpose(1, 2).reshape(B, N, -1))

class Block(nn.Module):
    def __init__(self, dim, mlp_ratio=2.):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, int(dim * mlp_ratio)), nn.GELU(), nn.Linear(int(dim * mlp_ratio), dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))

class Vit(nn.Module):
    def __init__(self, image=32, patch=8, dim=16, depth=2, classes=5):
        super().__init__()
        n = (image // patch) ** 2
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, n + 1, dim) * .02)
        self.register_buffer("scale", torch.ones(1))
        self.blocks = nn.ModuleList([Block(dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes) if classes > 0 else nn.Identity()

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], dim=1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0] * self.scale)

model = Vit()
""",
    (3, 32, 32),
)
LISTINGS["dense blocks with add_module, a subclass of Sequential and format"] = (
    """
from collections import OrderedDict
import torch
import torch.nn as nn
import torch.nn.functional as F

class DenseLayer(nn.Sequential):
    def __init__(self, inputs, growth, drop):
        super(DenseLayer, self).__init__()
        self.add_module('norm1', nn.BatchNorm2d(inputs))
        self.add_module('relu1', nn.ReLU(inplace=True))
        self.add_module('conv1', nn.Conv2d(inputs, growth, kernel_size=3, padding=1, bias=False))
        self.drop = drop

    def forward(self, x):
        new = super(DenseLayer, self).forward(x)
        if self.drop > 0:
            new = F.dropout(new, p=self.drop, training=self.training)
        return torch.cat([x, new], 1)

class DenseBlock(nn.Sequential):
    def __init__(self, number, inputs, growth):
        super().__init__()
        for i in range(number):
            self.add_module('denselayer%d' % (i + 1), DenseLayer(inputs + i * growth, growth, drop=0.1))

class DenseNet(nn.Module):
    def __init__(self, growth=4, blocks=(2, 3), initial=8):
        super().__init__()
        first = [('conv0', nn.Conv2d(1, initial, 3, padding=1)), ('relu0', nn.ReLU())]
        self.features = nn.Sequential(OrderedDict(first))
        width = initial
        for i, number in enumerate(blocks):
            self.features.add_module('denseblock{}'.format(i + 1), DenseBlock(number, width, growth))
            width = width + number * growth
            if i != len(blocks) - 1:
                self.features.add_module("pool%s" % i, nn.AvgPool2d(2))
        self.classifier = nn.Linear(width, 3)

    def forward(self, x):
        features = self.features(x)
        out = F.adaptive_avg_pool2d(F.relu(features, inplace=True), (1, 1)).view(features.size(0), -1)
        return self.classifier(out)

DenseNet(blocks=(2, 2))
""",
    (1, 12, 12),
)
LISTINGS["inheritance, properties, static methods, lambdas and defaults"] = (
    """
import torch
from torch import nn
from functools import partial

class Base(nn.Module):
    width = 6
    def __init__(self, act=lambda x: x.relu(), norm=partial(nn.GroupNorm, 2)):
        super().__init__()
        self.act = act
        self.body = self.make(self.inner)
        self.norm = norm(self.inner)

    @property
    def inner(self):
        return self.width * 2

    @staticmethod
    def make(channels):
        return nn.Conv2d(3, channels, 3, padding="same")

    def forward(self, x):
        return self.act(self.norm(self.body(x)))

class Child(Base):
    width = 8
    def forward(self, x):
        x = super().forward(x)
        a, b = x.split(8, dim=1)
        return (a * torch.sigmoid(b)).mean(dim=(2, 3))

net = Child()
""",
    (3, 9, 9),
)
LISTINGS["d2l's style with hyperparameters that are kept"] = (
    """
class Residual(nn.Module):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
        if use_1x1conv:
            self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1, stride=strides)
        else:
            self.conv3 = None
        self.bn1 = nn.LazyBatchNorm2d()
        self.bn2 = nn.LazyBatchNorm2d()

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        Y += X
        return F.relu(Y)

class Small(d2l.Classifier):
    def __init__(self, arch, lr=0.1, num_classes=10):
        super(Small, self).__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.LazyConv2d(4, kernel_size=3))
        for i, b in enumerate(self.arch):
            self.net.add_module(f'b{i+2}', self.block(*b, first_block=(i == 0)))
        self.net.add_module('last', nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
                                                  nn.LazyLinear(self.num_classes)))
        self.net.apply(d2l.init_cnn)

@d2l.add_to_class(Small)
def block(self, num_residuals, num_channels, first_block=False):
    blk = []
    for i in range(num_residuals):
        if i == 0 and not first_block:
            blk.append(Residual(num_channels, use_1x1conv=True, strides=2))
        else:
            blk.append(Residual(num_channels))
    return nn.Sequential(*blk)

Small(((2, 4), (1, 8))).layer_summary((1, 1, 24, 24))
model = Small(((2, 4), (1, 8)), num_classes=6)
""",
    (1, 24, 24),
)
LISTINGS["a script around the network"] = (
    """
import os, sys
import numpy as np
import matplotlib.pyplot as plt
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleDict({"a": nn.Conv2d(1, 4, 3), "b": nn.Conv2d(4, 8, 3, stride=2)})
        self.size = self._size((1, 28, 28))
        self.fc1 = nn.Linear(self.size, 12)
        self.drop = nn.Dropout(p=0.5)

    def _size(self, shape):
        with torch.no_grad():
            o = torch.zeros(1, *shape)
            for key in self.convs:
                o = self.convs[key](o)
        return int(np.prod(o.size()[1:]))

    def forward(self, x):
        for conv in self.convs.values():
            x = torch.relu(conv(x))
        x = x.view(-1, self.size)
        logits = self.drop(self.fc1(x))
        return logits

net = Net().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
print(net)
if __name__ == "__main__":
    for epoch in range(2):
        optimizer.step()
""",
    (1, 28, 28),
)
LISTINGS["transfer: a network of torchvision with another head"] = (
    """
import torchvision
from torch import nn
model = torchvision.models.resnet18(weights=None)
for p in model.parameters():
    p.requires_grad = False
model.fc = nn.Sequential(nn.Linear(model.fc.in_features, 8), nn.ReLU(), nn.Linear(8, 2))
""",
    (3, 64, 64),
)
LISTINGS["a U with skips, slices and interpolation"] = (
    """
import torch, torch.nn as nn, torch.nn.functional as F
class Up(nn.Module):
    def __init__(self, widths=[4, 8, 16]):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths[:-1], widths))
        self.up = nn.ModuleList()
        for i in reversed(range(len(widths) - 1)):
            self.up.append(nn.Conv2d(widths[i + 1] + widths[i], widths[i], 1))
        self.last = nn.ConvTranspose2d(widths[0], 2, 2, 2)
    def forward(self, x):
        skips = []
        for i, layer in enumerate(self.down):
            if i:
                x = F.max_pool2d(x, 2)
            x = F.leaky_relu(layer(x), 0.1)
            skips.append(x)
        for layer, skip in zip(self.up, skips[-2::-1]):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = layer(torch.cat((x, skip), dim=1))
        return self.last(x)[..., 1:, :], skips[-1]
u = Up()
""",
    (3, 17, 19),
)
LISTINGS["channels shuffled, squeezed and gated"] = (
    """
import torch
from torch import nn
class Gate(nn.Module):
    def __init__(self, c, r=4):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, max(1, c // r)), nn.SiLU(), nn.Linear(max(1, c // r), c), nn.Sigmoid())
    def forward(self, x):
        b, c, *_ = x.size()
        return x * self.fc(x.mean([2, 3])).view(b, c, 1, 1)
class Shuffle(nn.Module):
    def __init__(self, groups): super().__init__(); self.groups = groups
    def forward(self, x):
        b, c, h, w = x.shape
        x = x.view(b, self.groups, c // self.groups, h, w)
        return x.transpose(1, 2).contiguous().view(b, -1, h, w)
cfg = {"t": [(8, 2), "M", (16, 4)], "s": []}
layers, c = [], 3
for v in cfg["t"]:
    if v == "M":
        layers += [nn.MaxPool2d(2)]
        continue
    width, groups = v
    layers += [nn.Conv2d(c, width, 1), Shuffle(groups), nn.Conv2d(width, width, 3, groups=width), Gate(width)]
    c = width
net = nn.Sequential(*layers)
net.append(nn.Flatten(start_dim=1))
""",
    (3, 12, 12),
)


def forward(module: nn.Module, shape: tuple[int, ...], batch: int = 2) -> Any:
    with torch.no_grad():
        return module(torch.zeros(batch, *shape, device="meta"))


def shapes(output: Any) -> list[tuple[int, ...]]:
    return [tuple(one.shape) for one in (output if isinstance(output, tuple) else (output,))]


def run_by_python(source: str, name: str) -> nn.Module:
    """The oracle: Python runs the code, on the meta device."""
    learning = types.SimpleNamespace(
        Classifier=_Classifier, add_to_class=_add_to_class, init_cnn=lambda module: None
    )
    names: dict[str, Any] = {
        "nn": nn,
        "torch": torch,
        "F": nn.functional,
        "d2l": learning,
        "__name__": "pasted",
    }
    tree = ast.parse(source)
    last = tree.body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("made", ast.Store())], last.value), last)
        ast.fix_missing_locations(tree)
    with torch.device("meta"):
        exec(compile(tree, "pasted", "exec"), names)
    made = names.get("made", names.get(name))
    assert isinstance(made, nn.Module)
    return made.eval()


class _Classifier(nn.Module):
    """What the textbook's package gives its networks, as far as shapes go."""

    def __init__(self) -> None:
        super().__init__()

    def save_hyperparameters(self) -> None:
        frame = sys._getframe(1)
        given = {key: value for key, value in frame.f_locals.items() if key not in ("self", "__class__")}
        for key, value in given.items():
            setattr(self, key, value)

    def layer_summary(self, shape: tuple[int, ...]) -> None:
        pass

    def forward(self, x: torch.Tensor) -> Any:
        return self.net(x)


def _add_to_class(extended: type) -> Any:
    def decorate(function: Any) -> None:
        setattr(extended, function.__name__, function)

    return decorate


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LISTINGS)
def test_code_is_read_as_python_and_torch_run_it(name: str):
    source, shape = LISTINGS[name]
    read = read_network(source)
    module = read.ready(shape)
    oracle = run_by_python(source.replace("().to(device)", "()"), read.title)
    expected = shapes(forward(oracle, shape))
    assert shapes(forward(module, shape)) == expected
    ours = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert ours == {key: tuple(value.shape) for key, value in oracle.state_dict().items()}
    kinds = [(path, type(layer).__name__) for path, layer in module.named_modules()]
    assert kinds == [(path, type(layer).__name__) for path, layer in oracle.named_modules()]
    trained = {key for key, value in module.named_parameters() if value.requires_grad}
    assert trained == {key for key, value in oracle.named_parameters() if value.requires_grad}
    assert all(value.is_meta for value in (*module.parameters(), *module.buffers()))


@pytest.mark.shared
def test_listings_of_the_courses_have_their_parameters(shared: Path):
    folder = shared / "reference" / "listings"
    facts = json.loads((folder / "index.json").read_text())
    assert len(facts) == 7
    for name, fact in facts.items():
        read = read_network((folder / f"{name}.txt").read_text())
        shape = tuple(fact["input"][1:])
        module = read.ready(shape)
        assert sum(one.numel() for one in module.parameters()) == fact["parameters"], name
        classes = 1000 if name == "nbis_vgg16" else 10
        assert shapes(forward(module, shape, fact["input"][0])) == [(1, classes)], name


def parameters(source: str, name: str = "") -> int:
    return sum(one.numel() for one in read_network(source, name).module.parameters())


@pytest.mark.parametrize(("name", "weights"), [("resnet18", 11_689_512), ("regnet_y_400mf", 4_344_144)])
def test_networks_of_torchvision_are_built_without_weights(name: str, weights: int):
    read = read_network(f"from torchvision.models import {name}\nnet = {name}(weights='DEFAULT')")
    assert sum(one.numel() for one in read.module.parameters()) == weights
    assert read.notes == (f"The weights of {name} are not loaded: the table counts shapes.",)


# Which network --------------------------------------------------------------------------------------------

CHOICES = """
class Part(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x): return self.conv(x)
class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part(8)
    def forward(self, x): return self.part(x)
class Needy(nn.Module):
    def __init__(self, n): super().__init__()
class Unused(Needy): pass
def wide(): return Part(16)
"""


@pytest.mark.parametrize(
    ("more", "title"),
    [
        ("", "Whole"),
        ("a = Part()\nb = Part(5)", "b"),
        ("a = Part()\nPart(5)", "Part"),
        ("a = Part()\nb = Part(5)\na", "a"),
        ("loss = nn.CrossEntropyLoss()\na = Part()\ncriterion = nn.MSELoss()", "a"),
        ("a = Part()\na.eval()\nprint(a)", "a"),
        ("a = b = Part()", "b"),
    ],
)
def test_the_network_is_the_last_thing_that_the_text_makes(more: str, title: str):
    assert read_network(CHOICES + more).title == title


def test_any_other_network_of_the_text_can_be_chosen():
    read = read_network(CHOICES + "a = Part()")
    assert read.names == ("Part", "Whole", "wide", "a")
    assert [parameters(CHOICES + "a = Part()", name) for name in read.names] == [112, 224, 448, 112]
    with pytest.raises(CodeError, match="no network “Whol”: did you mean Whole"):
        read_network(CHOICES, "Whol")


def test_a_function_makes_the_network_where_classes_need_arguments():
    source = CHOICES.replace("width=4", "width").replace("__init__(self):", "__init__(self, n):")
    assert read_network(source).title == "wide"


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("net(torch.randn(1, 3, 20, 24))", (3, 20, 24)),
        ("y = net(torch.randn(size=(2, 3, 9, 9)))", (3, 9, 9)),
        ("from torchsummary import summary\nsummary(net, (3, 32, 32))", (3, 32, 32)),
        ("import torchinfo\ntorchinfo.summary(net, input_size=(4, 3, 31, 32))", (3, 31, 32)),
        ("net", None),
    ],
)
def test_the_input_that_the_code_tries_is_known(line: str, shape: tuple[int, ...] | None):
    read = read_network(f"net = nn.Sequential(nn.LazyConv2d(4, 3))\n{line}")
    assert read.input_shape == shape
    assert read.title == "net"
    assert type(read.module[0]).__name__ == "LazyConv2d"  # what is tried out does not settle it
    assert read.ready((5, 8, 8))[0].in_channels == 5


def test_a_lazy_layer_keeps_its_hooks_and_its_copies_apart():
    read = read_network("net = nn.Sequential(nn.LazyLinear(4, bias=False), nn.ReLU())")
    twin = copy.deepcopy(read.module)
    seen: list[str] = []
    twin[0].register_forward_hook(lambda layer, args, output: seen.append(type(layer).__name__))
    assert forward(twin, (7,)).shape == (2, 4)
    assert forward(twin, (7,)).shape == (2, 4)
    assert seen == ["Linear", "Linear"]
    assert (twin[0].in_features, twin[0].bias) == (7, None)
    assert list(read.module.parameters()) == []
    assert shapes(forward(read.ready((9,)), (9,))) == [(2, 4)]


# Text ------------------------------------------------------------------------------------------------------

NET = "net = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1))"


@pytest.mark.parametrize(
    ("source", "note"),
    [
        (f"\ufeff{NET}\r\n", ""),
        (f">>> {NET}\n>>> for layer in net:\n...     print(layer)\n...\nLinear(4, 2)\n", "without a prompt"),
        (f"Here is your network:\n```python\n{NET}\n```\nEnjoy (it!", ""),
        (f"%matplotlib inline\n!pip install torch\n{NET}", "Notebook commands are not run (lines 1, 2)"),
        (f"    import torch\n    {NET}\n", ""),
        (NET.replace(" ", "\u00a0"), ""),
        (f"def unused():\n    try: open('x')\n    except: yield\n{NET}", ""),
        (f"import antigravity, os\nfrom nowhere import *ok\n{NET}".replace("*ok", "ok"), ""),
        (f"{NET}\nopt = torch.optim.Adam(net.parameters())\nopt.step()", "torch.optim.Adam"),
    ],
)
def test_what_comes_with_pasted_code_is_put_aside(source: str, note: str):
    read = read_network(source)
    assert read.title == "net"
    assert sum(one.numel() for one in read.module.parameters()) == 13
    assert note in " ".join(read.notes)
    assert bool(note) == bool(read.notes)


def test_places_are_those_of_the_text_as_it_was_given():
    source = ">>> é = 'ä'; net = nn.Sequential(nn.Linear(4, 2),\n...     nn.Conv2d(3, 4, 3))"
    places = read_network(source).places
    lines = source.split("\n")
    found = {
        path: lines[place.line - 1][place.column - 1 : place.end_column - 1] for path, place in places.items()
    }
    assert found["0"] == "nn.Linear(4, 2)"
    assert found["1"] == "nn.Conv2d(3, 4, 3)"
    with pytest.raises(CodeError) as caught:
        read_network(source.replace("Conv2d", "Conv2D"))
    assert (caught.value.line, caught.value.column) == (2, 9)
    assert caught.value.excerpt == "...     nn.Conv2D(3, 4, 3))\n        ^"


def test_the_excerpt_of_a_long_line_shows_the_place():
    with pytest.raises(CodeError) as caught:
        read_network("x = [" + "1, " * 500 + "foo]")
    shown, caret = caught.value.excerpt.split("\n")
    assert shown[caret.index("^") :] == "foo]"
    assert len(shown) <= 100


# Refusals --------------------------------------------------------------------------------------------------


def test_the_list_of_hostile_code_is_long_and_each_is_there_once():
    assert len(HOSTILE) >= 80
    assert len({one.source for one in HOSTILE}) == len(HOSTILE)
    assert issubclass(CodeError, ExplorerError)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: ascii(hostile.source)[:40])
def test_hostile_code_is_refused_with_its_reason_and_place(hostile: Hostile):
    started = time.thread_time()
    with pytest.raises(CodeError) as caught:
        read_network(hostile.source)
    assert time.thread_time() - started < 1
    error = caught.value
    assert error.reason == hostile.reason
    assert (error.line, error.column) == (hostile.line, hostile.column)
    assert str(error) == (f"Line {error.line}: {error.reason}" if error.line else error.reason)
    assert "\n" not in str(error)
    if error.line and error.column > 1 and not set("\0\ud800") & set(hostile.source):
        assert error.excerpt.split("\n")[1].endswith("^")


@pytest.mark.parametrize("line", FORWARDS, ids=lambda line: line[:40])
def test_a_hostile_forward_is_stopped_when_it_runs(line: str):
    module = copy.deepcopy(read_network(CLASS + line).module)
    started = time.thread_time()
    with pytest.raises(CodeError) as caught:
        forward(module, (3, 8, 8), 1)
    assert time.thread_time() - started < 1
    assert FORWARDS[line] in str(caught.value)
    assert caught.value.line in (6, 5)


def test_many_layers_are_refused_in_time():
    started = time.thread_time()
    with pytest.raises(CodeError, match=r"more than 2,000 layers are built|longer than"):
        read_network("net = nn.Sequential(*[nn.Conv2d(1, 1, 1) for _ in range(2001)])")
    assert time.thread_time() - started < 1.2


def test_one_budget_holds_for_a_plain_sequential_around_modules_of_the_code():
    slow = "for i in range(900):\n            x = x + 1\n        return x"
    source = CLASS.replace("net = ", "") + slow + "\nnet = nn.Sequential(*[A() for _ in range(40)])"
    with pytest.raises(CodeError, match=r"more than|longer than"):
        forward(read_network(source).module, (3, 8, 8))
    assert type(read_network(source).module).__name__ == "Sequential"


def test_torchs_own_errors_in_a_forward_carry_their_line():
    module = read_network(CLASS + "x = self.c(x)\n        return x @ x.flatten(1)").module
    with pytest.raises(RuntimeError) as caught:
        forward(module, (3, 8, 9))
    assert line_of(caught.value) == 7
    with pytest.raises(RuntimeError) as caught:
        forward(module, (2, 8, 9))
    assert line_of(caught.value) == 6


def test_layers_in_a_plain_list_are_told_about():
    source = CLASS + "return x"
    read = read_network(source.replace("self.c = ", "self.many = [nn.ReLU()]; self.c = "))
    assert read.notes == (
        "self.many of A is a plain list: torch does not count the layers in it (nn.ModuleList registers them).",
    )
    joined = source.replace(
        "self.c = nn.Conv2d(3, 4, 3)", "self.l = [nn.ReLU()]; self.c = nn.Sequential(*self.l)"
    )
    assert read_network(joined).notes == ()


def test_nothing_of_torch_that_reaches_outside_is_in_a_table():
    for path in (*LAYERS, *FUNCTIONS, *METHODS, *MODELS):
        name = path.rpartition(".")[2]
        assert not name.startswith("_")
        assert not {
            "load",
            "save",
            "file",
            "from",
            "numpy",
            "apply",
            "map",
            "hook",
            "storage",
            "compile",
        } & set(name.lower().split("_")), path


# Real modules ----------------------------------------------------------------------------------------------


def test_a_network_that_was_read_has_hooks_children_and_copies():
    source, shape = LISTINGS["residual blocks with a class attribute and a helper method"]
    module = read_network(source).module
    twin = copy.deepcopy(module)
    seen: list[str] = []
    for path, layer in twin.named_modules():
        layer.register_forward_hook(lambda layer, args, output, path=path: seen.append(path))
    assert shapes(forward(twin, shape)) == [(2, 7)]
    assert seen[:5] == ["stem.0", "stem.1", "stem.2", "stem.3", "stem"]
    assert seen[5:10] == ["layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2", "layer1.0.bn2", "layer1.0"]
    assert seen[-1] == ""
    seen.clear()
    forward(module, shape)
    assert seen == []
    assert not {id(one) for one in module.parameters()} & {id(one) for one in twin.parameters()}
    twin.fc = nn.Linear(16, 3, device="meta")
    assert shapes(forward(twin, shape)) == [(2, 3)]


def test_methods_that_are_kept_follow_the_copy():
    source = CLASS + "return self.again(x)\n    def again(self, x): return self.c(x)\n"
    source = source.replace("self.c =", "self.again2 = self.again\n        self.c =").replace(
        "self.again(", "self.again2("
    )
    module = read_network(source).module
    twin = copy.deepcopy(module)
    twin.c = nn.Conv2d(3, 9, 3, device="meta")
    assert shapes(forward(twin, (3, 8, 8))) == [(2, 9, 6, 6)]
    assert shapes(forward(module, (3, 8, 8))) == [(2, 4, 6, 6)]


def test_threads_do_not_disturb_one_another():
    sources = [LISTINGS[name] for name in LISTINGS if "script" not in name]
    expected = [shapes(forward(read_network(source).ready(shape), shape)) for source, shape in sources]
    shared_module = read_network(sources[2][0]).module
    wrong: list[object] = []

    def work(start: int) -> None:
        try:
            for turn in range(6):
                index = (start + turn) % len(sources)
                source, shape = sources[index]
                found = shapes(forward(read_network(source).ready(shape), shape))
                if found != expected[index]:
                    wrong.append((index, found))
                if shapes(forward(copy.deepcopy(shared_module), sources[2][1])) != expected[2]:
                    wrong.append("shared")
                with pytest.raises(CodeError):
                    read_network("while True: pass")
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


AUDIT = """
import sys
from explorer.networks.reading import read_network, CodeError
from tests.hostile_code import HOSTILE
from tests.test_reading import LISTINGS
import torch
ready = {"warm": True}
allowed = {"compile"}  # ast.parse
def watch(event, arguments):
    if event == "open" and arguments[0] == "<unknown>":
        return  # Python looks there for the line of a syntax error
    if not ready["warm"] and (event.split(".")[0] in ("import", "exec", "open", "os", "subprocess", "socket",
            "ctypes", "shutil", "glob", "marshal", "pickle", "pty", "webbrowser", "urllib", "tempfile")):
        ready["warm"] = True
        print(event, arguments, flush=True)
        import traceback
        traceback.print_stack()
        ready["bad"] = True
def all_of_it():
    for one in HOSTILE:
        try:
            read_network(one.source)
        except CodeError:
            pass
    for source, shape in LISTINGS.values():
        module = read_network(source).ready(shape)
        with torch.no_grad():
            module(torch.zeros(2, *shape, device="meta"))
all_of_it()  # torch itself imports some of its parts when they are first used
sys.addaudithook(watch)
ready["warm"] = False
all_of_it()
ready["warm"] = True
sys.exit(3 if "bad" in ready else 0)
"""


def test_reading_opens_imports_and_runs_nothing():
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AUDIT], cwd=root, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Repairs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected", "arrived", "before", "after"),
    [
        ("0", 3, 1, "nn.Conv2d(3, 32, 3)", "nn.Conv2d(1, 32, 3)"),
        ("1", 64, 32, "num_features=64", "num_features=32"),
        ("2", 64, 32, "nn.GroupNorm(4, 64)", "nn.GroupNorm(4, 32)"),
        ("4", 3136, 1568, "64 * 7 * 7", "1568"),
    ],
)
def test_a_number_that_does_not_fit_is_changed_where_it_is_written(
    path: str, expected: int, arrived: int, before: str, after: str
):
    source = """net = nn.Sequential(
    nn.Conv2d(3, 32, 3), nn.BatchNorm2d(num_features=64),
    nn.GroupNorm(4, 64), nn.Flatten(),
    nn.Linear(64 * 7 * 7, 10))  # 64 * 7 * 7"""
    found = suggest(source, path, expected, arrived)
    assert found is not None
    label, edited = found
    assert edited == source.replace(before, after, 1)
    line = source[: source.index(before)].count("\n") + 1
    assert label.startswith(f"Change {expected} to {arrived} in line {line}: ")
    layer = read_network(edited).module.get_submodule(path)
    assert arrived in vars(layer).values()


@pytest.mark.parametrize(
    ("source", "path", "expected", "arrived"),
    [
        ("net = nn.Sequential(*[nn.Conv2d(8, 8, 3) for _ in range(2)])", "0", 8, 4),  # one call, two layers
        ("n = 8\nnet = nn.Sequential(nn.Conv2d(n, 8, 3))", "0", 8, 4),  # not a number in the call
        ("net = nn.Sequential(nn.Conv2d(8, 8, 3))", "0", 16, 4),  # another number
        ("net = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8))", "0", 8, 4),  # does not fit the groups
        ("net = nn.Sequential(nn.Conv2d(*[8, 8, 3]))", "0", 8, 4),
        ("net = nn.Sequential(nn.ReLU())", "0", 8, 4),
        ("net = nn.Sequential(nn.Conv2d(8, 8, 3))", "9", 8, 4),
        ("net = nn.Sequential(nn.Conv2d(8, 8, 3))", "0", 8, 0),
        ("net = nn.Sequential(nn.Conv2d(8, 8, 3)", "0", 8, 4),
    ],
)
def test_no_change_is_offered_where_it_would_not_be_this_layer_alone(
    source: str, path: str, expected: int, arrived: int
):
    assert suggest(source, path, expected, arrived) is None


def test_a_repair_in_a_class_keeps_all_other_text():
    source = textwrap.dedent(
        """\
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Conv2d(3, 64, 3)   # 64 → ünïcode
                self.größe = nn.Conv2d(32, 64, 3); self.b = nn.Conv2d(in_channels=32, out_channels=64, kernel_size=1)
            def forward(self, x): return self.b(self.größe(self.a(x)))
        """
    )
    label, edited = suggest(source, "größe", 32, 64) or ("", "")
    assert label == "Change 32 to 64 in line 5: in_channels of Conv2d"
    assert edited == source.replace("nn.Conv2d(32,", "nn.Conv2d(64,")
    label, edited = suggest(edited, "b", 32, 64) or ("", "")
    assert edited == source.replace("nn.Conv2d(32,", "nn.Conv2d(64,").replace(
        "in_channels=32", "in_channels=64"
    )
    assert shapes(forward(read_network(edited).module, (3, 9, 9))) == [(2, 64, 5, 5)]


MISSPELT = {
    "a layer, three times": (
        "net = nn.Sequential(nn.Conv2D(3, 8, 3), nn.ReLU(),\n    nn.Conv2D(8, 8, 3), nn.Conv2D(8, 4, 3))",
        "net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(),\n    nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 3))",
        "Change Conv2D to Conv2d in lines 1 and 2",
    ),
    "beside a text, a comment and a method of the same name": (
        "# nn.Relu\ndef Relu(): return 'nn.Relu'\nname = Relu()\nnet = nn.Sequential(nn.Relu())",
        "# nn.Relu\ndef Relu(): return 'nn.Relu'\nname = Relu()\nnet = nn.Sequential(nn.ReLU())",
        "Change Relu to ReLU in line 4",
    ),
    "behind wide letters": (
        "größe = 'ü é 漢'; net = nn.Sequential(nn.Relu())",
        "größe = 'ü é 漢'; net = nn.Sequential(nn.ReLU())",
        "Change Relu to ReLU in line 1",
    ),
    "behind prompts": (
        ">>> net = nn.Sequential(\n...     nn.Relu(),\n... )",
        ">>> net = nn.Sequential(\n...     nn.ReLU(),\n... )",
        "Change Relu to ReLU in line 2",
    ),
    "over two lines": (
        "net = nn.Sequential(nn\\\n    .Relu())",
        "net = nn.Sequential(nn\\\n    .ReLU())",
        "Change Relu to ReLU in line 2",
    ),
    "imported by its name": (
        "from torch.nn import Conv2D, Sequential\nnet = Sequential(Conv2D(3, 8, 3))",
        "from torch.nn import Conv2d, Sequential\nnet = Sequential(Conv2d(3, 8, 3))",
        "Change Conv2D to Conv2d in lines 1 and 2",
    ),
    "imported under another name": (
        "from torch.nn import Relu as R\nnet = nn.Sequential(R())",
        "from torch.nn import ReLU as R\nnet = nn.Sequential(R())",
        "Change Relu to ReLU in line 1",
    ),
    "passed on": (
        "def block(act=nn.Relu):\n    return act()\nnet = nn.Sequential(block())",
        "def block(act=nn.ReLU):\n    return act()\nnet = nn.Sequential(block())",
        "Change Relu to ReLU in line 1",
    ),
    "without nn": (
        "net = nn.Sequential(ReLU(), ReLU())",
        "net = nn.Sequential(nn.ReLU(), nn.ReLU())",
        "Change ReLU to nn.ReLU in line 1",
    ),
    "of Keras": (
        "net = nn.Sequential(nn.Flatten(), nn.Dense(12, 10))",
        "net = nn.Sequential(nn.Flatten(), nn.Linear(12, 10))",
        "Change Dense to Linear in line 1",
    ),
    "an argument": (
        "kernal_size = 3\nnet = nn.Conv2d(3, 8, padding=1,\n    kernal_size=kernal_size)",
        "kernal_size = 3\nnet = nn.Conv2d(3, 8, padding=1,\n    kernel_size=kernal_size)",
        "Change kernal_size to kernel_size in line 3",
    ),
    "an argument of a function": (
        "def head(width):\n    return nn.Linear(width, 10)\nnet = head(widht=5)",
        "def head(width):\n    return nn.Linear(width, 10)\nnet = head(width=5)",
        "Change widht to width in line 3",
    ),
    "a network of torchvision": (
        "net = torchvision.models.mobilenetv2()",
        "net = torchvision.models.mobilenet_v2()",
        "Change mobilenetv2 to mobilenet_v2 in line 1",
    ),
    "in five lines": (
        "net = nn.Sequential(\n" + "    nn.Relu(),\n" * 5 + ")",
        "net = nn.Sequential(\n" + "    nn.ReLU(),\n" * 5 + ")",
        "Change Relu to ReLU in 5 lines",
    ),
}


@pytest.mark.parametrize("which", MISSPELT)
def test_a_misspelt_word_is_mended_as_by_hand(which: str):
    wrong, right, label = MISSPELT[which]
    with pytest.raises(CodeError, match="did you mean") as caught:
        read_network(wrong)
    assert respell(wrong, caught.value) == (label, right)
    assert read_network(right).title == "net"


MISSPELT_FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.other = Other()
    def forward(self, x):
        x = F.max_pooling2d(F.rellu(self.con(x)), 2)
        return torch.flaten(x.maen(3), 1) + F.rellu(self.other(x))

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.con = nn.Flatten()
    def forward(self, x): return self.con(x).mean()

net = Net()
"""


def test_misspelt_words_of_a_forward_are_mended_one_after_the_other():
    """`self.con` of the other class stays: what belongs to a variable is changed where it fails alone."""
    code, labels = MISSPELT_FORWARD, []
    while refused := refusal(read_network(code).module, (3, 12, 12)):
        label, code = respell(code, refused) or ("", "")
        labels.append(label)
    assert labels == [
        "Change con to conv in line 8",
        "Change rellu to relu in lines 8 and 9",
        "Change max_pooling2d to max_pool2d in line 8",
        "Change maen to mean in line 9",
        "Change flaten to flatten in line 9",
    ]
    by_hand = MISSPELT_FORWARD.replace("self.con(x))", "self.conv(x))").replace("max_pooling2d", "max_pool2d")
    by_hand = by_hand.replace("rellu", "relu").replace("flaten", "flatten").replace("maen", "mean")
    assert code == by_hand
    assert shapes(forward(read_network(code).module, (3, 12, 12))) == [(2, 40)]


@pytest.mark.parametrize(
    "source",
    [
        "nn.Conv2d(3, 8",  # no word is wrong
        "nn.Wxyzzy(3)",  # none is near
        "layer = getattr(nn, 'Relu')()",  # the word stands in a text
        "nn.Conv2d(3, 8, ﬁlters=3)",  # Python reads the ligature as two letters: the word is not there
    ],
)
def test_no_word_is_offered_where_none_is_near_or_it_is_not_written(source: str):
    with pytest.raises(CodeError) as caught:
        read_network(source)
    assert respell(source, caught.value) is None


def test_a_forward_that_runs_or_that_torch_refuses_has_no_wrong_word():
    assert refusal(read_network("nn.LazyLinear(5)").module, (3, 4, 4)) is None
    assert refusal(read_network("nn.Linear(9, 5)").module, (3, 4, 4)) is None


def test_what_is_looked_for_in_a_forward_leaves_the_network_as_it_is():
    lazy = read_network("net = nn.Sequential(nn.LazyLinear(5))").module
    refusal(lazy, (3, 4, 4))
    assert [type(part).__name__ for part in lazy.modules()] == ["Sequential", "LazyLinear"]


# Fuzzing ---------------------------------------------------------------------------------------------------

SIGNS = [
    *"()[]{}:,.=+-*/%@<>&|^~ \n\t'\"#0123",
    "==",
    "**",
    "//",
    ":=",
    "->",
    "...",
    "    ",
    "\n    ",
    "\n        ",
]
NAMES = """nn torch F self x Conv2d Linear Sequential ReLU LazyConv2d Module cat view shape size def class return
for in range if else while lambda yield async await try except with as import from global nonlocal del pass break
super __init__ __class__ __dict__ forward append eval exec open getattr setattr os sys None True False 1 3 64 10**9
1e309 nn.Conv2d(3,4,3) nn.ReLU() net nn.Sequential( torch.zeros( [0]* f'{x}' '%d' .format( *x **x é “ >>> ``` !pip
%time"""
WORDS = [*SIGNS, *NAMES.split(), "\\", "\0", "\ud800"]


def survives(source: str) -> None:
    """Read or refused, in time; and what is read can be copied and run or says why not."""
    started = time.thread_time()
    try:
        read = read_network(source)
    except CodeError as error:
        read, said = None, str(error)
        mended = respell(source, error)
        assert mended is None or mended[1] != source
    assert time.thread_time() - started < 1.5
    if read is None:
        assert 3 < len(said) < 2_000
        return
    for shape in ((3, 12, 12), (5,)):
        started = time.thread_time()
        module = read.ready(shape)
        assert time.thread_time() - started < 2.5
        assert sum(1 for _ in module.named_modules(remove_duplicate=False)) < 20_000


@st.composite
def changed_listings(draw: st.DrawFn) -> str:
    """A listing with a few of its pieces taken away, doubled, exchanged or replaced."""
    source = draw(st.sampled_from([source for source, _ in LISTINGS.values()]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(source) - 1)))
        length = draw(st.integers(0, 30))
        put = draw(st.sampled_from(["", source[start : start + length] * 2, *WORDS]))
        source = source[:start] + put + source[start + length :]
    return source


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        changed_listings(), st.lists(st.sampled_from(WORDS), max_size=40).map("".join), st.text(max_size=60)
    )
)
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_pasted_is_read_or_refused(source: str):
    survives(source)
