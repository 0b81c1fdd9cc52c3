"""Readers of the small public files that the world `slices` is made of."""
