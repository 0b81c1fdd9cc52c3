"""Tables of other people, CSV or Parquet: their column names, long or wide, items or means."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from lawcheck.errors import InputError, nearest
from lawcheck.files.reading import read_text
from lawcheck.judging.importing.columns import (
    METRICS,
    NO_SCORE,
    RUNS,
    STEPS,
    SYNONYMS,
    is_statistic,
    is_summary,
    words_of,
)
from lawcheck.judging.importing.placement import ImportMap, Placement, Placer
from lawcheck.judging.importing.runs import LOWER
from lawcheck.scores import MEASUREMENTS, TaskPlace
from lawcheck.scores.files import COLUMNS, SCHEMA, typed

MEAN = "mean"
PER_RUN = "per-run means, no items: judged over seeds only"
SUFFIXES = (".csv", ".tsv", ".parquet")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Cells that stand for nothing; lower case.
EMPTY = ("", "na", "n/a", "nan", "null", "none", "-", "--", "\u2013", "\u2014")
# The best mark of a judge, as in MT-Bench: values up to it need not be percentages.
MARKS = 10
SEPARATOR = re.compile(r"sep=(?P<sign>[,;\t|])\r?\n", re.IGNORECASE)  # as Excel writes it
LONGEST_NAME = 10_000  # Characters.
RULE = re.compile(r"\|?([ :-]*-[ :-]*\|)+[ :-]*")


@dataclass(frozen=True)
class Table:
    """rows: with the score table's columns. lost: rows without an arm or a seed.

    labels: names that a mapping may match. tasks: of the table, as it calls them.
    """

    rows: pa.Table
    lost: list[str]
    notes: list[str]
    labels: list[str]
    tasks: list[str]


def is_table(path: Path) -> bool:
    """A file of rows; lighteval's details are read from its results file."""
    return path.suffix.lower() in SUFFIXES


def read_table(
    path: Path, mapping: ImportMap, placer: Placer, places: Mapping[str, TaskPlace]
) -> Table:
    """A table in long form (one row per item, or per run and task) or wide form (a column a task).

    Wide form has no `task` and no `value`: its task columns are those that the mapping names; else
    those that a discipline names or whose numbers vary as scores do. An empty cell is a task not
    evaluated. Raises InputError (one line) otherwise.
    """
    try:
        return _table(path, mapping, placer, places, f"import {path}")
    except pa.ArrowException as error:
        raise InputError(
            f"import {path}: columns of types that cannot be read ({_line(error)}); export it as "
            f"CSV"
        ) from error


def _table(
    path: Path,
    mapping: ImportMap,
    placer: Placer,
    places: Mapping[str, TaskPlace],
    origin: str,
) -> Table:
    notes: list[str] = []
    table = _renamed(_read(path, origin), mapping, origin, notes)
    itemised = "item_id" in table.column_names
    wide = "value" not in table.column_names and "task" not in table.column_names
    if wide:
        table = _long(table, mapping, places, origin, notes)
    _say_what_lacks(table, wide, placer, origin)
    if not wide and "item_id" not in table.column_names:
        table = table.append_column("item_id", pa.repeat(MEAN, len(table)))
        notes.append(f"{path}: {PER_RUN}")
    table = _one_metric(table, mapping, origin, notes)
    extra = [c for c in table.column_names if c not in COLUMNS]
    others = table.select(extra)
    if extra:
        notes.append(f"{path}: columns left out: {', '.join(extra)}")
        table = table.drop_columns(extra)
    table = _numbered(table, mapping, origin, notes)
    labels = _labels(table, str(path))
    table, lost, kept = _placed(table, placer, labels, origin, str(path))
    _refuse_repeats(table, others, kept, itemised, origin)
    tasks = _distinct(table, "task")
    if "task" in table.column_names and mapping.tasks:
        keep = [not mapping.leaves_out(str(t)) for t in table.column("task").to_pylist()]
        if not all(keep):
            notes.append(f"{path}: {keep.count(False)} rows of tasks that the mapping leaves out")
            table = table.filter(pa.array(keep))
        table = _retasked(table, mapping)
    return Table(typed(table, origin), lost, notes, _distinct_texts(labels), tasks)


