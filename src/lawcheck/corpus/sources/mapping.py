"""From a published row to a training sample: which columns are asked, which are answered.

Each mapping is a frozen dataclass of column names, called with a row and where it stands. It
returns None for a row that holds no sample (an empty answer, another split), and raises
InputError for one that is not in the layout: a missing column, a number where text belongs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lawcheck.corpus.real.files import AGAIN, Row, require, whole_number
from lawcheck.corpus.real.rows import LETTERS, Choice, lettered
from lawcheck.errors import InputError

Kind = Literal["open", "choice", "worked"]

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_TURN = re.compile(r"<\|(user|ai|eos|eod)\|>")


@dataclass(frozen=True)
class Sample:
    """One turn of a chat. question: what is asked, without frame and options."""

    prompt: str
    response: str
    kind: Kind
    question: str
    options: tuple[str, ...] = ()


class Mapping(Protocol):
    def __call__(self, row: Row, where: str) -> Sample | None: ...


@dataclass(frozen=True)
class Pairs:
    """prompt: columns whose texts are joined by line breaks, empty ones left out; the last of
    them that is not empty is the question. keep: column -> values; other rows are left out.
    history: a column of earlier [question, answer] turns, which come before the prompt.
    """

    prompt: tuple[str, ...]
    response: str
    kind: Kind = "open"
    keep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    history: str | None = None

    def __call__(self, row: Row, where: str) -> Sample | None:
        if not kept(row, self.keep, where):
            return None
        parts = [part for column in self.prompt if (part := text(row, column, where))]
        earlier = [] if self.history is None else _turns(row.get(self.history), where)
        return sample("\n".join(earlier + parts), text(row, self.response, where), self.kind, parts)


@dataclass(frozen=True)
class Choices:
    """A multiple-choice question worded as the evaluation tasks word it, answered by a letter.

    options: one column per option, or one column that holds all of them (a list of texts, a list
    of {aid, atext}, a mapping of letters to texts). gold: a letter, or a number that counts from
    `counts_from`. keep: as in Pairs.
    """

    question: str
    options: tuple[str, ...]
    gold: str
    counts_from: int = 0
    keep: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __call__(self, row: Row, where: str) -> Sample | None:
        if not kept(row, self.keep, where):
            return None
        return choice(*self.read(row, where))

    def read(self, row: Row, where: str) -> tuple[str, tuple[str, ...], int]:
        """Question, options and the gold option's place from 0."""
        asked = text(row, self.question, where)
        if len(self.options) == 1:
            options = _options(row.get(self.options[0]), f"{where}: column {self.options[0]!r}")
        else:
            options = tuple(text(row, column, where) for column in self.options)
        what = f"{where}: column {self.gold!r}"
        gold = row.get(self.gold)
        if isinstance(gold, str) and gold.strip() in tuple(LETTERS[: len(options)]):
            return asked, options, LETTERS.index(gold.strip())
        if isinstance(gold, bool) or not isinstance(gold, int | str):
            raise InputError(
                f"{what} is {type(gold).__name__}, expected a letter or number; {AGAIN}"
            )
        first = self.counts_from
        return asked, options, whole_number(gold, first, first + len(options) - 1, what) - first


@dataclass(frozen=True)
class Biotext:
    """Mol-Instructions. `metadata` is an object, or the text of one on the hub; rows whose
    `split` is another are left out, rows without `split` (the first release) are kept.
    """

    split: str = "train"

    def belongs(self, row: Row, where: str) -> bool:
        return bool(self.metadata(row, where).get("split", self.split) == self.split)

    def __call__(self, row: Row, where: str) -> Sample | None:
        if not self.belongs(row, where):
            return None
        parts = [p for c in ("instruction", "input") if (p := text(row, c, where))]
        return sample("\n".join(parts), text(row, "output", where), "open", parts)

    @staticmethod
    def metadata(row: Row, where: str) -> Dictionary[str, Any]:
        found = row.get("metadata")
        if isinstance(found, str):
            try:
                found = ast.literal_eval(found)
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                found = None
        if not isinstance(found, dict):
            raise InputError(
                f"{where}: column 'metadata' is {str(row.get('metadata'))[:30]!r}, expected an "
                f"object or the text of one; {AGAIN}"
            )
        return found


@dataclass(frozen=True)
class Abstract:
    """PubMedQA: abstract and question; the decision, then the reason."""

    def __call__(self, row: Row, where: str) -> Sample | None:
        require(row, {"CONTEXTS": list}, where)
        asked, reason = text(row, "QUESTION", where), text(row, "LONG_ANSWER", where)
        decision = text(row, "final_decision", where)
        if decision not in ("yes", "no", "maybe"):
            raise InputError(
                f"{where}: 'final_decision' is {decision[:20]!r}, expected yes, no, maybe; {AGAIN}"
            )
        abstract = "\n".join(clean(str(part)) for part in row["CONTEXTS"])
        return sample(f"{abstract}\n{asked}", f"{decision.capitalize()}. {reason}", "open", [asked])


