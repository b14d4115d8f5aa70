"""One map of the page on feature maps: large beside the picture, in numbers, and what is behind each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from html import escape
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.convolution import Pair
from explorer.effective_field import effective
from explorer.errors import ExplorerError, ShapeError
from explorer.figures.unit_charts import map_histogram
from explorer.images import plain
from explorer.models import NetworkInput
from explorer.ui import cache, controls, feature_controls, frame, unit_controls
from explorer.ui.components.photo_store import photo_store
from explorer.ui.components.unit_view import Framed, Gradient, Look, unit_view
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import percent, typeset
from explorer.ui.unit_gaze import gazes
from explorer.ui.unit_patches import patches
from explorer.ui.unit_products import products
from explorer.unit_facts import UnitFacts, unit_facts

Section = Callable[[Subject, Pair | None], None]
INSIDE: Final[Mapping[str, tuple[str, Section]]] = MappingProxyType(
    {
        "products": ("The products behind a cell", products),
        "patches": ("Where it answers most", patches),
    }
)
"""Title and function of what can be opened below a map, by its key in the link."""
INSIDE_HEADS: Final[Mapping[str, tuple[str, Section]]] = MappingProxyType(
    {**INSIDE, "products": ("What a token looks at", gazes)}
)
"""The same of attention's heads: behind a share there is a token that looks."""


@frame.part
def unit(fed: NetworkInput) -> None:
    """The chosen map: beside the picture, in numbers; the products behind its cells; where it answers most.

    A part keeps what it is given for as long as its page: not the maps, then.
    """
    subject = feature_controls.subject(fed)
    unit_controls.follow()
    cell = unit_controls.pinned(subject)
    try:
        with st.container(key="unit-bench"):
            with st.container(key="unit-view"):
                _view(subject, cell)
            with st.container(key="unit-facts"):
                _facts(subject)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
    inside = INSIDE_HEADS if subject.layer.layout == "heads" else INSIDE
    titles = {key: title for key, (title, _) in inside.items()}
    section = controls.choice("inside", "Behind it", titles, "the part", buttons=True)
    try:
        inside[section][1](subject, cell)
    except ExplorerError as error:
        st.warning(plain(str(error)), icon=":material/info:")


def title_of(subject: Subject) -> str:
    """The map's number among its layer's, and its name where it has one.

    "Map 17 of 0–95"; of a layer that gives single numbers "Number 17 of 0–999", of class scores "…: jay".
    """
    what = "Number" if subject.layer.grid == (1, 1) else "Map"
    if subject.layer.layout == "heads":
        what = "Head"
    names = cache.unit_names(subject.fed, subject.layer.key) if what == "Number" else ()
    name = f": {names[subject.unit]}" if names else ""
    return f"{what} {subject.unit} of 0–{subject.layer.channels - 1:,}{name}"


def _view(subject: Subject, cell: Pair | None) -> None:
    fed, crop = subject.fed, subject.fed.preprocessing.crop
    photo_id = sha256(repr(fed.identity).encode()).hexdigest()
    photo_store("fed photo", photo_id, cache.fed_file(fed))
    framed, look = unit_controls.framed(subject), unit_controls.look()
    unit_view(
        "unit view",
        title_of(subject),
        subject.maps.values[subject.unit],
        photo_id,
        (crop, crop),
        framed,
        _gradient(subject, cell, look, framed) if look.veil == "gradient" else None,
        cell,
        unit_controls.strongest_cell(subject),
        look,
        unit_controls.take_pin,
        unit_controls.take_look,
    )


def _gradient(subject: Subject, cell: Pair | None, look: Look, framed: Framed) -> Gradient:
    """The gradient that is asked for, and how it lies to the box."""
    of = cell if look.source == "cell" else None
    slopes = cache.pixel_gradient(subject.fed, subject.layer.key, subject.unit, of)
    what = "this cell" if of else "the map's mean"
    if not slopes.any():
        return Gradient(slopes, f"No pixel changes {what}: its gradient is zero everywhere.")
    note = f"How {what} would rise (red) or fall (blue) if a pixel grew lighter."
    if look.drawn == "strength":
        note = f"How much {what} depends on each pixel."
    note = f"{note} Full colour from the strongest hundredth on."
    if of and framed.field:
        box = framed.field.clipped(of, (slopes.shape[1], slopes.shape[2]))
        try:
            inside = effective(abs(slopes).sum(0), box).inside if box else 0.0
        except ShapeError:
            return Gradient(slopes, note)
        share = "All of it" if inside == 1 else f"{100 * inside:.2f} % of its strength"
        note = f"{note} {share} lies inside the frame."
    return Gradient(slopes, note)


def _facts(subject: Subject) -> None:
    """Statistics and histogram."""
    values = subject.maps.values[subject.unit]
    facts = unit_facts(subject.maps, subject.unit)
    figures = "".join(
        f'<div title="{escape(exact)}"><b>{escape(shown)}</b><span>{escape(name)}</span></div>'
        for name, shown, exact in _rows(facts)
    )
    st.html(f'<div class="figures small">{figures}</div>')
    if values.size > 1 and values.any():
        dark = st.context.theme.type == "dark"
        st.plotly_chart(
            map_histogram(values, float(abs(values).max()), dark),
            key="map histogram",
            theme=None,
            config={"displayModeBar": False},
        )


def _rows(facts: UnitFacts) -> list[tuple[str, str, str]]:
    """Name, number for reading, and the exact one."""
    if facts.cells == 1:
        found = [("value", _number(facts.mean), repr(facts.mean))]
    else:
        numbers = {
            "mean": facts.mean,
            "maximum": facts.maximum,
            "minimum": facts.minimum,
            "deviation": facts.deviation,
        }
        found = [(name, _number(number), repr(number)) for name, number in numbers.items()]
        for name, count in (("zeros", facts.zeros), ("negative", facts.negative)):
            found.append((name, percent(count / facts.cells), f"{count:,} of {facts.cells:,} cells"))
    if facts.maps > 1:
        found.append(("rank by mean", f"{facts.mean_rank:,} of {facts.maps:,}", "1 is the largest"))
    if facts.maps > 1 and facts.cells > 1:
        found.append(("by maximum", f"{facts.maximum_rank:,} of {facts.maps:,}", "1 is the largest"))
    return found


def _number(value: float) -> str:
    return typeset(value, ".4g")
