"""How long the network takes on this machine, on demand."""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st
import torch

from explorer.errors import Cancelled
from explorer.figures.memory_charts import time_chart
from explorer.images import plain
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.timing import Measurement, Speed, Timing, measure
from explorer.ui import cache

MOST_LAYERS: Final = 12
_RUNNING, _KEPT = "timing under way", "timing of a network"
"""Session keys: the measurement that is being made, and the last one that was; each with its network."""


def timing(network: Network, found: NetworkProfile) -> None:
    """A button, progress with Cancel, and what the layers take."""
    if found.failure:
        st.info(plain(f"Only a network that runs takes time. {found.failure.sentence}"))
        return
    device, name = cache.device()
    what = network.source, network.input_shape
    st.markdown(f"Real forwards with random weights, on **this machine: {plain(name)}**.")
    for_whom, under_way = st.session_state.get(_RUNNING, (None, None))
    if under_way is not None and for_whom != what:
        _stop()
    elif under_way is not None:
        _progress(under_way)
        return
    before, known = st.session_state.get(_KEPT, (None, None))
    st.button(
        "Time it again" if before == what else "Time it",
        icon=":material/timer:",
        key="time it",
        type="primary",
        on_click=_start,
        args=(network, device),
    )
    if before != what:
        return
    if isinstance(known, Timing):
        _show(known)
    elif not isinstance(known, Cancelled):
        st.warning(plain(str(known)), icon=":material/info:")


def _start(network: Network, device: torch.device) -> None:
    _stop()
    job = measure(network.module, network.input_shape, device=device)
    under_way = Measurement(job, cache.seat().owner)
    under_way.wait(0.2)  # a refusal or a small network is there at once
    st.session_state[_RUNNING] = (network.source, network.input_shape), under_way


def _stop() -> None:
    _, under_way = st.session_state.pop(_RUNNING, (None, None))
    if under_way is not None:
        under_way.cancel()


@st.fragment(run_every=0.5)
def _progress(under_way: Measurement) -> None:
    # one that was cancelled meanwhile has nothing to show any more
    what, current = st.session_state.get(_RUNNING, (None, None))
    if current is not under_way:
        st.rerun()
    if not under_way.running:
        st.session_state[_KEPT] = what, under_way.found or under_way.error
        del st.session_state[_RUNNING]
        st.rerun()
    step = under_way.progress
    text = f"{step.doing[0].upper()}{step.doing[1:]}: {step.done} of {step.of}"
    st.progress(step.done / step.of, text=text)
    if st.button("Cancel", icon=":material/close:", key="cancel timing"):
        _stop()
        st.rerun()


def _show(known: Timing) -> None:
    st.html(f'<div class="figures">{"".join(map(_figure, known.speeds))}</div>')
    if known.left_out:
        st.info(plain(known.left_out))
    st.markdown("**Which layers take the time**, for one picture")
    dark = st.context.theme.type == "dark"
    st.plotly_chart(
        time_chart(known.slowest(MOST_LAYERS), dark),
        key="time chart",
        theme=None,
        config={"displayModeBar": False},
    )
    st.caption(
        f"{known.device}, float32, nothing trained, no gradients. Medians of {len(known.speeds[0].seconds)} forwards "
        "after one that does not count; layers are timed in forwards of their own, in which asking for the time "
        "costs a few microseconds at each. Others may be using this machine: times are of this moment."
    )


def _figure(speed: Speed) -> str:
    quick, slow = (1000 * seconds for seconds in speed.spread)
    pictures = "one picture at a time" if speed.batch == 1 else f"{speed.batch} at once"
    return (
        f'<div title="{escape(f"{speed.median:.6f} s, median of {len(speed.seconds)}")}">'
        f"<b>{_rate(speed.pictures_per_second)} pictures/s</b>"
        f"<span>{pictures}: {_ms(1000 * speed.median)} ms ({_ms(quick)} to {_ms(slow)})</span></div>"
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
