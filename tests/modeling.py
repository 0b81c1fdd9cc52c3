"""Tiny random models, and LoRA-MoE written out expert by expert."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

torch.set_num_threads(1)

VOCABULARY = 60
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


# Qwen2's tokenizer class adds this word if it is absent, and lm-eval then resizes the model.
END = "<|endoftext|>"


def tiny(family: str = "llama", dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    """A random Llama (tied) or Qwen2 (untied, biases on q, k and v) of two layers."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "llama":
            model = LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True))
        else:
            model = Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=False))
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    nn.init.normal_(parameter)
    return model.to(dtype).eval()


def tokens(batch: int = 3, length: int = 7, seed: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, VOCABULARY, (batch, length), generator=generator)


def randomise(model: Any, seed: int = 1, size: float = 0.5) -> Any:
    """Give every trainable tensor fresh values, as training would: B starts at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                fresh = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(size * fresh)
    return model


def word_tokenizer(folder: Path) -> None:
    """Save a tokenizer of the words w0 w1 ... with a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<bos>": 0, END: 1} | {f"w{i}": i for i in range(2, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token=END, pad_token=END
    )
    fast.save_pretrained(folder)


class NaiveGate(nn.Module):
    def __init__(self, fused: Any) -> None:
        super().__init__()
        self.base_layer = fused.base_layer
        self.gate = fused.lora_moe_gate["default"]
        self.weights: list[Tensor] = []

    def forward(self, hidden: Tensor) -> Tensor:
        gate = self.gate
        rows = [hidden @ row for row in gate.weight]
        if gate.by_rank:
            by_rank = [
                torch.softmax(torch.stack(rows[j :: gate.rank]), 0) for j in range(gate.rank)
            ]
            self.weights = list(torch.stack(by_rank, -1).unbind(0))
        else:
            self.weights = [g.unsqueeze(-1) for g in torch.softmax(torch.stack(rows), 0)]
        if gate.shared_expert:
            self.weights.append(torch.ones_like(self.weights[0]))
        return self.base_layer(hidden)


class NaiveLinear(nn.Module):
    def __init__(self, fused: Any, gate: NaiveGate) -> None:
        super().__init__()
        self.base_layer, self.p = fused.base_layer, fused.lora_moe_A["default"].p
        self.down = fused.lora_moe_A["default"].weight
        self.up = fused.lora_moe_B["default"].weight
        self.gate = [gate]

    def forward(self, x: Tensor) -> Tensor:
        from lawcheck.methods.lora_moe.dropout import draw

        gate = self.gate[0]
        rank, scaling = gate.gate.rank, gate.gate.scaling
        y = self.base_layer(x)
        if self.training and self.p:
            x = torch.where(draw(x, self.p, "mask")[0], x / (1 - self.p), 0)
        for e, weight in enumerate(gate.weights):
            own = slice(e * rank, (e + 1) * rank)
            down = self.down if len(self.down) == rank else self.down[own]
            if weight.shape[-1] == 1:
                y = y + scaling * weight * ((x @ down.T) @ self.up[:, own].T)
            else:
                y = y + scaling * ((weight * (x @ down.T)) @ self.up[:, own].T)
        return y


def naive(model: Any) -> Any:
    """A copy of a fused model that loops over the experts; its parameters in the same order."""
    from lawcheck.methods.lora_moe import LoraMoeGate, LoraMoeLinear

    model = copy.deepcopy(model)
    gates: dict[str, NaiveGate] = {}
    fused = dict(model.named_modules())
    for name, module in fused.items():
        if isinstance(module, LoraMoeGate):
            gates[name.rpartition(".")[0]] = NaiveGate(module)
    for name, module in fused.items():
        if isinstance(module, LoraMoeGate | LoraMoeLinear):
            parent, _, child = name.rpartition(".")
            layer = next(k for k in gates if name.startswith(k + "."))
            is_gate = isinstance(module, LoraMoeGate)
            replacement = gates[layer] if is_gate else NaiveLinear(module, gates[layer])
            setattr(fused[parent], child, replacement.train(module.training))
    return model
