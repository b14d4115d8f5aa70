"""Kernels: their weights, the presets that make them, and their text in a link.

Signs follow cross-correlation, which is what networks compute: a weight right of the centre multiplies the
pixel right of the centre, so Sobel x is positive where the picture gets brighter to the right.  Angles are in
degrees, counter-clockwise as seen on the screen (0° points right, 90° up); pixel distances grow right and down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.errors import KernelError

Weights = NDArray[np.float64]

MAX_SIDE: Final = 11
MAX_WEIGHT: Final = 1e6
MAX_TEXT: Final = 10_000
"""Characters of the longest text that is read; three grids of 11×11 weights of full precision need at most 9,076."""

GROUPS: Final = ("Basics", "Blur", "Sharpen", "Edges", "Texture and scale", "Lines and corners", "Other")


@dataclass(frozen=True, eq=False)
class Kernel:
    """A grid of weights for grey pictures (or all channels alike), or one grid for each of R, G and B.

    `name` is for people.  `weights` is (1, h, w) or (3, h, w), a read-only copy; (h, w) becomes (1, h, w).

    >>> kernel = Kernel("Custom", np.array([[-1, 0.5, 0]]))
    >>> kernel.weights.shape, kernel.text, kernel.flipped().text
    ((1, 1, 3), '-1_0.5_0', '0_0.5_-1')

    Raises:
        KernelError: other channels, sides outside 1–11, or a weight that is not finite or beyond ±1,000,000.
    """

    name: str
    weights: Weights

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64, order="C")
        if weights.ndim == 2:
            weights = weights[None]
        if weights.ndim != 3 or weights.shape[0] not in (1, 3):
            raise KernelError(
                f"A kernel is one grid of weights, or three for R, G and B, not {_times(weights.shape)}."
            )
        if not all(1 <= side <= MAX_SIDE for side in weights.shape[1:]):
            raise KernelError(
                f"A kernel's sides are 1 to {MAX_SIDE} weights, not {_times(weights.shape[1:])}."
            )
        # Not `abs > MAX`: this form refuses nan too.
        refused = weights[~(np.abs(weights) <= MAX_WEIGHT)]
        if refused.size:
            raise KernelError(f"A weight is a number within ±{MAX_WEIGHT:,.0f}, not {refused[0]:g}.")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return int(self.weights.shape[0])

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.weights.shape[1])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.weights.shape[2])

    @property
    def text(self) -> str:
        """The weights for a link: `_` between values, `~` rows, `~~` channels; read back bit for bit."""
        return "~~".join(
            "~".join("_".join(_number_text(value) for value in row) for row in grid)
            for grid in self.weights.tolist()
        )

    def flipped(self) -> Kernel:
        """Turned by 180°: what the mathematician's convolution does to a kernel before it multiplies."""
        return Kernel(self.name, self.weights[:, ::-1, ::-1])


# ----------------------------------------------------------------------------------------------- presets


@dataclass(frozen=True)
class Parameter:
    """One number that a preset asks for, from `lowest` to `highest`, `usual` unless told otherwise.

    Where `step` is a whole number only `lowest + n·step` is meant (odd sizes, compass directions); else it is
    the step of a slider, and values between are taken too.
    """

    key: str
    label: str
    lowest: float
    highest: float
    step: float
    usual: float
    unit: str = ""

    @property
    def whole(self) -> bool:
        """Whether only `lowest + n·step` is meant."""
        return self.step % 1 == 0

    def check(self, value: float) -> float:
        """The value itself.

        >>> Parameter("size", "Size", 3, 11, 2, usual=5, unit="px").check(7)
        7.0

        Raises:
            KernelError: it is outside the limits, or between the steps.
        """
        limits = f"{_number_text(self.lowest)} to {_number_text(self.highest)} {self.unit}".rstrip()
        if not self.lowest <= value <= self.highest:
            raise KernelError(f"{self.label} is {limits}, not {value:g}.")
        if self.whole and (value - self.lowest) % self.step:
            raise KernelError(f"{self.label} is {limits} in steps of {self.step:g}, not {value:g}.")
        return float(value)


