"""One forward pass, kept: a `Tape` that any question about its pictures can be asked of.

A `Recorder` freezes a network once and sets a permanent tap on each of its stages.  A tap acts only where a
recording is under way, so one network serves any number of threads.  The autograd graph of a recording begins
at the first layer asked for: nothing before it is differentiated, and of it only the stages' maps are kept.

    recorder = Recorder(network)
    tape = recorder.record(x)                                      # one forward
    tape.probabilities()                                           # (N, classes)
    tape.gradients([281, 285], [recorder.default.name])            # d logit / d map, no second forward
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from explorer.devices import is_out_of_memory
from explorer.errors import ClassError, LayerError, ModelError
from explorer.stages import Stage, Visit, blank, default_stage, find_stages, stages_of, survey

__all__ = ["KEPT_BYTES", "MOVED_TO_CPU", "Recorder", "Stage", "Tape", "default_stage", "find_stages"]

KEPT_BYTES = 10**9
"""Memory that all tapes of the process keep together, about."""

MOVED_TO_CPU = (
    "The graphics card ran out of memory, so this was computed on the processor: the same, but slower."
)

Result = TypeVar("Result")


class Recorder:
    """A network at rest: frozen, in eval mode, channels last, with a permanent tap on each stage.

    Args:
        network: gives one row of class scores for a picture; it is changed (frozen) and kept.
        size: side in pixels of the pictures it takes.
        layers: names of the layers to tap; None: those that `find_stages` finds.

    Attributes:
        stages: shallow to deep.
        default: the stage that Grad-CAM usually looks at.
        device: where the weights are.
        short_head: whether at most two layers with weights follow the default stage.  Its backward is then
            nearly free, 1 % of a forward even for a batch of four, so the pictures of several sessions may
            share a forward; behind a transformer's block or VGG's dense layers it is 10 % a picture.

    Build it before the network is shared between threads: it runs the network twice, with hooks of its own.

    Raises:
        LayerError: a layer that the network does not have, or no layer with a map.
        ModelError: the network cannot run on such pictures.
    """

    def __init__(self, network: nn.Module, size: int = 224, layers: Sequence[str] | None = None):
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.device = blank(network, size).device
        visits = survey(network, size)
        self.stages = stages_of(visits) if layers is None else _named_stages(network, visits, layers)
        self.default = default_stage(self.stages)
        after = [visit.name for visit in visits].index(self.default.name) + 1
        self.short_head = sum(visit.weighted for visit in visits[after:]) <= 2
        self._layouts = {visit.name: visit.layout for visit in visits}
        self._spoilt = _find_spoilt(network, [stage.name for stage in self.stages], size)
        self._sizes: dict[tuple[Any, ...], int] = {}
        self._key = object()
        taps = [
            network.get_submodule(stage.name).register_forward_hook(partial(_tap, self._key, stage.name))
            for stage in self.stages
        ]
        # The taps do not refer to the recorder: a cycle would keep its weights until the next collection,
        # and for ever once the collector is told to leave what is loaded alone.
        self._remove_taps = weakref.finalize(self, _remove, taps)

    def record(self, x: Tensor, layers: Sequence[str] | None = None) -> Tape:
        """One forward of pictures (N, 3, H, W); gradients can be asked of `layers` (None: every stage).

        The maps of all stages are kept.  The graph begins at the shallowest of `layers`.

        Raises:
            LayerError: a layer that is not a stage.
            ModelError: the network's scores are not numbers.
        """
        return Tape(self, self.forward(x, self.known(layers)))

    def logits(self, x: Tensor) -> Tensor:
        """Class scores (N, classes) of pictures (N, 3, H, W), on the CPU, with nothing kept."""
        with torch.no_grad():
            return self.guarded(lambda: self._scores(x).float().cpu())[0]

    def known(self, layers: Sequence[str] | None) -> tuple[str, ...]:
        """These layers in the order of the stages, or all of them.

        Raises:
            LayerError: a layer that is not a stage, or none at all.
        """
        names = [stage.name for stage in self.stages]
        unknown = [name for name in layers or () if name not in names]
        if unknown or (layers is not None and not layers):
            asked = f"“{unknown[0]}” is not a stage" if unknown else "No layer was asked for"
            raise LayerError(f"{asked} of {type(self.network).__name__}; its stages are {', '.join(names)}.")
        return tuple(name for name in names if layers is None or name in layers)

    def as_maps(self, layer: str, tensor: Tensor) -> Tensor:
        """An activation or gradient of a layer, in the network's own layout, as (..., C, h, w)."""
        return self._layouts[layer](tensor)

    def to(self, device: torch.device | str) -> None:
        """Move the network.  Tapes from before run again, on the new device, when they are next asked."""
        self.network.to(device)
        self.device = blank(self.network, 1).device

    def close(self) -> None:
        """Take the taps off the network."""
        self._remove_taps()

    def forward(self, x: Tensor, layers: tuple[str, ...]) -> _Pass:
        """The forward that tapes are views of."""
        kept, note = self.guarded(lambda: self._kept_forward(x, layers))
        kept.note = note
        _shelf.put_first(kept)
        return kept

    def _kept_forward(self, x: Tensor, layers: tuple[str, ...]) -> _Pass:
        graph = _Graph(self._key, layers, self._spoilt, self.device)
        start = time.perf_counter()
        with _recording_to(graph), torch.enable_grad():
            graph.output = self._scores(x)
        logits = graph.output.detach().float().cpu()
        milliseconds = (time.perf_counter() - start) * 1e3
        if not logits.isfinite().all():
            name = type(self.network).__name__
            raise ModelError(
                f"The class scores of {name} are not numbers: its weights or the picture are damaged."
            )
        return _Pass(x, layers, logits, milliseconds, graph, self._size_of(graph, x))

    def _size_of(self, graph: _Graph, x: Tensor) -> int:
        """Bytes that a graph keeps alive; the same for every picture, so measured once for each shape."""
        case = (graph.layers, x.shape, graph.output.dtype, self.device)
        if case not in self._sizes:
            weights = _storages([*self.network.parameters(), *self.network.buffers()])
            kept = _storages([x, graph.output, *graph.maps.values(), *_saved(graph.output)])
            self._sizes[case] = sum(size for place, size in kept.items() if place not in weights)
        return self._sizes[case]

    def _scores(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x.to(self.device, memory_format=torch.channels_last))
        return scores

    def guarded(self, forward: Callable[[], Result]) -> tuple[Result, str]:
        """Run it; if the graphics card runs out of memory, again on the processor, with a note."""
        try:
            return forward(), ""
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        self.to("cpu")  # outside the clause, whose traceback holds what filled the memory
        return forward(), MOVED_TO_CPU


