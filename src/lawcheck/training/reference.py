"""Log-probabilities of the model that a run starts from, one pair of numbers per preference pair.

Computed once, by the very model that is about to train, and kept beside the run: a resumed run
has other weights and must not compute them.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from lawcheck.corpus.encoding import Encoded
from lawcheck.files import origin
from lawcheck.files.atomic import atomic_file
from lawcheck.training import record
from lawcheck.training.data import MicroBatches
from lawcheck.training.launch import rank, world_size
from lawcheck.training.learnt import learnt_tokens

AGAIN = "the reference is computed again, training starts at step 0"
NAME = "log_probabilities"


def rows_digest(encoded: Encoded) -> str:
    """Of the pairs as they are tokenized, in their order on disk."""
    sha = hashlib.sha256("\x1f".join(encoded.ids).encode())
    for part in (encoded.tokens[: int(encoded.lengths.sum())], encoded.lengths, encoded.answers):
        sha.update(np.ascontiguousarray(part).tobytes())
    return sha.hexdigest()


def stored(
    out: Path, run_id: str, made_from: Mapping[str, str] | None, encoded: Encoded
) -> NDArray[np.float32] | None:
    """(pairs, 2) as an earlier process kept them; None where they are damaged or of other rows.

    made_from: as of `lawcheck.training.run.train_run`. A line on stderr says what is not taken.
    """
    path = out / record.REFERENCE
    if not path.is_file():
        return None
    try:
        found = origin.require(path, "reference", run_id, AGAIN, made_from)
        now = rows_digest(encoded)
        if found.holds.get("rows") != now:
            was = str(found.holds.get("rows"))[:12]
            raise origin.OriginError(
                "stale", found.label, path, f"rows {was}", f"rows {now[:12]}", AGAIN
            )
    except origin.OriginError as fault:
        if rank() == 0:
            print(f"lawcheck: {fault}", file=sys.stderr)
        return None
    values: NDArray[np.float32] = load_file(path)[NAME]
    return values


def compute(trainer: Any, batches: MicroBatches) -> NDArray[np.float32]:
    """(pairs, 2) log-probabilities of chosen and rejected responses under the model as it is.

    Reads the micro-batches that training is going to read, so that the same tokens are packed with
    the same others; each process computes its own, and all of them return the whole.
    """
    model = trainer.model_wrapped
    training = model.training
    model.eval()
    found = np.zeros((len(batches.encoded.ids), 2), np.float32)
    with torch.no_grad():
        for place in range(rank(), len(batches), world_size()):
            batch = trainer._prepare_inputs(batches[place])
            tokens, _ = learnt_tokens(model, trainer.model, batch)
            found[batch["pairs"]] = tokens.sequence_log_probabilities().float().cpu().numpy()
    model.train(training)
    if world_size() > 1:
        # Each pair stands in one process's part, the others hold 0 for it.
        shared = torch.from_numpy(found).to(trainer.args.device)
        torch.distributed.all_reduce(shared)
        found = shared.cpu().numpy()
    return found


def keep(
    out: Path,
    run_id: str,
    made_from: Mapping[str, str] | None,
    encoded: Encoded,
    values: NDArray[np.float32],
) -> None:
    """Write them beside the run, with their record."""
    path = out / record.REFERENCE
    origin.forget(path)
    with atomic_file(path) as part:
        save_file({NAME: values}, part)
    origin.seal(
        path, "reference", run_id, made_from=made_from, holds={"rows": rows_digest(encoded)}
    )
