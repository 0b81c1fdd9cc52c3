"""The report: one self-contained HTML page about the judged laws of a scale, or of one's scores.

It reads verdicts, score tables (through lawcheck.show) and provenance, never logs, and never
imports torch. Equal input gives an equal page: it carries no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.worlds import bears_claims
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.atomic import write_text
from lawcheck.judging.judged import judged_origins
from lawcheck.planning.controls import NAME, law_at
from lawcheck.planning.plan import Planner
from lawcheck.show.page.gather import gather, nothing, refusal
from lawcheck.show.page.own import write_own_report
from lawcheck.show.page.page import card, page
from lawcheck.show.page.reproduce import steps

__all__ = ["Written", "write_own_report", "write_report"]


@dataclass(frozen=True)
class Written:
    """refused: one line for every law with results that the page leaves out."""

    path: Path
    refused: tuple[str, ...]


def write_report(planner: Planner, layout: Layout, out: Path) -> Written:
    """Write <out>/index.html from the results in `layout`.

    Laws are those of the scale's studies, those of no study, and what else was judged, by study.
    Laws that were not run are named on the page with the command that runs them, as are laws whose
    results do not fit their declaration or the scale. Raises InputError where no law is left to
    show.
    """
    listed = discovery.laws_of(planner.scale.studies)
    laws = {
        name: law
        for name, law in discovery.laws().items()
        if name in listed or layout.verdict(name).is_file()
    }
    if layout.verdict(NAME).is_file():
        laws[NAME] = law_at(NAME, planner.scale)
    entries, absent = gather(planner, layout, laws)
    cards = []
    for entry in entries:
        try:
            again = steps(entry, layout, planner.scale)
            cards.append(card(entry, again, bears_claims(planner.scale, entry.law)))
        except InputError as error:
            absent.append(refusal(planner, entry.law, error))
    refused = tuple(a.reason for a in absent if a.refused)
    if not cards:
        raise InputError(refused[0] if refused else nothing(layout))
    path = out / "index.html"
    write_text(path, page(planner, cards, absent))
    origin.forget(path)
    judged = [judged_origins(layout, entry.law) for entry in entries]
    if all(judged):
        made_from = {name: sha for one in judged for name, sha in one.items()}
        origin.seal(path, "report", made_from=made_from)
    return Written(path, refused)
