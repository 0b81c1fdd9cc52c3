# A judged law never fails its rule: the verdict is the result, whatever it says.
rule judge:
    input:
        f"{ROOT}/laws/{{law}}.scores.parquet",
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
    params:
        scale=SCALE,
    shell:
        "lawcheck judge {wildcards.law} --scale {params.scale} --scores {input:q} --json {output:q} > {log:q} 2>&1"


for _law in STUDY.laws:

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
                        category=STUDY.laws[_law].title,
                        subcategory=f"{kind}s".capitalize(),
                        labels={"shows": title},
                    )
                    if kind
                    else path
                )
                for path, kind, title in STUDY.marked(_law)
            ],
        log:
            f"{ROOT}/logs/render.{_law}.log",
        benchmark:
            f"{ROOT}/benchmarks/render.{_law}.tsv"
        conda:
            ENVIRONMENT
        params:
            study=STUDY_ARGUMENTS,
            law=_law,
            figures=STUDY.figures.parent,
            scale=STUDY.scale.name,
            claim=STUDY.laws[_law].claim,
            captions=STUDY.captions(_law),
        shell:
            "lawcheck render {params.law} {params.study} --figures {params.figures:q} > {log:q} 2>&1"

    rule:
        name:
            f"law_{_law}"
        input:
            STUDY.law_outputs(_law),
        localrule: True


# One page of every law, with cards for those that are judged. `lawcheck report` makes it at any
# time from whatever is there.
rule report:
    input:
        scores=[f"{ROOT}/laws/{law}.scores.parquet" for law in STUDY.laws],
        verdicts=[f"{ROOT}/laws/{law}.json" for law in STUDY.laws],
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
    params:
        study=STUDY_ARGUMENTS,
    shell:
        "lawcheck report {params.study} > {log:q} 2>&1"
