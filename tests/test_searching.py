"""Pictures that are searched for: canvases, inversion, visualisation, and searches in the background."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from explorer.activations import Probe
from explorer.background import Background
from explorer.canvas import Canvas, colour_axes, fall_off, normalised, sides
from explorer.desk import desk
from explorer.errors import Cancelled, ClassError, ImageError, LayerError, ModelError
from explorer.figures.annotated import annotated_png
from explorer.images import SAMPLES, sample_photo
from explorer.inversion import Inversion, Settings, _Search, invert, of_side, psnr, roughness
from explorer.models import DEFAULT_MODEL, NetworkInput, card, load_network
from explorer.preprocessing import Preprocessing
from explorer.recording import Recorder
from explorer.visualisation import (
    Class,
    Direction,
    Target,
    Unit,
    Vision,
    Visualisation,
    seen,
    transformation,
)
from explorer.visualisation import Settings as Sought
from explorer.visualisation_code import visualisation_code

PLAIN = Preprocessing(32, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")
CAT = sample_photo("cat").pixels


class Net(nn.Module):
    """Three layers, the second of which is silent wherever the first gives what it usually does."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.silent = nn.Conv2d(8, 4, 1)
        self.relu = nn.ReLU()
        self.last = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.relu(self.silent(self.first(x))).mean((2, 3)))


def tiny(bias: float = 0.0) -> Probe:
    torch.manual_seed(3)
    net = Net()
    net.silent.bias.data.fill_(bias)
    return Probe(Recorder(net, 32), 32)


@pytest.fixture(scope="module")
def lite() -> Probe:
    """The embedded network."""
    return Probe(Recorder(load_network(DEFAULT_MODEL)), 224)


READY = card(DEFAULT_MODEL).preprocessing


def clock() -> Iterator[float]:
    """A clock that goes on by a second each time it is asked."""
    now = 0.0
    while True:
        yield now
        now += 1.0


# The canvas ------------------------------------------------------------------------------------------


def photographs() -> np.ndarray:
    """Colours of all coloured samples, (N, 3) in 0..1."""
    pixels = [np.asarray(Image.fromarray(sample_photo(key).pixels).resize((64, 64))) for key in SAMPLES]
    coloured = [each for each in pixels if np.ptp(each.astype(int), axis=2).max() > 20]
    assert len(coloured) >= 3
    return np.concatenate([each.reshape(-1, 3) - each.reshape(-1, 3).mean(0) for each in coloured]) / 255


def test_axes_of_colours_take_photographs_colours_apart() -> None:
    """In them colours are nearly independent, and about equally strong; red, green and blue are neither."""
    rgb = photographs()
    along = rgb @ np.linalg.inv(colour_axes().numpy()).T
    before, after = (np.abs(np.corrcoef(each.T) - np.eye(3)).max() for each in (rgb, along))
    assert before > 0.8
    assert after < 0.5
    spread = along.std(0)
    assert spread.max() / spread.min() < 3
    assert np.linalg.norm(colour_axes().numpy(), axis=0).max() == pytest.approx(1)


def test_frequencies_fall_off_as_one_over_f() -> None:
    strength = fall_off(16)
    assert strength.shape == (16, 9)
    assert strength[0, 0] == strength[0, 1] == strength[1, 0]  # the mean as the lowest
    assert strength[0, 1] / strength[0, 4] == pytest.approx(4)
    assert strength[3, 4] / strength[6, 8] == pytest.approx(2)
    assert fall_off(16, 2.0)[0, 1] / fall_off(16, 2.0)[0, 4] == pytest.approx(16)


def test_a_canvas_is_the_inverse_transform_that_numpy_makes() -> None:
    canvas = Canvas(12, seed=4)
    numbers = canvas.numbers.detach().numpy()[0]
    spectrum = (numbers[..., 0] + 1j * numbers[..., 1]) * fall_off(12).numpy()
    planes = np.fft.irfft2(spectrum, s=(12, 12)) / 4
    mixed = np.einsum("rc,chw->rhw", colour_axes().numpy(), planes)
    np.testing.assert_allclose(canvas.picture()[0].detach().numpy(), 1 / (1 + np.exp(-mixed)), atol=1e-6)


