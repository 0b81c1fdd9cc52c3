"""What others made never runs: pickles, code beside a model, markup, formulas, shell words."""

import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lawcheck.errors import InputError
from lawcheck.files.foreign import check_adapter, check_model
from lawcheck.pipeline.workflow import Workflow
from lawcheck.training.base.tokenizer import load_tokenizer

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lawcheck"
SHIPPED = SOURCE / "base_models" / "proxy" / "seed0"


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def plant(path, mark):
    torch.save({"step": Planted(mark)}, path)


def test_the_planted_pickle_works(tmp_path):
    """Or the tests below could not fail."""
    plant(tmp_path / "x.bin", tmp_path / "ran")
    torch.load(tmp_path / "x.bin", weights_only=False)
    assert (tmp_path / "ran").exists()


def test_pickled_weights_are_refused_in_one_line(tmp_path):
    mark = tmp_path / "ran"
    model, adapter = tmp_path / "model", tmp_path / "adapter"
    model.mkdir()
    adapter.mkdir()
    shutil.copy(SHIPPED / "config.json", model)
    plant(model / "pytorch_model.bin", mark)
    plant(adapter / "adapter_model.bin", mark)
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(InputError, match=r"'pytorch_model.bin', a pickle, expected \*.safetensors"):
        check_model(model)
    with pytest.raises(InputError, match=r"'adapter_model\.bin', a pickle"):
        check_adapter(adapter)
    from lawcheck.methods import adapters, full

    with pytest.raises(InputError, match="a pickle"):
        adapters.load_adapter(torch.nn.Linear(1, 1), adapter, "LORA")
    with pytest.raises(InputError, match="a pickle"):
        full.load(torch.nn.Linear(1, 1), model)
    assert not mark.exists()


def test_peft_and_transformers_themselves_do_not_run_it(tmp_path):
    """lawcheck.lm_eval_cli hands paths to them without our look at the folder."""
    from peft.utils import load_peft_weights
    from transformers import AutoModelForCausalLM

    mark = tmp_path / "ran"
    shutil.copy(SHIPPED / "config.json", tmp_path)
    plant(tmp_path / "pytorch_model.bin", mark)
    plant(tmp_path / "adapter_model.bin", mark)
    with pytest.raises(pickle.UnpicklingError):
        load_peft_weights(str(tmp_path), device="cpu")
    with pytest.raises(Exception, match=r"(?i)unpickl|weights_only|unsupported"):
        AutoModelForCausalLM.from_pretrained(tmp_path)
    assert not mark.exists()


def test_code_beside_a_model_is_refused(tmp_path):
    mark = tmp_path / "ran"
    config = json.loads((SHIPPED / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    with pytest.raises(InputError, match=r"asks for code of its own \('auto_map'\)"):
        check_model(tmp_path)
    # The libraries' answer where our look does not reach: refused without a question.
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "unheard", "auto_map": {"AutoTokenizer": ["evil.Tok", None]}})
    )
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tok", None]}})
    )
    with pytest.raises(ValueError, match="trust_remote_code"):
        load_tokenizer(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_with_a_planted_pickle_does_not_run(name, tmp_path):
    """Through the Trainer itself, resuming."""
    from transformers import Trainer, TrainingArguments

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, k):
            return {"x": torch.ones(2)}

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, x):
            return {"loss": self.layer(x).mean()}

    def trainer():
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=4,
            save_steps=2,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        return Trainer(model=Model(), args=arguments, train_dataset=Rows())

    trainer().train()
    checkpoint = tmp_path / "out" / "checkpoint-2"
    mark = tmp_path / "ran"
    assert (checkpoint / name).is_file()
    plant(checkpoint / name, mark)
    with pytest.raises(pickle.UnpicklingError):
        trainer().train(resume_from_checkpoint=str(checkpoint))
    assert not mark.exists()


def test_our_code_names_nothing_that_runs_what_it_reads():
    banned = (
        "import pickle",
        "import dill",
        "import joblib",
        "read_pickle",
        "allow_pickle=True",
        "weights_only=False",
        "trust_remote_code=True",
        "shell=True",
        "os.system(",
        "yaml.load(",
        "yaml.unsafe_load",
        "extractall(",
        "tarfile",
        "|safe",
    )
    for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert not [b for b in banned if b in text], path
    # Every model is asked for as safetensors.
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        calls = text.count("AutoModelForCausalLM.from_pretrained(")
        assert text.count("use_safetensors=True") >= calls, path


