"""Code that reproduces a convolved picture with PyTorch, SciPy or OpenCV, and nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.convolution import ACTIVATIONS, ConvSpec, output_shape
from explorer.errors import ExplorerError, ShapeError
from explorer.images import Photo
from explorer.kernels import Kernel
from explorer.take_home import LOADERS, PICTURE

LONGEST_NUMBER: Final = 6
"""Characters of a weight from which on a fraction is tried: 1/9 reads better than 0.11111111."""
LARGEST_DENOMINATOR: Final = 1024


@dataclass(frozen=True, eq=False)
class KernelTask:
    """A picture, and what is done to it.

    Attributes:
        photo: the picture; a sample of scikit-image is loaded from there, others from the file `PICTURE`.
        size: (width, height) to which it is reduced first, by Pillow's box filter in RGB.
        colour: "grey" (Pillow's "L"), or "rgb": the sum over red, green and blue.
        kernel: one grid, or for "rgb" one or three.
        spec: how the window moves.
        bias: added to each sum.
        activation: a key of `explorer.convolution.ACTIVATIONS`.
        flip: turn the kernel by 180°, the mathematicians' convolution.

    Raises:
        ShapeError: kernel, spec and picture do not fit together.
        ExplorerError: no such activation.
    """

    photo: Photo
    size: tuple[int, int]
    colour: Literal["grey", "rgb"]
    kernel: Kernel
    spec: ConvSpec
    bias: float = 0.0
    activation: str = "none"
    flip: bool = False

    def __post_init__(self) -> None:
        weights = self.kernel.weights
        if weights.shape[1:] != self.spec.kernel_size or len(weights) > self.planes:
            sides, expected = (
                "×".join(map(str, pair)) for pair in (weights.shape[1:], self.spec.kernel_size)
            )
            raise ShapeError(
                f"{len(weights)} grids of {sides} weights do not fit a kernel size of {expected} and a picture "
                f"with {self.planes} channels."
            )
        if self.activation not in ACTIVATIONS:
            raise ExplorerError(
                f"There is no activation “{self.activation}”; there are {', '.join(ACTIVATIONS)}."
            )
        output_shape(self.size[::-1], self.spec)

    @property
    def planes(self) -> int:
        """Channels of the picture: 1 or 3."""
        return 3 if self.colour == "rgb" else 1

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Padding at the top, bottom, left and right."""
        rows, columns = self.spec.margins(self.size[::-1])
        return *rows, *columns


@dataclass(frozen=True)
class Library:
    """A package that can do it.

    Attributes:
        title: its name for people.
        packages: what pip installs for it, besides numpy and pillow.
        imports: its import lines.
        body: the lines from `picture` (Pillow) to `result`: (H', W') in float64.
    """

    title: str
    packages: tuple[str, ...]
    imports: tuple[str, ...]
    body: Callable[[KernelTask], list[str]]


def kernel_code(library: str, task: KernelTask) -> str:
    """A script that computes this result: saves `result.npy`, and `result.png` clipped to 0..255.

    `library` is a key of `LIBRARIES`.

    Raises:
        ExplorerError: no such library.
    """
    if library not in LIBRARIES:
        raise ExplorerError(f"There is no library “{library}”; there are {', '.join(LIBRARIES)}.")
    entry = LIBRARIES[library]
    loader = LOADERS.get(task.photo.sample or "")
    packages = ["numpy", "pillow", *entry.packages, *(["scikit-image"] if loader else [])]
    imports = ["import numpy as np", "from PIL import Image", *entry.imports]
    imports += ["from skimage import data"] if loader else []
    # as isort has it: `import` before `from`
    imports.sort(key=lambda line: (line.startswith("from"), line))
    rows, columns = task.spec.kernel_size
    lines = [
        f'"""{task.kernel.name}: a kernel of {rows}×{columns} over a picture, with {entry.title}.',
        "",
        f"pip install {' '.join(packages)}",
        '"""',
        "",
        *imports,
        "",
        *_picture(task, loader),
        *entry.body(task),
        "",
        'np.save("result.npy", np.float32(result))',
        'Image.fromarray(np.uint8(result.clip(0, 255).round())).save("result.png")',
    ]
    return "\n".join(lines) + "\n"


def _picture(task: KernelTask, loader: str | None) -> list[str]:
    """`picture`: a Pillow image in grey or RGB, of the task's size."""
    width, height = task.size
    source = f"Image.fromarray(data.{loader}())" if loader else f'Image.open("{PICTURE}")'
    comment = [] if loader else [f"# {PICTURE} is offered beside this code; your own file may lie turned"]
    reduced = task.size != (task.photo.width, task.photo.height)
    convert = '.convert("RGB")' if reduced or task.colour == "rgb" else ""
    resize = f".resize(({width}, {height}), Image.Resampling.LANCZOS)" if reduced else ""
    grey = '.convert("L")' if task.colour == "grey" else ""
    return [*comment, f"picture = {source}{convert}{resize}{grey}"]


# Numbers and matrices --------------------------------------------------------------------------------


def _number(value: float) -> str:
    """Ten digits at most, and always a point or an exponent: "0.1", "-1.", "1e-07"."""
    text = f"{value + 0.0:.10g}"  # + 0.0: no negative zero
    return text if "." in text or "e" in text else f"{text}."


def _fraction(weights: NDArray[np.float64]) -> int:
    """The smallest n for which weights · n / n are whole numbers over n, to the last bit; 1 where none is."""
    if max(len(_number(value)) for value in weights.flat) <= LONGEST_NUMBER:
        return 1
    for n in range(2, LARGEST_DENOMINATOR + 1):
        if (np.rint(weights * n) / n == weights).all():
            return n
    return 1


def _matrix(name: str, array: str, weights: NDArray[np.float64], options: str = "") -> list[str]:
    """Lines that give `name` the weights as a neat matrix: (h, w), or (3, h, w) for three grids."""
    n = _fraction(weights)
    scaled = np.rint(weights * n) if n > 1 else weights
    width = max(len(_number(value)) for value in scaled.flat)
    grids = [
        [f"[{', '.join(_number(value).rjust(width) for value in row)}]," for row in grid] for grid in scaled
    ]
    if len(grids) == 1:
        inside = [f"    {row}" for row in grids[0]]
    else:
        inside = []
        for colour, grid in zip(("red", "green", "blue"), grids, strict=True):
            inside += [f"    [  # {colour}", *(f"        {row}" for row in grid), "    ],"]
    return [f"{name} = {array}([", *inside, f"]{options})" + (f" / {n}" if n > 1 else "")]


def _pair(values: tuple[int, int]) -> str:
    return str(values[0] if values[0] == values[1] else values)


# Libraries -------------------------------------------------------------------------------------------


def _pytorch(task: KernelTask) -> list[str]:
    spec, (top, bottom, left, right) = task.spec, task.margins
    lines = _matrix("weight", "torch.tensor", task.kernel.weights, ", dtype=torch.float64")
    if task.kernel.channels == 3:
        lines.append("weight = weight[None]  # (1, 3, height, width)")
    elif task.colour == "rgb":
        lines.append("weight = weight.expand(1, 3, -1, -1)  # the same for red, green and blue")
    else:
        lines.append("weight = weight[None, None]  # (1, 1, height, width)")
    if task.flip:
        lines.append(f"weight = weight.flip(-2, -1)  {_TURNED}")
    axes = ".movedim(-1, 0)[None]" if task.colour == "rgb" else "[None, None]"
    lines.append(f"x = torch.tensor(np.float64(picture)){axes}  # (1, {task.planes}, height, width)")
    arguments = ["x", "weight"]
    if spec.stride != (1, 1):
        arguments.append(f"stride={_pair(spec.stride)}")
    if spec.padding_mode == "zeros" and (top, left) == (bottom, right):
        if (top, left) != (0, 0):
            arguments.append(f"padding={_pair((top, left))}")
    elif any(task.margins):
        mode = "" if spec.padding_mode == "zeros" else f', mode="{spec.padding_mode}"'
        lines.append(f"x = F.pad(x, ({left}, {right}, {top}, {bottom}){mode})  # left, right, top, bottom")
    if spec.dilation != (1, 1):
        arguments.append(f"dilation={_pair(spec.dilation)}")
    lines.append(f"result = F.conv2d({', '.join(arguments)})[0, 0]")
    return lines + _finish(
        task, {name: f"torch.{name}(result)" for name in ("relu", "abs", "sigmoid", "tanh")}
    )


def _scipy(task: KernelTask) -> list[str]:
    top, bottom, left, right = task.margins
    lines = [*_kernel(task), "pixels = np.float64(picture)"]
    if any(task.margins):
        mode = {"reflect": ', mode="reflect"', "replicate": ', mode="edge"', "circular": ', mode="wrap"'}
        colours = ", (0, 0)" if task.colour == "rgb" else ""
        widths = f"(({top}, {bottom}), ({left}, {right}){colours})"
        lines.append(f"pixels = np.pad(pixels, {widths}{mode.get(task.spec.padding_mode, '')})")
    function = "convolve2d" if task.flip else "correlate2d"
    if task.flip:
        lines.append(f"{_TURNED}: convolve2d does so")
    if task.colour == "grey":
        lines.append(f'result = signal.{function}(pixels, kernel, mode="valid"){_strided(task)}')
    else:
        grid = "kernel" if task.kernel.channels == 1 else "kernel[c]"
        lines.append(
            f'result = sum(signal.{function}(pixels[..., c], {grid}, mode="valid") for c in range(3))'
            f"{_strided(task)}"
        )
    return lines + _finish(task, _NUMPY_ACTIVATIONS)


def _opencv(task: KernelTask) -> list[str]:
    spec, (top, bottom, left, right) = task.spec, task.margins
    border = {"reflect": "REFLECT_101", "replicate": "REPLICATE", "circular": "WRAP"}.get(
        spec.padding_mode, "CONSTANT"
    )
    lines = _kernel(task)
    if task.flip:
        lines.append(f"kernel = np.flip(kernel, (-2, -1))  {_TURNED}")
    lines.append("pixels = np.float64(picture)")
    height, width = spec.extent
    if spec.padding == "same" and spec.padding_mode != "circular":
        # its anchor lies in the middle, and where there is none one further than that of “same”
        anchor = f", anchor=({left}, {top})" if (top, left) != (bottom, right) else ""
        options = f"{anchor}, borderType=cv2.BORDER_{border}"
        kept = _strided(task)
    else:
        if any(task.margins):
            lines.append(
                f"pixels = cv2.copyMakeBorder(pixels, {top}, {bottom}, {left}, {right}, cv2.BORDER_{border})"
            )
        lines.append(
            "# each window hangs to the right of and below its anchor; those that stick out are cut off"
        )
        options = ", anchor=(0, 0)"
        ends = [f":{1 - extent or ''}" for extent in (height, width)]
        steps = [f":{stride}" if stride > 1 else "" for stride in spec.stride]
        kept = f"[{ends[0]}{steps[0]}, {ends[1]}{steps[1]}]"
        kept = "" if kept == "[:, :]" else kept
    if task.kernel.channels == 3:
        lines += [
            "planes = [",
            f"    cv2.filter2D(pixels[..., c], cv2.CV_64F, kernel[c]{options})",
            "    for c in range(3)",
            "]",
            f"result = sum(planes){kept}",
        ]
    else:
        lines.append(f"result = cv2.filter2D(pixels, cv2.CV_64F, kernel{options})")
        lines += ["result = result.sum(axis=-1)"] if task.colour == "rgb" else []
        lines[-1] += kept
    return lines + _finish(task, _NUMPY_ACTIVATIONS)


_TURNED: Final = "# the mathematicians' convolution turns the kernel by 180°"


def _kernel(task: KernelTask) -> list[str]:
    """`kernel` in NumPy: the weights, with zeros between them where the spec has dilation."""
    dilated = task.spec.dilation != (1, 1)
    lines = _matrix("weights" if dilated else "kernel", "np.array", task.kernel.weights)
    if dilated:
        rows, columns = task.spec.dilation
        front, grids = ("3, ", ":, ") if task.kernel.channels == 3 else ("", "")
        height, width = task.spec.extent
        lines += [
            f"kernel = np.zeros(({front}{height}, {width}))  # dilation: zeros between the weights",
            f"kernel[{grids}::{rows}, ::{columns}] = weights",
        ]
    return lines


def _strided(task: KernelTask) -> str:
    rows, columns = task.spec.stride
    return f"[::{rows}, ::{columns}]" if (rows, columns) != (1, 1) else ""


_NUMPY_ACTIVATIONS: Final = {
    "relu": "np.maximum(result, 0)",
    "abs": "np.abs(result)",
    "sigmoid": "(1 + np.tanh(result / 2)) / 2  # the sigmoid, in a form that does not overflow",
    "tanh": "np.tanh(result)",
}


def _finish(task: KernelTask, activations: Mapping[str, str]) -> list[str]:
    """Bias and activation."""
    lines = []
    if task.bias:
        lines.append(f"result = result {'+' if task.bias > 0 else '-'} {_number(abs(task.bias))}")
    if task.activation != "none":
        lines.append(f"result = {activations[task.activation]}")
    return lines


LIBRARIES: Final[Mapping[str, Library]] = MappingProxyType(
    {
        "pytorch": Library(
            "PyTorch", ("torch",), ("import torch", "import torch.nn.functional as F"), _pytorch
        ),
        "scipy": Library("SciPy", ("scipy",), ("from scipy import signal",), _scipy),
        "opencv": Library("OpenCV", ("opencv-python",), ("import cv2",), _opencv),
    }
)
"""Libraries by their key."""
