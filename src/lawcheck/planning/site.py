"""What a cluster wants to hear with every job: account, partition, QOS, accelerator type.

One small file in the folder where Snakemake starts. Every value is text and stays as written:
an account 00123 keeps its zeros.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml

from lawcheck.errors import InputError, nearest
from lawcheck.files.reading import read_text

NAME = "site.yaml"
VARIABLE = "LAWCHECK_SITE"
# Words go to sbatch: no blanks, quotes or what a shell would read.
WORD = re.compile(r"[\w.+:@,=/&|*()\[\]-]+")


@dataclass(frozen=True)
class Site:
    """Each empty where the cluster's own default is right.

    gpu: accelerator type as Slurm names it (h100, 4090, 1g.10gb). cpu_partition: of jobs that
    need no accelerator; empty takes `partition`. constraint: node features, for sbatch -C.
    """

    account: str = ""
    partition: str = ""
    cpu_partition: str = ""
    qos: str = ""
    gpu: str = ""
    constraint: str = ""

    def __post_init__(self) -> None:
        for name, value in self.settings.items():
            if not isinstance(value, str) or (value and not WORD.fullmatch(value)):
                raise InputError(
                    f"site setting {name}: found {value!r}, expected one word as sbatch takes it; "
                    f"correct it"
                )

    @property
    def settings(self) -> dict[str, str]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def text(self) -> str:
        """The file's content, every value quoted."""
        lines = [f"{name}: {_quoted(value)}\n" for name, value in self.settings.items() if value]
        return "# lawcheck site show; lawcheck site init writes it again.\n" + "".join(lines)

    def but(self, given: Mapping[str, object]) -> Site:
        """With what was named elsewhere in place of the file's."""
        known = {n: v for n in self.settings if (v := given.get(n)) not in (None, "")}
        return replace(self, **known)  # type: ignore[arg-type]


def _quoted(value: str) -> str:
    return "'" + value + "'"


def site_file(named: str | None = None) -> Path:
    """The file named, else that of LAWCHECK_SITE, else site.yaml in the working folder."""
    return Path(named or os.environ.get(VARIABLE) or NAME)


def load_site(named: str | None = None) -> Site:
    """Empty where no file is there and none was named. Raises InputError for a broken file."""
    path = site_file(named)
    if not path.is_file() and not named and not os.environ.get(VARIABLE):
        return Site()
    step = "correct it, or write it again: lawcheck site init"
    what = f"site file {str(path)!r}"
    text = read_text(path, step, what)
    try:
        # Scalars as they stand, before YAML takes 00123 for a number.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InputError(f"{what}: no YAML{where}; {step}") from None
    if node is None:
        return Site()
    known = [f.name for f in fields(Site)]
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{what}: expected lines such as `account: physics`; {step}")
    found: dict[str, str] = {}
    for key, value in node.value:
        name = key.value
        if name not in known:
            raise InputError(f"{what}: no setting {name!r}; {nearest(str(name), known)}; {step}")
        if name in found or not isinstance(value, yaml.ScalarNode):
            raise InputError(f"{what}: {name}: expected one word, once; {step}")
        found[name] = value.value
    return Site(**found)
