"""Invented trainings, their durations and histories."""
