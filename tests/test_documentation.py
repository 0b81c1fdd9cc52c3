"""README, CONTRIBUTING and docs/: links, names and commands are right; commands run as they stand.

`python tests/test_documentation.py` writes the outputs that the pages show again.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import tempfile
import tomllib
from functools import cache
from pathlib import Path

import pytest
from documentation import (
    FENCE,
    NEEDS,
    PAGES,
    ROOT,
    Step,
    clone,
    environment,
    fences,
    programs,
    prose,
    session,
    text,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lawcheck.cli.main import parser
from lawcheck.declare import discovery

# Run in another form, since the whole takes minutes; what each does is tried as the remark says.
INSTEAD = {
    "make laws": "make -n laws",  # the two lines below, at scale smoke
    "make test": "make -n test",  # this very command
    "make test ROOM=judging": "make -n test ROOM=judging",
    "make lint": "make -n lint",  # .ci/run
    "make docs": "make -n docs",  # .ci/run
    ".venv/bin/snakemake --profile local law_share_then_specialize --config seeds=5": (
        ".venv/bin/snakemake --profile local law_share_then_specialize --config scale=smoke"
    ),
}
# Of other software: words alone are looked at.
OTHERS = (
    "apptainer cd docker echo export git hf lm_eval mkdir pip scancel sha256sum source squeue tail"
)
SNIPPET = re.compile(r"(?<!`)`([^`]+)`(?!`)")
OURS = re.compile(r"(\S*bin/)?(lawcheck|make|snakemake|pytest|python|srun) ")


# ------------------------------------------------------------------------------------- parsed


def fault(words: list[str], page: str, whole: bool) -> str | None:
    """What is wrong with a program and its arguments. `whole`: a command, not a mention of one."""
    name, rest = Path(words[0]).name, words[1:]
    if name in ("srun", "torchrun"):
        return fault(rest[rest.index("lawcheck") :], page, whole) if "lawcheck" in rest else None
    if name.startswith("python") and rest[:1] == ["-m"]:
        name, rest = rest[1], rest[2:]
        if name != "lawcheck":
            return None if importlib.util.find_spec(name) else "no such module"
    if name == "lawcheck":
        return lawcheck_fault(rest, page, whole)
    if name == "make":
        lost = {w for w in rest if "=" not in w and not w.startswith("-")} - targets()
        return f"no target {lost}" if lost else None
    if name == "snakemake":
        return snakemake_fault(rest, page) if whole else None
    if name.startswith("python") and rest and rest[0].endswith(".py"):
        return script_fault(rest, page)
    if name == "pytest":
        files = [w.partition("::")[0] for w in rest if w.startswith("tests/")]
        return next((f"no {f}" for f in files if not (ROOT / f).exists()), None)
    if name.startswith("python") or name in OTHERS.split():
        return None
    return None if (ROOT / words[0]).is_file() else "not known here"


@cache
def targets() -> set[str]:
    rules = re.findall(r"^([a-z ]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for rule in rules for name in rule.split()}


def lawcheck_fault(rest: list[str], page: str, whole: bool) -> str | None:
    verb = next((w for w in rest if not w.startswith("-")), None)
    if verb is None:
        return None
    choices = next(a.choices for a in parser(verb)._actions if a.choices)
    if verb not in choices:
        return f"no verb {verb}"
    known = {o for action in choices[verb]._actions for o in action.option_strings}
    lost = {w.partition("=")[0] for w in rest if w.startswith("--")} - known
    if lost or not whole:
        return f"no option {lost}" if lost else None
    try:
        found = vars(parser(verb).parse_args(rest))
    except SystemExit:
        return "refused by its parser"
    laws = [found.get("law") or [], found.get("laws") or []]
    named = [w for x in laws for w in ([x] if isinstance(x, str) else x)]
    return unknown_law(named, page)


def unknown_law(named: list[str], page: str) -> str | None:
    """Of laws that neither exist nor are declared on the page; capitals stand for any name."""
    own = re.findall(r'\bname="(\w+)"', text(page))
    known = {*discovery.laws(), *own, "law", "controls"}
    names = [n.removeprefix("law_") for n in named if not n.isupper() and not n.endswith(".py")]
    return next((f"no law {n}" for n in names if n not in known), None)


@cache
def snakemake_parser():
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def snakemake_fault(rest: list[str], page: str) -> str | None:
    try:
        found, lost = snakemake_parser().parse_known_args(rest)
    except SystemExit:
        return "refused by its parser"
    if lost:
        return f"no option {lost}"
    return unknown_law([t for t in found.targets if t.startswith("law_")], page)


def test_the_makefile_asks_snakemake_for_its_laws():
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/.ready", "laws", "smoke", "slices", "real"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    asked = re.findall(
        r"^.*/snakemake (--profile[^;&\n]*)$", said.replace("\\\n", ""), re.MULTILINE
    )
    asked = [line for line in asked if "NAME" not in line]
    assert len(asked) == 4
    for command in asked:
        found = snakemake_parser().parse_args(shlex.split(command))
        assert found.targets
        assert unknown_law(found.targets, "README.md") is None


def script_fault(rest: list[str], page: str) -> str | None:
    if rest[0] in {name for fence in fences(page) for name in fence.info}:
        return None
    path = ROOT / rest[0]
    if not path.is_file():
        return "no such file"
    source = path.read_text(encoding="utf-8")
    options = [w.partition("=")[0] for w in rest[1:] if w.startswith("--")]
    return next((f"no option {o}" for o in options if f'"{o}"' not in source), None)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_understood(page):
    commands = []
    for fence in fences(page):
        assert fence.language, f"a block without a language:\n{fence.body}"
        if fence.language in ("sh", "console"):
            assert set(fence.info) <= set(NEEDS), fence.info
            commands += [(command, True) for command in fence.commands]
    mentions = [" ".join(s.split()) for s in SNIPPET.findall(prose(page)) if OURS.match(s)]
    commands += [(mention, False) for mention in mentions]
    faults = [
        f"{' '.join(words)}: {found}"
        for command, whole in commands
        for words in programs(command)
        if (found := fault(words, page, whole))
    ]
    assert not faults


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page):
    lost = []
    for snippet in SNIPPET.findall(prose(page)):
        path = snippet.partition("::")[0]
        if re.fullmatch(r"(src|tests|benchmarks|reproduce|docs|findings)/[\w./-]+", path):
            lost += [] if (ROOT / path).exists() else [snippet]
        elif re.fullmatch(r"lawcheck(\.\w+)+", snippet):
            lost += [] if module_holds(snippet) else [snippet]
        functions = re.findall(r"(?:^|::)(test_\w+)$", snippet)
        lost += [f for f in functions if f"def {f}(" not in tests()]
    assert not lost


def module_holds(name: str) -> bool:
    """Whether there is such a module, or one whose text has the last words of the name."""
    place, rest = ROOT / "src", name.split(".")
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    if rest and (place / f"{rest[0]}.py").is_file():
        files = [place / f"{rest.pop(0)}.py"]
    else:
        files = sorted(place.glob("**/*.py"))
    source = "\n".join(p.read_text(encoding="utf-8") for p in files)
    return all(re.search(rf"\b{word}\b", source) for word in rest)


@cache
def tests() -> str:
    return "\n".join(p.read_text(encoding="utf-8") for p in ROOT.glob("tests/**/*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_lead_somewhere(page):
    body = prose(page)
    links = re.findall(r"\]\(([^()\s]+)\)", body) + re.findall(r'src="([^"]+)"', body)
    broken = []
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        there = path.resolve().is_relative_to(ROOT) and path.exists()
        if not there or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert not broken


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of a page's headings."""
    lines = FENCE.sub("", path.read_text(encoding="utf-8")).splitlines()
    heads = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in heads}


