"""What one paper brings: its laws, and how they are shown beside its printed numbers."""

from __future__ import annotations

from dataclasses import dataclass

from lawcheck.declare.design import require_name
from lawcheck.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Study:
    """One paper. Its laws, tables and figures are what lies in its folder.

    title: of the paper. source: how it is cited. label: its name where space is short. topic: what
    its laws are about, in headings. published: folder of its printed tables beside the module that
    declares it, empty where there is none. printed_from: what a printed number comes from, in
    words. world: the only one its laws can be run in; empty for any. leave_out: disciplines
    without which, one at a time, its laws' averages are judged again. order: of studies in lists.
    """

    name: str
    title: str
    source: str
    label: str = ""
    topic: str = ""
    published: str = ""
    printed_from: str = ""
    world: str = ""
    leave_out: tuple[str, ...] = ()
    order: int = 100

    def __post_init__(self) -> None:
        require_name("study", self.name)
        for what in ("title", "source", "label", "topic", "published", "printed_from", "world"):
            if not isinstance(getattr(self, what), str):
                raise InputError(f"study {self.name!r}: {what} is no text; write it as one")
        names = self.leave_out
        if not isinstance(names, tuple) or len(set(names)) < len(names):
            raise InputError(
                f"study {self.name!r}: leave_out is {str(names)[:40]!r}, expected a tuple of "
                f"distinct disciplines; correct it"
            )
        for name in names:
            require_name("discipline", name)
