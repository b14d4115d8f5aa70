"""Controls of the page on a layer's arithmetic: the layer and what it is given, in the link as one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from explorer.convolution import PADDING_MODES
from explorer.errors import ExplorerError, ShapeError
from explorer.images import plain
from explorer.layer_choices import limits, possible
from explorer.layer_text import on_axes, read_code, read_layer, write_layer
from explorer.layers import AXES, KINDS, LayerSpec, Sizes, output_shape
from explorer.ui import controls, link
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.dials import Dial, dials

USUAL: Final = "conv~3x32x32~o10~k5~p2"
DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"float32": "float32, 4 bytes", "float16": "float16, 2 bytes", "float64": "float64, 8 bytes"}
)
MOST_BATCH: Final = 512

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "in_channels": "Channels in",
        "out_channels": "Channels out",
        "size": "Size",
        "kernel_size": "Kernel",
        "stride": "Stride",
        "padding": "Padding",
        "dilation": "Dilation",
        "output_padding": "Output padding",
        "output_size": "Output size",
        "groups": "Groups",
    }
)
_MOST: Final[Mapping[str, int]] = MappingProxyType(
    {"in_channels": 1024, "out_channels": 1024, "size": 512, "kernel_size": 15, "stride": 8, "padding": 12}
    | {"dilation": 8, "output_padding": 7, "output_size": 64}
)
"""Where a slider ends; a link or a typed line may go beyond."""

_TYPED, _TROUBLE = "typed layer", "trouble with a typed layer"


def chosen_layer() -> tuple[LayerSpec, Sizes]:
    """The layer and the shape of its input (channels, *sizes) that the link names.

    What cannot be read, or is no possible layer, is explained in one sentence, and the usual one is shown.
    """
    try:
        return read_layer(link.read("layer", USUAL))
    except ExplorerError as error:
        st.warning(plain(f"The link's layer cannot be shown. {error}"), icon=":material/link_off:")
        link.forget("layer")
        return read_layer(USUAL)


def take_layer(spec: LayerSpec, shape: Sizes) -> None:
    """Make it the page's layer."""
    link.choose("layer", write_layer(spec, shape))
    link.forget("step")


def _take_by_hand(spec: LayerSpec, shape: Sizes) -> None:
    """A control was moved: what stands typed is not the layer any more."""
    take_layer(spec, shape)
    st.session_state[_TYPED] = ""


def layer(spec: LayerSpec, shape: Sizes) -> None:
    """Every way to set the layer and its input: no control reaches an impossible one."""
    _kind(spec, shape)
    _typed(shape)
    each = _each_axis(spec, shape)
    values = limits(spec, shape)
    st.markdown("**What goes in**")
    _dials("input", spec, shape, values, ("in_channels", "size"), each)
    st.markdown("**The layer**")
    _dials(
        "layer",
        spec,
        shape,
        values,
        ("out_channels", "kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"),
        each,
    )
    _options(spec, shape, values)


def batch_and_dtype() -> tuple[int, str]:
    """For memory: how many pictures at once, and of what numbers."""
    batch = link.read_number("batch", 1, 1, MOST_BATCH)
    dials(
        "batch",
        [Dial("batch", "Batch: pictures at once", 1, MOST_BATCH, 1, batch)],
        lambda key, value: link.choose(key, str(int(value))),
    )
    dtype = controls.choice("dtype", "Data type", DTYPES, "the type of numbers")
    copy_link("copy layer")
    return batch, dtype


# What kind -------------------------------------------------------------------------------------------


