"""Class activation maps: sums of a layer's maps, weighted by what their gradients say of the class.

Symbols: A (C, h, w) the activations, G (C, h, w) the gradient of the class's logit with respect to them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explorer.saliency.method import Method

_DEAD = 1e-7
"""A map whose sum is smaller than this weighs nothing: dividing by it would."""


def grad_cam(A: Tensor, G: Tensor) -> Tensor:
    """Σ_c mean(G_c) · A_c.

    Source: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.
    """
    return torch.einsum("c,chw->hw", G.mean((1, 2)), A)


def hires_cam(A: Tensor, G: Tensor) -> Tensor:
    """Σ_c G_c · A_c, place by place.

    Source: Draelos & Carin 2020, arXiv:2011.08891.
    """
    return (G * A).sum(0)


def layer_cam(A: Tensor, G: Tensor) -> Tensor:
    """Σ_c ReLU(G_c) · A_c, place by place.

    Source: Jiang et al. 2021, IEEE TIP 30, equations 5 to 7.
    """
    return (G.relu() * A).sum(0)


def grad_cam_plus_plus(A: Tensor, G: Tensor) -> Tensor:
    """Σ_c w_c · A_c with w_c = Σ α · ReLU(G_c) and α = 1 / (2 + ΣA_c · G).

    The paper's α = G² / (2G² + ΣA_c · G³) divided through by G²: no powers, so that small gradients do not
    underflow.  For A ≥ 0 the denominator is at least 2 wherever G > 0; places where negative activations push
    it to zero or below are left out.

    Source: Chattopadhay et al. 2018, arXiv:1710.11063, equation 19.
    """
    denominator = 2 + A.sum((1, 2), keepdim=True) * G
    weights = torch.where((G > 0) & (denominator > 0), G / denominator, 0).sum((1, 2))
    return torch.einsum("c,chw->hw", weights, A)


def xgrad_cam(A: Tensor, G: Tensor) -> Tensor:
    """Σ_c w_c · A_c with w_c = Σ G_c · A_c / ΣA_c: the gradient's mean, weighted by the activation.

    Source: Fu et al. 2020, arXiv:2008.02312, equation 8.
    """
    total = A.sum((1, 2))
    weights = torch.where(total.abs() > _DEAD, (G * A).sum((1, 2)) / total, 0)
    return torch.einsum("c,chw->hw", weights, A)


def eigen_cam(A: Tensor, G: Tensor) -> Tensor:
    """The projection of each place's C numbers on their first principal component; the same for every class.

    Solved on the smaller of the two products of the (h·w, C) matrix with itself: 0.3 ms where the singular
    values of the whole take 75 to 1,251.  A component has no sign; the larger peak is made positive.

    Source: Muhammad & Yeasin 2020, arXiv:2008.00299.
    """
    places = A.flatten(1).T.cpu().double()  # Apple's GPU has no float64
    places = places - places.mean(0)
    if len(places) <= places.shape[1]:
        values, vectors = torch.linalg.eigh(places @ places.T)
        projection = vectors[:, -1] * values[-1].clamp(min=0).sqrt()
    else:
        projection = places @ torch.linalg.eigh(places.T @ places)[1][:, -1]
    if projection.max() < -projection.min():
        projection = -projection
    heat: Tensor = projection.view(A.shape[1:]).float()
    return heat


_SIGNED = "this layer holds negative activations, which its derivation rules out: read it with care."

METHODS = (
    Method(
        "grad_cam",
        "Grad-CAM",
        "selvaraju2017",
        "Adds up the layer's feature maps, each weighted by how much the class's score rises with it, and keeps "
        "the positive part.",
        grad_cam,
        "GradCAM",
    ),
    Method(
        "hires_cam",
        "HiResCAM",
        "draelos2020",
        "Gradient times activation at each place: what the map shows is what the score is made of.",
        hires_cam,
        "HiResCAM",
    ),
    Method(
        "layer_cam",
        "LayerCAM",
        "jiang2021",
        "Like HiResCAM, but only where more activation would raise the score; sharp in shallow layers too.",
        layer_cam,
        "LayerCAM",
    ),
    Method(
        "grad_cam_plus_plus",
        "Grad-CAM++",
        "chattopadhay2018",
        "Weighs positive gradients so that several objects of the class all light up.",
        grad_cam_plus_plus,
        "GradCAMPlusPlus",
        needs_positive=f"Grad-CAM++: {_SIGNED}",
    ),
    Method(
        "xgrad_cam",
        "XGrad-CAM",
        "fu2020",
        "Grad-CAM whose average gradient is taken where the map is active.",
        xgrad_cam,
        "XGradCAM",
        needs_positive=f"XGrad-CAM: {_SIGNED}",
    ),
    Method(
        "eigen_cam",
        "Eigen-CAM",
        "muhammad2020",
        "What varies most between places, without asking for any class.",
        eigen_cam,
        "EigenCAM",
        needs_gradient=False,
    ),
)
"""Grad-CAM first: the one to begin with."""
