"""The catalogue agrees with torchvision; networks load whole, once, and say it when they cannot."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import pickle
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models as zoo

from explorer import models, weights
from explorer.errors import ModelError, WeightsError
from explorer.families import FAMILIES
from explorer.models import CATALOGUE, DEFAULT_MODEL, ModelCard
from explorer.preprocessing import Preprocessing
from explorer.references import PAPERS
from tests import hub as hubs

TORCHVISION = [card for card in CATALOGUE.values() if card.source == "torchvision"]
EMBEDDED = CATALOGUE[DEFAULT_MODEL]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own weights, empty; torch's cache is another one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def bare_network(card: ModelCard, **options: Any) -> nn.Module:
    """torchvision's network as these weights want it, with random values: no weights are asked for."""
    if card.architecture in ("googlenet", "inception_v3"):
        options = {"init_weights": False, **options}
    if card.architecture == "googlenet":
        options = {"aux_logits": False, **options}
    if card.family == "ViT":
        options = {"image_size": card.preprocessing.crop, **options}
    network: nn.Module = zoo.get_model(card.architecture, weights=None, **options)
    return network


class WithoutMemory(TorchFunctionMode):
    """Whatever a layer allocates for its weights is on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


class TestCatalogue:
    def test_every_classification_network_of_torchvision_is_there(self) -> None:
        listed = {
            f"{name}.{entry.name}"
            for name in zoo.list_models(module=zoo)
            for entry in zoo.get_model_weights(name)
        }
        assert len(zoo.list_models(module=zoo)) == 80
        assert len(listed) == 115
        assert set(CATALOGUE) == listed | {DEFAULT_MODEL}

    def test_embedded_network_comes_first_and_families_stay_together(self) -> None:
        assert next(iter(CATALOGUE)) == DEFAULT_MODEL
        order = [card.family for card in CATALOGUE.values()]
        assert [family for family, before in zip(order[1:], order, strict=False) if family != before] == [
            family.name for family in FAMILIES
        ]
        years = [family.year for family in FAMILIES]
        assert years == sorted(years)

    def test_torchvisions_default_weights_come_first_of_each_architecture(self) -> None:
        first: dict[str, str] = {}
        for card in TORCHVISION:
            first.setdefault(card.architecture, card.weights)
        assert first == {
            name: zoo.get_model_weights(name).DEFAULT.name for name in zoo.list_models(module=zoo)
        }
        assert [card.weights for card in TORCHVISION if card.architecture == "regnet_y_16gf"] == [
            "IMAGENET1K_V2",
            "IMAGENET1K_SWAG_LINEAR_V1",
            "IMAGENET1K_SWAG_E2E_V1",
            "IMAGENET1K_V1",
        ]

    def test_facts_of_resnet_50(self) -> None:
        card = models.card("resnet50.IMAGENET1K_V2")
        assert (card.name, card.title) == ("ResNet-50", "ResNet-50 · IMAGENET1K_V2")
        assert (card.family, card.year, PAPERS[card.paper].citation) == ("ResNet", 2015, "He et al. 2016")
        assert (card.parameters, card.gmacs) == (25_557_032, 4.089)
        assert (card.top1, card.top5) == (80.858, 95.434)
        assert card.file_name == "resnet50-11ad3fa6.pth"
        assert card.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
        assert card.megabytes == pytest.approx(102.54, abs=0.01)
        assert (card.preprocessing.resize, card.preprocessing.crop) == (232, 224)
        assert card.classes[281:283] == ("tabby", "tiger cat")

    def test_download_sizes_are_in_millions_of_bytes(self) -> None:
        """Four bytes a parameter and some buffers, where the file holds nothing else."""
        others = {
            "googlenet.IMAGENET1K_V1": 2.0,  # with its auxiliary heads
            "inception_v3.IMAGENET1K_V1": 1.0,
            "wide_resnet50_2.IMAGENET1K_V1": 0.5,  # half precision
            "wide_resnet101_2.IMAGENET1K_V1": 0.5,
        }
        for card in TORCHVISION:
            ratio = card.megabytes * 1e6 / (4 * card.parameters)
            assert ratio == pytest.approx(others.get(card.key, 1.0), rel=0.04), card.key

    def test_all_cards_are_complete(self) -> None:
        for card in CATALOGUE.values():
            assert card.paper in PAPERS
            assert card.class_count == 1000
            assert 2012 <= card.year <= 2022
            assert card.name
            assert card.file_name.endswith(".pth")
            assert card.gmacs > 0.01
        assert len({card.title for card in CATALOGUE.values()}) == 116
        assert len({card.file_name for card in CATALOGUE.values()}) == 116

    def test_accuracy_is_missing_where_nobody_states_it(self) -> None:
        assert [card.key for card in CATALOGUE.values() if card.top1 is None or card.top5 is None] == [
            DEFAULT_MODEL,
            "vgg16.IMAGENET1K_FEATURES",
        ]
        assert all(50 < card.top1 < card.top5 < 100 for card in TORCHVISION if card.top1 and card.top5)

    def test_unusable_classifiers_and_licences_are_noted(self) -> None:
        assert "every class gets the same" in models.card("vgg16.IMAGENET1K_FEATURES").note
        swag = [card for card in TORCHVISION if "SWAG" in card.weights]
        assert len(swag) == 12
        assert [card for card in TORCHVISION if "non-commercial" in card.note] == swag

    def test_unknown_key_is_named(self) -> None:
        with pytest.raises(ModelError, match="There is no network “resnet51” in the catalogue of 116"):
            models.card("resnet51")

    def test_cards_are_hashable_and_short_to_print(self) -> None:
        assert len({EMBEDDED, replace(EMBEDDED), TORCHVISION[0]}) == 2
        assert len(repr(EMBEDDED)) < 1500


class TestClasses:
    def test_names_are_torchvisions(self) -> None:
        for card in TORCHVISION:
            categories = zoo.get_model_weights(card.architecture)[card.weights].meta["categories"]
            assert categories is None or list(card.classes) == categories
        assert EMBEDDED.classes == models.card("resnet18.IMAGENET1K_V1").classes

    def test_labels_differ_even_without_capitals(self) -> None:
        labels = EMBEDDED.labels
        assert len({label.casefold() for label in labels}) == 1000
        changed = [label for label, name in zip(labels, EMBEDDED.classes, strict=True) if label != name]
        assert changed == ["Cardigan (264)", "cardigan (474)"]

    def test_labels_of_equal_names_carry_their_number(self) -> None:
        assert models.unique_labels(("crane", "maillot", "crane")) == ("crane (0)", "maillot", "crane (2)")


class TestParameters:
    @pytest.mark.parametrize("family", [family.name for family in FAMILIES])
    def test_counts_are_those_of_the_networks(self, family: str) -> None:
        for card in (card for card in TORCHVISION if card.family == family):
            with WithoutMemory():
                network = bare_network(card)
            assert sum(values.numel() for values in network.parameters()) == card.parameters, card.key

    @pytest.mark.shared
    def test_counts_and_macs_are_those_of_the_reference(self, shared: Path) -> None:
        reference = json.loads((shared / "reference" / "architectures.json").read_text())["models"]
        rows = {
            f"{name}.{row['weights']}": (row["params"], round(row["gmac"], 3), row["crop"])
            for name, model in reference.items()
            for row in model["weights"]
        }
        assert len(rows) == 115
        assert rows == {
            card.key: (card.parameters, card.gmacs, card.preprocessing.crop) for card in TORCHVISION
        }

    def test_facts_of_the_embedded_network(self) -> None:
        network = models.load_network(DEFAULT_MODEL)
        assert sum(values.numel() for values in network.parameters()) == EMBEDDED.parameters == 4_652_008
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 224, 224))
        assert round(counter.get_total_flops() / 2e9, 3) == EMBEDDED.gmacs
        content = models._embedded_file().read_bytes()
        assert len(content) / 1e6 == EMBEDDED.megabytes
        assert models._embedded_file().name == EMBEDDED.file_name
        assert hashlib.sha256(content).hexdigest().startswith(weights.hash_prefix(EMBEDDED.file_name))


def random_weights(card: ModelCard, path: Path, **options: Any) -> dict[str, Tensor]:
    """A file as the hub would give it, with random values, in half precision to be small."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        values = bare_network(card, **options).state_dict()
    for name, value in list(values.items()):
        del values[name]
        if card.family == "DenseNet":
            # The published files are older than this count, and than names without dots.
            if name.endswith("num_batches_tracked"):
                continue
            name = re.sub("(norm|conv)([12])", r"\1.\2", name)
        values[name] = value.half() if value.is_floating_point() else value
    path.parent.mkdir(parents=True, exist_ok=True)
    # A plain dict has no versions of layers either, as in the oldest files.
    torch.save(dict(values) if card.family == "DenseNet" else values, path)
    return values


