"""Copy what a reader needs to re-judge and re-draw a scale's laws into tracked folders."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lawcheck.atomic import atomic_folder
from lawcheck.design import Law
from lawcheck.errors import InputError
from lawcheck.layout import Layout


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
                shutil.copyfile(path, part / "laws" / path.name)
        if layout.mixtures.is_file():
            shutil.copyfile(layout.mixtures, part / layout.mixtures.name)
        shutil.copytree(layout.tables, part / "tables")
    return folder
