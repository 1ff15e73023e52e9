"""Scores and labels → metrics, as numbers, tables and plots."""
