"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """ok: None where it cannot be told from here. step: the next one, where it is not ok."""

    name: str
    ok: bool | None
    found: str
    step: str = ""

    @property
    def line(self) -> str:
        mark = {True: "ok", False: "MISSING", None: "?"}[self.ok]
        step = f"; {self.step}" if self.step and self.ok is not True else ""
        return f"{mark:<8}{self.name}: {self.found}{step}"
