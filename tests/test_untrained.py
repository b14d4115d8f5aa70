"""Networks with random weights: the same each time, nobody else's numbers touched, and refused with one sentence."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models as zoo

from explorer import models, untrained
from explorer.errors import ExplorerError, LayerError, ModelError
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput
from explorer.networks.classics import CLASSICS
from explorer.networks.source import Source, of_parts, write_source
from explorer.networks.spec import NetworkSpec, part
from explorer.random_weights import Bounded, Seeded, drawn
from explorer.recording import Recorder
from explorer.saliency import SaliencySpec, explain
from explorer.untrained import build, building_code, card, read_key, write_key
from tests.zoo import package_maps

NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 6, 5, padding=2)
        self.scale = nn.Parameter(torch.randn(1, 6, 1, 1))
        self.register_buffer("steps", torch.arange(6.0).view(1, 6, 1, 1))
        self.second = nn.Conv2d(6, 8, 3)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x) * self.scale + self.steps), 2)
        x = F.relu(self.second(x)) + torch.ones(1)
        return self.last(x.mean((2, 3)))

net = Net()
x = torch.randn(1, 1, 28, 28)
net(x)
"""
LAZY = "nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))"
STARTED = NET.replace("self.last = ", "nn.init.zeros_(self.first.weight)\n        self.last = ")
FUNCTION = (
    "def make(width=8):\n    return nn.Sequential(nn.Conv2d(3, width, 3), nn.Flatten(), nn.LazyLinear(5))\n"
)


def key_of(code: str) -> str:
    return f"random~{write_source(Source('code', code))}"


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """torch's own generator, given back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def same_values(ours: nn.Module, theirs: nn.Module) -> bool:
    mine, others = ours.state_dict(), theirs.state_dict()
    return list(mine) == list(others) and all(torch.equal(mine[name], others[name]) for name in mine)


# Weights ----------------------------------------------------------------------------------------------


def lenet() -> nn.Module:
    """LeNet-5 as it is taught, written out."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


@pytest.mark.parametrize(
    ("key", "theirs"),
    [
        ("random~classic~lenet5", lenet),
        ("random~classic~resnet18", zoo.resnet18),
        ("random~model~mobilenet_v3_small.IMAGENET1K_V1", zoo.mobilenet_v3_small),
        (f"random~model~{DEFAULT_MODEL}", lambda: timm.create_model("tf_efficientnet_lite0")),
        ("random~model~vit_b_32.IMAGENET1K_V1", zoo.vit_b_32),
    ],
)
def test_weights_are_torchs_own_with_seed_0(key: str, theirs: Callable[[], nn.Module]) -> None:
    with seeded():
        other = theirs()
    ours = build(key)
    assert [each.shape for each in ours.state_dict().values()] == [
        each.shape for each in other.state_dict().values()
    ]
    for mine, their in zip(ours.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, their)
    assert not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_code_is_started_as_torch_would_run_it() -> None:
    """Parameters and buffers that the code makes itself have its values too."""
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
    with seeded():
        exec(NET, names)
    ours = build(key_of(NET))
    assert same_values(ours, names["net"])
    assert ours.get_buffer("steps").flatten().tolist() == [0, 1, 2, 3, 4, 5]
    picture = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        assert torch.allclose(ours(picture), names["net"].eval()(picture), atol=1e-6)


def test_the_same_key_gives_the_same_weights_in_another_network() -> None:
    first, second = build("random~classic~lenet5"), build("random~classic~lenet5")
    assert first is not second
    assert same_values(first, second)
    assert first.get_parameter("c1.weight").data_ptr() != second.get_parameter("c1.weight").data_ptr()


def test_nobody_elses_numbers_are_touched() -> None:
    """While networks are built, another thread draws what it would have drawn, and so do we."""
    alone = build("random~classic~lenet5")
    with seeded(5):
        expected = [torch.rand(1000) for _ in range(300)]
    with seeded(5):
        found: list[Tensor] = []
        other = threading.Thread(target=lambda: found.extend(torch.rand(1000) for _ in range(300)))
        other.start()
        built = [build("random~classic~lenet5") for _ in range(10)]
        other.join()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
    assert all(same_values(each, alone) for each in built)
    state = torch.get_rng_state()
    build(key_of(NET))
    assert torch.equal(torch.get_rng_state(), state)


