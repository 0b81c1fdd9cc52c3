"""What a selector says of the items of a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lm_eval.api.instance import Instance

from lawcheck.corpus.selecting import Question, input_of
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.tasks import PlacedTask, quiet

# Tokens that a reply may have beyond the longest right one.
SLACK = 4


def replies(placed: PlacedTask, question: Question, lm: PrefixSharingLM) -> Iterator[Any]:
    """(document, place of the task that is named) of every item.

    Raises InputError for an item without input.
    """
    documents = list(placed.task.eval_docs)
    answers = [question.answer(task) for task in question.labels]
    most = max(len(lm.tokenizer(a, add_special_tokens=False)["input_ids"]) for a in answers)
    limits = {"until": [], "max_gen_toks": most + SLACK}
    requests = []
    for k, document in enumerate(documents):
        named = {**document, "id": str(document.get("id", k))}
        turn = [{"role": "user", "content": question.prompt(input_of(named))}]
        requests.append(
            Instance(
                request_type="generate_until",
                doc=document,
                arguments=(lm.apply_chat_template(turn), dict(limits)),
                idx=0,
            )
        )
    with quiet():
        found = lm.generate_until(requests)
    for document, request, reply in zip(documents, requests, found, strict=True):
        lost = request.args[0] in lm.not_finite
        yield document, None if lost else question.read(reply)
