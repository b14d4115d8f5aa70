"""Random weights that are the same each time: drawn as torch draws them, by a generator that nobody else has.

Also for networks of code that was read: the reader makes shapes, and here it is let make numbers, within bounds.
"""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from explorer.dry_run import macs_of, tensors
from explorer.errors import ModelError
from explorer.networks.reading import budget, read_network
from explorer.networks.reading.values import Lazy, ReadModule
from explorer.timing import Here

SEED: Final = 0

WEIGHTS: Final = 10**9
"""Bytes that weights may have: as many as those of the largest ConvNets that people load."""

WORK: Final = 100 * 10**9
"""Multiplications of one forward, some three seconds of two cores: every click on the page waits for one."""

MAPS: Final = 4 * 10**9
"""Bytes that all maps of a picture may have together: a film of all layers keeps most of them for its backward."""

_CPU: Final = torch.device("cpu")
_INITIALISES: Final = re.compile(r"\binit\.|[A-Za-z0-9]_\(|\.apply\(|\.data\b|\bLazy")


class Seeded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Random numbers of this thread come from a generator of its own: the same as after `torch.manual_seed(seed)`.

    >>> with Seeded(7):
    ...     ours = torch.randn(3)
    >>> bool((ours == torch.randn(3, generator=torch.Generator().manual_seed(7))).all())
    True

    Raises:
        ModelError: an operation draws numbers in a way that cannot be repeated.
    """

    _LIKE: Final = {"rand_like": Tensor.uniform_, "randn_like": Tensor.normal_}

    def __init__(self, seed: int = SEED) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or (args[:1] and _is_meta(args[0])):
            return func(*args, **kwargs)
        if _drops_nothing(func, args, kwargs):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if name in self._LIKE:
            return self._LIKE[name](torch.empty_like(*args, **kwargs), generator=self.generator)
        if "generator" not in (argument.name for argument in func._schema.arguments):
            sibling = "generator" if func._overloadname == "default" else f"{func._overloadname}_generator"
            if sibling not in func.overloadpacket.overloads():
                raise ModelError(f"{name} draws random numbers in a way that cannot be repeated.")
            func = getattr(func.overloadpacket, sibling)
        return func(*args, **{**kwargs, "generator": self.generator})


def _drops_nothing(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it draws for a dropout alone, and that is 0: so attention runs where nothing is trained."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.name == "dropout_p":
            given = args[place] if place < len(args) else kwargs.get("dropout_p", argument.default_value)
            return bool(given == 0)
    return False


def _is_meta(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_meta


def drawn(make: Callable[[], nn.Module]) -> nn.Module:
    """What a builder makes, its weights as torch draws them after `torch.manual_seed(SEED)`.

    >>> layer = drawn(lambda: nn.Linear(2, 1, bias=False))
    >>> [round(number, 4) for number in layer.weight.flatten().tolist()]
    [-0.0053, 0.3793]
    """
    with Seeded():
        return make()


# Code that was read -----------------------------------------------------------------------------------


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Operations of somebody's code are refused before they take more memory or work than a network may.

    The table is made of shapes; code can find out that it runs with numbers, and do something else.  Each operation
    is tried on the meta device first.  Its time is not the code's, whose budget counts steps.
    """

    def __init__(self, most_bytes: int = 2 * MAPS, most_work: int = 2 * WORK) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes, self.work = most_bytes, most_work

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        start = time.thread_time()
        kwargs = kwargs or {}
        if not func.is_view:
            self._count(func, args, kwargs)
        result = func(*args, **kwargs)
        if budget.running():
            budget.current().deadline += time.thread_time() - start
        return result

    def _count(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.Tag.dynamic_output_shape in func.tags:
            raise ModelError(
                f"{func.overloadpacket.__name__} gives as many numbers as the values of a tensor say."
            )
        given, named = tree_map(_shape_of, (args, {**kwargs}))
        accepted = {argument.name for argument in func._schema.arguments}
        named |= {"device": torch.device("meta")} if "device" in accepted else {}
        named |= {"generator": None} if "generator" in accepted else {}
        try:
            made = func(*given, **named)
        except Exception:
            return  # of shapes that do not fit, or of one number's value: it fails, or is small, with numbers too
        written = {id(each) for each in tensors((given, named))}
        self.bytes -= sum(each.nbytes for each in tensors(made) if id(each) not in written)
        self.work -= macs_of(func, args, kwargs, made) or 0
        if self.bytes < 0 or self.work < 0:
            raise ModelError("With numbers, the code takes more memory or time than it showed with shapes.")


def _shape_of(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")


class _WithNumbers(nn.Module):
    """Put in front of a class that was read: its forward runs on real tensors, within bounds."""

    def forward(self, pictures: Tensor) -> Any:
        with Here(pictures.device), Bounded(2 * MAPS * len(pictures), 2 * WORK * len(pictures)):
            return super().forward(pictures)


def of_code(text: str, name: str, input_shape: tuple[int, ...]) -> nn.Module:
    """The network of somebody's code, its weights drawn in the order in which the code makes its layers.

    Args:
        text, name: as `reading.read_network`.
        input_shape: of one picture, which lazy layers take their sizes from.

    Raises:
        CodeError: the code is refused.
        ModelError: with numbers it takes more than it showed with shapes.
    """
    seeded = Seeded()
    with Here(_CPU), seeded, Bounded(2 * WEIGHTS, WORK):
        network = read_network(text, name).module
    if isinstance(network, ReadModule):
        network.__class__ = type(type(network).__name__, (_WithNumbers, type(network)), {})
        _let_go(network)
    again = starts_again(text, network)
    with torch.no_grad(), Here(_CPU), seeded:
        network.eval()(torch.zeros(1, *input_shape))
    if again:
        with torch.no_grad(), Seeded():
            _start_again(network)
    return network


def _let_go(network: ReadModule) -> None:
    """Take the network out of what its text knows.

    Its class knows the text, and the text's names know the network: such a circle would keep its weights until the
    next collection, and for ever once the collector is told to leave what is loaded alone.
    """
    reader: Any = network._klass.reader
    names: dict[str, Any] = reader.scope.names
    reader.calls.clear()
    reader.results.clear()
    for name in [name for name, value in names.items() if value is network]:
        del names[name]
    weakref.finalize(network, names.clear)


def starts_again(text: str, network: nn.Module) -> bool:
    """Whether weights are drawn once more when all layers are there, in the order in which they are registered.

    Initialisation that the code asks for is not read, and lazy layers are tried out before they know their sizes.
    """
    return bool(_INITIALISES.search(text)) or any(isinstance(part, Lazy) for part in network.modules())


def _start_again(network: nn.Module) -> None:
    for part in network.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
