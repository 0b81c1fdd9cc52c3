"""Medicine of the proxy world: an invented but consistent knowledge base, and doses.

Diseases, drugs and their relations are invented; organs, symptoms and arithmetic are ordinary.
Each disease has its own three symptoms (two diseases share at most one), one organ, one cause, one
test and one drug of its own; each drug has one condition in which it is avoided.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

from lawcheck.proxy_world.stream import Family, Question, choice_stream, fact_family, take
from lawcheck.proxy_world.words import (
    digits,
    invented_names,
    literal_words,
    nearby,
    number_between,
    pick,
)

# Difficulty.
OPEN_SHARE = 0.4  # of training rows, without options
N_DISEASES = 18
N_SYMPTOMS = 18
DOSE_MAX = 5  # mg per kg
WEIGHT_MAX = 9  # kg
# Family weights: (fine-tuning and evaluation, pretraining) below, in families().

SYMPTOMS = (
    "fever", "cough", "rash", "headache", "nausea", "fatigue", "dizziness", "chills", "itching",
    "swelling", "cramps", "thirst", "tremor", "numbness", "sweating", "weakness", "jaundice",
    "wheezing",
)  # fmt: skip
ORGANS = ("heart", "lung", "liver", "kidney", "skin", "brain", "stomach", "bone")
CAUSES = ("virus", "bacteria", "fungus", "parasite", "toxin", "injury")
TESTS = ("blood", "urine", "scan", "biopsy", "swab", "xray")
CONDITIONS = ("pregnancy", "asthma", "diabetes", "ulcer", "gout", "anemia")
PERSONS = ("man", "woman", "boy", "girl", "child", "patient")
_DISEASE_HEADS = (
    "arth", "bron", "card", "derm", "enter", "fibr", "gloss", "hepa", "kera", "laryn", "myel",
    "neph", "oste", "phleb", "rhin", "sten", "thym", "vasc",
)  # fmt: skip
_DRUG_HEADS = (
    "ami", "beta", "cefo", "dexa", "epi", "flu", "gaba", "hydro", "iso", "keto", "levo", "meta",
    "nitro", "oxa", "pred", "quina", "rifa", "sulfa",
)  # fmt: skip

DRUG = ("drug for {x} ?", "which drug treats {x} ?", "{x} : drug ?")
TREATS = ("{x} treats ?", "which disease needs {x} ?", "{x} : for which disease ?")
ORGAN = ("organ of {x} ?", "which organ does {x} harm ?", "{x} : organ ?")
CAUSE = ("cause of {x} ?", "what brings {x} ?", "{x} : cause ?")
TEST = ("test for {x} ?", "which test shows {x} ?", "{x} : test ?")
AVOID = ("avoid {x} in ?", "{x} is unsafe with ?", "{x} : not with ?")
SYMPTOM = ("which is a symptom of {x} ?", "{x} brings which symptom ?", "{x} : symptom ?")
CASE = (
    "a {person} has {signs} for {days} days . diagnosis ?",
    "{signs} for {days} days in a {person} . which disease ?",
)
TREAT_CASE = "a {person} has {signs} for {days} days . which drug ?"
DOSE = "dose {a} mg per kg . the {person} weighs {b} kg . dose ?"
SCHEDULE = "{a} mg a day in {b} doses for a {person} . mg each ?"
COURSE = "{a} doses a day for {b} days . the {person} needs how many doses ?"


@dataclass(frozen=True, slots=True)
class Disease:
    name: str
    symptoms: tuple[str, str, str]
    organ: str
    cause: str
    test: str
    drug: str
    avoid: str  # condition in which the drug is avoided


@functools.cache
def knowledge_base() -> tuple[Disease, ...]:
    """All diseases, always the same ones."""
    rng = Random("knowledge base")
    names = invented_names("diseases", N_DISEASES, _DISEASE_HEADS, ("osis", "itis", "emia"))
    drugs = invented_names("drugs", N_DISEASES, _DRUG_HEADS, ("lol", "mab", "cin", "pril"))
    triples = list(combinations(SYMPTOMS[:N_SYMPTOMS], 3))
    rng.shuffle(triples)
    chosen: list[tuple[str, str, str]] = []
    for triple in triples:
        if len(chosen) < N_DISEASES and all(len({*triple} & {*c}) <= 1 for c in chosen):
            chosen.append(triple)
    return tuple(
        Disease(
            name,
            symptoms,
            ORGANS[i % len(ORGANS)],
            pick(rng, CAUSES),
            pick(rng, TESTS),
            drug,
            pick(rng, CONDITIONS),
        )
        for i, (name, drug, symptoms) in enumerate(zip(names, drugs, chosen, strict=True))
    )


def _signs(rng: Random, disease: Disease) -> tuple[str, ...]:
    """Two or all three symptoms, in any order; two already single the disease out."""
    return tuple(rng.sample(disease.symptoms, number_between(rng, 2, 3)))


def _case_key(disease: Disease, signs: tuple[str, ...], person: str, days: int) -> str:
    return f"{disease.name}/{'+'.join(sorted(signs))}/{person}/{days}"


def _case(rng: Random, treat: bool) -> Question:
    base = knowledge_base()
    disease, person, days = pick(rng, base), pick(rng, PERSONS), number_between(rng, 2, 9)
    signs = _signs(rng, disease)
    template = TREAT_CASE if treat else pick(rng, CASE)
    text = template.format(person=person, signs=" , ".join(signs), days=digits(days))
    facts = [f"symptoms/{disease.name}"]
    if treat:
        facts.append(f"drug/{disease.name}")
    others = [d.drug if treat else d.name for d in base if d is not disease]
    answer = disease.drug if treat else disease.name
    return Question(text, answer, others, _case_key(disease, signs, person, days), tuple(facts))


def _diagnose(rng: Random) -> Question:
    return _case(rng, treat=False)


def _treat(rng: Random) -> Question:
    return _case(rng, treat=True)


def _symptom(rng: Random) -> Question:
    disease = pick(rng, knowledge_base())
    symptom = pick(rng, disease.symptoms)
    wrong = [s for s in SYMPTOMS if s not in disease.symptoms]
    wording = int(rng.random() * len(SYMPTOM))
    key = f"symptoms/{disease.name}"
    text = SYMPTOM[wording].format(x=disease.name)
    return Question(text, symptom, wrong, key, (key,), wording, len(SYMPTOM))


def _dose(rng: Random) -> Question:
    a, b = number_between(rng, 2, DOSE_MAX), number_between(rng, 2, WEIGHT_MAX)
    person = pick(rng, PERSONS)
    text = DOSE.format(a=digits(a), b=digits(b), person=person)
    wrong = nearby(rng, a * b, a + b, a * b + a, a * b - b)
    return Question(text, digits(a * b), wrong, f"{a}*{b}/{person}")


def _schedule(rng: Random) -> Question:
    each, b, person = number_between(rng, 2, 9), number_between(rng, 2, 5), pick(rng, PERSONS)
    text = SCHEDULE.format(a=digits(each * b), b=digits(b), person=person)
    return Question(text, digits(each), nearby(rng, each, b), f"{each * b}/{b}/{person}")


def _course(rng: Random) -> Question:
    a, b, person = number_between(rng, 2, 5), number_between(rng, 2, 9), pick(rng, PERSONS)
    text = COURSE.format(a=digits(a), b=digits(b), person=person)
    wrong = nearby(rng, a * b, a + b, a * b + a, a * b - b)
    return Question(text, digits(a * b), wrong, f"{a}*{b}/{person}")


@functools.cache
def families() -> tuple[Family, ...]:
    base = knowledge_base()
    drugs = {d.name: d.drug for d in base}
    disease_of = {d.drug: d.name for d in base}
    return (
        fact_family("drug", DRUG, drugs, weight=0.14, pretrain=0.14),
        fact_family(
            "treats",
            TREATS,
            disease_of,
            weight=0.08,
            pretrain=0.08,
            fact=lambda drug: f"drug/{disease_of[drug]}",
        ),
        fact_family("organ", ORGAN, {d.name: d.organ for d in base}, weight=0.10, pretrain=0.10),
        fact_family("cause", CAUSE, {d.name: d.cause for d in base}, weight=0.08, pretrain=0.08),
        fact_family("test", TEST, {d.name: d.test for d in base}, weight=0.08, pretrain=0.08),
        fact_family("avoid", AVOID, {d.drug: d.avoid for d in base}, weight=0.08, pretrain=0.08),
        Family("symptom", _symptom, 0.10, 0.10, open=False),
        Family("diagnose", _diagnose, 0.14, 0.14),
        Family("treat", _treat, 0.06, 0.04),
        Family("dose", _dose, 0.06, 0.08),
        Family("schedule", _schedule, 0.04, 0.04),
        Family("course", _course, 0.04, 0.04),
    )


def words() -> set[str]:
    """Every word the generator can emit."""
    groups = (DRUG, TREATS, ORGAN, CAUSE, TEST, AVOID, SYMPTOM, CASE)
    literal = literal_words((*(t for g in groups for t in g), TREAT_CASE, DOSE, SCHEDULE, COURSE))
    invented = {w for d in knowledge_base() for w in (d.name, d.drug)}
    return literal | invented | {*SYMPTOMS, *ORGANS, *CAUSES, *TESTS, *CONDITIONS, *PERSONS}


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or four-option items for `eval` and `tune`."""
    return take(choice_stream("medicine", families(), split, OPEN_SHARE), n)
