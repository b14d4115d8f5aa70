"""The builder: a network of parts under the hand.

The browser shows an edit at once and sends it with a running number; here it is done to the network, in order and
once, and what comes of it is sent back.  Steps can be undone, those that came from elsewhere on the page too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from explorer.errors import ExplorerError, ModelError
from explorer.net_export import family
from explorer.networks import editing
from explorer.networks.classics import CLASSICS, classic
from explorer.networks.editing import History
from explorer.networks.opening import opened
from explorer.networks.parts import BLOCKS, FAMILIES, GROUPS, MAX_CHANNELS, MAX_SIZE, PARTS, Setting, Value
from explorer.networks.planning import Placed, Plan, output_shape, placed_inside, planned
from explorer.networks.repairs import repairs
from explorer.networks.spec import MAX_DEPTH, IndexPath, NetworkSpec, Part, Shape, layer_names, part_at
from explorer.networks.storing import to_link
from explorer.ui import cache
from explorer.ui.components.parts_list import Wish, parts_list
from explorer.ui.components.picker import Option, picker

_KEY: Final = "work on a net"
_EMPTY: Final = "empty"


@dataclass(frozen=True)
class Work:
    """What is being built.

    Attributes:
        history: the network, those before it and those that were undone.
        token: made new where the browser's list no longer is what edits are for; those with another are dropped.
        heard: number of the last edit that was looked at.
        last: what the last edit changed, so that a number that is turned is one step.
        refused: number of an edit that could not be done, and why; 0 and "": none.
    """

    history: History
    token: str
    heard: int = 0
    last: tuple[object, ...] = ()
    refused: tuple[int, str] = (0, "")


def edit(spec: NetworkSpec, on_change: Callable[[NetworkSpec], None]) -> None:
    """The list of the network's parts, and the settings of the one that is chosen.

    Args:
        spec: the network.
        on_change: called with what an edit made of it, before the page runs again.
    """
    work = st.session_state.get(_KEY) or Work(History(spec), _token())
    if spec != work.history.now:  # another choice of the page, or the browser's Back
        work = replace(work, history=work.history.done(spec), token=_token(), last=(), refused=(0, ""))
    st.session_state[_KEY] = work

    def take(wishes: Sequence[Wish]) -> None:
        before: Work = st.session_state[_KEY]
        after = st.session_state[_KEY] = worked(before, wishes)
        # said again where nothing changed: the address that came with the message may be older than the last edit's
        if after.history.now != before.history.now or after.history.before or after.history.after:
            on_change(after.history.now)

    picker(
        "begin with",
        "Begin with",
        "networks",
        _beginnings(),
        _begun(spec),
        lambda key: on_change(begin(key, spec)),
    )
    parts_list("parts list", listing(work), work.token, take)


def _token() -> str:
    return secrets.token_hex(4)


# Beginnings ------------------------------------------------------------------------------------------------


def begin(key: str, now: NetworkSpec) -> NetworkSpec:
    """A network to begin with: a classic by its key, or none of parts, for the same input."""
    found = None if key == _EMPTY else classic(key).spec
    return found or NetworkSpec("My network", now.input_shape)


@lru_cache(maxsize=1)
def _beginnings() -> tuple[Option, ...]:
    made_of_parts = {key for key, entry in CLASSICS.items() if entry.spec_of}
    return (
        Option(_EMPTY, "Empty", "Your own", "no parts"),
        *(option for option in cache.classic_options() if option.key in made_of_parts),
    )


@lru_cache(maxsize=64)
def _begun(spec: NetworkSpec) -> str:
    """Key of what the network is, unchanged; "" where it is something of one's own."""
    if not spec.parts:
        return _EMPTY
    # most differ in their input or their name already: making all of parts takes long
    likely = (entry for entry in CLASSICS.values() if entry.spec_of and entry.input_shape == spec.input_shape)
    return next(
        (entry.key for entry in likely if entry.title.startswith(spec.name[:3]) and entry.spec == spec), ""
    )


# Edits -----------------------------------------------------------------------------------------------------


def worked(work: Work, wishes: Sequence[Wish]) -> Work:
    """The work after these edits, each done once and in order.

    Edits that were heard before, or are for a list that is no longer shown, change nothing.  Where one cannot be done
    that others may build on, those behind it are dropped too: their places would be wrong.
    """
    for wish in sorted(wishes, key=lambda each: each.number):
        if wish.number <= work.heard or wish.token != work.token:
            continue
        work = replace(work, heard=wish.number, refused=(0, ""))
        try:
            work = _after(work, wish)
        except ExplorerError as error:
            token = work.token if wish.do in _IN_PLACE else _token()
            work = replace(work, token=token, last=(), refused=(wish.number, str(error)))
    return work


