"""Where things lie under results/<scale>/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def base_name(base: str, seed: int | None) -> str:
    """seed: None for a base that all seeds share."""
    return base if seed is None else f"{base}-s{seed}"


@dataclass(frozen=True)
class Layout:
    """results: the folder that holds one folder per scale."""

    results: Path
    scale: str

    @property
    def root(self) -> Path:
        return self.results / self.scale

    @property
    def corpus(self) -> Path:
        return self.root / "corpus"

    @property
    def manifest(self) -> Path:
        return self.corpus / "manifest.json"

    @property
    def tokens(self) -> Path:
        """Token ids of a streamed corpus, by tokenizer; may be deleted."""
        return self.root / "tokens"

    @property
    def mixtures(self) -> Path:
        """Statistics of the corpus and of every mixture."""
        return self.root / "mixtures.json"

    def base(self, name: str, seed: int | None) -> Path:
        return self.root / "bases" / base_name(name, seed)

    def knowledge(self, name: str, seed: int) -> Path:
        """Shares of domains that were detected in a base model."""
        return self.root / "knowledge" / f"{name}-s{seed}" / "knowledge.json"

    def reference(self, name: str, seed: int) -> Path:
        """Losses of a reference base after training on each domain alone."""
        return self.root / "references" / f"{name}-s{seed}" / "reference.json"

    def run(self, run_id: str) -> Path:
        return self.root / "runs" / run_id

    def train_record(self, run_id: str) -> Path:
        return self.run(run_id) / "train.json"

    def adapter(self, run_id: str) -> Path:
        return self.run(run_id) / "adapter"

    def checkpoints(self, run_id: str) -> Path:
        return self.run(run_id) / "checkpoints"

    @property
    def batches(self) -> Path:
        """Records of what each job of a workflow engine made."""
        return self.root / "batches"

    def run_scores(self, run_id: str, split: str = "eval") -> Path:
        name = "scores.parquet" if split == "eval" else f"scores.{split}.parquet"
        return self.run(run_id) / name

    def law_scores(self, law: str) -> Path:
        return self.root / "laws" / f"{law}.scores.parquet"

    def verdict(self, law: str) -> Path:
        return self.root / "laws" / f"{law}.json"

    def provenance(self, law: str) -> Path:
        return self.root / "laws" / f"{law}.provenance.json"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    def rendered(self, law: str) -> Path:
        """Where the record of a law's tables lies; a file of this name there is none."""
        return self.tables / law

    @property
    def report(self) -> Path:
        """Folder of the HTML page."""
        return self.root / "report"
