"""A folder of peft adapters behind one selector, which names the adapter that a text needs."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lawcheck.corpus import encoding, selecting
from lawcheck.corpus.folder import read_rows
from lawcheck.corpus.recipe import Row
from lawcheck.declare.design import WHICH, Recipe, Run, Selection, arm
from lawcheck.declare.scale import Hardware, Scale
from lawcheck.errors import InputError
from lawcheck.evaluation.label_tree import LabelTree
from lawcheck.evaluation.switching import Switch
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import digest
from lawcheck.files.reading import read_object, short
from lawcheck.files.records import SelectorRecord, fitting
from lawcheck.methods import adapters
from lawcheck.training.architectures import why_not
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model
from lawcheck.training.data import pad
from lawcheck.training.device import require_device
from lawcheck.training.learnt import learnt_tokens
from lawcheck.training.record import ADAPTER
from lawcheck.training.run import train_run
from lawcheck.training.selection import SelectedRows, embeddings

RECORD, SELECTOR, REVISION = "selector.json", "selector", "main"
# Settings that an adapter which is switched to, and not composed with others, may have.
SWITCHED = ("use_rslora", "use_dora", "alpha_pattern", "rank_pattern", "layers_to_transform")
SLACK, LONGEST, BATCH, SWITCHES = 4, 1024, 8, 20
Pair = tuple[str, str]


def found_adapters(folder: Path) -> dict[str, Path]:
    """`domain/task` -> the adapter folder of that path. Raises InputError where there are none."""
    found = {
        f"{path.parent.parent.name}/{path.parent.name}": path.parent
        for path in sorted(folder.glob(f"*/*/{adapters.CONFIG}"))
    }
    if len(found) < 2:
        raise InputError(
            f"adapter folder {str(folder)!r}: holds {len(found)} adapters, expected two or more in "
            f"folders DOMAIN/TASK; put each there"
        )
    for name, path in found.items():
        adapters.require_plain(name, path, but=SWITCHED)
        adapters.stored_shapes(path)
    return found


def task_rows(path: Path, known: Mapping[str, Path]) -> list[Row]:
    """Rows of a file with input, domain and task; `task` becomes `domain/task`.

    Raises InputError for a file without rows, a row without them, and for one of no adapter.
    """
    rows: list[Row] = []
    if path.is_file() and not path.stat().st_size:
        raise InputError(f"{path.name}: holds no row, expected rows with input; name another file")
    for k, row in enumerate(read_rows(path, "give one JSON object a line, with input")):
        name = f"{row.get('domain')}/{row.get('task')}"
        if name not in known:
            raise InputError(
                f"{path.name}, line {k + 1}: domain and task are {name!r}, expected one of "
                f"{', '.join(known)}; correct the row, or add its adapter"
            )
        row = {**row, "id": str(row.get("id", f"row{k}")), "task": name}
        selecting.input_of(row)
        rows.append(row)
    return rows


def train_selector(
    folder: Path,
    base: Path | str,
    rows: Path,
    out: Path,
    *,
    which: str | None = None,
    k: int | None = None,
    distance: str = "L2",
    rank: int = 8,
    learning_rate: float = 4e-4,
    epochs: int = 5,
    batch_size: int = 32,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Any]:
    """Train a selector over the adapters of a folder; returns its record, which lies beside it.

    rows: a JSON Lines file. which: the question, as of lawcheck.declare.design.World. k: rows of
    each task that are trained on, those nearest to the centres of as many clusters of the base's
    input embeddings; None for all. An interrupted training goes on. Raises InputError for rows and
    adapters that do not serve.
    """
    _require_base(base)
    known = found_adapters(folder)
    given = task_rows(rows, known)
    names = tuple(name for name in known if any(row["task"] == name for row in given))
    if len(names) < len(known):
        lost = next(name for name in known if name not in names)
        raise InputError(
            f"{rows.name}: no row is of adapter {lost!r}; add some, or take the adapter out"
        )
    question = _question(names, which or WHICH)
    _labels(question, load_tokenizer(base, REVISION))
    selection = Selection(tasks=names, k=k, distance=distance)  # type: ignore[arg-type]
    loaded: list[Any] = []

    def inner() -> tuple[Any, Any]:
        if not loaded:
            loaded.extend(embeddings(base, REVISION))
        return loaded[0], loaded[1]

    kept = {
        name: selecting.choose(
            [row for row in given if row["task"] == name],
            selection,
            name,
            lambda some: selecting.vectors_of(some, selection, given, inner),
        )
        for name in names
    }
    asked = selecting.asked([row for own in kept.values() for row in own], question)
    counts = {name: len(own) for name, own in kept.items()}
    chosen = SelectedRows(tuple(asked), counts, selecting.ambiguous(asked))
    settings = {"learning_rate": learning_rate, "weight_decay": 0.01, "warmup_ratio": 0.1}
    scale = Scale.read(
        {
            "name": "select",
            "title": "a selector over adapters",
            "world": "none",
            "claims": False,
            "seeds": (seed,),
            "corpus": {"size": 1, "general_pool": 0},
            "bases": {"default": {"kind": "pretrained", "model": str(base), "architecture": {}}},
            "adapter": {"rank": rank},
            "methods": {"selector": settings},
            "training": {"batch_size": batch_size, "epochs": epochs, "max_length": LONGEST},
            "evaluation": {},
            "hardware": {"device": device, "micro_batch": math.gcd(batch_size, BATCH)},
        },
        "lawcheck select",
        "correct the option",
    )
    declared = arm("selector", Recipe(selection=selection), rank=rank, alpha=2 * rank)
    made = digest([scale.content(), asked, rank, seed])
    run = Run(arm=declared, seed=seed, scale=scale.name, digest=made)
    record = train_run(run, scale, chosen, base, out)
    found = {
        "labels": list(names),
        "which": question.which,
        **chosen.record(),
        "steps": record["steps"],
    }
    write_json(out / RECORD, found)
    return found


def _require_base(base: Path | str) -> None:
    """Raises InputError for what is neither a model folder nor like a hub's name."""
    local = Path(base)
    if not (local / "config.json").is_file() and (local.exists() or len(local.parts) != 2):
        raise InputError(
            f"base {str(base)!r}: no folder with config.json, and no name such as "
            f"Qwen/Qwen2-1.5B; name the model that the adapters were trained on"
        )


