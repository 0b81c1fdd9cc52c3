from lawcheck.cluster import launcher


# One job carries several runs at small scale, one run at paper scale. Adapters and trainer
# checkpoints are not declared, so that a killed job resumes where it stopped.
rule train:
    input:
        lambda wildcards: STUDY.train_inputs(wildcards.batch),
        preflight=ancient(PREFLIGHT),
    output:
        f"{ROOT}/batches/{{batch}}.train.json",
    log:
        f"{ROOT}/logs/train.{{batch}}.log",
    benchmark:
        f"{ROOT}/benchmarks/train.{{batch}}.tsv"
    priority: 10
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources(),
    params:
        launcher=launcher(STUDY.scale.hardware),
        study=STUDY_ARGUMENTS,
        runs=lambda wildcards: " ".join(
            r.id for r in STUDY.batches[wildcards.batch].runs
        ),
    shell:
        "{params.launcher}lawcheck train {params.study} --record {output} {params.runs} > {log} 2>&1"
