"""What a data set is, before anything of it is read. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lawcheck.corpus.sources.mapping import Mapping
from lawcheck.corpus.sources.reading import Layout
from lawcheck.errors import InputError

TOLERANCE = 0.01


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One public data set, or the part of one that the corpus takes.

    name: its folder below the data folder, and the prefix of its rows' ids. rows: samples it
    contributes, by the source named in `counted_in`; None where nobody publishes the number.
    hub: id of a data set on the hub; repository: `owner/name` of a Git repository, for what is on
    no hub, with the commit as `revision`. The revision of a hub set stands in the lock file.
    files: alternatives, each a tuple of glob patterns below the folder; the first alternative of
    which every pattern finds something is read. member: pattern of files inside a `.zip`.
    without: file whose keys are ids of rows to leave out. unit: how it is compared with
    evaluation items. substitute_for: what it stands for where the paper's own data are not public.
    """

    name: str
    title: str
    licence: str
    rows: int | None
    counted_in: str
    files: tuple[tuple[str, ...], ...]
    mapping: Mapping
    layout: Layout = "rows"
    member: str = "*"
    hub: str | None = None
    repository: str | None = None
    revision: str | None = None
    without: str | None = None
    unit: Literal["word", "notation"] = "word"
    tolerance: float = TOLERANCE
    substitute_for: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if (self.hub is None) == (self.repository is None):
            raise InputError(f"data set {self.name!r}: name either its hub id or its repository")
        if self.repository is not None and self.revision is None:
            raise InputError(f"data set {self.name!r}: name the commit of {self.repository}")

    @property
    def origin(self) -> str:
        return f"hub {self.hub}" if self.hub else f"repository {self.repository}"
