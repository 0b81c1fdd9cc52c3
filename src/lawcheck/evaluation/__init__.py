"""Weights to scored items, through lm-evaluation-harness. `run.evaluate_runs` is the entry."""
