"""Charts about a layer: what a separable convolution saves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from explorer.layer_costs import separable_saving

if TYPE_CHECKING:
    import plotly.graph_objects as go

FILTERS: Final = tuple(range(1, 17)) + tuple(round(16 * 2 ** (step / 4)) for step in range(1, 25))
"""Numbers of filters along the axis, 1 to 1,024."""
KERNELS: Final = (3, 5, 7)
_INK: Final = {
    True: ("#4cc2f1", "#e8eff3", "#a9b7c0", "#2b3840", "#0e1418"),
    False: ("#0b6e99", "#16212a", "#51626d", "#d8e0e5", "#ffffff"),
}
"""By darkness: "you are here", words, lines, grid, page."""


def saving_chart(kernel_size: tuple[int, ...], out_channels: int, dark: bool) -> go.Figure:
    """How many times fewer MACs a separable convolution has, over the filters, a line for each kernel.

    1 / (1/K² + 1/Cout); the layer itself, with K weights along each axis and `out_channels` filters, is a point on
    a line of its own.
    """
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    here, ink, line, grid, page = _INK[dark]
    figure = go.Figure()
    for sizes in dict.fromkeys([*((kernel,) * len(kernel_size) for kernel in KERNELS), kernel_size]):
        name, own = _by(sizes), sizes == kernel_size
        saved = [separable_saving(sizes, filters) for filters in FILTERS]
        figure.add_scatter(
            x=FILTERS,
            y=saved,
            name=name,
            mode="lines",
            line={"color": here if own else line, "width": 3 if own else 1.5},
            hovertemplate=f"{name}, %{{x:,}} filters<br>%{{y:.2f}} times fewer<extra></extra>",
        )
        figure.add_annotation(
            x=math.log10(FILTERS[-1]), y=saved[-1], text=name, showarrow=False, xanchor="left", xshift=5
        )
    saved_here = separable_saving(kernel_size, out_channels)
    figure.add_scatter(
        x=[out_channels],
        y=[saved_here],
        name="this layer",
        mode="markers",
        marker={"color": here, "size": 11},
        hovertemplate=f"{_by(kernel_size)}, %{{x:,}} filters<br>%{{y:.2f}} times fewer<extra></extra>",
    )
    figure.add_annotation(
        x=math.log10(out_channels),
        y=saved_here,
        text=f"this layer: {saved_here:.3g}",
        showarrow=False,
        yshift=18,
        xanchor="right" if out_channels > 30 else "left",
        bgcolor=page,
        font={"color": here},
    )
    figure.update_layout(
        height=280,
        margin={"l": 50, "r": 60, "t": 14, "b": 44},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
    )
    figure.update_xaxes(
        type="log",
        title="filters, Cout",
        gridcolor=grid,
        tickvals=[1, 4, 16, 64, 256, 1024],
        range=[-0.05, 3.03],  # 1 stands clear of the other axis's 0
    )
    figure.update_yaxes(title="times fewer MACs", gridcolor=grid, rangemode="tozero", zeroline=False)
    return figure


def _by(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))