def test_every_page_is_in_the_index_and_on_the_site():
    pages = {p.removeprefix("docs/") for p in PAGES if p.startswith("docs/")}
    assert pages - {"index.md"} <= set(re.findall(r"\]\(([\w-]+\.md)", text("docs/index.md")))
    assert pages <= set(re.findall(r"- ([\w-]+\.md)$", text("mkdocs.yml"), re.MULTILINE))


def test_the_lock_of_the_site_fits_its_extra():
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", text("docs.lock"), re.MULTILINE))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    for wanted in map(Requirement, extras["docs"]):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted


def test_both_containers_hold_one_recipe():
    docker = " ".join(text("Dockerfile").replace("\\\n", " ").split())
    apptainer = " ".join(text("apptainer.def").replace("\\\n", " ").split())
    (base,) = re.findall(r"FROM (\S+)", docker)
    assert f"From: {base} " in apptainer
    for command in re.findall(r"RUN (.*?) (?=COPY|ENV)", docker):
        assert command in apptainer
    (path,) = re.findall(r"ENV (PATH=\S+)", docker)
    assert f"export {path}" in apptainer
    assert 'ENTRYPOINT ["lawcheck"]' in docker
    assert 'exec lawcheck "$@"' in apptainer


# ---------------------------------------------------------------------------------------- run


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    return clone(tmp_path_factory.mktemp("clone") / "lawcheck")


