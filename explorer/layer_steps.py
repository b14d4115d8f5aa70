"""The working of a layer's output size, line by line, as a course writes it on the board.

Lines are LaTeX of a small vocabulary: numbers, single letters, + - · (), floors, ceilings and fractions; `mathml` and
`in_words` write the same line for a browser and as plain text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.layers import ADAPTIVE, AXES, LayerSpec, Sizes, live_weights, output_size, rows_read, unread


@dataclass(frozen=True)
class Step:
    """One line of a working: LaTeX, a sentence about it, and in the last line the result."""

    formula: str
    words: str
    value: int | None = None


def steps(spec: LayerSpec, size: int, axis: int = 0) -> tuple[Step, ...]:
    r"""How the output's size along one axis follows from the input's: the last step is the result.

    W is the input's size, K kernel_size, S stride, P padding, D dilation, A output_padding, O output_size.

    >>> for step in steps(LayerSpec(kernel_size=3, stride=2), 6):
    ...     print(step.formula)
    \left\lfloor \frac{W + 2P - D\,(K - 1) - 1}{S} \right\rfloor + 1
    \left\lfloor \frac{6 + 2 \cdot 0 - 1 \cdot (3 - 1) - 1}{2} \right\rfloor + 1
    \left\lfloor \frac{3}{2} \right\rfloor + 1
    \left\lfloor 1\tfrac{1}{2} \right\rfloor + 1
    1 + 1
    2
    >>> step.words
    '1 row at the end is never read.'

    Raises:
        ShapeError: as `output_size`.
    """
    result = output_size(spec, size, axis)
    if spec.kind == "global_pool":
        name = AXES[spec.dimensions][axis]
        return (Step("1", f"One window reads all {_count(size, name)}: one number comes out.", 1),)
    if spec.kind == "adaptive_pool":
        lines = _adaptive_steps(spec, size, axis)
    elif spec.kind == "transposed":
        lines = _transposed_steps(spec, size, axis)
    else:
        lines = _window_steps(spec, size, axis)
    others = tuple(each for each in range(spec.dimensions) if each != axis)
    weights = np.asarray(live_weights(spec).any(axis=others))
    never = ~np.asarray(rows_read(spec, size, axis)[weights].any(axis=0))
    return (*lines, Step(str(result), _never_read(never, AXES[spec.dimensions][axis]), result))


@dataclass(frozen=True)
class Letter:
    """A letter of the formula: what it stands for, in a word and in a sentence, and its number here."""

    symbol: str
    word: str
    sentence: str
    value: int


@dataclass(frozen=True)
class Equation:
    """How sizes follow along axes that follow alike.

    Attributes:
        axes: which of the layer's axes.
        chain: the formula, then what it comes to with the numbers put in; LaTeX.
        letters: of the formula, in the order of their first use.
        steps: the whole working, with the words of the first axis.
        unread: for each axis the sentence on what is never read.
    """

    axes: Sizes
    chain: tuple[str, ...]
    letters: tuple[Letter, ...]
    steps: tuple[Step, ...]
    unread: tuple[str, ...]


def equations(spec: LayerSpec, sizes: Sizes) -> tuple[Equation, ...]:
    """The workings of all axes; axes whose workings read the same share one.

    >>> [each.axes for each in equations(LayerSpec(kernel_size=(3, 5)), (8, 8))]
    [(0,), (1,)]
    >>> [each.axes for each in equations(LayerSpec("masked_a", padding=1), (8, 8))]
    [(0, 1)]

    Raises:
        ShapeError: as `output_size`.
    """
    found: dict[tuple[str, ...], list[int]] = {}
    workings = [_among(spec, sizes, axis) for axis in range(spec.dimensions)]
    for axis, lines in enumerate(workings):
        found.setdefault(tuple(step.formula for step in lines), []).append(axis)
    made = []
    for axes in found.values():
        lines = workings[axes[0]]
        # of an adaptive pooling the lines between tell where windows stand: they are no part of the sum
        middle = () if spec.kind in ADAPTIVE else lines[1:2]
        chain = dict.fromkeys(step.formula for step in (lines[0], *middle, lines[-1]))
        own = letters(spec, sizes[axes[0]], axes[0])
        never = tuple(workings[axis][-1].words for axis in axes)
        made.append(Equation(tuple(axes), tuple(chain), own, lines, never))
    return tuple(made)


def _among(spec: LayerSpec, sizes: Sizes, axis: int) -> tuple[Step, ...]:
    """The working along one axis, knowing the others: a mask may leave a column unread that is read in taller maps."""
    lines = steps(spec, sizes[axis], axis)
    if spec.kind == "global_pool":
        return lines
    never = unread(spec, (spec.in_channels, *sizes), axis)
    return (*lines[:-1], replace(lines[-1], words=_never_read(never, AXES[spec.dimensions][axis])))


_MEANING: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "W": ("input", "how many {axes} go in"),
        "P": ("padding", "how many {axes} are added on each side before the window starts"),
        "D": ("dilation", "how far apart neighbouring weights of the window lie; 1 means no holes"),
        "K": ("kernel", "how many weights the window has along its {axes}"),
        "S": ("stride", "how many {axes} the window moves at a step"),
        "A": ("output padding", "how many {axes} are added at the end of the output"),
        "O": ("output", "how many {axes} are asked for"),
    }
)
"""A word and a description of each letter."""


def letters(spec: LayerSpec, size: int, axis: int = 0) -> tuple[Letter, ...]:
    """The letters of the formula along one axis.

    >>> [(each.symbol, each.word, each.value) for each in letters(LayerSpec(kernel_size=5, padding=2), 32)]
    [('W', 'input', 32), ('P', 'padding', 2), ('D', 'dilation', 1), ('K', 'kernel', 5), ('S', 'stride', 1)]
    """
    before, after = spec.margins[axis]
    values = {
        "W": size,
        "P": before + after if spec.padding == "same" else before,
        "D": spec.dilation[axis],
        "K": spec.kernel_size[axis],
        "S": spec.stride[axis],
        "A": spec.output_padding[axis],
        "O": spec.output_size[axis],
    }
    told = dict(_MEANING)
    if spec.padding == "same":
        told["P"] = ("padding", "how many {axes} are added on both sides together")
    elif spec.kind == "transposed":
        told["P"] = ("padding", "how many {axes} are cut off on each side of what was laid down")
        told["S"] = ("stride", "how many {axes} after the last one's each input's patch begins")
    used = dict.fromkeys(re.findall("[A-Z]", steps(spec, size, axis)[0].formula))
    name = AXES[spec.dimensions][axis]
    return tuple(
        Letter(symbol, word, f"{symbol}, {word}: {sentence.format(axes=name)}.", values[symbol])
        for symbol in used
        for word, sentence in [told[symbol]]
    )


def _adaptive_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    def borders(size: object, result: object) -> str:
        return (
            rf"\left\lfloor \frac{{i \cdot {size}}}{{{result}}} \right\rfloor \ldots "
            rf"\left\lceil \frac{{(i + 1) \cdot {size}}}{{{result}}} \right\rceil - 1"
        )

    name = AXES[spec.dimensions][axis]
    return [
        Step("O", f"You choose how many {name} come out; where the windows stand follows from it."),
        Step(borders("W", "O"), f"Windows are counted by i, from 0 to O − 1: window i reads these {name}."),
        Step(
            borders(size, spec.output_size[axis]),
            "With your numbers in place of the letters; neighbouring windows may overlap.",
        ),
    ]


def _transposed_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    kernel, stride, dilation = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
    padding, extra, extent = spec.margins[axis][0], spec.output_padding[axis], spec.extent[axis]
    name = AXES[spec.dimensions][axis]
    cut = f"the padding cuts {_count(padding, name)} off each side" if padding else "nothing is cut off"
    return [
        Step(
            r"(W - 1)\,S - 2P + D\,(K - 1) + A + 1",
            f"Each input lays down a patch of D·(K − 1) + 1 = {_count(extent, name)}, and each patch begins "
            f"{_count(stride, name)} after the last.",
        ),
        Step(
            rf"({size} - 1) \cdot {stride} - 2 \cdot {padding} + {dilation} \cdot ({kernel} - 1) + {extra} + 1",
            "Here your numbers stand in place of the letters.",
        ),
        Step(
            f"{(size - 1) * stride} - {2 * padding} + {extent - 1} + {extra} + 1",
            f"The last patch begins {_count((size - 1) * stride, name)} after the first; {cut}.",
        ),
    ]


def _window_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    name = AXES[spec.dimensions][axis]
    kernel, stride, dilation = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
    (before, after), extent = spec.margins[axis], spec.extent[axis]
    span = f"The window covers D·(K − 1) + 1 = {_count(extent, name)}."
    symbol, padding = "2P", rf"2 \cdot {before}"
    if spec.padding == "same":
        # the sides differ where the number to add is odd
        symbol, padding = "P", str(before + after)
        span += f" “same” adds P = {before + after}: {before} before, {after} after."
    span += " What the padded input has beyond that is room to move, S at a step; + 1 is the place where it starts."
    room = size + before + after - extent
    padded = f"{size:,} of the input" + (f", {before + after} of padding" if before + after else "")
    if spec.ceil_mode:
        whole, left, right = -(-room // stride), r"\left\lceil", r"\right\rceil"
        rounded = "Ceil mode rounds up: the last window may reach beyond the end."
    else:
        whole, left, right = room // stride, r"\left\lfloor", r"\right\rfloor"
        rounded = "A step that would lead beyond the end is not made, so the number is rounded down."
    values = rf"{size} + {padding} - {dilation} \cdot ({kernel} - 1) - 1"
    lines = [
        Step(rf"{left} \frac{{W + {symbol} - D\,(K - 1) - 1}}{{S}} {right} + 1", span),
        Step(
            rf"{left} \frac{{{values}}}{{{stride}}} {right} + 1",
            "Here your numbers stand in place of the letters.",
        ),
        Step(
            rf"{left} \frac{{{room}}}{{{stride}}} {right} + 1",
            f"The window has {_count(room, name)} to move by: {padded}, less the {extent} that it covers.",
        ),
        Step(
            f"{left} {_mixed(room, stride)} {right} + 1",
            f"Each step is {_count(stride, name)} long, so this is how many steps there is room for.",
        ),
        Step(
            f"{whole} + 1",
            rounded
            if room % stride
            else "There is nothing to round: the last window ends exactly at the end.",
        ),
    ]
    if whole + 1 > output_size(spec, size, axis):
        lines.append(
            Step(f"{whole + 1} - 1", "The last window would start in the padding at the end: it is left out.")
        )
    return lines


def _count(number: int, axes: str) -> str:
    """So many rows, of a name such as "rows".

    >>> _count(1, "rows"), _count(1024, "rows")
    ('1 row', '1,024 rows')
    """
    return f"{number:,} {axes[:-1] if number == 1 else axes}"


def _mixed(numerator: int, denominator: int) -> str:
    """A quotient as LaTeX, with its fraction.

    >>> _mixed(7, 2), _mixed(6, 2), _mixed(-1, 3)
    ('3\\\\tfrac{1}{2}', '3', '-\\\\tfrac{1}{3}')
    """
    whole, rest = divmod(abs(numerator), denominator)
    common = math.gcd(rest, denominator)
    fraction = rf"\tfrac{{{rest // common}}}{{{denominator // common}}}" if rest else ""
    return "-" * (numerator < 0) + (str(whole) if whole or not rest else "") + fraction


def _never_read(unread: NDArray[np.bool_], name: str) -> str:
    """How many rows no window reads, in a sentence.

    Args:
        unread: for each of them, whether none does.
        name: what they are, many of them: "rows".
    """
    never, at_end = int(unread.sum()), len(unread) - 1 - int(np.flatnonzero(~unread).max(initial=-1))
    if not never:
        return f"Every {name[:-1]} is read."
    sentence = "1 " + name[:-1] if never == 1 else f"{never} {name}"
    sentence += (" at the end" if at_end == never else "") + (" is" if never == 1 else " are") + " never read"
    return sentence + (f", {at_end} of them at the end." if 0 < at_end < never else ".")


# A line, written for others than KaTeX ------------------------------------------------------------------

_TOKEN: Final = re.compile(r"\\(?:left|right)?\\?[A-Za-z]+|\\,|\d+|[A-Za-z]|[-+=(){}]")
_SIGNS: Final[Mapping[str, str]] = MappingProxyType({"-": "−", r"\ldots": "…", r"\cdot": "·"})
_FENCES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {r"\left\lfloor": ("⌊", "⌋"), r"\left\lceil": ("⌈", "⌉"), "(": ("(", ")")}
)
_DRAWN: Final[Mapping[str, str]] = MappingProxyType({"⌊": "floor", "⌈": "ceiling", "(": "held"})
_CLOSING: Final = frozenset({r"\right\rfloor", r"\right\rceil", ")", "}"})


@dataclass(frozen=True)
class _Script:
    """How the parts of a line are written; `fraction` also hears whether it is part of a mixed number."""

    number: Callable[[str, str], str]
    letter: Callable[[str], str]
    sign: Callable[[str], str]
    beside: str
    fence: Callable[[str, str, str], str]
    fraction: Callable[[str, str, bool], str]


_MATHML: Final = _Script(
    number=lambda digits, letter: f"<mn{_marked(letter)}>{digits}</mn>",
    letter=lambda letter: f"<mi{_marked(letter if letter.isupper() else '')}>{letter}</mi>",
    sign=lambda sign: f"<mo>{sign}</mo>",
    beside='<mspace width="0.17em"/>',
    # fences that stretch need a font for mathematics, which few systems without a desktop have: style draws them
    fence=lambda left, inner, right: (
        f'<mrow class="{_DRAWN[left]}"><mo form="prefix" stretchy="false">{left}</mo>{inner}'
        f'<mo form="postfix" stretchy="false">{right}</mo></mrow>'
    ),
    fraction=lambda top, bottom, small: (
        f'<mfrac displaystyle="{"false" if small else "true"}"><mrow>{top}</mrow><mrow>{bottom}</mrow></mfrac>'
    ),
)
_PLAIN: Final = _Script(
    number=lambda digits, letter: digits,
    letter=lambda letter: letter,
    sign=lambda sign: "·" if sign == "·" else f" {sign} ",
    beside="·",
    fence=lambda left, inner, right: f"{left}{inner}{right}",
    fraction=lambda top, bottom, small: f" {top}/{bottom}" if small else f"{_held(top)} / {_held(bottom)}",
)


def _marked(letter: str) -> str:
    return f' data-letter="{letter}"' if letter else ""


def _held(text: str) -> str:
    return f"({text})" if " " in text else text


def mathml(formula: str, values: Mapping[str, int] | None = None) -> str:
    r"""A line of a working as presentation MathML, without the `math` element around it.

    Letters, and with `values` the numbers that stand in their place, carry their letter as `data-letter`.

    >>> mathml(r"D\,(K - 1)", {"D": 2, "K": 3}).count("data-letter")
    2

    Raises:
        ValueError: LaTeX that no line of a working has.
    """
    return _write(formula, _MATHML, values or {})


def in_words(formula: str, values: Mapping[str, int] | None = None) -> str:
    r"""A line of a working as plain text, with `values` in the place of its letters.

    >>> in_words(r"\left\lfloor \frac{W + 2P - D\,(K - 1) - 1}{S} \right\rfloor + 1")
    '⌊(W + 2P − D·(K − 1) − 1) / S⌋ + 1'
    >>> in_words(r"\left\lfloor 53\tfrac{3}{4} \right\rfloor + 1")
    '⌊53 3/4⌋ + 1'

    Raises:
        ValueError: LaTeX that no line of a working has.
    """
    return re.sub(r" {2,}", " ", _write(formula, _PLAIN, values or {})).strip()


def _write(formula: str, script: _Script, values: Mapping[str, int]) -> str:
    tokens = _TOKEN.findall(formula)
    if "".join(tokens) != re.sub(r"\s", "", formula):
        raise ValueError(f"{formula} is not a line of a working.")
    written = _run(tokens, script, values)
    if tokens:
        raise ValueError(f"{tokens[0]} in {formula} closes nothing.")
    return written


def _run(tokens: list[str], script: _Script, values: Mapping[str, int]) -> str:
    """Write and take away tokens up to what closes them."""
    parts: list[str] = []
    before = ""
    while tokens and tokens[0] not in _CLOSING:
        token = tokens.pop(0)
        if token in values:
            # 2P with a number for P is a product that has to show its sign
            parts += [script.sign("·")] if before.isdigit() else []
            parts.append(script.number(str(values[token]), token))
        elif token.isdigit():
            parts.append(script.number(token, ""))
        elif token.isalpha():
            parts.append(script.letter(token))
        elif token in _FENCES:
            left, right = _FENCES[token]
            parts.append(script.fence(left, _run(tokens, script, values), right))
            _close(tokens)
        elif token in (r"\frac", r"\tfrac"):
            top, bottom = (_group(tokens, script, values) for _ in range(2))
            parts.append(script.fraction(top, bottom, token == r"\tfrac"))
        elif token == r"\,":
            parts.append(script.sign("·") if values else script.beside)
        elif token in "-+=" or token in _SIGNS:
            parts.append(script.sign(_SIGNS.get(token, token)))
        else:
            raise ValueError(f"{token} is no part of a working.")
        before = token
    return "".join(parts)


def _group(tokens: list[str], script: _Script, values: Mapping[str, int]) -> str:
    if not tokens or tokens.pop(0) != "{":
        raise ValueError("A fraction has two parts in braces.")
    inner = _run(tokens, script, values)
    _close(tokens)
    return inner


def _close(tokens: list[str]) -> None:
    if not tokens:
        raise ValueError("A line of a working ends too early.")
    tokens.pop(0)
