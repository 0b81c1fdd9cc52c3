"""One module a verb, found by listing this folder.

A module's docstring is the verb's help and `ORDER` its place in `lawcheck --help`. `add` declares
options; `run` does the work and returns the exit status (None: 0). `NEEDS` names modules that only
an extra installs, checked before `run`. `run` imports what it uses: `lawcheck --help` reads all of
these modules.
"""
