"""lm-evaluation-harness's Hugging Face model, faster where many short answers are scored.

`import lawcheck.evaluation.model` registers it with the harness as `lawcheck-hf`, and adapters of
every method with peft; it takes the arguments of `hf`.

- Multiple choice: one row per question. The options follow the shared prompt in the same row,
  each seeing the prompt and itself only (a tree-shaped attention mask), with positions that
  restart behind the prompt. The prompt is computed once for all options, and no option is padded.
  Options that are long beside their prompt are split over rows, so that memory stays below that
  of `hf` at the same batch size.
  A beginning that many prompts share, such as worked examples, is computed once for all of them.
- Generation: greedy, longest prompts first. Prompts take over the rows of answers that end
  (lawcheck.evaluation.generation); with `continuous=False` finished answers leave a left-padded
  batch. Stop sequences are looked for only where the last token could end one.

Log-likelihoods and answers are those of `hf` up to rounding. Both are used only for models that
were compared with `hf` (lawcheck.training.architectures), for requests as they were compared, and
where the model's generation_config.json asks for nothing but greedy decoding. Everything else goes
the harness's own way; `paths` says which way was taken, and why.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from lawcheck.declare import discovery
from lawcheck.declare.method import Registers
from lawcheck.evaluation.generation import Answer, greedy
from lawcheck.evaluation.rows import Rows, beginnings
from lawcheck.training.architectures import Way, why_not
from lawcheck.training.base.tokenizer import is_built, load_tokenizer
from lawcheck.training.output_head import logits_at

Request = tuple[tuple[str, str], list[int], list[int]]
# A context, and the requests of a row that share it.
Row = tuple[list[int], list[int]]

OWN = {
    "options": "options share their prompt",
    "greedy": "own greedy loop",
    "rows": "rows replaced as they end",
}
# Of generation_config.json: token ids and labels, what sampling alone reads, and the length, which
# the harness gives with every call.
NOT_GREEDY = frozenset(
    {
        "bos_token_id", "eos_token_id", "pad_token_id", "transformers_version",
        "_from_model_config", "do_sample", "temperature", "top_k", "top_p", "min_p", "top_h",
        "typical_p", "epsilon_cutoff", "eta_cutoff", "max_length", "use_cache",
    }
)  # fmt: skip
# Numbers at a time whose logarithms of the softmax are held.
SLICE = 1 << 24
# Tokens that prompts must share for their beginning to be computed once. Zero-shot templates share
# fewer, and keep the bits of published likelihoods.
BEGINNING = 100
# Bytes of a mask's element: the number added to attention, and the truth value it is made from.
MASK_BYTES = 5

for _name in discovery.methods():
    if isinstance(_module := discovery.method_module(_name), Registers):
        _module.register()


@register_model("lawcheck-hf")
class PrefixSharingLM(HFLM):
    """HFLM whose live model can be exchanged; encoded texts are kept across models.

    continuous: whether rows are replaced as their answers end. paths: kind of request -> the ways
    it was answered, each once.
    """

    def __init__(self, *args: Any, continuous: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.continuous = continuous
        self._texts: list[str] = []
        self._encoded: dict[tuple[Any, ...], list[int]] = {}
        self._ending: dict[str, Tensor] = {}
        self._reasons: dict[tuple[Any, ...], str | None] = {}
        self.paths: dict[str, list[str]] = {}
        # Prompts that the current model answers with logits that are not finite; of the harness's
        # own generation they are collected only where this is set.
        self.not_finite: set[str] = set()
        self.collects_not_finite = False
        self._asked: list[str] = []

    def _create_tokenizer(self, pretrained: Any, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        if not tokenizer and isinstance(pretrained, str) and is_built(pretrained):
            tokenizer = load_tokenizer(pretrained)
        super()._create_tokenizer(pretrained, tokenizer, *args, **kwargs)

    def exchange(self, model: Any) -> None:
        """Go on with another model of the same tokenizer and architecture."""
        model.eval()
        self.not_finite = set()
        self.paths, self._reasons = {}, {}
        self._model = model
        self._config = model.config

    def get_model_info(self) -> dict[str, Any]:
        """The harness puts it into its results file."""
        return {**super().get_model_info(), "lawcheck_paths": self.paths}

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
        alike: dict[str, list[int]] = defaultdict(list)
        for k, request in enumerate(requests):
            alike[repr(request.args[1])].append(k)
        answers: dict[int, str] = {}
        for members in alike.values() if self.continuous else ():
            found = self._in_rows([requests[k].args for k in members])
            answers |= zip(members, found or (), strict=found is not None)
        others = [k for k in range(len(requests)) if k not in answers]
        theirs = super().generate_until(
            [requests[k] for k in others], disable_tqdm or not sys.stderr.isatty()
        )
        answers |= zip(others, theirs, strict=True)
        return [answers[k] for k in range(len(requests))]

    def _takes(self, kind: str, way: Way, reason: str | None) -> bool:
        """Whether requests go lawcheck's way; recorded, and reported once for each reason."""
        taken = OWN[way] if reason is None else f"lm-eval: {reason}"
        ways = self.paths.setdefault(kind, [])
        if taken not in ways:
            ways.append(taken)
            if reason is not None:
                print(f"lawcheck-hf: {kind}: lm-eval's own path ({reason})", file=sys.stderr)
        return reason is None

    def _why_not(self, way: Way) -> str | None:
        """Why the live model does not go this way."""
        model = self.model
        adapters = tuple(getattr(model, "peft_config", ()))
        attention = getattr(model.config, "_attn_implementation", None)
        key = (id(model), way, adapters, attention)
        if key not in self._reasons:
            split = len(set(getattr(model, "hf_device_map", {}).values())) > 1
            self._reasons[key] = (
                "a model over several devices" if split and way == "rows" else why_not(model, way)
            )
        return self._reasons[key]

    # ------------------------------------------------------------------ log-likelihoods

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        # Windows of a rolling document have no text, and share no context worth sharing.
        rolling = any(text is None for text, _, _ in requests)
        kind = "loglikelihood_rolling" if rolling else "loglikelihood"
        reason = "rolling documents" if rolling else self._unlike_options()
        if not self._takes(kind, "options", reason):
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        # Looked up once: the harness reads it from the configuration at every access, and for
        # 20,000 options that took 4 % of a model's scoring.
        limit = self.max_length
        # The harness answers an empty option where another one on its tokens carries it.
        carrying = {tuple(c) for _, c, o in requests if not o}
        whole = [
            bool(c)
            and bool(o)
            and len(c) + len(o) <= limit
            and not (carrying and tuple(c + o[:-1]) in carrying)
            for _, c, o in requests
        ]
        if not all(whole):
            self._takes("loglikelihood", "options", "requests that are cut, or empty")
        answers: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        for member, answer in self._shared(
            [i for i, own in enumerate(whole) if own], requests, int(override_bs or self.batch_size)
        ):
            answers[member] = answer
            if requests[member][0] is not None:
                self.cache_hook.add_partial("loglikelihood", requests[member][0], answer)
        others = [i for i, own in enumerate(whole) if not own]
        if others:
            theirs = super()._loglikelihood_tokens(
                [requests[i] for i in others], disable_tqdm, override_bs
            )
            for i, answer in zip(others, theirs, strict=True):
                answers[i] = answer
        return answers

    def _unlike_options(self) -> str | None:
        if self.backend != "causal":
            return f"backend {self.backend}"
        if self.batch_size == "auto":
            return "batch size auto"
        if self.mixed_precision_dtype is not None:
            return "mixed precision"
        return self._why_not("options")

    def _shared(
        self, members: list[int], requests: list[Request], size: int
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """(request index, answer) of the members, `size` rows at a time or fewer."""
        shared: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i in members:
            shared[tuple(requests[i][1])].append(i)
        contexts = list(shared)
        groups = [(0, list(range(len(contexts))))]
        if self._why_not("rows") is None:
            groups = beginnings(contexts, BEGINNING)

        def width(row: Row) -> int:
            return len(row[0]) + sum(len(requests[m][2]) - 1 for m in row[1])

        vocabulary = len(self.tokenizer)
        for start, places in groups:
            rows = [
                (list(c[start:]), own)
                for c in map(contexts.__getitem__, places)
                for _, own in _rows(list(c), shared[c], requests)
            ]
            rows.sort(key=width, reverse=True)
            before = None
            if start:
                self._takes("loglikelihood", "rows", None)
                with torch.inference_mode():
                    before = Rows(self.model, contexts[places[0]][:start])
            at = 0
            while at < len(rows):
                context, own = rows[at]
                wide = width(rows[at])
                longest = start + len(context) + max(len(requests[m][2]) for m in own) - 1
                # The masks take no more memory than the logits of `hf` would.
                most = 8 * vocabulary * size * longest // (MASK_BYTES * wide * (start + wide))
                chosen = rows[at : at + max(1, min(size, most))]
                yield from self._score_rows(chosen, requests, wide, before)
                at += len(chosen)

    @torch.inference_mode()
    def _score_rows(
        self, rows: list[Row], requests: list[Request], width: int, before: Rows | None = None
    ) -> list[tuple[int, tuple[float, bool]]]:
        """(request index, (log-likelihood, is greedy)) of every option of the rows.

        before: the beginning that the contexts of the rows go on from.
        """
        # Whole rows are gathered in lists: a tensor for each piece, four to an option, took 3 % of
        # a model's scoring.
        shape = (len(rows), width)
        ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        # 0: the prompt; k: the k-th option; -1: padding.
        parts = np.full(shape, -1, np.int32)
        places_of: list[int] = []
        targets: list[int] = []
        owners: list[int] = []
        owned: list[int] = []
        for row, (context, members) in enumerate(rows):
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
        model = self.model
        # Each place once, whatever the number of options that begin there.
        places, place = torch.tensor(places_of).unique(return_inverse=True)
        where = ((places // width).to(self.device), (places % width).to(self.device))
        inputs = torch.from_numpy(ids).to(self.device)
        position_ids = torch.from_numpy(positions).to(self.device)
        seen = _tree(torch.from_numpy(parts), model.dtype).to(self.device)
        if before is not None:
            seen = torch.nn.functional.pad(seen, (before.start, 0))
            logits = before.scored(inputs, before.start + position_ids, seen, where)
        else:
            with logits_at(model, where):
                logits = model(
                    input_ids=inputs,
                    attention_mask=seen,
                    position_ids=position_ids,
                    use_cache=False,
                ).logits
        wanted, owner = torch.tensor(targets), torch.tensor(owners)
        each = torch.empty(len(wanted), dtype=torch.double)
        hit = torch.empty(len(wanted), dtype=torch.bool)
        some = max(1, SLICE // logits.shape[-1])
        for start in range(0, len(places), some):
            likely = torch.log_softmax(
                logits[start : start + some], dim=-1, dtype=self.softmax_dtype
            )
            here = ((place >= start) & (place < start + some)).nonzero()[:, 0]
            at_place = (place[here] - start).to(self.device)
            asked = wanted[here].to(self.device)
            each[here] = likely[at_place, asked].double().cpu()
            hit[here] = (likely.argmax(dim=-1)[at_place] == asked).cpu()
        total = torch.zeros(len(owned), dtype=torch.double).index_add_(0, owner, each)
        misses = torch.zeros(len(owned)).index_add_(0, owner, (~hit).float())
        answers = zip(total.tolist(), (misses == 0).tolist(), strict=True)
        return list(zip(owned, answers, strict=True))

    # ------------------------------------------------------------------ generation

    def _in_rows(self, asked: list[tuple[str, dict[str, Any]]]) -> list[str] | None:
        """Answers to prompts with the same generation arguments, rows replaced as they end.

        None where they go another way.
        """
        texts = [text for text, _ in asked]
        kwargs = normalize_gen_kwargs(asked[0][1], self.max_gen_toks)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stop = handle_stop_sequences(kwargs.pop("until", None), eos=eos)
        most = kwargs.pop("max_gen_toks")
        room = self.max_length - most
        bos = getattr(self.tokenizer, "bos_token", None)
        if (
            self.batch_size == "auto"
            or most < 1
            or room < 1
            # The harness asks this of the first prompt of a batch.
            or len({has_bos_prefix(text, bos) for text in texts}) > 1
            or self._unlike_greedy(stop, kwargs) is not None
            or self._why_not("rows") is not None
        ):
            return None
        ids, mask = self.tok_batch_encode(texts, left_truncate_len=room, truncation=self.truncation)
        prompts = [row[own.bool()].tolist() for row, own in zip(ids, mask, strict=True)]
        if not all(prompts):
            return None
        ends, ending = set(self._end_tokens()), {s: set(self._last(s)) for s in stop}

        def ended(answer: Answer) -> bool:
            last = answer[-1]
            if last in ends:
                return True
            held = [s for s in stop if last in ending[s] and self._holds(answer, s)]
            if held:
                whole = self.tokenizer.decode(answer, skip_special_tokens=True)
                if not all(s in whole for s in held):
                    raise _UnseenStopError
            return bool(held)

        try:
            found = greedy(self.model, prompts, most, int(self.batch_size), ended)
        except _UnseenStopError:
            return None
        self._takes("generate_until", "rows", None)
        answers = []
        for (text, own), answer in zip(asked, found, strict=True):
            if not answer.finite:
                self.not_finite.add(text)
            said = postprocess_generated_text(self.tok_decode(answer), stop, None)
            self.cache_hook.add_partial("generate_until", (text, own), said)
            answers.append(said)
        return answers

    def _model_generate(
        self, context: Tensor, max_length: int, stop: list[str], **kwargs: Any
    ) -> Tensor:
        reason = self._unlike_greedy(stop, kwargs)
        if max_length <= context.shape[1]:
            reason = "no token to generate"
        mask = kwargs.get("attention_mask")
        if reason is None:
            mask = torch.ones_like(context) if mask is None else mask
            found = self._greedy(context, mask, max_length, stop)
            if found is None:
                reason = "a stop sequence inside a special token"
            elif self._takes("generate_until", "greedy", None):
                return found
        self._takes("generate_until", "greedy", reason)
        if self.collects_not_finite:
            kwargs["logits_processor"] = LogitsProcessorList(
                [_Finite(self._asked, self.not_finite)]
            )
        return super()._model_generate(context, max_length, stop, **kwargs)

    def _unlike_greedy(self, stop: list[str], kwargs: dict[str, Any]) -> str | None:
        if self.backend != "causal":
            return f"backend {self.backend}"
        if self.mixed_precision_dtype is not None:
            return "mixed precision"
        if kwargs.get("do_sample") or kwargs.get("temperature", 0.0) not in (0.0, None):
            return "sampling"
        further = sorted(set(kwargs) - {"attention_mask", "do_sample", "temperature"})
        if further:
            return f"generation argument {further[0]}"
        if not all(stop):
            return "an empty stop sequence"
        # Of a finished answer the harness reads on, for as long as its batch goes on.
        if self.think_end_token is not None:
            return "a think_end_token"
        asked = asked_of(self.model.generation_config)
        if asked:
            return f"generation_config.json: {', '.join(asked)}"
        if self.eot_token_id not in self._end_tokens():
            return "generation_config.json does not end at the tokenizer's end of text"
        return self._why_not("greedy")

    @torch.inference_mode()
    def _greedy(
        self, context: Tensor, mask: Tensor, max_length: int, stop: list[str]
    ) -> Tensor | None:
        """Prompts and answers, [batch, tokens]; what follows an answer's end is padding.

        None where a stop sequence shows only in text that the harness does not: it goes on there.
        """
        start = context.shape[1]
        out = torch.full(
            (len(context), max_length), self.tokenizer.pad_token_id, device=context.device
        )
        out[:, :start] = context
        alive = torch.arange(len(context), device=context.device)
        ends = torch.tensor(self._end_tokens(), device=context.device)
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
                ended = self._ended(sequence, out[alive, start : at + 1], done)
                if ended is None:
                    return None
                done |= ended
            if done.all():
                return out[:, : at + 1]
            ids, positions = token[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            if done.any():
                kept = (~done).nonzero()[:, 0]
                alive, ids, positions, mask = (t[kept] for t in (alive, ids, positions, mask))
                cache.batch_select_indices(kept)
        return out

    def _end_tokens(self) -> list[int]:
        declared = self.model.generation_config.eos_token_id
        if declared is None:
            return []
        return sorted(declared) if isinstance(declared, list) else [int(declared)]

    def _ended(self, sequence: str, answers: Tensor, done: Tensor) -> Tensor | None:
        """Which answers hold the stop sequence, among those not done. answers: [alive, so far].

        None where one holds it that would be left out of the harness's text.
        """
        if sequence not in self._ending:
            self._ending[sequence] = torch.tensor(
                self._last(sequence), dtype=torch.long, device=answers.device
            )
        found = torch.zeros_like(done)
        candidates = torch.isin(answers[:, -1], self._ending[sequence]) & ~done
        if candidates.any():
            held = [self._holds(a, sequence) for a in answers[candidates].tolist()]
            found[candidates] = torch.tensor(held, device=found.device)
        if found.any():
            whole = self.tokenizer.batch_decode(answers[found], skip_special_tokens=True)
            if not all(sequence in text for text in whole):
                return None
        return found

    def _last(self, sequence: str) -> list[int]:
        """Tokens that can end a stop sequence."""
        if not self._texts:
            self._texts = self.tokenizer.batch_decode([[i] for i in range(len(self.tokenizer))])
        return [i for i, text in enumerate(self._texts) if sequence[-1] in text]

    def _holds(self, answer: list[int], sequence: str) -> bool:
        # A token may hold less than a character: look back over more tokens than needed.
        return sequence in self.tokenizer.decode(answer[-(len(sequence.encode()) + 2) :])


def _rows(context: list[int], members: list[int], requests: list[Request]) -> Iterator[Row]:
    """The requests on one context, in rows whose options take at most twice the longest alone.

    `hf` keeps a logit for every place, and its logarithm; a row keeps one for each option's place.
    """
    inner = [len(requests[m][2]) - 1 for m in members]
    limit = 2 * (len(context) + max(inner))
    row: list[int] = []
    used = 0
    for member, tokens in zip(members, inner, strict=True):
        if row and used + tokens > limit:
            yield context, row
            row, used = [], 0
        row.append(member)
        used += tokens
    yield context, row


def _tree(parts: Tensor, dtype: torch.dtype) -> Tensor:
    """Added to attention, [rows, 1, width, width]. parts: 0 at the prompt, k at option k."""
    width = parts.shape[1]
    mask = torch.zeros((len(parts), 1, width, width), dtype=dtype)
    seen = torch.ones(width, width, dtype=torch.bool).tril()
    for row, part in enumerate(parts):
        own = (part[None, :] == 0) | (part[None, :] == part[:, None])
        mask[row, 0].masked_fill_(~(own & seen), torch.finfo(dtype).min)
    return mask


def asked_of(config: GenerationConfig) -> list[str]:
    """What a generation configuration asks of greedy decoding, as name=value."""
    plain = GenerationConfig._get_default_generation_params()
    return [
        f"{name}={str(value)[:40]}"
        for name, value in sorted(config.to_dict().items())
        # What is off or unset asks for nothing; 0 may be a token's id.
        if name not in NOT_GREEDY
        and not (value is None or value is False or value == plain.get(name))
    ]


def make_greedy(model: Any) -> None:
    """Have a model decode greedily whatever its generation_config.json asks for beside that."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = inner.generation_config
    ids = {name: getattr(own, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    inner.generation_config = GenerationConfig(**ids)


class _UnseenStopError(Exception):
    """A stop sequence shows only in text that the harness does not read: it goes on there."""


class _Finite(LogitsProcessor):
    """Changes nothing; collects the prompts whose chosen logit is not finite."""

    def __init__(self, asked: list[str], found: set[str]) -> None:
        self.asked, self.found = asked, found

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        sick = ~scores.max(dim=-1).values.isfinite()
        beams = max(1, len(scores) // len(self.asked))
        self.found |= {self.asked[row // beams] for row in sick.nonzero()[:, 0].tolist()}
        return scores