def _after(work: Work, wish: Wish) -> Work:
    history = work.history
    if wish.do in ("undo", "redo"):
        history = history.undone() if wish.do == "undo" else history.redone()
        return replace(work, history=history, last=())
    if wish.do not in EDITS:
        return work
    now = EDITS[wish.do](history.now, wish)
    to_link(now)  # refused while the network that there is stays
    same = (wish.do, wish.path, wish.name)
    if wish.more and work.last == same:
        return replace(work, history=replace(history, now=now, after=()))
    return replace(work, history=history.done(now), last=same)


def _add(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    return editing.insert(spec, wish.path, typical(spec, wish.path, wish.name))


def _delete(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    for _ in range(wish.count):
        spec = editing.delete(spec, wish.path)
    return spec


def _duplicate(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    for part, path in reversed(_run(spec, wish)):
        spec = editing.insert(spec, (*path[:-1], wish.path[-1] + wish.count), part)
    return spec


def _move(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    parts = [part for part, _ in _run(spec, wish)]
    spec = _delete(spec, wish)
    for part in reversed(parts):
        spec = editing.insert(spec, wish.to, part)
    return spec


def _run(spec: NetworkSpec, wish: Wish) -> list[tuple[Part, IndexPath]]:
    """The parts beside each other that are meant, with their paths."""
    part_at(spec, wish.path)
    paths = [(*wish.path[:-1], wish.path[-1] + index) for index in range(wish.count)]
    return [(part_at(spec, path), path) for path in paths]


def _set(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    known = part_at(spec, wish.path).about.setting(wish.name)
    return editing.change(spec, wish.path, **{known.name: wish.value})


def _group(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    spec = editing.wrap(spec, wish.path, wish.count, kind=wish.name)
    if wish.name == "sequence" and wish.value is not None:
        spec = editing.change(spec, wish.path, times=wish.value)
    return spec


def _input(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    shape = wish.value if isinstance(wish.value, tuple) else ()
    return replace(spec, input_shape=shape)


def _repair(spec: NetworkSpec, wish: Wish) -> NetworkSpec:
    for number, repair in enumerate(repairs(spec)):
        if str(number) == wish.name:
            return repair(spec)
    return spec


EDITS: Final[Mapping[str, Callable[[NetworkSpec, Wish], NetworkSpec]]] = MappingProxyType(
    {
        "add": _add,
        "delete": _delete,
        "duplicate": _duplicate,
        "move": _move,
        "group": _group,
        "ungroup": lambda spec, wish: editing.unwrap(spec, wish.path),
        "open": lambda spec, wish: editing.open_block(spec, wish.path),
        "set": _set,
        "call": lambda spec, wish: editing.rename(spec, wish.path, wish.name),
        "title": lambda spec, wish: replace(spec, name=wish.name),
        "input": _input,
        "repair": _repair,
    }
)
"""What the list may ask for, "undo" and "redo" apart."""

_IN_PLACE: Final = frozenset({"set", "call", "title", "input"})
"""Edits that leave every part where it stands."""


# What is added ---------------------------------------------------------------------------------------------

FOLLOWERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": ("conv", "flatten", "vgg_block", "residual_basic"),
        "row": ("linear", "relu", "dropout"),
        "token": ("encoder_block", "attention", "layer_norm", "token_pool"),
        "convolution": ("batch_norm", "relu", "max_pool", "conv"),
        "normalisation": ("relu", "gelu", "conv", "max_pool"),
        "activation": ("conv", "max_pool", "batch_norm", "global_average_pool"),
        "pooling": ("conv", "residual_basic", "flatten", "global_average_pool"),
        "dense": ("linear", "relu", "dropout"),
        "attention": ("swin_block", "layer_norm", "conv", "global_average_pool"),
        "block": ("residual_basic", "conv", "max_pool", "global_average_pool"),
        "group": ("conv", "relu", "max_pool", "global_average_pool"),
        "global_average_pool": ("flatten", "linear"),
        "flatten": ("linear", "dropout"),
        "half": ("conv", "shuffle_unit"),
        "channel_shuffle": ("shuffle_unit", "conv", "relu"),
        "regnet": ("regnet", "global_average_pool"),
        "shuffle_unit": ("shuffle_unit", "conv", "global_average_pool"),
        "fused_inverted_residual": ("fused_inverted_residual", "inverted_residual", "global_average_pool"),
        "tokens": ("class_token", "positions", "encoder_block"),
        "class_token": ("positions", "encoder_block"),
        "positions": ("dropout", "encoder_block"),
        "token_pool": ("linear", "dropout"),
        "window_attention": ("swin_block", "layer_norm", "patch_merging"),
        "patch_merging": ("swin_block",),
        "swin_block": ("swin_block", "patch_merging", "layer_norm", "global_average_pool"),
        "partition_attention": ("partition_attention", "maxvit_block", "global_average_pool"),
        "maxvit_conv": ("partition_attention", "maxvit_conv"),
        "maxvit_block": ("maxvit_block", "global_average_pool"),
    }
)
"""What usually comes after a kind, else its family; after a "row" of numbers, after "token"s; at the beginning: ""."""


def typical(spec: NetworkSpec, path: IndexPath, kind: str) -> Part:
    """A new part as it usually stands at this place: as many channels as arrive, twice as many after a pooling.

    >>> from explorer.networks.spec import part
    >>> net = NetworkSpec("Net", (3, 32, 32), (part("conv"), part("max_pool")))
    >>> typical(net, (2,), "conv")["out_channels"]
    128

    Raises:
        ModelError: there is no such kind.
    """
    part = editing.new_part(kind)
    arriving = _arriving(spec, path)
    if kind == "branches":  # without any there is nothing to join
        identity = Part("sequence")
        if arriving is None or len(arriving) != 3:
            return Part(kind, inside=(identity, identity))
        return Part(kind, inside=(Part("conv", {"padding": 1, "out_channels": arriving[0]}), identity))
    if arriving is not None and len(arriving) == 2:
        return _tokens_follow(part, arriving)
    if arriving is None or len(arriving) != 3:
        return part
    channels = arriving[0]
    siblings = part_at(spec, path[:-1]).inside if path[:-1] else spec.parts
    halved = 0 < path[-1] <= len(siblings) and siblings[path[-1] - 1].about.family == "pooling"
    wide = min(MAX_CHANNELS, channels * 2) if halved and 8 <= channels <= 512 else channels
    wanted: dict[str, Value] = {}
    match kind:
        case "conv" | "depthwise_separable" | "separable" | "nin_block" | "vgg_block" | "inverted_residual":
            wanted = {"out_channels": wide} if channels >= 8 else {}
        case "residual_basic":
            wanted = {"out_channels": channels} if channels >= 8 else {}
        case "residual_bottleneck" if channels >= 32:
            wanted = {"out_channels": channels, "width": channels // 4}
        case "resnext_bottleneck" if channels >= 32:
            wanted = {"out_channels": channels}
        case "transposed":
            wanted = {"out_channels": max(1, channels // 2)}
        case "group_norm":
            wanted = {"groups": gcd(channels, 32)}
        case "fused_inverted_residual" | "maxvit_conv":
            wanted = {"out_channels": wide} if channels >= 8 else {}
        case "regnet":
            width = wide if channels >= 8 else part.whole("out_channels")
            wanted = {"out_channels": width, "group_width": gcd(width, 16)}
        case "shuffle_unit":
            even = channels % 2 == 0
            wanted = {"out_channels": channels} if even else {"out_channels": 2 * channels, "stride": 2}
        case "channel_shuffle" if channels % 2 or channels == 2:
            wanted = {"groups": _near(channels, 2, lowest=2)}
        case "window_attention" | "swin_block":
            heads = max(1, channels // 32)  # as in its paper: 32 channels a head
            wanted = {"heads": _near(channels, heads), "window": min(7, *arriving[1:])}
            before = siblings[path[-1] - 1] if 0 < path[-1] <= len(siblings) else None
            if before and before.kind == kind:
                alike = {name: before[name] for name in ("window", "version")}
                wanted |= {**alike, "shifted": not before["shifted"]}
        case "partition_attention" | "maxvit_block":
            size = _near(gcd(*arriving[1:]), 7)
            wanted = {"head_channels": _near(channels, 32)}
            wanted |= {"size": size} if kind == "partition_attention" else {"window": size}
            if kind == "maxvit_block" and channels >= 8:
                wanted["out_channels"] = channels
            elif kind == "maxvit_block":
                wanted["head_channels"] = 32
        case "max_pool" | "average_pool" if min(arriving[1:]) == 1:
            wanted = {"kernel_size": 1, "stride": 1}
    return Part(kind, {**dict(part.settings), **wanted})


def _near(whole: int, wanted: int, lowest: int = 1) -> int:
    """The divisor nearest to what is wanted; the larger of two.

    >>> _near(32, 7), _near(96, 3), _near(7, 2, lowest=2)
    (8, 3, 7)
    """
    divisors = (each for each in range(lowest, whole + 1) if whole % each == 0)
    return min(divisors, key=lambda each: (abs(each - wanted), -each), default=lowest)


def _tokens_follow(part: Part, arriving: Shape) -> Part:
    """A part that reads tokens as it usually is: heads of 64 numbers each, as in ViT."""
    if part.kind not in ("attention", "encoder_block"):
        return part
    heads = _near(arriving[-1], max(1, arriving[-1] // 64))
    return Part(part.kind, {**dict(part.settings), "heads": heads})


def _arriving(spec: NetworkSpec, path: IndexPath) -> Shape | None:
    """What arrives at a place, or would; None where the network does not get there."""
    probe = Part("sequence")  # passes on what arrives
    try:
        return next(iter(editing.arrivals(editing.insert(spec, path, probe), path)), None)
    except ModelError:  # the network is full, or too deep
        return None


# What is shown ---------------------------------------------------------------------------------------------


def listing(work: Work) -> dict[str, Any]:
    """The network as the browser is told of it: values of JSON alone."""
    spec = work.history.now
    plan = planned(spec)
    shapes = _shapes(plan)
    insides: dict[tuple[Part, Shape], int] = {}
    shown = {
        "title": spec.name,
        "input": spec.input_shape,
        "parts": _nodes(spec.parts, (), shapes, insides),
        "leaving": None if plan.trouble else plan.output_shape,
    }
    return {
        "network": shown,
        "insides": [_inside(block, shape) for block, shape in insides],
        "trouble": plan.trouble
        and {
            "path": plan.trouble.path,
            "sentence": plan.trouble.sentence,
            "repairs": [repair.label for repair in repairs(spec, plan.trouble)],
        },
        "undo": len(work.history.before),
        "redo": len(work.history.after),
        "answered": work.heard,
        "refused": {"number": work.refused[0], "sentence": work.refused[1]},
        "kinds": _kinds(),
        "families": dict(FAMILIES),
        "followers": {key: list(kinds) for key, kinds in FOLLOWERS.items()},
        "most": [MAX_CHANNELS, MAX_SIZE, MAX_SIZE],
        "deepest": MAX_DEPTH,
    }


Shapes = dict[IndexPath, tuple[Shape, Shape | None, Shape | None]]
"""By path: what arrives the first time, what leaves it the first time, and what the last time; None: it fails."""


def _nodes(
    parts: tuple[Part, ...],
    path: IndexPath,
    shapes: Shapes,
    insides: dict[tuple[Part, Shape], int],
) -> list[dict[str, Any]]:
    nodes = []
    for index, (part, called) in enumerate(zip(parts, layer_names(parts, top=not path), strict=True)):
        at = (*path, index)
        arriving, leaving, last = shapes.get(at, (None, None, None))
        node: dict[str, Any] = {
            "kind": part.kind,
            "called": called,
            "own": part.name,
            "short": short(part),
            "settings": {setting.name: part[setting.name] for setting in part.about.settings},
            "arriving": arriving,
            "leaving": leaving,
            "last": last if last != leaving else None,
        }
        if part.kind in GROUPS:
            node["inside"] = _nodes(part.inside, at, shapes, insides)
        elif part.kind in BLOCKS and leaving is not None and arriving is not None:
            key = (Part(part.kind, part.settings), arriving)
            node["block"] = insides.setdefault(key, len(insides))
        nodes.append(node)
    return nodes


@lru_cache(maxsize=512)
def _inside(block: Part, arriving: Shape) -> list[dict[str, Any]]:
    """The layers of a block, to be read."""
    shapes: Shapes = {}
    _collect(placed_inside(block, arriving), shapes)
    return _to_be_read(_nodes(opened(block, arriving).inside, (), shapes, {}))


def _to_be_read(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is shown of a layer that cannot be set."""
    shown = ("kind", "called", "short", "arriving", "leaving")
    return [
        {key: node[key] for key in shown}
        | ({"inside": _to_be_read(node["inside"])} if "inside" in node else {})
        for node in nodes
    ]


def _shapes(plan: Plan) -> Shapes:
    """Shapes of all parts that the network reaches."""
    shapes: Shapes = {}
    trouble = plan.trouble
    if trouble is None:
        _collect(plan.placed, shapes)
        return shapes
    _collect_until(plan.placed, trouble.path, trouble.rounds, shapes)
    part = part_at(plan.spec, trouble.path)
    shapes[trouble.path] = (trouble.input_shape, None, None)
    if part.kind == "branches":
        # each branch may be sound, and what leaves them tells why they cannot be joined
        for index, branch in enumerate(part.inside):
            try:
                leaving = output_shape(branch, trouble.input_shape)
            except ExplorerError:
                continue
            shapes[*trouble.path, index] = (trouble.input_shape, leaving, leaving)
    return shapes


def _collect(placed: tuple[Placed, ...], shapes: Shapes) -> None:
    for each in placed:
        first = shapes.get(each.path, (each.input_shape, each.output_shape, None))
        shapes[each.path] = (first[0], first[1], each.output_shape)
        # rounds alike are one and the same object: looking at them once is enough
        for number, inside in enumerate(each.rounds):
            if number == 0 or inside is not each.rounds[number - 1]:
                _collect(inside, shapes)


def _collect_until(
    placed: tuple[Placed, ...], path: IndexPath, rounds: tuple[int, ...], shapes: Shapes
) -> None:
    """As `_collect`, for what stands before the trouble: of a group in trouble `Plan.sound` keeps what it finished."""
    index, *deeper = path
    _collect(placed[:index], shapes)
    if not deeper or index >= len(placed):
        return
    for inside in placed[index].rounds:
        if rounds[1]:
            _collect(inside, shapes)
        else:
            _collect_until(inside, tuple(deeper), rounds[1:], shapes)


_MAIN: Final = ("kernel_size", "out_channels", "out_features", "output_size", "scale_factor", "growth", "p")


def short(part: Part) -> str:
    """The main settings in a few words.

    >>> from explorer.networks.spec import part
    >>> short(part("conv", stride=2, padding=1, bias=False))
    '3 × 3, 64, stride 2, padding 1, no bias'
    """
    if part.kind == "sequence":
        count = part.whole("times")
        return f"{count} times" if count > 1 else _counted(len(part.inside), "part")
    if part.kind == "branches":
        return f"{_counted(len(part.inside), 'branch', 'branches')}, {_JOINS[part.text('join')]}"
    words = []
    settings = sorted(
        part.about.settings, key=lambda each: _MAIN.index(each.name) if each.name in _MAIN else len(_MAIN)
    )
    for setting in settings:
        value = part[setting.name]
        usual = 1 if setting.name == "stride" else setting.default  # a pooling's own is 2: worth saying
        if setting.name in _MAIN or value != usual:
            words.append(_word(setting, value))
    return ", ".join(words)


_JOINS: Final = MappingProxyType({"add": "added", "cat": "side by side", "multiply": "multiplied"})


def _word(setting: Setting, value: Value) -> str:
    title = setting.title[:1].lower() + setting.title[1:]
    if isinstance(value, bool):
        return title if value else f"no {title}"
    if isinstance(value, tuple):
        numbers = f"{value[0]:,} × {value[1]:,}"
        return numbers if setting.name in ("kernel_size", "output_size") else f"{title} {numbers}"
    if isinstance(value, str):
        return value if setting.name != "padding" else f"padding {value}"
    number = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if setting.name in ("kernel_size", "output_size"):
        return f"{number} × {number}"
    if setting.name in ("out_channels", "out_features"):
        return number
    if setting.name == "scale_factor":
        return f"× {number}"
    return f"{title} {number}"


def _counted(count: int, word: str, many: str = "") -> str:
    return f"{count} {word if count == 1 else many or f'{word}s'}"


@lru_cache(maxsize=1)
def _kinds() -> dict[str, dict[str, Any]]:
    """Every kind with what may be set, as the browser needs it."""
    return {
        key: {
            "title": kind.title,
            "family": kind.family,
            "dot": dot(key),
            "sentence": kind.sentence,
            "source": kind.source,
            "settings": [
                {
                    "name": setting.name,
                    "title": setting.title,
                    "type": setting.type,
                    "lowest": setting.lowest,
                    "highest": setting.highest,
                    "step": setting.step,
                    "choices": list(setting.choices),
                    "sentence": setting.sentence,
                }
                for setting in kind.settings
            ],
        }
        for key, kind in PARTS.items()
    }


def dot(kind: str) -> str:
    """The family whose colour a kind has, as in the table of layers; "block" and "group" for what holds others.

    >>> dot("depthwise"), dot("flatten"), dot("dropout"), dot("convnext")
    ('convolution', 'operation', 'other', 'block')
    """
    about = PARTS[kind].family
    if about in ("block", "group"):
        return about
    found = "operation" if kind == "half" else family(kind)
    return found if found != "other" or "dropout" in kind else about


__all__ = ["EDITS", "FOLLOWERS", "Work", "begin", "edit", "listing", "typical", "worked"]
