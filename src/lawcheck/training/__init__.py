"""Rows to weights: objectives, one trainer, launch, base models. `run.train_run` is the entry."""
