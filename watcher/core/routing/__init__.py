"""Routing: the receivers of each event."""
