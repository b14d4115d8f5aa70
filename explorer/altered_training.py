"""A network that trains in another way: activations in place or not, half numbers by autocast, blocks checkpointed.

The changes are made to a copy that has shapes and no numbers (`explorer.dry_run`), whose memory is then measured.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.checkpoint import checkpoint

from explorer.errors import ModelError
from explorer.network_runs import Calls

HALVED: Final = frozenset(
    {
        *(f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)),
        *("linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "mv", "einsum"),
        *("scaled_dot_product_attention", "multi_head_attention_forward", "prelu"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"),
    }
)
"""What autocast gives half numbers on a CUDA GPU: what multiplies matrices.

Source: https://docs.pytorch.org/docs/stable/amp.html
"""

WIDENED: Final = frozenset(
    {
        *("layer_norm", "group_norm", "local_response_norm", "softmax", "log_softmax", "softmin", "softplus"),
        *(
            "exp",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "pow",
            "__pow__",
            "__rpow__",
            "rsqrt",
            "reciprocal",
        ),
        *(
            "sum",
            "prod",
            "cumsum",
            "cumprod",
            "norm",
            "dist",
            "cosh",
            "sinh",
            "tan",
            "acos",
            "asin",
            "erfinv",
        ),
        *("cosine_similarity", "cosine_embedding_loss", "cross_entropy", "nll_loss", "mse_loss", "l1_loss"),
    }
)
"""What autocast keeps in float32 on a CUDA GPU: where half numbers would lose too much."""

_SWITCHED: Final = frozenset({"relu", "relu6", "leaky_relu", "hardtanh"})
"""Functions of the ReLU family that can write over their input."""


def blocks(network: nn.Module) -> tuple[str, ...]:
    """What of a network can be checkpointed block by block, in the order of its modules.

    The outermost modules of a class that the network has more than once; where nothing repeats, the chains of an
    `nn.Sequential`, cut behind each pooling, as slices: "features[0:5]".

    >>> blocks(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU()))
    ('[0:3]', '[3:5]')
    """
    kinds = Counter(type(module) for module in network.modules() if _is_block(module))
    repeated = {kind for kind, times in kinds.items() if times > 1}
    found = tuple(_outermost(network, "", repeated))
    return found or tuple(_slices(network, ""))


def altered(
    network: nn.Module,
    *,
    in_place: bool | None = None,
    half: torch.dtype | None = None,
    checkpointed: Collection[str] = (),
    without_numbers: bool = True,
) -> nn.Module:
    """Changes how a copy of a network runs; the copy itself is given back.

    Args:
        network: nobody else's.
        in_place: whether activations of the ReLU family write over their input; None: as they are written.
        half: autocast to this type, as CUDA does it; None: no autocast.
        checkpointed: some of `blocks`: what is inside is not kept but computed again in the backward.
        without_numbers: whether the network is on the meta device.

    Raises:
        ModelError: there is no such block.
    """

    def mode() -> AbstractContextManager[Any]:
        return nullcontext() if in_place is None and half is None else _Altered(in_place, half)

    def again() -> AbstractContextManager[Any]:
        # what is on in the forward must be on again when the backward repeats it
        return _Entered(Calls, mode) if without_numbers else mode()

    for path in checkpointed:
        _checkpoint(network, path, again)
    forward = network.forward

    def run(*args: Any, **kwargs: Any) -> Any:
        with mode():
            return forward(*args, **kwargs)

    network.forward = run
    return network


# Other functions in place of those that are called --------------------------------------------------


class _Altered(TorchFunctionMode):
    """Calls functions of torch with other arguments; innermost, so that what watches sees what happens."""

    def __init__(self, in_place: bool | None, half: torch.dtype | None) -> None:
        super().__init__()
        self.in_place, self.half = in_place, half
        self.cast: dict[int, tuple[Tensor, Tensor]] = {}  # autocast casts each weight once a pass

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.half is not None and name in HALVED:
            args, kwargs = tree_map(partial(self._to, self.half), (args, kwargs))
        elif self.half is not None and name in WIDENED:
            args, kwargs = tree_map(partial(self._to, torch.float32), (args, kwargs))
        if self.in_place is not None and name in _SWITCHED:
            func, args, kwargs = self._switched(func, name, args, kwargs)
        return func(*args, **kwargs)

    def _to(self, dtype: torch.dtype, value: Any) -> Any:
        if (
            not isinstance(value, Tensor)
            or not value.is_floating_point()
            or value.dtype
            in (
                dtype,
                torch.float64,
            )
        ):
            return value
        if not (value.is_leaf and value.requires_grad):
            return value.to(dtype)
        if id(value) not in self.cast:
            self.cast[id(value)] = value, value.to(dtype)
        return self.cast[id(value)][1]

    def _switched(
        self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        if getattr(func, "__module__", "") != "torch.nn.functional":
            return (getattr(torch, f"{name}_"), args, kwargs) if self.in_place else (func, args, kwargs)
        return func, args, {**kwargs, "inplace": self.in_place}  # by name, however the caller wrote it


# Checkpointing --------------------------------------------------------------------------------------


def _checkpoint(network: nn.Module, path: str, again: Callable[[], AbstractContextManager[Any]]) -> None:
    whole, start, end = _read(path)
    try:
        module = network.get_submodule(whole)
    except AttributeError:
        raise ModelError(f"The network has no block “{path}”.") from None
    if end is None:
        module.forward = partial(_kept_as_inputs, module.forward, again)
    elif isinstance(module, nn.Sequential) and start < end <= len(module):
        _checkpoint_slice(module, range(start, end), again)
    else:
        raise ModelError(f"The network has no block “{path}”.")


def _checkpoint_slice(
    chain: nn.Sequential, places: range, again: Callable[[], AbstractContextManager[Any]]
) -> None:
    before: Callable[[Any], Any] = getattr(chain, "_links", None) or _Links(list(chain))
    assert isinstance(before, _Links)
    before.slices[places.start] = places.stop
    before.again = again
    chain.__dict__["_links"] = before
    chain.forward = before  # type: ignore[method-assign]


class _Links:
    """The forward of a chain, some slices of which are checkpointed."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = modules
        self.slices: dict[int, int] = {}
        self.again: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __call__(self, x: Any) -> Any:
        place = 0
        while place < len(self.modules):
            end = self.slices.get(place, place + 1)
            if place in self.slices:
                x = _kept_as_inputs(partial(self._run, place, end), self.again, x)
            else:
                x = self._run(place, end, x)
            place = end
        return x

    def _run(self, start: int, end: int, x: Any) -> Any:
        for module in self.modules[start:end]:
            x = module(x)
        return x


