"""A published copy held against itself: scores, verdicts, provenance, mixtures and tables.

A copy has no runs and no corpus, and what was published before there were records has none of
these either. Then the files are compared with what they say of one another and with what the
scale asks for, and the tables with what the scores give.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any

from lawcheck.corpus.build import corpus_identity
from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.worlds import pinned_sources
from lawcheck.files import origin
from lawcheck.files.atomic import json_text
from lawcheck.files.origin import OriginError
from lawcheck.files.reading import read_object
from lawcheck.files.records import Statistics, fitting, read_provenance
from lawcheck.judging.judged import judge_file, seeds_of
from lawcheck.judging.verdict_forms import read_verdict, verdict_json
from lawcheck.pipeline.verify.nodes import Graph, Node, require_there
from lawcheck.pipeline.verify.walk import require_design
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner, controls, plannable
from lawcheck.planning.shipped import bases_by_seed
from lawcheck.scores import MEASUREMENTS, load_scores
from lawcheck.scores.files import read_rows
from lawcheck.show import table_files
from lawcheck.show.judged import render_context

PROVENANCE = {
    "law",
    "scale",
    "seeds",
    "runs",
    "bases",
    "generator",
    "corpus",
    "corpus_identity",
}
STEP = "restore the published copy (git checkout), or publish again: lawcheck publish"


def is_published(layout: Layout) -> bool:
    """Whether the folder holds results without the runs they came from."""
    work = (layout.root / "runs", layout.corpus, layout.batches)
    return (layout.root / "laws").is_dir() and not any(p.exists() for p in work)


class Published(Graph):
    """Every law of a published copy."""

    def __init__(self, planner: Planner, layout: Layout) -> None:
        super().__init__()
        self.planner, self.scale, self.layout = planner, planner.scale, layout
        self.laws = plannable(planner, discovery.laws()) | controls(planner)
        for name in self.laws:
            files = (layout.verdict(name), layout.law_scores(name), layout.provenance(name))
            if any(p.exists() for p in files):
                self.verdict(name)
                self.tables(name)
        if layout.mixtures.exists():
            self.mixtures()
        if (layout.report / "index.html").exists():
            self.report()

    def provenance(self, law: str) -> str:
        def check(node: Node) -> None:
            content = self._provenance(node, law)
            seeds = content["seeds"]
            runs = Planner(self.scale, tuple(seeds)).law_runs(self.laws[law]).values()
            trained = {r.id for r in runs if r.arm.has_weights}
            odd = sorted(trained - set(content["runs"]))
            self._agree(node, "run", "none" if odd else "", odd[0] if odd else "")
            self._agree(node, "generator", content["generator"], self.scale.corpus.frozen)
            self._agree(node, "corpus", content["corpus_identity"], corpus_identity(self.scale))
            for base, found in content["bases"].items():
                if base not in self.scale.bases:
                    raise self._fault("stale", node, f"base {_short(base)}", "a base of the scale")
                now = bases_by_seed(self.scale, base, seeds)
                self._agree(node, f"base {base}", found, {str(s): b for s, b in now.items()})
            if pinned_sources(self.scale) is None:
                node.digest = _manifest_sha256(content, self.scale.world)

        return self.add("provenance", law, self.layout.provenance(law), check)

    def _provenance(self, node: Node, law: str) -> dict[str, Any]:
        require_there(node, STEP)
        content = read_provenance(node.path)
        lost = sorted(PROVENANCE - content.keys())
        if lost:
            raise self._fault("changed", node, f"no {lost[0]}", "the provenance of a law's scores")
        self._agree(node, "law", content["law"], law)
        self._agree(node, "scale", content["scale"], self.scale.name)
        return content

    def table(self, law: str) -> str:
        def check(node: Node) -> None:
            require_there(node, STEP)
            self._recorded(node)
            node.origins = [self.provenance(law), *self._mixtures()]
            scores = load_scores(node.path)
            node.digest = scores.digest(a.name for a in self.laws[law].arms)
            provenance = self.nodes[node.origins[0]]
            if provenance.faulty:
                return
            content = self._provenance(provenance, law)
            self._agree(node, "seeds", list(seeds_of(scores)), content["seeds"])
            runs = Planner(self.scale, tuple(content["seeds"])).table_runs(self.laws[law])
            wanted = {(i, t) for i, r in runs.items() for t in sources.tasks(r, self.scale)}
            names = ["run_id", "task", "metric"]
            rows = read_rows([node.path]).select(names).group_by(names).aggregate([]).to_pylist()
            # Measurements of a run are of domains, phases and bases, which are no tasks.
            found = {(r["run_id"], r["task"]) for r in rows if r["metric"] not in MEASUREMENTS}
            odd = sorted(wanted ^ found)
            if odd:
                there = f"{'' if odd[0] in found else 'no '}scores of {odd[0][0]} on {odd[0][1]}"
                raise self._fault("stale", node, there, f"every task of the law's {len(runs)} runs")

        return self.add("table", law, self.layout.law_scores(law), check)

    def verdict(self, law: str) -> str:
        def check(node: Node) -> None:
            node.origins = [self.table(law)]
            require_there(node, STEP)
            self._recorded(node)
            verdict = read_verdict(node.path)
            self._agree(node, "law", verdict.law, law)
            self._agree(node, "scale", verdict.scale, self.scale.name)
            require_design(node, self.laws[law], STEP)
            scores = self.nodes[node.origins[0]].digest
            if scores is not None:
                self._agree(node, "scores", verdict.scores_digest, scores)
                table = self.layout.law_scores(law)
                # Laws of no study were judged without biology, too, before studies said so.
                left = [w.discipline for w in verdict.without]
                found = judge_file(self.laws[law], [table], self.scale, leave_out=left)
                # Another version of lawcheck, or of the file's form, may say the same.
                now = dataclasses.replace(found, lawcheck=verdict.lawcheck, schema=verdict.schema)
                if not verdict.schema:
                    now = dataclasses.replace(now, unused=())
                odd = _differs(read_object(node.path, STEP), json.loads(verdict_json(now)))
                if odd:
                    raise self._fault("changed", node, odd, "what the scores give")

        return self.add("verdict", law, self.layout.verdict(law), check)

    def mixtures(self) -> str:
        def check(node: Node) -> None:
            self._recorded(node)
            content = fitting(read_object(node.path, STEP), Statistics, node.path.name, STEP)
            manifest = content["origin"]["manifest"]
            for law in self.laws:
                source = self.nodes.get(origin.label("provenance", law))
                if source is not None and source.digest is not None:
                    self._agree(node, "manifest", manifest, source.digest)

        return self.add("mixtures", "", self.layout.mixtures, check)

    def _mixtures(self) -> list[str]:
        return [self.mixtures()] if self.layout.mixtures.exists() else []

    def tables(self, law: str) -> str:
        def check(node: Node) -> None:
            node.origins = [self.verdict(law), *self._mixtures()]
            if any(self.nodes[n].faulty for n in (*node.origins, self.table(law))):
                node.state = "unchecked"
                return
            context = render_context(self.planner, self.layout, self.laws[law])
            for path, text in table_files(self.laws[law], context, self.layout.tables).items():
                if not path.is_file():
                    raise OriginError("missing", node.label, path, "no file", "a table", STEP)
                if path.read_bytes() != text:
                    raise OriginError(
                        "changed",
                        node.label,
                        path,
                        f"sha256 {origin.file_sha256(path)[:12]}",
                        "the table that the scores give",
                        STEP,
                    )

        return self.add("tables", law, self.layout.rendered(law), check)

    def report(self) -> str:
        def check(node: Node) -> None:
            node.origins = [n.label for n in self.nodes.values() if n.kind == "verdict"]
            self._recorded(node)

        return self.add("report", "", self.layout.report / "index.html", check)

    def _recorded(self, node: Node) -> None:
        """Compare with the record where one was published."""
        if origin.record_path(node.path).is_file():
            origin.require(node.path, node.kind, node.name, STEP)

    def _agree(self, node: Node, what: str, found: object, expected: object) -> None:
        if found != expected:
            raise self._fault("stale", node, f"{what} {_short(found)}", _short(expected))

    def _fault(self, state: str, node: Node, found: str, expected: str) -> OriginError:
        return OriginError(state, node.label, node.path, found, expected, STEP)


def _short(value: object) -> str:
    return str(value)[:40]


def _manifest_sha256(content: dict[str, Any], world: str) -> str:
    """SHA-256 of a corpus's manifest as `lawcheck corpus` writes it; streamed ones hold more."""
    manifest = {
        "scale": content["scale"],
        "world": world,
        "identity": content["corpus_identity"],
        "files": content["corpus"],
    }
    return hashlib.sha256(json_text(manifest).encode()).hexdigest()


def _differs(stated: Any, found: Any, where: str = "") -> str:
    """The first place where a verdict is not what its scores give; empty where it is."""
    if isinstance(stated, dict) and isinstance(found, dict) and stated.keys() == found.keys():
        inside = (_differs(stated[k], found[k], f"{where} {k}") for k in stated)
        return next(filter(None, inside), "")
    if isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        pairs = zip(stated, found, strict=True)
        inside = (_differs(a, b, f"{where} {k}") for k, (a, b) in enumerate(pairs))
        return next(filter(None, inside), "")
    if isinstance(stated, float) and isinstance(found, float):
        # Verdicts repeat to 1e-9 from machine to machine.
        same = math.isclose(stated, found, rel_tol=1e-9, abs_tol=1e-9)
    else:
        same = stated == found
    return "" if same else f"{where.strip()} = {_short(stated)}, not {_short(found)}"
