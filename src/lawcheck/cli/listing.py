"""What is there: laws, methods, objectives, mixing rules, disciplines and scales, by discovery."""

from __future__ import annotations

from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale, scale_names


def listing() -> dict[str, list[dict[str, Any]]]:
    return {
        "laws": [
            {
                "name": law.name,
                "target": f"law_{law.name}",
                "title": law.title,
                "source": law.source,
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
                "paper_samples": d.paper_samples,
                "worlds": {w: [t.name for t in world.tasks] for w, world in d.worlds.items()},
            }
            for d in discovery.disciplines().values()
        ],
        "scales": [
            {"name": s.name, "title": s.title, "world": s.world, "seeds": list(s.seeds)}
            for s in map(load_scale, scale_names())
        ],
    }


def listing_text(found: dict[str, list[dict[str, Any]]]) -> str:
    lines = []
    for kind, rows in found.items():
        lines.append(kind)
        for row in rows:
            lines.append(f"  {row['name']:<24} {_summary(kind, row)}")
    return "\n".join(lines)


def _summary(kind: str, row: dict[str, Any]) -> str:
    if kind == "laws":
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