class Tape:
    """One forward pass, kept from the first layer asked for to the logits.

    Attributes:
        layers: names of the stages whose gradients it gives, shallow to deep.
        logits: (N, classes), detached, on the CPU.
        forward_ms: wall time of the forward, of the whole batch.

    Questions may be asked from any thread; the backward passes of one forward take turns.
    """

    def __init__(self, recorder: Recorder, kept: _Pass, row: int | None = None):
        self.recorder = recorder
        self.layers = kept.layers
        self.logits = kept.logits if row is None else kept.logits[row : row + 1]
        self.forward_ms = kept.milliseconds
        self._pass = kept
        self._row = row

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return int(self.logits.shape[-1])

    @property
    def note(self) -> str:
        """One sentence if something unusual happened, else ""."""
        return self._pass.note

    @property
    def nbytes(self) -> int:
        """Memory that this tape keeps alive, in bytes: pictures, maps, logits, and what autograd saved.

        A picture of a batch keeps the whole batch.  All tapes of the process together keep about
        `KEPT_BYTES`: beyond it those asked longest ago let go, and run again when they are next asked.
        """
        return self._pass.nbytes

    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits, (N, classes)."""
        probabilities: NDArray[np.float32] = self.logits.softmax(-1).numpy()
        return probabilities

    def image(self, index: int) -> Tape:
        """The tape of one picture of the batch."""
        return Tape(self.recorder, self._pass, range(len(self.logits))[index])

    def activation(self, layer: str) -> Tensor:
        """The maps (N, C, h, w) of any stage, detached, on the network's device.

        Raises:
            LayerError: not a stage of the network.
        """
        self.recorder.known([layer])
        graph = self._graph()
        return self.recorder.as_maps(layer, graph.maps[layer].detach()[self._rows]).float()

    def gradients(self, classes: Sequence[int], layers: Sequence[str]) -> list[Tensor]:
        """d logit / d map of each layer, (K, N, C, h, w): one backward for all K classes and all layers.

        It begins at the logits and ends at the shallowest of `layers`.  The pictures of a batch do not mix,
        so the first question that pages ask, about the most probable class, is answered for the whole batch
        at once; for another question about shallow layers a picture of a batch is recorded again on its
        own, since each backward of the batch would cost as much as that of all its pictures.

        Raises:
            ClassError: a class outside the network's list.
            LayerError: a layer that was recorded without gradients.
        """
        for index in classes:
            if not 0 <= index < self.classes:
                raise ClassError(f"Class {index} is outside 0–{self.classes - 1}.")
        for layer in layers:
            if layer not in self.layers:
                raise LayerError(
                    f"{layer} was recorded without gradients; with them: {', '.join(self.layers)}."
                )
        found, note = self.recorder.guarded(lambda: self._differentiate(list(classes), tuple(layers)))
        self._pass.note = self._pass.note or note
        return [
            self.recorder.as_maps(layer, gradient[:, self._rows]).float()
            for layer, gradient in zip(layers, found, strict=True)
        ]

    @property
    def _rows(self) -> slice:
        return slice(None) if self._row is None else slice(self._row, self._row + 1)

    def _differentiate(self, classes: list[int], layers: tuple[str, ...]) -> list[Tensor]:
        if self._row is not None and classes == self.logits.argmax(1).tolist():
            return self._graph().of_best_classes(layers)
        graph = self._graph(alone=set(layers) != {self.recorder.default.name})
        return graph.differentiate(torch.tensor(classes)[:, None], layers, self._rows)

    def _graph(self, alone: bool = False) -> _Graph:
        """A graph on the device where the weights are now, if need be of a new forward."""
        kept, graph = self._pass, self._pass.graph
        crowded = alone and self._row is not None and len(kept.logits) > 1
        if graph is None or graph.device != self.recorder.device or crowded:
            fresh = self.recorder.forward(kept.x[self._rows].clone(), self.layers)
            fresh.note = fresh.note or kept.note
            self._pass, self._row, graph = fresh, None, fresh.graph
            assert graph is not None
        _shelf.put_first(self._pass)
        return graph


# ------------------------------------------------------------------------------------------- what is kept


class _Graph:
    """The maps and scores of one forward, with what autograd needs to differentiate them."""

    def __init__(self, key: object, layers: tuple[str, ...], spoilt: frozenset[str], device: torch.device):
        self.key = key
        self.layers = layers
        self.device = device
        self.maps: dict[str, Tensor] = {}
        self.output: Tensor
        self._spoilt = spoilt
        self._best: tuple[tuple[str, ...], list[Tensor]] | None = None
        self._lock = threading.Lock()

    def keep(self, layer: str, output: Tensor) -> Tensor | None:
        """Keep a stage's output; gives what the network goes on with, None for the output itself."""
        if layer in self._spoilt:
            output = output.clone()
        if layer not in self.layers:
            self.maps[layer] = output.detach()
            return None
        # The graph begins here, unless it has begun before.
        kept = output if output.requires_grad else output.detach().requires_grad_()
        self.maps[layer] = kept
        return kept.clone() if layer in self._spoilt else kept

    def differentiate(
        self, classes: Tensor, layers: tuple[str, ...], rows: slice = slice(None)
    ) -> list[Tensor]:
        """d logit / d map of each layer, (K, N, ...), for classes (K, N or 1) of these rows, else zero."""
        seeds = torch.zeros(len(classes), *self.output.shape, dtype=self.output.dtype)
        seeds[:, rows].scatter_(2, classes.expand(-1, len(self.output[rows]))[:, :, None], 1)
        seeds = seeds.to(self.device)
        sources = [self.maps[layer] for layer in layers]
        with self._lock:
            if len(classes) > 1:
                found = torch.autograd.grad(
                    self.output, sources, seeds, retain_graph=True, is_grads_batched=True
                )
                return list(found)
            return [g[None] for g in torch.autograd.grad(self.output, sources, seeds[0], retain_graph=True)]

    def of_best_classes(self, layers: tuple[str, ...]) -> list[Tensor]:
        """The gradients of every picture's most probable class, (1, N, ...); the last answer is kept."""
        best = self._best
        if best is None or best[0] != layers:
            best = layers, self.differentiate(self.output.detach().argmax(1).cpu()[None], layers)
            self._best = best
        return best[1]


