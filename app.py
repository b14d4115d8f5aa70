"""The server: `streamlit run app.py`, or `uvicorn app:app`."""

from explorer.ui.server import create_app

app = create_app()
