"""What is known of a classic network, and how it is built without a byte of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from explorer.dry_run import WithoutMemory
from explorer.networks.building import build
from explorer.networks.classics.sights import Sight
from explorer.networks.spec import NetworkSpec
from explorer.references import PAPERS, Paper

Shape = tuple[int, int, int]
SpecOf = Callable[[], NetworkSpec]


@dataclass(frozen=True)
class Classic:
    """A network that one knows by its name.

    At least one of `spec_of` and `module_of` is there; with both, the parts are the same network as the module.

    Attributes:
        key: as in a link: "vgg16".
        title: for reading: "VGG-16".
        family: networks of one idea: "VGG".
        year: when the idea was first shown.
        paper: key of `references.PAPERS`.
        idea: one sentence: what was new.
        note: which variant this is, and how it differs from others.
        input_shape: (channels, height, width) of the picture that it was made for.
        spec_of: makes it of parts, so that it can be opened and changed.
        module_of: builds it; None where the parts are built.
        look_at: what a lecturer would point at.
        line: of Python that makes it with a public package, `network = …` with its import; "" where none does.
    """

    key: str
    title: str
    family: str
    year: int
    paper: str
    idea: str
    note: str
    input_shape: Shape
    spec_of: SpecOf | None = None
    module_of: Callable[[], nn.Module] | None = None
    look_at: tuple[Sight, ...] = ()
    line: str = ""

    def __post_init__(self) -> None:
        if self.spec_of is None and self.module_of is None:
            raise ValueError(f"{self.key} is made of parts or built by a function; neither is given.")
        if self.paper not in PAPERS:
            raise ValueError(f"{self.key} names the paper “{self.paper}”, which is not in PAPERS.")

    @property
    def spec(self) -> NetworkSpec | None:
        """Its parts, for the builder; None where it is no chain of parts."""
        return self.spec_of() if self.spec_of else None

    @property
    def reference(self) -> Paper:
        """The paper to cite."""
        return PAPERS[self.paper]

    def build(self) -> nn.Module:
        """The network in evaluation mode, its weights and buffers on torch's meta device."""
        with WithoutMemory():
            network = self.module_of() if self.module_of else build(self.spec_of())  # type: ignore[misc]
        return network.to("meta").eval()
