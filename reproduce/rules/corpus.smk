rule corpus:
    output:
        f"{ROOT}/corpus/manifest.json",
    log:
        f"{ROOT}/logs/corpus.log",
    benchmark:
        f"{ROOT}/benchmarks/corpus.tsv"
    shell:
        "lawcheck corpus {SCALE} > {log} 2>&1"


rule base:
    output:
        f"{ROOT}/bases/{{base}}-s{{seed}}/base.json",
    input:
        f"{ROOT}/corpus/manifest.json",
    log:
        f"{ROOT}/logs/base.{{base}}-s{{seed}}.log",
    benchmark:
        f"{ROOT}/benchmarks/base.{{base}}-s{{seed}}.tsv"
    resources:
        mem_mb=STUDY.scale.hardware.memory_mb,
    shell:
        "lawcheck base {SCALE} --base {wildcards.base} --seed {wildcards.seed} > {log} 2>&1"
