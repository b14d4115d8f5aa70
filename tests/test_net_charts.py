"""Charts of networks: what is in their bars and lines, against torch's own counts."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from explorer.comparison import FLAT, aligned, by_size
from explorer.figures.net_charts import MOST_BARS, SHARES, along_depth, maps_chart, shares_chart
from explorer.figures.score_chart import score_chart
from explorer.networks.classics import classic, scores
from explorer.profiling import NetworkProfile, profile

NETS = ("lenet5", "vgg16", "resnet50", "densenet121", "googlenet", "vit_b_16")


@pytest.fixture(scope="module", params=NETS)
def found(request: pytest.FixtureRequest) -> NetworkProfile:
    known = classic(request.param)
    return profile(known.build(), known.input_shape, name=known.title)


def macs_of(key: str) -> int:
    """By torch's own counter."""
    known = classic(key)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        known.build()(torch.empty(1, *known.input_shape, device="meta"))
    return counter.get_total_flops() // 2


def test_bars_hold_the_whole_network_once(found: NetworkProfile) -> None:
    bars = along_depth(found)
    assert 1 < len(bars) <= MOST_BARS
    assert len({bar.path for bar in bars}) == len(bars)
    assert sum(bar.macs for bar in bars) == found.macs
    assert sum(bar.bytes for bar in bars) == sum(row.bytes for row in found.leaves)
    assert sum(bar.parameters for bar in bars) == sum(row.parameters for row in found.leaves)


@pytest.mark.parametrize("key", NETS)
def test_sums_are_those_of_torch(key: str) -> None:
    known = classic(key)
    module = known.build()
    bars = along_depth(profile(module, known.input_shape))
    assert sum(bar.macs for bar in bars) == macs_of(key)
    # all but what does not run: GoogLeNet's auxiliary heads, 13,004,888 − 6,624,904 parameters
    idle = 6_379_984 if key == "googlenet" else 0
    assert sum(bar.parameters for bar in bars) + idle == sum(weight.numel() for weight in module.parameters())


def test_small_networks_show_each_layer() -> None:
    known = classic("lenet5")
    paths = [bar.path for bar in along_depth(profile(known.build(), known.input_shape))]
    assert len(paths) > 7, paths


def test_shares_add_up_to_all(found: NetworkProfile) -> None:
    figure = shares_chart(along_depth(found), dark=False)
    assert len(figure.data) == len(SHARES)
    for trace in figure.data:
        assert sum(trace.y) == pytest.approx(100)


def test_maps_along_depth() -> None:
    known = classic("vgg16")
    rows, channels = maps_chart(profile(known.build(), known.input_shape), dark=True).data
    # Simonyan & Zisserman 2014, table 1: five halvings, 64 to 512 channels
    assert list(dict.fromkeys(rows.y)) == [224, 112, 56, 28, 14, 7]
    assert list(dict.fromkeys(channels.y)) == [3, 64, 128, 256, 512]


def test_sizes_hold_the_whole_network(found: NetworkProfile) -> None:
    shares = by_size(found)
    for what in ("parameters", "macs", "activations"):
        assert sum(getattr(share, what) for share in shares.values()) == sum(
            getattr(row, what) for row in found.leaves
        )


def test_sizes_of_resnet_50() -> None:
    known = classic("resnet50")
    shares = by_size(profile(known.build(), known.input_shape))
    # He et al. 2015, table 1
    assert list(shares) == ["112 × 112", "56 × 56", "28 × 28", "14 × 14", "7 × 7", "1 × 1", FLAT]
    assert [share.channels for share in shares.values()][:5] == [64, 256, 512, 1024, 2048]


def test_aligned_sizes() -> None:
    tables = [profile(known.build(), known.input_shape) for known in (classic("vgg16"), classic("resnet18"))]
    rows = dict(aligned(tables))
    assert rows["224 × 224"][1] is None
    assert rows["224 × 224"][0] is not None
    assert all(any(share is not None for share in shares) for shares in rows.values())
    assert list(rows)[-1] == FLAT


@pytest.mark.parametrize("cost", ["parameters", "gmacs"])
def test_scores(cost: str) -> None:
    others, chosen = score_chart(scores(), cost, {"resnet50"}, dark=False).data  # type: ignore[arg-type]
    # torchvision's page of ResNet-50: V1 76.130 %, V2 80.858 %, 25.6 M parameters, 4.09 GFLOPS
    assert sorted(chosen.y) == [76.13, 80.858]
    assert chosen.x == pytest.approx([25.557, 25.557] if cost == "parameters" else [4.09, 4.09], rel=1e-3)
    assert len(others.y) + len(chosen.y) == len([score for score in scores() if score.top1 is not None])