DRAWS: dict[str, Callable[[], Tensor]] = {
    "rand": lambda: torch.rand(3, 3),
    "randn": lambda: torch.randn(17),
    "randint": lambda: torch.randint(100, (9,)),
    "randint_low": lambda: torch.randint(5, 100, (9,)),
    "randperm": lambda: torch.randperm(20),
    "rand_like": lambda: torch.rand_like(torch.empty(5)),
    "randn_like": lambda: torch.randn_like(torch.empty(5)),
    "normal": lambda: torch.normal(0.0, 1.0, (5,)),
    "normal_": lambda: torch.empty(33).normal_(1, 2),
    "uniform_": lambda: torch.empty(5).uniform_(-1, 1),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "exponential_": lambda: torch.empty(5).exponential_(),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 4),
    "kaiming": lambda: nn.init.kaiming_normal_(torch.empty(4, 4)),
    "trunc": lambda: nn.init.trunc_normal_(torch.empty(40)),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_way_to_draw_is_that_of_the_seed(name: str) -> None:
    with seeded(3):
        expected = [DRAWS[name](), DRAWS[name]()]
    state = torch.get_rng_state()
    with Seeded(3):
        found = [DRAWS[name](), DRAWS[name]()]
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


ATTENTIVE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, stride=8)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        seen, _ = self.attention(tokens, tokens, tokens)
        return self.head(seen.mean(1))
