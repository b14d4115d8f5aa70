"""Our own components: one .py beside its .html, .css and .js."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent


def register(name: str) -> Callable[..., Any]:
    """The mounting function of the component whose files are `name`.html, .css and .js in this folder."""
    kinds = ("html", "css", "js")
    html, css, js = ((FOLDER / f"{name}.{kind}").read_text(encoding="utf-8") for kind in kinds)
    js = (FOLDER / "_shared.js").read_text(encoding="utf-8") + js
    return st.components.v2.component(f"cnn_explorer_{name}", html=html, css=css, js=js)
