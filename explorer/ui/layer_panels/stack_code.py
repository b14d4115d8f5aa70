"""A stack as lines of torch: convolutions and poolings are taken, what changes no field is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from explorer.errors import LayerError, ShapeError
from explorer.layer_text import MAX_TEXT, read_code
from explorer.layers import LayerSpec, Sizes
from explorer.receptive_field import Step
from explorer.worked_examples import field_steps

LONGEST: Final = 6000
"""Characters that are read."""

_CALL: Final = re.compile(r"[A-Za-z_][\w.]*(?=[ \t]*\()")
_BESIDE: Final = re.compile(
    r"[\s,;\[\]]|#[^\n]*|(?:\w[\w.]*|\(\w+\))[ \t]*[=:](?!=)|return\b|[\"'][\w.]*[\"'][ \t]*,"
)
"""What may stand between layers: commas, brackets, comments, `self.conv1 =`, the `(0):` of a printed network."""
_LAYER: Final = re.compile(r"(?:Conv|ConvTranspose|MaxPool|AvgPool|AdaptiveAvgPool|AdaptiveMaxPool)[123]d")
_POINTWISE: Final = re.compile(
    r"(?:Leaky|P|Thresholded)?R?ReLU6?|[SC]?ELU|GELU|SELU|SiLU|Mish|Sigmoid|Tanh|Hard\w+|Softplus|Softsign|Identity|"
    r"(?:Sync)?BatchNorm(?:2d)?|Dropout(?:2d)?|AlphaDropout|LocalResponseNorm"
)
"""Layers whose units see what the unit below them sees."""
_WHOLE: Final = {
    "Linear": "a dense layer reads every number",
    "LazyLinear": "a dense layer reads every number",
    "Flatten": "behind it units have no place any more, and a dense layer reads them all",
    "Softmax": "it reads every class",
    "LogSoftmax": "it reads every class",
    "AdaptiveMaxPool2d": "it divides the map, whatever its size, and has no window of its own",
    "AdaptiveAvgPool2d": "it divides the map, whatever its size, and has no window of its own",
}
"""Where a stack ends, and why."""
_USUAL: Final[Sizes] = (3, 224, 224)


@dataclass(frozen=True)
class Read:
    """The layers that lines of torch mean, and what has to be said about them, a sentence each."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Call:
    """A layer as it is written: its name, all of it, the line where it begins, from 1."""

    name: str
    text: str
    line: int


def is_code(text: str) -> bool:
    """Whether a text means lines of torch rather than c3p1-p2."""
    return "(" in text or "nn." in text


def read_lines(text: str) -> Read:
    """The layers of some lines of torch: a list of them, an `nn.Sequential`, the lines of an `__init__`, or what torch
    prints of a network that has no branches.  Nothing is run.

    A dense layer sees everything: the stack ends in front of it.

    >>> read = read_lines("nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9, 2)")
    >>> [step.kernel_size for step in read.steps]
    [(3, 3), (2, 2)]
    >>> read.notes
    ('The stack ends at Flatten in line 1: behind it units have no place any more, and a dense layer reads them all.',)

    Raises:
        LayerError: something that is no layer, a bracket that is missing; the sentence names its line.
        ShapeError: a layer that torch refuses, or that has no field of one size.
    """
    if len(text) > LONGEST:
        raise LayerError(f"{len(text):,} characters are more than the {LONGEST:,} that are read.")
    specs: list[LayerSpec] = []
    notes: list[str] = []
    for call in _calls(text):
        name = call.name.rpartition(".")[2]
        if name in _WHOLE:
            notes.append(f"The stack ends at {name} in line {call.line}: {_WHOLE[name]}.")
            break
        if _POINTWISE.fullmatch(name):
            continue
        specs.append(_layer(call, name))
        if specs[-1].ceil_mode:
            notes.append(f"{name} in line {call.line} rounds up (ceil_mode); maps here are rounded down.")
    if not specs and not notes:
        raise LayerError(
            "No convolution and no pooling stands there: a line such as nn.Conv2d(3, 64, 3, padding=1) is."
        )
    return Read(field_steps(specs), tuple(notes))


def _layer(call: _Call, name: str) -> LayerSpec:
    if not _LAYER.fullmatch(name):
        raise LayerError(
            f"Line {call.line}: “{name[:40]}” is no layer whose field is known here; known are convolutions, poolings, "
            "and what works on each number alone."
        )
    if not name.endswith("2d"):
        raise ShapeError(
            f"Line {call.line}: {name} has not rows and columns; a stack here reads a picture, in 2d."
        )
    if len(call.text) > MAX_TEXT:
        raise LayerError(f"Line {call.line}: {name} is written in more than {MAX_TEXT} characters.")
    try:
        # torch prints these words without their quotes
        text = re.sub(r"(padding(?:_mode)?=)([a-z]+)", r"\1'\2'", " ".join(call.text.split()))
        spec, _ = read_code(text, _USUAL)
        field_steps([spec])
    except (LayerError, ShapeError) as error:
        sentence = str(error).replace("`", "").replace("Layer 1 (", "It (")
        raise type(error)(f"Line {call.line}: {sentence}") from error
    return spec


# Where layers stand ----------------------------------------------------------------------------------


def _calls(text: str) -> Iterator[_Call]:
    """The layers of a text in their order; an `nn.Sequential` around them is opened.

    Raises:
        LayerError: what is no call, or a bracket that is missing or too many.
    """
    at, wrappers = 0, []
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if beside := _BESIDE.match(text, at):
            at = beside.end()
        elif text[at] == "(":  # a pair of name and layer
            wrappers.append(("(", line))
            at += 1
        elif text[at] == ")":
            if not wrappers:
                raise LayerError(f"Line {line} has a “)” too many.")
            wrappers.pop()
            at += 1
        elif not (call := _CALL.match(text, at)):
            rest = text[at:].splitlines()[0].strip()
            raise LayerError(
                f"Line {line}: “{rest[:40]}” is no layer such as nn.Conv2d(3, 64, 3, padding=1)."
            )
        else:
            opening = text.index("(", call.end())
            if not call[0].rpartition(".")[2][0].isupper():
                raise LayerError(
                    f"Line {line}: “{call[0][:40]}” is no layer such as nn.Conv2d(3, 64, 3, padding=1)."
                )
            if call[0].rpartition(".")[2] in ("Sequential", "ModuleList", "OrderedDict"):
                wrappers.append((f"{call[0]}(", line))
                at = opening + 1
            else:
                at = _end(text, opening, line)
                yield _Call(call[0], text[call.start() : at], line)
    if wrappers:
        name, line = wrappers[-1]
        raise LayerError(f"Line {line}: the “)” of “{name}” is missing.")


def _end(text: str, opening: int, line: int) -> int:
    """Behind the bracket that closes the one at `opening`."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return at + 1
        # another layer begins before this one has ended
        if at > opening and re.match(r"nn\.[A-Z]|self\.\w+\s*=|\(\w+\):", text[at:]):
            break
    first = text[text.rfind("\n", 0, opening) + 1 :].splitlines()[0].strip()
    raise LayerError(f"Line {line}: a “)” is missing in “{first[:60]}”.")
