"""The kinds of parts that a network is built of: what each is for, and what may be set.

What comes in is never set: it follows from the part before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from explorer.convolution import PADDING_MODES
from explorer.errors import ModelError

Value: TypeAlias = bool | int | float | str | tuple[int, int]
"""What a setting may be: a pair is (rows, columns); one number stands for both."""

MAX_CHANNELS: Final = 1_000_000
MAX_SIZE: Final = 4096
MAX_KERNEL: Final = 1024


@dataclass(frozen=True)
class Setting:
    """What may be set of a part.

    Attributes:
        name: torch's keyword where torch has one.
        title: as a label says it.
        type: "whole" number, "pair" (a whole number, or one for rows and one for columns), "number", "switch", or
            "choice" of a word.
        default: what it is where nothing is said.
        lowest, highest: limits of numbers, themselves included.
        choices: the words of a choice; of a pair, words that may stand in place of numbers.
        sentence: what it does, where the title does not say it all.
        step: between one whole number and the next: 2 from 1 on are the odd ones.

    >>> Setting("kernel_size", "Kernel", "pair", 3, 1, 11).accepted((3, 3))
    3
    """

    name: str
    title: str
    type: Literal["whole", "pair", "number", "switch", "choice"]
    default: Value
    lowest: float = 0
    highest: float = 0
    choices: tuple[str, ...] = ()
    sentence: str = ""
    step: int = 1

    def __post_init__(self) -> None:
        if self.accepted(self.default) != self.default:
            raise ModelError(f"The default of `{self.name}` is not written as it is kept: {self.default!r}.")

    def accepted(self, value: object) -> Value:
        """The value as it is kept: a pair of equal numbers as one number, a number as a float.

        Raises:
            ModelError: it is not of the setting's type, or outside its limits.
        """
        if self.type == "switch" and isinstance(value, bool):
            return value
        if isinstance(value, str) and value in self.choices:
            return value
        if self.type == "number" and _is_number(value) and self.lowest <= value <= self.highest:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        if self.type in ("whole", "pair") and self._is_whole(value):
            return int(value)  # type: ignore[call-overload,no-any-return]
        if (
            self.type == "pair"
            and isinstance(value, tuple | list)
            and len(value) == 2
            and all(map(self._is_whole, value))
        ):
            rows, columns = value
            return int(rows) if rows == columns else (int(rows), int(columns))
        raise ModelError(f"`{self.name}` is {_shown(value)}: {self.meant} is meant.")

    def _is_whole(self, value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.lowest <= value <= self.highest and (value - self.lowest) % self.step == 0

    @property
    def meant(self) -> str:
        """What the setting takes, for a sentence."""
        limits = f"from {self.lowest:,} to {self.highest:,}"
        words = " or ".join(f"“{word}”" for word in self.choices)
        match self.type:
            case "switch":
                return "true or false"
            case "choice":
                return words
            case "number":
                return f"a number {limits}"
            case "whole":
                return f"{'a whole' if self.step == 1 else 'an odd'} number {limits}"
        return f"a whole number {limits}, or two of them" + (f", or {words}" if words else "")


def _is_number(value: object) -> bool:
    # a whole number too large for a float is no number that could be used
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


@dataclass(frozen=True)
class PartKind:
    """A kind of part.

    Attributes:
        title: as a button says it.
        family: key of `FAMILIES`, under which it is offered.
        sentence: what it does.
        settings: what may be set.
        start: settings of a typical one, where they differ from the defaults; what a button adds.
        source: the paper, where it has one.
    """

    title: str
    family: str
    sentence: str
    settings: tuple[Setting, ...] = ()
    start: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""

    def setting(self, name: str) -> Setting:
        """The setting of this name.

        Raises:
            ModelError: the kind has none.
        """
        for setting in self.settings:
            if setting.name == name:
                return setting
        known = ", ".join(f"`{setting.name}`" for setting in self.settings) or "none"
        raise ModelError(f"“{self.title}” has no setting `{name[:40]}`; it has {known}.")


FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "convolution": "Convolutions",
        "pooling": "Pooling and size",
        "normalisation": "Normalisation",
        "activation": "Activations",
        "dense": "Dense and dropout",
        "attention": "Attention and tokens",
        "block": "Blocks",
        "group": "Groups",
    }
)
"""Titles of the families, in the order shown."""


# Settings that several kinds share -------------------------------------------------------------------


def _whole(name: str, title: str, default: int, lowest: int, highest: int, sentence: str = "") -> Setting:
    return Setting(name, title, "whole", default, lowest, highest, sentence=sentence)


def _odd(name: str, title: str, default: int, highest: int, sentence: str = "") -> Setting:
    return Setting(name, title, "whole", default, 1, highest, sentence=sentence, step=2)


def _pair(name: str, title: str, default: int, lowest: int, highest: int, *words: str) -> Setting:
    return Setting(name, title, "pair", default, lowest, highest, words)


def _number(
    name: str, title: str, default: float, lowest: float, highest: float, sentence: str = ""
) -> Setting:
    return Setting(name, title, "number", default, lowest, highest, sentence=sentence)


def _switch(name: str, title: str, default: bool, sentence: str = "") -> Setting:
    return Setting(name, title, "switch", default, sentence=sentence)


def _choice(name: str, title: str, *words: str, sentence: str = "") -> Setting:
    return Setting(name, title, "choice", words[0], choices=words, sentence=sentence)


def _channels(name: str = "out_channels", title: str = "Output channels", default: int = 64) -> Setting:
    return _whole(name, title, default, 1, MAX_CHANNELS)


def _kernel(default: int = 3) -> Setting:
    return _pair("kernel_size", "Kernel", default, 1, MAX_KERNEL)


def _stride(default: int = 1) -> Setting:
    return _pair("stride", "Stride", default, 1, MAX_SIZE)


def _padding(default: int = 0, *words: str) -> Setting:
    return _pair("padding", "Padding", default, 0, MAX_SIZE, *words)


_DILATION = _pair("dilation", "Dilation", 1, 1, MAX_SIZE)
_GROUPS = _whole(
    "groups", "Groups", 1, 1, MAX_CHANNELS, "Must divide the channels that arrive and that leave."
)
_BIAS = _switch("bias", "Bias", True)
_PADDING_MODE = _choice("padding_mode", "Padding with", "zeros", *(m for m in PADDING_MODES if m != "zeros"))
_CONVOLUTION = (_kernel(), _stride(), _padding(0, "same", "valid"), _DILATION)
_CEIL = _switch("ceil_mode", "Round up", False, "A last window may reach beyond the end.")
_EPS = _number("eps", "Epsilon", 1e-5, 0, 1, "Added to the variance, so that nothing is divided by zero.")
_AFFINE = _switch("affine", "Learned scale and shift", True)
_INPLACE = _switch("inplace", "In place", False, "Written over its input: no new memory.")
_OUTPUT_SIZE = _pair("output_size", "Output size", 1, 1, MAX_SIZE)
_WHOLE_STRIDE = _whole("stride", "Stride", 1, 1, MAX_SIZE)
_PROBABILITY = _number("p", "Probability", 0.5, 0, 1, "Of a number to be set to zero while training.")
_BATCH_NORM = _switch("batch_norm", "Batch norm", False)
_HEADS = _whole(
    "heads", "Heads", 4, 1, 4096, "Each looks at its own share of the channels: must divide them."
)
_HEAD_CHANNELS = _whole("head_channels", "Channels a head", 32, 1, MAX_CHANNELS, "Must divide the channels.")
_WINDOW = _whole("window", "Window", 7, 1, 256, "Pixels a side; attention goes no further.")
_SHIFTED = _switch(
    "shifted", "Shifted", False, "Windows lie half a window further down and right: neighbours meet."
)
_VERSION = _choice("version", "Version", "1", "2", sentence="2: cosine attention, positions on a log scale.")
_EXPANSION = _whole("expansion", "Times as many channels inside", 4, 1, 64)

ACTIVATIONS: Final = (
    "relu",
    "relu6",
    "leaky_relu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
    "elu",
    "scaled_tanh",
    "softmax",
)
"""The kinds of activations."""

_HE = "He et al. 2016, arXiv:1512.03385"
_SANDLER = "Sandler et al. 2018, arXiv:1801.04381"
_HOWARD = "Howard et al. 2017, arXiv:1704.04861"
_LIN = "Lin et al. 2014, arXiv:1312.4400"
_LECUN = "LeCun et al. 1998, “Gradient-Based Learning Applied to Document Recognition”"
_MA = "Ma et al. 2018, arXiv:1807.11164"
_VASWANI = "Vaswani et al. 2017, arXiv:1706.03762"
_DOSOVITSKIY = "Dosovitskiy et al. 2021, arXiv:2010.11929"
_LIU = "Liu et al. 2021, arXiv:2103.14030"
_TU = "Tu et al. 2022, arXiv:2204.01697"

PARTS: Final[Mapping[str, PartKind]] = MappingProxyType(
    {
        "conv": PartKind(
            "Convolution",
            "convolution",
            "Each filter reads all channels under its window: products, their sum, and a bias.",
            (_channels(), *_CONVOLUTION, _GROUPS, _BIAS, _PADDING_MODE),
            MappingProxyType({"padding": 1}),
            _LECUN,
        ),
        "depthwise": PartKind(
            "Depthwise convolution",
            "convolution",
            "Each filter reads one channel alone.",
            (
                _whole("multiplier", "Filters a channel", 1, 1, 1024),
                *_CONVOLUTION,
                _BIAS,
                _PADDING_MODE,
            ),
            MappingProxyType({"padding": 1}),
            "Chollet 2017, arXiv:1610.02357",
        ),
        "depthwise_separable": PartKind(
            "Depthwise separable",
            "convolution",
            "Depthwise, one filter a channel, then 1 × 1: first space, then channels, each at its own price.",
            (_channels(), *_CONVOLUTION, _BIAS, _PADDING_MODE),
            MappingProxyType({"padding": 1}),
            _HOWARD,
        ),
        "transposed": PartKind(
            "Transposed convolution",
            "convolution",
            "Each pixel lays its multiple of the kernel into a larger output, where they overlap they are added.",
            (
                _channels(),
                _kernel(),
                _stride(),
                _padding(),
                _pair("output_padding", "Output padding", 0, 0, MAX_SIZE),
                _DILATION,
                _GROUPS,
                _BIAS,
            ),
            MappingProxyType({"kernel_size": 2, "stride": 2}),
            "Zeiler et al. 2010, “Deconvolutional Networks”",
        ),
        "lenet_c3": PartKind(
            "LeNet’s C3",
            "convolution",
            "Six maps become sixteen, of which each reads three, four or all of the six, as table I of the paper says.",
            (_whole("kernel_size", "Kernel", 5, 1, MAX_KERNEL),),
            source=_LECUN,
        ),
        "max_pool": PartKind(
            "Max pooling",
            "pooling",
            "The largest value under each window, channel by channel.",
            (_kernel(2), _stride(2), _padding(), _DILATION, _CEIL),
            source="Ranzato et al. 2007, “Unsupervised Learning of Invariant Feature Hierarchies”",
        ),
        "average_pool": PartKind(
            "Average pooling",
            "pooling",
            "The mean under each window, channel by channel.",
            (
                _kernel(2),
                _stride(2),
                _padding(),
                _CEIL,
                _switch(
                    "count_include_pad", "Count the padding", True, "Zeros of the padding lower the mean."
                ),
            ),
        ),
        "subsampling": PartKind(
            "Learned subsampling",
            "pooling",
            "The sum under each window, times a learned factor, plus a learned bias: one pair a channel.",
            (_whole("kernel_size", "Window", 2, 1, MAX_KERNEL, "Windows lie side by side."),),
            source=_LECUN,
        ),
        "global_average_pool": PartKind(
            "Global average pooling",
            "pooling",
            "The mean of each whole channel: one number of it.",
            source=_LIN,
        ),
        "global_max_pool": PartKind(
            "Global max pooling", "pooling", "The largest value of each whole channel: one number of it."
        ),
        "adaptive_average_pool": PartKind(
            "Adaptive average pooling",
            "pooling",
            "The size of the output is chosen; windows follow from it, and mean values are taken.",
            (_OUTPUT_SIZE,),
            MappingProxyType({"output_size": 7}),
            "He et al. 2014, arXiv:1406.4729",
        ),
        "adaptive_max_pool": PartKind(
            "Adaptive max pooling",
            "pooling",
            "The size of the output is chosen; windows follow from it, and largest values are taken.",
            (_OUTPUT_SIZE,),
            MappingProxyType({"output_size": 7}),
            "He et al. 2014, arXiv:1406.4729",
        ),
        "upsample": PartKind(
            "Upsample",
            "pooling",
            "A larger map: each value repeated, or values between them on straight lines.",
            (
                _whole("scale_factor", "Times", 2, 1, 64),
                _choice("mode", "Values between", "nearest", "bilinear"),
            ),
        ),
        "zero_pad": PartKind(
            "Zero padding",
            "pooling",
            "Zeros around the map, as many on each side as are set.",
            tuple(
                _whole(side, side.capitalize(), 1, 0, MAX_SIZE) for side in ("left", "right", "top", "bottom")
            ),
        ),
        "half": PartKind(
            "Half of the channels",
            "pooling",
            "One half of the channels passes; the other is for another branch.",
            (_choice("which", "Which", "first", "second"),),
            source=_MA,
        ),
        "channel_shuffle": PartKind(
            "Channel shuffle",
            "pooling",
            "Channels of all groups in turn, so that the groups of the next layer read from each.",
            (_whole("groups", "Groups", 2, 2, MAX_CHANNELS, "Must divide the channels."),),
            source="Zhang et al. 2018, arXiv:1707.01083",
        ),
        "batch_norm": PartKind(
            "Batch norm",
            "normalisation",
            "Each channel with mean 0 and variance 1 over the batch, then a learned scale and shift.",
            (_EPS, _AFFINE),
            source="Ioffe & Szegedy 2015, arXiv:1502.03167",
        ),
        "layer_norm": PartKind(
            "Layer norm",
            "normalisation",
            "Mean 0 and variance 1 within each picture: over its channels pixel by pixel, or over everything.",
            (_choice("over", "Over", "channels", "everything"), _EPS),
            source="Ba et al. 2016, arXiv:1607.06450",
        ),
        "group_norm": PartKind(
            "Group norm",
            "normalisation",
            "Mean 0 and variance 1 within each picture over a group of channels.",
            (_whole("groups", "Groups", 32, 1, MAX_CHANNELS, "Must divide the channels."), _EPS, _AFFINE),
            source="Wu & He 2018, arXiv:1803.08494",
        ),
        "instance_norm": PartKind(
            "Instance norm",
            "normalisation",
            "Mean 0 and variance 1 within each channel of each picture.",
            (_EPS, _switch("affine", "Learned scale and shift", False)),
            source="Ulyanov et al. 2016, arXiv:1607.08022",
        ),
        "local_response_norm": PartKind(
            "Local response norm",
            "normalisation",
            "Each value divided by how strong its neighbours in the channels before and after it are.",
            (
                _whole("size", "Channels", 5, 1, 4096),
                _number("alpha", "Alpha", 1e-4, 0, 1e6),
                _number("beta", "Beta", 0.75, 0, 100),
                _number("k", "k", 1.0, 0, 1e6),
            ),
            source="Krizhevsky et al. 2012, “ImageNet Classification with Deep Convolutional Neural Networks”",
        ),
        "scale": PartKind(
            "Scale",
            "normalisation",
            "A learned factor for each channel.",
            (_number("initial", "At first", 1.0, -1e6, 1e6),),
            source="Touvron et al. 2021, arXiv:2103.17239",
        ),
        "relu": PartKind("ReLU", "activation", "max(x, 0).", (_INPLACE,), source="Nair & Hinton 2010"),
        "relu6": PartKind("ReLU6", "activation", "min(max(x, 0), 6).", (_INPLACE,), source=_HOWARD),
        "leaky_relu": PartKind(
            "Leaky ReLU",
            "activation",
            "x, and below zero a small multiple of it.",
            (_number("negative_slope", "Slope below zero", 0.01, -100, 100), _INPLACE),
            source="Maas et al. 2013",
        ),
        "gelu": PartKind(
            "GELU",
            "activation",
            "x·Φ(x): times the share of a normal distribution below it.",
            (_choice("approximate", "Approximation", "none", "tanh"),),
            source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
        ),
        "silu": PartKind(
            "SiLU", "activation", "x·σ(x), also called swish.", (_INPLACE,), source="arXiv:1710.05941"
        ),
        "sigmoid": PartKind("Sigmoid", "activation", "1 / (1 + e⁻ˣ): between 0 and 1."),
        "tanh": PartKind("Tanh", "activation", "Between −1 and 1."),
        "hardswish": PartKind(
            "Hardswish",
            "activation",
            "x·min(max(x + 3, 0), 6)/6: SiLU of straight lines.",
            (_INPLACE,),
            source="Howard et al. 2019, arXiv:1905.02244",
        ),
        "hardsigmoid": PartKind(
            "Hardsigmoid",
            "activation",
            "min(max(x + 3, 0), 6)/6: a sigmoid of straight lines.",
            (_INPLACE,),
            source="Howard et al. 2019, arXiv:1905.02244",
        ),
        "elu": PartKind(
            "ELU",
            "activation",
            "x, and below zero α·(eˣ − 1).",
            (_number("alpha", "Alpha", 1.0, 0, 100), _INPLACE),
            source="Clevert et al. 2016, arXiv:1511.07289",
        ),
        "scaled_tanh": PartKind(
            "Scaled tanh", "activation", "1.7159·tanh(2x/3), which is ±1 at ±1.", source=_LECUN
        ),
        "softmax": PartKind("Softmax", "activation", "eˣ over the sum of all: probabilities of the classes."),
        "linear": PartKind(
            "Linear",
            "dense",
            "Every output reads every number: products, their sum, and a bias.",
            (_whole("out_features", "Output features", 10, 1, MAX_CHANNELS), _BIAS),
        ),
        "flatten": PartKind("Flatten", "dense", "The map as one row of numbers, channel after channel."),
        "dropout": PartKind(
            "Dropout",
            "dense",
            "While training, numbers are set to zero by chance; the rest grow to make up for them.",
            (_PROBABILITY,),
            source="Srivastava et al. 2014",
        ),
        "dropout2d": PartKind(
            "Channel dropout",
            "dense",
            "While training, whole channels are set to zero by chance.",
            (_PROBABILITY,),
            source="Tompson et al. 2015, arXiv:1411.4280",
        ),
        "distances_to_codes": PartKind(
            "Distances to digits",
            "dense",
            "Squared distances of 84 numbers to ten drawn digits of 7 × 12 pixels, which are never learned.",
            source=_LECUN,
        ),
        "auxiliary_head": PartKind(
            "Auxiliary classifier",
            "dense",
            "A second classifier on the way, which training alone uses: what arrives passes on unchanged.  No chain: "
            "it stays closed.",
            (
                _choice("style", "As in", "googlenet", "inception_v3"),
                _whole("out_features", "Output features", 1000, 1, MAX_CHANNELS),
            ),
            source="Szegedy et al. 2015, arXiv:1409.4842",
        ),
        "tokens": PartKind(
            "Tokens",
            "attention",
            "Each pixel of the map becomes a token: a row of its channels.",
            source=_DOSOVITSKIY,
        ),
        "class_token": PartKind(
            "Class token",
            "attention",
            "One learned token in front of the others; attention gathers in it what the class depends on.",
            source=_DOSOVITSKIY,
        ),
        "positions": PartKind(
            "Positions",
            "attention",
            "A learned row is added to each token: attention alone does not know where a token stands.",
            source=_DOSOVITSKIY,
        ),
        "token_pool": PartKind(
            "Take one token",
            "attention",
            "Of all tokens the first, which is the class token where there is one, or their mean.",
            (_choice("take", "Take", "first", "mean"),),
            source=_DOSOVITSKIY,
        ),
        "attention": PartKind(
            "Self-attention",
            "attention",
            "Every token asks all others, and adds up their answers by how well they fit.  Queries, keys and values "
            "meet in products, which is no chain: it stays closed.",
            (_HEADS, _number("dropout", "Dropout", 0.0, 0, 1)),
            source=_VASWANI,
        ),
        "window_attention": PartKind(
            "Window attention",
            "attention",
            "Self-attention among the pixels of each window, with learned values for how far apart two lie.  No chain: "
            "it stays closed.",
            (_HEADS, _WINDOW, _SHIFTED, _VERSION),
            source=_LIU,
        ),
        "patch_merging": PartKind(
            "Patch merging",
            "attention",
            "Channels of each 2 × 2 pixels side by side, a layer norm, and a linear layer to twice the channels.  No "
            "chain: it stays closed.",
            (_choice("version", "Version", "1", "2", sentence="2: the norm comes last."),),
            source=_LIU,
        ),
        "partition_attention": PartKind(
            "Window or grid attention",
            "attention",
            "Layer norm, self-attention among the pixels of each window or of a coarse grid, and a dense net at every "
            "pixel; both are added to what they read.  No chain: it stays closed.",
            (
                _choice(
                    "across",
                    "Among",
                    "window",
                    "grid",
                    sentence="grid: pixels as far apart as there are windows.",
                ),
                _whole("size", "Pixels a side", 7, 1, 256, "Must divide the rows and the columns."),
                _HEAD_CHANNELS,
                _EXPANSION,
            ),
            source=_TU,
        ),
        "vgg_block": PartKind(
            "VGG block",
            "block",
            "3 × 3 convolutions with ReLU, one after the other, then max pooling.",
            (
                _whole("layers", "Convolutions", 2, 1, 32),
                _channels(),
                _BATCH_NORM,
            ),
            source="Simonyan & Zisserman 2015, arXiv:1409.1556",
        ),
        "nin_block": PartKind(
            "NiN block",
            "block",
            "A convolution, then two of 1 × 1: a small dense net at every pixel.",
            (_channels(), _kernel(), _stride(), _padding()),
            MappingProxyType({"padding": 1}),
            _LIN,
        ),
        "residual_basic": PartKind(
            "Residual, basic",
            "block",
            "Two 3 × 3 convolutions, and their input is added to what comes out.",
            (_channels(), _WHOLE_STRIDE),
            source=_HE,
        ),
        "residual_bottleneck": PartKind(
            "Residual, bottleneck",
            "block",
            "1 × 1 to fewer channels, 3 × 3 among these, 1 × 1 to more, and the input is added.",
            (
                _channels("width", "Channels inside"),
                _channels(default=256),
                _WHOLE_STRIDE,
                _choice(
                    "stride_on",
                    "Stride on",
                    "3×3",
                    "1×1",
                    sentence="The paper strides in the first 1 × 1; torchvision in the 3 × 3 (“v1.5”).",
                ),
            ),
            source=_HE,
        ),
        "resnext_bottleneck": PartKind(
            "ResNeXt bottleneck",
            "block",
            "A bottleneck whose 3 × 3 convolution is split into groups.",
            (
                _whole("groups", "Groups", 32, 1, MAX_CHANNELS),
                _whole("width", "Channels a group", 4, 1, MAX_CHANNELS),
                _channels(default=256),
                _WHOLE_STRIDE,
            ),
            source="Xie et al. 2017, arXiv:1611.05431",
        ),
        "inverted_residual": PartKind(
            "Inverted residual",
            "block",
            "1 × 1 to more channels, a depthwise convolution among these, 1 × 1 to fewer; the input is added where "
            "shapes agree.",
            (
                _channels(),
                _number("expansion", "Times as many channels inside", 6.0, 1, 64),
                _WHOLE_STRIDE,
                _odd("kernel_size", "Kernel", 3, 31),
                _choice("activation", "Activation", "relu6", "relu", "hardswish", "silu"),
                _choice(
                    "squeeze",
                    "Squeeze and excite",
                    "none",
                    "mobilenet_v3",
                    "efficientnet",
                    sentence="V3: a quarter of the channels inside, in eights, hard sigmoid; EfficientNet: a quarter "
                    "of those that arrive, SiLU, sigmoid.",
                ),
                _EPS,
            ),
            source=_SANDLER,
        ),
        "fused_inverted_residual": PartKind(
            "Fused inverted residual",
            "block",
            "A plain convolution to more channels, 1 × 1 to fewer; the input is added where shapes agree.",
            (
                _channels(),
                _number("expansion", "Times as many channels inside", 4.0, 1, 64),
                _WHOLE_STRIDE,
                _odd("kernel_size", "Kernel", 3, 31),
                _choice("activation", "Activation", "silu", "relu6", "relu", "hardswish"),
                _EPS,
            ),
            source="Tan & Le 2021, arXiv:2104.00298",
        ),
        "regnet": PartKind(
            "RegNet block",
            "block",
            "A bottleneck as wide inside as outside, in groups of a fixed width; in RegNetY with squeeze and excite.",
            (
                _channels(),
                _whole(
                    "group_width", "Channels a group", 16, 1, MAX_CHANNELS, "Must divide the output channels."
                ),
                _WHOLE_STRIDE,
                _number(
                    "squeeze_ratio",
                    "Squeeze and excite",
                    0.0,
                    0,
                    1,
                    "Channels inside, as a share of those that arrive; 0: none.",
                ),
            ),
            source="Radosavovic et al. 2020, arXiv:2003.13678",
        ),
        "shuffle_unit": PartKind(
            "ShuffleNet unit",
            "block",
            "With stride 1 half of the channels pass untouched, with more both branches filter; then a shuffle.",
            (_channels(), _whole("stride", "Stride", 1, 1, 3)),
            MappingProxyType({"stride": 2}),
            _MA,
        ),
        "inception": PartKind(
            "Inception",
            "block",
            "Four branches read the same map, 1 × 1, 3 × 3, 5 × 5 and a pooling; their channels are put side by side.",
            (
                _channels("one", "1 × 1", 64),
                _channels("three_reduce", "before the 3 × 3", 96),
                _channels("three", "3 × 3", 128),
                _channels("five_reduce", "before the 5 × 5", 16),
                _channels("five", "5 × 5", 32),
                _channels("pool", "after the pooling", 32),
                _odd("five_kernel", "Kernel of the “5 × 5”", 5, 31, "torchvision's has 3 here, by mistake."),
                _BATCH_NORM,
            ),
            source="Szegedy et al. 2015, arXiv:1409.4842",
        ),
        "dense_block": PartKind(
            "Dense block",
            "block",
            "Every layer reads what all before it made, and adds a few channels.",
            (
                _whole("layers", "Layers", 6, 1, 64),
                _channels("growth", "Channels a layer", 32),
                _whole(
                    "bottleneck",
                    "Bottleneck",
                    4,
                    1,
                    64,
                    "The 1 × 1 makes this many times the channels a layer.",
                ),
            ),
            source="Huang et al. 2017, arXiv:1608.06993",
        ),
        "transition": PartKind(
            "Transition",
            "block",
            "Batch norm, ReLU, 1 × 1 to fewer channels, and average pooling by 2.",
            (_number("compression", "Share of the channels kept", 0.5, 0.01, 1),),
            source="Huang et al. 2017, arXiv:1608.06993",
        ),
        "squeeze_excite": PartKind(
            "Squeeze and excite",
            "block",
            "Each channel is weighted by a number that is computed of the means of all.",
            (
                _whole(
                    "reduction", "Reduction", 16, 1, MAX_CHANNELS, "Fewer channels inside, by this divisor."
                ),
                _choice("activation", "Activation", "relu", "silu"),
                _choice("gate", "Gate", "sigmoid", "hardsigmoid"),
            ),
            source="Hu et al. 2018, arXiv:1709.01507",
        ),
        "convnext": PartKind(
            "ConvNeXt block",
            "block",
            "A large depthwise convolution, layer norm, 1 × 1 to more channels and back, and the input is added.",
            (
                _odd("kernel_size", "Kernel", 7, 63),
                _whole("expansion", "Times as many channels inside", 4, 1, 64),
                _number("layer_scale", "Scale at first", 1e-6, 0, 1),
            ),
            source="Liu et al. 2022, arXiv:2201.03545",
        ),
        "separable": PartKind(
            "MobileNet block",
            "block",
            "Depthwise 3 × 3, then 1 × 1, each with batch norm and ReLU.",
            (_channels(), _WHOLE_STRIDE),
            source=_HOWARD,
        ),
        "encoder_block": PartKind(
            "Transformer block",
            "block",
            "Layer norm and self-attention, layer norm and a dense net at every token; the input is added to both.",
            (_HEADS, _EXPANSION, _number("dropout", "Dropout", 0.0, 0, 1)),
            source=_DOSOVITSKIY,
        ),
        "swin_block": PartKind(
            "Swin block",
            "block",
            "A transformer block whose attention stays within windows; every other block shifts them.",
            (_HEADS, _WINDOW, _SHIFTED, _EXPANSION, _VERSION),
            source=_LIU,
        ),
        "maxvit_conv": PartKind(
            "MaxViT convolution",
            "block",
            "Batch norm, 1 × 1, depthwise and 1 × 1 with squeeze and excite; the input is added, pooled if need be.",
            (_channels(), _whole("stride", "Stride", 1, 1, 2), _EXPANSION),
            source=_TU,
        ),
        "maxvit_block": PartKind(
            "MaxViT block",
            "block",
            "A convolution block, attention within windows, and attention across a grid.",
            (
                _channels(),
                _whole("stride", "Stride", 1, 1, 2),
                _whole("window", "Window and grid", 7, 1, 256, "Must divide the rows and the columns."),
                _HEAD_CHANNELS,
                _EXPANSION,
            ),
            source=_TU,
        ),
        "sequence": PartKind(
            "Group",
            "group",
            "Parts under one name, one after the other, as often as is set, each time with weights of its own.",
            (_whole("times", "Times", 1, 1, 1000),),
        ),
        "branches": PartKind(
            "Branches",
            "group",
            "Each part inside reads the same input; what comes out is joined.  An empty group passes its input on.",
            (
                _choice(
                    "join",
                    "Joined by",
                    "add",
                    "cat",
                    "multiply",
                    sentence="add: the sum; cat: channels side by side; multiply: value by value.",
                ),
            ),
        ),
    }
)
"""The kinds of parts by key."""

TOKENS: Final = frozenset({"class_token", "positions", "token_pool", "attention", "encoder_block"})
"""The kinds that read tokens and nothing else."""
GROUPS: Final = frozenset(key for key, kind in PARTS.items() if kind.family == "group")
BLOCKS: Final = frozenset(key for key, kind in PARTS.items() if kind.family == "block")
