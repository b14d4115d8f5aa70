"""Networks from PyTorch code that somebody pastes: read, never run.

`read_network` walks the syntax tree and builds what the code builds, on torch's meta device; what stands in no table
is refused with one sentence and its place.  `suggest` changes one number of the code where a layer expects another,
`respell` a word that is not known; `refusal` tells why a forward is refused.
"""

from __future__ import annotations

from explorer.networks.reading.network import ReadNetwork, line_of, read_network
from explorer.networks.reading.refusal import CodeError, Place, Spelling
from explorer.networks.reading.repair import refusal, respell, suggest

__all__ = [
    "CodeError",
    "Place",
    "ReadNetwork",
    "Spelling",
    "line_of",
    "read_network",
    "refusal",
    "respell",
    "suggest",
]
