"""Two or three networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st

from explorer.comparison import aligned
from explorer.figures.score_chart import score_chart
from explorer.networks.classics import CLASSICS, scores
from explorer.networks.source import Network, Source
from explorer.profiling import NetworkProfile
from explorer.quantities import si
from explorer.ui import cache, link
from explorer.ui.components.picker import picker

BESIDE: Final = "vgg16"
MOST: Final = 2
"""Networks beside the page's own."""

_TOTALS: Final = (
    ("parameters", "Parameters"),
    ("macs", "MACs for one picture"),
    ("activations", "Activations"),
    ("weight_bytes", "Bytes of weights"),
)


def compare(network: Network, found: NetworkProfile) -> None:
    """Totals and, size by size of the maps, what each does; and how well torchvision's weights classify."""
    keys = _chosen()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for place in range(len(keys) + (len(keys) < MOST)):
            _pick(keys, place)
    others = [cache.network(Source("classic", key), None) for key in keys]
    tables = [found, *(cache.table(other.source, other.input_shape) for other in others)]
    titles = [network.title, *(other.title for other in others)]
    st.html(_totals(titles, tables))
    st.markdown("**By the size of the maps**: what gives maps of this size, put together")
    st.html(_sizes(titles, tables))
    marked = {*keys, network.classic.key if network.classic else ""}
    st.markdown("**Accuracy against cost**: every set of weights that torchvision has")
    dark = st.context.theme.type == "dark"
    left, right = st.columns(2)
    for column, cost in ((left, "parameters"), (right, "gmacs")):
        column.plotly_chart(
            score_chart(scores(), cost, marked, dark),  # type: ignore[arg-type]
            key=f"scores against {cost}",
            theme=None,
            config={"displayModeBar": False},
        )
    st.caption("As torchvision states them; each at the size of picture that its weights were measured with.")


def _chosen() -> list[str]:
    text = link.read("beside", BESIDE)
    return [key for key in dict.fromkeys(text.split("_and_")) if key in CLASSICS][:MOST]


def _pick(keys: Sequence[str], place: int) -> None:
    def take(key: str) -> None:
        now = [*keys]
        now[place : place + 1] = [key]
        link.choose("beside", "_and_".join(dict.fromkeys(now)))

    picker(
        f"compare picker {place}",
        "Beside it" if place == 0 else "And",
        "networks",
        cache.classic_options(),
        keys[place] if place < len(keys) else "",
        take,
    )


def _totals(titles: Sequence[str], tables: Sequence[NetworkProfile]) -> str:
    rows = [("Input", [" × ".join(map(str, table.input_shape)) for table in tables])]
    for name, words in _TOTALS:
        rows.append((words, [_amount(getattr(table, name), getattr(tables[0], name)) for table in tables]))
    rows.append(
        (
            "Convolutions and dense layers",
            [str(sum(row.macs > 0 and row.parameters > 0 for row in table.leaves)) for table in tables],
        )
    )
    return _table("Totals", ["", *titles], rows)


def _amount(number: int, first: int) -> str:
    ratio = f" <small>× {number / first:.3g}</small>" if first and number != first else ""
    return f'<span title="{number:,}">{si(number)}</span>{ratio}'


def _sizes(titles: Sequence[str], tables: Sequence[NetworkProfile]) -> str:
    rows = []
    for size, shares in aligned(tables):
        cells = []
        for share in shares:
            if share is None:
                cells += ["–", "–"]
            else:
                cells += [
                    f'<span title="{number:,}">{si(number)}</span>'
                    for number in (share.parameters, share.macs)
                ]
        rows.append((size, cells))
    return _table("By the size of the maps", ["rows × columns", *titles], rows, ("parameters", "MACs"))


def _table(
    label: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], below: Sequence[str] = ()
) -> str:
    """A table with a name; with words `below` the heads but the first, each of those stands over so many columns."""
    first, *others = (escape(words) for words in head)
    if below:
        over = "".join(f'<th scope="colgroup" colspan="{len(below)}">{words}</th>' for words in others)
        under = "".join(f'<th scope="col">{escape(words)}</th>' for words in below) * len(others)
        top = f'<tr><th scope="col" rowspan="2">{first}</th>{over}</tr><tr>{under}</tr>'
        groups = "<col>" + f'<colgroup span="{len(below)}"></colgroup>' * len(others)
    else:
        cells = "".join(f'<th scope="col">{words}</th>' for words in (first, *others))
        top, groups = f"<tr>{cells}</tr>", ""
    body = "".join(
        f'<tr><th scope="row">{escape(words)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for words, cells in rows
    )
    table = f"<table>{groups}<thead>{top}</thead><tbody>{body}</tbody></table>"
    return f'<div class="plain-table" tabindex="0" role="region" aria-label="{label}">{table}</div>'
