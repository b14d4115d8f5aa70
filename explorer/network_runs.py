"""One forward pass of a network without numbers: the rows that it leaves, and what flows between them.

Forward hooks on the copy tell which module is running; a torch function mode tells which function of torch a
container calls itself; a dispatch mode (`explorer.dry_run`) tells of each elementary operation inside.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.dry_run import Operation, Watching, attention, macs_of, multi_head_attention, tensors
from explorer.field_tracing import Field, Tracer
from explorer.layer_words import mac_term, settings_of
from explorer.live_memory import Holdings
from explorer.network_failures import Failure, explain, misfit, without_output

Shape = tuple[int, ...]
"""Sizes of a tensor, without its batch axis where that is the first."""

INPUT: Final = -1
"""Stands for the network's input among the rows."""

Role = Literal["container", "layer", "operation"]
"""A container has rows inside; a layer is a module without; an operation is no module."""

Key = tuple[str, int]
"""A row by its path and its call."""

_LAYERS: Final = (nn.MultiheadAttention, nn.RNNBase)
"""Modules that are one row though they may have others inside."""

_UNCHECKED: Final = (nn.modules.conv._ConvTransposeNd, nn.Softmax, nn.LogSoftmax, nn.Softmin)
"""Modules that torch runs on the meta device with inputs that it refuses on any other."""

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"{prefix}{name}": name for name in ("add", "sub", "mul", "matmul", "pow") for prefix in "ri"},
        **dict.fromkeys(("truediv", "rtruediv", "itruediv"), "div"),
        "getitem": "index",
        "multi_head_attention_forward": "multi_head_attention",
    }
)
"""Names of operations as they are shown, where Python's or torch's own says less."""

_BLANK: Final = frozenset(
    f"{prefix}{name}{suffix}"
    for prefix, suffix in (("new_", ""), ("", "_like"))
    for name in ("zeros", "ones", "full", "empty", "empty_strided", "rand", "randn")
)
"""Operations that take a tensor's size and type alone: no data flow through them."""

_VIEWS: Final = frozenset({"flatten", "view", "reshape"})

Source = Any
"""What a tensor comes from: a `Draft`, a parameter by its id, or `INPUT`."""


@dataclass(eq=False)
class Draft:
    """A row that is being written."""

    path: str
    kind: str
    role: Role
    depth: int
    call: int
    parent: Draft | None
    module: nn.Module | None = None
    settings: str = ""
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    arrived: tuple[Tensor, ...] = ()
    storages: frozenset[int] = frozenset()
    shares: bool = False
    bytes: int = 0
    macs: int = 0
    terms: list[str] = field(default_factory=list)
    weights: list[nn.Parameter] = field(default_factory=list)
    buffers: int = 0
    saved: int = 0
    reach: Field | None = None
    sources: set[Source] = field(default_factory=set)
    wrote: bool = False
    shown: bool = True


