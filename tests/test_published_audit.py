"""The audit finds what stands in the tables, finds what is planted, and is quiet on clean ones."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawcheck.show.audit import (
    Finding,
    agreement,
    arithmetic,
    arrows,
    audit,
    granularity,
    parameters,
    repetition,
    words,
    write_audit,
)
from lawcheck.show.audit.contrasts import Results, judge_claims, pair, scatter
from lawcheck.show.audit.declared import Claim, claims, specs
from lawcheck.show.audit.schema import Printed, cells
from lawcheck.show.printed import printed, table_names
from lawcheck.studies.discipline_laws.audit import SPREADS
from lawcheck.studies.versatune.released import distinct


def packaged() -> dict[str, pd.DataFrame]:
    return {name: printed(name) for name in table_names()}


def only(*names: str) -> dict[str, pd.DataFrame]:
    return {name: printed(name) for name in names}


def kinds(found: list[Finding]) -> set[str]:
    return {f.kind for f in found}


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return audit()


@pytest.fixture(scope="module")
def contrasts():
    return {c.claim.name: c for c in judge_claims(packaged(), claims())}


# --------------------------------------------------------- what stands in the tables, by hand


def by_hand(found: list[Finding], kind: str) -> dict[str, Finding]:
    return {f.where: f for f in found if f.kind == kind}


def test_averages_that_do_not_recompute(found):
    average = by_hand(found, "average")
    errors = {w for w, f in average.items() if f.severity == "error"}
    # (0.567 + 0.556 + 0.727 + 0.846 + 0.751) / 5 = 0.6894, printed 0.691;
    # 9.446 / 12 = 0.7872, printed 0.873; 10.57 / 12 = 0.8808, printed 0.883: 1.00 is at most 1.
    assert errors == {"Table 5, row 15, avg", "Table 2, row 4, acc", "Table 2, row 15, acc"}
    assert average["Table 5, row 15, avg"].recomputed == "0.6894"
    assert average["Table 2, row 4, acc"].recomputed == "0.7872"
    assert average["Table 2, row 15, acc"].recomputed == "0.8808"
    # Rows whose deleted tasks are printed as 0 average the other ten: a convention, no error.
    assert sum(f.severity == "note" for f in average.values()) == 4


def test_weighted_mean_and_domain_score(found):
    length = by_hand(found, "weighted_mean")["Table 1, row 6, avg_len_words"]
    own = (
        2_000_000 * 267.74 + 713_218 * 57.66 + 51_427 * 50.61 + 490_766 * 139.17 + 39_749 * 114.20
    ) / 3_295_160
    assert length.printed == "188.17"
    assert length.recomputed == f"{own:.2f}" == "197.88"
    # (65.03 + 73.24) / 2 = 69.135, printed 34.14.
    (domain,) = by_hand(found, "domain_score").values()
    assert (domain.where, domain.recomputed) == ("Table 4, row 13, finance", "69.135")
    # Totals, shares and delta-m recompute.
    assert not kinds(found) & {"total", "share", "relative_change"}


def test_arrows_against_numbers(found):
    arrow = by_hand(found, "arrow")
    assert {w: f.severity for w, f in arrow.items()} == {
        "Table 1, row 8, general": "error",  # 54.58 with an arrow down from 54.50
        "Table 4, row 13, general": "note",  # 65.75 with an arrow down from 65.75
    }


def test_repetitions_and_coincidences(found):
    (rows,) = [f for f in found if f.kind == "repeated_rows"]
    assert rows.where == "Table 3, rows 2 to 5 and 7 to 10"
    (same,) = [f for f in found if f.kind == "coincidence"]
    assert same.printed == "36.54, 28.78, 42.74, 47.67"
    assert "medmcqa" in same.where
    assert "humaneval" in same.where


def test_disagreements_and_exchanged_headings(found):
    differ = by_hand(found, "disagreement")
    # One selector, the same accuracy 0.875, but 0.517/0.592/0.517 and 0.623/0.415/0.543.
    assert differ["Table 2, row 13 and Table 4, row 4"].printed == "0.517, 0.592, 0.517"
    assert differ["Table 2, row 13 and Table 4, row 4"].recomputed == "0.623, 0.415, 0.543"
    assert {f.paper for f in differ.values()} == {"adapters_selector"}
    (exchanged,) = [f for f in found if f.kind == "exchanged_headings"]
    assert exchanged.where == "Table 3, columns legal and fin"


def test_what_the_selectors_tables_hide(found):
    own = [f for f in found if f.paper == "adapters_selector"]
    # The average would need 2.238 in two cells that are at most 1: (8.240 + 2) / 12 = 0.8534.
    (average,) = by_hand(own, "impossible_average").values()
    assert average.recomputed == "0.8534 at most"
    (best,) = by_hand(own, "best_of_block").values()
    assert (best.printed, best.recomputed) == ("selector 19", "selector 21")
    # 1/265 = 0.0038, so that 0.996 is one error; the six tasks' selector is scored on 982.
    sizes = by_hand(own, "items_a_task")
    assert sizes["Table 2"].recomputed.startswith("265, 530,")
    assert "every row but 1" in sizes["Table 3"].note
    assert {w for w, f in sizes.items() if f.severity == "warning"} == {"Table 3"}
    copied = by_hand(own, "number_of_copied_row")
    assert set(copied) == {
        "section 5.3, balance_loses_extraction",
        "section 5.3, balance_lifts_generation",
    }
    assert by_hand(own, "ratio_unit")["section 5.3, delete"].recomputed == "ratio 0.1, 10 %"
    # The ten tasks that stay: (10.493 - 0.415 - 0.543) / 10 before.
    kept = by_hand(own, "retained_performance")["section 5.3, delete"]
    assert kept.recomputed == "0.989 from 0.954"
    assert {f.recomputed for f in own if f.kind == "embedding_lead"} == {"1 of 6"}
    assert by_hand(own, "named_selector")["section 5.1, selector28"].recomputed.endswith("0.604")
    beaten = by_hand(own, "beaten")["Table 1, MTFCoder"]
    assert beaten.recomputed == "legal_ie 0.740 against 0.553"


def test_ambiguities_are_notes(found):
    for kind in ("ambiguous_label", "repeated_configuration"):
        (finding,) = [f for f in found if f.kind == kind]
        assert finding.severity == "note"
        assert finding.confidence == "low"


def test_granularity(found):
    wrong = {(f.paper, f.where): f for f in found if f.kind == "granularity"}
    instructions = wrong["discipline_laws", "Table 2, ifeval"]
    # 0.742 * 541 lies in 401.15 to 401.69: no whole number; 834 has one for each value.
    assert instructions.printed == "0.742, 0.748, 0.764, 0.783"
    assert "834" in instructions.note
    assert ("versatune", "Table 9, humaneval") in wrong
    assert "23.45" in wrong["versatune", "Table 6, medqa"].printed
    sizes = {f.where: f.recomputed for f in found if f.kind == "possible_sizes"}
    assert all(v.startswith("265,") for w, v in sizes.items() if w.startswith("Table 2"))


def test_parameter_grid(found):
    grid = {f.paper: f for f in found if f.kind == "parameter_grid"}
    assert "q+k+v+o+gate, rank 16, 151665" in grid["discipline_laws"].recomputed
    assert grid["adapters_selector"].recomputed == (
        "q+k+v+o+gate+up+down, 152064 vocabulary rows, share of base and adapters"
    )
    assert "parameter_share" in kinds(found)


def test_base_parameters_are_those_of_the_model():
    # Qwen2.5-7B's own count, which its model card rounds to 7.61 billion.
    assert parameters.base_parameters(152064) == 7_615_616_512
    one = parameters.Setting(("q",), 16, 152064, "base")
    assert parameters.lora(one) == 28 * 16 * (3584 + 3584)
    more = parameters.Mixture(5, "per layer")
    assert parameters.mixture(one, more, False) == 5 * parameters.lora(one) + 28 * 5 * 3584
    assert parameters.mixture(one, more, True) == 28 * (16 * 6 * 3584 + 5 * 3584)


def test_claims_by_hand(contrasts):
    c = contrasts
    # (0.664 - 0.653 + 0.708 - 0.671) / 2
    assert c["shared_a_gains"].value == pytest.approx(2.4)
    # (0.697 - 0.677 + 0.696 - 0.671 + 0.687 - 0.687) / 3
    assert c["diverse_100k_helps"].value == pytest.approx(1.5)
    assert (c["diverse_100k_helps"].agree, c["diverse_100k_helps"].pairs) == (2, 3)
    # 0.687 - (0.686 + 0.671) / 2: the composition's peak is the highest, not the lowest.
    assert c["composition_lower_peak"].value == pytest.approx(0.85)
    assert c["composition_lower_peak"].agree == 0
    assert c["multi_below_single"].pairs == 15
    # Every fine-tuned model below 0.808.
    assert (c["tuning_loses_instructions"].agree, c["tuning_loses_instructions"].pairs) == (9, 9)
    assert c["mixing_restores_instructions"].agree == 5
    assert c["recipe_lifts_moe"].changed == ("design", "general", "upsample")
    assert c["inverse_below_uniform"].agree == 41
    assert c["tuned_moe_better_out_of_domain"].value == pytest.approx(3.2)
    # sqrt((0.707 * 0.293 + 0.739 * 0.261) / 14042)
    se = 100 * math.sqrt((0.707 * 0.293 + 0.739 * 0.261) / 14042)
    assert c["tuned_moe_better_out_of_domain"].se_items == pytest.approx(se)
    assert c["tuned_moe_better_out_of_domain"].outcome == "supported"
    assert c["shared_a_gains"].outcome == "within noise"
    for one in c.values():
        if one.se_items is not None:
            assert one.se_items_correlated < one.se_items


def test_run_noise_by_hand():
    results = Results(packaged())
    spread = SPREADS[0]
    sd, df = scatter(results, "discipline_laws", spread.runs, spread.factors, ("bio",))
    table = printed("table4_scales")
    table = table[table["method"].isin(["LoRA", "LoRA-MoE", "LoRA-Comp"])]
    grid = table.pivot(index="method", columns="data_pct", values="bio").astype(float).to_numpy()
    rest = grid - grid.mean(0) - grid.mean(1)[:, None] + grid.mean()
    assert df == 8
    assert sd == pytest.approx(math.sqrt((rest**2).sum() / 8))


# ------------------------------------------------------------------------- clean and planted


def repaired() -> dict[str, pd.DataFrame]:
    """The packaged tables with every arithmetic slip and arrow put right."""
    tables = packaged()
    tables["table5_upsample"].loc[14, "avg"] = "0.689"
    tables["table1_corpus"].loc[5, "avg_len_words"] = "197.88"
    tables["adapters_selector_t2"].loc[[3, 14], "acc"] = ["0.787", "0.881"]
    t3 = tables["adapters_selector_t3"]
    t3[["med_tg", "med_qa"]] = t3[["med_tg", "med_qa"]].replace("0.00", "\u2014")
    ablation = tables["versatune_constant_ablation"]
    ablation.loc[12, ["finance", "avg"]] = ["69.14", "62.16"]
    ablation.loc[12, "arrow_general"] = ""
    tables["versatune_main"].loc[7, "arrow_general"] = "up"
    return tables


def test_clean_tables_give_no_error():
    tables = repaired()
    assert not [f for f in arithmetic.check(tables) if f.where != "Table 3, row 2, acc"]
    assert not arrows.check(tables)
    main = {n: t for n, t in tables.items() if n.startswith("table")}
    assert not agreement.disagreements(main)
    assert not agreement.exchanged_headings(tables | {"adapters_selector_t3": t3_exchanged()})
    assert not repetition.repeated_rows(main)
    assert not repetition.coincidences(main)
    assert not granularity.against_stated_sizes(only("test_sizes", "table4_scales"))


def t3_exchanged() -> pd.DataFrame:
    """The third paper's Table 3 with the headings of two groups exchanged."""
    frame = printed("adapters_selector_t3")
    legal, fin = ([c for c in frame if c.startswith(p)] for p in ("legal", "fin"))
    return frame.rename(columns=dict(zip(legal + fin, fin + legal, strict=True)))


