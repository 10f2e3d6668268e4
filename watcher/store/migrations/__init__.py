"""Numbered schema changes; each runs in one transaction with the record of it."""
