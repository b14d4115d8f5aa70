"""What a visitor sees when something goes wrong: one sentence, never a traceback."""

from __future__ import annotations

import logging
import secrets

import streamlit as st

from explorer.errors import ExplorerError

log = logging.getLogger("explorer")


def show(error: Exception) -> bool:
    """Explain an error in place.

    An `ExplorerError` is its own explanation.  Anything else is a fault of ours: it is logged whole under an
    id and shown as one sentence with that id.  Returns True: Streamlit's own display is not wanted.
    """
    if isinstance(error, ExplorerError):
        from explorer.images import plain  # brings numpy and Pillow: not before the server is up

        st.error(plain(str(error)), icon=":material/info:")
        return True
    fault = secrets.token_hex(4)
    log.error("fault %s", fault, exc_info=error)
    st.error(
        f"Something broke on our side; what you had is kept. It is in the server's log as `{fault}`.",
        icon=":material/error:",
    )
    return True
