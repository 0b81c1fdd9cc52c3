"""Merging two whole models of one architecture, tensor by tensor: SLERP, LERP and their schedules.

t = 0 is the first parent, t = 1 the second. With an instruction-tuned model first and the adapted
one second, this is base_model and model of mergekit, whose semantics are followed (0.1.5, `slerp`):
raw tensors, flattened, without the product of norms, and LERP where they are almost parallel.

Standard library only until tensors are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lawcheck.errors import InputError
from lawcheck.files.atomic import write_json
from lawcheck.files.tensors import Files, Stored, pieces, stored_tensors
from lawcheck.methods.base import AdapterSettings, Design, Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

Branch = Literal["slerp", "lerp"]
Kind = Literal["attention", "mlp", "rest"]
# |cos| above which SLERP is LERP, and the norm below which a tensor has no direction: mergekit's.
PARALLEL, NO_NORM = 0.9995, 1e-8
# Tensors of a decoder layer by the module that they belong to.
ATTENTION = frozenset({"self_attn", "attn", "attention", "self_attention"})
MLP = frozenset({"mlp", "feed_forward", "ffn", "block_sparse_moe"})
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\.")
FLOATS = {"F32": 4, "F16": 2, "BF16": 2}
# Numbers that are worked on at a time: a few buffers of 1 MiB stay in a processor's cache.
PIECE = 1 << 18
# In a run's folder beside its weights.
RECORD = "merge.json"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where between the parents each layer lies, by kind of module; values of t from 0 to 1.

    attention, mlp: at equal distances from the first layer to the last, linear between; one value
    stands for all layers. rest: norms, embeddings and head.
    """

    attention: tuple[float, ...]
    mlp: tuple[float, ...]
    rest: float = 0.5

    def __post_init__(self) -> None:
        given = {"attention": self.attention, "mlp": self.mlp, "rest": (self.rest,)}
        for key, values in given.items():
            if not values:
                raise InputError(f"schedule: {key} has no values; give at least one from 0 to 1")
            for t in values:
                if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t <= 1:
                    raise InputError(
                        f"schedule: {key} holds {t!r}, expected numbers from 0 (first parent) to 1 "
                        f"(second); correct it"
                    )

    def at(self, kind: Kind, place: float) -> float:
        """t of a module at a place from 0 (first layer) to 1 (last)."""
        if kind == "rest":
            return self.rest
        values = self.attention if kind == "attention" else self.mlp
        scaled = place * (len(values) - 1)
        low = min(int(scaled), len(values) - 1)
        high = min(low + 1, len(values) - 1)
        return (1 - (scaled - low)) * values[low] + (scaled - low) * values[high]


_UP_AND_DOWN = (0.0, 0.5, 0.3, 0.7, 1.0)
_STEADY = (0.0, 0.3, 0.5, 0.7, 1.0)


def _other_way(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(1 - t, 12) for t in values)


# `reference` is the example that mergekit gives, and that the paper's code uses; `linear` is the
# one progression that the paper names. reversed: the parents change places.
SCHEDULES: Mapping[str, Schedule] = {
    "reference": Schedule(attention=_UP_AND_DOWN, mlp=_other_way(_UP_AND_DOWN)),
    "linear": Schedule(attention=_STEADY, mlp=_other_way(_STEADY)),
    "linear_same": Schedule(attention=(0.0, 1.0), mlp=(0.0, 1.0)),
    "flat": Schedule(attention=(0.5,), mlp=(0.5,)),
    "reversed": Schedule(attention=_other_way(_UP_AND_DOWN), mlp=_UP_AND_DOWN),
    "attention_only": Schedule(attention=_UP_AND_DOWN, mlp=(0.0,)),
    "mlp_only": Schedule(attention=(0.0,), mlp=_other_way(_UP_AND_DOWN)),
}


def kind_of(name: str) -> Kind:
    """The kind of module that a tensor belongs to, by the words of its name."""
    words = set(name.split("."))
    if not LAYER.search(name):
        return "rest"
    return "attention" if words & ATTENTION else "mlp" if words & MLP else "rest"


def moments(names: Mapping[str, Any], schedule: Schedule) -> dict[str, float]:
    """t of each tensor by its name.

    Raises InputError where layers are not numbered from 0 without gaps, where there are several
    stacks of them, or where no tensor is known as one of attention, or of a feed-forward network:
    all would silently take other values.
    """
    found = {n: m for n in names if (m := LAYER.search(n))}
    layers = {n: int(m[1]) for n, m in found.items()}
    count = len(set(layers.values()))
    stacks = sorted({n[: m.start(1)] for n, m in found.items()})
    if len(stacks) > 1:
        raise InputError(
            f"merge: layers of {len(stacks)} stacks ({', '.join(s.strip('.') for s in stacks)}), "
            f"expected one; merge decoders of text alone"
        )
    if not count or set(layers.values()) != set(range(count)):
        raise InputError(
            f"merge: found {count} numbered layers, expected all from 0 on; merge decoders whose "
            f"tensors are named like model.layers.0.mlp.up_proj.weight"
        )
    kinds = {n: kind_of(n) for n in names}
    for kind, words in (("attention", ATTENTION), ("mlp", MLP)):
        if kind not in kinds.values():
            raise InputError(
                f"merge: no tensor of a layer is named as {kind} ({', '.join(sorted(words))}); "
                f"merge decoders that name them so"
            )
    return {n: schedule.at(kind, layers.get(n, 0) / max(count - 1, 1)) for n, kind in kinds.items()}


