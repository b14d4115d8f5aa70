"""Maps that sessions look at, kept while there is room: a layer's can take 80 MB, and a class has thirty sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from explorer.activations import FeatureMaps


class MapShelf:
    """The maps asked for last, of all sessions together at most so many bytes, of each session at most so many layers.

    What had to go is made anew when it is asked for.  Any thread may ask.

    Args:
        limit: bytes; the newest maps are kept even where they are larger alone.
        each: layers of a session.
    """

    def __init__(self, limit: int, each: int = 3):
        self.limit = limit
        self.each = each
        self._kept: dict[tuple[str, Hashable], FeatureMaps] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        return sum(maps.values.nbytes for maps in list(self._kept.values()))

    def get(self, owner: str, key: Hashable, make: Callable[[], FeatureMaps]) -> FeatureMaps:
        """The maps that a session knows under a key; made where they are not there."""
        with self._lock:
            maps = self._kept.pop((owner, key), None)
            if maps is not None:
                self._kept[owner, key] = maps  # the last one is the newest
                return maps
        made = make()  # others may ask meanwhile
        with self._lock:
            self._kept.pop((owner, key), None)
            self._kept[owner, key] = made
            own = [place for place in self._kept if place[0] == owner]
            for place in own[: -self.each]:
                del self._kept[place]
            while self.nbytes > self.limit and len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
        return made

    def forget(self, owner: str) -> None:
        """A session has left."""
        with self._lock:
            for place in [place for place in self._kept if place[0] == owner]:
                del self._kept[place]
