"""One map in numbers, where it answers, what its cells see: held to numpy, to plain loops, to gradients."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as zoo
from torchvision.ops import SqueezeExcitation

from explorer.activations import FeatureMaps, Layer, Probe
from explorer.data_flow import DataFlow
from explorer.errors import LayerError, ShapeError
from explorer.figures.sights import Sight, sight, sight_picture
from explorer.figures.signed import signed_picture
from explorer.figures.unit_charts import bins_of, map_histogram
from explorer.images import Photo, sample_photo
from explorer.journey import seen
from explorer.models import DEFAULT_MODEL, NetworkInput, card
from explorer.profiling import profile
from explorer.receptive_field import Box, ReceptiveField, Spans
from explorer.recording import Recorder
from explorer.tray import LONG_SIDE, SHORT_SIDE, for_tray, search, strongest
from explorer.unit_facts import peaks_of, unit_facts
from explorer.unit_tracing import source_layer
from tests.test_field_tracing import open_to_gradients
from tests.zoo import embedded


def maps_of(values: object) -> FeatureMaps:
    array = np.array(values, np.float32)
    return FeatureMaps(Layer("relu", 1, 1, "ReLU", len(array), array.shape[1:], "maps"), array)


# --------------------------------------------------------------------------- what a cell sees


def corners_edges_and_centre(rows: int, columns: int) -> list[tuple[int, int]]:
    return sorted(
        {(row, column) for row in (0, rows // 2, rows - 1) for column in (0, columns // 3, columns - 1)}
    )


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("embedded", ("conv_stem", "blocks.1.0.bn2", "blocks.2.1.conv_dw", "blocks.3.0")),
        ("resnet18", ("relu", "layer1.1.conv1", "layer2.0.relu", "layer2.0.relu~2", "layer2.1")),
        ("densenet121", ("features.denseblock1", "features.transition1", "features.denseblock2.denselayer3")),
        (
            "squeezenet1_1",
            ("features.0", "features.2", "features.4", "features.5", "features.6.expand3x3", "features.10"),
        ),
        ("alexnet", ("features.0", "features.2", "features.4", "features.12")),
        ("vgg11", ("features.3", "features.10", "features.20")),
        ("googlenet", ("maxpool1", "inception3a", "inception3b", "maxpool3", "inception4d", "maxpool4")),
        ("mobilenet_v3_small", ("features.0", "features.1", "features.3", "features.4", "features.7")),
    ],
)
def test_the_frame_around_what_a_cell_sees_is_where_its_gradient_is(
    name: str, layers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """At corners, edges and in the middle, with weights that let every path count."""
    without_weights = {"init_weights": False} if name == "googlenet" else {}
    network: nn.Module = embedded() if name == "embedded" else zoo.get_model(name, **without_weights)
    if name in ("alexnet", "vgg11"):
        network.classifier = nn.Identity()  # most of the weights, none of them before a map
    table = profile(network, (3, 224, 224))
    # the gate of squeeze-excite, which sees everything, is left aside, as the frame leaves it
    gate = SqueezeExcitation._scale
    monkeypatch.setattr(SqueezeExcitation, "_scale", lambda module, x: gate(module, x).detach())
    probe = Probe(Recorder(open_to_gradients(network, monkeypatch)))
    x = torch.ones(1, 3, 224, 224, dtype=torch.float64)
    rng = random.Random(name)
    for key in layers:
        layer = probe.layer(key)
        unit = rng.randrange(layer.channels)
        of_layer = seen(table, layer)
        assert isinstance(of_layer, ReceptiveField)
        field = of_layer.of_map(unit)
        assert field.everything == (name == "mobilenet_v3_small" and key != "features.0")
        for cell in corners_edges_and_centre(*layer.grid):
            assert field.clipped(cell, (224, 224)) == extent(probe, x, key, unit, cell), (key, unit, cell)


def extent(probe: Probe, x: torch.Tensor, key: str, unit: int, cell: tuple[int, int]) -> Box:
    """First and last row and column of the pixels that a cell has a gradient to."""
    down, across = probe.pixel_gradient(x, key, unit, cell).abs().amax(0).nonzero(as_tuple=True)
    return (int(down.min()), int(down.max())), (int(across.min()), int(across.max()))


def test_the_last_row_of_a_picture_that_a_stride_leaves_unread_is_in_no_frame(
    monkeypatch: pytest.MonkeyPatch,
):
    """SqueezeNet 1.1 begins with 3 × 3 windows, 2 pixels apart, unpadded: of 224 rows they read 0 to 222."""
    table = profile(zoo.get_model("squeezenet1_1"), (3, 224, 224))
    fields = [row.field for row in table.rows if isinstance(row.field, ReceptiveField) and row.field.spans]
    assert len(fields) > 40
    for field in fields:
        assert field.spans
        rows, columns = (len(spans.first) for spans in field.spans)
        assert field.clipped((rows - 1, columns - 1), (224, 224)) == (
            (max(field.region((rows - 1, 0))[0][0], 0), 222),
            (max(field.region((0, columns - 1))[1][0], 0), 222),
        )


def test_maps_side_by_side_have_fields_of_their_own():
    """A Fire module's first units come from 1 × 1 filters, its last from 3 × 3; so do its activations'."""
    network = zoo.get_model("squeezenet1_1")
    probe = Probe(Recorder(network))
    flow, table = DataFlow(probe), profile(network, (3, 224, 224))
    assert source_layer(flow, "features.3", 0) == "features.3.expand1x1_activation"
    assert source_layer(flow, "features.3", 127) == "features.3.expand3x3_activation"
    narrow, wide = (seen(table, probe.layer(source_layer(flow, "features.3", unit))) for unit in (0, 127))
    assert isinstance(narrow, ReceptiveField)
    assert isinstance(wide, ReceptiveField)
    assert (narrow.size, wide.size) == ((7, 7), (15, 15))
    assert source_layer(flow, "features.6.expand3x3", 5) == "features.6.expand3x3"


# --------------------------------------------------------------------------- statistics


def test_the_numbers_of_a_map_are_numpys():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 5, 6)).astype(np.float32)
    values[2, :2] = 0
    found = unit_facts(maps_of(values), 2)
    cells = [float(value) for value in values[2].ravel()]
    assert found.mean == pytest.approx(sum(cells) / 30, abs=1e-7)
    assert found.deviation == pytest.approx((sum((c - sum(cells) / 30) ** 2 for c in cells) / 30) ** 0.5)
    assert (found.minimum, found.maximum) == (min(cells), max(cells))
    assert (found.zeros, found.cells, found.maps) == (12, 30, 7)
    assert found.negative == sum(cell < 0 for cell in cells)
    by_mean = sorted(range(7), key=lambda n: -values[n].astype(np.float64).mean())
    by_max = sorted(range(7), key=lambda n: -values[n].max())
    assert (found.mean_rank, found.maximum_rank) == (1 + by_mean.index(2), 1 + by_max.index(2))


def test_equal_maps_share_a_rank():
    found = unit_facts(maps_of(np.zeros((3, 2, 2))), 2)
    assert (found.mean_rank, found.maximum_rank) == (1, 1)
    with pytest.raises(LayerError, match="no unit 3: they go from 0 to 2"):
        unit_facts(maps_of(np.zeros((3, 2, 2))), 3)


@pytest.mark.parametrize("values", [[0, 0, 0, 5], [-3, 0, 0, 1], [2, 2, 2], [1e-30, 3e-30], [-1, -2, -7]])
def test_a_histogram_holds_every_cell_once_and_zeros_in_one_bar(values: list[float]):
    array = np.array([values], np.float32)
    counts, edges = bins_of(array)
    assert counts.sum() == array.size
    assert edges[0] <= array.min() <= array.max() <= edges[-1]
    if 0 in values:
        bar = int(np.searchsorted(edges, 0)) - 1
        assert counts[bar] == values.count(0)
        assert edges[bar] == pytest.approx(-edges[bar + 1])


def test_bars_have_the_colours_of_their_cells():
    values = np.array([[-2.0, 0.0, 0.0, 2.0]], np.float32)
    bars = map_histogram(values, 2.0, dark=False).data[0]
    for x, colour in zip(bars.x, bars.marker.color, strict=True):
        red, green, blue = signed_picture(np.array([[x]]), 2.0)[0, 0].tolist()
        assert colour == f"rgb({red},{green},{blue})"
    assert sum(bars.y) == 4


# --------------------------------------------------------------------------- where it answers


def plain_peaks(plane: np.ndarray) -> list[tuple[float, tuple[int, int]]]:
    """Cells above zero that no neighbour exceeds, by a loop; where values differ."""
    rows, columns = plane.shape
    found = []
    for row in range(rows):
        for column in range(columns):
            around = plane[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            if plane[row, column] > 0 and plane[row, column] == around.max():
                found.append((float(plane[row, column]), (row, column)))
    return sorted(found, reverse=True)[:4]


def test_peaks_are_those_that_a_loop_finds():
    maps = torch.randn(6, 9, 7, generator=torch.Generator().manual_seed(0))
    found = peaks_of(maps)
    for unit in range(6):
        assert found.of(unit) == plain_peaks(maps[unit].numpy())
    lowest = peaks_of(maps, below=True)
    for unit in range(6):
        assert lowest.of(unit) == [(-value, cell) for value, cell in plain_peaks(-maps[unit].numpy())]
    assert peaks_of(maps.abs(), below=True).of(0) == []


def test_a_plateau_is_one_place_and_silence_none():
    flat = torch.zeros(2, 4, 4)
    flat[0, 1:3, 1:3] = 2.0
    found = peaks_of(flat)
    assert found.of(0) == [(2.0, (1, 1))]
    assert found.of(1) == []
    assert peaks_of(torch.tensor([[[3.0]], [[-3.0]]])).of(0) == [(3.0, (0, 0))]


def test_the_strongest_of_a_tray_are_those_of_plain_forwards():
    probe = Probe(Recorder(embedded()))
    photos = [for_tray(sample_photo(key)) for key in ("cat", "coffee", "coins")]
    inputs = [NetworkInput(card(DEFAULT_MODEL), photo) for photo in photos]
    steps = list(search(probe, "blocks.1.0", inputs))
    assert [len(step) for step in steps] == [1, 2, 3]
    spots = strongest(steps[-1], 5, 6)
    assert [spot.value for spot in spots] == sorted((spot.value for spot in spots), reverse=True)
    kept: list[torch.Tensor] = []
    network = embedded()
    network.get_submodule("blocks.1.0").register_forward_hook(lambda *call: kept.append(call[2]))
    with torch.no_grad():
        for fed in inputs:
            network(fed.tensor())
    best = max(range(3), key=lambda n: float(kept[n][0, 5].max()))
    assert spots[0].digest == photos[best].digest
    assert spots[0].value == pytest.approx(float(kept[best][0, 5].max()), rel=1e-5)
    for spot in spots:
        which = next(n for n, photo in enumerate(photos) if photo.digest == spot.digest)
        assert float(kept[which][0, 5][spot.cell]) == pytest.approx(spot.value, rel=1e-5)


@pytest.mark.parametrize("size", [(3000, 40), (40, 3000), (300, 300), (2048, 1500), (256, 512), (9, 7)])
def test_pictures_on_the_tray_are_small(size: tuple[int, int]):
    photo = Photo("noise", np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8))
    kept = for_tray(photo)
    assert min(kept.height, kept.width) <= SHORT_SIDE
    assert max(kept.height, kept.width) <= LONG_SIDE
    assert kept.pixels.nbytes <= 3 * SHORT_SIDE * LONG_SIDE
    if max(size) <= LONG_SIDE and min(size) <= SHORT_SIDE:
        assert kept is photo
    else:
        assert kept.height / kept.width == pytest.approx(size[0] / size[1], rel=0.12)


# --------------------------------------------------------------------------- what a cell sees, as a picture


def drawn_plainly(picture: np.ndarray, field: ReceptiveField, cell: tuple[int, int]) -> list[list[str]]:
    """What each pixel of the ground is, one by one: "read", "unread" or "padding"."""
    height, width = picture.shape[:2]
    starts = [field.start[axis] + cell[axis] * field.jump[axis] for axis in (0, 1)]
    ends = [start + size for start, size in zip(starts, field.size, strict=True)]
    for axis, length in enumerate((height, width)):
        if field.size[axis] >= length:
            starts[axis], ends[axis] = 0, length
    read = field.clipped(cell, (height, width))
    found = []
    for row in range(starts[0], ends[0]):
        line = []
        for column in range(starts[1], ends[1]):
            if not (0 <= row < height and 0 <= column < width):
                line.append("padding")
            elif read and read[0][0] <= row <= read[0][1] and read[1][0] <= column <= read[1][1]:
                line.append("read")
            else:
                line.append("unread")
        found.append(line)
    return found


FIELDS = [
    ReceptiveField((5, 5), (2, 2), (-2, -2)),
    ReceptiveField((3, 7), (4, 4), (-1, -3)),
    ReceptiveField((40, 6), (2, 2), (-20, -2)),  # taller than the picture
    ReceptiveField((40, 50), (8, 8), (-30, -30)),  # larger on both axes
    ReceptiveField((1, 18), (1, 9), (0, -9)),  # as of one dimension
    ReceptiveField((4, 4), (30, 30), (-30, -30)),  # cells in the padding alone
    # the last windows read fewer rows than their region has
    ReceptiveField(
        (6, 6), (4, 4), (-1, -1),
        spans=(
            Spans(24, np.array([0, 3, 8]), np.array([4, 6, 10])),
            Spans(20, np.array([2, 3, 20]), np.array([3, 8, -1])),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("cell", [(0, 0), (1, 1), (2, 0), (0, 2)])
def test_a_patch_shows_what_is_read_in_its_place_and_nothing_else_as_read(
    field: ReceptiveField, cell: tuple[int, int]
):
    picture = np.random.default_rng(5).integers(0, 255, (24, 20, 3)).astype(np.uint8)
    expected = drawn_plainly(picture, field, cell)
    shown = sight(field, cell, picture.shape[:2])
    times = 128 // max(len(expected), len(expected[0]))
    drawn = sight_picture(picture, shown, 128)
    assert drawn.shape == (times * len(expected), times * len(expected[0]), 4)
    (top, _), (left, _) = shown.ground
    for row, line in enumerate(expected):
        for column, kind in enumerate(line):
            cells = drawn[times * row : times * (row + 1), times * column : times * (column + 1)].reshape(
                -1, 4
            )
            if kind == "read":
                assert (cells == [*picture[top + row, left + column], 255]).all()
                continue
            assert (cells[:, 3] < 200).all(), "the page's ground shows through"
            assert (len(np.unique(cells, axis=0)) == 1) or kind == "padding"
    kinds = {kind for line in expected for kind in line}
    assert shown.padded(picture.shape[:2]) == ("padding" in kinds)
    assert shown.unread(picture.shape[:2]) == ("unread" in kinds)
    strokes = np.unique(drawn[drawn[..., 3] < 200].reshape(-1, 4)[:, 3])
    assert (len(strokes) > 1) == ("padding" in kinds), "padding is hatched"


def test_large_fields_are_shrunk_together_and_thin_ones_keep_a_pixel():
    picture = sample_photo("cat").pixels[:224, :224]
    field = ReceptiveField((199, 199), (16, 16), (-90, -90))
    sizes = set()
    for cell in ((0, 0), (6, 6), (13, 13), (0, 9)):
        drawn = sight_picture(picture, sight(field, cell, (224, 224)), 128)
        sizes.add(drawn.shape)
        (top, bottom), (left, right) = field.clipped(cell, (224, 224)) or ((0, -1), (0, -1))
        opaque = (drawn[..., 3] == 255).sum() / drawn[..., 3].size
        assert opaque == pytest.approx((bottom - top + 1) * (right - left + 1) / 199**2, abs=0.02)
    assert sizes == {(128, 128, 4)}
    thin = sight_picture(picture, sight(ReceptiveField((1, 200), (1, 1), (0, -50)), (3, 3), (224, 224)), 128)
    assert thin.shape == (1, 128, 4)
    assert sight(None, (3, 3), (24, 20)) == Sight(((0, 23), (0, 19)), ((0, 23), (0, 19)))


@pytest.mark.parametrize(
    ("ground", "read"),
    [
        (((3, 2), (0, 1)), None),
        (((0, 3), (0, 3)), ((0, 4), (0, 3))),
        (((0, 3), (0, 3)), ((2, 1), (0, 3))),
    ],
)
def test_pixels_read_outside_of_the_ground_are_refused(ground: Box, read: Box | None):
    with pytest.raises(ShapeError, match=r"has no pixels|do not lie on the ground"):
        Sight(ground, read)
