import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_world import make_base, make_rows, make_run, make_scale

from lawcheck.errors import InputError
from lawcheck.files.holding import held
from lawcheck.training import data, record
from lawcheck.training.checkpoints import kept_state
from lawcheck.training.divergence import DivergenceWatch
from lawcheck.training.learnt import learnt_tokens
from lawcheck.training.record import is_complete
from lawcheck.training.run import train_run
from lawcheck.training.trainer import TimedCheckpoints

METHODS = ["lora", "full", "lora_moe"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


def train(base, out, name="lora", rows=120, **parts):
    return train_run(make_run(name), make_scale(**parts), make_rows(rows), base, out)


def weights(out):
    (path,) = (out / "adapter").glob("*.safetensors")
    return load_file(path)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_learns_and_records_itself(base, tmp_path, method):
    found = train(base, tmp_path, method)
    assert found["loss"][-1]["loss"] < found["loss"][0]["loss"]
    assert found["steps"] == found["planned_steps"] == 15
    assert not found["diverged"]
    assert 0 < found["trainable_percent"] <= 100
    assert found["tokens_per_second"] > 0
    assert found["peak_memory_bytes"] > 0
    assert json.loads((tmp_path / "train.json").read_text()) == found
    assert is_complete(tmp_path, found["run_id"])
    assert not (tmp_path / "checkpoints").exists()


def test_same_seed_gives_the_same_bits_in_a_fresh_process(base, tmp_path):
    here = train(base, tmp_path / "here", "lora_moe")["weights_sha256"]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tiny_world import make_rows, make_run, make_scale\n"
        "from lawcheck.training.run import train_run\n"
        "train_run(make_run('lora_moe'), make_scale(), make_rows(120), Path(sys.argv[1]),"
        " Path(sys.argv[2]))\n"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-c", code, str(base), str(tmp_path / "there")],
        env=environment,
        check=True,
        capture_output=True,
    )
    assert record.weights_sha256(tmp_path / "there" / "adapter") == here
    other = train_run(make_run("lora_moe", seed=1), make_scale(), make_rows(120), base, tmp_path)
    assert other["weights_sha256"] != here


@pytest.mark.parametrize("method", [*METHODS, "mola"])
def test_a_killed_run_goes_on_to_the_same_bits(base, tmp_path, monkeypatch, method):
    whole = train(base, tmp_path / "whole", method)

    def killed(self, args, state, control, **kwargs):
        if state.global_step == 6:
            raise KeyboardInterrupt

    interrupted = (make_run(method), make_scale(), make_rows(120), base, tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train_run(*interrupted, checkpoint_seconds=0)
    assert not is_complete(tmp_path / "cut", whole["run_id"])
    # A checkpoint that was being written when the process died is passed over.
    (tmp_path / "cut" / "checkpoints" / "checkpoint-99").mkdir()
    resumed = train(base, tmp_path / "cut", method)
    assert resumed["resumed_at_step"] == 6
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["loss"] == whole["loss"]


def test_the_newest_checkpoint_stays_and_its_account_goes_on_whatever_the_clock_says(
    base, tmp_path, monkeypatch
):
    def killed_at(step):
        def on_save(self, args, state, control, **kwargs):
            honest(self, args, state, control, **kwargs)
            if state.global_step == step:
                raise KeyboardInterrupt

        return on_save

    honest = TimedCheckpoints.on_save
    interrupted = (make_run("lora"), make_scale(), make_rows(120), base, tmp_path)
    for step in (4, 9):
        with monkeypatch.context() as patch:
            patch.setattr(TimedCheckpoints, "on_save", killed_at(step))
            with pytest.raises(KeyboardInterrupt):
                train_run(*interrupted, checkpoint_seconds=0)
        # As if the clock were set back by a day after every death.
        for path in (tmp_path / "checkpoints").rglob("*"):
            os.utime(path, (path.stat().st_mtime + 86400,) * 2)
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"checkpoint-8", "checkpoint-9"}
    checkpoint = tmp_path / "checkpoints" / "checkpoint-9"
    spent = kept_state(checkpoint, TimedCheckpoints)["earlier"]
    assert len(kept_state(checkpoint, DivergenceWatch)["healthy"]) == 9
    resumed = train(base, tmp_path)
    assert resumed["resumed_at_step"] == 9
    assert resumed["cpu_seconds"] > spent["cpu_seconds"] > 0
    assert resumed["wall_seconds"] > spent["wall_seconds"] > 0


