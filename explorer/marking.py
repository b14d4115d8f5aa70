"""Reading an answer as people type it; whether it is right, or which slip leads to it; what it counts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from explorer.errors import ExplorerError, ShapeError
from explorer.layers import KINDS, POOLS, LayerSpec, Sizes, output_shape, output_size, parts
from explorer.questions import Answer, Kind, Question, Stack, answered
from explorer.worked_examples import chain, written

# Reading ---------------------------------------------------------------------------------------------

_LONGEST: Final = 80
_WHOLE: Final = re.compile(r"[0-9]{1,3}(?:([ ,'’_\u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*)?|[0-9]+")
"""1216, 1,216, 1 216, 1'216, 1_216: groups of three, all with the same sign between them."""
_TIMES: Final = re.compile(r"\s*(?:[×xX*·⋅@]|\bby\b)\s*")
_SPLITS: Final = (_TIMES, re.compile(r"\s*;\s*|\s*,\s+"), re.compile(r"\s*,\s*|\s+"))
"""What stands between the numbers of a shape: 10×16×16, 10@16x16; 1,024, 7, 7; 10,16,16 or 10 16 16."""
_UNIT: Final = re.compile(r"\s*(?:parameters?|params?|weights|macs?|pixels?|px)$", re.IGNORECASE)
_PARTS: Final = {"shape": 3, "receptive field": 2}


def form(question: Question) -> str:
    """What an answer looks like, in words.

    >>> form(Question("parameters", (3, 16, 16), (LayerSpec(),)))
    'one whole number, such as 1,216'
    """
    if isinstance(question.answer, int):
        return f"one whole number, such as {'7' if question.kind == 'receptive field' else '1,216'}"
    if question.kind == "shape":
        return "three numbers, channels × rows × columns, such as 10×28×28"
    return "two numbers, rows × columns, such as 7×5"


def parse_answer(text: str, question: Question) -> Answer:
    """A typed answer as the kind of number that is asked for.

    A shape may begin with the 1 for one picture, as torch prints it.

    >>> shape = Question("shape", (3, 16, 16), (LayerSpec(padding=1),))
    >>> parse_answer("10×16×16", shape), parse_answer("torch.Size([1, 10, 16, 16])", shape)
    ((10, 16, 16), (10, 16, 16))
    >>> parse_answer("1 216", Question("parameters", (3, 16, 16), (LayerSpec(),)))
    1216

    Raises:
        ExplorerError: nothing, too much, or something that is no whole number; the sentence says what is asked for.
    """
    typed, asked = text.strip(), f"asked for: {form(question)}."
    if not typed:
        raise ExplorerError(f"Nothing is typed yet; {asked}")
    if len(typed) > _LONGEST:
        raise ExplorerError(f"{len(typed)} characters are too many; {asked}")
    bare = typed.lstrip("= ").removeprefix("torch.Size").strip("()[] .")
    if isinstance(question.answer, int):
        bare = _UNIT.sub("", bare)
        numbers = _numbers([bare] if _WHOLE.fullmatch(bare) else _TIMES.split(bare), asked)
        square = question.kind == "receptive field" and numbers[1:] == numbers[:1]
        if len(numbers) > 1 and not square:
            raise ExplorerError(f"“{typed}” has {len(numbers)} numbers; {asked}")
        return numbers[0]
    wanted = _PARTS[question.kind]
    batched = (wanted, wanted + 1) if question.kind == "shape" else (wanted,)
    splits = [split.split(bare) for split in _SPLITS]
    fitting = [each for each in splits if len(each) in batched and all(map(_WHOLE.fullmatch, each))]
    numbers = _numbers((fitting or [max(splits, key=len)])[0], asked)
    if len(numbers) == wanted + 1 and numbers[0] == 1 and fitting:
        return numbers[1:]
    if len(numbers) != wanted:
        raise ExplorerError(f"“{typed}” has {len(numbers)} number{'s' * (len(numbers) != 1)}; {asked}")
    return numbers


def _numbers(texts: Sequence[str], asked: str) -> Sizes:
    for text in texts:
        if not _WHOLE.fullmatch(text):
            what = f"“{text}” is not a whole number" if text else "A number is missing"
            if re.fullmatch(r"[0-9]+\.[0-9]+", text):
                what += ": round down what does not come out even"
            raise ExplorerError(f"{what}; {asked}")
    return tuple(int(re.sub(r"[^0-9]", "", text)) for text in texts)


