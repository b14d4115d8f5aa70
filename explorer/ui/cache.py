"""Every cache of the app, each with what it holds and how much.

What derives from a visitor's picture is cached for that visitor's session alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st
import torch

from explorer import process, saliency
from explorer.desk import desk
from explorer.devices import choose_device, device_name
from explorer.figures.pictures import jpeg, png, square_thumbnail
from explorer.images import SAMPLES, Photo, sample_photo
from explorer.models import card, load_network
from explorer.recording import Recorder, Tape
from explorer.saliency import Saliency, SaliencySpec
from explorer.ui.components.tiles import Tile

# A photo is known by the digest of its pixels: hashing those on every run would cost more than the run.
BY_DIGEST = {Photo: lambda photo: (photo.name, photo.digest)}


@dataclass(frozen=True)
class Seat:
    """A session's place at the desk."""

    owner: str


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda seat: desk().forget(seat.owner))
def seat() -> Seat:
    """This session's seat; when the session ends, its waiting work is dropped."""
    return Seat(secrets.token_hex(8))


@st.cache_resource(show_spinner=False)
def device() -> tuple[torch.device, str]:
    """The device networks run on, and its name: asked once, since asking a GPU takes time."""
    chosen = choose_device()
    return chosen, device_name(chosen)