@pytest.mark.parametrize("spec", [s for s in specs() if s.means], ids=lambda s: s.name)
def test_a_wrong_average_is_found_anywhere(spec):
    tables = repaired()
    for column in spec.means:
        frame = tables[spec.name]
        before = Printed(frame.loc[1, column])
        digits = len(before.text.partition(".")[2])
        frame.loc[1, column] = f"{before.value + 0.03 * spec.unit:.{digits}f}"
        where = f"{spec.where}, row 2, {column}"
        assert where in {f.where for f in arithmetic.averages(tables) if f.paper == spec.paper}


@pytest.mark.parametrize(
    ("name", "line", "column", "value", "kind"),
    [
        ("table1_corpus", 5, "samples", "3295161", "total"),
        ("table1_corpus", 2, "pct", "1.7", "share"),
        ("table3_final", 3, "delta_m_pct", "8.376", "relative_change"),
        ("versatune_bench_medqa_medmcqa", 0, "medqa", "33.45", "domain_score"),
    ],
)
def test_planted_arithmetic_is_found(name, line, column, value, kind):
    tables = repaired()
    tables[name].loc[line, column] = value
    assert kind in kinds(arithmetic.check(tables))


def test_planted_disagreement_arrow_and_repetition_are_found():
    tables = repaired()
    tables["table8_design"].loc[4, "bio"] = "0.638"
    (finding, *_) = agreement.disagreements({n: tables[n] for n in tables if n[:5] == "table"})
    assert "bio" in finding.note

    bench = tables["versatune_bench_humaneval_mbpp"]
    bench.loc[5, "arrow_mbpp"] = "up"
    assert [f.where for f in arrows.check(tables)] == ["Table 9, row 6, mbpp"]

    table = tables["table7_params"]
    columns = ["chem", "med", "bio", "math", "geo", "avg"]
    table.loc[8, columns] = table.loc[2, columns]
    (twin,) = repetition.repeated_rows({"table7_params": table})
    assert twin.where == "Table 7, rows 3 and 9"
    table.loc[8, ["chem", "avg"]] = ["0.601", "0.698"]
    assert kinds(repetition.coincidences({"table7_params": table})) == {"coincidence"}

    tables["adapters_selector_t2"] = tables["adapters_selector_t2"].rename(
        columns={"legal_ie": "fin_re", "fin_re": "legal_ie"}
    )
    assert kinds(agreement.check(tables)) >= {"disagreement"}


