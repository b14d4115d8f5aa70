"""Draw a kernel: paint weights, see the picture change, open any pixel into its products."""

from __future__ import annotations

from explorer.convolution import output_shape
from explorer.ui import cache, controls, frame, kernel_controls, kernel_show
from explorer.ui.components.photo_store import photo_store
from explorer.ui.components.stencil import stencil

with frame.bench():
    picture, settings = frame.inputs()
    view, film = frame.outputs("view", "film")
    with picture:
        photo = controls.photo()
    with settings:
        kernel = kernel_controls.kernel()
        photo = kernel_controls.working_photo(photo)
        laying = kernel_controls.laying(photo, kernel)
    with view:
        photo_store("photo", photo.digest, cache.exact_file(photo))
        stencil(
            "stencil",
            photo.digest,
            (photo.height, photo.width),
            kernel,
            laying,
            kernel_controls.view(),
            kernel_controls.pinned(output_shape((photo.height, photo.width), laying.spec)),
            kernel_controls.take_kernel,
            kernel_controls.take_view,
            kernel_controls.pin,
        )
    with film:
        kernel_show.further(photo, kernel, laying)
