"""Two real processes on CPU, through DeepSpeed and gloo, against one process without it."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_world import make_base, make_rows, make_run, make_scale

from lawcheck.declare.scale import Hardware
from lawcheck.errors import InputError
from lawcheck.training import launch
from lawcheck.training.hardware import check_training

# A pair of processes on busy cores: minutes, most of it waiting for each other.
pytestmark = pytest.mark.timeout(2400)
ROOT = Path(__file__).parents[1]


def benchmark():
    path = ROOT / "benchmarks" / "deepspeed_matrix.py"
    spec = importlib.util.spec_from_file_location("deepspeed_matrix", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def matrix():
    pytest.importorskip("deepspeed", reason="the extra 'deepspeed' is not installed")
    return benchmark()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, matrix):
    made = tmp_path_factory.mktemp("sharded")
    matrix.prepare(made)
    matrix.run_sharded(made)
    return made


@pytest.fixture(scope="module")
def measured(folder, matrix):
    return matrix.measure(folder)


def test_losses_are_those_of_one_process(measured, matrix):
    assert len(measured["rows"]) == 2 * len(matrix.CASES)
    for row in measured["rows"]:
        assert row["processes"] == 2
        assert row["loss"] <= 1e-5, row
        assert row["weights"] <= 1e-4, row


def test_a_saved_run_is_the_model_that_was_trained(measured):
    assert all(row["logits"] == 0 for row in measured["rows"])


def test_a_killed_run_goes_on_to_the_same_bits(measured):
    found = [row for row in measured["resumed"] if row["processes"] == 2]
    assert [row["stage"] for row in found] == [2, 3]
    assert all(row["from"] == 10 and row["same_bits"] and row["loss"] == 0 for row in found)


def test_a_killed_run_goes_on_with_fewer_processes(measured):
    found = [row for row in measured["resumed"] if row["processes"] == 1]
    assert [row["stage"] for row in found] == [2, 3]
    for row in found:
        assert row["from"] == 10
        assert row["loss"] <= 1e-5, row


def test_a_diverged_run_ends_at_its_last_good_state(folder, matrix):
    from safetensors.torch import load_file

    for name, last in (("snapshot", 6), ("checkpoint", 5), ("nothing", 0)):
        found = matrix.read(folder / "diverged" / name)
        assert (found["diverged"], found["at_step"]) == (True, matrix.POISONED_AT)
        assert found["last_good_step"] == last, name
        (path,) = (folder / "diverged" / name / "adapter").glob("*.safetensors")
        assert all(t.isfinite().all() for t in load_file(path).values())


def test_one_process_needs_no_deepspeed(tmp_path):
    base = make_base(tmp_path / "base")
    code = (
        "import importlib.metadata as m, importlib.util as u, sys\n"
        "from pathlib import Path\n"
        "find, version = u.find_spec, m.metadata\n"
        "def absent(name, *rest):\n"
        "    return None if name == 'deepspeed' else find(name, *rest)\n"
        "u.find_spec = absent\n"
        "sys.modules['deepspeed'] = None\n"
        "from tiny_world import make_rows, make_run, make_scale\n"
        "from lawcheck.training.run import train_run\n"
        "out = Path(sys.argv[1])\n"
        "found = train_run(make_run(), make_scale(), make_rows(40), out / 'base', out / 'run')\n"
        "print(found['zero_stage'], found['world_size'])\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests"))),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(base.parent)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split()[-2:] == ["None", "1"], done.stderr[-2000:]


def test_what_the_hardware_needs_is_checked_first(monkeypatch):
    sharded = make_scale(hardware={"zero_stage": "auto"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"deepspeed: not installed.*lawcheck\[deepspeed\]"):
        check_training(sharded, [make_run()])
    check_training(make_scale(), [make_run()])
    flash = {"attention": "flash", "device": "cuda", "precision": "bfloat16"}
    with pytest.raises(InputError, match="flash-attn is not installed"):
        check_training(make_scale(hardware=flash), [make_run()])
    with pytest.raises(InputError, match="found device cpu and precision float32"):
        check_training(make_scale(hardware={"attention": "flash"}), [make_run()])
    with pytest.raises(InputError, match="not divisible by micro-batch 8 x 3"):
        check_training(make_scale(hardware={"gpus_per_node": 3}), [make_run()])


def test_stages_follow_the_method():
    automatic = Hardware(micro_batch=1, zero_stage="auto")
    assert (automatic.stage("peft"), automatic.stage("full")) == (2, 3)
    assert Hardware(micro_batch=1).stage("full") is None


# ------------------------------------------------------------------------------- the launcher


def hardware(nodes=1, gpus=2):
    return Hardware(micro_batch=1, nodes=nodes, gpus_per_node=gpus)


def test_each_process_knows_its_place(tmp_path):
    code = (
        "import json, os, sys, pathlib; names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', "
        "'LOCAL_WORLD_SIZE'); pathlib.Path(sys.argv[1], os.environ['RANK']).write_text("
        "json.dumps([int(os.environ[n]) for n in names]))"
    )
    status = launch.launch([sys.executable, "-c", code, str(tmp_path)], hardware(gpus=3))
    assert status == 0
    found = [json.loads((tmp_path / str(k)).read_text()) for k in range(3)]
    assert found == [[k, k, 3, 3] for k in range(3)]


def test_the_first_failure_ends_the_others(tmp_path):
    code = (
        "import os, sys, time; time.sleep(0 if os.environ['RANK'] == '1' else 60); "
        "sys.exit(2 if os.environ['RANK'] == '1' else 0)"
    )
    assert launch.launch([sys.executable, "-c", code], hardware()) == 2
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert launch.launch([sys.executable, "-c", code], hardware()) == 137


STEP = {
    "SLURM_NODEID": "1",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_JOB_ID": "12345",
}


def test_nodes_find_each_other(monkeypatch):
    monkeypatch.setattr(launch, "_first_host", lambda hosts: hosts[0] + "1")
    assert launch.find_place(hardware(2), STEP) == launch.Place(1, 2, "n1", 22345)
    named = {"NODE_RANK": "1", "MASTER_ADDR": "here", "MASTER_PORT": "7000"}
    assert launch.find_place(hardware(2), named) == launch.Place(1, 2, "here", 7000)
    assert launch.find_place(hardware(1), STEP).address == "127.0.0.1"
    with pytest.raises(InputError, match=r"has 2 nodes.*srun --nodes=2 --ntasks-per-node=1"):
        launch.find_place(hardware(2), {})
    with pytest.raises(InputError, match=r"found 16 tasks on 2 nodes.*--ntasks-per-node=1"):
        launch.find_place(hardware(2), {**STEP, "SLURM_STEP_NUM_TASKS": "16"})
    with pytest.raises(InputError, match="found node 1 of 2, the scale's hardware has 4"):
        launch.find_place(hardware(4), STEP)


def test_a_foreign_launcher_is_held_to_the_scale(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    launch.check_workers(hardware())
    with pytest.raises(InputError, match=r"found 2 processes \(WORLD_SIZE\).*1 nodes x 4"):
        launch.check_workers(hardware(gpus=4))


# ------------------------------------------------------------------------------- flash packing


def test_flash_batches_hold_the_samples_of_packed_ones(tmp_path):
    """One row, bounds where transformers' flash attention finds them itself, the same losses."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_flash_attention_utils import prepare_fa_kwargs_from_position_ids

    from lawcheck.training import data

    base = make_base(tmp_path / "base")
    encoded = data.encode(AutoTokenizer.from_pretrained(base), make_rows(12), 64)
    members = np.argsort(-encoded.lengths, kind="stable")
    flat, rows = data.pack_flat(encoded, members), data.pack(encoded, members)
    assert flat["input_ids"].shape == (1, int(encoded.lengths.sum()))
    (bounds, same), (longest, _) = prepare_fa_kwargs_from_position_ids(flat["position_ids"])
    assert torch.equal(bounds.to(torch.int32), flat["cu_seq_lens_q"])
    assert torch.equal(same.to(torch.int32), flat["cu_seq_lens_k"])
    assert int(longest) == flat["max_length_q"] == flat["max_length_k"]
    model = AutoModelForCausalLM.from_pretrained(base).double().eval()

    def losses(batch):
        inputs = {k: v for k, v in batch.items() if k in ("input_ids", "position_ids")}
        with torch.no_grad():
            out = model(**inputs, use_cache=False).logits[:, :-1].transpose(1, 2)
        labels = batch["labels"][:, 1:]
        each = torch.nn.functional.cross_entropy(out, labels, reduction="none")
        return each[labels != data.IGNORED].sort().values

    torch.testing.assert_close(losses(flat), losses(rows), rtol=0, atol=1e-12)
    empty = data.pack_flat(encoded, members[:0])
    assert empty["cu_seq_lens_q"].tolist() == [0, 1]
    assert (empty["labels"] == data.IGNORED).all()
    assert math.isfinite(float(model(input_ids=empty["input_ids"]).logits.sum()))
