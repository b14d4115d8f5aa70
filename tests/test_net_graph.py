"""What a network's picture shows, held to the profile's own edges and to the papers."""

from __future__ import annotations

import random
from collections.abc import Collection
from functools import cache, partial

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.errors import LayerError, ModelError
from explorer.figures.layer_hues import HUES
from explorer.net_export import FAMILIES
from explorer.net_graph import (
    PICTURE,
    READABLE,
    Edge,
    Graph,
    blocks,
    graph,
    is_chain,
    short,
    slabs,
    to_json,
    trunk,
    usually_open,
)
from explorer.network_failures import Failure
from explorer.profiling import INPUT, NetworkProfile, profile
from explorer.ui.components.diagram import stopped

BUILDERS = {
    "resnet18": torchvision.models.resnet18,
    "googlenet": partial(torchvision.models.googlenet, init_weights=False),
    "densenet121": torchvision.models.densenet121,
    "vgg16": torchvision.models.vgg16,
    "alexnet": torchvision.models.alexnet,
    "vit_b_16": torchvision.models.vit_b_16,
}


def lenet() -> nn.Module:
    """LeNet-5 as Dive into Deep Learning has it."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )


@cache
def profiled(name: str) -> NetworkProfile:
    with torch.device("meta"):
        if name == "lenet":
            return profile(lenet(), (1, 28, 28), name=name)
        return profile(BUILDERS[name](), (3, 224, 224), name=name)


def of(net: nn.Module, shape: tuple[int, ...] = (4, 8, 8)) -> NetworkProfile:
    return profile(net, shape, name="net")


NETS = [*BUILDERS, "lenet"]


def by_path(found: NetworkProfile, drawn: Graph) -> set[tuple[str, str]]:
    """Lifted edges, from the paths of the rows alone: of each leaf edge, the boxes whose names are its prefixes.

    No module of these networks runs twice, and every box but a fold is named by its path.
    """

    def box(row: int) -> str:
        if row == INPUT:
            return PICTURE
        path = found.rows[row].path
        holding = [
            node.key
            for node in drawn.boxes
            if node.role != "input" and any(covers(top, path) for top in tops(node.path, node.times))
        ]
        same = [node.key for node in drawn.boxes if node.row == row]
        assert same or len(holding) == 1, (path, holding)
        return same[0] if same else holding[0]

    def tops(path: str, times: int) -> list[str]:
        """A fold's blocks count upwards from the number that the first one's path ends with."""
        if times == 1:
            return [path]
        digits = len(path) - len(path.rstrip("0123456789"))
        return [path[:-digits] + str(int(path[-digits:]) + copy) for copy in range(times)]

    def covers(above: str, path: str) -> bool:
        return path == above or path.startswith(f"{above}.")

    ends = ((box(source), box(target)) for source, target in found.edges)
    return {(source, target) for source, target in ends if source != target}


def check(found: NetworkProfile, opened: Collection[str]) -> Graph:
    drawn = graph(found, opened)
    assert {(edge.source, edge.target) for edge in drawn.edges} == by_path(found, drawn)
    holder = {row: node.key for node in drawn.boxes for row in node.rows} | {INPUT: PICTURE}
    lifted = [leaf for edge in drawn.edges for leaf in edge.leaves]
    hidden = [edge for edge in found.edges if holder[edge[0]] == holder[edge[1]]]
    assert sorted([*lifted, *hidden]) == sorted(found.edges)
    keys = [node.key for node in drawn.nodes]
    assert len(set(keys)) == len(keys)
    return drawn


@pytest.mark.parametrize("name", NETS)
def test_every_leaf_edge_is_drawn_or_inside_a_box_and_none_is_invented(name: str):
    found, rng = profiled(name), random.Random(name)
    every = sorted(blocks(found))
    for opened in ((), every, usually_open(found), *(rng.sample(every, len(every) // 2) for _ in range(4))):
        check(found, opened)


@pytest.mark.parametrize("name", NETS)
def test_all_open_shows_each_layer_and_operation_once_with_the_profiles_edges(name: str):
    found = profiled(name)
    drawn = graph(found, blocks(found))
    leaves = [row for row in range(len(found.rows)) if found.rows[row].role != "container"]
    assert [node.row for node in drawn.boxes] == [INPUT, *leaves]
    rows = {node.key: node.row for node in drawn.boxes}
    assert sorted((rows[edge.source], rows[edge.target]) for edge in drawn.edges) == sorted(found.edges)


@pytest.mark.parametrize(
    ("name", "boxes", "edges"),
    [
        # counted by hand in torchvision's source: the picture and the children that `forward` calls, flatten among them
        ("resnet18", 1 + 4 + 4 + 3, 11),
        ("googlenet", 1 + 3 + 2 + 2 + 1 + 5 + 1 + 2 + 4, 20),
        ("densenet121", 1 + 1 + 4, 5),
        ("vgg16", 1 + 1 + 1 + 1 + 1, 4),
        ("lenet", 1 + 12, 12),
    ],
)
def test_closed_networks_are_chains_of_what_forward_calls(name: str, boxes: int, edges: int):
    drawn = graph(profiled(name))
    assert (len(drawn.boxes), len(drawn.edges)) == (boxes, edges)


def test_an_inception_block_is_four_branches_and_a_concatenation():
    found = profiled("googlenet")
    drawn = graph(found, {"inception3a~0"})
    frame = [node for node in drawn.nodes if node.parent == "inception3a~0"]
    assert [node.title for node in frame] == ["branch1", "branch2", "branch3", "branch4", "cat"]
    into = {edge.target for edge in drawn.edges if edge.source == "maxpool2~0"}
    assert into == {f"inception3a.branch{number}~0" for number in (1, 2, 3, 4)}
    # Szegedy 2015, table 1: 64, 128, 32 and 32 maps make 256
    joined = [edge for edge in drawn.edges if edge.target == "inception3a.cat~0"]
    assert [edge.shapes[0][0] for edge in joined] == [64, 128, 32, 32]


def test_a_dense_block_has_an_edge_between_any_two_of_its_layers():
    found = profiled("densenet121")
    drawn = graph(found, {"features~0", "features.denseblock1~0"})
    block = "features.denseblock1"
    layers = [f"{block}.denselayer{number}~0" for number in range(1, 7)]
    among = {(edge.source, edge.target) for edge in drawn.edges if {edge.source, edge.target} <= {*layers}}
    # Huang 2017, section 3: L(L + 1)/2 connections, those from the block's input among them
    assert len(among) == 6 * 5 // 2
    assert sum(edge.source == "features.pool0~0" and edge.target in layers for edge in drawn.edges) == 6


def test_a_residual_sum_reads_the_block_and_what_went_around_it():
    found = profiled("resnet18")
    drawn = graph(found, {"layer2~0", "layer2.0~0"})
    sources = {edge.source for edge in drawn.edges if edge.target == "layer2.0.add~0"}
    assert sources == {"layer2.0.bn2~0", "layer2.0.downsample~0"}


def test_blocks_alike_are_folded_with_their_numbers_summed():
    found = profiled("vit_b_16")
    drawn = graph(found, {"encoder~0", "encoder.layers~0"})
    (fold,) = [node for node in drawn.nodes if node.times > 1]
    assert (fold.times, fold.title, fold.role) == (12, "encoder_layer_0 … 11", "fold")
    # 12 × (4·768² attention + 8·768² perceptron + biases and norms): Dosovitskiy 2021's 85 M of 86 M
    assert fold.parameters == 12 * (12 * 768**2 + 13 * 768) == 85_054_464
    tokens, width = 14**2 + 1, 768
    assert fold.macs == 12 * (12 * tokens * width**2 + 2 * tokens**2 * width)
    assert fold.share == pytest.approx(0.9934, abs=1e-4)


class Beside(nn.Module):
    """Three branches alike, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = (
            nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.two(x) + self.three(x)


def test_branches_alike_side_by_side_are_not_folded():
    drawn = graph(of(Beside()))
    assert [node.times for node in drawn.nodes] == [1] * 6
    assert {edge.target for edge in drawn.edges if edge.source == PICTURE} == {"one~0", "two~0", "three~0"}


class Twice(nn.Module):
    """One block that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.pool(self.block(x)))


def test_a_block_that_runs_twice_is_two_boxes():
    drawn = graph(of(Twice()))
    assert [node.key for node in drawn.nodes] == [PICTURE, "block~0", "pool~0", "block~1"]


@pytest.mark.parametrize("name", NETS)
def test_what_is_open_at_first_can_be_read(name: str):
    found = profiled(name)
    drawn = graph(found, usually_open(found))
    assert len(drawn.boxes) <= READABLE + 1
    if len(found.leaves) <= READABLE:
        assert len(drawn.boxes) == len(found.leaves) + 1


def test_the_first_block_with_branches_is_open_at_first():
    for name, block in (("resnet18", "layer1.0~0"), ("densenet121", "features.denseblock1~0")):
        opened = {
            node.key for node in graph(profiled(name), usually_open(profiled(name))).nodes if node.opened
        }
        assert block in opened
    assert not any("transition" in key for key in usually_open(profiled("densenet121")))


def test_a_row_is_found_in_its_frame_its_box_or_the_closed_block_around_it():
    found = profiled("resnet18")
    rows = {row.path: at for at, row in enumerate(found.rows)}
    drawn = graph(found, {"layer1~0", "layer2~0"})

    def holding(path: str) -> str:
        node = drawn.holding(rows[path])
        assert node
        return node.key

    assert holding("layer1") == "layer1~0"
    assert holding("layer1.1.conv2") == holding("layer1.0") == "layer1.0~0×2"
    assert holding("layer2.1.bn1") == "layer2.1~0"
    assert holding("fc") == "fc~0"
    assert drawn.holding(0) is None
    # open, a fold leaves its first row to the first of its blocks
    first = graph(found, {"layer1~0", "layer1.0~0×2"}).holding(rows["layer1.0"])
    assert first
    assert first.key == "layer1.0~0"


# Slabs ----------------------------------------------------------------------------------------------


def test_vgg16_is_the_slabs_of_its_table():
    """Simonyan 2015, configuration D: 13 convolutions, 5 pools, 3 dense layers."""
    found = [slab for slab in slabs(profiled("vgg16")) if slab.kind in ("Conv2d", "MaxPool2d", "Linear")]
    maps = []
    size = 224
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        maps += [(channels, size, size)] * times
        size //= 2
        maps.append((channels, size, size))
    assert [slab.shape for slab in found] == [*maps, (4096,), (4096,), (1000,)]
    assert all(slab.then == ("ReLU",) for slab in found if slab.kind == "Conv2d")


def test_lenet_is_the_slabs_of_its_picture():
    """Dive into Deep Learning, figure 7.6.1."""
    shapes = [slab.shape for slab in slabs(profiled("lenet"))]
    maps = [(1, 28, 28), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert shapes == [*maps, (400,), (120,), (84,), (10,)]


def test_a_residual_network_has_a_slab_for_each_block():
    """He 2016, table 1: stages of two blocks, 56, 28, 14 and 7 pixels a side."""
    found = [slab for slab in slabs(profiled("resnet18")) if slab.kind == "BasicBlock"]
    stages = ((64, 56), (128, 28), (256, 14), (512, 7))
    assert [slab.shape for slab in found] == [
        (channels, side, side) for channels, side in stages for _ in range(2)
    ]
    assert {slab.family for slab in found} == {"convolution"}


def test_a_transformer_has_one_slab_for_each_block():
    found = [slab for slab in slabs(profiled("vit_b_16")) if slab.kind == "EncoderBlock"]
    assert [slab.size for slab in found] == [(768, 197, 1)] * 12


@pytest.mark.parametrize("name", NETS)
def test_slabs_stand_for_each_row_once(name: str):
    found = slabs(profiled(name))
    rows = [row for slab in found for row in slab.rows]
    assert rows == list(range(len(profiled(name).rows)))


@pytest.mark.parametrize("name", NETS)
def test_without_a_row_of_the_trunk_no_data_comes_through(name: str):
    """A trunk's row cuts the picture from the end: searched for in the edges, row by row."""
    found = profiled(name)
    last = max(target for _, target in found.edges)
    linked = {row for edge in found.edges for row in edge} - {INPUT}

    def reached(without: int) -> bool:
        seen, todo = {INPUT}, [INPUT]
        while todo:
            here = todo.pop()
            for target in (b for a, b in found.edges if a == here and b != without and b not in seen):
                seen.add(target)
                todo.append(target)
        return last in seen

    sample = random.Random(name).sample(sorted(linked), min(60, len(linked)))
    for row in sample:
        assert (row in trunk(found)) == (not reached(row)), found.rows[row].path


def test_chains_are_told_from_networks_with_branches():
    chains = {name for name in NETS if is_chain(profiled(name))}
    assert chains == {"vgg16", "alexnet", "lenet"}


class Skips(nn.Module):
    """A path around everything: no trunk but the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, F.interpolate(self.pool(self.conv(x)), scale_factor=2)], 1)


def test_where_all_is_branched_around_the_slabs_are_the_picture_and_the_end():
    assert [slab.shape for slab in slabs(of(Skips()))] == [(4, 8, 8), (8, 8, 8)]


class Product(nn.Module):
    """A layer that reads two branches and keeps the shape."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.two = (nn.Linear(8, 8) for _ in range(3))
        self.join = nn.Bilinear(8, 8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.join(self.one(x), self.two(x))


def test_what_joins_branches_is_a_slab_of_its_own():
    assert [slab.kind for slab in slabs(of(Product(), (8,)))] == ["Input", "Linear", "Bilinear"]


def test_a_network_that_fails_is_drawn_up_to_there():
    found = of(nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(9, 2, 3)))
    drawn = graph(found, blocks(found))
    assert found.failure
    assert drawn.boxes[-1].outputs == ()
    assert [slab.shape for slab in slabs(found)] == [(4, 8, 8), (6, 6, 6)]


class Halts(nn.Module):
    """Stops in between two layers, inside or outside of a block."""

    def __init__(self, inner: bool):
        super().__init__()
        self.inner = Halts(False) if inner else nn.Conv2d(4, 4, 1)
        self.behind = nn.ReLU()
        self.nested = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inner(x)
        if self.nested:
            return self.behind(x)
        raise ModelError("It halts.")


def halts(net: nn.Module, opened: Collection[str] = ()) -> list[tuple[str, str, list[str]]]:
    """Of the message to the browser each box that stops: its key, its words, and where edges to it come from."""
    found = of(net)
    assert found.failure
    message = stopped(graph(found, opened), found, found.failure)
    nodes, edges = message["nodes"], message["edges"]
    assert {node["stop"]["sentence"] for node in nodes if "stop" in node} == {found.failure.sentence}
    assert all(node["parent"] < at for at, node in enumerate(nodes))
    return [
        (
            node["key"],
            node["stop"]["words"],
            [nodes[source]["key"] for source, target, _ in edges if target == at],
        )
        for at, node in enumerate(nodes)
        if "stop" in node
    ]


def chain(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), *more)


