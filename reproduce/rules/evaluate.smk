rule evaluate:
    input:
        f"{ROOT}/batches/{{batch}}.train.json",
    output:
        f"{ROOT}/batches/{{batch}}.scores.json",
    log:
        f"{ROOT}/logs/evaluate.{{batch}}.log",
    benchmark:
        f"{ROOT}/benchmarks/evaluate.{{batch}}.tsv"
    resources:
        mem_mb=STUDY.scale.hardware.memory_mb,
    params:
        runs=lambda wildcards: " ".join(r.id for r in STUDY.batches[wildcards.batch].runs),
    shell:
        "lawcheck evaluate {SCALE} --record {output} {params.runs} > {log} 2>&1"


rule collect:
    input:
        lambda wildcards: STUDY.score_inputs(wildcards.law),
    output:
        f"{ROOT}/laws/{{law}}.scores.parquet",
    log:
        f"{ROOT}/logs/collect.{{law}}.log",
    benchmark:
        f"{ROOT}/benchmarks/collect.{{law}}.tsv"
    shell:
        "lawcheck collect {wildcards.law} {SCALE} {SEEDS} > {log} 2>&1"
