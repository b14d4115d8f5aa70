"""Where a network comes from, as one text in a link: a classic, parts, or code."""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

import torch
from torch import nn

from explorer.errors import ModelError, ShapeError
from explorer.networks.building import build
from explorer.networks.classics import Classic, classic
from explorer.networks.planning import Plan, planned
from explorer.networks.reading import ReadNetwork, read_network
from explorer.networks.spec import NetworkSpec
from explorer.networks.storing import from_link, to_link
from explorer.profiling import LayerProfile, NetworkProfile, profile

Picture: TypeAlias = tuple[int, int, int]
Origin = Literal["classic", "parts", "code"]
Choice = Literal["given", "tried", "fits", "found", "furthest"]

USUAL_INPUTS: Final[tuple[Picture, ...]] = (
    (3, 224, 224),
    (1, 28, 28),
    (3, 32, 32),
    (1, 32, 32),
    (1, 224, 224),
    (3, 64, 64),
    (3, 96, 96),
    (1, 96, 96),
    (3, 227, 227),
    (3, 299, 299),
)
"""Tried in this order for code, which does not say what it is given."""

LARGEST_SIDE: Final = 1024
"""Of the squares that are tried where none of the usual inputs fits."""
_MOST_WORK: Final = 1_500
"""Of runs with squares that nothing but their round number speaks for: less than a second."""

MOST_CHANNELS, MOST_SIZE = 4096, 4096
MOST_CODE: Final = 50_000
MOST_LINK: Final = 6_000
"""Characters of code in a link, packed: longer addresses are cut by some programs."""


