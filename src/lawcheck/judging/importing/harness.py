"""Output of lm-evaluation-harness 0.4: a results file, and samples of every task beside it.

From 0.4.3 on results_<date>.json and samples_<task>_<date>.jsonl; before, results.json and
<model arguments>_<task>.jsonl, which holds one JSON list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawcheck.declare.design import EvalTask
from lawcheck.errors import InputError
from lawcheck.files.reading import parse_json, read_text, short
from lawcheck.judging.importing.placement import ImportMap
from lawcheck.judging.importing.runs import (
    Answers,
    Offer,
    Run,
    choose,
    declared_task,
    digest,
    named,
    offer,
    same_mean,
    score,
    text,
)
from lawcheck.scores import TaskPlace

AGAIN = "evaluate again"

# `--output_path x.json` writes x_<date>.json instead of results_<date>.json.
DATED = re.compile(r".+_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json\Z")
# Where and how fast a model ran make no other model.
PLACES = frozenset({"device", "device_map", "batch_size", "max_batch_size", "parallelize"})
PLACES |= {"tensor_parallel_size", "data_parallel_size", "gpu_memory_utilization"}
PLACES |= {"num_concurrent", "max_retries", "timeout", "swap_space"}
# Of the model's arguments, what changes its answers without being another model; only noted.
LOADED = frozenset({"dtype", "load_in_4bit", "load_in_8bit", "quantization", "gptqmodel"})
LOADED |= {"autogptq", "max_length", "max_model_len", "add_bos_token", "enable_thinking"}
# Of all runs of a task, unless the mapping lets them differ.
SETTINGS = ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")


class Twice(dict[str, Any]):
    """An object that held a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(found)


def _integer(digits: str) -> int | str:
    # Documents may hold numbers of any size, which are not read as numbers.
    return int(digits) if len(digits) < 20 else digits


LENIENT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]', re.DOTALL)
UNREAD = ("doc", "arguments", "resps", "filtered_resps", "target")


@dataclass(kw_only=True)
class Results:
    """A results file. date: as in its name, empty before 0.4.3."""

    file: Path
    date: str
    content: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        return part(self.content, "config")

    @property
    def arguments(self) -> dict[str, Any]:
        """The model's arguments by name."""
        given = self.config.get("model_args")
        if isinstance(given, str):
            pairs = (a.partition("=") for a in given.split(",") if a)
            return {k.strip(): v.strip() for k, _, v in pairs}
        return given if isinstance(given, dict) else {}

    def samples(self, task: str) -> Path:
        """The file with the samples of a task."""
        folder = self.file.parent
        if self.date:
            plain = folder / f"samples_{task}_{self.date}.jsonl"
            packed = plain.with_name(f"{plain.name}.gz")
            return packed if packed.is_file() and not plain.is_file() else plain
        arguments = re.sub(r"[/=\"<>:|\\?*\[\]]+", "__", str(self.config.get("model_args", "")))
        exact = folder / f"{arguments}_{task}.jsonl"
        ends = [p for p in folder.glob("*.jsonl") if p.name.endswith(f"_{task}.jsonl")]
        return ends[0] if len(ends) == 1 and not exact.is_file() else exact


def is_results(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), dict) for key in ("results", "configs")
    )


def harness_runs(
    found: list[tuple[Path, dict[str, Any]]],
    outside: Path,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
) -> list[Run]:
    """Runs of results files; a task's latest evaluation counts where several are alike.

    outside: folders from here up say nothing of a run. Raises InputError for missing samples,
    values outside [0, 1], metrics that score no items, and evaluations of one task in one folder
    that were not set up alike.
    """
    groups: dict[tuple[Path, str], list[Results]] = {}
    for file, content in found:
        match = DATED.match(file.name)
        results = Results(file=file, date=match["date"] if match else "", content=content)
        key = (file.parent, json.dumps(_identity(results), sort_keys=True))
        groups.setdefault(key, []).append(results)
    runs = []
    read = {r.samples(t) for dated in groups.values() for r in dated for t in r.content["configs"]}
    for (folder, _), dated in groups.items():
        run = _run(folder, outside, sorted(dated, key=lambda r: r.date), mapping, places)
        unread = sorted(p.name for p in folder.glob("*.jsonl") if p not in read)
        if unread:
            shown = ", ".join(unread[:3]) + (", ..." if len(unread) > 3 else "")
            run.notes.append(
                f"{folder}: {len(unread)} files belong to no results file, not read: {shown}"
            )
        runs.append(run)
    return runs


