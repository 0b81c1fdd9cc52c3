"""Licences of the slices of real data, by folder; docs/real-data.md has the same."""

LICENCES = {
    "gsm8k": "MIT",
    "chebi20": "BSD-3-Clause; text CC BY 4.0",
    "mol_instructions_biotext": "CC BY 4.0",
    "medmcqa": "MIT",
    "headqa_en": "MIT; exams by attribution",
    "chatdoctor": "Apache-2.0",
    "medical_meadow": "GPL-3.0; text CC BY-SA 3.0",
    "medinstruct": "CC BY-NC 4.0",
    "medquad": "CC BY 4.0",
    "opengpt": "Apache-2.0",
    "pubmedqa": "MIT",
    "natural_instructions": "Apache-2.0, each task its own",
    "geobench": "Apache-2.0",
    "alpaca": "CC BY-NC 4.0",
    "ifeval": "Apache-2.0",
    "mmlu": "MIT",
}
