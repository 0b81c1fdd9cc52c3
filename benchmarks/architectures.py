"""`lawcheck-hf` and packed training beside what they replace, one architecture after another.

    python benchmarks/architectures.py [--only NAME ...] [--adapters] [--write FILE]
    python benchmarks/architectures.py --model FOLDER [--write FILE]

Builds a small random model of each architecture, compares and prints a table; --write keeps the
outcome as the list that decides where the fast paths are taken. The package's own is
src/lawcheck/training/architectures.json. For a model of your own name its folder, and name the
file that you wrote in LAWCHECK_COMPARED. An entry holds for the versions that it was made with.

options: log-likelihoods, all options of a question in one row, against `hf`. greedy: answers of
the own decoding loop against `hf`, of prompts of unequal length of which some end early. rows: both
again, of prompts that begin alike, with fewer rows than prompts to answer. packing:
logits of a sample whose neighbour in the row is exchanged, and alone. Windows are shorter than the
texts, and a comparison counts only if the model's logits move with what it reads.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import transformers as hf
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from measuring import table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from lawcheck.evaluation import model as scorer
from lawcheck.training import architectures, isolation

NATS = 1e-4
WINDOW = 16
SPECIAL = ("<pad>", "<s>", "</s>")
IDS = {"vocab_size": 264, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
BASE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.2, **IDS,
}  # fmt: skip
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.2, **IDS}
ROPES = {
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 32},
    "linear": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 64},
}  # fmt: skip
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
KERNELS = ("sdpa", "eager")


def _mistral_like(name: str, **more: Any) -> Callable[[], Any]:
    return lambda: getattr(hf, name)(**BASE, **more)


def _roped(name: str, kind: str, **more: Any) -> Callable[[], Any]:
    ropes = {"rope_type": kind, "rope_theta": 10000.0, **ROPES[kind]}
    return lambda: getattr(hf, name)(**BASE, rope_parameters=dict(ropes), **more)


CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": _mistral_like("LlamaConfig"),
    **{f"llama, {kind}": _roped("LlamaConfig", kind) for kind in ROPES},
    "qwen2": _mistral_like("Qwen2Config"),
    "qwen2, window": _mistral_like(
        "Qwen2Config", use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1
    ),
    "qwen2, yarn": _roped("Qwen2Config", "yarn"),
    "mistral": _mistral_like("MistralConfig", sliding_window=None),
    "mistral, window": _mistral_like("MistralConfig", sliding_window=WINDOW),
    "qwen3": _mistral_like("Qwen3Config", head_dim=8),
    "gemma": _mistral_like("GemmaConfig", head_dim=8),
    "gemma2": _mistral_like("Gemma2Config", head_dim=8, sliding_window=WINDOW),
    "gemma3 text": _mistral_like("Gemma3TextConfig", head_dim=8, sliding_window=WINDOW),
    "gemma3": lambda: hf.Gemma3Config(
        text_config=hf.Gemma3TextConfig(**BASE, head_dim=8, sliding_window=WINDOW).to_dict(),
        vision_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
        },
    ),
    "phi": _mistral_like("PhiConfig"),
    "phi3": _mistral_like("Phi3Config"),
    "olmo2": _mistral_like("Olmo2Config"),
    "olmo": _mistral_like("OlmoConfig"),
    "starcoder2": _mistral_like("Starcoder2Config"),
    "stablelm": _mistral_like("StableLmConfig"),
    "cohere": _mistral_like("CohereConfig"),
    "granite": _mistral_like("GraniteConfig"),
    "smollm3": _mistral_like("SmolLM3Config"),
    "glm4": _mistral_like("Glm4Config", head_dim=8),
    "gpt_neox": lambda: hf.GPTNeoXConfig(
        **{k: v for k, v in BASE.items() if k != "num_key_value_heads"}
    ),
    "gpt2": lambda: hf.GPT2Config(**GPT),
    "gpt_bigcode": lambda: hf.GPTBigCodeConfig(**GPT),
    "gptj": lambda: hf.GPTJConfig(**GPT, rotary_dim=4),
    "openai-gpt": lambda: hf.OpenAIGPTConfig(**GPT),
    "codegen": lambda: hf.CodeGenConfig(**GPT, rotary_dim=4),
    "gpt_neo": lambda: hf.GPTNeoConfig(
        hidden_size=32, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
        window_size=8, max_position_embeddings=256, initializer_range=0.2, **IDS,
    ),
    "opt": lambda: hf.OPTConfig(
        hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4,
        word_embed_proj_dim=32, max_position_embeddings=256, init_std=0.2, **IDS,
    ),
    "bloom": lambda: hf.BloomConfig(
        hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2, **IDS
    ),
    "mpt": lambda: hf.MptConfig(
        d_model=32, n_layers=2, n_heads=4, max_seq_len=256, initializer_range=0.2, **IDS
    ),
    "falcon": lambda: hf.FalconConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, initializer_range=0.2, **IDS
    ),
    "falcon, ALiBi": lambda: hf.FalconConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True,
        initializer_range=0.2, **IDS,
    ),
    "mixtral": _mistral_like("MixtralConfig", num_local_experts=4, num_experts_per_tok=2),
    "qwen3_moe": _mistral_like("Qwen3MoeConfig", num_experts=4, head_dim=8, **EXPERTS),
    "qwen2_moe": _mistral_like(
        "Qwen2MoeConfig", num_experts=4, shared_expert_intermediate_size=16, **EXPERTS
    ),
    "olmoe": _mistral_like("OlmoeConfig", num_experts=4, num_experts_per_tok=2),
    "gpt_oss": _mistral_like(
        "GptOssConfig", head_dim=8, num_local_experts=2, num_experts_per_tok=1,
        sliding_window=WINDOW,
    ),
    "mamba": lambda: hf.MambaConfig(
        hidden_size=32, num_hidden_layers=2, state_size=8, initializer_range=0.2, **IDS
    ),
    "rwkv": lambda: hf.RwkvConfig(
        hidden_size=32, attention_hidden_size=32, num_hidden_layers=2, context_length=256, **IDS
    ),
    "recurrent_gemma": _mistral_like(
        "RecurrentGemmaConfig", lru_width=32, attention_window_size=WINDOW, head_dim=8,
        block_types=["recurrent", "attention"],
    ),
    "lfm2": _mistral_like("Lfm2Config", layer_types=["conv", "full_attention"]),
    "jamba": lambda: hf.JambaConfig(
        **{**BASE, "num_hidden_layers": 4}, attn_layer_period=2, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=1, num_experts=2, num_experts_per_tok=1,
        mamba_d_state=8, use_mamba_kernels=False,
    ),
    "falcon_h1": _mistral_like(
        "FalconH1Config", mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8, mamba_d_ssm=64,
        head_dim=8,
    ),
    "bamba": _mistral_like(
        "BambaConfig", attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8,
        mamba_n_groups=1,
    ),
    "zamba2": lambda: hf.Zamba2Config(
        **{**BASE, "num_hidden_layers": 3, "num_key_value_heads": 4}, mamba_d_state=8,
        n_mamba_heads=8, mamba_headdim=8, layers_block_type=["mamba", "hybrid", "mamba"],
        use_mem_rope=True,
    ),
    "nemotron_h": _mistral_like(
        "NemotronHConfig", hybrid_override_pattern="M*", mamba_num_heads=8, mamba_head_dim=8,
        ssm_state_size=8, n_groups=1, head_dim=8,
    ),
    "nemotron": _mistral_like("NemotronConfig"),
    "qwen3_next": _mistral_like(
        "Qwen3NextConfig", head_dim=8, num_experts=2, num_experts_per_tok=1,
        moe_intermediate_size=16, shared_expert_intermediate_size=16, linear_num_key_heads=2,
        linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"],
    ),
    "minimax": _mistral_like(
        "MiniMaxConfig", head_dim=8, num_local_experts=2, num_experts_per_tok=1,
        layer_types=["linear_attention", "full_attention"], block_size=16,
    ),
    "granitemoehybrid": _mistral_like(
        "GraniteMoeHybridConfig", layer_types=["mamba", "attention"], mamba_n_heads=8,
        mamba_d_head=8, mamba_d_state=8, num_local_experts=0, shared_intermediate_size=64,
    ),
    "deepseek_v3": lambda: hf.DeepseekV3Config(
        **{**BASE, "num_key_value_heads": 4}, moe_intermediate_size=16, n_routed_experts=4,
        num_experts_per_tok=2, n_group=1, topk_group=1, kv_lora_rank=16, q_lora_rank=16,
        qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, first_k_dense_replace=1,
    ),
}  # fmt: skip


def byte_tokenizer() -> Any:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {token: k for k, token in enumerate([*SPECIAL, *letters])}
    made = Tokenizer(models.BPE(vocab=words, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def build(config: Any, kernel: str, seed: int = 0) -> Any:
    """A random model whose logits depend on what it reads."""
    torch.manual_seed(seed)
    # With tied embeddings a random model repeats what it reads.
    for own in (config, config.get_text_config()):
        own.tie_word_embeddings = False
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation=kernel).eval()
    for parameter in model.parameters():
        # Where a family's own initialisation is small.
        if parameter.dim() > 1 and parameter.std() < 0.1:
            parameter.data.normal_(0, 0.2)
    return model


class DifferentError(Exception):
    """What a comparison found, in a few words."""


def requests(kind: str, arguments: list[tuple[Any, ...]]) -> list[Instance]:
    return [Instance(kind, {}, a, k, metadata=("t", k, 1)) for k, a in enumerate(arguments)]


def questions(draw: random.Random) -> list[tuple[str, str]]:
    def text(length: int) -> str:
        return "".join(draw.choice("abcde fgh.") for _ in range(length))

    found = []
    for length, options, longest in ((40, 4, 6), (70, 4, 12), (9, 4, 20), (25, 12, 12), (33, 6, 1)):
        context = f"Q{text(length)}\nA:"
        found += [(context, " " + text(draw.randint(1, longest))) for _ in range(options)]
    return found


def forced() -> Any:
    """The fast paths whatever the list says."""
    return mock.patch.object(scorer, "why_not", return_value=None)


def compare_options(model: Any, tokenizer: Any, paths: Any = forced, beginning: str = "") -> None:
    """paths: a context that decides which way is taken. beginning: of every prompt."""
    made = [(beginning + c, o) for c, o in questions(random.Random(0))]
    asked = requests("loglikelihood", made)
    kwargs = {"pretrained": model, "tokenizer": tokenizer, "batch_size": 3}
    theirs = HFLM(**kwargs).loglikelihood(asked, disable_tqdm=True)
    others = [(c[:-4] + "hhhh", o) for c, o in (a.args for a in asked)]
    moved = HFLM(**kwargs).loglikelihood(requests("loglikelihood", others), disable_tqdm=True)
    if max(abs(a[0] - b[0]) for a, b in zip(theirs, moved, strict=True)) < 100 * NATS:
        raise DifferentError("the model hardly reads its prompt")
    with paths():
        lm = scorer.PrefixSharingLM(**kwargs)
        mine = lm.loglikelihood(asked, disable_tqdm=True)
    if paths is forced and (scorer.OWN["rows"] in lm.paths["loglikelihood"]) != bool(beginning):
        raise DifferentError("the way was not taken")
    apart = max(abs(a[0] - b[0]) for a, b in zip(theirs, mine, strict=True))
    if not apart <= NATS:
        raise DifferentError(f"log-likelihoods differ by {apart:.2g} nats")
    if [a[1] for a in theirs] != [b[1] for b in mine]:
        raise DifferentError("other options are greedy")


def compare_greedy(model: Any, tokenizer: Any, paths: Any = forced, beginning: str = "") -> None:
    prompts = [f"{beginning}Question: {'a b c d ' * k}{'xyz'[k % 3]}?" for k in range(9)]
    kwargs = {"pretrained": model, "tokenizer": tokenizer, "batch_size": 5}
    for until in (list("eiou .,;!0123"), ["\n\n"]):
        arguments = {"until": until, "do_sample": False, "max_gen_toks": 40}
        asked = [(p, json.loads(json.dumps(arguments))) for p in prompts]
        theirs = HFLM(**kwargs).generate_until(requests("generate_until", asked), True)
        with paths():
            lm = scorer.PrefixSharingLM(**kwargs, continuous=bool(beginning))
            mine = lm.generate_until(requests("generate_until", asked), True)
        way = scorer.OWN["rows" if beginning else "greedy"]
        if paths is forced and lm.paths["generate_until"] != [way]:
            raise DifferentError(lm.paths["generate_until"][0])
        if len(set(theirs)) == 1:
            raise DifferentError("the model answers every prompt alike")
        odd = sum(a != b for a, b in zip(theirs, mine, strict=True))
        if odd:
            raise DifferentError(f"{odd} of {len(prompts)} answers differ")


def compare_rows(model: Any, tokenizer: Any, paths: Any = forced) -> None:
    draw = random.Random(1)
    beginning = "".join(draw.choice("abcde fgh.") for _ in range(112)) + "\n"
    compare_options(model, tokenizer, paths, beginning)
    compare_greedy(model, tokenizer, paths, beginning)


def compare_packing(model: Any, tokenizer: Any) -> None:
    if isolation.leaks(model, isolation.in_one_row):
        raise DifferentError("packed samples see one another")
    draw = torch.Generator().manual_seed(1)
    first, second = (torch.randint(3, 200, (n,), generator=draw) for n in (9, 40))
    both = torch.cat([first, second])[None]
    places = torch.cat([torch.arange(9), torch.arange(40)])[None]
    with torch.no_grad():
        packed = model(input_ids=both, position_ids=places, use_cache=False).logits[0, 9:]
        alone = model(input_ids=second[None], use_cache=False).logits[0]
    apart = float((packed - alone).abs().max() / alone.abs().max())
    if not apart <= isolation.ROUNDING[torch.float32]:
        raise DifferentError(f"packed and alone, logits differ by {apart:.2g} of their size")


COMPARISONS: dict[architectures.Way, Callable[..., None]] = {
    "options": compare_options,
    "greedy": compare_greedy,
    "rows": compare_rows,
    "packing": compare_packing,
}


def outcome(model: Any, tokenizer: Any) -> dict[str, bool | str]:
    """Way -> True where equal, else what was found."""
    found: dict[str, bool | str] = {}
    for way, compare in COMPARISONS.items():
        try:
            compare(model, tokenizer)
            found[way] = True
        except DifferentError as other:
            found[way] = str(other)
        except Exception as error:  # a model that does not go this way fails in any way
            found[way] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return found


def entry(model: Any, found: dict[str, bool | str]) -> dict[str, Any]:
    config = model.config
    return {
        "class": type(model).__name__,
        "attention": [getattr(config, "_attn_implementation", None)],
        "features": architectures.features(config.to_dict()),
        **found,
    }


def entries(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    tokenizer = byte_tokenizer()
    for name in names:
        made: list[dict[str, Any]] = []
        for kernel in KERNELS:
            try:
                model = build(CONFIGS[name](), kernel)
            except ValueError:
                continue  # the architecture has one kernel only
            one = entry(model, outcome(model, tokenizer))
            if one["attention"] in [m["attention"] for m in made]:
                continue
            same = [m for m in made if {**m, "attention": one["attention"]} == one]
            if same:
                same[0]["attention"] += one["attention"]
            else:
                made.append(one)
        yield from ((name, one) for one in made)


def adapters() -> dict[str, Callable[[], Any]]:
    import peft

    from lawcheck import LoraMoeConfig
    from lawcheck.methods.lora_moe import VARIANTS

    causal: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    some = {**causal, "target_modules": ["q_proj", "v_proj", "down_proj"]}
    moe = {f"LORA_MOE, {v}": (lambda v=v: LoraMoeConfig(**some, variant=v)) for v in VARIANTS}
    return {
        "LORA": lambda: peft.LoraConfig(**some),
        "LORA, dora": lambda: peft.LoraConfig(**some, use_dora=True),
        **moe,
        "IA3": lambda: peft.IA3Config(**some, feedforward_modules=["down_proj"]),
        "LOHA": lambda: peft.LoHaConfig(**some),
        "LOKR": lambda: peft.LoKrConfig(**some),
        "VERA": lambda: peft.VeraConfig(**{**some, "target_modules": ["q_proj"]}),
        "PROMPT_TUNING": lambda: peft.PromptTuningConfig(**causal, num_virtual_tokens=4),
        "PREFIX_TUNING": lambda: peft.PrefixTuningConfig(**causal, num_virtual_tokens=4),
        "P_TUNING": lambda: peft.PromptEncoderConfig(
            **causal, num_virtual_tokens=4, encoder_hidden_size=16
        ),
        "LORA, aLoRA": lambda: peft.LoraConfig(**some, alora_invocation_tokens=[33]),
    }


def adapter_entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """On Llama: an adapter works on the linear layers that all architectures have."""
    from peft import get_peft_model

    tokenizer = byte_tokenizer()
    for name, config in adapters().items():
        model = get_peft_model(build(CONFIGS["llama"](), "sdpa"), config()).eval()
        torch.manual_seed(1)
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
        own = model.peft_config["default"]
        yield (
            name,
            {
                "adapter": own.peft_type.value,
                "features": architectures.adapter_features(own.to_dict()),
                **outcome(model, tokenizer),
            },
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(CONFIGS), help="some architectures")
    parser.add_argument("--adapters", action="store_true", help="kinds of adapter beside some")
    parser.add_argument("--model", help="a folder with a model and its tokenizer")
    parser.add_argument("--write", type=Path, help="keep the outcome as a list of compared models")
    options = parser.parse_args()
    quiet()
    if options.model:
        model = hf.AutoModelForCausalLM.from_pretrained(options.model, trust_remote_code=False)
        tokenizer = hf.AutoTokenizer.from_pretrained(options.model)
        found = [(options.model, entry(model, outcome(model.eval(), tokenizer)))]
    else:
        found = list(entries(options.only or list(CONFIGS)))
    some = options.model or options.only
    adapted = [] if some and not options.adapters else list(adapter_entries())
    rows = []
    for name, one in [*found, *adapted]:
        where = ", ".join(map(str, one.get("attention", ["on Llama"])))
        said = ("equal" if one[way] is True else one[way] for way in architectures.WAYS)
        rows.append([name, one.get("class", "adapter"), where, *said])
    print(table(["name", "class", "attention", *architectures.WAYS], rows))
    if options.write:
        content = {
            "versions": architectures.versions(),
            "architectures": [one for _, one in found],
            "adapters": [one for _, one in adapted],
        }
        options.write.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        print(f"written: {options.write}")


def quiet() -> None:
    os.environ["TQDM_DISABLE"] = "1"
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    hf.logging.set_verbosity_error()
    # The reasons are in the table.
    scorer.print = lambda *_, **__: None  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
