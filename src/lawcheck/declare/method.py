"""What a method declares, and what its module offers.

Standard library only: `lawcheck plan` and the tables count parameters without torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from lawcheck.declare.design import Arm, Recipe, Scalar, require_name
from lawcheck.errors import InputError, nearest

if TYPE_CHECKING:
    from lawcheck.methods.base import AdapterSettings, ModelShapes

Design = Mapping[str, Scalar]
# What a method takes -> the least and the largest number of parents.
PARENTS: Mapping[str, tuple[int, int]] = {
    "base": (0, 1),
    "model": (1, 1),
    "adapter": (0, 1),
    "models": (2, 2),
    "adapters": (2, 1000),
}


def discipline_expert(composition: Arm, discipline: str) -> Arm:
    """The LoRA of one discipline that a composition routes over.

    Same data fraction and base; the same upsampling where it touches the discipline. General data
    train the gate only, never the experts.
    """
    recipe = composition.recipe
    assert recipe is not None
    up = recipe.upsampling
    up = up if up is not None and discipline in up.disciplines else None
    own = Recipe(fraction=recipe.fraction, upsampling=up)
    return Arm(method="lora", recipe=own, each_alone=True, base=composition.base)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way of training an arm.

    trains: what moves, in words. short: its name in tables, `name` in words where it is empty.
    design: the choices an arm may make, with their defaults.
    choices: the values allowed for the design keys that hold words. routes: the model has gates
    whose routing probabilities can be recorded.

    takes: what `build` starts from. `base`: the base model, or the whole model of one parent;
    `model`: the whole model of one parent; `adapter`: the base model, or the folder of one parent's
    adapter, which is trained further; `models`: the folders of two parents' whole models;
    `adapters`: the folders of its parents' adapters. trains_rows: whether rows are learned; where
    not, the result of `build` is saved as it is. implied: (arm, discipline) -> the arm whose run
    on that discipline alone is a parent, for arms that name none. needs_experts: the short form of
    `adapters` over one plain LoRA a discipline. selects: it answers with the domain and the task of
    an item, and is scored on whether both are right. derived: its scores follow from those of its
    parents, item by item (lawcheck.pipeline.composites); it has no runs of its own.
    """

    name: str
    title: str
    version: int
    trains: str
    group: Literal["peft", "full", "none"]
    design: Mapping[str, Scalar] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs_experts: bool = False
    routes: bool = False
    takes: Literal["base", "model", "adapter", "models", "adapters"] = "base"
    trains_rows: bool = True
    implied: Callable[[Arm, str], Arm] | None = None
    short: str = ""
    selects: bool = False
    derived: bool = False

    def __post_init__(self) -> None:
        require_name("method", self.name)
        if self.needs_experts:
            object.__setattr__(self, "takes", "adapters")
            object.__setattr__(self, "implied", self.implied or discipline_expert)
        if self.takes not in PARENTS:
            raise InputError(
                f"method {self.name!r}: takes {self.takes!r}, expected {', '.join(PARENTS)}; "
                f"choose one"
            )

    def validate(self, design: Mapping[str, Scalar]) -> dict[str, Any]:
        """The full design: `design` over the defaults.

        Raises InputError for an unknown key, an unknown word and a number below 1.
        """
        for key, value in design.items():
            if key not in self.design:
                raise InputError(
                    f"method {self.name!r}: unknown design key {key!r}; {nearest(key, self.design)}"
                )
            if key in self.choices:
                if value not in self.choices[key]:
                    raise InputError(
                        f"method {self.name!r}: {key} {value!r} is unknown; "
                        f"{nearest(str(value), self.choices[key])}"
                    )
            elif type(value) is not int or value < 1:
                raise InputError(
                    f"method {self.name!r}: {key} is {value!r}, expected a whole number of at "
                    f"least 1; correct it"
                )
        return {**self.design, **design}


class MethodModule(Protocol):
    """A module that declares METHOD. Its functions are called by position.

    Importing it needs the standard library only. `design` holds what an arm chose: a key that is
    absent stands at its default (`Method.validate`).
    """

    METHOD: Method

    def build(
        self,
        model: Any,
        design: Design,
        settings: AdapterSettings,
        seed: int,
        experts: Mapping[str, Path] | None = None,
        /,
    ) -> Any:
        """The model, ready to train; its initial weights follow the seed only.

        experts: discipline or parent -> folder, for a method that takes `models` or `adapters`.

        A model may have auxiliary_loss(), of its last forward pass, which is added to the loss of
        training, and tell_tasks(places), which is called with the tasks of the tokens that follow.
        """

    def save(self, model: Any, folder: Path, /) -> None:
        """Safetensors and JSON only; the caller makes it atomic."""

    def load(self, base_model: Any, folder: Path, /) -> Any:
        """The model to evaluate. Raises InputError for a folder that does not fit."""

    def trainable_parameters(
        self, shapes: ModelShapes, design: Design, settings: AdapterSettings, /
    ) -> int:
        """Equals the built model's count; no torch."""

    def added_parameters(
        self, shapes: ModelShapes, design: Design, settings: AdapterSettings, /
    ) -> int:
        """Parameters beyond the base's, trained or not; no torch."""


@runtime_checkable
class CountsAdapterBytes(Protocol):
    """A method module whose adapters save something else than low-rank products do."""

    def adapter_bytes(
        self, shapes: ModelShapes, design: Design, settings: AdapterSettings, number: int, /
    ) -> float:
        """Bytes a token that one layer's adapters keep for the backward pass.

        number: bytes of a number in the computing precision.
        """


@runtime_checkable
class Fits(Protocol):
    """A method module that sets what `build` leaves open by items of the tuning split, of the tasks
    that its parents learned."""

    def fit_on_tuning(self, model: Any, answers: Callable[[], tuple[Any, Any]], /) -> None:
        """answers: gives logits (tokens, vocabulary) of the model as it is then, where tokens of
        right answers are predicted, and those tokens.
        """


@runtime_checkable
class Registers(Protocol):
    """A method module whose adapters peft loads by path once it knows their kind."""

    def register(self) -> None:
        """Idempotent. May load torch and peft."""


def check_module(module: ModuleType) -> None:
    """Raises InputError for a function that a method module lacks or that takes other arguments."""
    name = module.METHOD.name
    for contract in (MethodModule, CountsAdapterBytes, Registers):
        for function, signature in _functions(contract).items():
            found = getattr(module, function, None)
            expected = f"{function}({', '.join(signature)})"
            if not callable(found):
                if contract is MethodModule:
                    raise InputError(
                        f"method {name!r}: module has no function {expected}; add it "
                        f"(docs/adding.md)"
                    )
                continue
            try:
                inspect.signature(found).bind(*signature)
            except TypeError:
                raise InputError(
                    f"method {name!r}: found {function}{inspect.signature(found)}, expected "
                    f"{expected}; correct it (docs/adding.md)"
                ) from None


def _functions(contract: type) -> dict[str, list[str]]:
    """Functions of a protocol -> their parameters."""
    own = {n: f for n, f in vars(contract).items() if not n.startswith("_")}
    return {n: [*inspect.signature(f).parameters][1:] for n, f in own.items()}
