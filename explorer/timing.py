"""How long a network takes on this machine: real forwards with random weights, the whole and layer by layer."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.devices import device_name
from explorer.dry_run import tensors
from explorer.errors import ModelError
from explorer.networks.reading import budget
from explorer.profiling import NetworkProfile, profile
from explorer.quantities import si

BUDGET: Final = 2 * 10**9
"""Bytes that weights and activations may take here: others run their networks on this machine too."""

WORK: Final = 300 * 10**9
"""Multiplications that one forward may have, some ten seconds of two cores: a forward that has begun cannot be
stopped, and others wait for it."""

BATCHES: Final = (1, 16)
PASSES: Final = 7
"""Forwards that are timed for each batch, after one that is not: the first meets cold memory."""

LONGEST: Final = 12.0
"""Seconds after which no further forward of a batch is begun: three are enough then."""

CODE: Final = 30.0
"""Seconds that a forward of code that was read may take: with numbers it is not the code alone that takes time."""

FEWEST: Final = 3

REST: Final = "between layers"
"""The path of what no layer takes: operations that a container calls, and the calls themselves."""


@dataclass(frozen=True)
class Progress:
    """How far a measurement is.

    Attributes:
        done, of: forwards.
        doing: in words.
    """

    done: int
    of: int
    doing: str

    def __post_init__(self) -> None:
        if not 0 <= self.done <= self.of:
            raise ValueError(f"{self.done} of {self.of} forwards cannot be done.")


@dataclass(frozen=True)
class Speed:
    """Times of one batch's forwards.

    Attributes:
        batch: pictures at once.
        seconds: of each forward, as they came.
    """

    batch: int
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.batch < 1 or not self.seconds:
            raise ValueError(f"{len(self.seconds)} forwards of a batch of {self.batch} give no speed.")

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quickest and the slowest."""
        return min(self.seconds), max(self.seconds)

    @property
    def pictures_per_second(self) -> float:
        return self.batch / self.median if self.median else math.inf


@dataclass(frozen=True)
class LayerTime:
    """What one layer takes of a forward of one picture: the median over passes, all its calls together."""

    path: str
    kind: str
    seconds: float


@dataclass(frozen=True)
class Timing:
    """What a measurement found.

    Attributes:
        speeds: by batch.
        layers: in the order of their first run, for one picture; `REST` at the end.
        device: that it ran on, in words.
        left_out: a sentence on batches that were not tried; "" where there are none.
    """

    speeds: tuple[Speed, ...]
    layers: tuple[LayerTime, ...]
    device: str
    left_out: str = ""

    def slowest(self, most: int) -> tuple[LayerTime, ...]:
        """The layers that take longest, and what all others take together as the last."""
        ranked = sorted(self.layers, key=lambda layer: -layer.seconds)
        others = ranked[most:]
        if len(others) < 2:
            return tuple(ranked)
        return (
            *ranked[:most],
            LayerTime(f"{len(others)} others", "", sum(layer.seconds for layer in others)),
        )


