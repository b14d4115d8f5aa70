"""What a saliency method is: an entry of the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Method:
    """A way to turn a layer's maps and gradients into one map of evidence.

    Attributes:
        key: in links and registries: "grad_cam".
        name: as its paper writes it.
        paper: key of the paper in `explorer.references`.
        sentence: what it does, for somebody who sees it for the first time.
        function: activations and gradients, both (C, h, w), to a raw map (h, w), signed where the method is.
        package: the name of the same method in pytorch-grad-cam.
        needs_gradient: whether the map depends on the class at all.
        needs_positive: a sentence that is shown where the layer holds negative activations, which the
            method's derivation rules out; "" if it does not matter.
    """

    key: str
    name: str
    paper: str
    sentence: str
    function: Callable[[Tensor, Tensor], Tensor]
    package: str
    needs_gradient: bool = True
    needs_positive: str = ""
