"""Generated answers: `lawcheck-hf` against lm-eval's stock `hf` at each of several batch sizes.

    python benchmarks/generation.py [--items 500]                              the proxy's own tasks
    python benchmarks/generation.py --model FOLDER --data FOLDER --tokens 128 --threads 2

With a model and the data folder of docs/real-data.md: GSM8K as the harness words it, behind five
worked examples of its training split and in the model's chat template without any, and IFEval.
Everything in float32. CPU time over that of `hf` at the batch size that served it best, median over
rounds; peak memory of the process while a contender runs; answers whose text or tokens differ from
those of `hf`, and how far apart the two tokens' logits are where an answer parts first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from measuring import Peak, clock, in_turn, machine, ratio, table
from transformers import AutoModelForCausalLM, AutoTokenizer

from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.evaluation.tasks import build_requests, load_tasks, quiet
from lawcheck.planning.shipped import resolve_base
from lawcheck.training.base.tokenizer import load_tokenizer

STOP = ["Question:", "</s>", "<|im_end|>"]
Asked = list[tuple[str, dict[str, Any]]]


class Tokens:
    """In place of the harness's cache: the tokens of the answer to each prompt."""

    def __init__(self, lm: Any) -> None:
        self.of: dict[str, list[int]] = {}
        decode = lm.tok_decode

        def noted(tokens: Any, **kwargs: Any) -> str:
            self._last = tokens
            return str(decode(tokens, **kwargs))

        lm.tok_decode, lm.cache_hook = noted, self

    def add_partial(self, _: str, request: Any, __: str) -> None:
        self.of[request[0]] = list(self._last)


def of_scale(name: str, items: int) -> tuple[Any, Any, dict[str, Asked]]:
    scale = load_scale(name)
    limit = scale.evaluation.model_copy(update={"items": items, "tune_items": 0})
    scale = scale.model_copy(update={"evaluation": limit})
    folder = resolve_base(scale, "default", 0, Path())
    if folder is None:
        raise SystemExit(f"scale {scale.name}: ships no base; take proxy, or name a --model")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = load_tokenizer(folder, "main")
    with quiet():
        lm = PrefixSharingLM(pretrained=model, tokenizer=tokenizer, batch_size=1)
    tasks: dict[str, Asked] = {}
    with tempfile.TemporaryDirectory() as corpus:
        build_corpus(scale, Path(corpus) / "corpus")
        world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
        placed = load_tasks(world, scale, Path(corpus) / "corpus", "eval")
        generated = [p for p in placed if p.declared.output == "generate"]
        build_requests(generated, lm)
        for p in generated:
            tasks[p.declared.name] = [i.args for i in p.task.instances]
    return model, tokenizer, tasks


def of_data(folder: str, data: Path, items: int, tokens: int) -> tuple[Any, Any, dict[str, Asked]]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def rows(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (data / name).read_text().splitlines()]

    def chat(text: str) -> str:
        turn = [{"role": "user", "content": text}]
        return str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))

    def asked(prompts: Sequence[str], until: list[str]) -> Asked:
        kwargs = {"until": until, "do_sample": False, "max_gen_toks": tokens}
        return [(p, dict(kwargs)) for p in prompts[:items]]

    shown = "\n\n".join(
        f"Question: {r['question']}\nAnswer: {r['answer']}" for r in rows("gsm8k/train.jsonl")[:5]
    )
    questions = [f"Question: {r['question']}\nAnswer:" for r in rows("gsm8k/test.jsonl")]
    prompts = [chat(r["prompt"]) for r in rows("ifeval/input_data.jsonl")]
    return (
        model,
        tokenizer,
        {
            "GSM8K, 5 examples": asked([f"{shown}\n\n{q}" for q in questions], STOP),
            "GSM8K, chat": asked([chat(q) for q in questions], STOP),
            "IFEval": asked(prompts, []),
        },
    )


