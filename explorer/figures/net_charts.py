"""Charts about a network: where its parameters, its work and its memory are, and how its maps shrink and deepen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from explorer.profiling import LayerProfile, NetworkProfile

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_BARS: Final = 48
"""Beyond, bars are too thin to be pointed at: layers are then taken together by the block they stand in."""

SHARES: Final = ("parameters", "macs", "bytes")
_WORDS: Final = {"parameters": "parameters", "macs": "MACs", "bytes": "bytes of maps"}
_HUES: Final = {
    True: {"parameters": "#e7a33e", "macs": "#4cc2f1", "bytes": "#b48ee0"},
    False: {"parameters": "#a35c00", "macs": "#0b6e99", "bytes": "#7a4bb0"},
}
_INK: Final = {True: ("#e8eff3", "#2b3840"), False: ("#16212a", "#d8e0e5")}
"""By darkness: words, grid."""


@dataclass(frozen=True)
class Bar:
    """Layers taken together.

    Attributes:
        path: of the layer, or of the block that they stand in.
        kind: of it.
        parameters, macs, bytes: of all of them together.
    """

    path: str
    kind: str
    parameters: int
    macs: int
    bytes: int


def along_depth(profile: NetworkProfile, most: int = MOST_BARS) -> tuple[Bar, ...]:
    """What each part of a network holds and does, in the order of execution.

    Layers and operations one by one where there are at most `most` that count; else by the deepest blocks that make
    `most` bars or fewer.  What has nothing of the three is left out; nothing is counted twice: the bars' sums are the
    network's.
    """
    leaves = [row for row in profile.rows if row.role != "container"]
    bars: tuple[Bar, ...] = ()
    for depth in range(max((row.depth for row in leaves), default=1), 0, -1):
        bars = _together(profile, leaves, depth)
        if len(bars) <= most:
            break
    return bars


def _together(profile: NetworkProfile, leaves: Sequence[LayerProfile], depth: int) -> tuple[Bar, ...]:
    kinds = {row.path: row.kind for row in profile.rows}
    found: dict[str, list[LayerProfile]] = {}
    for row in leaves:
        path = ".".join(row.path.split(".")[:depth])
        found.setdefault(path, []).append(row)
    bars = (
        Bar(path, kinds.get(path, ""), *(sum(getattr(row, share) for row in rows) for share in SHARES))
        for path, rows in found.items()
    )
    return tuple(bar for bar in bars if bar.parameters or bar.macs or bar.bytes)


def shares_chart(bars: Sequence[Bar], dark: bool) -> go.Figure:
    """Parameters, MACs and bytes of maps of each bar, as shares of their sums, on one axis of percent."""
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    figure = go.Figure()
    names = [bar.path for bar in bars]
    for share in SHARES:
        amounts = [getattr(bar, share) for bar in bars]
        total = sum(amounts) or 1
        figure.add_bar(
            x=names,
            y=[100 * amount / total for amount in amounts],
            customdata=[[f"{amount:,}", bar.kind] for amount, bar in zip(amounts, bars, strict=True)],
            name=_WORDS[share],
            marker={"color": _HUES[dark][share], "line": {"width": 0}},
            hovertemplate="<b>%{x}</b> %{customdata[1]}<br>%{customdata[0]} "
            + _WORDS[share]
            + ", %{y:.1f} %<extra></extra>",
        )
    _dress(figure, dark)
    figure.update_layout(barmode="group", bargap=0.15, bargroupgap=0)
    figure.update_yaxes(title="share of the network, %", rangemode="tozero")
    figure.update_xaxes(tickangle=-60 if len(bars) > 8 else 0, tickfont={"size": 11}, automargin=True)
    return figure


def maps_chart(profile: NetworkProfile, dark: bool) -> go.Figure:
    """Rows and channels of the maps along depth, on one axis of powers of two."""
    import plotly.graph_objects as go

    maps = [
        row for row in profile.rows if row.role != "container" and row.outputs and len(row.outputs[0]) == 3
    ]
    channels, rows = ([profile.input_shape[axis], *(row.outputs[0][axis] for row in maps)] for axis in (0, 1))
    names = ["input", *(row.path for row in maps)]
    figure = go.Figure()
    for name, values, hue in (("rows of a map", rows, "bytes"), ("channels", channels, "macs")):
        figure.add_scatter(
            x=list(range(len(names))),
            y=values,
            customdata=names,
            name=name,
            mode="lines",
            line={"shape": "hv", "width": 2.5, "color": _HUES[dark][hue]},
            hovertemplate="<b>%{customdata}</b><br>%{y:,} " + name + "<extra></extra>",
        )
    _dress(figure, dark)
    powers = [2**power for power in range(max([*channels, *rows]).bit_length() + 1)]
    figure.update_yaxes(type="log", tickvals=powers, ticktext=[f"{power:,}" for power in powers], title="")
    figure.update_xaxes(title="layers and operations, in order")
    return figure


def _dress(figure: go.Figure, dark: bool) -> None:
    ink, grid = _INK[dark]
    figure.update_layout(
        height=360,
        margin={"l": 56, "r": 16, "t": 36, "b": 60},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(gridcolor=grid, zeroline=False)
    figure.update_yaxes(gridcolor=grid, zeroline=False)
