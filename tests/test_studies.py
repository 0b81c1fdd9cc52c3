"""A stranger's study: found, planned, judged and shown, and nothing else moves for it.

The files are those of docs/adding.md, word for word.
"""

import json
import os
import re
import subprocess
import sys

import pytest
from report_world import planner, study
from test_strangers import ROOT, write_page

from lawcheck.cli.listing import listing, listing_text
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, World
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import scale_laws
from lawcheck.errors import InputError
from lawcheck.judging.preregistration import scale_digest
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.pipeline.tuning import served
from lawcheck.pipeline.workflow import Workflow
from lawcheck.planning.forecast import plan_law
from lawcheck.planning.plan import Planner, find_runs
from lawcheck.show.page import write_report
from lawcheck.show.registry import renderers

LAW = "wide_is_better"


def forget():
    discovery.forget()
    renderers.cache_clear()


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    folder = write_page(tmp_path) / "my_studies"
    monkeypatch.setenv("LAWCHECK_STUDIES", str(folder))
    forget()
    yield folder
    monkeypatch.undo()
    forget()


def state(scale="smoke"):
    """Everything that names a result of `all`."""
    work = Workflow({"scale": scale})
    named = {b.id: [r.id for r in b.runs] for b in work.batches.values()}
    outputs = {law: (work.law_outputs(law), work.score_inputs(law)) for law in work.laws}
    digests = {law: scale_digest(work.scale, declared) for law, declared in work.laws.items()}
    return named, outputs, digests


def test_a_study_is_found_and_moves_nothing_of_the_others(request):
    before = state()
    request.getfixturevalue("theirs")
    named, outputs, digests = state()
    assert named.items() >= before[0].items()
    assert (outputs, digests) == before[1:]

    work = Workflow({"scale": "smoke"})
    assert work.studies["ranks"] == [LAW]
    assert LAW in work.found
    # The narrow arm's runs are those of the paper's laws; only the wide one's are new.
    mine = set(work.score_inputs(LAW))
    assert {"rank_multiple2" in r for b in named.keys() - before[0].keys() for r in named[b]} == {
        True
    }
    old = {work.batch_file(b, "scores") for b in before[0]}
    assert mine & old
    assert mine - old

    listed = work.scale.model_copy(update={"studies": ("discipline_laws", "ranks")})
    assert scale_laws(listed).keys() == before[1].keys() | {LAW}
    assert {n: scale_digest(listed, law) for n, law in work.laws.items()} == before[2]
    with pytest.raises(InputError, match="nearest: ranks"):
        scale_laws(work.scale.model_copy(update={"studies": ("rank",)}))


def test_a_study_is_listed_planned_and_its_runs_are_known(theirs):
    found = listing()
    (row,) = [s for s in found["studies"] if s["name"] == "ranks"]
    assert (row["laws"], row["target"]) == ([LAW], "study_ranks")
    assert {r["name"]: r["study"] for r in found["laws"]}[LAW] == "ranks"
    assert re.search(rf"^laws of ranks\n  {LAW}", listing_text(found), re.MULTILINE)
    plan = Planner(load_scale("smoke"), (0,))
    planned = plan_law(plan, discovery.law(LAW))
    ids = [r["id"] for r in planned["runs"]]
    assert [r.id for r in find_runs(plan, discovery.laws(), ids)] == ids


def test_it_is_judged_as_it_says_and_has_its_section(theirs, tmp_path):
    laws = [discovery.law("share_then_specialize"), discovery.law(LAW)]
    layout = study(tmp_path / "results", laws)
    left = {law.name: [w.discipline for w in read_verdict(layout.verdict(law.name)).without]
            for law in laws}  # fmt: skip
    assert left == {"share_then_specialize": ["biology"], LAW: ["biology", "math"]}
    written = write_report(planner(), layout, tmp_path / "page")
    page = written.path.read_text()
    assert page.index('id="study-discipline_laws"') < page.index('id="law-share_then_specialize"')
    assert page.index('id="law-share_then_specialize"') < page.index('id="study-ranks"')
    assert page.index('id="study-ranks"') < page.index(f'id="law-{LAW}"')
    for text in ("Ranks of adapters", "our report, 2026", "Without math", "Accuracy by rank."):
        assert text in page
    stored = json.loads(layout.verdict(LAW).read_text())
    assert {"without_math", "without_biology"} <= stored.keys()


def test_a_file_is_a_study_and_a_world_binds_it(theirs):
    whole = "".join((theirs / "ranks" / f).read_text() for f in ("__init__.py", "arms.py"))
    law = (theirs / "ranks" / "laws" / f"{LAW}.py").read_text()
    law = law.replace("from ..arms import NARROW, WIDE\n", "").replace(
        'tables=("ranks_table",),', ""
    )
    text = whole.replace('name="ranks"', 'name="alone", world="slices"') + law
    (theirs / "alone.py").write_text(text.replace(LAW, "alone_is_better"))
    forget()
    assert discovery.study_of("alone_is_better").world == "slices"
    assert "alone_is_better" not in Workflow({"scale": "smoke"}).found
    (theirs / "ranks" / "laws" / f"{LAW}.py").write_text("import nowhere_at_all\n")
    forget()
    with pytest.raises(InputError, match=rf"ranks/laws/{LAW}.py line 1: .*nowhere_at_all"):
        discovery.law(LAW)
    assert "alone_is_better" in discovery.laws()


def test_the_old_name_of_rows_is_read_with_a_warning():
    given = {"name": "sums", "title": "Sums", "role": "discipline", "version": 1,
             "worlds": {"proxy": World(source="none", tasks=())}}  # fmt: skip
    with pytest.warns(DeprecationWarning, match="paper_samples is now rows"):
        old = Discipline(paper_samples=30, **given)
    assert old == Discipline(rows=30, **given)
    assert old.paper_samples == 30


def test_rates_are_searched_on_the_arms_of_the_recorded_search():
    arms = served(scale_laws(load_scale("proxy")).values())
    for path in (ROOT / "reproduce" / "tuning").glob("proxy.*.json"):
        record = json.loads(path.read_text())
        for row in record["searched"]:
            assert row["arms"].keys() == {a.name for a in arms[record["method"]]}


@pytest.mark.slow
def test_it_is_a_target(theirs, tmp_path):
    command = ("snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path))
    flags = ("--dry-run", "--printshellcmds", "--cores", "1", "--config", "scale=smoke")
    told = {
        target: subprocess.run(
            [sys.executable, "-m", *command, target, *flags],
            env=os.environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for target in ("study_ranks", "all")
    }
    assert f"lawcheck judge {LAW}" in told["study_ranks"]
    assert "lawcheck judge variability" not in told["study_ranks"]
    assert f"lawcheck judge {LAW}" not in told["all"]
    assert "lawcheck judge variability" in told["all"]
