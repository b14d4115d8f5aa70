"""Controls of the page on whole networks: where the net comes from, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError, ModelError
from explorer.images import plain
from explorer.networks.reading import CodeError, ReadNetwork, suggest
from explorer.networks.repairs import repairs as part_repairs
from explorer.networks.source import (
    MOST_CHANNELS,
    MOST_CODE,
    MOST_SIZE,
    Network,
    Picture,
    Source,
    is_edit,
    of_parts,
    read_input,
    read_source,
    write_source,
)
from explorer.networks.spec import NetworkSpec
from explorer.networks.storing import MAX_TEXT, read
from explorer.profiling import NetworkProfile
from explorer.ui import cache, controls, link
from explorer.ui.components.picker import picker
from explorer.ui.net_builder import edit

USUAL: Final = "classic~resnet18"
WAYS: Final[Mapping[str, str]] = MappingProxyType(
    {"classic": "Classic", "build": "Build", "code": "Paste code", "file": "File"}
)
EXAMPLE: Final = """\
nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(64, 10),
)
"""
_OWN, _TOO_LONG = "own", "code~own"
_OWN_CODE, _TURN = "own code", "file turn"
_REFUSED, _EXCERPT = "trouble with a net", "code in trouble"
_CODE, _DRAFT, _PUT = "typed code", "code in the box", "code put into the box"
_CHOSEN_INPUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tried": "Taken from the code, which tries it itself.",
        "fits": "Chosen because the code runs with it.",
        "furthest": "None of the usual inputs fits; {} gets furthest.",
    }
)


def chosen_network() -> Network:
    """The network that the link names; where it cannot be had, one sentence says why and the usual one is shown."""
    text, given = link.read("net", USUAL), link.read("input")
    try:
        return cache.network(_whole(text), read_input(given) if given else None)
    except ExplorerError as error:
        st.warning(plain(f"The link's network cannot be shown. {error}"), icon=":material/link_off:")
        link.forget("net", "input", "row")
        return cache.network(read_source(USUAL), None)


def _whole(text: str) -> Source:
    if text != _TOO_LONG:
        return read_source(text)
    if _OWN_CODE not in st.session_state:
        raise ModelError("Links carry only short code, and a reload forgets what was pasted: paste it again.")
    return Source("code", st.session_state[_OWN_CODE])


def take(source: Source) -> None:
    """Make it the page's network; an input that somebody chose is kept where only its code was edited."""
    edited = _is_edit(source)
    try:
        text = write_source(source)
    except ModelError:
        st.session_state[_OWN_CODE], text = source.text, _TOO_LONG
    link.choose("net", text)
    link.forget("row", *([] if edited else ["input"]))


def _is_edit(source: Source) -> bool:
    try:
        return is_edit(_whole(link.read("net", USUAL)), source)
    except ExplorerError:
        return False


def take_parts(spec: NetworkSpec) -> None:
    """Make a network of parts the page's network."""
    try:
        take(of_parts(spec))
    except ModelError as error:  # too long for a link
        st.session_state[_REFUSED] = str(error)


def origin(network: Network) -> None:
    """The ways to a network: a classic, parts, code, a file; and what it is given."""
    usual = {"classic": "classic", "parts": "build", "code": "code"}[network.source.origin]
    way = controls.choice("origin", "Where the net comes from", WAYS, "the way", buttons=True, usual=usual)
    if trouble := st.session_state.pop(_REFUSED, None):
        st.error(plain(trouble), icon=":material/error:")
    if excerpt := st.session_state.pop(_EXCERPT, None):
        st.code(excerpt, language=None)
    _WAYS[way](network)
    if way != "build":  # whose list begins with it
        _given(network)


def _given(network: Network) -> None:
    """Channels, rows and columns of the picture that the net is given."""
    st.markdown("**What it is given**")
    highest = (MOST_CHANNELS, MOST_SIZE, MOST_SIZE)
    for place, words, now, most in zip(
        st.columns(3), ("Channels", "Rows", "Columns"), network.input_shape, highest, strict=True
    ):
        key = f"input {words.lower()}"
        st.session_state[key] = now
        place.number_input(words, 1, most, key=key, on_change=_give)
    if why := _CHOSEN_INPUT.get(network.input_choice):
        st.caption(why.format("×".join(map(str, network.input_shape))))


def _give() -> None:
    shape = [st.session_state[f"input {words}"] for words in ("channels", "rows", "columns")]
    link.choose("input", "x".join(map(str, shape)))


def repairs(network: Network, found: NetworkProfile) -> dict[str, tuple[str, Source]]:
    """One-click repairs of a net that fails: the words of each, and the mended net, by keys."""
    if network.plan and network.plan.trouble:
        return {
            str(number): (repair.label, of_parts(repair.after))
            for number, repair in enumerate(part_repairs(network.plan.spec, network.plan.trouble))
        }
    failure = found.failure
    if network.code and failure:
        expected, arrived = _leading(failure.expected), _leading(failure.arrived)
        wish = suggest(network.source.text, failure.path, expected, arrived, network.source.name)
        if wish:
            return {"0": (wish[0], Source("code", wish[1], network.source.name))}
    return {}


