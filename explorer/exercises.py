"""Practice: sets of questions about layers, drawn by a seed.

Who has the same seed and level has the same questions, on any machine.

Level 1 is one convolution without padding, at stride 1 (for fields a few alike, one after another); level 2 has
strides, padding, pooling and what is rounded down; level 3 dilation, groups, rectangles, stacks and transposed ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from explorer.errors import ExplorerError, ShapeError
from explorer.layers import LayerSpec, Sizes, output_shape
from explorer.questions import KINDS, Kind, Question, Stack
from explorer.worked_examples import chain

T = TypeVar("T")

LEVELS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "One convolution",
        2: "Stride, padding, pooling",
        3: "Dilation, groups, rectangles, stacks, transposed",
    }
)
MOST: Final = 40
"""Questions in one set, at most."""

_LARGEST: Final = {"parameters": 5_000_000, "macs": 500_000_000, "receptive field": 200}
"""Beyond these, a question trains multiplying only."""


class _Dice:
    """Draws that are the same on every machine and in every version of Python: SHA-256 of a counter."""

    def __init__(self, seed: int, level: int) -> None:
        self._key = f"{seed}/{level}"
        self._count = 0

    def one(self, options: Sequence[T]) -> T:
        """One of the options."""
        self._count += 1
        digest = hashlib.sha256(f"{self._key}/{self._count}".encode()).digest()
        return options[int.from_bytes(digest[:8], "big") % len(options)]


Draft: TypeAlias = tuple[Sizes, Stack]
_Draw: TypeAlias = Callable[[_Dice], Draft]

_SIDES: Final = (16, 20, 24, 28, 32, 33, 40, 48, 55, 56, 64, 100, 112)
_FEW: Final = (1, 3, 4, 6, 8, 16)
_MANY: Final = (8, 16, 24, 32, 48, 64)


def _square(dice: _Dice, channels: Sequence[int]) -> Sizes:
    side = dice.one(_SIDES)
    return dice.one(channels), side, side


def _rectangle(dice: _Dice) -> Sizes:
    return dice.one((1, 3, 8, 16)), dice.one(_SIDES), dice.one(_SIDES)


def _pool(dice: _Dice, channels: int) -> LayerSpec:
    kernel, padding = dice.one(((2, 0), (3, 0), (3, 1)))
    kind = dice.one(("max_pool", "average_pool"))
    return LayerSpec(kind, in_channels=channels, kernel_size=kernel, stride=2, padding=padding)


def _one_convolution(dice: _Dice) -> Draft:
    shape = _square(dice, _FEW)
    out_channels, kernel = dice.one((4, 5, 6, 8, 10, 12, 16, 32)), dice.one((3, 5, 7))
    return shape, (LayerSpec(in_channels=shape[0], out_channels=out_channels, kernel_size=kernel),)


def _alike(dice: _Dice) -> Draft:
    layer = LayerSpec(in_channels=8, out_channels=8, kernel_size=dice.one((3, 5, 7, 9, 11)))
    return (8, 64, 64), (layer,) * dice.one((2, 3, 4, 5, 6, 7))


def _strided(dice: _Dice) -> Draft:
    shape = _square(dice, (1, 3, 16, 32))
    kernel = dice.one((3, 5, 7, 11))
    return shape, (
        LayerSpec(
            in_channels=shape[0],
            out_channels=dice.one(_MANY),
            kernel_size=kernel,
            stride=dice.one((1, 2, 2, 3, 4)),
            padding=dice.one((0, 1, kernel // 2)),
            bias=dice.one((True, True, False)),
        ),
    )


def _pooled(dice: _Dice) -> Draft:
    shape = _square(dice, _MANY)
    return shape, (_pool(dice, shape[0]),)


def _then_pooled(dice: _Dice) -> Draft:
    shape, (layer,) = _strided(dice)
    return shape, (layer, _pool(dice, layer.out_channels))


def _halving(dice: _Dice) -> Draft:
    stack: list[LayerSpec] = []
    for number in range(dice.one((2, 3, 4))):
        # the first has a stride, or there would be none that counts
        kernel, stride = dice.one(((3, 2), (5, 2), (7, 2), *(((3, 1), (5, 1)) if number else ())))
        convolution = LayerSpec(
            in_channels=8, out_channels=8, kernel_size=kernel, stride=stride, padding=kernel // 2
        )
        pool = LayerSpec("max_pool", in_channels=8, kernel_size=2, stride=2)
        stack.append(dice.one((convolution, convolution, pool)))
    return (8, 224, 224), tuple(stack)


def _dilated(dice: _Dice) -> Draft:
    shape = _rectangle(dice)
    return shape, (
        LayerSpec(
            in_channels=shape[0],
            out_channels=dice.one(_MANY),
            kernel_size=dice.one((3, 5)),
            stride=dice.one((1, 1, 2)),
            padding=dice.one((0, 1, 2, 4)),
            dilation=dice.one((2, 3, 4)),
        ),
    )


def _oblong(dice: _Dice) -> Draft:
    shape = _rectangle(dice)
    kernel: Sizes = dice.one(((1, 5), (5, 1), (3, 5), (5, 3), (3, 7), (7, 3), (1, 7)))
    return shape, (
        LayerSpec(
            in_channels=shape[0],
            out_channels=dice.one(_MANY),
            kernel_size=kernel,
            stride=dice.one(((1, 1), (2, 2), (2, 1), (1, 2))),
            padding=dice.one(((0, 0), (kernel[0] // 2, kernel[1] // 2))),
            bias=dice.one((True, False)),
        ),
    )


def _rounded_up(dice: _Dice) -> Draft:
    shape = (dice.one(_MANY), dice.one(_SIDES), dice.one(_SIDES))
    kernel, stride = dice.one(((2, 2), (3, 2), (3, 3)))
    return shape, (
        LayerSpec("max_pool", in_channels=shape[0], kernel_size=kernel, stride=stride, ceil_mode=True),
    )


def _transposed(dice: _Dice) -> Draft:
    side = dice.one((4, 7, 8, 12, 14, 16))
    kernel, padding, extra = dice.one(((2, 0, 0), (3, 0, 0), (3, 1, 1), (4, 1, 0), (5, 2, 1), (3, 1, 0)))
    in_channels, out_channels = dice.one((8, 16, 32, 64)), dice.one((1, 3, 8, 16, 32))
    return (in_channels, side, side), (
        LayerSpec(
            "transposed",
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=kernel,
            stride=2,
            padding=padding,
            output_padding=extra,
        ),
    )


def _split(dice: _Dice) -> Draft:
    """Grouped, depthwise or separable."""
    side = dice.one((14, 16, 28, 32, 56))
    channels = dice.one((16, 32, 48, 64))
    kernel = dice.one((3, 5, 7))
    kind = dice.one(("grouped", "depthwise", "separable"))
    out_channels = channels if kind == "depthwise" else dice.one((16, 32, 64, 128))
    return (channels, side, side), (
        LayerSpec(
            kind,
            in_channels=channels,
            out_channels=out_channels,
            kernel_size=kernel,
            padding=kernel // 2,
            groups=dice.one((2, 4, 8)),
            bias=dice.one((True, False)),
        ),
    )


def _stacked(dice: _Dice) -> Draft:
    """Convolution, pooling, convolution."""
    shape, (first,) = _strided(dice)
    kernel = dice.one((1, 3, 5))
    second = LayerSpec(
        in_channels=first.out_channels,
        out_channels=dice.one(_MANY),
        kernel_size=kernel,
        padding=dice.one((0, kernel // 2)),
        bias=first.bias,
    )
    return shape, (first, _pool(dice, first.out_channels), second)


def _far(dice: _Dice) -> Draft:
    """A stack with dilation, or with rectangular windows."""
    plain: tuple[tuple[int | Sizes, int | Sizes, int], ...] = ((3, 1, 1), (3, 2, 1), (5, 1, 1))
    wide: tuple[tuple[int | Sizes, int | Sizes, int], ...] = (
        (3, 1, 2),
        (3, 1, 4),
        (5, 1, 2),
        (3, 2, 2),
        ((3, 5), 1, 1),
        ((1, 3), (1, 2), 1),
    )
    stack = []
    for number in range(dice.one((2, 3, 4))):
        kernel, stride, dilation = dice.one((*plain, *wide) if number else wide)
        stack.append(
            LayerSpec(in_channels=8, out_channels=8, kernel_size=kernel, stride=stride, dilation=dilation)
        )
    return (8, 224, 224), tuple(stack)


_DRAWS: Final[Mapping[int, Mapping[Kind, tuple[_Draw, ...]]]] = MappingProxyType(
    {
        1: {
            "shape": (_one_convolution,),
            "parameters": (_one_convolution,),
            "macs": (_one_convolution,),
            "receptive field": (_alike,),
        },
        2: {
            "shape": (_strided, _pooled),
            "parameters": (_strided, _then_pooled),
            "macs": (_strided, _then_pooled),
            "receptive field": (_halving,),
        },
        3: {
            "shape": (_dilated, _oblong, _rounded_up, _transposed, _stacked),
            "parameters": (_split, _split, _oblong, _transposed, _stacked),
            "macs": (_split, _split, _oblong, _transposed, _stacked),
            "receptive field": (_far,),
        },
    }
)


def questions(seed: int, level: int, count: int = 10) -> tuple[Question, ...]:
    """Questions of all kinds in turn, no two alike; a longer set begins as a shorter one does.

    >>> [question.kind for question in questions(7, level=1, count=4)]
    ['shape', 'parameters', 'macs', 'receptive field']
    >>> questions(7, level=2) == questions(7, level=2), questions(7, level=2) == questions(8, level=2)
    (True, False)

    Raises:
        ExplorerError: no such level, or too many questions.
    """
    if level not in LEVELS:
        raise ExplorerError(f"There is no level {level}; there are {', '.join(map(str, LEVELS))}.")
    if not 1 <= count <= MOST:
        raise ExplorerError(f"A set has 1 to {MOST} questions, not {count}.")
    dice = _Dice(seed, level)
    found: dict[str, Question] = {}
    while len(found) < count:
        kind = KINDS[len(found) % len(KINDS)]
        question = Question(kind, *dice.one(_DRAWS[level][kind])(dice))
        if _worth_asking(question):
            found.setdefault(question.text, question)
    return tuple(found.values())


def _worth_asking(question: Question) -> bool:
    """Whether all layers fit, do something, and numbers stay small."""
    try:
        answer = question.answer
    except ShapeError:
        return False
    for spec, shape in chain(question.stack, question.input_shape):
        leaps = any(stride > kernel for stride, kernel in zip(spec.stride, spec.kernel_size, strict=True))
        if leaps or min(output_shape(spec, shape)[1:]) < 3:
            return False
    highest = max(answer) if isinstance(answer, tuple) else answer
    return highest <= _LARGEST.get(question.kind, highest)
