"""Routing: which receivers an event goes to."""
