"""Fields of stacks, held to gradients that torch finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.convolution import output_shape
from explorer.errors import LayerError, ShapeError
from explorer.receptive_field import (
    CLASSICS,
    Box,
    ReceptiveField,
    Spans,
    Step,
    receptive_field,
    regions,
    stack_of,
    table,
)


def random_steps(rng: np.random.Generator, most: int, widest_padding: int) -> list[Step]:
    """One to so many layers, each with numbers of its own for rows and columns."""

    def pair(lowest: int, highest: int) -> tuple[int, int]:
        rows, columns = rng.integers(lowest, highest + 1, 2)
        return int(rows), int(columns)

    def step(name: str) -> Step:
        if rng.random() < 0.2:
            return Step(name, pair(2, 4), pair(1, 3), pair(0, 1), kind="mean")
        return Step(name, pair(1, 5), pair(1, 3), pair(0, widest_padding), pair(1, 3))

    return [step(f"layer {number}") for number in range(rng.integers(1, most + 1))]


def rows_alone(step: Step) -> Step:
    """The same layer, that does nothing along columns."""
    assert step.padding != "same"
    rows = step.kernel_size[0], step.stride[0], step.padding[0], step.dilation[0]
    return Step(step.name, *zip(rows, (1, 1, 0, 1), strict=True), kind=step.kind)


def maps_of(steps: list[Step], picture: Tensor) -> list[Tensor]:
    """The picture and every map above it, by torch's own convolution (all weights one) and pool."""
    maps = [picture]
    for step in steps:
        assert step.padding != "same"
        if step.kind == "mean":
            result = nn.functional.avg_pool2d(maps[-1], step.kernel_size, step.stride, step.padding)
        else:
            ones = torch.ones(1, 1, *step.kernel_size, dtype=torch.float64)
            result = nn.functional.conv2d(maps[-1], ones, None, step.stride, step.padding, step.dilation)
        maps.append(result)
    return maps


def extent(gradient: Tensor) -> Box | None:
    """First and last row and column that are not zero; None where all are."""
    rows, columns = gradient.abs().amax((0, 1)).nonzero(as_tuple=True)
    if not len(rows):
        return None
    return (int(rows.min()), int(rows.max())), (int(columns.min()), int(columns.max()))