def measure(
    module: nn.Module,
    input_shape: Sequence[int],
    *,
    batches: Sequence[int] = BATCHES,
    passes: int = PASSES,
    budget: int = BUDGET,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Progress | Timing]:
    """Runs the network, one forward a step; yields how far it is, and at last what it found.

    A job for `desk.stream`: whoever stops asking stops it.

    >>> *_, found = measure(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (4,), batches=(1, 2))
    >>> [speed.batch for speed in found.speeds], [layer.path for layer in found.layers]
    ([1, 2], ['0', '1', 'between layers'])

    Args:
        module: its shapes alone count; it is not touched.
        input_shape: of one picture.
        batches: pictures at once; those too large for the budget are left out, but for the first.
        passes: forwards that are timed for each.
        budget: bytes that weights and activations may take.
        device: the CPU where none is given.
        clock: in seconds.

    Raises:
        ModelError: the first batch does not fit into the budget, or the network does not run.
    """
    device = device or torch.device("cpu")
    fitting, left_out = fit(module, input_shape, batches, budget)
    of = (len(fitting) + 1) * (passes + 1)
    yield Progress(0, of, "random weights")
    network = with_weights(module, device).eval()
    run = _forward(network, torch.randn((1, *input_shape), device=device))
    speeds: list[Speed] = []
    for place, batch in enumerate(fitting):
        pictures = torch.randn((batch, *input_shape), device=device)
        times: list[float] = []
        for number in range(passes + 1):
            if len(times) >= FEWEST and sum(times) > LONGEST:
                break
            seconds = _timed(run, pictures, clock)
            if number:
                times.append(seconds)
            words = "one picture" if batch == 1 else f"{batch} pictures at once"
            yield Progress(place * (passes + 1) + number + 1, of, f"forwards of {words}")
        speeds.append(Speed(batch, tuple(times)))
    watch = _Watch(network, run, device, clock)
    picture = torch.randn((1, *input_shape), device=device)
    for number in range(passes + 1):
        if number > FEWEST and watch.whole and sum(watch.whole) > LONGEST:
            break
        watch.forward(picture, keep=number > 0)
        yield Progress(len(fitting) * (passes + 1) + number + 1, of, "layer by layer")
    yield Timing(tuple(speeds), watch.layers, device_name(device), left_out)


def fit(
    module: nn.Module, input_shape: Sequence[int], batches: Sequence[int], budget: int, work: int = WORK
) -> tuple[tuple[int, ...], str]:
    """The batches that fit into a budget of bytes and of multiplications, and a sentence on those that do not.

    Raises:
        ModelError: not even the first fits, or the network does not run.
    """
    found: list[int] = []
    constants = constant_bytes(module)
    for batch in batches:
        table = profile(module, input_shape, batch=batch)
        if table.failure:
            raise ModelError(f"The network cannot be timed: {table.failure.sentence}")
        if table.inference is None:
            return tuple(found), f"A batch of {batch:,} is left out: the network does not run with it."
        need = table.weight_bytes + constants + table.inference.total
        macs = table.macs * batch
        why = refusal(table, need, macs, budget, work)
        if not why:
            found.append(batch)
            continue
        if not found:
            raise ModelError(why)
        reason = f"{si(need, 'B')} of memory" if need > budget else f"{si(macs)} multiplications"
        return tuple(found), f"A batch of {batch:,} is left out: it needs {reason}."
    return tuple(found), ""


def refusal(
    table: NetworkProfile, need: int, macs: int, budget: int = BUDGET, work: int = WORK, weights: int = BUDGET
) -> str:
    """Why a network is not run here, in a sentence with the figure; "" where it may be.

    Args:
        table: of the network.
        need: bytes of its weights and of what is held beside them.
        macs: multiplications of one forward.
        budget, work, weights: the most of all bytes, of multiplications, and of bytes of weights alone.
    """
    large, parameters = "This network is too large to be run here:", si(table.parameters)
    if table.weight_bytes > weights:
        return f"{large} {parameters} parameters take {si(table.weight_bytes, 'B')}; the most is {si(weights, 'B')}."
    if need > budget:
        return (
            f"{large} {parameters} parameters take {si(table.weight_bytes, 'B')}, with activations "
            f"{si(need, 'B')}; {si(budget, 'B')} are allowed."
        )
    if macs > work:
        return f"This network is too slow to be run here: it takes {si(macs)} multiplications; {si(work)} are allowed."
    return ""


def constant_bytes(module: nn.Module) -> int:
    """Bytes of a network's tensors that are neither parameters nor buffers."""
    return sum(tensor.nbytes for part in module.modules() for tensor in _own(part))


def _own(part: nn.Module) -> list[Tensor]:
    """Tensors of a module that are neither parameters nor buffers."""
    return list(tensors([value for key, value in vars(part).items() if not key.startswith("_")]))


