"""Charts of memory and time: what memory is made of at three moments, and which layers take the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from explorer.quantities import si

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from explorer.memory import Part
    from explorer.timing import LayerTime

WORDS: Final[Mapping[Part, str]] = {
    "weights": "weights",
    "gradients": "their gradients",
    "optimiser": "optimiser's state",
    "activations": "picture and activations",
    "rest": "made on the way, and gone again",
}
_HUES: Final[Mapping[bool, Mapping[Part, str]]] = {
    True: {
        "weights": "#e7a33e",
        "gradients": "#57b894",
        "optimiser": "#4cc2f1",
        "activations": "#b48ee0",
        "rest": "#8796a0",
    },
    False: {
        "weights": "#a35c00",
        "gradients": "#1f7a57",
        "optimiser": "#0b6e99",
        "activations": "#7a4bb0",
        "rest": "#63737d",
    },
}
_INK: Final = {True: ("#e8eff3", "#2b3840", "#0e1418"), False: ("#16212a", "#d8e0e5", "#ffffff")}
"""By darkness: words, grid, words on a bar."""


def memory_chart(stages: Mapping[str, Mapping[Part, int]], dark: bool) -> go.Figure:
    """Bytes at each moment as one bar, its parts side by side."""
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    figure = go.Figure()
    names = list(stages)
    most = max((sum(parts.values()) for parts in stages.values()), default=0)
    unit, letter = next(
        ((size, f"{letter}B") for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if most >= size),
        (1, "B"),
    )
    for part, words in WORDS.items():
        sizes = [stages[name].get(part, 0) for name in names]
        if not any(sizes):
            continue
        figure.add_bar(
            y=names,
            x=[size / unit for size in sizes],
            orientation="h",
            name=words,
            text=[si(size, "B") if size > 0.07 * most else "" for size in sizes],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": _INK[dark][2], "size": 12},
            constraintext="inside",
            customdata=[f"{size:,}" for size in sizes],
            marker={"color": _HUES[dark][part], "line": {"width": 1, "color": _INK[dark][2]}},
            hovertemplate="%{y}: <b>" + words + "</b><br>%{customdata} bytes<extra></extra>",
        )
    for name in names:
        total = sum(stages[name].values())
        figure.add_annotation(
            x=total / unit, y=name, text=f"<b>{si(total, 'B')}</b>", showarrow=False, xanchor="left", xshift=6
        )
    _dress(figure, dark, 120 + 52 * len(names))
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(title=letter, range=[0, 1.16 * most / unit])
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return figure


def time_chart(layers: Sequence[LayerTime], dark: bool) -> go.Figure:
    """Milliseconds of each layer, the first on top."""
    import plotly.graph_objects as go

    total = sum(layer.seconds for layer in layers) or 1.0
    names = [layer.path or layer.kind for layer in layers]
    figure = go.Figure(
        go.Bar(
            y=names,
            x=[1000 * layer.seconds for layer in layers],
            orientation="h",
            text=[f" {100 * layer.seconds / total:.1f} %" for layer in layers],
            textposition="outside",
            cliponaxis=False,
            customdata=[layer.kind for layer in layers],
            marker={"color": _HUES[dark]["optimiser"]},
            hovertemplate="<b>%{y}</b> %{customdata}<br>%{x:.3f} ms, %{text} of the forward<extra></extra>",
        )
    )
    _dress(figure, dark, 60 + 26 * len(layers))
    figure.update_layout(showlegend=False, bargap=0.25, margin={"t": 8})
    figure.update_xaxes(title="milliseconds for one picture", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return figure


def _dress(figure: go.Figure, dark: bool, height: int) -> None:
    ink, grid, _ = _INK[dark]
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 46, "t": 40, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )
    figure.update_xaxes(gridcolor=grid, zeroline=False)
    figure.update_yaxes(gridcolor=grid, zeroline=False)