class TestReceptiveField:
    def test_size_jump_and_start_are_those_of_gradients_in_200_random_stacks(self):
        rng = np.random.default_rng(7)
        checked = 0
        while checked < 200:
            steps = random_steps(rng, most=5, widest_padding=3)
            field = receptive_field(steps)
            # so large that the windows of the two units below meet no edge
            shape = tuple(s + 5 * j - t for s, j, t in zip(field.size, field.jump, field.start, strict=True))
            if max(shape) > 700:
                continue
            first = tuple(-(t // j) for j, t in zip(field.jump, field.start, strict=True))
            picture = torch.ones(1, 1, *shape, dtype=torch.float64, requires_grad=True)
            result = maps_of(steps, picture)[-1]
            for unit in (first, (first[0] + 1, first[1] + 1)):
                (gradient,) = torch.autograd.grad(result[0, 0, unit[0], unit[1]], picture, retain_graph=True)
                assert extent(gradient) == field.region(unit), steps
            checked += 1

    def test_padding_never_changes_the_size(self):
        for padding in range(4):
            field = receptive_field([Step("", 3, 2, padding), Step("", 5, 1, padding, 2)])
            assert field.size == (19, 19)
            assert field.start == (-3 * padding, -3 * padding)

    def test_even_kernels_padded_the_same_begin_half_a_pixel_early(self):
        assert receptive_field([Step("", (4, 3), padding="same")]).start == (-1, -1)

    def test_a_unit_in_the_padding_sees_nothing(self):
        field = receptive_field([Step("", 3, padding=5)])
        assert field.clipped((0, 0), (20, 20)) is None
        assert field.clipped((3, 3), (20, 20)) == ((0, 0), (0, 0))

    def test_the_field_of_vgg16_hangs_over_the_edges(self):
        """212 of 224 pixels, and yet one unit of seven alone sees nothing but picture: 90 begin outside."""
        field = receptive_field(stack_of("vgg16"))
        overhangs = [field.overhang((unit, 3), (224, 224))[0] for unit in range(7)]
        assert overhangs == [(90, 0), (58, 0), (26, 0), (0, 0), (0, 26), (0, 58), (0, 90)]

    def test_sizes_that_do_not_fit_are_told(self):
        with pytest.raises(ShapeError, match="kernel size is 0"):
            Step("", 0)
        with pytest.raises(ShapeError, match="no step “median”"):
            Step("", 3, kind="median")


class TestRegions:
    def test_are_the_extents_of_gradients_at_every_edge_of_200_random_stacks(self):
        """Here windows meet edges, wide padding, rows that no stride reaches, and holes of dilation."""
        rng = np.random.default_rng(8)
        checked = blind = 0
        while checked < 200:
            steps = random_steps(rng, most=4, widest_padding=6)
            shape = tuple(int(size) for size in rng.integers(3, 24, 2))
            picture = torch.ones(1, 1, *shape, dtype=torch.float64, requires_grad=True)
            try:
                maps = maps_of(steps, picture)
            except RuntimeError:
                with pytest.raises(ShapeError, match=r"^layer \d: "):
                    regions(steps, shape, (0, 0))
                continue
            height, width = maps[-1].shape[2:]
            for unit in {(0, 0), (0, width - 1), (height - 1, 0), (height // 2, width // 2)}:
                gradients = torch.autograd.grad(
                    maps[-1][0, 0, unit[0], unit[1]], maps, retain_graph=True, allow_unused=True
                )
                found = regions(steps, shape, unit)[::-1]
                for region, there, gradient in zip(found, maps, gradients, strict=True):
                    assert region.shape == tuple(there.shape[2:])
                    assert region.inside == (None if gradient is None else extent(gradient)), (steps, unit)
                    if region.inside:
                        rows, columns = region.on_map
                        assert gradient.abs().amax((0, 1, 3)).nonzero().flatten().tolist() == list(rows)
                        assert gradient.abs().amax((0, 1, 2)).nonzero().flatten().tolist() == list(columns)
                blind += found[0].inside is None
            checked += 1
        assert blind > 10

    def test_of_interior_units_are_the_field(self):
        steps = stack_of("resnet50")
        field = receptive_field(steps)
        picture = regions(steps, (1000, 1400), (15, 20))[-1]
        assert picture.box == picture.inside == field.region((15, 20))

    def test_agree_with_the_clipped_field_where_no_row_is_unread(self):
        steps = stack_of("vgg16")
        field = receptive_field(steps)
        for row in range(7):
            unit = (row, 6 - row)
            assert regions(steps, (224, 224), unit)[-1].inside == field.clipped(unit, (224, 224))

    def test_a_stride_that_does_not_fit_leaves_less_than_the_clipped_field(self):
        steps = [Step("a", 3, stride=2), Step("b", 3, padding=1)]
        assert regions(steps, (6, 6), (1, 1))[-1].inside == ((0, 4), (0, 4))  # row 5 is never read
        assert receptive_field(steps).clipped((1, 1), (6, 6)) == ((0, 5), (0, 5))

    def test_overhang_counts_the_cells_of_padding(self):
        regions_of_corner = regions([Step("a", 5, padding=2), Step("b", 3, padding=(1, 0))], (9, 9), (0, 6))
        assert [region.overhang for region in regions_of_corner] == [
            ((0, 0), (0, 0)),
            ((1, 0), (0, 0)),
            ((2, 0), (0, 2)),
        ]

    def test_a_unit_that_is_not_there_is_told(self):
        with pytest.raises(ShapeError, match=r"Unit \(6, 0\) is outside the last map of 6×6"):
            regions([Step("a", 3)], (8, 8), (6, 0))


class TestSpans:
    def test_are_the_extents_of_gradients_for_every_unit_of_100_random_stacks(self):
        """Along rows alone: every unit, wide padding, unread rows, holes of dilation."""
        rng = np.random.default_rng(9)
        checked = blind = 0
        while checked < 100:
            steps = [rows_alone(step) for step in random_steps(rng, most=4, widest_padding=6)]
            picture = torch.ones(1, 1, int(rng.integers(3, 24)), 3, dtype=torch.float64, requires_grad=True)
            try:
                maps = maps_of(steps, picture)
            except RuntimeError:
                continue
            spans = Spans.of_pixels(picture.shape[2])
            for step, there in zip(steps, maps[1:], strict=True):
                taps = range(0, step.extent[0], step.dilation[0])
                spans = spans.under(taps, step.stride[0], step.before[0], there.shape[2])
            assert len(spans.first) == maps[-1].shape[2]
            for unit, (first, last) in enumerate(zip(spans.first, spans.last, strict=True)):
                (gradient,) = torch.autograd.grad(maps[-1][0, 0, unit].sum(), picture, retain_graph=True)
                found = extent(gradient)
                assert (found[0] if found else None) == ((first, last) if first <= last else None), (
                    steps,
                    unit,
                )
                blind += found is None
            checked += 1
        assert blind > 10

    def test_of_two_branches_are_around_both(self):
        narrow = Spans.of_pixels(9)
        wide = narrow.under(range(0, 5, 2), 1, 2, 9)
        assert narrow.around(wide).first.tolist() == [0, 1, 0, 1, 2, 3, 4, 5, 6]
        assert narrow.around(wide).last.tolist() == [2, 3, 4, 5, 6, 7, 8, 7, 8]
        assert narrow.around(Spans.of_pixels(8)) is None

    def test_hold_for_pictures_of_their_own_size_alone(self):
        spans = Spans.of_pixels(8).under(range(3), 2, 0, 3)
        field = ReceptiveField((3, 3), (2, 2), (0, 0), spans=(spans.under(range(3), 1, 1, 3),) * 2)
        assert field.clipped((2, 2), (8, 8)) == ((2, 6), (2, 6))
        assert field.clipped((2, 2), (5, 9)) == ((4, 4), (4, 6))

    def test_that_do_not_belong_together_are_told(self):
        with pytest.raises(ShapeError, match=r"\(3,\) first pixels do not go with \(2,\) last ones"):
            Spans(8, np.arange(3), np.arange(2))


class TestTable:
    def test_the_formula_stands_where_it_holds_and_is_right(self):
        rng = np.random.default_rng(9)
        stated = 0
        for _ in range(300):
            kernel = int(rng.integers(1, 6))
            steps = [
                Step("", kernel, 1 if rng.random() < 0.9 else 2, 1, 1 if rng.random() < 0.9 else 2)
                for _ in range(rng.integers(1, 6))
            ]
            for row in table(steps, (64, 64)):
                if row.formula:
                    assert row.formula.endswith(f" = {row.field.size[0]}")
                    stated += 1
        assert stated > 300
        rows = table([Step("", 3, stride=2), Step("", 3)], (64, 64))
        assert [row.formula for row in rows] == ["1 + 1·(3 − 1) = 3", ""]
        assert table([Step("", (3, 5))], (64, 64))[0].formula == ""

    def test_a_window_that_does_not_fit_names_its_layer(self):
        with pytest.raises(ShapeError, match=r"^second: A window of 9 rows"):
            table([Step("first", 3), Step("second", 9)], (8, 8))


class TestClassics:
    @pytest.mark.parametrize(
        ("name", "size", "jump", "output"),
        [
            ("lenet5", 32, 4, 1),
            ("alexnet", 195, 32, 6),  # Araujo et al. 2019, table of networks
            ("vgg16", 212, 32, 7),  # the same table
            ("unet", 140, 16, 28),  # the 28² map of the paper's figure 1
            ("resnet18", 435, 32, 7),
            ("resnet50", 427, 32, 7),  # 483 in the paper's form, with the stride at the 1×1
            ("context", 67, 1, 67),  # Yu & Koltun 2016, table 1
            ("mobilenet", 315, 32, 7),  # Araujo et al. 2019
        ],
    )
    def test_see_what_papers_state(self, name: str, size: int, jump: int, output: int):
        classic = CLASSICS[name]
        last = table(classic.steps, classic.input_shape)[-1]
        assert (last.field.size, last.field.jump) == ((size, size), (jump, jump))
        assert last.output == (output, output)
        assert stack_of(name) == classic.steps

    def test_fit_into_the_page(self):
        assert all(1 <= len(classic.steps) <= 20 for classic in CLASSICS.values())
        assert all(len({step.name for step in c.steps}) == len(c.steps) for c in CLASSICS.values())

    def test_the_context_module_grows_as_its_paper_says(self):
        rows = table(stack_of("context"), (67, 67))
        assert [row.field.size[0] for row in rows] == [3, 5, 9, 17, 33, 65, 67]

    def test_one_that_is_not_there_is_told(self):
        with pytest.raises(LayerError, match="no classic “resnet9”"):
            stack_of("resnet9")


def side(steps: list[Step]) -> int:
    return receptive_field(steps).size[0]


COURSES: dict[str, Callable[[], int]] = {
    **{f"rf.stack.{count}": lambda count=count: side([Step("", 3)] * count) for count in (1, 2, 3, 5)},
    "rf.each": lambda: side([Step("", 3)] * 5) - side([Step("", 3)] * 4),
    "rf.vgg3": lambda: side([Step("", 3, padding=1)] * 3),
    "rf.kernel": lambda: side([Step("", 3)]),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", COURSES)
def test_is_what_the_courses_state(name: str, shared: Path):
    items = json.loads((shared / "reference" / "golden.json").read_text())["items"]
    stated = {item["id"]: item for item in items if item["id"].startswith("rf.")}
    assert set(stated) == set(COURSES)
    assert COURSES[name]() == stated[name]["expected"]
    if stated[name]["verdict"] != "right":
        # "kernel size aka receptive field" is so for one layer on the raw picture alone
        assert (name, stated[name]["verdict"]) == ("rf.kernel", "incomplete")
        assert side([Step("", 3)] * 2) != stated[name]["inputs"]["K"]


def test_under_is_what_a_longer_stack_gives():
    steps = stack_of("alexnet")
    field = ReceptiveField()
    for count, step in enumerate(steps, 1):
        field = field.under(step)
        assert field == receptive_field(steps[:count])
    assert output_shape((227, 227), steps[0]) == (55, 55)
