"""The classic networks, held to torchvision, to the papers' own numbers and to the reference file."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models as zoo

from explorer.dry_run import WithoutMemory
from explorer.errors import LayerError, ModelError
from explorer.networks.blocks import PartlyConnected
from explorer.networks.building import build
from explorer.networks.classics import (
    CLASSICS,
    MEASURES,
    Classic,
    Sight,
    classic,
    general_sights,
    measured,
    rows_at,
    scores,
)
from explorer.networks.code import class_name, code
from explorer.networks.planning import planned
from explorer.networks.storing import from_link, read, to_link, write
from explorer.profiling import NetworkProfile, profile
from explorer.references import PAPERS

TORCHVISION = sorted(zoo.list_models(module=zoo))
OWN = {
    "mlp",
    "dense-480x640",
    "convnet",
    "lenet5-1998",
    "lenet5",
    "alexnet-2012",
    "alexnet-one-tower",
    "alexnet-dsci",
    "alexnet-tutorial",
    "nin-cifar10",
    "nin-dsci",
    "vgg16-nbis",
    "vgg11-dsci",
    "googlenet-2014",
    "googlenet-dsci",
    "googlenet-dsci-224",
    "googlenet-no-aux",
    "inception_v3-no-aux",
    "resnet50-2015",
    "resnet101-2015",
    "resnet152-2015",
    "mobilenet_v1",
    "efficientnet_lite0",
}
SIGHTS = [(entry.key, sight) for entry in CLASSICS.values() for sight in entry.look_at]
BOTH = [key for key, entry in CLASSICS.items() if entry.spec_of and entry.module_of]
every_classic = pytest.mark.parametrize("key", CLASSICS)


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def run(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        output: Tensor = network(torch.empty(1, *shape, device="meta"))
    return output


def macs(network: nn.Module, shape: tuple[int, ...]) -> int:
    """By torch's own counter."""
    with FlopCounterMode(display=False) as counter:
        run(network, shape)
    return counter.get_total_flops() // 2


def made_of_parts(entry: Classic) -> nn.Module:
    assert entry.spec is not None
    with WithoutMemory():
        network = build(entry.spec)
    return network.to("meta").eval()


_profiles: dict[str, NetworkProfile] = {}


def profiled(key: str) -> NetworkProfile:
    if key not in _profiles:
        entry = classic(key)
        _profiles[key] = profile(entry.build(), entry.input_shape, name=entry.title)
    return _profiles[key]


class TestRegistry:
    def test_each_network_of_torchvision_is_there_under_its_name(self) -> None:
        assert len(TORCHVISION) == 80
        assert [name for name in TORCHVISION if name not in CLASSICS] == []

    def test_what_courses_and_papers_draw_is_there(self) -> None:
        assert set(CLASSICS) - set(TORCHVISION) == OWN

    @every_classic
    def test_an_entry_tells_what_it_is(self, key: str) -> None:
        entry = CLASSICS[key]
        assert entry.key == key
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", key)
        assert entry.reference is PAPERS[entry.paper]
        # the usual publication comes with the idea's year, or up to three after the preprint
        assert 0 <= entry.reference.year - entry.year <= 3
        for text in (entry.idea, entry.note):
            assert text.endswith(".")
            assert "  " not in text.replace(".  ", ". ")
        assert len(entry.idea) <= 120

    def test_titles_tell_entries_apart(self) -> None:
        assert len({entry.title for entry in CLASSICS.values()}) == len(CLASSICS)

    def test_families_stand_together_in_the_order_of_their_years(self) -> None:
        families = [entry.family for entry in CLASSICS.values()]
        first_seen = list(dict.fromkeys(families))
        assert families == sorted(families, key=first_seen.index)
        years = [next(e.year for e in CLASSICS.values() if e.family == family) for family in first_seen]
        assert years == sorted(years)
        assert len({(entry.family, entry.year) for entry in CLASSICS.values()}) == len(first_seen)

    def test_an_entry_without_a_way_to_build_it_is_refused(self) -> None:
        with pytest.raises(ValueError, match="neither is given"):
            Classic("x", "X", "X", 2015, "he2016", "I.", "N.", (3, 8, 8))
        with pytest.raises(ValueError, match="“nobody1900”, which is not in PAPERS"):
            Classic("x", "X", "X", 2015, "nobody1900", "I.", "N.", (3, 8, 8), module_of=nn.Identity)


