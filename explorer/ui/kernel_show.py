"""Panels."""

from __future__ import annotations


def further(photo, kernel, laying) -> None:
    """Panels."""
