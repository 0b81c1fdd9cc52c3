"""Chemistry of the proxy world: true facts and rules over 26 elements and small molecules.

Masses are standard atomic weights rounded to whole numbers (IUPAC 2021, abridged).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import gcd
from random import Random
from typing import Any

from lawcheck.proxy_world.stream import (
    N_CHOICES,
    Family,
    Question,
    choice_stream,
    fact_family,
    take,
)
from lawcheck.proxy_world.words import (
    digits,
    literal_words,
    nearby,
    number_between,
    pick,
    split_words,
)

# Difficulty.
OPEN_SHARE = 0.4  # of training rows, without options
COEFFICIENT_MAX = 4  # molecules in front of a formula
ATOMS_MAX = 5  # atoms in "mass of n atoms"
# Family weights: (fine-tuning and evaluation, pretraining) below, in families().


@dataclass(frozen=True, slots=True)
class Element:
    """valence: the usual charge or bond count, None where there is no single one."""

    name: str
    symbol: str
    number: int
    mass: int
    group: int
    kind: str
    valence: int | None


ELEMENTS = (
    Element("hydrogen", "h", 1, 1, 1, "nonmetal", 1),
    Element("helium", "he", 2, 4, 18, "noble", 0),
    Element("lithium", "li", 3, 7, 1, "alkali", 1),
    Element("beryllium", "be", 4, 9, 2, "alkaline", 2),
    Element("boron", "b", 5, 11, 13, "metalloid", 3),
    Element("carbon", "c", 6, 12, 14, "nonmetal", 4),
    Element("nitrogen", "n", 7, 14, 15, "nonmetal", 3),
    Element("oxygen", "o", 8, 16, 16, "nonmetal", 2),
    Element("fluorine", "f", 9, 19, 17, "halogen", 1),
    Element("neon", "ne", 10, 20, 18, "noble", 0),
    Element("sodium", "na", 11, 23, 1, "alkali", 1),
    Element("magnesium", "mg", 12, 24, 2, "alkaline", 2),
    Element("aluminium", "al", 13, 27, 13, "metal", 3),
    Element("silicon", "si", 14, 28, 14, "metalloid", 4),
    Element("phosphorus", "p", 15, 31, 15, "nonmetal", 3),
    Element("sulfur", "s", 16, 32, 16, "nonmetal", 2),
    Element("chlorine", "cl", 17, 35, 17, "halogen", 1),
    Element("argon", "ar", 18, 40, 18, "noble", 0),
    Element("potassium", "k", 19, 39, 1, "alkali", 1),
    Element("calcium", "ca", 20, 40, 2, "alkaline", 2),
    Element("iron", "fe", 26, 56, 8, "transition", None),
    Element("copper", "cu", 29, 64, 11, "transition", None),
    Element("zinc", "zn", 30, 65, 12, "transition", 2),
    Element("bromine", "br", 35, 80, 17, "halogen", 1),
    Element("silver", "ag", 47, 108, 11, "transition", 1),
    Element("iodine", "i", 53, 127, 17, "halogen", 1),
)
BY_SYMBOL = {e.symbol: e for e in ELEMENTS}
CATIONS = ("li", "na", "k", "ag", "be", "mg", "ca", "zn", "al")
ANIONS = ("f", "cl", "br", "i", "o", "s", "n", "p")

STEMS = ("meth", "eth", "prop", "but", "pent", "hex", "hept", "oct")  # 1 to 8 carbon atoms
# suffix -> (class, smallest number of carbon atoms, hydrogen atoms beyond 2 n, oxygen, nitrogen)
SUFFIXES = {
    "ane": ("alkane", 1, 2, 0, 0),
    "ene": ("alkene", 2, 0, 0, 0),
    "yne": ("alkyne", 2, -2, 0, 0),
    "anol": ("alcohol", 1, 2, 1, 0),
    "anal": ("aldehyde", 1, 0, 1, 0),
    "anone": ("ketone", 3, 0, 1, 0),
    "anoic": ("acid", 1, 0, 2, 0),
    "anamine": ("amine", 1, 3, 0, 1),
}
GROUP_OF_CLASS = {
    "alcohol": "hydroxyl",
    "aldehyde": "formyl",
    "ketone": "carbonyl",
    "acid": "carboxyl",
    "amine": "amino",
}

NUMBER = ("atomic number of {x} ?", "how many protons has {x} ?", "{x} : number of protons ?")
MASS = ("atomic mass of {x} ?", "mass of one {x} atom ?", "{x} : mass ?")
SYMBOL = ("symbol of {x} ?", "how is {x} written ?", "{x} : symbol ?")
NAME = ("which element is {x} ?", "name of element {x} ?", "{x} : name ?")
VALENCE = ("valence of {x} ?", "how many bonds has {x} ?", "{x} : valence ?")
GROUP = ("group of {x} ?", "{x} is in which group ?", "{x} : group ?")
KIND = ("what kind of element is {x} ?", "kind of {x} ?", "{x} : kind ?")
FUNCTIONAL = ("functional group of {x} ?", "which group makes {x} ?", "{x} : functional group ?")
FORMULA = ("formula of {a} and {b} ?", "{a} joins {b} . formula ?")
MOLAR = ("molar mass of {x} ?", "mass of {x} ?")
ATOMS = "mass of {n} {x} atoms ?"
COUNT = ("how many {x} atoms in {n} {formula} ?", "{n} {formula} : how many {x} atoms ?")
ORGANIC = ("formula of {x} ?", "{x} : formula ?")
CLASS = ("what kind is {x} ?", "class of {x} ?", "{x} : class ?")
CARBONS = ("how many carbon atoms in {x} ?", "{x} : how many carbon atoms ?")


def formula_text(atoms: tuple[tuple[str, int], ...]) -> str:
    """(('h', 2), ('o', 1)) -> 'h 2 o'."""
    return " ".join(s if n == 1 else f"{s} {digits(n)}" for s, n in atoms if n)


def ionic(cation: str, anion: str) -> tuple[tuple[str, int], ...]:
    """The neutral compound: charges cross over, in lowest terms."""
    plus, minus = BY_SYMBOL[cation].valence or 0, BY_SYMBOL[anion].valence or 0
    common = gcd(plus, minus)
    return ((cation, minus // common), (anion, plus // common))


def organic(carbons: int, suffix: str) -> tuple[tuple[str, int], ...]:
    _, _, extra, oxygen, nitrogen = SUFFIXES[suffix]
    return (("c", carbons), ("h", 2 * carbons + extra), ("n", nitrogen), ("o", oxygen))


def mass_of(atoms: tuple[tuple[str, int], ...]) -> int:
    return sum(BY_SYMBOL[s].mass * n for s, n in atoms)


def _formula(rng: Random) -> Question:
    cation, anion = pick(rng, CATIONS), pick(rng, ANIONS)
    right = ionic(cation, anion)
    wrong = []
    for i in (1, 2, 3):
        for j in (1, 2, 3):
            text = formula_text(((cation, i), (anion, j)))
            if ((cation, i), (anion, j)) != right:
                wrong.append(text)
    text = pick(rng, FORMULA).format(a=cation, b=anion)
    answer = formula_text(right)
    wrong = _same_length(answer, wrong)
    facts = (f"valence/{cation}", f"valence/{anion}")
    return Question(text, answer, wrong, f"{cation}+{anion}", facts)


def _same_length(answer: str, wrong: list[str]) -> list[str]:
    """Candidates as long as the answer, if there are three; else all of them."""
    same = [w for w in wrong if len(w.split()) == len(answer.split())]
    return same if len(same) >= 3 else wrong


def _molar_mass(rng: Random) -> Question:
    atoms = ionic(pick(rng, CATIONS), pick(rng, ANIONS))
    answer = mass_of(atoms)
    slips = [mass_of(((atoms[0][0], i), (atoms[1][0], j))) for i in (1, 2) for j in (1, 2, 3)]
    text = pick(rng, MOLAR).format(x=formula_text(atoms))
    facts = tuple(f"mass/{s}" for s, _ in atoms)
    return Question(text, digits(answer), nearby(rng, answer, *slips), formula_text(atoms), facts)


def _mass_of_atoms(rng: Random) -> Question:
    element, n = pick(rng, ELEMENTS), number_between(rng, 2, ATOMS_MAX)
    answer = n * element.mass
    slips = [answer + element.mass, answer - element.mass, element.mass + n]
    text = ATOMS.format(n=digits(n), x=element.symbol)
    key = f"{n}*{element.symbol}"
    return Question(
        text, digits(answer), nearby(rng, answer, *slips), key, (f"mass/{element.symbol}",)
    )


def _count(rng: Random) -> Question:
    n = number_between(rng, 1, COEFFICIENT_MAX)
    atoms = ionic(pick(rng, CATIONS), pick(rng, ANIONS))
    which = 0 if rng.random() < 0.5 else 1
    symbol, each = atoms[which]
    answer = n * each
    formula = formula_text(atoms)
    text = pick(rng, COUNT).format(x=symbol, n=digits(n), formula=formula)
    wrong = nearby(rng, answer, each, n, n + each, n * atoms[1 - which][1])
    return Question(text, digits(answer), wrong, f"{n} {formula}/{symbol}")


def _molecule(rng: Random) -> tuple[int, str]:
    while True:
        carbons, suffix = number_between(rng, 1, len(STEMS)), pick(rng, tuple(SUFFIXES))
        if carbons >= SUFFIXES[suffix][1]:
            return carbons, suffix


def _organic(rng: Random) -> Question:
    carbons, suffix = _molecule(rng)
    name = f"{STEMS[carbons - 1]} {suffix}"
    answer = formula_text(organic(carbons, suffix))
    wrong = {
        formula_text(organic(c, s))
        for c in range(max(1, carbons - 1), min(8, carbons + 1) + 1)
        for s in SUFFIXES
        if c >= SUFFIXES[s][1]
    } - {answer}
    text = pick(rng, ORGANIC).format(x=name)
    return Question(text, answer, _same_length(answer, sorted(wrong)), name)


def _class(rng: Random) -> Question:
    carbons, suffix = _molecule(rng)
    name = f"{STEMS[carbons - 1]} {suffix}"
    answer = SUFFIXES[suffix][0]
    wrong = [c for c, *_ in SUFFIXES.values() if c != answer]
    return Question(pick(rng, CLASS).format(x=name), answer, wrong, name, (f"class/{suffix}",))


def _carbons(rng: Random) -> Question:
    carbons, suffix = _molecule(rng)
    stem = STEMS[carbons - 1]
    text = pick(rng, CARBONS).format(x=f"{stem} {suffix}")
    key = f"{stem} {suffix}"
    return Question(text, digits(carbons), nearby(rng, carbons), key, (f"carbons/{stem}",))


@functools.cache
def families() -> tuple[Family, ...]:
    numbers = {e.name: digits(e.number) for e in ELEMENTS}
    masses = {e.symbol: digits(e.mass) for e in ELEMENTS}
    groups = {e.name: digits(e.group) for e in ELEMENTS}
    valences = {e.symbol: digits(e.valence) for e in ELEMENTS if e.valence is not None}
    symbols = {e.name: e.symbol for e in ELEMENTS}
    names = {e.symbol: e.name for e in ELEMENTS}
    return (
        fact_family("number", NUMBER, numbers, weight=0.10, pretrain=0.10, wrong=_numbers(numbers)),
        fact_family("mass", MASS, masses, weight=0.10, pretrain=0.10, wrong=_numbers(masses)),
        fact_family("group", GROUP, groups, weight=0.06, pretrain=0.06, wrong=_numbers(groups)),
        fact_family(
            "valence", VALENCE, valences, weight=0.06, pretrain=0.06, wrong=_numbers(valences)
        ),
        fact_family("symbol", SYMBOL, symbols, weight=0.06, pretrain=0.06),
        fact_family(
            "name",
            NAME,
            names,
            weight=0.06,
            pretrain=0.06,
            fact=lambda symbol: f"symbol/{BY_SYMBOL[symbol].name}",
        ),
        fact_family("kind", KIND, {e.name: e.kind for e in ELEMENTS}, weight=0.06, pretrain=0.06),
        fact_family("functional", FUNCTIONAL, GROUP_OF_CLASS, weight=0.04, pretrain=0.04),
        Family("formula", _formula, 0.10, 0.10),
        Family("molar_mass", _molar_mass, 0.06, 0.04),
        Family("mass_of_atoms", _mass_of_atoms, 0.06, 0.06),
        Family("count", _count, 0.10, 0.12),
        Family("organic", _organic, 0.06, 0.06),
        Family("class", _class, 0.05, 0.05),
        Family("carbons", _carbons, 0.03, 0.03),
    )


def _numbers(table: dict[str, str]) -> dict[str, list[str]]:
    """Wrong numbers per row: the table's other values with as many digits, and a next one or two
    where these are fewer than three.
    """
    values = {int(v.replace(" ", "")) for v in table.values()}
    wrong = {}
    for row, value in table.items():
        right = int(value.replace(" ", ""))
        others = [v for v in sorted(values - {right}) if len(str(v)) == len(str(right))]
        step = right
        while len(others) < N_CHOICES - 1:
            step += 1
            if step not in others:
                others.append(step)
        wrong[row] = [digits(v) for v in others]
    return wrong


def words() -> set[str]:
    """Every word the generator can emit."""
    templates = (NUMBER, MASS, SYMBOL, NAME, VALENCE, GROUP, KIND, FUNCTIONAL, FORMULA, MOLAR)
    literal = literal_words(
        t for group in (*templates, COUNT, ORGANIC, CLASS, CARBONS) for t in group
    )
    entities = {w for e in ELEMENTS for w in (e.name, e.symbol, e.kind)}
    classes = split_words((*(c for c, *_ in SUFFIXES.values()), *GROUP_OF_CLASS.values()))
    return literal | literal_words((ATOMS,)) | entities | classes | {*STEMS, *SUFFIXES}


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or four-option items for `eval` and `tune`."""
    return take(choice_stream("chemistry", families(), split, OPEN_SHARE), n)
