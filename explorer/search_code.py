"""What scripts that search for a picture share: the beginning, the canvas, and one layer's features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from explorer.activations import Layer
from explorer.canvas import COLOURS, START
from explorer.models import NetworkInput
from explorer.preprocessing import Preprocessing
from explorer.take_home import opening

FOUND: Final = "found.png"
"""What the scripts save."""

_IMPORTS: Final = {
    "math.": "import math",
    "F.": "import torch.nn.functional as F",
    "np.": "import numpy as np",
}
"""By the name that needs them."""

_FREQUENCIES: Final = '''frequency = torch.hypot(torch.fft.fftfreq(SIDE)[:, None], torch.fft.rfftfreq(SIDE)[None])
{axes}

def noise():
    """The numbers to begin with: frequencies of a picture that is nearly grey."""
    chance = torch.Generator().manual_seed(SEED)
    return (torch.randn((1, {channels}, SIDE, SIDE // 2 + 1, 2), generator=chance) * {start}).requires_grad_()


def canvas(numbers, steepness=1):
    """(1, {channels}, SIDE, SIDE) in 0..1; frequencies fall off, as in photographs."""
    fall_off = SIDE / frequency.clamp(min=1 / SIDE) ** steepness
    planes = torch.fft.irfft2(torch.view_as_complex(numbers) * fall_off, s=(SIDE, SIDE)) / 4
    return torch.sigmoid({mixed})
'''

_PIXELS: Final = '''def noise():
    """The numbers to begin with: pixels that are nearly grey."""
    chance = torch.Generator().manual_seed(SEED)
    return (0.5 + torch.randn((1, {channels}, SIDE, SIDE), generator=chance) * {start}).requires_grad_()


def canvas(numbers):
    """(1, {channels}, SIDE, SIDE) in 0..1."""
    return numbers
'''

_FEATURES: Final = '''class Enough(Exception):
    """The rest of the network is not needed."""


def features(x, name, run):
    """What a layer gives in this run of it, from 1; the network goes no further."""
    found = []

    def keep(module, args, output):
        {keep}
        if len(found) == run:
            raise Enough

    hook = model.get_submodule(name).register_forward_hook(keep)
    try:
        model(x.to(memory_format=torch.channels_last, copy=True))
    except Enough:
        pass
    finally:
        hook.remove()
    return found[-1]
'''

_OUTPUT: Final = "found.append((output[0] if isinstance(output, tuple) else output).clone())"

_LOOKED: Final = """tokens = args[0]
        _, looked = module.forward(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)
        side = math.isqrt(tokens.shape[1])
        patches = looked[..., -side * side :]
        found.append(patches[:, :, 0] if tokens.shape[1] > side * side else patches.mean(2))"""


def script(
    fed: NetworkInput, title: str, settings: str, parts: Sequence[str], ready: Preprocessing | None = None
) -> str:
    """A script that searches for a picture before this network.

    Args:
        fed: the network, and the photo.
        title: what it finds.
        settings: a line that says at least what SIDE and SEED are.
        parts: functions and other lines, in order.
        ready: how the photo is prepared, which is then `x`; None where it has no part in the search.
    """
    begin, rest = opening(fed), _joined(parts)
    if ready is None:
        begin = replace(
            begin,
            packages=tuple(name for name in begin.packages if name != "scikit-image"),
            imports=tuple(line for line in begin.imports if "skimage" not in line),
            picture=settings,
        )
    else:
        begin = replace(
            begin, model=f"{begin.model}{_resized(fed, ready)}", picture=f"{begin.picture}\n\n{settings}"
        )
    imports = [line for line in begin.imports if "numpy" not in line]
    wanted = [line for name, line in _IMPORTS.items() if name in f"{begin.picture}{rest}"]
    return replace(begin, imports=tuple(imports)).script(title, [], wanted, "", f"\n{rest}")


def _joined(parts: Sequence[str]) -> str:
    """One empty line between them, two around functions."""
    text = ""
    for part in (part.strip("\n") for part in parts):
        *_, last = ["", *text.splitlines()]
        far = part.startswith(("def ", "class ")) or last.startswith(" ")
        text += ("\n\n\n" if far else "\n\n") + part if text else part
    return f"{text}\n"


def _resized(fed: NetworkInput, ready: Preprocessing) -> str:
    """A line that makes `preprocess` give another size than the network's own."""
    if ready.crop == fed.preprocessing.crop:
        return ""
    square = f"[{ready.crop}, {ready.crop}]"
    size = square if fed.whole else str(ready.resize)
    if fed.card.source == "torchvision":
        return (
            f"\npreprocess.resize_size, preprocess.crop_size = {size if fed.whole else f'[{size}]'}, {square}"
        )
    return f"\npreprocess.transforms[0].size, preprocess.transforms[1].size = {size}, {square}"


def normalising(ready: Preprocessing) -> str:
    """Lines that freeze the network, and make `mean` and `std` of what it is fed."""
    return f"""model.requires_grad_(False).to(memory_format=torch.channels_last)
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in ({list(ready.mean)}, {list(ready.std)}))
"""


def canvas(channels: int, frequencies: bool = True, one_by_one: bool = False) -> str:
    """The functions `noise` and `canvas`: a `Canvas` of SIDE pixels that begins with SEED."""
    if not frequencies:
        return _PIXELS.format(channels=channels, start=START)
    mixed = channels == 3 and not one_by_one
    axes = f"axes = torch.tensor({[list(row) for row in COLOURS]})\naxes = axes / axes.norm(dim=0).max()\n"
    return _FREQUENCIES.format(
        channels=channels,
        start=START,
        axes=axes if mixed else "",
        mixed='torch.einsum("rc,nchw->nrhw", axes, planes)' if mixed else "planes",
    )


def features(heads: bool = False) -> str:
    """The function `features`: what a layer gives, or what the heads of an attention look at."""
    return _FEATURES.format(keep=_LOOKED if heads else _OUTPUT)


def named(layer: Layer) -> str:
    """A layer as the last two arguments of `features`."""
    return f"{json.dumps(layer.name, ensure_ascii=False)}, {layer.call}"