def compare(
    title: str, asked: Asked, model: Any, tokenizer: Any, options: argparse.Namespace
) -> Iterator[list[str]]:
    """A row for each way to answer the same prompts."""
    texts: dict[str, list[str]] = {}
    tokens: dict[str, dict[str, list[int]]] = {}
    peaks: dict[str, int] = {}

    def answer(name: str, kind: Callable[..., Any], batch: int) -> Callable[[], None]:
        def run() -> None:
            requests = [Instance("generate_until", {}, a, k) for k, a in enumerate(asked)]
            with quiet(), Peak() as peak:
                lm = kind(pretrained=model, tokenizer=tokenizer, batch_size=batch)
                noted = Tokens(lm)
                texts[name] = lm.generate_until(requests, disable_tqdm=True)
            tokens[name], peaks[name] = noted.of, peak.bytes
            print(f"{title}: answered by {name}", clock(model.device.type), file=sys.stderr)
            if kind is PrefixSharingLM and lm.paths["generate_until"] != [
                "rows replaced as they end"
            ]:
                raise SystemExit(f"{title}: answered by {lm.paths['generate_until']}")

        return run

    ways = {f"hf, {b} rows": answer(f"hf, {b} rows", HFLM, b) for b in options.batch}
    ways |= {
        f"lawcheck-hf, {b} rows": answer(f"lawcheck-hf, {b} rows", PrefixSharingLM, b)
        for b in options.places
    }
    device = model.device.type
    times = in_turn(ways, options.rounds, device, warm=options.warm)
    best = min(
        (n for n in times if n.startswith("hf")), key=lambda name: statistics.median(times[name])
    )
    for name, spent in times.items():
        share = ratio(spent, times[best])
        unlike = sum(a != b for a, b in zip(texts[name], texts[best], strict=True))
        parted = list(partings(model, tokenizer, tokens[name], tokens[best]))
        yield [
            f"{len(asked)} of {title}",
            name,
            f"{statistics.median(spent):.2f}",
            f"{share:.3f}",
            f"{1 / share:.2f}",
            f"{unlike}, {len(parted)}",
            f"{max(parted):.1e}" if parted else "",
            f"{peaks[name] >> 20}",
        ]


@torch.inference_mode()
def partings(
    model: Any, tokenizer: Any, mine: dict[str, list[int]], theirs: dict[str, list[int]]
) -> Iterator[float]:
    """Of every answer with another token: how far apart the two logits are, computed alone."""
    for prompt, own in mine.items():
        # What follows an answer's end is left out of its text, and differs by how long it goes on.
        pairs = zip(own, theirs[prompt], strict=False)
        at = next((k for k, (a, b) in enumerate(pairs) if a != b), None)
        special = {tokenizer.pad_token_id, tokenizer.eos_token_id}
        if at is None or {own[at], theirs[prompt][at]} <= special:
            continue
        ids = tokenizer(prompt)["input_ids"] + own[:at]
        logits = model(input_ids=torch.tensor([ids], device=model.device)).logits[0, -1]
        yield float((logits[own[at]] - logits[theirs[prompt][at]]).abs())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="proxy", help="whose shipped base and own tasks")
    parser.add_argument("--model", help="a folder with a model and its tokenizer instead")
    parser.add_argument("--data", type=Path, help="with --model: the data folder")
    parser.add_argument("--only", nargs="+", help="some tasks")
    parser.add_argument("--items", type=int, default=500, help="prompts a task")
    parser.add_argument(
        "--tokens", type=int, default=128, help="with --model: of an answer at most"
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256], help="of hf")
    parser.add_argument("--places", type=int, nargs="+", default=[64], help="rows of lawcheck-hf")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", type=int, default=1, help="rounds that do not count")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.model:
        model, tokenizer, tasks = of_data(
            options.model, options.data, options.items, options.tokens
        )
    else:
        model, tokenizer, tasks = of_scale(options.scale, options.items)
    model.to(options.device).eval()
    head = ["prompts", "class", "CPU s", "x hf", "times as fast", "texts, tokens that differ"]
    head += ["logits apart", "peak MiB"]
    print(machine(options.device))
    rows = []
    for title, asked in tasks.items():
        if options.only is None or title in options.only:
            rows += compare(title, asked, model, tokenizer, options)
    print(table(head, rows))


if __name__ == "__main__":
    main()
