"""`lawcheck-hf` equals `hf` on 25 architectures, and the list of compared ones is what it says."""

import contextlib
import json
import sys
from pathlib import Path

import pytest
import torch
import transformers as hf

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import architectures as bench

from lawcheck.errors import InputError
from lawcheck.evaluation.model import PrefixSharingLM
from lawcheck.training import architectures, isolation

torch.set_num_threads(1)
NAMES = [
    "llama", "llama, llama3", "qwen2", "qwen2, window", "mistral", "mistral, window", "qwen3",
    "gemma2", "gemma3", "phi3", "gpt_neox", "gpt2", "gptj", "opt", "bloom", "mpt", "falcon, ALiBi",
    "gpt_neo", "openai-gpt", "mixtral", "qwen3_moe", "mamba", "rwkv", "recurrent_gemma", "jamba",
    "falcon_h1",
]  # fmt: skip
LISTED = json.loads(architectures.LIST.read_text())
same_versions = pytest.mark.skipif(
    LISTED["versions"] != architectures.versions(), reason="the list is of other versions"
)


@pytest.fixture(scope="module", autouse=True)
def silent():
    bench.quiet()


@pytest.fixture(scope="module")
def tokenizer():
    return bench.byte_tokenizer()


@same_versions
@pytest.mark.parametrize("name", NAMES)
def test_scores_answers_and_packing_are_those_of_the_slow_way(name, tokenizer):
    kernel = bench.KERNELS[NAMES.index(name) % 2]
    try:
        model = bench.build(bench.CONFIGS[name](), kernel)
    except ValueError:  # the architecture has one kernel
        model = bench.build(bench.CONFIGS[name](), "eager")
    bench.compare_options(model, tokenizer, contextlib.nullcontext)
    bench.compare_greedy(model, tokenizer, contextlib.nullcontext)
    if architectures.why_not(model, "rows") is None:
        bench.compare_rows(model, tokenizer, contextlib.nullcontext)
    if architectures.why_not(model, "packing") is None:
        bench.compare_packing(model, tokenizer)
    # That it is told at all whether a model is known.
    own = [e for e in LISTED["architectures"] if e["class"] == type(model).__name__]
    assert own
    for way in architectures.WAYS:
        reason = architectures.why_not(model, way)
        assert (reason is None) in {e[way] is True for e in own}


@same_versions
def test_an_outcome_is_found_again(tokenizer):
    for name in ("mistral, window", "gpt_neo", "bloom", "lfm2"):
        model = bench.build(bench.CONFIGS[name](), "eager")
        listed = [
            e
            for e in LISTED["architectures"]
            if e["features"] == bench.entry(model, {})["features"]
            and e["class"] == type(model).__name__
        ]
        found = bench.outcome(model, tokenizer)
        assert {w: v is True for w, v in found.items()} == {
            w: listed[0][w] is True for w in architectures.WAYS
        }


PUBLIC = {
    # As their config.json reads: fields that this version does not know are there too.
    "Qwen/Qwen2.5-7B-Instruct": {
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584,
        "initializer_range": 0.02, "intermediate_size": 18944, "max_position_embeddings": 32768,
        "max_window_layers": 28, "model_type": "qwen2", "num_attention_heads": 28,
        "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0, "sliding_window": 131072, "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": True,
        "use_sliding_window": False, "vocab_size": 152064,
    },
    "meta-llama/Llama-3.2-1B-Instruct": {
        "model_type": "llama", "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
        "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
        "max_position_embeddings": 131072, "mlp_bias": False, "num_attention_heads": 32,
        "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": True,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3",
        },
        "vocab_size": 128256,
    },
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": {
        "model_type": "llama", "attention_bias": False, "hidden_size": 2048,
        "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 8192,
        "mlp_bias": False, "num_attention_heads": 32, "num_hidden_layers": 24,
        "num_key_value_heads": 32, "pad_token_id": 2, "pretraining_tp": 1, "rope_scaling": None,
        "rope_theta": 130000, "vocab_size": 49152,
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
    },
    "mistralai/Mistral-7B-Instruct-v0.3": {
        "model_type": "mistral", "attention_dropout": 0.0, "hidden_size": 4096,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
        "rope_theta": 1000000.0, "sliding_window": None, "tie_word_embeddings": False,
        "vocab_size": 32768,
    },
}  # fmt: skip


def skeleton(fields):
    known = dict(fields)
    config = hf.AutoConfig.for_model(known.pop("model_type"), **known)
    with torch.device("meta"):
        return hf.AutoModelForCausalLM.from_config(config)


@same_versions
@pytest.mark.parametrize("name", PUBLIC)
def test_models_of_the_scales_go_the_fast_ways(name):
    model = skeleton(PUBLIC[name])
    assert [architectures.why_not(model, way) for way in architectures.WAYS] == [None] * 4


@same_versions
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sliding_window": 64}, "sliding_window is 'a number'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rope_parameters/"),
        ({"attention_chunk_size": 64}, "attention_chunk_size is 'a number'"),
        ({"layer_types": ["chunked_attention"]}, "layer_types is"),
        ({"quantization_config": {"quant_method": "x", "bits": 4}}, "quantization_config"),
    ],
)
def test_a_field_that_was_not_compared_goes_the_slow_way(change, said, monkeypatch):
    model = skeleton(PUBLIC["meta-llama/Llama-3.2-1B-Instruct"])
    for key, value in change.items():
        known = {**model.config.to_dict(), key: value}
        if key == "rope_scaling":
            known["rope_parameters"] = known.pop(key)
        monkeypatch.setattr(model.config, "to_dict", lambda known=known: known)
    assert said in architectures.why_not(model, "options")


