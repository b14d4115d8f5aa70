"""The working of a layer's output size, line by line, as a course writes it on the board."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from explorer.layers import AXES, LayerSpec, live_weights, output_size, rows_read


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
        return (Step("1", f"One window reads all {size} {AXES[spec.dimensions][axis]}.", 1),)
    if spec.kind == "adaptive_pool":
        lines = _adaptive_steps(spec, size, axis)
    elif spec.kind == "transposed":
        lines = _transposed_steps(spec, size, axis)
    else:
        lines = _window_steps(spec, size, axis)
    return (*lines, Step(str(result), _never_read(spec, size, axis), result))


def _adaptive_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    def borders(size: object, result: object) -> str:
        return (
            rf"\left\lfloor \frac{{i \cdot {size}}}{{{result}}} \right\rfloor \ldots "
            rf"\left\lceil \frac{{(i + 1) \cdot {size}}}{{{result}}} \right\rceil - 1"
        )

    return [
        Step("O", "The output's size is chosen; the windows follow from it."),
        Step(borders("W", "O"), f"Window i = 0 … O − 1 reads these {AXES[spec.dimensions][axis]}."),
        Step(borders(size, spec.output_size[axis]), "The values put in; windows may overlap."),
    ]


def _transposed_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    kernel, stride, dilation = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
    padding, extra, extent = spec.margins[axis][0], spec.output_padding[axis], spec.extent[axis]
    return [
        Step(
            r"(W - 1)\,S - 2P + D\,(K - 1) + A + 1",
            f"Each input lays down {extent} {AXES[spec.dimensions][axis]}, D·(K − 1) + 1, S after the last one's.",
        ),
        Step(
            rf"({size} - 1) \cdot {stride} - 2 \cdot {padding} + {dilation} \cdot ({kernel} - 1) + {extra} + 1",
            "The values put in.",
        ),
        Step(f"{(size - 1) * stride} - {2 * padding} + {extent - 1} + {extra} + 1", "The products."),
    ]


def _window_steps(spec: LayerSpec, size: int, axis: int) -> list[Step]:
    name = AXES[spec.dimensions][axis]
    kernel, stride, dilation = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
    (before, after), extent = spec.margins[axis], spec.extent[axis]
    span = f"The window spans {extent} {name}: D·(K − 1) + 1."
    symbol, padding = "2P", rf"2 \cdot {before}"
    if spec.padding == "same":
        # the sides differ where the number to add is odd
        symbol, padding = "P", str(before + after)
        span += f" “same” adds P = {before + after}: {before} before, {after} after."
    room = size + before + after - extent
    if spec.ceil_mode:
        whole, left, right = -(-room // stride), r"\left\lceil", r"\right\rceil"
        rounded = "Rounded up: in ceil mode the last window may reach beyond the end."
    else:
        whole, left, right = room // stride, r"\left\lfloor", r"\right\rfloor"
        rounded = "Rounded down: a step that is not whole is not made."
    values = rf"{size} + {padding} - {dilation} \cdot ({kernel} - 1) - 1"
    lines = [
        Step(rf"{left} \frac{{W + {symbol} - D\,(K - 1) - 1}}{{S}} {right} + 1", span),
        Step(rf"{left} \frac{{{values}}}{{{stride}}} {right} + 1", "The values put in."),
        Step(rf"{left} \frac{{{room}}}{{{stride}}} {right} + 1", f"{name.capitalize()} to move by."),
        Step(f"{left} {_mixed(room, stride)} {right} + 1", f"Steps of {stride}."),
        Step(
            f"{whole} + 1", rounded if room % stride else "Nothing to round: the last window ends at the end."
        ),
    ]
    if whole + 1 > output_size(spec, size, axis):
        lines.append(
            Step(f"{whole + 1} - 1", "The last window would start in the padding at the end: it is left out.")
        )
    return lines


def _mixed(numerator: int, denominator: int) -> str:
    """A quotient as LaTeX, with its fraction.

    >>> _mixed(7, 2), _mixed(6, 2), _mixed(-1, 3)
    ('3\\\\tfrac{1}{2}', '3', '-\\\\tfrac{1}{3}')
    """
    whole, rest = divmod(abs(numerator), denominator)
    common = math.gcd(rest, denominator)
    fraction = rf"\tfrac{{{rest // common}}}{{{denominator // common}}}" if rest else ""
    return "-" * (numerator < 0) + (str(whole) if whole or not rest else "") + fraction


def _never_read(spec: LayerSpec, size: int, axis: int) -> str:
    """How many of the input's rows no window reads, in a sentence."""
    others = tuple(each for each in range(spec.dimensions) if each != axis)
    weights = np.asarray(live_weights(spec).any(axis=others))
    read = np.flatnonzero(rows_read(spec, size, axis)[weights].any(axis=0))
    never, at_end = size - len(read), size - 1 - int(read.max(initial=-1))
    name = AXES[spec.dimensions][axis]
    if not never:
        return f"Every {name[:-1]} is read."
    sentence = "1 " + name[:-1] if never == 1 else f"{never} {name}"
    sentence += (" at the end" if at_end == never else "") + (" is" if never == 1 else " are") + " never read"
    return sentence + (f", {at_end} of them at the end." if 0 < at_end < never else ".")
