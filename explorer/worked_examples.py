"""Layers and stacks that courses work out on the board: what each course says, and what we count.

A number of a course is held to ours as it is written: 922,000,000 says three digits, so ours is rounded to three.
A dense layer stands here as the convolution whose window is its whole input: the same weights and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from explorer.errors import ShapeError
from explorer.layer_costs import costs
from explorer.layers import ADAPTIVE, KINDS, MASKED, LayerSpec, Sizes, output_shape
from explorer.receptive_field import Step, receptive_field

Number: TypeAlias = int | float | Sizes
Layers: TypeAlias = tuple[tuple[LayerSpec, Sizes], ...]
"""Layers of a stack, each with the shape of its input."""

Verdict: TypeAlias = Literal["right", "rounded", "cut", "wrong", "not given"]


@dataclass(frozen=True)
class Claim:
    """A number of a course.

    Attributes:
        what: key of `MEASURES`.
        stated: as the course has it: a number, a shape, a range as text ("8–9"); None where it gives none.
        golden_id: its name in our reference numbers; "" for what stands in none of them.
        note: what has to be known to read it, one or two sentences.
        layer: which layer of the stack it is about; None: all of them.
        of: the example's stack; the one beside it; the first as a share of the second; or how many times as much
            the second is.
    """

    what: str
    stated: Number | str | None
    golden_id: str = ""
    note: str = ""
    layer: int | None = None
    of: Literal["stack", "beside", "share", "saving"] = "stack"


@dataclass(frozen=True)
class Example:
    """A layer or stack of a course.

    Attributes:
        key: of `EXAMPLES`.
        title: as a button says it.
        sentence: what it is good for.
        course: whose it is.
        input_shape: (channels, *sizes) of what the first layer reads.
        stack: the layers, first to last.
        claims: what the course says.
        beside: layers to compare with, for the same input.
    """

    key: str
    title: str
    sentence: str
    course: str
    input_shape: Sizes
    stack: tuple[LayerSpec, ...]
    claims: tuple[Claim, ...]
    beside: tuple[LayerSpec, ...] = ()

    @property
    def layer(self) -> LayerSpec | None:
        """The layer, where there is one alone."""
        return self.stack[0] if len(self.stack) == 1 else None


@dataclass(frozen=True)
class Checked:
    """Our number, and what the course's is worth."""

    ours: Number
    verdict: Verdict
    why: str

    @property
    def agrees(self) -> bool:
        """Whether the course is not wrong."""
        return self.verdict != "wrong"


# Counting --------------------------------------------------------------------------------------------


def chain(stack: Sequence[LayerSpec], input_shape: Sizes) -> Layers:
    """Each layer with the shape of what it reads.

    >>> [shape for _, shape in chain([LayerSpec(), LayerSpec("max_pool", in_channels=10)], (3, 9, 9))]
    [(3, 9, 9), (10, 7, 7)]

    Raises:
        ShapeError: a layer that does not fit what stands before it.
    """
    layers, shape = [], input_shape
    for spec in stack:
        layers.append((spec, shape))
        shape = output_shape(spec, shape)
    return tuple(layers)


def field_steps(stack: Sequence[LayerSpec]) -> tuple[Step, ...]:
    """The same layers as steps of a receptive field.

    >>> receptive_field(field_steps([LayerSpec(kernel_size=3)] * 3)).size
    (7, 7)

    Raises:
        ShapeError: a layer that has no rows and columns, or whose window does not slide over the input whole.
    """
    steps = []
    for number, spec in enumerate(stack, 1):
        if spec.dimensions != 2 or spec.kind in ADAPTIVE | MASKED | {"transposed"}:
            raise ShapeError(
                f"Layer {number} ({KINDS[spec.kind].title.lower()}, {spec.dimensions}-D) has no fields of one size: "
                "that takes a whole window that slides over rows and columns."
            )
        kernel, stride, dilation = (
            (sizes[0], sizes[1]) for sizes in (spec.kernel_size, spec.stride, spec.dilation)
        )
        (top, _), (left, _) = spec.margins
        steps.append(
            Step(
                f"{number} {KINDS[spec.kind].title.lower()}",
                kernel,
                stride,
                "same" if spec.padding == "same" else (top, left),
                dilation,
                {"max_pool": "max", "average_pool": "mean"}.get(spec.kind, "conv"),
            )
        )
    return tuple(steps)


