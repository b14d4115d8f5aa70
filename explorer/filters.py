"""The filters of one layer: their weights as pictures' numbers, orders to lay them out in, which are dead or double.

A filter is what makes one map: the weights of one output channel, a small grid (a slice) for each channel that it
reads.  A dense layer is a convolution whose kernel covers all that it reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.errors import LayerError, ShapeError

Floats = NDArray[np.float32]
Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]

DEAD: Final = 0.01
"""A filter whose norm is below this share of its layer's median makes a map that hardly differs from its bias."""

ALIKE: Final = 0.95
"""Two filters of one layer whose |cosine| is above this answer to the same pattern."""

GREYISH: Final = 0.1
"""A filter with less than this share of its energy in colour has no hue worth ordering by."""

MOST_PAIRS: Final = 200
"""Duplicates that are listed; more are counted."""

MOST_WEIGHTS: Final = 10_000_000
"""VGG's first dense layer, with 102,760,448, would take minutes and 400 MB to compare.

Of torchvision's convolutions only those of the largest RegNets (32 GF and up) have more.
"""

MOST_IN_A_ROW: Final = 2048
"""Filters that are ordered by similarity: half a second; the time grows with the cube."""

_EXACT: Final = 512
"""Filters up to which similarities are ordered in float64; beyond, float32 takes half of the time."""

_BLOCK: Final = 512
"""Filters whose cosines with all are held at once."""


@dataclass(frozen=True, eq=False)
class Norm:
    """What batch normalisation does to each map in use: y = scale · x + shift, (filters,) each.

    With its running mean μ and variance σ², and what it learned, γ and β: scale = γ / √(σ² + ε),
    shift = β − scale · μ.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2.
    """

    name: str
    scale: Floats
    shift: Floats

    @classmethod
    def of(cls, name: str, module: nn.modules.batchnorm._BatchNorm) -> Norm:
        """The scale and shift of a module in use.

        Raises:
            LayerError: it keeps no running statistics, so that they differ for every batch.
        """
        mean, variance = module.running_mean, module.running_var
        if mean is None or variance is None:
            raise LayerError(f"{name} keeps no running statistics: its scale is another for every batch.")
        scale = torch.rsqrt(variance.detach().double() + module.eps)
        if module.weight is not None:
            scale = scale * module.weight.detach().double()
        shift = -scale * mean.detach().double()
        if module.bias is not None:
            shift = shift + module.bias.detach().double()
        return cls(name, _array(scale), _array(shift))


