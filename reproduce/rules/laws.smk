# A judged law never fails its rule: the verdict is the result, whatever it says.
rule judge:
    input:
        f"{ROOT}/laws/{{law}}.scores.parquet",
    output:
        f"{ROOT}/laws/{{law}}.json",
    log:
        f"{ROOT}/logs/judge.{{law}}.log",
    benchmark:
        f"{ROOT}/benchmarks/judge.{{law}}.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=STUDY.settings.get("scale", "proxy"),
    shell:
        "lawcheck judge {wildcards.law} --scale {params.scale} --scores {input} --json {output} > {log} 2>&1"


for _law in STUDY.laws:

    rule:
        name:
            f"render_{_law}"
        input:
            scores=f"{ROOT}/laws/{_law}.scores.parquet",
            verdict=f"{ROOT}/laws/{_law}.json",
        output:
            STUDY.rendered(_law),
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
        shell:
            "lawcheck render {params.law} {params.study} --figures {params.figures} > {log} 2>&1"

    rule:
        name:
            f"law_{_law}"
        input:
            STUDY.law_outputs(_law),
        localrule: True
