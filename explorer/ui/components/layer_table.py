"""The table of a network: a tree of its layers, every number of which opens as its product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.figures.layer_hues import HUES
from explorer.net_export import (
    COLUMNS,
    DEFAULT_COLUMNS,
    FORMATS,
    Fold,
    folds_of,
    itself,
    rows_to_json,
    table_lines,
)
from explorer.profiling import NetworkProfile
from explorer.ui.components import register

_mount = register("layer_table")

Place = tuple[str, int]
"""A row: the path of its module or operation, and which of its calls."""


@dataclass(frozen=True)
class Repair:
    """One way to mend a net that fails: its key, and what its button says."""

    key: str
    label: str


def layer_table(
    name: str,
    profile: NetworkProfile,
    on_choose: Callable[[Place | None], None],
    chosen: Place | None = None,
    repairs: Sequence[Repair] = (),
    on_repair: Callable[[str], None] | None = None,
    height: int = 600,
) -> None:
    """The table of a network, with search, filters, sorting and exports; blocks alike are one line until it is opened.

    Args:
        name: key of the instance, one for the page.
        profile: of the network; where it fails, its sentence stands under the row.
        on_choose: called with the row that was chosen, or None where it was chosen again.
        chosen: the row that is chosen; where the page chooses another, the table opens to it.
        repairs: buttons beside the sentence of a net that fails.
        on_repair: called with a repair's key.
        height: of the table at most, in CSS pixels; longer ones scroll.
    """
    message = st.session_state.get(name) or {}
    folds = folds_of(profile)

    def choose() -> None:
        wish = st.session_state[name].get("chosen")
        if isinstance(wish, Mapping):
            on_choose(_place(profile, wish))

    def repair() -> None:
        key = st.session_state[name].get("repair")
        if on_repair and any(each.key == key for each in repairs):
            on_repair(key)

    _mount(
        key=name,
        data={
            "table": rows_to_json(profile, folds),
            "chosen": list(chosen) if chosen else None,
            "answered": _count(message.get("chosen")),
            "repairs": [vars(each) for each in repairs],
            "formats": [{"key": key, "title": each.title} for key, each in FORMATS.items()],
            "exported": exported(profile, folds, message.get("export")),
            "height": height,
            "hues": dict(HUES),
        },
        on_chosen_change=choose,
        on_repair_change=repair,
        on_export_change=lambda: None,
    )


def _place(profile: NetworkProfile, wish: Mapping[str, Any]) -> Place | None:
    """The row that a message names; None where it names none of this net."""
    place = wish.get("path"), wish.get("call")
    return next(((row.path, row.call) for row in profile.rows if (row.path, row.call) == place), None)


def _count(message: object) -> int:
    """Number of the browser's last message: a page that shows it has seen all up to it."""
    count = message.get("count") if isinstance(message, Mapping) else None
    return count if isinstance(count, int) else 0


def exported(profile: NetworkProfile, folds: Sequence[Fold], wish: object) -> dict[str, Any] | None:
    """The text that a message of the browser asks for, with its file's name and type; None where it asks for none.

    A wish holds "count" (echoed), "format" (a key of `FORMATS`), "rows" (numbers of lines as `rows_to_json` counts
    them, or None for all but the folds), "columns" (keys of `COLUMNS`, or None for the usual ones) and "flat" (true
    where the rows are a list without blocks: then a block's line is what it keeps itself).
    """
    form = FORMATS.get(str(wish.get("format"))) if isinstance(wish, Mapping) else None
    if not isinstance(wish, Mapping) or form is None:
        return None
    lines = table_lines(profile, folds)
    rows, columns = wish.get("rows"), wish.get("columns")
    if isinstance(rows, Sequence):
        kept = [lines[at] for at in rows if isinstance(at, int) and 0 <= at < len(lines)]
        if wish.get("flat") is True:
            kept = [itself(profile, line) if line.role == "container" else line for line in kept]
    else:
        kept = [line for line in lines if line.times == 1]
    if isinstance(columns, Sequence):
        columns = [key for key in columns if key in COLUMNS]
    stem = "".join(letter if letter.isalnum() else "-" for letter in profile.name.lower()).strip("-")
    return {
        "count": _count(wish),
        "text": form.write(profile, kept, columns or DEFAULT_COLUMNS),
        "file": f"{stem or 'network'}{form.suffix}",
        "mime": form.mime,
    }
