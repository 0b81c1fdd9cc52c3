"""The doctor in faked environments: one line a check, exit 2 where something is missing."""

import importlib.metadata
import json
import os
import re
import shutil
from types import SimpleNamespace

import pytest

from lawcheck.__main__ import main
from lawcheck.corpus.build import corpus_identity
from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import PretrainedBase, load_scale
from lawcheck.errors import InputError
from lawcheck.pipeline.cluster.reading import gpus, minutes
from lawcheck.pipeline.doctor import Check, examine, hub, machine, slurm
from lawcheck.planning.plan import Planner
from lawcheck.planning.site import Site, load_site

SECRET = "hf_ThisTokenMustNeverBePrinted0123"


def base(model="org/model", **values):
    return PretrainedBase(kind="pretrained", model=model, architecture={}, **values)


def study(name, tmp_path, seeds=(0,)):
    return Planner(load_scale(name), seeds), Layout(tmp_path, load_scale(name).name)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder at the front of the path, and a function that puts fake commands into it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name, body):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def cluster(programs, monkeypatch):
    """A function that fakes a cluster: what Slurm 22.05 prints, cut to what is read."""

    def fake(accounting="accounting_storage/slurmdbd", age="300 sec"):
        node = (
            "NodeName={} CPUTot={} AvailableFeatures={} Gres={} RealMemory={} State={} "
            "Partitions={} Reason=Kill task failed [root@2026-01-01T00:00:00]"
        )
        nodes = [
            *(
                node.format(f"m{k}", 64, "ib", "gpu:h100:8(S:0-1)", 515000, "IDLE", "main")
                for k in range(3)
            ),
            node.format("m3", 64, "ib", "gpu:h100:8", 515000, "IDLE+DRAIN", "main"),
            node.format("c0", 128, "(null)", "(null)", 900000, "MIXED", "cpu"),
            *(node.format(f"o{k}", 64, "(null)", "gpu:8", 900000, "IDLE", "old") for k in range(4)),
        ]
        partition = "PartitionName={} Default={} MaxTime={} PreemptMode={} State=UP AllowQos=ALL"
        partitions = [
            partition.format("main", "YES", "2-00:00:00", "REQUEUE"),
            partition.format("cpu", "NO", "UNLIMITED", "OFF"),
            partition.format("old", "NO", "01:00:00", "OFF"),
        ]
        config = (
            f"AccountingStorageType = {accounting}\nAccountingStorageEnforce = associations\n"
            f"MinJobAge = {age}\nJobRequeue = 1\n"
        )
        cases = {
            "config": config,
            "partition": "\n".join(partitions),
            "node": "\n".join(nodes),
        }
        body = "".join(f"*{n}) cat <<'END'\n{t}\nEND\n;;\n" for n, t in cases.items())
        programs("sbatch", "exit 0")
        programs("scontrol", f'case "$*" in\n{body}esac')
        programs(
            "sacctmgr",
            'case "$*" in\n*assoc*) printf "physics|long,normal||\\n00123|normal||\\n";;\n'
            '*qos*) printf "normal||\\nlong|20|12:00:00\\n";;\n*) echo physics;;\nesac',
        )

    return fake


@pytest.fixture
def answers(monkeypatch):
    """Make the hub answer with a value or an error; a token is there."""
    import huggingface_hub.constants

    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)

    def put(info, auth=None):
        def give(value):
            def answer(*args, **kwargs):
                if isinstance(value, Exception):
                    raise value
                return value

            return answer

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", give(info))
        monkeypatch.setattr(huggingface_hub.HfApi, "auth_check", give(auth))

    return put


def refused(kind):
    """The hub's own error of this name, with a response that carries the token."""
    from huggingface_hub import errors, get_session

    library = __import__(type(get_session()).__module__.partition(".")[0])
    request = library.Request("GET", "https://hub", headers={"authorization": SECRET})
    response = library.Response(403, request=request)
    return getattr(errors, kind)(f"refused {SECRET}", response=response)


