"""What does each layer see?  A picture in, every feature map of any layer out."""

from __future__ import annotations

from explorer.models import NetworkInput
from explorer.ui import cache, controls, feature_controls, feature_show, frame
from explorer.ui.components.photo_store import photo_store


@frame.part
def explore(fed: NetworkInput) -> None:
    """The layers along depth, the wall of the chosen one, the chosen map, and what goes further."""
    view, film = frame.outputs("view", "film")
    with view:
        feature_show.layers(fed, feature_controls.layer(fed))
        subject = feature_show.subject(fed)
        if subject is None:
            return
        feature_show.wall(subject)
        frame.send()  # the wall is painted before the work on one map begins
        feature_show.unit(subject)
    frame.send()
    with film:
        feature_show.further(subject)
        frame.door("saliency", "The parts of the picture that spoke for an answer", model=fed.card.key)


with frame.bench():
    picture, settings = frame.inputs()
    with picture:
        photo = controls.photo()
        photo_store("photo", photo.digest, cache.photo_file(photo))
    with settings:
        fed = controls.network_input(photo)
    explore(fed)
