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
_LINES: Final = ("solid", "dash", "dot")
_INK: Final = {
    True: ("#4cc2f1", "#e8eff3", "#a9b7c0", "#2b3840"),
    False: ("#0b6e99", "#16212a", "#51626d", "#d8e0e5"),
}
"""By darkness: "you are here", words, lines, grid."""


def saving_chart(kernel_size: tuple[int, ...], out_channels: int, dark: bool) -> go.Figure:
    """How many times fewer MACs a separable convolution has, over the filters, a line for each kernel.

    1 / (1/K² + 1/Cout); the layer itself, with K weights along each axis and `out_channels` filters, is a point.
    """
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    here, ink, line, grid = _INK[dark]
    axes = len(kernel_size)
    figure = go.Figure()
    for kernel, dash in zip(KERNELS, _LINES, strict=True):
        name = "×".join([str(kernel)] * axes)
        saved = [separable_saving((kernel,) * axes, filters) for filters in FILTERS]
        figure.add_scatter(
            x=FILTERS,
            y=saved,
            name=name,
            mode="lines",
            line={"color": line, "width": 2, "dash": dash},
            hovertemplate=f"{name}, %{{x:,}} filters<br>%{{y:.2f}} times fewer<extra></extra>",
        )
        figure.add_annotation(
            x=math.log10(FILTERS[-1]), y=saved[-1], text=name, showarrow=False, xanchor="left", xshift=5
        )
    saved_here = separable_saving(kernel_size, out_channels)
    name = "×".join(map(str, kernel_size))
    figure.add_scatter(
        x=[out_channels],
        y=[saved_here],
        name="this layer",
        mode="markers+text",
        text=[f"this layer: {saved_here:.3g}"],
        textposition="top left" if out_channels > 30 else "top right",
        marker={"color": here, "size": 11},
        textfont={"color": here},
        hovertemplate=f"{name}, %{{x:,}} filters<br>%{{y:.2f}} times fewer<extra></extra>",
    )
    figure.update_layout(
        height=280,
        margin={"l": 50, "r": 60, "t": 14, "b": 44},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
    )
    figure.update_xaxes(type="log", title="filters, Cout", gridcolor=grid, tickvals=[1, 4, 16, 64, 256, 1024])
    figure.update_yaxes(title="times fewer MACs", gridcolor=grid, rangemode="tozero", zeroline=False)
    return figure
