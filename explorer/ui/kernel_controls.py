"""Controls of the page on kernels: a kernel, how it is laid, what is shown of it.  All of it lives in the link."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.convolution import ACTIVATIONS, PADDING_MODES, ConvSpec, output_shape
from explorer.errors import KernelError, ShapeError
from explorer.images import Photo, plain
from explorer.kernels import Kernel, Preset, read_kernel, write_preset
from explorer.ui import cache, controls, link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.components.picker import picker
from explorer.ui.components.stencil import PARTS, Laying, View

USUAL: Final = "sobel_x"
SIDES: Final[Mapping[str, str]] = MappingProxyType(
    {"512": "512 pixels"} | {str(side): f"{side} pixels" for side in (16, 32, 64, 128, 256, 1024, 2048)}
)
COLOURS: Final[Mapping[str, str]] = MappingProxyType({"grey": "Grey", "rgb": "Red, green, blue"})
WAYS: Final[Mapping[str, str]] = MappingProxyType({"cross": "Cross-correlation", "flip": "Convolution"})
PADDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"same": "Same size", "none": "None", "amount": "Choose"}
)
_MODE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "zeros": "Zeros",
        "reflect": "Reflect: the picture in a mirror",
        "replicate": "Replicate: the pixel at the edge",
        "circular": "Circular: the other side",
    }
)
MOST_STRIDE, MOST_DILATION, MOST_PADDING = 8, 6, 20


def chosen_kernel() -> tuple[Preset | None, tuple[float, ...], Kernel]:
    """The kernel of the link: a preset with its values, or weights of the visitor's own.

    What cannot be read is explained in one sentence, and the usual kernel is shown.
    """
    text = link.read("kernel", USUAL)
    try:
        preset, values, kernel = read_kernel(text)
    except KernelError as error:
        st.warning(plain(f"The link's kernel cannot be shown. {error}"), icon=":material/link_off:")
        link.forget("kernel")
        return read_kernel(USUAL)
    if preset is None and (name := cache.learned_names().get(text)):
        kernel = Kernel(name, kernel.weights)
    return preset, values, kernel


def _pick(key: str) -> None:
    """Begin with a preset, seen as suits it: a blur as a photograph, what has negative weights signed."""
    link.choose("kernel", key)
    link.choose("shown", "signed" if (read_kernel(key)[2].weights < 0).any() else "photo")


def take_kernel(kernel: Kernel) -> None:
    """Make it the page's kernel."""
    link.choose("kernel", kernel.text)


def kernel() -> Kernel:
    """The kernel, and the ways to begin one: a preset, its parameters."""
    preset, values, made = chosen_kernel()
    picker(
        "kernel picker",
        "Kernel to begin with",
        "kernels",
        cache.kernel_options(),
        preset.key if preset else "",
        _pick,
    )
    if preset is None:
        st.caption(f"**{plain(made.name)}**: these weights are in the link.")
        return made
    if preset.parameters:
        entries = [
            Dial(p.key, p.label, p.lowest, p.highest, p.step, value, p.unit)
            for p, value in zip(preset.parameters, values, strict=True)
        ]
        keys = [entry.key for entry in entries]

        def turned(key: str, value: float) -> None:
            # several dials may have been turned since the page last ran
            now = zip(keys, _still(preset), strict=True)
            changed = [value if name == key else old for name, old in now]
            link.choose("kernel", write_preset(preset, changed))

        dials(f"dials {preset.key}", entries, turned)
    return made


def _still(preset: Preset) -> tuple[float, ...]:
    """The values in the link where it is this preset still, else the usual ones."""
    found, values, _ = read_kernel(link.read("kernel", USUAL))
    return values if found is preset else preset.settings()


def working_photo(photo: Photo) -> Photo:
    """The photo at the size that is computed on."""
    longest = max(photo.width, photo.height)
    sides = {key: words for key, words in SIDES.items() if int(key) <= max(longest, 512)}
    side = controls.choice("side", "Size of the picture, longest side", sides, "the size")
    return cache.working_photo(photo, int(side))


