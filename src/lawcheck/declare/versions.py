"""Versions that enter run ids. Raise one when its stage can change a result."""

TRAINER = 1
EVALUATOR = 1
RECIPES = 1
CONVERTER = 1