def _say_what_lacks(table: pa.Table, wide: bool, placer: Placer, origin: str) -> None:
    """Raise InputError where a column that is there must be meant, and show how to say so."""
    names = table.column_names
    others = [n for n in names if n not in COLUMNS]
    hints = {"seed": [n for n in others if n.lower() in RUNS]}
    if placer.seeds is not None or "seed" in names or "run_id" in names or placer.mapping.runs:
        del hints["seed"]
    if not wide and "value" not in names:
        hints["value"] = _of_scores(table, others)
    for ours, there in hints.items():
        if there:
            raise InputError(
                f"{origin}: column {ours!r} is missing; write 'columns: {{{ours}: "
                f"{_quoted(there[0])}}}' into the mapping (--map), or name another of "
                f"{', '.join(names)}"
            )


def _read(path: Path, origin: str) -> pa.Table:
    what = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
    try:
        table = _read_parquet(path) if what == "Parquet" else _read_text(path, origin)
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        pa.ArrowKeyError,
        OSError,
        csv.Error,
    ) as error:
        raise InputError(
            f"{origin}: not a {what} table ({_line(error)}); export it again"
        ) from error
    if len(set(table.column_names)) < len(table.column_names):
        names = table.column_names
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"{origin}: column {twice!r} is there twice; rename one")
    return table


def _read_parquet(path: Path) -> pa.Table:
    table = pa.parquet.read_table(path, partitioning=None)
    for at, name in enumerate(table.column_names):
        column = table.column(at)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if _is_text(column.type):
            column = pc.utf8_trim_whitespace(column.cast(pa.string()))
        table = table.set_column(at, name, column)
    return table


def _read_text(path: Path, origin: str) -> pa.Table:
    text = read_text(path, "export it again as UTF-8", origin)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    while text.startswith("#"):
        text = text.partition("\n")[2]
    said = SEPARATOR.match(text)
    text = text[said.end() :] if said else text
    header = text.split("\n", 1)[0]
    delimiter = said["sign"] if said else _delimiter(header)
    if delimiter == "|" and header.lstrip().startswith("|"):
        text = _markdown(text)
        header = text.split("\n", 1)[0]
    if not header.strip():
        raise InputError(f"{origin}: not a CSV table (no header); export it again")
    # Everything as text first: ids such as 07 must stay what they are.
    given = next(csv.reader([header.removesuffix("\r")], delimiter=delimiter), [])
    # The reader's own limit is that of the process, which others raise.
    if (longest := max(map(len, given), default=0)) > LONGEST_NAME:
        raise InputError(
            f"{origin}: not a CSV table (a column's name has {longest} characters, at most "
            f"{LONGEST_NAME}); export it again"
        )
    names = [name.strip() for name in given]
    table = pa.csv.read_csv(
        pa.BufferReader(text.encode()),
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=1),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    columns = [pc.utf8_trim_whitespace(c) for c in table.columns]
    table = pa.table(columns, names=table.column_names)
    # Commas at the ends of lines make columns without name or cells.
    kept = [k for k, n in enumerate(names) if n or pc.any(_given(table.column(k))).as_py()]
    unnamed = [k + 1 for k in kept if not names[k]]
    if len(unnamed) > 1:
        raise InputError(
            f"{origin}: columns {', '.join(map(str, unnamed))} have no name; name them in one line"
        )
    return table.select(kept)


