"""The public data sets of the paper's corpus: what they are, where they lie, how rows are read.

The declarations stand with the disciplines (disciplines/*/paper.py). Importing them reads nothing.
"""
