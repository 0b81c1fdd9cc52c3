"""The proxy world: what it promises about its splits, its answers and its evaluation tasks."""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawcheck.declare.design import Discipline
from lawcheck.disciplines.general import constraints
from lawcheck.disciplines.geography.proxy import direction, distance, gazetteer
from lawcheck.disciplines.medicine.proxy import knowledge_base
from lawcheck.errors import InputError
from lawcheck.proxy_world import MODULES, choice_prompt, generator_files, splits, vocabulary
from lawcheck.proxy_world.words import CATEGORIES, EVERYDAY

# The paper's corpus at 1/300, 500 eval and 300 tune items, and a small base's mixture.
TRAIN = {"math": 6667, "chemistry": 2377, "medicine": 1636, "biology": 171, "geography": 132}
SCIENCE = tuple(TRAIN)
TRAIN_GENERAL = 1000
SIZES = {"pretrain": 8600, "tune": 300, "eval": 500}
CHOICE = ("chemistry", "medicine", "biology", "geography", "out_of_domain")


@functools.cache
def rows(name: str, split: str, n: int | None = None) -> list[dict[str, Any]]:
    if n is None:
        n = TRAIN.get(name, TRAIN_GENERAL) if split == "train" else SIZES[split]
    return importlib.import_module(MODULES[name]).samples(split, n)


def splits_of(name: str) -> list[str]:
    return [s for s in splits.SPLITS if (name, s) != ("out_of_domain", "train")]


def question(row: dict[str, Any]) -> str:
    """What the model reads, whatever the row's form."""
    if "choices" in row:
        return choice_prompt(row["question"], row["choices"])
    return row.get("question", row.get("prompt"))


def text(row: dict[str, Any]) -> str:
    said = row.get("response", "") if "answer" not in row else str(row["answer"])
    if "choices" in row:
        said = row["choices"][row["answer"]]
    return f"{question(row)} {said}"


# ----------------------------------------------------------------------------- splits


@pytest.mark.parametrize("name", MODULES)
def test_rows_are_deterministic_and_prefix_nested(name: str) -> None:
    samples = importlib.import_module(MODULES[name]).samples
    for split in splits_of(name):
        assert samples(split, 60) == samples(split, 60)
        assert samples(split, 60)[:25] == samples(split, 25)
        ids = [r["id"] for r in samples(split, 60)]
        assert len(set(ids)) == 60
        assert all(r["discipline"] == name for r in samples(split, 5))
    assert samples("tune", 0) == []


@pytest.mark.parametrize("name", MODULES)
def test_measured_questions_are_in_no_other_split(name: str) -> None:
    asked = {split: {question(r) for r in rows(name, split)} for split in splits_of(name)}
    for measured in ("eval", "tune"):
        assert len(asked[measured]) == SIZES[measured], "a question stands twice"
        for split in set(asked) - {measured}:
            assert not asked[measured] & asked[split]


@pytest.mark.parametrize("name", [*CHOICE, "math"])
def test_skill_problems_are_in_no_other_split_in_any_wording_or_form(name: str) -> None:
    """Open questions carry no options, so an eval question without its options must be new too."""
    generator = importlib.import_module(MODULES[name])
    families = generator.FAMILIES if name == "math" else generator.families()
    # Some questions rest on their options ("which number is largest ?"): never asked openly.
    needs_options = {f.name for f in families if not getattr(f, "open", True)} - {"symptom"}
    measured = [r for s in ("eval", "tune") for r in rows(name, s)]
    held = {r["question"] for r in measured if r["skill"] not in needs_options}
    for split in {"pretrain", "train"} & {*splits_of(name)}:
        seen = {r["prompt"].partition(" options : ")[0] for r in rows(name, split)}
        assert not held & seen


