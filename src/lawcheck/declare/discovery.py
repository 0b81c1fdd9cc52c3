"""Studies, laws, methods, objectives, mixing rules, disciplines are found, never listed by hand.

A study is a package of lawcheck.studies with a STUDY, a law a module with a LAW in the folder
`laws` of a study, a method a module of lawcheck.methods with a METHOD, an objective a module of
lawcheck.training.objectives with an OBJECTIVE, a mixing rule a module of lawcheck.training.mixing
with a RULE, a discipline a package of lawcheck.disciplines with a DISCIPLINE. Others join through
the entry-point groups `lawcheck.studies`, `lawcheck.laws` and so on, or as files in the folders
named by LAWCHECK_STUDIES, LAWCHECK_LAWS and so on (separated as in PATH); a study there is a
package or, with all it has, one file. Such files are Python code and run with your rights.
lawcheck.show.registry finds tables and
figures alike.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from lawcheck.declare.design import Arm, Discipline, Law
from lawcheck.declare.method import Method, MethodModule, check_module
from lawcheck.declare.mixing import MixingRule
from lawcheck.declare.objective import Objective
from lawcheck.declare.studies import Study
from lawcheck.errors import InputError, look_up

# Kind -> the name and the type of what a module of it declares.
KINDS: dict[str, tuple[str, Any]] = {
    "studies": ("STUDY", Study),
    "laws": ("LAW", Law),
    "disciplines": ("DISCIPLINE", Discipline),
    "methods": ("METHOD", Method),
    "mixing": ("RULE", MixingRule),
    "objectives": ("OBJECTIVE", Objective),
}
# Packages of declarations that are not named after them, and a word for one where no s goes off.
HOMES = {"objectives": "lawcheck.training.objectives", "mixing": "lawcheck.training.mixing"}
WORDS = {"mixing": "mixing rule", "studies": "study"}


@functools.cache
def studies() -> dict[str, Study]:
    """By `order`, then name."""
    found = _declared("studies").values()
    return {s.name: s for s in sorted(found, key=lambda s: (s.order, s.name))}


@functools.cache
def laws() -> dict[str, Law]:
    return {law.name: law for law in _declared("laws").values()}


def laws_of(wanted: Iterable[str]) -> dict[str, Law]:
    """The laws of these studies, and those of no study. Raises InputError for an unknown study."""
    names = {study(name).name for name in wanted}
    return {name: law for name, law in laws().items() if _homes().get(name) in (None, *names)}


def study_of(law: str) -> Study | None:
    """The study in whose folder a law lies; None for a law of its own, and for an unknown one."""
    return studies()[_homes()[law]] if law in _homes() else None


@functools.cache
def _homes() -> dict[str, str]:
    """Law -> its study, for the laws that have one."""
    folders = {f"{m}.": s.name for m, s in _modules("studies").items()}
    return {
        law.name: home
        for module, law in _modules("laws").items()
        for folder, home in folders.items()
        if f"{module}.".startswith(folder)
    }


def study_module(name: str) -> ModuleType:
    """The module that declares a study."""
    study(name)
    return _module_of("studies", name)


@functools.cache
def study_part(study: Study | None, part: str) -> ModuleType | None:
    """The module `part` of a study's folder, such as `published`; None where there is none."""
    if study is None:
        return None
    home = study_module(study.name)
    name = f"{home.__name__}.{part}"
    if not hasattr(home, "__path__") or importlib.util.find_spec(name) is None:
        return None
    return _imported(name)


@functools.cache
def disciplines() -> dict[str, Discipline]:
    """In the order of tables: by `order`, then name."""
    found = _declared("disciplines").values()
    return {d.name: d for d in sorted(found, key=lambda d: (d.order, d.name))}


@functools.cache
def methods() -> dict[str, Method]:
    """Raises InputError for a module that lacks one of a method's functions."""
    found = _declared("methods")
    for module in found:
        check_module(sys.modules[module])
    return {m.name: m for m in found.values()}


@functools.cache
def mixing_rules() -> dict[str, MixingRule]:
    return {rule.name: rule for rule in _declared("mixing").values()}


@functools.cache
def objectives() -> dict[str, Objective]:
    return {o.name: o for o in _declared("objectives").values()}


def objective_module(name: str) -> ModuleType:
    """The module that implements an objective (encode, counts, loss)."""
    objective(name)
    return _module_of("objectives", name)


def method_module(name: str) -> MethodModule:
    method(name)
    return cast(MethodModule, _module_of("methods", name))


def discipline_folder(name: str) -> Path:
    """Where a discipline's module lies; its lm-eval task files are in tasks/ there."""
    discipline(name)
    module = _module_of("disciplines", name)
    return Path(str(module.__file__)).resolve().parent


def forget() -> None:
    """Look again: for a process whose folders of laws, methods and so on have changed."""
    every = (studies, laws, disciplines, methods, objectives, mixing_rules)
    for found in (*every, study_part, _homes, _modules):
        found.cache_clear()


def study(name: str) -> Study:
    return look_up(name, studies(), f"study {name!r}: unknown")