@pytest.mark.parametrize(
    ("net", "opened", "expected"),
    [
        # a layer, joined to the one before it
        (chain(nn.Conv2d(9, 2, 3), nn.ReLU()), (), ("2~0", "stops here", ["1~0"])),
        # the first: to the picture
        (nn.Sequential(nn.Conv2d(9, 2, 3)), (), ("0~0", "stops here", ["picture"])),
        # inside of a block that is closed, and open
        (chain(nn.Sequential(nn.ReLU(), nn.Linear(9, 2))), (), ("2~0", "stops inside", ["1~0"])),
        (chain(nn.Sequential(nn.ReLU(), nn.Linear(9, 2))), ("2~0",), ("2.1~0", "stops here", ["2.0~0"])),
        # in between layers: a box of its own, in the open block where it is
        (Halts(False), (), ("stop", "stops here", ["inner~0"])),
        (Halts(True), (), ("inner~0", "stops inside", ["picture"])),
        (Halts(True), ("inner~0",), ("stop", "stops here", ["inner.inner~0"])),
    ],
)
def test_where_a_network_stops_is_marked_and_joined_to_what_ran(
    net: nn.Module, opened: Collection[str], expected: tuple[str, str, list[str]]
):
    assert halts(net, opened) == [expected]


def test_a_failure_between_layers_of_an_open_block_stands_in_its_frame():
    found = of(Halts(True))
    assert found.failure
    nodes = stopped(graph(found, ("inner~0",)), found, found.failure)["nodes"]
    frame = next(at for at, node in enumerate(nodes) if node["key"] == "inner~0")
    assert nodes[-1]["key"] == "stop"
    assert (nodes[-1]["parent"], nodes[-1]["level"]) == (frame, nodes[frame]["level"] + 1)