def parameters(layers: Layers) -> int:
    """Weights and biases of all layers."""
    return sum(int(costs(*each).parameters.value) for each in layers)


def macs(layers: Layers) -> int:
    """Multiply-adds of all layers, for one image."""
    return sum(int(costs(*each).macs.value) for each in layers)


def field(layers: Layers) -> int | Sizes:
    """Pixels that one unit of the last layer sees: one number for a square, else (rows, columns)."""
    rows, columns = receptive_field(field_steps([spec for spec, _ in layers])).size
    return rows if rows == columns else (rows, columns)


@dataclass(frozen=True)
class Measure:
    """What a claim is about: its name, and how we count it."""

    title: str
    of: Callable[[Layers], Number]


def _products(layers: Layers) -> int:
    spec = layers[-1][0]
    return math.prod(spec.kernel_size) * spec.in_channels // spec.groups


MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "output": Measure("output", lambda layers: output_shape(*layers[-1])),
        "side": Measure("rows that come out", lambda layers: output_shape(*layers[-1])[1]),
        "change": Measure(
            "rows more than went in", lambda layers: output_shape(*layers[-1])[1] - layers[-1][1][1]
        ),
        "parameters": Measure("parameters", parameters),
        "filter": Measure(
            "parameters of one filter", lambda layers: parameters(layers) // layers[-1][0].out_channels
        ),
        "macs": Measure("MACs", macs),
        "products": Measure("products behind one output", _products),
        "channels": Measure("channels summed over", lambda layers: layers[-1][0].in_channels),
        "inputs": Measure("numbers that go in", lambda layers: math.prod(layers[0][1])),
        "activations": Measure("numbers that come out", lambda layers: math.prod(output_shape(*layers[-1]))),
        "dense": Measure(
            "weights of the dense layer instead", lambda layers: int(costs(*layers[-1]).dense_macs.value)
        ),
        "orders": Measure(
            "orders of magnitude below the dense layer",
            lambda layers: math.log10(costs(*layers[-1]).dense_macs.value / parameters(layers)),
        ),
        "receptive field": Measure("receptive field", field),
    }
)
"""What claims are about, by key."""


def ours(example: Example, claim: Claim) -> Number:
    """What we count where a course states a number."""

    def counted(stack: tuple[LayerSpec, ...]) -> Number:
        layers = chain(stack, example.input_shape)
        if claim.layer is not None:
            # a field looks through all layers below
            first = 0 if claim.what == "receptive field" else claim.layer
            layers = layers[first : claim.layer + 1]
        return MEASURES[claim.what].of(layers)

    if claim.of in ("stack", "beside"):
        return counted(example.stack if claim.of == "stack" else example.beside)
    this, other = counted(example.stack), counted(example.beside)
    if isinstance(this, tuple) or isinstance(other, tuple):
        raise ShapeError(f"Shapes {this} and {other} have no ratio.")
    return this / other if claim.of == "share" else other / this


def check(example: Example, claim: Claim) -> Checked:
    """Our number beside the course's.

    >>> alexnet = EXAMPLES["alexnet"]
    >>> check(alexnet, alexnet.claims[0]).why[:33]
    '62,378,344 parameters, not the 28'
    """
    number = ours(example, claim)
    verdict = judged(claim.stated, number)
    stated = "" if claim.stated is None else written(claim.stated)
    why = {
        "right": "as stated.",
        "rounded": f"stated as {stated}, which is rounded.",
        "cut": f"stated as {stated}, which is cut off, not rounded.",
        "wrong": f"not the {stated} that is stated.",
        "not given": "no number is stated.",
    }[verdict]
    return Checked(number, verdict, f"{_found(number, claim)}, {why} {claim.note}".rstrip())


def _found(number: Number, claim: Claim) -> str:
    title = "pixels" if claim.what == "receptive field" else MEASURES[claim.what].title
    if isinstance(number, tuple) and claim.what == "output":
        title = "come out"
    return {
        "stack": f"{written(number)} {title}",
        "beside": f"Beside it {written(number)} {title}",
        "share": f"{written(number)} of the {title} beside it",
        "saving": f"{written(number)} times as many {title} beside it",
    }[claim.of]


