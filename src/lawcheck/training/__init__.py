"""Training one run through transformers' Trainer. `train_run` is the entry."""

from lawcheck.training.record import is_complete
from lawcheck.training.run import train_run

__all__ = ["is_complete", "train_run"]
