"""One module a verb, found by listing this folder.

A module's docstring is the verb's help: a first line for lists, then what a reader of its own help
needs. `GROUP` (a key of `lawcheck.cli.main.GROUPS`) and `ORDER` are its place in `lawcheck --help`,
`EXAMPLES` command lines that parse. `add` declares options; `run` does the work and returns the
exit status (None: 0). `NEEDS` names modules that only an extra installs, checked before `run`.
`SCORES` names options that hold score tables, of which one may be `-`, standard input. `run`
imports what it uses: `lawcheck --help` reads all of these modules.
"""