AWKWARD = (
    "googlenet.IMAGENET1K_V1",
    "inception_v3.IMAGENET1K_V1",
    "densenet121.IMAGENET1K_V1",
    "mnasnet1_3.IMAGENET1K_V1",
    "mobilenet_v3_small.IMAGENET1K_V1",
    "shufflenet_v2_x0_5.IMAGENET1K_V1",
    "squeezenet1_1.IMAGENET1K_V1",
    "efficientnet_b1.IMAGENET1K_V2",
    "regnet_y_400mf.IMAGENET1K_V2",
    "resnet18.IMAGENET1K_V1",
    "swin_t.IMAGENET1K_V1",
    "swin_v2_t.IMAGENET1K_V1",
    "convnext_tiny.IMAGENET1K_V1",
    "maxvit_t.IMAGENET1K_V1",
)


class TestBuilding:
    @pytest.mark.parametrize("key", AWKWARD)
    def test_network_is_the_one_that_torchvision_would_load(self, key: str, folder: Path) -> None:
        """The oracle is torchvision itself, which finds the file in its cache."""
        card = CATALOGUE[key]
        cached = Path(torch.hub.get_dir()) / "checkpoints" / card.file_name
        random_weights(card, cached, **({"aux_logits": True} if card.architecture == "googlenet" else {}))
        entry = zoo.get_model_weights(card.architecture)[card.weights]
        theirs = zoo.get_model(card.architecture, weights=entry).eval()
        ours = models.build_network(card, weights.locate(card))
        assert type(ours) is type(theirs)
        assert str(ours) == str(theirs)
        assert getattr(ours, "transform_input", None) is getattr(theirs, "transform_input", None)
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name
        assert sum(values.numel() for values in ours.parameters()) == card.parameters
        assert not ours.training
        assert not any(values.requires_grad for values in ours.parameters())
        assert {value.device.type for value in ours.state_dict().values()} == {"cpu"}
        assert "get_state_dict" not in vars(entry)

    def test_auxiliary_heads_and_input_scaling_are_torchvisions(self, folder: Path) -> None:
        googlenet = CATALOGUE["googlenet.IMAGENET1K_V1"]
        random_weights(googlenet, folder / googlenet.file_name, aux_logits=True)
        network: Any = models.build_network(googlenet, folder / googlenet.file_name)
        assert (network.aux1, network.aux2, network.transform_input) == (None, None, True)
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)

    def test_vit_gets_the_image_size_of_its_weights(self, folder: Path) -> None:
        card = CATALOGUE["vit_b_16.IMAGENET1K_SWAG_E2E_V1"]
        random_weights(card, folder / card.file_name)
        network: Any = models.build_network(card, folder / card.file_name)
        assert network.image_size == card.preprocessing.crop == 384
        assert network.encoder.pos_embedding.shape == (1, 24 * 24 + 1, 768)

    def test_features_without_classifier_give_all_classes_the_same(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        card = CATALOGUE["vgg16.IMAGENET1K_FEATURES"]
        nothing = torch.full((2,), float("nan"))
        small = {"features.0.weight": nothing, "classifier.0.weight": nothing.clone()}
        torch.save(small, folder / card.file_name)
        taken: dict[str, Tensor] = {}

        def builder(name: str, weights: Any) -> nn.Module:
            taken.update(weights.get_state_dict(progress=True, check_hash=True))
            return nn.Identity()

        monkeypatch.setattr(zoo, "get_model", builder)
        models.build_network(card, folder / card.file_name)
        assert taken["classifier.0.weight"].tolist() == [0, 0]
        assert taken["features.0.weight"].isnan().all()  # of a damaged file: refused later

    def test_features_that_share_one_number_are_refused(self, folder: Path) -> None:
        card = CATALOGUE["vgg16.IMAGENET1K_FEATURES"]
        torch.save({"classifier.0.weight": torch.zeros(1).expand(10**10)}, folder / card.file_name)
        with pytest.raises(WeightsError, match="does not fit VGG-16"):
            models.build_network(card, folder / card.file_name)

    def test_embedded_network_is_ready_and_pads_as_tensorflow_does(self) -> None:
        network = models.build_network(EMBEDDED, None)
        assert not network.training
        assert not any(values.requires_grad for values in network.parameters())
        stem = network.get_submodule("conv_stem")
        assert type(stem).__name__ == "Conv2dSame"
        own = torch.load(models._embedded_file(), weights_only=True)
        for ours, theirs in zip(network.state_dict().values(), own.values(), strict=True):
            assert torch.equal(ours, theirs)

    def test_network_of_torchvision_without_a_file_says_which(self) -> None:
        with pytest.raises(WeightsError, match="ResNet-50 · IMAGENET1K_V2 needs resnet50-11ad3fa6"):
            models.build_network(CATALOGUE["resnet50.IMAGENET1K_V2"], None)

    def test_embedded_network_takes_no_other_file(self, tmp_path: Path) -> None:
        torch.save({"conv": torch.zeros(3, 3)}, tmp_path / "other.pth")
        with pytest.raises(
            WeightsError, match="does not fit EfficientNet-Lite0: 1 values where 296 are meant"
        ):
            models.build_network(EMBEDDED, tmp_path / "other.pth")


class Hostile:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class TestDamagedFiles:
    CARD = CATALOGUE["squeezenet1_1.IMAGENET1K_V1"]

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / self.CARD.file_name
        random_weights(self.CARD, path)
        return path

    def complaint(self, path: Path) -> str:
        """One sentence that names the file, and never torch's own advice."""
        with pytest.raises(WeightsError) as raised:
            models.build_network(self.CARD, path)
        sentence = str(raised.value)
        assert sentence.startswith(str(path))
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "weights_only" not in sentence
        assert len(sentence) < len(str(path)) + 250
        return sentence

    def change(self, path: Path, **changes: object) -> None:
        values = torch.load(path, weights_only=True)
        values.update({name.replace("__", "."): value for name, value in changes.items()})
        torch.save({name: value for name, value in values.items() if value is not None}, path)

    def test_sound_file_loads(self, path: Path) -> None:
        models.build_network(self.CARD, path)

    @pytest.mark.parametrize("part", [0, 1, 1000, 0.5, 0.999])
    def test_cut_off(self, path: Path, part: float) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: part if isinstance(part, int) else int(part * len(content))])
        assert "is cut off, damaged, or no file of weights" in self.complaint(path)

    def test_something_else_under_the_name(self, path: Path) -> None:
        path.write_text("<html>Log in to the network of the university</html>")
        assert "no file of weights" in self.complaint(path)

    @pytest.mark.parametrize("pickled_by", ["torch", "pickle"])
    def test_hostile_file_is_not_obeyed(self, path: Path, pickled_by: str) -> None:
        victim = path.parent / "obeyed"
        if pickled_by == "torch":
            torch.save({"weight": Hostile(victim)}, path)
        else:
            path.write_bytes(pickle.dumps(Hostile(victim)))
        self.complaint(path)
        assert not victim.exists()

    def test_whole_network_instead_of_its_values(self, path: Path) -> None:
        torch.save(nn.Conv2d(1, 1, 1), path)
        assert "no file of weights" in self.complaint(path)

    def test_list_instead_of_names(self, path: Path) -> None:
        torch.save([torch.zeros(1)], path)
        assert "does not hold weights by name, but list" in self.complaint(path)

    def test_training_checkpoint(self, path: Path) -> None:
        torch.save({"state_dict": torch.load(path, weights_only=True), "epoch": 3}, path)
        assert "does not hold weights by name" in self.complaint(path)

    def test_missing_layer(self, path: Path) -> None:
        self.change(path, classifier__1__weight=None)
        assert 'does not fit SqueezeNet 1.1: Missing key(s) in state_dict: "classifier.1.weight"' in (
            self.complaint(path)
        )

    def test_layer_too_many(self, path: Path) -> None:
        self.change(path, head__weight=torch.zeros(3))
        assert 'Unexpected key(s) in state_dict: "head.weight"' in self.complaint(path)

    def test_other_number_of_classes(self, path: Path) -> None:
        self.change(path, classifier__1__weight=torch.zeros(965, 512, 1, 1))
        assert "size mismatch for classifier.1.weight" in self.complaint(path)

    def test_file_that_lost_its_versions(self, tmp_path: Path) -> None:
        """torch keeps versions of layers beside the values; MNASNet's cannot do without."""
        card, path = CATALOGUE["mnasnet0_5.IMAGENET1K_V1"], tmp_path / "plain.pth"
        random_weights(card, path)
        torch.save(dict(torch.load(path, weights_only=True)), path)
        with pytest.raises(WeightsError, match=r"does not fit MnasNet 0\.5: version should be set to 1 or 2"):
            models.build_network(card, path)

    def test_other_network(self, path: Path) -> None:
        random_weights(CATALOGUE["resnet18.IMAGENET1K_V1"], path)
        assert "does not fit SqueezeNet 1.1: Missing key(s)" in self.complaint(path)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_values_that_are_not_finite(self, path: Path, value: float) -> None:
        self.change(path, classifier__1__bias=torch.full((1000,), value))
        assert "classifier.1.bias has values that are not finite" in self.complaint(path)

    def test_file_that_has_gone(self, tmp_path: Path) -> None:
        assert "cannot be read (No such file or directory)" in self.complaint(tmp_path / "gone.pth")

    def test_torchvision_works_as_before_after_a_failure(self, path: Path) -> None:
        self.change(path, classifier__1__weight=None)
        self.complaint(path)
        assert "get_state_dict" not in vars(zoo.SqueezeNet1_1_Weights.IMAGENET1K_V1)

    @pytest.mark.shared
    def test_hostile_checkpoints_are_refused(self, shared: Path) -> None:
        files = sorted((shared / "hostile" / "checkpoints").iterdir())
        assert len(files) == 13
        for file in files:
            self.complaint(file)