def law(name: str) -> Law:
    """A law by its name, with or without the prefix `law_`."""
    return look_up(name.removeprefix("law_"), laws(), f"law {name!r}: unknown")


def method(name: str) -> Method:
    return look_up(name, methods(), f"method {name!r}: unknown")


def objective(name: str) -> Objective:
    return look_up(name, objectives(), f"objective {name!r}: unknown")


def discipline(name: str) -> Discipline:
    return look_up(name, disciplines(), f"discipline {name!r}: unknown")


def trains_rows(arm: Arm) -> bool:
    """Whether the runs of an arm learn rows; a merge and the base model as it is do not."""
    return arm.recipe is not None and method(arm.method).trains_rows


def mixing_rule(name: str) -> MixingRule:
    return look_up(name, mixing_rules(), f"mixing rule {name!r}: unknown")


def of_role(role: str, world: str) -> list[Discipline]:
    """Disciplines of a role that exist in a world, in table order."""
    return [d for d in disciplines().values() if d.role == role and world in d.worlds]


def _module_of(kind: str, name: str) -> ModuleType:
    """The module of a declaration that is known to be there."""
    return sys.modules[next(m for m, found in _modules(kind).items() if found.name == name)]


def _declared(kind: str) -> dict[str, Any]:
    attribute, expected = KINDS[kind]
    by_name: dict[str, str] = {}
    found = _modules(kind)
    for module, value in found.items():
        if not isinstance(value, expected):
            raise InputError(
                f"{sys.modules[module].__file__}: {attribute} is {type(value).__name__}, expected "
                f"{expected.__name__}; correct the file (docs/adding.md)"
            )
        if value.name in by_name:
            raise InputError(
                f"{_one(kind)} {value.name!r}: declared twice, in {by_name[value.name]} and "
                f"{module}; rename one"
            )
        by_name[value.name] = module
    return found


def _one(kind: str) -> str:
    return WORDS.get(kind, kind[:-1])


@functools.cache
def _modules(kind: str) -> dict[str, Any]:
    """Module name -> declaration."""
    attribute, _ = KINDS[kind]
    loaded = [*map(_imported, own_modules(kind)), *strangers(kind)]
    return {m.__name__: getattr(m, attribute) for m in loaded if hasattr(m, attribute)}


def own_modules(kind: str) -> list[str]:
    """Names of the modules of a kind in the package and in studies, in a fixed order.

    Those of studies come last. A study of one file may declare them all itself.
    """
    if kind not in ("laws", "tables", "figures"):
        home = HOMES.get(kind, f"lawcheck.{kind}")
        return [f"{home}.{m.name}" for m in _below(home)]
    general = f"lawcheck.show.{kind}"
    found = [f"{general}.{m.name}" for m in _below(general)] if kind != "laws" else []
    # What belongs to one paper lies in its study's folder.
    for home in _modules("studies"):
        found.append(home)
        if hasattr(sys.modules[home], "__path__"):
            found += [f"{home}.{kind}.{m.name}" for m in _below(f"{home}.{kind}")]
    return found


def _imported(name: str) -> ModuleType:
    """A module of the package, or of a study from outside."""
    if name.startswith("lawcheck."):
        return importlib.import_module(name)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}: {_refusal(error, 'studies')}") from error


def _refusal(error: BaseException, kind: str) -> str:
    said = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return (
        f"cannot be imported ({said}); correct the file, or take it out of LAWCHECK_{kind.upper()}"
    )


def _below(package: str) -> list[pkgutil.ModuleInfo]:
    """The modules of a package; none where there is no such package."""
    if importlib.util.find_spec(package) is None:
        return []
    return list(pkgutil.iter_modules(importlib.import_module(package).__path__))


def strangers(kind: str) -> list[ModuleType]:
    """Modules from outside the package: entry points of `lawcheck.<kind>`, then files.

    Files are those of the folders in LAWCHECK_<KIND>. Raises InputError for a folder that is not
    there.
    """
    named = {e.module for e in importlib.metadata.entry_points(group=f"lawcheck.{kind}")}
    found = [importlib.import_module(n) for n in sorted(named)]
    return found + [_from_file(p, kind) for p in _files(kind)]


def _files(kind: str) -> list[Path]:
    variable = f"LAWCHECK_{kind.upper()}"
    paths = []
    for entry in filter(None, os.environ.get(variable, "").split(os.pathsep)):
        folder = Path(entry)
        if not folder.is_dir():
            raise InputError(f"{variable}: {entry!r} is not a folder; name one or unset it")
        found = [p for p in folder.glob("*.py") if not p.name.startswith("_")]
        if kind == "studies":
            found += folder.glob("*/__init__.py")
        paths += sorted(found)
    return paths


def _from_file(path: Path, kind: str) -> ModuleType:
    package = path.name == "__init__.py"
    name = f"lawcheck_external_{kind}_{path.parent.name if package else path.stem}"
    folders = [str(path.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Of an earlier look: modules below a package are not those of its new content.
    for below in [m for m in sys.modules if m.startswith(f"{name}.")]:
        del sys.modules[below]
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    # Somebody else's code: whatever it raises, even an exit, is that file's fault.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{path}: {_refusal(error, kind)}") from error
    return module
