"""Code that makes the maps of a layer again, with public packages and nothing of ours."""

from __future__ import annotations

import json
from typing import Final

from explorer.activations import Layer
from explorer.models import NetworkInput
from explorer.take_home import opening

MAPS, MAP = "maps.npy", "map.png"
"""What the script saves: all maps of the layer, and a picture of one."""

_TO_MAPS: Final = {
    "maps": "",
    "vector": '''

def to_maps(output):
    """(N, C) -> (N, C, 1, 1)."""
    return output[:, :, None, None]

''',
    "channels last": '''

def to_maps(output):
    """(N, h, w, C) -> (N, C, h, w)."""
    return output.movedim(-1, 1)

''',
    "tokens": '''

def to_maps(tokens):
    """(N, tokens, C) -> (N, C, side, side), without a class token."""
    tokens = tokens[0] if isinstance(tokens, tuple) else tokens
    side = math.isqrt(tokens.shape[1])
    return tokens[:, -side * side :].unflatten(1, (side, side)).movedim(-1, 1)

''',
    "heads": '''

def to_maps(attention, tokens):
    """Where each head looks, seen from the class token if there is one: (N, heads, side, side)."""
    _, looked = attention(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)
    side = math.isqrt(tokens.shape[1])
    patches = looked[..., -side * side :]
    seen = patches[:, :, 0] if tokens.shape[1] > side * side else patches.mean(2)
    return seen.unflatten(-1, (side, side))

''',
}


def feature_code(fed: NetworkInput, layer: Layer, unit: int) -> str:
    """A script that saves the layer's maps (C, h, w) as `MAPS`, and one of them, signed, as `MAP`."""
    needs_math = layer.layout in ("tokens", "heads")
    imports = ["import matplotlib.pyplot as plt", *(["import math"] if needs_math else [])]
    runs = f"  # run {layer.call} of {layer.calls}" if layer.calls > 1 else ""
    if layer.layout == "heads":
        keep = "found.append(args[0].clone())"
        maps = f"with torch.no_grad():\n    maps = to_maps(layer, found[{layer.call - 1}])[0].numpy()"
    else:
        keep = "found.append((output[0] if isinstance(output, tuple) else output).clone())"
        given = f"found[{layer.call - 1}]"
        turned = given if layer.layout == "maps" else f"to_maps({given})"
        maps = f"maps = {turned}[0].numpy(){runs}  # ({layer.channels}, {layer.grid[0]}, {layer.grid[1]})"
    rest = f'''layer = model.get_submodule({json.dumps(layer.name, ensure_ascii=False)})
found = []


def keep(module, args, output):
    """A copy: a later layer may work in place."""
    {keep}


hook = layer.register_forward_hook(keep)
with torch.no_grad():
    scores = model(x)[0]
hook.remove()

{maps}
np.save("{MAPS}", maps)

chosen = maps[{unit}]
peak = max(abs(chosen.min()), abs(chosen.max()), 1e-12)
plt.imsave("{MAP}", chosen, cmap="RdBu_r", vmin=-peak, vmax=peak)  # white is zero
'''
    what = "head" if layer.layout == "heads" else "map"
    title = f"The {what}s of {layer.key} of {fed.card.title}, and {what} {unit} as a picture."
    return opening(fed).script(title, ["matplotlib"], imports, _TO_MAPS[layer.layout], rest)
