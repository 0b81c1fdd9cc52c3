"""Nothing published changes silently: ids and digests as they were when results were first made.

A number here that must change needs a version (lawcheck's trainer, evaluator, recipes, a method's,
a discipline's) and a line in docs/decisions.md. `python tests/test_golden.py` writes the file anew.
"""

import json
import os
import sys
from functools import cache
from pathlib import Path

import pytest

from lawcheck.corpus.build import corpus_identity
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import realisable
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest
from lawcheck.judging.preregistration import scale_digest
from lawcheck.judging.verdict import design_digest
from lawcheck.planning.plan import Planner, batches
from lawcheck.planning.shipped import shipped_hash
from lawcheck.show import outputs

FILE = Path(__file__).parent / "golden" / "identity.json"
SCALES = (
    "gpu",
    "paper",
    "paper_published_shares",
    "proxy",
    "single_gpu",
    "single_gpu_1b5",
    "slices",
    "smoke",
)
LAWS = (
    "balance_then_diversity",
    "base_model",
    "merge_then_align",
    "optimize_then_scale",
    "share_then_specialize",
    "variability",
)
# Every tenth or so: enough to read what moved, where the digest over all of them says that it did.
SPELLED = 60


def laws():
    return {name: discovery.laws()[name] for name in LAWS}


def of_scale(name):
    """Everything at one scale that names a result. Digests are over sorted lists of ids."""
    scale = load_scale(name)
    planner = Planner(scale, scale.seeds)
    known = realisable(scale, laws())
    runs = {
        law: sorted(planner.with_parents(planner.law_runs(declared).values()))
        for law, declared in known.items()
    }
    everything = sorted({r for found in runs.values() for r in found})
    return {
        "seeds": list(scale.seeds),
        "runs": len(everything),
        "ids": digest(everything, 64),
        "ids_by_law": {law: [len(found), digest(found, 64)] for law, found in runs.items()},
        "some_ids": everything[:: max(1, len(everything) // SPELLED)],
        "batches": digest(sorted(batches(planner, known)), 64),
        "scale_digests": {law: scale_digest(scale, declared) for law, declared in known.items()},
        "bases": {b: scale.base_digest(b) for b in sorted(scale.bases)},
        "shipped": {
            f"{b}-s{s}": shipped_hash(scale, b, s) for b in sorted(scale.bases) for s in scale.seeds
        },
        "corpus": corpus_identity(scale),
    }


def of_laws():
    return {
        name: {
            "design": design_digest(law),
            "arms": [a.name for a in law.arms],
            "files": [str(p) for p in outputs(law, Path("tables"), Path("figures"))],
        }
        for name, law in laws().items()
    }


@cache
def golden():
    return json.loads(FILE.read_text())


@pytest.mark.parametrize("name", SCALES)
def test_ids_and_digests_of_a_scale_are_those_of_the_published_results(name):
    try:
        found = of_scale(name)
    except InputError as error:
        assert "LAWCHECK_DATA" in str(error)  # noqa: PT017
        pytest.skip(f"real data are not here: {error}")
    expected = golden()["scales"][name]
    for key in expected:
        assert found[key] == expected[key], f"{name}: {key}"


def test_designs_arms_and_files_of_the_laws_are_the_published_ones():
    found = of_laws()
    for law, expected in golden()["laws"].items():
        assert found[law] == expected, law


if __name__ == "__main__":
    assert os.environ.get("LAWCHECK_DATA"), "set LAWCHECK_DATA: scale slices needs it"
    written = {"scales": {n: of_scale(n) for n in SCALES}, "laws": of_laws()}
    FILE.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{FILE}: {sum(s['runs'] for s in written['scales'].values())} run ids\n")