"""


def test_attention_in_pasted_code_runs_for_its_dropout_draws_nothing() -> None:
    key = key_of(ATTENTIVE)
    networks = [build(key).eval() for _ in range(2)]
    x = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mine, again = (network(x) for network in networks)
    assert mine.shape == (2, 10)
    assert torch.equal(mine, again)


def test_what_cannot_be_repeated_is_refused() -> None:
    with Seeded(), pytest.raises(ModelError, match="native_dropout draws random numbers in a way"):
        torch.native_dropout(torch.ones(4), 0.5, True)


# Code to take home ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "random~classic~lenet5",
        "random~classic~lenet5-1998",
        "random~classic~mobilenet_v2",
        "random~classic~googlenet",
        "random~classic~nin-cifar10",
        "random~classic~googlenet-dsci",
        f"random~model~{DEFAULT_MODEL}",
        "random~model~inception_v3.IMAGENET1K_V1",
        key_of(NET),
        key_of(LAZY),
        key_of(STARTED),
        key_of(FUNCTION),
        key_of(
            ">>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(3))\n>>> net\nSequential(…)"
        ),
    ],
)
def test_code_makes_the_same_network(key: str) -> None:
    names: dict[str, Any] = {}
    code = building_code(key)
    assert "explorer" not in code
    state = torch.get_rng_state()
    try:
        exec(compile(code, "taken home", "exec"), names)
    finally:
        torch.set_rng_state(state)
    ours = build(key)
    assert same_values(ours, names["network"])
    side = card(key).preprocessing
    x = torch.rand(1, side.channels, side.crop, side.crop)
    with torch.no_grad():
        assert torch.allclose(ours(x), names["network"].eval()(x), atol=1e-5)


# Cards ------------------------------------------------------------------------------------------------


def test_facts_of_lenet() -> None:
    entry = models.card("random~classic~lenet5")
    assert entry.source == "random"
    assert entry.title == "LeNet-5, as it is taught · random weights"
    assert (entry.parameters, entry.gmacs) == (61_706, 0.000_416_52)
    assert entry.labels == tuple(f"output {number}" for number in range(10))
    ready = entry.preprocessing
    assert (ready.crop, ready.resize, ready.channels, ready.mean, ready.std) == (32, 32, 1, (0.5,), (0.5,))
    assert (entry.top1, entry.top5, entry.url, entry.file_name) == (None, None, "", "")
    assert "means nothing" in entry.note


def test_an_architecture_of_the_catalogue_is_fed_as_with_its_weights() -> None:
    for key in (DEFAULT_MODEL, "resnet50.IMAGENET1K_V2"):
        fresh, trained = card(f"random~model~{key}"), models.card(key)
        assert fresh.preprocessing == trained.preprocessing
        assert fresh.class_count == 1000
        assert (fresh.parameters, round(fresh.gmacs, 2)) == (trained.parameters, round(trained.gmacs, 2))
        assert fresh.key != trained.key


def test_another_input_is_part_of_the_key() -> None:
    key = f"random~{write_key(Source('classic', 'resnet18'), (3, 64, 64))}"
    assert key == "random~classic~resnet18@3x64x64"
    assert read_key("classic~resnet18@3x64x64") == (Source("classic", "resnet18"), (3, 64, 64))
    assert read_key("classic~resnet18") == (Source("classic", "resnet18"), None)
    entry = card(key)
    assert entry.preprocessing.crop == 64
    assert Recorder(build(key), size=64).default.grid == (2, 2)  # 64 / 32


SPEC = NetworkSpec("Broken", (1, 28, 28), (part("conv", out_channels=8), part("linear")))
ONE = "nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())"
TWO = "class Net(nn.Module):\n    def forward(self, x):\n        return x.mean((2, 3)), x.mean((2, 3))\n"
WIDE = "nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 30_000))"
TWICE = "nn.Sequential(" + "nn.Conv2d(3, 3, 3, padding=1), " * 700 + "nn.AdaptiveAvgPool2d(1), nn.Flatten())"
SLOW = (
    "nn.Sequential(nn.Conv2d(3, 512, 3, padding=1), nn.Conv2d(512, 1024, 3, padding=1), nn.AdaptiveAvgPool2d(1), "
    "nn.Flatten())"
)
OTHER_FIRST = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.late = nn.Conv2d(8, 4, 3)
        self.early = nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return self.late(self.early(x)).mean((2, 3))
"""


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("random~", "names no network"),
        ("random~classic~lenet6", "There is no classic network “lenet6”"),
        ("random~model~resnet50", "There is no network “resnet50” in the catalogue"),
        (
            "random~model~random~classic~lenet5",
            "There is no network “random~classic~lenet5” in the catalogue",
        ),
        ("random~code~own", "too long for a link"),
        ("random~code~AAAA", "cannot be unpacked"),
        ("random~parts~1AAAA", "damaged"),
        ("random~classic~resnet18@3x64", "is no input"),
        ("random~classic~resnet18@3x0x0", "An input has 1 to"),
        (f"random~{write_source(of_parts(SPEC))}", "Broken cannot run yet: Linear “linear1” cannot follow"),
        (key_of("import os\nos.system('true')"), "Line 2"),
        (key_of(ONE), "Sequential gives 4 × .* numbers, where one row of scores"),
        (key_of(TWO), "Net gives 3 and 3 numbers, where one row of scores"),
        (key_of(WIDE), "has 30,000 outputs; at most 25,000"),
        ("random~classic~resnet18@3x64x96", "64 × 96 pixels, and pictures are fed as squares"),
        ("random~classic~resnet18@3x2048x2048", "squares have at most 1,024"),
        ("random~classic~alexnet-dsci@3x224x224", "expects 1 channel, but 3 arrive"),
        (
            key_of("nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())") + "@2x32x32",
            "takes 2",
        ),
        ("random~classic~mlp", "No layer of MLP 784-256-10 holds a map"),
        ("random~classic~vit_h_14", "632 M parameters take 2.53 GB; the most is 1.00 GB"),
        (
            "random~classic~vgg16@3x1024x1024",
            "takes 321 G multiplications; 100 G are allowed|with activations",
        ),
        (key_of(SLOW), "too slow to be run here|too large"),
        (
            key_of(TWICE) + "@3x1024x1024",
            "its maps take 8.8. GB together; the most is 4.00 GB|multiplications",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(key: str, sentence: str) -> None:
    with pytest.raises(ExplorerError, match=sentence) as refused:
        models.card(key)
    assert "\n" not in str(refused.value)
    with pytest.raises(ExplorerError):
        models.load_network(key)


PATCHES = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(49, 8)
        self.last = nn.Linear(8, 3)
    def forward(self, x):
        x = x.reshape(-1, 16, 49)
        return self.last(self.embed(x).mean(1))
"""


def test_a_network_is_tried_with_the_pictures_that_it_reads() -> None:
    """Its first convolution may be another's, or there is none."""
    stages = Recorder(build(key_of(OTHER_FIRST)), size=224).stages
    assert [(stage.name, stage.channels) for stage in stages] == [("early", 8)]
    with pytest.raises(LayerError, match="no layer that holds a map"):
        Recorder(build(key_of(PATCHES) + "@1x28x28"), size=28)


# In use -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["random~classic~lenet5", key_of(NET), "random~classic~nin-cifar10"])
def test_maps_are_those_of_pytorch_grad_cam(key: str) -> None:
    fed = NetworkInput(card(key), sample_photo("coffee"))
    recorder = Recorder(build(key), size=fed.card.preprocessing.crop)
    tape = recorder.record(fed.tensor())
    (theirs,) = package_maps("GradCAM", build(key), recorder.default.name, fed.tensor(), [2])
    ours = explain(tape, SaliencySpec("grad_cam", recorder.default.name, 2))
    assert np.abs(ours.heat - np.maximum(theirs, 0)).max() < 1e-5 * max(np.abs(theirs).max(), 1e-3)


def test_sessions_share_the_network_and_its_answers() -> None:
    """Four threads record at once, and each gets what one alone gets."""
    key = key_of(NET)
    recorder = Recorder(build(key), size=28)
    pictures = torch.rand(4, 1, 28, 28)
    alone = [recorder.logits(picture[None]) for picture in pictures]
    found: dict[int, Tensor] = {}

    def ask(number: int) -> None:
        for _ in range(10):
            found[number] = recorder.record(pictures[number][None]).logits

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[number], alone[number]) for number in range(4))


