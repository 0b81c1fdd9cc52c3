"""The form of verdict files: the shipped JSON schema says it, and every verdict keeps to it.

`python tests/test_verdict_schema.py` writes the schema. A field that joins keeps its number; one
that leaves or changes its meaning raises SCHEMA.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import types
import typing
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_world import PLACES, SCIENCE, columns, levels, table

from lawcheck.declare import discovery
from lawcheck.declare.design import SCHEMA, Law, PartVerdict, Verdict, plain
from lawcheck.declare.results import WITHOUT
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest
from lawcheck.judging.verdict import judge
from lawcheck.judging.verdict_forms import read_verdict, verdict_json
from lawcheck.scores import DISTINCT

FILE = importlib.resources.files("lawcheck.judging") / "verdict.schema.json"
REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"


def schema() -> dict:
    """From the dataclasses: what is declared there is what a file holds."""
    definitions: dict[str, dict] = {}
    whole = definition(Verdict, definitions)
    del whole["properties"]["without"]
    whole["required"].remove("without")
    part = {"$ref": f"#/$defs/{PartVerdict.__name__}"}
    whole["patternProperties"] = {f"^{WITHOUT}": {"type": "array", "items": part}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Verdict of lawcheck on a law",
        "$comment": f"schema {SCHEMA}; a file without `schema` is older",
        **whole,
        "$defs": definitions,
    }


def definition(kind: type, definitions: dict[str, dict]) -> dict:
    hints = typing.get_type_hints(kind, include_extras=True, localns={"pd": types})
    fields = dataclasses.fields(kind)
    return {
        "type": "object",
        "properties": {f.name: of(hints[f.name], definitions) for f in fields},
        "required": [f.name for f in fields if "since" not in f.metadata],
        "additionalProperties": False,
    }


def of(hint: typing.Any, definitions: dict[str, dict]) -> dict:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(inside)}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [of(h, definitions) for h in inside]}
    if origin is tuple:
        return {"type": "array", "items": of(inside[0], definitions)}
    if dataclasses.is_dataclass(hint):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = definition(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    names = {float: "number", int: "integer", str: "string", bool: "boolean"}
    return {"type": names.get(hint, "null")}


def valid(data: dict) -> None:
    jsonschema.validate(data, json.loads(FILE.read_text()))


def test_the_shipped_schema_is_that_of_the_dataclasses():
    assert json.loads(FILE.read_text()) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("**/*.json")), ids=lambda p: p.stem)
def test_committed_verdicts_keep_to_it(path):
    data = json.loads(path.read_text())
    if "outcome" in data:
        valid(data)
        assert ("schema" in data) == ("retracted" not in path.parts)


def judged(law: Law, n_seeds: int, n_items: int, blank: float, rng_seed: int, quick: bool):
    """A verdict on random scores of the law's arms, some of them empty."""
    arms = levels(law) | {a: 0.4 for a in law.arms if a.method == "base"}
    routed = {a: 0.7 for a in law.arms if a.method == "lora_moe"}
    rows = columns(arms, n_seeds, n_items, sharpness=routed, rng_seed=rng_seed)
    rng = np.random.default_rng(rng_seed)
    rows["value"] = [
        float("nan") if m == "acc" and rng.random() < blank else v
        for v, m in zip(rows["value"], rows["metric"], strict=True)
    ]
    # Arms of one mixture share its diversity, whatever their method.
    for arm in law.arms:
        share = int(digest(plain(arm.recipe), 6), 16) / 16**6
        for seed in range(n_seeds):
            row = (f"{arm.name}-s{seed}", arm.name, seed, "mixture", "1", "", DISTINCT, share)
            for c, v in zip(rows, row, strict=True):
                rows[c].append(v)
    return judge(
        law,
        table(rows),
        tasks=PLACES,
        cost=lambda arm, quantity, scale: 1.0 if arm.method == "full" else 0.1,
        quick=quick,
        leave_out=SCIENCE[:1],
    )


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(discovery.laws())),
    n_seeds=st.integers(1, 4),
    n_items=st.sampled_from((1, 3, 12)),
    blank=st.sampled_from((0.0, 0.2)),
    rng_seed=st.integers(0, 99),
)
def test_verdicts_of_every_law_keep_to_it_and_are_read_again(
    name, n_seeds, n_items, blank, rng_seed, tmp_path_factory
):
    try:
        found = judged(discovery.law(name), n_seeds, n_items, blank, rng_seed, n_items > 1)
    except InputError as error:
        # No verdict: too little is scored for what the law asks, or nothing of it: these scores are
        # those of the first study.
        first = discovery.study_of(name).name == "discipline_laws"
        assert blank or n_items == 1 or not first, error  # noqa: PT017
        return
    valid(found.to_dict())
    path = tmp_path_factory.mktemp("v") / "v.json"
    path.write_bytes(verdict_json(found))
    assert verdict_json(read_verdict(path)) == path.read_bytes()
    assert found.to_dict()["schema"] == SCHEMA


def test_a_file_of_a_later_form_is_refused(tmp_path):
    source = next(REFERENCE.glob("proxy/laws/variability.json"))
    later = json.loads(source.read_text()) | {"schema": SCHEMA + 1}
    (tmp_path / "v.json").write_text(json.dumps(later))
    with pytest.raises(InputError, match=f"reads up to {SCHEMA}; judge again, or update"):
        read_verdict(tmp_path / "v.json")
    with pytest.raises(jsonschema.ValidationError):
        valid(later | {"parts": [{"name": "x"}]})


if __name__ == "__main__":
    Path(str(FILE)).write_text(json.dumps(schema(), indent=1) + "\n")
