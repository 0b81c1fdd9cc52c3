"""What a workflow engine needs to know of a study; no engine is imported here."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import PretrainedBase, Scale, load_scale
from lawcheck.declare.worlds import scale_laws, science
from lawcheck.errors import InputError, one_line
from lawcheck.planning.cluster import Stage, asked
from lawcheck.planning.controls import NAME, required_of, rests_on_controls
from lawcheck.planning.plan import Batch, Planner, Source, controls, every_batch, plannable
from lawcheck.planning.shipped import shipped_hash
from lawcheck.planning.site import Site, load_site

# Of the forms of a table or figure, the one that an engine's own report shows.
KINDS = {".png": "figure", ".csv": "table"}
SITE = {f.name for f in fields(Site)}
TEXTS = SITE | {"scale", "results", "figures", "law", "site"}


@dataclass(frozen=True)
class Workflow:
    """All laws at one scale, as batches and files.

    settings: `scale` (name or YAML path), `seeds` (a count or a list), `results` (folder),
    `figures` (folder), `law` (the only one that the doctor looks for room for), `site` (a file)
    and the site's own settings (planning.site), which stand before those of its file. All but
    seeds are text: an engine that guessed another type loses zeros and more.
    """

    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in TEXTS & self.settings.keys():
            value = self.settings[name]
            if not isinstance(value, str) and not (value is None and name in SITE):
                raise InputError(
                    f"setting {name}: found {value!r}, expected text; quote it in the file "
                    f"that sets it"
                )

    @cached_property
    def scale(self) -> Scale:
        return load_scale(str(self.settings.get("scale", "proxy")))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        return parse_seeds(self.settings.get("seeds"), self.scale)

    @cached_property
    def layout(self) -> Layout:
        return Layout(Path(self.settings.get("results", "results")), self.scale.name)

    @property
    def figures(self) -> Path:
        return Path(self.settings.get("figures", "paper_figures")) / self.scale.name

    @cached_property
    def planner(self) -> Planner:
        return Planner(self.scale, self.seeds)

    @cached_property
    def laws(self) -> dict[str, Law]:
        """What `all` and the report are about."""
        return self._shown(plannable(self.planner, scale_laws(self.scale)))

    @cached_property
    def found(self) -> dict[str, Law]:
        """Every law that has a target: those, of other studies what the scale can run, and the
        scale's controls.
        """
        # Before any job is queued.
        required_of(self.scale)
        others = self._shown(plannable(self.planner, discovery.laws()))
        return self.laws | others | controls(self.planner)

    def _shown(self, laws: Mapping[str, Law]) -> dict[str, Law]:
        """Without laws from outside whose tables or figures are not there."""
        found = {}
        for name, law in laws.items():
            try:
                if discovery.outside(name):
                    self._rendered(law)
            except InputError as error:
                discovery.leave_out("laws", f"law {name!r}: {error}", name)
            else:
                found[name] = law
        return found

    @property
    def left_out(self) -> list[str]:
        """One line for every declaration from outside that has no part in the workflow."""
        return [one_line(fault.line) for fault in discovery.faults()]

    @cached_property
    def studies(self) -> dict[str, list[str]]:
        """Study -> its laws, for the studies of which the scale can run something."""
        homes = {law: discovery.study_of(law) for law in self.found}
        return {
            name: laws
            for name in discovery.studies()
            if (laws := [law for law, study in homes.items() if study and study.name == name])
        }

    @cached_property
    def batches(self) -> dict[str, Batch]:
        return every_batch(self.planner)

    @property
    def joined(self) -> bool:
        """Whether the job that trains a batch also scores it.

        Starting a process costs 4.5 CPU s, as much as a small run; a batch of many runs starts
        one instead of two. Where one run fills its job, training asks for other hardware.
        """
        hardware = self.scale.hardware
        return hardware.runs_per_job > 1 and hardware.processes == 1

    def batch_file(self, batch: str, stage: str) -> str:
        return str(self.layout.root / "batches" / f"{batch}.{stage}.json")

    def train_inputs(self, batch: str) -> list[str]:
        """The corpus, the bases that are not shipped, and the weights of other batches."""
        runs = self.batches[batch].runs
        sources = {s for r in runs for s in self.planner.scored_from(r) if s.kind == "base"}
        needed = {self.base_file(s.name, s.seed) for s in sources}
        measured = {s for r in runs for s in self.planner.made_from(r)}
        needed |= {self.measured_file(s) for s in measured}
        trained = [self.batch_file(b, "train") for b in self.batches[batch].needs]
        return [str(self.layout.manifest), *sorted(filter(None, needed)), *trained]

    def measured_file(self, source: Source) -> str | None:
        """Of detected shares and reference losses."""
        kind, name, seed = source
        if kind == "knowledge":
            return str(self.layout.knowledge(name, seed))
        return str(self.layout.reference(name, seed)) if kind == "reference" else None

    def measuring_inputs(self, folder: str) -> list[str]:
        """What a base model is measured with. folder: its name and seed."""
        base, _, seed = folder.rpartition("-s")
        found = (str(self.layout.manifest), self.base_file(base, int(seed)))
        return [path for path in found if path]

    @staticmethod
    def measuring_options(folder: str) -> str:
        base, _, seed = folder.rpartition("-s")
        return f"--base {base} --seed {seed}"

    def base_file(self, base: str, seed: int) -> str | None:
        """The record of a base model to be built; None where one is shipped or pretrained."""
        recipe = self.scale.bases.get(base)
        if isinstance(recipe, PretrainedBase) or shipped_hash(self.scale, base, seed):
            return None
        return str(self.layout.base(base, self.scale.base_seed(base, seed)) / "base.json")

    @staticmethod
    def base_options(folder: str) -> str:
        """Options of `lawcheck base` for the folder that a base is built into."""
        base, _, seed = folder.partition("-s")
        return f"--base {base} --seed {seed}" if seed else f"--base {base}"

    @cached_property
    def site(self) -> Site:
        return load_site(self.settings.get("site")).but(self.settings)

    def resources(self, stage: Stage) -> dict[str, Any]:
        """Resources of a rule: constants, or functions of the batch that a job carries.

        A function is asked for every job, with a look at its signature: together with the short
        constraint on batch names, constants take planning 2,000 jobs from 10.8 to 7.5 CPU s.
        """
        hardware, site = self.scale.hardware, self.site
        if stage not in ("train", "evaluate"):
            return asked(hardware, 1, stage, site)
        sizes = {len(batch.runs) for batch in self.batches.values()} or {1}
        most = asked(hardware, max(sizes), stage, site)
        least = asked(hardware, min(sizes), stage, site)

        def resource(name: str) -> Callable[..., Any]:
            def of(wildcards: Any) -> Any:
                return asked(hardware, len(self.batches[wildcards.batch].runs), stage, site)[name]

            return signed(of)

        found = {n: value if value == least[n] else resource(n) for n, value in most.items()}
        if stage == "train" and hardware.full_memory_mb:
            found["mem_mb"] = signed(lambda wildcards: self._memory(wildcards.batch))
        return found

    def _memory(self, batch: str) -> int:
        """Megabytes of the job that trains a batch."""
        hardware = self.scale.hardware
        methods = {r.arm.method for r in self.batches[batch].runs if r.arm.has_weights}
        whole = any(discovery.method(m).group == "full" for m in methods)
        return (whole and hardware.full_memory_mb) or hardware.memory_mb

    @property
    def reference_resources(self) -> dict[str, Any]:
        """As a training on every domain in turn."""
        runs = len(science(self.scale)) + 1
        return asked(self.scale.hardware, runs, "train", self.site)

    @property
    def words(self) -> tuple[str, str]:
        """The scale and the folder of results, each quoted as one word of a shell's line."""
        given = (self.settings.get("scale", "proxy"), self.layout.results)
        scale, results = (shlex.quote(str(word)) for word in given)
        return scale, results

    @property
    def loads_pretrained(self) -> bool:
        return any(isinstance(base, PretrainedBase) for base in self.scale.bases.values())

    @property
    def doctor_options(self) -> str:
        """Options of `lawcheck doctor` that the settings name."""
        named = {"law": self.settings.get("law"), **self.site.settings}
        return " ".join(
            f"--{name.replace('_', '-')} {shlex.quote(v)}" for name, v in named.items() if v
        )

    def score_inputs(self, law: str) -> list[str]:
        wanted = set(self.planner.law_runs(self.found[law]))
        hit = [b.id for b in self.batches.values() if wanted & {r.id for r in b.runs}]
        return [self.batch_file(b, "scores") for b in hit]

    def described_inputs(self, law: str) -> list[str]:
        """What a law's table says of base models beside their scores."""
        runs = self.planner.law_runs(self.found[law]).values()
        described = {s for run in runs for s in self.planner.described_by(run)}
        return sorted(filter(None, map(self.measured_file, described)))

    def rendered(self, law: str) -> list[str]:
        """Tables and figures of a law, every format."""
        return self._rendered(self.found[law])

    def _rendered(self, law: Law) -> list[str]:
        # Draws matplotlib in, 1.4 of 5.9 CPU s of starting a job that never draws.
        from lawcheck.show import outputs

        return [str(path) for path in outputs(law, self.layout.tables, self.figures)]

    def marked(self, law: str) -> list[tuple[str, str, str]]:
        """(file, kind, title) of `rendered`; kind is empty for files that no report shows twice."""
        from lawcheck.show import declarations

        declared = declarations(self.found[law])
        return [
            (path, KINDS.get(Path(path).suffix, ""), declared[Path(path).stem].title)
            for path in self.rendered(law)
        ]

    def captions(self, law: str) -> dict[str, str]:
        """Title -> caption of a law's tables and figures."""
        from lawcheck.show import declarations

        return {d.title: d.caption for d in declarations(self.found[law]).values()}

    def judge_inputs(self, law: str) -> list[str]:
        """The controls of the scale, for a law that rests on them."""
        rests = law != NAME and rests_on_controls(self.found[law], self.scale)
        return [str(self.layout.verdict(NAME))] if rests else []

    def law_outputs(self, law: str) -> list[str]:
        return [str(self.layout.verdict(law)), *self.rendered(law)]