@dataclass(frozen=True, eq=False)
class FilterBank:
    """All filters of one layer.

    Attributes:
        layer: its name in the network.
        weights: (filters, channels each reads, rows, columns) float32, read-only.
        bias: (filters,), or None.
        groups: filters f // (filters / groups) alike read the same channels; 1: each reads all.
        norm: the batch normalisation right after it, not yet in the weights; None without one, or once folded.
        reads_picture: whether its channels are the picture's own, so that three of them are red, green and blue.

    Raises:
        LayerError: weights of another form, more than `MOST_WEIGHTS`, or some that are not finite.
    """

    layer: str
    weights: Floats
    bias: Floats | None = None
    groups: int = 1
    norm: Norm | None = None
    reads_picture: bool = False

    def __post_init__(self) -> None:
        weights = np.ascontiguousarray(self.weights, dtype=np.float32)
        if weights.size > MOST_WEIGHTS:
            raise LayerError(
                f"{self.layer} has {weights.size:,} weights: more than the {MOST_WEIGHTS:,} that are shown as filters."
            )
        if weights.ndim != 4 or not weights.size:
            raise LayerError(
                f"Filters have the form filters × channels × rows × columns, not {_times(weights.shape)}."
            )
        if self.groups < 1 or len(weights) % self.groups:
            raise LayerError(f"{len(weights)} filters do not make {self.groups} groups of one size.")
        if broken := int((~np.isfinite(weights)).sum()):
            raise LayerError(f"{broken:,} of {weights.size:,} weights of {self.layer} are not finite.")
        for name, values in (("bias", self.bias), ("scale", self.norm.scale if self.norm else None)):
            if values is not None and values.shape != (len(weights),):
                raise LayerError(f"{len(weights)} filters have a {name} each, not {_times(values.shape)}.")
        weights = weights.view()  # whoever gave them may go on writing: we do not
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def slices(self) -> int:
        """How many channels each filter reads."""
        return int(self.weights.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return int(self.weights.shape[2]), int(self.weights.shape[3])

    @property
    def colours(self) -> bool:
        """Whether each filter reads red, green and blue, and can be shown as a colour picture."""
        return self.reads_picture and self.groups == 1 and self.slices == 3

    def channel(self, number: int, position: int) -> int:
        """The channel of the layer's input that slice `position` of filter `number` reads.

        >>> FilterBank("conv", np.ones((6, 2, 1, 1)), groups=3).channel(4, 1)
        5
        """
        return number // (len(self) // self.groups) * self.slices + position

    @cached_property
    def norms(self) -> Reals:
        """The L2 norm of each filter, (filters,)."""
        return _norms(self.weights.reshape(len(self), -1))

    @cached_property
    def slice_norms(self) -> Reals:
        """The L2 norm of each slice, (filters, slices)."""
        return _norms(self.weights.reshape(len(self), self.slices, -1))

    def folded(self) -> FilterBank:
        """With the batch normalisation multiplied into the weights: the same maps from one layer.

        w' = scale · w, b' = scale · b + shift; without batch normalisation the bank itself.

        Source: Jacob et al. 2018, arXiv:1712.05877, section 3.2.
        """
        if self.norm is None:
            return self
        scale = self.norm.scale
        bias = self.norm.shift if self.bias is None else scale * self.bias + self.norm.shift
        weights = self.weights * scale[:, None, None, None]
        return replace(self, weights=weights, bias=bias.astype(np.float32), norm=None)


def bank_of(
    layer: str,
    module: nn.Module,
    *,
    norm: Norm | None = None,
    reads: Sequence[int] | None = None,
    reads_picture: bool = False,
) -> FilterBank:
    """The filters of a convolution or a dense layer.

    A dense layer needs to know what it reads: `reads` (channels, rows, columns), in the order in which torch
    flattens a map; without it each number that it reads is a channel of one pixel.

    >>> bank_of("head", nn.Linear(2 * 3 * 4, 5), reads=(2, 3, 4)).weights.shape
    (5, 2, 3, 4)

    Raises:
        LayerError: another kind of layer, or one without weights of its own.
        ShapeError: a dense layer that does not read as many numbers.
    """
    if not isinstance(module, nn.Conv2d | nn.Linear):
        raise LayerError(
            f"{layer} is of the kind {type(module).__name__}: only convolutions in two dimensions and dense "
            "layers have filters that can be shown as pictures."
        )
    if module.weight.is_meta:
        raise LayerError(f"{layer} has shapes but no weights.")
    weights, bias, groups = _array(module.weight), module.bias, 1
    if isinstance(module, nn.Linear):
        shape = tuple(reads) if reads is not None else (module.in_features, 1, 1)
        if len(shape) != 3 or math.prod(shape) != module.in_features:
            raise ShapeError(
                f"{layer} reads {module.in_features:,} numbers, which are no picture of {_times(shape)}."
            )
        weights = weights.reshape(module.out_features, *shape)
    else:
        groups = module.groups
    return FilterBank(
        layer, weights, None if bias is None else _array(bias), groups, norm, reads_picture=reads_picture
    )


# ------------------------------------------------------------------------------------------------- orders


@dataclass(frozen=True)
class Order:
    """One way to lay filters out: words for it, what it means, and the numbers of the filters in that order."""

    title: str
    sentence: str
    arrange: Callable[[FilterBank], Numbers]
    colours: bool = False
    similar: bool = False


def _by_number(bank: FilterBank) -> Numbers:
    return np.arange(len(bank))


def _by_norm(bank: FilterBank) -> Numbers:
    return np.argsort(-bank.norms, kind="stable")


def _by_hue(bank: FilterBank) -> Numbers:
    hues, shares = hues_of(bank)
    grey = (shares < GREYISH) | ~_living(bank)
    return np.lexsort((np.where(grey, -bank.norms, hues), grey))


def hues_of(bank: FilterBank) -> tuple[Reals, Reals]:
    """The hue of each colour filter in degrees (0 red, 120 green, 240 blue), and how colourful it is, 0..1.

    Each position's weights (r, g, b) lie on the colour plane at z = r − (g + b)/2 + i·√3/2·(g − b), whose angle
    is the hue and which is 0 for a grey.  An edge from orange to blue holds both ends of one opponent axis, and
    its sum may be nothing; so the axis is that of Σz², along which the z spread most, and the hue is the end of it
    towards which Σz points.  The share is Σ|z|²·2/3 of all energy: the rest is grey.

    Raises:
        LayerError: filters that do not read colours.

    Source: the plane is that of Hanbury 2008, "Constructing cylindrical coordinate colour spaces"; that angles of
    axes are doubled before they are averaged is Mardia & Jupp 2000, "Directional statistics".
    """
    if not bank.colours:
        raise LayerError(f"The filters of {bank.layer} read {bank.slices} channels, not red, green and blue.")
    red, green, blue = bank.weights.astype(np.float64).transpose(1, 0, 2, 3).reshape(3, len(bank), -1)
    points = red - (green + blue) / 2 + 1j * (math.sqrt(3) / 2) * (green - blue)
    axis = np.exp(0.5j * np.angle((points**2).sum(axis=1)))
    along = (points * axis.conj()[:, None]).real
    total = along.sum(axis=1)
    strongest = np.take_along_axis(along, np.abs(along).argmax(axis=1)[:, None], axis=1)[:, 0]
    # where both ends weigh the same, the strongest weight speaks
    towards = np.where(np.abs(total) > 1e-6 * np.abs(along).sum(axis=1), total, strongest)
    degrees = np.degrees(np.angle(np.where(towards < 0, -axis, axis))) % 360
    energy = bank.norms**2
    shares = np.divide(
        (np.abs(points) ** 2).sum(axis=1) * (2 / 3), energy, out=np.zeros(len(bank)), where=energy > 0
    )
    return degrees, np.minimum(shares, 1)


def cosines(bank: FilterBank, rows: slice = slice(None)) -> Reals:
    """The cosine of some filters (rows) with all (columns) as patterns; 0 with a filter of zeros.

    Which channels they read is not asked: see `duplicates` for that.
    """
    flat = bank.weights.reshape(len(bank), -1)
    sizes = np.where(bank.norms > 0, bank.norms, np.inf)
    # torch's product heeds the process's threads, numpy's does not: on busy cores it is 50 times slower
    products = (torch.tensor(flat[rows]) @ torch.tensor(flat).T).double().numpy()
    found: Reals = np.clip(products / sizes[rows, None] / sizes, -1, 1)
    return found


def seriation(similarity: Reals) -> Numbers:
    """Things in a row such that similar ones are close: by the Fiedler vector of their similarities.

    It is the row of numbers x (of mean 0 and norm 1) for which Σ sᵢⱼ(xᵢ − xⱼ)² is smallest.  It runs from the
    end where the smaller number stands.

    >>> line = np.array([3.0, 0.0, 2.0, 1.0])
    >>> seriation(np.exp(-np.abs(line[:, None] - line))).tolist()
    [0, 2, 3, 1]

    Source: Atkins, Boman & Hendrickson 1998, "A spectral algorithm for seriation and the consecutive ones problem".
    """
    count = len(similarity)
    if count < 3:
        return np.arange(count)
    weights = similarity - np.diag(np.diag(similarity))
    laplacian = torch.tensor(np.diag(weights.sum(axis=1)) - weights)
    if count > _EXACT:
        laplacian = laplacian.float()
    fiedler = (
        torch.linalg.eigh(laplacian).eigenvectors[:, 1].double().numpy().round(9)
    )  # equals by their number
    order: Numbers = np.argsort(fiedler, kind="stable")
    if order[0] > order[-1]:
        order = np.argsort(-fiedler, kind="stable")
    return order


def _by_similarity(similar: Callable[[Reals], Reals], bank: FilterBank) -> Numbers:
    """Dead filters, whose pattern is noise, stand last."""
    living = _living(bank)
    table = similar(cosines(bank)[np.ix_(living, living)])
    return np.concatenate([np.flatnonzero(living)[seriation(table)], np.flatnonzero(~living)])


def _living(bank: FilterBank) -> NDArray[np.bool_]:
    living = np.ones(len(bank), dtype=np.bool_)
    living[[entry.number for entry in dead_filters(bank)]] = False
    return living


ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {
        "number": Order("Number", "as the network numbers them", _by_number),
        "norm": Order("Norm", "the strongest weights first", _by_norm),
        "similar": Order(
            "Similarity",
            "neighbours are alike, opposites far apart; dead ones last",
            lambda bank: _by_similarity(lambda table: (1 + table) / 2, bank),
            similar=True,
        ),
        "shape": Order(
            "Similarity up to sign",
            "neighbours show the same pattern or its negative; dead ones last",
            lambda bank: _by_similarity(np.abs, bank),
            similar=True,
        ),
        "hue": Order(
            "Hue",
            "along the colour circle from red; dead ones and those without colour last",
            _by_hue,
            colours=True,
        ),
    }
)
"""Every order by its key; those with `colours` need filters that read red, green and blue, `similar` ones
no more than `MOST_IN_A_ROW` filters."""