def test_the_proxy_needs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    record = tmp_path / "record.json"
    command = ["doctor", "--results", str(tmp_path), "--record", str(record)]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "?"}
    found = json.loads(record.read_text())
    assert found["scale"] == "proxy"
    assert len(found["checks"]) == len(lines)


def test_something_missing_ends_with_status_2_and_no_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    record = tmp_path / "record.json"
    command = ["doctor", "--results", str(tmp_path / "new"), "--record", str(record)]
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "MISSING disk: 0 GB free" in printed.out
    assert printed.err.count("\n") == 1
    assert "(disk)" in printed.err
    assert not record.exists()


def test_a_check_is_one_line_with_its_next_step_only_where_it_is_not_ok():
    assert Check("a", True, "b", "c").line == "ok      a: b"
    assert Check("a", False, "b", "c").line == "MISSING a: b; c"
    assert Check("a", None, "b", "c").line == "?       a: b; c"


def test_packages_that_are_absent_or_outside_their_range_are_named(monkeypatch):
    versions = importlib.metadata.version

    def version(name):
        if name == "peft":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "torch" else versions(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (check,) = machine.packages(load_scale("proxy"))
    assert check.ok is False
    assert "peft is not installed" in check.found
    assert "torch 0.1 is outside" in check.found


def test_deepspeed_is_required_only_where_a_scale_shards(monkeypatch):
    versions = importlib.metadata.version

    def version(name):
        if name == "deepspeed":
            raise importlib.metadata.PackageNotFoundError(name)
        return versions(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    scale = load_scale("proxy")
    (check,) = machine.packages(scale)
    assert check.ok
    sharded = scale.hardware.model_copy(update={"zero_stage": 2})
    (check,) = machine.packages(scale.model_copy(update={"hardware": sharded}))
    assert "deepspeed is not installed" in check.found


def test_room_is_counted_for_the_named_law_alone(tmp_path):
    planner, layout = study("paper", tmp_path)
    law = discovery.law("share_then_specialize")
    alone = machine.disk(planner, layout, [law]).found
    assert "for share_then_specialize" in alone

    def size(text):
        return float(text.split(", ")[1].split(" GB")[0].replace(",", ""))

    assert 0 < size(alone) < size(machine.disk(planner, layout, None).found)


def test_data_that_are_not_staged_are_named(tmp_path, monkeypatch):
    planner, _ = study("paper", tmp_path)
    monkeypatch.delenv("LAWCHECK_DATA", raising=False)
    assert "LAWCHECK_DATA is not set" in machine.data(planner).found
    monkeypatch.setenv("LAWCHECK_DATA", str(tmp_path))
    check = machine.data(planner)
    assert check.found.startswith("0 of ")
    assert check.ok is ("neither staged" not in check.found)


@pytest.mark.parametrize(("samples", "ok"), [(1000, True), (1009, True), (985, False)])
def test_a_corpus_is_compared_with_the_published_counts(tmp_path, samples, ok):
    planner, layout = study("proxy", tmp_path)
    line = {
        "split": "train",
        "discipline": "math",
        "set": "some_set",
        "rows_read": 2000,
        "samples": samples,
        "published": 1000,
        "tolerance": 0.01,
        "counted_in": None,
    }
    manifest = {
        "identity": corpus_identity(planner.scale),
        "accepted": [],
        "files": {"a": {"rows": 5, "sha256": "0" * 64}},
        "counts": [line],
        "comparison": {"run": 13, "shortest": 5},
    }
    layout.corpus.mkdir(parents=True)
    layout.manifest.write_text(json.dumps(manifest))
    check = machine.corpus(planner.scale, layout)
    assert check.ok is ok
    assert ok or "some_set -1.5 %" in check.found
    layout.manifest.write_text(json.dumps({**manifest, "accepted": ["some_set"]}))
    assert machine.corpus(planner.scale, layout).ok is True
    layout.manifest.write_text(json.dumps({**manifest, "identity": "other"}))
    assert "other settings" in machine.corpus(planner.scale, layout).found
    layout.manifest.write_text("{")
    assert machine.corpus(planner.scale, layout).ok is False


def test_an_unbuilt_corpus_is_no_failure(tmp_path):
    planner, layout = study("proxy", tmp_path)
    assert machine.corpus(planner.scale, layout).ok is None


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("GatedRepoError", "is gated and was refused with a token"),
        ("RepositoryNotFoundError", "was not found with a token"),
        ("RevisionNotFoundError", "has no revision abc"),
        ("HfHubHTTPError", "no answer from the hub (HfHubHTTPError)"),
    ],
)
def test_the_hubs_refusals_are_one_line_without_the_token(answers, kind, says):
    answers(refused(kind))
    check = hub.model("default", base(revision="abc"))
    assert check.ok is False
    assert says in check.found
    assert SECRET not in check.line
    assert "\n" not in check.line


