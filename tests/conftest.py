"""One compute thread a process; which tests share a process where several run side by side."""

from __future__ import annotations

import os

import pytest

# As the command line sets it; before anything loads torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def place(nodeid: str) -> str:
    """What stays in one process, in its order: a file, for the fixtures that its tests share."""
    path = nodeid.partition("::")[0]
    if "/faults/" in path:
        return "one study that nothing interrupts"
    # Slurm's settings are the machine's.
    return "slurm" if path.endswith("slurm.py") else path


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Places that take minutes first, so that processes end together."""
    long = {place(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: place(item.nodeid) not in long)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return place(nodeid)

    config.option.loadscopereorder = False
    return ByPlace(config, log)
