# Where base models come from a hub, a run that lacks something fails here, in seconds. Scales that
# build their own bases need no such look. To look again, remove the record.
PREFLIGHT = [f"{ROOT}/preflight.json"] if WORKFLOW.loads_pretrained else []
if PREFLIGHT:

    rule preflight:
        output:
            PREFLIGHT,
        log:
            f"{ROOT}/logs/preflight.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            study=STUDY_ARGUMENTS,
            seeds=SEEDS,
            options=WORKFLOW.doctor_options,
        shell:
            "keep {log:q}; lawcheck doctor {params.study} {params.seeds} {params.options} --record {output:q} > {log:q} 2>&1"
