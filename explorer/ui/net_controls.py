"""Controls of the page on whole networks: where the net comes from, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import streamlit as st

from explorer.errors import ExplorerError, ModelError
from explorer.images import plain
from explorer.network_failures import Failure
from explorer.networks.planning import label
from explorer.networks.reading import CodeError, ReadNetwork, refusal, respell, suggest
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
_REFUSED, _EXCERPT, _MENDED = "trouble with a net", "code in trouble", "code without its trouble"
_CODE, _DRAFT, _PUT = "typed code", "code in the box", "code put into the box"
_CHOSEN_INPUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tried": "Taken from the code, which tries it itself.",
        "fits": "Chosen because the code runs with it.",
        "found": "Found by trying: none of the usual inputs fits the code, {} does.",
        "furthest": "No square input that was tried fits; {} gets furthest.",
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
    way = controls.choice(
        "origin", "Where the net comes from", WAYS, "the way", buttons=True, usual=_usual_way(network)
    )
    if trouble := st.session_state.pop(_REFUSED, None):
        st.error(plain(trouble), icon=":material/error:")
    if excerpt := st.session_state.pop(_EXCERPT, None):
        st.code(excerpt, language=None)
    if mended := st.session_state.pop(_MENDED, None):
        label, refused, code = mended
        st.button(
            plain(label), icon=":material/build:", width="stretch", on_click=_mend, args=(refused, code)
        )
    _WAYS[way](network)
    if way != "build":  # whose list begins with it
        _given(network)


def _usual_way(network: Network) -> str:
    """The way that a network came, where nobody chose another."""
    return {"classic": "classic", "parts": "build", "code": "code"}[network.source.origin]


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
    """One-click repairs of a net that fails: the words of each, and the mended net, by keys.

    None of a net whose list of parts is shown: it has them at the part that fails, with the way back beside them.
    """
    if network.plan and network.plan.trouble:
        if link.read("origin", _usual_way(network)) == "build":
            return {}
        return {
            str(number): (repair.label, of_parts(repair.after))
            for number, repair in enumerate(part_repairs(network.plan.spec, network.plan.trouble))
        }
    failure = found.failure
    if network.code and failure:
        text, name = network.source.text, network.source.name
        wish = suggest(text, failure.path, _leading(failure.expected), _leading(failure.arrived), name)
        if not wish and not failure.expected:  # then a word of its forward may be wrong
            refused = refusal(network.module, network.input_shape)
            wish = respell(text, refused) if refused else None
        if wish:
            return {"0": (wish[0], Source("code", wish[1], name))}
    return {}


def stop(network: Network, found: NetworkProfile) -> Failure | None:
    """Where the net stops: what its run says; of parts, what cannot follow and therefore is not built."""
    trouble = network.plan and network.plan.trouble
    if found.failure or not network.plan or not trouble:
        return found.failure
    kind, _, name = label(network.plan.spec, trouble.path).partition(" “")
    return Failure(name.rstrip("”"), kind, trouble.sentence)


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
            on_change=lambda: _take_code(Source("code", network.source.text, st.session_state[key])),
        )
    for note in read.notes:
        st.caption(plain(note))


def _read_code() -> None:
    _take_code(Source("code", st.session_state[_CODE], _chosen_name()))


def _chosen_name() -> str:
    """Which of the networks in the page's code is shown, where somebody chose."""
    try:
        return _whole(link.read("net", USUAL)).name
    except ExplorerError:
        return ""


def _take_code(source: Source) -> None:
    """Make code the page's network; where it cannot be read, say why and what would help."""
    try:
        take(_still_named(source))
    except ExplorerError as error:
        _refuse(error, source.text)


def _still_named(source: Source) -> Source:
    """The source, once it can be read; the usual network of its code where none has its name any more.

    Raises:
        ExplorerError: it cannot be read.
    """
    try:
        cache.network(source, None)
    except CodeError:
        if not source.name:
            raise
        usual = replace(source, name="")
        read = cache.network(usual, None).code
        if read and source.name in read.names:
            raise  # it is there, and cannot be made
        return usual
    return source


def _refuse(error: ExplorerError, code: str = "") -> None:
    """Keep for the next run why something was refused; of code also where, and the same without a word's error."""
    st.session_state[_REFUSED] = str(error)
    if isinstance(error, CodeError):
        st.session_state[_EXCERPT] = error.excerpt
        if wish := respell(code, error):
            st.session_state[_MENDED] = (wish[0], code, wish[1])


def _mend(refused: str, code: str) -> None:
    """Read the mended code; the box follows where the code that was refused stands in it."""
    if st.session_state.get(_CODE) == refused:
        st.session_state[_CODE] = code
    _take_code(Source("code", code, _chosen_name()))


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
        source = _source_of(upload.name, upload.getvalue())
    except ExplorerError as error:
        _refuse(error)
        return
    if source.origin == "code":
        _take_code(source)
    else:
        take(source)


def _source_of(name: str, data: bytes) -> Source:
    """What a file holds.

    Raises:
        ExplorerError: it is neither a network saved here nor text that could be code.
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
    return Source("code", text)


_WAYS: Final = MappingProxyType({"classic": _classic, "build": _build, "code": _code, "file": _file})

__all__ = ["USUAL", "Picture", "chosen_network", "origin", "take", "take_parts"]
