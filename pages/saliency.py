"""Where does it look?  A picture in, class activation maps out."""

from __future__ import annotations

from explorer.saliency import SaliencySpec
from explorer.ui import cache, controls, frame, show
from explorer.ui.components.heat_view import heat_view
from explorer.ui.components.photo_store import photo_store

left, middle, right = frame.bench()
with left:
    photo = controls.photo()
    card = controls.model()
    method = controls.method()

recorder = cache.recorder(card.key)
tape = cache.tape(card.key, photo)
probabilities = tape.probabilities()[0]
with right:
    chosen, second = controls.classes(card, probabilities)
with middle:
    look = controls.look()
    layer = controls.layer(recorder)
    specs = tuple(SaliencySpec(method, layer, index) for index in (chosen, second) if index is not None)
    maps = cache.heat(card.key, photo, specs)
    scale = max(found.peak for found in maps)
    photo_store("photo", photo.digest, cache.photo_file(photo))
    heat_view(
        "saliency",
        photo.digest,
        (photo.height, photo.width),
        card.preprocessing.view(photo.height, photo.width),
        [show.pane(card, probabilities, found) for found in maps],
        scale,
        look,
        controls.take_look,
    )
with right:
    show.cost(card, photo, tape, maps)
    show.saliency_downloads(card, photo, maps[0], scale, look)
with middle:  # last: the film takes longest, and all else is on screen by then
    show.filmstrip(card, photo, maps[0], recorder.default.name, look)
