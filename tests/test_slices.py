"""Readers of the released layouts: right rows from good files, one clear line from bad ones."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lawcheck.corpus.decontaminate import exact, overlapping
from lawcheck.corpus.real import (
    chebi20,
    geobench,
    gsm8k,
    headqa,
    ifeval,
    instructions,
    medmcqa,
    mol_instructions,
    pubmedqa,
)
from lawcheck.corpus.real.files import data_file, read_jsonl
from lawcheck.corpus.real.licences import LICENCES
from lawcheck.corpus.real.rows import (
    Choice,
    Pair,
    choice_row,
    fold,
    held_out,
    lettered,
    serve,
    shorten,
    training_row,
)
from lawcheck.corpus.sources.evaluation import given_letter
from lawcheck.disciplines.math import slices as math_slices
from lawcheck.errors import InputError
from lawcheck.evaluation.benchmarks.documents import repeated

QA = {"question": str, "answer": str}


def write(folder: Path, text: str | bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rows_or_one_line(read: Callable[[], list[Any]], named: str) -> list[Any]:
    """Rows, or none after an InputError of one line that names the file."""
    try:
        return read()
    except InputError as error:
        line = str(error)
    assert named in line
    assert "\n" not in line
    return []


# --------------------------------------------------------------------------- JSON lines


def test_jsonl_splits_on_newline_only_and_takes_bom_and_crlf(tmp_path: Path) -> None:
    odd = "a\u2028b\u0085c\x0cd"
    row = json.dumps({"question": odd, "answer": "#### 1"}, ensure_ascii=False)
    row = row.replace("\\f", "\\u000c")
    path = write(tmp_path, b"\xef\xbb\xbf" + f"{row}\r\n{row}".encode())
    assert [r["question"] for r in read_jsonl(path, QA)] == [odd, odd]
    packed = write(tmp_path, gzip.compress(f"{row}\n".encode()), "rows.jsonl.gz")
    assert len(read_jsonl(packed, QA)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "rows.jsonl: found no row"),
        (b'{"question": "q", "answer": "a"}\n\n', "rows.jsonl, line 2: found an empty line"),
        (b'{"question": "q", "answer": "a"}\n{"que', "rows.jsonl, line 2: not valid JSON"),
        (b'{"question": NaN, "answer": "a"}\n', "line 1: not valid JSON (NaN"),
        (b'{"question": "\\ud800", "answer": "a"}\n', "line 1: not valid JSON"),
        (b"[1]\n", "rows.jsonl, item 1: found int, expected an object"),
        (b"[]\n", "rows.jsonl: found an empty list, expected rows"),
        (b"[{", "rows.jsonl: not valid JSON"),
        (b"3\n", "rows.jsonl, line 1: found int, expected an object"),
        (b'{"question": "q"}\n', "line 1: column 'answer' is missing, found 'question'"),
        (b'{"question": 3, "answer": "a"}\n', "column 'question' is int, expected str"),
        (b'{"question": "q", "answer": "a"}\n\xff\n', "rows.jsonl, line 2: not UTF-8"),
        (b"[" * 100_000, "rows.jsonl: not valid JSON"),
    ],
)
def test_malformed_jsonl_names_file_and_line(tmp_path: Path, text: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_jsonl(write(tmp_path, text), QA)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_truncated_gzip_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gzip"):
        read_jsonl(write(tmp_path, gzip.compress(b"x" * 500)[:15], "rows.jsonl.gz"), QA)


QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["question", "answer", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@QUIET
@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_rows_or_an_input_error(tmp_path: Path, raw: bytes) -> None:
    path = write(tmp_path, raw)
    rows = rows_or_one_line(lambda: read_jsonl(path, QA), "rows.jsonl")
    assert all(isinstance(row[c], str) for row in rows for c in QA)


@QUIET
@given(st.lists(st.fixed_dictionaries({"question": st.text(), "answer": st.text()}), min_size=1))
def test_written_rows_are_read_back(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    assert read_jsonl(write(tmp_path, lines(*rows)), QA) == rows


# --------------------------------------------------------------------------- HeadQA


def exam_question(**changes: Any) -> dict[str, Any]:
    return {
        "name": "exam",
        "year": "2015",
        "category": "biology",
        "qid": "1",
        "qtext": "Which?",
        "ra": "2",
        "answers": [{"aid": 2, "atext": "right"}, {"aid": 1, "atext": "wrong"}],
        "image": "",
        **changes,
    }


def test_headqa_answers_are_found_by_their_number(tmp_path: Path) -> None:
    pictured = exam_question(image="picture.png")
    (question,) = headqa.read(write(tmp_path, lines(pictured, exam_question())), "headqa")
    assert question == Choice("headqa.2", "Which?", ("wrong", "right"), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"ra": "3"},
        {"ra": "two"},
        {"ra": True},
        {"ra": "\u00b2"},
        {"answers": []},
        {"answers": [{"aid": 1, "atext": "a"}, {"aid": 1, "atext": "b"}]},
        {"answers": [{"aid": 1}, {"aid": 2, "atext": "b"}]},
        {"qtext": None},
    ],
)
def test_headqa_faults_name_the_question(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write(tmp_path, lines(exam_question(**changes)))
    with pytest.raises(InputError, match=r"rows.jsonl, line 1"):
        headqa.read(path, "headqa")


NESTED = st.recursive(
    st.none() | st.integers(-1, 9) | st.text(max_size=5) | st.just("1"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["aid", "atext", "1"]), inner, max_size=5)
    ),
    max_leaves=25,
)
ANSWERS = st.lists(st.fixed_dictionaries({"aid": NESTED, "atext": NESTED}), max_size=4)


@QUIET
@given(st.fixed_dictionaries({"ra": NESTED, "answers": ANSWERS | NESTED, "image": NESTED}))
def test_any_nesting_is_questions_or_an_input_error(tmp_path: Path, value: Any) -> None:
    path = write(tmp_path, lines(exam_question(**value)))
    questions = rows_or_one_line(lambda: headqa.read(path, "headqa"), "rows.jsonl")
    assert all(0 <= q.answer < len(q.choices) for q in questions)


# --------------------------------------------------------------------------- the other formats


def test_medmcqa_counts_answers_from_one(tmp_path: Path) -> None:
    row = {"id": "i", "question": "q", "opa": "1", "opb": "2", "opc": "3", "opd": "4", "cop": 4}
    path = write(tmp_path, lines(row))
    assert medmcqa.read(path)[0].answer == 3
    assert medmcqa.evaluation_row(medmcqa.read(path)[0])["cop"] == 3
    with pytest.raises(InputError, match="found '0', expected 1 to 4"):
        medmcqa.read(write(tmp_path, lines({**row, "cop": 0})))


def test_gsm8k_needs_its_final_number(tmp_path: Path) -> None:
    good = {"question": "q", "answer": "2+2=4\n#### 1,004"}
    assert gsm8k.read(write(tmp_path, lines(good)), "g")[0].id == "g.1"
    with pytest.raises(InputError, match=r"line 2: column 'answer' ends in 'four'"):
        gsm8k.read(write(tmp_path, lines(good, {"question": "q", "answer": "four"})), "g")
    # The scorer reads the first number of an answer and the last of the gold.
    with pytest.raises(InputError, match="expected one '#### number'"):
        gsm8k.read(write(tmp_path, lines({"question": "q", "answer": "#### 5\n#### 6"})), "g")


def test_mol_instructions_metadata_may_be_text(tmp_path: Path) -> None:
    row = {"instruction": "Does it?", "input": "", "output": "No, never.", "metadata": None}
    task = {"task": mol_instructions.TRUE_FALSE, "split": "test"}
    path = write(tmp_path, lines({**row, "metadata": task}, {**row, "metadata": str(task)}))
    first, second = (mol_instructions.verdict(r) for r in mol_instructions.read(path, "m"))
    assert first.answer == second.answer == mol_instructions.VERDICTS.index("No")
    with pytest.raises(InputError, match="'metadata' is"):
        mol_instructions.read(write(tmp_path, lines({**row, "metadata": "{'task': open"})), "m")


def test_npee_choices_are_ordered_by_label_and_copies_reported(tmp_path: Path) -> None:
    def asked(answer: str, options: str) -> dict[str, str]:
        question = f"Which rock?\nChoose from:\n\n{options}"
        return {"category": "choice", "question": question, "answer": answer}

    shuffled = "A. one\nC. three\nB. two\nmore"
    path = write(tmp_path, lines(asked("B", shuffled), asked("C", shuffled), asked("D", shuffled)))
    questions = geobench.read_npee(path, "n")
    assert questions[0] == Choice("n.1", "Which rock?", ("one", "two more", "three"), 1)
    # The third row's gold letter names no option: nothing could be right.
    assert len(questions) == 2
    chosen = [q for q in questions if isinstance(q, Choice)]
    assert repeated((choice_row("t", c) for c in chosen), fold) == [
        {"question": "Which rock?", "copies": 2, "answers": 2}
    ]


def test_chebi_distractors_do_not_depend_on_how_many_are_asked() -> None:
    molecules = [
        chebi20.Molecule(f"c.{i}", f"C{i}", f"The molecule is number {i}. More.") for i in range(30)
    ]
    first = chebi20.which_fits(molecules[3], molecules)
    assert first == chebi20.which_fits(molecules[3], list(molecules))
    assert len(set(first.choices)) == 4
    assert first.choices[first.answer] == "The molecule is number 3."
    with pytest.raises(InputError, match="found 1 other descriptions, expected 3"):
        chebi20.which_fits(molecules[0], molecules[:2])


def test_ifeval_rows_have_the_same_keys_throughout(tmp_path: Path) -> None:
    row = {"key": 1, "prompt": "p", "instruction_id_list": ["a", "b"], "kwargs": [{}, {"n": 3}]}
    (read,) = ifeval.read(write(tmp_path, lines(row)))
    assert read["kwargs"] == [{"n": None}, {"n": 3}]
    with pytest.raises(InputError, match=r"line 1: found 2 instructions with 1 kwargs"):
        ifeval.read(write(tmp_path, lines({**row, "kwargs": [{}]})))


def test_opengpt_markup_is_taken_off(tmp_path: Path) -> None:
    text = "<|user|> Why? <|eos|> <|ai|> Because. <|eos|> <|eod|>"
    assert instructions.read_opengpt(write(tmp_path, lines({"text": text})), "o") == [
        Pair("o.1", "Why?", "Because.")
    ]
    with pytest.raises(InputError, match="row 1: found no <|user|> turn".replace("|", r"\|")):
        instructions.read_opengpt(write(tmp_path, lines({"text": "Why? Because."})), "o")


def test_broken_documents_are_input_errors(tmp_path: Path) -> None:
    row = {"QUESTION": "q", "CONTEXTS": [], "LONG_ANSWER": "l", "final_decision": "perhaps"}
    with pytest.raises(InputError, match="final_decision"):
        pubmedqa.read(write(tmp_path, lines({"pubid": "1", **row})), "p")
    with pytest.raises(InputError, match="column 'Instances' is missing"):
        instructions.read_natural_instructions(
            write(tmp_path, json.dumps({"Definition": "d"}), "t.json"), "t"
        )


# --------------------------------------------------------------------------- splits


def problems(count: int, start: int = 0) -> list[dict[str, str]]:
    return [
        {"question": f"How much is {i} and {i + 1}?", "answer": f"{2 * i + 1}\n#### {2 * i + 1}"}
        for i in range(start, start + count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gsm8k").mkdir()
    test = problems(20, 500)
    # A test question among the training rows, in other dress, must not be trained on.
    leaked = {**test[0], "question": test[0]["question"].upper().replace("?", " ?")}
    write(tmp_path / "gsm8k", lines(*problems(100), leaked, problems(1)[0]), "train.jsonl")
    write(tmp_path / "gsm8k", lines(*test), "test.jsonl")
    return tmp_path


def question(row: dict[str, Any]) -> str:
    text = row.get("question") or row["prompt"]
    return fold(text.removeprefix("Question: ").removesuffix("Answer:"))


def test_splits_are_disjoint_nested_and_without_copies(folder: Path) -> None:
    rows = {s: math_slices.samples(s, None, folder) for s in ("train", "tune", "eval", "pretrain")}
    asked = {split: [question(row) for row in found] for split, found in rows.items()}
    assert not set(asked["train"]) & set(asked["tune"])
    assert not set(asked["eval"]) & (set(asked["train"]) | set(asked["tune"]))
    assert len(set(asked["train"])) == len(asked["train"])
    assert rows["pretrain"] == rows["train"][::-1]
    for split, found in rows.items():
        assert math_slices.samples(split, 7, folder) == found[:7]
    assert all(held_out(row["question"]) for row in rows["tune"])


def test_unknown_split_and_missing_data_are_one_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="split 'evl': unknown; nearest: eval"):
        math_slices.samples("evl", 1, folder)
    with pytest.raises(InputError, match=r"no folder .*gsm8k/train.jsonl; set LAWCHECK_DATA"):
        math_slices.samples("train", 1, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no file mmlu/test.jsonl .*LAWCHECK_DATA"):
        data_file(folder, "mmlu/test.jsonl")
    with pytest.raises(InputError, match="no train split; evaluation only"):
        serve("train", 1, discipline="out_of_domain", pool=None, items={})


def test_only_open_answers_are_cut() -> None:
    text = "One sentence. " * 60
    row = training_row("math", Pair("a", "q", text))
    assert row is not None
    assert row["response"].endswith("sentence.")
    assert len(row["response"]) <= 400
    assert training_row("math", Pair("a", "q", text, "worked")) is None
    assert training_row("math", Pair("a", "q" * 500, "short")) is None
    assert shorten("x" * 50, 10) == "x" * 10


# --------------------------------------------------------------------------- shared text


def test_shared_text_is_found_whatever_the_case() -> None:
    long = "the quick brown fox jumps over the lazy dog and runs away from it all"
    items = [
        {"id": "same", "question": "Crohn's disease:"},
        {"id": "run", "question": f"Is it true that {long}?"},
        {"id": "whole", "question": "one two three four five six seven eight"},
        {"id": "free", "question": "one two three four five six seven nine"},
    ]
    choice = Choice("t.1", "CROHN'S DISEASE", ("a", "b"), 0)
    rows = [
        {"prompt": lettered(choice), "response": "A"},
        {"prompt": "Say:", "response": long.upper() + "!"},
        {"prompt": "Count", "response": "zero, one, two, three, four, five, six, seven, eight"},
    ]
    assert exact(items, rows) == {"same"}
    assert overlapping(items, rows) == {"run", "whole"}


@pytest.mark.parametrize("end", ["#### 18", "#### 18\n", "####18", "####  18 \r\n", "#### 1,8.\n"])
def test_a_gold_answer_is_one_that_the_harness_can_match(tmp_path, end):
    row = {"question": "What is 9+9?", "answer": f"9+9=18\n{end}"}
    (pair,) = gsm8k.read(write(tmp_path, lines(row)), "g")
    answer = str(gsm8k.evaluation_row(pair)["answer"])
    # What lm-evaluation-harness takes away of gold and answer before it compares them.
    for ignored in (",", r"\$", r"(?s).*#### ", r"\.$"):
        answer = re.sub(ignored, "", answer)
    assert answer == "18"


def test_published_layouts_of_geobench(tmp_path):
    row = {
        "question": {
            "stem": "Which is a rock?",
            "choices": [{"text": "granite", "label": "A"}, {"text": "water", "label": "B"}],
        },
        "answerKey": "A",
    }
    listed = geobench.read_apstudy(write(tmp_path, json.dumps([row, row], indent=1)), "a")
    assert listed == geobench.read_apstudy(write(tmp_path, lines(row, row)), "a")
    assert [q.id for q in listed] == ["a.1", "a.2"]
    blocks = {"noun": {"question": ["syncline "], "answer": ["A downward bend."]}}
    (term,) = geobench.read_npee(write(tmp_path, json.dumps(blocks)), "n")
    assert term == Pair("n.1", "Explain the term: syncline", "A downward bend.", about="syncline")
    short = {"noun": {"question": ["x"], "answer": ["y", "z"]}}
    with pytest.raises(InputError, match="1 questions and 2 answers"):
        geobench.read_npee(write(tmp_path, json.dumps(short)), "n")


@pytest.mark.parametrize(
    ("output", "letter"),
    [
        ("(B)", "B"),
        ("Option (A) is wrong; the answer is (B).", "B"),
        ("Not (A) but (B).", "B"),
        ("the answer isn't (A), it is (B)", "B"),
        ("(A), (C) and (D) are incorrect, so it must be (B).", "B"),
        ("The correct answer is (B), since (A) is a lipid.", "B"),
        ("(B) is the correct answer, not (A)", "B"),
        ("(B) because (A) and (C) bind DNA", "B"),
        ("(E)-2-butene: (B)", "B"),
        ("Both (A) and (B) are right.", None),
        ("The answer is (A) and (B).", None),
        ("(B), (C)", None),
        ("(A)? No. (B)? Yes.", None),
        ("(A) would be correct if it were a lipid, but here (B).", None),
        ("The answer is B, because (A) is a lipid.", None),
        ("B", None),
    ],
)
def test_the_letter_that_an_answer_gives(output, letter):
    assert given_letter(output) == letter


def test_licences_on_model_cards_are_those_of_the_page():
    page = (Path(__file__).parents[1] / "docs" / "real-data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(\w+)/[^|]* \| ([^|]+) \|", page, re.MULTILINE)
    assert dict(rows) == LICENCES