def _shape(tensor: Tensor) -> Shape:
    shape = tuple(tensor.shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


class Run:
    """One forward pass of a copy, and the rows that it leaves."""

    def __init__(self, twin: nn.Module) -> None:
        self.twin = twin
        self.drafts: list[Draft] = []
        self.stack: list[Draft] = []
        self.calls: dict[str, int] = {}
        self.parameters = {id(parameter): parameter for parameter in twin.parameters()}
        self.owned: dict[nn.Module, tuple[list[nn.Parameter], list[Tensor]]] = {}
        self.used: set[int] = set()
        self.counted: set[int] = set()
        self.sources: Any = WeakTensorKeyDictionary()
        self.written: dict[int, tuple[weakref.ref[Any], frozenset[Source]]] = {}
        self.tracer = Tracer()
        self.holdings = Holdings.beside(twin)
        self.result: Any = None
        self.kept: dict[int, torch.UntypedStorage] = {}

    def forward(self, picture: Tensor, *, training: bool = False) -> Failure | None:
        """Runs the network, in training for autograd too; why it failed, if it did."""
        self.holdings.add(picture, "input")
        self.sources[picture] = frozenset({INPUT})
        if picture.dim() == 4 and not training:
            self.tracer.start(picture)
        try:
            with ExitStack() as stack:
                stack.callback(_unhook, self._hooked())
                stack.enter_context(
                    torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)
                    if training
                    else torch.no_grad()
                )
                stack.enter_context(Calls(self))
                stack.enter_context(Watching(self.tracer.follow, self.holdings.follow, self.follow))
                self.result = self.twin(picture)
                if not tensors(self.result):
                    return without_output(type(self.twin).__name__, self.result)
        except Exception as error:
            top = self.stack[-1] if self.stack else self._opened("", self.twin, (picture,))
            if top.role == "operation":
                self.drafts.append(top)
            if top.role != "container":  # it gave nothing that `follow` could see, but data came to it
                top.sources |= frozenset().union(*map(self._sources_of, top.arrived)) - {top}
            self._cut()
            return explain(error, top.path, top.kind, top.module, top.arrived)
        return None

    def _cut(self) -> None:
        """What is open has failed: it holds what ran inside, and what failed itself holds nothing."""
        for draft in reversed(self.stack):
            inside = [each for each in self.drafts if each.parent is draft]
            draft.weights = [weight for each in inside for weight in each.weights]
            draft.buffers = sum(each.buffers for each in inside)

    def _keep(self, tensor: Tensor) -> Tensor:
        """Autograd keeps a tensor for the backward: its storage counts once, for who keeps it first."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.kept and storage._cdata not in self.holdings.ignored:
            self.kept[storage._cdata] = storage
            (self.stack[-1] if self.stack else self.drafts[0]).saved += storage.nbytes()
        return tensor

    def saved(self) -> dict[Key, int]:
        """Bytes kept for the backward by row, those of a container with all inside."""
        inside = self.inside({draft: draft.saved for draft in self.drafts})
        return {(draft.path, draft.call): size for draft, size in inside.items()}

    def inside(self, own: Mapping[Draft, int]) -> dict[Draft, int]:
        """A number of each row, with those of all rows that stand in it."""
        total = dict(own)
        for draft in reversed(self.drafts):
            if draft.parent is not None:
                total[draft.parent] += total[draft]
        return total

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """From row to row; `INPUT` is the picture.  Ascending by the second, then by the first."""
        place: dict[Source, int] = {draft: number for number, draft in enumerate(self.drafts)}
        place[INPUT] = INPUT
        edges = {
            (place[source], place[draft])
            for draft in self.drafts
            if draft.role != "container"
            for source in self._seen(draft.sources)
            if source in place
        }
        return tuple(sorted(edges, key=lambda edge: edge[::-1]))

    def _hooked(self) -> list[Any]:
        """Hooks on all modules of the copy but those inside layers."""
        handles: list[Any] = []
        inside: set[nn.Module] = set()
        for name, module in self.twin.named_modules():
            if module in inside:
                continue
            if isinstance(module, _LAYERS):
                inside.update(module.modules())
            handles.append(module.register_forward_pre_hook(partial(self._open, name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._close, with_kwargs=True))
        return handles

    # rows

    def _new(self, path: str, kind: str, role: Role, arrived: tuple[Tensor, ...]) -> Draft:
        call = self.calls.get(path, 0)
        parent = self.stack[-1] if self.stack else None
        return Draft(
            path,
            kind,
            role,
            len(self.stack),
            call,
            parent,
            inputs=tuple(map(_shape, arrived)),
            arrived=arrived,
            storages=frozenset(tensor.untyped_storage()._cdata for tensor in arrived),
        )

    def _opened(self, path: str, module: nn.Module, arrived: tuple[Tensor, ...]) -> Draft:
        whole = isinstance(module, _LAYERS) or next(module.children(), None) is None
        if module is self.twin and not type(module).__module__.startswith("torch."):
            whole = False  # written in functions alone: those are its rows
        draft = self._new(path, type(module).__name__, "layer" if whole else "container", arrived)
        draft.module, draft.settings = module, settings_of(module)
        weights, buffers = self._owned(module)
        draft.weights = [weight for weight in weights if id(weight) not in self.used]
        if whole:
            self.used.update(map(id, draft.weights))
        fresh = [buffer for buffer in buffers if id(buffer) not in self.counted]
        draft.buffers = sum(buffer.numel() for buffer in fresh)
        if whole:
            self.counted.update(map(id, fresh))
        self.calls[path] = draft.call + 1
        self.drafts.append(draft)
        self.stack.append(draft)
        return draft

    def _open(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        with torch._C.DisableTorchFunction():  # our own questions are no operations of the network
            draft = self._opened(path, module, tensors((args, kwargs)))
            if isinstance(module, _UNCHECKED) and misfit(module, [tuple(x.shape) for x in draft.arrived]):
                raise RuntimeError("the input does not fit")

    def _close(self, module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
        with torch._C.DisableTorchFunction():
            draft = self.stack[-1]
            passed = isinstance(result, Tensor) and draft not in self.sources.get(result, ())
            if draft.role == "layer" and passed and not self.twin.training:
                # what comes in goes out: another tensor, so that whoever reads it is seen to read this layer's
                result = torch.ops.aten.alias(result)
            self._finish(draft, tensors(result))
            if draft.role == "container":
                weights, buffers = self._owned(module)
                self.used.update(map(id, weights))
                self.counted.update(map(id, buffers))
            return result

    def _owned(self, module: nn.Module) -> tuple[list[nn.Parameter], list[Tensor]]:
        """Parameters and buffers of a module and of all inside, each once."""
        if module not in self.owned:
            found: tuple[dict[int, nn.Parameter], dict[int, Tensor]] = (
                {
                    id(each): each
                    for each in module._parameters.values()
                    if each is not None and not is_lazy(each)
                },
                {
                    id(each): each
                    for each in module._buffers.values()
                    if each is not None and not is_lazy(each)
                },
            )
            for child in module._modules.values():
                if child is not None:
                    inside = self._owned(child)
                    found[0].update({id(each): each for each in inside[0]})
                    found[1].update({id(each): each for each in inside[1]})
            self.owned[module] = list(found[0].values()), list(found[1].values())
        return self.owned[module]

    def _finish(self, draft: Draft, outputs: tuple[Tensor, ...]) -> None:
        draft.outputs = tuple(map(_shape, outputs))
        new = {
            storage._cdata: storage.nbytes()
            for storage in (output.untyped_storage() for output in outputs)
            if storage._cdata not in draft.storages
        }
        draft.shares = bool(outputs) and not new
        draft.bytes = sum(new.values())
        draft.reach = self.tracer.field(outputs[0]) if outputs else None
        draft.arrived = ()  # tensors that a row held would count as alive
        self.stack.pop()

    def begin(self, name: str, arrived: tuple[Tensor, ...]) -> Draft:
        """An operation that a container calls."""
        name = name.strip("_")
        name = _NAMES.get(name, name)
        path = f"{self.stack[-1].path}.{name}".removeprefix(".")
        draft = self._new(path, name, "operation", arrived)
        self.stack.append(draft)
        return draft

    def end(self, draft: Draft, result: Any) -> None:
        """What it gave; it is a row if something new comes of the picture."""
        outputs = tensors(result)
        self._finish(draft, outputs)
        reached = any(not isinstance(source, int) or source == INPUT for source in self._seen(draft.sources))
        flat = draft.kind in _VIEWS and _flattens(draft)
        draft.shown = bool(outputs) and (draft.macs > 0 or (reached and (flat or not _viewed(draft))))
        if draft.shown:
            if flat:
                self._rename(draft, "flatten")
            draft.weights = [
                self.parameters[source]
                for source in self._seen(draft.sources)
                if source in self.parameters and source not in self.used
            ]
            self.used.update(map(id, draft.weights))
            self.calls[draft.path] = draft.call + 1
            self.drafts.append(draft)
        elif draft.parent is not None:
            draft.parent.saved += draft.saved

    def _rename(self, draft: Draft, name: str) -> None:
        draft.path = draft.path[: len(draft.path) - len(draft.kind)] + name
        draft.kind, draft.call = name, self.calls.get(draft.path, 0)

    # what each operation does

    def follow(self, operation: Operation) -> None:
        """Counts multiplications, and notes where the data come from and go to."""
        if not self.stack:
            return
        draft = self.stack[-1]
        macs = macs_of(operation.function, operation.args, operation.kwargs, operation.result)
        if macs is not None:
            draft.macs += macs
            draft.terms.append(mac_term(operation) or f"{macs:,}")
        if operation.function._overloadpacket.__name__ in _BLANK:
            return
        sources = frozenset().union(*map(self._sources_of, operation.inputs))
        draft.sources |= sources - {draft}
        if not sources:
            return
        label = frozenset({draft}) if draft.role != "container" else sources
        for output in operation.outputs:
            if any(output is tensor for tensor in operation.inputs):
                draft.wrote = True
                self._overwritten(output, label)
            self.sources[output] = label

    def _sources_of(self, tensor: Tensor) -> frozenset[Source]:
        if id(tensor) in self.parameters:
            return frozenset({id(tensor)})
        found: frozenset[Source] | None = self.sources.get(tensor)
        return self._written(tensor.untyped_storage()) if found is None else found

    def _written(self, storage: torch.UntypedStorage) -> frozenset[Source]:
        """Who wrote into a storage; its address may have been another's before."""
        holder, label = self.written.get(storage._cdata, (None, frozenset()))
        return label if holder is not None and holder() is storage else frozenset()

    def _overwritten(self, tensor: Tensor, label: frozenset[Source]) -> None:
        """Other views of what was written in place come from its writer too."""
        storage, size = tensor.untyped_storage(), tensor.numel()
        address = storage._cdata
        self.written[address] = weakref.ref(storage), self._written(storage) | label
        for other in list(self.sources):
            if other is not tensor and other.untyped_storage()._cdata == address:
                whole = size >= other.numel()
                self.sources[other] = label if whole else self.sources[other] | label

    def _seen(self, sources: set[Source] | frozenset[Source]) -> set[Source]:
        """Sources as rows: through operations that have none."""
        found: set[Source] = set()
        for source in sources:
            if isinstance(source, Draft) and not source.shown:
                found |= self._seen(source.sources)
            else:
                found.add(source)
        return found


