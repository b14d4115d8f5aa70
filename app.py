"""The server: `streamlit run app.py`, or `uvicorn app:app`."""

import streamlit as st

from explorer.ui import server

# `streamlit run` reads this file without running it, and looks for a plain call of st.App.
app = st.App(server.SHELL, **server.settings())
