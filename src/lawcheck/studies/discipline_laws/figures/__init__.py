"""Figures 1 to 6."""