def orders_of(bank: FilterBank) -> Mapping[str, Order]:
    """The orders that mean something for these filters."""
    return {
        key: order
        for key, order in ORDERS.items()
        if (bank.colours or not order.colours) and (len(bank) <= MOST_IN_A_ROW or not order.similar)
    }


def strongest_slices(bank: FilterBank, number: int) -> Numbers:
    """The slices of one filter, the one with the largest norm first.

    Raises:
        LayerError: there is no such filter.
    """
    return np.argsort(-bank.slice_norms[checked(bank, number)], kind="stable")


def readers(bank: FilterBank, channel: int) -> tuple[Numbers, int]:
    """The filters that read a channel of the layer's input, and the position of its slice in each.

    Raises:
        LayerError: there is no such channel.
    """
    most = bank.slices * bank.groups
    if not 0 <= channel < most:
        raise LayerError(f"Channel {channel} is outside 0–{most - 1}, which {bank.layer} reads.")
    size = len(bank) // bank.groups
    group, position = divmod(channel, bank.slices)
    return np.arange(group * size, (group + 1) * size), position


def checked(bank: FilterBank, number: int) -> int:
    """The number itself.

    Raises:
        LayerError: there is no such filter.
    """
    if not 0 <= number < len(bank):
        raise LayerError(f"Filter {number} is outside 0–{len(bank) - 1}, which {bank.layer} has.")
    return number


