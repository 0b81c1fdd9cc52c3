"""Copy what a reader needs to re-judge and re-draw a scale's laws into tracked folders."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.errors import InputError
from lawcheck.files.atomic import atomic_folder
from lawcheck.files.origin import record_path
from lawcheck.judging.judged import judged_origins


def publish(layout: Layout, laws: Sequence[Law], target: Path) -> Path:
    """Scores, verdicts, provenance, mixtures and tables to <target>/<scale>/, all anew.

    Weights stay out. Raises InputError for a law that is not judged.
    """
    folder = target / layout.scale
    with atomic_folder(folder) as part:
        for law in laws:
            for path in (
                layout.law_scores(law.name),
                layout.verdict(law.name),
                layout.provenance(law.name),
            ):
                if not path.is_file():
                    raise InputError(
                        f"publish: {path.name} is missing; "
                        f"run: snakemake --profile local law_{law.name}"
                    )
                (part / "laws").mkdir(exist_ok=True)
                _copy(path, part / "laws")
            judged_origins(layout, law)
        if layout.mixtures.is_file():
            _copy(layout.mixtures, part)
        shutil.copytree(layout.tables, part / "tables")
    return folder


def _copy(path: Path, folder: Path) -> None:
    """A file, and the record beside it where it has one."""
    for source in (path, record_path(path)):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)
