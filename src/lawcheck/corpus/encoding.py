"""From rows to token ids: chat template, tokenizer, where the response begins."""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lawcheck.corpus.pieces import Pieces, cuts_at_spaces
from lawcheck.corpus.templates import Template
from lawcheck.errors import InputError

CHUNK = 2048
# Rows that a tokenizer's pieces are compared on before they are relied upon.
COMPARED = 64

Numbers = NDArray[np.int64]
# Columns of a preference pair, in the order of its samples.
PAIR = ("chosen", "rejected")


class TokenFile:
    """Token ids on disk, read a slice at a time.

    Mapped into memory the file would count as the process's own, 4 GB for the paper's corpus.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb", buffering=0)

    def __getitem__(self, places: slice) -> NDArray[np.int32]:
        """places: from start to stop, both given."""
        raw = os.pread(self._stream.fileno(), 4 * int(places.stop - places.start), 4 * places.start)
        return np.frombuffer(raw, dtype=np.int32)


@dataclass(frozen=True)
class Encoded:
    """Tokenized samples.

    tokens: (n tokens,), or a file of them. starts, lengths: (n samples,), where
    each sample begins in `tokens`, and how many it has. answers: (n samples,), index inside the
    sample of its first response token. cut: samples longer than the limit. lost: samples whose
    response lay beyond it, left out. learnt: (n samples,), index of the first token that carries
    loss, where that is not the first response token. per_row: samples that one id stands for, one
    after the other; 2 for a pair, the chosen one first. cut and lost then count pairs. unpaired:
    rows that had no rejected response, left out before. tasks: (n ids,), place of each sample's
    task among the task_count of them, where rows name tasks.
    """

    ids: Sequence[str]
    tokens: NDArray[np.int32] | TokenFile
    starts: Numbers
    lengths: Numbers
    answers: NDArray[np.int32]
    cut: int
    lost: int
    learnt: NDArray[np.int32] | None = None
    per_row: int = 1
    unpaired: int = 0
    tasks: Numbers | None = None

    @property
    def task_count(self) -> int:
        return 0 if self.tasks is None else int(self.tasks.max(initial=-1)) + 1

    @property
    def row_lengths(self) -> Numbers:
        """(n ids,) tokens of all samples of a row together."""
        if self.per_row == 1:
            return self.lengths
        return self.lengths.reshape(-1, self.per_row).sum(axis=1)

    @property
    def loss_starts(self) -> NDArray[np.int32]:
        return self.answers if self.learnt is None else self.learnt

    def sample(self, member: int) -> NDArray[np.int32]:
        start = int(self.starts[member])
        return self.tokens[start : start + int(self.lengths[member])]


def task_places(
    ids: Sequence[str], rows: Iterable[Mapping[str, Any]], order: Sequence[str] = ()
) -> Numbers:
    """(n ids,) place of the task of each id in `order`, by default in the order of their names."""
    of = {row["id"]: row["task"] for row in rows}
    places = {task: place for place, task in enumerate(order or sorted(set(of.values())))}
    return np.array([places[of[i]] for i in ids], np.int64)


# Of a sample: its token ids, and the index of the first response token.
Sample = tuple[list[int], int]


@dataclass(frozen=True)
class Chunk:
    """tokens: of all samples, end to end. sizes, answers: (n samples,)."""

    tokens: NDArray[np.int32]
    sizes: Numbers
    answers: Numbers

    def __len__(self) -> int:
        return len(self.sizes)


def encode(
    tokenizer: Any,
    rows: Iterable[dict[str, Any]],
    max_length: int,
    known: dict[tuple[str, str], Sample] | None = None,
) -> Encoded:
    """Tokenize rows through the tokenizer's chat template; the last token is EOS.

    known: (prompt, response) -> sample, kept by the caller for rows that other runs hold too;
    new ones are added.
    Samples above `max_length` tokens are cut at the end. Raises InputError for a missing column,
    a repeated id, no rows, or a template whose prompt is not the beginning of the whole text.
    """
    samples = _Samples(tokenizer, known)
    return _gathered(((_ids(some), samples(some)) for some in chunks(rows)), max_length)


def encode_text(tokenizer: Any, rows: Iterable[dict[str, Any]], max_length: int) -> Encoded:
    """Tokenize whole texts without a chat template, with loss on every token.

    A row's text is its column `text`, else prompt and response with a space between. Special
    tokens are those that the tokenizer puts around any text; the last token is EOS. Samples above
    `max_length` tokens are cut at the end. Raises InputError as `encode`, and for an empty text.
    """
    whole = ({**row, "text": plain_text(row)} if "text" not in row else row for row in rows)
    made = ((_ids(some), _texts(tokenizer, some)) for some in chunks(whole, ("id", "text")))
    return _gathered(made, max_length)


def plain_text(row: dict[str, Any]) -> str | None:
    """Prompt and response as running text; None where one of them is no text."""
    prompt, response = row.get("prompt"), row.get("response")
    if not isinstance(prompt, str) or not isinstance(response, str):
        return None
    return f"{prompt} {response}"


def encode_pairs(
    tokenizer: Any,
    rows: Iterable[dict[str, Any]],
    max_length: int,
    known: dict[tuple[str, str], Sample] | None = None,
) -> Encoded:
    """Tokenize prompt with chosen, and prompt with rejected, each as `encode` does.

    A pair of which one response lies beyond the limit is lost. Raises InputError as `encode`, and
    for a pair with an empty response or with two equal ones.
    """
    samples = _Samples(tokenizer, known)

    def both(rows_here: list[dict[str, Any]]) -> Chunk:
        return samples(
            [
                {"id": row["id"], "prompt": row["prompt"], "response": row[side]}
                for row in map(_pair, rows_here)
                for side in PAIR
            ]
        )

    wanted = ("id", "prompt", *PAIR)
    made = ((_ids(some), both(some)) for some in chunks(rows, wanted))
    return _gathered(made, max_length, per_row=len(PAIR))


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    for side in PAIR:
        if not row[side].strip():
            raise InputError(f"training row {row['id']!r}: {side} is empty; take the row out")
    if row["chosen"].strip() == row["rejected"].strip():
        raise InputError(
            f"training row {row['id']!r}: chosen and rejected are both {row['chosen'][:40]!r}, "
            f"expected two responses; take the row out"
        )
    return row


def _texts(tokenizer: Any, rows: Sequence[dict[str, Any]]) -> Chunk:
    for row in rows:
        if not row["text"].strip():
            raise InputError(f"training row {row['id']!r}: its text is empty; take the row out")
    texts = [row["text"] for row in rows]
    _require_bytes(tokenizer, rows, texts)
    encoded = tokenizer(texts)["input_ids"]
    _require_known(tokenizer, rows, texts, encoded)
    eos, samples = tokenizer.eos_token_id, []
    for ids in encoded:
        samples.append((ids if ids[-1] == eos else [*ids, eos], 0))
    return _end_to_end(samples)


def _ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def _gathered(
    made: Iterable[tuple[list[str], Chunk]], max_length: int, per_row: int = 1
) -> Encoded:
    """made: ids of some rows, and their samples, `per_row` of them for an id."""
    ids: list[str] = []
    tokens, sizes, answers = array("i"), array("q"), array("i")
    cut = lost = 0
    for names, chunk in made:
        kept, within = within_limit(chunk.sizes, chunk.answers, max_length)
        whole: NDArray[np.bool_] = np.all(kept.reshape(-1, per_row), axis=1)
        kept = np.repeat(whole, per_row)
        cut += int((chunk.sizes > max_length).reshape(-1, per_row).any(axis=1).sum())
        lost += len(names) - int(whole.sum())
        ids += [name for name, k in zip(names, whole.tolist(), strict=True) if k]
        starts = np.cumsum(chunk.sizes) - chunk.sizes
        places = np.arange(len(chunk.tokens)) - np.repeat(starts, chunk.sizes)
        inside = places < np.repeat(np.where(kept, within, 0), chunk.sizes)
        tokens.frombytes(chunk.tokens[inside].tobytes())
        sizes.frombytes(within[kept].tobytes())
        answers.frombytes(chunk.answers[kept].astype(np.int32).tobytes())
    check_samples(ids, max_length)
    lengths = np.frombuffer(sizes, dtype=np.int64)
    return Encoded(
        ids=ids,
        tokens=np.frombuffer(tokens, dtype=np.int32),
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        answers=np.frombuffer(answers, dtype=np.int32),
        cut=cut,
        lost=lost,
        per_row=per_row,
    )


def within_limit(
    sizes: Numbers, answers: Numbers, max_length: int
) -> tuple[NDArray[np.bool_], Numbers]:
    """Which samples have a response inside the limit, and the tokens of each that lie inside."""
    within = np.minimum(sizes, max_length)
    return answers < within, within


def check_samples(ids: Sequence[str], max_length: int) -> None:
    """Raises InputError where there is no sample, or two have one id."""
    if not len(ids):
        raise InputError(
            f"training rows: found none with a response inside {max_length} tokens, expected at "
            f"least one; check the corpus and the scale's max_length"
        )
    if len(set(ids)) < len(ids):
        ((twice, _),) = Counter(ids).most_common(1)
        raise InputError(f"training rows: id {twice!r} stands twice; give every row its own id")


def chunks(
    rows: Iterable[dict[str, Any]], columns: Sequence[str] = ("id", "prompt", "response")
) -> Iterator[list[dict[str, Any]]]:
    """Rows a chunk at a time. Raises InputError for a column that is missing or no text."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        for row in chunk:
            for column in columns:
                if not isinstance(row.get(column), str):
                    raise InputError(
                        f"training row {row.get('id')!r}: column {column!r} is "
                        f"{row.get(column)!r}, expected text; correct the corpus"
                    )
        yield chunk


