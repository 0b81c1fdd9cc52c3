"""Serve a folder of peft adapters behind one selector: train it, ask it, check it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lawcheck.errors import InputError

ORDER = 98
GROUP = "judge"
NEEDS = ("torch", "peft", "sklearn")
EXAMPLES = (
    "lawcheck select train adapters --base model --rows rows.jsonl --selector s",
    "lawcheck select check adapters --base model --rows held.jsonl --selector s",
    'lawcheck select ask adapters --base model --selector s --text "codon a c g ?"',
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("train", "ask", "check"), help="what to do")
    parser.add_argument("folder", metavar="DIR", help="adapters, in folders DOMAIN/TASK")
    parser.add_argument("--base", required=True, metavar="DIR", help="model folder, or hub name")
    parser.add_argument("--selector", required=True, metavar="DIR", help="folder of the selector")
    parser.add_argument("--text", action="append", metavar="TEXT", help="what to ask; repeatable")
    parser.add_argument(
        "--rows", metavar="FILE", help="JSON Lines of input, domain, task and, for costs, response"
    )
    parser.add_argument(
        "--which",
        metavar="TEXT",
        help="question to train with, with {input} and, if wanted, {domains} and {tasks}",
    )
    parser.add_argument("--k", type=int, metavar="N", help="representative rows a task (all)")
    parser.add_argument(
        "--distance", default="L2", choices=("L2", "COS", "IP"), help="of their clusters (L2)"
    )
    parser.add_argument("--rank", type=int, default=8, metavar="R", help="of the selector (8)")
    parser.add_argument("--rate", type=float, default=4e-4, help="learning rate (4e-4)")
    parser.add_argument("--epochs", type=int, default=5, metavar="N", help="of training (5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of training (0)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="cpu or cuda")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.files.atomic import json_text

    folder, selector = Path(arguments.folder), Path(arguments.selector)
    asks = arguments.action == "ask"
    if asks != bool(arguments.text) or asks == (arguments.rows is not None):
        raise InputError(
            f"lawcheck select {arguments.action}: found {len(arguments.text or ())} texts and rows "
            f"{arguments.rows!r}, expected "
            + ("--text TEXT and no --rows" if asks else "--rows FILE and no --text")
            + "; correct the command"
        )
    if arguments.action == "train":
        from lawcheck.evaluation.served import train_selector

        found = train_selector(
            folder,
            arguments.base,
            Path(arguments.rows),
            selector,
            which=arguments.which,
            k=arguments.k,
            distance=arguments.distance,
            rank=arguments.rank,
            learning_rate=arguments.rate,
            epochs=arguments.epochs,
            seed=arguments.seed,
            device=arguments.device,
        )
        if arguments.json:
            sys.stdout.write(json_text(found))
            return
        for name, count in found["rows"].items():
            fewer = f" (fewer than {arguments.k}: no more differ, or some are nearest to several)"
            print(f"  {name}: {count} rows{fewer if count < (arguments.k or 0) else ''}")
        if found["ambiguous_inputs"]:
            print(f"  note: {found['ambiguous_inputs']} inputs are of more than one task; kept")
        print(f"  {found['steps']} steps -> {selector}")
        return
    from lawcheck.evaluation.served import SelectedAdapters

    served = SelectedAdapters(arguments.base, folder, selector, arguments.device)
    if asks:
        for text in arguments.text:
            name, answer = served.answer(text)
            if arguments.json:
                sys.stdout.write(json_text({"adapter": name, "answer": answer}))
            else:
                print(f"{name or 'no adapter (the reply names none)'}: {answer}")
        return
    checked = served.check(Path(arguments.rows))
    if arguments.json:
        pairs = [[*pair, count] for pair, count in sorted(checked.confusion.items())]
        sys.stdout.write(
            json_text(
                {
                    "rows": checked.rows,
                    "accuracy": checked.accuracy,
                    "cost": checked.cost,
                    "wrong_cost": checked.wrong_cost,
                    "choice_milliseconds": checked.choice,
                    "switch_milliseconds": checked.switch,
                    "confusion": pairs,
                }
            )
        )
        return
    print(f"domain and task right: {100 * checked.accuracy:.1f} % of {checked.rows} rows")
    for (right, named), count in sorted(checked.confusion.items()):
        if right != named:
            print(f"  {right} taken for {named}: {count}")
    if checked.cost is not None:
        print(f"cost of wrong choices: {checked.cost:.4f} nats per response token, over all rows")
    if checked.wrong_cost is not None:
        print(f"  of the wrong ones alone: {checked.wrong_cost:.4f}")
    print(f"choice: {checked.choice:.1f} ms a text; switch: {checked.switch:.2f} ms")
    print("prefill: not shared, since the selector's keys and values are its own")
