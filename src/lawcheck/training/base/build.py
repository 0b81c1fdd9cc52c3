"""Train a small base model from scratch on the world's pretraining mixture.

The loop is our own: the model is tiny, so the pieces a general trainer adds would cost more
than the arithmetic. Loss and logits at the response and EOS only, or at the whole text. Device
and precision are those of the scale's hardware; weights and optimizer states stay in float32.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from lawcheck.corpus import frozen
from lawcheck.declare.scale import BuiltBase, Hardware, Scale
from lawcheck.errors import InputError
from lawcheck.files import atomic
from lawcheck.training.base import rows as data_rows
from lawcheck.training.base.muon import Muon
from lawcheck.training.base.record import seal_base
from lawcheck.training.device import require_device

RECORDED_LOSSES = 50


def build_base(
    scale: Scale,
    base: str,
    seed: int,
    out: Path,
    *,
    data: Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Build base model `base` of the scale with one seed into the folder `out`.

    Initialisation and data order follow the seed; the rows do not. On one machine and one
    version of torch, equal seeds give equal bits on the CPU (one thread), and equal numbers up
    to rounding on an accelerator. Returns the record that is also
    written to `<out>/base.json`. data: folder of real data, for worlds that read one.
    Raises InputError for a base that is not built, a thawed generator, an unfit mixture, and a
    training that diverges; then nothing is written.
    """
    digest = scale.base_digest(base)
    recipe = scale.bases[base]
    if not isinstance(recipe, BuiltBase):
        raise InputError(
            f"base {base!r} of scale {scale.name!r}: kind 'pretrained' is loaded, not built; "
            f"name a base of kind 'built'"
        )
    frozen.require_frozen(scale)
    device = require_device(scale.hardware)
    began, started = time.monotonic(), time.process_time()
    with _one_thread(), _seeded(seed):
        rows = data_rows.pretraining_rows(scale, recipe, data)
        tokenizer = data_rows.make_tokenizer(scale, recipe, rows)
        model = new_model(recipe, tokenizer)
        longest = model.config.max_position_embeddings
        samples = data_rows.encode(tokenizer, rows, longest, recipe.objective)
        # Drawn on the CPU, so that a seed means the same weights on every device.
        model.to(device)  # type: ignore[arg-type]
        pad = tokenizer.pad_token_id
        trained = _train(model, samples, recipe, seed, pad, progress, scale.hardware)
    record = {
        "scale": scale.name,
        "base": base,
        "seed": seed,
        "recipe": scale.base_recipe(base),
        "recipe_digest": digest,
        "parameters": sum(p.numel() for p in model.parameters()),
        "rows": len(rows),
        "rows_used": len(samples),
        **trained,
        "cpu_seconds": round(time.process_time() - started, 1),
        "wall_seconds": round(time.monotonic() - began, 1),
        "device": scale.hardware.device,
        "precision": scale.hardware.precision,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    # A bar around a file of a megabyte.
    logging.disable_progress_bar()
    with atomic.atomic_folder(out) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        seal_base(part, base, seed, record)
    return record


def new_model(
    recipe: BuiltBase, tokenizer: transformers.PreTrainedTokenizerFast
) -> PreTrainedModel:
    """A freshly initialised model that fits the tokenizer, drawn from torch's global seed."""
    config = AutoConfig.for_model(
        **recipe.architecture,
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    model.generation_config.do_sample = False
    return model.float()


def optimizers(model: PreTrainedModel, recipe: BuiltBase) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for everything else."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    inside = {id(p) for p in matrices}
    others = [p for _, p in named if id(p) not in inside]
    adamw = recipe.adamw
    return [
        Muon(matrices, **recipe.muon),
        torch.optim.AdamW(
            others,
            lr=adamw["learning_rate"],
            betas=(adamw["beta1"], adamw["beta2"]),
            weight_decay=adamw["weight_decay"],
        ),
    ]


def token_loss(model: PreTrainedModel, batch: data_rows.Batch) -> torch.Tensor:
    """Mean cross-entropy over the batch's targets.

    Right padding needs no attention mask: no target can look at a later position.
    """
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[batch.rows, batch.columns])
    return torch.nn.functional.cross_entropy(logits.float(), batch.targets)


def _train(
    model: PreTrainedModel,
    samples: list[data_rows.Sample],
    recipe: BuiltBase,
    seed: int,
    pad: int,
    progress: bool,
    hardware: Hardware,
) -> dict[str, Any]:
    """Returns steps, tokens seen (without padding) and the loss curve."""
    plan = [
        members
        for epoch in range(recipe.epochs)
        for members in data_rows.batches(samples, seed, epoch, recipe.tokens_per_batch)
    ]
    tuned = optimizers(model, recipe)
    peaks = [group["lr"] for optimizer in tuned for group in optimizer.param_groups]
    warmup = max(1, round(recipe.warmup_ratio * len(plan)))
    interval = max(1, len(plan) // RECORDED_LOSSES)
    curve: list[list[float]] = []
    recent: list[torch.Tensor] = []
    model.train()
    bar = tqdm(plan, desc=f"base seed {seed}", unit="step", disable=not progress)
    for step, members in enumerate(bar):
        share = min((step + 1) / warmup, (len(plan) - step) / max(1, len(plan) - warmup))
        groups = [group for optimizer in tuned for group in optimizer.param_groups]
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = peak * share
        batch = data_rows.collate(members, pad).to(model.device)
        # Around the forward pass only: inside, autocast keeps its copies of the weights.
        with _precision(hardware):
            loss = token_loss(model, batch)
        model.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in tuned:
            optimizer.step()
        # Read once an interval: each read makes an accelerator wait.
        recent.append(loss.detach())
        if (step + 1) % interval == 0 or step + 1 == len(plan):
            mean = sum(x.item() for x in recent) / len(recent)
            if not mean < float("inf"):
                raise InputError(
                    f"base seed {seed}: loss {mean} at step {step + 1} of {len(plan)}, expected "
                    f"a finite number; lower the learning rates of the base's recipe"
                )
            curve.append([step + 1, round(mean, 4)])
            bar.set_postfix(loss=f"{mean:.3f}")
            recent.clear()
    model.eval()
    tokens = recipe.epochs * sum(len(s.ids) for s in samples)
    return {"steps": len(plan), "tokens": tokens, "losses": curve}


def _precision(hardware: Hardware) -> torch.autocast:
    """Matrix products in bfloat16 where the scale says so."""
    enabled = hardware.precision == "bfloat16"
    return torch.autocast(hardware.device, dtype=torch.bfloat16, enabled=enabled)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums split over threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generator draws the initialisation; the caller's state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(hashlib.sha256(f"base {seed}".encode()).hexdigest()[:15], 16))
        yield
