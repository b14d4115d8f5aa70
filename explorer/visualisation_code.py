"""Code that finds a picture again that excites a unit or a class, with public packages and nothing of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from explorer.activations import Layer
from explorer.canvas import COLOURS, START
from explorer.models import NetworkInput
from explorer.take_home import opening
from explorer.visualisation import RATE, Class, Settings, Target, Unit

FOUND: Final = "found.png"
"""What the script saves."""

_TO_MAPS: Final = {
    "maps": "output",
    "vector": "output[:, :, None, None]",
    "channels last": "output.movedim(-1, 1)",
    "tokens": (
        "output[:, -math.isqrt(output.shape[1]) ** 2 :]"
        ".unflatten(1, (math.isqrt(output.shape[1]), -1)).movedim(-1, 1)"
    ),
}

_FREQUENCIES: Final = '''frequency = torch.hypot(torch.fft.fftfreq(SIDE)[:, None], torch.fft.rfftfreq(SIDE)[None])
fall_off = SIDE / frequency.clamp(min=1 / SIDE)  # as in photographs
noise = torch.randn((1, {channels}, SIDE, SIDE // 2 + 1, 2), generator=torch.Generator().manual_seed(SEED))
numbers = noise * {start}
{axes}

def picture():
    """(1, {channels}, SIDE, SIDE) in 0..1."""
    planes = torch.fft.irfft2(torch.view_as_complex(numbers) * fall_off, s=(SIDE, SIDE)) / 4
    return torch.sigmoid({mixed})
'''

_PIXELS: Final = '''noise = torch.randn((1, {channels}, SIDE, SIDE), generator=torch.Generator().manual_seed(SEED))
numbers = 0.5 + noise * {start}


def picture():
    """(1, {channels}, SIDE, SIDE) in 0..1."""
    return numbers
'''

_FULL: Final = """    turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = turned / (1 + 0.1 * float(drawn[4]))
    matrix = torch.cat([turned * inner, ((turned @ (drawn[2:4] * 4 / 224) + drawn[:2] * 8 / 224) * inner)[:, None]], 1)
"""
_JITTER: Final = """    matrix = torch.cat([torch.eye(2) * inner, (drawn[:2] * 8 / 224 * inner)[:, None]], 1)
"""

_SEEN: Final = '''

def moved(image):
    """The picture a little moved{words}."""
    drawn = torch.rand(6, generator=chance) * 2 - 1
    pad = max(1, round(12 * SIDE / 224))
    inner = SIDE / (SIDE + 2 * pad)
{matrix}    grid = F.affine_grid(matrix[None], list(image.shape), align_corners=False)
    framed = F.pad(image, (pad,) * 4, value=0.5)
    return F.grid_sample(framed, grid, padding_mode="border", align_corners=False)
'''


def visualisation_code(
    fed: NetworkInput, layer: Layer | None, target: Target, settings: Settings, iterations: int
) -> str:
    """A script that finds the picture again, from the same seed by the same steps, and saves it as `FOUND`.

    Where a ReLU was silent everywhere, and had to be woken (see `visualisation`), the script stays where it is.

    Args:
        fed: before which network; its photo has no part in it.
        layer: whose maps; None for a class.
        target: what is excited; of attention's heads there is no code.
        settings: of the search.
        iterations: in all.
    """
    begin = opening(fed)
    begin = replace(
        begin,
        packages=tuple(name for name in begin.packages if name != "scikit-image"),
        imports=tuple(line for line in begin.imports if "skimage" not in line and "numpy" not in line),
        picture=f"SIDE, SEED, ITERATIONS = {settings.side}, {settings.seed}, {iterations}",
    )
    ready, channels = fed.preprocessing, fed.preprocessing.channels
    mixed = channels == 3 and not settings.one_by_one
    colours = [list(row) for row in COLOURS]
    axes = f"axes = torch.tensor({colours})\naxes = axes / axes.norm(dim=0).max()" if mixed else ""
    canvas = (_FREQUENCIES if settings.holding == "frequencies" else _PIXELS).format(
        channels=channels,
        start=START,
        axes=f"{axes}\n" if axes else "",
        mixed='torch.einsum("rc,nchw->nrhw", axes, planes)' if mixed else "planes",
    )
    seen, look = "", "image"
    if settings.robustness != "none":
        full = settings.robustness == "full"
        matrix = f"    angle = math.radians(10 * float(drawn[5]))\n{_FULL}" if full else _JITTER
        seen = _SEEN.format(words=", scaled and turned" if full else "", matrix=matrix)
        look = "moved(image)"
    clamped = (
        "\n    with torch.no_grad():\n        numbers.clamp_(0, 1)" if settings.holding == "pixels" else ""
    )
    rest = f"""{canvas}{seen}
{_sought(layer, target)}

model.requires_grad_(False)
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in ({list(ready.mean)}, {list(ready.std)}))
chance = torch.Generator().manual_seed(SEED)
optimiser = torch.optim.Adam([numbers.requires_grad_()], lr={RATE})
for iteration in range(ITERATIONS):
    optimiser.zero_grad()
    image = picture()
    loss = {"-" if settings.sign > 0 else ""}objective(({look} - mean) / std)
    loss.backward()
    optimiser.step(){clamped}

with torch.no_grad():
    image = picture()
    print(float(objective((image - mean) / std)))
pixels = (image[0] * 255).round().clamp(0, 255).byte().expand(3, -1, -1).permute(1, 2, 0)
Image.fromarray(pixels.contiguous().numpy()).save("{FOUND}")
"""
    what = f"class {target.index}" if isinstance(target, Class) else f"{target.layer}"
    title = f"A picture that excites {what} of {fed.card.title}, found by optimisation."
    imports = ["import math", "import torch.nn.functional as F"]
    return begin.script(title, [], imports, "", rest)


def _sought(layer: Layer | None, target: Target) -> str:
    """The function `objective` of what the network is fed."""
    head = '''def objective(x):
    """What is to grow."""
'''
    if isinstance(target, Class) or layer is None:
        index = target.index if isinstance(target, Class) else 0
        return f"\n{head}    return model(x)[0, {index}]\n"
    if isinstance(target, Unit):
        cell = ".mean()" if target.cell == "all" else "[plane.shape[0] // 2, plane.shape[1] // 2]"
        value = f"    plane = maps[{target.channel}]\n    return plane{cell}\n"
    else:
        value = f"""    weights = torch.tensor({[round(weight, 6) for weight in target.weights]})
    cells = maps.flatten(1)
    along = (weights / weights.norm()) @ cells
    return (along * (along / cells.norm(dim=0).clamp(min=1e-6)).clamp(min=0.1)).mean()
"""
    return f"""found = []
layer = model.get_submodule({json.dumps(layer.name, ensure_ascii=False)})
layer.register_forward_hook(
    lambda module, args, output: found.append((output[0] if isinstance(output, tuple) else output).clone())
)


{head}    found.clear()
    model(x)
    output = found[{layer.call - 1}]
    maps = ({_TO_MAPS[layer.layout]})[0]
{value}"""
