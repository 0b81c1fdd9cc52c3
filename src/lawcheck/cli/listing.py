"""What is there: studies, laws, methods, objectives, disciplines and so on, by discovery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.scale import Scale, load_scale, scale_names
from lawcheck.errors import InputError


def listing() -> dict[str, list[dict[str, Any]]]:
    homes = {name: discovery.study_of(name) for name in discovery.laws()}
    return {
        "studies": [
            {
                "name": study.name,
                "target": f"study_{study.name}",
                "title": study.title,
                "source": study.source,
                "laws": [law for law, home in homes.items() if home == study],
            }
            for study in discovery.studies().values()
        ],
        "laws": [
            {
                "name": law.name,
                "target": f"law_{law.name}",
                "title": law.title,
                "source": law.source,
                "study": home.name if (home := homes[law.name]) else None,
                "arms": len(law.arms),
                "primary": sum(h.role == "primary" for h in law.hypotheses),
                "secondary": sum(h.role == "secondary" for h in law.hypotheses),
            }
            for law in discovery.laws().values()
        ],
        "methods": [
            {
                "name": m.name,
                "title": m.title,
                "trains": m.trains,
                "design": {**m.design},
                "choices": {key: list(values) for key, values in m.choices.items()},
            }
            for m in discovery.methods().values()
        ],
        "objectives": [
            {
                "name": o.name,
                "title": o.title,
                "learns": o.learns,
                "columns": list(o.columns),
                "beta": o.beta,
            }
            for o in discovery.objectives().values()
        ],
        "mixing": [
            {"name": r.name, "title": r.title, "version": r.version}
            for r in discovery.mixing_rules().values()
        ],
        "disciplines": [
            {
                "name": d.name,
                "role": d.role,
                "paper_samples": d.rows,
                "worlds": {w: [t.name for t in world.tasks] for w, world in d.worlds.items()},
            }
            for d in discovery.disciplines().values()
        ],
        "scales": [
            {"name": s.name, "title": s.title, "world": s.world, "seeds": list(s.seeds)}
            for s in _scales()
        ],
    }


def _scales() -> Iterator[Scale]:
    for name in scale_names():
        try:
            yield load_scale(name)
        except InputError as error:
            discovery.leave_out("scales", str(error), name)


def listing_text(found: dict[str, list[dict[str, Any]]]) -> str:
    """One line a thing; laws stand below their study, those of none last."""
    lines = []
    for kind, rows in _groups(found):
        lines.append(kind)
        lines += [f"  {row['name']:<24} {_summary(kind, row)}" for row in rows]
    return "\n".join(lines)


def _groups(
    found: dict[str, list[dict[str, Any]]],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for kind, rows in found.items():
        if kind != "laws":
            yield kind, rows
            continue
        for study in (*(s["name"] for s in found["studies"]), None):
            own = [row for row in rows if row["study"] == study]
            if own:
                yield f"laws of {study or 'no study'}", own


def _summary(kind: str, row: dict[str, Any]) -> str:
    if kind == "studies":
        return f"{len(row['laws'])} laws; {row['title']}"
    if kind.startswith("laws"):
        parts = f"{row['primary']} primary, {row['secondary']} secondary parts"
        return f"{row['arms']} arms, {parts}; {row['source']}"
    if kind == "methods":
        return f"trains {row['trains']}"
    if kind == "objectives":
        return f"learns {row['learns']}"
    if kind == "mixing":
        return f"{row['title']}; version {row['version']}"
    if kind == "disciplines":
        return f"{row['role']}; worlds {', '.join(row['worlds']) or 'none'}"
    return f"{row['title']}; seeds {', '.join(map(str, row['seeds']))}"
