"""Equivariance against what is known by construction: networks that must follow or cannot, scipy's own turning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from explorer.activations import Probe
from explorer.errors import ShapeError
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.moving import Motion, along_depth, answer, compare, correlation, unit_maps
from explorer.recording import Recorder

SIZE = 48


class Net(nn.Module):
    """Features, then a mean over places and class scores."""

    def __init__(self, *features: nn.Module, channels: int):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.head = nn.Linear(channels, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


def probed(*features: nn.Module, channels: int) -> Probe:
    torch.manual_seed(3)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight)
    return Probe(Recorder(Net(*features, channels=channels), SIZE), SIZE)


def smooth_picture() -> torch.Tensor:
    """A picture of low frequencies, so that blending between pixels loses little."""
    noise = np.random.default_rng(7).normal(size=(3, SIZE, SIZE))
    return torch.tensor(ndimage.gaussian_filter(noise, (0, 3, 3)) * 20, dtype=torch.float32)[None]


def test_motions_move_pixels_as_scipy_does():
    picture = smooth_picture()
    middle = (SIZE - 1) / 2
    for motion in (Motion(down=5, right=-3), Motion(degrees=30), Motion(factor=1.5), Motion(2, 1, -40, 0.8)):
        turn = np.deg2rad(motion.degrees)
        # in scipy's rows and columns: a point moves by R·s·(p − middle) + middle + shift; clockwise on a screen
        forwards = motion.factor * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        backwards = np.linalg.inv(forwards)
        shift = np.array([motion.down, motion.right])
        offset = middle - backwards @ (middle + shift)
        expected = np.stack(
            [
                ndimage.affine_transform(p, backwards, offset, order=1, mode="nearest")
                for p in picture[0].numpy()
            ]
        )
        made = motion.applied(picture, SIZE)[0].numpy()
        assert np.abs(made - expected).max() < 1e-3, motion


def test_clockwise_is_clockwise():
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 0, 4] = 1  # twelve o'clock
    turned = Motion(degrees=90).applied(picture, 9)[0, 0]
    assert divmod(int(turned.argmax()), 9) == (4, 8)  # three o'clock


def test_a_convolution_follows_a_shift_and_a_stride_only_whole_steps():
    probe = probed(
        nn.Conv2d(3, 6, 5, padding=2, padding_mode="replicate", bias=False),
        nn.Conv2d(6, 8, 4, stride=4, bias=False),
        channels=8,
    )
    picture = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    every, strided = compare(probe, picture, Motion(right=8), ["features.0", "features.1"])
    assert every.equivariance > 0.98  # all but the border's columns
    assert strided.equivariance > 0.98
    every, strided = compare(probe, picture, Motion(right=2), ["features.0", "features.1"])
    assert every.equivariance > 0.98
    assert strided.equivariance < 0.6  # half a step: noise has nothing in between
    assert every.invariance < 0.5


def test_away_from_the_border_following_is_exact():
    probe = probed(nn.Conv2d(3, 6, 5, padding=2, bias=False), channels=6)
    picture = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    found = unit_maps(probe, picture, Motion(down=6), "features.0", 4)
    middle = (slice(10, -3), slice(3, -3))
    assert torch.allclose(found.of_moved[middle], found.moved_after[middle], atol=1e-4)
    assert not torch.allclose(found.of_moved[middle], found.before[middle], atol=0.5)
    assert found.inside[6:].all()
    assert not found.inside[:5].any()


def test_a_turn_is_followed_by_round_kernels_alone():
    picture, motion = smooth_picture(), Motion(degrees=90)
    places = torch.arange(7.0) - 3
    round_kernel = torch.exp(-(places[:, None] ** 2 + places**2) / 4).expand(1, 3, 7, 7)
    slanted = torch.sin(places[:, None] + 0 * places).expand(1, 3, 7, 7)
    found = {}
    for name, weights in (("round", round_kernel), ("slanted", slanted)):
        probe = probed(nn.Conv2d(3, 1, 7, padding=3, bias=False), channels=1)
        probe.recorder.network.features[0].weight.data.copy_(weights)
        (found[name],) = compare(probe, picture, motion, ["features.0"])
    assert found["round"].equivariance > 0.999
    assert found["slanted"].equivariance < 0.8


def test_nothing_moved_is_equal_and_nothing_inside_is_refused():
    probe = probed(nn.Conv2d(3, 6, 3, padding=1), channels=6)
    picture = smooth_picture()
    (same,) = compare(probe, picture, Motion(), ["features.0"])
    assert same.equivariance == pytest.approx(1)
    assert same.invariance == pytest.approx(1)
    assert same.error == pytest.approx(0, abs=1e-5)
    assert same.cells == SIZE * SIZE
    with pytest.raises(ShapeError, match="nothing of the picture is left"):
        compare(probe, picture, Motion(right=SIZE), ["features.0"])
    with pytest.raises(ShapeError, match="cannot be moved"):
        Motion(factor=0)
    with pytest.raises(ShapeError, match="cannot be moved"):
        Motion(right=float("nan"))


def test_maps_that_do_not_vary_have_no_correlation():
    flat = torch.full((2, 30), 7.3)
    assert correlation(flat, torch.randn(2, 30)) is None
    layer = probed(nn.Conv2d(3, 2, 3, padding=1), channels=2).layer("features.0")
    found = answer(layer, torch.ones(2, 8, 8), torch.ones(2, 8, 8), Motion(right=3), SIZE)
    assert (found.equivariance, found.invariance, found.error) == (None, None, None)


def test_correlation_is_pearsons_for_one_map():
    first, second = torch.randn(2, 40, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert correlation(first[None], second[None]) == pytest.approx(np.corrcoef(first, second)[0, 1])


@pytest.fixture(scope="module")
def embedded() -> tuple[Probe, torch.Tensor]:
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"))
    return Probe(Recorder(load_network(DEFAULT_MODEL))), fed.tensor()


def test_the_curve_has_blocks_along_depth(embedded):
    probe, _ = embedded
    names = [layer.key for layer in along_depth(probe.layers)]
    assert [name for name in names if name.startswith("blocks.")] == [
        f"blocks.{stage}.{block}"
        for stage, count in enumerate((1, 2, 2, 3, 3, 4, 1))
        for block in range(count)
    ]
    assert names[0] == "conv_stem"
    assert all(min(layer.grid) > 1 for layer in along_depth(probe.layers))


def test_the_embedded_network_follows_whole_cells_better_than_half_ones(embedded):
    """What a convolutional network with strides must show (Zhang 2019), on a real one."""
    probe, x = embedded
    keys = ["conv_stem", "blocks.2.1", "blocks.4.2"]  # cells of 2, 8 and 16 pixels
    whole = compare(probe, x, Motion(right=16), keys)
    half = compare(probe, x, Motion(right=5), keys)
    assert all(one.equivariance > 0.9 for one in whole)
    assert all(one.equivariance > other.equivariance for one, other in zip(whole, half, strict=True))
    assert all(one.equivariance > one.invariance for one in (*whole, *half))