def test_a_part_that_is_not_built_is_a_box_behind_what_ran():
    """Also where a row before has its name."""
    found = of(chain())
    stop = Failure("1", "Linear", "Linear “1” cannot follow.")
    message = stopped(graph(found), found, stop)
    nodes, edges = message["nodes"], message["edges"]
    assert [node["key"] for node in nodes if "stop" in node] == ["stop"]
    assert (nodes[-1]["kind"], nodes[-1]["title"]) == ("Linear", "1")
    assert [(nodes[a]["key"], nodes[b]["key"]) for a, b, _ in edges][-1] == ("1~0", "stop")
    assert len(edges) == 3


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance of #rrggbb."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (each / 255 for each in bytes.fromhex(colour.removeprefix("#")))
    ]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_each_family_has_a_colour_that_is_seen_on_both_grounds():
    """WCAG 2.2, 1.4.11: at least 3 to 1 for what is no text."""
    assert list(HUES) == list(FAMILIES)
    assert len(set(HUES.values())) == len(HUES)
    for colour in HUES.values():
        for ground in ("#ffffff", "#0e1418"):
            high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 3


def test_a_single_layer_is_a_network():
    drawn = graph(of(nn.Conv2d(4, 6, 3)))
    assert [(node.kind, node.outputs) for node in drawn.nodes] == [
        ("Input", ((4, 8, 8),)),
        ("Conv2d", ((6, 6, 6),)),
    ]
    assert len(drawn.edges) == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("3 × 3, 64 → 128, stride 2, padding 1, no bias", "3 × 3, stride 2"),
        ("64 channels", ""),
        ("in place", ""),
        ("512 → 1,000", ""),
        ("3 × 3, 32 → 32, stride 2, groups 32, padding 1", "3 × 3, stride 2, groups 32"),
        ("to 7 × 7", "to 7 × 7"),
    ],
)
def test_short_settings_leave_out_what_shapes_tell(settings: str, expected: str):
    assert short(settings) == expected


def test_the_message_names_nodes_by_their_place():
    found = profiled("resnet18")
    drawn = graph(found, {"layer1~0"})
    message = to_json(drawn)
    nodes, edges = message["nodes"], message["edges"]
    assert isinstance(nodes, list)
    assert isinstance(edges, list)
    assert [(nodes[a]["key"], nodes[b]["key"]) for a, b, _ in edges] == [
        (edge.source, edge.target) for edge in drawn.edges
    ]
    inner = [node for node in nodes if node["parent"] >= 0]
    assert [nodes[node["parent"]]["key"] for node in inner] == ["layer1~0"]
    assert [node["level"] for node in inner] == [1]


def test_nonsense_is_refused():
    with pytest.raises(LayerError, match="not from “a” to itself"):
        Edge("a", "a", (), ())
