"""The shelf of maps: what stays, what goes, and that nobody gets another's."""

from __future__ import annotations

import threading

import numpy as np

from explorer.activations import FeatureMaps, Layer
from explorer.map_shelf import MapShelf

SIDE = 50
BYTES = 4 * SIDE * SIDE


class Maker:
    """Makes maps of 10,000 bytes and counts how often it had to."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, name: str) -> FeatureMaps:
        self.made.append(name)
        layer = Layer(name, 1, 1, "Conv2d", 1, (SIDE, SIDE), "maps")
        return FeatureMaps(layer, np.zeros((1, SIDE, SIDE), np.float32))


def ask(shelf: MapShelf, make: Maker, owner: str, name: str) -> FeatureMaps:
    return shelf.get(owner, name, lambda: make(name))


def test_what_was_asked_lately_is_not_made_again():
    shelf, make = MapShelf(100 * BYTES), Maker()
    first = ask(shelf, make, "ann", "a")
    ask(shelf, make, "ann", "b")
    assert ask(shelf, make, "ann", "a") is first
    assert make.made == ["a", "b"]
    assert shelf.nbytes == 2 * BYTES


def test_a_session_keeps_the_layers_it_asked_for_last():
    shelf, make = MapShelf(100 * BYTES, each=3), Maker()
    for name in "abcad":  # b is the oldest when d comes
        ask(shelf, make, "ann", name)
    assert shelf.nbytes == 3 * BYTES
    make.made.clear()
    for name in "cad":
        ask(shelf, make, "ann", name)
    assert not make.made
    ask(shelf, make, "ann", "b")
    assert make.made == ["b"]


def test_all_sessions_together_keep_no_more_than_the_limit():
    shelf, make = MapShelf(10 * BYTES + 1), Maker()
    for number in range(30):
        for name in "abc":
            ask(shelf, make, f"visitor {number}", name)
            assert shelf.nbytes <= 10 * BYTES
    make.made.clear()
    ask(shelf, make, "visitor 29", "c")
    assert not make.made
    ask(shelf, make, "visitor 0", "c")
    assert make.made == ["c"]


def test_the_newest_is_kept_even_where_it_is_larger_than_the_limit():
    shelf, make = MapShelf(BYTES // 2), Maker()
    kept = ask(shelf, make, "ann", "a")
    assert ask(shelf, make, "ann", "a") is kept
    ask(shelf, make, "bob", "b")
    assert shelf.nbytes == BYTES


def test_sessions_have_maps_of_their_own_and_leave_nothing():
    shelf, make = MapShelf(100 * BYTES), Maker()
    anns, bobs = ask(shelf, make, "ann", "a"), ask(shelf, make, "bob", "a")
    assert anns is not bobs
    shelf.forget("ann")
    assert shelf.nbytes == BYTES
    assert ask(shelf, make, "bob", "a") is bobs
    shelf.forget("nobody")


def test_who_makes_slowly_holds_nobody_up():
    shelf, make = MapShelf(100 * BYTES), Maker()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> FeatureMaps:
        begun.set()
        assert go_on.wait(30)
        return make("slow")

    thread = threading.Thread(target=shelf.get, args=("ann", "slow", slow))
    thread.start()
    assert begun.wait(30)
    assert ask(shelf, make, "bob", "quick").layer.name == "quick"
    go_on.set()
    thread.join(30)
    assert make.made == ["quick", "slow"]