def with_weights(module: nn.Module, device: torch.device) -> nn.Module:
    """A copy with random weights on a device; the module may be on the meta device.

    Weights are drawn so that activations keep their size (He et al. 2015), and tables that are never learned like
    them; vectors and counters start as layers have them, at one, zero, or whatever their `reset_parameters` says.
    """
    twins: dict[int, Any] = {}
    for part in module.modules():
        for tensor in tensors([*part._buffers.values(), *_own(part)]):
            twins.setdefault(id(tensor), _drawn(tensor, device))
        for parameter in part._parameters.values():
            if parameter is not None:
                drawn = _drawn(parameter, device)
                twins.setdefault(id(parameter), nn.Parameter(drawn, parameter.requires_grad))
    network = copy.deepcopy(module, twins)
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.reset_running_stats()
        if getattr(part, "elementwise_affine", getattr(part, "affine", False)) and part._parameters:
            reset: Any = part.reset_parameters
            reset()
    return network


def _drawn(like: Tensor, device: torch.device) -> Tensor:
    made = torch.zeros(like.shape, dtype=like.dtype, device=device)
    inputs = math.prod(like.shape[1:])
    drawn = like.dim() > 1 and (like.is_floating_point() or like.is_complex())
    return made.normal_(std=math.sqrt(2 / max(inputs, 1))) if drawn else made


class Here(TorchFunctionMode):
    """Tensors that a forward makes on the meta device, as code that was read does, are made on a real one."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = {key: self._real(value) for key, value in (kwargs or {}).items()}
        return func(*map(self._real, args), **named)

    def _real(self, value: Any) -> Any:
        named = isinstance(value, str) and value == "meta"
        return self.device if named or (isinstance(value, torch.device) and value.type == "meta") else value


Forward = Callable[[Tensor], Any]


def _forward(network: nn.Module, picture: Tensor) -> Forward:
    """The network as a function that has run once.

    Raises:
        ModelError: it does not run.
    """

    def here(pictures: Tensor) -> Any:
        with Here(picture.device), budget.fresh() as allowance:
            allowance.deadline += CODE  # of the steps in between, which are counted too
            return network(pictures)

    for run in (network, here):  # a mode costs microseconds at each call: only where it is needed
        try:
            with torch.no_grad():
                run(picture)
        except Exception as error:
            cause = _first_line(error)
        else:
            return run
    raise ModelError(f"The network runs with shapes, but not with numbers: {cause}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]


def _timed(forward: Forward, pictures: Tensor, clock: Callable[[], float]) -> float:
    _finish(pictures.device)
    start = clock()
    with torch.no_grad():
        forward(pictures)
    _finish(pictures.device)
    return clock() - start


def _finish(device: torch.device) -> None:
    """A GPU works on after the call: wait for it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class _Watch:
    """Times every layer of a network of our own by hooks."""

    def __init__(
        self, network: nn.Module, run: Forward, device: torch.device, clock: Callable[[], float]
    ) -> None:
        self.run, self.device, self.clock = run, device, clock
        self.kinds: dict[str, str] = {}
        self.passes: list[dict[str, float]] = []
        self.whole: list[float] = []
        self.running: list[tuple[str, float]] = []
        self.now: dict[str, float] = {}
        inside: set[nn.Module] = set()
        for name, module in network.named_modules():
            whole = isinstance(module, nn.MultiheadAttention | nn.RNNBase)
            if module in inside or (not whole and next(module.children(), None) is not None):
                continue
            inside.update(module.modules())
            module.register_forward_pre_hook(partial(self._start, name))
            module.register_forward_hook(self._stop)

    def forward(self, picture: Tensor, keep: bool) -> None:
        self.now, self.running = {}, []
        whole = _timed(self.run, picture, self.clock)
        if keep:
            self.whole.append(whole)
            self.passes.append({**self.now, REST: max(0.0, whole - sum(self.now.values()))})

    @property
    def layers(self) -> tuple[LayerTime, ...]:
        return tuple(
            LayerTime(path, self.kinds.get(path, ""), statistics.median(each[path] for each in self.passes))
            for path in self.passes[0]
        )

    def _start(self, name: str, module: nn.Module, args: Any) -> None:
        self.kinds[name] = type(module).__name__
        _finish(self.device)
        self.running.append((name, self.clock()))

    def _stop(self, module: nn.Module, args: Any, result: Any) -> None:
        _finish(self.device)
        name, start = self.running.pop()
        self.now[name] = self.now.get(name, 0.0) + self.clock() - start
