"""How long the network takes on this machine, on demand."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Final

import streamlit as st
import torch

from explorer.errors import Cancelled, ExplorerError
from explorer.figures.memory_charts import time_chart
from explorer.images import plain
from explorer.networks.source import Network
from explorer.profiling import NetworkProfile
from explorer.timing import Progress, Speed, Timing, measure
from explorer.ui import cache, under_way

MOST_LAYERS: Final = 12
_TIMING, _KEPT = "timing under way", "timing of a network"
"""Session keys: the measurement that is being made, and the last one that was; each with its network."""


def timing(network: Network, found: NetworkProfile) -> None:
    """A button, progress with Cancel, and what the layers take."""
    if found.failure:
        st.info(plain(f"Only a network that runs takes time. {found.failure.sentence}"))
        return
    device, name = cache.device()
    what = network.source, network.input_shape
    st.markdown(f"Real forwards with random weights, on **this machine: {plain(name)}**.")
    going = under_way.at(_TIMING)
    if going is not None and going.what != what:
        under_way.stop(_TIMING)
    elif going is not None:
        # nothing is kept of a measurement that is cancelled: nobody waits for the forward that has begun
        under_way.show(going, "cancel timing", _words, partial(_keep, what), patience=0)
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
    else:
        st.warning(plain(str(known)), icon=":material/info:")


def _start(network: Network, device: torch.device) -> None:
    steps = measure(network.module, network.input_shape, device=device)
    under_way.begin(_TIMING, (network.source, network.input_shape), steps, "measurement")


def _words(step: Progress | Timing) -> tuple[float, str]:
    if isinstance(step, Timing):
        return 1.0, "Ready"
    return step.done / step.of, f"{step.doing[0].upper()}{step.doing[1:]}: {step.done} of {step.of}"


def _keep(what: object, latest: Progress | Timing | None, error: ExplorerError | None) -> None:
    """What was found, or why nothing was; what was known before stays if the visitor cancelled."""
    if not isinstance(error, Cancelled):
        st.session_state[_KEPT] = what, error or latest


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