def _markdown(text: str) -> str:
    """A table of Markdown without its frame and the line below its header."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [x.removeprefix("|").removesuffix("|") for x in lines if not RULE.fullmatch(x)]
    return "\n".join(lines) + "\n"


def _delimiter(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def _renamed(table: pa.Table, mapping: ImportMap, origin: str, notes: list[str]) -> pa.Table:
    names = table.column_names
    for ours, theirs in mapping.columns.items():
        if ours not in COLUMNS:
            raise InputError(
                f"{origin}: mapping names column {ours!r}, expected one of {', '.join(COLUMNS)} "
                f"({nearest(ours, COLUMNS)})"
            )
        if theirs not in names:
            raise InputError(
                f"{origin}: mapping takes {ours!r} from column {theirs!r}, which is not there "
                f"({nearest(theirs, names)})"
            )
    theirs_to_ours = {t: o for o, t in mapping.columns.items()}
    theirs_to_ours |= _synonyms(names, mapping, origin, notes)
    # A column that gives way to a mapped one keeps its cells under another name.
    taken = {o for o, t in mapping.columns.items() if o != t}
    names = [theirs_to_ours.get(n, f"{n} (theirs)" if n in taken else n) for n in names]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"{origin}: column {twice[0]!r} is there twice; rename one")
    return table.rename_columns(names)


def _synonyms(
    names: Sequence[str], mapping: ImportMap, origin: str, notes: list[str]
) -> dict[str, str]:
    """Columns that go by another usual name. Raises InputError where two could be meant."""
    found: dict[str, str] = {}
    free = {n.lower(): n for n in names if n not in mapping.columns.values()}
    long = "task" in mapping.columns or any(n in free for n in ("task", *SYNONYMS["task"]))
    for ours, others in SYNONYMS.items():
        if ours in names or ours in mapping.columns or (ours == "value" and not long):
            continue
        there = [free[n] for n in (ours, *others) if n in free]
        if len(there) > 1 and ours == "arm":
            raise InputError(
                f"{origin}: no column 'arm', and {' or '.join(map(repr, there))} could be it; "
                f"write 'columns: {{arm: {there[0]}}}' into the mapping (--map)"
            )
        if len(there) == 1:
            found[there[0]] = ours
            notes.append(f"{origin.removeprefix('import ')}: column {there[0]!r} read as {ours!r}")
    return found


def _long(
    table: pa.Table,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    origin: str,
    notes: list[str],
) -> pa.Table:
    known = [c for c in table.column_names if c in COLUMNS]
    rest = [c for c in table.column_names if c not in COLUMNS]
    wanted = [
        c
        for c in rest
        if (c in places or mapping.task(c) is not None) and not mapping.leaves_out(c)
    ]
    tasks = [
        c
        for c in wanted
        if c in places or not (is_statistic(c) or (c not in mapping.tasks and is_summary(c)))
    ]
    for column in wanted:
        if column not in tasks and column in mapping.tasks:
            raise InputError(
                f"{origin}: mapping: tasks: column {column!r} holds an error or a count, not "
                f"scores; leave it out"
            )
    if not mapping.tasks:
        found = _unnamed(table, [c for c in rest if c not in tasks], tasks)
        if found:
            name = origin.removeprefix("import ")
            notes.append(f"{name}: columns read as tasks: {', '.join(found)}")
        tasks = [c for c in rest if c in (*tasks, *found)]
    if not tasks:
        likely = _of_scores(table, rest)
        example = ", ".join(f"{_quoted(c)}: {_quoted(c)}" for c in likely[:3]) or "COLUMN: TASK"
        raise InputError(
            f"{origin}: neither 'task' and 'value' nor a column named like a task, found "
            f"{', '.join(table.column_names)}; name the columns of scores in --map: tasks: "
            f"{{{example}}}"
        )
    _refuse_two_metrics(tasks, mapping, origin)
    _refuse_lower(tasks, mapping, origin)
    name = origin.removeprefix("import ")
    left = [c for c in rest if c not in tasks]
    if "item_id" not in known:
        notes.append(f"{name}: {PER_RUN}")
    pieces, empty = [], 0
    for task in tasks:
        piece = table.select([*known, *left, task]).rename_columns([*known, *left, "value"])
        piece = piece.append_column("task", pa.repeat(task, len(table)))
        if "item_id" not in known:
            piece = piece.append_column("item_id", pa.repeat(MEAN, len(table)))
        given = _given(piece.column("value"))
        empty += len(piece) - (pc.sum(given).as_py() or 0)
        pieces.append(piece.filter(given))
    if empty:
        notes.append(f"{name}: {empty} empty cells left out, as tasks that were not evaluated")
    return pa.concat_tables(_alike(pieces))


def _quoted(name: str) -> str:
    """A name as YAML takes it inside braces."""
    return name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else json.dumps(name)


def _refuse_lower(metrics: Iterable[str], mapping: ImportMap, origin: str) -> None:
    """Metrics, or columns that end in one, of which less is better."""
    for name in metrics:
        last = re.split(r"[ .,/-]", name.lower().removesuffix(",none"))[-1]
        if name not in mapping.tasks and (
            LOWER.fullmatch(last) or LOWER.fullmatch(last.rpartition("_")[2])
        ):
            raise InputError(
                f"{origin}: {name!r}: lower is better; leave it out, or write a score of which "
                f"more is better"
            )


def _of_scores(table: pa.Table, columns: Iterable[str]) -> list[str]:
    """Columns of numbers whose names do not say that they hold something beside scores."""
    return [
        c
        for c in columns
        if not is_statistic(c) and not is_summary(c) and _is_numeric(table.column(c))
    ]


def _unnamed(table: pa.Table, columns: Sequence[str], named: Sequence[str]) -> list[str]:
    """Columns that hold scores though nothing declares a task of their name.

    Their numbers differ between the runs of an arm and between arms, which those of a setting do
    not, and are shares or percentages as those of the named tasks are.
    """
    if not {"arm", "seed"} <= set(table.column_names):
        return []
    forms = {_form(table.column(c)) for c in named if _is_numeric(table.column(c))}
    found = []
    for column in _of_scores(table, columns):
        if NO_SCORE.intersection(words_of(column)):
            continue
        form = _form(table.column(column))
        if form is None or (forms and form not in forms):
            continue
        item = ["item_id"] if "item_id" in table.column_names else []
        if all(_differs(table, column, [k, *item]) for k in ("arm", "seed")):
            found.append(column)
    # Several metrics beside one another are of one task, which has no name here.
    metrics = [c for c in found if METRICS.issuperset(words_of(c))]
    return [c for c in found if c not in metrics] if len(metrics) > 1 else found


def _form(column: pa.ChunkedArray) -> str | None:
    """Share or percent; None for numbers that are neither, and where there are none."""
    given = column.filter(_given(column))
    if _is_text(given.type):
        given = _plain(given)[0]
    ends = pc.min_max(pc.cast(given, pa.float64())).as_py()
    if ends["min"] is None or ends["min"] < 0 or ends["max"] > 100:
        return None
    return "percent" if ends["max"] > 1 else "share"


def _differs(table: pa.Table, column: str, same: Sequence[str]) -> bool:
    """Whether two rows that agree in the other columns hold different cells."""
    cells = table.select([*same, column]).filter(_given(table.column(column)))
    counts = cells.group_by(same).aggregate([(column, "count_distinct")])
    return bool((pc.max(counts.column(f"{column}_count_distinct")).as_py() or 0) > 1)


def _alike(pieces: list[pa.Table]) -> list[pa.Table]:
    """One type for the values of all tasks; shortest text turns into the same number again."""
    if len({p.column("value").type for p in pieces}) == 1:
        return pieces
    at = pieces[0].column_names.index("value")
    return [p.set_column(at, "value", p.column("value").cast(pa.string())) for p in pieces]


def _refuse_two_metrics(tasks: Sequence[str], mapping: ImportMap, origin: str) -> None:
    """Two columns that are metrics of one task would count as two of its items."""
    stems: dict[tuple[str | None, str], str] = {}
    for task in tasks:
        words = words_of(task)
        while len(words) > 1 and words[-1] in METRICS:
            words.pop()
        other = stems.setdefault((mapping.task(task), " ".join(words)), task)
        if other != task:
            raise InputError(
                f"{origin}: columns {other!r} and {task!r} are two metrics of one task; name one "
                f"of them under 'tasks' in the mapping"
            )
    # arc and arc_delta, taken by one glob: the longer name may say something about the shorter.
    by_glob = [t for t in tasks if t not in mapping.tasks and mapping.task(t) is not None]
    for task in by_glob:
        for other in tasks:
            if (
                task.lower().startswith(other.lower())
                and re.match(r"[^a-z0-9]", task[len(other) :].lower())
                and mapping.task(other) == mapping.task(task)
            ):
                raise InputError(
                    f"{origin}: columns {other!r} and {task!r} are both taken for "
                    f"{mapping.task(task)!r}, and one may be part of the other or say something "
                    f"about it; name each that you mean under 'tasks' in the mapping"
                )


def _is_numeric(column: pa.ChunkedArray) -> bool:
    if not _is_text(column.type):
        return bool(
            pa.types.is_integer(column.type)
            or pa.types.is_floating(column.type)
            or pa.types.is_decimal(column.type)
        )
    try:
        pc.cast(_plain(column.filter(_given(column)))[0], pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _given(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which cells hold something."""
    if _is_text(column.type):
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
        return pc.fill_null(pc.invert(pc.is_in(lower, pa.array(EMPTY))), False)
    if pa.types.is_floating(column.type):
        return pc.and_(column.is_valid(), pc.invert(pc.fill_null(pc.is_nan(column), True)))
    return column.is_valid()