def _question(names: Sequence[str], which: str) -> selecting.Question:
    if "{input}" not in which:
        raise InputError(
            f"question {which[:40]!r}: has no {{input}} in it; write where the text stands"
        )
    labels = {name: tuple(name.split("/", 1)) for name in names}
    return selecting.Question(which, labels)


def _labels(question: selecting.Question, tokenizer: Any) -> list[list[int]]:
    """Tokens of every label and its end. Raises InputError for one that they do not say."""
    found = []
    for place, name in enumerate(question.labels):
        ids = list(tokenizer(question.answer(name), add_special_tokens=False)["input_ids"])
        said = tokenizer.decode(ids, skip_special_tokens=True)
        if question.read(said) != place:
            raise InputError(
                f"adapter {name!r}: the base's tokenizer writes its answer "
                f"{question.answer(name)!r} as {said!r}, which names no adapter; give its folders "
                f"other names, or ask in one line: --which"
            )
        found.append([*ids, tokenizer.eos_token_id])
    return found


@dataclass(frozen=True)
class Checked:
    """What a selector does to held-out rows.

    confusion: (right, named) -> rows; a named task is `unreadable` or `unknown` where the reply
    names none, and then the base answers. cost: mean over rows with a response of the loss of the
    chosen adapter less that of the right one, in nats per response token; None without such rows.
    choice: mean milliseconds of naming an adapter; switch: median ones of a switch.
    """

    rows: int
    accuracy: float
    confusion: dict[Pair, int]
    cost: float | None
    wrong_cost: float | None
    choice: float
    switch: float