@dataclass(frozen=True)
class Source:
    """What was chosen.

    Attributes:
        origin: "classic", "parts" or "code".
        text: a classic's key; parts as `networks.storing.to_link` writes them; code as it was typed.
        name: of several networks in code, the one that is meant; "": the usual one.
    """

    origin: Origin
    text: str
    name: str = ""


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be looked at; its module has shapes and no numbers.

    Attributes:
        title: as it is shown.
        module: on the meta device; of parts: as far as they can be built.
        input_shape: (channels, height, width) of the picture that it is given.
        classic: where it is one.
        plan: where it is made of parts, shapes and trouble.
        code: where it was typed.
        input_choice: how the input was found: "given" by somebody, or the network's own; "tried" by the code; the
            first of the usual ones that "fits"; another square that was "found"; where none fits, the one that gets
            "furthest".
    """

    source: Source
    title: str
    module: nn.Module
    input_shape: Picture
    classic: Classic | None = None
    plan: Plan | None = None
    code: ReadNetwork | None = None
    input_choice: Choice = "given"

    @property
    def spec(self) -> NetworkSpec | None:
        """Its parts, where it has them: what the builder can go on with."""
        if self.plan:
            return self.plan.spec
        return self.classic.spec if self.classic else None


def load(source: Source, input_shape: Picture | None = None) -> Network:
    """The network, given its own input or another.

    >>> vgg = load(Source("classic", "vgg16"))
    >>> vgg.title, vgg.input_shape, sum(weight.numel() for weight in vgg.module.parameters())
    ('VGG-16', (3, 224, 224), 138357544)

    Raises:
        ExplorerError: there is no such classic, the parts cannot be read, the code is refused, or the input has
            sizes that nothing here can be given.
    """
    if input_shape is not None:
        check_input(input_shape)
    if source.origin == "classic":
        known = classic(source.text)
        return Network(source, known.title, known.build(), input_shape or known.input_shape, classic=known)
    if source.origin == "parts":
        spec = from_link(source.text)
        if input_shape is not None:
            spec = replace(spec, input_shape=input_shape)
        plan = planned(spec)
        with torch.device("meta"):
            module = build(plan.sound)
        return Network(source, spec.name, module.eval(), spec.input_shape, plan=plan)
    read = read_network(source.text, source.name)
    shape, choice = _input_of_code(read, input_shape)
    return Network(source, read.title, read.ready(shape), shape, code=read, input_choice=choice)


def _input_of_code(read: ReadNetwork, given: Picture | None) -> tuple[Picture, Choice]:
    if given:
        return given, "given"
    if read.input_shape and len(read.input_shape) == 3:
        return read.input_shape, "tried"
    return fitting_input(read)


def fitting_input(read: ReadNetwork) -> tuple[Picture, Choice]:
    """The first of the usual inputs with which the network runs; then any square; else the one that gets furthest.

    Squares have the channels that the first layer reads, and sides up to `LARGEST_SIDE`: for a network that ends in
    a dense layer, the side is found by halving; for others many are tried, round numbers first.

    >>> fitting_input(read_network("nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"))
    ((1, 28, 28), 'fits')
    >>> fitting_input(read_network("nn.Sequential(nn.Conv2d(5, 8, 3), nn.Flatten(), nn.Linear(8 * 38 * 38, 10))"))
    ((5, 40, 40), 'found')
    """
    trials = _Trials(read)
    usual = next((shape for shape in USUAL_INPUTS if trials.runs(shape)), None)
    if usual:
        return usual, "fits"
    found = next(filter(None, (_square(trials, channels) for channels in trials.channels())), None)
    return (found, "found") if found else (trials.furthest(), "furthest")


class _Trials:
    """Runs of a network, with one input after the other."""

    def __init__(self, read: ReadNetwork) -> None:
        self.read = read
        self.tried: dict[Picture, NetworkProfile] = {}
        self.work = 0

    def profile(self, shape: Picture) -> NetworkProfile:
        if shape not in self.tried:
            self.tried[shape] = profile(self.read.ready(shape), shape)
            self.work += len(self.tried[shape].rows) + 4
        return self.tried[shape]

    def runs(self, shape: Picture) -> bool:
        return self.profile(shape).failure is None

    def furthest(self) -> Picture:
        """The first of those that left the most rows."""
        return max(self.tried, key=lambda shape: len(self.tried[shape].rows))

    def channels(self) -> tuple[int, ...]:
        """What the first layer that says so reads; where none does, the usual numbers."""
        for row in self.profile(USUAL_INPUTS[0]).leaves:
            module = self._module(row)
            reads = getattr(module, "in_channels", 0) or getattr(module, "num_features", 0)
            if isinstance(reads, int) and 0 < reads <= MOST_CHANNELS:
                return (reads,)
        return 3, 1

    def excess(self, shape: Picture) -> int:
        """Whether it is too small (-1) or too large (1) for the dense layer that stops the run; 0 where it runs.

        What stops before stands for a map that became too small.
        """
        found = self.profile(shape)
        if found.failure is None:
            return 0
        wanted = self.wanted(shape)
        return 1 if 0 < wanted < sum(map(math.prod, found.rows[-1].inputs)) else -1

    def wanted(self, shape: Picture) -> int:
        """How many numbers the dense layer expects that stops the run; 0 where none does."""
        found = self.profile(shape)
        return getattr(self._module(found.rows[-1]), "in_features", 0) if found.failure else 0

    def _module(self, row: LayerProfile) -> nn.Module | None:
        return self.read.module.get_submodule(row.path) if row.role == "layer" else None


def _square(trials: _Trials, channels: int) -> Picture | None:
    """A square of so many channels with which the network runs; None where none is found."""
    sides = [rows for _, rows, _ in USUAL_INPUTS]
    usual = next((side for side in sides if trials.runs((channels, side, side))), None)
    if usual:
        return channels, usual, usual
    if len({str(trials.profile((channels, side, side)).failure) for side in sides}) == 1:
        return None  # it stops in the same place over the same numbers: the side does not matter

    def excess(side: int) -> int:
        return trials.excess((channels, side, side))

    halved: list[int] = []
    if any(trials.wanted((channels, side, side)) for side in sides):
        halved = _halved(excess, sides)
    enough = trials.work + _MOST_WORK
    for side in (*halved, *sorted(range(1, LARGEST_SIDE + 1), key=_roundness)):
        if trials.runs((channels, side, side)):
            return channels, side, side
        if trials.work >= enough:
            return None
    return None


def _halved(excess: Callable[[int], int], sides: Sequence[int]) -> list[int]:
    """All sides without excess, which grows with the side; some are known already."""
    small = max((side for side in sides if excess(side) < 0), default=0)
    large = min((side for side in sides if small < side and excess(side) > 0), default=LARGEST_SIDE + 1)
    between = range(small + 1, large)
    least, behind = (bisect(between, 0, key=excess) for bisect in (bisect_left, bisect_right))
    return sorted(between[least:behind], key=_roundness)


def _roundness(side: int) -> tuple[int, int]:
    """Sorts sides that halve often before others: most networks halve their maps."""
    return -math.gcd(side, 32), side


def of_parts(spec: NetworkSpec) -> Source:
    """A network of parts as a source."""
    return Source("parts", to_link(spec))


def is_edit(before: Source, after: Source) -> bool:
    """Whether this is the same network in the same code, or in code of which half the pieces stood there before.

    A piece ends with its line or at a comma, so that code in one line has some too.

    >>> code = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())"
    >>> is_edit(Source("code", code), Source("code", code.replace("8", "16")))
    True
    >>> is_edit(Source("code", code), Source("code", "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"))
    False
    """
    if not before.origin == after.origin == "code":
        return False
    if before.text == after.text:
        return before.name == after.name
    return SequenceMatcher(None, _pieces(before), _pieces(after)).quick_ratio() >= 0.5


def _pieces(code: Source) -> list[str]:
    return [piece.strip() for piece in re.split(r"[\n,]", code.text)]


def check_input(shape: Picture) -> None:
    """Raise ShapeError where no picture has such a shape, or no table of it can be made."""
    highest = (MOST_CHANNELS, MOST_SIZE, MOST_SIZE)
    for size, most, what in zip(shape, highest, ("channels", "rows", "columns"), strict=True):
        if not 1 <= size <= most:
            raise ShapeError(f"An input has 1 to {most:,} {what}, not {size:,}.")


# The text in a link ---------------------------------------------------------------------------------------


def write_source(source: Source) -> str:
    """The source in a link; code is packed.

    >>> write_source(Source("classic", "resnet50"))
    'classic~resnet50'

    Raises:
        ModelError: code that is too long for a link.
    """
    if source.origin != "code":
        return f"{source.origin}~{source.text}"
    packed = base64.urlsafe_b64encode(zlib.compress(source.text.encode(), 9)).decode().rstrip("=")
    if len(packed) > MOST_LINK:
        raise ModelError(
            f"The code is too long for a link: {len(packed):,} characters when packed, {MOST_LINK:,} at most."
        )
    return f"code~{packed}" + (f"~{source.name}" if source.name else "")


def read_source(text: str) -> Source:
    """A source from a link.

    Raises:
        ModelError: it is no source, or the code in it cannot be unpacked.
    """
    origin, _, rest = text.partition("~")
    if origin == "classic":
        return Source("classic", rest)
    if origin == "parts":
        return Source("parts", rest)
    if origin == "code":
        packed, _, name = rest.partition("~")
        return Source("code", _unpacked(packed), name)
    raise ModelError(f"“{text[:40]}” names no network: classic~…, parts~… or code~… is meant.")


def _unpacked(packed: str) -> str:
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        opened = zlib.decompressobj()
        text = opened.decompress(data, MOST_CODE + 1)
        if len(text) > MOST_CODE or not opened.eof:
            raise ModelError(f"The link's code is longer than {MOST_CODE:,} characters, or cut off.")
        return text.decode()
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ModelError("The link's code cannot be unpacked: it is damaged.") from error


def read_input(text: str) -> Picture:
    """Channels, height and width as they stand in a link, "3x224x224".

    Raises:
        ShapeError: it is no such text, or no possible picture.
    """
    numbers = text.split("x")
    if len(numbers) != 3 or not all(number.isdecimal() and len(number) <= 6 for number in numbers):
        raise ShapeError(f"“{text[:40]}” is no input: channels × rows × columns are meant, as in 3x224x224.")
    channels, rows, columns = (int(number) for number in numbers)
    check_input((channels, rows, columns))
    return channels, rows, columns
