"""One module a verb, found by listing this folder.

A module's docstring is the verb's help, `ORDER` its place in `lawcheck --help`, `add` declares its
options, `run` does the work and returns the exit status (None: 0). Stages are imported inside
`run`: every call of the command line imports these modules.
"""