@pytest.mark.parametrize(("name", "skill"), [("chemistry", "symbol"), ("medicine", "drug")])
def test_withheld_facts_are_learned_in_fine_tuning_only(name: str, skill: str) -> None:
    facts = {r["cluster"] for r in rows(name, "eval", 1000) if r["skill"] == skill}
    withheld = {f.partition("/")[2] for f in facts if splits.withheld(name, f)}
    assert 0.2 < len(withheld) / len(facts) < 0.8
    asked = {
        split: {
            w
            for r in rows(name, split)
            if r["skill"] == skill
            for w in r["prompt"].partition(" options : ")[0].split()
        }
        for split in ("pretrain", "train")
    }
    assert not withheld & asked["pretrain"]
    assert withheld <= asked["train"]


def test_there_are_a_thousand_items_of_each() -> None:
    for name in ("math", "general"):
        assert len({question(r) for r in rows(name, "eval", 1000)}) == 1000


def test_splits_reject_what_they_cannot_give() -> None:
    with pytest.raises(InputError, match="unknown"):
        importlib.import_module(MODULES["math"]).samples("test", 1)
    with pytest.raises(InputError, match="train"):
        importlib.import_module(MODULES["out_of_domain"]).samples("train", 1)
    with pytest.raises(InputError, match="lower the scale's item limit"):
        importlib.import_module(MODULES["general"]).samples("eval", 50_000)


# ----------------------------------------------------------------------------- text


def test_vocabulary_is_closed_and_small() -> None:
    words = set(vocabulary())
    assert vocabulary() == sorted(words)
    assert len(words) <= 600
    seen: set[str] = set()
    for name in MODULES:
        for split in splits_of(name):
            seen |= {w for r in rows(name, split) for w in text(r).split()}
        for r in rows(name, "eval"):
            seen |= {w for c in r.get("choices", ()) for w in c.split()}
    assert seen <= words
    assert len(words - seen) <= 3, f"declared but never said: {sorted(words - seen)}"


def test_training_samples_are_short() -> None:
    lengths = [len(text(r).split()) for name in SCIENCE for r in rows(name, "train")]
    assert sum(lengths) / len(lengths) <= 37  # chat template and EOS add three
    assert max(lengths) <= 120


@pytest.mark.parametrize("below", [1, 10])
@pytest.mark.parametrize("name", ["biology", "geography"])
def test_samples_with_and_without_unique_tokens_both_exist(name: str, below: int) -> None:
    others = Counter(w for d in SCIENCE if d != name for r in rows(d, "train") for w in words_of(r))
    with_unique = [any(others[w] < below for w in words_of(r)) for r in rows(name, "train")]
    assert 0.25 <= sum(with_unique) / len(with_unique) <= 0.75


def words_of(row: dict[str, Any]) -> set[str]:
    return set(text(row).split())


# ----------------------------------------------------------------------------- choices


@pytest.mark.parametrize("name", CHOICE)
def test_choices_give_nothing_away(name: str) -> None:
    items = rows(name, "eval", 1000)
    assert all(len(set(r["choices"])) == 4 for r in items)
    places = Counter(r["answer"] for r in items)
    assert max(places.values()) - min(places.values()) <= 1
    assert _accuracy(items, lambda c: min(c, key=lambda x: len(x.split()))) < 0.32
    assert _accuracy(items, lambda c: max(c, key=lambda x: len(x.split()))) < 0.32
    assert _accuracy(items, _most_alike) < 0.36
    numeric = [r for r in items if all(re.fullmatch(r"[\d ]+", c) for c in r["choices"])]
    if name == "out_of_domain":  # there the largest and the smallest number are asked for
        numeric = [r for r in numeric if r["skill"] != "extreme"]
    if len(numeric) > 100:
        for rank in range(4):
            assert _accuracy(numeric, lambda c, k=rank: sorted(c, key=_number)[k]) < 0.40


def _number(choice: str) -> int:
    return int(choice.replace(" ", ""))


def _most_alike(choices: list[str]) -> str:
    """The option that shares most words at equal places with the others."""

    def alike(one: str) -> int:
        return sum(
            a == b
            for other in choices
            if other != one
            for a, b in zip(one.split(), other.split(), strict=False)
        )

    return max(choices, key=alike)