def _identity(results: Results) -> dict[str, str]:
    """What tells two models apart, by name."""
    config, arguments = results.config, results.arguments
    found = {f"model_args {k}": v for k, v in arguments.items() if k not in PLACES}
    for key in ("model", "model_revision", "model_sha", "model_dtype", "peft_sha", "delta_sha"):
        if config.get(key):
            found[key] = config[key]
    by_argument = arguments.get("peft") or arguments.get("pretrained")
    name = results.content.get("model_name") or by_argument
    return {k: str(v) for k, v in {**found, "model_name": name}.items()}


def _run(
    folder: Path,
    outside: Path,
    dated: list[Results],
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
) -> Run:
    latest = {task: results for results in dated for task in results.content["configs"]}
    notes = []
    for task in latest:
        repeats = [r for r in dated if task in r.content["configs"]]
        if len(repeats) > 1:
            settings = [_settings(task, r) for r in repeats]
            for other in settings[:-1]:
                if odd := differences(other, settings[-1]):
                    raise InputError(
                        f"import {folder}: task {task!r} was evaluated {len(repeats)} times, which "
                        f"differ in {odd}; import the one results file that you mean"
                    )
            notes.append(
                f"{folder}: task {task!r} was evaluated {len(repeats)} times, the latest counts"
            )
    tasks = [
        _answers(task, r, mapping, places, notes)
        for task, r in sorted(latest.items())
        if not mapping.leaves_out(task)
    ]
    identity = _identity(dated[-1])
    model = identity.pop("model_name")
    # The last folder is the model's name with other signs, unless the user named the file.
    safe = re.sub(r'["<>:/|\\?*\[\]]+', "__", model)
    place = folder.parent if folder.name == safe else folder
    inside = place.resolve()
    label = inside.relative_to(outside) if inside.is_relative_to(outside) else place
    content = dated[-1].content
    arguments = part(content, "config").get("model_args") or ""
    if isinstance(arguments, dict):
        arguments = ",".join(f"{k}={v}" for k, v in arguments.items())
    return Run(
        origin=str(folder),
        labels=(label.as_posix(),),
        model=model,
        also=(str(folder), str(arguments), *(str(r.file) for r in dated)),
        identity=identity,
        tool={
            "lm_eval_version": str(content.get("lm_eval_version")),
            "git_hash": str(content.get("git_hash")),
            "model_dtype": str(part(content, "config").get("model_dtype")),
            "backend": str(part(content, "config").get("model")),
        }
        | {f"model_args {k}": str(v) for k, v in dated[-1].arguments.items() if k in LOADED},
        tasks=tasks,
        left_out=[task for task in latest if mapping.leaves_out(task)],
        notes=notes,
    )


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What differs, with both values, for a line; empty where nothing does."""
    return ", ".join(
        f"{k} ({one.get(k, 'none')} and {other.get(k, 'none')})"
        for k in sorted(one.keys() | other.keys())
        if one.get(k) != other.get(k)
    )


def _settings(task: str, results: Results) -> dict[str, str]:
    content, config = results.content, part(results.content, "configs", task)
    found = {
        "num_fewshot": part(content, "n-shot").get(task, config.get("num_fewshot")),
        "limit": results.config.get("limit"),
        "task version": part(content, "versions").get(task),
        "generation": config.get("generation_kwargs"),
        "repeats": config.get("repeats") if config.get("repeats") != 1 else None,
        "gen_kwargs": results.config.get("gen_kwargs") or None,
    }
    found |= {key.removesuffix("_sha"): content.get(key) for key in SETTINGS}
    return {k: json.dumps(_whole(v), sort_keys=True) for k, v in found.items() if v is not None}


def _whole(value: Any) -> Any:
    # 12.0 from a command line is 12 from Python.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _answers(
    task: str,
    results: Results,
    mapping: ImportMap,
    places: Mapping[str, TaskPlace],
    notes: list[str],
) -> Answers:
    file = results.samples(task)
    where = f"import {file}"
    name = named(task, _groups(task, results.content), mapping, places)
    declared = declared_task(name)
    offers = _offers(task, results)
    chosen = choose(task, offers, mapping, declared, where, notes)
    samples = _of_filter(list(_samples(file)), chosen, offers, where)
    counts = part(results.content, "n-samples", task)
    expected = counts.get("effective")
    if not samples or expected not in (None, len(samples)):
        raise InputError(
            f"{where}: {len(samples)} samples of filter {chosen.variant!r}, expected "
            f"{expected or 'some'}; copy the whole file or evaluate again"
        )
    if counts.get("original") not in (None, expected):
        notes.append(
            f"{file.parent}: task {task!r}: {expected} of its {counts['original']} documents were "
            f"evaluated (limit {results.config.get('limit')})"
        )
    settings = _settings(task, results) | {"filter": chosen.variant}
    found = Answers(source=task, task=name, metric=chosen.metric, settings=settings)
    config = part(results.content, "configs", task)
    if how := {k: config[k] for k in ("filter_list", "metric_list") if config.get(k)}:
        found.scoring = _hash(how)
    several = _fill(found, samples, chosen, declared, "" if name == task else f"{task}/", where)
    # Where the filter was told by the order of the samples, this shows it to be the right one.
    told = len({o.variant for o in offers}) > 1 and "filter" not in samples[0][1]
    same_mean(found, chosen, several or told, where)
    return found


def _fill(
    found: Answers,
    samples: list[tuple[int, dict[str, Any]]],
    chosen: Offer,
    declared: EvalTask | None,
    prefix: str,
    where: str,
) -> bool:
    """Items and values of the samples; whether items hold lists of scores."""
    prompts = hashlib.sha256()
    outputs: list[str] = []
    lists = False
    for (line, sample), item in zip(samples, _ids([s for _, s in samples]), strict=True):
        item = prefix + text(item)
        if chosen.metric not in sample:
            raise InputError(
                f"{where}, line {line}: no metric {chosen.metric!r}, found "
                f"{', '.join(map(str, sample.get('metrics', [])))}; name one in the mapping"
            )
        document = sample.get("doc")
        cluster = ""
        if declared and declared.cluster and isinstance(document, dict):
            cluster = text(str(document.get(declared.cluster, "")))
        given = sample[chosen.metric]
        several = isinstance(given, list)
        lists |= several
        for k, value in enumerate(given if several else [given]):
            found.items.append(f"{item}/{k}" if several else item)
            found.clusters.append(cluster or item if several else cluster)
            found.values.append(score(value, chosen.metric, f"{where}, line {line}"))
        found.documents[item] = str(sample.get("doc_hash") or _hash(document))
        prompts.update(str(sample.get("prompt_hash") or sample.get("arguments", "")).encode())
        if sample.get("target_hash"):
            found.targets[item] = str(sample["target_hash"])
        outputs.append(repr(sample.get("resps")))
    found.prompts = prompts.hexdigest()
    found.outputs = digest(outputs)
    return lists


def _hash(document: Any) -> str:
    """As the harness hashes documents; before 0.4.3 it logged none."""
    shown = json.dumps(document, indent=2, ensure_ascii=False)
    return hashlib.sha256(shown.encode("utf-8", "backslashreplace")).hexdigest()


def _groups(task: str, results: dict[str, Any]) -> list[str]:
    """Groups that hold a task, the innermost first."""
    members = part(results, "group_subtasks")
    found: list[str] = []
    inside = [task]
    while inside:
        inside = [
            g
            for g, tasks in members.items()
            if g not in found and isinstance(tasks, list) and set(inside) & set(map(str, tasks))
        ]
        found += inside
    return found


def _offers(task: str, results: Results) -> list[Offer]:
    """Metrics of a task in the order of the results file."""
    content = results.content
    listed = part(content, "configs", task).get("metric_list")
    aggregations = {
        m["metric"]: m["aggregation"]
        for m in (listed if isinstance(listed, list) else [])
        if isinstance(m, dict) and isinstance(m.get("aggregation"), str)
        if isinstance(m.get("metric"), str)
    }
    better = {
        m["metric"]: m.get("higher_is_better")
        for m in (listed if isinstance(listed, list) else [])
        if isinstance(m, dict) and isinstance(m.get("metric"), str)
    }
    said = part(content, "higher_is_better", task)
    better |= {k: v for k, v in said.items() if v is not None}
    found = []
    for key, value in part(content, "results", task).items():
        metric, comma, variant = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            found.append(
                offer(metric, variant, value, aggregations.get(metric), better.get(metric))
            )
    return found


def _of_filter(
    samples: list[tuple[int, dict[str, Any]]], chosen: Offer, offers: list[Offer], where: str
) -> list[tuple[int, dict[str, Any]]]:
    """Samples of one filter.

    Before 0.4.6 samples did not name it: with several filters every document stands once for
    each, in the order in which the results list them.
    """
    if not any("filter" in s for _, s in samples):
        variants = list(dict.fromkeys(o.variant for o in offers))
        place = variants.index(chosen.variant)
        seen: Counter[str] = Counter()
        picked = []
        for line, sample in samples:
            key = str(sample["doc_id"])
            if seen[key] == place:
                picked.append((line, sample))
            seen[key] += 1
        if seen and set(seen.values()) != {len(variants)}:
            raise InputError(
                f"{where}: samples name no filter, and not every document has one for each of "
                f"{', '.join(variants)}; {AGAIN} with lm-eval 0.4.7 or later"
            )
        return picked
    return [(n, s) for n, s in samples if s.get("filter", "none") == (chosen.variant or "none")]


def _samples(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (or place in a list) and object of every sample."""
    if not file.is_file():
        raise InputError(
            f"import {file}: no such file; run lm_eval with --log_samples, item scores are needed"
        )
    # Texts may hold U+2028 or a lone CR: lines end in LF alone.
    whole = read_text(file, AGAIN, f"import {file}").rstrip("\r\n")
    if whole.startswith("["):
        content = parse_json(whole, f"import {file}", AGAIN, LENIENT)
        found: Iterable[tuple[int, Any]] = enumerate(content, 1)
    else:
        lines = whole.split("\n") if whole else []
        found = ((n, _sample(line, f"import {file}, line {n}")) for n, line in enumerate(lines, 1))
    for number, sample in found:
        where = f"import {file}, line {number}"
        if not isinstance(sample, dict) or "doc_id" not in sample:
            raise InputError(f"{where}: not a sample of lm-eval 0.4 (no doc_id); {AGAIN}")
        if isinstance(sample, Twice):
            raise InputError(f"{where}: a key stands twice; {AGAIN}")
        yield number, sample


