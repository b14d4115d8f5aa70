"""What a real network learned: the kernels of its first layer, laid on the photo."""

from __future__ import annotations

import streamlit as st

from explorer.images import Photo, plain
from explorer.kernels import Kernel
from explorer.models import DEFAULT_MODEL, card
from explorer.ui import cache, kernel_controls
from explorer.ui.components.stencil import Laying
from explorer.ui.components.tiles import tiles


def learned(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    kernels, spec = cache.learned(), cache.learned_spec()
    network = card(DEFAULT_MODEL)
    side = network.preprocessing.crop
    rows, columns = spec.kernel_size
    st.markdown(
        f"**{len(kernels)} kernels that nobody designed**: the first layer of {plain(network.title)}, learned from "
        "1.3 million photographs. Look for edges of all directions, blobs, and opposite colours. "
        "Click one: its three grids go into the instrument."
    )
    by_number = {str(number): one for number, one in enumerate(kernels)}
    chosen = next((number for number, one in by_number.items() if one.text == kernel.text), "")
    tiles(
        "learned tiles",
        "Learned kernel",
        cache.learned_tiles(cache.middle_square(photo, side), kernel_controls.view().shown),
        chosen,
        lambda number: kernel_controls.take_kernel(by_number[number]),
        size=96,
    )
    st.caption(
        f"Each {rows}×{columns}, one grid for red, green and blue, laid with stride {spec.stride[0]} on the middle "
        f"of the picture at {side} × {side} pixels, as the network does; every tile has a scale of its own. "
        "In its corner the kernel as a colour picture, grey where its weights are zero. Left out: the "
        "normalisation of the network's input, and the bias and scale that follow the layer."
    )