def signed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its signature kept on it.

    Snakemake asks for the signature several times a job, 17 times in all: 14 instead of 222
    microseconds each, on a busy machine.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


def as_text(settings: Mapping[str, Any], words: Sequence[str]) -> dict[str, str]:
    """Settings that should be text and were read as something else, as they were written.

    words: NAME=VALUE, as the command line and the profile gave them. What they do not hold is left
    out.
    """
    odd = {name for name in TEXTS & settings.keys() if not isinstance(settings[name], str)}
    given = {name: value.strip("'\"") for name, _, value in (w.partition("=") for w in words)}
    return {name: given[name] for name in odd & given.keys() if given[name]}


# Logs of earlier attempts stay beside the newest, as NAME.1, NAME.2 and so on.
KEEP = (
    'keep() { [ -s "$1" ] || return 0; local n=1; while [ -e "$1.$n" ]; do n=$((n+1)); done; '
    'mv "$1" "$1.$n"; }; '
)


def shell_prefix(interpreter: str | None) -> str:
    """What stands before every rule's command: `keep`, and the way to the program beside Python.

    interpreter: the one that runs the engine; nothing need be activated. None where an environment
    of its own brings the program. Raises InputError where lawcheck is not installed with it: no
    job is queued to find that out.
    """
    if interpreter is None:
        return f"set -euo pipefail; {KEEP}"
    folder = Path(interpreter).parent
    if not (folder / "lawcheck").is_file():
        raise InputError(
            f"{interpreter}: runs Snakemake, and there is no program lawcheck beside it; install "
            f"lawcheck into the same environment (make setup), then start that snakemake"
        )
    return f"set -euo pipefail; export PATH={shlex.quote(str(folder))}:$PATH; {KEEP}"


def parse_seeds(value: Any, scale: Scale) -> tuple[int, ...]:
    """A count (seeds 0 to n - 1), a list, or None for the scale's own seeds."""
    if value is None or value == "":
        return scale.seeds
    words = str(value).replace(",", " ").split() if not isinstance(value, list) else value
    try:
        numbers = [int(w) for w in words]
    except (TypeError, ValueError):
        numbers = []
    if (
        len(numbers) == 1
        and numbers[0] > 0
        and not isinstance(value, list)
        and "," not in str(value)
    ):
        return tuple(range(numbers[0]))
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise InputError(
            f"seeds {value!r}: expected a positive count or a list of distinct seeds "
            f"such as '0,1,2'"
        )
    return tuple(sorted(numbers))
