"""What the page on feature maps shows: layers along depth, the wall of maps, one map, and panels that go further."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from html import escape
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.activations import Layer
from explorer.errors import ExplorerError, LayerError
from explorer.figures.wall import reduced
from explorer.images import plain
from explorer.journey import SAME, Stop, seen
from explorer.models import NetworkInput
from explorer.receptive_field import ReceptiveField
from explorer.ui import cache, controls, feature_controls, unit_show
from explorer.ui.components.map_store import map_store
from explorer.ui.components.picker import Option, picker
from explorer.ui.components.strip import Place, Tile, strip
from explorer.ui.components.wall import wall as show_wall
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels.compare import compare
from explorer.ui.feature_panels.equivariance import equivariance
from explorer.ui.feature_panels.filters import filters
from explorer.ui.feature_panels.home import take_home
from explorer.ui.feature_panels.inversion import inversion
from explorer.ui.feature_panels.journey import journey
from explorer.ui.feature_panels.up import up
from explorer.ui.feature_panels.visualise import visualise
from explorer.ui.numbers import percent, typeset


def layers(fed: NetworkInput, chosen: Layer) -> None:
    """The layers along depth, and the search for any of them."""
    found = cache.travelled(fed)
    crop = fed.card.preprocessing.crop
    strip(
        "strip",
        [_tile(stop) for stop in found.stops],
        _places(fed),
        chosen.key,
        fed.photo.digest,
        fed.box,
        f"{crop} × {crop}",
        feature_controls.take_layer,
    )
    if found.broken:
        names = ", ".join(found.broken)
        st.warning(
            plain(f"Values that are no numbers: nothing can be drawn of {names}."), icon=":material/info:"
        )


def subject(fed: NetworkInput) -> Subject | None:
    """What is looked at; None, with a sentence, where the layer's values are no numbers."""
    try:
        return feature_controls.subject(fed)
    except LayerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
        return None


def wall(subject: Subject) -> None:
    """What the layer is, and all its maps."""
    layer = subject.layer
    search, figures = st.columns([1, 2.1], vertical_alignment="center")
    with search:
        options = _options(subject.fed)
        picker("layer picker", "Layer", "layers", options, layer.key, feature_controls.take_layer)
    figures.html(f'<div class="figures small">{"".join(_figures(subject))}</div>')
    if subject.fed.card.source == "random":
        st.caption(
            ":material/casino: The weights are random: what you see is the architecture at work, nothing learned."
        )
    look = feature_controls.look()
    maps_id = sha256(repr((subject.fed.identity, layer.key)).encode()).hexdigest()
    show_wall(
        "wall",
        f"{_counted(layer)} of {_title(layer)}",
        maps_id,
        look,
        subject.unit,
        cache.net_peak(subject.fed) if look.scope == "net" else None,
        feature_controls.take_unit,
        feature_controls.take_look,
    )
    map_store("maps", maps_id, cache.packed_maps(subject.fed, layer.key))  # takes a line of air: at the end


def _title(layer: Layer) -> str:
    """A layer's name for reading; of a layer that runs again, which of its runs.

    >>> _title(Layer("layer1.0.relu", 2, 3, "ReLU", 64, (56, 56), "maps"))
    'layer1.0.relu (2nd run)'
    """
    ordinal = {1: "1st", 2: "2nd", 3: "3rd"}.get(layer.call, f"{layer.call}th")
    run = f" ({ordinal} run)" if layer.calls > 1 else ""
    return f"{layer.name}{' · heads' if layer.layout == 'heads' else ''}{run}"


def _counted(layer: Layer) -> str:
    """How much a layer gives, in words."""
    rows, columns = layer.grid
    if layer.grid == (1, 1):
        return f"{layer.channels:,} numbers"
    what = "heads" if layer.layout == "heads" else "maps"
    return f"{layer.channels:,} {what if layer.channels > 1 else what[:-1]} of {rows} × {columns}"


