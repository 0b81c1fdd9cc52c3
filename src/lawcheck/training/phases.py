"""Training on a mixture whose shares move: phases of equal step count, and weights between them.

A phase is an epoch of the Trainer: its loader reads one micro-batch ahead, but never beyond the end
of an epoch, so that a phase's rows are asked for once its weights are set.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from lawcheck.corpus.encoding import Encoded
from lawcheck.corpus.moving import apportioned, copy_id, draws
from lawcheck.declare.design import Mixture
from lawcheck.declare.mixing import MixingRule, Phase, Reference, potentials
from lawcheck.training.data import MicroBatches, layout
from lawcheck.training.learnt import learnt_tokens
from lawcheck.training.mixture import Domains
from lawcheck.training.trainer import CompletionTrainer

Weights = Mapping[str, float]


class PhasedBatches(Dataset):
    """Micro-batches of the phase that was begun last, as `MicroBatches` gives them.

    rows: of each phase. batches: makes micro-batches of samples. encoded: samples of all phases
    that have begun.
    """

    def __init__(
        self, domains: Domains, rows: int, batches: Callable[[Encoded], MicroBatches]
    ) -> None:
        self.domains, self.rows = domains, rows
        self._batches = batches
        self.counts: list[dict[str, int]] = []
        # One phase of any weights says how many steps each has.
        self._now = batches(self._samples([apportioned(dict.fromkeys(domains.learned, 1.0), rows)]))
        self.encoded = self._now.encoded

    @property
    def steps(self) -> int:
        return self._now.steps

    @property
    def parts(self) -> int:
        return self._now.parts

    @property
    def sizes(self) -> dict[str, int]:
        """Distinct rows per domain that may be learned."""
        return {name: len(own) for name, own in self.domains.learned.items()}

    def __len__(self) -> int:
        return len(self._now)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._now[index]

    def begin(self, weights: Sequence[Weights]) -> None:
        """Begin the last of the phases with these weights."""
        self.counts = [apportioned(w, self.rows) for w in weights]
        self._now = self._batches(self._samples(self.counts))
        ends = range(1, len(weights) + 1)
        self.encoded = _joined([self._samples(self.counts[:end]) for end in ends])

    def _samples(self, counts: Sequence[Mapping[str, int]]) -> Encoded:
        whole, ids, members = self.domains.encoded, [], []
        for name, drawn in draws(counts, self.sizes).items():
            for place, copy in drawn:
                member = int(self.domains.learned[name][place])
                ids.append(copy_id(whole.ids[member], copy))
                members.append(member)
        at = np.array(members, np.int64)
        return dataclasses.replace(
            whole,
            ids=ids,
            starts=whole.starts[at],
            lengths=whole.lengths[at],
            answers=whole.answers[at],
        )

    def distinct(self, counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
        """Distinct rows per domain in these phases together."""
        return {name: min(size, sum(c[name] for c in counts)) for name, size in self.sizes.items()}


def _joined(parts: Sequence[Encoded]) -> Encoded:
    """Samples of the same tokens, end to end."""
    return dataclasses.replace(
        parts[0],
        ids=[name for part in parts for name in part.ids],
        starts=np.concatenate([part.starts for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
        answers=np.concatenate([part.answers for part in parts]),
    )


class MovingWeights(TrainerCallback, ExportableState):
    """Measures losses before every phase and after the last, and sets each phase's weights.

    measure: losses per domain of the model as it is. reference: for rules that read one. A
    checkpoint keeps both lists: a phase that had not begun when it was written begins with the same
    losses and weights. seconds: that measuring took.
    """

    def __init__(
        self,
        rule: MixingRule,
        mixture: Mixture,
        start: Weights,
        batches: PhasedBatches,
        measure: Callable[[], dict[str, float]],
        reference: Reference | None = None,
    ) -> None:
        self.rule, self.mixture, self.start = rule, mixture, dict(start)
        self.batches, self.measure, self.reference = batches, measure, reference
        self.seconds = 0.0
        self.weights: list[dict[str, float]] = []
        self.losses: list[dict[str, float]] = []

    def state(self) -> dict[str, Any]:
        kept = {"weights": list(self.weights), "losses": list(self.losses), "seconds": self.seconds}
        return {"args": {}, "attributes": kept}

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept of `state`."""
        # A checkpoint's file sorts names, and sums in another order differ in their last bits.
        domains = self.batches.domains
        self.weights = [{n: w[n] for n in domains.learned} for w in kept.get("weights", ())]
        self.losses = [{n: x[n] for n in domains.measured} for x in kept.get("losses", ())]
        self.seconds = kept.get("seconds", 0.0)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        phase = state.global_step // self.batches.steps
        if len(self.weights) == phase:
            losses = self._measured(args.device)
            self.weights.append(self._next(losses, args.device))
            self.losses.append(losses)
        self.batches.begin(self.weights)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == state.max_steps:
            self.losses.append(self._measured(args.device))

    def _next(self, losses: dict[str, float], device: Any) -> dict[str, float]:
        if not self.weights and not self.rule.opens:
            return self.start
        weights = self.weights[-1] if self.weights else self.start
        if not all(map(math.isfinite, losses.values())):
            # Of a model that is lost: the next step ends the run.
            return weights
        pairs = zip(self.weights, self.losses, strict=True)
        history = [Phase(weights=w, losses=before) for w, before in pairs]
        found = self.rule(weights, losses, history, self.mixture, self.reference)
        return _of_first_rank(found, device)

    def _measured(self, device: Any) -> dict[str, float]:
        began = time.monotonic()
        found = _of_first_rank(self.measure(), device)
        self.seconds += time.monotonic() - began
        return found

    def record(self) -> dict[str, Any]:
        """What train.json says. Losses that are not finite are None."""

        def of(losses: Mapping[str, float]) -> dict[str, float | None]:
            return {name: x if math.isfinite(x) else None for name, x in losses.items()}

        batches, reference = self.batches, self.reference
        moved: dict[str, Any] = {}
        if reference is not None:
            moved["reference"] = dict(reference.losses)
            # Before every phase, and after the last.
            moved["potentials"] = [of(potentials(losses, reference)) for losses in self.losses]
        return {
            "rule": self.rule.name,
            "rule_version": self.rule.version,
            **moved,
            "losses_before": of(self.losses[0]),
            "phases": [
                {
                    "weights": weights,
                    "rows": counts,
                    "distinct_rows": batches.distinct([counts]),
                    # Of a phase that a run did not end there is none.
                    "losses": of(self.losses[k]) if k < len(self.losses) else None,
                }
                for k, (weights, counts) in enumerate(
                    zip(self.weights, batches.counts, strict=True), start=1
                )
            ],
            "distinct_rows": batches.distinct(batches.counts),
            "available_rows": batches.sizes,
            "held_out_rows": {name: len(m) for name, m in batches.domains.measured.items()},
        }


