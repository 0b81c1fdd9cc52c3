"""Runs `lawcheck` in forked children of one process that has loaded everything: no start cost.

As a program it reads one JSON request a line and answers with one; `Nursery` is its client.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crash_points import Spec
from verbs_in_turn import LAWS

LIMITS = {"address_space": resource.RLIMIT_AS, "file_size": resource.RLIMIT_FSIZE}


@dataclass(frozen=True)
class Ended:
    """status: exit status, or minus the signal that ended it. said: stdout and stderr."""

    status: int
    said: str


class Nursery:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **LAWS, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )

    def start(
        self,
        folder: Path,
        words: Sequence[object],
        spec: Spec | None = None,
        checkpoint_seconds: float | None = None,
        said: str = "",
        user: int = 0,
        **limits: int,
    ) -> None:
        """Start `lawcheck words...` in a folder; `wait` tells how it ended.

        checkpoint_seconds: between checkpoints, in place of the usual. said: file for what it
        says (in the folder). user: id to work as, from root. limits: of LIMITS, bytes.
        """
        request = {
            "folder": str(folder),
            "words": [str(w) for w in words],
            "spec": asdict(spec or Spec()),
            "checkpoint_seconds": checkpoint_seconds,
            "said": said or str(folder / "said.txt"),
            "user": user,
            "limits": limits,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def wait(self) -> Ended:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        return Ended(answer["status"], answer["said"])

    def run(self, folder: Path, words: Sequence[object], *args: Any, **kwargs: Any) -> Ended:
        self.start(folder, words, *args, **kwargs)
        return self.wait()

    def address_space(self) -> int:
        """Bytes that a child has before it does anything."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(x for x in status.splitlines() if x.startswith("VmSize")).split()[1])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    try:
        yield found
    finally:
        found.close()


def _serve() -> None:
    import crash_points

    crash_points.patch()
    # Loaded once, before the forks; nothing is run here, so that no thread is lost in them.
    import lawcheck.evaluation
    import lawcheck.judging.judged
    import lawcheck.pipeline.stages
    import lawcheck.show.page
    import lawcheck.training.run  # noqa: F401

    # Python's own folder may be closed to the user that a child works as.
    codecs.lookup("utf-8-sig")

    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        said = Path(request["said"])
        child = os.fork()
        if not child:
            _child(request, said)
        _, status = os.waitpid(child, 0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        text = said.read_text(encoding="utf-8", errors="replace")
        os.write(answers, (json.dumps({"status": code, "said": text}) + "\n").encode())


def _child(request: dict[str, Any], said: Path) -> None:
    import crash_points

    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(
                number,
                signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL,
            )
        os.chdir(request["folder"])
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        spec = request["spec"]
        spec["kinds"] = tuple(spec["kinds"])
        crash_points.arm(Spec(**spec))
        if request["checkpoint_seconds"] is not None:
            import lawcheck.training.run

            found = lawcheck.training.run.train_run
            assert found.__kwdefaults__ is not None
            found.__kwdefaults__["checkpoint_seconds"] = request["checkpoint_seconds"]
        for name, size in request["limits"].items():
            resource.setrlimit(LIMITS[name], (size, size))
        if request["user"]:
            os.setuid(request["user"])
        from lawcheck.__main__ import main

        status = main(request["words"])
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
