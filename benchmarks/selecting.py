"""What a routed answer costs beside the answer of the right adapter alone.

    python benchmarks/selecting.py [--base FOLDER] [--tasks 12] [--texts 20] [--out FOLDER]

Adapters of plain peft on all projections, as many as generated tasks are asked for, and a selector
trained over them. Contenders take turns text by text in one process, one thread, CPU seconds:
`alone`, a PeftModel with the one adapter; `two switches`, the released scheme: the selector
generates its reply, set_adapter, the adapter generates; `routed`, SelectedAdapters.answer. Answers
have a given number of tokens, and are equal. The ratio is the median over texts.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import peft
import torch
from measuring import in_turn, machine, ratio, table

from lawcheck.corpus.recipe import Row
from lawcheck.declare import discovery
from lawcheck.disciplines.biology import proxy_tasks as biology
from lawcheck.disciplines.geography import proxy_tasks as geography
from lawcheck.disciplines.medicine import proxy_tasks as medicine
from lawcheck.evaluation.served import RECORD, SELECTOR, SelectedAdapters, train_selector
from lawcheck.methods.base import PRESETS
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model

WORLD = "proxy_tasks"
SOURCES = {"biology": biology, "medicine": medicine, "geography": geography}
LENGTHS = (2, 4, 8, 32)
RANK, SCALE, MOST = 4, 0.01, 24
Contender = Callable[[str, int], str]


def rows_of(tasks: int, each: int) -> list[Row]:
    """Rows of the first generated tasks, as `lawcheck select train` reads them."""
    found: list[Row] = []
    for name, source in SOURCES.items():
        labels = {t.name: t.label for t in discovery.discipline(name).worlds[WORLD].tasks}
        for row in source.samples("train", each * len(labels)):
            domain, task = labels[row["task"]]
            found.append({"domain": domain, "task": task, "input": row["input"]})
    names = list(dict.fromkeys((row["domain"], row["task"]) for row in found))[:tasks]
    return [row for row in found if (row["domain"], row["task"]) in names]


def make_adapters(base: Path, rows: list[Row], folder: Path) -> None:
    for k, (domain, task) in enumerate(dict.fromkeys((r["domain"], r["task"]) for r in rows)):
        torch.manual_seed(k)
        modules = list(PRESETS["all_linear"].modules)
        config = peft.LoraConfig(r=RANK, target_modules=modules, task_type="CAUSAL_LM")
        model = peft.get_peft_model(load_model(base, "main", dtype=torch.float32), config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, SCALE)
        model.save_pretrained(folder / domain / task)


def generated(model: Any, tokenizer: Any, text: str, **limits: Any) -> str:
    turn = [{"role": "user", "content": text}]
    prompt = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    asked = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        pad = tokenizer.pad_token_id
        ids = model.generate(**asked, do_sample=False, pad_token_id=pad, **limits)
    return str(tokenizer.decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))


def contenders(base: Path, adapters: Path, selector: Path, name: str) -> dict[str, Contender]:
    """name: of the adapter that is alone."""
    served = SelectedAdapters(base, adapters, selector)
    tokenizer = load_tokenizer(base)

    def model() -> Any:
        return load_model(base, "main", dtype=torch.float32)

    one = peft.PeftModel.from_pretrained(model(), adapters / name).eval()
    both = peft.PeftModel.from_pretrained(model(), selector / "adapter", adapter_name=SELECTOR)
    for own, path in served.adapters.items():
        both.load_adapter(path, adapter_name=own.replace("/", "-"))
    both.eval()

    def alone(text: str, tokens: int) -> str:
        return generated(one, tokenizer, text, max_new_tokens=tokens, min_new_tokens=tokens)

    def twice(text: str, tokens: int) -> str:
        both.set_adapter(SELECTOR)
        reply = generated(both, tokenizer, served.question.prompt(text), max_new_tokens=MOST)
        place = served.question.read(reply)
        if place >= 0:
            both.set_adapter(list(served.adapters)[place].replace("/", "-"))
        return generated(both, tokenizer, text, max_new_tokens=tokens, min_new_tokens=tokens)

    def routed(text: str, tokens: int) -> str:
        served.model.get_base_model().generation_config.min_new_tokens = tokens
        return served.answer(text, tokens)[1]

    return {"alone": alone, "two switches": twice, "routed": routed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shipped = Path(discovery.__file__).parents[1] / "base_models" / "proxy" / "seed1"
    parser.add_argument("--base", type=Path, default=shipped)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--each", type=int, default=25, help="rows a task that train the selector")
    parser.add_argument("--epochs", type=int, default=10, help="of the selector")
    parser.add_argument("--rate", type=float, default=1e-2, help="of the selector")
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--out", type=Path, help="where adapters and selector are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as temporary:
        measure(options, options.out or Path(temporary))


def measure(options: argparse.Namespace, place: Path) -> None:
    rows = rows_of(options.tasks, options.each)
    adapters, selector = place / "adapters", place / "selector"
    if not (selector / RECORD).is_file():
        make_adapters(options.base, rows, adapters)
        lines = place / "rows.jsonl"
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
        train_selector(
            adapters,
            options.base,
            lines,
            selector,
            which="{input} . which ?",
            rank=RANK,
            learning_rate=options.rate,
            epochs=options.epochs,
            batch_size=8 if len(rows) < 128 else 32,
        )
    first = f"{rows[0]['domain']}/{rows[0]['task']}"
    asked = [row["input"] for row in rows if f"{row['domain']}/{row['task']}" == first]
    every = contenders(options.base, adapters, selector, first)
    # Only where the selector is right do the three give one answer.
    served = SelectedAdapters(options.base, adapters, selector)
    asked = [t for t in dict.fromkeys(asked) if served.choose([t]) == [first]][: options.texts]
    found = []
    for tokens in LENGTHS:
        steps = {name: _over(step, asked, tokens) for name, step in every.items()}
        said = {name: step() for name, step in steps.items()}
        assert said["routed"] == said["two switches"] == said["alone"]
        each = in_turn(
            {
                f"{name} {k}": _over(step, [text], tokens)
                for k, text in enumerate(asked)
                for name, step in every.items()
            },
            1,
        )
        times = {n: [each[f"{n} {k}"][0] for k in range(len(asked))] for n in every}
        found.append(
            [
                str(tokens),
                *(f"{1000 * statistics.median(times[name]):.1f}" for name in every),
                *(f"{ratio(times[n], times['alone']):.2f}" for n in ("two switches", "routed")),
            ]
        )
    print(machine())
    print(f"{options.tasks} adapters, {len(asked)} texts; CPU milliseconds\n")
    head = ["tokens of the answer", *every, "two switches / alone", "routed / alone"]
    print(table(head, found))


def _over(step: Contender, texts: list[str], tokens: int) -> Callable[[], list[str]]:
    return lambda: [step(text, tokens) for text in texts]


if __name__ == "__main__":
    main()