def _accuracy(items: list[dict[str, Any]], guess: Any) -> float:
    """Of a rule that sees the options only; each item's order is rotated away."""
    right = [guess(sorted(r["choices"], key=hash_free)) for r in items]
    return sum(g == r["choices"][r["answer"]] for g, r in zip(right, items, strict=True)) / len(
        items
    )


def hash_free(choice: str) -> float:
    return splits.unit("tie", choice)


@pytest.mark.parametrize("name", CHOICE)
def test_training_mixes_both_forms(name: str) -> None:
    kinds = Counter(r["kind"] for r in rows(name, "pretrain"))
    assert min(kinds["choice"], kinds["open"]) > 0.2 * sum(kinds.values())


# ----------------------------------------------------------------------------- answers


def every_answer(name: str, skill: str) -> list[tuple[str, str]]:
    """(question without options, right answer) of all rows of a skill."""
    found = []
    for split in splits_of(name):
        for r in rows(name, split):
            if r["skill"] != skill:
                continue
            if "choices" in r:
                found.append((r["question"], r["choices"][r["answer"]]))
            elif "response" in r:
                found.append((r["prompt"].partition(" options : ")[0], r["response"]))
            else:
                found.append((r["question"], r["answer"]))
    assert found
    return found


def numbers(words: str) -> list[int]:
    """Runs of digits as numbers."""
    return [_number(m) for m in re.findall(r"\d(?: \d)*", words)]