@dataclass(frozen=True)
class FirstTurn:
    """OpenGPT: the first question and answer of a chat written with <|user|> and <|ai|> marks."""

    column: str = "text"

    def __call__(self, row: Row, where: str) -> Sample | None:
        require(row, {self.column: str}, where)
        parts = _TURN.split(row[self.column])
        turns = [(r, clean(s)) for r, s in zip(parts[1::2], parts[2::2], strict=True)]
        spoken = [turn for turn in turns if turn[0] in ("user", "ai")]
        if len(spoken) < 2 or (spoken[0][0], spoken[1][0]) != ("user", "ai"):
            raise InputError(
                f"{where}: found no <|user|> turn that an <|ai|> turn answers; {AGAIN}"
            )
        return sample(spoken[0][1], spoken[1][1], "open", [spoken[0][1]])


@dataclass(frozen=True)
class Messages:
    """A list of {role, content}: the first user turn, with a system turn before it, and the
    answer to it.
    """

    column: str = "messages"

    def __call__(self, row: Row, where: str) -> Sample | None:
        require(row, {self.column: list}, where)
        prompt: list[str] = []
        for message in row[self.column]:
            require(message, {"role": str}, f"{where}: {self.column!r}")
            said = text(message, "content", f"{where}: {self.column!r}")
            if message["role"] == "assistant":
                return sample("\n".join(filter(None, prompt)), said, "open", prompt)
            prompt.append(said)
        return None


@dataclass(frozen=True)
class FirstOutput:
    """Natural-Instructions: definition and input; the first of the reference answers."""

    def __call__(self, row: Row, where: str) -> Sample | None:
        outputs = row.get("output")
        if not isinstance(outputs, list) or not outputs or not isinstance(outputs[0], str):
            raise InputError(f"{where}: found no text in 'output', expected an answer; {AGAIN}")
        parts = [text(row, "definition", where), text(row, "input", where)]
        return sample("\n".join(filter(None, parts)), clean(outputs[0]), "open", parts)


def sample(prompt: str, response: str, kind: Kind, asked: list[str]) -> Sample | None:
    """None where one side is empty. asked: texts of which the last is the question."""
    if not prompt.strip() or not response:
        return None
    return Sample(prompt, response, kind, next((a for a in reversed(asked) if a), prompt))


def choice(question: str, options: tuple[str, ...], gold: int) -> Sample | None:
    if not question:
        return None
    prompt = lettered(Choice("", question, options, gold))
    return Sample(prompt, LETTERS[gold], "choice", question, options)


def text(row: Row, column: str, where: str) -> str:
    """A cleaned cell; an empty one where the release has none (null, `<noinput>`)."""
    if column not in row:
        found = ", ".join(sorted(map(repr, row))[:8]) or "none"
        raise InputError(f"{where}: column {column!r} is missing, found {found}; {AGAIN}")
    cell = row[column]
    if cell is None:
        return ""
    if not isinstance(cell, str):
        raise InputError(
            f"{where}: column {column!r} is {type(cell).__name__}, expected text; {AGAIN}"
        )
    cleaned = clean(cell)
    return "" if cleaned == "<noinput>" else cleaned


def clean(said: str) -> str:
    """One kind of line break, no control characters, no chat markers, no space at the ends.

    `<|` begins the special tokens of most chat templates: a text must not be able to end a turn.
    """
    if "\r" in said:
        said = said.replace("\r\n", "\n").replace("\r", "\n")
    if "<|" in said:
        said = said.replace("<|", "< |")
    if _CONTROL.search(said):
        said = _CONTROL.sub("", said)
    return said.strip()


def kept(row: Row, wanted: tuple[tuple[str, tuple[str, ...]], ...], where: str) -> bool:
    return all(text(row, column, where) in values for column, values in wanted)


def _options(value: Any, what: str) -> tuple[str, ...]:
    if isinstance(value, dict) and set(value) == {"aid", "atext"}:
        # A table of two columns, as Parquet copies of HeadQA hold it.
        value = [{"aid": a, "atext": t} for a, t in zip(*value.values(), strict=True)]
    if isinstance(value, dict):
        value = [value[letter] for letter in sorted(value) if value[letter] is not None]
    if isinstance(value, list) and value and all(isinstance(o, dict) for o in value):
        for option in value:
            require(option, {"aid": (int, str), "atext": str}, what)
        value = [o["atext"] for o in sorted(value, key=lambda o: int(o["aid"]))]
    texts = isinstance(value, list) and all(isinstance(o, str) for o in value)
    if not texts or not 2 <= len(value) <= len(LETTERS):
        raise InputError(f"{what}: expected 2 to {len(LETTERS)} options with text; {AGAIN}")
    return tuple(map(clean, value))


def _turns(value: Any, where: str) -> list[str]:
    if value is None or value == []:
        return []
    if not isinstance(value, list) or not all(isinstance(t, list) for t in value):
        raise InputError(f"{where}: the earlier turns are no list of pairs; {AGAIN}")
    return [clean(str(said)) for turn in value for said in turn if said]
