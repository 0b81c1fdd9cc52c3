"""One module a table: `TABLE` and `build(context) -> Grid`. Found by lawcheck.show.registry."""
