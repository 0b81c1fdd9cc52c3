"""Tables and figures say what the scores say, and the same bytes each time."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from render_world import (
    DAMAGES,
    LAW,
    SCIENCE,
    context,
    damaged,
    disciplines,
    lost_arm,
    rows,
    table,
)

from lawcheck.declare import discovery
from lawcheck.declare.design import Hypothesis, Law, difference
from lawcheck.errors import InputError
from lawcheck.show import outputs, render, style
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.latex import escape, latex
from lawcheck.show.registry import renderer, renderers
from lawcheck.show.style import DPI, TWO_COLUMNS
from lawcheck.studies.discipline_laws import arms


@pytest.fixture(scope="module")
def found():
    return rows()


@pytest.fixture(scope="module")
def scores(found):
    return table(found)


@pytest.fixture(scope="module")
def written(scores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("render")
    paths = render(LAW, context(scores), folder / "tables", folder / "figures")
    return folder, paths


def test_every_declared_file_is_written(written):
    folder, paths = written
    expected = {f"tables/{t}.{x}" for t in LAW.tables for x in ("csv", "md", "tex")}
    expected |= {f"tables/arms_{LAW.name}.{x}" for x in ("csv", "md", "tex")}
    drawn = [*LAW.figures, f"hypotheses_{LAW.name}"]
    expected |= {f"figures/{g}.{x}" for g in drawn for x in ("pdf", "png")}
    assert {str(p.relative_to(folder)) for p in paths} == expected
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == expected
    assert all(p.stat().st_size for p in paths)


def test_long_form_equals_a_recomputation(written, found):
    frame = pd.DataFrame(found)
    frame = frame[frame["metric"] == "acc"]
    mean = frame.groupby(["arm", "task"])["value"].mean()
    tasks = [f"test_{d}" for d in SCIENCE]
    for name in ("table_3", "table_8", f"arms_{LAW.name}"):
        shown = pd.read_csv(written[0] / "tables" / f"{name}.csv")
        for _, line in shown[shown["mean"].notna() & (shown["unit"] == "accuracy")].iterrows():
            own = mean[line["arm"]]
            expected = (
                own[tasks].mean() if line["column"] == "average" else own[f"test_{line['column']}"]
            )
            assert line["mean"] == pytest.approx(expected, abs=1e-9)
            assert line["low"] < line["mean"] < line["high"]
            assert line["seeds"] == 3
            assert line["interval"] == "crossed seeds and items"


def test_delta_m_equals_a_recomputation(written, found):
    frame = pd.DataFrame(found)
    frame = frame[frame["metric"] == "acc"]
    mean = frame.groupby(["arm", "seed", "task"])["value"].mean()
    reference, tuned = arms.discipline_lora().name, arms.full(arms.TUNED).name
    tasks = [f"test_{d}" for d in SCIENCE]
    per_seed = [
        np.mean([100 * (mean[tuned, s, t] / mean[reference, s, t] - 1) for t in tasks])
        for s in range(3)
    ]
    shown = pd.read_csv(written[0] / "tables" / "table_3.csv")
    line = shown[(shown["arm"] == tuned) & (shown["column"] == "delta_m")].iloc[0]
    assert line["mean"] == pytest.approx(np.mean(per_seed), rel=1e-8)
    half = 4.302652729911275 * np.std(per_seed, ddof=1) / np.sqrt(3)
    assert line["high"] - line["low"] == pytest.approx(2 * half, rel=1e-6)
    assert line["published"] == "7.376"


def test_absent_numbers_are_dashes_and_published_ones_are_marked(written):
    text = (written[0] / "tables" / "table_3.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    width = {line.count("|") for line in lines}
    assert len(width) == 1
    own = next(line for line in lines if "Discipline LoRA" in line)
    assert own.split("|")[10].strip() == "\u2014"
    assert "nan" not in text.lower()
    assert "| none" not in text.lower()
    # The base, discipline LoRA, and the two versions of both methods.
    assert text.count("published, 7B, one run") == 6
    assert "0.264\u00d75" in text


def test_latex_is_well_formed(written):
    for name in ("table_3", "table_8", f"arms_{LAW.name}"):
        text = (written[0] / "tables" / f"{name}.tex").read_text()
        assert text.isascii()
        body = text.split("\\toprule")[1].split("\\bottomrule")[0]
        columns = len(re.search(r"@\{\}(l+r+)@\{\}", text)[1])
        for line in body.splitlines():
            if line.endswith("\\\\") and "multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == columns - 1, line
        assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
        assert text.count("\\begin{") == text.count("\\end{")
        assert "_" not in re.sub(r"\\_", "", text.split("\\label")[0].split("\n", 1)[1])


def test_special_characters_compile_and_read_as_they_are():
    nasty = "[a]_b* -- & 50 % of $x^2 #1 {~} \\ <> \u00e9 \u5316"
    text = escape(nasty)
    assert text.startswith("{[}a{]}\\_b{*} -{}- ")
    assert text.endswith("\\'{e} {[}U+5316{]}")
    assert text.isascii()


def test_special_characters_are_escaped():
    nasty = "a_b & 50 % of $x^2 #1 {~} \\ <>"
    assert escape(nasty) == (
        "a\\_b \\& 50 \\% of \\$x\\textasciicircum{}2 \\#1 \\{\\textasciitilde{}\\} "
        "\\textbackslash{} \\textless{}\\textgreater{}"
    )
    grid = Grid(
        columns=(Column(key="x", header="x_1 (%)", unit="u"),),
        rows=(Row(label=nasty, arm="a", cells=(Cell(published="-1_%"),)),),
        scale="s_1",
    )
    text = latex(Table(name="t", title="t", caption="c & d"), grid, "t")
    assert " & x\\_1 (\\%) " in text
    assert "--- \\\\" in text
    assert "\\textit{$-$1\\_\\%}" in text
    assert "c \\& d Scale: s\\_1." in text


def test_bytes_do_not_depend_on_the_day_or_the_row_order(found, tmp_path, monkeypatch):
    outputs = []
    for k, order in enumerate((found, found[::-1])):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(10**9 * (k + 1)))
        folder = tmp_path / str(k)
        paths = render(LAW, context(table(order)), folder, folder)
        outputs.append({p.name: p.read_bytes() for p in paths})
    assert outputs[0] == outputs[1]


def test_pictures_have_their_size_and_embedded_fonts(written):
    for path in (written[0] / "figures").glob("*.png"):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
            assert image.width == round(TWO_COLUMNS * DPI)
            colors = image.convert("RGB").getcolors(maxcolors=10**6)
            assert len(colors) > 20
        pdf = path.with_suffix(".pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
        assert b"/FontFile2" in pdf
        assert b"/CreationDate" not in pdf


def test_a_missing_arm_leaves_empty_cells_and_the_command(found, tmp_path):
    lost = arms.lora_moe("shared_a")
    render(LAW, context(table([r for r in found if r["arm"] != lost.name])), tmp_path, tmp_path)
    frame = pd.read_csv(tmp_path / "table_8.csv").query("arm == @lost.name")
    assert len(frame) == 6
    assert frame[["mean", "low", "high", "seeds", "items"]].isna().all(axis=None)
    assert frame["published"].notna().all()
    text = (tmp_path / "table_8.md").read_text()
    assert "| Shared A | no scores | \u2014 |" in text
    note = "No scores yet of 1 of 8 arms: Shared A (Data 100 %); run: snakemake"
    assert f"{note} --profile local law_share_then_specialize" in text
    assert "No scores yet of 1 of 8 arms" in (tmp_path / "table_8.tex").read_text()
    # What is planned or printed does not wait for scores.
    assert "No scores yet" not in (tmp_path / "table_3.md").read_text()


def test_nothing_is_written_where_no_arm_has_scores(found, tmp_path):
    other = [r | {"arm": "somebody_elses"} for r in found if r["arm"] == LAW.base.name]
    with pytest.raises(InputError, match=r"no scores of any of its 6 arms .* run: snakemake"):
        render(LAW, context(table(other)), tmp_path / "t", tmp_path / "f")
    assert not list(tmp_path.iterdir())


def test_an_arm_whose_runs_all_diverged_is_not_sent_to_be_run_again(found, tmp_path):
    lost = arms.lora_moe("rank_route").name
    gone = [r for r in found if r["arm"] != lost]
    gone += [
        r | {"task": "train", "item_id": "", "metric": "diverged", "value": 1.0}
        for r in found
        if r["arm"] == lost and r["task"] == "test_math" and r["item_id"] == "i0"
    ]
    plain = dataclasses.replace(LAW, figures=())
    render(plain, context(table(gone), plain), tmp_path, tmp_path)
    text = (tmp_path / "table_8.md").read_text()
    assert "Rank-wise routing | no scores" in text
    assert "Diverged runs, not in the means: Rank-wise routing (Data 100 %) 3." in text
    assert "No scores yet" not in text


def test_missing_router_and_missing_verdict(found, tmp_path):
    scores = table([r for r in found if r["metric"] == "acc"])
    with pytest.raises(InputError, match="routing"):
        render(LAW, context(scores), tmp_path, tmp_path)
    plain = dataclasses.replace(LAW, figures=("figure_4c",))
    paths = render(plain, context(scores, plain, judged=False), tmp_path, tmp_path)
    assert not [p for p in paths if "hypotheses" in p.name]


def test_a_single_seed_says_items_only(tmp_path):
    scores = table(rows(seeds=1))
    paths = render(LAW, context(scores), tmp_path, tmp_path)
    frame = pd.read_csv(tmp_path / "table_8.csv")
    assert set(frame["interval"]) == {"items only, one seed"}
    delta = pd.read_csv(tmp_path / "table_3.csv").query("column == 'delta_m'")
    assert delta["low"].isna().all()
    assert paths


def test_unscored_and_diverged_are_said(found, tmp_path):
    wounded = [dict(r) for r in found]
    arm = arms.lora_moe("plain").name
    victim = next(r for r in wounded if r["arm"] == arm and r["metric"] == "acc")
    victim["value"] = float("nan")
    gone = [r for r in wounded if not (r["arm"] == arm and r["seed"] == 2)]
    gone.append(
        victim | {"seed": 2, "task": "train", "item_id": "", "metric": "diverged", "value": 1.0}
    )
    render(LAW, context(table(gone)), tmp_path, tmp_path)
    text = (tmp_path / "table_8.md").read_text()
    assert "Diverged runs, not in the means: Plain (Data 100 %) 1." in text
    assert "Up to 1 (seed, item) cells" in text
    row = pd.read_csv(tmp_path / "table_8.csv").query("arm == @arm and column == 'average'")
    assert row["seeds"].tolist() == [2]


def test_routing_is_one_seed_and_information_every_seed(scores):
    routing = context(scores).summary.routing(arms.lora_moe("shared_a"))
    assert routing.matrices.shape == (3, 5, 5)
    np.testing.assert_allclose(routing.matrices.sum(axis=2), 1.0)
    assert [d.name for d in routing.disciplines] == list(SCIENCE)
    # Expert labels are permuted between the synthetic seeds, which the information ignores.
    assert not np.allclose(routing.matrices[0], routing.matrices[1])
    assert routing.information == pytest.approx([routing.information[0]] * 3)


def test_a_strangers_law_gets_its_table_and_forest(tmp_path):
    ours, theirs = arms.lora(), arms.full()
    law = Law(
        name="mine",
        title="Mine",
        claim="c",
        source="s",
        hypotheses=(
            Hypothesis(
                name="better",
                role="primary",
                claim="c",
                estimand=difference([ours], [theirs]),
                alternative="greater",
                sesoi=1.0,
            ),
        ),
    )
    paths = render(law, context(table(rows(law)), law), tmp_path, tmp_path)
    assert {p.name for p in paths} == {
        "arms_mine.csv", "arms_mine.md", "arms_mine.tex",
        "hypotheses_mine.pdf", "hypotheses_mine.png",
    }  # fmt: skip


def test_a_table_that_the_law_cannot_fill_says_so(scores, tmp_path):
    law = dataclasses.replace(LAW, shown=(), hypotheses=LAW.hypotheses[:3])
    with pytest.raises(InputError, match=r"table_3: .* declares 0 arms"):
        render(law, context(scores, law), tmp_path, tmp_path)


def test_unknown_renderer_names_the_nearest():
    assert {"table_3", "table_8"} <= set(renderers("tables"))
    with pytest.raises(InputError, match="figure_4c"):
        renderer("figures", "figure_4cc")


def test_rendering_imports_no_torch():
    code = (
        "import sys, lawcheck.show as r; from lawcheck.show.registry import renderers; "
        "renderers('tables'); renderers('figures'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_undefined_relative_change_is_a_dash(found, tmp_path):
    reference = arms.discipline_lora().name
    zero = [
        r | {"value": 0.0} if r["arm"] == reference and r["task"] == "test_math" else r
        for r in found
    ]
    render(LAW, context(table(zero)), tmp_path, tmp_path)
    frame = pd.read_csv(tmp_path / "table_3.csv").query("column == 'delta_m'")
    assert frame["mean"].isna().all()
    assert "nan" not in (tmp_path / "table_3.md").read_text().lower()


def test_a_design_that_was_not_fixed_beforehand_is_marked_everywhere(scores, tmp_path):
    fixed = context(scores)
    assert fixed.verdict is not None
    loose = dataclasses.replace(
        fixed, verdict=dataclasses.replace(fixed.verdict, preregistered=False)
    )
    render(LAW, loose, tmp_path, tmp_path)
    for page in tmp_path.glob("*.md"):
        assert "exploratory" in page.read_text(encoding="utf-8"), page.name
    assert fixed.shown_scale == fixed.scale_name


# ------------------------------------------------------------------- every law that is found


@functools.cache
def synthetic(name: str) -> list[dict]:
    return rows(discovery.law(name), items=20)


@pytest.fixture
def coarse(monkeypatch):
    """Pictures of few pixels: the contract is about what is drawn, not how sharp."""
    monkeypatch.setitem(style.RC, "savefig.dpi", 40)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", sorted(discovery.laws()))
def test_every_law_renders_from_what_there_is(name, damage, coarse, tmp_path):
    law = discovery.law(name)
    found = damaged(law, synthetic(name), damage)
    paths = render(law, context(table(found), law), tmp_path, tmp_path)
    assert paths == outputs(law, tmp_path, tmp_path)
    assert all(p.stat().st_size for p in paths)
    lost = lost_arm(law).name
    for path in (p for p in paths if p.suffix == ".csv"):
        words = path.with_suffix(".md").read_text() + path.with_suffix(".tex").read_text()
        assert not re.search(r"\bnan\b", words.lower()), path.stem
        assert "None" not in words, path.stem
        frame = pd.read_csv(path)
        if damage == "an arm is missing" and (frame["arm"] == lost).any():
            measured = frame[(frame["arm"] == lost) & (frame["unit"] == "accuracy")]
            assert measured["mean"].isna().all(), path.stem
            assert f"snakemake --profile local law_{name}" in words, path.stem
        if damage == "one seed" and frame["seeds"].notna().any():
            assert set(frame["seeds"].dropna()) == {1}, path.stem
        if damage == "a discipline is missing" and "average" in set(frame["column"]):
            assert "4 of 5 disciplines" in words, path.stem


def test_laws_never_write_the_same_file(tmp_path):
    paths = [p for law in discovery.laws().values() for p in outputs(law, tmp_path, tmp_path)]
    assert len(paths) == len(set(paths))


def test_a_law_that_borrows_a_table_gets_a_file_of_its_own(found, tmp_path):
    theirs = dataclasses.replace(LAW, name="mine", figures=())
    render(theirs, context(table(found), theirs), tmp_path, tmp_path)
    assert (tmp_path / "table_8_mine.csv").is_file()
    assert not (tmp_path / "table_8.csv").exists()


def titled(title: str) -> tuple:
    """The test's disciplines, the first under another title."""
    first, *rest = disciplines()
    return (dataclasses.replace(first, title=title, name=first.name), *rest)


@pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)",
)
def test_latex_compiles(tmp_path):
    texts = []
    for name in sorted(discovery.laws()):
        law = dataclasses.replace(discovery.law(name), figures=())
        for damage in ("complete", "an arm is missing"):
            folder = tmp_path / name / damage.replace(" ", "_")
            scores = table(damaged(law, synthetic(name), damage))
            nasty = titled("[x] *&%$#_{}~^<>\\ \u00e9\u5316 \u03b1--\u00b2")
            render(law, context(scores, law, judged=False, disciplines=nasty), folder, folder)
            texts += [p.read_text(encoding="ascii") for p in sorted(folder.glob("*.tex"))]
    for packages in {tuple(re.findall(r"^% needs (.*)$", t, re.M)) for t in texts}:
        assert packages == ("\\usepackage{booktabs,graphicx}",)
    (tmp_path / "all.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
        + "\n\\clearpage\n".join(texts)
        + "\n\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-no-shell-escape", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, log[-2000:]
    assert "Float too large" not in log
    assert "Overfull \\hbox" not in log
