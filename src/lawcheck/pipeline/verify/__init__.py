"""What every artefact was made from, and whether it still is what was written.

`origin` keeps one record beside each artefact, `sources` says what a stage makes it from, and
`walk` holds a whole results folder against its records.
"""
