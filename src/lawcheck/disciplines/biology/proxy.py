"""Biology of the proxy world: the true genetic code, inheritance, and living things in plain words.

Technical families speak of nucleotides, amino acids, alleles and organelles: discipline-specific
words. Plain families (populations, food chains, growth) use words that other disciplines use too.
PLAIN_SHARE of the samples is plain.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from random import Random
from typing import Any

from lawcheck.proxy_world.stream import (
    Family,
    Question,
    choice_stream,
    fact_family,
    shared_out,
    take,
)
from lawcheck.proxy_world.words import (
    LIVING,
    digits,
    literal_words,
    nearby,
    number_between,
    pick,
    split_words,
)

# Difficulty.
OPEN_SHARE = 0.4  # of training rows, without options
PLAIN_SHARE = 0.45  # of samples, without discipline-specific words
STRAND = (4, 5)  # nucleotides of a strand
POPULATION_MAX = 12
CHANGE_MAX = 6
# Family weights: (fine-tuning and evaluation, pretraining) below, in families().

DNA = "acgt"
COMPLEMENT = {"a": "t", "c": "g", "g": "c", "t": "a"}
TRANSCRIPT = {"a": "u", "c": "g", "g": "c", "t": "a"}
# The standard genetic code (NCBI table 1), bases in the order u, c, a, g.
_BASES = "ucag"
_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
AMINO = {
    "A": "ala", "R": "arg", "N": "asn", "D": "asp", "C": "cys", "Q": "gln", "E": "glu",
    "G": "gly", "H": "his", "I": "ile", "L": "leu", "K": "lys", "M": "met", "F": "phe",
    "P": "pro", "S": "ser", "T": "thr", "W": "trp", "Y": "tyr", "V": "val", "*": "stop",
}  # fmt: skip
CODONS = {
    f"{x} {y} {z}": AMINO[_CODE[16 * i + 4 * j + k]]
    for i, x in enumerate(_BASES)
    for j, y in enumerate(_BASES)
    for k, z in enumerate(_BASES)
}
ORGANELLES = {
    "nucleus": "dna",
    "ribosome": "protein",
    "mitochondrion": "energy",
    "chloroplast": "sugar",
    "lysosome": "digestion",
    "membrane": "border",
    "vacuole": "storage",
    "cytoskeleton": "shape",
}
CLASSES = {
    "whale": "mammal", "bat": "mammal", "dog": "mammal", "eagle": "avian", "penguin": "avian",
    "owl": "avian", "snake": "reptile", "turtle": "reptile", "lizard": "reptile",
    "frog": "amphibian", "toad": "amphibian", "newt": "amphibian", "ant": "insect",
    "beetle": "insect", "wasp": "insect", "spider": "arachnid", "scorpion": "arachnid",
}  # fmt: skip
# trait -> (dominant, recessive) form, as in Mendel's peas
TRAITS = {
    "height": ("tall", "short"),
    "petal": ("purple", "white"),
    "pod": ("green", "yellow"),
    "pea": ("round", "wrinkled"),
}

PAIR = ("complement of {x} ?", "which strand pairs with {x} ?")
TRANSCRIBE = ("transcribe {x} ?", "mrna of {x} ?")
CODON = ("codon {x} ?", "which amino acid does {x} code for ?", "translate codon {x} ?")
TRANSLATE = ("translate {x} {y} ?", "peptide of {x} {y} ?")
ORGANELLE = ("role of the {x} ?", "what is the {x} for ?", "{x} : role ?")
CLASS = ("class of {x} ?", "a {x} is a kind of ?", "{x} : animal class ?")
CROSS = (
    "{trait} : {d} is dominant , {r} is recessive . cross {p} with {q} . share of {child} ?",
    "{trait} , {d} dominant , {r} recessive . parents {p} and {q} . chance of {child} ?",
)
ISLAND = "an island has {a} {noun} . {b} {verb} . how many {noun} ?"
FEED = "{a} {eaters} eat {b} {food} each . how many {food} ?"
GROWTH = "the number of {noun} doubles each year . {a} {noun} at first . how many after {b} years ?"
CHAIN = "{a} eat {b} . {b} eat {c} . {question}"
CHAIN_QUESTIONS = ("what eat {b} ?", "what eat {c} ?", "{a} eat what ?", "{b} eat what ?")
COME = ("come", "leave")
EATERS = ("foxes", "hens", "birds", "rabbits", "fish", "bees")
FOOD = ("hens", "seeds", "plants", "fish", "apples")


def _strand(rng: Random) -> str:
    return "".join(pick(rng, DNA) for _ in range(number_between(rng, *STRAND)))


def _mutants(rng: Random, right: str, alphabet: str) -> list[str]:
    """Three wrong strands of the same length.

    The four strands are a chain of small mutations in which the right one stands anywhere, so
    that it is not the one most like the others.
    """
    place = int(rng.random() * 4)
    chain = [right]
    for step in range(3):
        parent = chain[-1] if step < place else chain[0]
        while (child := _mutate(rng, parent, alphabet)) in chain:
            pass
        chain = [*chain, child] if step < place else [child, *chain]
    return [" ".join(strand) for strand in chain if strand != right]


def _mutate(rng: Random, strand: str, alphabet: str) -> str:
    """One or two places redrawn."""
    letters = list(strand)
    for _ in range(number_between(rng, 1, 2)):
        letters[int(rng.random() * len(letters))] = pick(rng, alphabet)
    return "".join(letters)


def _complement(rng: Random) -> Question:
    strand = _strand(rng)
    right = "".join(COMPLEMENT[n] for n in strand)
    text = pick(rng, PAIR).format(x=" ".join(strand))
    return Question(text, " ".join(right), _mutants(rng, right, DNA), strand)


def _transcribe(rng: Random) -> Question:
    strand = _strand(rng)
    right = "".join(TRANSCRIPT[n] for n in strand)
    text = pick(rng, TRANSCRIBE).format(x=" ".join(strand))
    return Question(text, " ".join(right), _mutants(rng, right, "acgu"), strand)


_CODON_LIST = tuple(CODONS)
_AMINO_LIST = tuple(sorted(set(CODONS.values())))


def _translate(rng: Random) -> Question:
    x, y = pick(rng, _CODON_LIST), pick(rng, _CODON_LIST)
    right = (CODONS[x], CODONS[y])
    other = [a for a in rng.sample(_AMINO_LIST, 4) if a not in right]
    wrong = [f"{right[0]} {other[0]}", f"{other[1]} {right[1]}", f"{other[1]} {other[0]}"]
    text = pick(rng, TRANSLATE).format(x=x, y=y)
    return Question(text, " ".join(right), wrong, f"{x} {y}", (f"codon/{x}", f"codon/{y}"))


def offspring(p: tuple[int, int], q: tuple[int, int]) -> Fraction:
    """Share of offspring with the recessive form; parents are pairs of 0 (dominant), 1."""
    return Fraction(sum(a + b == 2 for a in p for b in q), 4)


_GENOTYPES = ((0, 0), (0, 1), (1, 1))
_QUARTERS = tuple(f"{n} of {m}" for n, m in ((0, 4), (1, 4), (2, 4), (3, 4), (4, 4)))


def _punnett(rng: Random) -> Question:
    trait = pick(rng, tuple(TRAITS))
    forms = TRAITS[trait]
    p, q = pick(rng, _GENOTYPES), pick(rng, _GENOTYPES)
    child = int(rng.random() * 2)
    share = offspring(p, q)
    if child == 0:
        share = 1 - share
    names = [f"{forms[g[0]]} {forms[g[1]]}" for g in (p, q)]
    text = pick(rng, CROSS).format(
        trait=trait, d=forms[0], r=forms[1], p=names[0], q=names[1], child=forms[child]
    )
    answer = f"{int(share * 4)} of 4"
    wrong = [w for w in _QUARTERS if w != answer]
    return Question(text, answer, wrong, f"{trait}/{names[0]}/{names[1]}/{forms[child]}")


def _island(rng: Random) -> Question:
    b = number_between(rng, 1, CHANGE_MAX)
    a, noun, come = number_between(rng, b, POPULATION_MAX), pick(rng, LIVING), rng.random() < 0.5
    text = ISLAND.format(a=digits(a), b=digits(b), noun=noun, verb=COME[0 if come else 1])
    right, slip = (a + b, a - b) if come else (a - b, a + b)
    key = f"{a}{'+' if come else '-'}{b}/{noun}"
    return Question(text, digits(right), nearby(rng, right, slip), key)


def _feed(rng: Random) -> Question:
    a, b = number_between(rng, 2, 5), number_between(rng, 2, 9)
    eaters = pick(rng, EATERS)
    food = pick(rng, tuple(f for f in FOOD if f != eaters))
    text = FEED.format(a=digits(a), b=digits(b), eaters=eaters, food=food)
    key = f"{a}*{b}/{eaters}/{food}"
    return Question(text, digits(a * b), nearby(rng, a * b, a + b, a * b + a, a * b - b), key)


def _growth(rng: Random) -> Question:
    a, years, noun = number_between(rng, 1, 9), number_between(rng, 1, 2), pick(rng, LIVING)
    right = a * 2**years
    text = GROWTH.format(noun=noun, a=digits(a), b=digits(years))
    return Question(
        text, digits(right), nearby(rng, right, a + years, 2 * a), f"{a}^{years}/{noun}"
    )


def _food_chain(rng: Random) -> Question:
    a, b = rng.sample(EATERS, 2)
    c, stranger = rng.sample([x for x in (*LIVING, "apples") if x not in (a, b)], 2)
    which = int(rng.random() * 4)
    question = CHAIN_QUESTIONS[which].format(a=a, b=b, c=c)
    answer = (a, b, b, c)[which]
    wrong = [x for x in (a, b, c, stranger) if x != answer]
    text = CHAIN.format(a=a, b=b, c=c, question=question)
    return Question(text, answer, wrong, f"{a}>{b}>{c}/{which}")


@functools.cache
def families() -> tuple[Family, ...]:
    plain = (
        Family("food_chain", _food_chain, 0.40, 0.40),
        Family("island", _island, 0.30, 0.30),
        Family("feed", _feed, 0.18, 0.18),
        Family("growth", _growth, 0.12, 0.12),
    )
    technical = (
        Family("complement", _complement, 0.14, 0.14),
        Family("transcribe", _transcribe, 0.14, 0.14),
        fact_family("codon", CODON, CODONS, weight=0.26, pretrain=0.24),
        Family("translate", _translate, 0.12, 0.10),
        Family("punnett", _punnett, 0.18, 0.20),
        fact_family("organelle", ORGANELLE, ORGANELLES, weight=0.08, pretrain=0.08),
        fact_family("class", CLASS, CLASSES, weight=0.08, pretrain=0.08),
    )
    return shared_out(plain, PLAIN_SHARE) + shared_out(technical, 1 - PLAIN_SHARE)


def words() -> set[str]:
    """Every word the generator can emit."""
    groups = (PAIR, TRANSCRIBE, CODON, TRANSLATE, ORGANELLE, CLASS, CROSS, CHAIN_QUESTIONS)
    literal = literal_words((*(t for g in groups for t in g), ISLAND, FEED, GROWTH, CHAIN))
    pairs = ORGANELLES | CLASSES | {k: " ".join(v) for k, v in TRAITS.items()}
    entities = split_words((*pairs, *pairs.values(), *_QUARTERS, *LIVING, *COME, *EATERS, *FOOD))
    return literal | entities | {*DNA, "u", *_AMINO_LIST}


def samples(split: str, n: int) -> list[dict[str, Any]]:
    """The first n rows of a split: training rows, or four-option items for `eval` and `tune`."""
    return take(choice_stream("biology", families(), split, OPEN_SHARE), n)