def laying(photo: Photo, kernel: Kernel) -> Laying:
    """How the kernel is laid on the photo: colours, padding, stride, dilation, bias, activation.

    Limits follow from the other choices, so that no window is larger than what it is laid on; where a link asks
    for one, a sentence says so and the usual laying is taken.
    """
    if kernel.channels == 3:
        colour = "rgb"
        st.caption(
            "A grid of weights for each of red, green and blue. “One for all” over the weights goes back to one."
        )
    else:
        colour = controls.choice("colour", "Colour", COLOURS, "the colours", buttons=True)
    padding = controls.choice("padding", "Padding", PADDINGS, "the padding", buttons=True)
    modes = {mode: _MODE_WORDS[mode] for mode in PADDING_MODES if _pads(mode, photo)}
    mode = controls.choice("mode", "Padded with", modes, "the padding")
    numbers = _numbers(photo, kernel, padding, mode)
    activation = controls.choice(
        "activation",
        "Activation",
        {key: entry.title for key, entry in ACTIVATIONS.items()},
        "the activation",
    )
    flip = controls.choice("way", "Slid over the picture as", WAYS, "the way", buttons=True) == "flip"
    _explain_way(flip)
    spec = ConvSpec(
        (kernel.height, kernel.width),
        numbers["stride"],
        "same" if padding == "same" else numbers["pad"],
        numbers["dilation"],
        mode,
    )
    try:
        output_shape((photo.height, photo.width), spec)
    except ShapeError as error:
        st.warning(f"{plain(str(error))} Zeros are added to keep the size.", icon=":material/fit_screen:")
        spec = ConvSpec((kernel.height, kernel.width), spec.stride, "same", spec.dilation)
    return Laying(spec, colour, flip, numbers["bias"], activation)


def _pads(mode: str, photo: Photo) -> bool:
    """Whether this mode can add a pixel on every side of the photo: a mirror needs a second one."""
    return mode != "reflect" or min(photo.width, photo.height) > 1


def _numbers(photo: Photo, kernel: Kernel, padding: str, mode: str) -> dict[str, int]:
    """Stride, dilation, padding and bias: from the link, on dials."""
    shortest, side = min(photo.width, photo.height), max(kernel.width, kernel.height)
    most_padding = min(MOST_PADDING, {"reflect": shortest - 1, "circular": shortest}.get(mode, MOST_PADDING))
    dial = {
        "stride": Dial("stride", "Stride", 1, MOST_STRIDE, 1, link.read_number("stride", 1, 1, MOST_STRIDE)),
    }
    if side > 1:
        value = link.read_number("dilation", 1, 1, MOST_DILATION)
        dial["dilation"] = Dial("dilation", "Dilation", 1, MOST_DILATION, 1, value)
    if padding == "amount" and most_padding:
        value = link.read_number("pad", min(1, most_padding), 0, most_padding)
        dial["pad"] = Dial("pad", "Padding", 0, most_padding, 1, value, "px")
    dial["bias"] = Dial("bias", "Bias", -255, 255, 1, link.read_number("bias", 0, -255, 255))
    dials("laying dials", list(dial.values()), lambda key, value: link.choose(key, str(int(value))))
    return {"dilation": 1, "pad": 0} | {key: int(entry.value) for key, entry in dial.items()}


def _explain_way(flip: bool) -> None:
    st.caption(
        (
            "Convolution in mathematics turns the kernel by half a turn first, so Sobel’s signs change: "
            r"$\text{out}[y, x] = \sum_{i,j} k[i, j]\; f[y - i, x - j]$. "
            if flip
            else "What networks call convolution: "
            r"$\text{out}[y, x] = \sum_{i,j} k[i, j]\; f[y + i, x + j]$. "
        )
        + "Networks learn their weights, so to them it is the same: training would find the turned kernel."
    )


def view() -> View:
    """What is shown of the result."""
    return View(
        link.read_among("shown", ("signed", "photo"), "signed", "the view"),
        link.read_among("part", PARTS, "sum", "the part"),
        link.read_number("lens", 0, 0, 1) == 1,
        link.read_number("hues", 0, 0, 1) == 1,
    )


def take_view(seen: View) -> None:
    """Keep what the visitor switched."""
    link.choose("shown", seen.shown)
    link.choose("part", seen.part)
    link.choose("lens", str(int(seen.lens)))
    link.choose("hues", str(int(seen.colours)))


def pinned(shape: tuple[int, int]) -> tuple[int, int] | None:
    """Row and column of the output pixel that is pinned, within a result of this shape."""
    row, _, column = link.read("at").partition("_")
    if not (row.isdecimal() and column.isdecimal() and len(row + column) < 12):
        return None
    return min(int(row), shape[0] - 1), min(int(column), shape[1] - 1)


def pin(place: tuple[int, int] | None) -> None:
    """Keep the pixel that was pinned, or forget it."""
    link.choose("at", f"{place[0]}_{place[1]}" if place else "")