def _viewed(draft: Draft) -> bool:
    """Whether an operation only looks at what it got in another way; writing over it is more than that."""
    return draft.shares and not draft.wrote


def _flattens(draft: Draft) -> bool:
    return (
        len(draft.outputs) == 1 and len(draft.outputs[0]) == 1 and max(map(len, draft.inputs), default=0) > 1
    )


def _unhook(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()


class Calls(TorchFunctionMode):
    """Sees the functions of torch that a container calls, and gives attention the form of real devices."""

    def __init__(self, run: Run | None = None) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES and kwargs.get("device") is None and not _is_number(func, args):
            kwargs = {**kwargs, "device": "meta"}
        stack = self.run.stack if self.run is not None else ()
        if self.run is None or not stack or stack[-1].role != "container":
            return self._called(func, args, kwargs)
        name = getattr(func, "__name__", "operation").partition(".")[0]
        draft = self.run.begin(name, tensors((args, kwargs)))
        result = self._called(func, args, kwargs)
        self.run.end(draft, result)
        return result

    def _called(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func is functional.scaled_dot_product_attention:
            return attention(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            with self:  # its own products and attention are seen too
                return multi_head_attention(*args, **kwargs)
        return func(*args, **kwargs)


_FACTORIES: Final = frozenset(_device_constructors())


def _is_number(func: Any, args: tuple[Any, ...]) -> bool:
    """A number as a tensor may be read again: it stays where its value is known."""
    return func is torch.tensor and bool(args) and isinstance(args[0], int | float)
