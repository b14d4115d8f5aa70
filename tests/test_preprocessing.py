"""A network gets the input that its weights were made for, and we know which part of the photo that is."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torchvision import models as zoo
from torchvision import transforms
from torchvision.transforms import InterpolationMode, functional

from explorer.errors import ImageError, ModelError
from explorer.images import sample_photo
from explorer.models import CATALOGUE, NetworkInput
from explorer.preprocessing import CropBox, Preprocessing

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PHOTOS = {
    "chelsea, 300×451": data.chelsea(),
    "astronaut, 512×512": data.astronaut(),
    "chelsea upright, 451×300": data.chelsea().swapaxes(0, 1),
    "a strip of coffee, 31×390": data.coffee()[150:181, 100:490],
}


def entries() -> dict[str, zoo.WeightsEnum]:
    return {
        f"{name}.{entry.name}": entry
        for name in zoo.list_models(module=zoo)
        for entry in zoo.get_model_weights(name)
    }


def one_key_for_each_preprocessing() -> list[str]:
    cards = [card for card in CATALOGUE.values() if card.source == "torchvision"]
    return sorted({card.preprocessing: card.key for card in cards}.values())


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_every_weights_entry_has_its_own_settings() -> None:
    checked = 0
    for key, entry in entries().items():
        theirs, ours = entry.transforms(), CATALOGUE[key].preprocessing
        assert [ours.resize] == theirs.resize_size
        assert [ours.crop] == theirs.crop_size
        assert list(ours.mean) == theirs.mean
        assert list(ours.std) == theirs.std
        assert ours.interpolation == theirs.interpolation.value
        checked += 1
    assert checked == 115


@pytest.mark.parametrize("photo", PHOTOS)
def test_input_is_bit_by_bit_that_of_the_weights_own_transforms(photo: str) -> None:
    pixels = PHOTOS[photo]
    keys = one_key_for_each_preprocessing()
    assert len(keys) == 28
    for key in keys:
        theirs = entries()[key].transforms()(Image.fromarray(pixels)).unsqueeze(0)
        ours = CATALOGUE[key].preprocessing.tensor(pixels)
        assert ours.dtype == torch.float32
        assert ours.is_contiguous()
        assert torch.equal(ours, theirs), key


def test_image_is_the_tensor_before_normalising() -> None:
    prepare = Preprocessing(256, 224, (0.5, 0.25, 0.5), (0.5, 0.25, 0.125), "bicubic")
    image, tensor = prepare.image(data.chelsea()), prepare.tensor(data.chelsea())
    assert image.shape == (224, 224, 3)
    assert image.dtype == np.uint8
    back = tensor[0].permute(1, 2, 0).numpy() * np.array(prepare.std) + np.array(prepare.mean)
    np.testing.assert_allclose(back * 255, image, atol=1e-3)


def both_ways(
    prepare: Preprocessing, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> NDArray[np.int64]:
    """How far the short cut for extreme shapes lies from resizing all of the photo."""
    short_cut = prepare.image(pixels).astype(int)
    with monkeypatch.context() as patch:
        patch.setattr("explorer.preprocessing.EXTREME_ASPECT", 10_000)
        return np.abs(short_cut - prepare.image(pixels))


@pytest.mark.parametrize("shape", [(40, 900), (900, 40), (300, 6000), (6000, 300), (3, 61)])
def test_extreme_shapes_are_resized_like_others(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Preprocessing(256, 224, *IMAGENET, "bilinear")
    assert both_ways(prepare, noise(*shape), monkeypatch).max() <= 1


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("row", range(0, 480, 60))
def test_extreme_photographs_differ_little_in_bicubic(
    row: int, upright: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow chooses by the shape which axis comes first, and cuts overshoots to 0..255 in between."""
    strip = data.astronaut()[row : row + 30]
    prepare = Preprocessing(256, 224, *IMAGENET, "bicubic")
    difference = both_ways(prepare, strip.swapaxes(0, 1) if upright else strip, monkeypatch)
    assert difference.max() <= 10
    assert difference.mean() < 0.25


@pytest.mark.parametrize("crop", [224, 256])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3), (60_000, 3)])
def test_any_shape_works_in_little_memory(shape: tuple[int, int], crop: int) -> None:
    def peak_bytes() -> int:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

    photo = np.full((*shape, 3), 77, dtype=np.uint8)
    before = peak_bytes()
    tensor = Preprocessing(256, crop, (0.0,) * 3, (1.0,) * 3, "bicubic").tensor(photo)
    assert peak_bytes() - before < 50e6  # all of 1×5000 would take 983 MB
    assert tensor.shape == (1, 3, crop, crop)
    assert torch.equal(tensor, torch.full_like(tensor, 77 / 255))


@pytest.mark.parametrize("shape", [(256, 200), (200, 256), (97, 250), (255, 255), (8, 256), (256, 9)])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (232, 224), (64, 64), (255, 240)])
def test_view_is_where_each_pixel_comes_from(shape: tuple[int, int], resize: int, crop: int) -> None:
    """On a photo whose pixels tell their own place, the network's pixels tell where they were taken."""
    prepare = Preprocessing(resize, crop, *IMAGENET, "bilinear")
    height, width = shape
    box = prepare.view(height, width)
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    seen = prepare.image(np.stack([rows, columns, columns], axis=-1)).astype(float)
    middles = np.arange(crop) + 0.5
    # a pixel's value is its index, and its middle lies half a pixel further
    from_top = np.clip(box.top + middles * box.height / crop - 0.5, 0, height - 1)
    from_left = np.clip(box.left + middles * box.width / crop - 0.5, 0, width - 1)
    border = slice(4, -4)  # where resizing mirrors nothing and clips
    assert np.abs(seen[:, 0, 0] - from_top)[border].max() <= 0.75
    assert np.abs(seen[0, :, 1] - from_left)[border].max() <= 0.75