class TestLookingUp:
    def test_a_key_is_found(self) -> None:
        assert classic("vgg16").title == "VGG-16"

    @pytest.mark.parametrize(
        ("key", "near"),
        [
            ("resnet5O", "near it are “resnet50”"),
            ("VGG-16", "near it are “vgg16”"),
            ("leNet5_1998", "“lenet5-1998”"),
            ("mobilenet", "“mobilenet_v1”"),
            ("alexnet-2021", "“alexnet-2012”"),
        ],
    )
    def test_an_unknown_key_gets_one_sentence_with_near_ones(self, key: str, near: str) -> None:
        with pytest.raises(ModelError) as caught:
            classic(key)
        sentence = str(caught.value)
        assert sentence.startswith(f"There is no classic network “{key}”; ")
        assert near in sentence
        assert sentence.count(".") == 1
        assert all(each in CLASSICS for each in re.findall("“([^”]+)”", sentence)[1:])

    @pytest.mark.parametrize("key", ["", "☃", "x" * 100_000])
    def test_what_is_like_none_gets_one_short_sentence(self, key: str) -> None:
        with pytest.raises(ModelError, match=f"there are {len(CLASSICS)} others") as caught:
            classic(key)
        assert len(str(caught.value)) < 120


class Allocated(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that has memory."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.device.type != "meta":
                self.most = max(self.most, tensor.untyped_storage().nbytes())
        return output


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """timm, and what torch imports when it is first asked for."""
    classic("efficientnet_lite0").build()


class TestBuilding:
    @every_classic
    def test_it_builds_takes_no_memory_and_runs_on_its_picture(self, key: str) -> None:
        entry = CLASSICS[key]
        with Allocated() as allocated:
            network = entry.build()
        # what a rule counts with: RegNet's widths, the table of positions in a window of Swin
        assert allocated.most < 200_000
        tensors = [*network.parameters(), *network.buffers()]
        assert {tensor.device.type for tensor in tensors} <= {"meta"}
        assert not any(module.training for module in network.modules())
        classes = 10 if entry.input_shape[0] == 1 or key == "nin-cifar10" else 1000
        assert run(network, entry.input_shape).shape == (1, classes)

    @every_classic
    def test_its_table_has_no_gap(self, key: str) -> None:
        table = profiled(key)
        assert table.failure is None
        if key in OWN:  # torchvision's are held to its own numbers below
            assert table.macs == macs(CLASSICS[key].build(), CLASSICS[key].input_shape)

    def test_other_threads_keep_their_tensors(self) -> None:
        inside, seen = threading.Event(), threading.Event()
        devices = []

        def other() -> None:
            inside.wait(5)
            devices.append(torch.empty(2).device.type)
            seen.set()

        thread = threading.Thread(target=other)
        thread.start()
        with WithoutMemory():
            inside.set()
            seen.wait(5)
            assert torch.empty(2).device.type == "meta"
            assert torch.tensor([2.0]).device.type == "cpu"
        thread.join()
        assert devices == ["cpu"]
        assert torch.empty(2).device.type == "cpu"


PAPER_NUMBERS = {
    # key: (millions of parameters, millions of multiply-adds), as printed; "" where the paper has none
    # LeCun et al. 1998, section II.B: 60,000 trainable parameters
    "lenet5-1998": ("0.060", ""),
    # Krizhevsky et al. 2012, abstract: 60 million parameters; ours are 61
    "alexnet-2012": ("61", ""),
    # Simonyan & Zisserman 2015, table 2
    "vgg11": ("133", ""),
    "vgg13": ("133", ""),
    "vgg16": ("138", ""),
    "vgg19": ("144", ""),
    "vgg16-nbis": ("138", ""),
    # He et al. 2016, table 1; it cuts 3,663, 3,858 and 7,570 million
    "resnet18": ("", "1800"),
    "resnet34": ("", "3600"),
    "resnet50-2015": ("", "3800"),
    "resnet101-2015": ("", "7600"),
    "resnet152-2015": ("", "11300"),
    # Iandola et al. 2016, table 1: 1,248,424
    "squeezenet1_0": ("1.248424", ""),
    # Xie et al. 2017, table 1
    "resnext50_32x4d": ("25.0", "4200"),
    # Howard et al. 2017, table 8
    "mobilenet_v1": ("4.2", "569"),
    # Sandler et al. 2018, table 4
    "mobilenet_v2": ("", "300"),
    # Howard et al. 2019, table 3
    "mobilenet_v3_small": ("2.5", "56"),
    # Tan & Le 2019, table 2
    "efficientnet_b0": ("5.3", "390"),
    "efficientnet_b1": ("7.8", ""),
    "efficientnet_b3": ("12", "1800"),
    "efficientnet_b4": ("19", ""),
    "efficientnet_b5": ("30", ""),
    "efficientnet_b6": ("43", "19000"),
    "efficientnet_b7": ("66", ""),
    # Liu et al. 2022, table 1
    "convnext_tiny": ("29", "4500"),
    "convnext_small": ("50", "8700"),
    "convnext_base": ("89", "15400"),
    "convnext_large": ("198", "34400"),
    # Dosovitskiy et al. 2021, table 1
    "vit_h_14": ("632", ""),
    # Liu et al. 2021, table 1
    "swin_t": ("", "4500"),
    "swin_s": ("50", "8700"),
    "swin_b": ("88", "15400"),
}


class TestPapersNumbers:
    @pytest.mark.parametrize("key", PAPER_NUMBERS)
    def test_it_has_the_numbers_of_its_paper(self, key: str) -> None:
        counted = profiled(key).parameters / 1e6, profiled(key).macs / 1e6
        for unit, stated, ours in zip(("parameters", "macs"), PAPER_NUMBERS[key], counted, strict=True):
            if stated:
                last = 10 ** -len(stated.partition(".")[2])
                if unit == "macs" and "." not in stated:
                    last = 10 ** (len(stated) - len(stated.rstrip("0")))
                # rounded or cut
                assert float(stated) - last / 2 - 1e-9 <= ours < float(stated) + last

    @pytest.mark.parametrize(
        ("key", "weights", "multiplications"),
        [
            ("lenet5-1998", 60_000, 325_680),
            ("lenet5", 61_706, 416_520),
            ("alexnet-2012", 60_965_224, 724_406_816),
            ("alexnet-one-tower", 62_378_344, 1_135_256_096),
            ("nin-cifar10", 966_986, 222_486_528),
            ("resnet50-2015", 25_557_032, 3_857_973_248),
            ("resnet101-2015", 44_549_160, 7_570_194_432),
            ("resnet152-2015", 60_192_808, 11_282_415_616),
            ("mobilenet_v1", 4_231_976, 568_740_352),
            ("googlenet-no-aux", 6_624_904, 1_498_376_192),
            ("googlenet", 13_004_888, 1_498_376_192),
            ("inception_v3", 27_161_264, 5_713_216_096),
            ("inception_v3-no-aux", 23_834_568, 5_713_216_096),
            ("efficientnet_lite0", 4_652_008, 385_187_552),
        ],
    )
    def test_exact_numbers(self, key: str, weights: int, multiplications: int) -> None:
        table = profiled(key)
        assert table.macs == multiplications
        # heads that only training runs are built, and have no row
        assert parameters(CLASSICS[key].build()) == weights

    def test_googlenets_inceptions_make_the_multiplications_of_table_1(self) -> None:
        # "ops" of Szegedy et al. 2015, table 1, in millions; its 54 for 5a is not what its own widths make
        stated = {"3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119, "4e": 170, "5b": 71}
        table = profiled("googlenet-2014")
        for name, millions in stated.items():
            (row,) = rows_at(table, [f"*.inception{name}"])
            assert abs(row.macs / 1e6 - millions) < 1
        second = rows_at(table, ["stem.4", "stem.6"])
        assert round(sum(row.macs for row in second) / 1e6) == 360
        assert abs(table.macs / 1e9 - 1.5) < 0.1

    def test_mobilenets_work_lies_where_table_2_says(self) -> None:
        # Howard et al. 2017, table 2: share of mult-adds and of parameters, in per cent
        table = profiled("mobilenet_v1")
        stated = {
            "features.*.3": (94.86, 74.59),
            "features.*.0": (3.06, 1.06),
            "features.0": (1.19, 0.02),
            "classifier": (0.18, 24.33),
        }
        # the paper leaves out biases and batch norms; its share of the first layer is not what its size makes
        weights = sum(row.parameters for row in table.leaves if row.macs) - 1000
        for path, (work, held) in stated.items():
            rows = rows_at(table, [path])
            numbers = sum(row.parameters for row in rows) - (1000 if path == "classifier" else 0)
            if path != "features.0":
                assert round(100 * sum(row.macs for row in rows) / table.macs, 2) == work
            assert abs(100 * numbers / weights - held) < 0.02

    @pytest.mark.parametrize("key", TORCHVISION)
    def test_torchvisions_own_metadata(self, key: str) -> None:
        # its GoogLeNet drops the auxiliary heads when weights are loaded, its Inception v3 keeps them
        entry = CLASSICS["googlenet-no-aux" if key == "googlenet" else key]
        fitting = [
            weights
            for weights in zoo.get_model_weights(key)
            if weights.transforms().crop_size[0] == entry.input_shape[1]
        ]
        table = profiled(entry.key)
        assert fitting
        for weights in fitting:
            assert table.parameters == weights.meta["num_params"]
            assert round(table.macs / 1e9, 3) == weights.meta["_ops"]


def lenet5_1998() -> nn.Module:
    """LeNet-5 as published, in memory."""
    spec = CLASSICS["lenet5-1998"].spec
    assert spec is not None
    return build(spec)


class TestLeNet:
    """LeCun et al. 1998."""

    # table I: a row for each map of S2, a column for each of C3
    TABLE = """
        X . . . X X X . . X X X X . X X
        X X . . . X X X . . X X X X . X
        X X X . . . X X X . . X . X X X
        . X X X . . X X X X . . X . X X
        . . X X X . . X X X X . X X . X
        . . . X X X . . X X X X . X X X
    """

    def test_c3_reads_the_maps_of_table_1(self) -> None:
        rows = [line.split() for line in self.TABLE.split("\n") if line.strip()]
        columns = [tuple(s2 for s2 in range(6) if rows[s2][c3] == "X") for c3 in range(16)]
        assert [tuple(sorted(reads)) for reads in PartlyConnected.TABLE] == columns

    def test_c3_is_sixteen_convolutions_of_what_each_reads(self) -> None:
        torch.manual_seed(0)
        layer, maps = PartlyConnected(), torch.randn(2, 6, 14, 14)
        groups = layer.reading_three, layer.reading_four, layer.reading_six
        weights = [filters for group in groups for filters in group.weight]
        biases = torch.cat([group.bias for group in groups])
        outputs = layer(maps)
        assert outputs.shape == (2, 16, 10, 10)
        rows = [line.split() for line in self.TABLE.split("\n") if line.strip()]
        for c3, (filters, bias) in enumerate(zip(weights, biases, strict=True)):
            expected = torch.zeros(2, 10, 10) + bias
            for channel, s2 in enumerate(PartlyConnected.TABLE[c3]):
                assert rows[s2][c3] == "X"
                for row in range(5):
                    for column in range(5):
                        window = maps[:, s2, row : row + 10, column : column + 10]
                        expected = expected + filters[channel, row, column] * window
            assert torch.allclose(outputs[:, c3], expected, atol=1e-5)

    def test_connections_are_those_that_the_paper_counts(self) -> None:
        # section II.B: connections, each with its bias; of S2 and S4 four inputs and a bias for each unit
        table = profiled("lenet5-1998")
        stated = {"c1": 122_304, "c3": 151_600, "c5": 48_120}
        weights = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
        for path, connections in stated.items():
            (row,) = rows_at(table, [path])
            assert row.macs + row.outputs[0][0] * row.outputs[0][1] * row.outputs[0][2] == connections
        for path, numbers in weights.items():
            (row,) = rows_at(table, [path])
            assert row.parameters == numbers
        subsampled = {path: rows_at(table, [path])[0].activations for path in ("s2", "s4")}
        assert {path: 5 * units for path, units in subsampled.items()} == {"s2": 5_880, "s4": 2_000}

    def test_outputs_are_squared_distances_to_codes_of_seven_by_twelve(self) -> None:
        torch.manual_seed(0)
        network = lenet5_1998()
        codes = network.output.codes
        assert codes.shape == (10, 84)
        assert set(codes.unique().tolist()) == {-1.0, 1.0}
        assert len({tuple(code) for code in codes.tolist()}) == 10
        assert "codes" not in dict(network.named_parameters())
        # features that are the code of 7: no distance, and 4 for each pixel that another digit differs in
        distances = network.output(codes[7:8])[0]
        assert distances.argmin() == 7
        assert distances[7] == 0
        assert distances[1] == 4 * (codes[7] != codes[1]).sum()

    def test_the_code_of_a_one_is_drawn_upright(self) -> None:
        ink = lenet5_1998().output.codes[1].reshape(12, 7) > 0
        drawn = ["".join("#" if pixel else "." for pixel in row) for row in ink.tolist()]
        assert drawn[2:9] == ["...#...", "..##...", "...#...", "...#...", "...#...", "...#...", "..###.."]
        assert not ink[:2].any()
        assert not ink[9:].any()

    def test_subsampling_is_a_sum_times_a_coefficient_plus_a_bias(self) -> None:
        torch.manual_seed(0)
        network, maps = lenet5_1998(), torch.randn(1, 6, 28, 28)
        nn.init.normal_(network.s2.coefficient)
        nn.init.normal_(network.s2.bias)
        summed = maps.unfold(2, 2, 2).unfold(3, 2, 2).sum((-1, -2))
        expected = summed * network.s2.coefficient + network.s2.bias
        assert torch.allclose(network.s2(maps), expected, atol=1e-5)

    def test_the_squashing_keeps_one_at_one(self) -> None:
        # appendix A: f(1) = 1 and f(−1) = −1
        squashed = lenet5_1998().c1_squash(torch.tensor([-1.0, 0.0, 1.0]))
        assert torch.allclose(squashed, torch.tensor([-1.0, 0.0, 1.0]), atol=1e-4)

    def test_a_step_of_training_changes_all_but_the_codes(self) -> None:
        torch.manual_seed(0)
        network = lenet5_1998()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network(torch.randn(4, 1, 32, 32)).sum().backward()
        torch.optim.SGD(network.parameters(), 0.01).step()
        unchanged = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
        assert unchanged == {"output.codes"}


GOLDEN = {
    "nbis_mlp": "mlp",
    "nbis_convnet": "convnet",
    "nbis_dense_480x640": "dense-480x640",
    "nbis_vgg16": "vgg16-nbis",
    "alexnet_227": "alexnet-one-tower",
    "alexnet_227_grouped": "alexnet-2012",
    "alexnet_keras_28m": "alexnet-tutorial",
    "dsci_alexnet": "alexnet-dsci",
    "dsci_vgg11": "vgg11-dsci",
    "dsci_nin": "nin-dsci",
    "dsci_googlenet_96": "googlenet-dsci",
    "dsci_googlenet_224": "googlenet-dsci-224",
    "lenet5_modern": "lenet5",
}
GOLDEN_PARAMETERS = {
    "mlp": 203_530,
    "convnet": 824_970,
    "dense-480x640": 921_601_000,
    "vgg16-nbis": 138_357_544,
    "alexnet-tutorial": 28_037_480,
    "alexnet-dsci": 46_764_746,
    "vgg11-dsci": 128_806_154,
    "nin-dsci": 1_992_166,
    "googlenet-dsci": 5_977_530,
    "googlenet-dsci-224": 5_977_530,
}
COUNTED = {"Conv2d", "Linear", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Flatten", "Dropout", "Tanh"}


class TestCourses:
    @pytest.mark.parametrize(("key", "weights"), GOLDEN_PARAMETERS.items())
    def test_parameters_of_the_courses_networks(self, key: str, weights: int) -> None:
        assert profiled(key).parameters == weights

    @pytest.mark.shared
    def test_every_reference_network_has_an_entry(self, shared: Path) -> None:
        golden = json.loads((shared / "reference" / "golden.json").read_text())["nets"]
        assert set(golden) == set(GOLDEN)

    @pytest.mark.shared
    @pytest.mark.parametrize(("name", "key"), GOLDEN.items())
    def test_rows_equal_the_reference(self, shared: Path, name: str, key: str) -> None:
        net = json.loads((shared / "reference" / "golden.json").read_text())["nets"][name]
        entry, table = CLASSICS[key], profiled(key)
        assert tuple(net["input"]) == (1, *entry.input_shape)
        assert (table.parameters, table.macs, table.buffers) == (net["params"], net["macs"], net["buffers"])
        theirs = [
            (row["type"], tuple(row["out_shape"][1:]), row["params_total"], row["macs"])
            for row in net["rows"]
            if row["type"] in COUNTED
        ]
        ours = [
            (row.kind, row.outputs[0], row.parameters, row.macs)
            for row in table.leaves
            if row.kind in COUNTED
        ]
        assert ours == theirs
        # activations between them: as many, also where one is a layer and the other a function
        rectified = [row for row in net["rows"] if row["type"].casefold() == "relu"]
        assert sum(row.kind == "ReLU" for row in table.leaves) == len(rectified)

    @pytest.mark.shared
    def test_listings_of_the_courses_have_the_same_size(self, shared: Path) -> None:
        listings = json.loads((shared / "reference" / "listings" / "index.json").read_text())
        keys = {**GOLDEN, "dsci_googlenet": "googlenet-dsci"}
        assert len(listings) == 7
        for name, facts in listings.items():
            entry = CLASSICS[keys[name]]
            assert (1, *entry.input_shape) == tuple(facts["input"])
            assert parameters(entry.build()) == facts["parameters"]


def twins(key: str) -> tuple[nn.Module, nn.Module]:
    """torchvision's network and that of our parts, in memory, with the same random numbers in both."""
    torch.manual_seed(0)
    entry = CLASSICS[key]
    assert entry.module_of is not None
    assert entry.spec is not None
    theirs, ours = entry.module_of().eval(), build(entry.spec).eval()
    values = theirs.state_dict()
    for name, value in values.items():
        if name.endswith("layer_scale"):
            nn.init.normal_(value, 0.5, 0.1)  # from the start a block would add next to nothing
        elif name.endswith("running_var"):
            nn.init.uniform_(value, 0.8, 1.2)
        elif value.is_floating_point() and value.ndim == 1:
            value += 0.1 * torch.randn_like(value)
    for kept, value in zip(ours.state_dict().values(), in_our_order(key, theirs), strict=True):
        kept.copy_(value)
    return theirs, ours


@contextmanager
def one_picture(side: int) -> Iterator[Tensor]:
    with torch.no_grad():
        yield torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))


PASSING = {
    "Identity",
    "StochasticDepth",
    "Permute",
    "Dropout",
    "Flatten",
    "flatten",
    "ZeroPad2d",
    "Tokens",
    "TakeToken",
}
"""Rows in which no number is computed; both sides have some where the other does without."""


def computed(table: NetworkProfile) -> list[tuple[Any, ...]]:
    """Of each row that computes: sizes of what it reads and of what leaves, MACs and parameters.

    Sizes in any order, ones left out: torchvision's Swin keeps channels last, and some take the mean where others pool.
    """

    def sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(size for size in shape if size > 1))

    return [
        # torchvision's DenseNet keeps a list where ours keeps what is joined already
        (
            sizes(max(row.inputs, key=prod)) if row.kind not in ("cat", "ClassToken") else (),
            sizes(row.outputs[0]),
            row.macs,
            row.parameters,
        )
        for row in table.leaves
        if row.kind not in PASSING and not (row.kind == "cat" and len(row.inputs) == 1)
    ]