class TestLoading:
    def test_unknown_network_is_named(self) -> None:
        with pytest.raises(ModelError, match="There is no network “lenet”"):
            models.load_network("lenet")

    def test_missing_weights_are_downloaded_with_progress(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        card = CATALOGUE["squeezenet1_1.IMAGENET1K_V1"]
        made = folder.parent / "made.pth"
        values = random_weights(card, made)
        body = made.read_bytes()
        named = replace(card, file_name=f"squeezenet1_1-{hashlib.sha256(body).hexdigest()[:8]}.pth")
        monkeypatch.setattr(models, "CATALOGUE", MappingProxyType({card.key: named}))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        seen: list[tuple[int, int]] = []
        with hubs.Hub() as hub:
            monkeypatch.setenv("CNN_EXPLORER_HUB", hub.address)
            hub.answers[named.file_name] = hubs.slow(body, seconds=0.5)
            network = models.load_network(card.key, lambda *count: seen.append(count))
        assert (folder / named.file_name).read_bytes() == body
        assert seen[-1][1] == len(body)
        assert len({received for received, _ in seen}) > 2
        ours = network.state_dict()
        assert all(torch.equal(ours[name], value.float()) for name, value in values.items())


class ReferencePictures:
    """The labelled pictures, and how many a network names right."""

    def __init__(self, folder: Path) -> None:
        with (folder / "labels.csv").open(newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.photos: list[NDArray[np.uint8]] = []
        for row in self.rows:
            with Image.open(folder / row["file"]) as picture:
                self.photos.append(np.array(picture.convert("RGB")))

    def right(self, network: nn.Module, preprocessing: Preprocessing) -> tuple[int, int]:
        """Pictures whose class comes first, and whose class is among the first five."""
        first = among = 0
        for row, photo in zip(self.rows, self.photos, strict=True):
            with torch.no_grad():
                best = network(preprocessing.tensor(photo))[0].topk(5).indices.tolist()
            first += best[0] == int(row["class_index"])
            among += int(row["class_index"]) in best
        return first, among


@pytest.fixture(scope="module")
def pictures(shared: Path) -> ReferencePictures:
    return ReferencePictures(shared / "images")


@pytest.mark.shared
class TestOnPictures:
    def test_embedded_network_is_prepared_right(self, pictures: ReferencePictures) -> None:
        """The wrong variants load without an error too; what the card's note says is measured here."""
        right = EMBEDDED.preprocessing
        usual = replace(right, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        network = models.build_network(EMBEDDED, None)
        other_padding = timm.create_model("efficientnet_lite0").eval()
        values = zip(other_padding.state_dict(), network.state_dict().values(), strict=True)
        other_padding.load_state_dict(dict(values))

        assert right == Preprocessing(256, 224, (0.5,) * 3, (0.5,) * 3, "bicubic")
        assert pictures.right(network, right) == (54, 62)
        assert pictures.right(network, replace(right, interpolation="bilinear")) == (52, 62)
        assert pictures.right(network, usual) == (51, 58)
        assert pictures.right(other_padding, right) == (48, 60)
        assert pictures.right(other_padding, usual) == (47, 56)
        assert "54 of 62 labelled reference pictures right, and all 62" in EMBEDDED.note
        assert "deviation it would be 51" in EMBEDDED.note
        assert "TensorFlow's 48, with both 47" in EMBEDDED.note

    @pytest.mark.parametrize(
        ("key", "file", "right"),
        [
            ("squeezenet1_1.IMAGENET1K_V1", "squeezenet1_1-deepscale-fp16.pth", (40, 48)),
            ("squeezenet1_0.IMAGENET1K_V1", "squeezenet1_0-deepcompression-fp16.pth", (40, 52)),
            ("mobilenet_v2.IMAGENET1K_V1", "mobilenet_v2-tfslim-qat-fp16.pth", (50, 57)),
            ("mobilenet_v2.IMAGENET1K_V2", "mobilenet_v2-tf2-ptq-fp16.pth", (51, 55)),
        ],
    )
    def test_real_weights_put_in_place_by_hand_classify(
        self,
        key: str,
        file: str,
        right: tuple[int, int],
        shared: Path,
        folder: Path,
        pictures: ReferencePictures,
    ) -> None:
        """Converted weights under the published name: their hash differs, and they are meant to be used."""
        card = CATALOGUE[key]
        shutil.copy(shared / "weights" / file, folder / card.file_name)
        assert weights.availability(card) == "on this machine"
        network = models.load_network(key)
        assert pictures.right(network, card.preprocessing) == right

    def test_real_weights_in_torchs_cache_are_found(self, shared: Path, folder: Path) -> None:
        card = CATALOGUE["squeezenet1_1.IMAGENET1K_V1"]
        cache = weights.folders()[1]
        cache.mkdir(parents=True)
        shutil.copy(shared / "weights" / "squeezenet1_1-deepscale-fp16.pth", cache / card.file_name)
        network = models.load_network(card.key)
        with Image.open(shared / "images" / "in_017_n01580077.jpg") as picture:
            best = network(card.preprocessing.tensor(np.array(picture))).argmax().item()
        assert card.classes[best] == "jay"


class TestPapers:
    def test_every_paper_can_be_cited(self) -> None:
        assert all(key == paper.key for key, paper in PAPERS.items())
        urls = Counter(paper.url for paper in PAPERS.values())
        assert urls.most_common(1)[0][1] == 1
        assert all(paper.url.startswith("https://") for paper in PAPERS.values())

    @pytest.mark.parametrize(
        ("key", "citation", "number"),
        [
            ("zhou2016", "Zhou et al. 2016", "1512.04150"),
            ("selvaraju2017", "Selvaraju et al. 2017", "1610.02391"),
            ("chattopadhay2018", "Chattopadhay et al. 2018", "1710.11063"),
            ("draelos2020", "Draelos & Carin 2020", "2011.08891"),
            ("fu2020", "Fu et al. 2020", "2008.02312"),
            ("muhammad2020", "Muhammad & Yeasin 2020", "2008.00299"),
            ("jiang2021", "Jiang et al. 2021", "TIP.2021.3089943"),
        ],
    )
    def test_grad_cam_and_its_relatives_are_there(self, key: str, citation: str, number: str) -> None:
        assert PAPERS[key].citation == citation
        assert PAPERS[key].url.endswith(number)

    def test_key_without_its_year_is_refused(self) -> None:
        with pytest.raises(ValueError, match="ends in its year, 2016"):
            replace(PAPERS["he2016"], key="he2015")


class TestRandomWeights:
    """Networks outside the catalogue, by keys that begin with “random~”; more in test_untrained.py."""

    def test_a_card_is_found_by_its_key(self) -> None:
        card = models.card("random~classic~lenet5")
        assert (card.key, card.source, card.class_count) == ("random~classic~lenet5", "random", 10)
        assert card.key not in CATALOGUE

    def test_a_network_is_built_and_nothing_downloaded(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CNN_EXPLORER_HUB", hubs.refused_address())
        network = models.load_network("random~model~squeezenet1_1.IMAGENET1K_V1")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            theirs = zoo.squeezenet1_1()
        assert all(
            torch.equal(mine, other)
            for mine, other in zip(network.parameters(), theirs.parameters(), strict=True)
        )
        assert not list(folder.iterdir())

    def test_its_weights_are_in_no_file(self, tmp_path: Path) -> None:
        card = models.card("random~classic~lenet5")
        with pytest.raises(ModelError, match="random weights are in no file"):
            models.build_network(card, tmp_path / "any.pth")
