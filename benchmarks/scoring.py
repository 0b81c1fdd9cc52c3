"""Multiple-choice scoring: `lawcheck-hf` (one pass over the prompt) against lm-eval's stock `hf`.

    python benchmarks/scoring.py [--items 200] [--rounds 5] [--prompt 100] [--hidden 512 --layers 8]
    python benchmarks/scoring.py --model FOLDER --data FOLDER --items 24 --batch 4 --threads 2

The scale's own questions, worded as in a study; random words as prompts with four options of one
and of eight tokens; and prompts behind a beginning that all share. The stock class scores options
of one token from one pass already, longer ones each with its prompt. Weights are random, since only
sizes matter here. With a model and the data folder of docs/real-data.md: MMLU as the harness words
it, behind five examples of its subject, and prompts of random words of 100 tokens, in float32. Both
classes get the same requests in turn and tokenize them anew; `next model` scores a further model on
them, as a study does. CPU time over that of `hf`, median over rounds; the largest difference in
log-likelihood; questions whose likeliest option is another one; peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from measuring import Peak, in_turn, machine, ratio, table
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.scale import Scale, load_scale
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.tasks import build_requests, load_tasks, quiet
from lawcheck.planning.shipped import resolve_base
from lawcheck.training.base.tokenizer import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="proxy")
    parser.add_argument("--items", type=int, default=200, help="questions per task")
    parser.add_argument("--prompt", type=int, default=100, help="words of a random prompt")
    parser.add_argument("--examples", type=int, default=140, help="words of a shared beginning")
    parser.add_argument("--model", type=Path, help="a folder with a model and its tokenizer")
    parser.add_argument("--data", type=Path, help="with --model: the data folder")
    parser.add_argument("--batch", type=int, help="rows at a time (the scale's)")
    parser.add_argument("--hidden", type=int, help="another width, with random weights")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=1, help="rounds that do not count")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    kinds: dict[str, list[Instance]] = {}
    if options.model:
        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(options.model)
        batch = options.batch or 8
        kinds["options of MMLU, 5 examples"] = mmlu(options.data / "mmlu", options.items)
    else:
        scale = load_scale(options.scale)
        model, tokenizer = of_scale(scale, options.hidden, options.layers)
        batch = options.batch or scale.hardware.evaluation_batch
        kinds[f"options of scale {scale.name}"] = own_questions(
            scale, options.items, harness(model, tokenizer, batch)(PrefixSharingLM)
        )
    for length in (1, 8)[: 1 if options.model else 2]:
        made = random_questions(tokenizer, options.items, options.prompt, length)
        kinds[f"options, {options.prompt} + {length} tokens"] = made
    if not options.model:
        made = random_questions(tokenizer, options.items, options.prompt, 1, options.examples)
        kinds[f"options, {options.examples} shared + {options.prompt} + 1 tokens"] = made

    print(machine())
    config = model.config
    print(f"batch {batch}, width {config.hidden_size}, {config.num_hidden_layers} layers")
    head = ["questions", "class", "CPU s", "x hf", "times as fast", "largest difference"]
    head += ["other choices", "peak MiB"]
    rows = []
    for title, asked in kinds.items():
        title = f"{len(asked)} {title}"
        rows += compare(title, asked, harness(model, tokenizer, batch), options)
    print(table(head, rows))


def harness(model: Any, tokenizer: Any, batch: int) -> Callable[..., Any]:
    def made(kind: Callable[..., Any]) -> Any:
        with quiet():
            return kind(pretrained=model, tokenizer=tokenizer, batch_size=batch)

    return made


def of_scale(scale: Scale, hidden: int | None, layers: int | None) -> tuple[Any, Any]:
    folder = resolve_base(scale, "default", 0, Path())
    if folder is None:
        raise SystemExit(f"scale {scale.name}: ships no base; take proxy, or name a --model")
    config = AutoConfig.from_pretrained(folder)
    if hidden:
        config.hidden_size = hidden
        config.intermediate_size = 8 * hidden // 3
        config.head_dim = hidden // config.num_attention_heads
    config.num_hidden_layers = layers or config.num_hidden_layers
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval(), load_tokenizer(folder, "main")


def own_questions(scale: Scale, items: int, lm: Any) -> list[Instance]:
    limit = scale.evaluation.model_copy(update={"items": items, "tune_items": 0})
    scale = scale.model_copy(update={"evaluation": limit})
    with tempfile.TemporaryDirectory() as corpus:
        build_corpus(scale, Path(corpus) / "corpus")
        world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
        placed = load_tasks(world, scale, Path(corpus) / "corpus", "eval")
        build_requests(placed, lm)
        return [
            instance
            for p in placed
            for instance in p.task.instances
            if instance.request_type == "loglikelihood"
        ]


def mmlu(folder: Path, items: int) -> list[Instance]:
    """Half of the items from each of the first two subjects."""

    def rows(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / name).read_text().splitlines()]

    def worded(row: dict[str, Any]) -> str:
        options = zip("ABCD", row["choices"], strict=True)
        return "\n".join([row["question"].strip(), *(f"{k}. {c}" for k, c in options), "Answer:"])

    shown, asked = rows("dev.jsonl"), rows("test.jsonl")
    made = []
    for subject in sorted({r["subject"] for r in shown})[:2]:
        head = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
        five = [r for r in shown if r["subject"] == subject][:5]
        head += "".join(f"{worded(r)} {'ABCD'[r['answer']]}\n\n" for r in five)
        for row in [r for r in asked if r["subject"] == subject][: items // 2]:
            for k in range(4):
                arguments = (head + worded(row), f" {'ABCD'[k]}")
                made.append(Instance("loglikelihood", {}, arguments, k))
    return made


def random_questions(
    tokenizer: Any, items: int, prompt: int, option: int, shared: int = 0
) -> list[Instance]:
    """Four options to a question, of words that are one token each. shared: words in front."""
    # Without the mark that byte-pair vocabularies put where a word begins.
    known = dict.fromkeys(w.lstrip("Ġ▁") for w in tokenizer.get_vocab())
    words = [w for w in known if w.isalpha() and len(tokenizer.tokenize(f" {w}")) == 1]
    draw = random.Random(0)

    def text(length: int) -> str:
        return " ".join(draw.choice(words) for _ in range(length))

    made = []
    beginning = f"{text(shared)} " if shared else ""
    for number in range(items):
        context = beginning + text(prompt)
        for k in range(4):
            arguments = (context, " " + text(option))
            made.append(Instance("loglikelihood", {"id": number}, arguments, k))
    return made


def compare(
    title: str, asked: list[Instance], harness: Callable[..., Any], options: argparse.Namespace
) -> list[list[str]]:
    """A row for each way to score the same requests."""
    answers: dict[str, Any] = {}
    peaks: dict[str, int] = {}
    known = harness(PrefixSharingLM)

    def score(name: str, lm: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with quiet(), Peak() as peak:
                answers[name] = lm().loglikelihood(asked, disable_tqdm=True)
            peaks[name] = peak.bytes

        return run

    ways: dict[str, Callable[[], Any]] = {
        "hf": lambda: harness(HFLM),
        "lawcheck-hf": lambda: harness(PrefixSharingLM),
        "lawcheck-hf, next model": lambda: known,
    }
    steps = {name: score(name, lm) for name, lm in ways.items()}
    times = in_turn(steps, options.rounds, warm=options.warm)
    rows = []
    for name, spent in times.items():
        pairs = zip(answers[name], answers["hf"], strict=True)
        apart = max(abs(mine[0] - theirs[0]) for mine, theirs in pairs)
        share = ratio(spent, times["hf"])
        seconds = f"{statistics.median(spent):.2f}"
        moved = sum(
            a != b for a, b in zip(*map(choices, (answers[name], answers["hf"])), strict=True)
        )
        rows.append([title, name, seconds, f"{share:.3f}", f"{1 / share:.1f}", f"{apart:.1e}"])
        rows[-1] += [str(moved), str(peaks[name] >> 20)]
    return rows


def choices(answers: list[tuple[float, bool]]) -> list[int]:
    """The likeliest of every four options."""
    logs = [x for x, _ in answers]
    fours = (logs[k : k + 4] for k in range(0, len(logs), 4))
    return [max(range(len(four)), key=four.__getitem__) for four in fours]


if __name__ == "__main__":
    main()
