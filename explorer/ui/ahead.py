"""What the page on a layer will show after a change of a control, for browsers that do not wait for the page's run.

A run of Streamlit takes 40 to 90 ms from the hand to the picture, most of it in the browser's own work on all that a
run sends.  So the page's components also ask here, paint what comes back, and the run's answer finds it painted: it
is made by the same functions, and where it should differ it counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from explorer.errors import ExplorerError, LayerError
from explorer.ui import warmup

PATH: Final = "/api/layer"
MOST_CHANGES, MOST_TEXT = 24, 4_000

served = False
"""Whether this process's server has the address: pages tell browsers of it then alone."""


def route() -> Route:
    """The address, for the server's list."""
    global served
    served = True
    return Route(PATH, answer)


def answer(request: Request) -> Response:
    """The layer of the query after its changes and all that is drawn of it; or `refused`, why not, in one sentence.

    The query: `layer` and `seen` as in a link, and `changes`, a JSON list of pairs of control and value, which
    `layer_controls.changed` takes one after the other.
    """
    if not warmup.state.ready:  # our own modules may not be there yet
        return JSONResponse({"refused": "The server is still waking up."})
    try:
        return Response(_answered(request.query_params), media_type="application/json")
    except ExplorerError as error:
        return JSONResponse({"refused": str(error)})


def _answered(query: QueryParams) -> str:
    from explorer.layer_text import read_layer
    from explorer.ui import cache, layer_controls
    from explorer.ui.layer_drawn import VIEWS, view_of

    spec, shape = read_layer(query.get("layer", "")[:MOST_TEXT])
    seen = query.get("seen", "")
    for control, value in _changes(query.get("changes", "[]")):
        if control == "seen":
            seen = next((key for key, words in VIEWS.items() if words == value), seen)
        else:
            spec, shape = layer_controls.changed(spec, shape, control, value)
    seen = seen if seen in VIEWS else next(iter(VIEWS))
    after = layer_controls.ahead_of(spec, shape, seen)
    drawn = cache.layer_drawn(str(after["layer"]), view_of(spec, seen))
    return f'{{"told": {json.dumps(after)}, "answer": {drawn.answer}, "windows": {drawn.windows}}}'


def _changes(text: str) -> Iterator[tuple[str, Any]]:
    try:
        changes = json.loads(text[:MOST_TEXT])
    except (ValueError, RecursionError):
        changes = None
    if not isinstance(changes, list) or len(changes) > MOST_CHANGES:
        raise LayerError(f"The changes are no list of at most {MOST_CHANGES} pairs.")
    for change in changes:
        if not (isinstance(change, list) and len(change) == 2 and isinstance(change[0], str)):
            raise LayerError("A change is no pair of a control and its value.")
        yield change[0], change[1]