def test_words_of_the_study_stay_words_of_the_shell(tmp_path):
    """Every line that Snakemake would run, with a folder of results that a shell would expand."""
    results = tmp_path / "my results $(touch ran); x"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--profile", str(ROOT / "reproduce/profiles/local"), "--directory", str(tmp_path)]
    command += ["--dry-run", "--printshellcmds", "law_base_model", "--config", "scale=smoke"]
    command += ["seeds=1", f"results={results}", f"figures={results}/figures"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-3000:]
    lines = [x for x in printed.splitlines() if "lawcheck " in x and "2>&1" in x]
    verbs = set()
    for line in lines:
        words = shlex.split(line)
        verbs.add(words[words.index("lawcheck") + 1])
        log = words[words.index(">") + 1]
        assert log.startswith(str(results))
        for word in words:
            # No word was torn: the folder is in it whole, or not at all.
            assert ("$(touch" in word) == (str(results) in word)
    assert verbs >= {"corpus", "train", "collect", "judge", "render"}


def test_the_words_are_quoted():
    scale, results = Workflow({"results": "a b;c"}).words
    assert shlex.split(f"--scale {scale} --results {results}")[-1] == "a b;c"


def test_secrets_of_the_environment_reach_no_output(tmp_path):
    secret = "hf_canary0123456789"
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "SLURM_JOB_ACCOUNT")
    environment = {**os.environ, **dict.fromkeys(names, secret)}
    environment["HTTPS_PROXY"] = environment["HF_ENDPOINT"] = f"https://u:{secret}@127.0.0.1:9"
    results = tmp_path / "results"
    published = tmp_path / "proxy"
    (published / "laws").mkdir(parents=True)
    shutil.copy(ROOT / "results/reference/proxy/mixtures.json", published)
    for path in (ROOT / "results/reference/proxy/laws").glob("base_model.*"):
        shutil.copy(path, published / "laws")
    scores = published / "laws/base_model.scores.parquet"
    verdict = tmp_path / "verdict.json"
    study = ("--scale", "smoke", "--results", str(results))
    lines = [
        ("corpus", *study),
        ("doctor", *study),
        ("report", "--from", str(published), "--out", str(tmp_path / "page.html")),
        ("judge", "base_model", "--scores", str(scores), "--json", str(verdict)),
    ]
    for words in lines:
        done = subprocess.run(
            [sys.executable, "-m", "lawcheck", *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0 or words[0] == "doctor", done.stderr
        assert secret not in done.stdout + done.stderr, words
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert verdict in written
    assert any(results in p.parents for p in written)
    assert not [p for p in written if secret.encode() in p.read_bytes()]


def test_the_audit_tells_found_from_not_asked(monkeypatch):
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("audit", str(ROOT / ".ci" / "audit"))
    audit = module_from_spec(spec_from_loader("audit", loader))
    loader.exec_module(audit)
    unknown = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
    fault = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}
    faulty = {"name": "a", "version": "1", "vulns": [fault]}
    code, lines = audit.verdict({"dependencies": [unknown]}, set())
    assert code == 0
    assert "Not audited" in lines[0]
    code, lines = audit.verdict({"dependencies": [unknown, faulty]}, set())
    assert code == 1
    assert "a 1: PYSEC-1, fixed in 2" in lines[0]
    assert "1 of 2" in lines[1]
    assert audit.verdict({"dependencies": [faulty]}, {"CVE-1"})[0] == 0
    with pytest.raises(SystemExit, match="CVE-1 has no reason"):
        audit.reviewed("CVE-1\n")
    assert audit.reviewed((ROOT / ".ci" / "audit-reviewed").read_text()) == set()


def test_a_small_file_does_not_unpack_to_any_size(tmp_path, monkeypatch):
    import gzip

    from lawcheck.corpus.real import files
    from lawcheck.files import reading

    monkeypatch.setattr(reading, "UNPACKED", 1 << 16)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 20)))
    with pytest.raises(InputError, match="unpacks to over"):
        files.read_text(path)
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert files.read_text(path) == '{"a": 1}\n'


def test_members_of_an_archive_are_read_in_place(tmp_path):
    """A member's name is never a path to write to: nothing is unpacked to disk."""
    import zipfile

    from lawcheck.corpus.sources.reading import rows_of

    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with zipfile.ZipFile(inside / "x.zip", "w") as archive:
        for name in ("../../up.jsonl", "/abs.jsonl", "plain.jsonl"):
            archive.writestr(name, '{"a": 1}\n')
    assert len(list(rows_of(inside / "x.zip"))) == 3
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["x.zip"]
