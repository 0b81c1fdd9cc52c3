from lawcheck.planning.cluster import launcher


# One job carries several runs at small scale and scores them too (WORKFLOW.joined), one run at paper
# scale. Adapters, trainer checkpoints and single score files are not declared, so that a killed
# job resumes where it stopped.
rule train:
    input:
        signed(lambda wildcards: WORKFLOW.train_inputs(wildcards.batch)),
        preflight=ancient(PREFLIGHT),
    output:
        **(
            {"scores": f"{ROOT}/batches/{{batch}}.scores.json"}
            if WORKFLOW.joined
            else {}
        ),
        train=f"{ROOT}/batches/{{batch}}.train.json",
    log:
        f"{ROOT}/logs/train.{{batch}}.log",
    benchmark:
        f"{ROOT}/benchmarks/train.{{batch}}.tsv"
    priority: 10
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("train"),
    params:
        launcher=launcher(WORKFLOW.scale.hardware),
        study=STUDY_ARGUMENTS,
        wait=WAIT,
        scores=(
            (lambda wildcards, output: f"--scores {shlex.quote(output.scores)}")
            if WORKFLOW.joined
            else ""
        ),
        runs=signed(
            lambda wildcards: " ".join(
                r.id for r in WORKFLOW.batches[wildcards.batch].runs
            )
        ),
    shell:
        "keep {log:q}; {params.launcher}lawcheck train {params.study} {params.wait} --record {output.train:q} {params.scores} {params.runs} > {log:q} 2>&1"
