"""The stages of a study for named runs, what a workflow engine asks, verification, publishing."""