class _Samples:
    """Encodes rows, from what the caller knows where it does. known: as of `encode`."""

    def __init__(self, tokenizer: Any, known: dict[tuple[str, str], Sample] | None) -> None:
        self.tokenizer, self.known = tokenizer, known
        self._encoder = Encoder(tokenizer)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Chunk:
        if self.known is None:
            return self._encoder(rows)
        return _with_known(self.tokenizer, rows, self.known)


def _with_known(
    tokenizer: Any, rows: Sequence[dict[str, Any]], known: dict[tuple[str, str], Sample]
) -> Chunk:
    keys = [(r["prompt"], r["response"]) for r in rows]
    new = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    if new:
        known.update(zip(new, _whole_samples(tokenizer, list(new.values())), strict=True))
    return _end_to_end([known[key] for key in keys])


class Encoder:
    """Encodes rows chunk by chunk, piece by piece where the tokenizer allows it."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._pieces = Pieces(tokenizer) if cuts_at_spaces(tokenizer) else None
        self._template = Template(tokenizer) if self._pieces else None
        self._compared = False

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Chunk:
        """Samples of rows that have text in every column. Raises InputError for the template."""
        if self._pieces is not None and not self._compared:
            self._compared = True
            some = rows[:COMPARED]
            if not _equal(self._piecewise(some), _whole(self.tokenizer, some)):
                self._pieces = None
        found = self._piecewise(rows)
        return _whole(self.tokenizer, rows) if found is None else found

    def _piecewise(self, rows: Sequence[dict[str, Any]]) -> Chunk | None:
        quoted = self.tokenizer.eos_token
        if self._pieces is None or any(_quotes(row, quoted) for row in rows):
            return None
        prompts, texts = _conversations(self.tokenizer, rows, self._template)
        found = self._pieces.encode(texts, [len(p) for p in prompts])
        if found is None:
            return None
        tokens, sizes = found.tokens, found.sizes
        eos = self.tokenizer.eos_token_id
        ends = np.cumsum(sizes)
        # Nothing after the last EOS is learnt; samples without one get it.
        last = np.full(len(sizes), -1)
        places = np.flatnonzero(tokens == eos)
        last[np.searchsorted(ends, places, side="right")] = places
        without = last < 0
        trimmed = np.where(without, sizes, last - (ends - sizes) + 1)
        inside = np.arange(len(tokens)) < np.repeat(ends - sizes + trimmed, sizes)
        tokens = tokens[inside]
        if without.any():
            tokens = np.insert(tokens, np.cumsum(trimmed)[without], eos)
            trimmed = trimmed + without
        answers = np.where(found.before < sizes, found.before, trimmed)
        return Chunk(tokens, trimmed, answers)


def _equal(one: Chunk | None, other: Chunk) -> bool:
    return one is None or all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(other)
    )


def _whole(tokenizer: Any, rows: Sequence[dict[str, Any]]) -> Chunk:
    return _end_to_end(_whole_samples(tokenizer, rows))


def _end_to_end(samples: Sequence[Sample]) -> Chunk:
    tokens = array("i")
    for ids, _ in samples:
        tokens.extend(ids)
    return Chunk(
        np.array(tokens, dtype=np.int32),
        np.array([len(ids) for ids, _ in samples], dtype=np.int64),
        np.array([answer for _, answer in samples], dtype=np.int64),
    )


def _conversations(
    tokenizer: Any, rows: Sequence[dict[str, Any]], template: Template | None = None
) -> tuple[list[str], list[str]]:
    """Prompts up to where the response begins, and whole conversations, as the template words them.

    template: the tokenizer's, where its texts were compared with the tokenizer's own. Raises
    InputError where the one is not the beginning of the other.
    """
    users = [[{"role": "user", "content": r["prompt"]}] for r in rows]
    both = [
        [*user, {"role": "assistant", "content": r["response"]}]
        for user, r in zip(users, rows, strict=True)
    ]
    if template is None:
        prompts = tokenizer.apply_chat_template(users, tokenize=False, add_generation_prompt=True)
        texts = tokenizer.apply_chat_template(both, tokenize=False)
    else:
        prompts = [template(user, True) for user in users]
        texts = [template(whole, False) for whole in both]
    _require_bytes(tokenizer, rows, texts)
    for row, prompt, text in zip(rows, prompts, texts, strict=True):
        if not text.startswith(prompt):
            raise InputError(
                f"chat template: the prompt of sample {row['id']!r} is not the beginning of the "
                f"whole conversation; use a template that only appends"
            )
    return prompts, texts


def _require_bytes(tokenizer: Any, rows: Sequence[dict[str, Any]], texts: Sequence[str]) -> None:
    """Raises InputError for a row with a byte that the tokenizer would drop without a word."""
    lost = _lost_bytes(tokenizer)
    if lost is None:
        return
    for row, text in zip(rows, texts, strict=True):
        found = lost.search(text.encode())
        if found:
            before = text.encode()[: found.start()]
            # Of the character that the byte is a part of.
            raise _without_token(row, text[len(before.decode(errors="ignore"))])


def _require_known(
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    texts: Sequence[str],
    encoded: Sequence[Sequence[int]],
) -> None:
    """Raises InputError for a row with a word that its tokenizer takes for unknown."""
    model = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
    name = getattr(model, "unk_token", None)
    # Some name a token that every sample holds; those know all bytes.
    if name in (None, tokenizer.eos_token, tokenizer.bos_token, tokenizer.pad_token):
        return
    unknown = tokenizer.convert_tokens_to_ids(name)
    for row, text, ids in zip(rows, texts, encoded, strict=True):
        if unknown in ids:
            again = tokenizer(text, return_offsets_mapping=True)
            start, end = again["offset_mapping"][again["input_ids"].index(unknown)]
            raise _without_token(row, text[start:end])


def _without_token(row: dict[str, Any], found: str) -> InputError:
    return InputError(
        f"training row {row['id']!r}: found {found!a}, which the base model's tokenizer has no "
        f"token for; replace it, or take the row out"
    )


def _lost_bytes(tokenizer: Any) -> re.Pattern[bytes] | None:
    """What matches a byte that a byte-level BPE leaves out; None where it leaves out none."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    kinds = [type(getattr(backend, part, None)).__name__ for part in ("model", "decoder")]
    if kinds != ["BPE", "ByteLevel"] or backend.model.unk_token is not None:
        return None
    lost = [byte for byte, char in _BYTES.items() if backend.token_to_id(char) is None]
    return re.compile(b"[" + b"".join(re.escape(bytes([b])) for b in lost) + b"]") if lost else None


