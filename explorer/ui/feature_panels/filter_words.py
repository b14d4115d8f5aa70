"""What the panel of filters says: sentences and numbers, nothing that is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explorer import filters as domain
from explorer.errors import LayerError
from explorer.figures.filter_tiles import GLANCE
from explorer.filter_tracing import Behind, Origin
from explorer.filters import Dead, Duplicates, FilterBank, Statistics, orders_of, relatives
from explorer.images import plain
from explorer.ui.feature_panels.filter_view import Shown
from explorer.ui.numbers import readable, typeset


def headline(bank: FilterBank) -> str:
    """How many filters there are, what each reads, and its weights as a product."""
    rows, columns = bank.size
    reads = (
        "red, green and blue"
        if bank.colours
        else f"{bank.slices:,} channel{'s' if bank.slices > 1 else ''}"
        + (" of its own" if bank.groups > 1 and bank.slices == 1 else "")
        + (f" of its group, of {bank.groups:,}" if bank.groups > 1 and bank.slices > 1 else "")
    )
    return (
        f"**{len(bank):,} filters of {plain(bank.layer)}**: each reads {reads}, with "
        f"{bank.slices:,} × {rows} × {columns} = {bank.weights[0].size:,} "
        f"weight{'s' if bank.weights[0].size > 1 else ''}. Choose one: its map is chosen too."
    )


def named(origin: Origin, behind: Behind) -> str:
    """The layer's name, and which maps it has a part in, where not in all."""
    units = np.flatnonzero(origin.filters >= 0)
    if origin.layer == behind.layer or len(units) == len(origin.filters):
        return origin.layer
    whole = units[-1] - units[0] + 1 == len(units)
    return f"{origin.layer} · maps {units[0]}–{units[-1]}" if whole else f"{origin.layer} · {len(units)} maps"


def where_from(shown: Shown) -> str:
    """How filters and maps hang together, in sentences."""
    layer, behind, origin = shown.subject.layer, shown.behind, shown.origin
    name, unit = plain(layer.key), shown.subject.unit
    said: list[str] = []
    making = behind.of_unit(unit)
    if shown.beside:
        said.append(
            f"These are not the filters behind the maps of {name}: choosing one goes to the maps of "
            f"{plain(origin.layer)}."
        )
    elif shown.number is None:
        makers = " and ".join(plain(one.layer) for one in making[:3])
        said.append(
            f"The maps of {name} are those of {len(behind.origins)} layers side by side; "
            f"map {unit} comes from {makers}, not from these."
        )
    elif origin.layer == layer.name:
        said.append(f"Filter {shown.number} makes map {unit} of this very layer.")
    elif len(making) > 1:
        said.append(
            f"Map {unit} of {name} is a sum to which {len(making)} layers add: "
            f"filter {shown.number} of {plain(origin.layer)} is one of them."
        )
    else:
        said.append(f"Map {unit} of {name} comes from filter {shown.number} of {plain(origin.layer)}.")
    if origin.norm:
        said.append(f"Behind the filters stands the batch normalisation {plain(origin.norm)}.")
    if behind.mixed and not shown.beside:
        said.append("A normalisation over all channels lies between, so that other maps have a say in it.")
    if behind.unknown and not shown.beside:
        said.append("Something that cannot be followed back to filters is added too.")
    if "similar" not in orders_of(shown.bank):
        said.append(f"Ordering by similarity is offered for up to {domain.MOST_IN_A_ROW:,} filters.")
    return " ".join(said)


def nothing_chosen(shown: Shown) -> str:
    """What to do where the chosen map is not made by these filters."""
    if shown.beside:
        return f"Choose a filter to look at it, and at its map in {plain(shown.origin.layer)}."
    return f"Map {shown.subject.unit} is not made by these filters: choose one of them."


def legend(shown: Shown, channel: int | None) -> str:
    """What a tile shows, on which scale, and the words below it."""
    bank = shown.bank
    if bank.colours:
        said = "Each tile is a filter as a colour picture, mid grey where its weights are zero."
    elif channel is not None:
        said = f"Each tile is the slice that reads channel {channel}: brown below zero, teal above, white at zero."
    elif bank.slices == 1:
        said = "Each tile is a filter: brown below zero, teal above, white at zero."
    elif bank.size == (1, 1):
        said = (
            f"Each tile is a filter: a cell for each of the {bank.slices:,} channels that it reads, row by row; "
            "brown below zero, teal above, white at zero."
        )
    else:
        said = (
            f"Each tile shows the {min(GLANCE, bank.slices)} strongest of a filter’s {bank.slices:,} slices: "
            "brown below zero, teal above, white at zero."
        )
    scale = (
        f" One scale for all, ±{brief(shown.peak)}."
        if shown.peak is not None
        else " Each has a scale of its own."
    )
    below = " Below: its number, and " + (
        "its weight." if channel is not None and bank.size == (1, 1) else "the norm of its weights."
    )
    order = (
        f" In the order of {domain.ORDERS[shown.order].title.lower()}: {domain.ORDERS[shown.order].sentence}."
    )
    return said + scale + below + order