# Slips -----------------------------------------------------------------------------------------------

Wrong: TypeAlias = Callable[[Question], Answer]


@dataclass(frozen=True)
class Slip:
    """A way to a wrong answer: what it forgets, and what comes out then."""

    sentence: str
    wrong: Wrong


def _with(**changes: Any) -> Wrong:
    """The answer, were these fields such in every layer that has them free."""

    def wrong(question: Question) -> Answer:
        stack = tuple(
            replace(
                spec, **{name: value for name, value in changes.items() if name in KINDS[spec.kind].fields}
            )
            for spec in question.stack
        )
        return answered(question.kind, question.input_shape, stack)

    return wrong


def _ungrouped(question: Question) -> Answer:
    split = ("grouped", "depthwise", "separable")
    stack = tuple(
        replace(spec, kind="conv", groups=1) if spec.kind in split else spec for spec in question.stack
    )
    return answered(question.kind, question.input_shape, stack)


def _by_axis(size: Callable[[LayerSpec, int, int], int]) -> Wrong:
    """The shape, were each axis of each layer counted like this."""

    def wrong(question: Question) -> Answer:
        shape = question.input_shape
        for spec in question.stack:
            shape = (spec.out_channels, *(size(spec, each, axis) for axis, each in enumerate(shape[1:])))
        return shape

    return wrong


def _room(spec: LayerSpec, size: int, axis: int) -> int:
    """How far the window can move; an axis of a transposed one has none."""
    if spec.kind == "transposed":
        raise ShapeError("The window of a transposed convolution does not slide over its input.")
    return size + sum(spec.margins[axis]) - spec.extent[axis]


def _padded_once(spec: LayerSpec, size: int, axis: int) -> int:
    return (_room(spec, size, axis) - spec.margins[axis][0]) // spec.stride[axis] + 1


