"""Figures 2 to 5."""