def _one_metric(table: pa.Table, mapping: ImportMap, origin: str, notes: list[str]) -> pa.Table:
    """Rows of the metric that the mapping names for a task; rows of errors and counts go."""
    if "task" in table.column_names:
        table = _no_summaries(table, mapping, origin, notes)
    if "metric" not in table.column_names or "task" not in table.column_names:
        if mapping.metrics and "task" in table.column_names:
            raise InputError(
                f"{origin}: mapping: metrics: no column 'metric', found "
                f"{', '.join(table.column_names)}; leave it out, or name the column"
            )
        return table
    tasks = table.column("task").cast(pa.string()).to_pylist()
    metrics = table.column("metric").cast(pa.string()).to_pylist()
    there: dict[str, set[str]] = {}
    for task, metric in zip(tasks, metrics, strict=True):
        there.setdefault(str(task), set()).add(str(metric))
    chosen = {task: mapping.metric(task) for task in there}
    for task, metric in chosen.items():
        if metric and metric not in there[task]:
            raise InputError(
                f"{origin}: task {task!r} has no metric {metric!r}, found "
                f"{', '.join(sorted(there[task]))}; name one under 'metrics' in the mapping"
            )
    keep = [
        m == chosen[str(t)] if chosen[str(t)] else not is_statistic(f"x_{m}")
        for t, m in zip(tasks, metrics, strict=True)
    ]
    if not all(keep):
        gone = sorted({str(m) for m, k in zip(metrics, keep, strict=True) if not k})
        notes.append(
            f"{origin.removeprefix('import ')}: {keep.count(False)} rows of metrics "
            f"{', '.join(gone)} left out"
        )
        table = table.filter(pa.array(keep))
    left = {str(m) for m, k in zip(metrics, keep, strict=True) if k} - MEASUREMENTS
    _refuse_lower(sorted(left), mapping, origin)
    return table


