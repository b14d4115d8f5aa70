"""Where networks come from: texts in links, inputs, and what is built of them, against torch's own modules."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
import torch
import torchvision

from explorer.errors import ExplorerError, ModelError, ShapeError
from explorer.networks.source import (
    MOST_CODE,
    MOST_LINK,
    Source,
    is_edit,
    load,
    of_parts,
    read_input,
    read_source,
    write_source,
)
from explorer.networks.spec import NetworkSpec, part
from explorer.profiling import NetworkProfile, profile

CODE = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))"
SPEC = NetworkSpec("Small", (1, 28, 28), (part("conv", out_channels=8), part("flatten"), part("linear")))


def weights_of(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    "source",
    [
        Source("classic", "resnet50"),
        of_parts(SPEC),
        Source("code", CODE),
        Source("code", f"first = {CODE}\nsecond = nn.Linear(3, 4)  # größer", "first"),
        Source("code", ""),
    ],
    ids=lambda source: f"{source.origin} {source.name}",
)
def test_links_carry_sources_and_bring_them_back(source: Source) -> None:
    text = write_source(source)
    assert read_source(text) == source
    assert text.isascii()
    assert not set(text) - set("~-_") - set(map(chr, range(48, 123)))


@pytest.mark.parametrize("key", ["vgg16", "resnet18", "mobilenet_v2"])
def test_a_classic_is_torchvisions(key: str) -> None:
    known = load(Source("classic", key))
    with torch.device("meta"):
        assert weights_of(known.module) == weights_of(torchvision.models.get_model(key))
    assert known.input_shape == (3, 224, 224)
    assert all(weight.is_meta for weight in known.module.parameters())
    assert known.spec is not None


def test_parts_are_built_and_given_their_own_input_or_another() -> None:
    made = load(of_parts(SPEC))
    assert (made.title, made.input_shape) == ("Small", (1, 28, 28))
    with torch.device("meta"):
        assert weights_of(made.module) == weights_of(
            torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Linear(8 * 26 * 26, 10))
        )
        assert weights_of(load(of_parts(SPEC), (3, 32, 32)).module) == weights_of(
            torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(8 * 30 * 30, 10))
        )


def test_parts_in_trouble_are_built_as_far_as_they_go() -> None:
    made = load(of_parts(NetworkSpec("Broken", (1, 28, 28), (part("conv"), part("linear")))))
    assert made.plan is not None
    assert made.plan.trouble is not None
    assert [type(layer).__name__ for layer in made.module.children()] == ["Conv2d"]


@pytest.mark.parametrize(
    ("code", "shape", "choice"),
    [
        (CODE, (3, 224, 224), "fits"),
        ("nn.Sequential(nn.Flatten(), nn.Linear(784, 10))", (1, 28, 28), "fits"),
        ("nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(4 * 28 * 28, 10))", (3, 32, 32), "fits"),
        ("nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 28 * 28, 10))", (1, 32, 32), "fits"),
        (
            "net = nn.Sequential(nn.Conv2d(5, 4, 3))\nX = torch.randn(2, 5, 40, 50)\nnet(X)",
            (5, 40, 50),
            "tried",
        ),
    ],
)
def test_code_is_given_an_input_that_fits(code: str, shape: tuple[int, int, int], choice: str) -> None:
    made = load(Source("code", code))
    assert (made.input_shape, made.input_choice) == (shape, choice)
    with torch.no_grad():
        made.module(torch.empty(1, *shape, device="meta"))


FIVES = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 5, stride=5)
        self.up = nn.ConvTranspose2d(8, 3, 5, stride=5)

    def forward(self, x):
        return torch.cat([x, self.up(self.down(x))], 1)
"""


@pytest.mark.parametrize(
    ("code", "shape"),
    [
        # two poolings halve 28 to 7; 29, 30 and 31 fit too, and leave something over
        (
            "nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), "
            "nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))",
            (3, 28, 28),
        ),
        ("nn.Sequential(nn.Flatten(), nn.Linear(3 * 1000 * 1000, 10))", (3, 1000, 1000)),
        ("nn.Sequential(nn.Flatten(), nn.Linear(3 * 5 * 5, 10))", (3, 5, 5)),
        ("nn.Sequential(nn.Conv2d(5, 4, 3), nn.AdaptiveAvgPool2d(1))", (5, 224, 224)),
        ("nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.Linear(4 * 9 * 9, 10))", (3, 11, 11)),
        # sides that are multiples of 5; nothing tells whether one is too small, so many are tried
        (FIVES, (3, 160, 160)),
    ],
    ids=["pooled", "large", "small", "channels", "lazy", "fives"],
)
def test_where_no_usual_input_fits_a_square_is_found(code: str, shape: tuple[int, int, int]) -> None:
    made = load(Source("code", code))
    assert (made.input_shape, made.input_choice) == (shape, "found")
    with torch.no_grad():
        made.module(torch.empty(1, *shape, device="meta"))


