"""Designs fixed before the first judged run: a digest of the law, and of the scale it runs at.

The records lie in reproduce/preregistered/ under version control and hold their date. A verdict
whose design has no record, another one, or one that is younger than a verdict or the scores, is
marked exploratory.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.declare.design import Law
from lawcheck.errors import InputError
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import digest
from lawcheck.files.reading import read_object
from lawcheck.judging.looks import Looks
from lawcheck.judging.verdict import design_digest

if TYPE_CHECKING:
    from lawcheck.declare.scale import Scale

RESTORE = "restore the record; one that cannot be restored makes the law exploratory"


@dataclass(frozen=True)
class Preregistration:
    """fits: a record exists, the present design equals it, and nothing was judged before it.

    note: why not, for the verdict. looks: at the growing data, as recorded.
    """

    fits: bool
    note: str = ""
    looks: Looks = Looks()


def folders() -> list[Path]:
    """The working directory's records first, then those of the source tree or of the wheel."""
    package = Path(__file__).resolve().parents[1]
    trees = (Path.cwd(), package.parents[1])
    return [*(p / "reproduce" / "preregistered" for p in trees), package / "_preregistered"]


# The methods that scales had when records covered all of them, whatever a law used.
FIRST_METHODS = ("full", "lora", "lora_comp", "lora_moe")
VERSION = 2


def scale_digest(scale: Scale, law: Law, version: int = 1) -> str:
    """Digest of every setting of a scale that can touch a result of the law.

    version: of the record it is compared with. 1 covers all methods that scales had then, 2 those
    of the law's own arms; so neither moves when a scale gains a method.
    """
    from lawcheck.declare.lineage import lineage

    settings = scale.content({"title", "hardware", "plan", "seeds", "bases", "studies"})
    covered: Collection[str] = FIRST_METHODS
    if version > 1:
        covered = {
            scale.settings_name(a.method, a.recipe.objective, a.choices)
            for a in lineage(law.arms)
            if a.recipe is not None
        }
    settings["methods"] = {k: v for k, v in settings["methods"].items() if k in covered}
    used = {a.base: scale.base_recipe(a.base) for a in law.arms}
    return digest({**settings, "bases": used}, 64)


def preregister(
    law: Law,
    scale: Scale | None,
    folder: Path,
    looks: Looks | None = None,
    judged: Collection[str] = (),
    now: datetime.datetime | None = None,
) -> Path:
    """Record the design, its date and the looks at the data.

    scale: whose settings the record covers as well; None for somebody's own data, where the design
    alone is recorded. judged: verdicts on the law that are there already; they are named in the
    record, and the law stays exploratory. Raises InputError if another design, or other looks, are
    recorded.
    """
    path = _path(folder, law, scale)
    recorded = read_object(path, RESTORE, str(path)) if path.is_file() else None
    version = VERSION if recorded is None else _version(recorded, path)
    content = _content(law, scale, version)
    if recorded is not None:
        if any(recorded.get(k) != v for k, v in content.items()):
            raise InputError(
                f"{path}: holds another design of law {law.name!r}; a changed design is "
                f"exploratory, remove the record only for a new study"
            )
        if looks is not None and _looks(recorded, path) != looks:
            raise InputError(
                f"{path}: holds other looks at the data of law {law.name!r}; looks are planned "
                f"once, remove the record only for a new study"
            )
        return path
    planned = looks or Looks()
    content |= {
        "date": _stamp(now or datetime.datetime.now(datetime.UTC)),
        "looks": list(planned.fractions),
        "unplanned": list(planned.unplanned),
        "judged_before": sorted(judged),
    }
    write_json(path, content)
    return path


def preregistration_of(
    law: Law, scale: Scale | None, scored: datetime.datetime | None = None
) -> Preregistration:
    """What is recorded of a law's design. scored: time of the scores, where known."""
    for folder in folders():
        path = _path(folder, law, scale)
        if path.is_file():
            return _compared(law, scale, path, scored)
    if scale is None:
        return Preregistration(False)
    return Preregistration(False, "exploratory: no preregistered design at this scale")


def _path(folder: Path, law: Law, scale: Scale | None) -> Path:
    return folder / (f"{law.name}.{scale.name}.json" if scale else f"{law.name}.json")


def _compared(
    law: Law, scale: Scale | None, path: Path, scored: datetime.datetime | None
) -> Preregistration:
    recorded = read_object(path, RESTORE, str(path))
    looks = _looks(recorded, path)
    now = _content(law, scale, _version(recorded, path))
    changed = [k for k, v in now.items() if recorded.get(k) != v]
    if changed:
        note = f"exploratory: {', '.join(changed)} changed since preregistration"
        return Preregistration(False, note, looks)
    if before := recorded.get("judged_before"):
        note = f"exploratory: recorded after a verdict on the law was there ({before[0]})"
        return Preregistration(False, note, looks)
    date = recorded.get("date")
    # Files of a clone are younger than what they hold: only older ones prove something.
    if scored is not None and date is not None and _stamp(scored) < str(date):
        note = f"exploratory: recorded at {date}, the scores are of {_stamp(scored)}"
        return Preregistration(False, note, looks)
    return Preregistration(True, looks=looks)


def _stamp(when: datetime.datetime) -> str:
    """UTC to the second; sorts as text, also against a date alone."""
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _looks(recorded: dict[str, Any], path: Path) -> Looks:
    looks, unplanned = recorded.get("looks", 1), recorded.get("unplanned", [])
    try:
        if isinstance(looks, list):
            return Looks(tuple(map(float, looks)), tuple(map(float, unplanned)))
        return Looks.planned(looks)
    except (InputError, TypeError, ValueError) as error:
        # Not the step of who types looks: nobody typed these.
        found = str(error).rpartition("; ")[0] or error
        raise InputError(f"{path}: {found}; {RESTORE}") from None


def _version(recorded: dict[str, Any], path: Path) -> int:
    version = recorded.get("version", 1)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InputError(
            f"{path}: version is {str(version)[:20]!r}, expected 1 to {VERSION}; {RESTORE}"
        )
    return version


def _content(law: Law, scale: Scale | None, version: int) -> dict[str, Any]:
    content: dict[str, Any] = {"law": law.name, "design_digest": design_digest(law)}
    if scale is not None:
        digest_of = scale_digest(scale, law, version)
        content |= {"scale": scale.name, "scale_digest": digest_of}
    return content if version == 1 else {**content, "version": version}