@pytest.mark.parametrize("holding", ["frequencies", "pixels"])
def test_a_canvas_begins_nearly_grey_and_its_seed_decides(holding: str) -> None:
    first, again, other = (Canvas(24, 3, holding, seed) for seed in (1, 1, 2))
    assert torch.equal(first.picture(), again.picture())
    assert not torch.equal(first.picture(), other.picture())
    assert first.picture().sub(0.5).abs().max() < 0.2


def test_gradients_of_a_canvas_are_those_of_finite_differences() -> None:
    canvas = Canvas(8, seed=2)
    weights = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    (canvas.picture() * weights).sum().backward()
    for place in ((0, 0, 1, 2, 0), (0, 2, 5, 3, 1)):
        values = []
        for sign in (1, -1):
            moved = Canvas(8, seed=2)
            with torch.no_grad():
                moved.numbers[place] += sign * 1e-2
                values.append(float((moved.picture().double() * weights).sum()))
        slope = (values[0] - values[1]) / 2e-2
        assert float(canvas.numbers.grad[place]) == pytest.approx(slope, rel=2e-2)


def test_grey_canvases_and_pixels_stay_in_bounds() -> None:
    grey = Canvas(8, 1)
    assert grey.pixels().shape == (8, 8, 3)
    assert (grey.pixels() == grey.pixels()[..., :1]).all()
    dots = Canvas(4, 3, "pixels")
    with torch.no_grad():
        dots.numbers += 7
    dots.settle()
    assert float(dots.numbers.detach().max()) == 1


@pytest.mark.parametrize(("side", "channels"), [(1, 3), (1025, 3), (8, 2)])
def test_canvases_that_cannot_be_are_refused(side: int, channels: int) -> None:
    with pytest.raises(ModelError, match=str(side if side != 8 else channels)):
        Canvas(side, channels)


def test_normalising_agrees_with_torchvision() -> None:
    from torchvision.transforms.functional import normalize

    picture = torch.rand(2, 3, 5, 5)
    assert torch.allclose(normalised(picture, PLAIN), normalize(picture, PLAIN.mean, PLAIN.std), atol=1e-6)


def test_sides_are_those_the_network_takes(lite: Probe) -> None:
    assert sides(lite) == (224, 160, 128)[:3]
    for side in sides(lite):
        assert side == 224 or side % 32 == 0

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3, stride=4)
            self.dense = nn.LazyLinear(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.dense(self.conv(x).flatten(1))

    net = Fixed()
    net(torch.zeros(1, 3, 224, 224))
    assert sides(Probe(Recorder(net, 224), 224)) == (224,)


# Inversion -------------------------------------------------------------------------------------------


def last(steps: Iterator[Inversion]) -> Inversion:
    *_, found = steps
    return found


def test_psnr_agrees_with_scikit_image() -> None:
    random = np.random.default_rng(2)
    one, other = (random.integers(0, 256, (17, 19, 3), dtype=np.uint8) for _ in range(2))
    for noisy in (
        other,
        np.clip(one.astype(int) + random.integers(-3, 4, one.shape), 0, 255).astype(np.uint8),
    ):
        assert psnr(noisy, one) == pytest.approx(
            peak_signal_noise_ratio(one, noisy, data_range=255), abs=1e-9
        )
    assert psnr(one, one) == math.inf
    with pytest.raises(ModelError, match=r"\(17, 19, 3\) is not compared"):
        psnr(one, one[:4])


def test_roughness_of_a_ramp_is_known() -> None:
    ramp = torch.arange(6.0).repeat(6, 1)[None, None] * 0.5  # 0.5 to the right, nothing down
    assert float(roughness(ramp)) == 0.25


def test_what_is_fed_keeps_its_part_at_another_size() -> None:
    large, small = READY.image(CAT), of_side(READY, 112).image(CAT)
    reduced = np.asarray(Image.fromarray(large).resize((112, 112), Image.Resampling.BICUBIC)).astype(float)
    assert np.abs(reduced - small).mean() < 3


def test_a_linear_layer_that_loses_nothing_gives_the_picture_back() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Flatten(), nn.Linear(16 * 32 * 32, 2))
    probe = Probe(Recorder(net, 32), 32)
    found = last(invert(probe, CAT, PLAIN, ["0"], Settings(32, 300), clock=lambda: 0.0))
    assert found.ended == "done"
    assert found.parts[0].psnr > 35
    assert found.parts[0].distance < 0.02
    # its figures are those of its picture
    shown = torch.from_numpy(found.parts[0].pixels.copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (PLAIN.mean, PLAIN.std))
    with torch.no_grad():
        asked, got = net[0](PLAIN.tensor(CAT)), net[0]((shown - mean) / std)
    assert found.parts[0].distance == pytest.approx(float((got - asked).norm() / asked.norm()), abs=5e-3)
    assert found.parts[0].psnr == pytest.approx(
        peak_signal_noise_ratio(PLAIN.image(CAT), found.parts[0].pixels)
    )


