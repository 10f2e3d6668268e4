"""Incidents that polls open and close."""
