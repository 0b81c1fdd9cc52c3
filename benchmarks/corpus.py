"""Corpus work at a share of the paper's 3.3 million rows: CPU and wall time, peak memory.

    python benchmarks/corpus.py [--share 1/30] [--share 1/10]

Rows have Table 1's proportions and average lengths, words drawn from a Zipf law over 200,000
invented ones; 20,000 evaluation items are compared with every row. Making them does not count.
Stages, each as a study runs it: compare with the evaluation items and write shards in recipe order;
draw the two upsampled mixtures from disk; n-gram diversity of three mixtures; tokenize the corpus
into its store with two processes, and read one mixture from it; pack that into micro-batches, as
rows of the whole step. Each share runs in a process of its own; the last line extrapolates the
largest one linearly to the whole. CPU s and peak are those of all processes together, the peak of
resident memory, looked at five times a second, shared pages counted once a process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from lawcheck.corpus.contamination import Asked, EvaluationIndex, Item
from lawcheck.corpus.placed import Placed
from lawcheck.corpus.recipe import mix
from lawcheck.corpus.shards import Shards, ShardWriter, shard_files
from lawcheck.corpus.statistics import statistics
from lawcheck.corpus.token_store import TokenStore
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe
from lawcheck.declare.scale import load_scale
from lawcheck.files.hashing import file_sha256
from lawcheck.studies.discipline_laws.arms import upsampled

VOCABULARY, ITEMS, CHUNK = 200_000, 20_000, 4096
SCIENCE = {d.name: d for d in discovery.of_role("discipline", "paper")}
STAGES = ("compare, write", "mix, upsample", "diversity", "tokenize", "pack")
RECIPES = {
    r.label: r
    for r in (
        Recipe(),
        Recipe(upsampling=upsampled("diverse", 300_000)),
        Recipe(upsampling=upsampled("unique", 300_000)),
    )
}


class Words:
    """Texts of invented words; common ones are short, as in a language."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        sizes = 2 + np.log2(np.arange(2, VOCABULARY + 2)).astype(int) // 2
        drawn = self.rng.integers(0, 26, int(sizes.sum()))
        whole = "".join(letters[drawn])
        ends = np.cumsum(sizes)
        self.words = np.array(
            [whole[e - n : e] for e, n in zip(ends, sizes, strict=True)], dtype=object
        )
        weights = 1 / np.arange(1, VOCABULARY + 1)
        self.cumulative = np.cumsum(weights) / weights.sum()

    def texts(self, count: int, mean: float) -> Iterator[list[str]]:
        """Lengths are log-normal, at least 14 words."""
        sizes = self.rng.lognormal(np.log(mean) - 0.18, 0.6, count).astype(int).clip(14, 4000)
        for start in range(0, count, CHUNK):
            part = sizes[start : start + CHUNK]
            places = np.searchsorted(self.cumulative, self.rng.random(int(part.sum())))
            words = self.words[places.clip(max=VOCABULARY - 1)]
            for text in np.split(words, np.cumsum(part)[:-1]):
                yield text.tolist()


