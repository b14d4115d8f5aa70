"""A picture, a kernel and their convolution under the hand: painted, hovered and read off in the browser.

The page's `photo_store` carries the picture; this component carries the kernel and the way it is laid, and says
when the hand has come to rest.  What the browser computes is `explorer.convolution` again, proved against torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from explorer.convolution import ConvSpec
from explorer.errors import ExplorerError
from explorer.figures.signed import encoded_tables
from explorer.kernels import Kernel
from explorer.ui.components import register

_mount = register("stencil", "_convolution", "_kernel", "_paint", "_grid", "_ledger")

_TABLES: Final = encoded_tables()


PARTS: Final = ("sum", "red", "green", "blue", "colour")
"""What of a result in colours may be shown large: the sum, a channel's part of it, or the three as one picture."""


@dataclass(frozen=True)
class Laying:
    """How a kernel is laid on a picture.

    `colour` is "grey" or "rgb"; `flip` turns it by half a turn first, which makes cross-correlation convolution;
    `activation` is a key of `explorer.convolution.ACTIVATIONS`.
    """

    spec: ConvSpec
    colour: str = "grey"
    flip: bool = False
    bias: float = 0.0
    activation: str = "none"


@dataclass(frozen=True)
class View:
    """What is shown: "signed" values or "photo", one of `PARTS`, the lens, a colour for each weight."""

    shown: str = "signed"
    part: str = "sum"
    lens: bool = False
    colours: bool = False


def stencil(
    name: str,
    photo_id: str,
    size: tuple[int, int],
    kernel: Kernel,
    laying: Laying,
    view: View,
    at: tuple[int, int] | None,
    on_kernel: Callable[[Kernel], None],
    on_view: Callable[[View], None],
    on_pin: Callable[[tuple[int, int] | None], None],
) -> None:
    """The instrument.

    Args:
        name: key of the instance.
        photo_id: under which the page's `photo_store` holds the picture, losslessly.
        size: height and width of the picture in pixels.
        kernel: the weights.
        laying: stride, padding and what follows.
        view: what is shown.
        at: row and column of the output pixel that is pinned; None: none is.
        on_kernel: called with the kernel that the hand has made.
        on_view: called with another view.
        on_pin: called with the pixel that was pinned, or None.
    """

    def told(what: str) -> Any:
        message = st.session_state[name].get(what)
        return message.get("value") if isinstance(message, Mapping) else None

    # what a browser sends is no more to be trusted than a link: what makes no sense is dropped
    def kernel_told() -> None:
        try:
            made = _kernel(told("kernel"))
        except (ExplorerError, TypeError, ValueError, KeyError):
            return
        on_kernel(made)

    def view_told() -> None:
        if isinstance(seen := told("view"), dict):
            shown = "photo" if seen.get("shown") == "photo" else "signed"
            part = seen.get("part") if seen.get("part") in PARTS else "sum"
            on_view(View(shown, str(part), bool(seen.get("lens")), bool(seen.get("colours"))))

    def pin_told() -> None:
        match told("at"):
            case [int() | float() as row, int() | float() as column]:
                on_pin((int(row), int(column)))
            case None:
                on_pin(None)

    spec = laying.spec
    heard = st.session_state.get(name, {})
    _mount(
        key=name,
        data={
            "photoId": photo_id,
            "height": size[0],
            "width": size[1],
            "name": kernel.name,
            "kernel": {
                "height": kernel.height,
                "width": kernel.width,
                "channels": [channel.ravel().tolist() for channel in kernel.weights],
            },
            "setting": {
                "stride": spec.stride,
                "padding": spec.padding,
                "dilation": spec.dilation,
                "mode": spec.padding_mode,
                "colour": laying.colour,
                "flip": laying.flip,
                "bias": laying.bias,
                "activation": laying.activation,
            },
            "view": vars(view),
            "at": at,
            "answered": {what: _count(heard.get(what)) for what in ("kernel", "view", "at")},
            "tables": _TABLES,
        },
        on_kernel_change=kernel_told,
        on_view_change=view_told,
        on_at_change=pin_told,
    )


def _count(message: object) -> int:
    """Number of a message from the browser: a page that bears it has seen what the hand did until then."""
    count = message.get("count") if isinstance(message, Mapping) else None
    return count if isinstance(count, int) else 0


def _kernel(sent: Any) -> Kernel:
    import numpy as np

    height, width = int(sent["height"]), int(sent["width"])
    weights = np.array(sent["channels"], dtype=np.float64)
    return Kernel("Custom", weights.reshape(-1, height, width))
