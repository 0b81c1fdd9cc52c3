"""The page: templates filled and sealed by a content security policy that allows no request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lawcheck.declare import discovery
from lawcheck.declare.design import CheckVerdict
from lawcheck.declare.metrics import LIKELIHOODS
from lawcheck.declare.studies import Study
from lawcheck.judging.outcomes import OUTCOMES, PART_OUTCOMES
from lawcheck.judging.verdict_forms import level, power_lines
from lawcheck.planning.controls import NAME
from lawcheck.planning.plan import Planner
from lawcheck.show import grids, pictures
from lawcheck.show.labels import arm_labels, part_label, readable
from lawcheck.show.page import facts, words
from lawcheck.show.page.figures import Image, image
from lawcheck.show.page.gather import Absent, Entry
from lawcheck.show.page.grids import Sheet, sheet
from lawcheck.show.page.moves import moves
from lawcheck.show.page.parts import Part, Settling, parts_of, settling
from lawcheck.show.page.reproduce import Step
from lawcheck.show.style import DPI
from lawcheck.show.tables import likelihoods

# They stand where a study does.
CONTROLS = Study(
    name=NAME,
    title="Controls",
    source="What has to be seen at this scale before any law is judged there: docs/controls.md",
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything about one law, ready for the template. checks: with the label of their part and
    what they need, those not passed first. refused: why a table or a figure is not shown. claims:
    whether the verdict is evidence.
    """

    entry: Entry
    claims: bool
    headline: str
    why: words.Why
    parts: tuple[Part, ...]
    checks: tuple[tuple[str, CheckVerdict, str], ...]
    power: tuple[str, ...]
    settling: tuple[Settling, ...]
    sheets: tuple[Sheet, ...]
    forest: tuple[Image, ...]
    images: tuple[Image, ...]
    refused: tuple[str, ...]
    steps: tuple[Step, ...]
    runs: tuple[facts.RunRow, ...]
    cost: facts.Cost
    level: str

    @property
    def primary(self) -> tuple[Part, ...]:
        return tuple(p for p in self.parts if p.verdict.role == "primary")


@dataclass(frozen=True, kw_only=True)
class Section:
    """The laws of one study, or of none. absent: those without a card."""

    study: Study | None
    cards: tuple[Card, ...]
    absent: tuple[Absent, ...]


def sections(cards: Sequence[Card], absent: Sequence[Absent]) -> tuple[Section, ...]:
    """Controls first, then in the order of studies, laws of none last; without studies that have
    no law on the page.
    """
    homes = {law: discovery.study_of(law) for law in discovery.laws()} | {NAME: CONTROLS}
    found = (
        Section(
            study=study,
            cards=tuple(c for c in cards if homes.get(c.entry.law.name) == study),
            absent=tuple(a for a in absent if homes.get(a.law.name) == study),
        )
        for study in (CONTROLS, *discovery.studies().values(), None)
    )
    return tuple(s for s in found if s.cards or s.absent)


def heading(found: Sequence[Section]) -> str:
    """What the page is about, in words."""
    topics = {s.study.topic for s in found if s.study not in (None, CONTROLS)}
    return f"Laws of {topics.pop() if len(topics) == 1 else ''}".removesuffix(" of ")


def card(
    entry: Entry, steps: Sequence[Step], claims: bool = True, refused: list[str] | None = None
) -> Card:
    """steps: that make the card again. refused: as of `lawcheck.show.grids`.

    Raises InputError where a table or figure cannot be made at all, unless `refused` takes it.
    """
    made = grids(entry.law, entry.context, refused)
    written = bool(entry.context.scale_name)
    shown = [sheet(stem, t, g, written) for stem, (t, g) in made.items()]
    if likelihoods.TABLE.name not in made and LIKELIHOODS & set(entry.context.scores.metrics):
        # Shown wherever there are any; written for laws that name it.
        stem = f"{likelihoods.TABLE.name}_{entry.law.name}"
        grid = likelihoods.build(entry.context)
        shown.append(sheet(stem, likelihoods.TABLE, grid, False))
    drawn = [
        (picture.name == "hypotheses", image(entry, stem, picture, files["png"], DPI))
        for stem, (picture, files) in pictures(entry.law, entry.context, refused).items()
    ]
    parts = parts_of(entry)
    checks = [(p.label, c, needed) for p in parts for c, needed in p.checks]
    levels = {level(p.verdict) for p in parts if p.verdict.low is not None}
    labels = arm_labels(entry.law, entry.context.families)
    why = words.why(entry.verdict)
    return Card(
        entry=entry,
        claims=claims,
        headline=words.headline(entry.verdict, claims),
        why=words.Why(why.lead, tuple((n, readable(t, labels)) for n, t in why.parts)),
        parts=parts,
        checks=tuple(sorted(checks, key=lambda x: x[1].passed)),
        power=tuple(power_lines(entry.verdict)),
        settling=settling(parts),
        sheets=tuple(shown),
        forest=tuple(i for is_forest, i in drawn if is_forest),
        images=tuple(i for is_forest, i in drawn if not is_forest),
        refused=tuple(refused or ()),
        steps=tuple(steps),
        runs=facts.run_rows(entry),
        cost=facts.cost([entry]),
        level=levels.pop() if len(levels) == 1 else "",
    )


def page(planner: Planner, cards: Sequence[Card], absent: Sequence[Absent]) -> str:
    """The report of a scale."""
    entries = [c.entry for c in cards]
    by_study = sections(cards, absent)
    scale = planner.scale
    return filled(
        "scale.html",
        cards=[c for s in by_study for c in s.cards],
        title=f"{heading(by_study)} at {scale.name} scale",
        scale=scale,
        sections=by_study,
        absent=[a for s in by_study for a in s.absent],
        seeds=sorted({s for e in entries for s in e.seeds}),
        corpus=facts.corpus_rows(entries),
        corpus_files=facts.corpus_files(entries),
        same_corpus=facts.same_corpus(entries),
        bases=facts.base_models(scale, entries),
        settings=facts.settings(scale, entries),
        cost=facts.cost(entries),
        hardware=facts.hardware(entries),
        moves=moves(),
    )


def filled(template: str, **given: Any) -> str:
    """A whole document. Every text from outside the templates is escaped."""
    environment = Environment(
        loader=PackageLoader("lawcheck.show.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=unbroken,
    )
    environment.globals.update(
        w=words, f=facts, OUTCOMES=OUTCOMES, PART_OUTCOMES=PART_OUTCOMES, part_label=part_label
    )
    environment.filters["soft"] = soft
    style, script = (_asset(environment, name) for name in ("style.css", "page.js"))
    return environment.get_template(template).render(
        style=style, script=script, policy=policy(style, script), **given
    )


def unbroken(value: Any) -> Any:
    """A number and its percent sign stay on one line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


def soft(text: str) -> Markup:
    """Escaped, with places where a long name may break."""
    found = str(escape(text))
    for mark in "._":
        found = found.replace(mark, f"{mark}<wbr>")
    return Markup(found)  # noqa: S704


def _asset(environment: Environment, name: str) -> Markup:
    assert environment.loader is not None
    text = environment.loader.get_source(environment, name)[0]
    # Package files, never data: what stands in them is meant as it is.
    return Markup(text)  # noqa: S704


def policy(style: str, script: str) -> str:
    """Only this style sheet, only this script, images from data URIs, nothing from anywhere."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
