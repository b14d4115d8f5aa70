"""Networks with seeded weights, and pytorch-grad-cam's maps of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
import torchvision.models
from torch import Tensor, nn
from torchvision.models.maxvit import MaxVit

from explorer.models import DEFAULT_MODEL, build_network, card


def embedded() -> nn.Module:
    """The installed network, of one's own: not the one that sessions share."""
    return build_network(card(DEFAULT_MODEL), None)


def seeded(name: str, seed: int = 0) -> nn.Module:
    """A torchvision network with random weights, the same on each call, none of its matrices all zero.

    "maxvit_small" is a narrow MaxViT, since the smallest that torchvision names takes seconds a picture.
    """
    torch.manual_seed(seed)
    if name == "maxvit_small":
        return MaxVit((224, 224), 16, 7, [16, 16, 32, 64], [1, 1, 1, 1], 16, 0.0, num_classes=1000).eval()
    # These two would fill their weights with scipy's slow truncated normal, and warn of it.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1 and not parameter.any():  # ViT's head: every gradient would be zero
                parameter.normal_(0, 0.02)
    return network


def pictures(count: int, size: int = 224, seed: int = 0) -> Tensor:
    """Seeded noise with the coarse structure of a picture, (count, 3, size, size)."""
    noise = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(noise, (size, size), mode="bicubic")


def package_maps(
    kind: str, network: nn.Module, layer: str, x: Tensor, classes: list[int]
) -> np.ndarray[Any, Any]:
    """pytorch-grad-cam's maps before its ReLU and scaling, (N, h, w), one class for each picture.

    It differentiates the weights, so they are made to ask for gradients.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports' own
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network.requires_grad_(True)
    targets = [ClassifierOutputTarget(index) for index in classes]
    module = network.get_submodule(layer)
    with getattr(pytorch_grad_cam, kind)(network, [module], reshape_transform=_to_grid(network)) as package:
        package(x, targets)
        seen = package.activations_and_grads
        gradients = seen.gradients[0].numpy() if package.uses_gradients else None
        return package.get_cam_image(x, module, targets, seen.activations[0].numpy(), gradients, False)


def _to_grid(network: nn.Module) -> Any:
    """`reshape_transform` as the package's own examples for ViT and Swin write it."""
    kind = type(network).__name__
    if kind == "VisionTransformer":
        side = network.image_size // network.patch_size
        return lambda t: t[:, 1:, :].reshape(t.size(0), side, side, t.size(2)).transpose(2, 3).transpose(1, 2)
    if kind == "SwinTransformer":
        return lambda t: t.transpose(2, 3).transpose(1, 2)
    return None
