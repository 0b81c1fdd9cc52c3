"""The proxy world: a small, closed, procedurally generated stand-in for the paper's corpora.

Text is whitespace-separated lower-case words; a number is written as its single digits. Each
discipline has skills (a rule applied to fresh material) and facts (a table to be remembered);
about half of the facts never occur in pretraining. See `splits` for what keeps evaluation and
training apart, `stream` for how rows are made, and each discipline's `proxy` module for content
and its difficulty constants.
"""

from lawcheck.proxy_world.closure import MODULES, generator_files, vocabulary
from lawcheck.proxy_world.splits import SPLITS
from lawcheck.proxy_world.stream import choice_prompt

__all__ = ["MODULES", "SPLITS", "choice_prompt", "generator_files", "vocabulary"]