def _no_summaries(table: pa.Table, mapping: ImportMap, origin: str, notes: list[str]) -> pa.Table:
    """Rows of an average over tasks are none of the tasks that a glob means."""
    names = table.column("task").cast(pa.string()).to_pylist()
    keep = [
        t is None or t in mapping.tasks or mapping.task(t) is None or not is_summary(t)
        for t in names
    ]
    if all(keep):
        return table
    gone = sorted({t for t, k in zip(names, keep, strict=True) if not k})
    name = origin.removeprefix("import ")
    notes.append(f"{name}: rows of averages or settings left out: {', '.join(gone)}")
    return table.filter(pa.array(keep))


def _numbered(table: pa.Table, mapping: ImportMap, origin: str, notes: list[str]) -> pa.Table:
    """The table with its values as shares."""
    if "value" not in table.column_names:
        return table
    values, signed = _numbers(table.column("value"), origin)
    values = _shares(table, values, signed, mapping, origin, notes)
    return table.set_column(table.column_names.index("value"), "value", values)


def _numbers(column: pa.ChunkedArray, origin: str) -> tuple[pa.ChunkedArray, bool]:
    """Values as numbers, and whether they bear a percent sign.

    true and false count 1 and 0, an empty cell stays unscored.
    """
    signed: bool | None = False
    if pa.types.is_decimal(column.type):
        # Arrow's own cast of 0.41 is off in the last bit.
        column = column.cast(pa.string())
    if _is_text(column.type):
        given = _given(column)
        column, signed = _plain(pc.if_else(given, column.cast(pa.string()), None))
        if signed is None:
            raise InputError(
                f"{origin}: some values bear a percent sign, some do not; write all alike"
            )
    try:
        return pc.cast(column, pa.float64()), bool(signed)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{origin}: column 'value' holds no numbers ({_line(error)})") from error


def _plain(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool | None]:
    """Text that casts to numbers, and whether all bore a percent sign (None: some did)."""
    text = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
    text = pc.if_else(pc.equal(text, "true"), "1", text)
    text = pc.if_else(pc.equal(text, "false"), "0", text)
    with_sign = pc.ends_with(text, "%")
    some, every = pc.any(with_sign).as_py(), pc.all(with_sign).as_py()
    if some:
        text = pc.utf8_trim_whitespace(pc.utf8_rtrim(text, "%"))
    # 0,62 in a table with other delimiters; 1,234.5 stays what is refused.
    comma = pc.match_substring_regex(text, r"^[+-]?\d+,\d+$")
    text = pc.if_else(comma, pc.replace_substring(text, ",", "."), text)
    return text, (None if some and not every else bool(some))