class _Pass:
    """A forward that tapes are views of.  It can let its graph go and be run again."""

    def __init__(
        self,
        x: Tensor,
        layers: tuple[str, ...],
        logits: Tensor,
        milliseconds: float,
        graph: _Graph,
        nbytes: int,
    ):
        self.x = x
        self.layers = layers
        self.logits = logits
        self.milliseconds = milliseconds
        self.graph: _Graph | None = graph
        self.nbytes = nbytes
        self.note = ""

    def release(self) -> None:
        """Let the graph go; who works with it at this moment still holds it."""
        self.graph = None
        self.nbytes = sum(_storages([self.x, self.logits]).values())


class _Shelf:
    """The forwards whose graphs are kept; beyond `limit` bytes those used longest ago let theirs go."""

    def __init__(self, limit: int):
        self.limit = limit
        self._kept: weakref.WeakKeyDictionary[_Pass, None] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def put_first(self, used: _Pass) -> None:
        with self._lock:
            self._kept.pop(used, None)
            older = list(self._kept)
            self._kept[used] = None
            total = used.nbytes + sum(kept.nbytes for kept in older)
            for oldest in older:
                if total <= self.limit:
                    break
                total -= oldest.nbytes
                oldest.release()
                self._kept.pop(oldest, None)


_shelf = _Shelf(KEPT_BYTES)


