"""Trainings: their model, their life cycle, and the decision about each answer."""