def facts(shown: Shown, number: int) -> list[tuple[str, str]]:
    """One filter in numbers: each with its name."""
    bank, weights = shown.bank, shown.bank.weights[number]
    rank = int((bank.norms > bank.norms[number]).sum()) + 1
    said = [
        ("norm", f"{brief(bank.norms[number])}, {rank:,} of {len(bank):,}"),
        ("weights", f"{brief(weights.min())} to {brief(weights.max())}"),
        ("their mean", brief(weights.mean(dtype=np.float64))),
    ]
    if bank.bias is not None:
        said.append(("bias", brief(bank.bias[number])))
    if bank.norm is not None:
        scale, shift = bank.norm.scale[number], bank.norm.shift[number]
        said.append(("normalisation", f"× {brief(scale)}, {'−' if shift < 0 else '+'} {brief(abs(shift))}"))
    if bank.colours:
        degrees, shares = domain.hues_of(bank)
        hue = f"hue {degrees[number]:.0f}°, " if shares[number] >= domain.GREYISH else ""
        said.append(("colour", f"{hue}{100 * shares[number]:.0f} % of the energy"))
    if len(bank) > 1 and weights.size > 1:
        try:
            (alike, near), (opposite, far) = relatives(bank, number)
        except LayerError:  # all others are dead
            return said
        said.append(("most alike", f"filter {alike}, cosine {signed(near)}"))
        said.append(("most opposite", f"filter {opposite}, cosine {signed(far)}"))
    return said


def troubles(bank: FilterBank, number: int, dead: Sequence[Dead], twins: Duplicates) -> list[str]:
    """Sentences about a filter that is dead or a double; none for most."""
    said = [f"Dead: {why_dead(entry, bank)}" for entry in dead if entry.number == number]
    for pair in twins.pairs:
        if number in (pair.first, pair.second):
            other = pair.second if pair.first == number else pair.first
            how = "A double of" if pair.cosine > 0 else "The negative of"
            said.append(f"{how} filter {other}: cosine {signed(pair.cosine)}.")
    if number in twins.members and not said:
        said.append(f"A double of another, in one of the {twins.count:,} pairs of this layer.")
    return said


def why_dead(entry: Dead, bank: FilterBank) -> str:
    """What makes a filter of these stored ones count as dead, with the numbers."""
    share = f"{100 * entry.share:.2g}" if entry.share >= 1e-5 else "less than 0.001"
    small = f"{brief(entry.norm)}, {share} % of the median {brief(entry.usual)}"
    if bank.norm is None:
        return f"its norm is {small}."
    if entry.scale is None:
        return f"its norm is {brief(bank.norms[entry.number])} as stored, and behind the batch normalisation {small}."
    return f"the batch normalisation scales it by {brief(entry.scale)}, which leaves a norm of {small}."


def silent(numbers: Sequence[int], listed: int) -> str:
    """What is said of filters that live, though their maps are zero for this picture."""
    if len(numbers) == 1:
        return (
            f"Filter {numbers[0]} is not dead, though its map of this picture is zero everywhere: another picture may "
            "wake it."
        )
    some = ", ".join(map(str, numbers[:listed])) + (", …" if len(numbers) > listed else "")
    return (
        f"{len(numbers):,} filters are not dead, though their maps of this picture are zero everywhere ({some}): "
        "another picture may wake them."
    )


def spread(found: Statistics) -> str:
    """What the weights are like, in a sentence."""
    shape = (
        "a bell curve has 0"
        if abs(found.excess) < 0.5
        else "a few large weights, many small ones"
        if found.excess > 0
        else "flatter than a bell curve"
    )
    return (
        f"{found.count:,} weights from {brief(found.lowest)} to {brief(found.highest)}: mean {brief(found.mean)}, "
        f"standard deviation {brief(found.deviation)} (Kaiming He’s start of training would be "
        f"√(2 / {found.fan_in:,}) = {brief(found.untrained)}); {100 * found.positive:.0f} % above zero, "
        f"{100 * found.tiny:.0f} % smaller than a hundredth of the largest; "
        f"excess kurtosis {signed(found.excess)}: {shape}."
    )


def brief(value: float | np.floating) -> str:
    """Three digits that count."""
    return readable(float(f"{float(value):.3g}"))


def signed(value: float) -> str:
    """A number with its sign and three decimals."""
    return typeset(value, "+.3f")
