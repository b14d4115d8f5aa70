"""Filters as tiles: colour pictures, signed slices, all that one reads at a glance; their weights' histogram."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from explorer.errors import LayerError
from explorer.figures.kernel_plots import LINE, kernel_picture
from explorer.figures.signed import SIGNED, Bytes, enlarged, entries, signed_picture
from explorer.filters import FilterBank, checked, strongest_slices

if TYPE_CHECKING:
    import plotly.graph_objects as go

Weights = npt.NDArray[np.floating]

GLANCE: Final = 9
"""Slices of a filter that its tile shows, the strongest, three by three."""

GREY: Final = 128
"""The grey of zero in a colour picture."""

_GAP: Final = 22
"""Between slices one part in so many of a tile is ground: cells of their neighbours do not seem to be theirs."""

_BINS: Final = 61
"""An odd number: zero stands in the middle of one."""
_INK: Final = {True: ("#e8eff3", "#2b3840", "#4cc2f1"), False: ("#16212a", "#d8e0e5", "#0b6e99")}
"""By darkness: words, grid, "you are here"."""


def colour_tile(weights: Weights, side: int = 128, peak: float | None = None) -> Bytes:
    """A filter (3, h, w) that reads red, green and blue, as the colour picture that papers show.

    Red, green and blue are 0.5 + w / (2 peak), so that grey 128 is zero, and a grey filter is grey.

    Args:
        weights: of the filter.
        side: pixels that the tile may take; cells are whole pixels, so it takes a little less.
        peak: the |weight| that gets the ends of the scale, to compare filters; None for the filter's own.

    Returns:
        uint8 (s, s, 3); what is not square lies in the middle of a ground that is no weight's colour.

    Raises:
        LayerError: another form.
        ExplorerError: weights that are infinite or no numbers.

    >>> colour_tile(np.array([[[1.0]], [[0.0]], [[-1.0]]]), side=1).tolist()
    [[[255, 128, 0]]]

    Source: Krizhevsky et al. 2012, figure 3.
    """
    if weights.ndim != 3 or len(weights) != 3 or not weights.size:
        raise LayerError(f"A colour filter has the form 3 × rows × columns, not {weights.shape}.")
    # the entries' 0, 127 and 254 are -peak, zero and peak
    mixed = np.rint(entries(weights, peak) * (255 / 254)).astype(np.uint8)
    return _squared(enlarged(mixed.transpose(1, 2, 0), side))


def slice_tile(weights: Weights, side: int = 128, peak: float | None = None) -> Bytes:
    """One slice (h, w) in signed colours, brown below zero, teal above; white is zero."""
    return kernel_picture(weights[None], side, peak)


def filter_tile(bank: FilterBank, number: int, side: int = 128, peak: float | None = None) -> Bytes:
    """A whole filter at a glance, uint8 (s, s, 3).

    Of one that reads colours the colour picture; of one with a single slice that; of 1×1 filters all weights, a cell
    for each channel they read, row by row; of others the `GLANCE` strongest slices, the strongest first.

    Raises:
        LayerError: there is no such filter.
    """
    weights = bank.weights[checked(bank, number)]
    if bank.colours:
        return colour_tile(weights, side, peak)
    if bank.slices == 1:
        return slice_tile(weights[0], side, peak)
    peak = _own(weights) if peak is None else peak
    if bank.size == (1, 1):
        return _cells(weights.ravel(), side, peak)
    return _glance(weights[strongest_slices(bank, number)[:GLANCE]], side, peak)


def _own(weights: Weights) -> float:
    return float(np.abs(weights).max())


def _cells(values: Weights, side: int, peak: float) -> Bytes:
    """Numbers as cells, row by row, in a grid that is nearly square; what is left over is ground."""
    columns = math.ceil(math.sqrt(values.size))
    grid = np.full((columns * columns, 3), LINE, np.uint8)
    grid[: values.size] = signed_picture(values[None], peak, "weights")[0]
    return _framed(enlarged(grid.reshape(columns, columns, 3), max(side - 2, 1)))


def _glance(slices: Weights, side: int, peak: float) -> Bytes:
    """Slices three by three (two by two where there are no more), ground between them."""
    across = math.ceil(math.sqrt(len(slices)))
    gap = max(side // _GAP, 1)
    room = max((side - 2 - gap * (across - 1)) // across, 1)
    tiles = [_squared(enlarged(signed_picture(one, peak, "weights"), room)) for one in slices]
    long = len(tiles[0])
    step, width = long + gap, long * across + gap * (across - 1)
    picture = np.full((width, width, 3), LINE, np.uint8)
    for place, tile in enumerate(tiles):
        row, column = (step * part for part in divmod(place, across))
        picture[row : row + long, column : column + long] = tile
    return _framed(picture)


def _framed(picture: Bytes) -> Bytes:
    """With a line about it: white cells end somewhere on a white page."""
    framed = np.full((picture.shape[0] + 2, picture.shape[1] + 2, 3), LINE, np.uint8)
    framed[1:-1, 1:-1] = picture
    return framed


def _squared(picture: Bytes) -> Bytes:
    """The picture in the middle of a square as wide as its long side."""
    height, width = picture.shape[:2]
    long = max(height, width)
    top, left = (long - height) // 2, (long - width) // 2
    square = np.full((long, long, 3), LINE, np.uint8)
    square[top : top + height, left : left + width] = picture
    return square


def weights_histogram(bank: FilterBank, number: int | None, dark: bool) -> go.Figure:
    """How a layer's weights are spread: bars in the colours of the weights, a line for one filter.

    Both are shares of their own weights, in per cent, over `_BINS` bins between ± the strongest weight.

    Raises:
        LayerError: there is no such filter.
    """
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    ink, grid, here = _INK[dark]
    peak = _own(bank.weights) or 1.0
    edges = np.linspace(-peak, peak, _BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    counts, shares = _spread(bank.weights, edges)
    table = SIGNED["weights"].table()
    # the palest colours would be lost on the page: bars begin at a third of the scale
    strength = np.sign(middles) * (peak / 3 + np.abs(middles) * (2 / 3))
    strength[_BINS // 2] = 0
    colours = ["rgb({},{},{})".format(*table[entry]) for entry in entries(strength, peak)]
    colours[_BINS // 2] = "#8a979f"
    figure = go.Figure()
    figure.add_bar(
        x=middles,
        y=shares,
        width=edges[1] - edges[0],
        customdata=np.stack([counts, edges[:-1], edges[1:]], axis=-1),
        marker={"color": colours, "line": {"width": 0}},
        name="all filters",
        showlegend=False,
        hovertemplate="%{customdata[1]:.4g} to %{customdata[2]:.4g}<br>%{customdata[0]:,} weights, %{y:.2f} %"
        "<extra></extra>",
    )
    if number is not None:
        own, line = _spread(bank.weights[checked(bank, number)], edges)
        figure.add_scatter(
            x=middles,
            y=line,
            customdata=own,
            name=f"filter {number} alone",
            showlegend=True,
            mode="lines",
            line={"shape": "hvh", "width": 2, "color": here},
            hovertemplate=f"filter {number}<br>%{{customdata:,}} weights, %{{y:.2f}} %<extra></extra>",
        )
    figure.update_layout(
        height=280,
        margin={"l": 56, "r": 16, "t": 30, "b": 44},
        bargap=0,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title="weight", gridcolor=grid, zeroline=True, zerolinecolor=ink, zerolinewidth=1)
    figure.update_yaxes(title="share of the weights, %", gridcolor=grid, rangemode="tozero", zeroline=False)
    return figure


def _spread(weights: Weights, edges: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], Weights]:
    counts = np.histogram(weights, edges)[0]
    return counts, 100 * counts / weights.size
