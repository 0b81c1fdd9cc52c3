"""Give the committed score tables the rows that laws ask for since they were collected.

    python benchmarks/reference_rows.py

Rows of arms that a law's checks need are taken from the other committed tables (the same runs),
numbers of distinct n-grams from the committed statistics of the mixtures. Nothing is trained,
evaluated or changed; a table that lacks nothing is left alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lawcheck.declare import discovery
from lawcheck.files.atomic import atomic_file
from lawcheck.scores import COUNT, DISTINCT
from lawcheck.scores.files import SCHEMA

FOLDER = Path(__file__).resolve().parents[1] / "results" / "reference" / "proxy"


def arms_of(table: pa.Table) -> set[str]:
    return set(pc.unique(table["arm"]).to_pylist())


def main() -> None:
    names = sorted(p.name.removesuffix(".scores.parquet") for p in FOLDER.glob("laws/*.parquet"))
    tables = {n: pq.read_table(FOLDER / "laws" / f"{n}.scores.parquet") for n in names}
    mixtures = json.loads((FOLDER / "mixtures.json").read_text())["mixtures"]
    for name, table in tables.items():
        law = discovery.law(name)
        found = [table]
        lost = {a.name for a in law.arms} - arms_of(table)
        for other in tables.values():
            taken = sorted(lost & arms_of(other))
            if taken:
                found.append(other.filter(pc.is_in(other["arm"], pa.array(taken))))
                lost -= set(taken)
        whole = pa.concat_tables([t.cast(SCHEMA) for t in found])
        labels = {a.name: a.recipe.label for a in law.arms if a.recipe is not None}
        if COUNT not in pc.unique(whole["metric"]).to_pylist():
            shares = whole.filter(pc.equal(whole["metric"], DISTINCT)).to_pylist()
            counts = [
                row
                | {"metric": COUNT, "value": float(mixtures[labels[row["arm"]]]["distinct_ngrams"])}
                for row in shares
                if row["arm"] in labels
            ]
            whole = pa.concat_tables([whole, pa.Table.from_pylist(counts, schema=SCHEMA)])
        if lost:
            raise SystemExit(f"{name}: no committed scores of {', '.join(sorted(lost))}")
        if whole.num_rows == table.num_rows:
            continue
        with atomic_file(FOLDER / "laws" / f"{name}.scores.parquet") as part:
            pq.write_table(whole, part, compression="zstd")
        print(f"{name}: {whole.num_rows - table.num_rows} rows more")


if __name__ == "__main__":
    main()