@pytest.mark.parametrize("key", ["random~classic~lenet5", key_of(NET), key_of(LAZY)])
def test_weights_are_let_go_at_once(key: str) -> None:
    """Not by the collector, which is told to leave alone what is loaded."""
    network = build(key)
    weight = weakref.ref(next(network.parameters()).untyped_storage())
    first = weakref.ref(network)
    gc.disable()
    try:
        del network
        assert first() is None
        assert weight() is None
    finally:
        gc.enable()


TRICKY = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 4, 3)
    def forward(self, x):
        x = self.c(x)
        TRICK
        return x.mean((2, 3))
"""
HOSTILE = {
    "asks for gradients": "if x.requires_grad:\n            x = x + torch.zeros(200_000, 200_000).sum()",
    "tries to read values": "try:\n            x.item()\n            big = torch.zeros(200_000, 200_000)\n"
    "        except:\n            pass",
    "repeats itself": "if x.requires_grad:\n            x = x + x.repeat(1, 1, 9_000, 9_000).mean()",
    "multiplies": "if x.requires_grad:\n            x = x + (torch.ones(9999, 9999) @ torch.ones(9999, 9999))[0, 0]",
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_code_that_finds_out_that_it_runs_with_numbers_gains_nothing(trick: str) -> None:
    code = TRICKY.replace("TRICK", HOSTILE[trick])
    try:
        network = build(key_of(code) + "@1x28x28")
    except ExplorerError:
        return
    recorder = Recorder(network, size=28, layers=["c"])
    with pytest.raises(ExplorerError, match="more memory or time than it showed with shapes"):
        recorder.record(torch.rand(1, 1, 28, 28))


def test_bounds_count_what_is_made() -> None:
    with Bounded(most_bytes=4000):
        numbers = torch.ones(500)  # 2,000 bytes
        numbers.view(50, 10).t()
        numbers += 1  # nothing new
        numbers = numbers * 2
        with pytest.raises(ModelError, match="more memory or time"):
            torch.ones(1)
    with Bounded(most_work=10 * 20 * 30):
        left, right = torch.ones(10, 20), torch.ones(20, 30)
        product = left @ right
        with pytest.raises(ModelError, match="more memory or time"):
            left @ right
    assert product.shape == (10, 30)
    with Bounded(), pytest.raises(ModelError, match="as many numbers as the values"):
        torch.ones(3).nonzero()


def test_what_is_too_large_is_not_even_tried() -> None:
    with Bounded(most_bytes=10**6), pytest.raises(ModelError, match="more memory or time"):
        torch.zeros(2**48)
    small = torch.ones(1)
    with Bounded(most_bytes=10**6), pytest.raises(ModelError, match="more memory or time"):
        small.repeat(2**48)


def test_what_is_drawn_does_not_hang_on_the_thread() -> None:
    found: list[nn.Module] = []
    worker = threading.Thread(target=lambda: found.append(drawn(lambda: nn.Linear(3, 3))))
    worker.start()
    worker.join()
    assert same_values(found[0], drawn(lambda: nn.Linear(3, 3)))


def test_cards_are_made_once() -> None:
    assert untrained.card("random~classic~lenet5") is untrained.card("random~classic~lenet5")


def test_every_classic_can_be_taken_home() -> None:
    """Those that are no chain of parts are made by one line of a public package."""
    assert not [key for key, known in CLASSICS.items() if not known.line and not known.spec_of]