@pytest.mark.parametrize("name", ["cat", "coffee", "astronaut", "cat_and_bird", "bricks"])
def test_likeness_falls_along_depth(lite: Probe, name: str) -> None:
    layers = ["blocks.0.0", "blocks.2.1", "bn2"]
    # a clock that stands still: on a busy machine too there is time for all iterations
    steps = invert(lite, sample_photo(name).pixels, READY, layers, Settings(64, 64), clock=lambda: 0.0)
    found = last(steps)
    early, middle, deep = (part.psnr for part in found.parts)
    assert early > 20
    assert early > middle + 2
    assert middle > deep


def test_a_search_comes_closer_to_the_features(lite: Probe) -> None:
    steps = list(invert(lite, CAT, READY, ["blocks.4.2"], Settings(64, 48), clock=lambda: 0.0))
    assert steps[-1].parts[0].distance < 0.7 * steps[0].parts[0].distance


def test_layers_take_turns_and_results_do_not_hang_on_the_clock() -> None:
    probe, settings = tiny(), Settings(32, 20, seed=5)
    quick = list(invert(probe, CAT, PLAIN, ["first", "silent"], settings, clock=lambda: 0.0))
    slow = list(invert(probe, CAT, PLAIN, ["first", "silent"], settings, clock=clock().__next__))
    assert len(slow) > len(quick)  # a second an iteration: each is a step
    for step in (*quick, *slow):
        done = [part.done for part in step.parts]
        assert max(done) - min(done) <= 8
    for one, other in zip(quick[-1].parts, slow[-1].parts, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
    other = last(invert(probe, CAT, PLAIN, ["first", "silent"], Settings(32, 20, seed=6)))
    assert not np.array_equal(other.parts[0].pixels, quick[-1].parts[0].pixels)
    alone = last(invert(probe, CAT, PLAIN, ["silent"], settings))
    assert np.array_equal(alone.parts[0].pixels, quick[-1].parts[1].pixels)


@pytest.mark.parametrize(("pace", "most"), [(0.0, 3), (0.25, 8), (1.0, 20)])
def test_each_picture_is_of_the_iteration_that_is_said_and_few_looks_are_taken(
    pace: float, most: int
) -> None:
    """One look for eight iterations, or for two seconds of computing."""
    probe, looks, ticks = tiny(), [], clock()
    activation = probe.activation
    probe.activation = lambda *a: looks.append(not torch.is_grad_enabled()) or activation(*a)
    settings = Settings(32, 20, seed=5)
    steps = list(invert(probe, CAT, PLAIN, ["first"], settings, lambda: pace * next(ticks)))
    assert looks.count(False) == 20
    assert looks.count(True) <= 2 + most  # the features of the photograph, and the noise to begin with
    for step in steps:
        (part,) = step.parts
        again = _Search(tiny(), part.layer, PLAIN.tensor(CAT), PLAIN, settings)
        for _ in range(part.done):
            again.advance()
        assert np.array_equal(again.canvas.pixels(), part.pixels)


def test_an_inversion_ends_when_its_time_is_up() -> None:
    hours = clock()
    found = last(invert(tiny(), CAT, PLAIN, ["first"], Settings(32, 2000), clock=lambda: 60 * next(hours)))
    assert found.ended == "time"
    assert found.seconds >= 180
    assert 0 < found.parts[0].done <= 4
    assert found.fraction == 1.0


def test_what_is_left_when_the_time_is_up_is_the_last_iteration() -> None:
    ticks, made = clock(), []
    probe = tiny()
    activation = probe.activation
    probe.activation = lambda *a: made.append(torch.is_grad_enabled()) or activation(*a)
    found = last(invert(probe, CAT, PLAIN, ["first"], Settings(32, 2000), lambda: 0.08 * next(ticks)))
    assert found.ended == "time"
    assert found.parts[0].done == made.count(True)
    assert found.parts[0].done % 8  # it ended amid a turn, after which no look was due


def test_what_cannot_be_inverted_is_said() -> None:
    with pytest.raises(LayerError, match="all zero for this picture"):
        next(invert(tiny(bias=-1e6), CAT, PLAIN, ["relu"], Settings(32)))
    with pytest.raises(LayerError, match="0 layers were asked for"):
        next(invert(tiny(), CAT, PLAIN, [], Settings(32)))
    with pytest.raises(LayerError, match="no layer “nothing”"):
        next(invert(tiny(), CAT, PLAIN, ["nothing"], Settings(32)))
    with pytest.raises(ModelError, match="2,001 iterations are outside"):
        Settings(32, 2001)
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 30 * 30, 4))
    with pytest.raises(ModelError, match="does not take pictures of 16 × 16; its own are 32 × 32"):
        next(invert(Probe(Recorder(net, 32), 32), CAT, PLAIN, ["2"], Settings(16)))