def _sample(line: str, where: str) -> Any:
    """A line of samples; what no score depends on need not be readable."""
    try:
        return LENIENT.decode(line)
    except RecursionError:
        return parse_json(_without_texts(line), where, AGAIN, LENIENT)
    except ValueError as error:
        raise InputError(f"{where}: not valid JSON ({short(error)}); {AGAIN}") from None


def _without_texts(line: str) -> str:
    """The object without its long members, found without descending into them."""
    depth, start, key, after = 0, 0, "", "{"
    kept: list[str] = []
    for token in TOKEN.finditer(line):
        sign = token[0]
        if depth == 1 and after in "{," and sign.startswith('"'):
            key, start = sign[1:-1], token.start()
        if depth == 1 and sign in ",}" and key and key not in UNREAD:
            kept.append(line[start : token.start()])
        depth += (sign in "[{") - (sign in "]}")
        after = sign[0]
    return "{" + ",".join(kept) + "}"


def _ids(samples: list[dict[str, Any]]) -> list[str]:
    """The documents' own ids where every one has its own, else their places in the data set."""
    own = [s["doc"].get("id") if isinstance(s.get("doc"), dict) else None for s in samples]
    if all(isinstance(o, str | int) for o in own) and len(set(map(str, own))) == len(own):
        return [str(o) for o in own]
    return [str(s["doc_id"]) for s in samples]


def part(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The object under nested keys; empty where there is none."""
    for key in keys:
        value = data.get(key)
        data = value if isinstance(value, dict) else {}
    return data