def test_planted_impossible_score_is_found():
    tables = only("test_sizes", "table2_if")
    tables["test_sizes"] = tables["test_sizes"].query("column == 'ifeval' and n_items == '834'")
    assert not granularity.check(tables)
    tables["table2_if"].loc[3, "ifeval"] = "0.7421"
    (finding,) = granularity.against_stated_sizes(tables)
    assert finding.printed == "0.7421"


@given(
    n=st.integers(1, 5000),
    share=st.floats(0, 1),
    digits=st.integers(1, 4),
)
def test_a_true_share_is_always_possible(n, share, digits):
    k = round(share * n)
    assert granularity.possible(Printed(f"{k / n:.{digits}f}"), n)
    assert granularity.possible(Printed(f"{100 * k / n:.{digits}f}"), n, unit=100.0)


@given(
    values=st.lists(st.floats(0, 1), min_size=2, max_size=12),
    digits=st.integers(2, 4),
)
def test_a_true_average_always_recomputes(values, digits):
    parts = {str(k): Printed(f"{v:.{digits}f}") for k, v in enumerate(values)}
    low, high = arithmetic.weighted(parts, dict.fromkeys(parts, 1.0))
    assert Printed(f"{sum(values) / len(values):.{digits}f}").fits(low, high)


def planted(gain: float) -> dict[str, pd.DataFrame]:
    """Table 8 with a known gain of sharing A, and Table 4 for the noise."""
    tables = only("table4_scales", "table8_design", "test_sizes")
    frame = tables["table8_design"]
    for plain, shared in ((0, 2), (4, 6)):
        for column in ("chem", "med", "bio", "math", "geo", "avg"):
            frame.loc[shared, column] = f"{float(frame.loc[plain, column]) + gain:.3f}"
    return tables


