"""Other tests of the same contrasts, each as its own documentation runs it, one-sided at 5 %.

A peer that is not installed is skipped with the reason. evalstats and baycomp may live in another
interpreter: `calibration.py --peers-python PATH`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
ALPHA = 0.05
# Samples of a bootstrap.
RESAMPLES = 1000


def paired_t(d: list[Floats], rng: np.random.Generator) -> bool:
    """Paired t over seeds: the items are taken as fixed."""
    per_seed = np.mean([x.mean(axis=1) for x in d], axis=0)
    return bool(stats.ttest_1samp(per_seed, 0.0, alternative="greater").pvalue < ALPHA)


def items_only(d: list[Floats], rng: np.random.Generator) -> bool:
    """Miller 2024: paired z over items; answers are averaged over the seeds, runs are fixed."""
    means = [x.mean(axis=0) for x in d]
    se = np.sqrt(sum(m.var(ddof=1) / m.size for m in means)) / len(d)
    return bool(np.mean([m.mean() for m in means]) > stats.norm.isf(ALPHA) * se)


def seed_bootstrap(d: list[Floats], rng: np.random.Generator) -> bool:
    """Percentile bootstrap over seeds."""
    per_seed = np.mean([x.mean(axis=1) for x in d], axis=0)
    return bool(np.quantile(_counts(per_seed.size, rng) @ per_seed, ALPHA) > 0)


def crossed_bootstrap(d: list[Floats], rng: np.random.Generator) -> bool:
    """Percentile bootstrap of seeds and, independently, of the items of each discipline."""
    seeds = _counts(d[0].shape[0], rng)
    total = sum(
        np.einsum("bs,si,bi->b", seeds, x, _counts(x.shape[1], rng), optimize=True) for x in d
    )
    return bool(np.quantile(total, ALPHA) > 0)


def _counts(size: int, rng: np.random.Generator) -> Floats:
    return rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES) / size


def rliable(d: list[Floats], rng: np.random.Generator) -> bool:
    """rliable's stratified bootstrap interval; it ignores any seed."""
    by_task = np.stack([x.mean(axis=1) for x in d], axis=1)
    _, found = _rliable().get_interval_estimates(
        {"d": by_task},
        lambda x: np.array([x.mean()]),
        reps=500,
        confidence_interval_size=1 - 2 * ALPHA,
    )
    return bool(found["d"][0, 0] > 0)


def _rliable() -> ModuleType:
    """rliable.library; arch, below it, calls a private pandas decorator as pandas 2 had it."""
    if "rliable.library" not in sys.modules:
        from pandas.util import _decorators

        kept = _decorators.deprecate_kwarg
        _decorators.deprecate_kwarg = lambda *names, **options: lambda function: function
        try:
            import rliable.library  # noqa: F401
        finally:
            _decorators.deprecate_kwarg = kept
    return sys.modules["rliable.library"]


HERE: dict[str, Callable[[list[Floats], np.random.Generator], bool]] = {
    "paired t": paired_t,
    "Miller 2024, items only": items_only,
    "bootstrap of seeds": seed_bootstrap,
    "bootstrap of seeds x items": crossed_bootstrap,
    "rliable": rliable,
}

# Prints one line a study: 1 where the lower 90 % bound is above 0.
EVALSTATS = """
import sys, warnings, numpy as np, evalstats
warnings.simplefilter("ignore")
scores = np.load(sys.argv[1])  # (studies, 2 arms, items, seeds)
for n, s in enumerate(scores):
    b = evalstats.BenchmarkResult(scores=s, template_labels=["a", "b"],
                                  input_labels=[str(i) for i in range(s.shape[1])])
    r = evalstats.analyze(b, n_bootstrap=1000, rng=np.random.default_rng(n), correction="none",
                          simultaneous_ci=False)
    (pair,) = r.pairwise.results.values()
    low, high = pair.multi_ci[0.1]
    print(int(low > 0 if pair.template_a == "a" else high < 0), flush=True)
"""
BAYCOMP = """
import sys, numpy as np, baycomp
for s in np.load(sys.argv[1]):
    x, y = s.mean(axis=1)
    _, right = baycomp.two_on_single(y, x)
    print(int(right > 0.95), flush=True)
"""
# Differences of one study a file; seeds, disciplines within seeds and items are random.
LME4 = """
suppressMessages({library(lmerTest); library(pbkrtest)})
options <- commandArgs(TRUE)
d <- read.csv(options[1])
for (k in c("seed", "disc", "item")) d[[k]] <- factor(d[[k]])
contrasts(d$disc) <- contr.sum(nlevels(d$disc))
first <- c(1, rep(0, nlevels(d$disc) - 1))
for (one in split(d, d$study)) {
  fit <- suppressMessages(suppressWarnings(
    lmer(y ~ disc + (1 | seed) + (1 | seed:disc) + (1 | item), one)))
  found <- suppressMessages(contest1D(fit, first, ddf = options[2]))
  p <- pt(found[["t value"]], found[["df"]], lower.tail = FALSE)
  cat(as.integer(p < 0.05), "\\n"); flush(stdout())
}
"""


def elsewhere(
    name: str, studies: list[tuple[list[Floats], list[Floats]]], python: str, seconds: float
) -> tuple[list[bool], str]:
    """Rejections of a peer that runs in a process of its own, and why there are none or fewer.

    studies: (treatment, control) answers per discipline, each (seeds, items).
    """
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data", Path(folder) / "script"
        if name.startswith("lme4"):
            if shutil.which("Rscript") is None:
                return [], "skipped: no Rscript (Debian: r-cran-lmertest, r-cran-pbkrtest)"
            script.write_text(LME4)
            data.write_text(_long(studies))
            command = ["Rscript", str(script), str(data), name.removeprefix("lme4, ")]
        else:
            script.write_text({"evalstats": EVALSTATS, "baycomp": BAYCOMP}[name])
            data = data.with_suffix(".npy")
            arms = [[np.concatenate(arm, axis=1).T for arm in study] for study in studies]
            np.save(data, np.array(arms, dtype=np.float64))
            command = [python, str(script), str(data)]
        began = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            out = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
            return _read(out), f"stopped after {time.monotonic() - began:.0f} s"
    why = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]
    return _read(done.stdout), f"skipped: {why}" if why else ""


def _read(out: str) -> list[bool]:
    return [word == "1" for word in out.split()]


def _long(studies: list[tuple[list[Floats], list[Floats]]]) -> str:
    lines = ["study,seed,disc,item,y"]
    for n, (treatment, control) in enumerate(studies):
        for k, (a, b) in enumerate(zip(treatment, control, strict=True)):
            difference = a.astype(float) - b
            lines += [
                f"{n},{s},{k},{k}-{i},{value:g}" for (s, i), value in np.ndenumerate(difference)
            ]
    return "\n".join(lines) + "\n"


AWAY = ("lme4, Satterthwaite", "lme4, Kenward-Roger", "evalstats", "baycomp")
