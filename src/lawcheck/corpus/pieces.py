"""Token ids of many texts, put together from those of their pieces; a piece is encoded once.

A byte-level BPE encodes what its pattern splits off, each part on its own. None of the patterns
known here lets a part end with, or reach over, a single space between two characters that are no
white space, so a text may be cut before every such space and its tokens are those of its pieces,
end to end. Where a special token stands before the space, which it may swallow, nothing is cut.
Words repeat: 197 words took 0.7 ms of one core whole and take 0.05 ms from known pieces.

Other tokenizers, and the first chunk of texts of every one, go through the tokenizer itself
(lawcheck.corpus.encoding), which these are compared with.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

# Patterns of Qwen 2 and Llama 3; GPT-2's stands inside the ByteLevel pre-tokenizer.
_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = frozenset(_HEAD + digits + _TAIL for digits in (r"\p{N}", r"\p{N}{1,3}"))
MOST = 1 << 20  # pieces known at a time, some 200 MB
HELD = "\0"  # stands for a space where nothing is cut
_CUT = re.compile(r"(?<=\S) (?=\S)")


@dataclass(frozen=True)
class Tokens:
    """tokens: of all texts, end to end. sizes: (n texts,), tokens of each.

    before: (n texts,), how many of its tokens begin before the text's `cut`.
    """

    tokens: NDArray[np.int32]
    sizes: Numbers
    before: Numbers


class Pieces:
    """Pieces of one tokenizer. Raises ValueError for one that `cuts_at_spaces` denies."""

    def __init__(self, tokenizer: Any) -> None:
        if not cuts_at_spaces(tokenizer):
            raise ValueError("tokenizer: texts cannot be encoded piece by piece")
        # Without the lists that a transformers tokenizer makes of every answer.
        self._backend = tokenizer.backend_tokenizer
        self._backend.encode_special_tokens = tokenizer.split_special_tokens
        added = [t.content for t in tokenizer.added_tokens_decoder.values()]
        longest_first = sorted(added, key=len, reverse=True)
        self._held = re.compile(f"(?:{'|'.join(map(re.escape, longest_first))}) +")
        self._clear()

    def _clear(self) -> None:
        self._numbers = _Numbers()
        self._tokens, self._starts, self._chars = array("i"), array("q", [0]), array("q")
        self._rough: set[int] = set()
        self._before: dict[tuple[int, int], int] = {}

    def encode(self, texts: Sequence[str], cuts: Sequence[int]) -> Tokens | None:
        """None where a text holds the character that marks a space."""
        if any(HELD in text for text in texts):
            return None
        if len(self._numbers) > MOST:
            self._clear()
        held = [self._held.sub(_hold, text) for text in texts]
        numbers, sizes = self._number([_split(text) for text in held])
        if self._rough and np.isin(numbers, list(self._rough)).any():
            # Rarer white space, such as a tab, stands beside a space.
            numbers, sizes = self._number([_CUT.split(text) for text in held])
        return self._join(numbers, sizes, np.asarray(cuts, dtype=np.int64))

    def _number(self, pieces: Sequence[list[str]]) -> tuple[Numbers, Numbers]:
        """Numbers of all pieces, end to end, and how many each text has."""
        flat: list[str] = []
        for own in pieces:
            # No other piece begins with white space.
            own[0] = " " + own[0]
            flat += own
        numbers = np.fromiter(map(self._numbers.__getitem__, flat), np.int64, len(flat))
        self._learn()
        return numbers, np.fromiter(map(len, pieces), np.int64, len(pieces))

    def _learn(self) -> None:
        new, self._numbers.new = self._numbers.new, []
        if not new:
            return
        first = len(self._chars)
        texts = [_text(key) for key in new]
        found = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        for at, (key, one) in enumerate(zip(new, found, strict=True)):
            self._tokens.extend(one.ids)
            self._starts.append(len(self._tokens))
            self._chars.append(len(texts[at]))
            # A first piece may begin with white space of its text, others may not.
            if not key.strip() or key[-1].isspace() or (key[0] != " " and key[0].isspace()):
                self._rough.add(first + at)

    def _join(self, numbers: Numbers, sizes: Numbers, cuts: Numbers) -> Tokens:
        starts = np.array(self._starts, dtype=np.int64)
        lengths = np.diff(starts)[numbers]
        ends = np.cumsum(lengths)
        places = np.repeat(starts[numbers] - (ends - lengths), lengths)
        places += np.arange(len(places))
        tokens = np.array(self._tokens, dtype=np.int32)[places]
        # Tokens and characters before each piece, over all texts.
        tokens_to = np.concatenate([[0], ends])
        chars_to = np.concatenate([[0], np.cumsum(np.array(self._chars, np.int64)[numbers])])
        borders = np.concatenate([[0], np.cumsum(sizes)])
        first = borders[:-1]
        targets = chars_to[first] + cuts
        at = np.searchsorted(chars_to, targets, side="right") - 1
        before = tokens_to[at] - tokens_to[first]
        for k in np.flatnonzero(targets > chars_to[at]).tolist():
            before[k] += self._begin_before(int(numbers[at[k]]), int(targets[k] - chars_to[at[k]]))
        return Tokens(tokens, np.diff(tokens_to[borders]), before)

    def _begin_before(self, number: int, cut: int) -> int:
        key = number, cut
        if key not in self._before:
            text = _text(self._numbers.keys_by_number[number])
            found = self._backend.encode(text, add_special_tokens=False)
            self._before[key] = sum(start < cut for start, _ in found.offsets)
        return self._before[key]


class _Numbers(dict[str, int]):
    """Numbers pieces in order of first sight; `new` holds those that are not encoded yet."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[str] = []
        self.keys_by_number: list[str] = []

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        self.new.append(key)
        self.keys_by_number.append(key)
        return number