# --------------------------------------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Statistics:
    """What the weights of a layer are like.

    Attributes:
        count: of weights.
        mean, deviation, lowest, highest: of them.
        positive: the share of them above 0.
        tiny: the share of them with less than a hundredth of the largest size.
        fan_in: how many numbers each filter adds up.
        excess: kurtosis − 3: 0 for a bell curve, more where a few weights are large and most small.
    """

    count: int
    mean: float
    deviation: float
    lowest: float
    highest: float
    positive: float
    tiny: float
    fan_in: int
    excess: float

    @property
    def untrained(self) -> float:
        """The standard deviation that training with ReLU usually begins with, √(2 / fan in).

        Source: He et al. 2015, arXiv:1502.01852, section 2.2.
        """
        return math.sqrt(2 / self.fan_in)


def statistics_of(bank: FilterBank) -> Statistics:
    """What the weights are like, computed in float64."""
    weights = bank.weights.astype(np.float64).ravel()
    mean, deviation = float(weights.mean()), float(weights.std())
    largest = float(np.abs(weights).max())
    squares = np.square(weights - mean)
    excess = float(np.square(squares).mean()) / deviation**4 - 3 if deviation > 1e-12 * largest else 0.0
    return Statistics(
        weights.size,
        mean,
        deviation,
        float(weights.min()),
        float(weights.max()),
        float((weights > 0).mean()),
        float((np.abs(weights) < largest / 100).mean()) if largest else 1.0,
        weights.size // len(bank),
        excess,
    )


@dataclass(frozen=True)
class Dead:
    """A filter that hardly does anything.

    Attributes:
        number: of the filter.
        norm: of its weights; with `scale`, of the weights times that scale.
        usual: the median of the layer's norms, taken in the same way.
        scale: of the batch normalisation after it, where that is what makes it small; None where its own weights are.
    """

    number: int
    norm: float
    usual: float
    scale: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.norm < DEAD * self.usual:
            raise LayerError(f"Filter {self.number} with a norm of {self.norm:g} of {self.usual:g} lives.")

    @property
    def share(self) -> float:
        """Its norm as a share of the usual."""
        return self.norm / self.usual


