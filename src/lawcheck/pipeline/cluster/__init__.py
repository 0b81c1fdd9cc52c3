"""Slurm as jobs meet it: what a cluster offers, what jobs ask of it, how they end.

`reading` asks the cluster, `limits` compares, `executor` submits and watches for Snakemake.
"""
