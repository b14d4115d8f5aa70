"""One picture all the way down: stations against papers' tables, what is read there against torch's own hooks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from explorer import journey
from explorer.activations import Layer, Probe
from explorer.profiling import profile
from explorer.recording import Recorder


def probe_of(name: str) -> Probe:
    torch.manual_seed(0)
    return Probe(Recorder(getattr(torchvision.models, name)(weights=None)))


@pytest.fixture(scope="module")
def resnet() -> Probe:
    return probe_of("resnet18")


def shapes(probe: Probe) -> list[tuple[str, int, int]]:
    found = journey.stations(probe)
    return [(each.layer.name, each.layer.channels, each.layer.grid[0]) for each in found]


def test_stations_of_resnet18_are_those_of_the_papers_table(resnet: Probe):
    # He et al. 2016, table 1: conv1, the pool, conv2_x to conv5_x, average pool, 1000-d fc
    assert shapes(resnet) == [
        ("relu", 64, 112),
        ("layer1.1", 64, 56),
        ("layer2.1", 128, 28),
        ("layer3.1", 256, 14),
        ("layer4.1", 512, 7),
        ("avgpool", 512, 1),
        ("fc", 1000, 1),
    ]
    passed = [each.passed for each in journey.stations(resnet)]
    assert passed[0] == ("Conv2d", "BatchNorm2d", "ReLU")
    assert passed[1] == ("MaxPool2d", "BasicBlock", "BasicBlock")
    assert passed[-1] == ("Linear",)


def test_a_transformer_has_a_station_at_each_block():
    probe = probe_of("vit_b_32")
    names = [each.layer.name for each in journey.stations(probe)]
    assert names[0] == "conv_proj"
    assert [name for name in names if name.endswith(".ln_1")] == [
        f"encoder.layers.encoder_layer_{block}.ln_1" for block in range(12)
    ]
    assert names[-1] == "heads.head"


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "densenet121"])
def test_stations_lead_from_large_maps_to_the_classes(name: str):
    found = journey.stations(probe_of(name))
    assert 5 <= len(found) <= journey.MOST_STATIONS
    sides = [each.layer.grid[0] for each in found]
    assert sides == sorted(sides, reverse=True)
    assert (found[-1].layer.channels, found[-1].layer.grid) == (1000, (1, 1))
    assert all(each.passed[-1] == each.layer.kind for each in found)


def test_more_shapes_than_can_be_read_are_thinned():
    blocks = [nn.Conv2d(3 + n, 4 + n, 3, padding=1) for n in range(40)]
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(43, 5))
    probe = Probe(Recorder(network, size=16), size=16)
    found = journey.stations(probe)
    assert len(found) == journey.MOST_STATIONS
    assert found[0].layer.name == "0"
    assert found[-1].layer.name == "42"
    # nothing that was passed is lost, and nothing is told twice
    assert sum(len(each.passed) for each in found) == 40 + 2


def test_what_is_read_at_a_station_is_what_torch_computes(resnet: Probe):
    picture = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    found = journey.travel(resnet, picture)
    kept: dict[str, torch.Tensor] = {}
    network = resnet.recorder.network
    hooks = [
        network.get_submodule(stop.layer.name).register_forward_hook(
            lambda _m, _i, out, name=stop.layer.name: kept.__setitem__(name, out.detach().clone())
        )
        for stop in found.stops
    ]
    with torch.no_grad():
        scores = network(picture.to(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    for stop in found.stops:
        output = kept[stop.layer.name][0]
        wanted = output.reshape(1, -1) if stop.layer.grid == (1, 1) else output[stop.number]
        torch.testing.assert_close(torch.from_numpy(stop.values), wanted)
        assert stop.peak == pytest.approx(float(output.abs().max()))
        assert stop.zeros == pytest.approx(float((output == 0).float().mean()))
    torch.testing.assert_close(torch.from_numpy(found.logits), scores[0])
    torch.testing.assert_close(torch.from_numpy(found.probabilities), scores[0].softmax(0))
    assert not found.broken


def test_the_typical_map_correlates_most_with_the_mean():
    maps = np.random.default_rng(5).normal(size=(12, 6, 8)).astype(np.float32)
    maps[3] = 0.5  # constant: it correlates with nothing
    maps += np.arange(12, dtype=np.float32)[:, None, None]  # levels, which are no pattern
    mean = maps.mean(0).ravel()
    correlations = [np.corrcoef(plane.ravel(), mean)[0, 1] if n != 3 else -2 for n, plane in enumerate(maps)]
    assert journey.typical(maps) == int(np.argmax(correlations))


def test_where_nothing_can_be_compared_the_strongest_is_typical():
    assert journey.typical(np.array([1, -3, 2], np.float32).reshape(3, 1, 1)) == 1
    assert journey.typical(np.zeros((4, 3, 3), np.float32)) == 0


def test_stations_whose_values_are_no_numbers_are_left_out():
    class Root(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sqrt()

    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), Root(), nn.Conv2d(4, 5, 3), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip
    nn.init.constant_(network[0].weight, 0.0)
    nn.init.constant_(network[0].bias, 1.0)
    nn.init.constant_(network[2].bias, -9.0)
    probe = Probe(Recorder(network, size=20), size=20)
    assert not journey.travel(probe, torch.ones(1, 3, 20, 20)).broken
    with torch.no_grad():
        network[0].bias.fill_(-1.0)
    found = journey.travel(probe, torch.ones(1, 3, 20, 20))
    assert found.broken
    assert "1" in found.broken
    assert all(np.isfinite(stop.values).all() for stop in found.stops)


def test_work_adds_up_to_the_published_number(resnet: Probe):
    table = profile(resnet.recorder.network, (3, 224, 224))
    parts = [journey.macs_until(table, each.layer) for each in journey.stations(resnet)]
    assert parts == sorted(parts)
    assert parts[0] == 7 * 7 * 3 * 64 * 112 * 112
    assert parts[1] - parts[0] == 4 * 3 * 3 * 64 * 64 * 56 * 56  # two blocks of two convolutions
    assert parts[-1] == table.macs
    assert parts[-1] == pytest.approx(1.814e9, rel=1e-3)  # torchvision's table of ResNet-18


def test_cells_see_what_papers_say():
    with torch.device("meta"):
        table = profile(torchvision.models.vgg16(weights=None), (3, 224, 224))
    last_pool = Layer("features.30", 1, 1, "MaxPool2d", 512, (7, 7), "maps")
    assert journey.seen(table, last_pool).size == (212, 212)  # Araujo et al. 2019
    assert journey.seen(table, Layer("nowhere", 1, 1, "ReLU", 1, (1, 1), "maps")) is None