def test_math_steps_are_true_and_lead_to_the_answer() -> None:
    for split in ("pretrain", "train"):
        for r in rows("math", split):
            steps, _, answer = r["response"].partition(" #### ")
            for step in steps.split(" . "):
                left, _, result = step.partition(" = ")
                a, sign, b = re.fullmatch(r"([\d ]+) ([-+*/]) ([\d ]+)", left).groups()
                x, y, z = _number(a), _number(b), _number(result)
                assert z == {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[sign]
                assert 0 <= z <= 50
            assert result == answer


def test_math_answers_follow_from_the_question() -> None:
    sign = {"buys": 1, "finds": 1, "gets": 1, "gives": -1, "loses": -1, "sells": -1}
    for skill in ("one_step", "two_steps", "three_steps"):
        for asked, response in every_answer("math", skill):
            first, *changes = asked.split(" . ")
            value = numbers(first)[0]
            for change in changes[:-1]:
                verb, _, amount = change.partition(" ")
                value += sign[verb] * _number(amount)
            assert value == _number(response.rpartition("#### ")[2])
    for asked, response in every_answer("math", "walk"):
        a, b = numbers(asked)
        ways = [w for w in asked.split() if w in ("north", "south", "east", "west")]
        back = " in all " not in asked and ways[0] != ways[1]
        assert _number(response.rpartition("#### ")[2]) == (abs(a - b) if back else a + b)
    for asked, response in every_answer("math", "eat_up"):
        a, b, c = numbers(asked)
        assert _number(response.rpartition("#### ")[2]) == a - b * c


# An independent table: (symbol, atomic weight rounded, charge of the ion).
ATOMS = {
    "li": (7, 1), "na": (23, 1), "k": (39, 1), "ag": (108, 1), "be": (9, 2), "mg": (24, 2),
    "ca": (40, 2), "zn": (65, 2), "al": (27, 3), "f": (19, -1), "cl": (35, -1), "br": (80, -1),
    "i": (127, -1), "o": (16, -2), "s": (32, -2), "n": (14, -3), "p": (31, -3), "c": (12, 0),
    "h": (1, 0),
}  # fmt: skip


def atoms_of(formula: str) -> Counter[str]:
    """'al 2 o 3' -> {al: 2, o: 3}"""
    return Counter(
        {s: int(n.replace(" ", "") or 1) for s, n in re.findall(r"([a-z]+)((?: \d)*)", formula)}
    )


def test_chemistry_answers() -> None:
    for asked, answer in every_answer("chemistry", "formula"):
        atoms = atoms_of(answer)
        assert set(atoms) <= set(asked.split())
        assert sum(ATOMS[s][1] * n for s, n in atoms.items()) == 0, "the compound is neutral"
    for asked, answer in every_answer("chemistry", "molar_mass"):
        formula = re.search(r"mass of (.*) \?", asked).group(1)
        assert sum(ATOMS[s][0] * n for s, n in atoms_of(formula).items()) == _number(answer)
    for asked, answer in every_answer("chemistry", "count"):
        symbol = re.search(r"how many (\w+) atoms", asked).group(1)
        n, formula = re.search(r"(?:in |^)(\d) ([a-z][a-z \d]*?) (?:\?|:)", asked).groups()
        assert int(n) * atoms_of(formula)[symbol] == _number(answer)
    for asked, answer in every_answer("chemistry", "organic"):
        atoms = atoms_of(answer)
        unsaturation = (2 * atoms["c"] + 2 + atoms["n"] - atoms["h"]) / 2
        suffix = asked.replace("formula of ", "").split()[1]
        double = {"ane": 0, "anol": 0, "anamine": 0, "yne": 2}.get(suffix, 1)
        assert unsaturation == double, asked


def test_chemistry_table_facts() -> None:
    masses = every_answer("chemistry", "mass")
    assert {s for asked, _ in masses for s in asked.split()} >= ATOMS.keys()
    for asked, answer in masses:
        symbols = [w for w in asked.split() if w in ATOMS]
        assert not symbols or _number(answer) == ATOMS[symbols[0]][0]
    for asked, answer in every_answer("chemistry", "valence"):
        symbols = [w for w in asked.split() if w in ATOMS and w not in "hc"]
        assert not symbols or _number(answer) == abs(ATOMS[symbols[0]][1])


def test_biology_answers() -> None:
    pair = str.maketrans("acgt", "tgca")
    for asked, answer in every_answer("biology", "complement"):
        assert strand(asked, "acgt").translate(pair) == answer.replace(" ", "")
    for asked, answer in every_answer("biology", "transcribe"):
        assert strand(asked, "acgt").translate(pair).replace("t", "u") == answer.replace(" ", "")
    code = dict(every_codon())
    known = {"aug": "met", "ugg": "trp", "uaa": "stop", "uag": "stop", "uga": "stop", "uuu": "phe"}
    assert known.items() <= code.items()
    # Degeneracy of the standard code.
    sizes = {"leu": 6, "ser": 6, "arg": 6, "ile": 3, "stop": 3, "met": 1, "trp": 1, "gly": 4}
    assert sizes.items() <= Counter(code.values()).items()
    for asked, answer in every_answer("biology", "translate"):
        rna = strand(asked, "acgu")
        assert answer == f"{code[rna[:3]]} {code[rna[3:]]}"
    for asked, answer in every_answer("biology", "punnett"):
        assert answer == f"{punnett(asked)} of 4"


def strand(asked: str, letters: str) -> str:
    return "".join(w for w in asked.split() if w in letters and len(w) == 1)


def every_codon() -> list[tuple[str, str]]:
    """All codons as the fine-tuning and evaluation rows teach them."""
    found = [*every_answer("biology", "codon")]
    for r in rows("biology", "train", 3000):
        if r["skill"] == "codon":
            found.append((r["prompt"].partition(" options : ")[0], r["response"]))
    pairs = {(strand(asked, "acgu"), amino) for asked, amino in found}
    assert len(pairs) == 64, "one amino acid per codon, and every codon"
    return sorted(pairs)


def punnett(asked: str) -> int:
    """Quarters of the offspring, counted from the square."""
    dominant, recessive = (
        re.search(r": (\w+) is dominant , (\w+) is", asked + " ").groups()
        if (" is dominant" in asked)
        else re.search(r", (\w+) dominant , (\w+) recessive", asked).groups()
    )
    p, q = re.search(r"(?:cross|parents) (\w+ \w+) (?:with|and) (\w+ \w+) \.", asked).groups()
    child = asked.split()[-2]
    looks = [dominant if dominant in (a, b) else recessive for a in p.split() for b in q.split()]
    return looks.count(child)


def test_plain_biology_answers() -> None:
    for asked, answer in every_answer("biology", "island"):
        a, b = numbers(asked)
        assert _number(answer) == (a + b if " come " in asked else a - b)
    for asked, answer in every_answer("biology", "food_chain"):
        eats = dict(re.findall(r"(\w+) eat (\w+) \.", asked))
        if found := re.search(r"(\w+) eat what \?", asked):
            assert answer == eats[found.group(1)]
        else:
            assert eats[answer] == re.search(r"what eat (\w+) \?", asked).group(1)


def test_medicine_cases_have_one_diagnosis_and_one_drug() -> None:
    base = knowledge_base()
    assert len({d.drug for d in base}) == len({d.name for d in base}) == len(base)
    for skill, told in (("diagnose", "name"), ("treat", "drug")):
        for asked, answer in every_answer("medicine", skill):
            words = set(asked.split())
            signs = {s for d in base for s in d.symptoms} & words
            fitting = [d for d in base if signs <= set(d.symptoms)]
            assert len(signs) >= 2
            assert [getattr(d, told) for d in fitting] == [answer]
    for asked, answer in every_answer("medicine", "dose"):
        a, b = numbers(asked)
        assert _number(answer) == a * b


def test_medicine_facts_have_one_answer() -> None:
    for skill in ("drug", "treats", "organ", "cause", "test", "avoid"):
        names = {w for d in knowledge_base() for w in (d.name, d.drug)}
        told: dict[str, set[str]] = {}
        for asked, answer in every_answer("medicine", skill):
            told.setdefault(next(w for w in asked.split() if w in names), set()).add(answer)
        assert all(len(answers) == 1 for answers in told.values())


def test_geography_answers() -> None:
    cities = {c.name: c for c in gazetteer().cities}
    assert len({(c.x, c.y) for c in cities.values()}) == len(cities) == 18
    for asked, answer in every_answer("geography", "direction"):
        first, second = (cities[w] for w in asked.split() if w in cities)
        start, end = (second, first) if "lies" in asked else (first, second)
        assert answer == direction(start, end)
        east, north = end.x - start.x, end.y - start.y
        ahead = {"north": north, "east": east, "south": -north, "west": -east}
        assert max(ahead, key=ahead.__getitem__) == answer
    for asked, answer in every_answer("geography", "distance"):
        a, b = (cities[w] for w in asked.split() if w in cities)
        assert _number(answer) == distance(a, b)
    for r in rows("geography", "eval"):
        named = [cities[w] for w in r["question"].split() if w in cities]
        options = [cities.get(c) for c in r["choices"]]
        if r["skill"] == "same_country":
            assert [o.country == named[0].country for o in options].index(True) == r["answer"]
            assert sum(o.country == named[0].country for o in options) == 1
        if r["skill"] == "nearest":
            far = [distance(named[0], o) for o in options]
            assert far.count(min(far)) == 1
            assert far.index(min(far)) == r["answer"]


def test_plain_geography_answers() -> None:
    ways = ("north", "east", "south", "west")
    for asked, answer in every_answer("geography", "turn"):
        facing = next(ways.index(w) for w in asked.split() if w in ways)
        for turn in re.findall(r"turns (left|right|back)", asked):
            facing += {"left": -1, "right": 1, "back": 2}[turn]
        assert answer == ways[facing % 4]
    for asked, answer in every_answer("geography", "between"):
        (a, way, b), (c, _, a2) = re.findall(r"the (\w+) is (\w+) of the (\w+) \.", asked)
        assert a == a2
        opposite = ways[(ways.index(way) + 2) % 4]
        assert answer == (c if "of all" in asked else opposite), (asked, b)


def test_out_of_domain_answers() -> None:
    for asked, answer in every_answer("out_of_domain", "count"):
        head, _, listed = asked.partition(" : ")
        word = next(w for w in head.split() if w in EVERYDAY)
        assert listed.split().count(word) == _number(answer)
    nth = {"first": 0, "second": 1, "third": 2, "last": -1}
    for asked, answer in every_answer("out_of_domain", "copy"):
        which = next(nth[w] for w in asked.split() if w in nth)
        assert asked.partition(" : ")[2].split()[:-1][which] == answer
    for r in rows("out_of_domain", "eval"):
        if r["skill"] == "extreme":
            values = [_number(c) for c in r["choices"]]
            best = max(values) if "largest" in r["question"] else min(values)
            assert values[r["answer"]] == best
        if r["skill"] == "member":
            category = next(CATEGORIES[w] for w in r["question"].split() if w in CATEGORIES)
            assert [c in category for c in r["choices"]].index(True) == r["answer"]
            assert sum(c in category for c in r["choices"]) == 1


# ----------------------------------------------------------------------------- instructions


def test_reference_responses_follow_their_instructions() -> None:
    """The stream drops a training row's instructions, so they are drawn again here."""
    from random import Random

    from lawcheck.disciplines.general.proxy import FAMILIES

    rng = Random("orders")
    for family in FAMILIES:
        for _ in range(300):
            order = family.draw(rng)
            assert all(constraints.follows(order.response, i, a) for i, a in order.instructions)


@given(st.lists(st.sampled_from(EVERYDAY), min_size=1, max_size=6), st.data())
def test_checkers_agree_with_construction(words: list[str], data: st.DataObject) -> None:
    said = " ".join(words)
    follows = constraints.follows
    other = data.draw(st.sampled_from([w for w in EVERYDAY if w not in words]))
    assert follows(said, "count:exact_words", {"n": len(words)})
    assert not follows(said, "count:exact_words", {"n": len(words) + 1})
    assert follows(said, "position:start_with", {"word": words[0]})
    assert follows(said, "position:end_with", {"word": words[-1], "n": None})
    assert not follows(said, "position:end_with", {"word": other})
    assert follows(said, "keyword:include", {"word": words[len(words) // 2]})
    assert not follows(said, "keyword:include", {"word": other})
    assert follows(said, "keyword:forbid", {"word": other})
    assert not follows(said, "keyword:forbid", {"word": words[0]})
    assert follows(said, "order:in_order", {"items": words})
    assert follows(said, "order:reversed", {"items": words[::-1]})
    assert not follows(said, "order:in_order", {"items": [*words, other]})
    times = words.count(words[0])
    assert follows(said, "count:word_frequency", {"word": words[0], "times": times})
    assert not follows(said, "count:word_frequency", {"word": words[0], "times": times + 1})
    assert follows(said, "count:repeat_word", {"word": words[0], "times": times}) == (
        len(words) == times
    )
    assert not follows("", "keyword:forbid", {"word": other})


@given(st.sampled_from(sorted(CATEGORIES)), st.data())
def test_list_checker(category: str, data: st.DataObject) -> None:
    members = data.draw(
        st.lists(st.sampled_from(CATEGORIES[category]), min_size=2, max_size=5, unique=True)
    )
    listed = {"category": category, "n": len(members)}
    follows = constraints.follows
    assert follows(" , ".join(members), "list:items", listed)
    assert not follows(" ".join(members), "list:items", listed)
    assert not follows(" , ".join([*members[:-1], members[0]]), "list:items", listed)
    stranger = next(w for w in EVERYDAY if w not in CATEGORIES[category])
    assert not follows(" , ".join([*members[:-1], stranger]), "list:items", listed)


def test_unknown_instruction_is_refused() -> None:
    with pytest.raises(InputError, match="count:exact_words"):
        constraints.follows("a", "count:exact_word", {"n": 1})


# ----------------------------------------------------------------------------- tasks


def test_generator_files_cover_the_world() -> None:
    names = [f"{f.parent.name}/{f.name}" for f in generator_files()]
    assert len(names) == len(set(names))
    assert {"general/constraints.py", "proxy_world/splits.py"} <= set(names)
    assert {f"{name}/proxy.py" for name in MODULES} <= set(names)
    assert {f"tasks/proxy_{name}.yaml" for name in MODULES} <= set(names)


@pytest.mark.parametrize("name", MODULES)
def test_declaration_names_its_generator_and_task(name: str) -> None:
    declared: Discipline = importlib.import_module(f"lawcheck.disciplines.{name}").DISCIPLINE
    world = declared.worlds["proxy"]
    assert world.source == MODULES[name]
    assert [t.name for t in world.tasks] == [f"proxy_{name}"]


@pytest.mark.parametrize("knows", [True, False])
def test_harness_scores_a_knowing_and_a_guessing_model(tmp_path: Path, knows: bool) -> None:
    """Through lm-eval: an oracle scores 1, a guesser scores chance."""
    from lm_eval import evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    answers: dict[str, str] = {}

    class FakeModel(LM):
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [(self.value(*r.args), False) for r in requests]

        def value(self, context: str, continuation: str) -> float:
            if knows:
                return float(answers[context] == continuation.strip())
            return splits.unit("guess", context, continuation)

        def generate_until(self, requests: list[Any]) -> list[str]:
            return [answers[r.args[0]] if knows else "" for r in requests]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

    tasks = []
    for name in MODULES:
        items = rows(name, "eval")
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(r) + "\n" for r in items), encoding="utf-8")
        for r in items:
            answers[question(r)] = reference(r)
        package = importlib.import_module(f"lawcheck.disciplines.{name}")
        path = Path(package.__file__).parent / "tasks" / f"proxy_{name}.yaml"
        config = load_yaml(path, resolve_func=True)
        config["dataset_kwargs"] = {
            "data_files": {"test": str(file)},
            "cache_dir": str(tmp_path / "cache"),
        }
        tasks.append(config)
    manager = TaskManager(include_defaults=False)
    loaded = {}
    for config in tasks:
        loaded |= manager.load_task_or_group([config])
    results = evaluate(FakeModel(), loaded, bootstrap_iters=0)["results"]
    for name in MODULES:
        task = (
            importlib.import_module(f"lawcheck.disciplines.{name}")
            .DISCIPLINE.worlds["proxy"]
            .tasks[0]
        )
        found = next(v for k, v in results[task.name].items() if k.partition(",")[0] == task.metric)
        if knows:
            assert found == 1.0
        else:
            assert abs(found - task.chance) < 0.07


def reference(row: dict[str, Any]) -> str:
    """A right answer to an eval item."""
    if "choices" in row:
        return row["choices"][row["answer"]]
    if "answer" in row:
        return f"1 + 1 = 2 #### {row['answer']}"
    return obey(row)


def obey(row: dict[str, Any]) -> str:
    """A response that follows a prompt's instructions, built from their arguments alone."""
    orders = dict(zip(row["instruction_id_list"], row["kwargs"], strict=True))
    forbidden = orders.get("keyword:forbid", {}).get("word")
    if "count:repeat_word" in orders:
        return " ".join(
            [orders["count:repeat_word"]["word"]] * orders["count:repeat_word"]["times"]
        )
    if "order:in_order" in orders:
        return " ".join(orders["order:in_order"]["items"])
    if "order:reversed" in orders:
        return " ".join(reversed(orders["order:reversed"]["items"]))
    first = orders.get("position:start_with", {}).get("word")
    last = orders.get("position:end_with", {}).get("word")
    included = orders.get("keyword:include", {}).get("word")
    if "count:word_frequency" in orders:
        again = orders["count:word_frequency"]
        return " ".join([again["word"]] * again["times"] + [last])
    if "list:items" in orders:
        pool = CATEGORIES[orders["list:items"]["category"]]
        n, comma = orders["list:items"]["n"], " , "
    else:
        pool, n, comma = EVERYDAY, orders["count:exact_words"]["n"], " "
    fixed = [w for w in (first, included) if w]
    spare = [w for w in pool if w not in (first, last, included, forbidden)]
    middle = n - len(fixed) - bool(last)
    words = [*fixed, *spare[:middle], *([last] if last else [])]
    return comma.join(words)
