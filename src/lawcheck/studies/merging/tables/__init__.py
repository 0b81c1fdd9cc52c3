"""Tables of the merging study."""
