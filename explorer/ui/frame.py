"""The frame around every page: navigation, title, waiting, errors, and the line at the foot."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import ModelError
from explorer.ui import errors, link, warmup
from explorer.ui.components.navigation import navigation as keep_way

ROOT = Path(__file__).resolve().parents[2]
Parameters = ParamSpec("Parameters")
PAINTED = 0.05
"""Seconds for the browser to take and paint what came first; then comes the rest, whose work is as long.

Measured on the page of layers, from the hand on a dial to the new headline, medians of 14 on a busy machine: with a
pause of 2 ms 84, of 20 ms 65, of 30, 45 and 60 ms 50, 49 and 52; where the window is new too, 94, 99, 88, 74 and 75.
"""
STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Room:
    """One page: where it stands, what it asks, the sentence under its title, and what one can do there."""

    path: str
    title: str
    sentence: str
    section: str
    icon: str
    points: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        return ROOT / "pages" / f"{self.path or 'home'}.py"


ROOMS = (
    Room(
        "",
        "CNN Explorer",
        "Open a convolutional network and look around: any picture can be yours, any number can be opened.",
        "",
        ":material/home:",
    ),
    Room(
        "kernels",
        "Draw a kernel",
        "Paint a few weights, see the picture change under your hand, and open any pixel into its products.",
        "Convolution",
        ":material/grid_on:",
        (
            "Drag over the weights, type them, or begin with one of 26 classics and turn its parameters.",
            "Point at a pixel: every product behind it, the sum, the bias, the activation.",
            "Stride, padding, dilation; one kernel for each colour; banks, chains, shifts, a detector.",
            "Compare with what a real network learned, and take PyTorch, SciPy or OpenCV code home.",
        ),
    ),
    Room(
        "arithmetic",
        "What shape comes out?",
        "Set a layer and what it is given: see the output's shape, why, what it costs, and what each unit sees.",
        "Convolution",
        ":material/calculate:",
        (
            "Thirteen kinds of layers in one, two or three dimensions; or type the line of torch.",
            "The equation with your numbers in it, and the window at work on numbers that you can check.",
            "Parameters, multiply-adds and memory, each opened as its product.",
            "Receptive fields on your own photo; worked examples, exercises for a whole class.",
        ),
    ),
    Room(
        "networks",
        "Build a net",
        "Take a classic, build one, or paste your code: read every layer's shape, parameters, work and memory.",
        "Networks",
        ":material/account_tree:",
        (
            "A hundred classics, a builder with blocks, PyTorch code that is read and never run.",
            "Shapes, activations, parameters, MACs, receptive field and bytes; each number opens as its product.",
            "Where the parameters, the work and the memory are; two or three networks side by side.",
            "Take the code, the table or the link home.",
        ),
    ),
    Room(
        "features",
        "What does each layer see?",
        "Give a network a picture: see every map of every layer, and follow any unit down to pixels and up to classes.",
        "Networks",
        ":material/layers:",
        (
            "A wall of all the maps of a layer, signed, on one scale or each on its own.",
            "Click a map: where its cells look, the filter that made it, and each product behind a number.",
            "Switch units off and see the probabilities move; turn maps back into a picture.",
            "The filters themselves; what excites a unit most; code and numbers to take home.",
        ),
    ),
    Room(
        "saliency",
        "Where does it look?",
        "Give a network a picture, pick one of its guesses, and see which parts of the picture supported it.",
        "Saliency",
        ":material/center_focus_strong:",
        (
            "Drop a photo, take one, draw one, or begin with the cat.",
            "Click any of the network's answers: the map is for that one. Lay two side by side.",
            "Slide from the first layers to the last; choose among 116 pretrained networks.",
            "Take the overlay, the numbers and the code home, or send the link.",
        ),
    ),
)


def navigation() -> dict[Room, st.Page]:
    """Each room as a Streamlit page; the first is the home page."""
    return {
        room: st.Page(
            room.file,
            title=room.title if room.path else "Home",
            icon=room.icon,
            url_path=room.path,
            default=not room.path,
        )
        for room in ROOMS
    }


def shell() -> None:
    """Draw the frame and, in it, the page that was asked for."""
    pages = navigation()
    sections: dict[str, list[st.Page]] = {}
    for room, entry in pages.items():
        sections.setdefault(room.section, []).append(entry)
    chosen = st.navigation(sections, position="top")
    room = next(room for room, entry in pages.items() if entry.url_path == chosen.url_path)
    st.set_page_config(
        page_title=f"{room.title} · CNN Explorer" if room.path else room.title,
        page_icon="🔍",  # a picture would first import numpy and Pillow, in front of the first visitor
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(f"<style>{STYLE}</style>")
    with st.container(key="heading", horizontal=True, vertical_alignment="bottom"):
        st.title(room.title, anchor=False, width="content")
        st.markdown(room.sentence, width="content")
        keep_way("navigation")
    link.begin(room.path)
    try:
        if room.path:
            wait_until_warm()
        chosen.run()
    except Exception as error:
        errors.show(error)
    link.write()
    foot()


def entry(room: Room) -> st.Page:
    """The Streamlit page of a room, to link to."""
    return navigation()[room]


def door(path: str, label: str, **query: str) -> None:
    """A link to another room, which takes over picture and network, and what `query` chooses there besides."""
    room = next(room for room in ROOMS if room.path == path)
    st.page_link(
        entry(room), label=f"{label}: **{room.title}**", icon=":material/arrow_forward:", query_params=query
    )


def bench() -> DeltaGenerator:
    """The room for a page that looks at one picture; style.css lays out its areas for every width.

    Wide: what goes in on the left, the view with its film in the middle, the answers, where a page has any, on
    the right.  On a phone: picture, view, answers, film, settings, each below the other.
    """
    return st.container(key="bench")


def inputs() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Inside the bench: the areas for the picture and for what is chosen beside it."""
    with st.container(key="inputs"):
        return st.container(key="picture"), st.container(key="settings")


