"""Studies, laws, methods, objectives, mixing rules, disciplines are found, never listed by hand.

A study is a package of lawcheck.studies with a STUDY, a law a module with a LAW in the folder
`laws` of a study, a method a module of lawcheck.methods with a METHOD, an objective a module of
lawcheck.training.objectives with an OBJECTIVE, a mixing rule a module of lawcheck.training.mixing
with a RULE, a discipline a package of lawcheck.disciplines with a DISCIPLINE. Others join through
the entry-point groups `lawcheck.studies`, `lawcheck.laws` and so on, or as files in the folders
named by LAWCHECK_STUDIES, LAWCHECK_LAWS and so on (separated as in PATH); a study there is a
package or, with all it has, one file. `also` adds law files for this process. Such files are
Python code and run with your rights.

What comes from outside and cannot be used is left out and kept as a `Fault`: it breaks what asks
for it by name and nothing else. lawcheck.show.registry finds tables and figures alike.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, TypeVar, cast, get_args

from lawcheck.declare.design import Arm, Discipline, EvalTask, Law, Role, World
from lawcheck.declare.method import Method, MethodModule, check_module
from lawcheck.declare.mixing import MixingRule
from lawcheck.declare.objective import Objective
from lawcheck.declare.studies import Study
from lawcheck.errors import InputError, look_up, nearest

# Kind -> the name and the type of what a module of it declares.
KINDS: dict[str, tuple[str, type]] = {
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
RENDERERS = ("tables", "figures")
STDIN = "-"

T = TypeVar("T")


@dataclass(frozen=True)
class Fault:
    """What was left out. line: place, problem and next step. names: what it may be called."""

    kind: str
    line: str
    names: frozenset[str] = frozenset()


_faults: dict[Fault, None] = {}
# Files of laws that this process was given beside the folders; STDIN with its text.
_given: dict[str, str] = {}
# Module -> the path of its file, as it was named.
_loaded: dict[str, str] = {}
CORRECT = "correct the file"
NO_CODE = "expected a Python file (.py) or a folder of them"


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
    folders = {f"{m}.": s.name for m, s in _declared("studies").items()}
    return {
        law.name: home
        for module, law in _declared("laws").items()
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
    if not hasattr(home, "__path__"):
        return None
    return _imported(f"{home.__name__}.{part}", "studies", missing=True)


@functools.cache
def disciplines() -> dict[str, Discipline]:
    """In the order of tables: by `order`, then name."""
    found = _declared("disciplines").values()
    return {d.name: d for d in sorted(found, key=lambda d: (d.order, d.name))}


@functools.cache
def methods() -> dict[str, Method]:
    return {m.name: m for m in _declared("methods").values()}


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


def declared_in(kind: str, name: str) -> str:
    """The file and line of a declaration, relative to the working directory where it is below."""
    module = _module_of(kind, name)
    place = _shown(_loaded.get(module.__name__) or str(module.__file__))
    here = os.getcwd() + os.sep
    return f"{place.removeprefix(here)}{_line_of(module, KINDS[kind][0])}"


def forget() -> None:
    """Look again: for a process whose folders of laws, methods and so on have changed."""
    every = (studies, laws, disciplines, methods, objectives, mixing_rules)
    for found in (*every, study_part, _homes, _declared):
        found.cache_clear()
    _faults.clear()


def faults(*kinds: str) -> tuple[Fault, ...]:
    """What has been left out so far; with kinds, they are looked up and the others not named."""
    for kind in filter(KINDS.get, kinds):
        _declared(kind)
    return tuple(f for f in _faults if not kinds or f.kind in kinds)


def leave_out(kind: str, line: str, *names: str) -> None:
    """Keep in mind that something from outside cannot be used, and why."""
    _faults[Fault(kind, line, frozenset(names))] = None


def require_whole(kind: str) -> None:
    """Raises InputError where one of the kind was left out: for what every one of them touches."""
    for fault in faults(kind):
        raise InputError(fault.line)


def also(*paths: str | Path) -> None:
    """Laws for this process: files, or folders of them. Raises InputError for neither."""
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"laws {str(path)!r}: no such file or folder; {_beside(path)}")
        if _is_no_code(path):
            raise InputError(f"laws {str(path)!r}: {NO_CODE}; {_beside(path)}")
        _given[str(path)] = ""
    forget()


def only_folders() -> None:
    """Undo `also` and `law_in`."""
    if _given:
        _given.clear()
        forget()


def law_in(path: str | Path, source: str = "") -> Law:
    """The law of one file, which joins the others; with the path STDIN, that of a source text.

    Raises InputError for a file that cannot be used or declares no law.
    """
    if str(path) == STDIN:
        _given[STDIN] = source
        forget()
    else:
        also(path)
    name = _module_name(str(path), "laws")
    found = _declared("laws").get(name)
    if found is None:
        wanted = {f.line for f in _faults if f.kind == "laws" and name in f.names}
        raise InputError(next(iter(wanted), f"{_shown(str(path))}: no LAW inside; declare one"))
    return cast(Law, found)


def word_of(law: str) -> str:
    """What names a law on a command line: its file, where this process was given it so."""
    module = next((m for m, found in _declared("laws").items() if found.name == law), "")
    path = Path(_loaded.get(module, ""))
    for given in _given:
        if given == str(path) or (given != STDIN and path.exists() and path.samefile(given)):
            return given
        if Path(given).is_dir() and path.parent.samefile(given):
            return str(Path(given) / path.name)
    return law


def _beside(path: Path) -> str:
    folder = path.parent
    known = [str(folder / p.name) for p in folder.glob("*.py")] if folder.is_dir() else []
    return nearest(str(path), known) if known else "name another"


def study(name: str) -> Study:
    return named("studies", name, studies())


def law(name: str) -> Law:
    """A law by its name, with or without the prefix `law_`."""
    name = name.removeprefix("law_")
    near = (p for p in (Path("laws", f"{name}.py"), Path(f"{name}.py")) if p.is_file())
    here = next(near, None) if name not in laws() else None
    hint = f" (name the file {here} instead)" if here else ""
    if not here and name not in laws() and Path(name).is_dir():
        hint = f" (a folder: add --laws {name} and name one of its laws)"
    return named("laws", name, laws(), hint)


def method(name: str) -> Method:
    return named("methods", name, methods())


def objective(name: str) -> Objective:
    return named("objectives", name, objectives())


def discipline(name: str) -> Discipline:
    return named("disciplines", name, disciplines())


def mixing_rule(name: str) -> MixingRule:
    return named("mixing", name, mixing_rules())


def named(kind: str, name: str, among: Mapping[str, T], hint: str = "") -> T:
    """Raises InputError for a name that is unknown, or that something left out may have."""
    if name not in among:
        for fault in faults(kind):
            if name in fault.names:
                raise InputError(fault.line)
    return look_up(name, among, f"{_one(kind)} {name!r}: unknown{hint}")


def trains_rows(arm: Arm) -> bool:
    """Whether the runs of an arm learn rows; a merge and the base model as it is do not."""
    return arm.recipe is not None and method(arm.method).trains_rows


def of_role(role: str, world: str) -> list[Discipline]:
    """Disciplines of a role that exist in a world, in table order."""
    return [d for d in disciplines().values() if d.role == role and world in d.worlds]


def of_study(study: Study) -> list[Discipline]:
    """Disciplines of the worlds that a study's laws are of: its own, or all but other studies'."""
    others = {s.world for s in studies().values() if s.world}
    return [
        d
        for d in disciplines().values()
        if (study.world in d.worlds if study.world else set(d.worlds) - others)
    ]


def outside(law: str) -> bool:
    """Whether a law comes from outside the package."""
    return any(
        found.name == law and not _is_own(module) for module, found in _declared("laws").items()
    )


def _module_of(kind: str, name: str) -> ModuleType:
    """The module of a declaration that is known to be there."""
    return sys.modules[next(m for m, found in _declared(kind).items() if found.name == name)]


@functools.cache
def _declared(kind: str) -> dict[str, Any]:
    """Module name -> declaration."""
    return declared(kind, *KINDS[kind])


def declared(kind: str, attribute: str, expected: type) -> dict[str, Any]:
    """Module name -> what it declares under the attribute, without what is faulty or ambiguous.

    Of two with one name, the package's own stays; two from outside are both left out.
    """
    found: dict[str, Any] = {}
    for module, asked in _modules(kind):
        name = module.__name__
        value = getattr(module, attribute, None)
        problem = ""
        if not hasattr(module, attribute):
            # One folder may hold several kinds.
            problem = _without(module, attribute, expected) if asked else ""
        elif _is_own(name) or not (problem := _problem(module, attribute, expected)):
            found[name] = value
        if problem:
            leave_out(
                kind, problem, name, *_names(module, attribute), str(getattr(value, "name", name))
            )
    by_name: dict[str, list[str]] = {}
    for name, value in found.items():
        by_name.setdefault(value.name, []).append(name)
    for name, homes in by_name.items():
        if len(homes) > 1:
            places = " and ".join(_origin(sys.modules[h]) for h in homes)
            gone = [h for h in homes if not _is_own(h)]
            line = f"{_one(kind)} {name!r}: declared twice, in {places}; rename one"
            leave_out(kind, line, name, *gone)
            for home in gone:
                del found[home]
    return found


def _one(kind: str) -> str:
    return WORDS.get(kind, kind[:-1])


def _is_own(module: str) -> bool:
    return module.startswith("lawcheck.")


def _modules(kind: str) -> Iterator[tuple[ModuleType, bool]]:
    """What can be imported: the package's, those of studies, those outside (True).

    A study of one file may declare everything itself.
    """
    if kind != "laws":
        home = f"lawcheck.show.{kind}" if kind in RENDERERS else HOMES.get(kind, f"lawcheck.{kind}")
        yield from ((importlib.import_module(f"{home}.{m}"), False) for m in _below(home))
    if kind in ("laws", *RENDERERS):
        # What belongs to one paper lies in its study's folder.
        for home in _declared("studies"):
            yield sys.modules[home], False
            folder = None
            if hasattr(sys.modules[home], "__path__"):
                folder = _imported(f"{home}.{kind}", kind, missing=True)
            for m in pkgutil.iter_modules(folder.__path__) if folder else ():
                module = _imported(f"{home}.{kind}.{m.name}", kind)
                if module is not None:
                    yield module, False
    yield from ((module, True) for module in _strangers(kind))


def _below(package: str) -> list[str]:
    """The modules of a package of ours; none where there is no such package."""
    if importlib.util.find_spec(package) is None:
        return []
    return [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def _imported(name: str, kind: str, missing: bool = False) -> ModuleType | None:
    """A module of the package or of a study; None for one from outside that cannot be imported.

    missing: it need not be there.
    """
    if _is_own(name):
        there = not missing or importlib.util.find_spec(name) is not None
        return importlib.import_module(name) if there else None
    try:
        if missing and importlib.util.find_spec(name) is None:
            return None
        with _aside(name):
            return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        home = sys.modules[name.partition(".")[0]]
        folder = Path(str(home.__file__)).parent
        inside = Path(*name.split(".")[1:])
        paths = (folder / f"{inside}.py", folder / inside / "__init__.py")
        path = next((p for p in paths if p.exists()), folder)
        line = _failure(error, str(path), folder, CORRECT)
        leave_out(kind, line, name.rpartition(".")[2])
        return None


def _strangers(kind: str) -> Iterator[ModuleType]:
    """Modules of the entry points of `lawcheck.<kind>`, then of files, where they can be imported.

    Files are those of the folders (or the files) in LAWCHECK_<KIND>, and those given to `also`.
    """
    points = importlib.metadata.entry_points(group=f"lawcheck.{kind}")
    for name in sorted({p.module for p in points}):
        try:
            with _aside(name):
                module = importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            mine = [p for p in points if p.module == name]
            by = next((p.dist.name for p in mine if p.dist), name)
            line = _failure(error, name, None, f"correct it, or uninstall {by}")
            leave_out(kind, line, *(p.name for p in mine), name.rpartition(".")[2])
            continue
        yield module
    yield from filter(None, (_from_file(path, kind) for path in _files(kind)))


def _files(kind: str) -> list[str]:
    """Each file once, in a fixed order: folders as listed, then what this process was given."""
    variable = f"LAWCHECK_{kind.upper()}"
    paths: dict[str, str] = {}
    entries = [e for e in os.environ.get(variable, "").split(os.pathsep) if e]
    for entry in (*entries, *(_given if kind == "laws" else ())):
        folder = Path(entry)
        if entry != STDIN and _is_no_code(folder):
            leave_out(kind, f"{variable}: {entry!r}: {NO_CODE}; name one or unset it")
            continue
        if entry == STDIN or folder.is_file():
            paths.setdefault(os.path.realpath(folder), entry)
            continue
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            why = "is not a folder" if not folder.is_dir() else "cannot be read"
            leave_out(kind, f"{variable}: {entry!r} {why}; name one or unset it")
            continue
        found = [n for n in names if n.endswith(".py") and not n.startswith("_")]
        found = [n for n in found if not (folder / n).is_dir()]
        if kind == "studies":
            packages = [f"{n}/__init__.py" for n in names]
            found = sorted([*found, *(n for n in packages if (folder / n).is_file())])
        for name in found:
            paths.setdefault(os.path.realpath(folder / name), str(folder / name))
    return list(paths.values())


def _is_no_code(path: Path) -> bool:
    return path.is_file() and path.suffix != ".py"


def _module_name(path: str, kind: str) -> str:
    """A file's module; files of one name in several folders have several."""
    found = Path(path)
    stem = found.parent.name if found.name == "__init__.py" else found.stem
    first = name = f"lawcheck_external_{kind}_{'stdin' if path == STDIN else stem}"
    others = 1
    while name in _loaded and os.path.realpath(_loaded[name]) != os.path.realpath(path):
        others += 1
        name = f"{first}_{others}"
    return name


