"""Programs that a model wrote, run apart: no network, no file of this machine, within limits.

Built on Linux namespaces with the commands of util-linux (unshare, mount, pivot_root, prlimit,
setpriv). A program sees the system's libraries and a Python without third-party packages, all
read-only, and an empty folder in memory that ends with it. Where lawcheck runs as root it runs as
a user that owns nothing; it has no capabilities and cannot gain any.
"""

from __future__ import annotations

import functools
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lawcheck.errors import InputError

Outcome = Literal["passed", "failed", "timeout"]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("unshare", "mount", "pivot_root", "prlimit", "setpriv", "sh")
# User ids that systemd takes for services of a moment: no account and no file has one.
FIRST_USER, USERS = 61184, 4336
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null")
MEBIBYTE = 2**20
# A busy machine must not fail a right answer: MBPP's own solution 123 took 17 s for 3 of work.
PATIENCE = 6


@dataclass(frozen=True, kw_only=True)
class Limits:
    """seconds: of processor time; of wall time PATIENCE as many. memory, folder: bytes, of a
    process's address space and of the private folder. file: bytes of any file, output included.
    """

    seconds: float = 10.0
    memory: int = 1024 * MEBIBYTE
    folder: int = 16 * MEBIBYTE
    file: int = 4 * MEBIBYTE
    processes: int = 16
    files: int = 64


# The last line that a program prints is the word it is given only where its end was reached:
# `exit(0)` in the middle of an answer passes no test.
DRIVER = """\
import sys
word = sys.stdin.readline()
exec(compile(sys.stdin.read(), "<program>", "exec"), {})
sys.stdout.flush()
sys.stdout.write("\\n" + word)
"""

# Not umount: it asks /proc, which is not there.
DETACH = 'import ctypes, sys; sys.exit(ctypes.CDLL(None).umount2(b"/old", 2) != 0)'

# Words in braces are filled in; $1... is the command. Flags beside `ro` stay as the kernel holds
# them locked for users without rights.
SCRIPT = """\
set -eu
umask 022
mount -t tmpfs -o size=1m,mode=755,nosuid,nodev tmpfs {root}
cd {root}
for path in {shown}; do
  [ -e "$path" ] || continue
  mkdir -p ".${{path%/*}}"
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" ".$path"; continue; fi
  if [ -d "$path" ]; then mkdir -p ".$path"; else : >".$path"; fi
  mount --bind "$path" ".$path"
  [ "$path" = /dev/null ] || mount -o remount,bind,ro,nosuid,nodev ".$path"
done
mkdir tmp
mount -t tmpfs -o size={folder},mode=1777,nosuid,nodev tmpfs tmp
mkdir old
cd /
mount -o remount,bind,ro,nosuid,nodev {root}
cd {root}
pivot_root . old
cd /tmp
{python} -I -S -c {detach}
exec "$@"
"""


def run(program: str, limits: Limits | None = None) -> Outcome:
    """Run a Python program to its end: `passed` where it raised nothing before that.

    Raises InputError where this machine makes no sandbox; the program is then not run.
    """
    missing = lacking()
    if missing:
        raise InputError(
            f"sandbox: {missing}, expected Linux namespaces and util-linux; run where they are "
            f"allowed, or leave evaluation.execute_code off"
        )
    return _run(program, limits or Limits())


@functools.cache
def lacking() -> str:
    """Why this machine makes no sandbox; empty where it does."""
    if not sys.platform.startswith("linux"):
        return f"system {sys.platform}"
    lost = [name for name in TOOLS if _tool(name) is None]
    if lost:
        return f"no command {lost[0]}"
    return "" if _run("pass", Limits(seconds=30)) == "passed" else "namespaces are refused here"


def _run(program: str, limits: Limits) -> Outcome:
    word = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="lawcheck-") as root, tempfile.TemporaryFile() as out:
        done = subprocess.Popen(
            _command(root, limits),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            text = f"{word}\n{program}".encode(errors="replace")
            done.communicate(text, timeout=PATIENCE * limits.seconds)
        except subprocess.TimeoutExpired:
            # The end of unshare is the end of the first process inside, and so of all others.
            done.kill()
            done.communicate()
            return "timeout"
        out.seek(max(0, out.seek(0, os.SEEK_END) - len(word) - 2))
        ended = out.read().decode(errors="replace").strip() == word
    return "passed" if done.returncode == 0 and ended else "failed"


def _command(root: str, limits: Limits) -> list[str]:
    as_root = os.geteuid() == 0
    python = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    shown = dict.fromkeys((*SYSTEM, str(Path(sys.base_prefix).resolve())))
    below = [p for p in shown if not any(p.startswith(f"{other}/") for other in SYSTEM)]
    script = SCRIPT.format(
        root=shlex.quote(root),
        shown=" ".join(map(shlex.quote, below)),
        folder=limits.folder,
        python=shlex.quote(str(python)),
        detach=shlex.quote(DETACH),
    )
    user = FIRST_USER + os.getpid() % USERS
    seconds = max(1, round(limits.seconds))
    return [
        str(_tool("unshare")),
        *("--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"),
        *([] if as_root else ["--user", "--map-root-user"]),
        *("sh", "-c", script, "sandbox"),
        # A change of user forgets that the end of unshare is this one's end.
        *("setpriv", "--pdeathsig=KILL", "--no-new-privs"),
        *("--bounding-set=-all", "--inh-caps=-all"),
        *([f"--reuid={user}", f"--regid={user}", "--clear-groups"] if as_root else []),
        *("prlimit", f"--cpu={seconds}", f"--as={limits.memory}", f"--fsize={limits.file}"),
        *(f"--nproc={limits.processes}", f"--nofile={limits.files}", "--core=0"),
        *(str(python), "-I", "-S", "-B", "-c", DRIVER),
    ]


def _tool(name: str) -> str | None:
    return shutil.which(name, path=PATH)
