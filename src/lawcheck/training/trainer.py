"""transformers' Trainer with the loss of an objective and without per-step extras."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import ExportableState

from lawcheck.declare import discovery
from lawcheck.files import interruption
from lawcheck.files.atomic import write_json
from lawcheck.training.checkpoints import PROCESSES, by_step, discard, seal_checkpoint
from lawcheck.training.divergence import DivergenceWatch
from lawcheck.training.learnt import learnt_tokens


class CompletionTrainer(Trainer):
    """watch: is given every loss and gradient norm. run_id, made_from: for checkpoints' records.

    objective: a module of lawcheck.training.objectives, beta: as its loss takes it. before: called
    with the trainer once the model is ready for its first step.
    """

    def __init__(
        self,
        *,
        watch: DivergenceWatch,
        run_id: str = "",
        made_from: Mapping[str, str] | None = None,
        objective: ModuleType | None = None,
        beta: float | None = None,
        before: Callable[[CompletionTrainer], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.objective: Any = objective or discovery.objective_module("response")
        self.beta, self.before = beta, before
        self.run_id, self.made_from = run_id, made_from
        self.watch = watch
        self.add_callback(watch)
        self.remove_callback(PrinterCallback)
        # compute_loss divides by the counts of the whole accumulated batch.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        assert num_items_in_batch is not None
        tokens, outputs = learnt_tokens(model, self.model, inputs)
        sums = self.objective.loss(tokens, self.beta)
        # Gradients are averaged over processes, the counts are summed over them.
        loss = (sums * self.accelerator.num_processes / num_items_in_batch).sum()
        auxiliary = getattr(self.model, "auxiliary_loss", None)
        if auxiliary is not None:
            # The mean over the micro-batches of a step.
            loss = loss + auxiliary() / self.args.gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Tensor:
        """(n terms,) counts of the objective over the micro-batches of all processes."""
        counts = torch.stack([self.objective.counts(b).to(device) for b in batch_samples]).sum(0)
        if self.args.world_size > 1:
            counts = self.accelerator.gather(counts[None]).sum(0)
        # What a term is divided by, where that is not its own count.
        denominators = getattr(self.objective, "denominators", None)
        return counts if denominators is None else denominators(counts)  # type: ignore[no-any-return]

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss: Tensor = super().training_step(*args, **kwargs)
        self.watch.add_loss(loss)
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        if self.accelerator.distributed_type == DistributedType.NO:
            # The same call over the parameters that move: walking all modules costs 2 ms a step.
            assert self.optimizer is not None
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            norm = self.accelerator.clip_grad_norm_(parameters, self.args.max_grad_norm)
        else:
            norm = super()._clip_grad_norm(model)
        self.watch.gradient_norm = None if norm is None else float(norm)
        return norm

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """A checkpoint of shards holds the weights already; whole ones are written at the end."""
        if not self.is_deepspeed_enabled:
            super().save_model(output_dir, _internal_call)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        args = self.args
        folder = Path(str(args.output_dir)) / f"checkpoint-{self.state.global_step}"
        if args.world_size > 1 or args.deepspeed:
            # The Trainer's last file is the first process's own: the others may still be writing.
            torch.distributed.barrier()
            if args.process_index == 0:
                write_json(folder / PROCESSES, {"processes": args.world_size})
        if args.process_index == 0:
            seal_checkpoint(folder, self.run_id, self.made_from)

    def load_weights(self, checkpoint: Path) -> None:
        """The weights of a checkpoint of this run into the model."""
        if self.is_deepspeed_enabled:
            engine: Any = self.model_wrapped
            engine.load_checkpoint(
                str(checkpoint), load_module_strict=False, load_optimizer_states=True
            )
        else:
            self._load_from_checkpoint(str(checkpoint))

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        if self.is_deepspeed_enabled:
            assert self.optimizer is not None
            # When it loads a universal checkpoint, ZeRO-3 gives every group the first one's weight
            # decay, and all tensors one step counter, which then counts once for each of them
            # (deepspeed 0.19, load_hp_checkpoint_state_from_checkpoint_dir_stage3).
            for group, decay in zip(self.optimizer.param_groups, self.decays, strict=True):
                group["weight_decay"] = decay
            for state in self.optimizer.state.values():
                if isinstance(state.get("step"), Tensor):
                    state["step"] = state["step"].clone()
        if self.before is not None:
            self.before(self)
        return prepared

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)
        # DeepSpeed leaves empty groups out.
        self.decays = [g["weight_decay"] for g in optimizer.param_groups if g["params"]]
        return optimizer

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the estimate walks over all parameters at every step."""
        return 0


