"""Figures of the merging study."""