def dead_filters(bank: FilterBank) -> tuple[Dead, ...]:
    """Filters with a norm below `DEAD` of the layer's median, by number.

    Where batch normalisation follows, what counts is what is left behind it: a filter whose weights are small may be
    scaled up there, and one of usual size be scaled away.  `scale` is told where its weights alone are not small.

    More than half of them dead, the median is that of the norms that are not 0.
    """
    behind = bank.norms if bank.norm is None else bank.norms * np.abs(bank.norm.scale)
    usual_behind, usual = _usual(behind), _usual(bank.norms)
    return tuple(
        Dead(
            int(number),
            float(behind[number]),
            usual_behind,
            float(bank.norm.scale[number]) if bank.norm and bank.norms[number] >= DEAD * usual else None,
        )
        for number in np.flatnonzero(behind < DEAD * usual_behind)
    )


def _usual(norms: Reals) -> float:
    median = float(np.median(norms))
    living = norms[norms > 0]
    return median if median or not living.size else float(np.median(living))


@dataclass(frozen=True)
class Duplicate:
    """Two filters of one layer that answer to the same pattern, or (a negative cosine) to its negative."""

    first: int
    second: int
    cosine: float

    def __post_init__(self) -> None:
        if self.first >= self.second or not ALIKE < abs(self.cosine) <= 1:
            raise LayerError(
                f"Filters {self.first} and {self.second} with a cosine of {self.cosine:g} are no duplicates."
            )


@dataclass(frozen=True)
class Duplicates:
    """The pairs that are listed, the most alike first; how many there are; every filter that is in one."""

    pairs: tuple[Duplicate, ...]
    count: int
    members: frozenset[int]


def duplicates(bank: FilterBank) -> Duplicates:
    """Pairs of filters with a |cosine| above `ALIKE`, dead ones aside; at most `MOST_PAIRS` are listed.

    A filter is a double of another only where both read the same channels: those of a depthwise convolution read one
    channel each, so that none is.  A filter of a single weight has no pattern, and no double either.
    """
    size = len(bank) // bank.groups
    living = _living(bank)
    members, pairs, count = set[int](), list[Duplicate](), 0
    if bank.weights[0].size == 1:
        return Duplicates((), 0, frozenset())
    for start in range(0, len(bank), _BLOCK):
        table = cosines(bank, slice(start, start + _BLOCK))
        first, second = np.nonzero(np.abs(table) > ALIKE)
        found = table[first, second]
        first = first + start
        kept = (first < second) & (first // size == second // size) & living[first] & living[second]
        first, second, found = first[kept], second[kept], found[kept]
        members.update(first.tolist(), second.tolist())
        count += len(found)
        best = np.argsort(-np.abs(found), kind="stable")[:MOST_PAIRS]
        pairs += [Duplicate(int(first[at]), int(second[at]), float(found[at])) for at in best]
    pairs.sort(key=lambda pair: -abs(pair.cosine))
    return Duplicates(tuple(pairs[:MOST_PAIRS]), count, frozenset(members))


def relatives(bank: FilterBank, number: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """The filters most like this one and most opposite to it as patterns, each with its cosine; dead ones aside.

    Raises:
        LayerError: there is no such filter, or no other that lives.
    """
    row = cosines(bank, slice(checked(bank, number), number + 1))[0]
    others = np.flatnonzero(_living(bank) & (np.arange(len(bank)) != number))
    if not others.size:
        raise LayerError(f"{bank.layer} has no other filter to compare filter {number} with.")
    alike, opposite = (int(others[choose(row[others])]) for choose in (np.argmax, np.argmin))
    return (alike, float(row[alike])), (opposite, float(row[opposite]))


def _norms(values: Floats) -> Reals:
    """The L2 norm along the last axis, in float64."""
    found: Reals = np.sqrt(np.einsum("...i,...i->...", values, values, dtype=np.float64))
    return found


def _array(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().float().cpu().numpy()
    return found


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
