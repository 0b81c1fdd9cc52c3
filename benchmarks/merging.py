"""`lawcheck merge` against mergekit, in turn, each in a process of its own.

    python benchmarks/merging.py --mergekit /tmp/mergekit/bin/python
    python benchmarks/merging.py --mergekit /tmp/mergekit/bin/python --shapes mistral_7b --rounds 1
    python benchmarks/merging.py --shapes tiny

Parents are bfloat16 numbers in the real shapes, the second close to the first; of 7B models each
takes 14.5 GB of disk space, and so does a merge, which is removed where the disk cannot hold both;
else they are compared. Seconds are of whole processes until all is on the disk, median over rounds;
resident is the peak that the kernel counted. mergekit copies no tokenizer and writes no card,
lawcheck also hashes its inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import machine, table

from lawcheck.files.tensors import INDEX, Stored, header, pieces, shards, stored_tensors
from lawcheck.methods.base import ModelShapes

SHAPES = {
    "tiny": ModelShapes(
        hidden=64, layers=6, heads=4, kv_heads=2, head_dim=16, feed_forward=96, vocabulary=500
    ),
    "smollm2_135m": ModelShapes(
        hidden=576,
        layers=30,
        heads=9,
        kv_heads=3,
        head_dim=64,
        feed_forward=1536,
        vocabulary=49_152,
        tied=True,
    ),
    "mistral_7b": ModelShapes(
        hidden=4096,
        layers=32,
        heads=32,
        kv_heads=8,
        head_dim=128,
        feed_forward=14_336,
        vocabulary=32_768,
    ),
}
SCHEDULE = {"self_attn": [0, 0.5, 0.3, 0.7, 1], "mlp": [1, 0.5, 0.7, 0.3, 0]}
SHARD = 5_000_000_000


def tensor_shapes(model: ModelShapes) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (model.vocabulary, model.hidden)
    }
    for k in range(model.layers):
        for name, (inputs, outputs) in model.linears.items():
            part = "self_attn" if name in ("q_proj", "k_proj", "v_proj", "o_proj") else "mlp"
            found[f"model.layers.{k}.{part}.{name}.weight"] = (outputs, inputs)
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"model.layers.{k}.{name}.weight"] = (model.hidden,)
    found["model.norm.weight"] = (model.hidden,)
    if not model.tied:
        found["lm_head.weight"] = (model.vocabulary, model.hidden)
    return found


def write_parents(folders: list[Path], model: ModelShapes) -> None:
    """Two models that differ in the last two bits of every number, and in every 7th tensor more."""
    tensors = {
        n: Stored(Path(), "BF16", s, 0, 2 * int(np.prod(s)))
        for n, s in tensor_shapes(model).items()
    }
    split = shards(tensors, SHARD)
    names = [f"model-{k + 1:05d}-of-{len(split):05d}.safetensors" for k in range(len(split))]
    rng = np.random.default_rng(0)
    # Drawn once and begun at other places: 7 G normal numbers would take minutes.
    pool = rng.standard_normal((1 << 24) + (1 << 20)).astype(np.float32) * np.float32(0.02)
    bits = (pool.view(np.uint32) >> 16).astype("<u2")
    for which, folder in enumerate(folders):
        folder.mkdir(parents=True)
        place = 0
        for name, inside in zip(names, split, strict=True):
            with (folder / name).open("wb") as stream:
                stream.write(header({n: tensors[n] for n in inside}))
                for n in inside:
                    place += 1
                    for offset, size in pieces(tensors[n].size, 1 << 24):
                        begin = (place * 7919 + offset) % (1 << 20)
                        own = bits[begin : begin + size // 2]
                        if which:
                            own = own ^ np.uint16(31 if place % 7 == 0 else 3)
                        stream.write(own.tobytes())
        places = {n: name for name, inside in zip(names, split, strict=True) for n in inside}
        total = sum(t.size for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / INDEX).write_text(json.dumps(index))
        config = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": model.hidden,
            "num_hidden_layers": model.layers,
            "num_attention_heads": model.heads,
            "num_key_value_heads": model.kv_heads,
            "head_dim": model.head_dim,
            "intermediate_size": model.feed_forward,
            "vocab_size": model.vocabulary,
            "tie_word_embeddings": model.tied,
            "dtype": "bfloat16",
        }
        (folder / "config.json").write_text(json.dumps(config))


def mergekit_settings(one: Path, two: Path, layers: int, folder: Path) -> Path:
    values = [{"filter": k, "value": v} for k, v in SCHEDULE.items()] + [{"value": 0.5}]
    sources = [{"model": str(m), "layer_range": [0, layers]} for m in (one, two)]
    settings = {
        "merge_method": "slerp",
        "base_model": str(one),
        "slices": [{"sources": sources}],
        "parameters": {"t": values},
        "dtype": "bfloat16",
    }
    path = folder / "mergekit.yaml"
    path.write_text(json.dumps(settings))
    return path


def timed(command: list[str], out: Path) -> tuple[float, float]:
    """Seconds and peak resident bytes of one process."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    began = time.monotonic()
    said = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
    peak = 0
    # Not ru_maxrss, which begins at what this process holds itself.
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration, IndexError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) * 1024
        time.sleep(0.02)
    os.sync()
    seconds = time.monotonic() - began
    if process.returncode:
        said.seek(0)
        raise SystemExit(f"{' '.join(command)}: {said.read().decode()[-2000:]}")
    said.close()
    return seconds, peak