def _of_first_rank(values: dict[str, float], device: Any) -> dict[str, float]:
    """The first process's numbers on all of them, bit for bit."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    shared = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    torch.distributed.broadcast(shared, src=0)
    return dict(zip(values, shared.tolist(), strict=True))


def held_out_losses(
    trainer: CompletionTrainer, domains: Domains, micro_batch: int, flat: bool, packed: bool
) -> dict[str, float]:
    """Mean loss per response token of each domain's held-out rows, in nats. Every process calls it.

    micro_batch: samples at a time. flat, packed: as of `MicroBatches`.
    """
    model: Any = trainer.model_wrapped
    was_training = model.training
    model.eval()
    found = {}
    with torch.no_grad():
        for name, members in domains.measured.items():
            longest_first = members[np.argsort(-domains.encoded.lengths[members], kind="stable")]
            total, tokens = 0.0, 0
            for begin in range(0, len(members), micro_batch):
                some = longest_first[begin : begin + micro_batch]
                batch = layout(flat, packed)(domains.encoded, some)
                inputs = {
                    k: v.to(trainer.args.device) if isinstance(v, torch.Tensor) else v
                    for k, v in batch.items()
                }
                tokens += int(trainer.objective.counts(inputs)[0])
                learnt, _ = learnt_tokens(model, trainer.model, inputs)
                total += float(trainer.objective.loss(learnt, None)[0])
            found[name] = total / tokens
    model.train(was_training)
    return found
