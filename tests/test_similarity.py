"""How alike layers are: held to numpy's own correlation, to sums written out, and to what must not change them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from explorer.activations import Layer
from explorer.errors import ShapeError
from explorer.similarity import FINEST, cka, correlations, counterpart, hsic, on_grid, partners, shared_grid


def maps(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer(name: str, grid: int, layout: Any = "maps") -> Layer:
    return Layer(name, 1, 1, "ReLU", 8, (grid, grid), layout)


def test_correlations_are_numpys():
    first, second = maps(12, 5, 7), maps(12, 5, 7, seed=1)
    second += first * np.linspace(-2, 2, 12, dtype=np.float32)[:, None, None]
    wanted = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(correlations(first, second), wanted, atol=1e-7)


def test_a_constant_map_is_like_none():
    first, second = maps(4, 3, 3), maps(4, 3, 3, seed=1)
    first[1], second[2] = 0.1, 0  # a tenth is no float: its mean is not quite itself
    found = correlations(first, second)
    assert found[1] == found[2] == 0
    assert found[0] != 0
    assert (correlations(maps(5, 1, 1), maps(5, 1, 1)) == 0).all()
    with pytest.raises(ShapeError, match="are no pairs"):
        correlations(maps(4, 3, 3), maps(4, 3, 4))


def test_partners_are_found_wherever_they_stand():
    first = maps(20, 8, 8)
    order = np.random.default_rng(3).permutation(20)
    second = np.concatenate([3 * first[order] + 5, maps(9, 8, 8, seed=4)])
    best, r = partners(first, second)
    assert np.array_equal(order[best], np.arange(20))
    np.testing.assert_allclose(r, 1, atol=1e-6)
    # the opposite is not alike
    best, r = partners(first, -first)
    assert (best != np.arange(20)).all()
    assert (r < 0.9).all()


def test_a_finer_grid_is_averaged_down_to_the_coarser():
    coarse = maps(6, 4, 4)
    fine = coarse.repeat(2, 1).repeat(2, 2) + np.tile(np.float32([[1, -1], [-1, 1]]), (4, 4))
    assert shared_grid(fine, coarse) == (4, 4)
    np.testing.assert_allclose(on_grid(fine, (4, 4)), coarse, atol=1e-6)
    assert (partners(fine, coarse)[0] == np.arange(6)).all()
    assert (partners(coarse, fine)[0] == np.arange(6)).all()
    assert shared_grid(maps(1, 30, 7), maps(1, 20, 9), FINEST) == (14, 7)
    assert on_grid(maps(1, 6, 6), (3, 2)).mean() == pytest.approx(maps(1, 6, 6).mean(), rel=1e-4)
    with pytest.raises(ShapeError, match="4×4 cells cannot be averaged to 5×4"):
        on_grid(coarse, (5, 4))


def test_hsic_is_the_mean_over_all_four_different_examples():
    """Song et al. 2012: the U-statistic of k_ij (l_ij + l_qr − 2 l_iq) over all i, j, q, r, no two of them equal."""
    one, two = maps(7, 3), maps(7, 4, seed=1)
    k, ell = (x.astype(np.float64) @ x.T for x in (one, two))
    terms = [
        k[i, j] * (ell[i, j] + ell[q, r] - 2 * ell[i, q])
        for i, j, q, r in itertools.permutations(range(7), 4)
    ]
    assert hsic(k, ell) == pytest.approx(float(np.mean(terms)), rel=1e-9)


def test_cka_does_not_change_with_rotation_scale_or_shift():
    first = maps(10, 9, 9)
    turned, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(10, 10)))
    second = (
        7 * np.einsum("dc,chw->dhw", turned, first).astype(np.float32)
        + np.arange(10, dtype=np.float32)[:, None, None]
    )
    assert cka(first, first) == pytest.approx(1, abs=1e-9)
    assert cka(first, second) == pytest.approx(1, abs=1e-4)
    other = maps(6, 9, 9, seed=2) + first[:6]
    value = cka(first, other)
    assert value is not None
    assert 0.3 < value < 0.9
    assert cka(second, other) == pytest.approx(value, abs=1e-4)
    assert cka(other, first) == pytest.approx(value, abs=1e-9)
    # it is no matter of which unit is which, but of which cell is which
    assert cka(first[::-1], other) == pytest.approx(value, abs=1e-9)
    shuffled = first.reshape(10, -1)[:, np.random.default_rng(6).permutation(81)].reshape(10, 9, 9)
    shuffled_value = cka(shuffled, other)
    assert shuffled_value is not None
    assert shuffled_value < 0.2


def test_unrelated_layers_come_to_zero_however_many_units_they_have():
    """With 400 units and 49 cells the usual estimate is near 1."""
    values = [cka(maps(400, 7, 7, seed=seed), maps(300, 7, 7, seed=seed + 100)) for seed in range(12)]
    assert abs(float(np.mean([value for value in values if value is not None]))) < 0.05
    assert None not in values
    first, second = maps(400, 49).T, maps(300, 49, seed=100).T
    first, second = first - first.mean(0), second - second.mean(0)
    usual = np.linalg.norm(second.T @ first) ** 2 / (
        np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    )
    assert usual > 0.8


def test_with_many_examples_the_estimates_meet():
    """Kornblith et al. 2019, section 3: ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centred features."""
    mix = maps(3, 3, seed=9)
    first = maps(3, 14, 14)
    second = np.einsum("dc,chw->dhw", mix, first) + maps(3, 14, 14, seed=1)
    x, y = (m.reshape(3, -1).T.astype(np.float64) for m in (first, second))
    x, y = x - x.mean(0), y - y.mean(0)
    usual = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert cka(first, second) == pytest.approx(usual, abs=0.02)


def test_alignment_needs_cells_and_something_that_varies():
    assert cka(maps(5, 1, 1), maps(5, 1, 1)) is None
    assert cka(maps(5, 1, 3), maps(5, 4, 4)) is None
    assert cka(np.ones((3, 4, 4), np.float32), maps(3, 4, 4)) is None
    assert cka(maps(5, 2, 2), maps(5, 30, 30)) is not None


def test_the_counterpart_stands_at_the_same_grid_and_depth():
    here = [layer("a", 56), layer("b", 28), layer("c", 14), layer("d", 7), layer("e", 1, "vector")]
    there = [layer(f"{grid} {n}", grid) for grid in (55, 27, 13) for n in range(4)]
    there.append(layer("classes", 1, "vector"))
    assert counterpart(here[0], here, there).name == "55 0"
    assert counterpart(here[1], here, there).name == "27 0"
    assert (
        counterpart(here[2], here, there).name == "13 0"
    )  # the middle of five; of thirteen the seventh is earlier
    assert counterpart(here[3], here, there).name == "13 1"
    assert counterpart(here[4], here, there).name == "classes"
    heads = [layer("attention", 14, "heads"), layer("attention", 14, "tokens")]
    assert counterpart(heads[0], heads, [*there, heads[0]]).layout == "heads"
    assert counterpart(here[2], here, heads).layout == "tokens"
    # of itself every layer is its own
    assert [counterpart(one, here, here) for one in here] == here