def _storages(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Address and bytes of the memory behind tensors, each memory once."""
    memories = (tensor.untyped_storage() for tensor in tensors)
    return {memory.data_ptr(): memory.nbytes() for memory in memories}


def _saved(output: Tensor) -> Iterator[Tensor]:
    """The tensors that the autograd graph behind `output` keeps."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
            for name in dir(node):
                if name.startswith("_saved_"):
                    value = getattr(node, name)
                    yield from (
                        v for v in (value if isinstance(value, tuple) else [value]) if isinstance(v, Tensor)
                    )


# --------------------------------------------------------------------------------------------------- taps

_recording: ContextVar[_Graph | None] = ContextVar("recording", default=None)


@contextmanager
def _recording_to(graph: _Graph) -> Iterator[None]:
    token = _recording.set(graph)
    try:
        yield
    finally:
        _recording.reset(token)


def _tap(key: object, layer: str, module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
    graph = _recording.get()
    return graph.keep(layer, output) if graph is not None and graph.key is key else None


def _remove(hooks: Iterable[RemovableHandle]) -> None:
    for hook in hooks:
        hook.remove()


def _find_spoilt(network: nn.Module, layers: Sequence[str], size: int) -> frozenset[str]:
    """The layers whose output a later one overwrites, as DenseNet's last ReLU does: these maps are copied.

    Copying every map would cost up to a tenth of a forward.  Torch counts the changes of each tensor.
    """
    given: dict[str, tuple[Tensor, int]] = {}

    def note(layer: str, module: nn.Module, args: Any, output: Tensor) -> None:
        given[layer] = (output, output._version)

    hooks = [network.get_submodule(layer).register_forward_hook(partial(note, layer)) for layer in layers]
    try:
        with torch.no_grad():
            network(blank(network, size))
    finally:
        _remove(hooks)
    return frozenset(layer for layer, (output, version) in given.items() if output._version != version)


def _named_stages(network: nn.Module, visits: Sequence[Visit], layers: Sequence[str]) -> tuple[Stage, ...]:
    """The stages with these names, in the order in which they run."""
    ran = [visit.name for visit in visits]
    for layer in layers:
        if layer not in ran:
            raise LayerError(f"{type(network).__name__} has no layer “{layer}” that gives out one tensor.")
    return tuple(visit.stage for visit in visits if visit.name in layers)
