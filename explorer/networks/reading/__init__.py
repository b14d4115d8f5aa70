"""Networks from PyTorch code that somebody pastes: read, never run.

`read_network` walks the syntax tree and builds what the code builds, on torch's meta device; what stands in no table
is refused with one sentence and its place.  `suggest` changes one number of the code where a layer expects another.
"""

from __future__ import annotations

from explorer.networks.reading.network import ReadNetwork, line_of, read_network
from explorer.networks.reading.refusal import CodeError, Place
from explorer.networks.reading.repair import suggest

__all__ = ["CodeError", "Place", "ReadNetwork", "line_of", "read_network", "suggest"]
