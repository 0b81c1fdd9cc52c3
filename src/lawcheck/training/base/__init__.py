"""Base models: built from scratch on a world, shipped with the package, or loaded."""
