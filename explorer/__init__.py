"""The science of CNN Explorer: torch, numpy and pictures.  Only `explorer.ui` knows Streamlit."""
