"""Biology: the biomolecular text of Mol-Instructions trains, its multiple-choice test evaluates.

All of its true-or-false questions are PubMedQA's labelled ones (see docs/paper-corpus.md).
"""

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Biotext
from lawcheck.corpus.sources.serving import Source

ARCHIVE = (("data/Biomolecular_Text_Instructions.zip",), ("*.json",), ("*.jsonl",))

TRAIN = (
    DataSet(
        name="mol_instructions_biotext",
        title="Mol-Instructions, biomolecular text, training part of six tasks",
        licence="CC BY 4.0",
        rows=51_427,
        counted_in="Table 1",
        hub="zjunlp/Mol-Instructions",
        files=ARCHIVE,
        member="*.json",
        mapping=Biotext("train"),
    ),
)

EVALUATION = (
    DataSet(
        name="mol_instructions_biotext",
        title="Mol-Instructions, biomolecular text, multiple-choice test",
        licence="CC BY 4.0",
        rows=None,
        counted_in="not published",
        hub="zjunlp/Mol-Instructions",
        files=(ARCHIVE[0], ("multi_choice_question.json",), ("multi_choice_question.jsonl",)),
        member="multi_choice_question.json",
        mapping=Biotext("test"),
    ),
)

SOURCE = Source("biology", TRAIN, dict.fromkeys(EVALUATION, evaluation.mol_instructions))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