@dataclass(frozen=True)
class Preset:
    """A well-known kernel, or a family of them.

    `sentence` says what it does, `formula` (LaTeX) what it is; `make` takes one value for each of `parameters`,
    whole ones as int, and returns the weights (h, w).

    >>> KERNELS["sharpen"].kernel(2).text
    '0_-2_0~-2_9_-2~0_-2_0'
    """

    key: str
    title: str
    group: str
    sentence: str
    formula: str
    parameters: tuple[Parameter, ...]
    make: Callable[..., Weights]

    def settings(self, *values: float) -> tuple[float, ...]:
        """One value for each parameter: those given, then the usual ones.

        Raises:
            KernelError: there are too many, or one is outside its limits.
        """
        if len(values) > len(self.parameters):
            raise KernelError(f"{self.title} takes {len(self.parameters)} values, not {len(values)}.")
        usual = [parameter.usual for parameter in self.parameters[len(values) :]]
        return tuple(
            parameter.check(value)
            for parameter, value in zip(self.parameters, [*values, *usual], strict=True)
        )

    def kernel(self, *values: float) -> Kernel:
        """The kernel for these values; what is missing takes the usual.

        Raises:
            KernelError: there are too many values, or one is outside its limits.
        """
        settings = zip(self.parameters, self.settings(*values), strict=True)
        return Kernel(self.title, self.make(*(int(v) if parameter.whole else v for parameter, v in settings)))


def _offsets(size: int) -> tuple[Weights, Weights]:
    """x (1, size), growing to the right, and y (size, 1), growing upwards, in pixels from the centre."""
    steps: Weights = np.arange(size, dtype=np.float64) - (size - 1) / 2
    return steps[None, :], -steps[:, None]


