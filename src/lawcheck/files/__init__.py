"""Whole writes, strict readers, records, locks, interruption; knows no study."""
