"""Medicine: the paper's twelve sources (its appendix A); MedMCQA's validation split evaluates.

Counts are those of the appendix. It gives none for Medical Meadow and Natural-Instructions: the
three parts of Medical Meadow that it names are released with 45,077 rows, which leaves 19,095 of
the 490,766 for the nine tasks.
"""

import functools

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import (
    Abstract,
    Choices,
    FirstOutput,
    FirstTurn,
    Pairs,
)
from lawcheck.corpus.sources.serving import Source

APPENDIX = "appendix A"
_set = functools.partial(DataSet, counted_in=APPENDIX)
_CHAT = Pairs(prompt=("input",), response="output")
_ASKED = Pairs(prompt=("instruction", "input"), response="output")
_PARQUET = (("data/train-*.parquet",), ("train*",), ("*.json",))
_OPTIONS = ("opa", "opb", "opc", "opd")

TASKS = (
    "task179_participant_extraction",
    "task181_outcome_extraction",
    "task1369_healthfact_sentence_generation",
    "task1447_drug_extraction_ade",
    "task1449_disease_entity_extraction_bc5cdr_dataset",
    "task1485_organ_extraction_anem_dataset",
    "task1487_organism_substance_extraction_anem_dataset",
    "task1495_adverse_drug_event_classification",
    "task1645_medical_question_pair_dataset_text_classification",
)


def _meadow(part: str, rows: int) -> DataSet:
    return DataSet(
        name=f"medical_meadow_{part}",
        title=f"Medical Meadow, {part.replace('_', ' ')}",
        licence="CC, variant not stated",
        rows=rows,
        counted_in="data card; the paper gives no number",
        hub=f"medalpaca/medical_meadow_{part}",
        files=(("medical_meadow_*.json",), *_PARQUET),
        mapping=_CHAT if part == "medical_flashcards" else _ASKED,
    )


TRAIN = (
    _set(
        name="headqa",
        title="HeadQA (English), training split",
        licence="MIT; examinations reusable with attribution",
        rows=2_657,
        hub="EleutherAI/headqa",
        files=(("en/train.parquet",), ("train_HEAD_EN.json",), ("train.jsonl",)),
        mapping=Choices("qtext", ("answers",), "ra", counts_from=1),
        layout="exams",
        note="with the questions about images, as the published count has them",
    ),
    _set(
        name="medmcqa",
        title="MedMCQA, training split, single-answer questions",
        licence="Apache-2.0",
        rows=120_765,
        hub="openlifescienceai/medmcqa",
        files=(("data/train-*.parquet",), ("train*",)),
        mapping=Choices("question", _OPTIONS, "cop", keep=(("choice_type", ("single",)),)),
        note="the split holds 182,822; the published count is that of its single-answer questions",
    ),
    _set(
        name="medqa",
        title="MedQA (USMLE, four options), training split",
        licence="MIT; CC BY 4.0 on the hub",
        rows=10_178,
        hub="GBaker/MedQA-USMLE-4-options",
        files=(("phrases_no_exclude_train.jsonl",), ("train*",)),
        mapping=Choices("question", ("options",), "answer_idx"),
    ),
    DataSet(
        name="chatdoctor_healthcaremagic",
        title="ChatDoctor, HealthCareMagic-100k",
        licence="not stated",
        rows=112_165,
        counted_in=f"data card; {APPENDIX}: 119,486 with iCliniq",
        hub="lavita/ChatDoctor-HealthCareMagic-100k",
        files=_PARQUET,
        mapping=_CHAT,
    ),
    DataSet(
        name="chatdoctor_icliniq",
        title="ChatDoctor, iCliniq",
        licence="not stated",
        rows=7_321,
        counted_in=f"data card; {APPENDIX}: 119,486 with HealthCareMagic",
        hub="lavita/ChatDoctor-iCliniq",
        files=_PARQUET,
        mapping=Pairs(prompt=("input",), response="answer_icliniq"),
        note="three answers a question; the doctor's is taken",
    ),
    _set(
        name="medquad",
        title="MedQuAD, pairs with an answer",
        licence="CC BY 4.0",
        rows=16_407,
        hub="lavita/MedQuAD",
        files=(("data/train-*.parquet",), ("train*.parquet",), ("*_QA*/*.xml",)),
        mapping=Pairs(prompt=("question",), response="answer"),
        note="47,441 pairs, of which three collections have no answers",
    ),
    _set(
        name="pubmedqa",
        title="PubMedQA, labelled questions outside the official test half",
        licence="MIT",
        rows=500,
        repository="pubmedqa/pubmedqa",
        revision="1cbae8e92f72f20c8d3747cbb3bf5bc53554d997",
        files=(("data/ori_pqal.json",),),
        layout="by_id",
        without="data/test_ground_truth.json",
        mapping=Abstract(),
    ),
    _set(
        name="medicationqa",
        title="MedicationQA",
        licence="not stated on the hub",
        rows=689,
        hub="truehealth/medicationqa",
        files=_PARQUET,
        mapping=Pairs(prompt=("Question",), response="Answer"),
    ),
    _set(
        name="umls",
        title="UMLS questions of PMC-LLaMA's instructions",
        licence="OpenRAIL tag; UMLS has its own licence",
        rows=79_245,
        hub="axiong/pmc_llama_instructions",
        files=(("release.json",), *_PARQUET),
        mapping=Pairs(
            prompt=("instruction", "input"),
            response="output",
            keep=(("source", ("umls", "umls_relation")),),
        ),
        note="the paper names UMLS, not this derivation of it",
    ),
    _set(
        name="opengpt",
        title="OpenGPT, NHS questions and answers",
        licence="Apache-2.0",
        rows=24_665,
        repository="CogStack/OpenGPT",
        revision="5977b76acf790d2b806f67f7a215c0d063ebf6f3",
        files=(("data/nhs_uk_full/prepared_generated_data_for_nhs_uk_qa.csv",),),
        mapping=FirstTurn(),
    ),
    _set(
        name="medinstruct52k",
        title="MedInstruct-52k (AlpaCare)",
        licence="CC BY-NC 4.0",
        rows=52_002,
        hub="lavita/AlpaCare-MedInstruct-52k",
        files=_PARQUET,
        mapping=_ASKED,
    ),
    _meadow("health_advice", 8_676),
    _meadow("medical_flashcards", 33_955),
    _meadow("pubmed_causal", 2_446),
    DataSet(
        name="natural_instructions",
        title="Natural-Instructions, nine medical tasks",
        licence="Apache-2.0; each task keeps its source's",
        rows=19_095,
        counted_in=f"{APPENDIX}, as the rest of 490,766",
        repository="allenai/natural-instructions",
        revision="e0fd31052b21acea5bd95fb00253e1ee1f5d8259",
        files=(tuple(f"tasks/{task}.json" for task in TASKS),),
        layout="task",
        mapping=FirstOutput(),
        note="the paper names release 2.8",
    ),
)

EVALUATION = (
    DataSet(
        name="medmcqa",
        title="MedMCQA, validation split",
        licence="Apache-2.0",
        rows=4_183,
        counted_in="Pal et al. 2022",
        hub="openlifescienceai/medmcqa",
        files=(("data/validation-*.parquet",),),
        mapping=Choices("question", _OPTIONS, "cop"),
    ),
)

SOURCE = Source("medicine", TRAIN, dict.fromkeys(EVALUATION, evaluation.medmcqa))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