class TimedCheckpoints(TrainerCallback, ExportableState):
    """Asks for a checkpoint every `seconds`, by the clock of the first process.

    Where the process was asked to end, for a last one, after which training stops. Keeps the two of
    the highest step: the Trainer would go by times of files, and a clock may be set back. `spent`:
    what earlier processes had spent on this run when they wrote the checkpoint it goes on from.
    """

    KEPT = 2

    # Several processes compare clocks and signals every so many steps, since they have to agree:
    # soon enough for the minutes that a cluster gives after SIGTERM.
    AGREE_EVERY = 5

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.last = self.began = time.monotonic()
        self.cpu_began = time.process_time()
        self.earlier = {"cpu_seconds": 0.0, "wall_seconds": 0.0}
        self.stopped = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        due = time.monotonic() - self.last >= self.seconds
        asked = interruption.asked() is not None
        if args.world_size > 1:
            if state.global_step % self.AGREE_EVERY:
                return
            first = args.process_index == 0
            flags = torch.tensor([float(due and first), float(asked)], device=args.device)
            torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
            due, asked = bool(flags[0]), bool(flags[1])
        # A run that ends before its schedule does is asked to stop by then.
        ended = control.should_training_stop or state.global_step >= state.max_steps
        if (due or asked) and not ended:
            control.should_save = True
            control.should_training_stop = self.stopped = asked

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.last = time.monotonic()
        if args.process_index == 0:
            for old in by_step(Path(args.output_dir))[: -self.KEPT]:
                discard(old)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # A checkpoint of an earlier version has no place for it.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())

    @property
    def spent(self) -> dict[str, float]:
        """Seconds on this run until now, those of earlier processes included."""
        return {
            "cpu_seconds": self.earlier["cpu_seconds"] + time.process_time() - self.cpu_began,
            "wall_seconds": self.earlier["wall_seconds"] + time.monotonic() - self.began,
        }

    def state(self) -> dict[str, Any]:
        return {"args": {"seconds": self.seconds}, "attributes": {"earlier": self.spent}}


class StopAfter(TrainerCallback):
    """Ends training after so many steps, on the schedule of all of them."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step >= self.steps:
            control.should_training_stop = True


def arguments(
    *,
    out: Path,
    settings: Any,
    training: Any,
    hardware: Any,
    seed: int,
    steps: int,
    epochs: int,
    accumulation: int,
    progress: bool,
    deepspeed: dict[str, Any] | None = None,
) -> TrainingArguments:
    """settings, training, hardware: parts of a lawcheck.declare.scale.Scale. steps: of one epoch.

    epochs: of the schedule, whether or not training ends before.

    deepspeed: its configuration; models that are loaded while the result lives follow it.
    """
    total = steps * epochs
    # Passed only where wanted: transformers is renaming it and warns.
    optional: dict[str, Any] = (
        {"gradient_checkpointing": True} if hardware.gradient_checkpointing else {}
    )
    return TrainingArguments(
        output_dir=str(out),
        # A batch of the loader is one ready micro-batch.
        per_device_train_batch_size=1,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=epochs,
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=math.ceil(round(settings.warmup_ratio * total, 6)),
        lr_scheduler_type=training.schedule,
        optim="adamw_torch_fused",
        max_grad_norm=training.max_grad_norm,
        seed=seed,
        use_cpu=hardware.device == "cpu",
        bf16=hardware.precision == "bfloat16",
        logging_steps=max(1, total // 100),
        logging_nan_inf_filter=False,
        disable_tqdm=not progress,
        report_to="none",
        eval_strategy="no",
        save_strategy="no",
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=hardware.device == "cuda",
        deepspeed=deepspeed,
        **optional,
    )