def in_our_order(key: str, network: nn.Module) -> list[Tensor]:
    """torchvision's weights in the order of the parts: ours stand where they are used."""
    named = network.state_dict()
    if key.startswith("vit"):
        token, weight, bias, *rest = named.values()
        return [weight, bias, token, *rest]
    if key == "googlenet":
        after = {"inception4a": "aux1", "inception4d": "aux2"}
        names: list[str] = []
        for name in named:
            if not name.startswith("aux"):
                names.append(name)
        for layer, head in after.items():
            last = max(index for index, name in enumerate(names) if name.startswith(layer))
            names[last + 1 : last + 1] = [name for name in named if name.startswith(head)]
        return [named[name] for name in names]
    return list(named.values())


_CODES = '''
import json, runpy, sys
from pathlib import Path

import torch

from explorer.dry_run import WithoutMemory


def rows(network, shape):
    """Of each module that runs: its path, its class, the shape that leaves it, and those of its own weights."""
    found = []
    for path, module in network.named_modules():
        def note(module, given, out, path=path):
            weights = [list(weight.shape) for weight in module.parameters(recurse=False)]
            out = out[0] if isinstance(out, tuple) else out
            found.append([path, type(module).__name__, list(out.shape), weights])
        if path:
            module.register_forward_hook(note)
    with torch.no_grad():
        network.to("meta").eval()(torch.empty(1, *shape, device="meta"))
    return found


if __name__ == "__main__":
    folder, answers = Path(sys.argv[1]), {}
    for key, (name, shape) in json.loads((folder / "asked.json").read_text()).items():
        with WithoutMemory():
            network = runpy.run_path(str(folder / f"{key}.py"))[name]()
        answers[key] = rows(network, shape)
    (folder / "answers.json").write_text(json.dumps(answers))
'''


