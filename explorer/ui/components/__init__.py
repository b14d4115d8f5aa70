"""Our own components: one .py beside its .html, .css and .js."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent


def register(name: str, *parts: str) -> Callable[..., Any]:
    """The mounting function of the component whose files are `name`.html, .css and .js in this folder.

    A component's JavaScript is one text: `_shared.js` and the parts that it names stand in front of its own.
    """
    html, css = ((FOLDER / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
    scripts = ("_shared", *parts, name)
    js = "\n".join((FOLDER / f"{script}.js").read_text(encoding="utf-8") for script in scripts)
    return st.components.v2.component(f"cnn_explorer_{name}", html=html, css=css, js=js)
