"""On the bare machine: join the pieces, install the wheels beside the Python that holds torch.

    python3 reproduce/gpu/arrive.py .gpu

The environment in .gpu/env sees the packages of that Python after its own. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from pieces import join

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "#!{python}\nimport sys\nfrom lawcheck.__main__ import main\nsys.exit(main())\n"
NEEDED = """
    torch transformers accelerate tokenizers safetensors peft lm_eval datasets pyarrow pandas scipy
    matplotlib pydantic yaml jinja2 snakemake gguf nltk langdetect immutabledict
"""
LOOK = """
import importlib.util, sys
print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])
import torch
print(torch.__version__)
"""


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    there, env = folder / "there", folder / "env"
    join(folder, there)
    venv.create(env, clear=True, symlinks=True)
    python = env / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(env), "platbase": str(env)}))
    # A virtual environment of a virtual environment would not see the packages of the first.
    below = dict.fromkeys(sysconfig.get_path(k) for k in ("purelib", "platlib"))
    (site / "below.pth").write_text("\n".join([str(ROOT / "src"), *below]) + "\n")
    program = env / "bin" / "lawcheck"
    program.write_text(PROGRAM.format(python=python))
    program.chmod(0o755)
    wheels = sorted(map(str, (there / "wheels").glob("*.whl")))
    words = ["install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
    words += ["--disable-pip-version-check", "--root-user-action", "ignore"]
    pip = [sys.executable, "-m", "pip", *words, "--target", str(site), *wheels]
    if subprocess.run(pip).returncode:
        sys.exit("the wheels cannot be installed; see pip's words above")
    words = [str(python), "-c", LOOK, *NEEDED.split()]
    done = subprocess.run(words, capture_output=True, text=True)
    missing, _, version = done.stdout.partition("\n")
    if done.returncode or missing:
        sys.exit(
            f"not there and not packed: {missing or done.stderr[-300:]}; pack again with --there "
            f"naming what `python3 -m pip list --format=freeze` prints here"
        )
    print(f"ready: {python}, torch {version.strip()}, {len(wheels)} wheels", flush=True)


if __name__ == "__main__":
    main()