def shares(method: Branch, cosine: float | None, t: float) -> tuple[Branch, float, float]:
    """How two tensors are joined, and the factors of the first and of the second.

    cosine: None where one of them has no direction; as in mergekit it then counts as orthogonal.
    """
    cosine = cosine or 0.0
    if method == "lerp" or abs(cosine) > PARALLEL:
        return "lerp", 1 - t, t
    angle = math.acos(cosine)
    first, second = (math.sin(part * angle) / math.sin(angle) for part in (1 - t, t))
    return "slerp", first, second


class Pair:
    """One tensor of both parents, read in pieces as float32."""

    def __init__(self, files: Files, name: str, first: Stored, second: Stored) -> None:
        self.files, self.name, self.parents = files, name, (first, second)

    @property
    def dtype(self) -> str:
        return self.parents[0].dtype

    def pieces(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Arrays of (n,) float32 of both; they may be written to, and hold until the next."""
        import numpy as np

        width = FLOATS[self.dtype]
        raw: tuple[NDArray[Any], ...] = tuple(
            np.empty(PIECE * width, dtype=np.uint8) for _ in self.parents
        )
        for offset, size in pieces(self.parents[0].size, PIECE * width):
            for tensor, buffer in zip(self.parents, raw, strict=True):
                self.files.read_into(tensor, offset, buffer.data[:size])
            one, two = (_as_float32(buffer[:size], self.dtype) for buffer in raw)
            yield one, two

    def cosine(self) -> float | None:
        """Of the angle between both; None where one has no direction. Raises InputError for NaN."""
        import numpy as np

        dot, norms = 0.0, [0.0, 0.0]
        for one, two in self.pieces():
            parts = _products(one, two)
            if not all(map(math.isfinite, parts)):
                # Either a fault, or squares that float32 cannot hold.
                self._require_finite(one, two)
                parts = _products(one.astype(np.float64), two.astype(np.float64))
            dot += parts[0]
            norms = [norms[0] + parts[1], norms[1] + parts[2]]
        lengths = [math.sqrt(n) for n in norms]
        if min(lengths) <= NO_NORM:
            return None
        return max(-1.0, min(1.0, dot / lengths[0] / lengths[1]))

    def _require_finite(self, *values: NDArray[Any]) -> None:
        import numpy as np

        for tensor, own in zip(self.parents, values, strict=True):
            if not np.isfinite(own).all():
                raise InputError(
                    f"{tensor.file}: tensor {self.name!r} holds numbers that are not finite; merge "
                    f"models that were trained without fault"
                )

    def joined(self, first: float, second: float) -> Iterator[NDArray[Any]]:
        """first x the one + second x the other, in pieces of (n,) float32."""
        import numpy as np

        a, b = np.float32(first), np.float32(second)
        for one, two in self.pieces():
            one *= a
            two *= b
            one += two
            yield one


class Merged(NamedTuple):
    """One tensor of a merge. values: its pieces, (n,) float32, to be taken before the next tensor.

    cosine: of the angle between the parents'; None where one has no direction.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    t: float
    cosine: float | None
    branch: Branch
    values: Iterator[NDArray[Any]]

    @property
    def entry(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"t": self.t, "cosine": self.cosine, "branch": self.branch}


def merged(
    first: Mapping[str, Stored], second: Mapping[str, Stored], schedule: Schedule, method: Branch
) -> Iterator[Merged]:
    """Every tensor of both parents, in the order of the first.

    Raises InputError for parents that are not of the same tensors, and for numbers not finite.
    """
    check_tensors(first, second)
    places = moments(first, schedule)
    with Files() as files:
        for name, own in first.items():
            pair = Pair(files, name, own, second[name])
            cosine = pair.cosine()
            branch, one, two = shares(method, cosine, places[name])
            values = pair.joined(one, two)
            yield Merged(name, own.dtype, own.shape, places[name], cosine, branch, values)


def check_tensors(first: Mapping[str, Stored], second: Mapping[str, Stored]) -> None:
    """Raises InputError unless both hold tensors of the same names, shapes and kinds of number."""
    for name in sorted(first.keys() ^ second.keys()):
        has = first.get(name) or second[name]
        lacks = next(iter((second if name in first else first).values())).file
        raise InputError(
            f"merge: tensor {name!r} is in {has.file} and not in {lacks.parent}; merge two models "
            f"of one architecture, with merged adapters and both heads tied or untied"
        )
    for name, one in first.items():
        two = second[name]
        if one.dtype not in FLOATS:
            raise InputError(
                f"{one.file}: tensor {name!r} is of type {one.dtype}, expected "
                f"{', '.join(FLOATS)}; merge weights that are not quantised"
            )
        for what, ours, theirs in (
            ("shape", one.shape, two.shape),
            ("type", one.dtype, two.dtype),
        ):
            if ours != theirs:
                raise InputError(
                    f"merge: tensor {name!r} has {what} {_plain(ours)} in {one.file} and "
                    f"{_plain(theirs)} in {two.file}; merge two models of one architecture and "
                    f"precision"
                )


def _plain(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def record(
    method: Branch, schedule: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """How a merge was made, and of each tensor t, cosine and branch."""
    return {"method": method, "schedule": dict(schedule), "tensors": dict(tensors)}


def merge_into(model: Any, folders: Mapping[str, Path], schedule: str, method: Branch) -> Any:
    """The model with the merge of two folders as its weights, and the merge's record.

    folders: of whole models; the first is t = 0. Raises InputError for parents that do not fit each
    other or the model.
    """
    import torch

    first, second = (stored_tensors(f) for f in folders.values())
    state, entries = model.state_dict(), {}
    for tensor in merged(first, second, SCHEDULES[schedule], method):
        target = state.get(tensor.name)
        if target is None or tuple(target.shape) != tensor.shape:
            found = None if target is None else tuple(target.shape)
            raise InputError(
                f"merge: tensor {tensor.name!r} of shape {tensor.shape}, the model's has {found}; "
                f"merge models of its architecture"
            )
        flat, end = target.view(-1), 0
        for piece in tensor.values:
            flat[end : end + piece.size] = torch.from_numpy(piece)
            end += piece.size
        entries[tensor.name] = tensor.entry
    # A tied head is stored once.
    written = {state[name].data_ptr() for name in entries}
    missing = [n for n, t in state.items() if t.data_ptr() not in written]
    if missing:
        raise InputError(
            f"merge: no parent has tensor {missing[0]!r} of the model; merge models of its "
            f"architecture"
        )
    one, two = folders
    model.merge_record = record(method, {"name": schedule, "first": one, "second": two}, entries)
    return model


def builder(method: Method, branch: Branch) -> Callable[..., Any]:
    """The `build` of a method that merges along one branch."""

    def build(
        model: Any,
        design: Design,
        settings: AdapterSettings,
        seed: int,
        parents: Mapping[str, Path] | None = None,
    ) -> Any:
        """The merge of two folders of whole models; t = 0 is the first of them."""
        return merge_into(model, parents or {}, method.validate(design)["schedule"], branch)

    return build


def declared(name: Branch, title: str, short: str) -> Method:
    """A merge of two whole models under one of the schedules."""
    return Method(
        name=name,
        title=title,
        short=short,
        version=1,
        trains="nothing",
        group="full",
        design={"schedule": "reference"},
        choices={"schedule": tuple(SCHEDULES)},
        takes="models",
        trains_rows=False,
    )


def save(model: Any, folder: Path) -> None:
    """The whole model, and beside it how it was merged."""
    model.save_pretrained(folder)
    made = getattr(model, "merge_record", None)
    # What a diverged parent leaves is no merge.
    if made is not None:
        write_json(folder / RECORD, made)


def _products(one: NDArray[Any], two: NDArray[Any]) -> list[float]:
    """Of the first with the second, and of each with itself."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        return [float((x * y).sum()) for x, y in ((one, two), (one, one), (two, two))]


def _as_float32(raw: NDArray[Any], dtype: str) -> NDArray[Any]:
    import numpy as np

    if dtype == "F32":
        return raw.view("<f4")
    if dtype == "F16":
        return raw.view("<f2").astype(np.float32)
    wide = raw.view("<u2").astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)


def as_stored(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Finite float32 numbers as a file holds them, rounded to the nearest, ties to even.

    Raises InputError for numbers that float16 cannot hold.
    """
    import numpy as np

    if dtype == "F32":
        return values.astype("<f4", copy=False)
    if dtype == "F16":
        with np.errstate(over="ignore"):
            found = values.astype("<f2")
        if not np.isfinite(found).all():
            raise InputError(
                "merge: a number of the merge is too large for float16; save both parents in "
                "bfloat16 or float32"
            )
        return found
    bits = values.view(np.uint32)
    bits = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return (bits >> np.uint32(16)).astype("<u2")