def _kind(spec: LayerSpec, shape: Sizes) -> None:
    key = "layer kind"
    st.session_state[key] = spec.kind
    st.selectbox(
        "Layer",
        list(KINDS),
        format_func=lambda kind: KINDS[kind].title,
        key=key,
        on_change=lambda: _take_by_hand(*_as_kind(spec, shape, st.session_state[key])),
    )
    kind = KINDS[spec.kind]
    st.caption(f"{plain(kind.sentence)} {plain(kind.source)}")
    name = "layer axes"
    st.session_state[name] = spec.dimensions
    st.segmented_control(
        "Axes",
        list(AXES),
        format_func=lambda axes: f"{axes}-D",
        key=name,
        required=True,
        width="stretch",
        on_change=lambda: _take_by_hand(*_as_kind(spec, shape, spec.kind, st.session_state[name])),
    )


def _as_kind(spec: LayerSpec, shape: Sizes, kind: str, axes: int | None = None) -> tuple[LayerSpec, Sizes]:
    """The nearest layer of another kind, or with another number of axes: what it can keep, it keeps."""
    axes = axes or spec.dimensions
    here = (shape[0], *on_axes(shape[1:], axes))
    start = dict(KINDS[kind].start)
    kept: dict[str, Any] = {"in_channels": shape[0], "out_channels": spec.out_channels}
    if kind == spec.kind:
        for field in ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"):
            value = getattr(spec, field)
            kept[field] = value[0] if isinstance(value, tuple) else value
        start = {}
    for fields in ({**start, **kept}, {**kept, **start}, {"in_channels": shape[0], **start}, start):
        fields = {**fields, "in_channels": fields.get("in_channels", shape[0])}
        try:
            made = LayerSpec(kind, axes, **fields)
            output_shape(made, (made.in_channels, *here[1:]))
        except ShapeError:
            continue
        return made, (made.in_channels, *here[1:])
    made = LayerSpec(kind, axes, **start)
    return made, (made.in_channels, *(16,) * axes)


def _typed(shape: Sizes) -> None:
    """A line of torch, typed or pasted; one that is refused leaves what was and says why."""

    def read() -> None:
        text = st.session_state[_TYPED].strip()
        if not text:
            return
        try:
            take_layer(*read_code(text, shape))
        except ExplorerError as error:
            st.session_state[_TROUBLE] = text, str(error)
        else:
            st.session_state[_TYPED] = ""

    st.text_input(
        "Or type a layer",
        key=_TYPED,
        placeholder="nn.Conv2d(3, 10, 5, padding=2)",
        on_change=read,
        max_chars=300,
    )
    refused, trouble = st.session_state.get(_TROUBLE, ("", ""))
    if refused and refused == st.session_state[_TYPED].strip():  # for as long as it stands there
        st.error(plain(trouble.replace("`", "")), icon=":material/error:")


# Its numbers -----------------------------------------------------------------------------------------


def _each_axis(spec: LayerSpec, shape: Sizes) -> bool:
    """Whether rows and columns are set apart: always where they differ."""
    if spec.dimensions == 1:
        return False
    fields = ("kernel_size", "stride", "dilation", "output_padding", "output_size", "padding")
    values = [shape[1:], *(value for field in fields if isinstance(value := getattr(spec, field), tuple))]
    differ = any(len(set(value)) > 1 for value in values)
    name = "each axis"
    if differ:
        st.session_state[name] = True
    return (
        st.toggle(
            "Each axis on its own",
            key=name,
            disabled=differ,
            help="The axes differ, so each has its own numbers." if differ else None,
        )
        or differ
    )


def _dials(
    name: str,
    spec: LayerSpec,
    shape: Sizes,
    possible_values: Mapping[str, Sequence[Sequence[int]]],
    fields: Sequence[str],
    each: bool,
) -> None:
    entries, axes = [], AXES[spec.dimensions]
    for field in fields:
        if field not in possible_values or (field == "padding" and isinstance(spec.padding, str)):
            continue
        now = shape[1:] if field == "size" else getattr(spec, field)
        ranges = possible_values[field]
        if not isinstance(now, tuple):
            entries.append(_dial(field, _WORDS[field], ranges[0], now, field))
        elif each:
            for axis, (values, value) in enumerate(zip(ranges, now, strict=True)):
                entries.append(
                    _dial(f"{field} {axis}", f"{_WORDS[field]}, {axes[axis]}", values, value, field)
                )
        else:
            common = range(max(values[0] for values in ranges), min(values[-1] for values in ranges) + 1)
            entries.append(_dial(field, _WORDS[field], common, now[0], field))
    entries = [entry for entry in entries if entry.highest > entry.lowest]
    if entries:
        dials(f"{name} dials", entries, _turn)


