"""Controls of the page on a layer's arithmetic: the layer and what it is given, in the link as one text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from explorer.convolution import PADDING_MODES
from explorer.errors import ExplorerError, LayerError, ShapeError
from explorer.images import plain
from explorer.layer_choices import limits, possible
from explorer.layer_text import OtherLine, on_axes, read_layer, read_line, write_layer
from explorer.layers import ADAPTIVE, AXES, KINDS, POOLS, LayerSpec, Sizes, output_shape
from explorer.ui import ahead, controls, link
from explorer.ui.components.copy_link import copy_link
from explorer.ui.components.dials import Dial, dials
from explorer.ui.layer_drawn import VIEWS

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
_MOST_TURNED: Final = 1_000_000

_TYPED, _TROUBLE = "typed layer", "trouble with a typed layer"
_CHANGED: Final = "what a change of layer could not keep"


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


def _now() -> tuple[LayerSpec, Sizes]:
    """The layer as it is when a hand moves a control: the run that drew the control may have been cut short since."""
    return read_layer(link.read("layer", USUAL))


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
    _kind(spec)
    _typed()
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


def _kind(spec: LayerSpec) -> None:
    key = "layer kind"
    st.session_state[key] = spec.kind
    st.selectbox(
        "Layer",
        list(KINDS),
        format_func=lambda kind: shown("kind", kind),
        key=key,
        on_change=lambda: _become("kind", st.session_state[key]),
    )
    _what_changed()
    kind = KINDS[spec.kind]
    st.caption(f"{plain(kind.sentence)} {plain(kind.source)}")
    name = "layer axes"
    st.session_state[name] = spec.dimensions
    st.segmented_control(
        "Axes",
        list(AXES),
        format_func=lambda axes: shown("axes", axes),
        key=name,
        required=True,
        width="stretch",
        on_change=lambda: _become("axes", st.session_state[name]),
    )


def _become(what: str, value: Any) -> None:
    before = _now()
    made, sizes, notes = _remade(*before, what, value)
    _take_by_hand(made, sizes)
    _note_change(before, (made, sizes), notes)


def _remade(spec: LayerSpec, shape: Sizes, what: str, value: Any) -> tuple[LayerSpec, Sizes, tuple[str, ...]]:
    """The layer as another kind, or on other axes, and what that could not keep."""
    return as_kind(spec, shape, value) if what == "kind" else as_kind(spec, shape, spec.kind, value)


def _note_change(
    before: tuple[LayerSpec, Sizes], after: tuple[LayerSpec, Sizes], notes: Sequence[str]
) -> None:
    """Keep the layer before a change, to be gone back to for as long as nothing else is touched."""
    st.session_state[_CHANGED] = write_layer(*after), write_layer(*before), " ".join(notes)


def _what_changed() -> None:
    """What the last change could not keep, in a quiet line, and the way back."""
    before, note = _last_change()
    if not note:
        return
    with st.container(key="layer change", gap=None):
        st.caption(plain(note.replace("`", "")))
        st.button("Undo", key="layer undo", type="tertiary", on_click=lambda: take_layer(*read_layer(before)))


def _last_change() -> tuple[str, str]:
    """The layer before the last change, and what that could not keep; empty once something else was touched."""
    after, before, note = st.session_state.get(_CHANGED, ("", "", ""))
    return (before, note) if after == link.read("layer", USUAL) else ("", "")


_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "conv": "a convolution",
        "grouped": "a grouped layer",
        "depthwise": "a depthwise layer",
        "pointwise": "a pointwise layer",
        "separable": "a separable layer",
        "dilated": "a dilated layer",
        "transposed": "a transposed layer",
        "masked_a": "a masked layer",
        "masked_b": "a masked layer",
        "max_pool": "a max pooling",
        "average_pool": "an average pooling",
        "global_pool": "a global pooling",
        "adaptive_pool": "an adaptive pooling",
    }
)
_OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bias": "the bias",
        "padding_mode": "the sort of padding",
        "ceil_mode": "rounding up",
        "count_include_pad": "leaving out the padding's zeros",
    }
)
"""Fields without a dial, as a sentence names them."""
_DROPPED_FIRST: Final = (
    "output_padding",
    "padding_mode",
    "padding",
    "groups",
    "out_channels",
    "dilation",
    "stride",
    "kernel_size",
)
"""Fields that another kind may make impossible; where one must go, the first that helps goes."""


def as_kind(
    spec: LayerSpec, shape: Sizes, kind: str, axes: int | None = None
) -> tuple[LayerSpec, Sizes, tuple[str, ...]]:
    """The nearest layer of another kind, or with another number of axes, its input, and what it could not keep.

    All that both kinds leave free stays where that is possible; where it is not, as little as possible goes.  Two
    kinds bring along what makes them: dilated its holes, grouped its groups.

    >>> made, _, notes = as_kind(LayerSpec("conv", kernel_size=5, padding=2), (3, 32, 32), "depthwise")
    >>> made.kernel_size, made.padding, made.out_channels
    ((5, 5), (2, 2), 3)
    >>> notes[0].partition(". ")[0]
    'Channels out went from 10 to 3'
    """
    axes = axes or spec.dimensions
    sizes = on_axes(shape[1:], axes)
    free = KINDS[kind].fields
    kept = {
        field: _for_axes(getattr(spec, field), axes) for field in KINDS[spec.kind].fields if field in free
    }
    if "groups" in free:
        kept["groups"] = spec.groups  # a depthwise layer has groups too
    first = {**KINDS[kind].start, "in_channels": spec.in_channels, **kept, **_essence(spec, kind, axes)}
    for fields in _ever_less(first, kind, sizes):
        made = LayerSpec(kind, axes, **fields)
        return made, (spec.in_channels, *sizes), _losses(spec, shape, made, sizes)
    raise ShapeError(f"No {KINDS[kind].title} fits {sizes}.")  # a window of one cell fits everything


def _for_axes(value: Any, axes: int) -> Any:
    """A field for another number of axes: of a tuple the last numbers, or the first once more in front."""
    if not isinstance(value, tuple):
        return value
    return (value[0],) * (axes - len(value)) + value[-axes:]


def _essence(spec: LayerSpec, kind: str, axes: int) -> dict[str, Any]:
    """What makes a layer one of its kind, where the one before has it not."""
    if kind == "dilated" and set(spec.dilation) == {1}:
        return {"dilation": KINDS[kind].start["dilation"]}
    if kind == "grouped" and spec.groups == 1:
        outs = spec.out_channels if "out_channels" in KINDS[spec.kind].fields else spec.in_channels
        both = _least_divisor(math.gcd(spec.in_channels, outs))
        groups = both if both > 1 else _least_divisor(spec.in_channels)
        return {"groups": groups, "out_channels": max(1, round(outs / groups)) * groups}
    return {}


def _least_divisor(number: int) -> int:
    """The smallest divisor beyond 1; of 1 it is 1.

    >>> _least_divisor(9), _least_divisor(1)
    (3, 1)
    """
    return next((each for each in range(2, number + 1) if not number % each), 1)


def _ever_less(first: Mapping[str, Any], kind: str, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Fields of possible layers: as wished, then with ever more of them made to fit."""
    names = [field for field in _DROPPED_FIRST if field in KINDS[kind].fields]
    for count in range(len(names) + 1):
        for dropped in combinations(names, count):
            for fitting in (_near, _least) if dropped else (_near,):
                fields = dict(first) | {field: fitting(field, first, kind, sizes) for field in dropped}
                try:
                    output_shape(LayerSpec(kind, len(sizes), **fields), (first["in_channels"], *sizes))
                except ShapeError:
                    continue
                yield fields


