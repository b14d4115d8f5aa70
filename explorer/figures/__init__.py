"""Figures: values in, pictures and charts out."""
