"""What follows a sum of products, step by step: which numbers of a forward a step needs, and the step from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from explorer.data_flow import BATCH_NORMS, DataFlow, Node, Wanted, at, spread
from explorer.dry_run import operations
from explorer.unit_sources import Floats, Reals, Step

GROUP_NORM: Final = operations("native_group_norm")
NORMS: Final = GROUP_NORM | operations("native_layer_norm")
"""Normalisations by statistics of the picture itself."""

_TITLES: Final = {
    "relu": "ReLU",
    "hardswish": "Hardswish",
    "hardsigmoid": "hard sigmoid",
    "silu": "SiLU",
    "gelu": "GELU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "native_batch_norm": "batch norm",
    "cudnn_batch_norm": "batch norm",
    "native_layer_norm": "layer norm",
    "native_group_norm": "group norm",
}
_SIGNS: Final = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "_prelu_kernel": "PReLU"}


@dataclass(frozen=True, eq=False)
class Stretch:
    """One step of a path: `place` are its cells in the result, `main` is what goes on, joined with `other`."""

    flow: DataFlow
    node: Node
    place: Tensor
    main: Node
    other: Node | Tensor | None = None

    @property
    def wanted(self) -> dict[str, Wanted]:
        """The numbers of a forward that it needs."""
        node, index = self.node, at(self.node, self.place)
        wanted: dict[str, Wanted] = {"after": (node, index)}
        if isinstance(self.other, Node):
            wanted["other"] = self.other, at(self.other, spread(self.other, node, self.place))
        elif node.packet in NORMS:
            if node.packet in GROUP_NORM:
                where: tuple[Any, ...] = (index[0], index[1] // (node.shape[1] // node.args[6]))
            else:
                where = (*index[: len(node.shape) - len(node.args[1])], *(0 for _ in node.args[1]))
            # its other results: mean and 1 / deviation of this very picture
            first = self.flow.nodes.index(node) + 1
            wanted["mean"], wanted["scale"] = ((each, where) for each in self.flow.nodes[first : first + 2])
        return wanted

    def step(self, found: dict[str, Tensor]) -> Step:
        """The step with its numbers."""
        node, layer, after = self.node, self.flow.key(self.node), floats(found["after"])
        if not node.pointwise:
            scale, shift = self._affine(found)
            return Step(_TITLES[node.name], layer, after, lambda value: value * scale + shift, scale, shift)
        if self.other is None:
            return Step(_title(node), layer, after, self._again())
        if isinstance(self.other, Node):
            other, name = found["other"].double(), self.flow.key(self.other)
        else:
            known = self.other.detach().cpu().double().reshape(-1)
            other = known[spread(self.other, node, self.place)]
            name = self.flow.weight_name(self.other)
        title = _SIGNS.get(node.name, node.name)
        return Step(title, layer, after, self._again(other), other=other.numpy(), other_layer=name)

    def _again(self, other: Tensor | None = None) -> Callable[[Reals], Reals]:
        """The same operation on other numbers."""

        def apply(value: Reals) -> Reals:
            given = torch.from_numpy(value.copy())
            known = {id(self.other): other, id(self.main): given}
            args = [known.get(id(arg), arg) for arg in self.node.args]
            result: Reals = self.node.function(*args, **(self.node.kwargs or {})).numpy()
            return result

        return apply

    def _affine(self, found: dict[str, Tensor]) -> tuple[Reals, Reals]:
        """A normalisation as a factor and a term for each cell, float64 (h, w)."""
        node, index = self.node, at(self.node, self.place)
        channel, weights = index[1:2], node.args[1:3]
        if node.packet in NORMS - GROUP_NORM:
            channel, weights = index[len(node.shape) - len(node.args[1]) :], node.args[2:4]
        weight, bias = (None if each is None else each.detach().cpu().double()[channel] for each in weights)
        if node.packet in BATCH_NORMS:
            mean, variance = (each.detach().cpu().double()[channel] for each in node.args[3:5])
            scale = torch.rsqrt(variance + node.args[7])
        else:
            mean, scale = found["mean"].double(), found["scale"].double()
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        return scale.numpy(), shift.numpy()


def _title(node: Node) -> str:
    """An activation's name, with its limits."""
    name = node.name
    if name == "hardtanh" and tuple(node.args[1:3]) == (0, 6):
        return "ReLU6"
    numbers = [arg for arg in node.args[1:] if isinstance(arg, int | float) and not isinstance(arg, bool)]
    if name == "rsub" and numbers:
        return f"{numbers[0]:g} − x"
    if name in _SIGNS and numbers:
        return f"{_SIGNS[name]} {numbers[0]:g}"
    title = _TITLES.get(name, name)
    return f"{title}({', '.join(f'{number:g}' for number in numbers)})" if numbers else title


def floats(tensor: Tensor) -> Floats:
    """Numbers of a forward as an array."""
    made: Floats = tensor.detach().float().contiguous().numpy()
    return made