class TestOfParts:
    def test_each_can_be_begun_with_in_the_builder(self) -> None:
        assert len(CLASSICS) == 103
        assert [key for key, entry in CLASSICS.items() if entry.spec is None] == []
        assert set(TORCHVISION) - set(BOTH) == set()

    @pytest.mark.parametrize("key", BOTH)
    def test_parts_make_the_same_tensors_and_the_same_work(self, key: str) -> None:
        entry = CLASSICS[key]
        theirs, ours = entry.build(), made_of_parts(entry)
        assert [value.shape for value in ours.state_dict().values()] == [
            value.shape for value in in_our_order(key, theirs)
        ]
        made = profile(ours, entry.input_shape)
        assert made.failure is None
        assert (made.parameters, made.macs) == (profiled(key).parameters, profiled(key).macs)
        assert run(ours, entry.input_shape).shape == run(theirs, entry.input_shape).shape
        rows, expected = computed(made), computed(profiled(key))
        if key == "efficientnet_lite0":  # timm pads inside its convolutions
            rows, expected = ([row[1:] for row in each] for each in (rows, expected))
        assert rows == expected

    @every_classic
    def test_what_the_plan_says_leaves_each_part_is_what_torch_makes(self, key: str) -> None:
        spec = CLASSICS[key].spec
        assert spec is not None
        network = made_of_parts(CLASSICS[key])
        left: list[tuple[int, ...]] = []
        for module in network.children():
            module.register_forward_hook(lambda module, given, out: left.append(tuple(out.shape[1:])))
        run(network, spec.input_shape)
        plan = planned(spec)
        assert plan.trouble is None
        assert left == [placed.output_shape for placed in plan.placed]

    @every_classic
    def test_it_goes_through_a_file_and_a_link(self, key: str) -> None:
        spec = CLASSICS[key].spec
        assert spec is not None
        assert read(write(spec)) == spec
        assert from_link(to_link(spec)) == spec

    @pytest.mark.timeout(600)
    def test_their_codes_run_elsewhere_and_give_the_same_rows(self, tmp_path: Path) -> None:
        asked = {}
        for key, entry in CLASSICS.items():
            assert entry.spec is not None
            (tmp_path / f"{key}.py").write_text(code(entry.spec), encoding="utf-8")
            asked[key] = class_name(entry.spec.name), entry.input_shape
        (tmp_path / "asked.json").write_text(json.dumps(asked))
        (tmp_path / "driver.py").write_text(_CODES)
        done = subprocess.run(
            [sys.executable, tmp_path / "driver.py", tmp_path],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers = json.loads((tmp_path / "answers.json").read_text())
        rows = runpy.run_path(str(tmp_path / "driver.py"))["rows"]
        for key, entry in CLASSICS.items():
            assert len(answers[key]) >= 2
            assert answers[key] == rows(made_of_parts(entry), entry.input_shape), key

    @pytest.mark.parametrize(
        ("key", "side"),
        [
            ("alexnet", 96),
            ("vgg16", 64),
            ("vgg11_bn", 64),
            ("googlenet-no-aux", 64),
            ("resnet18", 64),
            ("resnet50", 64),
            ("wide_resnet50_2", 64),
            ("resnext50_32x4d", 64),
            ("densenet121", 64),
            ("squeezenet1_0", 64),
            ("squeezenet1_1", 64),
            ("mobilenet_v2", 64),
            ("mobilenet_v3_small", 64),
            ("mobilenet_v3_large", 64),
            ("mnasnet0_5", 64),
            ("efficientnet_b0", 64),
            ("efficientnet_b5", 64),
            ("convnext_tiny", 64),
            ("inception_v3-no-aux", 80),
            ("shufflenet_v2_x0_5", 64),
            ("regnet_x_400mf", 64),
            ("regnet_y_400mf", 64),
            ("efficientnet_v2_s", 64),
            ("efficientnet_lite0", 64),
            ("vit_b_32", 224),
            # of 224 and 256 pixels; smaller ones are filled up to whole windows, which move less
            ("swin_t", 96),
            ("swin_v2_t", 64),
            ("maxvit_t", 224),
        ],
    )
    def test_with_the_same_weights_it_answers_the_same(self, key: str, side: int) -> None:
        theirs, ours = twins(key)
        with one_picture(side) as picture:
            expected, answered = theirs(picture), ours(picture)
        assert torch.isfinite(expected).all()
        assert expected.std() > 1e-3
        assert torch.allclose(answered, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))

    @pytest.mark.parametrize("key", [key for key, entry in CLASSICS.items() if entry.spec_of])
    def test_its_parts_know_its_name_and_picture(self, key: str) -> None:
        entry = CLASSICS[key]
        assert entry.spec is not None
        assert entry.spec.input_shape == entry.input_shape
        assert entry.spec.name == entry.title or entry.title.startswith(entry.spec.name)