def test_other_versions_and_other_classes_were_not_compared(monkeypatch, tmp_path):
    model = skeleton(PUBLIC["mistralai/Mistral-7B-Instruct-v0.3"])
    later = {**architectures.versions(), "transformers": "99.0"}
    monkeypatch.setattr(architectures, "versions", lambda: later)
    assert "no architecture was compared with transformers 99.0" in architectures.why_not(
        model, "greedy"
    )
    more = tmp_path / "mine.json"
    entry = bench.entry(model, dict.fromkeys(architectures.WAYS, True))
    more.write_text(json.dumps({"versions": later, "architectures": [entry], "adapters": []}))
    monkeypatch.setenv("LAWCHECK_COMPARED", str(more))
    assert architectures.why_not(model, "greedy") is None

    class MistralForCausalLM(hf.LlamaForCausalLM):
        """Of somebody else."""

    with torch.device("meta"):
        theirs = MistralForCausalLM(hf.LlamaConfig())
    assert "no model class of transformers" in architectures.why_not(theirs, "greedy")
    more.write_text("{")
    architectures._lists.cache_clear()
    with pytest.raises(InputError, match=r"benchmarks/architectures\.py"):
        architectures.why_not(model, "greedy")
    architectures._lists.cache_clear()


@same_versions
def test_adapters_that_add_tokens_go_the_slow_way():
    for name, make in bench.adapters().items():
        from peft import get_peft_model

        model = get_peft_model(bench.build(bench.CONFIGS["llama"](), "sdpa"), make())
        fast = architectures.why_not(model, "greedy") is None
        assert fast == (name not in ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "LORA, aLoRA"))


GENERATION = [
    {"repetition_penalty": 1.05}, {"no_repeat_ngram_size": 2}, {"num_beams": 3},
    {"suppress_tokens": list(range(3, 150))}, {"begin_suppress_tokens": list(range(3, 200))},
    {"forced_eos_token_id": 2}, {"forced_eos_token_id": 0}, {"guidance_scale": 0.0},
    {"forced_bos_token_id": 40}, {"min_new_tokens": 6},
    {"max_new_tokens": 3}, {"bad_words_ids": [[k] for k in range(3, 120)]},
    {"exponential_decay_length_penalty": [2, 1.5]}, {"eos_token_id": [40, 41, 2]},
    {"eos_token_id": 41}, {"temperature": 0.3, "top_p": 0.5, "do_sample": True, "max_length": 7},
]  # fmt: skip


@same_versions
@pytest.mark.parametrize("asked", GENERATION, ids=lambda a: "-".join(a))
def test_generation_follows_generation_config(asked, tokenizer):
    model = bench.build(bench.CONFIGS["llama"](), "sdpa")
    model.generation_config.update(**asked)
    prompts = [f"Question: {'a b c d ' * q}?" for q in range(5)]
    answers = []
    for kind in (bench.HFLM, PrefixSharingLM):
        lm = kind(pretrained=model, tokenizer=tokenizer, batch_size=4)
        asks = [(p, {"until": ["\n\n"], "max_gen_toks": 12}) for p in prompts]
        answers.append(lm.generate_until(bench.requests("generate_until", asks), True))
    assert answers[0] == answers[1]
    (path,) = lm.paths["generate_until"]
    fast = asked in ({"eos_token_id": [40, 41, 2]}, GENERATION[-1])
    assert (
        path == "rows replaced as they end"
        if fast
        else path.startswith("lm-eval: generation_config")
    )


@same_versions
def test_models_that_mix_packed_samples_are_found_out(tmp_path, capsys):
    for name in ("opt", "mamba", "llama"):
        model = bench.build(bench.CONFIGS[name](), "eager")
        model.save_pretrained(tmp_path / name)
        assert isolation.leaks(model, isolation.in_one_row) == (name != "llama")
        assert not isolation.leaks(model, isolation.before_padding)
        assert isolation.packs(tmp_path / name, "main", "cpu", "sdpa") == (name == "llama")
    said = capsys.readouterr().err
    assert said.count("every sample is trained in a row of its own") == 2


def test_a_model_that_hardly_looks_back_or_is_not_finite_is_not_packed(tmp_path, capsys):
    model = bench.build(bench.CONFIGS["opt"](), "eager")
    for layer in model.model.decoder.layers:
        torch.nn.init.zeros_(layer.self_attn.out_proj.weight)
    model.save_pretrained(tmp_path / "deaf")
    assert not isolation.leaks(model, isolation.in_one_row)
    assert not isolation.packs(tmp_path / "deaf", "main", "cpu", "sdpa")
    assert "hardly looks back" in capsys.readouterr().err
    torch.nn.init.constant_(model.model.decoder.layers[0].fc1.weight, float("nan"))
    model.save_pretrained(tmp_path / "broken")
    with pytest.raises(InputError, match="OPTForCausalLM are not finite"):
        isolation.packs(tmp_path / "broken", "main", "cpu", "sdpa")
