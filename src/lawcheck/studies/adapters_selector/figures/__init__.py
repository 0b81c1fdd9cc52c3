"""Figures 2 and 4."""