def difference(one: Path, two: Path) -> tuple[float, float]:
    """Share of numbers that differ between two folders, and the largest of the differences in units
    of the last place of bfloat16."""
    left, right = stored_tensors(one), stored_tensors(two)
    if left.keys() != right.keys():
        raise SystemExit(f"tensors of {one} and {two} differ in their names")
    apart = total = 0
    furthest = 0
    for name, a in left.items():
        b = right[name]
        for offset, size in pieces(a.size, 1 << 24):
            x, y = (
                np.fromfile(t.file, "<u2", size // 2, offset=t.start + offset).astype(np.int64)
                for t in (a, b)
            )
            unlike = x != y
            apart, total = apart + int(unlike.sum()), total + x.size
            if unlike.any():
                furthest = max(furthest, int(np.abs(x - y)[unlike].max()))
    return apart / total, furthest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", default="smollm2_135m", choices=SHAPES)
    parser.add_argument("--layers", type=int, help="fewer layers, where the disk is small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mergekit", metavar="PYTHON", help="of an environment with mergekit")
    parser.add_argument("--folder", type=Path, help="where models are written (a temporary one)")
    arguments = parser.parse_args()
    model = SHAPES[arguments.shapes]
    if arguments.layers:
        import dataclasses

        model = dataclasses.replace(model, layers=arguments.layers)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        one, two = folder / "one", folder / "two"
        write_parents([one, two], model)
        contenders = {
            "lawcheck": [sys.executable, "-m", "lawcheck", "merge", str(one), str(two), "--out"]
        }
        if arguments.mergekit:
            settings = mergekit_settings(one, two, model.layers, folder)
            run = str(Path(arguments.mergekit).with_name("mergekit-yaml"))
            plain = ["--no-write-model-card", "--no-copy-tokenizer"]
            contenders["mergekit"] = [run, *plain, str(settings)]
        seconds: dict[str, list[float]] = {n: [] for n in contenders}
        peaks: dict[str, list[float]] = {n: [] for n in contenders}
        size = 2 * model.total_parameters
        for _ in range(arguments.rounds):
            for name, command in contenders.items():
                out = folder / f"by_{name}"
                took, peak = timed([*command, str(out)], out)
                if shutil.disk_usage(folder).free < 1.2 * size:
                    shutil.rmtree(out)
                seconds[name].append(took)
                peaks[name].append(peak)
        print(machine())
        print(f"\n{model.total_parameters:,} parameters in bfloat16, {size / 1e9:.2f} GB a model\n")
        own = statistics.median(seconds["lawcheck"])
        rows = []
        for name in contenders:
            took, peak = statistics.median(seconds[name]), max(peaks[name])
            rows.append([name, f"{took:.1f}", f"{took / own:.2f}", f"{peak / 1e9:.2f}"])
        print(table(["by", "seconds", "over lawcheck", "resident, GB"], rows))
        if all((folder / f"by_{n}").is_dir() for n in ("lawcheck", "mergekit")):
            share, steps = difference(folder / "by_lawcheck", folder / "by_mergekit")
            print(f"\nunlike mergekit's: {share:.2e} of all, by at most {steps:.0f} last places")


if __name__ == "__main__":
    main()
