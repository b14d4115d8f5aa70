"""Where does it look?  A picture in, class activation maps out."""

from __future__ import annotations

from explorer.models import NetworkInput
from explorer.saliency import SaliencySpec
from explorer.ui import cache, controls, frame, show
from explorer.ui.components.heat_view import heat_view
from explorer.ui.components.photo_store import photo_store


@frame.part
def explore(fed: NetworkInput, method: str) -> None:
    """The answers, the map of the one that is chosen, and the film of its layers."""
    view, film, answers = frame.outputs("view", "film", "answers")
    recorder = cache.recorder(fed.card.key)
    tape = cache.tape(fed)
    probabilities = tape.probabilities()[0]
    with answers:
        chosen, second = controls.classes(fed.card, probabilities)
    with view:
        look = controls.look()
        layer = controls.layer(recorder)
        specs = tuple(SaliencySpec(method, layer, index) for index in (chosen, second) if index is not None)
        maps = cache.heat(fed, specs)
        scale = max(found.peak for found in maps)
        panes = [show.pane(fed, probabilities, found) for found in maps]
        heat_view("saliency", fed, panes, scale, look, controls.take_look)
    with answers:
        show.cost(fed, tape, maps)
    with film:  # last: it takes longest, and all else is on screen by then
        show.filmstrip(fed, maps[0], recorder.default.name, look)
        show.saliency_downloads(fed, maps, scale, look)
        frame.door("features", "The maps of this layer", model=fed.card.key, module=layer)


with frame.bench():
    picture, settings = frame.inputs()
    with picture:
        photo = controls.photo()
        photo_store("photo", photo.digest, cache.photo_file(photo))
    with settings:
        fed = controls.network_input(photo)
        method = controls.method()
    explore(fed, method)
