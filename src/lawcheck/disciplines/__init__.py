"""One folder per discipline: declaration, generators or loaders, and evaluation tasks."""
