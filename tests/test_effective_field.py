"""Effective fields, held to what can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.effective_field import effective, unit_gradient
from explorer.errors import ShapeError
from explorer.receptive_field import Step, regions, stack_of

RED, GREEN = np.uint8([255, 0, 0]), np.uint8([0, 255, 0])


class TestEffective:
    def test_of_equal_weights_is_a_repeated_box(self):
        """Luo et al. 2016, section 2.1: n layers of equal weights give the n-fold convolution of one."""
        one = [np.ones(3)] * 6
        row = one[0]
        for more in one[1:]:
            row = np.convolve(row, more)
        gradient = np.zeros((30, 40))
        gradient[5:18, 20:33] = np.outer(row, row)
        found = effective(gradient, ((5, 17), (20, 32)))
        assert found.inside == pytest.approx(1)
        assert found.box_pixels == 169
        assert found.pixels == (np.outer(row, row) >= 0.0455 * row.max() ** 2).sum()
        assert found.heat.max() == 1
        assert found.heat.dtype == np.float32
        # the middle 7 of 13 rows and columns
        assert found.core == pytest.approx((row[3:10].sum() / row.sum()) ** 2)
        assert found.side**2 / 169 == pytest.approx(found.share)

    def test_counts_what_a_path_aside_brings_from_outside(self):
        gradient = np.ones((10, 10))
        assert effective(gradient, ((0, 4), (0, 9))).inside == pytest.approx(0.5)

    def test_signs_do_not_matter(self):
        gradient = np.random.default_rng(0).normal(size=(8, 8))
        box = ((0, 7), (0, 7))
        assert (effective(gradient, box).heat == effective(-gradient, box).heat).all()

    def test_a_gradient_of_zeros_or_a_box_outside_is_told(self):
        with pytest.raises(ShapeError, match="zero everywhere"):
            effective(np.zeros((5, 5)), ((0, 4), (0, 4)))
        with pytest.raises(ShapeError, match="not inside a picture of 5×5"):
            effective(np.ones((5, 5)), ((0, 5), (0, 4)))


class TestUnitGradient:
    def test_of_mean_pools_is_their_share(self):
        pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        gradient = unit_gradient([Step("", 2, 2, kind="mean"), Step("", 2, 2, kind="mean")], pixels, (1, 2))
        assert gradient[4:8, 8:12] == pytest.approx(3 / 16)  # three colours, 16 pixels
        assert gradient.sum() == pytest.approx(3)

    def test_of_a_max_pool_is_the_brightest_pixel_and_never_the_padding(self):
        pixels = np.zeros((6, 6, 3), np.uint8)
        pixels[0, 1], pixels[1, 0] = RED, GREEN
        gradient = unit_gradient([Step("", 3, padding=1, kind="max")], pixels, (0, 0))
        assert (gradient[0, 1], gradient[1, 0]) == (1, 1)
        assert gradient.sum() == 3  # blue is 0 everywhere, above the padding still

    def test_is_zero_outside_the_region_and_nowhere_else_at_its_corners(self):
        pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        steps = [Step("a", 3, padding="same", dilation=2), Step("b", (2, 3), 2), Step("c", 3, padding=1)]
        for unit in ((0, 0), (9, 12), (18, 23)):
            rows, columns = unit_gradient(steps, pixels, unit).nonzero()
            box = (rows.min(), rows.max()), (columns.min(), columns.max())
            assert box == regions(steps, (40, 50), unit)[-1].inside

    def test_is_the_same_for_the_same_seed_alone(self):
        pixels = np.random.default_rng(2).integers(0, 256, (30, 30, 3), dtype=np.uint8)
        steps = [Step("", 3)] * 4
        first, again, other = (unit_gradient(steps, pixels, (5, 5), seed=seed) for seed in (3, 3, 4))
        assert (first == again).all()
        assert (first != other).any()

    def test_a_deeper_stack_uses_a_smaller_share_of_its_field(self):
        """Luo et al. 2016: the effective side grows as √n, the theoretical as n, so the share shrinks."""
        pixels = np.random.default_rng(3).integers(0, 256, (49, 49, 3), dtype=np.uint8)
        found = []
        for count in (3, 6, 12, 20):
            steps = [Step("", 3, padding=1)] * count
            gradient = unit_gradient(steps, pixels, (24, 24), draws=4)
            box = regions(steps, (49, 49), (24, 24))[-1].inside
            assert box is not None
            found.append(effective(gradient, box))
        shares = [one.share for one in found]
        assert shares == sorted(shares, reverse=True)
        assert shares[-1] < 0.5 * shares[0]
        assert found[-1].core > 0.8
        # √(20 / 6) = 1.8, where 41 / 13 = 3.2
        assert 1.4 < found[-1].side / found[1].side < 2.2

    def test_a_classic_on_a_photograph_stays_finite(self):
        pixels = np.random.default_rng(4).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        for name in ("vgg16", "resnet18", "mobilenet"):
            gradient = unit_gradient(stack_of(name), pixels, (3, 3), channels=8)
            assert np.isfinite(gradient).all()
            assert gradient.max() > 0

    def test_a_unit_that_is_not_there_is_told(self):
        with pytest.raises(ShapeError, match="outside the last map"):
            unit_gradient([Step("", 3)], np.zeros((8, 8, 3), np.uint8), (7, 0))
