"""Programs of a model run apart, and the tasks that need it. The programs here are harmless."""

import contextlib
import json
import math
import os
import socket
import textwrap
import time
from pathlib import Path

import pytest

from lawcheck.corpus.folder import write_rows
from lawcheck.corpus.real import programming
from lawcheck.declare.design import Discipline, EvalTask, World
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.evaluation import programs, sandbox
from lawcheck.evaluation.sandbox import Limits
from lawcheck.evaluation.tasks import load_tasks

apart = pytest.mark.skipif(bool(sandbox.lacking()), reason=f"no sandbox: {sandbox.lacking()}")


def run(program, **limits):
    return sandbox.run(textwrap.dedent(program), Limits(**limits))


def command_lines():
    """Of every process that this user sees."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield Path(f"/proc/{pid}/cmdline").read_text(errors="replace")


@apart
def test_a_program_passes_only_where_its_end_is_reached():
    assert run("import math, json, re; assert math.isqrt(9) == 3; print('said')") == "passed"
    assert run("assert 1 == 2") == "failed"
    assert run("def broken(:") == "failed"
    # What ends early has passed no test, whatever its exit status says.
    assert run("raise SystemExit(0)") == "failed"
    assert run("import os; os._exit(0)") == "failed"
    assert run("'\\udcff'") == "passed"


@apart
def test_no_file_of_this_machine_is_seen_or_changed(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("here")
    seen = f"""
    import os
    assert not os.path.exists({str(secret)!r})
    assert os.listdir("/tmp") == []
    assert not os.path.exists('/home') and not os.path.exists('/etc/passwd')
    open("/tmp/own", "w").write("x")
    """
    assert run(seen) == "passed"
    for place in (str(secret), "/usr/lawcheck-test", "/lawcheck-test"):
        assert run(f"open({place!r}, 'w')") == "failed"
    assert secret.read_text() == "here"
    # The private folder ends with the program.
    assert run(seen) == "passed"


@apart
def test_no_network_not_even_this_machines_own():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        assert run(program) == "failed"
        with pytest.raises(TimeoutError):
            server.accept()


@apart
def test_another_user_without_rights():
    assert run("import os; os.chroot('/tmp')") == "failed"
    # Not even the list of processes is there.
    assert run("open('/proc/self/status')") == "failed"
    if os.geteuid() == 0:
        assert run("import os; assert 61184 <= os.getuid() == os.geteuid() < 65520") == "passed"
        assert run("import os; assert os.getgroups() == []") == "passed"
        assert run("import os; os.setuid(0)") == "failed"


@apart
def test_memory_time_files_and_processes_are_limited():
    assert run("x = bytearray(2**26)") == "passed"
    assert run("x = bytearray(2**28)", memory=2**27) == "failed"
    assert run("open('/tmp/a', 'wb').write(bytes(2**16))", file=2**15) == "failed"
    many = "[open(f'/tmp/{k}', 'wb').write(bytes(2**19)) for k in range(8)]"
    assert run(many) == "passed"
    assert run(many, folder=2**20) == "failed"
    began = time.monotonic()
    assert run("import time; time.sleep(60)", seconds=1) == "timeout"
    assert run("while True: pass", seconds=1) in ("failed", "timeout")
    assert time.monotonic() - began < 30
    children = """
    import os, time
    made = []
    for _ in range(8):
        child = os.fork()
        if not child:
            time.sleep(60)
        made.append(child)
    """
    assert run(children) == "passed"
    assert run(children, processes=4) == "failed"


@apart
@pytest.mark.parametrize("own", ["pass", "time.sleep(60)"])
def test_no_process_outlives_its_program(own):
    mark = f"lawcheck-{os.getpid()}"
    program = f"""
    import os, sys, time
    if not os.fork():
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)", {mark!r}])
    {own}
    """
    assert run(program, seconds=2) == ("passed" if own == "pass" else "timeout")
    # The kernel ends a namespace's processes after its first one.
    until = time.monotonic() + 20
    while (left := [line for line in command_lines() if mark in line]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def test_without_a_sandbox_nothing_is_run(monkeypatch):
    monkeypatch.setattr(sandbox, "lacking", lambda: "no command unshare")
    monkeypatch.setattr(sandbox, "_run", lambda *_: pytest.fail("it ran"))
    with pytest.raises(InputError, match=r"^sandbox: no command unshare, expected .*execute_code"):
        sandbox.run("pass")


# ------------------------------------------------------------------------------------ the tasks

HUMANEVAL = {
    "task_id": "HumanEval/7",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "test": "def check(candidate):\n    assert candidate(4) == 8\n",
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to double a number.",
    "test_list": [f"assert double({k}) == {2 * k}" for k in range(3)],
    "test_setup_code": "",
    "code": "def double(x):\r\n    return 2 * x",
}


def code_tasks(folder, execute):
    (folder / "humaneval.jsonl").write_text(json.dumps(HUMANEVAL) + "\n")
    (folder / "mbpp.jsonl").write_text(json.dumps(MBPP) + "\n")
    rows = programming.humaneval(folder / "humaneval.jsonl")
    rows += programming.mbpp(folder / "mbpp.jsonl", programming.TEST)
    names = [row["task"] for row in rows]
    write_rows(folder / "math.eval.jsonl", rows)
    tasks = tuple(EvalTask(name=n, metric="pass_at_1", output="generate") for n in names)
    world = World(source="none", tasks=tasks)
    code = Discipline(
        name="math", title="", role="discipline", rows=1, version=1, worlds={"slices": world}
    )
    scale = load_scale("slices", {"evaluation": {"execute_code": execute}})
    return [placed.task for placed in load_tasks([code], scale, folder, "eval")]


def test_programs_are_not_run_unless_a_scale_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "run", lambda *_: pytest.fail("it ran"))
    assert not load_scale("slices").evaluation.execute_code
    for task in code_tasks(tmp_path, False):
        (document,) = task.eval_docs
        assert math.isnan(task.process_results(document, ["    return 2 * x"])["pass_at_1"])
    monkeypatch.setattr(sandbox, "lacking", lambda: "no command unshare")
    with pytest.raises(InputError, match=r"'humaneval_instruct': execute_code is set, and there"):
        code_tasks(tmp_path, True)


@apart
def test_answers_pass_where_their_tests_do(tmp_path):
    humaneval, mbpp = code_tasks(tmp_path, True)

    def scored(task, answer):
        (document,) = task.eval_docs
        return task.process_results(document, [answer])["pass_at_1"]

    # The model goes on where the function of the question ends.
    prefix = humaneval.doc_to_prefix(next(iter(humaneval.eval_docs)))
    assert prefix.rstrip().endswith(HUMANEVAL["prompt"].rstrip())
    assert scored(humaneval, "    return 2 * x\n```\nIt doubles.") == 1
    # What likelihoods take for the gold answer is an answer that passes.
    for task in (humaneval, mbpp):
        assert scored(task, task.doc_to_target(next(iter(task.eval_docs)))) == 1
    assert scored(humaneval, "    return x\n") == 0
    assert scored(humaneval, "    exit(0)\n") == 0
    # The first word of an answer is code, whether or not it names a language.
    for answer in ("def double(x):\n    return 2 * x\n```", "double = lambda x: 2 * x"):
        assert scored(mbpp, answer) == 1
    assert scored(mbpp, "Here it is:\n```python\ndef double(x):\n    return x + x\n```\n") == 1
    assert scored(mbpp, "def double(x):\n    return 2\n```") == 0
    # An example that follows the program is not the program.
    example = "def double(x):\n    return 2 * x\n```\nSo:\n```python\nprint(double(2))\n```\n"
    assert scored(mbpp, example) == 1


def test_rows_of_other_layouts_are_named(tmp_path):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps(MBPP | {"test_list": ["assert True"]}) + "\n")
    with pytest.raises(InputError, match=r"mbpp.jsonl, line 1: column 'test_list' holds 1 entr"):
        programming.mbpp(path, programming.TEST)
    path.write_text(json.dumps(MBPP) + "\n")
    with pytest.raises(InputError, match="found no task_id from 511 to 600"):
        programming.mbpp(path, programming.VALIDATION)


@apart
@pytest.mark.slow
def test_every_published_solution_passes():
    named = os.environ.get("LAWCHECK_DATA")
    if not named:
        pytest.skip("LAWCHECK_DATA names no folder of real data slices")
    data = Path(named)
    rows = programming.humaneval(data / "humaneval/test.jsonl")
    rows += programming.mbpp(data / "mbpp/mbpp.jsonl", range(1, 975))
    assert len(rows) == 164 + 974
    failed = [
        row["id"]
        for row in rows
        if sandbox.run(programs.WRITTEN[row["task"]](row, row["solution"])) != "passed"
    ]
    assert not failed