def outputs(*areas: str) -> tuple[DeltaGenerator, ...]:
    """Inside the bench: the areas asked for, of "view", "film" and "answers"."""
    return tuple(st.container(key=area) for area in areas)


def part(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """A part of a page that runs alone when something inside it is touched: the rest is neither run nor sent."""

    @st.fragment
    @wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        function(*args, **kwargs)
        link.write_of_part()

    return run


def send() -> None:
    """Let what was drawn so far be painted before the script goes on.

    Streamlit's thread that sends gets its turn only where the script pauses, and what reaches the browser while it
    is still at work is painted together with what came first.  A choice that is made meanwhile ends the run at the
    next element, so a quick hand does not wait for the rest.
    """
    time.sleep(PAINTED)


def gallery() -> None:
    """Each room as a picture of itself, its question, its sentence and what one can do there."""
    theme = st.context.theme.type or "light"
    for room in ROOMS[1:]:
        with st.container(key=f"room-{room.path}", border=True):
            picture, words = st.columns((1.5, 1), gap="medium", vertical_alignment="center")
            picture.html(_picture(room, theme))
            with words:
                st.subheader(room.title, anchor=False)
                st.markdown(room.sentence)
                st.markdown("\n".join(f"- {point}" for point in room.points))
                st.page_link(entry(room), label=f"**Open “{room.title}”**", icon=room.icon)


def _picture(room: Room, theme: str) -> str:
    """The room's picture as HTML: like the icon above, it must not wait for numpy and Pillow."""
    file = ROOT / "assets" / "rooms" / f"{room.path}-{theme}.jpg"
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="The page “{room.title}”" width="100%">'


def wait_until_warm() -> None:
    """Say what the server is doing until pages can run.

    Raises:
        ModelError: the warm-up failed; the cause is in the server's log.
    """
    state = warmup.start()
    if not state.done.is_set():
        place = st.empty()
        while not warmup.wait(0.1):
            place.markdown(f":material/hourglass_top: {state.doing} …")
        place.empty()
    if state.failure:
        raise ModelError(f"The server could not start its networks: {state.failure}.")


def foot() -> None:
    """Where it computes, and what becomes of pictures."""
    state = warmup.state
    if not state.ready:
        return
    import torch

    from explorer.devices import choose_device, device_name

    st.caption(
        f":material/memory: {device_name(choose_device())} · PyTorch {torch.__version__.split('+')[0]} · "
        "your pictures stay in this session's memory and are never written to disk"
    )