@pytest.mark.parametrize(
    ("gain", "outcome"), [(0.1, "supported"), (-0.1, "reversed"), (0.0, "within noise")]
)
def test_contrasts_are_judged_by_size_and_sign(gain, outcome):
    (claim,) = [c for c in claims() if c.name == "shared_a_gains"]
    (contrast,) = judge_claims(planted(gain), [claim])
    assert contrast.value == pytest.approx(100 * gain)
    assert contrast.outcome == outcome
    found = kinds(words.about_contrasts([contrast]))
    assert (
        found
        == {
            "supported": set(),
            "reversed": {"claim_reversed"},
            "within noise": {"claim_within_noise"},
        }[outcome]
    )


def test_pairs_agree_in_what_is_not_compared():
    results = Results(packaged())
    for claim in claims():
        if claim.peak:
            continue
        named = {k for k in claim.treatment if claim.treatment[k] != claim.control.get(k)}
        named |= {k for k in claim.control if claim.control[k] != claim.treatment.get(k)}
        pairs = pair(results, claim)
        assert pairs, claim.name
        for treated, control in pairs:
            a, b = dict(treated), dict(control)
            assert {k for k in a.keys() & b.keys() if a[k] != b[k]} <= named


def test_a_claim_without_cells_is_passed_over():
    claim = Claim(
        name="nothing",
        paper="discipline_laws",
        source="nowhere",
        words="nothing is compared",
        says="greater",
        treatment={"design": ("unheard of",)},
        control={"design": ("plain",)},
    )
    assert judge_claims(packaged(), [claim]) == []
    assert audit({}) == []


