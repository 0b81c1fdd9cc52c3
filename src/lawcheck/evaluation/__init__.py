"""Scoring runs through lm-evaluation-harness. `evaluate_runs` is the entry."""

from lawcheck.evaluation.run import EvalJob, evaluate_runs

__all__ = ["EvalJob", "evaluate_runs"]