class TestWhatToLookAt:
    @pytest.mark.parametrize(("key", "sight"), SIGHTS, ids=[f"{k}-{s.number}" for k, s in SIGHTS])
    def test_the_number_is_what_is_counted(self, key: str, sight: Sight) -> None:
        written = sight.number.removesuffix(" %").replace(",", "")
        decimals = len(written.partition(".")[2])
        assert sight.number.endswith("%") == sight.measure.startswith("share")
        assert round(measured(sight, profiled(key)), decimals) == float(written)
        assert sight.text.endswith((".", "…"))
        assert "{" not in sight.text

    def test_shares_and_sizes_are_those_of_independent_counts(self) -> None:
        """So that a wrong measure is not held to itself: each kind once, by hand."""
        sights = {
            ("vgg16", "share of parameters"): 100 * (7 * 7 * 512 + 1) * 4096 / 138_357_544,
            ("vgg16", "field"): 212,  # the course's table of receptive fields
            ("convnet", "share of macs"): 100 * (25 * 32 * 28 * 28 + 9 * 32 * 64 * 14 * 14) / 5_045_248,
            ("lenet5-1998", "parameters"): 6 * (3 * 25 + 1) + 9 * (4 * 25 + 1) + (6 * 25 + 1),
            ("dense-480x640", "macs"): 480 * 640 * 3 * 1000,
            ("mlp", "channels"): 28 * 28,
            ("alexnet-dsci", "side"): 5,
            # both first layers, of all that is new: 15,112,168 (see the reference), ReLU in place
            ("vgg16", "share of activations"): 100 * 2 * 64 * 224 * 224 / 15_112_168,
        }
        for (key, measure), expected in sights.items():
            sight = next(each for each in CLASSICS[key].look_at if each.measure == measure)
            assert measured(sight, profiled(key)) == pytest.approx(expected, rel=1e-9)
        assert {measure for _, measure in sights} | {"activations"} == set(MEASURES)

    @pytest.mark.parametrize(
        "key",
        [key for key in CLASSICS if key not in TORCHVISION or key in ("vgg16", "resnet50", "densenet121")],
    )
    def test_a_classic_has_two_or_three(self, key: str) -> None:
        assert 2 <= len(CLASSICS[key].look_at) <= 3

    def test_every_family_has_one_that_a_lecturer_knows(self) -> None:
        without = {entry.family for entry in CLASSICS.values()} - {
            entry.family for entry in CLASSICS.values() if entry.look_at
        }
        assert without == set()

    @pytest.mark.parametrize("key", ["regnet_y_8gf", "maxvit_t", "efficientnet_b3", "swin_v2_b", "vgg13_bn"])
    def test_of_any_other_network_something_can_be_said(self, key: str) -> None:
        table = profiled(key)
        sights = general_sights(table)
        assert 2 <= len(sights) <= 3
        for sight in sights:
            written = sight.number.removesuffix(" %").replace(",", "")
            decimals = len(written.partition(".")[2])
            assert round(measured(sight, table), decimals) == float(written)

    def test_the_general_sights_of_a_network_whose_numbers_are_known(self) -> None:
        texts = [sight.text for sight in general_sights(profiled("vgg16"))]
        assert texts == [
            "classifier.0 (Linear) holds 74 % of all parameters.",
            "features.2 (Conv2d) makes 12 % of all MACs.",
        ]
        texts = [sight.text for sight in general_sights(profiled("resnet18"))]
        assert texts[2] == (
            "From layer4.0.conv1 (Conv2d) on a unit’s receptive field, 243 pixels, is as wide as the picture."
        )

    def test_of_a_network_without_weights_nothing_is_said(self) -> None:
        assert general_sights(profile(nn.Sequential(nn.ReLU()), (3, 8, 8))) == ()

    def test_odd_names_of_layers_do_no_harm(self) -> None:
        network = nn.Sequential()
        network.add_module("{a}[1]*", nn.Conv2d(3, 4, 3))
        table = profile(network, (3, 8, 8))
        sights = general_sights(table)
        assert [sight.text for sight in sights] == [
            "a[1]* (Conv2d) holds 100 % of all parameters.",
            "a[1]* (Conv2d) makes 100 % of all MACs.",
        ]
        assert [measured(sight, table) for sight in sights] == [100, 100]

    def test_what_stands_in_a_row_is_not_counted_twice(self) -> None:
        table = profiled("resnet18")
        assert measured(Sight("{100 %}", "share of parameters", ("", "layer4")), table) == 100
        rows = rows_at(table, ["layer4*"])
        assert [row.path for row in rows] == ["layer4"]

    def test_a_row_that_is_not_there_is_named(self) -> None:
        table = profiled("vgg16")
        with pytest.raises(LayerError, match=r"VGG-16 has no layer “features\.99”"):
            rows_at(table, ["features.99"])
        with pytest.raises(LayerError, match=r"classifier\.0 has no receptive field"):
            measured(Sight("{1}", "field", ("classifier.0",)), table)

    @pytest.mark.parametrize(
        ("sentence", "measure", "paths", "why"),
        [
            ("No number.", "macs", ("a",), "One number stands in braces"),
            ("{1} and {2}.", "macs", ("a",), "One number stands in braces"),
            ("{1}.", "weight", ("a",), "There is no measure “weight”"),
            ("{1}.", "macs", (), "is about no row"),
        ],
    )
    def test_a_sight_that_makes_no_sense_is_refused(
        self, sentence: str, measure: str, paths: tuple[str, ...], why: str
    ) -> None:
        with pytest.raises(ValueError, match=why):
            Sight(sentence, measure, paths)


