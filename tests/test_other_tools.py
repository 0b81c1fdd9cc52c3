"""Models trained here in plain transformers, peft and lm-eval, from a working folder elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tools
import torch
from test_base_package import TEMPLATE, model, words  # noqa: F401  (fixtures)
from tiny_world import make_run, make_scale
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from lawcheck.training.run import train_run

ROWS = [{"id": str(k), "prompt": f"a {k} 1", "response": f"In 1987, {k} Straße"} for k in range(24)]
IDS = torch.arange(3, 60).reshape(3, 19)


@pytest.fixture(scope="module")
def made(model, words, tmp_path_factory):  # noqa: F811
    """base, and lora, full and lora_moe trained on it, its path relative to where that was."""
    root = tmp_path_factory.mktemp("tools")
    model.save_pretrained(root / "base")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(root / "base")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for method in ("lora", "full", "lora_moe"):
            train_run(make_run(method), make_scale(), ROWS, Path("base"), Path(method))
    return root


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_an_adapter_finds_its_base_from_any_folder(made, elsewhere):
    for method, kind in (("lora", "LORA"), ("lora_moe", "LORA_MOE")):
        adapter = made / method / "adapter"
        config = json.loads((adapter / "adapter_config.json").read_text())
        assert (config["peft_type"], config["base_model_name_or_path"]) == (
            kind,
            str(made / "base"),
        )
        wanted = tools.logits(tools.put(made / "base", adapter), IDS)
        assert not torch.equal(
            wanted, tools.logits(AutoModelForCausalLM.from_pretrained(made / "base"), IDS)
        )
        for found in tools.by_name(adapter):
            assert torch.equal(tools.logits(found, IDS), wanted)
        # A folder that was moved is loaded on a base that is named.
        moved = adapter.rename(elsewhere / method)
        assert torch.equal(tools.logits(tools.put(made / "base", moved), IDS), wanted)
        moved.rename(adapter)


def test_a_hub_name_stays_as_it_is(made, tmp_path):
    from peft import LoraConfig, get_peft_model

    from lawcheck.methods.adapters import save_adapter

    wrapped = get_peft_model(
        AutoModelForCausalLM.from_pretrained(made / "base"), LoraConfig(target_modules=["q_proj"])
    )
    wrapped.peft_config["default"].base_model_name_or_path = "org/name"
    save_adapter(wrapped, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/name"


def test_a_merged_lora_answers_as_its_adapter(made, elsewhere):
    adapter = made / "lora" / "adapter"
    wanted = tools.logits(tools.put(made / "base", adapter), IDS)
    tools.put(made / "base", adapter).merge_and_unload().save_pretrained(elsewhere / "merged")
    found = tools.logits(AutoModelForCausalLM.from_pretrained(elsewhere / "merged"), IDS)
    assert torch.allclose(found, wanted, atol=1e-4)
    assert not torch.equal(found, wanted)


@pytest.mark.parametrize("method", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_lm_evals_own_command_line_scores_it(made, elsewhere, monkeypatch, method):
    base, folder = made / "base", made / method / "adapter"
    if method == "lora":
        where, scored = f"pretrained={base},peft={folder}", tools.put(base, folder)
    else:
        where = f"pretrained={folder},tokenizer={base}"
        scored = AutoModelForCausalLM.from_pretrained(folder)
    wanted = tools.expected_likelihoods(scored, PreTrainedTokenizerFast.from_pretrained(base))
    found = tools.likelihoods(elsewhere / "task", where, monkeypatch)
    assert found == pytest.approx(wanted, abs=1e-3)
