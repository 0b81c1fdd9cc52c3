"""Packing samples of the paper's lengths: how full micro-batches are, and what it costs.

    python benchmarks/packing.py [--share 1/30]

Lengths are log-normal with Table 1's means per discipline, at 1.5 tokens a word, cut at 2,048.
An optimizer batch of 128 samples is dealt to 32 micro-batches of 4: in rows of the longest sample
(any attention), in one row (flash attention), or as rows of the whole optimizer batch of at most
2,048 tokens, for 1, 8 and 32 devices (any attention). Each optimizer batch is packed on its own: no
sample moves to another step. CPU time, extrapolated to all rows.

filled: tokens of samples over the places of all micro-batches; a row is as wide as what it holds,
so that only what is computed for nothing counts. of 2,048: tokens over 2,048 for each row that
holds something. busy: tokens over (devices x the longest micro-batch), summed over the times that
all devices take one micro-batch; what is missing are devices that wait for the fullest one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from measuring import table

from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
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
        count = round(d.rows * float(Fraction(options.share)))
        drawn.append(rng.lognormal(np.log(mean) - 0.18, 0.6, count))
    limit = scale.training.max_length
    lengths = np.clip(np.concatenate(drawn).astype(int), 8, limit)
    samples = encoded(lengths.tolist())
    whole = sum(d.rows for d in science)
    print(f"{len(lengths):,} samples, {lengths.mean():.0f} tokens each, at most {limit}")
    rows = []
    kinds = [
        ("the longest sample", {"devices": 32}),
        ("one row", {"devices": 32, "flat": True}),
        *((f"the step, {n} devices", {"devices": n, "row": limit}) for n in (1, 8, 32)),
    ]
    for name, options in kinds:
        devices = options["devices"]
        began = time.process_time()
        batches = data.MicroBatches(samples, 0, scale.training.batch_size, 32, **options)
        shapes = [batches[k]["input_ids"].shape for k in range(len(batches))]
        spent = time.process_time() - began
        places = np.array([s.numel() for s in shapes])
        held = sum(s[0] for s in shapes if s[1] > 1)
        # Each round is one micro-batch on every device.
        waited = devices * places.reshape(-1, devices).max(axis=1).sum()
        tokens = int(samples.lengths.sum())
        shares = (tokens / places.sum(), tokens / (limit * held), tokens / waited)
        cells = [name, *(f"{100 * s:.1f}" for s in shares), str(max(s[1] for s in shapes))]
        rows.append([*cells, f"{spent:.1f}", f"{spent * whole / len(lengths):.0f}"])
    head = ["rows of", "filled %", "of 2,048 %", "busy %", "longest row", "CPU s"]
    print(table([*head, "CPU s for all rows"], rows))


if __name__ == "__main__":
    main()