class TestScores:
    def test_every_weights_entry_of_torchvision_is_there_once(self) -> None:
        listed = [(name, weights.name) for name in TORCHVISION for weights in zoo.get_model_weights(name)]
        assert len(listed) == 115
        assert sorted((score.key, score.weights) for score in scores()) == sorted(listed)

    def test_numbers_are_torchvisions(self) -> None:
        for score in scores():
            entry = zoo.get_model_weights(score.key)[score.weights]
            accuracy = entry.meta["_metrics"]["ImageNet-1K"]["acc@1"]
            assert score.top1 == (None if accuracy != accuracy else accuracy)
            assert (score.parameters, score.gmacs) == (entry.meta["num_params"], entry.meta["_ops"])
            assert score.side == entry.transforms().crop_size[0]
            assert score.family == CLASSICS[score.key].family

    @pytest.mark.parametrize(
        ("key", "weights", "top1", "best"),
        [
            ("resnet50", "IMAGENET1K_V1", 76.13, False),
            ("resnet50", "IMAGENET1K_V2", 80.858, True),
            ("vgg16", "IMAGENET1K_V1", 71.592, True),
            ("vgg16", "IMAGENET1K_FEATURES", None, False),
            ("efficientnet_b0", "IMAGENET1K_V1", 77.692, True),
            ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1", 85.304, True),
            ("vit_b_16", "IMAGENET1K_V1", 81.072, False),
        ],
    )
    def test_some_as_their_pages_list_them(
        self, key: str, weights: str, top1: float | None, best: bool
    ) -> None:
        (score,) = (each for each in scores() if (each.key, each.weights) == (key, weights))
        assert (score.top1, score.best) == (top1, best)

    def test_each_network_has_one_best(self) -> None:
        assert sorted(score.key for score in scores() if score.best) == TORCHVISION


@pytest.mark.parametrize("key", [key for key, entry in CLASSICS.items() if entry.line])
def test_the_line_of_a_public_package_makes_the_same_network(key: str) -> None:
    written: dict[str, Any] = {}
    with WithoutMemory():
        exec(CLASSICS[key].line, written)
    assert [tuple(weight.shape) for weight in written["network"].parameters()] == [
        tuple(weight.shape) for weight in CLASSICS[key].build().parameters()
    ]