def commands_of(page: str) -> list[str]:
    return [c for fence in fences(page) if fence.runs for c in fence.commands]


def is_light(command: str) -> bool:
    """Of the README's first block, which makes an environment of its own."""
    return command.startswith(("python3 -m venv", "env/bin/"))


def bare(command: str) -> str:
    return " ".join(re.sub(r"\s# .*", "", command).split())


def write_files(page: str, folder: Path) -> None:
    """What the page says to save: named behind the block's language, or in its first line."""
    for fence in fences(page):
        if fence.language in ("sh", "console"):
            continue
        first = re.match(r"# (my_\S+)\n", fence.body)
        for name in [*(n for n in fence.info if "." in n), *([first[1]] if first else [])]:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fence.body[first.end() if first else 0 :], encoding="utf-8")


def check(steps: list[Step]) -> None:
    failed = [f"{s.command}\n{s.output[-1500:]}(exit {s.status})" for s in steps if s.status]
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.parametrize("activated", [False, True], ids=["plain", "activated"])
@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_a_front_page_runs(page, activated, copy):
    commands = [INSTEAD.get(bare(c), c) for c in commands_of(page) if not is_light(c)]
    check(session(commands, copy, environment(copy, activated)))


RUN = [page for page in PAGES if page.startswith("docs/") and commands_of(page)]
# For readers who have only installed lawcheck: an empty folder.
ANYWHERE = ("docs/your-own-results.md",)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_and_shows_what_it_prints(page, copy, tmp_path):
    folder = tmp_path if page in ANYWHERE else copy
    write_files(page, folder)
    steps = session(commands_of(page), folder, environment(copy, activated=True))
    shown = {c for fence in fences(page) if fence.language == "console" for c in fence.commands}
    check([step for step in steps if step.command not in shown])
    for fence in fences(page):
        if fence.runs and fence.language == "console":
            assert settled(transcript(fence.commands, steps)) == settled(fence.body)


def transcript(commands: list[str], steps: list[Step]) -> str:
    outputs = {step.command: step.output.strip("\n") for step in steps}
    return "".join(f"$ {c}\n" + (f"{outputs[c]}\n" if outputs[c] else "") for c in commands)


def settled(block: str) -> str:
    """Without what a clock writes."""
    return re.sub(r"\bin \d+\.\d+s", "in some time", block).strip()


@pytest.mark.slow
def test_the_first_verdict(tmp_path):
    """The README's first block: a clone, a fresh environment, a verdict."""
    folder = clone(tmp_path / "lawcheck")
    env = environment(folder, activated=False)
    del env["PYTHONPATH"]
    steps = session([c for c in commands_of("README.md") if is_light(c)], folder, env)
    if any("No matching distribution" in s.output and "onnection" in s.output for s in steps):
        pytest.skip("no package index can be reached")
    check(steps)
    (shown,) = [f.body for f in fences("README.md") if f.info == ("output",)]
    assert steps[-1].output.strip() == shown.strip()


# -------------------------------------------------------------------------------- written again


def rewrite(folder: Path) -> None:
    """Every console block, and the README's first verdict, with what the commands print now."""
    copy = clone(folder / "lawcheck")
    for page in RUN:
        where = folder / Path(page).stem if page in ANYWHERE else copy
        where.mkdir(exist_ok=True)
        write_files(page, where)
        shown = [f for f in fences(page) if f.runs and f.language == "console"]
        if shown:
            steps = session(commands_of(page), where, environment(copy, activated=True))
            replace(page, {f.start: (f.body, transcript(f.commands, steps)) for f in shown})
    light = [c.replace("env/bin/", "") for c in commands_of("README.md") if is_light(c)]
    (step,) = session(light[-1:], copy, environment(copy, activated=True))
    (output,) = [f for f in fences("README.md") if f.info == ("output",)]
    replace("README.md", {output.start: (output.body, step.output.strip("\n") + "\n")})


def replace(page: str, blocks: dict[int, tuple[str, str]]) -> None:
    body = text(page)
    for start, (old, new) in sorted(blocks.items(), reverse=True):
        body = body[:start] + new + body[start + len(old) :]
    (ROOT / page).write_text(body, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        rewrite(Path(name))
