"""What the panel of filters has on screen, and the numbers of it that the link keeps."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from explorer.filter_tracing import Behind, Origin
from explorer.filters import FilterBank, strongest_slices
from explorer.images import plain
from explorer.ui import link
from explorer.ui.feature_controls import Subject


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on screen: the filters, where they stand in the network, and how they are looked at.

    Attributes:
        subject: the page's.
        behind: where the chosen layer's maps come from.
        origin: the layer whose filters are shown.
        stored: its filters as they are in the network; `bank`, as they are shown, may have the normalisation in them.
        order: key of one of `filters.ORDERS`.
        peak: of the scale that all share; None where each has its own.
        number: of the filter that makes the chosen map; None where it is another layer's.
    """

    subject: Subject
    behind: Behind
    origin: Origin
    stored: FilterBank
    bank: FilterBank
    order: str
    peak: float | None
    number: int | None

    @property
    def model(self) -> str:
        return self.subject.fed.card.key

    @property
    def folded(self) -> bool:
        return self.bank is not self.stored

    @property
    def beside(self) -> bool:
        """Whether the chosen layer's maps are not made by these filters."""
        return all(origin.layer != self.origin.layer for origin in self.behind.origins)


def channel_of(shown: Shown) -> int:
    """The chosen channel of the layer's input; else the one that the chosen filter reads with most weight."""
    bank, number = shown.bank, shown.number or 0
    usual = bank.channel(number, int(strongest_slices(bank, number)[0]))
    return noted("filters_channel", shown.origin.layer, usual, bank.slices * bank.groups - 1)


def take_channel(shown: Shown, channel: int) -> None:
    """Look at another channel of the layer's input."""
    note("filters_channel", shown.origin.layer, channel)


def position_of(bank: FilterBank, number: int, channel: int) -> int | None:
    """Where the slice that reads a channel stands in a filter; None where the filter does not read it."""
    position = channel - bank.channel(number, 0)
    return position if 0 <= position < bank.slices else None


def note(name: str, context: str, value: int) -> None:
    """Keep a number that holds for a context alone, such as a page for a layer's filters."""
    link.choose(name, f"{value}@{context}")


def noted(name: str, context: str, usual: int, highest: int) -> int:
    """A number that was kept for this context; else, or where it is outside 0 to `highest`, the usual one."""
    value, _, its = link.read(name).partition("@")
    if not value or its not in (context, ""):
        return usual
    if value.isdecimal() and len(value) < 10 and int(value) <= highest:
        return int(value)
    st.warning(
        plain(f"The link’s {name} {value[:60]} is outside 0–{highest}; the usual one is shown."),
        icon=":material/link_off:",
    )
    link.forget(name)
    return usual
