"""Polls: their plan, schedule and results, and the request rate."""