def test_a_network_that_was_put_away_meanwhile_ends_the_search() -> None:
    probe = tiny()
    steps = invert(probe, CAT, PLAIN, ["first"], Settings(32, 500), clock=clock().__next__)
    next(steps)
    probe.close()
    with pytest.raises(ModelError, match="put away meanwhile"):
        last(steps)


# Visualisation ---------------------------------------------------------------------------------------


def ended(steps: Iterator[Vision]) -> Vision:
    *_, found = steps
    return found


@pytest.mark.parametrize(
    "target",
    [Unit("blocks.2.1", 3), Unit("blocks.4.2", 17, "centre"), Class(281)],
    ids=["map", "cell", "class"],
)
def test_what_is_sought_rises_above_photographs_and_noise(lite: Probe, target: Target) -> None:
    found = ended(Visualisation(target, READY, Sought(64)).run(lite, 48, clock=lambda: 0.0))
    shown = torch.from_numpy(found.pixels.copy()).permute(2, 0, 1)[None].float() / 255

    def value(picture: Tensor) -> float:
        """By torch alone, with a hook of this test."""
        kept: list[Tensor] = []
        network = lite.recorder.network
        hooks = (
            []
            if isinstance(target, Class)
            else [
                network.get_submodule(target.layer).register_forward_hook(
                    lambda m, a, y: kept.append(y[0].clone())
                )
            ]
        )
        with torch.no_grad():
            scores = network((picture - 0.5) / 0.5)
        for hook in hooks:
            hook.remove()
        if isinstance(target, Class):
            return float(scores[0, target.index])
        plane = kept[0][target.channel]
        return float(plane.mean() if target.cell == "all" else plane[len(plane) // 2, len(plane[0]) // 2])

    assert found.value == pytest.approx(value(shown), rel=0.05)  # the picture is rounded to 8 bits
    random = torch.Generator().manual_seed(1)
    noise = [value(torch.rand(1, 3, 64, 64, generator=random)) for _ in range(5)]
    photos = [
        value(
            torch.from_numpy(of_side(READY, 64).image(sample_photo(key).pixels).copy()).permute(2, 0, 1)[None]
            / 255
        )
        for key in ("cat", "coffee", "astronaut")
    ]
    assert found.value > max(*noise, *photos, found.start)


def test_the_other_sign_finds_what_inhibits() -> None:
    probe, target = tiny(), Unit("first", 2)
    most, least = (
        ended(Visualisation(target, PLAIN, Sought(32, sign=sign)).run(probe, 30)) for sign in (1, -1)
    )
    assert most.value > most.start > least.value


def test_a_linear_units_best_picture_is_its_filter() -> None:
    """Held as pixels and looked at as it is: each goes to the edge that the filter's sign says."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 2, 8), nn.Flatten(), nn.Linear(8, 2))
    ready = Preprocessing(9, 9, (0.5,) * 3, (0.5,) * 3, "bilinear")
    search = Visualisation(Unit("0", 1, "centre"), ready, Sought(9, holding="pixels", robustness="none"))
    found = ended(search.run(Probe(Recorder(net, 9), 9), 40))
    wanted = (net[0].weight[1] > 0).permute(1, 2, 0).numpy() * 255
    assert np.array_equal(found.pixels[1:, 1:], wanted)  # of 2 × 2 cells that in the middle is (1, 1)


def test_a_mixture_points_along_its_direction() -> None:
    probe, weights = tiny(), (1.0, -2.0, 0.5, 0.0)
    search = Visualisation(Direction("silent", weights), PLAIN, Sought(32))
    found = ended(search.run(probe, 40))

    def value(pixels: np.ndarray) -> float:
        x = normalised(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255, PLAIN)
        cells = probe.maps(x, ["silent"])["silent"].flatten(1).numpy()
        return formula(cells)

    def formula(cells: np.ndarray) -> float:
        along = cells.T @ np.array(weights) / np.linalg.norm(weights)
        return float((along * np.maximum(along / np.linalg.norm(cells, axis=0), 0.1)).mean())

    assert found.value == pytest.approx(value(found.pixels), rel=0.05)
    assert found.value > max(found.start, value(PLAIN.image(CAT))) + 0.01
    cells = torch.randn(4, 9)
    fake = type("Fake", (), {"activation": lambda self, x, layer: cells.view(1, 4, 3, 3)})()
    assert float(search.objective(fake, torch.zeros(1, 3, 4, 4))) == pytest.approx(
        formula(cells.numpy()), rel=1e-5
    )


def test_two_runs_find_what_one_does_and_the_seed_decides() -> None:
    probe, target = tiny(), Unit("first", 1)
    whole = Visualisation(target, PLAIN, Sought(32, seed=9))
    parts = Visualisation(target, PLAIN, Sought(32, seed=9))
    first = ended(parts.run(probe, 7, clock=clock().__next__))
    assert (first.done, first.of, first.ended) == (7, 7, "done")
    together, one = ended(parts.run(probe, 9)), ended(whole.run(probe, 16, clock=lambda: 0.0))
    assert np.array_equal(together.pixels, one.pixels)
    assert (together.done, together.value, together.start) == (16, one.value, one.start)
    other = ended(Visualisation(target, PLAIN, Sought(32, seed=8)).run(probe, 16))
    assert not np.array_equal(other.pixels, one.pixels)


def test_a_stopped_search_shows_the_picture_of_the_iteration_it_says() -> None:
    """A look is taken after eight iterations or two seconds; what is shown meanwhile is the picture before."""
    ticks = clock()
    search = Visualisation(Unit("first", 1), PLAIN, Sought(32, seed=9))
    steps = list(search.run(tiny(), 20, lambda: 0.25 * next(ticks)))
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    # 0.75 s an iteration: a look after three; and the noise to begin with, and the last
    assert len({id(step) for step in steps}) <= 2 + 7
    for step in steps:
        if step.done:
            alone = Visualisation(Unit("first", 1), PLAIN, Sought(32, seed=9))
            assert np.array_equal(ended(alone.run(tiny(), step.done)).pixels, step.pixels)


def test_silent_units_are_woken_where_they_can_be() -> None:
    """Behind a ReLU that is silent everywhere there is no slope; against the stream there is one."""
    probe = tiny(bias=-0.2)
    assert probe.feature_maps(torch.zeros(1, 3, 32, 32), "relu").values.max() == 0
    found = ended(Visualisation(Unit("relu", 0), PLAIN, Sought(32)).run(probe, 60))
    assert found.start == 0
    assert found.value > 0


def test_a_unit_that_nothing_can_move_ends_the_search() -> None:
    found = ended(Visualisation(Unit("relu", 0), PLAIN, Sought(32, sign=-1)).run(tiny(bias=-50.0), 200))
    assert (found.ended, found.value) == ("flat", 0.0)
    assert found.done == 16


def test_a_run_ends_when_its_time_is_up_and_can_go_on() -> None:
    hours, search = clock(), Visualisation(Unit("first", 0), PLAIN, Sought(32))
    found = ended(search.run(tiny(), 500, clock=lambda: 60 * next(hours)))
    assert found.ended == "time"
    assert found.done <= 4
    assert ended(search.run(tiny(), 3)).ended == "done"


def test_targets_that_are_not_there_are_refused(lite: Probe) -> None:
    def first(probe: Probe, target: Target, ready: Preprocessing = PLAIN, side: int = 32) -> None:
        next(Visualisation(target, ready, Sought(side)).run(probe, 2))

    with pytest.raises(LayerError, match="first has no unit 8: they go from 0 to 7"):
        first(tiny(), Unit("first", 8))
    with pytest.raises(ClassError, match="Class 5 is outside 0–4"):
        first(tiny(), Class(5))
    with pytest.raises(LayerError, match="2 numbers are no direction among the 8 maps"):
        first(tiny(), Direction("first", (1.0, 2.0)))
    with pytest.raises(LayerError, match="only zeros"):
        Direction("first", (0.0, 0.0))
    with pytest.raises(ModelError, match="4,097 iterations"):
        next(Visualisation(Class(0), PLAIN, Sought(32)).run(tiny(), 4097))


def test_moves_are_those_of_opencv() -> None:
    """The matrix says which place of the framed picture is seen where: OpenCV warps by the same."""
    import cv2

    random = torch.Generator().manual_seed(11)
    yy, xx = np.mgrid[:64, :64] / 64
    picture = np.stack([np.sin(9 * xx) * 0.4 + 0.5, yy, np.cos(7 * yy + 3 * xx) * 0.4 + 0.5]).astype(
        np.float32
    )
    for robustness in ("full", "jitter"):
        way = transformation(64, robustness, random)
        assert way is not None
        ours = seen(torch.from_numpy(picture)[None], way)[0].numpy()
        pad, matrix = round(12 * 64 / 224), way.numpy().astype(np.float64)
        framed = np.pad(picture, ((0, 0), (pad, pad), (pad, pad)), constant_values=0.5)
        size = 64 + 2 * pad
        # from pixels of what is seen to -1..1, through the matrix, to pixels of the frame
        to_unit = np.array([[2 / 64, 0, 1 / 64 - 1], [0, 2 / 64, 1 / 64 - 1], [0, 0, 1]])
        to_frame = np.array([[size / 2, 0, (size - 1) / 2], [0, size / 2, (size - 1) / 2]])
        warp = to_frame @ np.vstack([matrix, [0, 0, 1]]) @ to_unit
        theirs = cv2.warpAffine(
            framed.transpose(1, 2, 0),
            warp,
            (64, 64),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        np.testing.assert_allclose(ours, theirs.transpose(2, 0, 1), atol=0.02)


def test_moves_stay_within_what_is_said() -> None:
    random = torch.Generator().manual_seed(3)
    ways = [transformation(224, "full", random) for _ in range(300)]
    inner = 224 / 248
    turned = torch.stack([way[:, :2] / inner for way in ways if way is not None])
    scale = 1 / torch.linalg.det(turned).sqrt()
    angle = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert 0.9 <= float(scale.min()) < 0.92
    assert 1.08 < float(scale.max()) <= 1.1
    assert 9 < float(angle.abs().max()) <= 10
    shift = torch.stack([way[:, 2] / inner * 112 for way in ways if way is not None])  # in pixels
    assert 4 < float(shift.abs().max()) < 4 + 2 * 1.6
    assert transformation(224, "none", random) is None


# Taken home ------------------------------------------------------------------------------------------


def test_notes_are_in_the_file_and_pixels_are_exact() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    image = Image.open(BytesIO(annotated_png(pixels, {"Seed": "7", "Title": "“Katze” × 2"})))
    assert image.text == {"Seed": "7", "Title": "“Katze” × 2"}
    assert np.array_equal(np.asarray(image), pixels)
    with pytest.raises(ImageError, match="uint8"):
        annotated_png(pixels.astype(float), {})


SCRIPTS: list[tuple[Target, Sought]] = [
    (Class(281), Sought(64, seed=3)),
    (Unit("blocks.2.1", 5), Sought(64, robustness="jitter", sign=-1)),
    (Unit("blocks.4.2", 5, "centre"), Sought(64, holding="pixels", robustness="none")),
    (
        Direction("blocks.1.1", tuple(float(np.float32(math.sin(n + 1))) for n in range(24))),
        Sought(64, one_by_one=True),
    ),
]


def test_code_finds_the_same_pictures(lite: Probe, tmp_path: Path) -> None:
    fed = NetworkInput(card(DEFAULT_MODEL), sample_photo("cat"))
    for number, (target, settings) in enumerate(SCRIPTS):
        layer = None if isinstance(target, Class) else lite.layer(target.layer)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "script.py").write_text(visualisation_code(fed, layer, target, settings, 4), "utf-8")
    # one process for all: each would import torch anew
    run = "import os, runpy\nfor n in range(4):\n    os.chdir(str(n)); runpy.run_path('script.py'); os.chdir('..')"
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    for number, (target, settings) in enumerate(SCRIPTS):
        found = ended(Visualisation(target, READY, settings).run(lite, 4))
        assert float(done.stdout.split()[number]) == found.value
        theirs = np.asarray(Image.open(tmp_path / str(number) / "found.png"))
        assert np.array_equal(theirs, found.pixels)


# In the background -----------------------------------------------------------------------------------


def endless(closed: threading.Event) -> Iterator[int]:
    try:
        for number in range(10**6):
            time.sleep(0.01)
            yield number
    finally:
        closed.set()


def test_a_search_goes_on_by_itself_and_says_how_far_it_is() -> None:
    job = Background(iter(range(5)), "somebody")
    job.wait(10)
    assert (job.running, job.latest, job.steps, job.error) == (False, 4, 5, None)


def test_cancelled_it_ends_within_a_step() -> None:
    closed = threading.Event()
    job = Background(endless(closed), "somebody", "search")
    while job.steps < 3:
        time.sleep(0.01)
    job.cancel()
    before = job.steps
    job.wait(10)
    assert not job.running
    assert job.steps <= before + 1
    assert isinstance(job.error, Cancelled)
    assert closed.wait(5)


def test_a_session_that_leaves_ends_it() -> None:
    closed = threading.Event()
    job = Background(endless(closed), "who leaves")
    while not job.steps:
        time.sleep(0.01)
    desk().forget("who leaves")
    job.wait(10)
    assert isinstance(job.error, Cancelled)
    assert closed.wait(5)


def test_short_jobs_of_others_wait_for_two_steps_at_most() -> None:
    closed = threading.Event()
    job = Background(endless(closed), "somebody")
    while not job.steps:
        time.sleep(0.01)
    for _ in range(5):
        before = job.steps
        assert desk().run(lambda: 7, owner="another") == 7
        assert job.steps - before <= 2
    assert job.running
    job.cancel()
    job.wait(10)


def test_a_real_search_is_cancelled_at_the_desk(lite: Probe) -> None:
    job = Background(invert(lite, CAT, READY, ["blocks.2.1"], Settings(64, 2000)), "somebody")
    while job.steps < 2 and job.running:
        time.sleep(0.02)
    job.cancel()
    job.wait(30)
    assert not job.running
    assert isinstance(job.error, Cancelled)
    assert job.latest is not None
    assert 0 < job.latest.parts[0].done < 2000


def test_what_fails_is_a_sentence() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise MemoryError("nothing left\nat all")

    job = Background(failing(), "somebody", "search")
    job.wait(10)
    assert str(job.error) == "The search failed: nothing left"
    assert job.latest == 1
