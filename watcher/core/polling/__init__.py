"""Polls: their plan, their times, their results, and the request rate."""
