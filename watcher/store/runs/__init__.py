"""Runs and their stages in the store: written with the events of their ends, read to learn from them."""
