"""The front door: each page as a picture and a sentence."""

from __future__ import annotations

from explorer.ui import frame

frame.gallery()
