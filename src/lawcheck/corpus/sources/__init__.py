"""The public data sets of the paper's corpus: what they are, where they lie, how rows are read.

One file per discipline with TRAIN and EVALUATION. Importing it reads nothing.
"""