def _rounded_up(spec: LayerSpec, size: int, axis: int) -> int:
    return -(-_room(spec, size, axis) // spec.stride[axis]) + 1


def _without_one(spec: LayerSpec, size: int, axis: int) -> int:
    return _room(spec, size, axis) // spec.stride[axis]


def _as_convolution(spec: LayerSpec, size: int, axis: int) -> int:
    return output_size(replace(spec, kind="conv"), size, axis)


def _channels_last(question: Question) -> Answer:
    channels, *sizes = _shape(question)
    return (*sizes, channels)


def _turned(question: Question) -> Answer:
    *channels, rows, columns = _shape(question)
    return (*channels, columns, rows)


def _channels_kept(question: Question) -> Answer:
    return (question.input_shape[0], *_shape(question)[1:])


def _shape(question: Question) -> Sizes:
    if isinstance(question.answer, int):
        raise ShapeError("One number has no order.")
    return question.answer


def _summed(price: Callable[[LayerSpec, Sizes], int]) -> Wrong:
    """The sum over all layers with weights, were each priced like this."""

    def wrong(question: Question) -> Answer:
        return sum(
            price(part, shape)
            for spec, before in chain(question.stack, question.input_shape)
            for part, shape in chain(parts(spec), before)
            if part.kind not in POOLS
        )

    return wrong


def _weights(spec: LayerSpec) -> int:
    return math.prod(spec.kernel_size) * spec.in_channels // spec.groups * spec.out_channels


def _places(spec: LayerSpec, shape: Sizes, of_input: bool) -> int:
    """Rows × columns of the input or of the output."""
    sizes = shape[1:] if of_input else output_shape(spec, shape)[1:]
    return math.prod(sizes)


def _positions(spec: LayerSpec, shape: Sizes) -> int:
    """Where the kernel is applied: at each place of the output; of the input, if transposed."""
    return _places(spec, shape, of_input=spec.kind == "transposed")


def _other_positions(spec: LayerSpec, shape: Sizes) -> int:
    return _places(spec, shape, of_input=spec.kind != "transposed")


def _instead(kind: Kind) -> Wrong:
    return lambda question: answered(kind, question.input_shape, question.stack)


def _plus(number: int) -> Wrong:
    def wrong(question: Question) -> Answer:
        return _mapped(question, lambda answer: answer + number)

    return wrong


def _doubled(question: Question) -> Answer:
    return _mapped(question, lambda answer: 2 * answer)


def _mapped(question: Question, change: Callable[[int], int]) -> Answer:
    right = question.answer
    return tuple(map(change, right)) if isinstance(right, tuple) else change(right)


def _per_side(side: Callable[[Stack, int], int]) -> Wrong:
    """The field, were each axis counted like this."""

    def wrong(question: Question) -> Answer:
        rows, columns = (side(question.stack, axis) for axis in (0, 1))
        return rows if rows == columns and isinstance(question.answer, int) else (rows, columns)

    return wrong


def _own_stride(stack: Stack, axis: int) -> int:
    size, jump = 1, 1
    for spec in stack:
        jump *= spec.stride[axis]
        size += (spec.extent[axis] - 1) * jump
    return size


def _unpooled(question: Question) -> Answer:
    stack = tuple(spec for spec in question.stack if spec.kind not in POOLS)
    return answered(question.kind, question.input_shape, stack)


SLIPS: Final[Mapping[Kind, tuple[Slip, ...]]] = {
    "shape": (
        Slip("channels come first, then rows and columns", _channels_last),
        Slip("rows and columns have changed places", _turned),
        Slip("as many channels come out as there are filters, not as go in", _channels_kept),
        Slip("in ceil mode the quotient is rounded up", _with(ceil_mode=False)),
        Slip("the padding is forgotten", _with(padding=0)),
        Slip("the padding is added on both sides: 2P", _by_axis(_padded_once)),
        Slip("the quotient is rounded down: a step that is not whole is not made", _by_axis(_rounded_up)),
        Slip("the + 1 at the end is forgotten: the window's first place counts", _by_axis(_without_one)),
        Slip("the stride is forgotten", _with(stride=1)),
        Slip("the dilation is forgotten: the window spans D·(K − 1) + 1", _with(dilation=1)),
        Slip("the output padding is forgotten", _with(output_padding=0)),
        Slip(
            "a transposed convolution goes the other way: its stride makes more, not less",
            _by_axis(_as_convolution),
        ),
    ),
    "parameters": (
        Slip("the biases are forgotten, one for each filter", _with(bias=False)),
        Slip("these layers have no biases", _with(bias=True)),
        Slip(
            "each filter has a bias of its own, not each layer", _summed(lambda spec, _: _weights(spec) + 1)
        ),
        Slip(
            "channels that go in and channels that come out have changed places",
            _summed(lambda spec, _: _weights(spec) + spec.bias * spec.in_channels),
        ),
        Slip(
            "a filter reads more channels than one",
            _summed(lambda spec, _: (math.prod(spec.kernel_size) + spec.bias) * spec.out_channels),
        ),
        Slip("each filter reads only its group of the channels", _ungrouped),
        Slip(
            "that is one filter: there are more",
            _summed(lambda spec, _: _weights(spec) // spec.out_channels + spec.bias),
        ),
        Slip(
            "the window has two sides: K·K",
            _summed(
                lambda spec, _: (
                    (spec.kernel_size[0] * spec.in_channels // spec.groups + spec.bias) * spec.out_channels
                )
            ),
        ),
        Slip("those are the MACs: the same weights are used at every place", _instead("macs")),
    ),
    "macs": (
        Slip("those are FLOPs: a multiply-add is one MAC and two FLOPs", _doubled),
        Slip(
            "adding the biases is not counted as MACs",
            _summed(
                lambda spec, shape: (
                    (_weights(spec) + spec.out_channels * (spec.kind != "transposed"))
                    * _positions(spec, shape)
                )
            ),
        ),
        Slip("those are the parameters: the weights are used again at every place", _instead("parameters")),
        Slip(
            "those are the weights: they are used again at every place",
            _summed(lambda spec, _: _weights(spec)),
        ),
        Slip(
            "a convolution multiplies at each place of its output, a transposed one of its input",
            _summed(lambda spec, shape: _weights(spec) * _other_positions(spec, shape)),
        ),
        Slip(
            "a filter reads more channels than one",
            _summed(
                lambda spec, shape: math.prod(spec.kernel_size) * spec.out_channels * _positions(spec, shape)
            ),
        ),
        Slip(
            "that is one filter: there are more",
            _summed(lambda spec, shape: _weights(spec) // spec.out_channels * _positions(spec, shape)),
        ),
        Slip("each filter reads only its group of the channels", _ungrouped),
        Slip("the padding is forgotten", _with(padding=0)),
        Slip("the stride is forgotten", _with(stride=1)),
    ),
    "receptive field": (
        Slip("rows and columns have changed places", _turned),
        Slip("the strides are forgotten: behind one, a step covers more pixels", _with(stride=1)),
        Slip("the dilation is forgotten: the window spans D·(K − 1) + 1", _with(dilation=1)),
        Slip("strides and dilation are forgotten", _with(stride=1, dilation=1)),
        Slip("a layer's own stride counts only for the layers behind it", _per_side(_own_stride)),
        Slip("pooling widens the field too", _unpooled),
        Slip(
            "each layer adds K − 1, not K",
            _per_side(lambda stack, axis: sum(spec.kernel_size[axis] for spec in stack)),
        ),
        Slip(
            "windows overlap: their sizes are not multiplied",
            _per_side(lambda stack, axis: math.prod(spec.kernel_size[axis] for spec in stack)),
        ),
        Slip("the pixel in the middle counts too: 1 + …", _plus(-1)),
        Slip("the count begins with one pixel, not two", _plus(1)),
    ),
}
"""Likely slips by the kind of question; the first that gives the typed answer is named."""


@dataclass(frozen=True)
class Marked:
    """Whether an answer is right, and one sentence about it."""

    right: bool
    sentence: str


def marked(question: Question, answer: Answer) -> Marked:
    """Whether the answer is right; where a known slip leads to it, its name.

    >>> marked(Question("parameters", (3, 32, 32), (LayerSpec(kernel_size=5),)), 750).sentence
    '750 is not right: the biases are forgotten, one for each filter.'
    """
    if answer == question.answer:
        return Marked(True, f"{written(answer)} is right.")
    for slip in SLIPS[question.kind]:
        try:
            found = slip.wrong(question) == answer
        except ShapeError:
            # the slip is not possible here
            continue
        if found:
            return Marked(False, f"{written(answer)} is not right: {slip.sentence}.")
    return Marked(False, f"{written(answer)} is not right.")


# Tries -----------------------------------------------------------------------------------------------

WORTH: Final = (1.0, 0.5)
"""What a right answer counts on the first try, and on the second; there is no third."""


@dataclass(frozen=True)
class Attempt:
    """What somebody made of a question.

    Attributes:
        question: that was asked.
        answers: one for each try, in their order; none follows a right one.
        given_up: whether the working was asked for before the tries were over.

    >>> attempt = Attempt(Question("macs", (3, 32, 32), (LayerSpec(kernel_size=5),)))
    >>> attempt = attempt.answered(760).answered(588_000)
    >>> attempt.right, attempt.points, attempt.over
    (True, 0.5, True)

    Raises:
        ExplorerError: more answers than tries, the same answer twice, or one after a right one.
    """

    question: Question
    answers: tuple[Answer, ...] = ()
    given_up: bool = False

    def __post_init__(self) -> None:
        if len(self.answers) > len(WORTH):
            raise ExplorerError(f"A question has {len(WORTH)} tries, not {len(self.answers)}.")
        if self.question.answer in self.answers[:-1]:
            raise ExplorerError("The question is answered already.")
        if len(set(self.answers)) < len(self.answers):
            raise ExplorerError(
                f"{written(self.answers[-1])} is what you answered before: the try is still yours."
            )

    def answered(self, answer: Answer) -> Attempt:
        """With one more answer."""
        return replace(self, answers=(*self.answers, answer))

    @property
    def right(self) -> bool:
        """Whether the last answer is right."""
        return self.question.answer in self.answers

    @property
    def over(self) -> bool:
        """Whether there is nothing more to try: the working may be shown."""
        return self.right or self.given_up or len(self.answers) == len(WORTH)

    @property
    def points(self) -> float:
        """What it counts, 0 to 1."""
        return WORTH[len(self.answers) - 1] if self.right else 0.0


def points(number: float) -> str:
    """Points for reading.

    >>> points(7), points(6.5), points(0.5)
    ('7', '6½', '½')
    """
    whole, half = divmod(number, 1)
    return f"{whole:.0f}" * (whole > 0 or not half) + "½" * bool(half)
