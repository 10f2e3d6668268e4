"""Trainings: their model, their state machine, and the decision about each answer."""