def _split(text: str) -> list[str]:
    # Three times as fast as the expression, which only some texts need.
    rough = "  " in text or "\n " in text or " \n" in text or text[:1] == " " or text[-1:] == " "
    return _CUT.split(text) if rough else text.split(" ")


def _hold(found: re.Match[str]) -> str:
    return found[0].replace(" ", HELD)


def _text(key: str) -> str:
    """A piece as it stands in its text: the first one as it is, others behind a space."""
    return (key[1:] if key[:1] == " " else " " + key).replace(HELD, " ")


def cuts_at_spaces(tokenizer: Any) -> bool:
    """Whether a tokenizer is of the kind that the module's first lines speak of."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    parts = json.loads(backend.to_str())
    model, normalizer = parts["model"], parts["normalizer"]
    added = list(tokenizer.added_tokens_decoder.values())
    return bool(
        model.get("type") == "BPE"
        and not model.get("dropout")
        and not model.get("continuing_subword_prefix")
        and not model.get("end_of_word_suffix")
        and (normalizer is None or normalizer.get("type") == "NFC")
        and _splits_at_spaces(parts["pre_tokenizer"])
        and _keeps_starts(parts["post_processor"])
        and parts["truncation"] is None
        and parts["padding"] is None
        and added
        and all(t.content and not re.search(r"\s", t.content) for t in added)
        and (normalizer is None or not any(t.normalized for t in added))
    )


def _splits_at_spaces(part: dict[str, Any] | None) -> bool:
    if part is None:
        return False
    if part["type"] == "ByteLevel":
        return not part["add_prefix_space"] and bool(part["use_regex"])
    if part["type"] != "Sequence" or len(part["pretokenizers"]) != 2:
        return False
    split, level = part["pretokenizers"]
    return (
        split["type"] == "Split"
        and split["pattern"].get("Regex") in PATTERNS
        and split["behavior"] == "Isolated"
        and not split["invert"]
        and level["type"] == "ByteLevel"
        and not level["add_prefix_space"]
        and not level["use_regex"]
    )


def _keeps_starts(part: dict[str, Any] | None) -> bool:
    """Whether a token is said to start where it does, wherever in the text it stands."""
    if part is None or part["type"] == "TemplateProcessing":
        return True
    if part["type"] == "ByteLevel":
        return not part["trim_offsets"]
    return part["type"] == "Sequence" and all(map(_keeps_starts, part["processors"]))