def _shares(
    table: pa.Table,
    values: pa.ChunkedArray,
    signed: bool,
    mapping: ImportMap,
    origin: str,
    notes: list[str],
) -> pa.ChunkedArray:
    """Percentages become shares: said by the mapping or a sign, or seen in every task alike.

    Raises InputError for a mixture, and for values that are no percentages though said to be.
    """
    largest = pc.max(pc.if_else(pc.is_nan(values), None, values)).as_py()
    if largest is None:
        return values
    if mapping.percent and largest <= 1 and largest > 0 and not signed:
        raise InputError(
            f"{origin}: mapping: percent: the largest value is {largest:g}, so these are shares; "
            f"leave it out"
        )
    if mapping.percent or signed:
        return pc.divide(values, 100.0)
    if largest <= 1 or largest > 100 or mapping.percent is False:
        return values
    tasks = (
        table.column("task").cast(pa.string())
        if "task" in table.column_names
        else pa.chunked_array([pa.repeat("", len(table))])
    )
    tops = pa.table({"task": tasks, "value": values}).group_by("task").aggregate([("value", "max")])
    top = dict(zip(tops["task"].to_pylist(), tops["value_max"].to_pylist(), strict=True))
    small = sorted(str(t) for t, v in top.items() if v is not None and 0 < v <= 1)
    large = sorted(str(t) for t, v in top.items() if v is not None and v > 1)
    step = "write all values alike, or 'percent: true' into the mapping (--map)"
    if small:
        raise InputError(
            f"{origin}: values of {large[0]!r} go up to {top[large[0]]:g}, those of {small[0]!r} "
            f"to {top[small[0]]:g}: percentages and shares; {step}"
        )
    if largest <= MARKS:
        raise InputError(
            f"{origin}: values up to {largest:g}: percentages, or marks out of {MARKS}? Write "
            f"'percent: true' into the mapping (--map), or shares of the best mark"
        )
    low = pc.and_(pc.greater(values, 0), pc.less_equal(values, 1))
    if pc.any(low).as_py():
        odd = values.filter(pc.fill_null(low, False))[0].as_py()
        raise InputError(
            f"{origin}: values such as {odd:g} beside {largest:g}: percentages and shares; {step}"
        )
    notes.append(f"{origin.removeprefix('import ')}: values up to {largest:g} read as percentages")
    return pc.divide(values, 100.0)


