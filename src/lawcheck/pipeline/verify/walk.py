"""A scale's results folder held against its records: what is there, and what it was made from.

Nothing is written. The objects are those of the folder: a study that is under way is sound as
far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lawcheck.corpus.build import check_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Law, Run
from lawcheck.declare.layout import Layout, base_name
from lawcheck.files import origin
from lawcheck.files.origin import OriginError
from lawcheck.files.reading import read_object
from lawcheck.judging.verdict import design_digest
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.pipeline.verify.nodes import Graph, Node, require_there
from lawcheck.planning import sources
from lawcheck.planning.controls import NAME, rests_on_controls
from lawcheck.planning.plan import Planner, Source, controls, plannable
from lawcheck.planning.shipped import RECORD as BASE_RECORD
from lawcheck.planning.shipped import resolve_base
from lawcheck.training.checkpoints import STATE, is_whole, require_checkpoint

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*-s(\d+)-[0-9a-f]{12}\Z")
BASE_ID = re.compile(r"([a-z][a-z0-9_]*)(?:-s(\d+))?\Z")


class Walk(Graph):
    """Every artefact below a scale's folder."""

    def __init__(self, planner: Planner, layout: Layout) -> None:
        super().__init__()
        self.scale, self.layout = planner.scale, layout
        self.laws = plannable(planner, discovery.laws()) | controls(planner)
        self.runs: dict[str, Run] = {}
        self._planners: dict[tuple[int, ...], Planner] = {}
        self._plan(planner.seeds)
        self._look()

    def _plan(self, seeds: Iterable[int]) -> Planner:
        """Make the runs of these seeds known."""
        key = tuple(seeds)
        if key not in self._planners:
            planner = self._planners[key] = Planner(self.scale, key)
            for law in self.laws.values():
                self.runs |= planner.with_parents(planner.law_runs(law).values())
        return self._planners[key]

    def _look(self) -> None:
        layout = self.layout
        for name in self.laws:
            if _recorded(layout.verdict(name)):
                self.verdict(name)
            elif _recorded(layout.law_scores(name)):
                self.table(name)
            if _recorded(layout.rendered(name)) or self._tables_of(name):
                self.tables(name)
        if _recorded(layout.report / "index.html"):
            self.report()
        if _recorded(layout.mixtures):
            self.mixtures()
        if layout.corpus.exists():
            self.corpus()
        for name in _names(layout.root / "bases"):
            match = BASE_ID.match(name)
            base, seed = match.groups() if match else ("", None)
            asked = None if seed is None else int(seed)
            if base in self.scale.bases and self.scale.base_seed(base, asked or 0) == asked:
                self.base(base, asked or 0)
            else:
                self.notes.append(f"bases/{name}: no base of scale {self.scale.name!r}, not used")
        for run_id in _names(layout.root / "runs"):
            if self._known(run_id):
                self._run(run_id)
            else:
                self.notes.append(f"runs/{run_id}: no law asks for it, not used")
        for name in _names(layout.batches):
            if name.endswith((".train.json", ".scores.json")):
                self.batch(name)

    def _known(self, run_id: str) -> bool:
        match = RUN_ID.match(run_id)
        if match:
            self._plan([int(match.group(1))])
        return run_id in self.runs

    def _run(self, run_id: str) -> None:
        if self.runs[run_id].arm.has_weights:
            self.weights(run_id)
        for split in ("eval", "tune"):
            if _recorded(self.layout.run_scores(run_id, split)):
                self.scores(run_id, split)
        folder = self.layout.checkpoints(run_id)
        for path in sorted(folder.glob("checkpoint-*")):
            if is_whole(path):
                self.checkpoint(run_id, path)

    # Each of these adds an artefact and all that it was made from, and returns its label.

    def source(self, source: Source) -> str:
        if source.kind == "corpus":
            return self.corpus()
        if source.kind == "base":
            return self.base(source.name, source.seed)
        if source.kind in ("knowledge", "reference"):
            return self.measured(source)
        return self.weights(source.name)

    def corpus(self) -> str:
        def check(node: Node) -> None:
            check_corpus(self.layout.corpus, self.scale)
            node.digest = sources.corpus(self.layout)["corpus"]

        return self.add("corpus", "", self.layout.manifest, check)

    def base(self, base: str, seed: int) -> str:
        own = self.scale.base_seed(base, seed)
        folder = self.layout.base(base, own)
        words = f"--base {base}" if own is None else f"--base {base} --seed {seed}"
        how = sources.step(self.layout, "base", words)

        def check(node: Node) -> None:
            found = resolve_base(self.scale, base, seed, folder)
            if found is None:
                require_there(node, how)
                there = "a base of another recipe"
                raise OriginError("stale", node.label, node.path, there, "the scale's", how)
            planner = self._plan([seed])
            node.digest = next(iter(sources.base(planner, self.layout, base, seed).values()))

        built = self.scale.bases[base].kind == "built"
        name = base_name(base, seed) if built else base
        return self.add("base", name, folder / BASE_RECORD, check)

    def measured(self, source: Source) -> str:
        """Shares that were detected in a base, or losses of a reference."""
        kind, name, seed = source
        known = kind == "knowledge"
        path = (self.layout.knowledge if known else self.layout.reference)(name, seed)

        def check(node: Node) -> None:
            verb = "detect" if known else "reference"
            how = sources.step(self.layout, verb, f"--base {name} --seed {seed}")
            require_there(node, how)
            node.origins = [self.corpus(), self.base(name, seed)]
            planner = self._plan([seed])
            made = (sources.knowledge if known else sources.reference)(
                planner, self.layout, name, seed
            )
            found = origin.require(node.path, kind, node.name, how, made)
            node.digest = found.digest

        return self.add(kind, f"{name}-s{seed}", path, check)

    def weights(self, run_id: str) -> str:
        run = self.runs[run_id]
        folder = self.layout.run(run_id)

        def check(node: Node) -> None:
            begun = folder.exists() and not self.layout.adapter(run_id).exists()
            if begun and not _recorded(node.path) and not _recorded(self.layout.run_scores(run_id)):
                # Training goes on, or was killed and will go on.
                node.state = "unfinished"
                return
            how = sources.step(self.layout, "train", run_id)
            require_there(node, how)
            planner = self._plan([run.seed])
            node.origins = [self.source(s) for s in planner.made_from(run)]
            self.compare(node, how)

        return self.add("weights", run_id, self.layout.train_record(run_id), check)

    def scores(self, run_id: str, split: str = "eval") -> str:
        run = self.runs[run_id]

        def check(node: Node) -> None:
            words = run_id if split == "eval" else f"--split {split} {run_id}"
            how = sources.step(self.layout, "evaluate", words)
            node.origins = [self.source(s) for s in self._plan([run.seed]).scored_from(run)]
            require_there(node, how)
            found = self.compare(node, how)
            if split == "eval":
                sources.require_whole(found, sources.tasks(run, self.scale), node.path, how)

        kind = sources.score_kind(split)
        return self.add(kind, run_id, self.layout.run_scores(run_id, split), check)

    def checkpoint(self, run_id: str, folder: Path) -> str:
        def check(node: Node) -> None:
            require_checkpoint(folder, run_id)

        return self.add("checkpoint", f"{run_id} {folder.name}", folder / STATE, check)

    def mixtures(self) -> str:
        from lawcheck.corpus.statistics import read_mixtures

        def check(node: Node) -> None:
            how = sources.step(self.layout, "mixtures")
            node.origins = [self.corpus()]
            require_there(node, how)
            self.compare(node, how)
            if not self.nodes["corpus"].faulty:
                read_mixtures(self.scale, self.layout)

        return self.add("mixtures", "", self.layout.mixtures, check)

    def table(self, law: str) -> str:
        def check(node: Node) -> None:
            how = sources.step(self.layout, "collect", law)
            require_there(node, how)
            found = origin.read(node.path, "table", law, how)
            how += f" --seeds {','.join(map(str, found.holds['seeds']))}"
            wanted = self._plan(found.holds["seeds"]).law_runs(self.laws[law])
            node.origins = [self.scores(run_id) for run_id in wanted]
            planner = self._plan(found.holds["seeds"])
            described = {s for run in wanted.values() for s in planner.described_by(run)}
            node.origins += [self.source(s) for s in sorted(described)]
            if sources.mixed(wanted.values()):
                node.origins.append(self.mixtures())
            self.compare(node, how)

        return self.add("table", law, self.layout.law_scores(law), check)

    def verdict(self, law: str) -> str:
        def check(node: Node) -> None:
            how = sources.judge_step(self.layout, law)
            node.origins = [self.table(law)]
            if rests_on_controls(self.laws[law], self.scale) and _recorded(
                self.layout.verdict(NAME)
            ):
                node.origins.append(self.verdict(NAME))
            require_there(node, how)
            self.compare(node, how)
            require_design(node, self.laws[law], how)

        return self.add("verdict", law, self.layout.verdict(law), check)

    def tables(self, law: str) -> str:
        def check(node: Node) -> None:
            node.origins = [self.verdict(law), self.table(law)]
            self.compare(node, sources.step(self.layout, "render", law))

        return self.add("tables", law, self.layout.rendered(law), check)

    def _tables_of(self, law: str) -> list[Path]:
        from lawcheck.show import outputs

        tables = self.layout.tables
        found = outputs(self.laws[law], tables, Path())
        return [p for p in found if p.parent == tables and p.is_file()]

    def report(self) -> str:
        def check(node: Node) -> None:
            judged = [n for n in self.laws if _recorded(self.layout.verdict(n))]
            node.origins = [f(n) for n in judged for f in (self.verdict, self.table)]
            self.compare(node, sources.step(self.layout, "report"))

        return self.add("report", "", self.layout.report / "index.html", check)

    def batch(self, file: str) -> str:
        """A workflow engine's evidence that a job's runs are there."""
        trains = file.endswith(".train.json")

        def check(node: Node) -> None:
            for run_id, entry in read_object(node.path, BATCH_STEP).items():
                if not self._known(run_id):
                    self.notes.append(f"batches/{file}: names a run that no law asks for")
                elif not trains or self.runs[run_id].arm.has_weights:
                    node.origins.append(self.weights(run_id) if trains else self.scores(run_id))
                    there = self._stated(node.origins[-1])
                    found = entry.get("weights_sha256") if isinstance(entry, dict) else entry
                    if there is not None and found != there:
                        raise OriginError(
                            "stale",
                            node.label,
                            node.path,
                            f"{run_id} {str(found)[:12]}",
                            there[:30],
                            BATCH_STEP,
                        )

        return self.add("batch", file.removesuffix(".json"), self.layout.batches / file, check)

    def _stated(self, source: str) -> str | None:
        """What a batch record must say of a run; None where the run's own node is not sound."""
        node = self.nodes[source]
        if node.state == "unfinished":
            return "none, the run is unfinished"
        if node.state != "ok":
            return None
        if node.kind == "weights":
            return str(read_object(node.path, BATCH_STEP).get("weights_sha256"))
        return origin.read(node.path, node.kind, node.name, "").files[node.path.name]


BATCH_STEP = "run: lawcheck verify --repair"


def require_design(node: Node, law: Law, how: str) -> None:
    """Raises OriginError for a verdict on another design of the law."""
    found, expected = read_verdict(node.path).design_digest, design_digest(law)
    if found != expected:
        there, wanted = f"design {found[:12]}", f"design {expected[:12]}"
        raise OriginError("stale", node.label, node.path, there, wanted, how)


def _recorded(path: Path) -> bool:
    return path.exists() or origin.record_path(path).exists()


def _names(folder: Path) -> list[str]:
    """What lies in a folder; the hidden leftovers of killed writers do not count."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
