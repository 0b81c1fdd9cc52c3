if not WORKFLOW.joined:

    rule evaluate:
        input:
            f"{ROOT}/batches/{{batch}}.train.json",
        output:
            f"{ROOT}/batches/{{batch}}.scores.json",
        log:
            f"{ROOT}/logs/evaluate.{{batch}}.log",
        benchmark:
            f"{ROOT}/benchmarks/evaluate.{{batch}}.tsv"
        conda:
            ENVIRONMENT
        resources:
            **WORKFLOW.resources("evaluate"),
        params:
            study=STUDY_ARGUMENTS,
            runs=signed(
                lambda wildcards: " ".join(
                    r.id for r in WORKFLOW.batches[wildcards.batch].runs
                )
            ),
        shell:
            "keep {log:q}; lawcheck evaluate {params.study} --record {output:q} {params.runs} > {log:q} 2>&1"


rule collect:
    input:
        scores=lambda wildcards: WORKFLOW.score_inputs(wildcards.law),
        described=lambda wildcards: WORKFLOW.described_inputs(wildcards.law),
        mixtures=f"{ROOT}/mixtures.json",
    output:
        f"{ROOT}/laws/{{law}}.scores.parquet",
    log:
        f"{ROOT}/logs/collect.{{law}}.log",
    benchmark:
        f"{ROOT}/benchmarks/collect.{{law}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("light"),
    params:
        study=STUDY_ARGUMENTS,
        seeds=SEEDS,
    shell:
        "keep {log:q}; lawcheck collect {wildcards.law} {params.study} {params.seeds} > {log:q} 2>&1"