def _shape(layer: Layer) -> str:
    rows, columns = layer.grid
    return f"{layer.channels:,}" if layer.grid == (1, 1) else f"{layer.channels:,} × {rows} × {columns}"


def _tile(stop: Stop) -> Tile:
    layer = stop.layer
    rows, columns = layer.grid
    flat = layer.grid == (1, 1)
    label = f"{layer.channels:,}" if flat else f"{rows}×{columns}"
    shown = "all its numbers" if flat else f"map {stop.number}, the most like the mean of all"
    hint = f"{_title(layer)}, {layer.kind}: {_counted(layer)}; shown: {shown}"
    return Tile(
        layer.key, label, "numbers" if flat else f"{layer.channels:,} maps", hint, reduced(stop.values)
    )


def _places(fed: NetworkInput) -> list[Place]:
    """All layers in the order of their run."""
    return [
        Place(layer.key, _title(layer), layer.kind, _shape(layer), layer.kind in SAME)
        for layer in cache.probe(fed.card.key).layers
    ]


def _options(fed: NetworkInput) -> list[Option]:
    """All layers as a tree: a module before what is inside it, modules near the top as groups."""
    order = {
        name: place for place, (name, _) in enumerate(cache.recorder(fed.card.key).network.named_modules())
    }
    return [
        Option(
            layer.key, _title(layer), ".".join(layer.name.split(".")[:2]), f"{layer.kind} · {_shape(layer)}"
        )
        for layer in sorted(cache.probe(fed.card.key).layers, key=lambda layer: order[layer.name])
    ]


_ROLES: Final = {"container": "a block of layers"}


def _figures(subject: Subject) -> list[str]:
    layer, values = subject.layer, subject.maps.values
    table = cache.model_table(subject.fed.card.key)
    row = next((row for row in table.rows if row.path == layer.name), None)
    settings = (row.settings or _ROLES.get(row.role, "")) if row else ""
    zeros = float((values == 0).mean())
    figures = [
        (layer.kind, settings or "kind of layer", f"{_title(layer)}: what kind of layer it is"),
        (
            _shape(layer),
            "maps × rows × columns" if layer.grid != (1, 1) else "numbers",
            f"{values.size:,} numbers",
        ),
        (percent(zeros), "are zero", f"{int((values == 0).sum()):,} of {values.size:,}"),
        (typeset(subject.maps.peak), "strongest value", "whatever its sign"),
    ]
    field = seen(table, layer)
    if field == "everything" or (isinstance(field, ReceptiveField) and field.everything):
        figures.append(("everything", "a cell sees", "a path of this net shows it the whole picture"))
    elif isinstance(field, ReceptiveField):
        high, wide = field.size
        figures.append(
            (f"{high:,} × {wide:,}", "pixels a cell sees", "its receptive field, padding included")
        )
    return [
        f'<div title="{escape(exact)}"><b>{escape(number)}</b><span>{escape(words)}</span></div>'
        for number, words, exact in figures
    ]


def unit(subject: Subject) -> None:
    """The chosen map: beside the picture, in numbers, and what is behind each of them."""
    unit_show.unit(subject.fed)


Panel = Callable[[Subject], None]
PANELS: Final[Mapping[str, tuple[str, Panel]]] = MappingProxyType(
    {
        "filters": ("Filters", filters),
        "up": ("Up to the classes", up),
        "journey": ("Journey", journey),
        "compare": ("Compare", compare),
        "inversion": ("Inversion", inversion),
        "visualise": ("What excites it", visualise),
        "equivariance": ("Equivariance", equivariance),
        "home": ("Take home", take_home),
    }
)
"""Title and function of each panel, by its key in the link."""


def further(subject: Subject) -> None:
    """The choice of a panel, and the panel."""
    if not PANELS:
        return
    titles = {key: title for key, (title, _) in PANELS.items()}
    panel = controls.choice("deeper", "Go further", titles, "the panel", buttons=True)
    try:
        PANELS[panel][1](subject)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
