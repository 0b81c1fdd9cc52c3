"""From disciplines to training rows: recipes, the corpus on disk, its checks."""
