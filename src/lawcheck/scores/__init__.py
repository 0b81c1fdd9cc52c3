"""The score table: one row per (run, task, item), checked once, read by everything after."""

from lawcheck.declare.metrics import UNKNOWN, UNREADABLE
from lawcheck.scores.checks import check
from lawcheck.scores.files import COLUMNS, SCHEMA, read_rows, write_scores
from lawcheck.scores.loading import concatenate, load_scores
from lawcheck.scores.metrics import (
    ARC,
    CHOSEN,
    COSINE,
    COUNT,
    DETECTED,
    DIFFERENT,
    DISTINCT,
    DIVERGED,
    DIVERGENCE,
    DRAWN,
    FAULT,
    LOSS,
    MEASUREMENTS,
    POTENTIAL,
    PRETRAINED,
    ROUTING,
    ROWS_SELECTED,
    UNSTABLE,
    VARIATION,
    WEIGHT,
)
from lawcheck.scores.places import TaskPlace, task_places
from lawcheck.scores.table import ScoreTable

__all__ = [
    "ARC",
    "CHOSEN",
    "COLUMNS",
    "COSINE",
    "COUNT",
    "DETECTED",
    "DIFFERENT",
    "DISTINCT",
    "DIVERGED",
    "DIVERGENCE",
    "DRAWN",
    "FAULT",
    "LOSS",
    "MEASUREMENTS",
    "POTENTIAL",
    "PRETRAINED",
    "ROUTING",
    "ROWS_SELECTED",
    "SCHEMA",
    "UNKNOWN",
    "UNREADABLE",
    "UNSTABLE",
    "VARIATION",
    "WEIGHT",
    "ScoreTable",
    "TaskPlace",
    "check",
    "concatenate",
    "load_scores",
    "read_rows",
    "task_places",
    "write_scores",
]
