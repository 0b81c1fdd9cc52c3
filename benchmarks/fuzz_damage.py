"""How benchmarks/fuzz.py damages a file: bytes, JSON values, columns of a Parquet table."""

from __future__ import annotations

import io
import json
import random
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet

# What stands in for a word or number of the file.
NASTY = [
    "1" + "0" * 400, "9223372036854775808", "1" * 5000, "1e999", "-1e999", "-0.0", "NaN", "nan",
    "Infinity", "-Infinity", ".nan", ".inf", "null", "true", "no", "1_000", "12:30:00", "010",
    "0x10", "[]", "{}", '""', "''", '"', "../../etc/passwd", "/etc/passwd", "a/b", "C:\\\\", ".",
    "..", "!!python/object/apply:os.system [id]", "&a [*a]", "*a", "<<: 1", "\\ud800",
    "\\u0000", "\u2028", "\u2029", "\u0085", "\f", "\x0b", "\r", "\x00", "\x1b[2J", "\u202etxt",
    "\U0001f600", "\ufeff", "[" * 3000, "{" * 3000, "- " * 2000, '{"a":' * 3000, "x" * 200_000,
    "-1", "0", "2", "1.5", "2020-13-40", "!!timestamp x", "!!bool x", "a\nb", "? [1]\n: 2",
    "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 10}]\n" for i in range(1, 9)),
]  # fmt: skip
WORD = re.compile(rb"[A-Za-z0-9_.+-]+")


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """One to three kinds of damage, one after the other."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        raw = rng.choice(DAMAGES)(raw, rng)
    return raw


def _cut(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _flip(raw: bytes, rng: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(min(len(raw), rng.choice((1, 1, 2, 8)))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _insert(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw) + 1)
    some = rng.choice(NASTY).encode() if rng.random() < 0.8 else b"\xff\xfe\x80"
    return raw[:at] + some + raw[at:]


def _word(raw: bytes, rng: random.Random) -> bytes:
    words = list(WORD.finditer(raw))
    if not words:
        return raw
    chosen = rng.choice(words)
    return raw[: chosen.start()] + rng.choice(NASTY).encode() + raw[chosen.end() :]


def _twice(raw: bytes, rng: random.Random) -> bytes:
    """A line, or what stands between two commas, a second time."""
    mark = rng.choice((b"\n", b", "))
    parts = raw.split(mark)
    at = rng.randrange(len(parts))
    return mark.join([*parts[: at + 1], *parts[at:]])


def _lost(raw: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(raw) + 1)
    return raw[:start] + raw[start + rng.choice((1, 4, 40)) :]


def _encoded(raw: bytes, rng: random.Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    return rng.choice(
        (
            b"\xef\xbb\xbf" + raw,
            text.encode("utf-16"),
            text.encode("utf-16-be"),
            text.encode("latin-1", "replace"),
            raw.replace(b"\n", b"\r\n"),
            raw.replace(b"\n", b"\r"),
            b"",
            b"\n",
            b"\x1f\x8b" + raw,
        )
    )


DAMAGES = [_cut, _flip, _insert, _word, _word, _word, _twice, _lost, _encoded]


# What stands in for a value of a JSON file.
VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 1e308, 2**63, 2**62, "", "x", "a" * 64, "0" * 64, "../x", "/etc/passwd",
    "\0", "\u2028", "\x1b[2J", "\ud800", float("nan"), [], {}, [1], ["x"], {"a": 1}, [[]], {"": {}},
]  # fmt: skip


def structured(raw: bytes, rng: random.Random) -> bytes:
    """JSON whose values changed places or kinds, and in one of three cases damaged bytes."""
    if rng.random() < 1 / 3:
        return damaged(raw, rng)
    value = json.loads(raw)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = changed(value, rng)
    return json.dumps(value, indent=2).encode()


def changed(value: Any, rng: random.Random) -> Any:
    """One value of a tree replaced, lost, renamed or nested; the tree itself in rare cases."""
    places = [*_places(value)] if isinstance(value, dict | list) else []
    if not places or rng.random() < 0.02:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = [holder[key]]
    elif kind == 2:
        holder[key] = {"a": holder[key]}
    elif kind == 3 and isinstance(holder, dict):
        holder[rng.choice(("x", "", "../x", "/etc/passwd", "a\0b"))] = holder.pop(key)
    elif kind == 4:
        other, there = rng.choice(places)
        holder[key] = json.loads(json.dumps(other.get(there) if isinstance(other, dict) else there))
    else:
        holder[key] = rng.choice(VALUES)
    return value


def _places(value: Any) -> Any:
    """(container, key) of every value below `value`."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def columns(raw: bytes, rng: random.Random) -> bytes:
    """A Parquet table whose columns have other types, names, nestings or nulls."""
    if rng.random() < 0.2:
        return damaged(raw, rng)
    table = pa.parquet.read_table(io.BytesIO(raw))
    try:
        return _other_columns(table, rng)
    except (pa.ArrowException, TypeError, ValueError):
        # Not every type can be written, nested or cast.
        return damaged(raw, rng)


def _other_columns(table: pa.Table, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(table.num_columns)
        name, column = table.column_names[at], table.column(at).combine_chunks()
        kind = rng.randrange(7)
        if kind == 0 and table.num_columns > 1:
            table = table.remove_column(at)
        elif kind == 1:
            other = rng.choice((*table.column_names, "", "metric", "cluster", "a\nb", "Value"))
            table = table.append_column(other, column)
        elif kind == 2:
            table = table.slice(0, rng.choice((0, 1)))
        else:
            table = table.set_column(at, name, _retyped(column, rng))
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


_TYPES = (
    pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.uint64(), pa.float32(), pa.float16(),
    pa.decimal128(30, 10), pa.bool_(), pa.timestamp("ns"), pa.date32(), pa.duration("s"),
)  # fmt: skip


def _retyped(column: pa.Array, rng: random.Random) -> pa.Array:
    n = len(column)
    kind = rng.randrange(10)
    if kind == 0:
        return pa.nulls(n)
    if kind == 1:
        return pa.array([[v] for v in column.to_pylist()])
    if kind == 2:
        return pa.array([{"a": v} for v in column.to_pylist()])
    if kind == 3:
        return pa.array([[("k", v)] for v in column.to_pylist()], pa.map_(pa.string(), column.type))
    if kind == 4:
        return column.dictionary_encode()
    if kind == 5:
        return pa.array(
            [None if rng.random() < 0.3 else v for v in column.to_pylist()], column.type
        )
    if kind == 6:
        number = rng.choice((2**63, 2**64 - 1, 2**53 + 1))
        return pa.array([number] * n, pa.uint64())
    if kind == 7:
        some = rng.choice((float("nan"), float("inf"), -0.0, 1e308, 5e-324, 0.5))
        return pa.array([some] * n)
    if kind == 8:
        return pa.array([b"\xff\xfe\x00"] * n, pa.binary())
    try:
        return column.cast(rng.choice(_TYPES))
    except pa.ArrowException:
        return pa.array(["a\nb\x1b[2J"] * n)
