"""The report: one page that says what the verdicts say, loads nothing and works in a browser."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pandas as pd
import pytest
from jinja2 import Environment, StrictUndefined
from report_world import planner, study

from lawcheck.cli.main import main, parser
from lawcheck.declare import discovery
from lawcheck.declare.design import Hypothesis, Law, Outcome, PartOutcome, difference
from lawcheck.errors import InputError
from lawcheck.judging.outcomes import minus
from lawcheck.judging.verdict_forms import power_lines, read_verdict
from lawcheck.pipeline.workflow import Workflow
from lawcheck.show.labels import arm_labels, part_label, readable
from lawcheck.show.page import words, write_report
from lawcheck.show.page.moves import moves
from lawcheck.show.page.parts import printed_estimate
from lawcheck.show.printed import printed, rows_of
from lawcheck.studies.discipline_laws import arms

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference" / "proxy"
SHARE = discovery.law("share_then_specialize")
EVIL = "<script>window.pwned = 1</script>"
STRANGER = Law(
    name="strangers_law",
    title=f"A stranger's {EVIL} law",
    claim=f'Full fine-tuning beats "LoRA" & {EVIL}',
    source="<img src=x onerror='window.pwned = 1'>",
    hypotheses=(
        Hypothesis(
            name="better",
            role="primary",
            claim=f"full beats LoRA {EVIL}",
            estimand=difference([arms.full()], [arms.lora()]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


class Document(HTMLParser):
    """Elements with their attributes, text by element, and a check that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({k for k, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag):
        return [a for t, a in self.elements if t == tag]

    @property
    def shown(self) -> str:
        """Everything a reader sees, white space folded."""
        seen = [t for tag, found in self.texts.items() if tag not in ("style", "script")
                for t in found]  # fmt: skip
        return " ".join(" ".join(seen).split())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return study(tmp_path_factory.mktemp("report") / "results", [SHARE, STRANGER])


@pytest.fixture
def laws(monkeypatch):
    """The discovered laws and a stranger's."""
    found = {**discovery.laws(), STRANGER.name: STRANGER}
    monkeypatch.setattr(discovery, "laws", lambda: found)


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        found = {**discovery.laws(), STRANGER.name: STRANGER}
        patch.setattr(discovery, "laws", lambda: found)
        written = write_report(planner(), results, tmp_path_factory.mktemp("page"))
    assert written.refused == ()
    return written.path


@pytest.fixture(scope="module")
def document(page):
    return Document(page.read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_anywhere(document):
    for tag, attributes in document.elements:
        for name in ("src", "href", "srcset", "poster", "data", "action", "formaction"):
            if name in attributes:
                assert attributes[name].startswith(("#", "data:")), (tag, attributes[name])
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    style = "".join(document.texts["style"])
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_this_style_and_this_script_only(document):
    policy = next(
        a["content"]
        for a in document.of("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind in ("style", "script"):
        text = "".join(document.texts[kind]).encode()
        sha = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert f"{kind}-src 'sha256-{sha}'" in policy
    assert "unsafe" not in policy


def test_ids_are_unique_and_every_reference_leads_somewhere(document):
    ids = [a["id"] for _, a in document.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in document.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    for link in document.of("a"):
        assert link["href"].removeprefix("#") in ids
    assert all(len(image["alt"]) > 20 for image in document.of("img"))
    assert sum(tag == "table" for tag, _ in document.elements) == sum(
        "scroll" in (a.get("class") or "").split() and tag == "div" and "paper" not in a["class"]
        for tag, a in document.elements
    )


def test_a_strangers_law_has_a_card_and_its_markup_stays_text(document):
    assert len(document.of("script")) == 1
    assert f"A stranger's {EVIL} law" in document.shown
    assert f'Full fine-tuning beats "LoRA" & {EVIL}' in document.shown
    assert "onerror='window.pwned = 1'>" in document.shown
    assert {"id": f"law-{STRANGER.name}"}.items() <= next(
        a for a in document.of("section") if a["id"] == f"law-{STRANGER.name}"
    ).items()


def test_every_part_shows_what_the_verdict_says(document, results):
    for law in (SHARE, STRANGER):
        verdict = read_verdict(results.verdict(law.name))
        labels = arm_labels(law)
        assert words.headline(verdict, True) in document.shown
        for h, p in zip(law.hypotheses, verdict.parts, strict=True):
            assert h.claim in document.shown
            assert words.signed(p.estimate, p.unit) in document.shown
            if p.low is not None:
                assert " ".join(words.interval(p, p.unit).split()) in document.shown
            if p.p is not None and p.role == "primary":
                assert words.p_value(p.p) in document.shown
            for check in p.checks:
                assert words.signed(check.low, check.unit) in document.shown
                assert readable(check.claim, labels) in document.shown
            for case in p.conjuncts:
                assert part_label(case.name) in document.shown
            for note in p.notes:
                said = f"{note[0].upper()}{note[1:]}"
                listed = note.startswith("not tested, not passed:")
                assert listed or said in document.shown or minus(said) in document.shown
        for line in power_lines(verdict):
            assert line in document.shown
    assert "preregistered" in document.shown
    assert "exploratory: no preregistered design at this scale" in document.shown
    assert "reproduced" not in document.shown.lower()


def test_laws_that_were_not_run_are_named_with_the_command(document):
    for name in set(discovery.laws_of(planner().scale.studies)) - {SHARE.name}:
        assert f"snakemake --profile local law_{name} --config scale=proxy" in document.shown


def test_what_moves_between_machines_is_said_as_it_was_measured(document):
    measured = (ROOT / "docs" / "determinism.md").read_text(encoding="utf-8")
    assert any(m.weights == "equal bits" for m in moves())
    for move in moves():
        for cell in (move.changed, move.weights, move.answers, move.average):
            assert cell in document.shown
        for count in re.findall(r"\d[\d,]*", move.answers):
            assert count in measured
        for points in re.findall(r"0\.\d+", move.average):
            assert points in measured


def test_the_commands_are_understood(document):
    found = set()
    for block in document.texts["code"]:
        for line in block.splitlines():
            command = line.split("=$(", 1)[1].rstrip(")") if "=$(" in line else line
            if command.startswith("lawcheck ") and "report`" not in command:
                arguments = shlex.split(command.replace("$RUNS", "a-s0-0123456789ab"))[1:]
                found.add(arguments[0])
                if arguments != ["report"]:
                    parser().parse_args(arguments)
    assert {"judge", "render", "report", "plan", "train", "evaluate", "corpus"} <= found


def test_equal_results_give_an_equal_page(page, results, laws, tmp_path):
    again = write_report(planner(), results, tmp_path)
    assert again.path.read_bytes() == page.read_bytes()


@pytest.fixture
def broken(results, tmp_path):
    """A copy of the results that may be damaged."""
    shutil.copytree(results.root, tmp_path / "results" / results.scale)
    return dataclasses.replace(results, results=tmp_path / "results")


def test_results_that_do_not_fit_are_left_out_and_named(broken, laws, tmp_path):
    path = broken.provenance(SHARE.name)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"generator": "another"}))
    written = write_report(planner(), broken, tmp_path)
    assert len(written.refused) == 1
    shown = Document(written.path.read_text()).shown
    assert "made by generator another" in shown
    assert f"id={SHARE.name}" not in shown
    assert f'id="law-{SHARE.name}"' not in written.path.read_text()
    shutil.copy(broken.law_scores(SHARE.name), broken.law_scores(STRANGER.name))
    with pytest.raises(InputError, match="generator another"):
        write_report(planner(), broken, tmp_path)


def test_a_verdict_on_other_scores_is_refused(broken, laws, tmp_path):
    path = broken.verdict(STRANGER.name)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scores_digest": "0" * 64}))
    refused = write_report(planner(), broken, tmp_path).refused
    assert len(refused) == 1
    assert "judged on other scores" in refused[0]
    assert "lawcheck judge strangers_law" in refused[0]


def test_an_empty_folder_and_a_folder_without_a_scale_exit_with_2(tmp_path, capsys):
    for source in (tmp_path / "proxy", tmp_path / "nowhere"):
        assert main(["report", "--from", str(source)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no published results in this checkout")
def test_the_published_folder_alone_gives_a_page_without_torch(tmp_path):
    copy = tmp_path / "proxy"
    shutil.copytree(REFERENCE, copy, ignore=shutil.ignore_patterns("report", "tables"))
    code = (
        "import sys; from lawcheck.__main__ import main; "
        f"code = main(['report', '--from', {str(copy)!r}]); "
        "print(code, 'torch' in sys.modules, 'snakemake' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False False"
    shown = Document((copy / "report" / "index.html").read_text(encoding="utf-8")).shown
    for path in sorted((copy / "laws").glob("*.provenance.json")):
        law = discovery.law(path.name.split(".")[0])
        verdict = read_verdict(path.with_name(f"{law.name}.json"))
        assert words.headline(verdict, True) in shown
        assert law.claim in shown


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("HOLDS", "HOLDS at proxy scale"),
        ("NOT TESTED", "NOT TESTED at proxy scale"),
        ("NOT SHOWN", "NOT SHOWN at proxy scale"),
        ("CONTRADICTED", "CONTRADICTED at proxy scale"),
        ("INCONCLUSIVE", "INCONCLUSIVE at proxy scale"),
    ],
)
def test_each_outcome_has_its_words_and_its_reasons(results, outcome, said):
    verdict = read_verdict(results.verdict(SHARE.name))
    sorts = {
        "HOLDS": {"outcome": "shown"},
        "NOT TESTED": {"outcome": "not tested"},
        "NOT SHOWN": {"outcome": "open", "mde": 0.5, "notes": ()},
        "CONTRADICTED": {"outcome": "negligible"},
        "INCONCLUSIVE": {"outcome": "open", "mde": 50.0, "notes": ()},
    }
    parts = tuple(dataclasses.replace(p, margin=None, **sorts[outcome]) for p in verdict.parts)
    verdict = dataclasses.replace(verdict, outcome=outcome, parts=parts)
    assert words.headline(verdict, True) == said
    assert words.headline(verdict, False).startswith("No claim at proxy scale")
    why = words.why(verdict)
    primary = [p.name for p in parts if p.role == "primary"]
    if outcome == "HOLDS":
        assert why.lead == f"All {len(primary)} primary parts are shown."
    elif outcome != "NOT SHOWN":
        assert [name for name, _ in why.parts] == primary
    assert "None" not in str(why)


def test_published_contrasts_come_from_one_printed_table():
    table = printed("table8_design").astype({"avg": float})
    mean = table[table["method"] == "LoRA-MoE"].groupby("variant")["avg"].mean()
    share = next(h for h in SHARE.hypotheses if h.name == "share")
    found = printed_estimate(share.estimand, rows_of(SHARE))
    assert found is not None
    assert found.where == "Table 8"
    assert found.value == pytest.approx(100 * (mean["shared A"] - mean[""]))
    specialise = next(h for h in SHARE.hypotheses if h.name == "specialise")
    assert printed_estimate(specialise.estimand, rows_of(SHARE)) is None
    gain = next(h for h in SHARE.hypotheses if h.name == "delta_m_full")
    assert printed_estimate(gain.estimand, rows_of(SHARE)).value == pytest.approx(7.376)


def test_snakemakes_own_report_has_captions_for_what_it_shows():
    marked = Workflow({"scale": "proxy"}).marked(SHARE.name)
    captions = Workflow({"scale": "proxy"}).captions(SHARE.name)
    assert {Path(path).suffix for path, kind, _ in marked if kind} == {".png", ".csv"}
    assert {title for _, kind, title in marked if kind} == set(captions)
    job = SimpleNamespace(
        params=SimpleNamespace(scale="proxy", law=SHARE.name, claim="c", captions=captions),
        wildcards=SimpleNamespace(law=SHARE.name),
    )
    for path in sorted((ROOT / "reproduce" / "captions").glob("*.rst")):
        text = Environment(undefined=StrictUndefined).from_string(path.read_text())
        assert "proxy" in text.render(snakemake=job), path.name


# ------------------------------------------------------------------------------- browser


def browser_parts():
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    return browser, shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser(page):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = browser_parts()
    if not chromium or not driver:
        pytest.skip("no browser: install Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
            "disable-background-networking", "disable-component-update", "disable-sync",
            "disable-dev-shm-usage", f"user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            yield found
        finally:
            found.quit()


def visit(browser, page, width=1280, scheme="light"):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get(page.as_uri())


def test_it_loads_without_errors_and_without_requests(browser, page):
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    visit(browser, page)
    assert browser.get_log("browser") == []
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    # The browser's own start page asks for its parts, too.
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
        and m["params"]["documentURL"] == page.as_uri()
    ]
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert browser.execute_script("return window.pwned") is None
    assert browser.execute_script("return document.scripts.length") == 1


def test_every_image_shows(browser, page):
    visit(browser, page)
    widths = browser.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert len(widths) >= 4
    assert min(widths) > 0


TABLE = f'[aria-labelledby="caption-arms_{SHARE.name}"] table'
KEYS = """
const [selector, column] = arguments;
const key = cell => cell.dataset.key ?? cell.textContent;
return [...document.querySelector(selector).tBodies].map(
  body => [...body.rows].map(row => key(row.cells[column])));
"""


def unfold(browser):
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def heads(browser):
    return browser.find_elements("css selector", f"{TABLE} thead th")


def test_sorting_by_click_and_by_keyboard(browser, page):
    from selenium.webdriver.common.keys import Keys

    visit(browser, page)
    unfold(browser)
    column = next(
        k
        for k, h in enumerate(heads(browser))
        if h.get_attribute("textContent").strip().startswith("Instr")
    )
    head = heads(browser)[column]
    button = head.find_element("tag name", "button")
    (before,) = browser.execute_script(KEYS, TABLE, column)
    # The arms that learn each discipline alone have no score here.
    assert "" in before
    numbers = [float(x) for x in before if x]
    assert head.get_attribute("aria-sort") == "none"
    for press, order, expected in (
        (button.click, "ascending", sorted(numbers)),
        (lambda: button.send_keys(Keys.ENTER), "descending", sorted(numbers)[::-1]),
        (lambda: button.send_keys(Keys.SPACE), "none", numbers),
    ):
        press()
        assert head.get_attribute("aria-sort") == order
        (after,) = browser.execute_script(KEYS, TABLE, column)
        assert [float(x) for x in after if x] == expected
        assert after == before or after[-1] == ""
    # Text sorts, too, and one column at a time.
    (declared,) = browser.execute_script(KEYS, TABLE, 0)
    heads(browser)[0].find_element("tag name", "button").click()
    (labels,) = browser.execute_script(KEYS, TABLE, 0)
    assert labels != declared
    assert sorted(labels) == sorted(declared)
    assert labels[0] == "Base model"
    assert labels[-1].startswith("LoRA-MoE, shared expert, 5 experts, data 70")
    assert sum(h.get_attribute("aria-sort") != "none" for h in heads(browser)) == 1


def test_parts_sort_inside_their_role(browser, page):
    visit(browser, page)
    selector = f"#law-{SHARE.name} table.parts"
    browser.find_elements("css selector", f"{selector} thead button")[2].click()
    names = """
    return [...document.querySelector(arguments[0]).tBodies].map(
      body => [...body.rows].filter(row => !('under' in row.dataset))
        .map(row => row.querySelector('.name')?.textContent ?? ''));
    """
    primary, secondary = browser.execute_script(names, selector)
    assert primary[0] == secondary[0] == ""
    roles = {part_label(h.name): h.role for h in SHARE.hypotheses}
    assert {roles[n] for n in primary[1:]} == {"primary"}
    assert {roles[n] for n in secondary[1:]} == {"secondary"}


def test_it_is_reachable_by_keyboard(browser, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    visit(browser, page)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    active = "return document.activeElement"
    assert browser.execute_script(f"{active}.className") == "skip"
    assert browser.execute_script(f"return getComputedStyle({active[7:]}).outlineStyle") == "solid"
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.execute_script(f"{active}.id") == "main"
    stuck = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter(e => e.tabIndex !== 0).length"
    )
    assert stuck == 0


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_never_overflows(browser, page, width):
    visit(browser, page, width)
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    outside = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


@pytest.mark.parametrize("width", [390, 1280])
def test_summary_and_parts_fit_without_scrolling(browser, page, width):
    visit(browser, page, width)
    hidden = browser.execute_script(
        "return [...document.querySelectorAll('.stack')].map(t => t.closest('.scroll'))"
        ".map(e => e.scrollWidth - e.clientWidth)"
    )
    assert len(hidden) >= 3
    assert max(hidden) <= 0


def test_tables_are_folded_and_the_legend_stands_before_the_results(browser, page):
    visit(browser, page)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('main table')].filter(t => t.checkVisibility())"
        ".map(t => t.className)"
    )
    assert [name for name in shown if "stack" not in name and name] == ["sortable"]
    above = """
    const [legend, summary] = ['.legend', '#summary'].map(s => document.querySelector(s));
    return legend.open && legend.getBoundingClientRect().bottom
      <= summary.getBoundingClientRect().top;
    """
    assert browser.execute_script(above)
    words_shown = {e.text for e in browser.find_elements("css selector", ".legend dt")}
    assert words_shown == {*get_args(Outcome), *get_args(PartOutcome)}


CONTRAST = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const parse = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = e => {
  for (; e; e = e.parentElement) {
    const found = parse(getComputedStyle(e).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const weak = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || e.tagName === "SCRIPT") continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) weak.push([ratio, e.outerHTML.slice(0, 80)]);
}
return [weak, light(parse(getComputedStyle(document.body).backgroundColor))];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(browser, page, scheme):
    visit(browser, page, scheme=scheme)
    weak, ground = browser.execute_script(CONTRAST)
    assert weak == []
    assert (ground < 0.1) == (scheme == "dark")
    paper, turned = browser.execute_script(
        "return [getComputedStyle(document.querySelector('.paper')).backgroundColor,"
        "getComputedStyle(document.querySelector('.paper img')).filter]"
    )
    assert re.findall(r"\d+", paper) == (["20"] * 3 if scheme == "dark" else ["255"] * 3)
    assert ("invert" in turned) == (scheme == "dark")


def test_tables_agree_with_the_written_ones(browser, page, results, tmp_path):
    """What the page shows of an arm is what the CSV holds."""
    from lawcheck.show.judged import render_law

    render_law(planner(), results, SHARE, tmp_path)
    csv = pd.read_csv(results.tables / f"arms_{SHARE.name}.csv")
    average = csv[csv["column"] == "average"].set_index("row")["mean"]
    visit(browser, page)
    column = next(
        k
        for k, h in enumerate(heads(browser))
        if h.get_attribute("textContent").strip().startswith("Avg")
    )
    (keys,) = browser.execute_script(KEYS, TABLE, column)
    (labels,) = browser.execute_script(KEYS, TABLE, 0)
    labels = [" ".join(label.split()) for label in labels]
    shown = dict(zip(labels, map(float, keys), strict=True))
    assert shown == pytest.approx(average.to_dict(), abs=1e-9)
