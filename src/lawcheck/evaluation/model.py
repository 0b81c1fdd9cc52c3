"""lm-evaluation-harness's Hugging Face model, faster where many short answers are scored.

`import lawcheck.evaluation.model` registers it with the harness as `lawcheck-hf`; it takes the
arguments of `hf`.

- Multiple choice: one row per question. The options follow the shared prompt in the same row,
  each seeing the prompt and itself only (a tree-shaped attention mask), with positions that
  restart behind the prompt. The prompt is computed once for all options, and no option is padded.
- Generation: greedy, left-padded, longest prompts first. Finished answers leave the batch, and
  stop sequences are looked for only where the last token could end one.

Log-likelihoods and answers are those of `hf` up to rounding. Where the shortcut does not apply
(other attention kernels, sliding windows, virtual tokens, prompts that must be cut, sampling)
the harness's own code runs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from torch import Tensor

from lawcheck.training.base.tokenizer import is_built, load_tokenizer
from lawcheck.training.output_head import logits_at

Request = tuple[tuple[str, str], list[int], list[int]]


@register_model("lawcheck-hf")
class PrefixSharingLM(HFLM):
    """HFLM whose live model can be exchanged; encoded texts are kept across models."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._encoded: dict[tuple[Any, ...], list[int]] = {}
        self._ending: dict[str, Tensor] = {}
        # Prompts that the current model answers with logits that are not finite.
        self.not_finite: set[str] = set()
        self._asked: list[str] = []

    def _create_tokenizer(self, pretrained: Any, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        if not tokenizer and isinstance(pretrained, str) and is_built(pretrained):
            tokenizer = load_tokenizer(pretrained)
        super()._create_tokenizer(pretrained, tokenizer, *args, **kwargs)

    def exchange(self, model: Any) -> None:
        """Go on with another model of the same tokenizer and architecture."""
        model.eval()
        self.not_finite = set()
        self._model = model
        self._config = model.config

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **kwargs: Any,
    ) -> list[int]:
        key = (string, add_special_tokens, left_truncate_len)
        if key not in self._encoded:
            self._encoded[key] = super().tok_encode(
                string, add_special_tokens, left_truncate_len, **kwargs
            )
        return self._encoded[key]

    def tok_batch_encode(self, strings: list[str], *args: Any, **kwargs: Any) -> Any:
        self._asked = strings
        return super().tok_batch_encode(strings, *args, **kwargs)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        return super().loglikelihood(requests, disable_tqdm or not sys.stderr.isatty())

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        return super().generate_until(requests, disable_tqdm or not sys.stderr.isatty())

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        shared: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, (_, context, _) in enumerate(requests):
            shared[tuple(context)].append(i)
        questions = [(list(context), members) for context, members in shared.items()]
        if not self._shares_prefixes(questions, requests):
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)

        def width(question: tuple[list[int], list[int]]) -> int:
            return len(question[0]) + sum(len(requests[m][2]) - 1 for m in question[1])

        questions.sort(key=width, reverse=True)
        answers: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        size = int(override_bs or self.batch_size)
        for at in range(0, len(questions), size):
            chosen = questions[at : at + size]
            for member, answer in self._score_questions(chosen, requests, width(chosen[0])):
                answers[member] = answer
                if requests[member][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[member][0], answer)
        return answers

    def _shares_prefixes(
        self, questions: list[tuple[list[int], list[int]]], requests: list[Request]
    ) -> bool:
        config = self.model.config
        layers = getattr(config, "layer_types", None) or ["full_attention"]
        adapters = getattr(self.model, "peft_config", {}).values()
        # Looked up once: the harness reads it from the configuration at every access, and for
        # 20,000 options that took 4 % of a model's scoring.
        limit = self.max_length
        return (
            self.backend == "causal"
            and self.batch_size != "auto"
            and self.mixed_precision_dtype is None
            and getattr(config, "_attn_implementation", None) in ("sdpa", "eager")
            and getattr(config, "sliding_window", None) is None
            and set(layers) == {"full_attention"}
            and not any(getattr(a, "is_prompt_learning", False) for a in adapters)
            and all(
                len(context) + len(requests[m][2]) <= limit
                for context, members in questions
                for m in members
            )
        )

    @torch.inference_mode()
    def _score_questions(
        self,
        questions: list[tuple[list[int], list[int]]],
        requests: list[Request],
        width: int,
    ) -> list[tuple[int, tuple[float, bool]]]:
        """(request index, (log-likelihood, is greedy)) of every option of the questions."""
        # Whole rows are gathered in lists: a tensor for each piece, four to an option, took 3 % of
        # a model's scoring.
        shape = (len(questions), width)
        ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        # 0: the prompt; k: the k-th option; -1: padding.
        parts = np.full(shape, -1, np.int16)
        places_of: list[int] = []
        targets: list[int] = []
        owners: list[int] = []
        owned: list[int] = []
        for row, (context, members) in enumerate(questions):
            n = len(context)
            tokens, position, part = list(context), list(range(n)), [0] * n
            last = row * width + n - 1
            for k, member in enumerate(members, start=1):
                option = requests[member][2]
                inner = len(option) - 1
                at = row * width + len(tokens)
                # An option's first token is predicted where the prompt ends.
                places_of += [last, *range(at, at + inner)]
                targets += option
                owners += [len(owned)] * len(option)
                owned.append(member)
                tokens += option[:-1]
                position += range(n, n + inner)
                part += [k] * inner
            ids[row, : len(tokens)] = tokens
            positions[row, : len(tokens)] = position
            parts[row, : len(tokens)] = part
        of = torch.from_numpy(parts)
        seen = torch.ones(width, width, dtype=torch.bool).tril()
        seen = seen & ((of[:, None, :] == 0) | (of[:, None, :] == of[:, :, None]))
        model = self.model
        mask = torch.zeros(seen.shape, dtype=model.dtype)
        mask = mask.masked_fill_(~seen, torch.finfo(model.dtype).min)[:, None]
        # Each place once, whatever the number of options that begin there.
        places, place = torch.tensor(places_of).unique(return_inverse=True)
        where = ((places // width).to(self.device), (places % width).to(self.device))
        with logits_at(model, where):
            logits = model(
                input_ids=torch.from_numpy(ids).to(self.device),
                attention_mask=mask.to(self.device),
                position_ids=torch.from_numpy(positions).to(self.device),
                use_cache=False,
            ).logits
        likely = torch.log_softmax(logits, dim=-1, dtype=self.softmax_dtype).cpu()
        wanted, owner = torch.tensor(targets), torch.tensor(owners)
        each = likely[place, wanted].double()
        total = torch.zeros(len(owned), dtype=torch.double).index_add_(0, owner, each)
        hit = likely.argmax(dim=-1)[place] == wanted
        misses = torch.zeros(len(owned)).index_add_(0, owner, (~hit).float())
        answers = zip(total.tolist(), (misses == 0).tolist(), strict=True)
        return list(zip(owned, answers, strict=True))

    def _model_generate(
        self, context: Tensor, max_length: int, stop: list[str], **kwargs: Any
    ) -> Tensor:
        plain = set(kwargs) <= {"attention_mask", "do_sample", "temperature"}
        greedy = not kwargs.get("do_sample") and kwargs.get("temperature", 0.0) in (0.0, None)
        if not (plain and greedy) or self.mixed_precision_dtype is not None:
            return super()._model_generate(context, max_length, stop, **kwargs)
        mask = kwargs.get("attention_mask")
        mask = torch.ones_like(context) if mask is None else mask
        return self._greedy(context, mask, max_length, stop)

    @torch.inference_mode()
    def _greedy(self, context: Tensor, mask: Tensor, max_length: int, stop: list[str]) -> Tensor:
        """Prompts and answers, [batch, tokens]; what follows an answer's end is padding."""
        start = context.shape[1]
        out = torch.full(
            (len(context), max_length), self.tokenizer.pad_token_id, device=context.device
        )
        out[:, :start] = context
        alive = torch.arange(len(context), device=context.device)
        ends = self._end_tokens()
        ids, cache = context, None
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        for at in range(start, max_length):
            step = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = step.past_key_values
            token = step.logits[:, -1].argmax(-1)
            out[alive, at] = token
            # NaN counts as the largest, so the chosen logit tells; such an answer is none.
            sick = ~step.logits[:, -1].gather(-1, token[:, None])[:, 0].isfinite()
            self.not_finite |= {self._asked[row] for row in alive[sick].tolist()}
            done = torch.isin(token, ends) | sick
            for sequence in stop:
                done |= self._ended(sequence, out[alive, start : at + 1], done)
            if done.all():
                return out[:, : at + 1]
            ids, positions = token[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            if done.any():
                kept = (~done).nonzero()[:, 0]
                alive, ids, positions, mask = (t[kept] for t in (alive, ids, positions, mask))
                cache.batch_select_indices(kept)
        return out

    def _end_tokens(self) -> Tensor:
        declared = self.model.generation_config.eos_token_id
        ends = {self.eot_token_id}
        if declared is not None:
            ends |= set(declared) if isinstance(declared, list) else {declared}
        return torch.tensor(sorted(ends), device=self.device)

    def _ended(self, sequence: str, answers: Tensor, done: Tensor) -> Tensor:
        """Which answers hold the stop sequence, among those not done. answers: [alive, so far]."""
        if sequence not in self._ending:
            texts = self.tokenizer.batch_decode([[i] for i in range(len(self.tokenizer))])
            holds = [i for i, text in enumerate(texts) if sequence[-1] in text]
            self._ending[sequence] = torch.tensor(holds, dtype=torch.long, device=answers.device)
        found = torch.zeros_like(done)
        candidates = torch.isin(answers[:, -1], self._ending[sequence]) & ~done
        if candidates.any():
            # A token may hold less than a character: look back over more tokens than needed.
            tail = answers[candidates, -(len(sequence.encode()) + 2) :]
            texts = self.tokenizer.batch_decode(tail)
            found[candidates] = torch.tensor([sequence in t for t in texts], device=found.device)
        return found