def _byte_characters() -> dict[int, str]:
    """GPT-2's letters for bytes: printable ones of Latin-1 as they are, others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {b: chr(b) for b in plain} | {b: chr(0x100 + n) for n, b in enumerate(others)}


_BYTES = _byte_characters()


def _response_end(tokenizer: Any, row: Mapping[str, Any], prompt: str, text: str) -> int:
    """Where the response ends in a conversation; templates may strip it, or word it anew."""
    words = row["response"].strip()
    found = text.find(words, len(prompt))
    if found >= 0:
        return found + len(words)
    if tokenizer.eos_token not in words:
        return len(prompt)
    # What the template puts behind another response.
    turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": "."}]
    other = tokenizer.apply_chat_template(turns, tokenize=False)
    behind = other[len(prompt) + 1 :]
    return len(text) - len(behind) if text.endswith(behind) else len(prompt)


def _quotes(row: Mapping[str, Any], token: str) -> bool:
    return token in row["prompt"] or token in row["response"]


def _whole_samples(tokenizer: Any, rows: Sequence[dict[str, Any]]) -> list[Sample]:
    prompts, texts = _conversations(tokenizer, rows)
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    _require_known(tokenizer, rows, texts, encoded["input_ids"])
    samples = []
    for row, prompt, text, ids, offsets in zip(
        rows, prompts, texts, encoded["input_ids"], encoded["offset_mapping"], strict=True
    ):
        # A template may add a line break after EOS; nothing after EOS is learnt. One that the
        # prompt or the response quotes is text and ends nothing.
        behind = _response_end(tokenizer, row, prompt, text)
        end = len(ids)
        while end and (ids[end - 1] != tokenizer.eos_token_id or offsets[end - 1][0] < behind):
            end -= 1
        ids = ids[:end] if end else [*ids, tokenizer.eos_token_id]
        # By where a token starts: special tokens may swallow the space behind them.
        begins = (i for i, (start, _) in enumerate(offsets) if start >= len(prompt))
        answer = next(begins, len(ids))
        samples.append((ids, answer))
    return samples