def _dial(key: str, label: str, values: Sequence[int], now: int, field: str) -> Dial:
    if isinstance(values, range):
        most = max(now, min(values[-1], _MOST[field]))
        return Dial(key, label, values[0], most, values.step, now)
    return Dial(key, label, values[0], values[-1], 1, now)


def _turn(key: str, value: float) -> None:
    """One number of the layer is another now; what must go with it follows."""
    spec, shape = read_layer(link.read("layer", USUAL))
    field, _, axis = key.partition(" ")
    number, sizes = int(value), shape
    changes: dict[str, Any] = {field: number}
    if field == "in_channels":
        sizes = (number, *shape[1:])
        if spec.kind == "depthwise":  # as many filters for each channel as before
            changes["out_channels"] = number * (spec.out_channels // spec.in_channels)
    elif field == "size":
        changes, sizes = {}, (shape[0], *_changed(shape[1:], axis, number))
    elif field != "out_channels":
        changes[field] = _changed(getattr(spec, field), axis, number)
    # of two dials turned at once, the first may make the second's number impossible
    if possible(spec, sizes, **changes):
        take_layer(replace(spec, **changes), sizes)


def _changed(values: Sizes, axis: str, number: int) -> Sizes:
    if not axis:
        return (number,) * len(values)
    return (*values[: int(axis)], number, *values[int(axis) + 1 :])


def _options(spec: LayerSpec, shape: Sizes, possible_values: Mapping[str, Sequence[Sequence[int]]]) -> None:
    """Groups, the sort of padding, bias, and how a pooling rounds and counts."""
    free = KINDS[spec.kind].fields
    if "groups" in free:
        _choose("groups", "Groups", possible_values["groups"][0], spec, shape, str)
    if "padding" in free and spec.kind not in ("transposed", "max_pool", "average_pool"):
        words = {"same": "“same”: as large as the input", "valid": "“valid”: none"}
        numbers = (
            spec.padding if isinstance(spec.padding, tuple) else tuple(after for _, after in spec.margins)
        )
        options = [value for value in (numbers, "same", "valid") if possible(spec, shape, padding=value)]
        _choose("padding", "Padding is", options, spec, shape, lambda value: words.get(value, "a number"))
    if "padding_mode" in free:
        options = [mode for mode in PADDING_MODES if possible(spec, shape, padding_mode=mode)]
        _choose("padding_mode", "Padded with", options, spec, shape, str)
    for field, label in (
        ("bias", "A bias for each channel"),
        ("ceil_mode", "Round up (`ceil_mode`)"),
        ("count_include_pad", "Zeros of the padding count"),
    ):
        if field in free and possible(spec, shape, **{field: not getattr(spec, field)}):
            key = f"layer {field}"
            st.session_state[key] = getattr(spec, field)
            st.toggle(
                label,
                key=key,
                on_change=lambda field=field, key=key: take_layer(
                    replace(spec, **{field: st.session_state[key]}), shape
                ),
            )


def _choose(
    field: str, label: str, options: Sequence[Any], spec: LayerSpec, shape: Sizes, words: Any
) -> None:
    key = f"layer {field}"
    st.session_state[key] = getattr(spec, field)
    st.selectbox(
        label,
        options,
        format_func=words,
        key=key,
        on_change=lambda: take_layer(replace(spec, **{field: st.session_state[key]}), shape),
    )