def digits(stated: float) -> int:
    """How many digits a stated number is written with; zeros at the end of a large one are none.

    >>> digits(922e6), digits(0.3), digits(25_088)
    (3, 1, 5)
    """
    return len(f"{stated:.15e}".split("e")[0].replace(".", "").rstrip("0"))


def judged(stated: Number | str | None, number: Number) -> Verdict:
    """What a stated number is worth, read to as many digits as it is written with.

    >>> judged(922e6, 921_601_000), judged(16e6, 16_781_312), judged("8–9", 8.694), judged(28e6, 62_378_344)
    ('rounded', 'cut', 'rounded', 'wrong')
    """
    if stated is None:
        return "not given"
    if isinstance(stated, str):
        low, high = map(float, stated.split("–"))
        return "rounded" if not isinstance(number, tuple) and low <= number <= high else "wrong"
    if stated == number:
        return "right"
    if isinstance(stated, tuple) or isinstance(number, tuple) or not stated:
        return "wrong"
    places = digits(stated)
    if stated == float(f"{number:.{places - 1}e}"):
        return "rounded"
    unit = 10.0 ** (math.floor(math.log10(abs(stated))) - places + 1)
    return "cut" if stated < number < stated + unit else "wrong"


def written(number: Number | str) -> str:
    """A number as it is read.

    >>> written(921_601_000), written((10, 32, 32)), written(4200 / 13500), written(4.5e10)
    ('921,601,000', '10×32×32', '0.311', '45,000,000,000')
    """
    if isinstance(number, str):
        return number
    if isinstance(number, tuple):
        return "×".join(f"{each:,}" for each in number)
    return f"{number:,.0f}" if number == int(number) else f"{number:,.3g}" if number < 1 else f"{number:,.2f}"


# The examples ----------------------------------------------------------------------------------------

NBIS: Final = "NBIS"
CS231N: Final = "CS231n-style"
DSCI: Final = "DSCI"
NFPS: Final = "Course that writes n, f, p, s"
GUIDE: Final = "Dumoulin & Visin 2016, arXiv:1603.07285"


def _conv(
    in_channels: int, out_channels: int, kernel_size: int | Sizes, stride: int = 1, padding: int = 0
) -> LayerSpec:
    return LayerSpec(
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
    )


