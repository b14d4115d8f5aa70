"""Running a network that has shapes but no numbers, while followers watch every elementary operation.

On torch's meta device a tensor is its shape, type and strides: nothing is computed and nothing allocated, so that
a network of any size runs in milliseconds.  What watches is this thread's own: two threads never see each other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operation(NamedTuple):
    """One elementary operation that has run.

    Attributes:
        function: torch's own, such as `torch.ops.aten.convolution.default`.
        args, kwargs: what it was called with.
        result: what it gave.
        inputs: the tensors among its arguments.
        outputs: the tensors in its result.
    """

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells its followers of every elementary operation of this thread, in the order of their run."""

    def __init__(self, *followers: Callable[[Operation], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.followers = followers

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        operation = Operation(func, args, kwargs, result, tensors((args, kwargs)), tensors(result))
        for follow in self.followers:
            follow(operation)
        return result


_ops: Any = torch.ops.aten


def operations(names: str) -> frozenset[Any]:
    """Operations of aten, in all of their overloads, by their names."""
    return frozenset(getattr(_ops, name) for name in names.split())


_UNTAGGED: Final = operations(
    "hardswish hardswish_ _prelu_kernel celu_ elu_ hardsigmoid_ hardtanh_ leaky_relu leaky_relu_ selu_"
)
"""Pointwise, though torch does not tag them so; torch 2.11 the last seven, newer ones no more than the first three."""
_COUNTED: Final = {
    # torch 2.11 counts nothing of what attention runs as on the CPU
    _ops._scaled_dot_product_flash_attention_for_cpu: _ops._scaled_dot_product_flash_attention,
}


def is_pointwise(function: Any) -> bool:
    """Whether each element that an operation gives follows from those in its place alone."""
    return torch.Tag.pointwise in getattr(function, "tags", ()) or (
        getattr(function, "overloadpacket", None) in _UNTAGGED
    )


def macs_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
    """The multiplications of an operation that has run; None of one that torch does not count."""
    packet = function.overloadpacket
    count = flop_registry.get(_COUNTED.get(packet, packet))
    return None if count is None else count(*args, **kwargs, out_val=result) // 2


def tensors(value: Any) -> tuple[Tensor, ...]:
    """The tensors anywhere inside lists, tuples, dictionaries and dataclasses."""
    found: list[Tensor] = []
    _collect(value, found)
    return tuple(found)


def _collect(value: Any, found: list[Tensor]) -> None:
    # torch's own tree_leaves takes half of the time of a profile
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, list | tuple):
        for each in value:
            _collect(each, found)
    elif isinstance(value, dict):
        for each in value.values():
            _collect(each, found)
    elif is_dataclass(value) and not isinstance(value, type):
        for entry in fields(value):
            _collect(getattr(value, entry.name), found)


def without_weights(network: nn.Module) -> nn.Module:
    """A copy whose parameters, buffers and other tensors have shapes alone; the network may be in use.

    Parameters that are shared stay shared, those that are not trained stay so.
    """
    twins: dict[int, Any] = {}
    for module in network.modules():
        own = {key: value for key, value in vars(module).items() if not key.startswith("_")}
        for tensor in tensors([*module._buffers.values(), own]):
            twins.setdefault(id(tensor), _bare(tensor))
        for parameter in module._parameters.values():
            if parameter is not None and id(parameter) not in twins:
                lazy = nn.parameter.is_lazy(parameter)
                twins[id(parameter)] = (
                    _bare(parameter)
                    if lazy
                    else nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
                )
    return copy.deepcopy(network, twins)


def _bare(tensor: Tensor) -> Tensor:
    if nn.parameter.is_lazy(tensor):
        kind: Any = type(tensor)
        empty: Tensor = kind(device="meta")
        return empty
    return torch.empty_like(tensor, device="meta")


def weights_of(network: nn.Module) -> list[Tensor]:
    """Parameters and buffers that have a shape: those of lazy layers get theirs when they first run."""
    return [
        tensor for tensor in [*network.parameters(), *network.buffers()] if not nn.parameter.is_lazy(tensor)
    ]


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`scaled_dot_product_attention` as real devices run it.

    On the meta device torch falls back to plain multiplications, which keep a tokens × tokens matrix that no
    real device keeps.
    """
    alike = query.dim() == key.dim() == value.dim() == 4 and query.shape[-1] == value.shape[-1]
    if not alike or dropout_p or enable_gqa or query.shape[:2] != key.shape[:2]:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    fused: Tensor = _ops._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, attn_mask=attn_mask, scale=scale
    )[0]
    return fused


_body: Any = functional.multi_head_attention_forward
multi_head_attention: Final[Any] = FunctionType(
    _body.__code__,
    {**vars(functional), "has_torch_function": lambda tensors: False},
    _body.__name__,
    _body.__defaults__,
)
"""torch's own, in a copy that a torch function mode can stay switched on in: so that it meets `attention`."""
multi_head_attention.__kwdefaults__ = _body.__kwdefaults__


class WithoutMemory(TorchFunctionMode):
    """While it lasts, new tensors have a shape and no memory.  It holds for this thread alone.

    `torch.device("meta")` does the same for every tensor, also those that a builder counts with: RegNet's
    widths come from `torch.tensor(…).tolist()`, which has no answer there.  What is given values stays.
    """

    _WITHOUT_VALUES: Final = frozenset(
        {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
    )

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in self._WITHOUT_VALUES and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        return function(*args, **kwargs)
