"""The wall's bytes, read as the browser reads them, against torch and against the colour rule of single maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from explorer.activations import ORDERS, FeatureMaps, Layer
from explorer.figures import wall
from explorer.figures.signed import entries


def layer_of(values: np.ndarray) -> FeatureMaps:
    layer = Layer("some", 1, 1, "Conv2d", values.shape[0], values.shape[1:], "maps")
    return FeatureMaps(layer, values.astype(np.float32))


def some_maps(channels: int = 7, rows: int = 13, columns: int = 9) -> FeatureMaps:
    values = np.random.default_rng(3).normal(size=(channels, rows, columns))
    values[values < -1] = 0
    values[2] = 0
    values[4] = -0.75
    values[5] *= 1e-6
    return layer_of(values)


def unpacked(packed: bytes) -> dict[str, np.ndarray]:
    """The bytes taken apart by their description."""
    length = int.from_bytes(packed[:4], "little")
    head = json.loads(packed[4 : 4 + length])
    assert length % 4 == 0
    at, found = 4 + length, dict(head)
    for name in head["measures"]:
        found[name] = np.frombuffer(packed, "<f4", head["channels"], at)
        at += 4 * head["channels"]
    for name in head["orders"]:
        found[f"by {name}"] = np.frombuffer(packed, "<i4", head["channels"], at)
        at += 4 * head["channels"]
    shape = head["channels"], head["rows"], head["columns"]
    found["entries"] = np.frombuffer(packed, np.uint8, -1, at).reshape(shape)
    return found


def test_each_map_has_the_entries_of_its_own_scale():
    maps = some_maps()
    found = unpacked(wall.packed(maps))
    for number, values in enumerate(maps.values):
        assert np.array_equal(found["entries"][number], entries(values)), number
    assert (found["entries"][2] == 127).all()  # zero everywhere
    assert (found["entries"][4] == 0).all()  # the same negative number everywhere


def test_measures_are_torchs():
    maps = some_maps()
    found, values = unpacked(wall.packed(maps)), torch.from_numpy(maps.values.copy()).double().flatten(1)
    wanted = {
        "peak": values.abs().amax(1),
        "mean": values.mean(1),
        "maximum": values.amax(1),
        "minimum": values.amin(1),
        "zeros": (values == 0).double().mean(1),
        "deviation": values.std(1, correction=0),
    }
    assert list(wanted) == found["measures"]
    for name, expected in wanted.items():
        np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-6, atol=1e-12, err_msg=name)


def test_orders_are_those_of_a_plain_sort():
    maps = some_maps()
    found = unpacked(wall.packed(maps))
    assert found["orders"] == list(ORDERS)
    values = [plane.astype(np.float64).ravel().tolist() for plane in maps.values]
    keys = {
        "number": lambda n: n,
        "mean": lambda n: -sum(values[n]) / len(values[n]),
        "maximum": lambda n: -max(values[n]),
        "sparsity": lambda n: -values[n].count(0.0),
    }
    for name, key in keys.items():
        assert found[f"by {name}"].tolist() == sorted(range(len(values)), key=key), name
    spread = torch.from_numpy(maps.values.copy()).double().flatten(1).var(1, correction=0)
    assert found["by variance"].tolist() == torch.argsort(-spread, stable=True).tolist()


@pytest.mark.parametrize("block", [1, 2, 3, 5])
def test_of_each_block_the_strongest_stays_with_its_sign(block: int):
    maps = some_maps(rows=11, columns=14).values
    small = wall.strongest(maps, block)
    strength = torch.from_numpy(np.abs(maps))[None]
    most, where = max_pool2d(strength, block, ceil_mode=True, return_indices=True)
    assert np.array_equal(np.abs(small), most[0].numpy())
    picked = np.take_along_axis(maps.reshape(len(maps), -1), where[0].flatten(1).numpy(), 1)
    assert np.array_equal(small, picked.reshape(small.shape))


@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((64, 112, 112), 1),
        ((64, 113, 113), 2),
        ((64, 224, 224), 2),
        ((528, 192, 192), 3),  # 2 would be 4.9 MB
        ((2048, 7, 7), 1),
        ((25088, 1, 1), 1),
        ((1, 1, 500), 5),
    ],
)
def test_blocks_are_as_small_as_the_wall_allows(shape: tuple[int, int, int], block: int):
    assert wall.block_of(shape) == block


def test_a_wall_of_large_maps_stays_small():
    packed = wall.packed(layer_of(np.zeros((64, 224, 224), np.float32)))
    assert len(packed) < 64 * 112 * 112 + 10_000
    assert unpacked(packed)["grid"] == [224, 224]


def test_names_travel():
    maps = some_maps(channels=6)
    assert unpacked(wall.packed(maps, ["a", "b", "c", "Käfer", "e", "f"]))["names"][3] == "Käfer"


def test_one_map_is_reduced_to_a_side():
    values = some_maps(6, 30, 20).values[0]
    assert wall.reduced(values, 10).shape == (10, 7)
    assert np.array_equal(wall.reduced(values, 30), values)
    row = np.arange(1000, dtype=np.float32)[None]
    assert np.array_equal(wall.reduced(row), row)  # numbers without places are never merged