def _kept_as_inputs(
    forward: Callable[..., Any], again: Callable[[], AbstractContextManager[Any]], *args: Any, **kwargs: Any
) -> Any:
    """Runs a block of which only the inputs are kept, however they are wrapped."""
    given, form = tree_flatten((args, kwargs))

    def run(*flat: Any) -> Any:
        positional, named = tree_unflatten(flat, form)
        return forward(*positional, **named)

    return checkpoint(
        run,
        *given,
        use_reentrant=False,
        preserve_rng_state=False,  # no matter for memory, and the meta device has none
        context_fn=lambda: (nullcontext(), again()),
    )


class _Entered(AbstractContextManager[None]):
    """Contexts that are made and entered one in the other when this is entered."""

    def __init__(self, *made: Callable[[], AbstractContextManager[Any]]) -> None:
        self.made, self.stack = made, ExitStack()

    def __enter__(self) -> None:
        for make in self.made:
            self.stack.enter_context(make())

    def __exit__(self, *error: Any) -> None:
        self.stack.close()


# Blocks ---------------------------------------------------------------------------------------------


_SLICE: Final = re.compile(r"(.*)\[(\d+):(\d+)\]")


def _read(path: str) -> tuple[str, int, int | None]:
    if found := _SLICE.fullmatch(path):
        return found[1], int(found[2]), int(found[3])
    return path, 0, None


def _is_block(module: nn.Module) -> bool:
    lists = nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.MultiheadAttention, nn.RNNBase
    return type(module) not in lists and next(module.children(), None) is not None


def _outermost(module: nn.Module, path: str, kinds: Collection[type]) -> Iterator[str]:
    for name, child in module.named_children():
        inside = f"{path}.{name}".removeprefix(".")
        if type(child) in kinds:
            yield inside
        else:
            yield from _outermost(child, inside, kinds)


def _slices(module: nn.Module, path: str) -> Iterator[str]:
    children = list(module.children())
    if type(module) is nn.Sequential and not any(map(_has_children, children)):
        cuts = [at + 1 for at, child in enumerate(children) if "Pool" in type(child).__name__]
        cuts = sorted({0, *cuts, len(children)})
        if len(cuts) == 2:  # nothing pools: as many slices as there are modules in one
            length = round(len(children) ** 0.5) or 1
            cuts = [*range(0, len(children), length), len(children)]
        yield from (f"{path}[{a}:{b}]" for a, b in pairwise(cuts) if b - a > 1)
    else:
        for name, child in module.named_children():
            yield from _slices(child, f"{path}.{name}".removeprefix("."))


def _has_children(module: nn.Module) -> bool:
    return next(module.children(), None) is not None
