"""How well networks classify, against what they cost: a scatter of torchvision's own figures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Literal

from explorer.networks.classics import Score

if TYPE_CHECKING:
    import plotly.graph_objects as go

Cost = Literal["parameters", "gmacs"]
_TITLES: Final = {"parameters": "parameters, millions", "gmacs": "MACs for one picture, 10⁹"}
_INK: Final = {
    True: ("#4cc2f1", "#e8eff3", "#8fa1ad", "#2b3840"),
    False: ("#0b6e99", "#16212a", "#7b8b95", "#d8e0e5"),
}
"""By darkness: "you are here", words, the others, grid."""


def score_chart(scores: Sequence[Score], cost: Cost, marked: Collection[str], dark: bool) -> go.Figure:
    """Top-1 against a cost on a logarithmic axis, one point for each set of weights; marked networks stand out.

    Args:
        marked: keys of the networks that are compared.
    """
    import plotly.graph_objects as go  # a quarter of a second: when the first chart is drawn

    here, ink, others, grid = _INK[dark]
    figure = go.Figure()
    known = [score for score in scores if score.top1 is not None]
    for chosen in (False, True):
        shown = [score for score in known if (score.key in marked) is chosen]
        best = [chosen and score.best for score in shown]
        figure.add_scatter(
            x=[_amount(score, cost) for score in shown],
            y=[score.top1 for score in shown],
            customdata=[[score.title, score.weights, score.side] for score in shown],
            text=[score.title if named else "" for score, named in zip(shown, best, strict=True)],
            textposition="top center",
            textfont={"color": here},
            mode="markers+text" if chosen else "markers",
            marker={
                "color": here if chosen else others,
                "size": 13 if chosen else 7,
                "symbol": "diamond" if chosen else "circle",
                "opacity": 1 if chosen else 0.75,
            },
            name="compared here" if chosen else "other weights of torchvision",
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}, %{customdata[2]} pixels<br>"
            "top-1 %{y:.2f} %, %{x:,.4g} "
            + ("M parameters" if cost == "parameters" else "G MACs")
            + "<extra></extra>",
        )
    figure.update_layout(
        height=380,
        margin={"l": 56, "r": 16, "t": 36, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink, "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(type="log", title=_TITLES[cost], gridcolor=grid, zeroline=False, dtick="D2")
    figure.update_yaxes(title="top-1 on ImageNet, %", gridcolor=grid, zeroline=False)
    return figure


def _amount(score: Score, cost: Cost) -> float:
    return score.parameters / 1e6 if cost == "parameters" else score.gmacs