def measure(share: float) -> None:
    # Not for the processes that tokenize: those of a study import no torch either.
    from measuring import Peak

    from lawcheck.training import data
    from lawcheck.training.base.tokenizer import train_bpe

    made = Words()
    lengths = load_scale("paper").plan.words_per_sample
    texts = (" ".join(t) for t in made.texts(ITEMS, 30))
    items = {f"task{k}": [Item(next(texts)) for _ in range(ITEMS // 10)] for k in range(10)}
    spent, wall = dict.fromkeys(STAGES, 0.0), dict.fromkeys(STAGES, 0.0)
    rows = n_words = 0
    with Peak() as peak, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with timed("compare, write", spent, wall):
            index = EvaluationIndex(items)
        for discipline, d in SCIENCE.items():
            count = round(d.rows * share)
            source = made.texts(count, lengths[discipline])
            with ShardWriter(folder, discipline, count, None) as writer:
                for start in range(0, count, CHUNK):
                    block = [next(source) for _ in range(min(CHUNK, count - start))]
                    for k in range(0, len(block), 3):
                        # Every third row holds a word of its discipline alone.
                        block[k][-1] = f"{discipline}{(start + k) // 30}"
                    pairs = [
                        (" ".join(t[: len(t) // 3]), " ".join(t[len(t) // 3 :])) for t in block
                    ]
                    rows, n_words = rows + len(block), n_words + sum(map(len, block))
                    with timed("compare, write", spent, wall):
                        hit = index.compare([Asked(p, f"{p}\n{r}") for p, r in pairs]).any.tolist()
                        for k, (prompt, response) in enumerate(pairs):
                            if not hit[k]:
                                found = (f"{discipline}{start + k}", discipline, "set", "", prompt)
                                writer.add((*found, response))
                with timed("compare, write", spent, wall):
                    writer.finish()
        shards = {d: Shards(shard_files(folder, d)) for d in SCIENCE}

        with timed("mix, upsample", spent, wall):
            for recipe in list(RECIPES.values())[1:]:
                mixed = mix(recipe, shards, [], SCIENCE, 10)
                assert sum(1 for _ in mixed) > 0
        corpus = Placed(shards, {}, SCIENCE, 10)
        with timed("diversity", spent, wall):
            statistics(corpus, RECIPES, folder)
        sample = (r["response"] for s in shards.values() for r in islice(s, 4000))
        tokenizer = train_bpe(sample, 65_536)
        with timed("tokenize", spent, wall):
            paths = [p for d in SCIENCE for p in shard_files(folder, d)]
            hashes = {p.name: file_sha256(p) for p in paths}
            store = TokenStore(folder / "tokens", tokenizer, paths, hashes, workers=2)
            encoded = store.encoded(corpus.named(Recipe()), 2048)
        with timed("pack", spent, wall):
            batches = data.MicroBatches(encoded, 0, 128, 32, row=2048, devices=8)
            places = sum(batches[k]["input_ids"].numel() for k in range(len(batches)))
    filled = int(encoded.lengths.sum()) / places
    found = {"rows": rows, "words": n_words, "filled": filled}
    print(json.dumps({**found, "spent": spent, "wall": wall, "peak": peak.bytes / 2**20}))


@contextlib.contextmanager
def timed(stage: str, spent: dict[str, float], wall: dict[str, float]) -> Iterator[None]:
    """CPU time of this process and of those it started and saw end."""
    began, cpu = time.perf_counter(), all_cpu()
    yield
    spent[stage] += all_cpu() - cpu
    wall[stage] += time.perf_counter() - began


def all_cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", action="append", help="of the paper's rows (1/30, 1/10)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(float(Fraction(options.measure)))
        return
    print("| rows | words | " + " | ".join(f"{s}, CPU s" for s in STAGES), end=" | ")
    print("all | wall s | CPU s per million rows | peak MiB | packed % |\n" + "|---" * 12 + "|")
    found = {}
    for share in options.share or ["1/30", "1/10"]:
        # A process of its own, so that peaks do not add up.
        done = subprocess.run(
            [sys.executable, __file__, "--measure", share],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        total = sum(found["spent"].values())
        cells = [f"{found['rows']:,}", f"{found['words']:,}"]
        cells += [f"{found['spent'][s]:.1f}" for s in STAGES]
        cells += [f"{total:.1f}", f"{sum(found['wall'].values()):.0f}"]
        cells += [f"{1e6 * total / found['rows']:.0f}", f"{found['peak']:.0f}"]
        print("| " + " | ".join([*cells, f"{100 * found['filled']:.1f}"]) + " |", flush=True)
    whole = sum(d.rows for d in SCIENCE.values())
    minutes = sum(found["spent"].values()) * whole / found["rows"] / 60
    print(f"\nextrapolated to {whole:,} rows: {minutes:.0f} CPU minutes")


if __name__ == "__main__":
    main()
