# A judged law never fails its rule: the verdict is the result, whatever it says.
rule judge:
    input:
        scores=f"{ROOT}/laws/{{law}}.scores.parquet",
        controls=signed(lambda wildcards: WORKFLOW.judge_inputs(wildcards.law)),
    output:
        report(
            f"{ROOT}/laws/{{law}}.json",
            caption="../captions/verdict.rst",
            category="Verdicts",
            labels={"law": "{law}"},
        ),
    log:
        f"{ROOT}/logs/judge.{{law}}.log",
    benchmark:
        f"{ROOT}/benchmarks/judge.{{law}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("light"),
    params:
        scale=SCALE,
    shell:
        "keep {log:q}; lawcheck judge {wildcards.law} --scale {params.scale} --scores {input.scores:q} --json {output:q} > {log:q} 2>&1"


for _law in WORKFLOW.found:

    rule:
        name:
            f"render_{_law}"
        input:
            scores=f"{ROOT}/laws/{_law}.scores.parquet",
            verdict=f"{ROOT}/laws/{_law}.json",
        output:
            [
                (
                    report(
                        path,
                        caption="../captions/law.rst",
                        category=WORKFLOW.found[_law].title,
                        subcategory=f"{kind}s".capitalize(),
                        labels={"shows": title},
                    )
                    if kind
                    else path
                )
                for path, kind, title in WORKFLOW.marked(_law)
            ],
        log:
            f"{ROOT}/logs/render.{_law}.log",
        benchmark:
            f"{ROOT}/benchmarks/render.{_law}.tsv"
        conda:
            ENVIRONMENT
        resources:
            **WORKFLOW.resources("light"),
        params:
            study=STUDY_ARGUMENTS,
            law=_law,
            figures=WORKFLOW.figures.parent,
            scale=WORKFLOW.scale.name,
            claim=WORKFLOW.found[_law].claim,
            captions=WORKFLOW.captions(_law),
        shell:
            "keep {log:q}; lawcheck render {params.law} {params.study} --figures {params.figures:q} > {log:q} 2>&1"

    rule:
        name:
            f"law_{_law}"
        input:
            WORKFLOW.law_outputs(_law),
        localrule: True


# What has to be seen before any law is judged at this scale.
if "controls" in WORKFLOW.found:

    rule controls:
        input:
            WORKFLOW.law_outputs("controls"),
        localrule: True


for _study, _laws in WORKFLOW.studies.items():

    rule:
        name:
            f"study_{_study}"
        input:
            [WORKFLOW.law_outputs(law) for law in _laws],
        localrule: True


# One page of every law, with cards for those that are judged. `lawcheck report` makes it at any
# time from whatever is there.
rule report:
    input:
        scores=[f"{ROOT}/laws/{law}.scores.parquet" for law in WORKFLOW.laws],
        verdicts=[f"{ROOT}/laws/{law}.json" for law in WORKFLOW.laws],
    output:
        report(
            f"{ROOT}/report/index.html",
            caption="../captions/report.rst",
            category="Report",
            labels={"shows": "the whole study"},
        ),
    log:
        f"{ROOT}/logs/report.log",
    benchmark:
        f"{ROOT}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    resources:
        **WORKFLOW.resources("light"),
    params:
        study=STUDY_ARGUMENTS,
    shell:
        "keep {log:q}; lawcheck report {params.study} > {log:q} 2>&1"