def _direction(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees; rounded, so that 90° is upright and 45° has equal parts."""
    return round(math.cos(math.radians(angle)), 14), round(math.sin(math.radians(angle)), 14)


def _compass(centre: float, ring: Sequence[float], angle: int) -> Weights:
    """3×3: the eight neighbours get `ring` counter-clockwise, beginning at `angle`, a multiple of 45°."""
    #         E       NE      N       NW      W       SW      S       SE
    cells = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
    weights = np.full((3, 3), centre, np.float64)
    for place, value in enumerate(ring, start=angle // 45):
        weights[cells[place % 8]] = value
    return weights


def _shift(right: int, down: int) -> Weights:
    """A single 1, opposite to the way the picture moves: the output takes the pixel that lies there."""
    reach = max(abs(right), abs(down), 1)
    weights = np.zeros((2 * reach + 1, 2 * reach + 1))
    weights[reach - down, reach - right] = 1
    return weights


def _box(size: int) -> Weights:
    """The mean of the window: equal weights, sum 1."""
    return np.full((size, size), 1 / size**2)


def _gaussian(size: int, sigma: float) -> Weights:
    """Sampled at the pixels' centres, cut off at the window, then divided by its sum: sum 1.

    The same as cv2.getGaussianKernel twice, and as scipy.ndimage.gaussian_filter truncated at this window.
    """
    x, y = _offsets(size)
    bell = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    weights: Weights = bell / bell.sum()
    return weights


def _motion(size: int, angle: int) -> Weights:
    """How long a line through the centre at `angle`, across the whole window, runs inside each pixel; sum 1.

    A slanted line is longer by up to √2, so at 45° too each of `size` pixels on the diagonal weighs the same.
    """
    x, y = _offsets(size)
    dx, dy = _direction(angle)
    with np.errstate(divide="ignore"):  # a line along one axis never meets the borders of the other: ±∞
        columns = (x - 0.5) / dx, (x + 0.5) / dx
        rows = (y - 0.5) / dy, (y + 0.5) / dy
    enters = np.maximum(np.minimum(*columns), np.minimum(*rows))
    leaves = np.minimum(np.maximum(*columns), np.maximum(*rows))
    length = np.maximum(leaves - enters, 0)
    weights: Weights = length / length.sum()
    return weights


def _sharpen(amount: float) -> Weights:
    """The picture minus `amount` times its 4-neighbour Laplacian; sum 1, so brightness stays."""
    return np.array([[0, -amount, 0], [-amount, 1 + 4 * amount, -amount], [0, -amount, 0]])


def _unsharp(size: int, sigma: float, amount: float) -> Weights:
    """The picture plus `amount` times what a Gaussian blur takes from it; sum 1, so brightness stays."""
    weights = -amount * _gaussian(size, sigma)
    weights[size // 2, size // 2] += 1 + amount
    return weights


def _kirsch(angle: int) -> Weights:
    """Positive where it gets brighter towards `angle`; sum 0.  The operator takes the largest of all eight.

    Source: Kirsch 1971, "Computer determination of the constituent structure of biological images".
    """
    return _compass(0, (5, 5, -3, -3, -3, -3, -3, 5), angle)


def _emboss(angle: int) -> Weights:
    """The picture plus its slope towards `angle`: slopes that get brighter that way are lit; sum 1."""
    return _compass(1, (2, 1, 0, -1, -2, -1, 0, 1), angle)


def _line(angle: int) -> Weights:
    """Answers to a bright line, one pixel wide, that runs along `angle`; sum 0.

    Source: Gonzalez & Woods, "Digital Image Processing", line detection; their y points down, so their +45°
    is our 135°.
    """
    return _compass(2, (2, -1, -1, -1, 2, -1, -1, -1), angle)


def _corner(angle: int) -> Weights:
    """A template, the bright quarter plane whose middle lies towards `angle`: 5 inside, −4 outside; sum 0."""
    return _compass(5, (5, 5, -4, -4, -4, -4, -4, 5), angle)


def _gabor(size: int, theta: int, wavelength: float, sigma: float, phase: int) -> Weights:
    """A cosine wave that travels towards `theta` (its stripes lie across), under a round Gaussian.

    Not normalised, as in OpenCV: the envelope is 1 at the centre, and the sum is not 0 in general (it is at a
    phase of ±90°).  The angle is the opposite of theta in cv2.getGaborKernel and in
    skimage.filters.gabor_kernel, whose y points down.

    Source: Daugman 1985, "Uncertainty relation for resolution in space, spatial frequency, and orientation
    optimized by two-dimensional visual cortical filters", with an envelope of aspect ratio 1.
    """
    x, y = _offsets(size)
    dx, dy = _direction(theta)
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    wave = np.cos(2 * np.pi * (x * dx + y * dy) / wavelength + math.radians(phase))
    weights: Weights = envelope * wave
    return weights


def _log(size: int, sigma: float) -> Weights:
    """The Laplacian of a Gaussian: negative in the middle, so dark blobs of radius √2·σ answer most.

    The Gaussian is that of the blur (sum 1); then the mean is taken off, so that the sum is 0 although the
    window cuts the tails.

    Source: Marr & Hildreth 1980, "Theory of edge detection".
    """
    x, y = _offsets(size)
    weights: Weights = (x**2 + y**2 - 2 * sigma**2) / sigma**4 * _gaussian(size, sigma)
    weights -= weights.mean()
    return weights


def _dog(size: int, narrow: float, wide: float) -> Weights:
    """A narrow blur minus a wide one, each of sum 1, so sum 0; positive in the middle while narrow < wide."""
    return _gaussian(size, narrow) - _gaussian(size, wide)


def _random(size: int, seed: int) -> Weights:
    """Normal numbers of standard deviation √(2/size²): how training with ReLU begins (He et al. 2015).

    RandomState because its stream is frozen: a link shows the same kernel under every release of numpy.
    """
    return np.random.RandomState(seed).standard_normal((size, size)) * math.sqrt(2 / size**2)


def _size(usual: int) -> Parameter:
    return Parameter("size", "Size", 3, MAX_SIDE, 2, usual, "px")


def _sigma(usual: float, key: str = "sigma", label: str = "σ") -> Parameter:
    return Parameter(key, label, 0.3, 5, 0.1, usual, "px")


def _angle(label: str, highest: int, step: int, usual: int) -> Parameter:
    return Parameter("angle", label, 0, highest, step, usual, "°")


def _matrix(*rows: Sequence[object]) -> str:
    """Rows as a LaTeX matrix."""
    body = r"\\".join("&".join(map(str, row)) for row in rows)
    return rf"\begin{{bmatrix}}{body}\end{{bmatrix}}"


def _fixed(
    key: str, title: str, group: str, sentence: str, *rows: Sequence[float], formula: str = ""
) -> Preset:
    """A preset without parameters: its weights, which are its formula too if there is no better one."""
    return Preset(
        key, title, group, sentence, formula or _matrix(*rows), (), lambda: np.array(rows, np.float64)
    )


def _gradient(key: str, title: str, smooth: Sequence[int], sentence: str) -> tuple[Preset, Preset]:
    """Slopes to the right and down, smoothed across the slope by `smooth`; not divided, sum 0."""
    slope = (-1, 0, 1)
    down, across = ([[weight] for weight in weights] for weights in (slope, smooth))
    x, y = np.outer(smooth, slope).tolist(), np.outer(slope, smooth).tolist()
    right = _matrix(*across) + _matrix(slope)
    below = _matrix(*down) + _matrix(smooth)
    return (
        _fixed(f"{key}_x", f"{title} x", "Edges", sentence.format("to the right"), *x, formula=right),
        _fixed(f"{key}_y", f"{title} y", "Edges", sentence.format("downwards"), *y, formula=below),
    )


_BELL: Final = r"e^{-(x^2+y^2)/2\sigma^2}"
_PRESETS: Final = (
    _fixed(
        "identity",
        "Identity",
        "Basics",
        "Leaves every pixel as it is.",
        [0, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
    ),
    Preset(
        "shift",
        "Shift",
        "Basics",
        "Moves the picture: the only 1 lies opposite to the way it moves.",
        r"g(x, y) = f(x - \Delta x,\ y - \Delta y)",
        (
            Parameter("dx", "Right", -5, 5, 1, 1, "px"),
            Parameter("dy", "Down", -5, 5, 1, 0, "px"),
        ),
        _shift,
    ),
    Preset(
        "box",
        "Box blur",
        "Blur",
        "Replaces each pixel by the mean of its window.",
        r"k = \frac{1}{n^2}",
        (_size(3),),
        _box,
    ),
    Preset(
        "gaussian",
        "Gaussian blur",
        "Blur",
        "Blurs with weights that fall off smoothly with distance, the same in all directions.",
        rf"k(x, y) = \frac{{1}}{{Z}}\, {_BELL}, \quad \textstyle\sum k = 1",
        (_size(5), _sigma(1)),
        _gaussian,
    ),
    Preset(
        "motion",
        "Motion blur",
        "Blur",
        "Smears the picture along a line, as a camera does that moves while the shutter is open.",
        r"k(x, y) \propto \text{length of the line inside the pixel}, \quad \textstyle\sum k = 1",
        (_size(9), _angle("Angle", 175, 5, 0)),
        _motion,
    ),
    Preset(
        "sharpen",
        "Sharpen",
        "Sharpen",
        "Adds to each pixel how much it differs from its four neighbours.",
        _matrix([0, "-a", 0], ["-a", "1+4a", "-a"], [0, "-a", 0]),
        (Parameter("amount", "Amount a", 0, 5, 0.1, 1),),
        _sharpen,
    ),
    Preset(
        "unsharp",
        "Unsharp mask",
        "Sharpen",
        "Adds back what a blur would take away, so fine detail grows stronger.",
        r"k = \delta + a\,(\delta - G_\sigma)",
        (_size(5), _sigma(1), Parameter("amount", "Amount a", 0, 5, 0.1, 1.5)),
        _unsharp,
    ),
    *_gradient("sobel", "Sobel", (1, 2, 1), "Positive where it gets brighter {}, negative where darker."),
    *_gradient("scharr", "Scharr", (3, 10, 3), "Positive where it gets brighter {}; truer to slanted edges."),
    *_gradient(
        "prewitt", "Prewitt", (1, 1, 1), "Positive where it gets brighter {}; Sobel with equal weights."
    ),
    _fixed(
        "roberts_1",
        "Roberts, first diagonal",
        "Edges",
        "The smallest slanted edge detector: positive where it gets brighter to the upper left.",
        [1, 0],
        [0, -1],
    ),
    _fixed(
        "roberts_2",
        "Roberts, second diagonal",
        "Edges",
        "The smallest slanted edge detector: positive where it gets brighter to the upper right.",
        [0, 1],
        [-1, 0],
    ),
    Preset(
        "kirsch",
        "Kirsch",
        "Edges",
        "Positive where it gets brighter towards one of eight compass directions.",
        r"\max_{d} \sum k_d f, \quad k_{90^\circ} = " + _matrix([5, 5, 5], [-3, 0, -3], [-3, -3, -3]),
        (_angle("Brighter towards", 315, 45, 90),),
        _kirsch,
    ),
    _fixed(
        "laplacian_4",
        "Laplacian, 4 neighbours",
        "Edges",
        "Positive where a pixel is darker than its four neighbours are on average, zero on even slopes.",
        [0, 1, 0],
        [1, -4, 1],
        [0, 1, 0],
    ),
    _fixed(
        "laplacian_8",
        "Laplacian, 8 neighbours",
        "Edges",
        "Positive where a pixel is darker than its eight neighbours are on average, diagonals too.",
        [1, 1, 1],
        [1, -8, 1],
        [1, 1, 1],
    ),
    _fixed(
        "outline",
        "Outline",
        "Edges",
        "Keeps the pixels that are brighter than their eight neighbours on average; even areas turn to zero.",
        [-1, -1, -1],
        [-1, 8, -1],
        [-1, -1, -1],
    ),
    Preset(
        "gabor",
        "Gabor",
        "Texture and scale",
        "Answers to stripes of one direction and width, as cells of the visual cortex do.",
        rf"k(x, y) = {_BELL} \cos\!\left(2\pi\,\frac{{x\cos\theta + y\sin\theta}}{{\lambda}} + \varphi\right)",
        (
            _size(11),
            Parameter("theta", "θ, across the stripes", 0, 355, 5, 0, "°"),
            Parameter("wavelength", "Wavelength λ", 2, 20, 0.5, 6, "px"),
            _sigma(2.5),
            Parameter("phase", "Phase φ", 0, 355, 5, 0, "°"),
        ),
        _gabor,
    ),
    Preset(
        "log",
        "Laplacian of Gaussian",
        "Texture and scale",
        "Blurs, then takes the Laplacian: positive on dark blobs of about √2·σ pixels' radius.",
        r"k(x, y) = \frac{x^2 + y^2 - 2\sigma^2}{\sigma^4}\, G_\sigma(x, y) - \text{mean}",
        (_size(9), _sigma(1.2)),
        _log,
    ),
    Preset(
        "dog",
        "Difference of Gaussians",
        "Texture and scale",
        "Keeps details of one size: a narrow blur minus a wide one.",
        r"k = G_{\sigma_1} - G_{\sigma_2}",
        (_size(11), _sigma(1, "narrow", "σ₁"), _sigma(1.6, "wide", "σ₂")),
        _dog,
    ),
    Preset(
        "line",
        "Line",
        "Lines and corners",
        "Positive on bright lines, one pixel wide, that run along one direction.",
        r"k_{0^\circ} = " + _matrix([-1, -1, -1], [2, 2, 2], [-1, -1, -1]),
        (_angle("Runs along", 135, 45, 0),),
        _line,
    ),
    Preset(
        "corner",
        "Corner",
        "Lines and corners",
        "Most positive at the corner of a bright area that lies towards one direction.",
        r"k_{45^\circ} = " + _matrix([-4, 5, 5], [-4, 5, 5], [-4, -4, -4]),
        (_angle("Bright towards", 315, 45, 45),),
        _corner,
    ),
    Preset(
        "emboss",
        "Emboss",
        "Other",
        "Adds the slope in one direction, so the picture looks like a relief lit from the side.",
        r"k_{315^\circ} = " + _matrix([-2, -1, 0], [-1, 1, 1], [0, 1, 2]),
        (_angle("Brighter towards", 315, 45, 315),),
        _emboss,
    ),
    Preset(
        "random",
        "Random",
        "Other",
        "What an untrained network begins with: drawn by chance, the same for the same seed.",
        r"k \sim \mathcal{N}\!\left(0,\ \frac{2}{n^2}\right)",
        (_size(3), Parameter("seed", "Seed", 0, 9999, 1, 0)),
        _random,
    ),
)
KERNELS: Final[Mapping[str, Preset]] = MappingProxyType({preset.key: preset for preset in _PRESETS})
"""Every preset by its key, in the order shown."""


def learned_kernels(weight: NDArray[np.floating]) -> tuple[Kernel, ...]:
    """The kernels of a network's first layer, from its weights (N, 3, h, w): "Learned 0", "Learned 1", …

    Each weight becomes the shortest decimal that rounds to the same float32: the same number to the network,
    half as long in a link.  The layer's bias and the normalisation of its input are not in them.

    >>> learned_kernels(np.full((2, 3, 1, 1), 0.1, np.float32))[1].text
    '0.1~~0.1~~0.1'

    Raises:
        KernelError: the weights are not for three colours, or a kernel is too large.
    """
    if weight.ndim != 4 or weight.shape[1] != 3:
        raise KernelError(f"Learned kernels need weights of shape (N, 3, h, w), not {_times(weight.shape)}.")
    shortest = np.array([float(str(value)) for value in weight.astype(np.float32).ravel()])
    return tuple(
        Kernel(f"Learned {number}", weights) for number, weights in enumerate(shortest.reshape(weight.shape))
    )


# ------------------------------------------------------------------------------------------ text of a link

_NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?"
_FRACTION: Final = re.compile(rf"\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?", re.ASCII | re.IGNORECASE)


def parse_number(text: str) -> float:
    """A decimal number or a fraction, as people type weights.

    >>> parse_number("-0.25"), parse_number(" 2 / 3 ")
    (-0.25, 0.6666666666666666)

    Raises:
        KernelError: it is neither, or not finite.
    """
    match = _FRACTION.fullmatch(text.replace("−", "-"))
    if not match:
        raise KernelError(f"{_quoted(text)} is not a number.")
    above, below = float(match[1]), float(match[2] or 1)
    if below == 0:
        raise KernelError(f"{_quoted(text)} divides by zero.")
    if not math.isfinite(below) or not math.isfinite(above / below):
        raise KernelError(f"{_quoted(text)} is too large a number.")
    return above / below


def read_kernel(text: str) -> tuple[Preset | None, tuple[float, ...], Kernel]:
    """A kernel from its text in a link: a preset's key and values, or the weights themselves.

    Returns the preset with all its values, or None and (), and the kernel.

    >>> preset, values, kernel = read_kernel("gaussian~3")
    >>> preset.title, values, kernel.weights.shape
    ('Gaussian blur', (3.0, 1.0), (1, 3, 3))
    >>> read_kernel("0_-1_0~-1_5_-1~0_-1_0")[2].name
    'Custom'

    Raises:
        KernelError: it is neither, or a value cannot be used.
    """
    if len(text) > MAX_TEXT:
        raise KernelError(f"{_quoted(text)} is too long for a kernel: {len(text):,} characters.")
    key, *values = text.split("~")
    if key in KERNELS:
        preset = KERNELS[key]
        settings = preset.settings(*map(parse_number, values))
        return preset, settings, preset.kernel(*settings)
    if key[:1].isalpha():
        raise KernelError(f"There is no kernel {_quoted(key)}.")
    grids = [
        [[parse_number(value) for value in row.split("_")] for row in grid.split("~")]
        for grid in text.split("~~")
    ]
    if len({len(grid) for grid in grids}) > 1 or len({len(row) for grid in grids for row in grid}) > 1:
        raise KernelError(f"The rows of {_quoted(text)} do not form rectangles of one size.")
    return None, (), Kernel("Custom", np.array(grids))


def write_preset(preset: Preset, values: Sequence[float] = ()) -> str:
    """A preset and all its values as the text of a link, which `read_kernel` reads back.

    >>> write_preset(KERNELS["gaussian"], (5, 1.2))
    'gaussian~5~1.2'

    Raises:
        KernelError: there are too many values, or one is outside its limits.
    """
    return "~".join([preset.key, *map(_number_text, preset.settings(*values))])


def _number_text(value: float) -> str:
    """The shortest decimal that reads back as the same float64."""
    return repr(float(value)).removesuffix(".0")


def _quoted(text: str) -> str:
    """Someone's text for a message: 40 characters at most, none that cannot be seen."""
    shown = "".join(c if c.isprintable() else "·" for c in text[:41])
    return f"“{shown}”" if len(shown) <= 40 else f"“{shown[:39]}…”"


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
