"""Where does it look?  A picture in, class activation maps out."""

from __future__ import annotations

from explorer.saliency import SaliencySpec
from explorer.ui import cache, controls, frame, show
from explorer.ui.components.heat_view import heat_view
from explorer.ui.components.photo_store import photo_store

bench = frame.bench()
with bench.picture:
    photo = controls.photo()
with bench.network:
    fed = controls.network_input(photo)
    method = controls.method()

recorder = cache.recorder(fed.card.key)
tape = cache.tape(fed)
probabilities = tape.probabilities()[0]
with bench.answers:
    chosen, second = controls.classes(fed.card, probabilities)
with bench.view:
    look = controls.look()
    layer = controls.layer(recorder)
    specs = tuple(SaliencySpec(method, layer, index) for index in (chosen, second) if index is not None)
    maps = cache.heat(fed, specs)
    scale = max(found.peak for found in maps)
    photo_store("photo", photo.digest, cache.photo_file(photo))
    heat_view(
        "saliency",
        photo.digest,
        (photo.height, photo.width),
        fed.box,
        [show.pane(fed, probabilities, found) for found in maps],
        scale,
        look,
        controls.take_look,
    )
with bench.answers:
    show.cost(fed, tape, maps)
with bench.film:  # last: the film takes longest, and all else is on screen by then
    show.filmstrip(fed, maps[0], recorder.default.name, look)
    show.saliency_downloads(fed, maps, scale, look)