def test_gated_files_are_refused_even_where_the_page_is_public(answers):
    answers(SimpleNamespace(gated="manual", sha="0" * 40), refused("GatedRepoError"))
    assert "is gated" in hub.model("default", base()).found
    answers(SimpleNamespace(gated="manual", sha="0" * 40))
    check = hub.model("default", base())
    assert check.ok
    assert check.found == "org/model at 000000000000, with a token"


def test_no_network_is_one_line(answers):
    answers(ConnectionError("no route"))
    check = hub.model("default", base())
    assert check.ok is False
    assert "no answer from the hub (ConnectionError)" in check.found
    answers(hub._transport_error()("refused"))
    assert "no answer from the hub (HTTPError)" in hub.model("default", base()).found


def test_offline_only_the_local_cache_counts(answers, monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    check = hub.model("default", base("org/not-in-any-cache"))
    assert check.ok is False
    assert "HF_HUB_OFFLINE is set" in check.found


def test_a_local_folder_must_hold_a_whole_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    check = hub.model("default", base(str(tmp_path)))
    assert check.ok is False
    assert "without tokenizer.json, *.safetensors" in check.found
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    assert hub.model("default", base(str(tmp_path))).ok


def lines(scale="paper", **site):
    return {c.name: c for c in slurm.checks(load_scale(scale), Site(**site))}


def test_a_cluster_that_fits_passes(cluster):
    cluster()
    found = lines(partition="main", account="physics", qos="long", gpu="h100", constraint="ib")
    assert all(c.ok for c in found.values()), [c.line for c in found.values()]
    assert found["slurm jobs"].found == (
        "4 nodes in main (3 usable now), each at most 515000 MB, 8 h100; a job at most 720 minutes"
    )
    assert found["slurm submission"].found.startswith("20 jobs at once")
    assert "REQUEUE in main" in found["slurm preemption"].found


@pytest.mark.parametrize(
    ("site", "what", "line"),
    [
        ({"partition": "gpu"}, "partition", "'gpu' does not exist; choose one of cpu, main, old"),
        ({"account": "biology"}, "account", "choose one of 00123, physics"),
        ({"qos": "longer"}, "QOS", "'longer' does not exist; choose one of long, normal"),
        ({"account": "00123", "qos": "long"}, "QOS", "'long' is not open to account '00123'"),
        ({"gpu": "a100"}, "GPU type", "'a100' is not in partition 'main'; it has h100"),
        ({"constraint": "opa"}, "constraint", "no node of partition 'main' has 'opa'; there is ib"),
        ({"partition": "cpu"}, "nodes", "4 with 8 GPUs, 64 processors and 500000 MB each asked, 0"),
        ({"partition": "old"}, "time", "310 minutes asked, 60 at most in partition 'old'"),
    ],
)
def test_each_mismatch_is_one_line(cluster, site, what, line):
    cluster()
    found = [
        c for c in slurm.checks(load_scale("paper"), Site(**site)) if c.name == f"slurm {what}"
    ]
    assert found
    assert all(c.ok is False and "\n" not in c.line for c in found)
    assert any(line in c.line for c in found), [c.line for c in found]


def test_types_begin_with_letters_or_digits():
    assert gpus("gpu:4090:8(S:0-1)") == {"4090": 8}
    assert gpus("gpu:1g.10gb:4,gpu:a100_3g.20gb:2(S:0,2),mps:400") == {
        "1g.10gb": 4,
        "a100_3g.20gb": 2,
    }
    assert gpus("gpu:nvidia_a100-sxm4-80gb:8") == {"nvidia_a100-sxm4-80gb": 8}
    assert gpus("gpu:8") == {"": 8}
    assert gpus("gpu:tesla") == {"tesla": 1}
    assert gpus("(null)") == {}


def test_limits_of_time_are_read_in_every_form():
    texts = ("UNLIMITED", "", "30", "00:05:00", "1-12:00:00", "7-00")
    assert [minutes(t) for t in texts] == [None, None, 30, 5, 2160, 10080]


def test_without_accounting_an_account_is_not_compared(cluster):
    cluster(accounting="accounting_storage/none", age="2 sec")
    found = lines(account="biology")
    assert found["slurm account"].ok is None
    assert found["slurm accounting"].ok is None
    assert "squeue remembers a job for 2 s" in found["slurm accounting"].found


def test_a_silent_cluster_fails_only_where_one_is_meant(programs):
    programs("sbatch", "exit 0")
    programs("scontrol", "exit 1")
    assert lines()["slurm"].ok is None
    assert lines(partition="main")["slurm"].ok is False


def test_no_cluster_is_fine_unless_one_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert lines() == {}
    assert lines(partition="main")["slurm"].ok is False


def test_a_site_keeps_text_as_written(tmp_path, monkeypatch, capsys, programs):
    programs("scontrol", "exit 1")
    monkeypatch.chdir(tmp_path)
    assert main(["site", "init", "--account", "00123", "--qos", "1e3", "--gpu", "4090"]) == 0
    assert load_site() == Site(account="00123", qos="1e3", gpu="4090")
    (tmp_path / "site.yaml").write_text("account: 00123\npartition: yes\n")
    assert load_site() == Site(account="00123", partition="yes")
    assert main(["site", "show", "--gpu", "1g.10gb"]) == 0
    shown = capsys.readouterr().out
    assert "slurm_account=00123" in shown
    assert "gpu_model=1g.10gb" in shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("accounts: physics", "no setting 'accounts'; nearest: account"),
        ("account: physics\naccount: x", "account: expected one word, once"),
        ("account: [a]", "account: expected one word, once"),
        ("account: a b", "site setting account: found 'a b', expected one word"),
        ("- a", "expected lines such as `account: physics`"),
        ("account: 'a", "no YAML at line 1"),
    ],
)
def test_a_broken_site_file_is_one_line(tmp_path, text, line):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(line)):
        load_site(str(tmp_path / "s.yaml"))


