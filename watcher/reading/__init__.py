"""Reads the store into reports, for the commands and the web pages."""
