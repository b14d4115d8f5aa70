"""The chosen filter: large, slice by slice, in numbers, and on its way to the page of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from explorer.errors import KernelError
from explorer.figures.filter_tiles import colour_tile, filter_tile, slice_tile
from explorer.figures.pictures import png
from explorer.filters import Dead, Duplicates, strongest_slices
from explorer.images import plain
from explorer.kernels import MAX_SIDE, MAX_TEXT, Kernel, learned_kernels
from explorer.ui import frame
from explorer.ui.feature_panels import filter_words as words
from explorer.ui.feature_panels.filter_view import Shown, channel_of, position_of
from explorer.ui.kernel_panels.pictures import Figure, figures


def chosen_filter(shown: Shown, number: int, dead: Sequence[Dead], twins: Duplicates) -> None:
    """The chosen filter: large, its slices, its numbers, what is wrong with it, and the way to /kernels."""
    bank = shown.bank
    st.markdown(f"**Filter {number}**")
    figures(_pictures(shown, number))
    for sentence in words.troubles(shown.stored, number, dead, twins):
        st.markdown(f":material/flag: {sentence}")
    st.html(_table(words.facts(shown, number)))
    _open_in_kernels(shown, number)
    if bank.colours or bank.slices == 1:
        return
    channel = channel_of(shown)
    read = position_of(bank, number, channel) is not None
    st.caption(
        f"Its slices stand below; that of channel {channel} is chosen."
        if read
        else f"It does not read channel {channel}, which is chosen."
    )


def _pictures(shown: Shown, number: int) -> list[Figure]:
    bank = shown.bank
    weights = bank.weights[number]
    peak = float(np.abs(weights).max()) if shown.peak is None else shown.peak
    spoken = f"Filter {number} of {bank.layer}"
    if bank.colours:
        whole = Figure(png(colour_tile(weights, 360, peak)), "In colour", "", f"{spoken}, in colour", 180)
        parts = [
            Figure(
                png(slice_tile(weights[index], 200, peak)),
                name,
                f"{words.brief(weights[index].min())} to {words.brief(weights[index].max())}",
                f"{spoken}, the weights of {name.lower()}",
                96,
            )
            for index, name in enumerate(("Red", "Green", "Blue"))
        ]
        return [whole, *parts]
    picture = Figure(
        png(filter_tile(bank, number, 360, peak)),
        "At a glance" if bank.slices > 1 else "",
        f"±{words.brief(peak)}",
        spoken,
        180,
    )
    if bank.slices == 1:
        return [picture]
    channel = channel_of(shown)
    position = position_of(bank, number, channel)
    if position is None:
        return [picture]
    said = f"norm {words.brief(bank.slice_norms[number, position])}"
    one = Figure(
        png(slice_tile(weights[position], 240, peak)),
        f"Channel {channel}",
        said if bank.size != (1, 1) else f"weight {words.brief(weights[position].item())}",
        f"{spoken}, the slice that reads channel {channel}",
        120,
    )
    return [picture, one]


def _table(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts
    )
    return f'<div class="plain-table"><table>{rows}</table></div>'


def _open_in_kernels(shown: Shown, number: int) -> None:
    """The way to the page that draws with kernels, where the filter fits."""
    bank = shown.bank
    rows, columns = bank.size
    if max(rows, columns) > MAX_SIDE:
        st.caption(f"At {rows} × {columns} it is larger than “Draw a kernel” takes, {MAX_SIDE} × {MAX_SIDE}.")
        return
    if bank.size == (1, 1) and not bank.colours:
        st.caption("A slice of one weight scales its channel: there is nothing to lay on a picture.")
        return
    try:
        kernel, what = _kernel(shown, number)
    except KernelError as error:
        st.caption(plain(f"“Draw a kernel” does not take it. {error}"))
        return
    if len(kernel.text) > MAX_TEXT:
        st.caption("Its weights are too many for a link to “Draw a kernel”.")
        return
    room = next(room for room in frame.ROOMS if room.path == "kernels")
    st.page_link(
        frame.entry(room),
        label=f"Lay {what} on the picture in “{room.title}”",
        icon=room.icon,
        query_params={"kernel": kernel.text},
    )


def _kernel(shown: Shown, number: int) -> tuple[Kernel, str]:
    """The filter, or its chosen slice, as the other page takes it: the shortest decimals of the same float32."""
    bank = shown.bank
    if bank.colours:
        return learned_kernels(bank.weights[number : number + 1])[0], "this filter"
    channel = channel_of(shown) if bank.slices > 1 else bank.channel(number, 0)
    position = position_of(bank, number, channel)
    if position is None:
        position = int(strongest_slices(bank, number)[0])
        channel = bank.channel(number, position)
    thrice = np.repeat(bank.weights[number, position][None, None], 3, axis=1)
    kernel = Kernel("Slice", learned_kernels(thrice)[0].weights[:1])
    return kernel, "this filter" if bank.slices == 1 else f"slice {channel}"
