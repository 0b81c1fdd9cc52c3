"""What the stages' JSON records must hold before anything computes with them.

A published copy lies about without the digests that guard a results folder, so that any of its
numbers may have become a word. Fields that are not named here pass as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lawcheck.errors import InputError
from lawcheck.files.reading import read_object

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Holds(_Record):
    """Of a score file its items by task, of a checkpoint its large files, of a table its seeds."""

    items: dict[str, Count] = {}
    sizes: dict[str, Count] = {}
    seeds: list[Count] = []


class OriginRecord(_Record):
    """`<file>.origin` without its seal; every field is there, and no other."""

    model_config = ConfigDict(strict=True, extra="forbid")

    kind: str
    name: str
    files: dict[str, str]
    beside: dict[str, str]
    made_from: dict[str, str]
    holds: _Holds


class _Run(_Record):
    arm: str | None = None
    seed: int | None = None
    cpu_seconds: Amount | None = None
    wall_seconds: Amount | None = None
    peak_memory_bytes: Amount | None = None
    weights_sha256: str | None = None
    diverged: bool | None = None


class _File(_Record):
    rows: Count
    sha256: str


class Provenance(_Record):
    """`<law>.provenance.json`. cpu_seconds, wall_seconds: of training."""

    law: str | None = None
    scale: str | None = None
    seeds: list[Count] = []
    generator: str | None = None
    versions: dict[str, str] = {}
    hardware: dict[str, str | int | None] = {}
    source: dict[str, str | bool] = {}
    bases: dict[str, dict[str, str]] = {}
    corpus: dict[str, _File] = {}
    runs: dict[str, _Run] = {}


class _Line(_Record):
    samples: Count
    percent: Amount
    average_words: Amount
    unique_tokens: Count


class _MadeFrom(_Record):
    manifest: str
    unique_below: Count
    n: Count


class Statistics(_Record):
    """mixtures.json: the numbers of Table 1 by discipline, and those of every mixture."""

    origin: _MadeFrom
    disciplines: dict[str, _Line]
    total: _Line
    mixtures: dict[str, dict[str, Any]]


class _Removed(_Record):
    exact: Count
    ngram: Count


class _Counted(_Record):
    """A data set's line of a streamed corpus's counts, as corpus/sources/tables.py prints it."""

    split: Literal["train", "eval"]
    discipline: str
    set: str
    rows_read: Count
    samples: Count
    published: Count | None
    tolerance: Amount
    counted_in: str | None
    substitute_for: str | None = None
    removed: Count | None = None
    kept: Count | None = None
    removed_by_task: dict[str, _Removed] = {}


class _Total(_Record):
    """A whole discipline's line."""

    split: Literal["total"]
    discipline: str
    set: str
    rows_read: Count
    samples: Count
    published: Count | None
    removed: Count
    kept: Count
    written: Count


class _Comparison(_Record):
    run: Count
    shortest: Count


class Manifest(_Record):
    """manifest.json of a corpus."""

    identity: str
    files: dict[str, _File]


class StreamedManifest(Manifest):
    """Of a corpus that was compared with published counts and with evaluation items."""

    counts: list[Annotated[_Counted | _Total, Field(discriminator="split")]]
    accepted: list[str]
    comparison: _Comparison


class _Callback(_Record):
    attributes: dict[str, Any] = {}


class TrainerState(_Record):
    """trainer_state.json of a checkpoint: what each callback keeps, by its name."""

    stateful_callbacks: dict[str, _Callback | list[_Callback]] = {}


class Processes(_Record):
    """processes.json of a checkpoint: how many processes wrote it."""

    processes: Annotated[int, Field(ge=1)]


class Trained(_Record):
    """train.json, as far as others rely on it."""

    run_id: str
    weights_sha256: str


class _Phase(_Record):
    weights: dict[str, float]
    rows: dict[str, Count]
    losses: dict[str, float | None] | None


class _Phases(_Record):
    losses_before: dict[str, float | None]
    phases: list[_Phase]
    distinct_rows: dict[str, Count]
    potentials: list[dict[str, float | None]] = []


class _Iteration(_Record):
    shares: dict[str, Amount]
    texts: Count
    empty: Count
    unsure: Count


class Knowledge(_Record):
    """knowledge.json: shares of domains that were detected in a base model."""

    base: str
    seed: Count
    shares: dict[str, Amount]
    iterations: list[_Iteration]
    total_variation: Amount | None
    pretraining_rows: dict[str, Count] | None = None


class ReferenceLosses(_Record):
    """reference.json: losses of a smaller model trained on each domain alone."""

    base: str
    seed: Count
    losses: dict[str, Amount]
    transfer: dict[str, dict[str, float]]


class TrainedOnPhases(Trained):
    """train.json of a run on a mixture whose shares may move."""

    mixture: _Phases


class _Selected(_Record):
    rows: dict[str, Count]
    ambiguous_inputs: Count
    places: dict[str, list[float]]


class TrainedOnSelection(Trained):
    """train.json of a run whose recipe selects rows."""

    selection: _Selected


class SelectorRecord(_Record):
    """selector.json: what a selector over a folder of adapters names, and what it is asked."""

    labels: list[str]
    which: str


class _Tensor(_Record):
    branch: Literal["slerp", "lerp"]
    cosine: Annotated[float, Field(ge=-1, le=1)] | None


class Merged(_Record):
    """merge.json of a run: how each tensor of its parents was joined."""

    tensors: Annotated[dict[str, _Tensor], Field(min_length=1)]


def fitting(content: Any, kind: type[_Record], where: str, step: str) -> dict[str, Any]:
    """`content`, unchanged, once it fits a record. Raises InputError from `where` to `step`."""
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(p)[:40] for p in first["loc"]) or "content"
        found = "nothing" if first["type"] == "missing" else repr(first.get("input"))[:40]
        raise InputError(
            f"{where}: {place}: found {found}, {first['msg'].lower()}; {step}"
        ) from None
    return dict(content)


def read_provenance(path: Path) -> dict[str, Any]:
    """What stood behind a law's scores, as `collect` wrote it. Raises InputError."""
    step = "restore the file, or collect the scores again"
    return fitting(read_object(path, step, str(path)), Provenance, str(path), step)
