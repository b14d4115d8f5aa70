"""Networks without trained weights, to be asked all the same: their cards, their seeded random weights, their code.

Their keys say where the network comes from, as a link does: "random~classic~lenet5", "random~parts~…",
"random~code~…", with "@3x64x64" behind it where the picture is not the network's own; and "random~model~resnet50.
IMAGENET1K_V2", an architecture of the catalogue with fresh weights.

>>> lenet = card("random~classic~lenet5")
>>> lenet.title, lenet.preprocessing.crop, lenet.preprocessing.channels, lenet.labels[-1]
('LeNet-5, as it is taught · random weights', 32, 1, 'output 9')

Weights are drawn as torch draws them by itself, from a generator of their own: what other threads draw meanwhile
changes nothing here, and nothing changes for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from torch import nn
from torchvision import models as zoo

from explorer.dry_run import WithoutMemory
from explorer.errors import LayerError, ModelError
from explorer.models import CATALOGUE, RANDOM, ModelCard
from explorer.networks.building import build as build_parts
from explorer.networks.source import (
    Picture,
    Source,
    load,
    read_input,
    read_source,
    write_source,
)
from explorer.preprocessing import Preprocessing
from explorer.profiling import NetworkProfile, profile
from explorer.quantities import si
from explorer.random_weights import MAPS, WEIGHTS, WORK, drawn, of_code
from explorer.timing import constant_bytes, refusal
from explorer.untrained_code import architecture_code, classic_code, code_of_parts, own_code

FAMILY: Final = "Random weights"
WEIGHTS_NAME: Final = "random weights"
NOTE: Final = (
    "Random weights: nobody has trained this network, so what it answers means nothing. What can be seen is what its "
    "layers make of a picture before they have learned anything."
)

LARGEST_SIDE: Final = 1024
"""Of the picture, in pixels: it travels to the browser as the network is fed it."""

MOST_OUTPUTS: Final = 25_000
"""Classes that can be listed: the largest ImageNet has 21,841."""

_MODEL: Final = "model~"
_LEFT_BEHIND: Final = "code~own"


# Keys -------------------------------------------------------------------------------------------------


def write_key(source: Source, input_shape: Picture | None = None) -> str:
    """A network in a link, with the picture that it is given where that is not its own.

    >>> write_key(Source("classic", "resnet18"), (3, 64, 64))
    'classic~resnet18@3x64x64'

    Raises:
        ModelError: code that is too long for a link.
    """
    given = f"@{'x'.join(map(str, input_shape))}" if input_shape else ""
    return write_source(source) + given


def read_key(text: str) -> tuple[Source, Picture | None]:
    """The network of a link, and the picture that it is given; None for its own.

    Raises:
        ModelError, ShapeError: it is no such text.
    """
    named, at, given = text.rpartition("@")
    if not at:
        named, given = text, ""
    if named == _LEFT_BEHIND:
        raise ModelError(
            "This network's code is too long for a link, and stayed on the page where it was pasted: shorten it there."
        )
    return read_source(named), read_input(given) if given else None


# Cards ------------------------------------------------------------------------------------------------


def card(key: str) -> ModelCard:
    """What is known of a network with random weights before they are drawn.

    Raises:
        ExplorerError: there is no such network, it does not run, takes no square of one or three channels, gives no
            row of scores, or is too large to be run here; one sentence says which.
    """
    return _known(key).card


def build(key: str) -> nn.Module:
    """The network with its random weights, on the CPU, in evaluation mode, every parameter frozen.

    The same numbers for the same key, always; a new network each time.

    Raises:
        ExplorerError: as `card`; or it does not run with numbers, or has no layer with a map.
    """
    known = _known(key)
    network = known.make().eval().requires_grad_(False)
    vars(network)["input_channels"] = known.card.preprocessing.channels
    return network


def building_code(key: str) -> str:
    """Python that makes the same `network` with the same weights, from public packages alone.

    Raises:
        ExplorerError: as `card`.
    """
    return _known(key).code()


@dataclass(frozen=True, eq=False)
class _Known:
    """A network that can be built: its card, what builds it, and the code that does the same."""

    card: ModelCard
    make: Callable[[], nn.Module]
    code: Callable[[], str]


@lru_cache(maxsize=64)
def _known(key: str) -> _Known:
    text = key.removeprefix(RANDOM)
    return _of_catalogue(key, text.removeprefix(_MODEL)) if text.startswith(_MODEL) else _of_source(key, text)


def _of_source(key: str, text: str) -> _Known:
    source, given = read_key(text)
    network = load(source, given)
    if network.plan and network.plan.trouble:
        raise ModelError(f"{network.title} cannot run yet: {network.plan.trouble.sentence}")
    ready = _squares(network.title, network.input_shape)
    table, outputs = _checked(network.title, network.module, network.input_shape)
    known = network.classic
    made = ModelCard(
        key=key,
        name=network.title,
        architecture=known.key if known else "",
        year=known.year if known else 0,
        paper=known.paper if known else "",
        preprocessing=ready,
        **_figures(table, outputs),
    )
    if known and known.module_of and known.line:
        return _Known(made, partial(drawn, known.module_of), partial(classic_code, known))
    if network.spec:
        parts = partial(build_parts, network.spec)
        return _Known(made, partial(drawn, parts), partial(code_of_parts, network.spec))
    read = partial(of_code, source.text, source.name, network.input_shape)
    return _Known(made, read, partial(own_code, network))


def _of_catalogue(key: str, trained: str) -> _Known:
    if trained not in CATALOGUE:
        raise ModelError(f"There is no network “{trained[:60]}” in the catalogue of {len(CATALOGUE)}.")
    entry = CATALOGUE[trained]
    make = partial(_architecture, entry)
    with WithoutMemory():
        bare = make().to("meta").eval()
    side = entry.preprocessing.crop
    table, outputs = _checked(entry.name, bare, (3, side, side))
    made = ModelCard(
        key=key,
        name=entry.name,
        architecture=entry.architecture,
        year=entry.year,
        paper=entry.paper,
        preprocessing=entry.preprocessing,
        **_figures(table, outputs),
    )
    return _Known(made, partial(drawn, make), partial(architecture_code, entry.architecture, _options(entry)))


def _figures(table: NetworkProfile, outputs: int) -> dict[str, Any]:
    return {
        "weights": WEIGHTS_NAME,
        "family": FAMILY,
        "parameters": table.parameters,
        "gmacs": table.macs / 1e9,
        "top1": None,
        "top5": None,
        "classes": tuple(f"output {number}" for number in range(outputs)),
        "source": "random",
        "url": "",
        "file_name": "",
        "megabytes": table.weight_bytes / 1e6,
        "note": NOTE,
    }


def _squares(title: str, shape: Picture) -> Preprocessing:
    """How pictures become what the network takes.

    Raises:
        ModelError: it takes no square, no colours and no grey, or one that is too large.
    """
    channels, rows, columns = shape
    if rows != columns:
        raise ModelError(
            f"{title} is given {rows:,} × {columns:,} pixels, and pictures are fed as squares here."
        )
    if rows > LARGEST_SIDE:
        raise ModelError(
            f"{title} is given {rows:,} × {rows:,} pixels; squares have at most {LARGEST_SIDE:,} here."
        )
    half = (0.5,) * channels
    return Preprocessing(rows, rows, half, half, "bilinear", channels=channels)


def _checked(title: str, module: nn.Module, shape: Picture) -> tuple[NetworkProfile, int]:
    """The network's table and how many classes it has.

    Raises:
        ModelError: it does not run, gives no row of scores, or is too large.
        LayerError: none of its layers has maps.
    """
    table = profile(module, shape)
    if table.failure:
        raise ModelError(f"{title} cannot run: {table.failure.sentence}")
    if len(table.outputs) != 1 or len(table.outputs[0]) != 1:
        given = " and ".join(" × ".join(map(str, each)) for each in table.outputs)
        raise ModelError(f"{title} gives {given} numbers, where one row of scores for its classes is needed.")
    (outputs,) = table.outputs[0]
    if outputs > MOST_OUTPUTS:
        raise ModelError(f"{title} has {outputs:,} outputs; at most {MOST_OUTPUTS:,} can be listed here.")
    if not any(len(shape) > 1 for row in table.leaves for shape in row.outputs):
        raise LayerError(
            f"No layer of {title} holds a map: it makes a row of numbers of the picture at once."
        )
    held = table.inference.total if table.inference else 0
    need = table.weight_bytes + constant_bytes(module) + held
    why = refusal(table, need, table.macs, work=WORK, weights=WEIGHTS)
    if not why and 4 * table.activations > MAPS:
        maps = si(4 * table.activations, "B")
        why = f"This network is too large to be run here: its maps take {maps} together; the most is {si(MAPS, 'B')}."
    if why:
        raise ModelError(why)
    return table, outputs


# Architectures of the catalogue ----------------------------------------------------------------------


def _architecture(entry: ModelCard) -> nn.Module:
    """An architecture of the catalogue as its weights want it, without them."""
    if entry.source == "embedded":
        import timm  # half a second that only the first build needs

        made: nn.Module = timm.create_model(entry.architecture)
        return made
    network: nn.Module = zoo.get_model(entry.architecture, **_options(entry))
    return network


def _options(entry: ModelCard) -> dict[str, Any]:
    """What torchvision's builder is told by the weights, where it is given some."""
    if entry.family == "ViT":
        return {"image_size": entry.preprocessing.crop}
    if entry.architecture in ("googlenet", "inception_v3"):
        # without the heads that training alone uses; torchvision's own initialisation takes a minute
        return {"transform_input": True, "aux_logits": False, "init_weights": False}
    return {}
