"""Counts of items and pairs of items: one SQL text each, run by an engine."""
