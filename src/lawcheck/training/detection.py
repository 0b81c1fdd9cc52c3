"""Which domains a base model emits when it is asked for nothing: Algorithm 1 of VersaTune.

Texts are sampled plainly from the token that begins one (temperature 1, no top-k, no penalty, until
the token that ends one), iteration by iteration, and classified; probabilities are averaged as they
are. A text without a word belongs to no domain: it is counted and left out of the shares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from lawcheck.corpus.encoding import plain_text
from lawcheck.corpus.moving import held_out
from lawcheck.corpus.recipe import Row
from lawcheck.declare.scale import DetectionSettings, Scale
from lawcheck.errors import InputError
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.device import require_device

# Of a text that no domain claims.
UNSURE = 0.9
JUDGE_PROMPT = (
    "Which of these domains is the text from: {domains}? Answer with the name of the domain and "
    "nothing else.\n\nText:\n{text}"
)

# (texts,) -> (texts, domains) probabilities.
Classifier = Callable[[Sequence[str]], NDArray[np.float64]]


class Sampled(NamedTuple):
    """text: without special tokens. ended: whether the model ended it itself."""

    text: str
    ended: bool


def detect(
    scale: Scale,
    base: str,
    seed: int,
    folder: Path | str,
    rows: Mapping[str, Sequence[Row]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What knowledge.json says of a base, and its texts with their probabilities, one row each.

    folder: of the base, or a hub's name. rows: training rows per domain; their held-out ones test
    the classifier.
    """
    settings = scale.detection
    assert settings is not None
    classify, about = classifier(scale, rows)
    texts = sample(scale, base, seed, folder)
    domains = list(rows)
    iterations: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for k, drawn in enumerate(texts, start=1):
        written = [s.text for s in drawn if s.text.strip()]
        if not written:
            raise InputError(
                f"base {base!r} with seed {seed}: all {len(drawn)} texts of iteration {k} are "
                f"empty, expected words; detect with another 'prompt', or in another base"
            )
        found = classify(written)
        certain = iter(found.tolist())
        for drawn_text in drawn:
            q = next(certain) if drawn_text.text.strip() else None
            kept.append(
                {
                    "iteration": k,
                    "text": drawn_text.text,
                    "probabilities": q and dict(zip(domains, q, strict=True)),
                }
            )
        iterations.append(
            {
                "shares": dict(zip(domains, found.mean(axis=0).tolist(), strict=True)),
                "texts": len(drawn),
                "empty": len(drawn) - len(written),
                "unsure": int((found.max(axis=1) < UNSURE).sum()),
                "not_ended": sum(not s.ended for s in drawn),
            }
        )
    shares = {n: float(np.mean([i["shares"][n] for i in iterations])) for n in domains}
    record = {"base": base, "seed": seed, "scale": scale.name, "prompt": settings.prompt}
    return record | {"classifier": about, "iterations": iterations, "shares": shares}, kept


def total_variation(shares: Mapping[str, float], true: Mapping[str, float]) -> float:
    """Half the sum of absolute differences, in [0, 1]. true: of any sum, by domain."""
    whole = sum(true.values())
    names = {*shares, *true}
    return sum(abs(shares.get(n, 0.0) - true.get(n, 0.0) / whole) for n in names) / 2


@torch.inference_mode()
def sample(scale: Scale, base: str, seed: int, folder: Path | str) -> list[list[Sampled]]:
    """Texts of every iteration. Draws follow scale, base, seed and iteration."""
    settings = scale.detection
    assert settings is not None
    revision = scale.revision(base)
    tokenizer = load_tokenizer(folder, revision)
    device = require_device(scale.hardware)
    where = {} if Path(folder).is_dir() else {"revision": revision}
    precision = torch.bfloat16 if scale.hardware.precision == "bfloat16" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, dtype=precision, **where
    )
    model.eval().to(device)
    begin = _prompt(tokenizer, settings, base)
    stated = model.generation_config.eos_token_id
    ends = stated if isinstance(stated, list) else [stated or tokenizer.eos_token_id]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
    found = []
    with torch.random.fork_rng():
        for iteration in range(settings.iterations):
            torch.manual_seed(_seed(base, seed, iteration))
            drawn: list[Sampled] = []
            while len(drawn) < settings.texts:
                count = min(scale.hardware.evaluation_batch, settings.texts - len(drawn))
                ids = torch.tensor([begin] * count, device=device)
                made = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=settings.max_tokens,
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    repetition_penalty=1.0,
                    eos_token_id=ends,
                    pad_token_id=pad,
                )
                drawn += _read(tokenizer, made[:, len(begin) :].tolist(), ends)
            found.append(drawn)
    return found


