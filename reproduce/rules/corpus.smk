from lawcheck.planning.cluster import launcher


rule corpus:
    input:
        ancient(PREFLIGHT),
    output:
        f"{ROOT}/corpus/manifest.json",
    log:
        f"{ROOT}/logs/corpus.log",
    benchmark:
        f"{ROOT}/benchmarks/corpus.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("data"),
    params:
        study=STUDY_ARGUMENTS,
        wait=WAIT,
    shell:
        "keep {log:q}; lawcheck corpus {params.study} {params.wait} > {log:q} 2>&1"


# Needs no accelerator and no base model: it runs beside the first training jobs.
rule mixtures:
    input:
        f"{ROOT}/corpus/manifest.json",
    output:
        f"{ROOT}/mixtures.json",
    log:
        f"{ROOT}/logs/mixtures.log",
    benchmark:
        f"{ROOT}/benchmarks/mixtures.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("data"),
    params:
        study=STUDY_ARGUMENTS,
    shell:
        "keep {log:q}; lawcheck mixtures {params.study} > {log:q} 2>&1"


rule base:
    input:
        f"{ROOT}/corpus/manifest.json",
    output:
        f"{ROOT}/bases/{{base}}/base.json",
    log:
        f"{ROOT}/logs/base.{{base}}.log",
    benchmark:
        f"{ROOT}/benchmarks/base.{{base}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("build"),
    params:
        study=STUDY_ARGUMENTS,
        wait=WAIT,
        base=signed(lambda wildcards: WORKFLOW.base_options(wildcards.base)),
    shell:
        "keep {log:q}; lawcheck base {params.study} {params.wait} {params.base} > {log:q} 2>&1"


# What moving mixtures read of base models.
rule detect:
    input:
        lambda wildcards: WORKFLOW.measuring_inputs(wildcards.measured),
        preflight=ancient(PREFLIGHT),
    output:
        f"{ROOT}/knowledge/{{measured}}/knowledge.json",
    log:
        f"{ROOT}/logs/detect.{{measured}}.log",
    benchmark:
        f"{ROOT}/benchmarks/detect.{{measured}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("build"),
    params:
        study=STUDY_ARGUMENTS,
        wait=WAIT,
        base=signed(lambda wildcards: WORKFLOW.measuring_options(wildcards.measured)),
    shell:
        "keep {log:q}; lawcheck detect {params.study} {params.wait} {params.base} > {log:q} 2>&1"


rule reference:
    input:
        lambda wildcards: WORKFLOW.measuring_inputs(wildcards.measured),
        preflight=ancient(PREFLIGHT),
    output:
        f"{ROOT}/references/{{measured}}/reference.json",
    log:
        f"{ROOT}/logs/reference.{{measured}}.log",
    benchmark:
        f"{ROOT}/benchmarks/reference.{{measured}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.reference_resources,
    params:
        launcher=launcher(WORKFLOW.scale.hardware),
        study=STUDY_ARGUMENTS,
        wait=WAIT,
        base=signed(lambda wildcards: WORKFLOW.measuring_options(wildcards.measured)),
    shell:
        "keep {log:q}; {params.launcher}lawcheck reference {params.study} {params.wait} {params.base} > {log:q} 2>&1"