def _labels(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A run's name in every row; a table without run ids is one run, known by its file."""
    if "run_id" in table.column_names:
        return table.column("run_id").cast(pa.string())
    return pa.chunked_array([pa.repeat(Path(name).stem, len(table))])


def _distinct_texts(labels: pa.ChunkedArray) -> list[str]:
    return [label for label in labels.unique().to_pylist() if label]


def _distinct(table: pa.Table, column: str) -> list[str]:
    if column not in table.column_names:
        return []
    return [str(x) for x in table.column(column).unique().to_pylist() if x is not None]


def _placed(
    table: pa.Table, placer: Placer, labels: pa.ChunkedArray, origin: str, name: str
) -> tuple[pa.Table, list[str], pa.ChunkedArray]:
    """The table with arm and seed in every row; rows without them are taken out and named.

    Returns too where each row stood before.
    """
    said = {"arm": placer.arm, "seed": placer.seeds}
    for column, value in said.items():
        if value is not None and column in table.column_names:
            raise InputError(f"{origin}: has a column {column!r}; leave out --{column}")
    for entry in placer.mapping.runs:
        for column, named in (("arm", entry.arm), ("seed", entry.seed)):
            if named is None or column not in table.column_names:
                continue
            if any(entry.fits([label]) for label in _distinct_texts(labels)):
                raise InputError(
                    f"{origin}: has a column {column!r}, and {entry.match!r} under 'runs' in the "
                    f"mapping names another {column}; leave the entry out, or the "
                    f"column out of the table"
                )
    missing = [c for c in ("arm", "seed") if c not in table.column_names]
    lost: list[str] = []
    row = "its row"
    table = table.append_column(row, pa.array(range(len(table)), pa.int64()))
    if missing:
        # What the table says itself need not stand in a name.
        placer = dataclasses.replace(
            placer,
            arm=placer.arm if "arm" in missing else "",
            seeds=placer.seeds if "seed" in missing else (0,),
        )
        found = {x: placer.place([x] if x else []) for x in labels.unique().to_pylist()}
        lost += [
            f"{name}: {run!r} ({p})" for run, p in found.items() if not isinstance(p, Placement)
        ]
        pieces = []
        for label, place in found.items():
            if not isinstance(place, Placement):
                continue
            mine = table.filter(pc.fill_null(pc.equal(labels, label), label is None))
            for seed in place.seeds if "seed" in missing else place.seeds[:1]:
                piece = mine
                if "arm" in missing:
                    piece = piece.append_column("arm", pa.repeat(place.arm, len(mine)))
                if "seed" in missing:
                    piece = piece.append_column("seed", pa.repeat(seed, len(mine)))
                pieces.append(piece)
        table = (
            pa.concat_tables(pieces)
            if pieces
            else _nothing().append_column(row, pa.array([], pa.int64()))
        )
    for column in ("arm", "seed"):
        whole = _given(table.column(column))
        empty = pc.sum(pc.invert(whole)).as_py()
        if empty:
            first = pc.index(whole, False).as_py()
            lost.append(f"{name}: {empty} rows with empty {column}, first in data row {first + 1}")
            table = table.filter(whole)
    if table.num_rows:
        table = table.set_column(
            table.column_names.index("seed"), "seed", _whole(table.column("seed"), origin)
        )
    return table.drop_columns([row]), lost, table.column(row)


def _nothing() -> pa.Table:
    return SCHEMA.empty_table()


def _whole(column: pa.ChunkedArray, origin: str) -> pa.ChunkedArray:
    """Seeds; 3.0 is 3, as pandas writes a column that had gaps."""
    try:
        if _is_text(column.type) and pc.all(pc.match_substring_regex(column, r"^\d+$")).as_py():
            return pc.cast(column, pa.int64())
        if not pa.types.is_integer(column.type):
            column = pc.cast(column, pa.float64())
        return pc.cast(column, pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{origin}: column 'seed' holds no whole numbers ({_line(error)}); number the seeds"
        ) from error


def _refuse_repeats(
    table: pa.Table, others: pa.Table, kept: pa.ChunkedArray, itemised: bool, origin: str
) -> None:
    """Rows that stand twice but for a column that is left out: several checkpoints of a run.

    itemised: whether the file names its items; rows without a name may be those of items.
    """
    key = [c for c in ("arm", "seed", "task", "item_id", "metric") if c in table.column_names]
    if (others.num_columns and len(others) != len(kept)) or not table.num_rows:
        return
    distinct = table.select(key).group_by(key).aggregate([]).num_rows
    if distinct == table.num_rows:
        return
    for name in sorted(others.column_names, key=lambda n: n.lower() not in STEPS):
        column = others.column(name).take(kept)
        if pa.types.is_nested(column.type) or column.type.num_fields:
            continue
        both = table.select(key).append_column("other", column)
        if both.group_by([*key, "other"]).aggregate([]).num_rows == table.num_rows:
            found = [str(x) for x in column.unique().to_pylist()]
            if not itemised and name.lower() not in (*STEPS, *RUNS):
                raise InputError(
                    f"{origin}: no column 'item_id', and rows of one arm, seed and task differ in "
                    f"column {name!r}; write 'columns: {{item_id: {_quoted(name)}}}' into the "
                    f"mapping (--map) if it names the item"
                )
            raise InputError(
                f"{origin}: rows of one arm, seed and task differ only in column {name!r} "
                f"({', '.join(found[:5])}); keep one of them, or make it part of the arm"
            )
    if not itemised:
        raise InputError(
            f"{origin}: {table.num_rows:,} rows of {distinct:,} runs and tasks, and no column "
            f"'item_id' tells them apart; add one that numbers the items, alike in every run"
        )


def _retasked(table: pa.Table, mapping: ImportMap) -> pa.Table:
    """Tasks under their mapped names; items of a renamed task carry its own name in front."""
    own = table.column("task").cast(pa.string())
    items = table.column("item_id").cast(pa.string())
    names = {t: mapping.task(t) for t in own.unique().to_pylist() if t is not None}
    to = own
    for task, name in names.items():
        if name is None or name == task:
            continue
        mine = pc.equal(own, task)
        to = pc.if_else(mine, name, to)
        items = pc.if_else(mine, pc.binary_join_element_wise(task, items, "/"), items)
    table = table.set_column(table.column_names.index("task"), "task", to)
    return table.set_column(table.column_names.index("item_id"), "item_id", items)
