"""One picture all the way down: from pixels through every station of the network to its answers."""

from __future__ import annotations

from itertools import groupby
from typing import Final

import numpy as np
import streamlit as st

from explorer.field_tracing import Field
from explorer.figures.wall import reduced
from explorer.journey import Station, Stop, macs_until, seen
from explorer.models import NetworkInput
from explorer.quantities import si
from explorer.receptive_field import ReceptiveField
from explorer.ui import cache, feature_controls
from explorer.ui.components.journey import Frame, Rectangle
from explorer.ui.components.journey import journey as film
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import percent

ANSWERS: Final = 5
WHOLE: Final[Rectangle] = (0.0, 0.0, 1.0, 1.0)


def journey(subject: Subject) -> None:
    """The film of the stations, and what it shows."""
    fed = subject.fed
    found = cache.travelled(fed)
    if not found.stops:
        st.info("At no station of this network are the values numbers: there is nothing to show.")
        return
    st.markdown(
        "**One picture all the way down.** At each station the map that is most like the mean of all, on its own "
        "scale; its strongest cell is framed, and so is what that cell sees."
    )
    frames = [_start(fed), *_stations(fed)]
    film("journey", frames, fed.photo.digest, fed.box, subject.layer.key, feature_controls.take_layer)
    st.caption(
        "A station is the last layer of each shape along the network's trunk. Press one to look at all its maps above."
    )


def _start(fed: NetworkInput) -> Frame:
    ready = fed.card.preprocessing
    side, channels = ready.crop, ready.channels
    colours = "red, green and blue" if channels == 3 else "grey"
    story = [f"The picture as the network is fed it: {colours}, {channels * side * side:,} numbers."]
    return Frame(
        "", "Pixels", f"{channels} × {side} × {side}", f"{side}×{side}", story, caption="The picture."
    )


def _stations(fed: NetworkInput) -> list[Frame]:
    found, table = cache.travelled(fed), cache.model_table(fed.card.key)
    frames: list[Frame] = []
    done, before = 0, fed.card.preprocessing.channels * fed.card.preprocessing.crop**2
    for place, stop in enumerate(found.stops):
        layer = stop.layer
        until = macs_until(table, layer)
        count = layer.channels * layer.grid[0] * layer.grid[1]
        story = [f"Through {passed(stop.station)}.", _change(before, count)]
        if until is not None:
            part = until / table.macs if table.macs else 0
            story.append(
                f"{si(until - done)} multiply-adds since the station before; {si(until)} so far, {percent(part)} "
                "of all."
            )
            done = until
        field = seen(table, layer)
        if layer.grid != (1, 1):
            story.append(_sight(field, fed.card.preprocessing.crop))
        story.append(f"{percent(stop.zeros)} of its numbers are zero; the strongest is {stop.peak:.3g}.")
        last = place == len(found.stops) - 1
        frames.append(
            Frame(
                layer.key,
                layer.key,
                shape(stop),
                f"{layer.channels:,}" if layer.grid == (1, 1) else f"{layer.grid[0]}×{layer.grid[1]}",
                story,
                caption=_caption(stop),
                values=reduced(stop.values),
                cell=_cell(stop),
                sees=_seen_part(stop, field, fed.card.preprocessing.crop),
                answers=_answers(fed) if last else (),
            )
        )
        before = count
    return frames


def passed(station: Station) -> str:
    """What the picture passed since the station before, in words.

    >>> from explorer.activations import Layer
    >>> layer = Layer("c", 1, 1, "ReLU", 8, (4, 4), "maps")
    >>> passed(Station(layer, ("Block", "Block", "Conv2d", "ReLU")))
    '2 × Block, Conv2d, ReLU'
    """
    runs = [(kind, len(list(group))) for kind, group in groupby(station.passed)]
    return ", ".join(kind if times == 1 else f"{times} × {kind}" for kind, times in runs)


def shape(stop: Stop) -> str:
    """What a station holds."""
    rows, columns = stop.layer.grid
    if stop.layer.grid == (1, 1):
        return f"{stop.layer.channels:,} numbers"
    return f"{stop.layer.channels:,} × {rows} × {columns}"


def _change(before: int, now: int) -> str:
    if now == before:
        return f"{now:,} numbers, as many as before."
    ratio = max(now, before) / min(now, before)
    return f"{now:,} numbers, {ratio:.3g} times {'more' if now > before else 'fewer'} than before."


def _sight(field: Field | None, side: int) -> str:
    if field is None:
        return "What a cell sees is not known behind this kind of layer."
    if not isinstance(field, ReceptiveField) or field.everything:
        return "A cell sees the whole picture."
    high, wide = field.size
    beyond = ", more than the picture has" if min(high, wide) > side else ""
    return f"A cell sees {high:,} × {wide:,} pixels{beyond}."


def _caption(stop: Stop) -> str:
    if stop.layer.grid == (1, 1):
        return f"All {stop.layer.channels:,} numbers in rows, on one scale."
    return f"Map {stop.number} of 0–{stop.layer.channels - 1:,}."


def _strongest(stop: Stop) -> tuple[int, int] | None:
    if stop.layer.grid == (1, 1) or not stop.values.any():
        return None
    row, column = np.unravel_index(int(np.abs(stop.values).argmax()), stop.values.shape)
    return int(row), int(column)


def _cell(stop: Stop) -> Rectangle | None:
    cell = _strongest(stop)
    if cell is None:
        return None
    rows, columns = stop.layer.grid
    return cell[1] / columns, cell[0] / rows, 1 / columns, 1 / rows


def _seen_part(stop: Stop, field: Field | None, side: int) -> Rectangle | None:
    """What the strongest cell sees, as a part of the picture; of numbers without places the whole."""
    cell = _strongest(stop)
    if stop.layer.grid == (1, 1):
        return WHOLE
    if cell is None or field is None:
        return None
    if not isinstance(field, ReceptiveField) or field.everything:
        return WHOLE
    inside = field.of_map(stop.number).clipped(cell, (side, side))
    if inside is None:
        return None
    (top, bottom), (left, right) = inside
    return left / side, top / side, (right - left + 1) / side, (bottom - top + 1) / side


def _answers(fed: NetworkInput) -> list[tuple[str, float]]:
    probabilities = cache.travelled(fed).probabilities
    if not np.isfinite(probabilities).all():
        return []
    best = np.argsort(-probabilities, kind="stable")[:ANSWERS]
    return [(fed.card.labels[index], float(probabilities[index])) for index in best]
