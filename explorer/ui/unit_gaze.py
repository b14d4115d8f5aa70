"""What a token of the picture looks at, by every head of an attention."""

from __future__ import annotations

import streamlit as st

from explorer.convolution import Pair
from explorer.ui import cache, feature_controls, unit_controls
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.feature_controls import Subject
from explorer.ui.numbers import percent


def gazes(subject: Subject, cell: Pair | None) -> None:
    """The pinned token's attention, a picture for each head; the token most looked at where none is pinned."""
    token = cell or unit_controls.strongest_cell(subject)
    found = cache.gaze(subject.fed, subject.layer.key, token)
    pictures = cache.gaze_pictures(subject.fed, subject.layer.key, token)
    st.markdown(_sentence(subject, token, pinned=cell is not None))
    entries = []
    for head, picture in enumerate(pictures):
        share = percent(float(found.shares[head].max()))
        aside = f"{percent(float(found.aside[head]))} to the class token" if found.aside is not None else ""
        entries.append(Tile(str(head), f"Head {head}: {share} at most", picture, aside))
    tiles(
        "unit gazes",
        "What the token looks at, by each head: pick one for its map",
        entries,
        str(subject.unit),
        _open,
        size=150,
    )
    whole = "the class token’s included, " if found.aside is not None else ""
    st.caption(
        "The picture is grey, so that all red is attention: where this token’s goes, full colour at each head’s "
        f"largest share, which stands below it. All shares of a head together, {whole}are 100 %."
    )


def _sentence(subject: Subject, token: Pair, pinned: bool) -> str:
    """Who looks here, and who does in the map above."""
    row, column = token
    hint = "" if pinned else ", the one most looked at: click any other in the map"
    others = "the class token" if unit_controls.class_token(subject) else "the mean of all tokens"
    return (
        f"**What the token at row {row}, column {column} looks at**{hint}. In the map above, and on the wall, it is "
        f"{others} that looks; here it is this one (dashed)."
    )


def _open(head: str) -> None:
    """Look at this head's map."""
    feature_controls.take_unit(int(head))
    unit_controls.lead_elsewhere()
