"""What shape comes out?  One layer: its output, why, what it costs, and every number of its window."""

from __future__ import annotations

from explorer.ui import frame, layer_controls, layer_show

with frame.bench():
    settings, more = frame.inputs()
    view, film = frame.outputs("view", "film")
    with settings:
        spec, shape = layer_controls.layer()
    with more:
        batch, dtype = layer_controls.batch_and_dtype()
    with view:
        layer_show.result(spec, shape)
        layer_show.sliding(spec, shape)
    with film:
        layer_show.further(spec, shape, batch, dtype)