def _near(field: str, wished: Mapping[str, Any], kind: str, sizes: Sizes) -> Any:
    """A value near the wished one that may fit where that one does not."""
    if field == "padding":
        window = {name: wished[name] for name in ("kernel_size", "dilation", "padding") if name in wished}
        shown = LayerSpec("conv", len(sizes), **window)
        return tuple(
            min(before, kernel // 2) if kind in POOLS else before
            for kernel, (before, _) in zip(shown.kernel_size, shown.margins, strict=True)
        )
    if field == "kernel_size":
        kernel = wished.get("kernel_size", 3)
        return tuple(min(now, size) for now, size in zip(_spread(kernel, sizes), sizes, strict=True))
    return _least(field, wished, kind, sizes)


def _least(field: str, wished: Mapping[str, Any], kind: str, sizes: Sizes) -> Any:
    """A value that fits wherever any does."""
    if field == "out_channels":
        return wished["in_channels"]
    return {"padding_mode": "zeros", "padding": 0, "output_padding": 0}.get(field, 1)


def _spread(value: Any, sizes: Sizes) -> Sizes:
    return value if isinstance(value, tuple) else (value,) * len(sizes)


def _losses(spec: LayerSpec, shape: Sizes, made: LayerSpec, sizes: Sizes) -> tuple[str, ...]:
    """Sentences on each setting of the layer before that is another now, or gone."""
    told, none, gone = [], [], []
    if len(sizes) < len(shape) - 1 and len(set(shape[1:])) > 1:
        told.append(f"Of the sizes {_written(shape[1:])} only {_written(sizes)} stays.")
    free, fixed, name = KINDS[made.kind].fields, KINDS[made.kind].fixed, _NAMES[made.kind]
    for field in KINDS[spec.kind].fields:
        old, new = _for_axes(getattr(spec, field), made.dimensions), getattr(made, field)
        word = _WORDS.get(field, _OPTIONS.get(field, "")).lower()
        change = f"{word} went from {_written(old)} to {_written(new)}"
        # these have no value that stands for none
        lost = field in ("kernel_size", "output_size") and field not in (*free, *fixed)
        if (old == new and not lost) or (field == "bias" and not old):
            continue
        if field in free:
            told.append(f"{change.capitalize()}. {_cause(made, sizes, field, old)}")
        elif field == "out_channels" and field in fixed:
            told.append(f"{change.capitalize()}: {name} has as many as come in.")
        elif field in fixed and field != "bias":
            told.append(f"{change.capitalize()}: {name} is made so.")
        elif lost or field in _OPTIONS or made.kind in ADAPTIVE:
            gone.append(word if field in _OPTIONS else f"{word} ({_written(old)})")
        else:
            none.append(change)
    if none:
        told.append(f"{_listed(none).capitalize()}: {name} has none.")
    if gone:
        told.append(
            f"{_listed(gone).capitalize()} {'is' if len(gone) == 1 else 'are'} gone: {name} has none."
        )
    return tuple(told)


def _listed(parts: Sequence[str]) -> str:
    """Parts of a sentence in a row.

    >>> _listed(["one", "two", "three"])
    'one, two and three'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _cause(made: LayerSpec, sizes: Sizes, field: str, old: Any) -> str:
    """Why a field could not stay as it was, in the words of the refusal."""
    try:
        output_shape(replace(made, **{field: old}), (made.in_channels, *sizes))
    except ShapeError as error:
        return str(error)
    if made.kind in ("dilated", "grouped"):
        return f"With {_written(old)} it would be a plain convolution."
    return "Both that and the rest could not stay."


def _written(value: Any) -> str:
    """A field for reading: 5×3, or 5 where all axes have the same."""
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else "×".join(map(str, value))
    return f"“{value}”" if isinstance(value, str) else f"{value:,}"


def _typed() -> None:
    """A line of torch or Keras, typed or pasted; one that is refused leaves what was and says why."""

    def read(text: str) -> None:
        if not text:
            return
        spec, shape = _now()
        try:
            reading = read_line(text, shape)
        except ExplorerError as error:
            other = error.line if isinstance(error, OtherLine) else ""
            st.session_state[_TROUBLE] = text, str(error), other
        else:
            take_layer(reading.spec, reading.shape)
            _note_change((spec, shape), (reading.spec, reading.shape), reading.notes)
            st.session_state[_TYPED] = ""

    st.text_input(
        "Or type a layer",
        key=_TYPED,
        placeholder="nn.Conv2d(3, 10, 5, padding=2)",
        on_change=lambda: read(st.session_state[_TYPED].strip()),
        max_chars=300,
    )
    trouble, other = _trouble()
    if trouble:
        sentence = plain(trouble.replace("`", ""))
        if not other:
            st.error(sentence, icon=":material/error:")
        else:  # nothing is wrong with the line: another makes the same here
            st.info(sentence, icon=":material/swap_horiz:")
            st.button(f"Take {plain(other)}", key="other line", on_click=lambda: read(other))


def _trouble() -> tuple[str, str]:
    """Why the typed line is refused, for as long as it stands there, and the line that makes the same."""
    refused, trouble, other = st.session_state.get(_TROUBLE, ("", "", ""))
    stands = refused and refused == st.session_state.get(_TYPED, "").strip()
    return (trouble, other) if stands else ("", "")


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
        dials(f"{name} dials", entries, _turn, ahead=True)


def _dial(key: str, label: str, values: Sequence[int], now: int, field: str) -> Dial:
    if isinstance(values, range):
        most = max(now, min(values[-1], _MOST[field]))
        return Dial(key, label, values[0], most, values.step, now)
    return Dial(key, label, values[0], values[-1], 1, now)


def _turn(key: str, value: float) -> None:
    """One number of the layer is another now."""
    before = _now()
    made = _turned(*before, key, int(value))
    if made != before:
        take_layer(*made)


def _turned(spec: LayerSpec, shape: Sizes, key: str, number: int) -> tuple[LayerSpec, Sizes]:
    """The layer with one number changed, and what must go with it; as it was where there is none such."""
    field, _, axis = key.partition(" ")
    sizes = shape
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
    return (replace(spec, **changes), sizes) if possible(spec, sizes, **changes) else (spec, shape)


def _changed(values: Sizes, axis: str, number: int) -> Sizes:
    if not axis:
        return (number,) * len(values)
    return (*values[: int(axis)], number, *values[int(axis) + 1 :])


def _options(spec: LayerSpec, shape: Sizes, possible_values: Mapping[str, Sequence[Sequence[int]]]) -> None:
    """Groups, the sort of padding, bias, and how a pooling rounds and counts."""
    free = KINDS[spec.kind].fields
    if "groups" in free:
        _choose("groups", "Groups", possible_values["groups"][0], spec)
    if "padding" in free and spec.kind not in ("transposed", "max_pool", "average_pool"):
        options = [
            value for value in (_numbers(spec), "same", "valid") if possible(spec, shape, padding=value)
        ]
        _choose("padding", "Padding is", options, spec)
    if "padding_mode" in free:
        options = [mode for mode in PADDING_MODES if possible(spec, shape, padding_mode=mode)]
        _choose("padding_mode", "Padded with", options, spec)
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
                on_change=lambda field=field, key=key: _opt(field, st.session_state[key]),
            )


def _numbers(spec: LayerSpec) -> Sizes:
    """Padding as numbers, where it is a word too."""
    return spec.padding if isinstance(spec.padding, tuple) else tuple(after for _, after in spec.margins)


def _opt(field: str, value: Any) -> None:
    before = _now()
    made = _opted(*before, field, value)
    if made != before:
        take_layer(*made)


def _opted(spec: LayerSpec, shape: Sizes, field: str, value: Any) -> tuple[LayerSpec, Sizes]:
    """The layer with one option changed; as it was where that is not possible."""
    free = field in KINDS[spec.kind].fields and possible(spec, shape, **{field: value})
    return (replace(spec, **{field: value}), shape) if free else (spec, shape)


def _choose(field: str, label: str, options: Sequence[Any], spec: LayerSpec) -> None:
    key = f"layer {field}"
    st.session_state[key] = getattr(spec, field)
    st.selectbox(
        label,
        options,
        format_func=lambda value: shown(field, value),
        key=key,
        on_change=lambda: _opt(field, st.session_state[key]),
    )


# Ahead of the page -----------------------------------------------------------------------------------


_PADDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"same": "“same”: as large as the input", "valid": "“valid”: none"}
)
_LISTS: Final = ("kind", "axes", "groups", "padding", "padding_mode")
_SWITCHES: Final = ("bias", "ceil_mode", "count_include_pad")


def seen() -> str:
    """How a transposed layer is to be seen, by its key in `VIEWS`."""
    chosen = link.read("seen", next(iter(VIEWS)))
    return chosen if chosen in VIEWS else next(iter(VIEWS))


def shown(control: str, value: Any) -> str:
    """What a list or a button says for a value.

    >>> shown("kind", "max_pool"), shown("axes", 2), shown("padding", (1, 1))
    ('Max pooling', '2-D', 'a number')
    """
    if control == "kind":
        return KINDS[value].title
    if control == "axes":
        return f"{value}-D"
    return _PADDINGS.get(value, "a number") if control == "padding" else str(value)


def told(spec: LayerSpec, shape: Sizes, seen: str) -> dict[str, Any]:
    """What a browser that paints ahead must know: the layer, how it is seen, what each control shows, what is offered.

    Returns:
        `ask`, where it may ask, empty where the server does not answer; `layer` and `seen` as in a link; `controls`,
        what each list, switch and row of buttons shows; `offers`, of buttons by their keys: control and value.
    """
    before, _ = _last_change()
    _, other = _trouble()
    offers = {"layer-undo": ("undo", before), "other-line": ("typed", other)}
    return {
        "ask": ahead.PATH if ahead.served else "",
        **ahead_of(spec, shape, seen),
        "offers": {key: offer for key, offer in offers.items() if offer[1]},
    }


def ahead_of(spec: LayerSpec, shape: Sizes, seen: str) -> dict[str, Any]:
    """The layer, how it is seen and what each control shows, of `told`."""
    values = {"kind": spec.kind, "axes": spec.dimensions} | {
        field: getattr(spec, field) for field in KINDS[spec.kind].fields
    }
    lists = {control: shown(control, values[control]) for control in _LISTS if control in values}
    switches = {control: values[control] for control in _SWITCHES if control in values}
    return {
        "layer": write_layer(spec, shape),
        "seen": seen,
        "controls": lists | switches | {"seen": VIEWS[seen]},
    }


def changed(spec: LayerSpec, shape: Sizes, control: str, value: Any) -> tuple[LayerSpec, Sizes]:
    """The layer after a control was moved, as the page makes it: what is not possible leaves it as it was.

    >>> spec, shape = read_layer("conv~3x32x32~o10~k5~p2")
    >>> write_layer(*changed(spec, shape, "kernel_size", 7))
    'conv~3x32x32~o10~k7~p2'
    >>> write_layer(*changed(spec, shape, "padding_mode", "reflect"))
    'conv~3x32x32~o10~k5~p2~mreflect'

    Args:
        control: the key of a dial, "kernel_size" or "size 0"; the name of a list, a switch or a row of buttons;
            "typed" for a line; "undo" for a layer that was there before.
        value: the number, or what the control shows.

    Raises:
        ExplorerError: no control has that name or that value, or the line is refused.
    """
    if control == "undo":
        return read_layer(str(value))
    if control == "typed":
        reading = read_line(str(value).strip(), shape)
        return reading.spec, reading.shape
    if control in ("kind", "axes"):
        return _remade(
            spec, shape, control, _meant(control, value, [*(KINDS if control == "kind" else AXES)])
        )[:2]
    if control in _SWITCHES and isinstance(value, bool):
        return _opted(spec, shape, control, value)
    if control in _LISTS and control in KINDS[spec.kind].fields and isinstance(value, str):
        options = {
            "groups": limits(spec, shape).get("groups", [()])[0],
            "padding": (_numbers(spec), "same", "valid"),
            "padding_mode": PADDING_MODES,
        }[control]
        return _opted(spec, shape, control, _meant(control, value, options))
    field, _, axis = control.partition(" ")
    dialled = field in ("size", "in_channels") or (field in _MOST and field in KINDS[spec.kind].fields)
    among = axis in ("", *map(str, range(spec.dimensions))) and not isinstance(getattr(spec, field, 0), str)
    if dialled and among and type(value) is int and 0 <= value <= _MOST_TURNED:
        return _turned(spec, shape, control, value)
    raise LayerError(f"No control {plain(control[:40])} takes {plain(str(value)[:40])}.")


def _meant(control: str, words: Any, options: Sequence[Any]) -> Any:
    for value in options:
        if shown(control, value) == words:
            return value
    raise LayerError(f"The control {control} does not show {plain(str(words)[:40])}.")
