"""One process that forks every `lawcheck` of these tests, and one study that nothing interrupts."""

from __future__ import annotations

import shutil

import pytest
import verbs_in_turn
from nursery import nursery
from studies import digests


@pytest.fixture(scope="session")
def lawcheck():
    with nursery() as found:
        yield found


@pytest.fixture(scope="session")
def stages():
    return verbs_in_turn.stages()


@pytest.fixture(scope="session")
def whole(lawcheck, stages, tmp_path_factory):
    """The folder of the uninterrupted study."""
    folder = tmp_path_factory.mktemp("whole")
    for words in stages:
        ended = lawcheck.run(folder, words)
        assert ended.status == 0, ended.said[-2000:]
    return folder


@pytest.fixture
def expected(whole):
    return digests(whole / verbs_in_turn.ROOT)


@pytest.fixture
def training(whole, stages, tmp_path):
    """A folder with a corpus, ready to train; the words that train and score."""
    folder = tmp_path / "training"
    shutil.copytree(whole / verbs_in_turn.ROOT / "corpus", folder / verbs_in_turn.ROOT / "corpus")
    # The longest: the other batch has the untrained base alone.
    return folder, max((words for words in stages if words[0] == "train"), key=len)
