"""The filters behind the chosen layer's maps: tiles to choose a map by, slices, and what the weights are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import streamlit as st

from explorer import filters as domain
from explorer.errors import LayerError
from explorer.figures.filter_tiles import filter_tile, slice_tile, weights_histogram
from explorer.figures.pictures import data_uri, png
from explorer.filter_tracing import Behind, Origin
from explorer.filters import ALIKE, DEAD, Dead, Duplicates, orders_of, strongest_slices
from explorer.images import plain
from explorer.ui import cache, controls, feature_controls, link
from explorer.ui.components.pairs import MapPair, pairs
from explorer.ui.components.tiles import Tile, tiles
from explorer.ui.feature_controls import Subject
from explorer.ui.feature_panels import filter_words as words
from explorer.ui.feature_panels.filter_chosen import chosen_filter
from explorer.ui.feature_panels.filter_view import Shown, channel_of, note, noted, position_of, take_channel

PAGE: Final = 64
"""Tiles that are shown at once."""

LISTED: Final = 12
"""Dead filters and pairs that are told one by one; the rest can be opened."""

FIRST: Final = "first"
SCALES: Final[Mapping[str, str]] = MappingProxyType({"each": "Each filter alone", "all": "One scale for all"})
NORMS: Final[Mapping[str, str]] = MappingProxyType({"stored": "As stored", "folded": "Folded in"})
VIEWS: Final[Mapping[str, str]] = MappingProxyType({"filter": "The filter", "channel": "One input channel"})


def filters(subject: Subject) -> None:
    """The panel."""
    layer = subject.layer
    if layer.layout == "heads":
        raise LayerError(
            f"The heads of {layer.name} show where attention looks: that is worked out anew for each picture, by no "
            "filter."
        )
    behind = cache.behind(subject.fed.card.key, layer.key)
    shown = _settings(subject, behind, _origin(subject, behind))
    dead, twins = cache.filter_marks(shown.model, shown.origin, shown.folded)
    st.caption(words.where_from(shown))
    with st.container(key="filter-bench"):
        with st.container(key="filter-wall"):
            _wall(shown, _choose_channel(shown), _marks(dead, twins))
        with st.container(key="filter-chosen"):
            if shown.number is None:
                st.info(words.nothing_chosen(shown), icon=":material/touch_app:")
            else:
                chosen_filter(shown, shown.number, dead, twins)
    if shown.number is not None and not shown.bank.colours and shown.bank.slices > 1:
        _slices(shown, shown.number)
    _weights(shown)
    _dead_and_double(shown, dead, twins)


# ------------------------------------------------------------------------------------------ whose filters


def _origin(subject: Subject, behind: Behind) -> Origin:
    """The layer whose filters are shown: that of the link, else the one that makes the chosen map."""
    making = behind.of_unit(subject.unit) or behind.origins
    usual = next((origin for origin in making if not origin.dense), making[0])
    known = {origin.layer: origin for origin in behind.origins}
    first = cache.first_filters(subject.fed.card.key)
    wanted = link.read("filters", usual.layer)
    if wanted == FIRST:
        return known.get(first.layer, first)
    if wanted not in known and wanted not in {layer.name for layer in subject.probe.layers}:
        st.warning(
            plain(f"The link asks for the filters of {wanted[:60]}, which do not exist here."),
            icon=":material/link_off:",
        )
    return known.get(wanted, usual)  # another layer's: the link's word was for the layer before


def _settings(subject: Subject, behind: Behind, origin: Origin) -> Shown:
    """The headline, and the controls: whose filters, their order, the scale, the normalisation."""
    model = subject.fed.card.key
    stored = cache.filter_bank(model, origin, False)
    st.markdown(words.headline(stored))
    rows = [st.columns(2), st.columns(2)]
    with rows[0][0]:
        _choose_origin(subject, behind, origin)
    with rows[0][1]:
        titles = {key: order.title for key, order in orders_of(stored).items()}
        order = controls.choice("filters_order", "Order", titles, "the order of filters")
    with rows[1][0]:
        scale = controls.choice("filters_scale", "Colours", SCALES, "the scale of filters", buttons=True)
    folded = False
    with rows[1][1]:
        if stored.norm is not None:
            name = "Batch normalisation behind them"
            folded = (
                controls.choice("filters_norm", name, NORMS, "the normalisation", buttons=True) == "folded"
            )
    bank = cache.filter_bank(model, origin, True) if folded else stored
    peak = float(np.abs(bank.weights).max()) if scale == "all" else None
    return Shown(subject, behind, origin, stored, bank, order, peak, _number(subject, behind, origin))


def _number(subject: Subject, behind: Behind, origin: Origin) -> int | None:
    makes = any(one.layer == origin.layer for one in behind.origins)
    return origin.filter_of(subject.unit) if makes else None


def _choose_origin(subject: Subject, behind: Behind, origin: Origin) -> None:
    first = cache.first_filters(subject.fed.card.key)
    options = {one.layer: words.named(one, behind) for one in behind.origins}
    if first.layer not in options:
        options[FIRST] = f"{first.layer}, which reads the picture"
    key = "filters control"
    st.session_state[key] = origin.layer if origin.layer in options else FIRST
    st.selectbox(
        "Filters of",
        list(options),
        format_func=options.__getitem__,
        key=key,
        on_change=lambda: link.choose("filters", st.session_state[key]),
        disabled=len(options) == 1,
    )


# --------------------------------------------------------------------------------------------------- wall


def _choose_channel(shown: Shown) -> int | None:
    """Which channel's slices the tiles show; None where they show whole filters."""
    bank = shown.bank
    if bank.colours or bank.slices == 1:
        return None
    view, field = st.columns((2, 1), vertical_alignment="bottom")
    with view:
        by = controls.choice("filters_by", "Each tile shows", VIEWS, "the tiles", buttons=True)
    if by == "filter":
        return None
    most = bank.slices * bank.groups - 1
    with field:
        key = "filters channel control"
        st.session_state[key] = channel_of(shown)
        st.number_input(
            f"Input channel, 0–{most}",
            0,
            most,
            key=key,
            on_change=lambda: take_channel(shown, st.session_state[key]),
        )
    return int(st.session_state[key])