@pytest.mark.parametrize("shape", [(451, 300), (300, 451), (120, 90), (20, 700)])
def test_marks_outside_the_view_change_nothing(shape: tuple[int, int]) -> None:
    """Rows and columns are painted one by one: those that change the input are those of the view."""
    prepare = Preprocessing(64, 48, *IMAGENET, "bilinear")
    height, width = shape
    box = prepare.view(height, width)
    grey = np.full((height, width, 3), 128, dtype=np.uint8)
    plain = prepare.tensor(grey)

    def seen(axis: int, index: int) -> bool:
        marked = grey.copy()
        marked[(slice(None),) * axis + (index,)] = 255
        return not torch.equal(prepare.tensor(marked), plain)

    for axis, start, length in ((0, box.top, box.height), (1, box.left, box.width)):
        changes = [index for index in range(shape[axis]) if seen(axis, index)]
        reach = max(1.0, length / 48)  # a bilinear pixel gathers from one output pixel on each side
        assert start - reach <= changes[0] <= start + reach
        assert start + length - reach <= changes[-1] + 1 <= start + length + reach
        assert len(changes) == changes[-1] - changes[0] + 1


def test_view_of_the_whole_square_is_the_photo() -> None:
    box = Preprocessing(384, 384, *IMAGENET, "bicubic").view(200, 200)
    assert (box.top, box.left, box.height, box.width) == (0, 0, 200, 200)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_photo_is_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="A photo is"):
        CATALOGUE["efficientnet_lite0"].preprocessing.tensor(pixels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": 257}, "A crop of 257 pixels does not fit into a short side of 256"),
        ({"crop": 0}, "A crop of 0 pixels"),
        ({"std": (0.5, 0.0, 0.5)}, "A standard deviation of 0.0"),
        ({"interpolation": "nearest"}, "The interpolation is “nearest”"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], message: str) -> None:
    settings = {"resize": 256, "crop": 224, "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    with pytest.raises(ModelError, match=message):
        Preprocessing(**(settings | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key", ["efficientnet_lite0", "resnet50.IMAGENET1K_V2", "vit_b_16.IMAGENET1K_SWAG_E2E_V1"]
)
def test_the_whole_photo_is_squeezed_as_torchvision_squeezes(key: str) -> None:
    ready = replace(CATALOGUE[key].preprocessing, whole=True)
    pixels = sample_photo("rocket").pixels
    mode = InterpolationMode(ready.interpolation)
    squeezed = functional.resize(
        Image.fromarray(pixels), [ready.crop, ready.crop], interpolation=mode, antialias=True
    )
    assert np.array_equal(ready.image(pixels), np.array(squeezed))
    assert ready.view(*pixels.shape[:2]) == CropBox(0, 0, *pixels.shape[:2])


def test_an_input_knows_its_part_and_its_identity() -> None:
    card, photo = CATALOGUE["efficientnet_lite0"], sample_photo("cat")
    middle, whole = NetworkInput(card, photo), NetworkInput(card, photo, whole=True)
    assert whole.share == 1
    assert middle.share == pytest.approx((224 / 256) ** 2 * 300 / 451, rel=0.01)
    assert len({middle.identity, whole.identity, NetworkInput(card, sample_photo("coffee")).identity}) == 3
    assert not torch.equal(middle.tensor(), whole.tensor())


@pytest.mark.parametrize("side", [28, 32, 96])
@pytest.mark.parametrize("sample", ["cat", "rocket", "text"])
def test_grey_is_pillows_luminance(sample: str, side: int) -> None:
    """As courses read pictures for LeNet: `Image.open(…).convert("L")`, then torchvision's transforms."""
    ready = Preprocessing(side, side, (0.5,), (0.5,), "bilinear", channels=1)
    pixels = sample_photo(sample).pixels
    steps = transforms.Compose(
        [
            transforms.Resize(side),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.5]),
        ]
    )
    theirs = steps(Image.fromarray(pixels).convert("L"))[None]
    ours = ready.tensor(pixels)
    assert ours.shape == (1, 1, side, side)
    assert torch.equal(ours, theirs)
    shown = ready.image(pixels)
    assert shown.shape == (side, side, 3)
    assert (shown == shown[:, :, :1]).all()


def test_grey_of_the_whole_and_of_an_extreme_photo() -> None:
    ready = Preprocessing(28, 28, (0.5,), (0.5,), "bilinear", whole=True, channels=1)
    assert ready.tensor(sample_photo("cat").pixels).shape == (1, 1, 28, 28)
    wide = np.full((2, 500, 3), (255, 0, 0), np.uint8)
    red = replace(ready, whole=False).tensor(wide)
    assert torch.allclose(red, torch.tensor((76 / 255 - 0.5) / 0.5))  # ITU-R 601: 0.299 · 255 = 76


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_a_photo_has_colours_or_grey(channels: int) -> None:
    half = (0.5,) * channels
    with pytest.raises(ModelError, match=f"3 channels .* or 1 .*, and this network takes {channels}"):
        Preprocessing(28, 28, half, half, "bilinear", channels=channels)


def test_every_channel_has_its_mean() -> None:
    with pytest.raises(ModelError, match="1 channels have 3 means and 3 standard deviations"):
        Preprocessing(28, 28, (0.5,) * 3, (0.5,) * 3, "bilinear", channels=1)
