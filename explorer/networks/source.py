"""Where a network comes from, as one text in a link: a classic, parts, or code."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
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
from explorer.profiling import profile

Picture: TypeAlias = tuple[int, int, int]
Origin = Literal["classic", "parts", "code"]
Choice = Literal["given", "tried", "fits", "furthest"]

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
            first of the usual ones that "fits"; where none does, the one that gets "furthest".
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
    """The first of the usual inputs with which the network runs; where none does, the one that gets furthest.

    >>> fitting_input(read_network("nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"))
    ((1, 28, 28), 'fits')
    """
    reached: dict[Picture, int] = {}
    for shape in USUAL_INPUTS:
        found = profile(read.ready(shape), shape)
        if found.failure is None:
            return shape, "fits"
        reached[shape] = len(found.rows)
    return max(USUAL_INPUTS, key=lambda shape: reached[shape]), "furthest"


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