def _wall(shown: Shown, channel: int | None, marks: Mapping[int, str]) -> None:
    """The filters as tiles, a page of them."""
    bank, order = shown.bank, cache.filter_order(shown.model, shown.origin, shown.folded, shown.order)
    if channel is not None:
        readers, position = domain.readers(bank, channel)
        order = order[np.isin(order, readers)]
    here = np.flatnonzero(order == shown.number)
    page = _page(
        "filters_page",
        f"{shown.origin.layer}.{shown.number}",
        len(order),
        "filters",
        here[0] if here.size else 0,
    )
    entries = []
    for number in order[page].tolist():
        if channel is None:
            picture, strength = filter_tile(bank, number, 112, shown.peak), bank.norms[number]
        else:
            weights = bank.weights[number, position]
            picture, strength = slice_tile(weights, 112, shown.peak), bank.slice_norms[number, position]
            if weights.size == 1:
                strength = float(weights.item())
        label = f"{number} {marks[number]}" if number in marks else str(number)
        entries.append(Tile(str(number), label, data_uri(png(picture)), words.brief(strength)))
    tiles("filter tiles", "Filter", entries, str(shown.number), _picker(shown), size=76)
    st.caption(words.legend(shown, channel))


def _marks(dead: Sequence[Dead], twins: Duplicates) -> dict[int, str]:
    return dict.fromkeys(twins.members, "double") | {entry.number: "dead" for entry in dead}


def _picker(shown: Shown) -> Callable[[str], None]:
    """Choosing a filter chooses its map; where this layer has none of it, the filters' own layer is gone to."""

    def pick(key: str) -> None:
        unit = None if shown.beside else shown.origin.unit_of(int(key))
        if unit is None:
            if shown.origin.layer not in {layer.key for layer in shown.subject.probe.layers}:
                return
            feature_controls.take_layer(shown.origin.layer)
            unit = int(key)
        feature_controls.take_unit(unit)

    return pick


# ------------------------------------------------------------------------------------------------- slices


def _slices(shown: Shown, number: int) -> None:
    """All slices of a deep filter, the strongest first; choosing one chooses the channel."""
    bank = shown.bank
    order = strongest_slices(bank, number)
    st.markdown(
        f"**The {bank.slices:,} slices of filter {number}**, one for each channel that it reads, the strongest first"
    )
    chosen = channel_of(shown)
    here = np.flatnonzero(order == position_of(bank, number, chosen))
    page = _page(
        "filters_slices",
        f"{shown.origin.layer}.{number}.{chosen}",
        len(order),
        "slices",
        here[0] if here.size else 0,
    )
    peak = float(np.abs(bank.weights[number]).max()) if shown.peak is None else shown.peak
    entries = []
    for position in order[page].tolist():
        weights = bank.weights[number, position]
        strength = float(weights.item()) if weights.size == 1 else float(bank.slice_norms[number, position])
        entries.append(
            Tile(
                str(bank.channel(number, position)),
                str(bank.channel(number, position)),
                data_uri(png(slice_tile(weights, 96, peak))),
                words.brief(strength),
            )
        )
    tiles(
        "slice tiles",
        "Input channel",
        entries,
        str(chosen),
        lambda key: take_channel(shown, int(key)),
        size=56,
    )
    energy = np.sort(bank.slice_norms[number] ** 2)[::-1]
    total = float(energy.sum())
    half = int(np.searchsorted(np.cumsum(energy), total / 2)) + 1 if total else 0
    what = "its weight" if bank.size == (1, 1) else "its norm"
    st.caption(
        f"Each tile is a slice, on one scale of ±{words.brief(peak)}; below it the channel it reads and {what}. "
        f"Half of the filter’s energy is in its {half:,} strongest."
    )