def _from_file(path: str, kind: str) -> ModuleType | None:
    package = Path(path).name == "__init__.py"
    name = _module_name(path, kind)
    folder = Path(path).parent
    # Of an earlier look: modules below a package are not those of its new content.
    for below in [m for m in sys.modules if m.startswith(f"{name}.")]:
        del sys.modules[below]
    folders = [str(folder)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    module = ModuleType(name)
    if path != STDIN and spec is not None:
        module = importlib.util.module_from_spec(spec)
    sys.modules[name], _loaded[name] = module, path
    try:
        with _aside(path):
            if path == STDIN:
                exec(compile(_given[STDIN], STDIN, "exec"), module.__dict__)  # noqa: S102
            else:
                assert spec is not None
                assert spec.loader is not None
                spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    # Somebody else's code: whatever it raises, even an exit, is that file's fault.
    except BaseException as error:
        del sys.modules[name]
        line = _failure(error, path, folder, _out(path, kind))
        leave_out(kind, line, name, *_names(module, KINDS[kind][0] if kind in KINDS else ""))
        return None
    return module


def _out(path: str, kind: str) -> str:
    if kind == "laws" and {path, str(Path(path).parent)} & _given.keys():
        return CORRECT
    return f"{CORRECT}, or take it out of LAWCHECK_{kind.upper()}"


@contextlib.contextmanager
def _aside(path: str) -> Iterator[None]:
    """Inside, code from outside prints to stderr and finds no arguments and no input.

    The working directory is the same afterwards: what was named relative to it is read later.
    """
    argv, stdin, said, here = sys.argv, sys.stdin, io.StringIO(), os.getcwd()
    sys.argv, sys.stdin = [path], io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    finally:
        sys.argv, sys.stdin = argv, stdin
        os.chdir(here)
        if said.getvalue():
            print(said.getvalue().rstrip("\n"), file=sys.stderr)


def _shown(path: str) -> str:
    return "standard input" if path == STDIN else path


def _origin(module: ModuleType) -> str:
    """How a line names a module."""
    return _shown(_loaded.get(module.__name__, module.__name__))


def _failure(error: BaseException, path: str, folder: Path | None, step: str) -> str:
    """Where and why something from outside cannot be imported, and the next step.

    folder: of its own files; None for a module on Python's path. The line is that of the file, or
    of what it imports from its own folder. An InputError that names a step keeps that one.
    """
    said = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        said = f"it ends the program, exit {error.code}"
    elif isinstance(error, SyntaxError):
        said = f"{type(error).__name__}: {error.msg}"
    why = f"cannot be imported ({' '.join(said.split())}); {step}"
    if isinstance(error, InputError) and "; " in said:
        why = " ".join(said.split())
    steps = list(_steps(error))
    place = os.path.realpath(path)
    if folder is None and steps:
        place, folder = steps[0][0], Path(steps[0][0]).parent
    root = os.path.realpath(folder or place) + os.sep
    at = [(file, n) for file, n in steps if file in (place, STDIN) or file.startswith(root)]
    if not at:
        return f"{_shown(path)}: {why}"
    file, line = at[-1]
    if file in (place, STDIN):
        return f"{_shown(path)} line {line}: {why}"
    assert folder is not None
    return f"{_shown(path)}: {folder / file.removeprefix(root)} line {line}: {why}"


def _steps(error: BaseException) -> Iterator[tuple[str, int]]:
    """(file, line) of a traceback, outermost first, without Python, lawcheck and what is installed.

    The place of a syntax error comes last.
    """
    ours = (str(Path(__file__).resolve().parents[1]), sys.prefix, sys.base_prefix)
    places: list[tuple[str | None, int | None]] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        places.append((step.tb_frame.f_code.co_filename, step.tb_lineno))
        step = step.tb_next
    if isinstance(error, SyntaxError):
        places.append((error.filename, error.lineno))
    for file, line in places:
        if file == STDIN and line:
            yield file, line
        elif file and line and not file.startswith("<"):
            real = os.path.realpath(file)
            if "site-packages" in real or not real.startswith(tuple(f"{p}{os.sep}" for p in ours)):
                yield real, line


def _problem(module: ModuleType, attribute: str, expected: type) -> str:
    """What is wrong with a declaration from outside; empty where nothing is."""
    value = getattr(module, attribute)
    where = f"{_origin(module)}{_line_of(module, attribute)}"
    if not isinstance(value, expected):
        return (
            f"{where}: {attribute} is {type(value).__name__}, expected {expected.__name__}; "
            f"correct the file (docs/adding.md)"
        )
    if isinstance(value, Method):
        try:
            check_module(module)
        except InputError as error:
            return f"{where}: {error}"
    # Lists are sorted by it, and every part of a study looks through its worlds.
    wrong = "" if type(getattr(value, "order", 0)) is int else "order is no whole number"
    if isinstance(value, Discipline):
        worlds = value.worlds if isinstance(value.worlds, Mapping) else {"": None}
        fits = all(isinstance(w, World) for w in worlds.values())
        if not fits or not all(isinstance(t, EvalTask) for w in worlds.values() for t in w.tasks):
            wrong = "worlds is no dictionary of World with a tuple of EvalTask"
        elif value.role not in get_args(Role):
            wrong = f"role is {value.role!r}, expected one of {', '.join(get_args(Role))}"
        elif type(value.rows) is not int:
            wrong = "rows is no whole number"
    return f"{where}: {wrong}; correct the file (docs/adding.md)" if wrong else ""


def _without(module: ModuleType, attribute: str, expected: type) -> str:
    """Why a file that was named for a kind declares none; empty where it holds another kind."""
    others = ("TABLE", "FIGURE", "AUDIT", *(a for a, _ in KINDS.values()))
    if any(hasattr(module, a) for a in others):
        return ""
    kind = expected.__name__
    for name, value in vars(module).items():
        if isinstance(value, expected) and not name.startswith("_"):
            where = f"{_origin(module)}{_line_of(module, name)}"
            return f"{where}: {name} is a {kind}, expected under the name {attribute}; rename it"
    return (
        f"{_origin(module)}: no {attribute} inside; declare a {kind} under that name, or start "
        f"the file's name with _"
    )


def _line_of(module: ModuleType, attribute: str) -> str:
    """` line 7` where the module's file assigns the attribute; empty where it is not seen."""
    lines = _text(module).splitlines()
    found = [k for k, text in enumerate(lines, 1) if re.match(rf"{attribute}\b[^=]*=", text)]
    return f" line {found[-1]}" if found else ""


def _names(module: ModuleType, attribute: str) -> set[str]:
    """What somebody may call a faulty module: its file, or the name that is written there."""
    path = Path(_loaded.get(module.__name__, module.__name__))
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    pattern = rf"^(?i:{attribute})\b[^(]*\([^)]*?\bname\s*=\s*['\"](\w+)['\"]"
    return {stem, *(re.findall(pattern, _text(module), re.MULTILINE) if attribute else ())}


def _text(module: ModuleType) -> str:
    path = _loaded.get(module.__name__, getattr(module, "__file__", None))
    if path == STDIN:
        return _given.get(STDIN, "")
    try:
        return Path(path or "").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
