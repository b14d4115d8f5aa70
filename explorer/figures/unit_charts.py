"""A histogram of one map's values, in the colours that its cells have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from explorer.figures.signed import SIGNED, entries

if TYPE_CHECKING:
    import plotly.graph_objects as go

BINS: Final = 41
_INK: Final = {True: ("#e8eff3", "#a9b7c0", "#2b3840"), False: ("#16212a", "#51626d", "#d8e0e5")}
"""By darkness: words, outlines, grid."""


def bins_of(values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and edges of `BINS` equal bins from the least to the largest value; one bin where all are equal.

    Zero is the middle of a bin where it lies inside, so that dead cells stand in a bar of their own.

    >>> counts, edges = bins_of(np.array([[0, 0, 0, 4.0]], np.float32))
    >>> int(counts[0]), int(counts.sum()), bool(edges[0] < 0 < edges[1])
    (3, 4, True)
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([values.size]), np.array([low - 0.5, low + 0.5])
    width = (high - low) / BINS
    first = np.floor(low / width + 0.5) - 0.5
    last = np.ceil(high / width - 0.5) + 0.5
    edges = width * np.arange(first, last + 0.75)
    counts, _ = np.histogram(values.astype(np.float64), edges)
    return counts, edges


def map_histogram(values: NDArray[np.float32], peak: float, dark: bool) -> go.Figure:
    """How many cells of a map (h, w) have which value; bars in the cells' own colours, heights logarithmic.

    Args:
        peak: the strength that has the ends of the colours.
    """
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    ink, outline, grid = _INK[dark]
    counts, edges = bins_of(values)
    middles = (edges[:-1] + edges[1:]) / 2
    colours = SIGNED["activations"].table()[entries(middles[None], peak)[0]]
    figure = go.Figure()
    figure.add_bar(
        x=middles,
        y=counts,
        width=np.diff(edges),
        customdata=np.stack([edges[:-1], edges[1:], 100 * counts / values.size], -1),
        marker={
            "color": [f"rgb({red},{green},{blue})" for red, green, blue in colours.tolist()],
            "line": {"color": outline, "width": 0.6},
        },
        hovertemplate="%{customdata[0]:.4g} to %{customdata[1]:.4g}<br>%{y:,} cells, "
        "%{customdata[2]:.1f} %<extra></extra>",
    )
    figure.update_layout(
        height=190,
        margin={"l": 44, "r": 8, "t": 8, "b": 36},
        bargap=0,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 12},
        showlegend=False,
    )
    figure.update_xaxes(title="value", gridcolor=grid, zeroline=True, zerolinecolor=outline)
    most = int(counts.max())
    ticks = [10**power for power in range(len(str(most)))]
    figure.update_yaxes(
        title="cells", type="log", gridcolor=grid, range=[-0.3, np.log10(most) + 0.15], tickvals=ticks
    )
    return figure
