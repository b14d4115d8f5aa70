"""Code that finds a picture again that excites a unit or a class, with public packages and nothing of ours."""

from __future__ import annotations

from typing import Final

from explorer import search_code
from explorer.activations import Layer
from explorer.models import NetworkInput
from explorer.search_code import FOUND
from explorer.visualisation import RATE, Class, Settings, Target, Unit

_TO_MAPS: Final = {
    "maps": "output[0]",
    "heads": "output[0]",
    "vector": "output[0, :, None, None]",
    "channels last": "output[0].movedim(-1, 0)",
    "tokens": (
        "output[0, -math.isqrt(output.shape[1]) ** 2 :]"
        ".unflatten(0, (math.isqrt(output.shape[1]), -1)).movedim(-1, 0)"
    ),
}
"""What the layer gives as maps (C, h, w)."""

_FULL: Final = """    turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = turned / (1 + 0.1 * float(drawn[4]))
    matrix = torch.cat([turned * inner, ((turned @ (drawn[2:4] * 4 / 224) + drawn[:2] * 8 / 224) * inner)[:, None]], 1)
"""
_JITTER: Final = """    matrix = torch.cat([torch.eye(2) * inner, (drawn[:2] * 8 / 224 * inner)[:, None]], 1)
"""

_SEEN: Final = '''def moved(image):
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

    On the same processor with the same torch it is the same to the bit; elsewhere sums are rounded otherwise.
    Where a ReLU was silent everywhere, and had to be woken (see `visualisation`), the script stays where it is.

    Args:
        fed: before which network; its photo has no part in it.
        layer: whose maps; None for a class.
        target: what is excited.
        settings: of the search.
        iterations: in all.
    """
    names = f"SIDE, SEED, ITERATIONS = {settings.side}, {settings.seed}, {iterations}"
    held = settings.holding == "frequencies"
    canvas = search_code.canvas(fed.preprocessing.channels, held, settings.one_by_one)
    seen, look = "", "image"
    if settings.robustness != "none":
        full = settings.robustness == "full"
        matrix = f"    angle = math.radians(10 * float(drawn[5]))\n{_FULL}" if full else _JITTER
        seen = _SEEN.format(words=", scaled and turned" if full else "", matrix=matrix)
        look = "moved(image)"
    clamped = "" if held else "\n    with torch.no_grad():\n        numbers.clamp_(0, 1)"
    search = f"""numbers = noise()
chance = torch.Generator().manual_seed(SEED)
optimiser = torch.optim.Adam([numbers], lr={RATE})
for iteration in range(ITERATIONS):
    optimiser.zero_grad()
    image = canvas(numbers)
    loss = {"-" if settings.sign > 0 else ""}objective(({look} - mean) / std)
    loss.backward()
    optimiser.step(){clamped}

with torch.no_grad():
    image = canvas(numbers)
    print(float(objective((image - mean) / std)))
pixels = (image[0] * 255).round().clamp(0, 255).byte().expand(3, -1, -1).permute(1, 2, 0)
Image.fromarray(pixels.contiguous().numpy()).save("{FOUND}")
"""
    what = f"class {target.index}" if isinstance(target, Class) else f"{target.layer}"
    title = f"A picture that excites {what} of {fed.card.title}, found by optimisation."
    functions = [seen, *_sought(layer, target)]
    parts = [search_code.normalising(fed.preprocessing), canvas, *filter(None, functions), search]
    return search_code.script(fed, title, names, parts)


def _sought(layer: Layer | None, target: Target) -> tuple[str, ...]:
    """The function `objective` of what the network is fed, and what it needs."""
    head = '''def objective(x):
    """What is to grow."""
'''
    if isinstance(target, Class) or layer is None:
        index = target.index if isinstance(target, Class) else 0
        return (f"{head}    return model(x.to(memory_format=torch.channels_last))[0, {index}]",)
    if isinstance(target, Unit):
        cell = ".mean()" if target.cell == "all" else "[plane.shape[0] // 2, plane.shape[1] // 2]"
        value = f"    plane = maps[{target.channel}]\n    return plane{cell}"
    else:
        value = f"""    weights = torch.tensor({[float(f"{weight:.9g}") for weight in target.weights]})
    cells = maps.flatten(1)
    along = (weights / weights.norm()) @ cells
    return (along * (along / cells.norm(dim=0).clamp(min=1e-6)).clamp(min=0.1)).mean()"""
    given = f"    output = features(x, {search_code.named(layer)})\n    maps = {_TO_MAPS[layer.layout]}"
    return search_code.features(layer.layout == "heads"), f"{head}{given}\n{value}"
