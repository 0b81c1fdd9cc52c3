"""Designs fixed before the first judged run: a digest of the law, and of the scale it runs at.

The records lie in reproduce/preregistered/ under version control, so that their date is the
commit's. A verdict whose design has no record, or another one, is marked exploratory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Law
from lawcheck.declare.lineage import lineage
from lawcheck.declare.scale import Scale, settings_key
from lawcheck.errors import InputError
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import digest
from lawcheck.files.reading import read_object
from lawcheck.judging.verdict import design_digest

RESTORE = "restore the record; one that cannot be restored makes the law exploratory"


@dataclass(frozen=True)
class Preregistration:
    """fits: a record exists and the present design equals it. note: why not, for the verdict.

    looks: how often the growing data are judged in all, as recorded.
    """

    fits: bool
    note: str = ""
    looks: int = 1


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
    settings = scale.content({"title", "hardware", "plan", "seeds", "bases", "studies"})
    covered: Collection[str] = FIRST_METHODS
    if version > 1:
        covered = {
            settings_key(a.method, a.recipe.objective)
            for a in lineage(law.arms)
            if a.recipe is not None
        }
    settings["methods"] = {k: v for k, v in settings["methods"].items() if k in covered}
    used = {a.base: scale.base_recipe(a.base) for a in law.arms}
    return digest({**settings, "bases": used}, 64)


def preregister(law: Law, scale: Scale, folder: Path, looks: int = 1) -> Path:
    """Record the design and the number of looks at the data.

    Raises InputError if another design is recorded already.
    """
    path = folder / f"{law.name}.{scale.name}.json"
    recorded = read_object(path, RESTORE, str(path)) if path.is_file() else None
    version = VERSION if recorded is None else _version(recorded, path)
    content = {**_content(law, scale, version), "looks": looks}
    if recorded not in (None, content):
        raise InputError(
            f"{path}: holds another design of law {law.name!r} at scale {scale.name!r}; a changed "
            f"design is exploratory, remove the record only for a new study"
        )
    write_json(path, content)
    return path


def preregistration_of(law: Law, scale: Scale | None) -> Preregistration:
    if scale is None:
        return Preregistration(False)
    for folder in folders():
        path = folder / f"{law.name}.{scale.name}.json"
        if path.is_file():
            recorded = read_object(path, RESTORE, str(path))
            looks = recorded.pop("looks", 1)
            if type(looks) is not int or looks < 1:
                raise InputError(
                    f"{path}: looks is {str(looks)[:20]!r}, expected a count from 1; {RESTORE}"
                )
            now = _content(law, scale, _version(recorded, path))
            if recorded == now:
                return Preregistration(True, looks=looks)
            changed = [k for k, v in now.items() if recorded.get(k) != v]
            return Preregistration(
                False, f"exploratory: {', '.join(changed)} changed since preregistration", looks
            )
    return Preregistration(False, "exploratory: no preregistered design at this scale")


def _version(recorded: dict[str, Any], path: Path) -> int:
    version = recorded.get("version", 1)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InputError(
            f"{path}: version is {str(version)[:20]!r}, expected 1 to {VERSION}; {RESTORE}"
        )
    return version


def _content(law: Law, scale: Scale, version: int) -> dict[str, Any]:
    content = {
        "law": law.name,
        "scale": scale.name,
        "design_digest": design_digest(law),
        "scale_digest": scale_digest(scale, law, version),
    }
    return content if version == 1 else {**content, "version": version}