def test_micro_batches_change_rounding_only(base, tmp_path):
    # 125 samples: the last step is short, and some of its micro-batches are empty.
    train(base, tmp_path / "one", rows=122)
    found = train(base, tmp_path / "four", rows=122, hardware={"micro_batch": 2})
    assert found["accumulation_steps"] == 4
    one, four = weights(tmp_path / "one"), weights(tmp_path / "four")
    for name in one:
        torch.testing.assert_close(one[name], four[name], rtol=1e-3, atol=1e-4)


def test_a_complete_run_is_left_alone_and_a_damaged_one_is_not(base, tmp_path):
    first = train(base, tmp_path)
    stamp = (tmp_path / "train.json").stat().st_mtime_ns
    assert train(base, tmp_path) == first
    assert (tmp_path / "train.json").stat().st_mtime_ns == stamp
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_complete(tmp_path, first["run_id"])
    assert train(base, tmp_path)["weights_sha256"] == first["weights_sha256"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_an_exploding_run_ends_at_its_last_good_state(base, tmp_path, method):
    found = train(base, tmp_path, method, rows=400, method={"learning_rate": 1e5})
    assert found["diverged"]
    assert found["reason"]
    assert found["last_good_step"] <= found["at_step"] < found["planned_steps"]
    assert all(torch.isfinite(t).all() for t in weights(tmp_path).values())
    assert is_complete(tmp_path, found["run_id"])


def test_a_nan_stops_the_run_at_once(base, tmp_path, monkeypatch):
    from lawcheck.training.trainer import CompletionTrainer

    honest = CompletionTrainer.compute_loss

    def poisoned(self, *args, **kwargs):
        loss = honest(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 5 else loss

    monkeypatch.setattr(CompletionTrainer, "compute_loss", poisoned)
    found = train(base, tmp_path)
    assert (found["diverged"], found["at_step"], found["last_good_step"]) == (True, 5, 4)
    assert found["reason"] == "loss is nan"
    assert all(torch.isfinite(t).all() for t in weights(tmp_path).values())


def test_a_folder_in_use_is_refused(base, tmp_path):
    holder = f"process {os.getpid()} on"
    with held(tmp_path / record.LOCK, "it"), pytest.raises(InputError, match=holder):
        train(base, tmp_path)
    assert not (tmp_path / "train.json").exists()
    assert train(base, tmp_path)["steps"] == 15


def test_a_base_that_mixes_packed_samples_is_trained_sample_by_sample(base, tmp_path, capsys):
    from transformers import AutoTokenizer, OPTConfig, OPTForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(base)
    sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = OPTConfig(
        **sizes,
        vocab_size=len(tokenizer),
        word_embed_proj_dim=32,
        max_position_embeddings=128,
        init_std=0.3,
        dropout=0.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    model = OPTForCausalLM(config).eval()
    model.save_pretrained(tmp_path / "opt")
    tokenizer.save_pretrained(tmp_path / "opt")
    found = train(tmp_path / "opt", tmp_path / "run", "full")
    assert found["packed"] is False
    assert "a row of its own" in capsys.readouterr().err
    assert "packed" not in train(base, tmp_path / "llama", "full")

    encoded = data.encode(tokenizer, make_rows(24), 64)
    batches = data.MicroBatches(encoded, 0, 8, 1, packed=False)
    whole = alone = 0.0
    with torch.no_grad():
        for batch in (batches[k] for k in range(len(batches))):
            learnt, _ = learnt_tokens(model, model, batch)
            whole += float(-learnt.log_probabilities.sum())
        for k in range(24):
            ids = torch.tensor(encoded.sample(k)).long()
            each = model(ids[None]).logits[0, :-1].log_softmax(-1).gather(1, ids[1:, None])
            alone += float(-each[int(encoded.answers[k]) - 1 :].sum())
    assert whole == pytest.approx(alone, rel=1e-5)