def _page(name: str, context: str, count: int, what: str, here: int) -> slice:
    """Which tiles are shown: the page chosen since the filter was, else the one that it stands on."""
    pages = -(-count // PAGE)
    page = noted(name, context, int(here) // PAGE, pages - 1)
    if pages > 1:
        key = f"{name} control"
        st.session_state[key] = page
        st.selectbox(
            f"Page of {what}",
            range(pages),
            format_func=lambda at: f"{at * PAGE + 1:,}–{min((at + 1) * PAGE, count):,} of {count:,} {what}",
            key=key,
            on_change=lambda: note(name, context, st.session_state[key]),
        )
    return slice(page * PAGE, (page + 1) * PAGE)


# ------------------------------------------------------------------------------------- the layer's weights


def _weights(shown: Shown) -> None:
    """How the layer's weights are spread."""
    bank = shown.bank
    found = cache.filter_statistics(shown.model, shown.origin, shown.folded)
    st.markdown("**How the weights are spread**")
    st.plotly_chart(
        weights_histogram(bank, shown.number, st.context.theme.type == "dark"),
        key="filter histogram",
        theme=None,
        config={"displayModeBar": False},
    )
    st.caption(words.spread(found))


def _dead_and_double(shown: Shown, dead: Sequence[Dead], twins: Duplicates) -> None:
    """Which filters do nothing, and which do the same, in words."""
    stored = shown.stored
    st.markdown("**Dead and double**")
    where = ", measured behind the batch normalisation" if stored.norm is not None else ""
    rule = f"less than {100 * DEAD:.0f} % of the layer’s median norm{where}"
    if dead:
        are = "is dead: it" if len(dead) == 1 else "are dead: each"
        _listing(
            f"{len(dead):,} of {len(stored):,} filters {are} has {rule}.",
            [f"Filter {entry.number}: {words.why_dead(entry, stored)}" for entry in dead],
        )
    else:
        st.markdown(f"No filter is dead: none has {rule}.")
    if silent := _silent(shown, dead):
        st.markdown(words.silent(silent, LISTED))
    if twins.count:
        more = f" The {len(twins.pairs):,} most alike:" if twins.count > len(twins.pairs) else ""
        count = "1 pair is" if twins.count == 1 else f"{twins.count:,} pairs are"
        st.markdown(
            f"{count} double, with a cosine beyond ±{ALIKE}: "
            f"{len(twins.members):,} filters; where it is negative, one is the other’s negative.{more}"
        )
        _doubles(shown, twins)
    elif stored.slices == 1 and stored.groups == len(stored):
        st.markdown("None can be a double of another: each reads a channel that no other reads.")
    elif stored.weights[0].size == 1:
        st.markdown("Filters of a single weight have no pattern, so none is a double.")
    else:
        st.markdown(f"No two are double: none have a cosine beyond ±{ALIKE}.")


def _doubles(shown: Shown, twins: Duplicates) -> None:
    """Pairs of filters to look at, a page of them; picking one chooses its first filter, then its second."""
    name, context = "filters_doubles", shown.origin.layer
    own = [n for n, pair in enumerate(twins.pairs) if shown.number in (pair.first, pair.second)]
    pages = -(-len(twins.pairs) // LISTED)
    page = noted(name, context, own[0] // LISTED if own else 0, pages - 1)
    first, last = page * LISTED, min((page + 1) * LISTED, len(twins.pairs))

    def picture(number: int) -> str:
        return data_uri(png(filter_tile(shown.bank, number, 96, shown.peak)))

    entries = []
    for key, pair in enumerate(twins.pairs[first:last], start=first):
        label, cosine = f"{pair.first} · {pair.second}", words.signed(pair.cosine)
        hint = f"Filters {pair.first} and {pair.second}: cosine {cosine}"
        entries.append(MapPair(key, picture(pair.first), picture(pair.second), label, cosine, hint))

    def pick(key: int) -> None:
        pair = twins.pairs[key]
        _picker(shown)(str(pair.second if shown.number == pair.first else pair.first))

    pairs(
        "filter doubles",
        "Double filters",
        ("Filter", "its double, and their cosine"),
        entries,
        own[0] if own else -1,
        page,
        pages,
        f"{first + 1:,}–{last:,} of {len(twins.pairs):,}",
        pick,
        lambda to: note(name, context, to),
    )


def _silent(shown: Shown, dead: Sequence[Dead]) -> list[int]:
    """The filters that are not dead, though their maps of this picture are zero everywhere."""
    if shown.beside:
        return []
    units = np.flatnonzero(~shown.subject.maps.values.any(axis=(1, 2)))
    made = {shown.origin.filter_of(int(unit)) for unit in units}
    return sorted(number for number in made - {entry.number for entry in dead} if number is not None)


def _listing(sentence: str, lines: Sequence[str]) -> None:
    st.markdown(sentence)
    st.markdown("\n".join(f"- {line}" for line in lines[:LISTED]))
    if len(lines) > LISTED:
        with st.expander(f"{len(lines) - LISTED:,} more"):
            st.markdown("\n".join(f"- {line}" for line in lines[LISTED:]))
