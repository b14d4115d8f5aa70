"""Take it home: code that computes the same, the result as picture and as numbers, the link."""

from __future__ import annotations

from typing import Literal, cast

import streamlit as st

from explorer.figures.pictures import png
from explorer.images import Photo, sample_photo
from explorer.kernel_code import LIBRARIES, KernelTask, kernel_code
from explorer.kernels import Kernel
from explorer.take_home import PICTURE, needs_picture
from explorer.ui import controls, kernel_controls, show
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.stencil import Laying
from explorer.ui.kernel_panels.pictures import paint
from explorer.ui.kernel_panels.results import inner_peak, lay


def take_home(photo: Photo, kernel: Kernel, laying: Laying) -> None:
    """The panel."""
    st.markdown(
        "**All of it is yours**: the link carries the weights too, and the code needs public packages alone."
    )
    copy_link("copy link")
    library = controls.choice(
        "library",
        "Code for",
        {key: entry.title for key, entry in LIBRARIES.items()},
        "the library",
        buttons=True,
    )
    # our sample comes whole from its package; any other picture is offered at the size that is computed on
    whole = photo if needs_picture(photo) else sample_photo(photo.sample or "")
    colour = cast(Literal["grey", "rgb"], laying.colour)
    size = (photo.width, photo.height)
    task = KernelTask(whole, size, colour, kernel, laying.spec, laying.bias, laying.activation, laying.flip)
    code = kernel_code(library, task)
    stem = show.file_stem(photo.sample or photo.name.rpartition(".")[0] or photo.name, kernel.name)
    shown = kernel_controls.view().shown

    def picture() -> bytes:
        result = lay(photo, kernel, laying)
        return paint(result, shown, inner_peak(result, laying.spec, (photo.height, photo.width)))

    with st.container(horizontal=True):
        show.download("Code as .py", code, f"{stem}.py", "Runs with public packages alone.")
        if needs_picture(photo):
            show.download(
                "Picture as PNG", lambda: png(photo.pixels), PICTURE, "The code reads it under this name."
            )
        show.download(
            "Result as PNG",
            picture,
            f"{stem}.png",
            "As it is shown above; the code’s own result.png is clipped to 0–255 and grey.",
        )
        show.download(
            "Result as .npy",
            lambda: show.npy(lay(photo, kernel, laying)),
            f"{stem}.npy",
            "float32, neither clipped nor scaled.",
        )
    # no colours: Streamlit's for Python are too pale to be read; no height: nothing to scroll without a mouse
    st.code(code, language=None, wrap_lines=True)