def _leading(words: str) -> int:
    """The number that words begin with: 64 of "64 channels"; 0 where there is none."""
    number = words.partition(" ")[0].replace(",", "")
    return int(number) if number.isdecimal() else 0


# A classic -------------------------------------------------------------------------------------------------


def _classic(network: Network) -> None:
    picker(
        "classic picker",
        "Network",
        "networks",
        cache.classic_options(),
        network.classic.key if network.classic else "",
        lambda key: take(Source("classic", key)),
    )
    if known := network.classic:
        st.markdown(plain(known.idea))
        paper = known.reference
        st.caption(f"{plain(known.note)} [{plain(paper.citation)}]({paper.url})".strip())


# Parts -----------------------------------------------------------------------------------------------------


def _build(network: Network) -> None:
    spec = network.spec
    if spec is None:
        st.info(
            "This network is no chain of parts, so it cannot be taken apart here. Begin with one that is, or with "
            "none."
        )
        spec = NetworkSpec("My network", network.input_shape)
    edit(replace(spec, input_shape=network.input_shape), take_parts)


# Code ------------------------------------------------------------------------------------------------------


def _code(network: Network) -> None:
    _follow(network)
    typed = st.text_area(
        "PyTorch code",
        key=_CODE,
        height=320,
        max_chars=MOST_CODE,
        on_change=_read_code,
        help="`nn.Sequential(…)`, loops, functions that make layers, `class Net(nn.Module)` with `forward`. "
        "It is read, never run.",
    )
    st.session_state[_DRAFT] = typed
    if not network.code or typed != network.source.text:
        shown = "the code as it was read last" if network.code else plain(network.title)
        st.caption(f":material/edit_note: This code has not been read yet: the table shows {shown}.")
    st.button("Read it", icon=":material/play_arrow:", on_click=_read_code, width="stretch")
    if network.code:
        _names(network, network.code)


def _follow(network: Network) -> None:
    """Put the network's code into the box, unless what is there was typed and has not been read.

    What is typed is kept under a second key too: the box's own is lost where the box is not drawn.
    """
    state = st.session_state
    put = state.setdefault(_PUT, EXAMPLE)
    draft = state.get(_CODE, state.get(_DRAFT, put))
    if network.code and draft in (put, network.source.text):
        draft = state[_PUT] = network.source.text
    if state.get(_CODE) != draft:  # a box that is set loses what is being typed
        state[_CODE] = draft


def _names(network: Network, read: ReadNetwork) -> None:
    """Which of the networks in the code is shown; what was left out of it."""
    if len(read.names) > 1:
        key = "net in code"
        st.session_state[key] = network.source.name if network.source.name in read.names else read.names[-1]
        st.selectbox(
            "Shown of the code",
            read.names,
            key=key,
            on_change=lambda: take(Source("code", network.source.text, st.session_state[key])),
        )
    for note in read.notes:
        st.caption(plain(note))


def _read_code() -> None:
    source = Source("code", st.session_state[_CODE])
    try:
        cache.network(source, None)
    except CodeError as error:
        st.session_state[_REFUSED], st.session_state[_EXCERPT] = str(error), error.excerpt
    except ExplorerError as error:
        st.session_state[_REFUSED] = str(error)
    else:
        take(source)


# A file ----------------------------------------------------------------------------------------------------


def _file(network: Network) -> None:
    turn = st.session_state.setdefault(_TURN, 0)
    name = f"net file {turn}"
    st.file_uploader(
        "A network saved here (.json), or code (.py)",
        key=name,
        on_change=lambda: _read_file(name),
        max_upload_size=1,
    )
    st.caption(
        "Weights (.pth, .pt, .safetensors) hold numbers without the net that they belong to: paste its code instead."
    )


def _read_file(name: str) -> None:
    upload = st.session_state[name]
    if upload is None:
        return
    st.session_state[_TURN] += 1
    try:
        take(_source_of(upload.name, upload.getvalue()))
    except ExplorerError as error:
        st.session_state[_REFUSED] = str(error)


def _source_of(name: str, data: bytes) -> Source:
    """What a file holds.

    Raises:
        ExplorerError: it is neither a network saved here nor code that can be read.
    """
    if len(data) > MAX_TEXT:
        raise ModelError(f"{name[:60]} has {len(data):,} bytes; a saved network has {MAX_TEXT:,} at most.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ModelError(
            f"{name[:60]} is no text. Weights hold numbers without the net that they belong to: paste its code, or "
            "give a network saved here (.json)."
        ) from None
    if text.lstrip().startswith("{"):
        return of_parts(read(text))
    source = Source("code", text)
    cache.network(source, None)
    return source


_WAYS: Final = MappingProxyType({"classic": _classic, "build": _build, "code": _code, "file": _file})

__all__ = ["USUAL", "Picture", "chosen_network", "origin", "take", "take_parts"]
