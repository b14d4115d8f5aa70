"""The script Streamlit runs: navigation, the style of the house, and the page that was asked for."""

from __future__ import annotations

from explorer.ui import frame

frame.shell()
