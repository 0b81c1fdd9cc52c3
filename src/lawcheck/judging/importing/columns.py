"""What the name of a table's column says: a score, how sure it is, a count, a mean, a setting."""

from __future__ import annotations

import re

# Other people's names of a column, where ours is not there.
SYNONYMS = {
    "arm": ("model", "method", "system", "model_name"),
    "seed": ("random_seed", "train_seed", "training_seed"),
    "task": ("benchmark", "dataset", "task_name"),
    "item_id": ("item", "question_id", "doc_id", "sample_id", "example_id", "question"),
    "value": ("score", "accuracy", "acc", "correct", "is_correct", "exact_match"),
}
# Words of a column that measures how sure, or how many, not how good.
SPREAD = frozenset({"stderr", "std", "stdev", "sem", "se", "sd", "ci", "ci95", "var", "variance"})
SPREAD |= {"err", "iqr", "sigma", "pvalue", "95ci", "uncertainty"}
COUNT = frozenset({"n", "num", "count", "size", "samples", "alias", "total", "rank"})
# Last words of a column that measures something else, unless it is named outright.
BESIDE = frozenset({"time", "seconds", "tokens", "version"})
EDGES = frozenset({"low", "high", "lo", "hi", "lower", "upper", "min", "max", "median"})
# Words that name one of several metrics of a task.
METRICS = frozenset({"acc", "accuracy", "norm", "em", "exact", "match", "f1", "strict", "flexible"})
METRICS |= {"extract", "loose", "mcc", "score", "pass", "none", "bytes", "bleu", "rouge"}
# Words of a column that is a setting, a cost, a loss or a mean of others.
NO_SCORE = frozenset({"id", "index", "row", "date", "year", "time", "runtime", "second"})
NO_SCORE |= {"seconds", "minutes", "hours", "step", "steps", "epoch", "epochs", "iter"}
NO_SCORE |= {"iteration", "iterations", "shots", "shot", "k", "fold", "lr", "learning", "warmup"}
NO_SCORE |= {"decay", "weight", "weights", "batch", "dropout", "temperature", "r", "alpha"}
NO_SCORE |= {"beta", "top", "p", "layers", "layer", "length", "max", "ratio", "fraction", "share"}
NO_SCORE |= {"loss", "nll", "ppl", "perplexity", "tokens", "params", "parameters", "flops"}
NO_SCORE |= {"memory", "gpu", "cost", "price", "latency", "throughput", "speed", "energy"}
NO_SCORE |= {"budget", "version", "wer", "cer", "ter", "average", "avg", "mean", "overall"}
NO_SCORE |= {"macro", "micro", "weighted", "sum", "delta", "diff", "error"}
WORD = re.compile(r"[a-z0-9]+")
# Words of an average over tasks; names of a row's number.
SUMMARY = frozenset({"macro", "micro", "overall", "total", "mean", "avg", "average", "all"})
INDEX = re.compile(r"(unnamed: \d+|__index_level_\d+__|index|idx|id|no\.?|#|rank)?", re.IGNORECASE)
# Other names of a number that tells the runs of an arm apart.
RUNS = ("run", "trial", "replicate", "rep", "repeat", "run_number", "seed_id")
STEPS = ("step", "checkpoint", "ckpt", "epoch", "revision", "iteration", "iter", "global_step")


def words_of(name: str) -> list[str]:
    return WORD.findall(name.lower())


def is_statistic(name: str) -> bool:
    """Whether a column's name says that it holds an error, a limit or a number of items."""
    words = words_of(name)
    while words and words[-1] in METRICS:
        words.pop()
    words = words or words_of(name)
    if "\u00b1" in name or "+/-" in name or "+-" in name or words[-2:] == ["standard", "error"]:
        return True
    return (
        any(w.endswith(("stderr", "stdev")) or w == "variance" for w in words)
        or (len(words) > 1 and words[0] in SPREAD | COUNT)
        or (len(words) > 1 and words[-1] in SPREAD | COUNT | EDGES)
    )


def is_summary(name: str) -> bool:
    """Whether a name is that of an average over tasks, a row's number or a run's setting."""
    listed = words_of(name)
    words = set(listed)
    if INDEX.fullmatch(name) or name.lower() in (*STEPS, *RUNS, "lr", "learning_rate"):
        return True
    if listed and listed[-1] in BESIDE:
        return True
    return bool(words & SUMMARY and words <= SUMMARY | METRICS) or name.lower() in COUNT | SPREAD
