"""What the report shows: every law's verdict, scores and provenance, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lawcheck.declare.design import Law, Verdict
from lawcheck.declare.layout import Layout
from lawcheck.declare.worlds import realisable, unrealisable
from lawcheck.errors import InputError
from lawcheck.files.records import read_provenance
from lawcheck.judging.judged import seeds_of
from lawcheck.judging.verdict import design_digest
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.planning.plan import Planner
from lawcheck.scores.health import law_findings
from lawcheck.show import RenderContext
from lawcheck.show.judged import render_context


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One judged law. provenance: what its collection recorded, empty where the file is missing.

    fits: as `settings_fit` says. warnings: what a reader must know about these results before
    their numbers.
    """

    law: Law
    verdict: Verdict
    context: RenderContext
    provenance: Mapping[str, Any]
    fits: bool | None
    warnings: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return seeds_of(self.context.scores)

    @property
    def diverged(self) -> int:
        """Diverged runs among the law's arms."""
        return sum(self.context.diverged.get(a.name, 0) for a in self.law.arms)


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A law that the page has no card for. refused: there are results, but they do not fit."""

    law: Law
    reason: str
    command: str
    refused: bool = False


def gather(
    planner: Planner, layout: Layout, laws: Mapping[str, Law]
) -> tuple[list[Entry], list[Absent]]:
    """Every law's results, and the laws that have none or none that fit."""
    possible = realisable(planner.scale, laws)
    entries, absent = [], []
    for name, law in laws.items():
        if name not in possible:
            reason = unrealisable(planner.scale, law)
            absent.append(Absent(law=law, reason=reason, command=""))
        elif not layout.verdict(name).is_file():
            reason = "not run at this scale"
            absent.append(Absent(law=law, reason=reason, command=rebuild(planner, law)))
        else:
            try:
                entries.append(read_entry(planner, layout, law))
            except InputError as error:
                absent.append(refusal(planner, law, error))
    return entries, absent


def refusal(planner: Planner, law: Law, error: InputError) -> Absent:
    """A law whose results cannot be shown."""
    return Absent(law=law, reason=str(error), command=rebuild(planner, law), refused=True)


def nothing(layout: Layout) -> str:
    """The message where no law was judged."""
    return (
        f"report: no judged law under {layout.root}; run: make laws, or name the folder that "
        f"holds laws/ with --from"
    )


def rebuild(planner: Planner, law: Law) -> str:
    """The command that runs and judges a law at this scale."""
    return f"snakemake --profile local law_{law.name} --config scale={planner.scale.name}"


def read_entry(planner: Planner, layout: Layout, law: Law) -> Entry:
    """One law's results. Raises InputError where they do not belong together."""
    verdict = read_verdict(layout.verdict(law.name))
    _check_verdict(verdict, planner, law)
    path = layout.provenance(law.name)
    provenance = read_provenance(path) if path.is_file() else {}
    generator, expected = provenance.get("generator"), planner.scale.corpus.frozen
    if provenance and generator != expected:
        raise InputError(
            f"results of law {law.name!r}: made by generator {_short(generator)}, scale "
            f"{planner.scale.name!r} has {_short(expected)}; run: {rebuild(planner, law)}"
        )
    context = render_context(planner, layout, law)
    if context.scores.digest(a.name for a in law.arms) != verdict.scores_digest:
        raise InputError(
            f"verdict {layout.verdict(law.name)}: judged on other scores than "
            f"{layout.law_scores(law.name).name}; judge again: lawcheck judge {law.name} --scale "
            f"{planner.scale.name} --scores {layout.law_scores(law.name)} --json "
            f"{layout.verdict(law.name)}"
        )
    fits = settings_fit(planner, law, provenance, seeds_of(context.scores))
    return Entry(
        law=law,
        verdict=verdict,
        context=context,
        provenance=provenance,
        fits=fits,
        warnings=(
            *_warnings(planner.scale.name, law, verdict, provenance, fits),
            *_findings(law, verdict, context, provenance),
        ),
    )


def _check_verdict(verdict: Verdict, planner: Planner, law: Law) -> None:
    named = {"law": (verdict.law, law.name), "scale": (verdict.scale, planner.scale.name)}
    for what, (found, expected) in named.items():
        if found != expected:
            raise InputError(
                f"verdict of law {law.name!r}: holds {what} {found!r}, expected {expected!r}; "
                f"judge again with --scale {planner.scale.name}"
            )
    judged, declared = [p.name for p in verdict.parts], [h.name for h in law.hypotheses]
    if judged != declared:
        odd = next((n for n in (*judged, *declared) if (n in judged) != (n in declared)), judged[0])
        raise InputError(
            f"verdict of law {law.name!r}: part {odd!r} differs from the law's hypotheses; "
            f"judge again: lawcheck judge {law.name}"
        )


def _warnings(
    scale: str, law: Law, verdict: Verdict, provenance: Mapping[str, Any], fits: bool | None
) -> list[str]:
    found = []
    if not provenance:
        found.append("No provenance file lies beside the verdict: versions and hardware unknown.")
    elif fits is None:
        found.append(
            f"Scale {scale} reads real data that are not at hand: whether its settings still are "
            f"those of these runs was not checked."
        )
    elif not fits:
        found.append(
            f"Made with other settings or code versions than scale {scale} has now; the numbers "
            f"are those of the recorded runs."
        )
    if design_digest(law) != verdict.design_digest:
        found.append(
            "The digest of the law's design differs from the one in the verdict: the design, or "
            "what the digest covers, changed after judging."
        )
    if provenance.get("source", {}).get("dirty"):
        found.append("The source tree held uncommitted changes when the scores were collected.")
    return found


def _findings(
    law: Law, verdict: Verdict, context: RenderContext, provenance: Mapping[str, Any]
) -> list[str]:
    """What scores and training records say of collapsed runs, beyond the verdict's own notes."""
    seen = [f.text for f in law_findings(law, context.scores) if f.text not in verdict.notes]
    for run, record in sorted(provenance.get("runs", {}).items()):
        told = [f"stopped: {record['reason']}"] if record.get("reason") else []
        seen += [f"run {run}: {text}" for text in (*told, *record.get("findings", ()))]
    return seen


def settings_fit(
    planner: Planner, law: Law, provenance: Mapping[str, Any], seeds: tuple[int, ...]
) -> bool | None:
    """Whether the recorded runs are those that scale and code would make now.

    None where run ids cannot be formed, because the scale reads real data that are not here.
    """
    now = Planner(planner.scale, seeds)
    try:
        trained = {r.id for r in now.law_runs(law).values() if r.arm.has_weights}
    except InputError:
        return None
    return trained <= set(provenance.get("runs", {}))


def _short(value: object) -> str:
    return str(value)[:12] if value else "unknown"