def test_every_cell_of_the_specified_tables_is_read():
    read = {(c.spec.name, c.line, c.column) for c in cells(packaged())}
    for spec in specs():
        frame = printed(spec.name)
        assert set(spec.values) <= set(frame)
        filled = sum((frame[c] != "").sum() - (frame[c] == "\u2014").sum() for c in spec.values)
        assert sum(1 for name, _, _ in read if name == spec.name) == filled


def test_written_audit(tmp_path):
    tables = repaired()
    paths = write_audit(tmp_path / "a", tables)
    again = write_audit(tmp_path / "b", tables)
    assert [p.name for p in paths] == ["audit.json", "audit.md", "contrasts.pdf", "contrasts.png"]
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]
    data = json.loads(paths[0].read_text())
    fields = {"paper", "where", "kind", "printed", "recomputed", "note", "severity", "confidence"}
    assert all(set(f) == fields for f in data["findings"])
    assert {c["runs"] for c in data["contrasts"]} == {"single"}
    page = paths[1].read_text()
    for line in page.splitlines():
        if line.startswith("| "):
            assert line.replace("\\|", "").count("|") in (7, 8)


# ------------------------------------------------------------------ what released code adds


def test_what_versatunes_released_code_says_of_its_tables(found):
    # 65.71 - 56.33 as printed; (51.29 + 44.88 + 69.135 + 63.39 + 78.53 + 65.75) / 6 = 62.1625.
    (lead,) = by_hand(found, "lead").values()
    assert (lead.printed, lead.recomputed) == ("9.38", "3.55")
    names = {(f.printed, f.recomputed) for f in found if f.kind == "name"}
    assert names == {("baichuan2-7b", "LLaMA-2-7B"), ("baichuan2-13b", "LLaMA-2-13B")}
    sizes = by_hand(found, "size")
    assert sizes["Table 2, row 1, samples"].recomputed == "8,241"
    assert {"Table 3, row 10, n_items", "Table 3, row 12, n_items"} <= set(sizes)
    # 8,241 (1 - (1 - 1/8,241)^10,000): with replacement 30 % are missed.
    even = [f for f in found if f.kind == "replacement" and f.note.startswith("even")]
    assert {(f.printed, f.recomputed) for f in even} == {
        ("10,000 rows of law", "5,792 distinct"),
        ("10,000 rows of science", "5,986 distinct"),
    }
    lost = {f.where: f.printed for f in found if f.kind == "detection"}
    assert lost["Figure 5, Qwen-2-7B"] == "8,058 texts"
    assert len(lost) == 3


def test_distinct_rows_of_a_draw():
    assert distinct(100, 100) == 100
    # Two draws of two rows: the second is new half of the times.
    assert distinct(2, 2.000001) == pytest.approx(1.5, abs=1e-5)