def test_every_side_is_found_that_a_dense_layer_asks_for() -> None:
    for side in range(16, 400, 23):
        flat = 4 * ((side - 4) // 2) ** 2
        code = f"nn.Sequential(nn.Conv2d(2, 4, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear({flat}, 10))"
        made = load(Source("code", code))
        assert made.input_choice == "found"
        assert made.input_shape[0] == 2
        assert (made.input_shape[1] - 4) // 2 == (side - 4) // 2


DEEP = ", ".join(["nn.Conv2d(3, 3, 3, padding=1)"] * 60)


@pytest.mark.parametrize(
    ("code", "most"),
    [
        ("nn.Sequential(nn.Flatten(), nn.Linear(3 * 50 * 50 + 1, 10))", 600),  # no square has such an area
        ("nn.Sequential(nn.Flatten(), nn.Linear(3 * 50 * 50, 10), nn.Linear(11, 2))", 600),
        (f"nn.Sequential({DEEP}, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3 * 50 * 50 + 1, 10))", 60),
        # what no side mends is not tried with every side: the usual inputs alone
        (f"nn.Sequential({DEEP}, nn.Conv2d(4, 3, 3))", 17),
    ],
)
def test_the_search_ends_where_no_square_fits(code: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, ...]] = []

    def counting(module: torch.nn.Module, shape: tuple[int, int, int]) -> NetworkProfile:
        tried.append(shape)
        return profile(module, shape)

    monkeypatch.setattr("explorer.networks.source.profile", counting)
    assert load(Source("code", code)).input_choice == "furthest"
    assert len(set(tried)) == len(tried) <= most


@pytest.mark.parametrize(
    ("code", "shape"),
    [
        ("nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(32, 8, 3))", (3, 224, 224)),
        ("nn.Sequential(nn.Conv2d(1, 16, 3), nn.Conv2d(32, 8, 3))", (1, 28, 28)),
    ],
)
def test_where_no_input_fits_it_is_the_one_that_gets_furthest(code: str, shape: tuple[int, int, int]) -> None:
    made = load(Source("code", code))
    assert (made.input_shape, made.input_choice) == (shape, "furthest")


CLASS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return self.fc(x.mean((2, 3)))
"""
OTHER_CLASS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU())
        self.head = nn.Linear(100, 10)

    def forward(self, x):
        x = self.body(torch.flatten(x, 1))
        return self.head(x)
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (Source("code", CODE), Source("code", CODE), True),
        (Source("code", CODE), Source("code", CODE.replace("8", "16")), True),
        (Source("code", CLASS), Source("code", CLASS.replace("16", "24").replace("conv1", "first")), True),
        (Source("code", CLASS), Source("code", f"{CLASS}\nnet = Net()\n"), True),
        (Source("code", CLASS, "a"), Source("code", CLASS, "b"), False),
        (Source("code", CLASS), Source("code", OTHER_CLASS), False),
        (Source("code", CLASS), Source("code", CODE), False),
        (Source("code", CODE), Source("code", "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"), False),
        (Source("code", "vgg16"), Source("classic", "vgg16"), False),
        (Source("classic", "vgg16"), Source("code", "vgg16"), False),
    ],
)
def test_edits_are_told_from_other_code(before: Source, after: Source, same: bool) -> None:
    assert is_edit(before, after) == same


def test_an_input_can_be_chosen() -> None:
    chosen = load(Source("code", CODE), (3, 17, 19))
    assert (chosen.input_shape, chosen.input_choice) == ((3, 17, 19), "given")
    assert load(Source("classic", "resnet18")).input_choice == "given"
    assert load(Source("classic", "resnet18"), (3, 64, 96)).input_shape == (3, 64, 96)


def test_code_that_is_too_long_for_a_link_is_refused_there() -> None:
    noise = random.Random(0)
    long = "".join(noise.choice("0123456789abcdef") for _ in range(4 * MOST_LINK))
    with pytest.raises(
        ModelError, match=r"too long for a link: [\d,]+ characters when packed, 6,000 at most"
    ):
        write_source(Source("code", f"# {long}"))


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "names no network"),
        ("resnet50", "names no network"),
        ("file~/etc/passwd", "names no network"),
        ("code~%%%", "damaged"),
        ("code~AAAA", "damaged"),
        (f"code~{packed(zlib.compress(CODE.encode())[:-6])}", "cut off"),
        (f"code~{packed(zlib.compress(b' ' * 10**8, 9))}", f"longer than {MOST_CODE:,}"),
        (f"code~{packed(zlib.compress(bytes([255, 254])))}", "damaged"),
    ],
)
def test_damaged_links_are_refused_in_one_sentence(text: str, cause: str) -> None:
    with pytest.raises(ModelError, match=cause):
        read_source(text)


@pytest.mark.parametrize(
    "text", ["classic~nothing", "parts~1AAAA", "parts~", f"code~{packed(zlib.compress(b'open(1)'))}"]
)
def test_sources_that_make_no_network_are_refused(text: str) -> None:
    with pytest.raises(ExplorerError):
        load(read_source(text))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("3x224", "is no input"),
        ("3x224x", "is no input"),
        ("ax2x2", "is no input"),
        ("²x2x2", "is no input"),
        ("-1x2x2", "is no input"),
        ("1234567x2x2", "is no input"),
        ("0x224x224", "1 to 4,096 channels, not 0"),
        ("3x5000x224", "1 to 4,096 rows, not 5,000"),
        ("3x224x5000", "1 to 4,096 columns, not 5,000"),
    ],
)
def test_inputs_that_are_none_are_refused(text: str, cause: str) -> None:
    with pytest.raises(ShapeError, match=cause):
        read_input(text)


def test_inputs_in_links() -> None:
    assert read_input("3x480x640") == (3, 480, 640)