def _weights(in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> LayerSpec:
    """A convolution that keeps the size, without bias: courses compare weights."""
    return LayerSpec(
        "grouped" if groups > 1 else "conv",
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=kernel_size,
        padding="same",
        groups=groups,
        bias=False,
    )


def _pool(channels: int, kernel_size: int = 2, padding: int = 0, kind: str = "max_pool") -> LayerSpec:
    return LayerSpec(kind, in_channels=channels, kernel_size=kernel_size, stride=2, padding=padding)


def _alexnet(groups: int = 1) -> tuple[LayerSpec, ...]:
    def split(in_channels: int, out_channels: int, kernel_size: int) -> LayerSpec:
        return LayerSpec(
            "grouped" if groups > 1 else "conv",
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=kernel_size,
            padding=kernel_size // 2,
            groups=groups,
        )

    return (
        _conv(3, 96, 11, stride=4),
        _pool(96, 3),
        split(96, 256, 5),
        _pool(256, 3),
        _conv(256, 384, 3, padding=1),
        split(384, 384, 3),
        split(384, 256, 3),
        _pool(256, 3),
        _conv(256, 4096, 6),
        _conv(4096, 4096, 1),
        _conv(4096, 1000, 1),
    )


def _vgg16() -> tuple[LayerSpec, ...]:
    layers, channels = [], 3
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers.append(_conv(channels, filters, 3, padding=1))
            channels = filters
        layers.append(_pool(channels))
    return tuple(layers)


_EXAMPLES: Final = (
    Example(
        "ten-filters",
        "Ten 5×5 filters on 3×32×32",
        "The classic exercise: output, parameters and multiply-adds of one layer.",
        CS231N,
        (3, 32, 32),
        (_conv(3, 10, 5, padding=2),),
        (
            Claim("output", (10, 32, 32), "ex.conv.out"),
            Claim("filter", 76, "ex.conv.perfilter"),
            Claim("parameters", 760, "ex.conv.params"),
            Claim("activations", 10_240, "ex.conv.outputs"),
            Claim("products", 75, "ex.conv.dot"),
            Claim("macs", 768_000, "ex.conv.macs", "Adding the biases (10,240 times) is not counted."),
            Claim("inputs", 3072, "flat.3072"),
        ),
    ),
    Example(
        "ten-filters-valid",
        "The same layer without padding",
        "Without padding a 5×5 window loses two pixels on every side.",
        CS231N,
        (3, 32, 32),
        (_conv(3, 10, 5),),
        (
            Claim("side", None, "ex.conv.5x5.nopad", "32 − 5 + 1."),
            Claim("parameters", 760, "ex.conv.params", "Padding has no weights."),
        ),
    ),
    Example(
        "channels",
        "A colour picture, one filter",
        "One filter reads all channels, and adds up what each of them gives.",
        NBIS,
        (3, 7, 7),
        (_conv(3, 1, 3),),
        (Claim("channels", 3, "channels.sum"),),
    ),
    Example(
        "no-padding",
        "3×3 on 7×7",
        "Without padding, at stride 1: W − K + 1 rows come out of W.",
        CS231N,
        (1, 7, 7),
        (_conv(1, 1, 3),),
        (Claim("side", 5, "conv.out.003.title"),),
    ),
    Example(
        "stride",
        "Stride 2 on 7×7",
        "The window steps over every second place.",
        CS231N,
        (1, 7, 7),
        (_conv(1, 1, 3, stride=2),),
        (Claim("side", 3, "conv.out.003.stride"),),
    ),
    Example(
        "stride-demo",
        "Stride 2 on 5×5",
        "A 3×3 window that goes two pixels at a time over 5×5 of them.",
        NBIS,
        (1, 5, 5),
        (_conv(1, 1, 3, stride=2),),
        (
            Claim(
                "side",
                None,
                "stride.demo",
                "The course's animation does not say whether it pads the input: with a padding of 1, 3 rows come out.",
            ),
        ),
    ),
    Example(
        "same-size",
        "Three ways to keep the size",
        "An odd window K with a padding of (K − 1)/2 keeps the size: 1×1, 3×3, 5×5.",
        CS231N,
        (3, 32, 32),
        (_conv(3, 8, 1), _conv(8, 8, 3, padding=1), _conv(8, 8, 5, padding=2)),
        (
            Claim("change", 0, "conv.same.k1", layer=0),
            Claim("change", 0, "conv.same.k3", layer=1),
            Claim(
                "change",
                0,
                "conv.same.k5",
                "An even window would need half a pixel on each side.",
                layer=2,
            ),
        ),
    ),
    Example(
        "needs-floor",
        "A stride that does not fit",
        "AlexNet's first layer on 224 pixels with a padding of 1: the last step is not a whole one.",
        f"{NBIS}, {CS231N}",
        (1, 224, 224),
        (_conv(1, 96, 11, stride=4, padding=1),),
        (
            Claim(
                "side",
                54.75,
                "conv.out.needs_floor",
                "The courses' formula does not round: 215/4 + 1 = 54.75. A step that is not whole is not made, so the "
                "quotient is rounded down.",
            ),
        ),
    ),
    Example(
        "stem",
        "The first layers of a ResNet",
        "224 is halved by a 7×7 convolution, then by a 3×3 pooling: both round down.",
        NFPS,
        (3, 224, 224),
        (_conv(3, 64, 7, stride=2, padding=3), _pool(64, 3, padding=1)),
        (
            Claim("side", None, "resnet34.stem", "Without rounding down it would be 112.5.", layer=0),
            Claim("side", None, "resnet34.pool", "Without rounding down it would be 56.5.", layer=1),
        ),
    ),
    Example(
        "halve",
        "Halve the size by stride 2",
        "K = 3, P = 1, S = 2 halves an even size, without pooling.",
        CS231N,
        (64, 56, 56),
        (_conv(64, 64, 3, stride=2, padding=1),),
        (Claim("side", 28, "conv.down2", "An odd size is halved and rounded up."),),
    ),
    Example(
        "max-pool",
        "Max pooling 2×2",
        "Rows and columns halve, channels stay, nothing is learned.",
        CS231N,
        (64, 224, 224),
        (_pool(64),),
        (Claim("output", (64, 112, 112), "pool.003"), Claim("parameters", 0, "pool.params")),
    ),
    Example(
        "global-pool",
        "Global average pooling",
        "One mean for each channel, whatever the size.",
        DSCI,
        (10, 5, 5),
        (LayerSpec("global_pool", in_channels=10),),
        (Claim("output", (10, 1, 1), "nin.gap"),),
    ),
    Example(
        "pointwise",
        "1×1 from 64 to 32 channels",
        "A 1×1 convolution mixes the channels of each pixel, and makes them fewer.",
        CS231N,
        (64, 56, 56),
        (LayerSpec("pointwise", in_channels=64, out_channels=32),),
        (
            Claim("output", (32, 56, 56), "ex.1x1.out", "The course writes the channels last."),
            Claim("products", 64, "ex.1x1.dot"),
            Claim("parameters", None, "ex.1x1.params"),
            Claim("macs", None, "ex.1x1.macs"),
        ),
    ),
    Example(
        "alexnet-conv1",
        "AlexNet's first layer",
        "Shared weights: a million times fewer than a dense layer from the same input to the same output.",
        NBIS,
        (3, 227, 227),
        (_conv(3, 96, 11, stride=4),),
        (
            Claim(
                "output",
                (96, 55, 55),
                "alex.c1.out",
                "This needs 227 pixels; the paper prints 224, which would give 54.",
            ),
            Claim("parameters", 34_944, "alex.c1.params"),
            Claim("macs", None),
            Claim("dense", 4.5e10, "alex.c1.dense", "Its 290,400 biases come on top."),
            Claim("orders", 6, "alex.c1.orders"),
        ),
    ),
    Example(
        "alexnet",
        "AlexNet, all layers",
        "Where the parameters are: nearly all of them in the dense layers.",
        NBIS,
        (3, 227, 227),
        _alexnet(),
        (
            Claim(
                "parameters",
                28e6,
                "alex.28M",
                "28 M is the count of a widespread variant, 28,037,480: there the second convolution is 11×11 "
                "without padding and poolings are 2×2, so that one pixel is left to the dense layers. Here 6×6 are.",
            ),
            Claim(
                "parameters",
                60e6,
                "alex.60M.002",
                "Another course's number, for the net of 2012: three of its layers are cut into two groups, one on "
                "each GPU.",
                of="beside",
            ),
            Claim("output", (96, 27, 27), "alex.pool1", layer=1),
            Claim("output", (256, 6, 6), "alex.pool3", layer=7),
        ),
        beside=_alexnet(groups=2),
    ),
    Example(
        "dense-tail",
        "The dense layers of a small AlexNet",
        "5×5×256 numbers into 4,096 units: more weights than all convolutions together.",
        DSCI,
        (256, 12, 12),
        (_pool(256, 3), _conv(256, 4096, 5), _conv(4096, 4096, 1)),
        (
            Claim("activations", 6400, "flat.6400", layer=0),
            Claim("parameters", 26e6, "dsci.alex.fc6", layer=1),
            Claim("parameters", 16e6, "dsci.alex.fc7", "Rounded it is 17 M.", layer=2),
        ),
    ),
    Example(
        "dense",
        "A dense layer on a photo",
        "1,000 units that each read every number of a 640×480 photo: why nets share weights.",
        NBIS,
        (3, 480, 640),
        (_conv(3, 1000, (480, 640)),),
        (
            Claim("parameters", 922e6, "dense.922M", "In float32 3.7 GB."),
            Claim("inputs", 921_600, "dense.flatten"),
        ),
    ),
    Example(
        "three-3x3",
        "Three 3×3 beside one 7×7",
        "The same field with 45 % fewer weights, and three activations instead of one.",
        CS231N,
        (64, 56, 56),
        (_weights(64, 64, 3),) * 3,
        (
            Claim(
                "receptive field",
                7,
                "rf.vgg3",
                "The course calls this field effective. It is the theoretical one, all that can change a unit; what "
                "a unit really uses is less (Luo et al. 2016).",
            ),
            Claim("receptive field", 7, of="beside"),
            Claim("parameters", 110_592, "params.3x3x3"),
            Claim("parameters", 200_704, "params.7x7", of="beside"),
            Claim("parameters", None, "params.3x3.vs.7x7", of="share"),
        ),
        beside=(_weights(64, 64, 7),),
    ),
    Example(
        "three-3x3-5x5",
        "Three 3×3 beside one 5×5",
        "About as many weights, but not the same field.",
        DSCI,
        (64, 56, 56),
        (_weights(64, 64, 3),) * 3,
        (
            Claim("parameters", 110_592, "params.3x3x3.004"),
            Claim("parameters", 102_400, "params.5x5.004", of="beside"),
            Claim(
                "parameters",
                1,
                "params.same.004",
                "About as many, as the course says; but three 3×3 see 7×7: two of them match a 5×5.",
                of="share",
            ),
        ),
        beside=(_weights(64, 64, 5),),
    ),
    Example(
        "field-stack",
        "L layers of 3×3",
        "Each further layer sees K − 1 pixels more: 1 + L·(K − 1).",
        CS231N,
        (3, 32, 32),
        (_conv(3, 8, 3, padding=1), *(_conv(8, 8, 3, padding=1),) * 4),
        tuple(
            Claim("receptive field", field, f"rf.stack.{count}", layer=count - 1)
            for count, field in ((1, 3), (2, 5), (3, 7), (5, 11))
        ),
    ),
    Example(
        "separable",
        "Separable beside standard",
        "First space, channel by channel, then channels, pixel by pixel: 4,200 products instead of 13,500.",
        NFPS,
        (3, 12, 12),
        (LayerSpec("separable", in_channels=3, out_channels=5, kernel_size=3, bias=False),),
        (
            Claim("macs", 4200, "sep.002.total", "The course says operations, and counts MACs."),
            Claim("macs", 13_500, "sep.002.std", of="beside"),
            Claim("macs", 0.3, "sep.002.ratio", "Exactly it is 1/5 + 1/9.", of="share"),
            Claim("parameters", None, "sep.002.params"),
            Claim("parameters", None, "sep.002.params", of="beside"),
        ),
        beside=(LayerSpec(in_channels=3, out_channels=5, kernel_size=3, bias=False),),
    ),
    Example(
        "separable-parts",
        "The two parts of a separable layer",
        "The same layer taken apart: depthwise, then pointwise.",
        NFPS,
        (3, 12, 12),
        (
            LayerSpec("depthwise", in_channels=3, out_channels=3, kernel_size=3, bias=False),
            LayerSpec("pointwise", in_channels=3, out_channels=5, bias=False),
        ),
        (
            Claim("macs", 2700, "sep.002.dw", layer=0),
            Claim("macs", 1500, "sep.002.pw", layer=1),
            Claim("macs", 4200, "sep.002.total"),
        ),
    ),
    Example(
        "separable-256",
        "What a separable layer saves",
        "The saving K²·C/(K² + C) comes close to K² where there are many filters.",
        CS231N,
        (128, 28, 28),
        (LayerSpec("separable", in_channels=128, out_channels=256, kernel_size=3, padding=1, bias=False),),
        (Claim("macs", "8–9", "sep.003.ratio", of="saving"),),
        beside=(_weights(128, 256, 3),),
    ),
    Example(
        "bottleneck",
        "Bottleneck beside basic block",
        "From 4C channels to C and back: 1×1, 3×3, 1×1 have 17 C² weights; two 3×3 on C channels have 18 C². C is 64.",
        CS231N,
        (256, 56, 56),
        (_weights(256, 64, 1), _weights(64, 64, 3), _weights(64, 256, 1)),
        (Claim("parameters", None, "block.bottleneck", "Two 3×3 on 64 channels have 73,728."),),
    ),
    Example(
        "resnext",
        "ResNeXt beside ResNet",
        "32 groups of 4 channels in the middle, for as many weights as 64 channels in one group.",
        CS231N,
        (256, 56, 56),
        (_weights(256, 128, 1), _weights(128, 128, 3, groups=32), _weights(128, 256, 1)),
        (
            Claim("parameters", None, "resnext.params"),
            Claim("parameters", None, "resnext.params", of="beside"),
        ),
        beside=(_weights(256, 64, 1), _weights(64, 64, 3), _weights(64, 256, 1)),
    ),
    Example(
        "convnext",
        "ConvNeXt's 7×7, depthwise",
        "Each filter reads one channel alone: even a large window is cheap.",
        CS231N,
        (96, 56, 56),
        (LayerSpec("depthwise", in_channels=96, out_channels=96, kernel_size=7, padding=3, bias=False),),
        (Claim("filter", 49, "convnext.dw"),),
    ),
    Example(
        "vgg-conv1_2",
        "VGG's second layer",
        "(K·K·Cin + 1)·Cout parameters, and the largest map of the whole net.",
        NBIS,
        (64, 224, 224),
        (_conv(64, 64, 3, padding=1),),
        (
            Claim("parameters", 36_928, "conv.params.nbis"),
            Claim("activations", 3.2e6, "vgg16.conv1_2.act"),
        ),
    ),
    Example(
        "vgg16",
        "VGG-16, the convolutions",
        "13 convolutions and 5 poolings: what is left of 224×224, and what each unit of it sees.",
        NBIS,
        (3, 224, 224),
        _vgg16(),
        (
            Claim("inputs", 150_000, "vgg16.input.act"),
            Claim("parameters", 1792, "vgg16.conv1_1.params", layer=0),
            Claim("activations", 25_000, "vgg16.pool5.act", layer=17),
            Claim("activations", 25_088, "flat.25088"),
            Claim("receptive field", None),
        ),
    ),
    Example(
        "lenet",
        "LeNet-5",
        "Count the parameters of a whole small net.",
        NFPS,
        (1, 32, 32),
        (
            _conv(1, 6, 5),
            _pool(6, kind="average_pool"),
            _conv(6, 16, 5),
            _pool(16, kind="average_pool"),
            _conv(16, 120, 5),
            _conv(120, 84, 1),
            _conv(84, 10, 1),
        ),
        (
            Claim(
                "parameters",
                60e3,
                "lenet.60k",
                "The net of 1998 has exactly 60,000: there not all maps read all maps below, and pooling learns too.",
            ),
        ),
    ),
    Example(
        "convnet",
        "A small net for 28×28 digits",
        "A dense layer reads the last map as one long row of numbers: flattened.",
        NBIS,
        (1, 28, 28),
        (
            _conv(1, 32, 5, padding=2),
            _pool(32),
            _conv(32, 64, 3, padding=1),
            _pool(64),
            _conv(64, 256, 7),
            _conv(256, 10, 1),
        ),
        (
            Claim("activations", 3136, "convnet.flatten", layer=3),
            Claim("parameters", None, "convnet.params"),
        ),
    ),
    Example(
        "dilated",
        "Dilated 3×3 on 7×7",
        "Holes between the weights: nine weights that span 5×5.",
        GUIDE,
        (1, 7, 7),
        (LayerSpec("dilated", in_channels=1, out_channels=1, kernel_size=3, dilation=2),),
        (Claim("output", (1, 3, 3)), Claim("receptive field", None)),
    ),
    Example(
        "transposed",
        "Transposed 3×3, stride 2",
        "A 3×3 convolution at stride 2 makes 2×2 of 5×5; this one leads back to 5×5.",
        GUIDE,
        (1, 2, 2),
        (LayerSpec("transposed", in_channels=1, out_channels=1, kernel_size=3, stride=2),),
        (Claim("output", (1, 5, 5)), Claim("macs", None)),
    ),
    Example(
        "transposed-odd",
        "Transposed to an even size",
        "5×5 and 6×6 both become 3×3; `output_padding` says which of them is meant.",
        GUIDE,
        (1, 3, 3),
        (
            LayerSpec(
                "transposed",
                in_channels=1,
                out_channels=1,
                kernel_size=3,
                stride=2,
                padding=1,
                output_padding=1,
            ),
        ),
        (Claim("output", (1, 6, 6)),),
    ),
)

EXAMPLES: Final[Mapping[str, Example]] = MappingProxyType({example.key: example for example in _EXAMPLES})
"""The worked examples by key, the simplest first."""
