"""Adapter folders that benchmarks/fuzz.py damages: configuration, header, tensors. Loads torch."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_damage import damaged, structured
from fuzz_files import Kind, calling, strict

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def adapter_kinds(home: Path) -> list[Kind]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from lawcheck.methods import lora, lora_comp, lora_moe
    from lawcheck.methods.base import AdapterSettings

    torch.set_num_threads(1)

    def base() -> Any:
        config = LlamaConfig(
            vocab_size=32,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
        return LlamaForCausalLM(config)

    settings = AdapterSettings(rank=2, alpha=4)
    built = {
        "lora": (lora, lora.build(base(), {}, settings, 0)),
        "lora_moe": (lora_moe, lora_moe.build(base(), {"variant": "shared_a"}, settings, 0)),
    }
    experts = {}
    for name in ("biology", "chemistry", "geography", "math", "medicine"):
        experts[name] = home / "adapters" / name
        lora.save(lora.build(base(), {}, settings, 0), experts[name])
    built["lora_comp"] = (lora_comp, lora_comp.build(base(), {}, settings, 0, experts))
    kinds = []
    for name, (method, model) in built.items():
        folder = home / "adapters" / f"{name}-saved"
        method.save(model, folder)
        sound = {n: (folder / n).read_bytes() for n in (CONFIG, WEIGHTS)}
        for file, damage in ((CONFIG, structured), (WEIGHTS, tensors)):
            run = calling(_loaded(method.load, base, sound, file))
            agrees = strict if file == CONFIG else _numbers
            kinds.append(Kind(f"{name} {file}", sound[file], run, agrees, damage, share=0.3))
    for file, damage in ((CONFIG, structured), (WEIGHTS, tensors)):

        def build(model: Any, folder: Path) -> None:
            lora_comp.build(model, {}, settings, 0, {**experts, "math": folder})

        content = {n: (experts["math"] / n).read_bytes() for n in (CONFIG, WEIGHTS)}
        run = calling(_loaded(build, base, content, file))
        kinds.append(Kind(f"expert {file}", content[file], run, damage=damage, share=0.3))
    return kinds


def _loaded(
    load: Callable[[Any, Path], Any],
    base: Callable[[], Any],
    sound: dict[str, bytes],
    file: str,
) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        folder = path.parent / "adapter"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in sound.items():
            if name != file:
                (folder / name).write_bytes(content)
        if path.is_symlink():
            (folder / file).symlink_to(file)
        elif path.is_dir():
            (folder / file).mkdir()
        elif path.exists():
            (folder / file).write_bytes(path.read_bytes())
        load(base(), folder)

    return read


def tensors(raw: bytes, rng: random.Random) -> bytes:
    """safetensors with damaged bytes, a damaged header, or tensors of other shapes and values."""
    import torch
    from safetensors.torch import load, save

    kind = rng.randrange(4)
    size = int.from_bytes(raw[:8], "little")
    if kind == 0:
        return damaged(raw, rng)
    if kind == 1:
        header = structured(raw[8 : 8 + size], rng)
        length = rng.choice((len(header), len(header), len(header), size, 0, 2**63, 2**40))
        return length.to_bytes(8, "little") + header + raw[8 + size :]
    held = load(raw)
    name = rng.choice(sorted(held))
    tensor = held.pop(name)
    if kind == 2:
        held[name] = tensor.clone()
        held[name].view(-1)[0] = rng.choice((float("nan"), float("inf"), -float("inf"), 1e30))
        return save(held)
    other = rng.choice(
        (
            None,
            tensor.T.contiguous(),
            tensor[:1].clone(),
            tensor.reshape(-1).clone(),
            tensor.to(torch.float64),
            tensor.to(torch.int32),
            tensor.to(torch.float16),
            torch.zeros(0),
            tensor[None].clone(),
        )
    )
    if other is not None:
        held[rng.choice((name, name, name, f"{name}.x", "../x"))] = other
    return save(held)


def _numbers(raw: bytes) -> bool:
    """Accepted weights are numbers; those that are not finite leave a model's items unscored."""
    from safetensors.torch import load

    return all(t.is_floating_point() for t in load(raw).values())
