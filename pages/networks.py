"""Build a net.  Where it comes from, and a table of its layers that tells the truth."""

from __future__ import annotations

from explorer.ui import frame, net_controls, net_show

with frame.bench():
    settings, _ = frame.inputs()
    view, film = frame.outputs("view", "film")
    with settings:
        network = net_controls.chosen_network()
        net_controls.origin(network)
    with view:
        profile = net_show.table(network)
    with film:
        net_show.further(network, profile)
