"""What can go wrong and be explained: one sentence for the visitor, with the cause and the values.

ExplorerError
├── ImageError      a file that is not a picture we can show
├── ShapeError      sizes that do not fit together
├── KernelError     weights that cannot be used
├── ModelError      a network that cannot be built, loaded or run
│   └── WeightsError    weights that are missing, cut off, damaged or out of reach
├── LayerError      a layer that a network does not have, or that holds no map
│   └── OtherLine       another line makes the same layer (layer_text)
├── CodeError       code that is not read, or makes no network (networks.reading)
├── ClassError      a class outside the network's list
└── Cancelled       the visitor stopped it, or left
"""

from __future__ import annotations


class ExplorerError(Exception):
    """Base of the tree.  `str(error)` is one sentence, ready to be shown."""


class ImageError(ExplorerError):
    """A file that is not a picture we can show."""


class ShapeError(ExplorerError):
    """Sizes that do not fit together."""


class KernelError(ExplorerError):
    """Weights that cannot be used."""


class ModelError(ExplorerError):
    """A network that cannot be built, loaded or run."""


class WeightsError(ModelError):
    """Weights that are missing, cut off, damaged or out of reach."""


class LayerError(ExplorerError):
    """A layer that a network does not have, or that holds no map."""


class ClassError(ExplorerError):
    """A class outside the network's list."""


class Cancelled(ExplorerError):
    """The visitor stopped it, or left."""