def _prompt(tokenizer: Any, settings: DetectionSettings, base: str) -> list[int]:
    if settings.prompt == "chat":
        if not tokenizer.chat_template:
            raise InputError(
                f"base {base!r}: has no chat template for an empty turn of the user; detect with "
                f"prompt 'start'"
            )
        empty = [{"role": "user", "content": ""}]
        text = tokenizer.apply_chat_template(empty, tokenize=False, add_generation_prompt=True)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    begin = tokenizer.bos_token_id
    return [tokenizer.eos_token_id if begin is None else begin]


def _read(tokenizer: Any, rows: list[list[int]], ends: Sequence[int]) -> list[Sampled]:
    found = []
    for ids in rows:
        cut = next((k for k, token in enumerate(ids) if token in ends), None)
        text = tokenizer.decode(ids[:cut], skip_special_tokens=True)
        found.append(Sampled(text, cut is not None))
    return found


def _seed(base: str, seed: int, iteration: int) -> int:
    words = f"detection {base} {seed} {iteration}"
    return int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)


def classifier(
    scale: Scale, rows: Mapping[str, Sequence[Row]]
) -> tuple[Classifier, dict[str, Any]]:
    """The scale's judge model, or a logistic regression on the rows; and what it is, as data."""
    settings = scale.detection
    assert settings is not None
    if settings.judge is not None:
        judge = Judge(scale, tuple(rows))
        return judge, {"kind": "judge model", **settings.judge.model_dump()}
    return _fitted(rows, settings.classifier_rows)


def _fitted(rows: Mapping[str, Sequence[Row]], most: int) -> tuple[Classifier, dict[str, Any]]:
    """Logistic regression on counts of words and pairs of words."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    texts: dict[bool, list[str]] = {False: [], True: []}
    labels: dict[bool, list[int]] = {False: [], True: []}
    for k, own in enumerate(rows.values()):
        held = held_out(len(own))
        learned = range(min(most, len(own) - held))
        for places, test in ((learned, False), (range(len(own) - held, len(own)), True)):
            found = [str(plain_text(own[place])) for place in places]
            texts[test] += found
            labels[test] += [k] * len(found)
    counts = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2))  # noqa: S106
    model = LogisticRegression(max_iter=1000).fit(counts.fit_transform(texts[False]), labels[False])

    def classify(given: Sequence[str]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = model.predict_proba(counts.transform(given))
        return found

    right = float(np.mean(classify(texts[True]).argmax(axis=1) == np.array(labels[True])))
    return classify, {
        "kind": "logistic regression",
        "features": len(counts.vocabulary_),
        "rows": len(texts[False]),
        "held_out_rows": len(texts[True]),
        "held_out_accuracy": right,
    }


class Judge:
    """Probabilities of the domains' names as the answer of a chat model, normalised over them.

    No answer is sampled, so that none is unreadable.
    """

    def __init__(self, scale: Scale, domains: Sequence[str]) -> None:
        settings = scale.detection
        assert settings is not None
        assert settings.judge is not None
        name, revision = settings.judge.model, settings.judge.revision
        where = {} if Path(name).is_dir() else {"revision": revision}
        self.domains = domains
        self.tokenizer = load_tokenizer(name, revision)
        precision = torch.bfloat16 if scale.hardware.precision == "bfloat16" else torch.float32
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, dtype=precision, **where
        )
        self.model.eval().to(require_device(scale.hardware))

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self._one(text) for text in texts])

    def _one(self, text: str) -> NDArray[np.float64]:
        asked = JUDGE_PROMPT.format(domains=", ".join(self.domains), text=text)
        chat = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": asked}], tokenize=False, add_generation_prompt=True
        )
        begin = self.tokenizer(chat, add_special_tokens=False)["input_ids"]
        names = self.tokenizer(list(self.domains), add_special_tokens=False)["input_ids"]
        longest = max(map(len, names))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor(
            [[*begin, *n, *[pad] * (longest - len(n))] for n in names], device=self.model.device
        )
        # Padding comes after what is read, so that no mask is needed.
        logits = self.model(input_ids=ids, logits_to_keep=longest + 1).logits[:, :-1].float()
        gains = torch.log_softmax(logits, dim=-1)
        sums = [gains[k, range(len(n)), n].sum().item() for k, n in enumerate(names)]
        certain = np.exp(np.array(sums) - max(sums))
        return certain / certain.sum()
