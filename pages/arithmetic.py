"""What shape comes out?  One layer: its output, why, what it costs, and every number of its window."""

from __future__ import annotations

from explorer.ui import frame, layer_controls, layer_show

with frame.bench():
    _, settings = frame.inputs()  # on a phone the answer comes first
    view, film = frame.outputs("view", "film")
    with settings:
        spec, shape = layer_controls.chosen_layer()
    with view:  # first: the eye is there while the hand moves a control
        layer_show.result(spec, shape)
        layer_show.sliding(spec, shape)
    frame.send()
    with settings:
        layer_controls.layer(spec, shape)
        batch, dtype = layer_controls.batch_and_dtype()
    with film:
        layer_show.further(spec, shape, batch, dtype)
