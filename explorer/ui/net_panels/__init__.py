"""Panels under the table of a network."""
