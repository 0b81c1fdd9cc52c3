"""Versions that enter run ids. Raise one when its stage can change a result."""

TRAINER = 1
EVALUATOR = 1
RECIPES = 1
CONVERTER = 1
# Of scales that measure likelihoods. 2: the softmax of logits in bfloat16 is taken in float32.
LIKELIHOODS = 2
