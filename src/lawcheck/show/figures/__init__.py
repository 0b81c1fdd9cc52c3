"""One module a figure: `FIGURE` and `build(context) -> Figure`. See lawcheck.show.registry."""
