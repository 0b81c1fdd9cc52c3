"""When a run counts as diverged, and what is kept of it.

A run diverges when its loss or gradient norm is not finite, or when for `patience` steps in a
row, after warm-up, the loss is above `factor` times its running median or above twice that of
uniform guessing, or when the last step, which no loss follows, leaves weights that are not finite.
It then stops and falls back to the last good state: the trainable parameters as they were when they
last produced a healthy loss.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from lawcheck.training.health import not_finite

# Bytes. The weights of a model of 135 M parameters are above it: two copies of them, while one is
# made, would be a quarter of its memory.
SNAPSHOT_LIMIT = 1 << 29


@dataclass(frozen=True)
class Rule:
    """window: healthy losses behind the running median; the median rule waits for all of them."""

    factor: float = 10.0
    patience: int = 10
    window: int = 50
    snapshots: int = 20


class DivergenceWatch(TrainerCallback, ExportableState):
    """Trainer callback; the trainer reports every micro-batch's loss and the gradient norm.

    vocabulary: size, for the loss of uniform guessing. snapshot_limit: bytes of trainable
    parameters up to which snapshots are kept in memory (0: never); beyond it the trainer's last
    checkpoint is the last good state. steps_early: the optimizer steps inside the last backward
    pass, as DeepSpeed's does, so that parameters are copied before their loss is known.
    """

    # What a checkpoint keeps.
    KEPT = ("healthy", "losses", "gradient_norms")

    def __init__(
        self,
        vocabulary: int,
        snapshot_limit: int = SNAPSHOT_LIMIT,
        rule: Rule = Rule(),
        *,
        steps_early: bool = False,
    ) -> None:
        self.rule = rule
        self.steps_early = steps_early
        self.candidate: dict[str, Tensor] | None = None
        self.vocabulary = vocabulary
        self.ceiling = 2 * math.log(vocabulary)
        self.snapshot_limit = snapshot_limit
        self.loss: Tensor | None = None
        self.gradient_norm: float | None = None
        self.healthy: deque[float] = deque(maxlen=rule.window)
        # Of the last steps, and of all steps, for the run's record.
        self.losses: deque[float] = deque(maxlen=rule.window)
        self.gradient_norms: list[float] = []
        self.streak = 0
        self.snapshot: dict[str, Tensor] | None = None
        self.last_good_step = 0
        self.at_step: int | None = None
        self.reason = ""

    @property
    def diverged(self) -> bool:
        return self.at_step is not None

    def add_loss(self, loss: Tensor) -> None:
        self.loss = loss if self.loss is None else self.loss + loss

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # A checkpoint of an earlier version has no place for it.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a resumed run judges its losses as one in a piece."""
        arguments = {"vocabulary": self.vocabulary, "snapshot_limit": self.snapshot_limit}
        kept = {name: list(getattr(self, name)) for name in self.KEPT}
        return {"args": arguments, "attributes": kept}

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept of `state`."""
        for name in self.KEPT:
            getattr(self, name).extend(kept.get(name, ()))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.steps_early and self._due(state):
            self.candidate = self._copy(kwargs["model"])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        assert self.loss is not None
        loss, self.loss = self._over_ranks(self.loss), None
        self.losses.append(loss)
        if self.gradient_norm is not None:
            self.gradient_norms.append(self.gradient_norm)
        fault = self._fault(loss, state.global_step >= args.warmup_steps)
        if fault:
            self.at_step, self.reason = state.global_step, fault
        elif self.streak == 0:
            self.healthy.append(loss)
            # The parameters that gave this healthy loss are untouched until the step is taken.
            if self._due(state):
                self._keep(
                    self.candidate if self.steps_early else self._copy(kwargs["model"]),
                    state.global_step,
                )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.streak or self.diverged:
            control.should_save = False
        if self.diverged:
            control.should_training_stop = True

    def check_weights(self, model: nn.Module, step: int) -> None:
        """Look at what the last step left. Under ZeRO-3 the shards are elsewhere and pass."""
        lost = [] if self.diverged else not_finite(model)
        if lost:
            self.at_step = step
            self.reason = f"{len(lost)} tensors are not finite after the last step: {lost[0]}"

    def restore(self, model: nn.Module) -> bool:
        """Put the last good state back. False if it was too large to be kept in memory."""
        if self.snapshot is None:
            return False
        own = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in self.snapshot.items():
                own[name].copy_(value)
        return True

    def _fault(self, loss: float, warm: bool) -> str:
        if not math.isfinite(loss):
            return f"loss is {loss}"
        if self.gradient_norm is not None and not math.isfinite(self.gradient_norm):
            return f"gradient norm is {self.gradient_norm}"
        limit = self.ceiling
        if len(self.healthy) == self.rule.window:
            limit = min(limit, self.rule.factor * statistics.median(self.healthy))
        self.streak = self.streak + 1 if warm and loss > limit else 0
        if self.streak >= self.rule.patience:
            return f"loss {loss:.4g} above {limit:.4g} for {self.streak} steps"
        return ""

    def _due(self, state: Any) -> bool:
        return state.global_step % max(1, state.max_steps // self.rule.snapshots) == 0

    def _copy(self, model: nn.Module) -> dict[str, Tensor] | None:
        moving = {n: p for n, p in model.named_parameters() if p.requires_grad}
        size = sum(p.numel() * p.element_size() for p in moving.values())
        if not self.snapshot_limit or size > self.snapshot_limit:
            return None
        return {n: p.detach().to("cpu", copy=True) for n, p in moving.items()}

    def _keep(self, snapshot: dict[str, Tensor] | None, step: int) -> None:
        if snapshot is not None:
            self.snapshot, self.last_good_step = snapshot, step

    @staticmethod
    def _over_ranks(loss: Tensor) -> float:
        """Mean over processes, so that all of them stop at the same step."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            loss = loss.clone()
            torch.distributed.all_reduce(loss)
            loss = loss / torch.distributed.get_world_size()
        return float(loss)
