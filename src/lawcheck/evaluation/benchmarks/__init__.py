"""The evaluation sets of the paper: what is asked, and what their scores and copies report."""
