"""A bank: several kernels in parallel on one picture, which is what a layer of a network is."""

from __future__ import annotations

from typing import Final

import streamlit as st

from explorer.errors import KernelError
from explorer.figures.pictures import data_uri, png
from explorer.images import Photo, plain
from explorer.kernels import KERNELS, Kernel, read_kernel
from explorer.ui import cache, controls, kernel_controls, link
from explorer.ui.components.stencil import Laying
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.kernel_panels.pictures import corner_tile
from explorer.ui.kernel_panels.results import SMALL, fitted, inner_peak
from explorer.ui.numbers import readable

MOST: Final = 8
USUAL: Final = "gaussian~7~2!sharpen!sobel_x!sobel_y!laplacian_8!log!gabor~11~45!emboss"
SCALES: Final = {"each": "A scale for each", "one": "One scale for all"}


def read_bank(text: str) -> dict[str, Kernel]:
    """The kernels of a bank by their texts, from the texts joined by "!", each once.

    >>> list(read_bank("sobel_x!0_1!sobel_x"))
    ['sobel_x', '0_1']

    Raises:
        KernelError: more than `MOST`, or one that cannot be read.
    """
    texts = list(dict.fromkeys(text.split("!")))
    if len(texts) > MOST:
        raise KernelError(f"A bank holds {MOST} kernels, not {len(texts)}.")
    return {one: read_kernel(one)[2] for one in texts}


def title(text: str) -> str:
    """A kernel's name for people, with its preset's values where they are not the usual ones.

    >>> title("gaussian~7~2"), title("gaussian"), title("0_1~1_0")
    ('Gaussian blur (7, 2)', 'Gaussian blur', 'Custom 2×2')
    """
    preset, values, kernel = read_kernel(text)
    if preset is None:
        return cache.learned_names().get(text, f"Custom {kernel.height}×{kernel.width}")
    if values == preset.settings():
        return preset.title
    return f"{preset.title} ({', '.join(map(readable, values))})"


def bank(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    kernels = _kernels()
    shown = kernel_controls.view().shown
    st.markdown(
        f"**{len(kernels)} kernels in parallel make {len(kernels)} feature maps**: this is one layer of a network. "
        "Each is laid as the kernel above is. Click a map: its kernel goes into the instrument."
    )
    square = cache.middle_square(photo, SMALL)
    scale = (
        controls.choice("scale", "Colours", SCALES, "the scale", buttons=True) if shown == "signed" else ""
    )
    maps, shape = {}, (square.height, square.width)
    for text, one in kernels.items():
        its = fitted(laying, one, shape)
        result = cache.small_result(square, one, its)
        maps[text] = one, result, inner_peak(result, its.spec, shape)
    strongest = max(peak for _, _, peak in maps.values())
    above = link.read("kernel", kernel_controls.USUAL)
    tiles(
        "bank tiles",
        "Feature map",
        [
            Tile(
                text,
                title(text),
                data_uri(png(corner_tile(result, one, shown, strongest if scale == "one" else peak))),
                f"up to ±{readable(round(peak, 3))}",
            )
            for text, (one, result, peak) in maps.items()
        ],
        above,
        link.chooser("kernel"),
        size=190,
    )
    _change(list(kernels), above)
    st.caption(f"On the middle square of the picture, {square.width} × {square.height} pixels.")


def _kernels() -> dict[str, Kernel]:
    """The bank of the link; for one that cannot be read a sentence says so and the usual one is taken."""
    try:
        return read_bank(link.read("bank", USUAL))
    except KernelError as error:
        st.warning(plain(f"The link's bank cannot be shown. {error}"), icon=":material/link_off:")
        link.forget("bank")
        return read_bank(USUAL)


def _change(texts: list[str], above: str) -> None:
    """What is in the bank: chosen from all presets, added from the instrument, or the usual eight."""
    key = "bank control"

    def take(chosen: list[str]) -> None:
        link.choose("bank", "!".join(chosen))

    st.session_state[key] = texts
    st.multiselect(
        "In the bank",
        list(dict.fromkeys([*texts, above, *KERNELS])),
        format_func=title,
        max_selections=MOST,
        key=key,
        on_change=lambda: take(st.session_state[key]),
        help=f"Up to {MOST}. An empty bank fills with the usual ones.",
    )
    with st.container(horizontal=True):
        st.button(
            "Add the kernel above",
            icon=":material/add:",
            disabled=above in texts or len(texts) == MOST,
            on_click=take,
            args=([*texts, above],),
            help="It is in the bank." if above in texts else f"A bank holds {MOST}: take one out first.",
        )
        st.button(
            "The usual eight",
            icon=":material/restart_alt:",
            disabled="!".join(texts) == USUAL,
            on_click=take,
            args=([],),
        )
