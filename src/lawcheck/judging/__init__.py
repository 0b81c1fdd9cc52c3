"""From a score table to verdicts: estimates, tests, decisions, imports of others' results."""
