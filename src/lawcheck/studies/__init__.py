"""One folder a paper: its laws, arms, tables, figures, printed numbers and coded claims."""