def test_next_steps_name_the_scale_as_it_was_given(tmp_path):
    planner, layout = study("proxy", tmp_path)
    assert "--scale mine.yaml" in machine.corpus(planner.scale, layout, "mine.yaml").line


def test_the_token_is_in_no_output(answers, tmp_path, monkeypatch, capsys):
    answers(refused("GatedRepoError"))
    monkeypatch.setenv("LAWCHECK_DATA", str(tmp_path))
    assert main(["doctor", "--scale", "paper", "--results", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "base model default" in printed.out
    assert SECRET not in printed.out + printed.err


def test_bases_are_looked_up_only_where_the_law_trains_on_them(answers, tmp_path, monkeypatch):
    answers(SimpleNamespace(gated=False, sha="0" * 40))
    monkeypatch.setenv("LAWCHECK_DATA", str(tmp_path))
    planner, layout = study("paper", tmp_path)
    law = discovery.law("share_then_specialize")
    names = {c.name for c in examine(planner, layout, [law])}
    assert "base model default" in names
    assert "base model second_family" not in names


def test_an_unknown_law_is_named(capsys):
    assert main(["doctor", "--law", "share_then_specialise"]) == 2
    assert "nearest" in capsys.readouterr().err
    with pytest.raises(InputError):
        discovery.law("nothing")
