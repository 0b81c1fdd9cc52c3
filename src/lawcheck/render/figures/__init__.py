"""One module a figure: `FIGURE` and `build(context) -> Figure`. See lawcheck.render.registry."""
