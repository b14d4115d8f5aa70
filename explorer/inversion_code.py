"""Code that finds pictures again from layers' features, with public packages and nothing of ours."""

from __future__ import annotations

from typing import Final

from explorer import search_code
from explorer.inversion import COARSE, FINE, RATE, WEIGHT, Inversion, of_side
from explorer.models import NetworkInput
from explorer.search_code import FOUND

_SEARCH: Final = '''def invert(name, run, rows, iterations):
    """The picture (1, {channels}, SIDE, SIDE) in 0..1 whose features at this layer are those of x."""
    apart = min(32, SIDE / rows)  # pixels between cells of the layer: the more, the more has to be assumed
    jitter, weight = int(apart) // 4, {weight} * (apart / 32) ** 2
    coarse, rate = apart >= {coarse}, {rate} * (2 if apart < {fine} else 1)
    steepness = 1.3 if coarse else 1.6
    with torch.no_grad():
        wanted = {wanted}
    numbers = noise()
    chance = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.Adam([numbers], lr=rate)
    for iteration in range(iterations):
        share = iteration / ITERATIONS
        optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * share)) / 2
        optimiser.zero_grad()
        image = canvas(numbers, steepness)
        shift = torch.randint(-jitter, jitter + 1, (2,), generator=chance).tolist()
        fed = (image.roll(shift, (2, 3)) - mean) / std
        now = {now}
        unlike = (now - wanted).square().sum() / wanted.square().sum()
        if coarse:  # first features of the right kind, then more and more of the right size
            trust = min(1, 1.5 * share)
            alike = F.cosine_similarity(now.flatten(), wanted.flatten(), 0)
            unlike = trust * unlike + (1 - trust) * 2 * (1 - alike)
        here = image[..., :-1, :-1]
        down, right = image[..., 1:, :-1] - here, image[..., :-1, 1:] - here
        rough = (down.square() + right.square()).mean()  # the total variation
        loss = unlike + weight * (rough + (image - 0.5).square().mean())
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return canvas(numbers, steepness)
'''

_PATCHES: Final = '''def patches(tokens):
    """Tokens (N, T, C) without a class token, as (N, C, side, side); other features as they are."""
    if tokens.dim() != 3:
        return tokens
    side = math.isqrt(tokens.shape[1])
    return tokens[:, -side * side :].unflatten(1, (side, side)).movedim(-1, 1)
'''

_PIXELS: Final = '''def pixels(image):
    """(1, {channels}, SIDE, SIDE) in 0..1 as an array (SIDE, SIDE, 3) of 0..255."""
    return (image[0] * 255).round().clamp(0, 255).byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
'''

_ALL: Final = """original = pixels(x * std + mean)
pictures = [original]
for name, run, rows, iterations in LAYERS:
    pictures.append(pixels(invert(name, run, rows, iterations)))
    error = np.square(pictures[-1].astype(float) - original).mean()
    print(f"{{name}}: {{10 * math.log10(255**2 / max(error, 1e-12)):.1f}} dB")
Image.fromarray(np.concatenate(pictures, axis=1)).save("{found}")
"""


def inversion_code(fed: NetworkInput, found: Inversion) -> str:
    """A script that finds these pictures again, from the same seed by the same steps.

    It saves as `FOUND` what the network is fed and the pictures, side by side, and prints their likeness to it.  On the
    same processor with the same torch they are the same to the bit.  Elsewhere sums are rounded otherwise: early
    layers' pictures are the same but for a level of 255; deep ones leave so much open that they end, after some hundred
    steps, in other pictures that are as close to the original.

    Args:
        fed: the network, and the photo whose features they were found from.
        found: what was found, of the stages of the network, or of one layer.
    """
    settings, channels = found.settings, fed.preprocessing.channels
    layouts = {part.layer.layout for part in found.parts}
    names = [
        f"SIDE, SEED, ITERATIONS = {settings.side}, {settings.seed}, {settings.iterations}",
        "LAYERS = [",
    ]
    for part in found.parts:
        names.append(f"    ({search_code.named(part.layer)}, {part.grid[0]}, {part.done}),")
    names.append("]  # name, which of its runs, rows of its maps, iterations")
    given = "patches(features({}, name, run))" if "tokens" in layouts else "features({}, name, run)"
    if layouts == {"channels last"}:
        given += ".movedim(-1, 1)"
    search = _SEARCH.format(
        channels=channels,
        weight=WEIGHT,
        coarse=COARSE,
        rate=RATE,
        fine=FINE,
        wanted=given.format("x"),
        now=given.format("fed"),
    )
    parts = [
        search_code.normalising(fed.preprocessing),
        search_code.canvas(channels),
        search_code.features("heads" in layouts),
        *([_PATCHES] if "tokens" in layouts else []),
        search,
        _PIXELS.format(channels=channels),
        _ALL.format(found=FOUND),
    ]
    title = f"What layers of {fed.card.title} still know of a picture: found again from their features."
    ready = of_side(fed.preprocessing, settings.side)
    return search_code.script(fed, title, "\n".join(names), parts, ready)
