"""Answers that are programs: what is run of them, and what a run says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lawcheck.corpus.real.harness import PASSED
from lawcheck.errors import InputError
from lawcheck.evaluation import sandbox

FENCE = "```"


def humaneval(document: Mapping[str, Any], answer: str) -> str:
    """The prompt's function with the answer as its body, and its tests."""
    body = answer.partition(FENCE)[0]
    check = f"check({document['entry_point']})"
    return "\n".join((document["prompt"] + body, document["test"], check, ""))


def mbpp(document: Mapping[str, Any], answer: str) -> str:
    """What the answer holds before its fence ends, and the task's tests.

    The question ends in an open fence; an answer whose first fence opens its own is read inside
    that. What follows the program, such as an example in another fence, is not run.
    """
    code, _, after = answer.partition(FENCE)
    if after.startswith("python\n"):
        code = after.removeprefix("python\n")
    tests = document["test_list"]
    return "\n".join((code.partition(FENCE)[0], document["test_setup_code"], *tests, ""))


WRITTEN = {"humaneval_instruct": humaneval, "mbpp_instruct": mbpp}


def scorer(task: str) -> Callable[..., dict[str, Any]]:
    """`process_results` of a task: 1 where the program passes its tests, else 0.

    Raises InputError where this machine makes no sandbox, before any question is asked.
    """
    missing = sandbox.lacking()
    if missing:
        raise InputError(
            f"task {task!r}: execute_code is set, and there is no sandbox here ({missing}); run "
            f"where Linux namespaces are allowed, or leave execute_code off"
        )
    written = WRITTEN[task]

    def process_results(document: dict[str, Any], results: list[str]) -> dict[str, Any]:
        return {PASSED: float(sandbox.run(written(document, results[0])) == "passed")}

    return process_results
