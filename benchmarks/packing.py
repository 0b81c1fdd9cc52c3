"""Packing samples of the paper's lengths: how full micro-batches are, and what it costs.

    python benchmarks/packing.py [--share 1/30]

Lengths are log-normal with Table 1's means per discipline, at 1.5 tokens a word, cut at 2,048.
An optimizer batch of 128 samples is dealt to 32 micro-batches of 4, as scale paper does, either as
rows of the longest sample (any attention) or as one row (flash attention). Each optimizer batch
is packed on its own: no sample moves to another step. CPU time, extrapolated to all rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from measuring import table

from lawcheck import discovery
from lawcheck.scale import load_scale
from lawcheck.training import data


def encoded(lengths: Sequence[int]) -> data.Encoded:
    """Samples of these lengths without content, a third of each the prompt."""
    sizes = np.asarray(lengths)
    return data.Encoded(
        ids=[str(k) for k in range(len(sizes))],
        tokens=np.zeros(int(sizes.sum()), np.int32),
        starts=np.cumsum(sizes) - sizes,
        lengths=sizes,
        answers=(sizes // 3).astype(np.int32),
        cut=0,
        lost=0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", default="1/30", help="of the paper's rows")
    options = parser.parse_args()
    scale = load_scale("paper")
    science = discovery.of_role("discipline", "paper")
    rng = np.random.default_rng(0)
    drawn = []
    for d in science:
        mean = scale.plan.words_per_sample[d.name] * scale.plan.tokens_per_word
        count = round(d.paper_samples * float(Fraction(options.share)))
        drawn.append(rng.lognormal(np.log(mean) - 0.18, 0.6, count))
    limit = scale.training.max_length
    lengths = np.clip(np.concatenate(drawn).astype(int), 8, limit)
    samples = encoded(lengths.tolist())
    whole = sum(d.paper_samples for d in science)
    print(f"{len(lengths):,} samples, {lengths.mean():.0f} tokens each, at most {limit}")
    rows = []
    for name, flat in (("the longest sample", False), ("one row", True)):
        began = time.process_time()
        batches = data.MicroBatches(samples, 0, scale.training.batch_size, 32, flat)
        places = longest = 0
        for k in range(len(batches)):
            shape = batches[k]["input_ids"].shape
            places, longest = places + shape.numel(), max(longest, shape[1])
        spent = time.process_time() - began
        cells = [name, f"{100 * len(samples.tokens) / places:.1f}", str(longest)]
        rows.append([*cells, f"{spent:.1f}", f"{spent * whole / len(lengths):.0f}"])
    print(table(["rows of", "filled %", "longest row", "CPU s", "CPU s for all rows"], rows))


if __name__ == "__main__":
    main()
