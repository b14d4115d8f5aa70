"""Attention's heads: where they look most in a picture, and what one token looks at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explorer.activations import Layer, Probe, attention, queries_and_keys
from explorer.convolution import Pair
from explorer.errors import LayerError
from explorer.unit_facts import Peaks, peaks_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Gaze:
    """How one token of a picture divides its attention.

    Attributes:
        shares: float32 (heads, h, w), of each head to each token of the picture.
        aside: float32 (heads,), to the class token; None where there is none.  With the shares it is 1.
    """

    shares: NDArray[np.float32]
    aside: NDArray[np.float32] | None = None


def gaze(probe: Probe, x: Tensor, layer: str, token: Pair) -> Gaze:
    """What the token at a cell (row, column) looks at in one picture (1, channels, H, W), by every head.

    Raises:
        LayerError: it is no attention whose heads are known, or has no such token.

    Source: Vaswani et al. 2017, Attention Is All You Need, section 3.2: softmax(q·k / √d).
    """
    asked = _heads(probe, layer)
    rows, columns = asked.grid
    if not (0 <= token[0] < rows and 0 <= token[1] < columns):
        raise LayerError(f"{asked.key} has no token {token}: they stand in {rows} × {columns} cells.")

    def look(module: nn.MultiheadAttention, tokens: Tensor) -> Gaze:
        before = tokens.shape[1] - rows * columns  # a class token
        query, keys = (part[0] for part in queries_and_keys(module, tokens))
        one = query[:, before + token[0] * columns + token[1], None]
        looked = (one @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])).softmax(-1)[:, 0].float().cpu()
        shares = looked[:, before:].reshape(-1, rows, columns).numpy()
        return Gaze(shares, looked[:, 0].numpy() if before else None)

    return _with_tokens(probe, x, asked, look)


def attended(probe: Probe, x: Tensor, layer: str) -> Peaks:
    """Where the heads of an attention look most in one picture (1, channels, H, W).

    A cell is a key: the token that is looked at.  With a class token the queries are that token alone; without, a
    cell's value is the mean over all queries, and `queries` names the one that gives most.

    Raises:
        LayerError: it is no attention whose heads are known.
    """
    asked = _heads(probe, layer)

    def look(module: nn.MultiheadAttention, tokens: Tensor) -> Peaks:
        found = peaks_of(attention(module, tokens)[0].float().cpu())
        if tokens.shape[1] > math.prod(asked.grid):
            return found
        return _with_queries(found, module, tokens, asked.grid[1])

    return _with_tokens(probe, x, asked, look)


def _with_queries(found: Peaks, module: nn.MultiheadAttention, tokens: Tensor, columns: int) -> Peaks:
    """One head at a time: all of them together would hold tokens² numbers each."""
    queries, shares = [], []
    for number, (query, keys) in enumerate(
        zip(*(part[0] for part in queries_and_keys(module, tokens)), strict=True)
    ):
        places = torch.from_numpy(found.cells[number]).long()
        looked = (query @ keys.T / math.sqrt(keys.shape[-1])).softmax(-1).cpu()
        share, at = looked[:, places[:, 0] * columns + places[:, 1]].max(0)
        queries.append(torch.stack([at // columns, at % columns], -1))
        shares.append(share)
    return Peaks(
        found.values,
        found.cells,
        torch.stack(queries).to(torch.int32).numpy(),
        torch.stack(shares).float().numpy(),
    )


def _heads(probe: Probe, key: str) -> Layer:
    layer = probe.layer(key)
    if layer.layout != "heads":
        raise LayerError(f"{layer.key} is no attention: it has maps, and no heads that look.")
    return layer


def _with_tokens(
    probe: Probe, x: Tensor, layer: Layer, look: Callable[[nn.MultiheadAttention, Tensor], T]
) -> T:
    """What is made of an attention and the tokens (1, T, C) that it is given."""
    module = probe.recorder.network.get_submodule(layer.name)
    assert isinstance(module, nn.MultiheadAttention)

    def work() -> T:
        with torch.no_grad():
            return look(module, _tokens(probe, x, layer, module))

    return probe.recorder.guarded(work)[0]


class _Heard(Exception):
    """The tokens (1, T, C) that an attention was given: the rest of the forward is not needed."""

    def __init__(self, tokens: Tensor):
        self.tokens = tokens


class _Listening(TorchFunctionMode):
    """Hears, in this thread alone, what one run of one attention is given."""

    def __init__(self, module: nn.MultiheadAttention, call: int):
        super().__init__()
        self._weight, self._left = module.in_proj_weight, call

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.multi_head_attention_forward and args[5] is self._weight:
            self._left -= 1
            if not self._left:
                raise _Heard(args[0].transpose(0, 1).clone())  # the function takes tokens before pictures
        return func(*args, **(kwargs or {}))


def _tokens(probe: Probe, x: Tensor, layer: Layer, module: nn.MultiheadAttention) -> Tensor:
    try:
        with _Listening(module, layer.call):
            probe.run(x[:1], lambda run, output: None)
    except _Heard as heard:
        return heard.tokens
    raise LayerError(f"{layer.key} was not asked: where its heads look is not known.")
