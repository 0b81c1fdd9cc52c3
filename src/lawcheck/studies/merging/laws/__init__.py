"""The laws of the study, one module each."""