class SelectedAdapters:
    """Adapters of a folder and a selector on one base model, which is loaded once.

        served = SelectedAdapters("base", "adapters", "selector")
        name = served.choose(["text"])[0]
        with served.using(name) as model:
            model.generate(...)

    Raises InputError for a folder that does not fit the base model.
    """

    # Keys and values of every layer follow from the adapters of the layers below.
    shares_prefill = False

    def __init__(
        self, base: Path | str, folder: Path | str, selector: Path | str, device: str = "cpu"
    ) -> None:
        from peft import PeftModel, get_peft_model_state_dict

        folder, selector = Path(folder), Path(selector)
        _require_base(base)
        require_device(Hardware(device=device, micro_batch=1))  # type: ignore[arg-type]
        self.adapters = found_adapters(folder)
        how = "train the selector again: lawcheck select train"
        record = fitting(read_object(selector / RECORD, how), SelectorRecord, RECORD, how)
        names = record["labels"]
        if names != list(self.adapters):
            raise InputError(
                f"selector {str(selector)!r}: was trained for {names}, the folder "
                f"{str(folder)!r} holds {list(self.adapters)}; {how}"
            )
        self.question = _question(names, record["which"])
        self.tokenizer = load_tokenizer(base, REVISION)
        self.device = device
        model: Any = load_model(base, REVISION, dtype=torch.float32)
        self._names = {name: f"a{k}" for k, name in enumerate(self.adapters)}
        self.model: Any = PeftModel.from_pretrained(
            model, selector / ADAPTER, adapter_name=SELECTOR
        )
        labels = _labels(self.question, self.tokenizer)
        self._most = max(map(len, labels)) + SLACK
        self._tree = LabelTree.of(labels) if why_not(self.model, "options") is None else None
        for name, path in self.adapters.items():
            try:
                self.model.load_adapter(path, adapter_name=self._names[name])
                state = get_peft_model_state_dict(self.model, adapter_name=self._names[name])
            except (ValueError, RuntimeError, KeyError) as error:
                raise InputError(
                    f"adapter {name!r} in {str(path)!r}: does not fit base model {str(base)!r} "
                    f"({short(error)}); take an adapter of this base"
                ) from None
            adapters.require_fit(state, path)
        self._switch = Switch(self.model.to(device))
        self._inner: Any = self.model.get_base_model()

    def choose(self, texts: Sequence[str]) -> list[str | None]:
        """The adapter that each text needs; None where the reply names none."""
        places = self._places(texts)
        names = list(self.adapters)
        return [names[place] if place >= 0 else None for place in places]

    @contextlib.contextmanager
    def using(self, name: str | None) -> Iterator[Any]:
        """The model with this adapter, or, with None, without any.

        Raises InputError for an adapter that is not in the folder.
        """
        if name is None:
            with self.model.disable_adapter():
                yield self.model
            return
        if name not in self._names:
            raise InputError(
                f"adapter {name!r}: not in the folder, which holds {', '.join(self._names)}; "
                f"name one of them"
            )
        self._switch.to(self._names[name])
        yield self.model

    def answer(self, text: str, max_new_tokens: int = 64) -> tuple[str | None, str]:
        """The adapter that the selector names, and its answer to the text as a user's turn.

        Raises InputError for a text without a word.
        """
        if not text.strip():
            raise InputError(f"text {text!r}: is empty, expected a question; give one")
        (name,) = self.choose([text])
        with self.using(name):
            return name, self._generate(text, max_new_tokens)

    def check(self, rows: Path) -> Checked:
        """How often the selector is right on held-out rows, and what its errors cost."""
        given = task_rows(rows, self.adapters)
        names = list(self.adapters)
        began = time.perf_counter()
        places = self._places([row["input"] for row in given])
        choice = 1000 * (time.perf_counter() - began) / len(given)
        words = {selecting.UNREADABLE: "unreadable", selecting.UNKNOWN: "unknown"}
        chosen = [names[p] if p >= 0 else None for p in places]
        said = [names[p] if p >= 0 else words[p] for p in places]
        confusion = Counter((r["task"], s) for r, s in zip(given, said, strict=True))
        right = [r["task"] == c for r, c in zip(given, chosen, strict=True)]
        answered = [k for k, row in enumerate(given) if row.get("response")]
        costs: dict[int, float] = dict.fromkeys(answered, 0.0)
        wrong = [k for k in answered if not right[k]]
        if wrong:
            best = self._losses([(given[k], given[k]["task"]) for k in wrong])
            got = self._losses([(given[k], chosen[k]) for k in wrong])
            costs |= {k: g - b for k, g, b in zip(wrong, got, best, strict=True)}
        return Checked(
            rows=len(given),
            accuracy=sum(right) / len(given),
            confusion=dict(confusion),
            cost=statistics.fmean(costs.values()) if costs else None,
            wrong_cost=statistics.fmean(costs[k] for k in wrong) if wrong else None,
            choice=choice,
            switch=self.switching(),
        )

    def switching(self) -> float:
        """Median milliseconds of a switch from the selector to an adapter."""
        spent = []
        for k in range(SWITCHES):
            self._switch.to(SELECTOR)
            began = time.perf_counter()
            self._switch.to(self._names[list(self.adapters)[k % len(self.adapters)]])
            spent.append(1000 * (time.perf_counter() - began))
        return statistics.median(spent)

    def _places(self, texts: Sequence[str]) -> list[int]:
        self._switch.to(SELECTOR)
        return [self._place(self.question.prompt(text)) for text in texts]

    def _place(self, question: str) -> int:
        if self._tree is not None:
            found = self._tree.first(self._inner, self._prompt(question))
            if found is not None:
                return found
        # A reply that begins like none of the labels is read as it is.
        return self.question.read(self._generate(question, self._most))

    def _prompt(self, text: str) -> list[int]:
        """Tokens of a user's turn, up to where the answer begins."""
        turn = [{"role": "user", "content": text}]
        prompt = self.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True
        )
        return list(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def _generate(self, text: str, most: int) -> str:
        ids = torch.tensor([self._prompt(text)], device=self.device)
        found = self._inner.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=most,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        return str(self.tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True))

    @torch.inference_mode()
    def _losses(self, asked: Sequence[tuple[Row, str | None]]) -> list[float]:
        """Nats per response token of each row under each adapter."""
        found = []
        for row, name in asked:
            own = {**row, "prompt": row.get("prompt") or row["input"]}
            encoded = encoding.encode(self.tokenizer, [own], LONGEST)
            batch = {k: v.to(self.device) for k, v in pad(encoded, np.array([0])).items()}
            with self.using(name):
                tokens, _ = learnt_tokens(self.model, self.model, batch)
            found.append(float(-tokens.log_probabilities.mean()))
        return found
