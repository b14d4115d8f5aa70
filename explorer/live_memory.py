"""Bytes that are held at the same time: by tensors as they come and go, by autograd, by an optimiser."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from explorer.dry_run import Operation, weights_of


@dataclass(frozen=True)
class Peak:
    """The most bytes that were held at once, and by what.

    Attributes:
        total: bytes, weights and buffers of the network left out.
        parts: bytes by kind: "input", "activations" (of the forward), "gradients" (of the weights), "backward"
            (what the backward makes on its way), "optimiser" (its state and what its step makes).
    """

    total: int
    parts: Mapping[str, int]

    def __post_init__(self) -> None:
        if sum(self.parts.values()) != self.total:
            raise ValueError(f"Parts of {sum(self.parts.values()):,} bytes make no peak of {self.total:,}.")


@dataclass(eq=False)
class Holdings:
    """Counts the bytes of all storages that operations make and that something still holds.

    Attributes:
        phase: the kind under which new storages are counted.
        ignored: storages that are not counted, by their address: weights and buffers.
    """

    ignored: Collection[int] = ()
    phase: str = "activations"
    _held: dict[int, tuple[int, str, int]] = field(default_factory=dict)  # bytes, kind, the how-manieth
    _added: int = 0
    _added_at_peak: int = 0
    _parts: Counter[str] = field(default_factory=Counter)
    _now: int = 0
    _peak: int = 0
    _at_peak: dict[str, int] = field(default_factory=dict)

    def follow(self, operation: Operation) -> None:
        """Takes what one operation made."""
        for output in operation.outputs:
            self.add(output, self.phase)

    def add(self, tensor: Tensor, kind: str) -> None:
        """Counts a tensor's storage until nothing holds it any more."""
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address in self._held or address in self.ignored:
            return
        size = storage.nbytes()
        self._added += 1
        self._held[address] = size, kind, self._added
        self._parts[kind] += size
        self._now += size
        if self._now > self._peak:
            self._note()
        weakref.finalize(storage, self._drop, address).atexit = False

    def rename(self, tensor: Tensor, kind: str) -> None:
        """Counts a tensor that is held under another kind, at a peak that it was part of too."""
        address = tensor.untyped_storage()._cdata
        if address not in self._held:
            return
        size, before, number = self._held[address]
        self._held[address] = size, kind, number
        self._parts[before] -= size
        self._parts[kind] += size
        if number <= self._added_at_peak:
            self._at_peak[before] -= size
            self._at_peak[kind] = self._at_peak.get(kind, 0) + size

    def forget_peak(self) -> None:
        """The peak is looked for anew, from what is held now."""
        self._note()

    @classmethod
    def beside(cls, network: nn.Module) -> Holdings:
        """Those that are no weights and no buffers of a network."""
        return cls({tensor.untyped_storage()._cdata for tensor in weights_of(network)})

    @property
    def peak(self) -> Peak:
        """The most that was held at once."""
        return Peak(self._peak, {kind: size for kind, size in self._at_peak.items() if size})

    def _note(self) -> None:
        self._peak, self._at_peak, self._added_at_peak = self._now, dict(self._parts), self._added

    def _drop(self, address: int) -> None:
        size, kind, _ = self._held.pop(address)
        self._parts[kind] -= size
        self._now -= size
