"""Multiple-choice scoring: `lawcheck-hf` (one pass over the prompt) against lm-eval's stock `hf`.

    python benchmarks/scoring.py [--items 200] [--rounds 5] [--prompt 100] [--hidden 512 --layers 8]

Three kinds of questions: the scale's own, worded as in a study; and random words as prompts with
four options of one and of eight tokens. The stock class scores options of one token from one pass
already, longer ones each with its prompt. Weights are random, since only sizes matter here. Both
classes get the same requests in turn and tokenize them anew; `next model` scores a further model
on them, as a study does. CPU time over that of `hf`, median over rounds, and the largest
difference in log-likelihood.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from measuring import in_turn, machine, ratio, table
from transformers import AutoConfig, AutoModelForCausalLM

from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.tasks import build_requests, load_tasks, quiet
from lawcheck.planning.shipped import resolve_base
from lawcheck.training.base.tokenizer import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="proxy")
    parser.add_argument("--items", type=int, default=200, help="questions per task")
    parser.add_argument("--prompt", type=int, default=100, help="words of a random prompt")
    parser.add_argument("--batch", type=int, help="rows at a time (the scale's)")
    parser.add_argument("--hidden", type=int, help="another width, with random weights")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    scale = load_scale(options.scale)
    limit = scale.evaluation.model_copy(update={"items": options.items, "tune_items": 0})
    scale = scale.model_copy(update={"evaluation": limit})
    folder = resolve_base(scale, "default", 0, Path())
    if folder is None:
        raise SystemExit(f"scale {scale.name}: ships no base; take proxy")
    config = AutoConfig.from_pretrained(folder)
    if options.hidden:
        config.hidden_size = options.hidden
        config.intermediate_size = 8 * options.hidden // 3
    config.num_hidden_layers = options.layers or config.num_hidden_layers
    if options.hidden:
        config.head_dim = options.hidden // config.num_attention_heads
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    tokenizer = load_tokenizer(folder, "main")
    batch = options.batch or scale.hardware.evaluation_batch

    def harness(kind: Callable[..., Any]) -> Any:
        with quiet():
            return kind(pretrained=model, tokenizer=tokenizer, batch_size=batch)

    with tempfile.TemporaryDirectory() as corpus:
        build_corpus(scale, Path(corpus) / "corpus")
        world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
        placed = load_tasks(world, scale, Path(corpus) / "corpus", "eval")
        build_requests(placed, harness(PrefixSharingLM))
        asked = [
            instance
            for p in placed
            for instance in p.task.instances
            if instance.request_type == "loglikelihood"
        ]

    print(machine())
    print(f"batch {batch}, width {config.hidden_size}, {config.num_hidden_layers} layers")
    head = ["questions", "class", "CPU s", "x hf", "times as fast", "largest difference"]
    rows = compare(f"{len(asked)} options of scale {scale.name}", asked, harness, options.rounds)
    for length in (1, 8):
        made = random_questions(tokenizer, options.items, options.prompt, length)
        title = f"{len(made)} options, {options.prompt} + {length} tokens"
        rows += compare(title, made, harness, options.rounds)
    print(table(head, rows))


def random_questions(tokenizer: Any, items: int, prompt: int, option: int) -> list[Instance]:
    """Four options to a question, of words that are one token each."""
    words = [w for w in tokenizer.get_vocab() if w.isalpha() and len(tokenizer.tokenize(w)) == 1]
    draw = random.Random(0)

    def text(length: int) -> str:
        return " ".join(draw.choice(words) for _ in range(length))

    made = []
    for number in range(items):
        context = text(prompt)
        for k in range(4):
            arguments = (context, " " + text(option))
            made.append(Instance("loglikelihood", {"id": number}, arguments, k))
    return made


def compare(
    title: str, asked: list[Instance], harness: Callable[..., Any], rounds: int
) -> list[list[str]]:
    """A row for each way to score the same requests."""
    answers: dict[str, Any] = {}
    known = harness(PrefixSharingLM)

    def score(name: str, lm: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with quiet():
                answers[name] = lm().loglikelihood(asked, disable_tqdm=True)

        return run

    ways: dict[str, Callable[[], Any]] = {
        "hf": lambda: harness(HFLM),
        "lawcheck-hf": lambda: harness(PrefixSharingLM),
        "lawcheck-hf, next model": lambda: known,
    }
    times = in_turn({name: score(name, lm) for name, lm in ways.items()}, rounds)
    rows = []
    for name, spent in times.items():
        pairs = zip(answers[name], answers["hf"], strict=True)
        apart = max(abs(mine[0] - theirs[0]) for mine, theirs in pairs)
        share = ratio(spent, times["hf"])
        seconds = f"{statistics.median(spent):.2f}"
        rows.append([title, name, seconds, f"{share:.3f}", f"{1 / share:.1f}", f"{apart:.1e}"])
    return rows


if __name__ == "__main__":
    main()
