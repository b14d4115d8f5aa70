"""How a network's layers answer a motion of the picture: two curves along depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from explorer.moving import Moved

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CURVES: Final = (
    ("move along (equivariance)", "equivariance", "solid", {True: "#4cc2f1", False: "#0b6e99"}),
    ("stay as they were (invariance)", "invariance", "dot", {True: "#e7a33e", False: "#a35c00"}),
)
_INK: Final = {True: ("#e8eff3", "#2b3840"), False: ("#16212a", "#d8e0e5")}
"""By darkness: words, grid."""


def moving_chart(answers: Sequence[Moved], chosen: str, dark: bool) -> go.Figure:
    """Both correlations of each layer, in order; the layer whose key is `chosen` is marked."""
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    ink, grid = _INK[dark]
    names = [answer.layer.key for answer in answers]
    shapes = [f"{answer.layer.grid[0]} × {answer.layer.grid[1]}" for answer in answers]
    figure = go.Figure()
    for words, field, dash, hue in _CURVES:
        figure.add_scatter(
            x=names,
            y=[getattr(answer, field) for answer in answers],
            customdata=shapes,
            name=words,
            mode="lines+markers",
            line={"color": hue[dark], "width": 2.5, "dash": dash},
            marker={"size": [13 if name == chosen else 6 for name in names]},
            hovertemplate="<b>%{x}</b>, %{customdata} cells<br>%{y:.3f} " + words + "<extra></extra>",
        )
    figure.update_layout(
        height=360,
        margin={"l": 56, "r": 16, "t": 36, "b": 60},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x",
    )
    lowest = min(
        [0.0, *(value for a in answers for value in (a.equivariance, a.invariance) if value is not None)]
    )
    figure.update_yaxes(title="correlation", range=[lowest - 0.03, 1.03], gridcolor=grid, zeroline=False)
    figure.update_xaxes(
        tickangle=-60 if len(names) > 8 else 0, tickfont={"size": 11}, automargin=True, gridcolor=grid
    )
    return figure
